import { createEntities, deleteEntity, getEntity, listEntities, updateEntity } from '../../operations/entities.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { newcomerTerms } from '../wire/customers.ts'
import {
  createEntitiesInput,
  deleteEntityInput,
  getEntityInput,
  listEntitiesInput,
  updateEntityInput,
} from '../wire/entities.ts'
import { showPage, USUAL_PAGE } from './customers.ts'
import { showEntity } from './show.ts'

export const entities: readonly Endpoint[] = [
  endpoint({
    operation: 'entities.create',
    shape: 'entity',
    input: createEntitiesInput,
    kind: 'write',
    run: (context, input) =>
      createEntities(context, input.customer_id, input.requests, newcomerTerms(input.customer_data ?? {})),
    show(views, input) {
      const shown = views.map((view) => showEntity(view, input.expand))
      const [only, another] = shown
      // One is answered as itself, several as a list (B214).
      return only !== undefined && another === undefined ? only : { list: shown }
    },
  }),
  endpoint({
    operation: 'entities.get',
    shape: 'entity',
    input: getEntityInput,
    kind: 'read',
    run: (context, input) => getEntity(context, referenceOf(input)),
    show: (view, input) => showEntity(view, input.expand),
  }),
  endpoint({
    operation: 'entities.update',
    shape: 'entity',
    input: updateEntityInput,
    kind: 'write',
    run: (context, input) => updateEntity(context, referenceOf(input), input.name),
    show: (view, input) => showEntity(view, input.expand),
  }),
  endpoint({
    operation: 'entities.delete',
    shape: 'success',
    input: deleteEntityInput,
    kind: 'write',
    run: (context, input) => deleteEntity(context, referenceOf(input)),
    show: (success) => success,
  }),
  endpoint({
    operation: 'entities.list',
    shape: 'entities',
    input: listEntitiesInput,
    kind: 'read',
    run: (context, input) =>
      listEntities(context, {
        customerId: input.customer_id,
        search: input.search,
        plans: input.plans,
        status: input.subscription_status ?? undefined,
        cursor: input.start_cursor ?? '',
        limit: input.limit ?? USUAL_PAGE,
        counted: input.with_counts ?? false,
      }),
    show: (page, input) => showPage(page, (view) => showEntity(view, input.expand)),
  }),
]

function referenceOf(input: { customer_id?: string | undefined; entity_id: string }) {
  return { customerId: input.customer_id, entityId: input.entity_id }
}

import { attachPlan, attachPlans, updatePlan } from '../../operations/billing.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import {
  attachInput,
  billedToWire,
  multiAttachInput,
  ordersOf,
  planOrder,
  planUpdate,
  updateInput,
} from '../wire/billing.ts'

export const billing: readonly Endpoint[] = [
  endpoint({
    operation: 'billing.attach',
    shape: 'billed',
    input: attachInput,
    kind: 'write',
    run: (context, input) => attachPlan(context, subjectOf(input), planOrder(input)),
    show: billedToWire,
  }),
  endpoint({
    operation: 'billing.multi_attach',
    shape: 'billed',
    input: multiAttachInput,
    kind: 'write',
    run: (context, input) => attachPlans(context, subjectOf(input), ordersOf(input)),
    show: billedToWire,
  }),
  endpoint({
    operation: 'billing.update',
    shape: 'billed',
    input: updateInput,
    kind: 'write',
    run: (context, input) => updatePlan(context, subjectOf(input), planUpdate(input)),
    show: billedToWire,
  }),
]

function subjectOf(input: { customer_id: string; entity_id?: string | null | undefined }) {
  return { customerId: input.customer_id, entityId: input.entity_id ?? undefined }
}

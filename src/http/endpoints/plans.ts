import { createPlan, deletePlan, getPlan, listPlans, updatePlan } from '../../operations/plans.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import {
  createPlanInput,
  deletePlanInput,
  getPlanInput,
  listPlansInput,
  newPlanOf,
  planChangeOf,
  updatePlanInput,
} from '../wire/plans.ts'
import { showPlan } from './show.ts'

export const plans: readonly Endpoint[] = [
  endpoint({
    operation: 'plans.create',
    shape: 'plan',
    input: createPlanInput,
    kind: 'write',
    run: (context, input) => createPlan(context, newPlanOf(input)),
    show: (view, { expand }) => showPlan(view, expand),
  }),
  endpoint({
    operation: 'plans.get',
    shape: 'plan',
    input: getPlanInput,
    kind: 'read',
    run: (context, input) => getPlan(context, input.plan_id, input.version ?? null),
    show: (view, { expand }) => showPlan(view, expand),
  }),
  endpoint({
    operation: 'plans.list',
    shape: 'plans',
    input: listPlansInput,
    kind: 'read',
    run: (context, input) =>
      listPlans(context, {
        archived: input.include_archived ?? false,
        versions: input.all_versions === true ? 'all' : 'newest',
        subject:
          input.customer_id == null ? null : { customerId: input.customer_id, entityId: input.entity_id ?? undefined },
      }),
    show: (views, { expand }) => ({ list: views.map((view) => showPlan(view, expand)) }),
  }),
  endpoint({
    operation: 'plans.update',
    shape: 'plan',
    input: updatePlanInput,
    kind: 'write',
    run: (context, input) => updatePlan(context, input.plan_id, planChangeOf(input)),
    show: (view, { expand }) => showPlan(view, expand),
  }),
  endpoint({
    operation: 'plans.delete',
    shape: 'success',
    input: deletePlanInput,
    kind: 'write',
    run: (context, input) => deletePlan(context, input.plan_id, input.all_versions === true ? 'all' : 'newest'),
    show: (success) => success,
  }),
]

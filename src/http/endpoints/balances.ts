import {
  createBalance,
  deleteBalance,
  listBalances,
  previewRecalculation,
  recalculateBalance,
  updateBalance,
} from '../../operations/balances.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import {
  adjustmentOf,
  createBalanceInput,
  deleteBalanceInput,
  grantRequest,
  listBalancesInput,
  listedBalanceToWire,
  recalculateInput,
  redistributionToWire,
  targetOf,
  updateBalanceInput,
} from '../wire/balances.ts'
import { subjectOf } from './usage.ts'

export const balances: readonly Endpoint[] = [
  endpoint({
    operation: 'balances.create',
    shape: 'success',
    input: createBalanceInput,
    kind: 'write',
    run: (context, input) => createBalance(context, subjectOf(input), grantRequest(input)),
    show: (success) => success,
  }),
  endpoint({
    operation: 'balances.update',
    shape: 'success',
    input: updateBalanceInput,
    kind: 'write',
    run: (context, input) => updateBalance(context, subjectOf(input), targetOf(input), adjustmentOf(input)),
    show: (success) => success,
  }),
  endpoint({
    operation: 'balances.delete',
    shape: 'success',
    input: deleteBalanceInput,
    kind: 'write',
    run: (context, { customer_id, feature_id, entity_id, recalculate_balances = false, ...filters }) =>
      deleteBalance(
        context,
        { customerId: customer_id, entityId: entity_id },
        feature_id,
        targetOf(filters),
        recalculate_balances,
      ),
    show: (success) => success,
  }),
  endpoint({
    operation: 'balances.recalculate',
    shape: 'success',
    input: recalculateInput,
    kind: 'write',
    run: (context, input) => recalculateBalance(context, subjectOf(input), targetOf(input)),
    show: (success) => success,
  }),
  endpoint({
    operation: 'balances.preview_recalculate',
    shape: 'other',
    input: recalculateInput,
    kind: 'read',
    run: (context, input) => previewRecalculation(context, subjectOf(input), targetOf(input)),
    show: redistributionToWire,
  }),
  endpoint({
    operation: 'balances.list',
    shape: 'other',
    input: listBalancesInput,
    kind: 'read',
    run: (context, input) =>
      listBalances(context, { customerId: input.customer_id, entityId: input.entity_id }, input.feature_id),
    show: (listed) => ({ balances: listed.map(listedBalanceToWire) }),
  }),
]

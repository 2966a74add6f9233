import { setBalances } from '../../operations/balances.ts'
import { advanceCustomerClock } from '../../operations/clock.ts'
import {
  deleteCustomer,
  getCustomer,
  getOrCreateCustomer,
  type ListPage,
  listCustomers,
  updateCustomer,
} from '../../operations/customers.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { setBalancesInput } from '../wire/balances.ts'
import { advanceCustomerClockInput } from '../wire/clock.ts'
import {
  deleteCustomerInput,
  detailsOf,
  getCustomerInput,
  getOrCreateCustomerInput,
  listCustomersInput,
  newcomerTerms,
  updateCustomerInput,
} from '../wire/customers.ts'
import type { WireObject } from '../wire/wire.ts'
import { showCustomer } from './show.ts'

/** How many rows a page has when the caller does not say (B206). */
export const USUAL_PAGE = 50

export const customers: readonly Endpoint[] = [
  endpoint({
    operation: 'customers.get_or_create',
    shape: 'customer',
    input: getOrCreateCustomerInput,
    kind: 'write',
    run: (context, input) =>
      getOrCreateCustomer(context, {
        id: input.customer_id,
        ...newcomerTerms(input),
        entity:
          input.entity_id === undefined
            ? undefined
            : {
                id: input.entity_id,
                name: input.entity_data?.name ?? null,
                featureId: input.entity_data?.feature_id,
              },
        withEntities: input.expand?.includes('entities') ?? false,
      }),
    show: showCustomer,
  }),
  endpoint({
    operation: 'customers.get',
    shape: 'customer',
    input: getCustomerInput,
    kind: 'read',
    run: (context, input) => getCustomer(context, input.customer_id, input.expand?.includes('entities') ?? false),
    show: showCustomer,
  }),
  endpoint({
    operation: 'customers.update',
    shape: 'customer',
    input: updateCustomerInput,
    kind: 'write',
    run: (context, input) =>
      updateCustomer(
        context,
        input.customer_id,
        detailsOf(input),
        input.new_customer_id,
        input.expand?.includes('entities') ?? false,
      ),
    show: showCustomer,
  }),
  endpoint({
    operation: 'customers.delete',
    shape: 'success',
    input: deleteCustomerInput,
    kind: 'write',
    run: (context, input) => deleteCustomer(context, input.customer_id),
    show: (success) => success,
  }),
  endpoint({
    operation: 'customers.list',
    shape: 'customers',
    input: listCustomersInput,
    kind: 'read',
    run: (context, input) =>
      listCustomers(context, {
        search: input.search,
        order: input.sort_order === 'asc' ? 'oldest' : 'newest',
        from: input.created_at_range?.start,
        to: input.created_at_range?.end,
        cursor: input.start_cursor ?? '',
        plans: input.plans,
        status: input.subscription_status ?? undefined,
        limit: input.limit ?? USUAL_PAGE,
        counted: input.with_counts ?? false,
      }),
    show: (page, input) => showPage(page, (view) => showCustomer(view, input)),
  }),
  endpoint({
    operation: 'customers.set_balances',
    shape: 'success',
    input: setBalancesInput,
    kind: 'write',
    run: (context, input) =>
      setBalances(
        context,
        { customerId: input.customer_id, entityId: input.entity_id },
        input.balances.map(({ feature_id, balance }) => ({ featureId: feature_id, total: balance })),
      ),
    show: (success) => success,
  }),
  endpoint({
    operation: 'customers.advance_test_clock',
    shape: 'other',
    input: advanceCustomerClockInput,
    kind: 'write',
    run: (context, input) => advanceCustomerClock(context, input.customer_id, input.frozen_time),
    // What became due has taken effect by now, so there is never anything to wait for.
    show: ({ customerId, movedTo }) => ({ customer_id: customerId, frozen_time: movedTo, status: 'ready' }),
  }),
]

export function showPage<T>({ rows, nextCursor, counts }: ListPage<T>, show: (row: T) => WireObject): WireObject {
  return {
    list: rows.map(show),
    next_cursor: nextCursor,
    ...(counts === null ? {} : { total_count: counts.all, total_filtered_count: counts.filtered }),
  }
}

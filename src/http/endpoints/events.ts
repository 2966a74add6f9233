import { aggregateEvents } from '../../operations/aggregate.ts'
import { listEvents } from '../../operations/events.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { deductionsToWire } from '../wire/balance.ts'
import { aggregateEventsInput, listEventsInput } from '../wire/events.ts'
import { aggregateToWire } from './aggregate.ts'
import { USUAL_PAGE } from './customers.ts'

export const events: readonly Endpoint[] = [
  endpoint({
    operation: 'events.list',
    shape: 'events',
    input: listEventsInput,
    kind: 'read',
    run: (context, input) =>
      listEvents(context, {
        customerId: input.customer_id,
        entityId: input.entity_id,
        names: input.feature_id,
        filters: input.filter_by ?? [],
        from: input.custom_range?.start,
        to: input.custom_range?.end,
        cursor: input.start_cursor ?? '',
        limit: input.limit ?? USUAL_PAGE,
      }),
    show: ({ events: rows, nextCursor }) => ({
      list: rows.map((event) => ({
        id: event.uid,
        timestamp: event.timestamp,
        feature_id: event.name,
        customer_id: event.customerId,
        value: event.value,
        properties: event.properties,
        refund_of: event.refundOf ?? undefined,
        deductions: listOrNull(deductionsToWire(event.deductions)),
      })),
      next_cursor: nextCursor,
    }),
  }),
  endpoint({
    operation: 'events.aggregate',
    shape: 'aggregate',
    input: aggregateEventsInput,
    kind: 'read',
    run: (context, input) =>
      aggregateEvents(context, {
        customerId: input.customer_id,
        entityId: input.entity_id,
        names: input.feature_id,
        span:
          input.custom_range === undefined
            ? (input.range ?? '1bc')
            : { from: input.custom_range.start, to: input.custom_range.end },
        binSize: input.bin_size,
        groupBy: input.group_by ?? null,
        filters: input.filter_by ?? [],
        mostGroups: input.max_groups,
        deductions: input.aggregate_on === 'deducted',
      }),
    show: aggregateToWire,
  }),
]

function listOrNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list
}

import { listEvents } from '../../operations/events.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { deductionsToWire } from '../wire/balance.ts'
import { listEventsInput } from '../wire/usage.ts'
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
]

function listOrNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list
}

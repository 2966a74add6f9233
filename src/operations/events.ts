import type { PropertyFilter } from '../domain/property.ts'
import { isRefusal, type Refusal } from '../domain/refusal.ts'
import type { Instant } from '../domain/time.ts'
import type { EventRow } from '../store/store.ts'
import { cursorAfter, readCursor } from './cursor.ts'
import type { Context } from './decide.ts'
import { settleLapsed } from './locks.ts'

export interface EventListRequest {
  readonly customerId: string | undefined
  readonly entityId: string | undefined
  readonly names: readonly string[] | undefined
  readonly filters: readonly PropertyFilter[]
  readonly from: Instant | undefined
  readonly to: Instant | undefined
  /** `next_cursor` of the page before, or empty for the first page. */
  readonly cursor: string
  readonly limit: number
}

export interface EventPage {
  readonly events: readonly EventRow[]
  /** Where the next page starts, or null on the last one. */
  readonly nextCursor: string | null
}

/** Cursors of this list tell microseconds (R173). */
const TICKS = 1000

/** Recorded uses, newest first, those of locks that have lapsed by now included. An unknown customer or entity has none. Refusal: `invalid_cursor`. Source: R170-R174. */
export async function listEvents({ engine, env }: Context, request: EventListRequest): Promise<EventPage | Refusal> {
  const { cursor, limit, customerId, entityId, names, filters, from, to } = request
  const start = readCursor(cursor, TICKS)
  if (isRefusal(start)) return start
  const after = start.after && { timestamp: start.after.at, uid: start.after.uid }
  await settleLapsed(engine, env)
  const chosen = { env, customerId, entity: entityId, names, properties: filters, from, to }
  const rows = await engine.listEvents({ ...chosen, after, offset: start.offset, limit: limit + 1 })
  const events = rows.slice(0, limit)
  const last = events.at(-1)
  const more = rows.length > limit && last !== undefined
  return { events, nextCursor: more ? cursorAfter({ uid: last.uid, at: last.timestamp }, TICKS) : null }
}

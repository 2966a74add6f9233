import { type Refusal, refuse } from '../domain/refusal.ts'
import type { Instant } from '../domain/time.ts'
import type { EventRow } from '../store/store.ts'
import type { Context } from './decide.ts'

export interface EventListRequest {
  readonly customerId: string | undefined
  readonly entityId: string | undefined
  readonly names: readonly string[] | undefined
  readonly from: Instant | undefined
  readonly to: Instant | undefined
  readonly page:
    | { readonly kind: 'cursor'; readonly cursor: string }
    | { readonly kind: 'offset'; readonly offset: number }
  readonly limit: number
}

export interface EventPage {
  readonly events: readonly EventRow[]
  /** Where the next page starts, or null on the last one. */
  readonly nextCursor: string | null
  readonly offset: number
  readonly limit: number
}

/** Recorded uses, newest first. An unknown customer has none. Refusal: `invalid_cursor`. Source: R170-R174. */
export async function listEvents({ engine, env }: Context, request: EventListRequest): Promise<EventPage | Refusal> {
  const { page, limit, customerId, names, from, to } = request
  const after = page.kind === 'cursor' && page.cursor !== '' ? readCursor(page.cursor) : undefined
  if (after === null)
    return refuse(
      'invalid_cursor',
      'start_cursor is not a cursor of this list: send next_cursor of the page before, or "" for the first page',
    )
  const offset = page.kind === 'offset' ? page.offset : 0
  // No use is recorded for an entity yet, so none can match.
  if (request.entityId !== undefined) return { events: [], nextCursor: null, offset, limit }
  const rows = await engine.listEvents({ env, customerId, names, from, to, after, offset, limit: limit + 1 })
  const events = rows.slice(0, limit)
  const last = events.at(-1)
  return { events, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null, offset, limit }
}

/** Opaque to callers; microseconds, as the published contract has it (R173). */
function cursorOf({ uid, timestamp }: EventRow): string {
  return Buffer.from(JSON.stringify({ v: 0, id: uid, t: timestamp * 1000 })).toString('base64url')
}

function readCursor(cursor: string): { uid: string; timestamp: Instant } | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (typeof value !== 'object' || value === null || !('id' in value) || !('t' in value)) return null
    return typeof value.id === 'string' && Number.isSafeInteger(value.t)
      ? { uid: value.id, timestamp: Math.floor(Number(value.t) / 1000) }
      : null
  } catch {
    return null
  }
}

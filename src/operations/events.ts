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
  /** `next_cursor` of the page before, or empty for the first page. */
  readonly cursor: string
  readonly limit: number
}

export interface EventPage {
  readonly events: readonly EventRow[]
  /** Where the next page starts, or null on the last one. */
  readonly nextCursor: string | null
}

/** Recorded uses, newest first. An unknown customer has none. Refusal: `invalid_cursor`. Source: R170-R174. */
export async function listEvents({ engine, env }: Context, request: EventListRequest): Promise<EventPage | Refusal> {
  const { cursor, limit, customerId, names, from, to } = request
  const start = readCursor(cursor)
  if (start === null) {
    return refuse(
      'invalid_cursor',
      'start_cursor is not a cursor of this list: send next_cursor of the page before, or "" for the first page',
    )
  }
  // No use is recorded for an entity yet, so none can match.
  if (request.entityId !== undefined) return { events: [], nextCursor: null }
  const rows = await engine.listEvents({ env, customerId, names, from, to, ...start, limit: limit + 1 })
  const events = rows.slice(0, limit)
  const last = events.at(-1)
  return { events, nextCursor: rows.length > limit && last !== undefined ? cursorAfter(last) : null }
}

type Start = {
  readonly after: { readonly timestamp: Instant; readonly uid: string } | undefined
  readonly offset: number
}

/** Opaque to callers; microseconds, as the published contract has it (R173). */
function cursorAfter({ uid, timestamp }: EventRow): string {
  return Buffer.from(JSON.stringify({ v: 0, id: uid, t: timestamp * 1000 })).toString('base64url')
}

/** A cursor after a row, or, for versions that page by offset, one that says how many rows to pass over. */
function readCursor(cursor: string): Start | null {
  if (cursor === '') return { after: undefined, offset: 0 }
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (typeof value !== 'object' || value === null) return null
    if ('o' in value)
      return Number.isSafeInteger(value.o) && Number(value.o) >= 0
        ? { after: undefined, offset: Number(value.o) }
        : null
    if (!('id' in value && 't' in value) || typeof value.id !== 'string' || !Number.isSafeInteger(value.t)) return null
    return { after: { uid: value.id, timestamp: Math.floor(Number(value.t) / 1000) }, offset: 0 }
  } catch {
    return null
  }
}

import { type Refusal, refuse } from '../domain/refusal.ts'
import type { Instant } from '../domain/time.ts'

/** Where a page starts: after a row, or past a number of rows for versions that page by offset. */
export interface Start {
  readonly after: { readonly at: Instant; readonly uid: string } | undefined
  readonly offset: number
}

/** Opaque to callers. @param ticks of the cursor's time per millisecond: the contract has a unit per list (B207, R173). */
export function cursorAfter(row: { readonly uid: string; readonly at: Instant }, ticks = 1): string {
  return Buffer.from(JSON.stringify({ v: 0, id: row.uid, t: row.at * ticks })).toString('base64url')
}

/** @param cursor `next_cursor` of the page before, or empty for the first page. Refusal: `invalid_cursor`. */
export function readCursor(cursor: string, ticks = 1): Start | Refusal {
  if (cursor === '') return { after: undefined, offset: 0 }
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (typeof value !== 'object' || value === null) return notACursor()
    if ('o' in value) {
      return Number.isSafeInteger(value.o) && Number(value.o) >= 0
        ? { after: undefined, offset: Number(value.o) }
        : notACursor()
    }
    if (!('id' in value && 't' in value) || typeof value.id !== 'string' || !Number.isSafeInteger(value.t))
      return notACursor()
    return { after: { uid: value.id, at: Math.floor(Number(value.t) / ticks) }, offset: 0 }
  } catch {
    return notACursor()
  }
}

function notACursor(): Refusal {
  return refuse(
    'invalid_cursor',
    'start_cursor is not a cursor of this list: send next_cursor of the page before, or "" for the first page',
  )
}

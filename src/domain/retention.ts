import { type Instant, lengthOf, readSpan } from './time.ts'

/** What is kept of what nobody needs to be answered, and for how long. The real time counts, however clocks were moved. */
export interface Retention {
  /** For how long an idempotency key is known at the least, in milliseconds. */
  readonly keys: number
  /** For how long usage events are kept after they were stored, in milliseconds; null is for ever. */
  readonly events: number | null
  /**
   * What becomes of the events and postings of customers that are deleted from now on: nothing is left of them, or they are
   * kept under the internal id alone, without what the caller said of customer, entity and event.
   */
  readonly deletedCustomers: 'erase' | 'anonymise'
}

const HOUR = 3_600_000
const DAY = 24 * HOUR

export const USUAL_RETENTION: Retention = { keys: DAY, events: null, deletedCustomers: 'erase' }

/** As a person writes it; what is left out is as usual. */
export interface RetentionAsWritten {
  readonly idempotencyKeys?: string | undefined
  readonly events?: string | undefined
  readonly deletedCustomers?: string | undefined
}

/** Keys are looked up in every bucket that may hold one, so that keeping them longer costs each keyed request. */
const KEYS = { shortest: HOUR, longest: 30 * DAY, words: 'a length of time from 1h to 30d, such as 72h' }
const EVENTS = { shortest: DAY, longest: 36_500 * DAY, words: 'a length of time from 1d on, such as 400d' }

/** @returns what is meant, or which part means nothing, and why not. */
export function readRetention({
  idempotencyKeys = '24h',
  events,
  deletedCustomers = USUAL_RETENTION.deletedCustomers,
}: RetentionAsWritten): Retention | { readonly part: keyof RetentionAsWritten; readonly problem: string } {
  const problem = (text: string, words: string) => `is "${text}": it must be ${words}`
  const keys = readLength(idempotencyKeys, KEYS)
  if (keys === null) return { part: 'idempotencyKeys', problem: problem(idempotencyKeys, KEYS.words) }
  const kept = events === undefined ? null : readLength(events, EVENTS)
  if (events !== undefined && kept === null) return { part: 'events', problem: problem(events, EVENTS.words) }
  if (deletedCustomers !== 'erase' && deletedCustomers !== 'anonymise') {
    return { part: 'deletedCustomers', problem: problem(deletedCustomers, 'one of erase, anonymise') }
  }
  return { keys, events: kept, deletedCustomers }
}

/** Months and years are not always as long, so they are not taken. */
function readLength(text: string, { shortest, longest }: typeof KEYS): number | null {
  const span = readSpan(text)
  const length = span === null ? null : lengthOf(span)
  return length === null || length < shortest || length > longest ? null : length
}

/** Events that were stored before are not shown any more; null where all are. */
export function shownFrom(at: Instant, { events }: Retention): Instant | null {
  return events === null ? null : at - events
}

/**
 * Events that were stored before are removed; null where none are. An hour after they were shown last, so that whatever was
 * begun with one of them, such as giving it back, has long ended by then.
 */
export function removedBefore(at: Instant, retention: Retention): Instant | null {
  const from = shownFrom(at, retention)
  return from === null ? null : from - HOUR
}

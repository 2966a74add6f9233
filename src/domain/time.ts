/** Integer Unix milliseconds, UTC. Periods are half-open: a boundary belongs to the period it opens. */
export type Instant = number

/** What an operation may know of time and chance. The domain never asks for either itself. */
export interface Moment {
  readonly now: Instant
  /** A new identifier such as `cus_ent_01J…`: unique, and later ones sort after earlier ones. */
  newId(prefix: IdPrefix): string
}

export type IdPrefix = 'cus' | 'cus_ent' | 'cus_prod' | 'ent' | 'evt' | 'feat' | 'lock' | 'plan'

export const INTERVALS = ['minute', 'hour', 'day', 'week', 'month', 'quarter', 'semi_annual', 'year'] as const
export type Interval = (typeof INTERVALS)[number]

/** A repeated period, for instance every 2 weeks: `{ interval: 'week', count: 2 }`. `count` is a positive integer. */
export interface Every {
  readonly interval: Interval
  readonly count: number
}

const MINUTE = 60_000
type Unit = { readonly minutes: number } | { readonly months: number }
const UNITS: Record<Interval, Unit> = {
  minute: { minutes: 1 },
  hour: { minutes: 60 },
  day: { minutes: 1440 },
  week: { minutes: 10_080 },
  month: { months: 1 },
  quarter: { months: 3 },
  semi_annual: { months: 6 },
  year: { months: 12 },
}

/** The last instant that a JavaScript date can name; no boundary lies beyond it. */
export const END_OF_TIME: Instant = 8_640_000_000_000_000

/**
 * The `n`th boundary counted from `anchor` (n may be zero or negative).
 * Counted from the anchor, never from the boundary before: adding a month to 28 Feb would lose the 31st for ever.
 * Source: spec B148-B151 (REC), law 9.
 */
export function boundary(anchor: Instant, every: Every, n: number): Instant {
  const unit = UNITS[every.interval]
  return 'minutes' in unit
    ? anchor + unit.minutes * MINUTE * every.count * n
    : addMonths(anchor, unit.months * every.count * n)
}

/** The number of the period that `instant` falls into: the largest `n` with `boundary(n) <= instant`. */
export function periodAt(anchor: Instant, every: Every, instant: Instant): number {
  let n = Math.floor((instant - anchor) / nominalLength(every))
  // The estimate may be off by a few periods for calendar intervals; walk to the exact one.
  while (boundary(anchor, every, n) > instant) n -= 1
  while (boundary(anchor, every, n + 1) <= instant) n += 1
  return n
}

/** The first boundary strictly after `instant` (B149). At most `END_OF_TIME`. */
export function boundaryAfter(anchor: Instant, every: Every, instant: Instant): Instant {
  return Math.min(boundary(anchor, every, periodAt(anchor, every, instant) + 1), END_OF_TIME)
}

/** `months` calendar months after `from`, at the same time of day, clamped to the last day of a shorter month. */
export function addMonths(from: Instant, months: number): Instant {
  const date = new Date(from)
  const year = date.getUTCFullYear()
  // More than eleven is a month of a later year, less than zero one of an earlier.
  const month = date.getUTCMonth() + months
  const lastDay = new Date(0)
  lastDay.setUTCFullYear(year, month + 1, 0)
  date.setUTCFullYear(year, month, Math.min(date.getUTCDate(), lastDay.getUTCDate()))
  const result = date.getTime()
  return Number.isNaN(result) ? END_OF_TIME : result
}

/**
 * Of the last days of a month `addMonths` may put an earlier one after a later one. What lies before the returned instant is put
 * before everything from `instant` on: the beginning of the 28th, or the instant itself where it lies before that.
 */
export function beforeClamping(instant: Instant): Instant {
  const date = new Date(instant)
  if (date.getUTCDate() < SHORTEST_MONTH) return instant
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), SHORTEST_MONTH)
}

const SHORTEST_MONTH = 28

/**
 * How long one period is when balances are put in order, in minutes. A month weighs 30 days and a year 365
 * (so that 12 months sort before one year), as in R84 key 6.
 */
export function orderingWeight(every: Every): number {
  if (every.interval === 'year') return 525_600 * every.count
  const unit = UNITS[every.interval]
  return every.count * ('minutes' in unit ? unit.minutes : unit.months * 43_200)
}

function nominalLength(every: Every): number {
  const unit = UNITS[every.interval]
  return every.count * MINUTE * ('minutes' in unit ? unit.minutes : unit.months * 30.436875 * 1440)
}

/** A length of time as people say it; months and years are those of the calendar. */
export interface Span {
  readonly count: number
  readonly unit: SpanUnit
}

type SpanUnit = keyof typeof SPAN_UNITS
const SPAN_UNITS = {
  ms: { ms: 1 },
  s: { ms: 1000 },
  m: { ms: MINUTE },
  h: { ms: 60 * MINUTE },
  d: { ms: 1440 * MINUTE },
  w: { ms: 10_080 * MINUTE },
  mo: { months: 1 },
  y: { months: 12 },
} as const satisfies Record<string, { readonly ms: number } | { readonly months: number }>

/** Reads `31d`, `12h`, `90m`, `30s`, `250ms`, `2w`, `1mo` or `1y`; null for anything else. */
export function readSpan(text: string): Span | null {
  const match = /^(\d{1,12})(ms|s|m|h|d|w|mo|y)$/.exec(text)
  if (match === null) return null
  return { count: Number(match[1]), unit: match[2] as SpanUnit }
}

/** In milliseconds; null for months and years, which are not always as long. */
export function lengthOf({ count, unit }: Span): number | null {
  const size = SPAN_UNITS[unit]
  return 'ms' in size ? size.ms * count : null
}

/** The instant `span` after `from`, at most `END_OF_TIME`. */
export function later(from: Instant, { count, unit }: Span): Instant {
  const size = SPAN_UNITS[unit]
  return Math.min('ms' in size ? from + size.ms * count : addMonths(from, size.months * count), END_OF_TIME)
}

import { addMonths, type Instant } from './time.ts'

/** How long the parts are that a time is cut into; all begin in UTC, weeks on a Monday. */
export const BIN_SIZES = ['hour', 'day', 'week', 'month'] as const
export type BinSize = (typeof BIN_SIZES)[number]

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The first Monday of 1970. */
const MONDAY = 4 * DAY
const LENGTHS = { hour: HOUR, day: DAY, week: 7 * DAY } as const

/**
 * Where the bins begin from the one that holds `from` to the one that holds `to`, in order.
 * @param most at which it stops: one more than this is enough to see that there are too many.
 * Source: R182.
 */
export function binsBetween(from: Instant, to: Instant, size: BinSize, most: number): Instant[] {
  const bins: Instant[] = []
  for (let at = binAt(from, size); at <= to && bins.length <= most; at = nextBin(at, size)) bins.push(at)
  return bins
}

/** Where the bin begins that holds an instant. */
function binAt(instant: Instant, size: BinSize): Instant {
  if (size === 'month') {
    const date = new Date(instant)
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
  }
  const origin = size === 'week' ? MONDAY : 0
  return origin + Math.floor((instant - origin) / LENGTHS[size]) * LENGTHS[size]
}

/** Where the bin after one begins. */
export function nextBin(bin: Instant, size: BinSize): Instant {
  return size === 'month' ? addMonths(bin, 1) : bin + LENGTHS[size]
}

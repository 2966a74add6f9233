/** The model's calendar: boundaries are counted from an anchor, one by one. */
export const INTERVALS = ['minute', 'hour', 'day', 'week', 'month', 'quarter', 'semi_annual', 'year'] as const
export type Interval = (typeof INTERVALS)[number]

export interface Every {
  interval: Interval
  count: number
}

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

/** How long a period is when balances are put in order, in minutes (R84). */
const WEIGHT: Record<Interval, number> = {
  minute: 1,
  hour: 60,
  day: 1440,
  week: 10_080,
  month: 43_200,
  quarter: 129_600,
  semi_annual: 259_200,
  year: 525_600,
}
const MONTHS: Partial<Record<Interval, number>> = { month: 1, quarter: 3, semi_annual: 6, year: 12 }

export function weightOf({ interval, count }: Every): number {
  return WEIGHT[interval] * count
}

/** The `n`th boundary after an anchor: the 31st of a month comes back after February (B151). */
export function nth(anchor: number, { interval, count }: Every, n: number): number {
  const months = MONTHS[interval]
  return months === undefined ? anchor + WEIGHT[interval] * MINUTE * count * n : monthsAfter(anchor, months * count * n)
}

export function monthsAfter(from: number, months: number): number {
  const date = new Date(from)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return date.getTime()
}

import type { Attachment } from './attachment.ts'
import type { Balance } from './balance.ts'
import type { PlanTerms } from './plan.ts'
import { billingEvery } from './plan-cycle.ts'
import { boundary, type Instant, periodAt } from './time.ts'

/** The period that a customer's use is counted by, and the one before it. Both half-open. */
export interface Cycle {
  readonly before: Instant
  readonly start: Instant
  readonly end: Instant
  /** Whether it is the first: what is counted began in it. */
  readonly isFirst: boolean
}

/**
 * The present cycle of the first of these plans that is paid again and again; null where none is (R181).
 * @param attached active ones, in the order in which they were attached.
 */
export function paidCycleOf(
  attached: readonly { readonly attachment: Attachment; readonly terms: PlanTerms }[],
  now: Instant,
): Cycle | null {
  for (const { attachment, terms } of attached) {
    const every = billingEvery(terms)
    if (every === null) continue
    const { anchor, startsAt } = attachment
    const period = periodAt(anchor, every, now)
    const start = boundary(anchor, every, period)
    const [before, end] = [boundary(anchor, every, period - 1), boundary(anchor, every, period + 1)]
    return { before, start, end, isFirst: startsAt >= start }
  }
  return null
}

/**
 * The present period of the oldest of these balances that resets; null where none does: the cycle where nothing is paid for
 * (R181).
 * @param balances brought up to date, so that their next reset lies ahead.
 */
export function cycleOf(balances: readonly Balance[]): Cycle | null {
  let oldest: Balance | null = null
  for (const balance of balances) {
    if (balance.reset !== null && (oldest === null || isOlder(balance, oldest))) oldest = balance
  }
  if (oldest === null || oldest.reset === null) return null
  const { reset, createdAt } = oldest
  const next = periodAt(reset.anchor, reset, reset.nextAt)
  const start = boundary(reset.anchor, reset, next - 1)
  return { before: boundary(reset.anchor, reset, next - 2), start, end: reset.nextAt, isFirst: createdAt >= start }
}

function isOlder(a: Balance, b: Balance): boolean {
  return a.createdAt === b.createdAt ? a.uid < b.uid : a.createdAt < b.createdAt
}

/** How far back use may be looked at, counted from now (R181). */
export const RANGES = ['24h', '7d', '30d', '90d', 'last_cycle', '1bc', '3bc'] as const
export type Range = (typeof RANGES)[number]

/** Both inclusive. */
export interface TimeSpan {
  readonly from: Instant
  readonly to: Instant
}

const DAY = 86_400_000
const DAYS = { '24h': 1, '7d': 7, '30d': 30, '90d': 90 } as const
const CYCLES = { '1bc': 1, '3bc': 3 } as const

/**
 * The time that a range means. `1bc` and `3bc` look back by the length of the present cycle, once and three times, wherever in
 * it `now` is (S30); `last_cycle` is the last complete cycle, or the present one where there was none before. Without a cycle
 * each of the three is the last day. Source: R181.
 */
export function spanOf(range: Range, cycle: Cycle | null, now: Instant): TimeSpan {
  if (range in DAYS) return back(now, DAYS[range as keyof typeof DAYS] * DAY)
  if (cycle === null) return back(now, DAY)
  if (range !== 'last_cycle') return back(now, CYCLES[range as keyof typeof CYCLES] * (cycle.end - cycle.start))
  return cycle.isFirst ? { from: cycle.start, to: now } : { from: cycle.before, to: cycle.start - 1 }
}

function back(now: Instant, length: number): TimeSpan {
  return { from: Math.max(now - length, 1), to: now }
}

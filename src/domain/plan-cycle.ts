import { type Attachment, isTrialing } from './attachment.ts'
import type { BillingPeriod } from './item-price.ts'
import type { PlanTerms } from './plan.ts'
import { boundary, boundaryAfter, type Every, type Instant, orderingWeight, periodAt } from './time.ts'

/** The longest period after which something of the plan is paid again, or null where nothing is (C151). */
export function billingEvery({ price, items }: PlanTerms): Every | null {
  let longest: Every | null = null
  for (const period of [price, ...items.map((item) => item.price)]) {
    const every = period === null ? null : everyOf(period)
    if (every !== null && (longest === null || orderingWeight(every) > orderingWeight(longest))) longest = every
  }
  return longest
}

/** How often something is paid again, or null for once. */
export function everyOf({ interval, count }: BillingPeriod): Every | null {
  return interval === 'one_off' ? null : { interval, count }
}

/** When the cycle that `now` is in ends, counted from the anchor and never before it (C151). */
export function endOfCycle(anchor: Instant, every: Every, now: Instant): Instant {
  return Math.max(anchor, boundaryAfter(anchor, every, now))
}

/** When a plan can end at the earliest without being cut short: with its cycle, or before that where its end is set already. */
export function lastDay(attachment: Attachment, terms: PlanTerms, now: Instant): Instant | null {
  const end = cycleEnd(attachment, terms, now)
  return end === null ? null : Math.min(end, attachment.endsAt ?? end)
}

/** When the present cycle ends, a trial never before its end; null where there is none. Source: C135, C151, C170. */
export function cycleEnd(attachment: Attachment, terms: PlanTerms, now: Instant): Instant | null {
  if (isTrialing(attachment, now)) return attachment.trialEndsAt
  const every = billingEvery(terms)
  return every === null ? null : endOfCycle(attachment.anchor, every, now)
}

/** The cycle that `now` is in, the trial being one of its own; null where there is none (C178). */
export function cycleAt(
  attachment: Attachment,
  terms: PlanTerms,
  now: Instant,
): { readonly start: Instant; readonly end: Instant } | null {
  const { anchor, startsAt } = attachment
  if (isTrialing(attachment, now)) return { start: startsAt, end: attachment.trialEndsAt }
  const every = billingEvery(terms)
  if (every === null) return null
  const start = boundary(anchor, every, periodAt(anchor, every, now))
  return { start: Math.max(start, startsAt), end: endOfCycle(anchor, every, now) }
}

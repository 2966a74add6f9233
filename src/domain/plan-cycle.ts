import type { Attachment } from './attachment.ts'
import type { BillingPeriod } from './item-price.ts'
import type { PlanTerms } from './plan.ts'
import { boundary, boundaryAfter, type Every, type Instant, orderingWeight, periodAt } from './time.ts'

/** The longest period after which something of the plan is paid again, or null where nothing is (C151). */
export function billingEvery({ price, items }: PlanTerms): Every | null {
  let longest: Every | null = null
  for (const period of [price, ...items.map((item) => item.price)]) {
    const every = period === null ? null : repeating(period)
    if (every !== null && (longest === null || orderingWeight(every) > orderingWeight(longest))) longest = every
  }
  return longest
}

function repeating({ interval, count }: BillingPeriod): Every | null {
  return interval === 'one_off' ? null : { interval, count }
}

/** When a plan can end at the earliest without being cut short: with its cycle, or before that where its end is set already. */
export function lastDay(attachment: Attachment, terms: PlanTerms, now: Instant): Instant | null {
  const end = cycleEnd(attachment, terms, now)
  return end === null ? null : Math.min(end, attachment.endsAt ?? end)
}

/** When the present cycle ends, a trial never before its end; null where there is none. Source: C135, C151, C170. */
export function cycleEnd({ anchor, trialEndsAt }: Attachment, terms: PlanTerms, now: Instant): Instant | null {
  if (trialEndsAt !== null && trialEndsAt > now) return trialEndsAt
  const every = billingEvery(terms)
  return every === null ? null : Math.max(anchor, boundaryAfter(anchor, every, now))
}

/** The cycle that `now` is in, the trial being one of its own; null where there is none (C178). */
export function cycleAt(
  attachment: Attachment,
  terms: PlanTerms,
  now: Instant,
): { readonly start: Instant; readonly end: Instant } | null {
  const { anchor, startsAt, trialEndsAt } = attachment
  const end = cycleEnd(attachment, terms, now)
  if (end === null) return null
  if (trialEndsAt !== null && trialEndsAt > now) return { start: startsAt, end }
  const every = billingEvery(terms)
  if (every === null) return null
  const start = boundary(anchor, every, periodAt(anchor, every, now))
  return { start: Math.max(start, startsAt), end }
}

import { type Amount, ZERO } from './amount.ts'
import { assert } from './assert.ts'
import { type Catalogue, isConsumable } from './feature.ts'
import type { BillingInterval, BillingPeriod, ItemPrice } from './item-price.ts'
import type { Plan, PlanItem, PlanTerms } from './plan.ts'

/** Costs nothing: there is no price, or every amount of each is zero (C95). */
export function isFree({ price, items }: PlanTerms): boolean {
  return (price === null || price.amount === ZERO) && items.every((item) => item.price === null || isZero(item.price))
}

/** Is paid for, and only once: such a plan is a purchase (C95). */
export function isOneOff(terms: PlanTerms): boolean {
  return !isFree(terms) && pricesOf(terms).every(({ interval }) => interval === 'one_off')
}

/** Whether it takes the place of another, or may be replaced by one (C96). @param terms on which the plan is had. */
export function isMainPlan({ addOn }: Plan, terms: PlanTerms): boolean {
  return !addOn && !isOneOff(terms)
}

export function isPaidRecurring(terms: PlanTerms): boolean {
  return !isFree(terms) && !isOneOff(terms)
}

/**
 * Whether going from one plan to the other is an upgrade, which takes effect at once; otherwise it is a downgrade. The first
 * rule that says something decides: free or not, paid once, only for use, the longer interval, the price for a month.
 * Source: the table of C 4.1, C98-C100.
 * @param before terms that the subject has, which may be its own; @param after those it is to have.
 */
export function isUpgrade(before: PlanTerms, after: PlanTerms, catalogue: Catalogue): boolean {
  const wasFree = isFree(before)
  if (wasFree !== isFree(after)) return wasFree
  if (isOneOff(before) || isOneOff(after)) return true
  if (isForUse(before, catalogue) && isForUse(after, catalogue)) return true
  if (longest(after) > longest(before)) return true
  return isAtMost(byMonth(before, catalogue), byMonth(after, catalogue))
}

function isZero({ tiers }: ItemPrice): boolean {
  return tiers.every(({ amount, flatAmount }) => amount === ZERO && (flatAmount ?? ZERO) === ZERO)
}

/** The flat fee and what units cost. */
function pricesOf({ price, items }: PlanTerms): BillingPeriod[] {
  return [price, ...items.map((item) => item.price)].filter((one) => one !== null)
}

/** Whether nothing is paid for but what was used up. */
function isForUse({ price, items }: PlanTerms, catalogue: Catalogue): boolean {
  return price === null && items.every((item) => item.price === null || isUsage(item, catalogue))
}

function isUsage({ feature, price }: PlanItem, catalogue: Catalogue): boolean {
  const found = catalogue.byUid.get(feature)
  assert(found !== undefined, 'the feature of an item exists')
  return price?.method === 'usage_based' && isConsumable(found)
}

/** Quarters of a month, so that a week is a whole number (C98). Once is not a length. */
const LENGTHS: Record<BillingInterval, number> = {
  one_off: 0,
  week: 1,
  month: 4,
  quarter: 12,
  semi_annual: 24,
  year: 48,
}

function longest(terms: PlanTerms): number {
  return Math.max(0, ...pricesOf(terms).map(({ interval, count }) => LENGTHS[interval] * count))
}

/** Money for each month, as a fraction: a third of an amount has no decimal. */
interface Fraction {
  readonly numerator: bigint
  readonly denominator: bigint
}

/** What is due for a month, prices of use up left out; of tiers the first counts, and once counts as a month (C98). */
function byMonth({ price, items }: PlanTerms, catalogue: Catalogue): Fraction {
  let total: Fraction = { numerator: 0n, denominator: 1n }
  if (price !== null) total = plus(total, price.amount, price)
  for (const item of items) {
    if (item.price === null || isUsage(item, catalogue)) continue
    const [first] = item.price.tiers
    assert(first !== undefined, 'a price has a tier')
    total = plus(total, first.amount, item.price)
  }
  return total
}

function plus({ numerator, denominator }: Fraction, amount: Amount, { interval, count }: BillingPeriod): Fraction {
  const length = BigInt(interval === 'one_off' ? LENGTHS.month : LENGTHS[interval] * count)
  return { numerator: numerator * length + amount * denominator, denominator: denominator * length }
}

function isAtMost(a: Fraction, b: Fraction): boolean {
  return a.numerator * b.denominator <= b.numerator * a.denominator
}

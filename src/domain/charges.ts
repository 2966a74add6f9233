import { type Amount, ONE, sum, ZERO } from './amount.ts'
import type { Attachment } from './attachment.ts'
import { balancesFrom } from './attachments.ts'
import { owedOf } from './balance.ts'
import { type Catalogue, type Feature, isConsumable } from './feature.ts'
import { termsOf } from './find-plan.ts'
import type { Holdings } from './holdings.ts'
import { costOf, type Fraction } from './item-cost.ts'
import type { BillingPeriod } from './item-price.ts'
import { boundary, type Every, type Instant, periodAt } from './time.ts'

/** What one part of a plan costs for a period of it. */
export interface Charge {
  readonly attachment: Attachment
  /** The item's place among those of the terms, or null for the flat fee. */
  readonly item: number | null
  readonly feature: Feature | null
  /** Units that it is for, beyond those that are included; one for the flat fee. */
  readonly quantity: Amount
  readonly cost: Fraction
  readonly period: BillingPeriod
  /** Whether it is for what has been used up, and so due when the period is over. */
  readonly isForUse: boolean
}

/**
 * The charges of a plan: its flat fee, what is ordered of it, and what is held or has been used beyond its grants. What comes
 * to nothing is left out.
 * @param holdings with its balances, where it is active.
 * @param quantities of what is ordered: those of now, or those from the next reset on.
 */
export function chargesOf(
  holdings: Holdings,
  attachment: Attachment,
  quantities: 'now' | 'next',
  catalogue: Catalogue,
): Charge[] {
  const { price, items } = termsOf(attachment, catalogue)
  const charges: Charge[] = []
  if (price !== null) {
    const cost = { numerator: price.amount, denominator: 1n }
    charges.push({ attachment, item: null, feature: null, quantity: ONE, cost, period: price, isForUse: false })
  }
  const balances = balancesFrom(holdings, attachment)
  for (const [i, { feature: uid, price: itemPrice }] of items.entries()) {
    const feature = catalogue.byUid.get(uid)
    if (itemPrice === null || feature === undefined) continue
    const ordered = attachment.quantities.find(({ item }) => item === i)
    const quantity =
      itemPrice.method === 'prepaid'
        ? ((quantities === 'next' ? ordered?.next : null) ?? ordered?.units ?? ZERO)
        : sum(balances.filter(({ source }) => source?.item === i).map(owedOf))
    const isForUse = itemPrice.method === 'usage_based' && isConsumable(feature)
    const cost = costOf(itemPrice, quantity)
    charges.push({ attachment, item: i, feature, quantity, cost, period: itemPrice, isForUse })
  }
  return charges.filter(({ cost }) => cost.numerator !== 0n)
}

/** How many cycles there are from `from` to the end of the one that `now` is in: one, a part of one, or more. */
export function cyclesLeft(anchor: Instant, every: Every, from: Instant, now: Instant): Fraction {
  const first = periodAt(anchor, every, from)
  const last = Math.max(0, periodAt(anchor, every, now) + 1)
  const [start, end] = [boundary(anchor, every, first), boundary(anchor, every, first + 1)]
  const length = BigInt(end - start)
  return { numerator: BigInt(end - from) + BigInt(last - first - 1) * length, denominator: length }
}

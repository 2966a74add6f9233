import { type Amount, atLeastZero, ZERO } from './amount.ts'
import { grantedOf, isDrained, rolledOver } from './balance.ts'
import type { Feature } from './feature.ts'
import { type EntityHoldings, type Holdings, within } from './holdings.ts'
import { isSlice } from './slices.ts'
import { BOUNDLESS, joined, type Purchases, purchasesAt, type Summary, summarise } from './summary.ts'
import type { Instant } from './time.ts'
import { Fold } from './tree.ts'

/**
 * What a subject is shown of a feature. An entity sees its own balances and those that it inherits. A customer is shown the
 * total of its own balances and all that its entities have, though it spends only its own: `breakdown` lists those alone.
 * @param entity internal id, or null for the customer itself.
 * @param touched balances that this operation drew from, as for `summarise`.
 * Source: B49, B52-B54, R34 (display).
 */
export function summaryFor(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  touched?: ReadonlySet<string>,
): Summary | null {
  const own = summarise(feature, within(holdings, entity, feature.uid), touched)
  if (entity !== null || holdings.entities.byUid === null) return own
  const sums = SUMS.over(holdings.entities.byUid).get(feature.uid)
  if (sums === undefined) return own
  if (touched !== undefined) return together(feature, own, sums)
  const known = remembered.get(sums)
  if (known !== undefined && known.own === own && known.summary.feature === feature) return known.summary
  const summary = together(feature, own, sums)
  remembered.set(sums, { own, summary })
  return summary
}

/** As in `summarise`: between two changes the sums of the entities are the same object. */
const remembered = new WeakMap<Sums, { readonly own: Summary | null; readonly summary: Summary }>()

/** What all entities of a customer have of one feature. */
interface Sums {
  readonly granted: Amount
  /** Debts included: they are set off against what other entities have left (B54). */
  readonly remaining: Amount
  readonly rolledOver: Amount
  readonly rolledOverUsed: Amount
  readonly unlimited: boolean
  /** Use of unlimited balances. */
  readonly unlimitedUsage: Amount
  readonly purchases: Purchases | null
  readonly nextResetAt: Instant
}

const SUMS = new Fold<EntityHoldings, ReadonlyMap<string, Sums>>(
  new Map(),
  ({ balances }) => {
    const sums = new Map<string, Sums>()
    for (const [feature, list] of balances) {
      for (const balance of list) {
        // Slices are among the customer's own.
        if (balance.terms.kind === 'flag' || isSlice(balance) || isDrained(balance)) continue
        const isUnlimited = balance.terms.kind === 'unlimited'
        const one: Sums = {
          granted: grantedOf(balance),
          remaining: isUnlimited ? ZERO : balance.remaining,
          rolledOver: rolledOver(balance),
          rolledOverUsed: balance.rollovers.reduce((sum, { used }) => sum + used, ZERO),
          unlimited: isUnlimited,
          unlimitedUsage: isUnlimited ? -balance.remaining : ZERO,
          purchases: isUnlimited || balance.source?.price == null ? null : purchasesAt(balance.source.price),
          nextResetAt: balance.reset?.nextAt ?? Number.POSITIVE_INFINITY,
        }
        const before = sums.get(feature)
        sums.set(feature, before === undefined ? one : added(before, one))
      }
    }
    return sums
  },
  (a, b) => {
    if (a.size === 0) return b
    const sum = new Map(a)
    for (const [feature, sums] of b) {
      const before = sum.get(feature)
      sum.set(feature, before === undefined ? sums : added(before, sums))
    }
    return sum
  },
)

function added(a: Sums, b: Sums): Sums {
  return {
    granted: a.granted + b.granted,
    remaining: a.remaining + b.remaining,
    rolledOver: a.rolledOver + b.rolledOver,
    rolledOverUsed: a.rolledOverUsed + b.rolledOverUsed,
    unlimited: a.unlimited || b.unlimited,
    unlimitedUsage: a.unlimitedUsage + b.unlimitedUsage,
    purchases: joined(a.purchases, b.purchases),
    nextResetAt: Math.min(a.nextResetAt, b.nextResetAt),
  }
}

function together(feature: Feature, own: Summary | null, sums: Sums): Summary {
  const granted = (own?.granted ?? ZERO) + sums.granted + sums.rolledOver + sums.rolledOverUsed
  const usage = (own?.usage ?? ZERO) + sums.granted - sums.remaining + sums.rolledOverUsed
  if (own?.unlimited === true || sums.unlimited) {
    return {
      feature,
      ...BOUNDLESS,
      // Where either side is unlimited the finite balances of the entities do not count (B44, B53).
      usage: (own?.usage ?? ZERO) + sums.unlimitedUsage,
      breakdown: own?.unlimited === true ? own.breakdown : [],
    }
  }
  const purchases = joined(ownPurchases(own), sums.purchases)
  const next = Math.min(own?.nextResetAt ?? Number.POSITIVE_INFINITY, sums.nextResetAt)
  return {
    feature,
    granted,
    remaining: (own?.remaining ?? ZERO) + atLeastZero(sums.remaining) + sums.rolledOver,
    usage,
    unlimited: false,
    overageAllowed: purchases?.overageAllowed ?? false,
    maxPurchase: purchases?.most ?? null,
    nextResetAt: next === Number.POSITIVE_INFINITY ? null : next,
    breakdown: own?.breakdown ?? [],
    rollovers: own?.rollovers ?? null,
  }
}

function ownPurchases(own: Summary | null): Purchases | null {
  if (own === null || own.breakdown.every(({ price }) => price === null)) return null
  return { overageAllowed: own.overageAllowed, most: own.maxPurchase }
}

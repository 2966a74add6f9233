import { type Amount, atLeastZero, sum, ZERO } from './amount.ts'
import { grantedOf, isDrained, rolledOver } from './balance.ts'
import type { Feature } from './feature.ts'
import { balancesOf, type EntityHoldings, type Holdings } from './holdings.ts'
import { purchasesOf, type SlicedItem, slicedItems } from './sliced-items.ts'
import { isSlice } from './slices.ts'
import {
  BOUNDLESS,
  type BreakdownLine,
  breakdownLine,
  joined,
  onlyPlanOf,
  type Purchases,
  purchasesAt,
  type Summary,
  soonestFirst,
  summarise,
} from './summary.ts'
import type { Instant } from './time.ts'
import { Fold } from './tree.ts'
import { exceptSlices } from './within.ts'

/**
 * What a subject is shown of a feature. An entity sees its own balances and those that it inherits. A customer is shown what
 * it may use itself, and in the totals all else that its entities have.
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
  const own = usableSummary(holdings, entity, feature, touched)
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

/**
 * What a subject may itself use of a feature, by which it is judged: as `summaryFor`, without what belongs to entities alone.
 * Items that entities have for themselves are one line each. Source: R34 (evaluation).
 */
export function usableSummary(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  touched?: ReadonlySet<string>,
): Summary | null {
  const own = summarise(feature, exceptSlices(holdings, entity, feature.uid), touched)
  const items = entity === null ? slicedItems(holdings, feature.uid) : []
  if (items.length === 0) return own
  if (touched !== undefined) return withItems(holdings, feature, own, items)
  const known = usables.get(items)
  if (known !== undefined && known.own === own && known.summary.feature === feature) return known.summary
  const summary = withItems(holdings, feature, own, items)
  usables.set(items, { own, summary })
  return summary
}

const usables = new WeakMap<readonly SlicedItem[], { readonly own: Summary | null; readonly summary: Summary }>()

/** As in `summarise`: between two changes the sums of the entities are the same object. */
const remembered = new WeakMap<Sums, { readonly own: Summary | null; readonly summary: Summary }>()

/** What all entities of a customer have of one feature, slices apart. */
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

/** The customer's own with the slices, which it spends as its own. */
function withItems(holdings: Holdings, feature: Feature, own: Summary | null, items: readonly SlicedItem[]): Summary {
  if (own?.unlimited === true || items[0]?.first.terms.kind === 'unlimited')
    return boundless(holdings, feature, own, items)
  let purchases = ownPurchases(own)
  let { granted, remaining, usage } = own ?? { granted: ZERO, remaining: ZERO, usage: ZERO }
  let next = own?.nextResetAt ?? Number.POSITIVE_INFINITY
  for (const item of items) {
    const rolledOver = sum(item.rollovers.map((rollover) => rollover.granted))
    granted += item.included + item.prepaid + rolledOver
    remaining += item.remaining + item.rolledOver
    usage += item.usage + rolledOver - item.rolledOver
    purchases = joined(purchases, purchasesOf(item))
    next = Math.min(next, item.nextResetAt)
  }
  const rollovers = items.flatMap((item) => item.rollovers)
  return {
    feature,
    granted,
    remaining,
    usage,
    unlimited: false,
    overageAllowed: purchases?.overageAllowed ?? false,
    maxPurchase: purchases?.most ?? null,
    nextResetAt: orNull(next),
    breakdown: [...(own?.breakdown ?? []), ...items.map((item) => itemLine(feature, item))],
    rollovers:
      own?.rollovers == null && items.every(({ first }) => first.rolloverPolicy === null)
        ? null
        : [...(own?.rollovers ?? []), ...rollovers].sort(soonestFirst),
  }
}

/** Of all that is unlimited, finite balances beside it do not count (B44). */
function boundless(holdings: Holdings, feature: Feature, own: Summary | null, items: readonly SlicedItem[]): Summary {
  const unlimited = items.filter(({ first }) => first.terms.kind === 'unlimited')
  const owned = balancesOf(holdings, feature.uid).filter(({ terms }) => terms.kind === 'unlimited')
  const usage = (own?.unlimited === true ? own.usage : ZERO) + sum(unlimited.map((item) => item.usage))
  const lines = own?.unlimited === true ? own.breakdown : unlimited.slice(0, 1).map((item) => itemLine(feature, item))
  const planId = onlyPlanOf([...owned, ...unlimited.map(({ first }) => first)])
  const breakdown = lines.map((line) => ({ ...line, planId, usage, reset: null, price: null }))
  return { feature, ...BOUNDLESS, usage, breakdown }
}

function itemLine(feature: Feature, item: SlicedItem): BreakdownLine {
  const { reset, ...line } = breakdownLine(feature, item.first)
  return {
    ...line,
    id: item.id,
    includedGrant: item.included,
    prepaidGrant: item.prepaid,
    remaining: item.remaining,
    usage: item.usage,
    held: item.held,
    reset: reset === null ? null : { ...reset, resetsAt: orNull(item.nextResetAt) },
    expiresAt: orNull(item.expiresAt),
  }
}

function orNull(at: Instant): Instant | null {
  return at === Number.POSITIVE_INFINITY ? null : at
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
    nextResetAt: orNull(next),
    breakdown: own?.breakdown ?? [],
    rollovers: own?.rollovers ?? null,
  }
}

function ownPurchases(own: Summary | null): Purchases | null {
  if (own === null || own.breakdown.every(({ price }) => price === null)) return null
  return { overageAllowed: own.overageAllowed, most: own.maxPurchase }
}

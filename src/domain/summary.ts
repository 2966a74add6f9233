import { type Amount, atLeastZero, sum, ZERO } from './amount.ts'
import { type Balance, grantedOf, heldOf, includedOf, isDrained, rolledOver, usedOf } from './balance.ts'
import { type Feature, isConsumable } from './feature.ts'
import type { ItemPrice } from './item-price.ts'
import type { Instant, Interval } from './time.ts'

/** All visible balances of one feature for one subject, added up: what the public API calls the balance object. */
export interface Summary {
  readonly feature: Feature
  readonly granted: Amount
  readonly remaining: Amount
  readonly usage: Amount
  readonly unlimited: boolean
  /** Whether a balance is usage-based, however much it may owe (B41). */
  readonly overageAllowed: boolean
  /** Units that may be bought or owed in all; null for any number, and where nothing is priced (B42). */
  readonly maxPurchase: Amount | null
  readonly nextResetAt: Instant | null
  /** One line per balance, in consumption order. */
  readonly breakdown: readonly BreakdownLine[]
  /** Null when no balance of the feature rolls over. */
  readonly rollovers: readonly RolloverLine[] | null
}

export interface BreakdownLine {
  /** The caller's `balance_id`, otherwise the internal id (R16). */
  readonly id: string
  /** The caller's id of the plan that it comes from, or null. */
  readonly planId: string | null
  readonly includedGrant: Amount
  /** What was bought in advance. */
  readonly prepaidGrant: Amount
  readonly remaining: Amount
  readonly usage: Amount
  /** What open locks hold of it and of its rollovers. Counts as used. */
  readonly held: Amount
  readonly unlimited: boolean
  readonly reset: ResetLine | null
  readonly price: PriceLine | null
  readonly expiresAt: Instant | null
}

/** A price, and how many units are included each time before it begins. */
export interface PriceLine {
  readonly terms: ItemPrice
  readonly included: Amount
}

export interface ResetLine {
  readonly interval: Interval | 'one_off'
  readonly count: number
  readonly resetsAt: Instant | null
}

export interface RolloverLine {
  readonly granted: Amount
  readonly remaining: Amount
  readonly expiresAt: Instant | null
}

/** A held boolean feature. */
export interface Flag {
  readonly id: string
  readonly feature: Feature
  /** Of the one plan that gives it; null for several and for none. */
  readonly planId: string | null
  readonly expiresAt: Instant | null
}

/**
 * @param balances of `feature`, brought up to date, in consumption order.
 * @param touched internal ids that this very operation drew from: they show even when it drained them (R22).
 * @returns null when nothing is visible.
 * Source: B33-B47, R15-R20. The identity granted − usage = remaining − debt holds for finite features (B39).
 */
export function summarise(
  feature: Feature,
  balances: readonly Balance[],
  touched?: ReadonlySet<string>,
): Summary | null {
  if (balances.length === 0) return null
  if (touched !== undefined) return addUp(feature, balances, touched)
  const known = summaries.get(balances)
  if (known?.feature === feature) return known.summary
  const summary = addUp(feature, balances)
  summaries.set(balances, { feature, summary })
  return summary
}

/**
 * Checks outnumber changes, and between two changes of a customer its lists of balances are the same objects: what they add
 * up to is worked out once and lives exactly as long as the list.
 */
const summaries = new WeakMap<readonly Balance[], { readonly feature: Feature; readonly summary: Summary | null }>()

function addUp(feature: Feature, balances: readonly Balance[], touched?: ReadonlySet<string>): Summary | null {
  const visible = balances.filter((balance) => !isDrained(balance) || touched?.has(balance.uid) === true)
  if (visible.length === 0) return null
  const first = visible.find(({ terms }) => terms.kind === 'unlimited')
  if (first !== undefined) return unlimited(feature, first, visible)
  let granted = ZERO
  let remaining = ZERO
  let usage = ZERO
  let nextResetAt: Instant | null = null
  let purchases: Purchases | null = null
  for (const balance of visible) {
    granted += grantedOf(balance)
    remaining += atLeastZero(balance.remaining) + rolledOver(balance)
    usage += usedOf(balance)
    for (const rollover of balance.rollovers) {
      granted += rollover.remaining + rollover.used
      usage += rollover.used
    }
    const price = balance.source?.price
    if (price != null) purchases = joined(purchases, purchasesAt(price))
    const next = balance.reset?.nextAt
    if (next !== undefined && (nextResetAt === null || next < nextResetAt)) nextResetAt = next
  }
  return {
    feature,
    granted,
    remaining,
    usage,
    unlimited: false,
    overageAllowed: purchases?.overageAllowed ?? false,
    maxPurchase: purchases?.most ?? null,
    nextResetAt,
    breakdown: visible.map((balance) => breakdownLine(feature, balance)),
    rollovers: rolloverLines(visible),
  }
}

/** What prices allow beyond what is granted. */
export interface Purchases {
  readonly overageAllowed: boolean
  /** Null is any number. */
  readonly most: Amount | null
}

export function purchasesAt({ method, maxPurchase }: ItemPrice): Purchases {
  return { overageAllowed: method === 'usage_based', most: maxPurchase }
}

/** Null where nothing is priced. Source: B41, B42, B53. */
export function joined(a: Purchases | null, b: Purchases | null): Purchases | null {
  if (a === null || b === null) return a ?? b
  return {
    overageAllowed: a.overageAllowed || b.overageAllowed,
    most: a.most === null || b.most === null ? null : a.most + b.most,
  }
}

/** One unlimited balance makes the whole feature unlimited; finite ones beside it are neither shown nor drawn from (B44). */
function unlimited(feature: Feature, first: Balance, visible: readonly Balance[]): Summary {
  const sources = visible.filter(({ terms }) => terms.kind === 'unlimited')
  const usage = -sum(sources.map(({ remaining }) => remaining))
  const breakdown: BreakdownLine = {
    id: first.uid,
    planId: onlyPlanOf(sources),
    includedGrant: ZERO,
    prepaidGrant: ZERO,
    remaining: ZERO,
    usage,
    held: first.held,
    unlimited: true,
    reset: null,
    price: null,
    expiresAt: first.expiresAt,
  }
  return { feature, ...BOUNDLESS, usage, breakdown: [breakdown] }
}

/** What is said of every feature without limit. */
export const BOUNDLESS = {
  granted: ZERO,
  remaining: ZERO,
  unlimited: true,
  overageAllowed: false,
  maxPurchase: null,
  nextResetAt: null,
  rollovers: null,
} as const

/** The one plan that balances come from, those without a plan apart; null for several and for none. */
export function onlyPlanOf(balances: readonly Balance[]): string | null {
  let only: string | null = null
  for (const { source } of balances) {
    if (source === null || source.planId === only) continue
    if (only !== null) return null
    only = source.planId
  }
  return only
}

/** One balance as it is shown. What an unlimited one was drawn for counts as used. */
export function breakdownLine(feature: Feature, balance: Balance): BreakdownLine {
  const { source } = balance
  return {
    id: balance.id ?? balance.uid,
    planId: source?.planId ?? null,
    includedGrant: includedOf(balance),
    prepaidGrant: source?.prepaid ?? ZERO,
    remaining: balance.terms.kind === 'unlimited' ? ZERO : atLeastZero(balance.remaining),
    usage: usedOf(balance),
    held: heldOf(balance),
    unlimited: balance.terms.kind === 'unlimited',
    reset: resetLine(feature, balance),
    price: source === null || source.price === null ? null : priceLine(balance, source.price),
    expiresAt: balance.expiresAt,
  }
}

/** By hand only what is granted changes, not where the price begins (B30). */
function priceLine(balance: Balance, terms: ItemPrice): PriceLine {
  return { terms, included: includedOf(balance) - balance.adjustment }
}

/** Null for features that are not consumable: seats do not reset (R17). */
export function resetLine(feature: Feature, balance: Balance): ResetLine | null {
  return isConsumable(feature) ? resetOf(balance) : null
}

export function resetOf({ reset }: Balance): ResetLine {
  if (reset === null) return { interval: 'one_off', count: 1, resetsAt: null }
  return { interval: reset.interval, count: reset.count, resetsAt: reset.nextAt }
}

function rolloverLines(balances: readonly Balance[]): RolloverLine[] | null {
  if (!balances.some((balance) => balance.rolloverPolicy !== null)) return null
  return balances
    .flatMap((balance) => balance.rollovers)
    .map(({ remaining, used, expiresAt }) => ({ granted: remaining + used, remaining, expiresAt }))
    .sort(soonestFirst)
}

export function soonestFirst(a: RolloverLine, b: RolloverLine): number {
  return (a.expiresAt ?? Number.MAX_SAFE_INTEGER) - (b.expiresAt ?? Number.MAX_SAFE_INTEGER)
}

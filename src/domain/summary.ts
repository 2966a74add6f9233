import { type Amount, atLeastZero, ZERO } from './amount.ts'
import { type Balance, grantedOf, heldOf, isDrained, rolledOver, usedOf } from './balance.ts'
import { type Feature, isConsumable } from './feature.ts'
import type { Instant, Interval } from './time.ts'

/** All visible balances of one feature for one subject, added up: what the public API calls the balance object. */
export interface Summary {
  readonly feature: Feature
  readonly granted: Amount
  readonly remaining: Amount
  readonly usage: Amount
  readonly unlimited: boolean
  readonly nextResetAt: Instant | null
  /** One line per balance, in consumption order. */
  readonly breakdown: readonly BreakdownLine[]
  /** Null when no balance of the feature rolls over. */
  readonly rollovers: readonly RolloverLine[] | null
}

export interface BreakdownLine {
  /** The caller's `balance_id`, otherwise the internal id (R16). */
  readonly id: string
  readonly includedGrant: Amount
  readonly remaining: Amount
  readonly usage: Amount
  /** What open locks hold of it and of its rollovers. Counts as used. */
  readonly held: Amount
  readonly unlimited: boolean
  readonly reset: ResetLine | null
  readonly expiresAt: Instant | null
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
  for (const balance of visible) {
    granted += grantedOf(balance)
    remaining += atLeastZero(balance.remaining) + rolledOver(balance)
    usage += usedOf(balance)
    for (const rollover of balance.rollovers) {
      granted += rollover.remaining + rollover.used
      usage += rollover.used
    }
    const next = balance.reset?.nextAt
    if (next !== undefined && (nextResetAt === null || next < nextResetAt)) nextResetAt = next
  }
  return {
    feature,
    granted,
    remaining,
    usage,
    unlimited: false,
    nextResetAt,
    breakdown: visible.map((balance) => breakdownLine(feature, balance)),
    rollovers: rolloverLines(visible),
  }
}

/** One unlimited balance makes the whole feature unlimited; finite ones beside it are neither shown nor drawn from (B44). */
function unlimited(feature: Feature, first: Balance, visible: readonly Balance[]): Summary {
  let usage = ZERO
  for (const balance of visible) if (balance.terms.kind === 'unlimited') usage -= balance.remaining
  const breakdown: BreakdownLine = {
    id: first.uid,
    includedGrant: ZERO,
    remaining: ZERO,
    usage,
    held: first.held,
    unlimited: true,
    reset: null,
    expiresAt: first.expiresAt,
  }
  const nothing = { granted: ZERO, remaining: ZERO, nextResetAt: null, rollovers: null }
  return { feature, ...nothing, usage, unlimited: true, breakdown: [breakdown] }
}

/** One balance as it is shown. What an unlimited one was drawn for counts as used. */
export function breakdownLine(feature: Feature, balance: Balance): BreakdownLine {
  return {
    id: balance.id ?? balance.uid,
    includedGrant: grantedOf(balance),
    remaining: balance.terms.kind === 'unlimited' ? ZERO : atLeastZero(balance.remaining),
    usage: usedOf(balance),
    held: heldOf(balance),
    unlimited: balance.terms.kind === 'unlimited',
    reset: resetLine(feature, balance),
    expiresAt: balance.expiresAt,
  }
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
    .sort((a, b) => (a.expiresAt ?? Number.MAX_SAFE_INTEGER) - (b.expiresAt ?? Number.MAX_SAFE_INTEGER))
    .map(({ remaining, used, expiresAt }) => ({ granted: remaining + used, remaining, expiresAt }))
}

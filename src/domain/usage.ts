import { type Amount, formatAmount, ZERO } from './amount.ts'
import { type Balance, consumptionOrder, mayOwe } from './balance.ts'
import type { JsonObject } from './customer.ts'
import {
  applyMoves,
  type Candidate,
  deduct,
  type Move,
  type MoveKinds,
  type OverageBehavior,
  USING,
} from './deduction.ts'
import type { Catalogue, Feature } from './feature.ts'
import { type Holdings, withBalances } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { PAR, rateOf } from './price.ts'
import { type Refusal, refuse } from './refusal.ts'
import { isSlice, itemByItem } from './slices.ts'
import { summaryFor } from './subject-summary.ts'
import { resetLine, type Summary } from './summary.ts'
import type { DeductionLine } from './usage-event.ts'
import { within } from './within.ts'

export interface Usage {
  readonly holdings: Holdings
  /** Whose use it was: the entity's internal id, or null. */
  readonly entity: string | null
  readonly deductions: readonly DeductionLine[]
  /** What the deductions were made of. */
  readonly moves: readonly Move[]
  /** Units that nothing paid for, of all features. */
  readonly missing: Amount
  /** Per tracked feature, the balances that may pay for it. */
  readonly tracked: readonly { readonly feature: Feature; readonly deducted: ReadonlySet<string> }[]
  readonly touched: ReadonlySet<string>
  /** Whether any balance could have paid at all. */
  readonly held: boolean
}

/**
 * Uses `value` of each feature, one after the other, each from its own balances first and then from credit systems.
 * @param entity whose use it is, by internal id, or null for the customer itself.
 * @param properties of the event: prices in credits may depend on them.
 * @param holdings brought up to the journal's instant.
 * @param kinds of the postings: a lock holds instead of using.
 * @returns the new holdings with what was taken, or refusal `insufficient_balance` (only under `reject`).
 * A customer without any balance of the feature is no refusal: the use is recorded and nothing is taken (R66).
 * Source: R60-R74, R80-R113.
 */
export function use(
  holdings: Holdings,
  entity: string | null,
  features: readonly Feature[],
  value: Amount,
  properties: JsonObject,
  behavior: OverageBehavior,
  catalogue: Catalogue,
  journal: Journal,
  kinds: MoveKinds = USING,
): Usage | Refusal {
  let current = holdings
  let held = false
  let missing = ZERO
  const moves: Move[] = []
  const tracked: { feature: Feature; deducted: Set<string> }[] = []
  for (const feature of features) {
    const candidates = candidatesFor(current, entity, feature, properties, catalogue, behavior)
    held ||= candidates.length > 0
    const deduction = deduct(candidates, value, behavior)
    if (behavior === 'reject' && deduction.missing > ZERO && candidates.length > 0) {
      return refuse(
        'insufficient_balance',
        `Insufficient balance to deduct ${formatAmount(value)} from feature ${feature.id}`,
      )
    }
    current = withBalances(current, applyMoves(deduction.moves, kinds, journal))
    missing += deduction.missing
    moves.push(...deduction.moves)
    tracked.push({
      feature,
      deducted: new Set(deduction.moves.filter(isMainTake).map(({ balance }) => balance.feature)),
    })
  }
  return {
    holdings: current,
    entity,
    deductions: linesOf(moves, catalogue),
    moves,
    missing,
    tracked,
    touched: new Set(moves.map(({ balance }) => balance.uid)),
    held,
  }
}

/**
 * The balances that may pay for `feature`, in consumption order: an entity's own, credits included, before those that it
 * inherits (R80-R88). Seats that nobody sells may be owed without limit, except under `reject` (R94, R101). Boolean features
 * have none.
 */
export function candidatesFor(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  properties: JsonObject,
  catalogue: Catalogue,
  behavior: OverageBehavior,
): Candidate[] {
  if (feature.type.kind === 'boolean') return []
  const seats = feature.type.kind === 'metered' && !feature.type.consumable && behavior !== 'reject'
  const candidates: Candidate[] = within(holdings, entity, feature.uid).map((balance) => ({
    balance,
    rate: PAR,
    mayOwe: seats && isFree(balance) ? null : mayOwe(balance),
  }))
  const payers = catalogue.payersOf.get(feature.uid)
  if (payers !== undefined) {
    const paying = payers.flatMap(({ system, tariff }) => {
      const rate = rateOf(feature.uid, tariff, properties)
      return within(holdings, entity, system.uid).map((balance) => ({ balance, rate, mayOwe: mayOwe(balance) }))
    })
    const slices = entity === null ? paying.filter(({ balance }) => isSlice(balance)) : []
    const own = slices.length === 0 ? paying : paying.filter(({ balance }) => !isSlice(balance))
    candidates.push(...own.sort((a, b) => consumptionOrder(a.balance, b.balance)))
    candidates.push(...itemByItem(slices, ({ balance }) => balance))
    // The sorts are stable, so what remains is the order above within each of the two levels.
    if (entity !== null || candidates.some(isOfEntity)) {
      const first = entity !== null
      candidates.sort((a, b) => Number(isOfEntity(b) === first) - Number(isOfEntity(a) === first))
    }
  }
  // The first unlimited balance absorbs everything, even when it belongs to a credit system (R88).
  const unlimited = candidates.findIndex(({ balance }) => balance.terms.kind === 'unlimited')
  if (unlimited > 0) candidates.unshift(...candidates.splice(unlimited, 1))
  return candidates
}

function isFree({ source }: Balance): boolean {
  return source === null || source.price === null
}

/** An entity's own come first for it, credits before the inherited balance of the feature itself, and last for its customer (R84 key 1, R85). */
function isOfEntity({ balance }: Candidate): boolean {
  return balance.entity !== null
}

/** Summaries by the caller's feature id. A list, because answers must survive being stored as text. */
export type NamedSummaries = readonly (readonly [featureId: string, summary: Summary | null])[]

/** What a use answers with: the one balance that paid for it, and all that are concerned. */
export interface UsageSummaries {
  /**
   * The unlimited one, else the feature's own if it paid, else the credit system that paid, else the feature's own, else a
   * credit system that is held. Several tracked features answer only where they agree. Source: R64, with its recommended
   * fallback.
   */
  readonly principal: Summary | null
  /** Every tracked feature and every credit system that could pay for it, null where nothing is held; null when fewer than two (R63). */
  readonly all: NamedSummaries | null
}

export function summariesAfter(usage: Usage, catalogue: Catalogue): UsageSummaries {
  const all = new Map<string, Summary | null>()
  const chosen = new Map<string, Summary>()
  for (const { feature, deducted } of usage.tracked) {
    if (feature.type.kind === 'boolean') continue
    const summaries: Summary[] = []
    for (const one of [feature, ...payingSystems(feature, catalogue)]) {
      const known = all.get(one.id)
      const summary = known === undefined ? summaryAfter(usage, one) : known
      all.set(one.id, summary)
      if (summary !== null) summaries.push(summary)
    }
    const one =
      summaries.find((summary) => summary.unlimited) ??
      summaries.find((summary) => deducted.has(summary.feature.uid)) ??
      summaries[0]
    if (one !== undefined) chosen.set(one.feature.uid, one)
  }
  const [only, another] = chosen.values()
  return { principal: another === undefined ? (only ?? null) : null, all: all.size > 1 ? [...all] : null }
}

export function summaryAfter(usage: Usage, feature: Feature): Summary | null {
  return summaryFor(usage.holdings, usage.entity, feature, usage.touched)
}

function payingSystems(feature: Feature, catalogue: Catalogue): Feature[] {
  return (catalogue.payersOf.get(feature.uid) ?? []).map(({ system }) => system)
}

function isMainTake(move: Move): boolean {
  return move.rollover === null && move.amount > ZERO
}

/** Movements on one bucket at one price are one line; what cancels out is no line (R62). */
export function linesOf(moves: readonly Move[], catalogue: Catalogue): DeductionLine[] {
  const lines = new Map<string, DeductionLine>()
  for (const { balance, rollover, amount, price, metered } of moves) {
    const balanceUid = rollover?.uid ?? balance.uid
    const feature = catalogue.byUid.get(balance.feature)
    if (feature === undefined) continue
    const key = metered === null ? balanceUid : `${balanceUid} ${metered.meter} ${price.cost}`
    const before = lines.get(key)
    const units = (before?.metered?.units ?? ZERO) + (metered?.units ?? ZERO)
    lines.set(key, {
      balanceUid,
      featureId: feature.id,
      planId: balance.source?.planId ?? null,
      reset: resetLine(feature, balance),
      amount: (before?.amount ?? ZERO) + amount,
      price,
      metered: metered === null ? null : { ...metered, units },
    })
  }
  return [...lines.values()].filter(({ amount, metered }) => amount !== ZERO || (metered?.units ?? ZERO) !== ZERO)
}

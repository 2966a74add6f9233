import { type Amount, divideHalfEven, ONE, ZERO } from '../domain/amount.ts'
import type { Balance } from '../domain/balance.ts'
import type { Catalogue } from '../domain/feature.ts'
import { allBalances, entityOf, type Holdings } from '../domain/holdings.ts'
import type { Price } from '../domain/price.ts'
import { type ResetLine, resetLine } from '../domain/summary.ts'
import type { Instant } from '../domain/time.ts'
import type { DeductionSum } from '../store/store.ts'
import { nameOf } from './decide.ts'

/** What was taken in one bin. Source: R187. */
export interface DeductedBin {
  readonly at: Instant
  readonly features: readonly DeductedFeature[]
  /** By balance and group; null where events are not grouped. */
  readonly groups: ReadonlyMap<string, readonly DeductedGroup[]> | null
}

export interface DeductedFeature {
  /** As it was called when something was taken. */
  readonly id: string
  readonly isCreditSystem: boolean
  readonly sum: Amount
  /** Those of its balances: an event that takes from two of them counts for each. */
  readonly events: number
  readonly balances: readonly DeductedBalance[]
}

export interface DeductedBalance {
  /** The internal id of a balance or a rollover. */
  readonly uid: string
  /** Of the entity that it belongs to; null for the customer's own and for what is gone. */
  readonly entity: string | null
  /** Null for what does not reset and for what is gone. */
  readonly reset: ResetLine | null
  readonly rate: Amount | null
  readonly sum: Amount
  readonly events: number
}

export interface DeductedGroup {
  readonly group: string
  /** Credits for a unit; null for one for one, and where it differed. */
  readonly rate: Amount | null
  readonly sum: Amount
}

/**
 * Sums of deductions by bin, feature and balance.
 * @param shown where the bins begin; sums of later ones are left out.
 * @param holdings brought up to date, which know whose the balances are.
 */
export function deductedBins(
  sums: readonly DeductionSum[],
  shown: readonly Instant[],
  isGrouped: boolean,
  holdings: Holdings,
  catalogue: Catalogue,
): DeductedBin[] {
  const balances = balancesByUid(holdings)
  const byBin = Map.groupBy(sums, ({ bin }) => bin)
  return shown.flatMap((at, bin) => {
    const taken = byBin.get(bin)
    if (taken === undefined) return []
    const features = [...Map.groupBy(taken, ({ feature }) => feature)].map(([id, ofFeature]) => {
      const lines = [...Map.groupBy(ofFeature, ({ balance }) => balance)].map(([uid, ofBalance]) => ({
        ...total(ofBalance),
        ...whose(balances.get(uid), holdings, catalogue),
        uid,
        rate: rateOf(ofBalance),
      }))
      return { id, isCreditSystem: isCreditSystem(id, catalogue), ...total(lines), balances: lines }
    })
    return [{ at, features, groups: isGrouped ? groupsOf(taken) : null }]
  })
}

function groupsOf(taken: readonly DeductionSum[]): ReadonlyMap<string, readonly DeductedGroup[]> {
  const groups = [...Map.groupBy(taken, ({ balance }) => balance)].map(([uid, ofBalance]) => {
    const split = [...Map.groupBy(ofBalance, ({ group }) => group ?? '')]
    return [uid, split.map(([group, of]) => ({ group, rate: rateOf(of), sum: total(of).sum }))] as const
  })
  return new Map(groups)
}

function total(sums: readonly { readonly sum: Amount; readonly events: number }[]): { sum: Amount; events: number } {
  return {
    sum: sums.reduce((sum, one) => sum + one.sum, ZERO),
    events: sums.reduce((events, one) => events + one.events, 0),
  }
}

/** One number where all was taken at one price that is not one for one. */
function rateOf(sums: readonly DeductionSum[]): Amount | null {
  const rates = new Set(sums.map(({ price }) => (price === null ? null : perUnit(price))))
  const [rate = null, another] = rates
  return another !== undefined || rate === ONE ? null : rate
}

function perUnit({ cost, per }: Price): Amount {
  return divideHalfEven(cost * ONE, per)
}

function whose(balance: Balance | undefined, holdings: Holdings, catalogue: Catalogue) {
  if (balance === undefined) return { entity: null, reset: null }
  const entity = balance.entity === null ? undefined : entityOf(holdings, balance.entity)
  const feature = catalogue.byUid.get(balance.feature)
  return {
    entity: entity === undefined ? null : nameOf(entity),
    reset: feature === undefined ? null : resetLine(feature, balance),
  }
}

/** Rollovers lead to the balance that they belong to. */
function balancesByUid(holdings: Holdings): ReadonlyMap<string, Balance> {
  const found = new Map<string, Balance>()
  for (const balance of allBalances(holdings)) {
    found.set(balance.uid, balance)
    for (const { uid } of balance.rollovers) found.set(uid, balance)
  }
  return found
}

function isCreditSystem(id: string, catalogue: Catalogue): boolean {
  return catalogue.byId.get(id)?.type.kind === 'credit_system'
}

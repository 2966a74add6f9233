import type { Aggregate } from '../../operations/aggregate.ts'
import type { DeductedBalance, DeductedBin, DeductedGroup } from '../../operations/deducted.ts'
import { resetToWire } from '../wire/balance.ts'
import type { WireObject } from '../wire/wire.ts'

/** Source: R183, R185, R187. */
export function aggregateToWire({ bins, totals, deductions }: Aggregate): WireObject {
  return {
    list: bins.map(({ at, values, groups }) => ({
      period: at,
      values: Object.fromEntries(values),
      grouped_values:
        groups === null
          ? undefined
          : Object.fromEntries([...groups].map(([name, sums]) => [name, Object.fromEntries(sums)])),
    })),
    total: Object.fromEntries(totals),
    deductions: deductions === null ? undefined : deductions.map(deductedToWire),
  }
}

function deductedToWire({ at, features, groups }: DeductedBin): WireObject {
  const values = features.map(({ id: name, isCreditSystem, sum, events, balances }) => {
    const feature_type = isCreditSystem ? 'credit_system' : 'metered'
    return [name, { feature_type, deducted: sum, events, balances: balances.map(balanceToWire) }] as const
  })
  return {
    period: at,
    values: Object.fromEntries(values),
    grouped_values:
      groups === null ? undefined : Object.fromEntries([...groups].map(([uid, of]) => [uid, groupsToWire(of)])),
  }
}

function balanceToWire({ uid, entity, reset, rate, sum, events }: DeductedBalance): WireObject {
  return {
    balance_id: uid,
    entity_id: entity,
    plan_id: null,
    reset: resetToWire(reset),
    credit_cost: rate,
    deducted: sum,
    events,
  }
}

function groupsToWire(groups: readonly DeductedGroup[]): WireObject {
  return Object.fromEntries(groups.map(({ group, rate, sum }) => [group, { deducted: sum, credit_cost: rate }]))
}

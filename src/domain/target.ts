import type { Balance } from './balance.ts'
import type { Feature } from './feature.ts'
import { allBalances, type Holdings } from './holdings.ts'
import { type Refusal, refuse } from './refusal.ts'
import { isSlice, itemIdOf } from './slices.ts'
import type { Interval } from './time.ts'

/**
 * Which balances of a feature an operator means; all given filters must match (B92-B95). A slice also goes by the id under which
 * its item is shown.
 */
export interface Target {
  readonly interval?: Interval | 'one_off' | undefined
  /** The caller's id, or the internal id of a balance that has none. */
  readonly balanceId?: string | undefined
  /** The internal id, whether or not the balance has one of the caller's; or that one. */
  readonly anyId?: string | undefined
}

/**
 * All balances that are meant, those of the customer first.
 * @param entity internal id: its own balances. Null: those of the customer and of all its entities.
 * @param feature null for all features.
 */
export function targeted(
  holdings: Holdings,
  entity: string | null,
  feature: Feature | null,
  target: Target,
): Balance[] {
  const found: Balance[] = []
  for (const balance of allBalances(holdings)) {
    if (feature !== null && balance.feature !== feature.uid) continue
    if (entity !== null && balance.entity !== entity) continue
    if (matches(balance, target)) found.push(balance)
  }
  return found
}

export function matches(balance: Balance, { interval, balanceId, anyId }: Target): boolean {
  const item = isSlice(balance) ? itemIdOf(balance) : null
  if (anyId !== undefined && ![balance.uid, balance.id, item].includes(anyId)) return false
  if (interval !== undefined && (balance.reset?.interval ?? 'one_off') !== interval) return false
  return balanceId === undefined || [balance.id ?? balance.uid, item].includes(balanceId)
}

export function noneMatches(holdings: Holdings, feature: Feature | null): Refusal {
  const which = feature === null ? 'matching the request' : `of feature ${feature.id} matching the request`
  return refuse('balance_not_found', `Customer ${holdings.customer.id} has no balance ${which}`)
}

import { shift } from './adjust.ts'
import { atLeastZero, sum, ZERO } from './amount.ts'
import { type Balance, grantedOf, isUsageBased } from './balance.ts'
import { ADJUSTING, applyMoves, asCandidate, deduct } from './deduction.ts'
import type { Feature } from './feature.ts'
import { type Holdings, withBalances } from './holdings.ts'
import { Journal } from './ledger.ts'
import type { Refusal } from './refusal.ts'
import { noneMatches, type Target, targeted } from './target.ts'

/** What redistributing would do to one balance. */
export interface Redistribution {
  readonly before: Balance
  readonly after: Balance
}

/**
 * Sets off the debts of balances against what their siblings have left: each balance is filled up to its grant, and all that
 * was used is taken again in the order of consumption; what remains owed is so first by those that may owe. Of the owners (the customer, each entity) only those change that have
 * both a debt and something left. Grants and rollovers stay as they are, and what remains in all is the same.
 * @param entity internal id of the one owner to look at, or null for the customer and all its entities.
 * @returns every balance of the feature that matches, or `balance_not_found`. Source: B136-B141; that a grant which was
 * changed by hand keeps its change is ours, because else the sum would not be the same.
 */
export function redistribute(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  target: Target,
): Redistribution[] | Refusal {
  const matching = targeted(holdings, entity, feature, target).filter(({ terms }) => terms.kind === 'finite')
  if (matching.length === 0) return noneMatches(holdings, feature)
  const owners = [...Map.groupBy(matching, (balance) => balance.entity).values()]
  return owners.sort((a, b) => (oldest(a) < oldest(b) ? -1 : 1)).flatMap(redistributeOne)
}

/** Internal ids sort in order of creation. */
function oldest(balances: readonly Balance[]): string {
  return balances.reduce((least, { uid }) => (uid < least ? uid : least), balances[0]?.uid ?? '')
}

function redistributeOne(balances: Balance[]): Redistribution[] {
  const uneven =
    balances.some(({ remaining }) => remaining < ZERO) && balances.some(({ remaining }) => remaining > ZERO)
  if (!uneven) return balances.map((balance) => ({ before: balance, after: balance }))
  // What is held is not there to be taken.
  const full = balances.map((balance) => ({
    ...balance,
    remaining: atLeastZero(grantedOf(balance) - atLeastZero(balance.held)),
    rollovers: [],
  }))
  const used = sum(full.map(({ remaining }) => remaining)) - sum(balances.map(({ remaining }) => remaining))
  const { moves, missing } = deduct(full.map(asCandidate), used, used > ZERO ? 'cap' : 'overflow')
  const spent = applyMoves(moves, ADJUSTING, new Journal(0, 'trial'))
  const debtor = full.find(isUsageBased) ?? full[0]
  return balances.map((before, i) => {
    const left = spent.find(({ uid }) => uid === before.uid)?.remaining ?? full[i]?.remaining ?? ZERO
    const remaining = full[i] === debtor ? left - missing : left
    return { before, after: { ...before, remaining } }
  })
}

/** Carries out what `redistribute` found. The same holdings when nothing changes. */
export function settleRedistribution(holdings: Holdings, found: readonly Redistribution[], journal: Journal): Holdings {
  const changed = found.filter(({ before, after }) => before.remaining !== after.remaining)
  return withBalances(
    holdings,
    changed.map(({ before, after }) => shift(before, after.remaining - before.remaining, journal)),
  )
}

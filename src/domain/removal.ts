import { add } from './adjust.ts'
import { type Amount, atLeastZero, ONE, sum, ZERO } from './amount.ts'
import { type Balance, grantedOf, usedOf } from './balance.ts'
import { asCandidate } from './deduction.ts'
import type { Feature } from './feature.ts'
import { belongingTo, type Holdings, withBalances, withoutBalances, withPassage } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { type Refusal, refuse } from './refusal.ts'
import { close, closeRollovers } from './reset.ts'
import { reseat } from './seats.ts'
import { noneMatches, type Target, targeted } from './target.ts'

/**
 * Deletes every targeted balance with its rollovers and its use (B129, B132), or none: what is paid for goes with its plan
 * alone, refusal `balance_is_priced` (B130); what a plan gives for nothing may go (B131).
 * @param entity internal id: its own balances. Null: those of the customer and of all its entities.
 * @param feature null for all features, then a `balanceId` is needed.
 */
export function remove(
  holdings: Holdings,
  entity: string | null,
  feature: Feature | null,
  target: Target,
  journal: Journal,
): Holdings | Refusal {
  const gone = targeted(holdings, entity, feature, target)
  const problem = gone.length === 0 ? noneMatches(holdings, feature) : paidFor(gone)
  if (problem !== null) return problem
  for (const balance of gone) close('void', balance, journal)
  return reseat(withoutBalances(holdings, gone), journal)
}

/**
 * Deletes every targeted balance and keeps what was used of them: it is taken anew from what the same owner has left of the
 * feature, in order, the first owing what nothing covers. Where nothing is left, the first deleted balance stays and owes it,
 * with nothing granted and without a reset. Parameters and refusal as for `remove`. Source: B133-B135.
 */
export function removeKeepingUse(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  target: Target,
  journal: Journal,
): Holdings | Refusal {
  const gone = targeted(holdings, entity, feature, target)
  const problem = gone.length === 0 ? noneMatches(holdings, feature) : paidFor(gone)
  if (problem !== null) return problem
  let current = holdings
  for (const group of Map.groupBy(gone, (balance) => balance.entity).values()) {
    current = removeGroup(current, group, journal)
  }
  return reseat(current, journal)
}

function paidFor(gone: readonly Balance[]): Refusal | null {
  const source = gone.find((balance) => balance.source !== null && balance.source.price !== null)?.source
  if (source == null) return null
  return refuse(
    'balance_is_priced',
    `A balance of plan ${source.planId} is paid for and cannot be deleted: cancel the plan, or take the item out of it`,
  )
}

/** @param gone of one feature and one owner, in consumption order. */
function removeGroup(holdings: Holdings, gone: readonly Balance[], journal: Journal): Holdings {
  const finite = gone.filter(({ terms }) => terms.kind === 'finite')
  // What locks hold was not used: they give it back to whatever is there then.
  const used = sum(finite.map((balance) => usedOf(balance) - balance.held))
  const left = siblingsOf(holdings, gone)
  const [debtor] = finite
  const owes = used > ZERO && left.length === 0 && debtor !== undefined
  for (const balance of gone) if (!owes || balance !== debtor) close('void', balance, journal)
  const without = withoutBalances(holdings, gone)
  if (used <= ZERO) return without
  const seats = gone.reduce((count, balance) => count + balance.seats, 0)
  if (owes) {
    // It stays for what it owes alone: what was held of it is gone with the rest.
    const forgotten = withPassage(without, { balance: debtor.uid, after: null, ended: null })
    return withBalances(forgotten, [owing(debtor, used, seats, journal)])
  }
  return withBalances(without, seated(left, add(left.map(asCandidate), -used, journal), seats))
}

/** What the same owner has of the feature beside what goes. */
function siblingsOf(holdings: Holdings, gone: readonly Balance[]): Balance[] {
  const [first] = gone
  if (first === undefined) return []
  const { entity, feature } = first
  return belongingTo(holdings, entity, feature).filter(({ uid }) => !gone.some((other) => other.uid === uid))
}

/** Whoever sat on what is gone sits where it is paid for now: as many on each as it was charged, the rest on the first. */
function seated(before: readonly Balance[], charged: readonly Balance[], seats: number): Balance[] {
  let standing = seats
  const sitting = charged.map((balance) => {
    const taken = (before.find(({ uid }) => uid === balance.uid)?.remaining ?? ZERO) - balance.remaining
    const count = Math.min(standing, Number(atLeastZero(taken) / ONE))
    standing -= count
    return count === 0 ? balance : { ...balance, seats: balance.seats + count }
  })
  const [first] = sitting
  if (first !== undefined && standing > 0) sitting[0] = { ...first, seats: first.seats + standing }
  return sitting
}

/** The balance as nothing but what is owed. It keeps its ids. */
function owing(balance: Balance, used: Amount, seats: number, journal: Journal): Balance {
  closeRollovers('void', balance, journal)
  const granted = grantedOf(balance)
  journal.post('adjust', balance, null, {
    amount: -used - balance.remaining,
    granted: -granted,
    held: -balance.held,
    after: -used,
    permit: 'adjust',
  })
  return {
    ...balance,
    remaining: -used,
    held: ZERO,
    adjustment: balance.adjustment - granted,
    seats,
    reset: null,
    rolloverPolicy: null,
    rollovers: [],
    // Use that is kept must not go with an expiry.
    expiresAt: null,
  }
}

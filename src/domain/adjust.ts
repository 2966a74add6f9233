import { type Amount, sum, ZERO } from './amount.ts'
import { withOrdersMoved } from './attachments.ts'
import { type Balance, grantedOf, includedOf, spendableOf } from './balance.ts'
import { ADJUSTING, applyMoves, asCandidate, type Candidate, deduct } from './deduction.ts'
import type { Catalogue, Feature } from './feature.ts'
import { type Holdings, withBalances, withPassage } from './holdings.ts'
import { Journal } from './ledger.ts'
import { endOf } from './lock.ts'
import { unmetered } from './price.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { reset } from './reset.ts'
import { isSameItem, isSlice } from './slices.ts'
import { matches, noneMatches, type Target } from './target.ts'
import { boundaryAfter, type Instant } from './time.ts'
import { candidatesFor } from './usage.ts'
import { within } from './within.ts'

/** What `balances.update` asks for. Undefined is "leave it". */
export interface Adjustment {
  readonly remaining?: Amount | undefined
  readonly addToBalance?: Amount | undefined
  readonly usage?: Amount | undefined
  readonly includedGrant?: Amount | undefined
  readonly nextResetAt?: Instant | undefined
  readonly expiresAt?: Instant | undefined
}

/**
 * Changes the targeted balances of `feature` by hand, in a fixed order: amounts, grant, next reset, expiry (B91).
 * @param holdings brought up to the journal's instant.
 * @param entity internal id: its own balances and those that it inherits. Null: the customer's own, and the slices that its
 * entities have of its items, which are one row to it (B93).
 * @returns the new holdings, or `invalid_inputs` (amounts that exclude each other), `invalid_request` (a past expiry,
 * a one-off balance that is to reset), `balance_not_found`. Nothing is half applied.
 * Source: spec section 7 with the corrections of the seeds (update).
 */
export function adjust(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  target: Target,
  change: Adjustment,
  catalogue: Catalogue,
  journal: Journal,
): Holdings | Refusal {
  const problem = contradiction(feature, change, journal.at)
  if (problem !== null) return problem
  if (Object.values(change).every((value) => value === undefined)) return holdings
  let current = holdings
  const targets = () => within(current, entity, feature.uid).filter((balance) => matches(balance, target))
  const apply = (changed: Balance[]) => {
    current = withBalances(current, changed)
  }
  if (change.addToBalance !== undefined) {
    const candidates = candidatesFor(current, entity, feature, {}, catalogue, 'overflow')
      .filter(({ balance }) => matches(balance, target))
      // By hand, which is no use: nothing is counted.
      .map((candidate) => ({ ...candidate, rate: unmetered(candidate.rate) }))
    if (candidates.length === 0) return noneMatches(holdings, feature)
    apply(add(candidates, change.addToBalance, journal))
  } else if (targets().length === 0) return noneMatches(holdings, feature)
  if (change.remaining !== undefined) apply(setRemaining(targets(), change.remaining, journal))
  if (change.usage !== undefined) apply(setUsage(targets(), change.usage, journal))
  const { includedGrant, nextResetAt, expiresAt } = change
  const isSet = includedGrant !== undefined || nextResetAt !== undefined || expiresAt !== undefined
  if (isSet && targets().length === 0) return noneMatches(holdings, feature)
  if (includedGrant !== undefined) {
    const granted = setGrant(targets(), includedGrant, journal)
    if (isRefusal(granted)) return granted
    apply(granted)
  }
  if (nextResetAt !== undefined) {
    const moving = nextToReset(targets(), entity)
    if (isRefusal(moving)) return moving
    current = withResetsMoved(current, moving, entity, nextResetAt, journal)
  }
  if (expiresAt !== undefined) {
    const expiring = setExpiry(targets(), entity, expiresAt)
    if (isRefusal(expiring)) return expiring
    apply(expiring)
  }
  return current
}

/**
 * Makes what may be spent of a feature equal to `target` and moves the grant with it, so that the used amount stays what it
 * was. Rollovers are left alone: what they hold stays on top where the target is below it. The setter of the oldest API.
 * @returns the new holdings, or `balance_not_found`, `invalid_request` (nothing finite to set). Source: B125.
 */
export function setTotal(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  target: Amount,
  journal: Journal,
): Holdings | Refusal {
  const balances = within(holdings, entity, feature.uid)
  if (balances.length === 0) return noneMatches(holdings, feature)
  if (balances.some(({ terms }) => terms.kind !== 'finite')) {
    return refuse('invalid_request', `The balance of ${feature.id} cannot be set: it is unlimited or has no amount`)
  }
  const bare = balances.map((balance) => ({ ...balance, rollovers: [] }))
  const kept = sum(balances.map(spendableOf)) - sum(bare.map(spendableOf))
  const wanted = target > kept ? target - kept : ZERO
  const set = setRemaining(bare, wanted, new Journal(journal.at, journal.cause))
  const changed = balances.map((balance, i) =>
    regrant(balance, (set[i]?.remaining ?? ZERO) - balance.remaining, journal),
  )
  return withBalances(holdings, changed)
}

function contradiction(feature: Feature, change: Adjustment, now: Instant): Refusal | null {
  if (
    feature.type.kind === 'boolean' &&
    Object.entries(change).some(([key, value]) => key !== 'expiresAt' && value !== undefined)
  ) {
    return refuse(
      'invalid_inputs',
      `${feature.id} is a boolean feature: it has no amount and no reset, only expires_at can be set`,
    )
  }
  const exclusive = (a: string, b: string) =>
    refuse('invalid_inputs', `${a} and ${b} cannot be combined: send one of them`)
  if (change.remaining !== undefined && change.addToBalance !== undefined)
    return exclusive('remaining', 'add_to_balance')
  if (change.usage !== undefined && change.remaining !== undefined) return exclusive('usage', 'remaining')
  if (change.usage !== undefined && change.addToBalance !== undefined) return exclusive('usage', 'add_to_balance')
  if (change.expiresAt !== undefined && change.expiresAt <= now)
    return refuse('invalid_request', 'expires_at must be in the future')
  return null
}

/** Positive: debts are healed, the rest goes to the first. Negative: rollovers, then each to zero, then debt on the first (B106). */
export function add(candidates: readonly Candidate[], value: Amount, journal: Journal): Balance[] {
  return applyMoves(deduct(candidates, -value, 'overflow').moves, ADJUSTING, journal)
}

/**
 * Afterwards what may be spent of the balances, rollovers included, is exactly `target`, and so is their sum: debts are
 * healed first, because a debt beside a positive balance would let the two differ. A target below zero leaves nothing to
 * spend and the debt on the first. Source: seed (newer update), corrections for B98-B102; for an unlimited one B104.
 */
function setRemaining(balances: readonly Balance[], target: Amount, journal: Journal): Balance[] {
  const [first] = balances
  if (first?.terms.kind === 'unlimited') {
    const used = sum(rowOf(first, balances, null).map(({ remaining }) => remaining))
    return [shift(first, target - used, journal)]
  }
  const healed = balances.map((balance) =>
    balance.remaining < ZERO ? shift(balance, -balance.remaining, journal) : balance,
  )
  const delta = target - sum(healed.map(spendableOf))
  const moved = new Map(add(healed.map(asCandidate), delta, journal).map((balance) => [balance.uid, balance]))
  return healed.map((balance) => moved.get(balance.uid) ?? balance)
}

/** Afterwards the used amount of the balances, with what was used of their rollovers, is exactly `target` (B110). */
function setUsage(balances: readonly Balance[], target: Amount, journal: Journal): Balance[] {
  const used = sum(balances.map((balance) => grantedOf(balance) - balance.remaining))
  const usedOfRollovers = sum(balances.flatMap((balance) => balance.rollovers.map((rollover) => rollover.used)))
  // Rollovers are left alone: what is taken from one would count as used twice over.
  const candidates = balances.map((balance) => asCandidate({ ...balance, rollovers: [] }))
  const moved = add(candidates, used + usedOfRollovers - target, journal)
  const rollovers = new Map(balances.map((balance) => [balance.uid, balance.rollovers]))
  return moved.map((balance) => ({ ...balance, rollovers: rollovers.get(balance.uid) ?? [] }))
}

/**
 * Makes the grant of all targeted balances together, without what was bought in advance, equal to `value` by adjusting the
 * first; what remains is untouched (B113, B114 REC, B118).
 */
function setGrant(balances: readonly Balance[], value: Amount, journal: Journal): Balance[] | Refusal {
  const [first] = balances
  if (first?.terms.kind !== 'finite') {
    return refuse(
      'invalid_request',
      'included_grant cannot be set: the balance is unlimited or a flag and has no grant',
    )
  }
  const delta = value - sum(balances.map(includedOf))
  journal.post('adjust', first, null, { amount: ZERO, granted: delta, after: first.remaining, permit: 'adjust' })
  return [{ ...first, adjustment: first.adjustment + delta }]
}

/** What is one row to a subject: a balance, and to a customer all slices of an item together. */
function rowOf(one: Balance, balances: readonly Balance[], entity: string | null): readonly Balance[] {
  if (entity !== null || !isSlice(one)) return [one]
  return balances.filter((other) => isSlice(other) && isSameItem(one, other))
}

/** The balance that resets soonest, of which the next reset is moved (B119). */
function nextToReset(balances: readonly Balance[], entity: string | null): readonly Balance[] | Refusal {
  let soonest: Balance | null = null
  for (const balance of balances) {
    if (balance.reset !== null && (soonest?.reset == null || balance.reset.nextAt < soonest.reset.nextAt))
      soonest = balance
  }
  if (soonest === null) return refuse('invalid_request', 'next_reset_at cannot be set: the balance never resets')
  return rowOf(soonest, balances, entity)
}

/**
 * Moves resets, and with them what depends on them: locks that hold something of a period that ends, and orders that wait for
 * the next one. Later boundaries are counted from the new one (B121).
 */
function withResetsMoved(
  holdings: Holdings,
  moving: readonly Balance[],
  entity: string | null,
  to: Instant,
  journal: Journal,
): Holdings {
  const moved = moving.map((balance) => moveReset(balance, to, journal))
  // What is ordered of an item that each entity has for itself is not one entity's to change.
  const ordered = moving.filter((balance) => entity === null || !isSlice(balance))
  let current = withOrdersMoved(withBalances(holdings, moved), ordered, to, journal.at)
  if (to > journal.at) return current
  for (const [i, balance] of moving.entries())
    current = withPassage(current, { balance: balance.uid, after: moved[i] ?? null, ended: endOf(balance, to) })
  return current
}

/** A boundary in the past takes effect at once, with its rollover (correction of B120), and the phase goes on from it. */
function moveReset(balance: Balance, to: Instant, journal: Journal): Balance {
  if (balance.reset === null) return balance
  const moved = { ...balance, reset: { ...balance.reset, anchor: to, nextAt: to } }
  if (to > journal.at) return moved
  const renewed = reset(moved, to, journal)
  // It begins a period now, wherever its boundary was put: uses since that boundary were taken from the one before.
  return {
    ...renewed,
    renewedAt: journal.at,
    reset: { ...moved.reset, nextAt: boundaryAfter(to, moved.reset, journal.at) },
  }
}

/** Sets the expiry of the balance that expires soonest, or of the first when none does; not where it is paid for again and again (B122). */
function setExpiry(balances: readonly Balance[], entity: string | null, expiresAt: Instant): Balance[] | Refusal {
  const soonest = balances.reduce<Balance | null>((found, balance) => {
    if (balance.expiresAt === null) return found
    return found?.expiresAt == null || balance.expiresAt < found.expiresAt ? balance : found
  }, null)
  const chosen = soonest ?? balances[0]
  if (chosen === undefined) return refuse('balance_not_found', 'There is no balance whose expiry could be set')
  const price = chosen.source?.price ?? null
  if (price !== null && price.interval !== 'one_off') {
    return refuse(
      'invalid_request',
      `expires_at cannot be set: the balance is paid for by the ${price.interval} with plan ${chosen.source?.planId}, end that instead`,
    )
  }
  return rowOf(chosen, balances, entity).map((balance) => ({ ...balance, expiresAt }))
}

export function shift(balance: Balance, amount: Amount, journal: Journal): Balance {
  const remaining = balance.remaining + amount
  journal.post('adjust', balance, null, { amount, after: remaining, permit: 'adjust' })
  return { ...balance, remaining }
}

/** As `shift`, and the grant with it. */
function regrant(balance: Balance, amount: Amount, journal: Journal): Balance {
  const remaining = balance.remaining + amount
  journal.post('adjust', balance, null, { amount, granted: amount, after: remaining, permit: 'adjust' })
  return { ...balance, remaining, adjustment: balance.adjustment + amount }
}

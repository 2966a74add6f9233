import { type Amount, atLeastZero, divideHalfEven, ONE, smaller, ZERO } from './amount.ts'
import { type Balance, grantedOf, type Rollover } from './balance.ts'
import type { Journal, Permit } from './ledger.ts'
import type { Price } from './price.ts'

/** One balance that a deduction may touch. Candidates come in consumption order. */
export interface Candidate {
  readonly balance: Balance
  /** What units of the tracked feature cost in units of this balance: one for one for its own, in credits for a payer. */
  readonly price: Price
  /** Whether use may take it below zero on its own terms: seats that nobody sells (R94, R101). */
  readonly mayOverdraw: boolean
}

/** What happens to the part that no balance can pay: drop it, refuse the whole, or let the first balance owe it. */
export const OVERAGE_BEHAVIORS = ['cap', 'reject', 'overflow'] as const
export type OverageBehavior = (typeof OVERAGE_BEHAVIORS)[number]

/** What one use took from one bucket, in that balance's own units. Negative gives back. */
export interface Move {
  readonly balance: Balance
  readonly rollover: Rollover | null
  readonly amount: Amount
  readonly price: Price
  readonly permit: Permit | null
}

export interface Deduction {
  readonly moves: readonly Move[]
  /** Units that no balance paid. Under `cap` they are dropped. */
  readonly missing: Amount
}

/**
 * Takes `units` from the candidates: rollovers first (soonest expiry), then each balance down to zero, then debt where it
 * is permitted. An unlimited balance absorbs everything. Plans only; nothing is changed.
 * @param candidates brought up to now, in consumption order.
 * @param units in the tracked feature's units, exact, any sign; negative gives back.
 * @returns moves that pay `units`, and what is missing; whether a gap refuses the whole is the caller's decision.
 * Source: R88-R101, R109-R113, spec section 12.
 */
export function deduct(candidates: readonly Candidate[], units: Amount, behavior: OverageBehavior): Deduction {
  const plan = new Plan(candidates, units < ZERO ? -units : units)
  const first = candidates[0]
  if (units === ZERO || first === undefined) return { moves: [], missing: units > ZERO ? units : ZERO }
  if (first.balance.terms.kind === 'unlimited')
    plan.move(first, null, units > ZERO ? 'take' : 'give', null, 'unlimited')
  else if (units > ZERO) take(plan, behavior)
  else giveBack(plan, behavior)
  return { moves: plan.moves, missing: units > ZERO ? plan.missing() : ZERO }
}

function take(plan: Plan, behavior: OverageBehavior): void {
  for (const [candidate, rollover] of rolloversByExpiry(plan.candidates)) {
    plan.move(candidate, rollover, 'take', rollover.remaining, null)
  }
  for (const candidate of plan.candidates) {
    plan.move(candidate, null, 'take', atLeastZero(candidate.balance.remaining), null)
  }
  const debtor =
    behavior === 'overflow'
      ? plan.candidates[0]
      : plan.candidates.find(({ mayOverdraw }) => mayOverdraw && behavior !== 'reject')
  if (debtor !== undefined) plan.move(debtor, null, 'take', null, behavior === 'overflow' ? 'overflow' : 'overage')
}

/** Debts are paid off first, in order; then each balance fills up to its grant; beyond that only `overflow` gives (R111, R112). */
function giveBack(plan: Plan, behavior: OverageBehavior): void {
  for (const candidate of plan.candidates)
    plan.move(candidate, null, 'give', atLeastZero(-candidate.balance.remaining), null)
  if (behavior === 'overflow') {
    const first = plan.candidates[0]
    if (first !== undefined) plan.move(first, null, 'give', null, null)
    return
  }
  for (const candidate of plan.candidates) {
    const { balance } = candidate
    plan.move(
      candidate,
      null,
      'give',
      atLeastZero(grantedOf(balance) - (balance.remaining < ZERO ? ZERO : balance.remaining)),
      null,
    )
  }
}

function rolloversByExpiry(candidates: readonly Candidate[]): [Candidate, Rollover][] {
  const all: [Candidate, Rollover][] = []
  for (const candidate of candidates)
    for (const rollover of candidate.balance.rollovers) all.push([candidate, rollover])
  // The sort is stable, so rollovers that expire together keep the candidates' order.
  return all.sort(([, a], [, b]) => (a.expiresAt ?? Number.MAX_SAFE_INTEGER) - (b.expiresAt ?? Number.MAX_SAFE_INTEGER))
}

/** What is still to be paid, and the moves made so far. */
class Plan {
  readonly candidates: readonly Candidate[]
  readonly moves: Move[] = []
  /**
   * Units left at 10⁻²⁴: a payer that is drained covers a fraction of the use that no 12 decimals can name, and the next
   * payer must be asked for exactly the rest.
   */
  #left: bigint

  constructor(candidates: readonly Candidate[], units: Amount) {
    this.candidates = candidates
    this.#left = units * ONE
  }

  /** Moves what is left, at most `limit` of the balance's units; null is no limit. */
  move(
    candidate: Candidate,
    rollover: Rollover | null,
    direction: 'take' | 'give',
    limit: Amount | null,
    permit: Permit | null,
  ): void {
    const { price } = candidate
    // What costs nothing is paid for, even by a balance that has nothing left (R99).
    if (price.cost === ZERO) this.#left = 0n
    if (this.#left === 0n || limit === ZERO) return
    const needed = divideHalfEven(this.#left * price.cost, ONE * price.per)
    const moved = limit === null ? needed : smaller(limit, needed)
    this.#left = moved === needed ? 0n : this.#left - divideHalfEven(moved * ONE * price.per, price.cost)
    if (moved === ZERO) return
    const amount = direction === 'take' ? moved : -moved
    this.moves.push({ balance: candidate.balance, rollover, amount, price, permit })
  }

  missing(): Amount {
    return divideHalfEven(this.#left, ONE)
  }
}

/**
 * Carries out planned moves. @returns the changed balances, each once.
 * @param kinds the posting kinds for what is taken and what is given back.
 */
export function applyMoves(
  moves: readonly Move[],
  kinds: { take: 'use' | 'adjust'; give: 'refund' | 'adjust' },
  journal: Journal,
): Balance[] {
  const changed = new Map<string, Balance>()
  for (const { balance, rollover, amount, permit } of moves) {
    const current = changed.get(balance.uid) ?? balance
    const kind = amount > ZERO ? kinds.take : kinds.give
    if (rollover === null) {
      const remaining = current.remaining - amount
      journal.post(kind, current, null, { amount: -amount, after: remaining, permit })
      changed.set(balance.uid, { ...current, remaining })
      continue
    }
    const spent = { ...rollover, remaining: rollover.remaining - amount, used: rollover.used + amount }
    journal.post(kind, current, rollover, { amount: -amount, after: spent.remaining })
    const rollovers = current.rollovers.map((other) => (other.uid === rollover.uid ? spent : other))
    changed.set(balance.uid, { ...current, rollovers })
  }
  return [...changed.values()]
}

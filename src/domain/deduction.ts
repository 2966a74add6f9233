import { type Amount, atLeastZero, divideHalfEven, ONE, smaller, ZERO } from './amount.ts'
import { type Balance, grantedOf, mayOwe, owedOf, type Rollover } from './balance.ts'
import type { Journal, Permit, PostingKind } from './ledger.ts'
import { PAR, type Price, priceIn, type Rate, tierAt } from './price.ts'
import type { Metered } from './usage-event.ts'

/** One balance that a deduction may touch. Candidates come in consumption order. */
export interface Candidate {
  readonly balance: Balance
  /** What units of the tracked feature cost in units of this balance: one for one for its own, in credits for a payer. */
  readonly rate: Rate
  /** The most that use may leave it owing, in its own units; null is any amount (R92, R94). */
  readonly mayOwe: Amount | null
}

/** A balance as it pays for its own feature. */
export function asCandidate(balance: Balance): Candidate {
  return { balance, rate: PAR, mayOwe: mayOwe(balance) }
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
  /** What the balance counts as paid for, or no longer, because its price depends on how much that was. */
  readonly metered: Metered | null
}

export interface Deduction {
  readonly moves: readonly Move[]
  /** Units that no balance paid. Under `cap` they are dropped. */
  readonly missing: Amount
}

/**
 * Takes `units` from the candidates: rollovers first (soonest expiry), then each balance down to zero, then each down to the
 * most that it may owe. An unlimited balance absorbs everything. Plans only; nothing is changed.
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
  takeRollovers(plan)
  for (const candidate of plan.candidates) {
    if (plan.done) return
    plan.move(candidate, null, 'take', atLeastZero(candidate.balance.remaining), null)
  }
  if (behavior === 'overflow') {
    const first = plan.candidates[0]
    if (first !== undefined) plan.move(first, null, 'take', null, 'overflow')
    return
  }
  for (const candidate of plan.candidates) {
    if (plan.done) return
    const { balance, mayOwe: most } = candidate
    if (most === ZERO) continue
    plan.move(candidate, null, 'take', most === null ? null : atLeastZero(most - owedOf(balance)), 'overage')
  }
}

/** Soonest expiry first; those that expire together in the candidates' order. Each balance has its own in order already. */
function takeRollovers(plan: Plan): void {
  const queues = plan.candidates.flatMap((candidate) => {
    const { rollovers } = candidate.balance
    return rollovers.length === 0 ? NO_QUEUES : [{ candidate, rollovers, at: 0 }]
  })
  while (!plan.done) {
    let chosen: RolloverQueue | undefined
    let soonest = Number.POSITIVE_INFINITY
    for (const queue of queues) {
      const head = queue.rollovers[queue.at]
      if (head === undefined) continue
      const expiry = head.expiresAt ?? Number.MAX_SAFE_INTEGER
      if (expiry >= soonest) continue
      chosen = queue
      soonest = expiry
    }
    const rollover = chosen?.rollovers[chosen.at]
    if (chosen === undefined || rollover === undefined) return
    plan.move(chosen.candidate, rollover, 'take', rollover.remaining, null)
    chosen.at += 1
  }
}

/** The rollovers of one balance that have not been drawn from. */
interface RolloverQueue {
  readonly candidate: Candidate
  readonly rollovers: readonly Rollover[]
  at: number
}

const NO_QUEUES: RolloverQueue[] = []

/**
 * Debts are paid off first, in order; then each balance fills up to its grant; beyond that only `overflow` gives (R111, R112).
 * What locks hold was not used and comes back by itself, so neither a debt nor a grant is filled with that.
 */
function giveBack(plan: Plan, behavior: OverageBehavior): void {
  const overflows = behavior === 'overflow'
  for (const candidate of plan.candidates) {
    const debt = overflows ? atLeastZero(-candidate.balance.remaining) : owedForUse(candidate.balance)
    plan.move(candidate, null, 'give', debt, null)
  }
  if (overflows) {
    const first = plan.candidates[0]
    if (first !== undefined) plan.move(first, null, 'give', null, null)
    return
  }
  for (const candidate of plan.candidates) {
    const { remaining, held } = candidate.balance
    const ceiling = grantedOf(candidate.balance) - atLeastZero(held)
    plan.move(candidate, null, 'give', atLeastZero(ceiling - atLeastZero(remaining)), null)
  }
}

/** What a balance owes, without what it owes because locks hold it. */
export function owedForUse(balance: Balance): Amount {
  const { remaining, held } = balance
  const least = smaller(ZERO, atLeastZero(grantedOf(balance)) - atLeastZero(held))
  return atLeastZero(least - remaining)
}

/** What is still to be paid, and the moves made so far. */
class Plan {
  readonly candidates: readonly Candidate[]
  readonly moves: Move[] = []
  /**
   * Where prices are asked, what is left has 24 decimals: a payer that is drained covers a fraction of the use that no 12
   * decimals can name, and the next payer is asked for the rest. Without prices nothing finer than 12 comes up.
   */
  readonly #scale: bigint
  #left: bigint
  /** Units that balances have paid for by now, as far as this plan changes them. */
  readonly #counts = new Map<string, Amount>()

  constructor(candidates: readonly Candidate[], units: Amount) {
    this.candidates = candidates
    this.#scale = candidates.every(({ rate }) => rate === PAR) ? 1n : ONE
    this.#left = units * this.#scale
  }

  /** Moves what is left, at most `limit` of the balance's units; null is no limit. */
  move(
    candidate: Candidate,
    rollover: Rollover | null,
    direction: 'take' | 'give',
    limit: Amount | null,
    permit: Permit | null,
  ): void {
    const { balance, rate } = candidate
    const sign = direction === 'take' ? 1n : -1n
    if (rate.meter === null) {
      const price = priceIn(rate)
      const { amount } = this.#pay(price, this.#left, limit)
      if (amount !== ZERO) this.moves.push({ balance, rollover, amount: sign * amount, price, permit, metered: null })
      return
    }
    for (let room = limit; this.#left !== 0n; ) {
      const count = this.#counts.get(balance.uid) ?? balance.metered.get(rate.meter) ?? ZERO
      const { price, units: upTo } = tierAt(rate, count, direction)
      const part = upTo === null ? this.#left : smaller(this.#left, upTo * ONE)
      const { amount, paid } = this.#pay(price, part, room)
      const units = sign * divideHalfEven(paid, ONE)
      if (amount === ZERO && units === ZERO) return
      // Below the first unit nothing is counted, so nothing is to be undone there.
      const counted = atLeastZero(count + units)
      this.#counts.set(balance.uid, counted)
      const metered = { meter: rate.meter, units: counted - count }
      this.moves.push({ balance, rollover, amount: sign * amount, price, permit, metered })
      if (paid < part) return
      if (room !== null) room -= amount
    }
  }

  /**
   * Pays for `part` of what is left, as far as `limit` goes. What costs nothing is paid for by a balance that has nothing
   * left, too (R99).
   */
  #pay({ cost, per }: Price, part: bigint, limit: Amount | null): { amount: Amount; paid: bigint } {
    if (part === 0n || (limit === ZERO && cost !== ZERO)) return { amount: ZERO, paid: 0n }
    if (this.#scale === 1n) {
      const amount = limit === null ? part : smaller(limit, part)
      this.#left -= amount
      return { amount, paid: amount }
    }
    const needed = divideHalfEven(part * cost, this.#scale * per)
    const amount = limit === null ? needed : smaller(limit, needed)
    const paid = amount === needed ? part : divideHalfEven(amount * this.#scale * per, cost)
    this.#left -= paid
    return { amount, paid }
  }

  get done(): boolean {
    return this.#left === 0n
  }

  missing(): Amount {
    return this.#left === 0n ? ZERO : divideHalfEven(this.#left, this.#scale)
  }
}

/** A balance that moves change, so that it is copied once and not at every move. */
interface Draft {
  readonly balance: Balance
  remaining: Amount
  held: Amount
  rollovers: Rollover[] | null
  metered: ReadonlyMap<string, Amount>
}

/** Under which kinds of postings moves are written; whether what is taken is held rather than used. */
export interface MoveKinds {
  readonly take: PostingKind
  readonly give: PostingKind
  readonly holds: boolean
}
export const USING: MoveKinds = { take: 'use', give: 'refund', holds: false }
export const ADJUSTING: MoveKinds = { take: 'adjust', give: 'adjust', holds: false }
/** What was held of a balance that is gone, given to others. */
export const RETURNING: MoveKinds = { take: 'use', give: 'release', holds: false }
export const HOLDING: MoveKinds = { take: 'hold', give: 'hold', holds: true }

/** Carries out planned moves. @returns the changed balances, each once. */
export function applyMoves(moves: readonly Move[], kinds: MoveKinds, journal: Journal): Balance[] {
  const drafts = new Map<string, Draft>()
  for (const { balance, rollover, amount, permit, metered } of moves) {
    const draft = drafts.get(balance.uid) ?? draftOf(balance)
    drafts.set(balance.uid, draft)
    const kind = amount > ZERO ? kinds.take : kinds.give
    const holding = kinds.holds ? amount : ZERO
    if (metered !== null) draft.metered = counting(draft.metered, metered)
    if (rollover === null) {
      draft.remaining -= amount
      draft.held += holding
      journal.post(kind, balance, null, { amount: -amount, held: holding, after: draft.remaining, permit })
    } else {
      draft.rollovers ??= [...balance.rollovers]
      const at = draft.rollovers.findIndex(({ uid }) => uid === rollover.uid)
      const { uid, remaining, used, held, expiresAt } = draft.rollovers[at] ?? rollover
      const after = remaining - amount
      draft.rollovers[at] = { uid, remaining: after, used: used + amount, held: held + holding, expiresAt }
      journal.post(kind, balance, rollover, { amount: -amount, held: holding, after })
    }
  }
  return [...drafts.values()].map(({ balance, remaining, held, rollovers, metered }) => ({
    ...balance,
    remaining,
    held,
    metered,
    rollovers: rollovers ?? balance.rollovers,
  }))
}

function draftOf(balance: Balance): Draft {
  const { remaining, held, metered } = balance
  return { balance, remaining, held, rollovers: null, metered }
}

export function counting(metered: ReadonlyMap<string, Amount>, { meter, units }: Metered): ReadonlyMap<string, Amount> {
  return new Map(metered).set(meter, atLeastZero((metered.get(meter) ?? ZERO) + units))
}

import type { Specification } from './checker.ts'

/**
 * What one customer is, as far as the histories here concern it: not there, or with at most one balance of one feature and
 * at most one open lock.
 */
export type State = {
  readonly balance: { readonly granted: number; readonly remaining: number } | null
  /** What the lock holds, or null. */
  readonly held: number | null
} | null

export type Input =
  | { readonly kind: 'create' | 'delete' }
  | { readonly kind: 'grant' | 'add' | 'set'; readonly amount: number }
  /** `use` is a check that uses what it allows, `hold` one that holds it. */
  | { readonly kind: 'check' | 'use' | 'hold'; readonly required: number }
  /** `target` is used in all; zero gives everything back. */
  | { readonly kind: 'finalize'; readonly target: number }
  | { readonly kind: 'track'; readonly value: number; readonly behavior: 'cap' | 'reject' }

/** What is answered where there is no customer, no balance, one already, too little in it. */
export const MISSING = 'no such customer'
export const NOTHING = 'no balance'
export const HELD = 'has one already'
export const REFUSED = 'refused'
export const LOCKED = 'locked already'
export const NO_LOCK = 'no such lock'
export const DONE = 'done'

export function left(balance: { readonly granted: number; readonly remaining: number } | null): string {
  return balance === null ? 'nothing held' : `${balance.remaining} of ${balance.granted} left`
}

/** The counter that every customer must behave like: one operation after another, each seeing all before it. */
export const counter: Specification<State, Input> = {
  initial: null,
  step,
  key: (state) => (state === null ? '-' : left(state.balance) + (state.held === null ? '' : `, ${state.held} locked`)),
  tell: (input) => Object.values(input).join(' '),
  changesNothing(input, answer) {
    if (input.kind === 'check') return true
    // Whoever is there already stays as it is.
    if (input.kind === 'create') return answer !== null && answer !== left(null)
    return answer !== null && (INERT.has(answer) || answer.startsWith('denied') || answer.startsWith('took 0,'))
  },
}

/** Answers of those that have changed nothing. */
const INERT = new Set([MISSING, NOTHING, HELD, REFUSED, LOCKED, NO_LOCK])

function step(state: State, input: Input): { state: State; answer: string } {
  if (input.kind === 'create') {
    const after = state ?? { balance: null, held: null }
    return { state: after, answer: left(after.balance) }
  }
  if (state === null) return { state, answer: input.kind === 'finalize' ? NO_LOCK : MISSING }
  const { balance, held } = state
  switch (input.kind) {
    case 'delete':
      return { state: null, answer: DONE }
    case 'grant': {
      if (balance !== null) return { state, answer: HELD }
      return { state: { balance: { granted: input.amount, remaining: input.amount }, held }, answer: DONE }
    }
    case 'add':
    case 'set': {
      if (balance === null) return { state, answer: NOTHING }
      const remaining = input.kind === 'set' ? input.amount : balance.remaining + input.amount
      return { state: { balance: { ...balance, remaining }, held }, answer: DONE }
    }
    case 'check': {
      const allowed = balance !== null && balance.remaining >= input.required
      return { state, answer: `${allowed ? 'allowed' : 'denied'}, ${left(balance)}` }
    }
    case 'use':
    case 'hold': {
      const holds = input.kind === 'hold'
      if (holds && held !== null) return { state, answer: LOCKED }
      if (balance === null || balance.remaining < input.required) return { state, answer: `denied, ${left(balance)}` }
      const after = { ...balance, remaining: balance.remaining - input.required }
      return { state: { balance: after, held: holds ? input.required : held }, answer: `allowed, ${left(after)}` }
    }
    case 'finalize': {
      // Who has a lock has the balance that it holds of: balances do not go without their customer here.
      if (held === null || balance === null) return { state, answer: NO_LOCK }
      const moved = Math.min(input.target - held, balance.remaining)
      const after = { ...balance, remaining: balance.remaining - moved }
      return { state: { balance: after, held: null }, answer: `moved ${moved}` }
    }
    case 'track': {
      if (balance === null) return { state, answer: `took 0, ${left(balance)}` }
      if (input.behavior === 'reject' && balance.remaining < input.value) return { state, answer: REFUSED }
      const taken = Math.min(input.value, balance.remaining)
      const after = { ...balance, remaining: balance.remaining - taken }
      return { state: { balance: after, held }, answer: `took ${taken}, ${left(after)}` }
    }
  }
}

import type { Specification } from './checker.ts'

/** What one customer is, as far as the histories here concern it: not there, or with at most one balance of one feature. */
export type State = { readonly balance: { readonly granted: number; readonly remaining: number } | null } | null

export type Input =
  | { readonly kind: 'create' | 'delete' }
  | { readonly kind: 'grant' | 'add' | 'set'; readonly amount: number }
  /** `use` is a check that uses what it allows. */
  | { readonly kind: 'check' | 'use'; readonly required: number }
  | { readonly kind: 'track'; readonly value: number; readonly behavior: 'cap' | 'reject' }

/** What is answered where there is no customer, no balance, one already, too little in it. */
export const MISSING = 'no such customer'
export const NOTHING = 'no balance'
export const HELD = 'has one already'
export const REFUSED = 'refused'
export const DONE = 'done'

export function left(balance: { readonly granted: number; readonly remaining: number } | null): string {
  return balance === null ? 'nothing held' : `${balance.remaining} of ${balance.granted} left`
}

/** The counter that every customer must behave like: one operation after another, each seeing all before it. */
export const counter: Specification<State, Input> = {
  initial: null,
  step,
  key: (state) => (state === null ? '-' : left(state.balance)),
  tell: (input) => Object.values(input).join(' '),
  changesNothing(input, answer) {
    if (input.kind === 'check') return true
    // Whoever is there already stays as it is.
    if (input.kind === 'create') return answer !== null && answer !== left(null)
    return answer !== null && (INERT.has(answer) || answer.startsWith('denied') || answer.startsWith('took 0,'))
  },
}

/** Answers of those that have changed nothing. */
const INERT = new Set([MISSING, NOTHING, HELD, REFUSED])

function step(state: State, input: Input): { state: State; answer: string } {
  if (input.kind === 'create') {
    const after = state ?? { balance: null }
    return { state: after, answer: left(after.balance) }
  }
  if (state === null) return { state, answer: MISSING }
  const { balance } = state
  switch (input.kind) {
    case 'delete':
      return { state: null, answer: DONE }
    case 'grant': {
      if (balance !== null) return { state, answer: HELD }
      return { state: { balance: { granted: input.amount, remaining: input.amount } }, answer: DONE }
    }
    case 'add':
    case 'set': {
      if (balance === null) return { state, answer: NOTHING }
      const remaining = input.kind === 'set' ? input.amount : balance.remaining + input.amount
      return { state: { balance: { ...balance, remaining } }, answer: DONE }
    }
    case 'check': {
      const allowed = balance !== null && balance.remaining >= input.required
      return { state, answer: `${allowed ? 'allowed' : 'denied'}, ${left(balance)}` }
    }
    case 'use': {
      if (balance === null || balance.remaining < input.required) return { state, answer: `denied, ${left(balance)}` }
      const after = { ...balance, remaining: balance.remaining - input.required }
      return { state: { balance: after }, answer: `allowed, ${left(after)}` }
    }
    case 'track': {
      if (balance === null) return { state, answer: `took 0, ${left(balance)}` }
      if (input.behavior === 'reject' && balance.remaining < input.value) return { state, answer: REFUSED }
      const taken = Math.min(input.value, balance.remaining)
      const after = { ...balance, remaining: balance.remaining - taken }
      return { state: { balance: after }, answer: `took ${taken}, ${left(after)}` }
    }
  }
}

import type { Operation, Specification } from './checker.ts'

/** How a made-up history goes. Random numbers are from 0 to 1. */
export interface Course<I> {
  readonly clients: number
  readonly operations: number
  readonly input: () => I
  readonly random: () => number
  /** How likely a client never gets its answer. */
  readonly crash: number
}

/**
 * A history that really happened, to a model: clients invoke, take effect and return by chance, each effect at one instant
 * in between. Of those who crash half had taken effect.
 */
export function simulate<S, I>(specification: Specification<S, I>, course: Course<I>): Operation<I>[] {
  const { clients, operations, input, random, crash } = course
  const history: Operation<I>[] = []
  const open: { operation: Operation<I>; answer: string | null }[] = []
  let state = specification.initial
  let invoked = 0
  let returned = 0
  for (let now = 0; returned < operations; now++) {
    if (invoked < operations && open.length < clients && random() < 0.5) {
      const operation = { client: `c${invoked}`, input: input(), invoked: now, returned: null, answer: null }
      open.push({ operation, answer: null })
      invoked += 1
      continue
    }
    const place = Math.floor(random() * open.length)
    const one = open[place]
    if (one === undefined) continue
    const gone = random() < crash
    if (one.answer === null && !gone) {
      const outcome = specification.step(state, one.operation.input)
      state = outcome.state
      one.answer = outcome.answer
      continue
    }
    open.splice(place, 1)
    returned += 1
    history.push(gone ? one.operation : { ...one.operation, returned: now, answer: one.answer })
  }
  return history
}

/** The same question answered by trying every order: for a handful of operations. */
export function explainedByAnyOrder<S, I>(
  history: readonly Operation<I>[],
  specification: Specification<S, I>,
  state: S = specification.initial,
): boolean {
  if (history.every(({ returned }) => returned === null)) return true
  return history.some((operation, i) => {
    const rest = history.toSpliced(i, 1)
    if (rest.some(({ returned }) => returned !== null && returned < operation.invoked)) return false
    const outcome = specification.step(state, operation.input)
    if (operation.returned === null) return explainedByAnyOrder(rest, specification, outcome.state)
    return outcome.answer === operation.answer && explainedByAnyOrder(rest, specification, outcome.state)
  })
}

/** One thing that a client asked for. Instants are places in one order of everything that was seen. */
export interface Operation<I> {
  readonly client: string
  readonly input: I
  readonly invoked: number
  /** Null where no answer came: then it took effect at any instant after `invoked`, or never. */
  readonly returned: number | null
  readonly answer: string | null
}

/** What one operation after another would do. */
export interface Specification<S, I> {
  readonly initial: S
  step(state: S, input: I): { readonly state: S; readonly answer: string }
  /** Equal for equal states. */
  key(state: S): string
  /** Equal for equal inputs; shown to people. */
  tell(input: I): string
  /** Whether an operation with this answer (null: unknown) has changed nothing, whatever the state was. */
  changesNothing(input: I, answer: string | null): boolean
}

export type Verdict =
  | { readonly kind: 'explained'; readonly steps: number }
  /** `undecided` gave up: there are too many orders to be tried. */
  | { readonly kind: 'unexplained' | 'undecided'; readonly steps: number; readonly explanation: string }

/** A state that is possible, and which of the operations under way have taken effect on the way to it: a bit for each. */
interface Configuration<S> {
  readonly state: S
  /** Of those that are answered later on. */
  readonly effective: bigint
  /** Of those that never are. */
  readonly spent: bigint
  readonly cost: number
}

/** An answer to be explained, and what may have taken effect by then. */
interface Return<I> {
  readonly index: number
  readonly groups: readonly Group<I>[]
}

/** Operations under way with equal inputs and answers: the first to return comes first, the unanswered last. */
interface Group<I> {
  readonly input: I
  readonly answer: string | null
  readonly inert: boolean
  readonly indexes: readonly number[]
  /** All of them. */
  readonly bits: bigint
}

/** What was never answered is the last resort: whatever is spent too early is missing later on (tried: 1 and 3 are worse). */
const SPENT = 12
/** A few seconds. Histories of a dozen at a time on one customer take a hundredth of that. */
const MOST_STEPS = 2_000_000

/**
 * Whether some order of the operations, in which none comes before another that had returned when it was invoked, explains
 * all answers (linearizability; Wing and Gong). Operations are put in order just in time, when one of them returns (Lowe), depth
 * first, and no configuration is looked at twice for the same return. What makes that quick where many overlap:
 * what changes nothing takes effect as soon as its answer fits; of equal ones the first to return goes first; the orders with
 * the fewest operations are tried first; and of two configurations that differ only in what one has spent on top of the other,
 * the other one will do.
 */
export function linearize<S, I>(history: readonly Operation<I>[], specification: Specification<S, I>): Verdict {
  return new Search(history, specification).run()
}

class Search<S, I> {
  readonly #history: readonly Operation<I>[]
  readonly #spec: Specification<S, I>
  readonly #returns: readonly Return<I>[]
  #steps = 0

  constructor(history: readonly Operation<I>[], specification: Specification<S, I>) {
    this.#history = history
    this.#spec = specification
    this.#returns = this.#inOrder()
  }

  run(): Verdict {
    const seen = this.#returns.map(() => new Collection(this.#spec))
    const open = new Agenda<Configuration<S>>()
    open.add(0, 0, { state: this.#spec.initial, effective: 0n, spent: 0n, cost: 0 })
    let furthest = 0
    for (let node = open.next(); node !== null; node = open.next()) {
      const { at } = node
      const due = this.#returns[at]
      if (due === undefined) return { kind: 'explained', steps: this.#steps }
      if (this.#steps > MOST_STEPS) return { kind: 'undecided', steps: this.#steps, explanation: 'too many orders' }
      furthest = Math.max(furthest, at)
      const one = this.#settle(node.one, due)
      const bit = bitOf(due.index)
      if ((one.effective & bit) !== 0n) open.add(at + 1, 0, { ...one, effective: one.effective & ~bit, cost: 0 })
      else if (seen[at]?.add(one)) for (const next of this.#next(one, due)) open.add(at, next.cost, next)
    }
    const explanation = this.#explain(furthest, seen[furthest]?.all() ?? [])
    return { kind: 'unexplained', steps: this.#steps, explanation }
  }

  #inOrder(): Return<I>[] {
    const events = this.#history.flatMap(({ input, answer, invoked, returned }, index) => {
      if (returned !== null)
        return [
          { index, returns: false, at: invoked },
          { index, returns: true, at: returned },
        ]
      return this.#spec.changesNothing(input, answer) ? [] : [{ index, returns: false, at: invoked }]
    })
    // At the same instant invocations come first, which makes the two overlap.
    events.sort((a, b) => a.at - b.at || Number(a.returns) - Number(b.returns))
    const pending = new Set<number>()
    const inOrder: Return<I>[] = []
    for (const { index, returns } of events) {
      if (!returns) pending.add(index)
      else {
        inOrder.push({ index, groups: this.#groups(pending) })
        pending.delete(index)
      }
    }
    return inOrder
  }

  #groups(pending: ReadonlySet<number>): Group<I>[] {
    const endOf = (index: number) => this.#operation(index).returned ?? Number.MAX_SAFE_INTEGER
    const inOrder = [...pending].sort((a, b) => endOf(a) - endOf(b) || a - b)
    const nameOf = (index: number) => {
      const { input, answer } = this.#operation(index)
      return `${this.#spec.tell(input)}: ${answer}`
    }
    return [...Map.groupBy(inOrder, nameOf).values()].map((indexes) => {
      const { input, answer } = this.#operation(indexes[0])
      const bits = indexes.reduce((all, index) => all | bitOf(index), 0n)
      return { input, answer, inert: this.#spec.changesNothing(input, answer), indexes, bits }
    })
  }

  /** What changes nothing, and fits. */
  #settle(one: Configuration<S>, { groups }: Return<I>): Configuration<S> {
    let { effective } = one
    for (const { input, answer, inert, bits } of groups) {
      if (!inert || (effective & bits) === bits) continue
      if (this.#step(one.state, input).answer === answer) effective |= bits
    }
    return { ...one, effective }
  }

  /** Every configuration that is one operation further, the one that returns first last. */
  #next(one: Configuration<S>, { groups }: Return<I>): Configuration<S>[] {
    const next: Configuration<S>[] = []
    const used = one.effective | one.spent
    for (const { input, answer, inert, indexes, bits } of groups) {
      if (inert || (used & bits) === bits) continue
      const { state, answer: expected } = this.#step(one.state, input)
      if (answer !== null && answer !== expected) continue
      const bit = bitOf(indexes.find((index) => (used & bitOf(index)) === 0n) ?? -1)
      if (answer !== null) next.push({ ...one, state, effective: one.effective | bit, cost: one.cost + 1 })
      // One that would change nothing may as well not have happened.
      else if (this.#spec.key(state) !== this.#spec.key(one.state))
        next.push({ ...one, state, spent: one.spent | bit, cost: one.cost + SPENT })
    }
    return next.reverse()
  }

  #step(state: S, input: I) {
    this.#steps += 1
    return this.#spec.step(state, input)
  }

  #operation(index: number | undefined): Operation<I> {
    const operation = this.#history[index ?? -1]
    if (operation === undefined) throw new Error(`there is no operation ${index}`)
    return operation
  }

  /** The window: the first answer that no order explains, what could be before it, and what overlaps with it. */
  #explain(at: number, before: readonly Configuration<S>[]): string {
    const line = (index: number | undefined) => {
      const { client, input, answer, invoked, returned } = this.#operation(index)
      return `  ${invoked}–${returned ?? '…'} ${client}: ${this.#spec.tell(input)} → ${answer ?? 'no answer'}`
    }
    const due = this.#returns[at]
    // What costs nothing so far is where the search came in.
    const states = before.filter(({ cost }) => cost === 0).map(({ state }) => `  ${this.#spec.key(state)}`)
    const others = (due?.groups ?? []).flatMap(({ indexes }) => indexes).filter((index) => index !== due?.index)
    return [
      'up to here no order of the operations explains this answer:',
      line(due?.index),
      'before it there may have been:',
      ...new Set(states),
      'at the same time, or without an answer so far:',
      ...others.map(line),
    ].join('\n')
  }
}

function bitOf(index: number): bigint {
  return 1n << BigInt(index)
}

/** What is still to be looked at: the latest return first, and of its configurations the one that costs least. */
class Agenda<T> {
  readonly #open: T[][][] = []

  add(at: number, cost: number, one: T): void {
    this.#open[at] ??= []
    const levels = this.#open[at]
    levels[cost] ??= []
    levels[cost].push(one)
  }

  next(): { at: number; one: T } | null {
    for (; this.#open.length > 0; this.#open.pop()) {
      for (const level of this.#open.at(-1) ?? []) {
        const one = level?.pop()
        if (one !== undefined) return { at: this.#open.length - 1, one }
      }
    }
    return null
  }
}

/** Configurations, of which none needs more than another one that can do the same. */
class Collection<S> {
  readonly #key: (state: S) => string
  readonly #kept = new Map<string, Configuration<S>[]>()

  constructor({ key }: { key(state: S): string }) {
    this.#key = key
  }

  /** @returns false when it is not needed. */
  add(one: Configuration<S>): boolean {
    const key = `${this.#key(one.state)} ${one.effective.toString(36)}`
    const alike = this.#kept.get(key) ?? []
    if (alike.some(({ spent }) => (spent & one.spent) === spent)) return false
    this.#kept.set(key, [...alike.filter(({ spent }) => (spent & one.spent) !== one.spent), one])
    return true
  }

  all(): Configuration<S>[] {
    return [...this.#kept.values()].flat()
  }
}

import type { Store } from '../../src/store/store.ts'

type Question = 'commit' | 'load' | 'versions' | 'changeCatalogue' | 'loadKeys' | 'clock'
// biome-ignore lint/suspicious/noExplicitAny: questions with different arguments and answers go the same way.
type Ask = (argument: any) => Promise<any>

/** A store in front of another one, of which some questions are answered in another way. */
export function behaving(
  instead: {
    readonly [Q in Question]?: (ask: Ask, argument: Parameters<NonNullable<Store[Q]>>[0]) => Promise<unknown>
  },
) {
  return (store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        const ask = value.bind(target)
        const other = instead[name as Question]
        return other === undefined ? ask : (argument: never) => other(ask, argument)
      },
    })
}

/** Holds questions back, once it is closed, until it is opened. */
export class Gate {
  #open = true
  #held: (() => void)[] = []
  #arrived: (() => void)[] = []

  /** Waits until something is held back. */
  close(): Promise<void> {
    this.#open = false
    return new Promise((arrived) => this.#arrived.push(arrived))
  }

  open(): void {
    this.#open = true
    for (const go of this.#held.splice(0)) go()
  }

  async pass(ask: Ask, argument: unknown): Promise<unknown> {
    if (!this.#open) {
      for (const arrived of this.#arrived.splice(0)) arrived()
      await new Promise<void>((go) => this.#held.push(go))
    }
    return ask(argument)
  }
}

/** Holds answers back: the question is asked at once, and what it brought arrives late. */
export class Latecomer {
  #expecting: ((release: () => void) => void) | null = null

  /** Of the next question. @returns when it was answered: how to let the answer arrive. */
  next(): Promise<() => void> {
    return new Promise((held) => {
      this.#expecting = held
    })
  }

  async pass(ask: Ask, argument: unknown): Promise<unknown> {
    const held = this.#expecting
    this.#expecting = null
    const answer = await ask(argument)
    if (held !== null) await new Promise<void>((release) => held(release))
    return answer
  }
}

/** Some turns of the event loop: what a store takes for an answer, without a clock. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((next) => setImmediate(next))
}

import type { Environment } from '../domain/customer.ts'
import type { Engine } from '../engine/engine.ts'
import { settleLapsed, settleTurns } from '../operations/locks.ts'

const EVERY_MS = 1_000
const ENVIRONMENTS: readonly Environment[] = ['sandbox', 'live']

/**
 * What has to happen although nobody asks: lapses of locks, beginnings and ends of plans are saved. One pass after the other, so a slow store is not
 * asked more and more; any number of processes may do so beside each other.
 */
export class Worker {
  readonly #engine: Engine
  readonly #onFault: (error: unknown) => void
  readonly #timer: NodeJS.Timeout
  #pass: Promise<void> | null = null

  constructor(engine: Engine, onFault: (error: unknown) => void) {
    this.#engine = engine
    this.#onFault = onFault
    this.#timer = setInterval(() => this.#begin(), EVERY_MS)
    this.#timer.unref()
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#pass
  }

  #begin(): void {
    this.#pass ??= this.#work().finally(() => {
      this.#pass = null
    })
  }

  async #work(): Promise<void> {
    try {
      for (const env of ENVIRONMENTS) {
        await settleLapsed(this.#engine, env)
        await settleTurns(this.#engine, env)
      }
    } catch (error) {
      this.#onFault(error)
    }
  }
}

import { randomInt, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { OutcomeUnknown } from '../store.ts'
import { ask, type Connections, codeOf, isLost, type Statement } from './connections.ts'

/** Each of these takes long: the server does not answer, or its connections break again and again. */
const MOST_LOSSES = 3
const MOST_ATTEMPTS = 8
/** Serialization failure, deadlock, and two who inserted the same at once: the transaction was rolled back and may be repeated. */
const TRY_AGAIN = new Set(['40001', '40P01', '23505'])

/** It waits for locks itself, for two seconds. */
const GIVE_UP: Statement = { name: 'give_up', text: 'select granary_give_up_1($1, $2) as results', patience: 4_000 }

/**
 * Sends batches one after another, each numbered. A batch notes its number and its results in the writer's row, in its own
 * transaction. So when a connection is lost, the writer's row tells: where the number can still be taken, the batch has not
 * been committed and never will be (its own attempt to take it fails then); where it is taken, the results stand beside it.
 */
export class Writer {
  readonly #connections: Connections
  readonly #unknownAfter: number
  readonly id = randomUUID()
  #seq = 0
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** @param unknownAfter milliseconds for which it is tried to find out what became of a batch. */
  constructor(connections: Connections, unknownAfter: number) {
    this.#connections = connections
    this.#unknownAfter = unknownAfter
  }

  /** How many batches are on their way. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * @param statement takes the writer and the number of the batch before `values`, and answers with its results as text.
   * @throws OutcomeUnknown; any other error means that nothing was applied.
   */
  send(statement: Statement, values: readonly unknown[]): Promise<string> {
    this.#waiting += 1
    const sent = this.#last.then(() => this.#send(statement, values))
    this.#last = sent
      .catch(() => null)
      .finally(() => {
        this.#waiting -= 1
      })
    return sent
  }

  async #send(statement: Statement, values: readonly unknown[]): Promise<string> {
    let losses = 0
    for (let attempt = 1; ; attempt++) {
      const client = await this.#connections.connect()
      this.#seq += 1
      try {
        const { rows } = await ask<{ results: string }>(client, statement, [this.id, this.#seq, ...values])
        return rows[0]?.results ?? ''
      } catch (error) {
        if (isLost(error)) {
          const results = await this.#findOut(error)
          if (results !== null) return results
          losses += 1
        } else if (!TRY_AGAIN.has(codeOf(error) ?? '')) throw error
        if (losses >= MOST_LOSSES || attempt >= MOST_ATTEMPTS) throw error
        await pause(randomInt(1, 10 * attempt))
      }
    }
  }

  /** @returns the results of the latest batch, or null when it never takes effect. @throws OutcomeUnknown */
  async #findOut(cause: unknown): Promise<string | null> {
    const deadline = Date.now() + this.#unknownAfter
    for (let attempt = 1; ; attempt++) {
      try {
        const client = await this.#connections.connect()
        const { rows } = await ask<{ results: string | null }>(client, GIVE_UP, [this.id, this.#seq])
        return rows[0]?.results ?? null
      } catch {
        if (Date.now() >= deadline) {
          throw new OutcomeUnknown('the connection was lost during a commit, and the database cannot be asked since', {
            cause,
          })
        }
        await pause(Math.min(10 * attempt, 200))
      }
    }
  }
}

import { USUAL_RETENTION } from '../../domain/retention.ts'
import type { Instant } from '../../domain/time.ts'
import type { Connections, Statement } from './connections.ts'
import { passing } from './lists.ts'
import type { Partitions } from './partitions.ts'

/** How many rows of each kind that a deleted customer left go in one transaction. */
const CLEARED_AT_ONCE = 500
/** How often it is looked whether there is anything to be tidied up, also what another process has left. */
const EVERY_MS = 60_000

const CLEAR: Statement = { name: 'clear', text: 'select granary_clear_3($1) as more' }

/** What nobody waits for, after the answers have left. Whatever fails is tried again the next time. */
export class Tidying {
  readonly #connections: Connections
  readonly #partitions: Partitions
  #running: Promise<void> | null = null
  #wanted = false
  #stopped = false
  #begunAt = 0
  retention = USUAL_RETENTION
  /** The time that the latest commit told; null before the first. */
  #at: Instant | null = null

  constructor(connections: Connections, partitions: Partitions) {
    this.#connections = connections
    this.#partitions = partitions
  }

  /** After each commit. @param urgent when it is known that there is something. */
  after(at: Instant, urgent: boolean): void {
    const moved = Math.abs(at - (this.#at ?? 0)) > EVERY_MS
    if (!urgent && !moved && Date.now() - this.#begunAt < EVERY_MS) return
    this.#at = at
    this.begin()
  }

  begin(): void {
    this.#begunAt = Date.now()
    this.#wanted = true
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
  }

  /** Waits for the step under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false
      await this.#tidy().catch(() => {})
    }
  }

  async #tidy(): Promise<void> {
    if (this.#at !== null) {
      await this.#partitions.makeAhead(this.#at)
      await this.#partitions.dropForgotten(this.#at, this.retention)
    }
    // Writers of processes that are gone. Nobody asks after so long what became of a batch.
    await this.#connections.read(passing("delete from writers where settled_at < now() - interval '1 hour'"), [])
    let more = true
    while (more && !this.#stopped) {
      const [cleared] = await this.#connections.read<{ more: boolean }>(CLEAR, [CLEARED_AT_ONCE])
      more = cleared?.more === true
    }
  }
}

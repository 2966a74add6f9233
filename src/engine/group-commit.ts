import { assert } from '../domain/assert.ts'
import type { Environment } from '../domain/customer.ts'
import { StoreUnavailable } from '../domain/fault.ts'
import type { Catalogue } from '../domain/feature.ts'
import type { Holdings } from '../domain/holdings.ts'
import { refuse } from '../domain/refusal.ts'
import type { Instant, Moment } from '../domain/time.ts'
import { type Batch, type CommitResult, type Store, StoreBroken } from '../store/store.ts'
import type { Command, Reply, Waiting } from './command.ts'
import { Group } from './group.ts'
import { type Entry, HoldingsCache } from './holdings-cache.ts'
import type { IdempotencyMode } from './idempotency.ts'

export interface GroupCommitOptions {
  readonly store: Store
  readonly clock: () => Instant
  readonly newId: Moment['newId']
  readonly idempotency: IdempotencyMode
  readonly catalogue: (env: Environment) => Catalogue
  readonly reloadCatalogue: (env: Environment) => Promise<void>
  /** Rows held in memory at the most. */
  readonly cacheWeight: number
  /** Commands that may wait for one customer, and for all. Beyond that `overloaded`, never unbounded memory. */
  readonly waitingPerCustomer: number
  readonly waitingInAll: number
  readonly onBroken: (error: Error) => void
}

/** At most this many commands in one transaction: more would make the first of them wait for the last. */
const BATCH_SIZE = 1000
const MAX_ATTEMPTS = 20
/**
 * One commit is written while the answers of the other leave and the next one is decided; the store still takes them one
 * after another. With a single one, store and event loop wait for each other in turn (measured: 8,400 instead of 9,900 tracks/s).
 */
const COMMITS_IN_FLIGHT = 2
/** Below so many customers a commit is not worth splitting: it costs a wait for the disk. */
const SMALLEST_SHARE = 16

/**
 * Lanes and group commit. Commands of one customer are decided in order; all customers that have something to say when the
 * disk is free go into one transaction, and answers leave after it is durable. No timers: an idle server answers in one
 * commit, a busy one batches itself.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly cache: HoldingsCache
  readonly #ready = new Set<Entry>()
  #waiting = 0
  #inFlight = 0
  #scheduled = false
  #drained: (() => void)[] = []

  constructor(options: GroupCommitOptions) {
    this.#options = options
    this.cache = new HoldingsCache(options.store, options.cacheWeight, (entry, error) => this.#loaded(entry, error))
  }

  submit(command: Command<unknown>): Promise<Reply<unknown>> {
    const entry = this.cache.entry(command.env, command.customerId)
    const { waitingPerCustomer, waitingInAll } = this.#options
    if (entry.waiting.length >= waitingPerCustomer || this.#waiting >= waitingInAll) {
      const outcome = refuse('overloaded', 'Too many requests are waiting; nothing was applied, try again in a second')
      return Promise.resolve({ outcome, replayed: false })
    }
    return new Promise((resolve, reject) => {
      this.#waiting += 1
      const settled =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          this.#waiting -= 1
          then(value)
          if (this.#waiting === 0) this.#tellDrained()
        }
      this.#enqueue(entry, { command, resolve: settled(resolve), reject: settled(reject), attempts: 0, alone: false })
    })
  }

  #enqueue(entry: Entry, waiting: Waiting): void {
    entry.waiting.push(waiting)
    this.#makeReady(entry)
  }

  /** Resolves when nothing waits and nothing is being committed. */
  drain(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  /** The moment for a customer, as far ahead as its clock was moved: its time never runs backwards, whatever the clock says. */
  moment(env: Environment, holdings: Holdings | null): Moment {
    const { clock, catalogue, newId } = this.#options
    const now = clock() + catalogue(env).clockAhead
    if (holdings === null) return { now, newId }
    return { now: Math.max(now + holdings.customer.clockAhead, holdings.latest), newId }
  }

  #loaded(entry: Entry, error?: Error): void {
    for (const reader of entry.readers.splice(0)) reader(error)
    if (error !== undefined) {
      this.cache.drop(entry)
      return this.#failAll(entry.waiting.splice(0), error)
    }
    if (entry.waiting.length > 0) this.#makeReady(entry)
    else if (entry.state === 'absent') this.cache.drop(entry)
  }

  #makeReady(entry: Entry): void {
    if (entry.inFlight || entry.state === 'loading' || entry.waiting.length === 0) return
    this.#ready.add(entry)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= COMMITS_IN_FLIGHT || this.#ready.size === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const groups: Group[] = []
    // Customers, of which each brings at least one command. An even share leaves work for the other free commit.
    const share = Math.ceil(this.#ready.size / (COMMITS_IN_FLIGHT - this.#inFlight))
    let [room, customers] = [BATCH_SIZE, Math.max(share, SMALLEST_SHARE)]
    for (const entry of this.#ready) {
      if (room <= 0 || customers <= 0) break
      customers -= 1
      this.#ready.delete(entry)
      const group = new Group(entry, this.#options.idempotency)
      const waiting = entry.waiting.splice(0, Math.min(room, together(entry.waiting)))
      room -= waiting.length
      group.decideAll(waiting, (holdings) => this.moment(entry.env, holdings), this.#options.catalogue(entry.env))
      entry.waiting.unshift(...group.later)
      if (group.needsStore) {
        entry.inFlight = true
        groups.push(group)
      } else {
        group.answer()
        this.#release(entry)
      }
      for (const astray of group.astray) this.#enqueue(this.cache.entry(entry.env, astray.command.customerId), astray)
    }
    if (groups.length > 0) void this.#commit(groups)
    this.#schedule()
  }

  async #commit(groups: Group[]): Promise<void> {
    this.#inFlight += 1
    const results = await this.#write(groups).catch((error: unknown) => {
      this.#failed(groups, error)
      return null
    })
    if (results !== null) await this.#settleAll(groups, results).catch((bug: unknown) => this.#confused(groups, bug))
    for (const group of groups) this.#release(group.entry)
    this.#schedule()
  }

  async #write(groups: Group[]): Promise<CommitResult[]> {
    try {
      const batch: Batch = { at: this.#options.clock(), changes: groups.map((group) => group.change()) }
      return await this.#options.store.commit(batch)
    } finally {
      this.#inFlight -= 1
    }
  }

  async #settleAll(groups: Group[], results: readonly CommitResult[]): Promise<void> {
    const moved = new Set<Environment>()
    for (const [i, group] of groups.entries()) this.#settle(group, results[i], moved)
    // A moved catalogue shows as a conflict too; it is small, so load it again whenever there was one. If that fails,
    // so will the next attempt, which then reports it.
    if (moved.size > 0) await Promise.allSettled([...moved].map((env) => this.#options.reloadCatalogue(env)))
  }

  #settle(group: Group, result: CommitResult | undefined, moved: Set<Environment>): void {
    const { entry } = group
    assert(result !== undefined, 'the store answers every change')
    switch (result.kind) {
      case 'committed':
        if (group.deletes) this.cache.empty(entry)
        else if (group.after !== null) this.cache.install(entry, { holdings: group.after, version: result.version })
        return group.answer()
      case 'known':
        group.answerKnown(result.records)
        break
      case 'id_taken':
        if (group.members.length > 1) for (const { waiting } of group.members) waiting.alone = true
        else if (entry.state === 'present') group.answerIdTaken()
        else this.cache.reload(entry)
        break
      case 'conflict':
        moved.add(entry.env)
        this.cache.reload(entry)
    }
    this.#decideAgain(group)
  }

  /** What could not be committed as decided goes back to the head of its lane. */
  #decideAgain(group: Group): void {
    const again = group.unanswered()
    for (const waiting of again) waiting.attempts += 1
    const stuck = again.filter(({ attempts }) => attempts > MAX_ATTEMPTS)
    this.#failAll(stuck, new Error('too many conflicting writes'))
    group.entry.waiting.unshift(...again.filter(({ attempts }) => attempts <= MAX_ATTEMPTS))
  }

  #failed(groups: readonly Group[], error: unknown): void {
    for (const group of groups) {
      this.#failAll(group.unanswered(), error)
      // What was decided on is still durable, but a failed commit is a moment to look again.
      if (group.entry.state === 'present') this.cache.reload(group.entry)
    }
    if (error instanceof StoreBroken) this.#options.onBroken(error)
  }

  /** A bug after the store has answered: nobody may be told that nothing was applied, and the store knows what is. */
  #confused(groups: readonly Group[], bug: unknown): void {
    for (const group of groups) {
      for (const { reject } of group.unanswered()) reject(bug)
      if (group.entry.state === 'present') this.cache.reload(group.entry)
    }
  }

  #failAll(waiting: readonly Waiting[], cause: unknown): void {
    for (const { reject } of waiting)
      reject(new StoreUnavailable('the store did not answer; nothing was applied', { cause }))
  }

  #release(entry: Entry): void {
    entry.inFlight = false
    if (entry.state === 'absent' && entry.waiting.length === 0) this.cache.drop(entry)
    this.#makeReady(entry)
  }

  #tellDrained(): void {
    for (const tell of this.#drained.splice(0)) tell()
  }
}

/** How many commands at the head of a lane may be decided in one go. */
function together(lane: readonly Waiting[]): number {
  const first = lane.findIndex(({ alone }) => alone)
  return first === -1 ? lane.length : Math.max(first, 1)
}

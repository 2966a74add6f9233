import { assert } from '../domain/assert.ts'
import type { Environment } from '../domain/customer.ts'
import type { Holdings } from '../domain/holdings.ts'
import { type Refusal, refuse } from '../domain/refusal.ts'
import type { Instant, Moment } from '../domain/time.ts'
import { type Batch, type CommitResult, OutcomeUnknown, type Store, StoreBroken } from '../store/store.ts'
import type { Catalogues } from './catalogues.ts'
import type { Command, Fate, Reply, Waiting } from './command.ts'
import type { Confirmations, Seen } from './confirmations.ts'
import { faultFrom } from './faults.ts'
import { Group } from './group.ts'
import { type Entry, HoldingsCache, MOST_IN_A_ROW } from './holdings-cache.ts'
import type { IdempotencyMode } from './idempotency.ts'
import { hasRoom, type Room } from './room.ts'

export interface GroupCommitOptions extends Room {
  readonly store: Store
  readonly clock: () => Instant
  readonly newId: Moment['newId']
  readonly idempotency: IdempotencyMode
  readonly catalogues: Catalogues
  /** Null where what is remembered needs no confirmation. */
  readonly confirmations: Confirmations | null
  /** Rows held in memory at the most. */
  readonly cacheWeight: number
  readonly onBroken: (error: Error) => void
}

/** At most this many commands in one transaction: more would make the first of them wait for the last. */
const BATCH_SIZE = 1000
/** Each of them means that someone else has succeeded with the same customer. */
const MAX_ATTEMPTS = 100
/**
 * One commit is written while the answers of the other leave and the next one is decided; the store still takes them one
 * after another. With a single one, store and event loop wait for each other in turn (measured: 8,400 instead of 9,900 tracks/s).
 */
const COMMITS_IN_FLIGHT = 2
const OVERLOADED = refuse('overloaded', 'Too many requests are waiting; nothing was applied, try again in a second')
/** In small questions to the store, one after another. */
const PAUSES = [2, 4, 8]
/** Below so many customers a commit is not worth splitting: it costs a wait for the disk. */
const SMALLEST_SHARE = 16

/**
 * Lanes and group commit. Commands of one customer are decided in order; all customers that have something to say when the
 * disk is free go into one transaction, and answers leave after it is durable. No timers: an idle server answers in one
 * commit, a busy one batches itself.
 *
 * Where others write the same store, what a decision relied upon may have moved meanwhile. A group that changes something
 * has its version checked in the commit: that it succeeds proves that nothing had moved, so each outcome of the group is
 * right at the instant of the commit, in the order of the lane; also a refusal that was decided before or after another
 * member's change, because all of them happen at that instant. A group that changes nothing is a read, and is confirmed.
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
    this.cache = new HoldingsCache(
      options.store,
      options.cacheWeight,
      (env) => options.catalogues.get(env).version,
      (entry, error) => this.#loaded(entry, error),
    )
  }

  submit(command: Command<unknown>): Promise<Reply<unknown>> {
    const entry = this.cache.entry(command.env, command.customerId)
    if (!hasRoom([entry], this.#waiting, this.#options))
      return Promise.resolve({ outcome: OVERLOADED, replayed: false })
    return new Promise((resolve, reject) => this.#take(entry, command, resolve, reject))
  }

  /** As `Engine.submitAll` has it. */
  submitAll(commands: readonly Command<unknown>[]): Promise<readonly Fate<unknown>[] | Refusal> {
    const entries = commands.map(({ env, customerId }) => this.cache.entry(env, customerId))
    if (!hasRoom(entries, this.#waiting, this.#options)) return Promise.resolve(OVERLOADED)
    return new Promise((resolve) => {
      const fates: Fate<unknown>[] = new Array(commands.length)
      let open = commands.length
      const tell = (i: number, fate: Fate<unknown>) => {
        fates[i] = fate
        open -= 1
        if (open === 0) resolve(fates)
      }
      if (open === 0) resolve(fates)
      for (const [i, command] of commands.entries()) {
        const entry = entries[i]
        assert(entry !== undefined, 'every command has a lane')
        this.#take(
          entry,
          command,
          (reply) => tell(i, reply),
          (fault) => tell(i, { fault }),
        )
      }
    })
  }

  #take(
    entry: Entry,
    command: Command<unknown>,
    resolve: (reply: Reply<unknown>) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#waiting += 1
    this.#enqueue(entry, {
      command,
      resolve: (reply) => {
        resolve(reply)
        this.#leave()
      },
      reject: (error) => {
        reject(error)
        this.#leave()
      },
      attempts: 0,
      arrived: this.cache.order,
      alone: false,
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
    const { catalogues, newId } = this.#options
    const now = catalogues.now(env)
    if (holdings === null) return { now, newId }
    return { now: Math.max(now + holdings.customer.clockAhead, holdings.latest), newId }
  }

  #loaded(entry: Entry, error?: Error): void {
    for (const reader of entry.readers.splice(0)) reader(error)
    if (error !== undefined) {
      this.cache.drop(entry)
      return this.#failAll(entry.waiting.splice(0), error)
    }
    if (entry.state === 'absent') this.#sendOn(entry)
    if (entry.waiting.length > 0) this.#makeReady(entry)
    else if (entry.state === 'absent') this.cache.drop(entry)
  }

  /** Whoever asked for a customer that is gone by another of its names may mean someone who has that name now. */
  #sendOn(entry: Entry): void {
    const here = entry.waiting.splice(0)
    for (const one of here) {
      const { env, customerId } = one.command
      this.#enqueue(customerId === entry.id ? entry : this.cache.entry(env, customerId), one)
    }
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
      group.decideAll(waiting, (holdings) => this.moment(entry.env, holdings), this.#options.catalogues.get(entry.env))
      entry.waiting.unshift(...group.later)
      if (group.needsStore) {
        entry.inFlight = true
        groups.push(group)
      } else if (this.#options.confirmations !== null) {
        entry.inFlight = true
        void this.#confirm(group, this.#options.confirmations)
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
    for (const group of groups) this.#next(group)
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
    // A moved catalogue shows as a conflict too. If it cannot be loaded, the next attempt will fail as well, and report it.
    if (moved.size > 0) await Promise.allSettled([...moved].map((env) => this.#options.catalogues.refresh(env)))
  }

  #settle(group: Group, result: CommitResult | undefined, moved: Set<Environment>): void {
    const { entry } = group
    assert(result !== undefined, 'the store answers every change')
    switch (result.kind) {
      case 'committed':
        // Only its keys were looked up, and nobody has used them; whether it was decided rightly is yet to be seen.
        group.unconfirmed = !group.changes && this.#options.confirmations !== null
        if (group.unconfirmed) return
        entry.inARow += 1
        if (group.deletes) this.cache.empty(entry)
        else if (group.after !== null)
          this.cache.install(entry, { holdings: group.after, version: result.version }, group.catalogue)
        return group.answer()
      case 'known':
        group.answerKnown(result.records)
        break
      case 'id_taken':
        if (group.members.length > 1) for (const { waiting } of group.members) waiting.alone = true
        else if (entry.state === 'present') group.answerTaken('id')
        else this.cache.reload(entry)
        break
      case 'lock_taken':
        if (group.members.length > 1) for (const { waiting } of group.members) waiting.alone = true
        else group.answerTaken('lock')
        break
      case 'conflict':
        entry.mayInARow = 1
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
      // What was decided on is still durable, but a failed commit is a moment to look again; and where nobody knows whether
      // it took effect, nothing else is decided before that was seen.
      if (group.entry.state === 'present' || error instanceof OutcomeUnknown) this.cache.reload(group.entry)
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
    for (const { reject } of waiting) reject(faultFrom(cause))
  }

  /** After a commit: what is left of the group is confirmed, others get their turn, or the lane goes on. */
  #next(group: Group): void {
    const { confirmations } = this.#options
    const { entry } = group
    if (confirmations === null) return this.#release(entry)
    if (group.unconfirmed) return void this.#confirm(group, confirmations)
    if (this.#mustGiveWay(entry)) return void this.#giveWay(entry, confirmations)
    this.#release(entry)
  }

  /**
   * Answers a group that changes nothing if what it was decided upon was still so after it was decided. What has moved is
   * loaded, and decided again. A load that was asked for after a command had come is as good as a confirmation for that
   * command, so that it is answered however often the customer is written meanwhile.
   */
  async #confirm(group: Group, confirmations: Confirmations): Promise<void> {
    const { entry } = group
    try {
      const seen = await look(group, confirmations).catch((error: unknown) => {
        this.#failAll(group.unanswered(), error)
        return null
      })
      if (seen !== null) await this.#conclude(group, seen)
    } catch (bug) {
      this.#confused([group], bug)
    }
    this.#release(entry)
  }

  async #conclude(group: Group, { catalogue, isCurrent }: Finding): Promise<void> {
    const { entry } = group
    // Versions only grow: a catalogue that held before a load and holds after it has held at its instant.
    const { load } = entry
    const since = load !== null && load.catalogue === group.catalogue ? load.order : 0
    if (catalogue === group.catalogue) group.answer(({ arrived }) => isCurrent || arrived < since)
    if (group.unanswered().length === 0) return
    if (!isCurrent) this.cache.reload(entry)
    this.#decideAgain(group)
    // If that fails, so will the next attempt, which then reports it.
    await this.#options.catalogues.catchUp(entry.env, catalogue).catch(() => null)
  }

  /** Not to nobody: with a thousand customers that took a quarter of a use's processor time, on either side (decision 16). */
  #mustGiveWay({ state, inARow, mayInARow }: Entry): boolean {
    return state === 'present' && inARow >= mayInARow && this.#options.store.alone?.() !== true
  }

  /**
   * Whoever has just committed is a step ahead of all who want the same customer: it knows the version, and they must load
   * it first, so they would lose every time. So after some commits it lets the time of a few small questions pass, which is
   * what the others need to load and to commit; after every commit, as long as others are met there. Where nobody is met,
   * now and then for longer: they may need more. No timer: a store that is slow for them is as slow for us.
   */
  async #giveWay(entry: Entry, confirmations: Confirmations): Promise<void> {
    entry.inARow = 0
    const { stored } = entry
    try {
      assert(stored !== null, 'whoever has committed is there')
      const { uid } = stored.holdings.customer
      let moved = false
      for (let left = PAUSES[entry.alone % PAUSES.length] ?? 0; left > 0 && !moved; left--) {
        const { customer } = await confirmations.customer(entry.env, uid)
        moved = customer?.version !== stored.version
      }
      entry.alone = moved ? 0 : entry.alone + 1
      entry.mayInARow = moved ? 1 : Math.min(MOST_IN_A_ROW, 2 * entry.mayInARow)
      if (moved) this.cache.reload(entry)
    } catch {
      // A store that does not answer will say so to the next commit.
    }
    this.#release(entry)
  }

  #release(entry: Entry): void {
    entry.inFlight = false
    if (entry.state === 'absent' && entry.waiting.length === 0) this.cache.drop(entry)
    this.#makeReady(entry)
  }

  #leave(): void {
    this.#waiting -= 1
    if (this.#waiting > 0) return
    for (const tell of this.#drained.splice(0)) tell()
  }
}

interface Finding {
  /** The version of the catalogue. */
  readonly catalogue: number
  /** Whether the customer is as it was decided upon: the same version, or nobody by any of the names that were used. */
  readonly isCurrent: boolean
}

async function look({ entry, members }: Group, confirmations: Confirmations): Promise<Finding> {
  const { stored, env } = entry
  if (stored !== null) {
    // The version covers the names too: they belong to what it counts.
    const { catalogue, customer } = await confirmations.customer(env, stored.holdings.customer.uid)
    return { catalogue, isCurrent: customer?.version === stored.version }
  }
  const names = new Set(members.map(({ waiting }) => waiting.command.customerId))
  const all: Seen[] = await Promise.all([...names].map((name) => confirmations.customer(env, name)))
  return { catalogue: all[0]?.catalogue ?? 0, isCurrent: all.every(({ customer }) => customer === null) }
}

/** How many commands at the head of a lane may be decided in one go. */
function together(lane: readonly Waiting[]): number {
  const first = lane.findIndex(({ alone }) => alone)
  return first === -1 ? lane.length : Math.max(first, 1)
}

import { assert } from '../domain/assert.ts'
import type { Environment } from '../domain/customer.ts'
import { StoreUnavailable } from '../domain/fault.ts'
import type { Catalogue } from '../domain/feature.ts'
import { differences, type Holdings } from '../domain/holdings.ts'
import { isRefusal, refuse } from '../domain/refusal.ts'
import type { Instant, Moment } from '../domain/time.ts'
import {
  type Batch,
  type CommitResult,
  type CustomerChange,
  type CustomerRows,
  type KeyRecord,
  type Store,
  StoreBroken,
} from '../store/store.ts'
import type { Command, Done, Reply, Situation, Waiting } from './command.ts'
import { type Entry, HoldingsCache } from './holdings-cache.ts'
import { decodeAnswer, encodeAnswer, fingerprint, type IdempotencyMode, keyHash, repeatedReply } from './idempotency.ts'

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
 * Lanes and group commit. Commands of one customer are decided in order; all customers that have something to say when the
 * disk is free go into one transaction, and answers leave after it is durable. No timers: an idle server answers in one
 * commit, a busy one batches itself.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly cache: HoldingsCache
  readonly #ready = new Set<Entry>()
  #waiting = 0
  #committing = false
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
      this.#enqueue(entry, { command, resolve: settled(resolve), reject: settled(reject), attempts: 0 })
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

  /** The moment for a customer: its time never runs backwards, whatever the clock says. */
  moment(holdings: Holdings | null): Moment {
    return { now: Math.max(this.#options.clock(), holdings?.latest ?? 0), newId: this.#options.newId }
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
    if (this.#scheduled || this.#committing || this.#ready.size === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const groups: Group[] = []
    let room = BATCH_SIZE
    for (const entry of this.#ready) {
      if (room <= 0) break
      this.#ready.delete(entry)
      const group = new Group(entry, this.#options.idempotency)
      const waiting = entry.waiting.splice(0, room)
      room -= waiting.length
      group.decideAll(waiting, this.moment(entry.holdings), this.#options.catalogue(entry.env))
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
    else this.#schedule()
  }

  async #commit(groups: Group[]): Promise<void> {
    this.#committing = true
    try {
      const batch: Batch = { at: this.#options.clock(), changes: groups.map((group) => group.change()) }
      const results = await this.#options.store.commit(batch)
      this.#committing = false
      const moved = new Set<Environment>()
      for (const [i, group] of groups.entries()) this.#settle(group, results[i], moved)
      // A moved catalogue shows as a conflict too; it is small, so load it again whenever there was one. If that fails,
      // so will the next attempt, which then reports it.
      await Promise.allSettled([...moved].map((env) => this.#options.reloadCatalogue(env)))
    } catch (error) {
      this.#committing = false
      this.#failed(groups, error)
    }
    for (const group of groups) this.#release(group.entry)
    this.#schedule()
  }

  #settle(group: Group, result: CommitResult | undefined, moved: Set<Environment>): void {
    const { entry } = group
    assert(result !== undefined, 'the store answers every change')
    switch (result.kind) {
      case 'committed':
        if (group.after !== null) this.cache.install(entry, { holdings: group.after, version: result.version })
        return group.answer()
      case 'known':
        group.answerKnown(result.records)
        break
      case 'id_taken':
        if (entry.state === 'present') group.answerIdTaken()
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

interface Member {
  readonly waiting: Waiting
  /** Of its idempotency keys, in their order. */
  hashes: readonly string[]
  reply: Reply<unknown> | null
  /** A bug in deciding: that command alone fails. */
  error: unknown
  /** What is to be saved, or null. */
  done: Done<unknown> | null
  answered: boolean
}

/** The commands of one customer that are decided together and share one commit. */
class Group {
  readonly entry: Entry
  readonly members: Member[] = []
  /** Commands that name the customer by an id that it no longer has. */
  readonly astray: Waiting[] = []
  after: Holdings | null = null
  needsStore = false
  readonly #mode: IdempotencyMode
  #catalogue = 0

  constructor(entry: Entry, mode: IdempotencyMode) {
    this.entry = entry
    this.#mode = mode
  }

  /** Each command sees what the ones before it left. Nothing of it counts until the commit. */
  decideAll(waiting: readonly Waiting[], moment: Moment, catalogue: Catalogue): void {
    this.#catalogue = catalogue.version
    let holdings = this.entry.holdings
    const holders = new Map<string, Member>()
    for (const one of waiting) {
      if (holdings !== null && !isNamed(holdings, one.command.customerId)) {
        this.astray.push(one)
        continue
      }
      const member: Member = { waiting: one, hashes: [], reply: null, error: undefined, done: null, answered: false }
      this.members.push(member)
      member.hashes = this.#hash(one.command, holdings)
      const holder = member.hashes.map((hash) => holders.get(hash)).find((other) => other !== undefined)
      if (holder !== undefined) {
        member.reply = this.#follow(holder, member)
        continue
      }
      holdings = this.#decide(member, { holdings, moment, catalogue })
      if (member.done === null) continue
      this.after = holdings
      member.hashes = this.#hash(one.command, holdings)
      for (const hash of member.hashes) holders.set(hash, member)
    }
    this.needsStore = this.after !== null || this.members.some(({ hashes }) => hashes.length > 0)
  }

  /** @returns the holdings that the next command sees. */
  #decide(member: Member, situation: Situation): Holdings | null {
    try {
      const outcome = member.waiting.command.decide(situation)
      if (isRefusal(outcome)) {
        member.reply = { outcome, replayed: false }
        return situation.holdings
      }
      member.reply = { outcome: { kind: 'answered', answer: outcome.answer }, replayed: false }
      if (outcome.kind === 'done') member.done = outcome
      // A success that changed nothing still uses up its key.
      else if (member.hashes.length > 0 && situation.holdings !== null) {
        member.done = { kind: 'done', answer: outcome.answer, after: situation.holdings, postings: [], events: [] }
      }
      return member.done?.after ?? situation.holdings
    } catch (error) {
      member.error = error
      return situation.holdings
    }
  }

  /** A second command with the same key in the same group: it is answered as if it had come after the first. */
  #follow(holder: Member, member: Member): Reply<unknown> {
    const shared = member.hashes.find((hash) => holder.hashes.includes(hash))
    assert(shared !== undefined && holder.done !== null, 'the holder shares a key')
    const { answer } = holder.done
    return repeated(member, shared, fingerprintFor(holder, shared), () => answer, this.#mode)
  }

  change(): CustomerChange {
    const { entry } = this
    const uid = (this.after ?? entry.holdings)?.customer.uid
    assert(uid !== undefined, 'a change is about a customer')
    // A customer that is created here has no keys yet that could be known.
    const claims = entry.holdings === null ? [] : [...new Set(this.members.flatMap(({ hashes }) => hashes))]
    return { env: entry.env, uid, claims, rows: this.after === null ? null : this.#rows(this.after) }
  }

  #rows(after: Holdings): CustomerRows {
    const { stored } = this.entry
    const before = stored?.holdings ?? null
    const done = this.members.map((member) => member.done).filter((one) => one !== null)
    return {
      expected: stored?.version ?? null,
      catalogue: this.#catalogue,
      customer: after.customer === before?.customer ? null : after.customer,
      latest: after.latest,
      postingsBefore: before?.postings ?? 0,
      postings: done.flatMap(({ postings }) => postings),
      ...differences(before, after),
      events: done.flatMap(({ events }) => events),
      keys: this.members.flatMap((member) => recordsOf(member)),
    }
  }

  answer(): void {
    for (const member of this.members) answerMember(member)
  }

  /** Keys of some members turned out to be known: those get the first answer, the others are decided again. */
  answerKnown(records: readonly KeyRecord[]): void {
    for (const member of this.members) {
      const record = records.find(({ hash }) => member.hashes.includes(hash))
      if (record === undefined) continue
      member.reply = repeated(member, record.hash, record.fingerprint, () => decodeAnswer(record.answer), this.#mode)
      answerMember(member)
    }
  }

  answerIdTaken(): void {
    for (const member of this.members) {
      const refusal = member.done?.whenIdTaken
      if (refusal === undefined) continue
      member.reply = { outcome: refusal, replayed: false }
      answerMember(member)
    }
  }

  unanswered(): Waiting[] {
    return this.members.filter(({ answered }) => !answered).map(({ waiting }) => waiting)
  }

  /** Keys belong to the customer, by its internal id; before it exists there is nothing that they could have done. */
  #hash(command: Command<unknown>, holdings: Holdings | null): readonly string[] {
    if (holdings === null || command.keys.length === 0) return NO_HASHES
    return command.keys.map((key) => keyHash(this.entry.env, holdings.customer.uid, key))
  }
}

const NO_HASHES: readonly string[] = []

function isNamed({ customer }: Holdings, id: string): boolean {
  return customer.id === id || customer.uid === id
}

function answerMember(member: Member): void {
  member.answered = true
  if (member.error !== undefined) return member.waiting.reject(member.error)
  assert(member.reply !== null, 'a decided command has an answer')
  member.waiting.resolve(member.reply)
}

function repeated(
  member: Member,
  hash: string,
  firstInput: string,
  answer: () => unknown,
  mode: IdempotencyMode,
): Reply<unknown> {
  return repeatedReply(keyFor(member, hash), firstInput, answer, mode)
}

/** Only what succeeded keeps its key; a refused request may be sent again with it (R121). */
function recordsOf(member: Member): KeyRecord[] {
  const { done } = member
  if (done === null || member.hashes.length === 0) return []
  const answer = encodeAnswer(done.answer)
  return member.hashes.map((hash) => ({ hash, fingerprint: fingerprintFor(member, hash), answer }))
}

function fingerprintFor(member: Member, hash: string): string {
  return fingerprint(keyFor(member, hash))
}

function keyFor(member: Member, hash: string) {
  const key = member.waiting.command.keys[member.hashes.indexOf(hash)]
  assert(key !== undefined, 'a hash belongs to a key')
  return key
}

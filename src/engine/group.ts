import { assert } from '../domain/assert.ts'
import { namesOf } from '../domain/customer.ts'
import { differences } from '../domain/differences.ts'
import type { Catalogue } from '../domain/feature.ts'
import type { Holdings } from '../domain/holdings.ts'
import { isRefusal } from '../domain/refusal.ts'
import type { Moment } from '../domain/time.ts'
import type { CustomerChange, CustomerRows, KeyRecord } from '../store/store.ts'
import type { Command, Done, Reply, Situation, Waiting } from './command.ts'
import type { Entry } from './holdings-cache.ts'
import { decodeAnswer, encodeAnswer, fingerprint, type IdempotencyMode, keyHash, repeatedReply } from './idempotency.ts'

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
export class Group {
  readonly entry: Entry
  readonly members: Member[] = []
  /** Commands that name the customer by an id that it no longer has. */
  readonly astray: Waiting[] = []
  /** Commands that wait until this group is committed: a deletion stands alone, and what follows it sees nobody. */
  readonly later: Waiting[] = []
  after: Holdings | null = null
  deletes = false
  needsStore = false
  /** Its commit has looked up keys and nothing else: the outcomes are right only if nothing has moved. */
  unconfirmed = false
  readonly #mode: IdempotencyMode
  /** The version of the catalogue that was decided upon. */
  catalogue = 0

  constructor(entry: Entry, mode: IdempotencyMode) {
    this.entry = entry
    this.#mode = mode
  }

  /** Each command sees what the ones before it left. Nothing of it counts until the commit. */
  decideAll(waiting: readonly Waiting[], momentOf: (holdings: Holdings | null) => Moment, catalogue: Catalogue): void {
    this.catalogue = catalogue.version
    let holdings = this.entry.holdings
    const holders = new Map<string, Member>()
    for (const [i, one] of waiting.entries()) {
      if (this.deletes) {
        this.later.push(...waiting.slice(i))
        break
      }
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
      // Asked anew for each: the one before may have moved the customer's clock.
      holdings = this.#decide(member, { holdings, moment: momentOf(holdings), catalogue })
      if (this.deletes && this.after !== null) {
        this.members.pop()
        this.deletes = false
        this.later.push(...waiting.slice(i))
        break
      }
      if (member.done === null || this.deletes) continue
      this.after = holdings
      member.hashes = this.#hash(one.command, holdings)
      for (const hash of member.hashes) holders.set(hash, member)
    }
    this.needsStore = this.changes || this.members.some(({ hashes }) => hashes.length > 0)
  }

  /** Whether it commits something, and so has what it was decided upon checked. */
  get changes(): boolean {
    return this.deletes || this.after !== null
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
      if (outcome.kind === 'gone') {
        assert(situation.holdings !== null, 'only who is there can be deleted')
        this.deletes = true
        member.done = { kind: 'done', answer: outcome.answer, after: situation.holdings, postings: [], events: [] }
      } else if (outcome.kind === 'done') member.done = outcome
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
    // Without a customer there are only keys to be looked up. One that is created here has none yet that could be known.
    const uid = (this.after ?? entry.holdings)?.customer.uid ?? ''
    const asked = this.members.filter(({ waiting }) => entry.holdings !== null || waiting.command.keyedBy !== undefined)
    const claims = [...new Set(asked.flatMap(({ hashes }) => hashes))]
    const after = this.deletes ? entry.holdings : this.after
    return { env: entry.env, uid, claims, rows: after === null ? null : this.#rows(after) }
  }

  #rows(after: Holdings): CustomerRows {
    const { stored } = this.entry
    const before = stored?.holdings ?? null
    const done = this.members.map((member) => member.done).filter((one) => one !== null)
    return {
      expected: stored?.version ?? null,
      catalogue: this.catalogue,
      deleted: this.deletes,
      customer: after.customer === before?.customer ? null : after.customer,
      latest: after.latest,
      postingsBefore: before?.postings ?? 0,
      postings: done.flatMap(({ postings }) => postings),
      ...differences(before, after),
      events: done.flatMap(({ events }) => events),
      keys: this.members.flatMap((member) => recordsOf(member)),
    }
  }

  answer(which: (waiting: Waiting) => boolean = () => true): void {
    for (const member of this.members) if (which(member.waiting)) answerMember(member)
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

  answerTaken(what: 'id' | 'lock'): void {
    for (const member of this.members) {
      const refusal = what === 'id' ? member.done?.whenIdTaken : member.done?.whenLockTaken
      if (refusal === undefined) continue
      member.reply = { outcome: refusal, replayed: false }
      answerMember(member)
    }
  }

  unanswered(): Waiting[] {
    return this.members.filter(({ answered }) => !answered).map(({ waiting }) => waiting)
  }

  /**
   * Keys belong to the customer, by its internal id; before it exists there is nothing that they could have done. Those of a
   * deletion, say, belong to the name: a late retry must not delete whoever has that name by then.
   */
  #hash(command: Command<unknown>, holdings: Holdings | null): readonly string[] {
    if (command.keys.length === 0) return NO_HASHES
    const scope = command.keyedBy ?? holdings?.customer.uid
    return scope === undefined ? NO_HASHES : command.keys.map((key) => keyHash(this.entry.env, scope, key))
  }
}

const NO_HASHES: readonly string[] = []

function isNamed({ customer }: Holdings, id: string): boolean {
  return namesOf(customer).includes(id)
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

import type { Environment } from '../domain/customer.ts'
import type { Catalogue } from '../domain/feature.ts'
import type { Holdings } from '../domain/holdings.ts'
import type { Posting } from '../domain/ledger.ts'
import type { Refusal } from '../domain/refusal.ts'
import type { Moment } from '../domain/time.ts'
import type { UsageEvent } from '../domain/usage-event.ts'

/** A caller's promise that a request is the same one as before. Header and body keys are spaces of their own (R122). */
export interface IdempotencyKey {
  readonly space: 'header' | 'body'
  readonly key: string
  /** What was asked, so that the same key with other input is found out. */
  readonly input: unknown
  readonly operation: string
}

/** One thing to be done to one customer. Deciding is pure and synchronous; it may be done again after a conflict. */
export interface Command<A> {
  readonly env: Environment
  /** As the caller wrote it: the caller's id or the internal one. */
  readonly customerId: string
  readonly keys: readonly IdempotencyKey[]
  /**
   * Whose its keys are, if not the customer's: those of a request after which the same names find nobody, or somebody else,
   * belong to the names that the caller wrote. No internal id of a customer.
   */
  readonly keyedBy?: string
  decide(situation: Situation): Outcome<A>
}

/** All that a decision may look at. `moment.now` is never before the latest instant saved in the holdings. */
export interface Situation {
  /** Null when there is no such customer. */
  readonly holdings: Holdings | null
  readonly moment: Moment
  readonly catalogue: Catalogue
}

/** A read of one customer, null where there is none. All that it sees was durable at one instant after it arrived. */
export type Look<T> = (holdings: Holdings | null, moment: Moment, catalogue: Catalogue) => T

export type Outcome<A> = Done<A> | Unchanged<A> | Gone<A> | Refusal

/** Something changes: durable before it is answered. */
export interface Done<A> {
  readonly kind: 'done'
  readonly answer: A
  readonly after: Holdings
  readonly postings: readonly Posting[]
  readonly events: readonly UsageEvent[]
  /** What to answer when the customer's new id turns out to be taken. */
  readonly whenIdTaken?: Refusal
  /** What to answer when the id of a lock turns out to be another customer's. */
  readonly whenLockTaken?: Refusal
}

/** The customer is deleted with all it has. */
export interface Gone<A> {
  readonly kind: 'gone'
  readonly answer: A
}

/** Nothing changes. */
export interface Unchanged<A> {
  readonly kind: 'unchanged'
  readonly answer: A
}

export interface Reply<A> {
  readonly outcome: { readonly kind: 'answered'; readonly answer: A } | Refusal
  /** Whether the answer is the stored first answer to an idempotency key. */
  readonly replayed: boolean
}

/** What became of one of several commands: its reply, or why there is none. */
export type Fate<A> = Reply<A> | { readonly fault: unknown }

/** A command in a lane, and whom to tell. */
export interface Waiting {
  readonly command: Command<unknown>
  resolve(reply: Reply<unknown>): void
  reject(error: unknown): void
  /** How often it was decided upon something that had moved. */
  attempts: number
  /** How many loads had been asked for when it came: whatever a later one brings is not older than this command. */
  readonly arrived: number
  /** To be decided by itself: together with others it could not be told whose name was taken. */
  alone: boolean
}

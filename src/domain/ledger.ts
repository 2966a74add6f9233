import type { Amount } from './amount.ts'
import { assert } from './assert.ts'
import type { Balance, Rollover } from './balance.ts'
import type { Instant } from './time.ts'
import type { UsageEvent } from './usage-event.ts'

/**
 * One line of the ledger. Every change to a balance is one, in the same commit; lines are only ever added.
 * For every bucket (a balance's main amount, or one rollover of it) the `amount`s sum to what remains and the `granted`s
 * to what was granted, so used = granted − remaining is proved as well; the `held`s sum to what locks hold of it.
 */
export interface Posting {
  /** The internal id of the entity whose balance it is, or null for the customer's own. */
  readonly entity: string | null
  readonly feature: string
  readonly balance: string
  /** The rollover it concerns, or null for the balance's main amount. */
  readonly rollover: string | null
  readonly kind: PostingKind
  /** Signed change of what remains. */
  readonly amount: Amount
  /** Signed change of what was granted. */
  readonly granted: Amount
  /** Signed change of what is held. */
  readonly held: Amount
  readonly remainingAfter: Amount
  /** What permitted the bucket to end below zero, else null (law 2). */
  readonly permit: Permit | null
  /** The usage event's or lock's id, the name of the operation, or `time`. */
  readonly cause: string
  readonly at: Instant
}

/**
 * grant: put in · use / refund: by a usage event · hold / confirm / release: by a lock, taken, used after all, given back · reset: left over or owed at a boundary and dropped · rollover: carried
 * over a boundary · expire: gone at its expiry · adjust: set by an operator · void: the balance was deleted.
 */
export type PostingKind =
  | 'grant'
  | 'use'
  | 'refund'
  | 'hold'
  | 'confirm'
  | 'release'
  | 'reset'
  | 'rollover'
  | 'expire'
  | 'adjust'
  | 'void'
export type Permit = 'overage' | 'overflow' | 'unlimited' | 'adjust'

interface Entry {
  readonly amount: Amount
  readonly granted?: Amount
  readonly held?: Amount
  readonly after: Amount
  readonly permit?: Permit | null
  readonly at?: Instant
}

/** Collects the postings of one operation. Lines that change nothing are left out. */
export class Journal {
  readonly postings: Posting[]
  /** What time itself records: a lock that lapsed. */
  readonly events: UsageEvent[]
  readonly at: Instant
  readonly cause: string

  constructor(at: Instant, cause: string, postings: Posting[] = [], events: UsageEvent[] = []) {
    this.at = at
    this.cause = cause
    this.postings = postings
    this.events = events
  }

  /** Writes into this journal what happened at an earlier instant, for another cause. */
  past(at: Instant, cause: string): Journal {
    return new Journal(at, cause, this.postings, this.events)
  }

  post(kind: PostingKind, balance: Balance, rollover: Rollover | null, entry: Entry): void {
    const { granted = 0n, held = 0n } = entry
    if (entry.amount === 0n && granted === 0n && held === 0n) return
    const permit = entry.permit ?? null
    assert(
      entry.after >= 0n ||
        permit !== null ||
        entry.amount > 0n ||
        (entry.amount === 0n && granted === 0n) ||
        balance.terms.kind === 'unlimited',
      'overspent',
    )
    this.postings.push({
      entity: balance.entity,
      feature: balance.feature,
      balance: balance.uid,
      rollover: rollover?.uid ?? null,
      kind,
      amount: entry.amount,
      granted,
      held,
      remainingAfter: entry.after,
      permit: entry.after < 0n ? permit : null,
      cause: entry.at === undefined ? this.cause : 'time',
      at: entry.at ?? this.at,
    })
  }
}

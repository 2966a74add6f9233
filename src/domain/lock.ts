import type { Amount } from './amount.ts'
import type { JsonObject } from './customer.ts'
import type { OverageBehavior } from './deduction.ts'
import type { Instant } from './time.ts'
import type { DeductionLine } from './usage-event.ts'

/** An amount that a check took and that is not used yet: to be confirmed, given back, or to lapse. Source: R150-R168. */
export interface Lock {
  /** Internal, never reused: `lock_…`. */
  readonly uid: string
  /** The caller's, unique in its environment as long as the lock is open. */
  readonly id: string
  /** The feature's internal id, and the caller's id of it under which the use was recorded. */
  readonly feature: string
  readonly name: string
  /** The internal id of the entity that holds it and what the caller calls it, or null for the customer itself. */
  readonly entity: { readonly uid: string; readonly name: string } | null
  /** In the feature's units; negative where the hold gives back. */
  readonly held: Amount
  /** What was to happen with units that nothing pays for; what is used beyond the hold keeps to it. */
  readonly behavior: OverageBehavior
  readonly properties: JsonObject
  /** In the order in which they were taken. */
  readonly lines: readonly HeldLine[]
  readonly heldAt: Instant
  /** From this instant on the lock is gone, and what it held was given back or used. */
  readonly lapsesAt: Instant
  readonly atLapse: 'release' | 'confirm'
}

/** What a lock holds of one bucket at one price. */
export interface HeldLine {
  /** The balance's internal id, and the rollover's where it is held of one. */
  readonly balance: string
  readonly rollover: string | null
  /** The internal id of the balance's feature. */
  readonly feature: string
  readonly line: DeductionLine
  /** The balance has expired, so nothing comes back. */
  readonly ended: boolean
}

/** Longer than this nothing is held: without a lapse of its own a lock is confirmed after it (R150, R154). */
export const LONGEST_HOLD_MS = 24 * 3_600_000
/** Open locks of one customer. */
export const MOST_LOCKS = 10_000

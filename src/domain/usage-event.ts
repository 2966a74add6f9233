import type { Amount } from './amount.ts'
import type { JsonObject } from './customer.ts'
import type { Price } from './price.ts'
import type { ResetLine } from './summary.ts'
import type { Instant } from './time.ts'

/** One recorded use. `value` is what was asked, whatever could be taken (R60, R74). */
export interface UsageEvent {
  readonly uid: string
  /** The feature's id or the event name, as the caller said. */
  readonly name: string
  readonly value: Amount
  readonly properties: JsonObject
  /** The caller's id of the entity that used it, else its internal id, or null for the customer itself. */
  readonly entity: string | null
  /** The event that this one gives back from, or null. */
  readonly refundOf: string | null
  /** The caller's id of the lock whose hold or settlement it is, or null. */
  readonly lock: string | null
  /** When the use happened, by the caller. */
  readonly timestamp: Instant
  /** When it was recorded, and from which balances it was taken. */
  readonly recordedAt: Instant
  readonly deductions: readonly DeductionLine[]
}

/**
 * What one use took from one balance or rollover at one price, in that balance's own units; negative was given back. A reader
 * is shown one line for all prices (R62).
 */
export interface DeductionLine {
  readonly balanceUid: string
  readonly featureId: string
  /** The caller's id of the plan that the balance comes from, or null. */
  readonly planId: string | null
  readonly reset: ResetLine | null
  readonly amount: Amount
  /** At which it was taken: a refund in part goes by it. */
  readonly price: Price
  /** What the balance counted for it, where its price went by that. */
  readonly metered: Metered | null
}

/** Units of a feature under the name of a rate. Negative for what is given back. */
export interface Metered {
  readonly meter: string
  readonly units: Amount
}

import { type Amount, ZERO } from './amount.ts'
import type { PlanTerms } from './plan.ts'
import type { Instant } from './time.ts'

/**
 * A plan as one subject has it; the public API shows it as a subscription, or as a purchase where it is paid for once. Ended
 * ones stay as history: a trial is given once, and a plan that somebody had cannot be deleted.
 */
export interface Attachment {
  /** Internal, never reused: `cus_prod_…`. */
  readonly uid: string
  /** The caller's `subscription_id`, unique for its customer among those that have not ended, or null. */
  readonly id: string | null
  /** The internal id of the revision of the plan. */
  readonly plan: string
  /** The caller's id of the plan. It cannot change any more once anybody has had the plan (C61). */
  readonly planId: string
  /** Of the plan. */
  readonly version: number
  /** The internal id of the entity that has it, or null for the customer itself. */
  readonly entity: string | null
  /** The terms of this customer alone, or null for those of the plan (C104). */
  readonly custom: PlanTerms | null
  /** Scheduled until `startsAt`; from its end on it is `ended`. */
  readonly status: 'scheduled' | 'active' | 'ended'
  readonly startsAt: Instant
  readonly canceledAt: Instant | null
  /** Exclusive, or null for no end. Of one that has ended: when it did. */
  readonly endsAt: Instant | null
  readonly trialEndsAt: Instant | null
  /** What its cycles and the resets of its balances are counted from. */
  readonly anchor: Instant
  /** What was ordered of its prepaid items. */
  readonly quantities: readonly Quantity[]
  readonly createdAt: Instant
}

/** What was ordered of a prepaid item beyond what is included, in whole packs. */
export interface Quantity {
  /** The item's place among those of the terms. */
  readonly item: number
  readonly units: Amount
  /** What it will be from the next reset on, or from the next cycle of what never resets; null where that is no different (C160). */
  readonly next: Amount | null
  /** When that is; null where there is nothing to come. */
  readonly nextAt: Instant | null
}

/** Whether it is in its trial, or has yet to begin with one. */
export function isTrialing(attachment: Attachment, now: Instant): attachment is Trialing {
  return attachment.trialEndsAt !== null && attachment.trialEndsAt > now
}

interface Trialing extends Attachment {
  readonly trialEndsAt: Instant
}

/** What is ordered of an item now. @param item its place among those of the terms. */
export function unitsOf({ quantities }: Attachment, item: number): Amount {
  return quantities.find((one) => one.item === item)?.units ?? ZERO
}

/** What is ordered of one item, in the place of what was. */
export function withQuantity(attachment: Attachment, quantity: Quantity): Attachment {
  const others = attachment.quantities.filter(({ item }) => item !== quantity.item)
  const all = quantity.units === ZERO && quantity.next === null ? others : [...others, quantity]
  return { ...attachment, quantities: all.sort((a, b) => a.item - b.item) }
}

import { type Amount, atLeastZero, sum, ZERO } from './amount.ts'
import { assertNever } from './assert.ts'
import type { ItemPrice } from './item-price.ts'
import { type Every, type Instant, orderingWeight } from './time.ts'

/** What a subject holds of one feature from one source: one row, one reset, one expiry. Immutable. */
export interface Balance {
  /** Internal, never reused: `cus_ent_…`. */
  readonly uid: string
  /** The caller's `balance_id`, unique for its customer, or null. */
  readonly id: string | null
  /** The feature's internal id. */
  readonly feature: string
  /** The internal id of the entity that it belongs to, or null for the customer itself. */
  readonly entity: string | null
  readonly terms: Terms
  /** The item of a plan that it comes from, or null where it was granted by itself. */
  readonly source: Source | null
  /** What may be spent now, rollovers apart. Negative is debt; for unlimited terms it counts use downwards from zero. */
  readonly remaining: Amount
  /** What open locks hold of the main amount, of this period alone: taken from what remains, and not used yet. */
  readonly held: Amount
  /** What updates of the grant added to the allowance, until the next reset (B117). */
  readonly adjustment: Amount
  /** How many entities sit on it: each took one when it was created and gives it back when it goes. */
  readonly seats: number
  /** Units that it paid for in this period, by the name of the rate, where the price goes by how many they are. */
  readonly metered: ReadonlyMap<string, Amount>
  readonly reset: Reset | null
  /** The latest boundary at which it was granted anew, or null while its first period lasts. */
  readonly renewedAt: Instant | null
  readonly rolloverPolicy: RolloverPolicy | null
  /** Sorted by expiry, never-expiring last. */
  readonly rollovers: readonly Rollover[]
  /** Exclusive: at this instant the balance is gone. */
  readonly expiresAt: Instant | null
  readonly createdAt: Instant
}

/** The item of an attached plan that a balance comes from. */
export interface Source {
  /** The attachment's internal id. */
  readonly attachment: string
  /** The item's place among those of the attachment's terms. */
  readonly item: number
  /** The caller's id of the plan. */
  readonly planId: string
  /** Whether the plan is an add-on. */
  readonly addOn: boolean
  readonly price: ItemPrice | null
  /** How much of the allowance was bought in advance. */
  readonly prepaid: Amount
  /** What that is from the next reset on; null where it stays (C160). */
  readonly nextPrepaid: Amount | null
  /** Whether it is one entity's slice of an item that the customer has for each of them. */
  readonly slice: boolean
}

export type Terms =
  | { readonly kind: 'flag' }
  | { readonly kind: 'unlimited' }
  /** `allowance` is granted at creation and anew at every reset. */
  | { readonly kind: 'finite'; readonly allowance: Amount }

export interface Reset extends Every {
  /** What all boundaries are counted from. */
  readonly anchor: Instant
  /** The next boundary; due when `nextAt <= now`. */
  readonly nextAt: Instant
}

/** What is kept at a reset. */
export interface RolloverPolicy {
  readonly cap: RolloverCap
  /** Months that a rollover lives after its boundary, or null for ever. */
  readonly months: number | null
}

/** The most that all live rollovers of one balance may hold together. A percentage is of the allowance, rounded down to a whole unit (B165). */
export type RolloverCap =
  | { readonly kind: 'none' }
  | { readonly kind: 'amount'; readonly max: Amount }
  | { readonly kind: 'percentage'; readonly percent: Amount }

/** What was left at a reset and is kept. Its grant is what it still holds plus what was used of it. */
export interface Rollover {
  /** Derived from the balance and the boundary, so that every reader computes the same one. */
  readonly uid: string
  readonly remaining: Amount
  /** What was taken of it, held or used. */
  readonly used: Amount
  /** What open locks hold of it, which counts as used. */
  readonly held: Amount
  readonly expiresAt: Instant | null
}

/** Of a balance that has paid for nothing yet. */
export const UNMETERED: ReadonlyMap<string, Amount> = new Map()

/** Everything granted for the present period, rollovers apart. Zero when unlimited (B44). */
export function grantedOf(balance: Balance): Amount {
  return balance.terms.kind === 'finite' ? balance.terms.allowance + balance.adjustment : ZERO
}

/** Used or held in the present period: what was granted and is not there. Negative when more is there than was granted (B36). */
export function usedOf(balance: Balance): Amount {
  return grantedOf(balance) - balance.remaining
}

/** Granted without what was bought in advance. Source: B33, B34. */
export function includedOf(balance: Balance): Amount {
  return balance.source === null ? grantedOf(balance) : grantedOf(balance) - balance.source.prepaid
}

/** Whether its use is priced as it happens: only then may it go beyond what is granted, whatever its maximum (B41). */
export function isUsageBased({ source }: Balance): boolean {
  return source?.price?.method === 'usage_based'
}

/** The most that use may leave it owing on its own terms; null is any amount. Source: R92, R94, R108. */
export function mayOwe({ source }: Balance): Amount | null {
  const price = source === null ? null : source.price
  return price?.method === 'usage_based' ? price.maxPurchase : ZERO
}

/** What is owed of the balance. Use of an unlimited one is no debt. */
export function owedOf({ remaining, terms }: Balance): Amount {
  return remaining < ZERO && terms.kind === 'finite' ? -remaining : ZERO
}

/** What may be spent of the balance: its main amount, floored at zero, and its rollovers. */
export function spendableOf(balance: Balance): Amount {
  return atLeastZero(balance.remaining) + rolledOver(balance)
}

/** What open locks hold of the balance and its rollovers. */
export function heldOf({ held, rollovers }: Balance): Amount {
  return rollovers.length === 0 ? held : held + sum(rollovers.map((rollover) => rollover.held))
}

export function rolledOver(balance: Balance): Amount {
  return balance.rollovers.length === 0 ? ZERO : sum(balance.rollovers.map((rollover) => rollover.remaining))
}

/**
 * A loose one-off balance that is used up exactly. Reads leave it out, as clients of the reference expect; it still takes
 * refunds, and updates and deletes still find it. Recurring ones stay visible at zero, and so do those of a plan, and one that
 * entities sit on or locks hold something of: it is in use, not used up. Source: B96, B175, B176 (REC), R22.
 */
export function isDrained(balance: Balance): boolean {
  return (
    balance.source === null &&
    balance.terms.kind === 'finite' &&
    balance.reset === null &&
    balance.seats === 0 &&
    balance.remaining === ZERO &&
    balance.held === ZERO &&
    balance.rollovers.every(({ remaining, held }) => remaining === ZERO && held === ZERO)
  )
}

/** The earliest instant at which time changes this balance, or Infinity. */
export function dueAt(balance: Balance): Instant {
  let due = balance.reset?.nextAt ?? Number.POSITIVE_INFINITY
  if (balance.expiresAt !== null && balance.expiresAt < due) due = balance.expiresAt
  const rolloverExpiry = balance.rollovers[0]?.expiresAt
  return typeof rolloverExpiry === 'number' && rolloverExpiry < due ? rolloverExpiry : due
}

/**
 * The order in which balances of one kind of feature are drawn from: unlimited, then those that reset (shortest interval
 * first), then those that expire soonest, then those that are of no add-on, then those whose use is not priced as it happens,
 * then the oldest. The internal id decides last, so the order is total (law 7). Source: B143, R84 keys 4-7 and 9-11.
 */
export function consumptionOrder(a: Balance, b: Balance): number {
  return termsOrder(a, b) || a.createdAt - b.createdAt || (a.uid < b.uid ? -1 : 1)
}

/** As `consumptionOrder`, as far as the terms go: zero where only age decides. */
export function termsOrder(a: Balance, b: Balance): number {
  return (
    rank(a.terms) - rank(b.terms) ||
    Number(a.reset === null) - Number(b.reset === null) ||
    weight(a) - weight(b) ||
    (a.expiresAt ?? NEVER) - (b.expiresAt ?? NEVER) ||
    (a.source === b.source ? 0 : planWeight(a) - planWeight(b))
  )
}

const NEVER = Number.MAX_SAFE_INTEGER

/** Add-ons after all others, each with what is usage-based last. */
function planWeight(balance: Balance): number {
  return (balance.source?.addOn ? 2 : 0) + (isUsageBased(balance) ? 1 : 0)
}

function weight(balance: Balance): number {
  return balance.reset === null ? 0 : orderingWeight(balance.reset)
}

function rank(terms: Terms): number {
  switch (terms.kind) {
    case 'flag':
      return 0
    case 'unlimited':
      return 1
    case 'finite':
      return 2
    default:
      return assertNever(terms)
  }
}

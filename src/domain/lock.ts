import type { Amount } from './amount.ts'
import { type Balance, owedOf } from './balance.ts'
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
  /** How much of a hold below zero paid off a debt: released, that much is owed again. */
  readonly healed: Amount
  /** Null as long as its period lasts, then how that ended; `gone` where nothing is left that it could go back to. */
  readonly ended: Ended | 'gone' | null
}

/** The end of a period of which something was held. */
export interface Ended {
  /** The boundary. */
  readonly at: Instant
  /** What was owed then and dropped with it: whatever comes back of that period pays that off first. */
  readonly debt: Amount
}

/** Longer than this nothing is held: without a lapse of its own a lock is confirmed after it (R150, R154). */
export const LONGEST_HOLD_MS = 24 * 3_600_000
/** Open locks of one customer. */
export const MOST_LOCKS = 10_000

/** What time, or an update, made of a balance of which locks may hold something. */
export interface Passage {
  /** The balance's internal id. */
  readonly balance: string
  /** Null where it is gone. */
  readonly after: Balance | null
  /** How its period ended, or null where that goes on. */
  readonly ended: Ended | null
}

/**
 * The lock after that; the same object where it is not concerned. It is noted in the lines and not told from instants later,
 * because much may happen within one, and a boundary may be moved.
 */
export function following(lock: Lock, passages: ReadonlyMap<string, Passage>): Lock {
  const lines = lock.lines.map((held) => {
    const passage = passages.get(held.balance)
    return passage === undefined ? held : passed(held, passage)
  })
  return lines.every((line, i) => line === lock.lines[i]) ? lock : { ...lock, lines }
}

function passed(held: HeldLine, { after, ended }: Passage): HeldLine {
  if (held.ended === 'gone') return held
  const isThere = after !== null && (held.rollover === null || after.rollovers.some(({ uid }) => uid === held.rollover))
  if (!isThere) return { ...held, ended: 'gone' }
  return held.ended !== null || ended === null ? held : { ...held, ended }
}

/** The end of a period of the balance at a boundary. */
export function endOf(before: Balance, at: Instant): Ended {
  return { at, debt: owedOf(before) }
}

/** The lock after so much was paid off of what was owed at the end of a period. The same object where it is not concerned. */
export function repaid(lock: Lock, balance: string, at: Instant, amount: Amount): Lock {
  const lines = lock.lines.map((held) => {
    const { ended } = held
    if (held.balance !== balance || ended === null || ended === 'gone' || ended.at !== at) return held
    return { ...held, ended: { at, debt: ended.debt - amount } }
  })
  return lines.every((line, i) => line === lock.lines[i]) ? lock : { ...lock, lines }
}

import type { Event, Model } from './model.ts'
import { giveBack, type Line, move, ownPayer, partOf, sizeOf, unitsOf } from './payment.ts'
import {
  type Amount,
  type Behavior,
  type Feature,
  keepLate,
  max,
  min,
  type Owner,
  type Row,
  roomOf,
  sum,
} from './rows.ts'

/** What a lock holds of one bucket at one price. */
export interface Held extends Line {
  /** How many periods of the balance were over by then. */
  period: number
  /** What a hold below zero paid off of a debt. */
  healed: Amount
}

/** A use that is not settled yet. */
export interface Lock {
  id: string
  feature: Feature
  owner: Owner
  held: Amount
  behavior: Behavior
  /** In the order in which they were taken. */
  lines: Held[]
  lapses: number
  /** At its lapse it gives back, or else is used as it stands (R154). */
  givesBack: boolean
}

/** What is asked for: an id, until when, and what becomes of what nothing pays for. */
export interface Terms {
  id: string
  behavior: Behavior
  /** Null without a lapse of its own. */
  until: number | null
}

const DAY = 24 * 3_600_000

/** The model's locks: what a use took is kept apart, bucket by bucket, until it is settled (R150-R168, law 8). */
export class Locks {
  /** In order of creation. */
  open: Lock[] = []
  readonly #model: Model

  constructor(model: Model) {
    this.#model = model
  }

  find(id: string): Lock | undefined {
    return this.open.find((lock) => lock.id === id)
  }

  /** @returns the lock with its event, what it is refused with, or null where nothing can be held: then nothing changes. */
  hold(feature: Feature, owner: Owner, units: Amount, terms: Terms): { lock: Lock; event: Event } | string | null {
    const { id, behavior, until } = terms
    const { now } = this.#model
    if (feature === 'seats' || (until !== null && until > now + DAY)) return '400 invalid_request'
    if (this.find(id) !== undefined) return '409 lock_already_exists'
    const debts = new Map(this.#model.payers(feature, owner).map(({ row }) => [row, max(-row.main, 0n)]))
    const use = this.#model.take(feature, owner, units, behavior)
    if (use === null) return null
    const held = units - use.missing
    if (units > 0n && (held <= 0n || debts.size === 0)) return null
    const lines = use.lines.map((line): Held => {
      const debt = line.row.unlimited ? 0n : (debts.get(line.row) ?? 0n)
      const healed = min(debt, max(-line.amount, 0n))
      debts.set(line.row, debt - healed)
      bucketOf(line).held += line.amount
      return { ...line, period: line.row.ends.length, healed }
    })
    const lapses = until === null ? now + DAY : Math.max(until, now)
    const lock = { id, feature, owner, held, behavior, lines, lapses, givesBack: until !== null }
    this.open.push(lock)
    return { lock, event: this.#model.record(feature, owner, held, use.lines, id) }
  }

  /**
   * @param target what was used in all; null for what is held.
   * @param keepsOpen what is not used stays held.
   * @returns what moved beyond what was held, or the refusal.
   */
  settle(id: string, target: Amount | null, keepsOpen: boolean): Line[] | string {
    const lock = this.find(id)
    if (lock === undefined || (keepsOpen && lock.held < 0n)) return '400 invalid_request'
    const { held, feature, owner, behavior } = lock
    const wanted = target ?? held
    const within = held > 0n ? min(held, max(wanted, 0n)) : max(held, min(wanted, 0n))
    const { used, rest } = split(lock, within)
    this.#confirm(used)
    const lines: Line[] = []
    if (keepsOpen) Object.assign(lock, { held: held - within, lines: rest })
    else this.#release(lock, rest, lines)
    const beyond = wanted - within
    const more =
      beyond === 0n ? null : this.#model.take(feature, owner, beyond, behavior === 'overflow' ? 'overflow' : 'cap')
    for (const line of more?.lines ?? []) lines.push(line)
    const value = beyond - (keepsOpen ? 0n : held - within)
    if (value !== 0n) this.#model.record(feature, owner, value, lines, id)
    return lines
  }

  extend(id: string, until: number): string | null {
    const lock = this.find(id)
    const { now } = this.#model
    if (lock === undefined || until <= now || until > now + DAY) return '400 invalid_request'
    Object.assign(lock, { lapses: until, givesBack: true })
    return null
  }

  /** The one that lapses first, of several the oldest. */
  soonest(): Lock | undefined {
    return this.open.toSorted((a, b) => a.lapses - b.lapses)[0]
  }

  /** Nobody settled it in time: it is given back, or used as it stands (R154, R166). */
  lapse(lock: Lock): void {
    const lines: Line[] = []
    if (lock.givesBack) this.#release(lock, lock.lines, lines)
    else {
      this.#confirm(lock.lines)
      this.#drop(lock)
    }
    if (lock.givesBack && lock.held !== 0n) this.#model.record(lock.feature, lock.owner, -lock.held, lines, lock.id)
  }

  #drop(lock: Lock): void {
    this.open = this.open.filter((other) => other !== lock)
  }

  #confirm(lines: Held[]): void {
    for (const line of lines) if (this.#holds(line)) bucketOf(line).held -= line.amount
  }

  /** Whether the bucket still counts the line as held: a rollover as long as it is there, a balance as long as the period lasts. */
  #holds({ row, rollover, period }: Held): boolean {
    if (!this.#model.rows.includes(row)) return false
    return rollover === null ? row.ends.length === period : row.rollovers.includes(rollover)
  }

  /** What was taken last goes back first. */
  #release(lock: Lock, rest: Held[], lines: Line[]): void {
    this.#drop(lock)
    for (const line of rest.toReversed()) this.#giveBack(lock, line, lines)
  }

  #giveBack(lock: Lock, line: Held, lines: Line[]): void {
    const { row, rollover, amount, price, period } = line
    const { rows, entities, now } = this.#model
    const isOver = row.ends.length > period
    if (!rows.includes(row)) {
      // Others of the feature make up for what was deleted; not for what would be gone without the lock, too (R163).
      const nobody = lock.owner !== null && !entities.includes(lock.owner)
      if (isOver || row.expired || rollover !== null || amount <= 0n || nobody) return
      const others = this.#model.within(row.feature, lock.owner).map(ownPayer)
      return giveBack(others, amount, 'cap', lines)
    }
    if (!this.#holds(line)) {
      const end = row.ends[period]
      if (end === undefined || rollover !== null || amount <= 0n) return
      const owed = min(amount, end.debt)
      end.debt -= owed
      const late = keepLate(row, amount - owed, end.at, now)
      if (late !== null) lines.push({ row, rollover: late.rollover, amount: -late.amount, price, counted: null })
      return
    }
    bucketOf(line).held -= amount
    const counted = isOver || line.counted === null ? null : { of: line.counted.of, units: -line.counted.units }
    if (counted !== null) row.counts.set(counted.of, max((row.counts.get(counted.of) ?? 0n) + counted.units, 0n))
    if (rollover === null) return move({ ...line, amount: -this.#owed(line), counted }, lines)
    // Beside what was carried over since, no more than the cap allows; the rest of it never was.
    const back = isOver ? min(amount, roomOf(row)) : amount
    rollover.used -= amount - back
    move({ ...line, amount: -back, counted }, lines)
  }

  /** A hold below zero is undone as far as its gift is still there; a debt that it paid off is owed again. */
  #owed({ row, amount, healed }: Held): Amount {
    return amount > 0n || row.unlimited ? amount : -min(-amount, max(row.main, 0n) + healed)
  }
}

function bucketOf({ row, rollover }: Line): { held: Amount } {
  return rollover ?? row
}

/** What a use of so many units would have taken of a hold, and the rest. */
function split({ lines, held }: Lock, units: Amount): { used: Held[]; rest: Held[] } {
  if (units === 0n || units === held) return units === 0n ? { used: [], rest: lines } : { used: lines, rest: [] }
  const sizes = lines.map((line) => max(sizeOf(line), -sizeOf(line)))
  const parts = partOf(lines.toReversed(), sizes.toReversed(), max(units, -units)).parts.toReversed()
  const [used, rest]: [Held[], Held[]] = [[], []]
  for (const [i, line] of lines.entries()) {
    const part = parts[i] ?? 0n
    if (part > 0n) used.push(part === sizes[i] ? line : partial(line, part, 1n))
    if (part !== sizes[i] || part === 0n) rest.push(part === 0n ? line : partial(line, part, -1n))
  }
  return { used, rest }
}

/** @param side 1n for the part, -1n for what the part leaves. */
function partial(line: Held, size: Amount, side: bigint): Held {
  const sign = sizeOf(line) < 0n ? -1n : 1n
  const amount = line.price.cost === 0n ? 0n : sign * size
  const { counted } = line
  const units = sign * min(unitsOf(line, size), max(counted?.units ?? 0n, -(counted?.units ?? 0n)))
  const healed = min(line.healed, max(-amount, 0n))
  const rest = { amount: line.amount - amount, healed: line.healed - healed, units: (counted?.units ?? 0n) - units }
  const mine = side > 0n ? { amount, healed, units } : rest
  return {
    ...line,
    amount: mine.amount,
    healed: mine.healed,
    counted: counted === null ? null : { of: counted.of, units: mine.units },
  }
}

/** What locks hold of a balance and what was kept of it. */
export function heldOf(row: Row): Amount {
  return row.held + sum(row.rollovers.map(({ held }) => held))
}

import { type Every, monthsAfter, nth, weightOf } from './calendar.ts'

/** What the model keeps of balances, and what happens to one of them in time. Plain lists, changed in place. */
export type Feature = 'messages' | 'images' | 'seats' | 'credits' | 'gold'
export type Behavior = 'cap' | 'reject' | 'overflow'

/** Amounts are whole multiples of 10⁻¹². */
export type Amount = bigint
export const ONE = 1_000_000_000_000n

/** The customer itself, or one of its entities. Its identity is the object, because its id may come later. */
export type Owner = Seat | null

/** An entity. Every one of the model is a seat. */
export interface Seat {
  id: string | null
}

/** The item of a plan that a row is of (C 4.5). */
export interface Origin {
  /** Of which attachment: by identity. */
  attached: object
  planId: string
  item: object
  addOn: boolean
  method: 'prepaid' | 'usage_based' | null
  /** What may be bought or owed beyond what is included; null is any number. */
  most: Amount | null
  /** Whether it is bought once. */
  once: boolean
  /** Whether it is what one entity has of an item that its customer has for each. */
  slice: boolean
  prepaid: Amount
  /** What that is from the next reset on, or null. */
  next: Amount | null
}

export interface Row {
  id: string
  /** Null for what was granted by itself. */
  from: Origin | null
  owner: Owner
  feature: Feature
  unlimited: boolean
  allowance: Amount
  main: Amount
  /** What locks hold of its present period. */
  held: Amount
  adjustment: Amount
  /** How many entities sit on it. */
  seats: number
  /** Units of other features that it paid for in this period, where their price goes by that. */
  counts: Map<Feature, Amount>
  every: Every | null
  anchor: number
  /** The number of the next boundary, and when it is; Infinity where there is none. */
  n: number
  next: number
  /** When its present period began. */
  renewed: number
  /** How its periods ended: the boundary, and what was owed then, which whatever comes back pays off first. */
  ends: { at: number; debt: Amount }[]
  policy: Policy | null
  rollovers: Rollover[]
  expires: number | null
  expired: boolean
  created: number
  /** What is created at one instant is in this order. */
  age: string
}

/** What is kept at a reset: at most `max`, or `percent` of the allowance, for so many months. */
export interface Policy {
  max: Amount | null
  percent: Amount | null
  months: number | null
}

export interface Rollover {
  /** The boundary at which it was kept, or null for what is kept for ever: that is one. */
  at: number | null
  left: Amount
  used: Amount
  /** Part of what was used: locks hold it. */
  held: Amount
  until: number | null
}

export function granted(row: Row): Amount {
  return row.unlimited ? 0n : row.allowance + row.adjustment
}

/** The order in which balances are drawn from (R84). */
export function inOrder(rows: Row[]): Row[] {
  return sorted(rows, (row) => [...termsRank(row), row.created])
}

/** Slices stand item by item, each item's by the names of the entities (R97). */
export function slicesInOrder(rows: Row[]): Row[] {
  const byName = rows.toSorted((a, b) => ((a.owner?.id ?? '') < (b.owner?.id ?? '') ? -1 : 1))
  return sorted(byName, termsRank)
}

function termsRank(row: Row): number[] {
  return [
    row.unlimited ? 0 : 1,
    row.every === null ? 1 : 0,
    row.every === null ? 0 : weightOf(row.every),
    row.expires ?? Number.MAX_SAFE_INTEGER,
    row.from?.addOn ? 1 : 0,
    row.from?.method === 'usage_based' ? 1 : 0,
  ]
}

function sorted(rows: Row[], rank: (row: Row) => number[]): Row[] {
  return rows
    .map((row) => ({ row, keys: rank(row) }))
    .sort(
      ({ keys: a, row }, { keys: b, row: other }) =>
        a.map((key, i) => key - (b[i] ?? 0)).find((d) => d !== 0) ??
        (row.age < other.age ? -1 : row.age === other.age ? 0 : 1),
    )
    .map(({ row }) => row)
}

/** The most that use may leave a row owing; null is any amount. Seats that nobody sells may be owed, unless refused (R92, R94, R101). */
export function mayOwe({ from }: Row, seatsOwed: boolean): Amount | null {
  if (from?.method === 'usage_based') return from.most
  return seatsOwed && (from === null || from.method === null) ? null : 0n
}

/** Counted from its anchor, which may be later than now: the first boundary after an instant, and its number. */
export function firstAfter(anchor: number, every: Every, now: number): { n: number; next: number } {
  let n = 0
  while (nth(anchor, every, n) > now) n--
  while (nth(anchor, every, n) <= now) n++
  return { n, next: nth(anchor, every, n) }
}

/** Every boundary and expiry up to `now`, one after the other, an expiry before a reset. @returns false where it ends. */
export function bringUpToDate(row: Row, now: number): boolean {
  for (let due = dueOf(row); due <= now; due = dueOf(row)) {
    if (row.expires === due) {
      row.expired = true
      return false
    }
    row.rollovers = row.rollovers.filter(({ until }) => until !== due)
    if (row.next === due) renew(row, due, due)
  }
  return true
}

/** When time changes it next. */
export function dueOf(row: Row): number {
  let due = Math.min(row.next, row.expires ?? Infinity)
  for (const { until } of row.rollovers) if (until !== null && until < due) due = until
  return due
}

/** The next reset is moved. In the past it takes effect at once, and the phase goes on from it. */
export function moveReset(row: Row, to: number, now: number): void {
  row.anchor = to
  row.n = 0
  row.next = to
  if (to > now) return
  renew(row, to, now)
  while (row.next <= now) skip(row)
}

/** @param at the boundary. @param now when it takes effect: from then on another period lasts. */
function renew(row: Row, at: number, now: number): void {
  // What was ordered for the next period is granted, and is what a cap in percent is of (C160).
  if (row.from !== null && row.from.next !== null) {
    row.allowance += row.from.next - row.from.prepaid
    row.from = { ...row.from, prepaid: row.from.next, next: null }
  }
  if (row.policy !== null && row.main > 0n) keep(row, row.policy, row.main, at)
  if (row.policy !== null) trim(row, row.policy)
  row.ends.push({ at, debt: max(-row.main, 0n) })
  row.main = row.allowance
  row.held = 0n
  row.adjustment = 0n
  row.renewed = now
  row.counts = new Map()
  skip(row)
}

function skip(row: Row): void {
  if (row.every !== null) row.next = nth(row.anchor, row.every, ++row.n)
}

function keep(row: Row, policy: Policy, left: Amount, at: number): void {
  const kept = keptAt(row, policy, at)
  if (kept === null) return
  kept.left += left
  trim(row, policy)
}

/** What exceeds the cap goes, that first which ends first. */
export function trim(row: Row, policy: Policy): void {
  const cap = capOf(row, policy)
  if (cap === null) return
  let excess = sum(row.rollovers.map((one) => one.left)) - cap
  for (const one of row.rollovers) {
    const cut = max(min(one.left, excess), 0n)
    one.left -= cut
    excess -= cut
    if (cut > 0n && one.left === 0n) row.rollovers = row.rollovers.filter((other) => other !== one)
  }
}

/** The rollover of a boundary, a new one where there is none yet; null where it would be gone at once. */
function keptAt(row: Row, { months }: Policy, at: number): Rollover | null {
  const until = months === null ? null : monthsAfter(at, months)
  if (until === at) return null
  const same = row.rollovers.find((other) => other.at === (until === null ? null : at))
  const kept = same ?? { at: until === null ? null : at, left: 0n, used: 0n, held: 0n, until }
  row.rollovers = soonest([...row.rollovers.filter((other) => other !== kept), kept])
  return kept
}

/** What comes back after its period: to the rollover of the boundary, as far as there is room, unless that has ended by now. */
export function keepLate(
  row: Row,
  left: Amount,
  at: number,
  now: number,
): { rollover: Rollover; amount: Amount } | null {
  const amount = min(left, roomOf(row))
  const until = row.policy?.months == null ? Infinity : monthsAfter(at, row.policy.months)
  if (row.policy === null || amount <= 0n || until <= now) return null
  const rollover = keptAt(row, row.policy, at)
  if (rollover === null) return null
  rollover.left += amount
  return { rollover, amount }
}

/** How much more its rollovers may hold; without a cap more than there will ever be. */
export function roomOf(row: Row): Amount {
  if (row.policy === null) return 0n
  const cap = capOf(row, row.policy)
  return cap === null ? 10n ** 40n : max(cap - sum(row.rollovers.map(({ left }) => left)), 0n)
}

function capOf({ allowance }: Row, { max: most, percent }: Policy): Amount | null {
  return percent === null ? most : ((allowance * percent) / (100n * ONE * ONE)) * ONE
}

/** What expires soonest comes first, what never does last. */
export function soonest(rollovers: Rollover[]): Rollover[] {
  return rollovers.toSorted((a, b) => (a.until ?? Number.MAX_SAFE_INTEGER) - (b.until ?? Number.MAX_SAFE_INTEGER))
}

export const sum = (values: bigint[]) => values.reduce((a, b) => a + b, 0n)
export const min = (a: bigint, b: bigint) => (a < b ? a : b)
export const max = (a: bigint, b: bigint) => (a > b ? a : b)

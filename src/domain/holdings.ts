import { assert } from './assert.ts'
import { type Balance, consumptionOrder, dueAt } from './balance.ts'
import type { Customer } from './customer.ts'
import type { Journal } from './ledger.ts'
import { advance } from './reset.ts'
import type { Instant } from './time.ts'

/** Everything one customer has, loaded together. Immutable; a change of one feature copies that feature's list only. */
export interface Holdings {
  readonly customer: Customer
  /** By the feature's internal id, each list in consumption order and never empty. */
  readonly balances: ReadonlyMap<string, readonly Balance[]>
  /** No boundary or expiry lies before this instant; until then nothing has to be brought up to date. */
  readonly dueAt: Instant
  /** The latest instant that a saved change carries. Time never runs backwards for a customer, whatever a clock says. */
  readonly latest: Instant
  /** How many ledger postings the customer has; the next one gets this number. */
  readonly postings: number
}

const NONE: readonly Balance[] = []

/** @param balances in any order: deductions never depend on the order in which rows were loaded (law 7). */
export function holdingsOf(
  customer: Customer,
  balances: readonly Balance[],
  latest: Instant,
  postings: number,
): Holdings {
  const lists = new Map<string, Balance[]>()
  for (const balance of balances) {
    const list = lists.get(balance.feature)
    if (list === undefined) lists.set(balance.feature, [balance])
    else list.push(balance)
  }
  for (const list of lists.values()) list.sort(consumptionOrder)
  return { customer, balances: lists, dueAt: earliest(balances), latest, postings }
}

export function balancesOf(holdings: Holdings, feature: string): readonly Balance[] {
  return holdings.balances.get(feature) ?? NONE
}

export function* allBalances(holdings: Holdings): Generator<Balance> {
  for (const list of holdings.balances.values()) yield* list
}

/** Applies every expiry and boundary due by `now`. The same object when nothing was due, which costs one comparison. */
export function bringUpToDate(holdings: Holdings, now: Instant, journal: Journal): Holdings {
  if (holdings.dueAt > now) return holdings
  const balances = new Map<string, readonly Balance[]>()
  for (const [feature, list] of holdings.balances) {
    const current = list.map((balance) => advance(balance, now, journal)).filter((balance) => balance !== null)
    if (current.length === 0) continue
    const unchanged = current.length === list.length && current.every((balance, i) => balance === list[i])
    balances.set(feature, unchanged ? list : current.sort(consumptionOrder))
  }
  return { ...holdings, balances, dueAt: earliest([...balances.values()].flat()) }
}

/** Puts `changed` in the place of the balances with the same internal id, and adds those that are new. */
export function withBalances(holdings: Holdings, changed: readonly Balance[]): Holdings {
  if (changed.length === 0) return holdings
  const balances = new Map(holdings.balances)
  let due = holdings.dueAt
  for (const balance of changed) {
    const list = balances.get(balance.feature) ?? NONE
    const at = list.findIndex((other) => other.uid === balance.uid)
    const next = at === -1 ? [...list, balance] : list.with(at, balance)
    const before = list[at]
    balances.set(
      balance.feature,
      before !== undefined && samePlace(before, balance) ? next : next.sort(consumptionOrder),
    )
    due = Math.min(due, dueAt(balance))
  }
  return { ...holdings, balances, dueAt: due }
}

export function withoutBalances(holdings: Holdings, gone: readonly Balance[]): Holdings {
  const balances = new Map(holdings.balances)
  for (const balance of gone) {
    const left = (balances.get(balance.feature) ?? NONE).filter((other) => other.uid !== balance.uid)
    if (left.length === 0) balances.delete(balance.feature)
    else balances.set(balance.feature, left)
  }
  return { ...holdings, balances }
}

/** What changed between two states of one customer, row by row. Unchanged features are skipped by identity. */
export function differences(before: Holdings | null, after: Holdings): { written: Balance[]; removed: Balance[] } {
  const written: Balance[] = []
  const removed: Balance[] = []
  for (const [feature, list] of after.balances) {
    const old = before?.balances.get(feature)
    if (old === list) continue
    for (const balance of list) if (old === undefined || !old.includes(balance)) written.push(balance)
  }
  for (const [feature, list] of before?.balances ?? []) {
    const kept = after.balances.get(feature)
    if (kept === list) continue
    for (const balance of list) if (!kept?.some((other) => other.uid === balance.uid)) removed.push(balance)
  }
  return { written, removed }
}

/** Closes an operation: numbers its postings and remembers the instant. */
export function settle(holdings: Holdings, journal: Journal): Holdings {
  assert(journal.at >= holdings.latest, 'time runs backwards')
  return { ...holdings, latest: journal.at, postings: holdings.postings + journal.postings.length }
}

function samePlace(a: Balance, b: Balance): boolean {
  return a.expiresAt === b.expiresAt && a.terms === b.terms && a.reset?.interval === b.reset?.interval
}

function earliest(balances: readonly Balance[]): Instant {
  let due = Number.POSITIVE_INFINITY
  for (const balance of balances) due = Math.min(due, dueAt(balance))
  return due
}

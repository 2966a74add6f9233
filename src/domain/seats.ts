import { type Amount, atLeastZero, ONE, ZERO } from './amount.ts'
import { type Balance, mayOwe } from './balance.ts'
import { balancesOf, entitiesCounted, entityFeatures, type Holdings, withBalances } from './holdings.ts'
import type { Journal } from './ledger.ts'
import type { Instant } from './time.ts'

/**
 * An entity is one of its feature: while it is there, one of the customer's own balance of that feature is in use. Each
 * balance counts the entities that sit on it. Nobody knows which entity sits where, because they are alike.
 * Source: B218, B220, with loose balances counting too (decision 9).
 */

/**
 * Seats the entities of a feature that have none yet, as far as there is a balance at all: on what is left, and then on what
 * may be owed. Whoever finds no seat under a maximum stands.
 */
export function seatEntities(holdings: Holdings, feature: string, journal: Journal): Holdings {
  const balances = balancesOf(holdings, feature)
  const entities = entitiesCounted(holdings, feature)
  let waiting = entities - seatsIn(balances)
  if (waiting <= 0) return holdings
  const changed = new Map<string, Balance>()
  for (const room of [free, owing, unbought]) {
    for (const one of balances) {
      const balance = changed.get(one.uid) ?? one
      const fits = Math.min(waiting, room(balance))
      if (fits <= 0) continue
      changed.set(balance.uid, sit(balance, fits, journal))
      waiting -= fits
    }
  }
  return withBalances(holdings, [...changed.values()])
}

/** Entities of any feature that have lost their seats with a balance take one of those that are there. */
export function reseat(holdings: Holdings, journal: Journal): Holdings {
  let current = holdings
  for (const feature of entityFeatures(holdings)) current = seatEntities(current, feature, journal)
  return current
}

/** When a balance that entities sit on expires next, or Infinity. */
export function nextEviction({ balances }: Holdings): Instant {
  let soonest = Number.POSITIVE_INFINITY
  for (const list of balances.values())
    for (const { seats, expiresAt } of list) if (seats > 0 && expiresAt !== null) soonest = Math.min(soonest, expiresAt)
  return soonest
}

/** How many entities of a feature found no seat although there is a balance of it: more than included and may be bought (B219 REC). */
export function standing(holdings: Holdings, feature: string): number {
  const balances = balancesOf(holdings, feature)
  return balances.length === 0 ? 0 : Math.max(0, entitiesCounted(holdings, feature) - seatsIn(balances))
}

/** Gives back the seats of entities that are gone: owed ones first, then from the balance that is drawn from last. */
export function vacateSeats(holdings: Holdings, feature: string, journal: Journal): Holdings {
  let current = holdings
  const entities = entitiesCounted(holdings, feature)
  for (;;) {
    const balances = balancesOf(current, feature)
    const tooMany = seatsIn(balances) - entities
    if (tooMany <= 0) return current
    const taken = balances.filter(({ seats }) => seats > 0)
    const chosen = taken.find(({ remaining }) => remaining < ZERO) ?? taken.at(-1)
    if (chosen === undefined) return current
    current = withBalances(current, [rise(chosen, journal)])
  }
}

function seatsIn(balances: readonly Balance[]): number {
  return balances.reduce((sum, { seats }) => sum + seats, 0)
}

function free({ terms, remaining }: Balance): number {
  if (terms.kind === 'unlimited') return Number.POSITIVE_INFINITY
  return places(atLeastZero(remaining))
}

/** Seats that may be owed: any number of those that nobody sells, and what is usage-based up to its maximum. */
function owing(balance: Balance): number {
  const price = balance.source === null ? null : balance.source.price
  if (price === null) return Number.POSITIVE_INFINITY
  const most = mayOwe(balance)
  return most === null ? Number.POSITIVE_INFINITY : places(most + balance.remaining)
}

/** Seats that are sold in advance and were not bought yet: owed up to the most that may be bought. */
function unbought(balance: Balance): number {
  const { source, remaining } = balance
  if (source?.price?.method !== 'prepaid') return 0
  const most = source.price.maxPurchase
  return most === null ? Number.POSITIVE_INFINITY : places(most - source.prepaid + remaining)
}

/** Whole ones. */
function places(amount: Amount): number {
  return Number(atLeastZero(amount) / ONE)
}

function sit(balance: Balance, count: number, journal: Journal): Balance {
  const taken = BigInt(count) * ONE
  const remaining = balance.remaining - taken
  const permit = balance.terms.kind === 'unlimited' ? 'unlimited' : 'overage'
  journal.post('use', balance, null, { amount: -taken, after: remaining, permit })
  return { ...balance, remaining, seats: balance.seats + count }
}

function rise(balance: Balance, journal: Journal): Balance {
  const remaining = balance.remaining + ONE
  journal.post('refund', balance, null, { amount: ONE, after: remaining })
  return { ...balance, remaining, seats: balance.seats - 1 }
}

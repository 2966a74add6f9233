import { ONE, ZERO } from './amount.ts'
import type { Balance } from './balance.ts'
import { balancesOf, entitiesCounted, type Holdings, withBalances } from './holdings.ts'
import type { Journal } from './ledger.ts'

/**
 * An entity is one of its feature: while it is there, one of the customer's own balance of that feature is in use. Each
 * balance counts the entities that sit on it. Nobody knows which entity sits where, because they are alike.
 * Source: B218, B220, with loose balances counting too (decision 9).
 */

/** Seats the entities of a feature that have none yet, as far as there is a balance at all. Seats nobody granted are owed. */
export function seatEntities(holdings: Holdings, feature: string, journal: Journal): Holdings {
  const balances = balancesOf(holdings, feature)
  const entities = entitiesCounted(holdings, feature)
  let standing = entities - seatsIn(balances)
  const [first] = balances
  if (standing <= 0 || first === undefined) return holdings
  const changed = new Map<string, Balance>()
  for (const balance of balances) {
    const fits = Math.min(standing, free(balance))
    if (fits <= 0) continue
    changed.set(balance.uid, sit(balance, fits, journal))
    standing -= fits
  }
  if (standing > 0) changed.set(first.uid, sit(changed.get(first.uid) ?? first, standing, journal))
  return withBalances(holdings, [...changed.values()])
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
  return remaining > ZERO ? Number(remaining / ONE) : 0
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

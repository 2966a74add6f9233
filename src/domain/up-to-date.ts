import type { Catalogue } from './feature.ts'
import { lapse } from './hold.ts'
import { advanceBalances, type Holdings, lapsing, lockOf, nextTurn } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { nextEviction, reseat } from './seats.ts'
import type { Instant } from './time.ts'
import { turn } from './turn.ts'

/**
 * Applies every lapse, every end and beginning of a plan, every expiry and boundary due by `now`, in the order of time; what
 * falls on one instant goes in this order, so that what a lock gives back at the end of a period is still part of it, and what
 * a plan gave is gone before it would be renewed (architecture 2.14). Entities whose seats expire take what else is free at
 * that instant. The same object when nothing was due, which costs one comparison.
 */
export function bringUpToDate(holdings: Holdings, now: Instant, catalogue: Catalogue, journal: Journal): Holdings {
  if (holdings.dueAt > now) return holdings
  let current = holdings
  const lapses = lapsing(holdings, now)
  for (let i = 0; ; ) {
    const lock = lapses[i]
    const lapsesAt = lock?.lapsesAt ?? Number.POSITIVE_INFINITY
    const turnsAt = nextTurn(current)
    const evictsAt = nextEviction(current)
    const at = Math.min(lapsesAt, turnsAt, evictsAt)
    if (at > now) break
    if (lock !== undefined && lapsesAt === at) {
      current = advanceBalances(current, lapsesAt - 1, journal)
      // Asked again, because a balance of which it holds something may have expired meanwhile.
      current = lapse(current, lockOf(current, lock.id) ?? lock, journal)
      i += 1
    } else if (turnsAt === at) {
      current = advanceBalances(current, turnsAt - 1, journal)
      current = turn(current, catalogue, journal.past(turnsAt, 'time'))
    } else {
      current = advanceBalances(current, evictsAt, journal)
      current = reseat(current, journal.past(evictsAt, 'time'))
    }
  }
  return advanceBalances(current, now, journal)
}

import { lapse } from './hold.ts'
import { advanceBalances, type Holdings, lapsing, lockOf } from './holdings.ts'
import type { Journal } from './ledger.ts'
import type { Instant } from './time.ts'

/**
 * Applies every lapse, expiry and boundary due by `now`, in the order of time; what falls on one instant goes lapse first,
 * then expiry, then reset, so that what a lock gives back at the end of a period is still part of it (architecture 2.14).
 * The same object when nothing was due, which costs one comparison.
 */
export function bringUpToDate(holdings: Holdings, now: Instant, journal: Journal): Holdings {
  if (holdings.dueAt > now) return holdings
  let current = holdings
  for (const lock of lapsing(holdings, now)) {
    current = advanceBalances(current, lock.lapsesAt - 1, journal)
    // Asked again, because a balance of which it holds something may have expired meanwhile.
    current = lapse(current, lockOf(current, lock.id) ?? lock, journal)
  }
  return advanceBalances(current, now, journal)
}

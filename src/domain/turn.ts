import type { Attachment } from './attachment.ts'
import { attachmentOn, freeDefault, isMain, mainsAt, placeOf } from './attachments.ts'
import { begin } from './begin.ts'
import { AS_USUAL, endAlone, replace } from './carry.ts'
import type { Catalogue } from './feature.ts'
import { termsOf } from './find-plan.ts'
import { attachmentOf, attachmentsOf, type Holdings, turnOf } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { orderDue } from './order.ts'
import { isFree } from './plan-kind.ts'
import type { Instant } from './time.ts'

/**
 * Applies what is due of plans at the journal's instant: ends, then beginnings and changes of what is ordered, so that a subject
 * never has two main plans of a group. A main plan that ends hands over to the one that is scheduled, or to the free default
 * of its group.
 * Source: C152, C154, C173.
 */
export function turn(holdings: Holdings, catalogue: Catalogue, journal: Journal): Holdings {
  let current = holdings
  const due = attachmentsOf(holdings).filter((one) => turnOf(one) <= journal.at)
  for (const ending of due.filter(
    ({ status, endsAt }) => status === 'active' && endsAt !== null && endsAt <= journal.at,
  ))
    current = handOver(current, ending, 'expire', catalogue, journal)
  for (const { uid } of due) {
    // It may have begun, or ended, with one of the others.
    const starting = attachmentOf(current, uid)
    if (starting?.status === 'scheduled') current = start(current, starting, catalogue, journal)
    else if (starting?.status === 'active') current = orderDue(current, starting, journal)
  }
  return current
}

/** Ends an attachment; a main one hands over to its successor, if there is one. */
function handOver(
  holdings: Holdings,
  ending: Attachment,
  how: 'void' | 'expire',
  catalogue: Catalogue,
  journal: Journal,
): Holdings {
  const successor = successorOf(holdings, ending, catalogue, journal.at)
  if (successor === null) return endAlone(holdings, ending, how, journal)
  return replace(holdings, ending, successor, how, AS_USUAL, catalogue, journal)
}

/** What comes in the place of a main plan that ends: what is scheduled for then, or is free; else the free default. */
function successorOf(holdings: Holdings, ending: Attachment, catalogue: Catalogue, at: Instant): Attachment | null {
  if (!isMain(ending, catalogue)) return null
  const place = placeOf(ending, catalogue)
  if (mainsAt(holdings, place, 'active', catalogue).some(({ uid }) => uid !== ending.uid)) return null
  const scheduled = mainsAt(holdings, place, 'scheduled', catalogue)
  const next =
    scheduled.find(({ startsAt }) => startsAt <= at) ?? scheduled.find((one) => isFree(termsOf(one, catalogue)))
  if (next !== undefined) return { ...next, startsAt: at }
  // What is scheduled for later takes over then; until then there is the default. Its id goes by the one before, so that every
  // reader and process makes the same one.
  const plan = place.entity === null ? freeDefault(place.group, catalogue) : undefined
  return plan === undefined || plan.id === ending.planId ? null : attachmentOn(plan, `${ending.uid}_n`, at)
}

function start(holdings: Holdings, starting: Attachment, catalogue: Catalogue, journal: Journal): Holdings {
  const [running] = isMain(starting, catalogue)
    ? mainsAt(holdings, placeOf(starting, catalogue), 'active', catalogue)
    : []
  if (running === undefined) return begin(holdings, starting, catalogue, journal)
  return replace(holdings, running, starting, 'expire', AS_USUAL, catalogue, journal)
}

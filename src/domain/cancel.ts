import { endOfTrial } from './attach.ts'
import { type Attachment, isTrialing } from './attachment.ts'
import { attachmentOn, freeDefault, isMain, mainsAt, placeOf } from './attachments.ts'
import { begin } from './begin.ts'
import { endAlone } from './carry.ts'
import type { Catalogue } from './feature.ts'
import { planOf, termsOf } from './find-plan.ts'
import { attachmentsOf, type Holdings, withAttachment, withoutAttachment } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { lastDay } from './plan-cycle.ts'
import { isFree, isOneOff } from './plan-kind.ts'
import { type Refusal, refuse } from './refusal.ts'
import type { Instant, Moment } from './time.ts'

export const CANCEL_ACTIONS = ['immediately', 'end_of_cycle', 'uncancel'] as const
export type CancelAction = (typeof CANCEL_ACTIONS)[number]

/**
 * Ends a plan now or with its cycle, or takes that back. Refusal: `invalid_request`. Source: C 4.9.
 * @param target not ended.
 */
export function cancel(
  holdings: Holdings,
  target: Attachment,
  action: CancelAction,
  catalogue: Catalogue,
  moment: Moment,
  journal: Journal,
): Holdings | Refusal {
  if (target.status === 'scheduled') {
    if (action === 'uncancel')
      return refuse(
        'invalid_request',
        'cancel_action uncancel: the plan has not begun, so there is nothing to take back',
      )
    return withdrawn(holdings, target, catalogue, moment.now)
  }
  switch (action) {
    case 'immediately':
      return endNow(holdings, target, catalogue, moment, journal)
    case 'end_of_cycle':
      return endWithCycle(holdings, target, catalogue, moment)
    case 'uncancel':
      return target.canceledAt === null ? holdings : goOn(holdings, target, catalogue, moment.now)
  }
}

/** A plan that never begins: what was to end for it goes on (C168). */
function withdrawn(holdings: Holdings, scheduled: Attachment, catalogue: Catalogue, now: Instant): Holdings {
  const after = withoutAttachment(holdings, scheduled.uid)
  if (!isMain(scheduled, catalogue)) return after
  const [active] = mainsAt(after, placeOf(scheduled, catalogue), 'active', catalogue)
  return active?.canceledAt == null || active.endsAt !== scheduled.startsAt
    ? after
    : resumed(after, active, catalogue, now)
}

/** Its balances are gone at once; the free default of its group begins anew (C165, C166). */
function endNow(
  holdings: Holdings,
  target: Attachment,
  catalogue: Catalogue,
  moment: Moment,
  journal: Journal,
): Holdings {
  let after = endAlone(holdings, target, 'void', journal)
  if (!isMain(target, catalogue)) return after
  for (const one of scheduledWith(after, target, catalogue)) after = withoutAttachment(after, one.uid)
  const fallback = fallbackFor(after, target, moment.now, catalogue, moment)
  return fallback === null ? after : begin(after, fallback, catalogue, journal)
}

/** What was to come in its place, and add-ons that were to come beside it. */
function scheduledWith(holdings: Holdings, target: Attachment, catalogue: Catalogue): Attachment[] {
  const place = placeOf(target, catalogue)
  return attachmentsOf(holdings).filter(
    (one) =>
      one.status === 'scheduled' &&
      one.entity === place.entity &&
      (planOf(one, catalogue).addOn || planOf(one, catalogue).group === place.group),
  )
}

function endWithCycle(
  holdings: Holdings,
  target: Attachment,
  catalogue: Catalogue,
  moment: Moment,
): Holdings | Refusal {
  const terms = termsOf(target, catalogue)
  if (isFree(terms) || isOneOff(terms)) {
    const kind = isFree(terms) ? 'is free' : 'is paid once'
    return refuse(
      'invalid_request',
      `cancel_action cancel_end_of_cycle: the plan ${kind} and has no cycle; use cancel_immediately`,
    )
  }
  const endsAt = lastDay(target, terms, moment.now) ?? moment.now
  let after = withAttachment(holdings, { ...target, canceledAt: moment.now, endsAt })
  if (!isMain(target, catalogue)) return after
  for (const { uid } of mainsAt(after, placeOf(target, catalogue), 'scheduled', catalogue))
    after = withoutAttachment(after, uid)
  const fallback = fallbackFor(after, target, endsAt, catalogue, moment)
  return fallback === null ? after : withAttachment(after, { ...fallback, status: 'scheduled' })
}

/** The free default of the group, where nothing else of it that is paid for remains (C165). */
function fallbackFor(
  holdings: Holdings,
  target: Attachment,
  at: Instant,
  catalogue: Catalogue,
  { now, newId }: Moment,
): Attachment | null {
  const place = placeOf(target, catalogue)
  const plan = place.entity === null ? freeDefault(place.group, catalogue) : undefined
  if (plan === undefined || plan.id === target.planId) return null
  if (mainsAt(holdings, place, 'active', catalogue).some(({ uid }) => uid !== target.uid)) return null
  return { ...attachmentOn(plan, newId('cus_prod'), at), createdAt: now }
}

function goOn(holdings: Holdings, target: Attachment, catalogue: Catalogue, now: Instant): Holdings {
  const after = resumed(holdings, target, catalogue, now)
  if (!isMain(target, catalogue)) return after
  return mainsAt(after, placeOf(target, catalogue), 'scheduled', catalogue).reduce(
    (current, { uid }) => withoutAttachment(current, uid),
    after,
  )
}

/** Not cancelled any more; what ends with its trial still does. */
function resumed(holdings: Holdings, target: Attachment, catalogue: Catalogue, now: Instant): Holdings {
  const terms = termsOf(target, catalogue)
  const endsAt = isTrialing(target, now) ? endOfTrial(terms, target.trialEndsAt) : null
  return withAttachment(holdings, { ...target, canceledAt: null, endsAt })
}

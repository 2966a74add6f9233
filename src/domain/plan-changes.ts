import type { Attachment } from './attachment.ts'
import { attachmentOf, attachmentsOf, type Holdings } from './holdings.ts'
import type { Instant } from './time.ts'

/** A plan that a subject gets or goes on with, or one that it loses. */
export interface PlanChange {
  readonly attachment: Attachment
  /** When it takes effect; null for at once. */
  readonly at: Instant | null
}

/** What an action did to the plans of a customer. */
export interface PlanChanges {
  readonly incoming: readonly PlanChange[]
  readonly outgoing: readonly PlanChange[]
  /** Plans that stay and of which something else is ordered, as they were and as they are. */
  readonly reordered: readonly (readonly [Attachment, Attachment])[]
}

/** @param before brought up to the moment; @param after of an action at that moment. */
export function changesBetween(before: Holdings, after: Holdings): PlanChanges {
  const incoming: PlanChange[] = []
  const outgoing: PlanChange[] = []
  const reordered: (readonly [Attachment, Attachment])[] = []
  for (const is of attachmentsOf(after)) {
    const was = attachmentOf(before, is.uid)
    if (was === is) continue
    if (was === undefined) incoming.push({ attachment: is, at: beginningOf(is) })
    else if (is.status === 'ended') outgoing.push({ attachment: is, at: null })
    else if (was.canceledAt !== is.canceledAt) {
      if (is.canceledAt === null) incoming.push({ attachment: is, at: null })
      else outgoing.push({ attachment: is, at: is.endsAt })
    } else {
      outgoing.push({ attachment: was, at: beginningOf(was) })
      incoming.push({ attachment: is, at: beginningOf(is) })
      reordered.push([was, is])
    }
  }
  for (const was of attachmentsOf(before)) {
    if (attachmentOf(after, was.uid) === undefined) outgoing.push({ attachment: was, at: null })
  }
  return { incoming, outgoing, reordered }
}

function beginningOf({ status, startsAt }: Attachment): Instant | null {
  return status === 'scheduled' ? startsAt : null
}

import type { Attachment } from './attachment.ts'
import { balancesFrom } from './attachments.ts'
import { ownersOf } from './begin.ts'
import type { Catalogue } from './feature.ts'
import { termsOf } from './find-plan.ts'
import { allBalances, attachmentOf, attachmentsOf, entityOf, type Holdings } from './holdings.ts'

/**
 * Holds what a customer has of plans against the catalogue and against its balances. What ended is history, and its plan is
 * still known; a balance comes from a plan that is active; what is paid for again and again is there.
 * @returns a sentence for everything that is not so.
 */
export function auditPlans(holdings: Holdings, catalogue: Catalogue): string[] {
  const found: string[] = []
  for (const one of attachmentsOf(holdings)) {
    const { uid, plan, planId, entity, status } = one
    if (!catalogue.planByUid.has(plan))
      found.push(`${uid}: is of ${plan}, a revision of plan ${planId} that is not there`)
    else if (status === 'active') found.push(...missingFrom(holdings, one, catalogue))
    if (status !== 'ended' && entity !== null && entityOf(holdings, entity) === undefined)
      found.push(`${uid}: belongs to the entity ${entity}, which is not there`)
  }
  for (const { uid, source } of allBalances(holdings)) {
    if (source === null || attachmentOf(holdings, source.attachment)?.status === 'active') continue
    found.push(`${uid}: comes from ${source.attachment}, which is not a plan that the customer has now`)
  }
  return found
}

/** Balances that nobody can have deleted: what is given for nothing may be gone, and what was bought once may have expired (B122, B131). */
function missingFrom(holdings: Holdings, attachment: Attachment, catalogue: Catalogue): string[] {
  const { uid, planId } = attachment
  const balances = balancesFrom(holdings, attachment)
  return termsOf(attachment, catalogue).items.flatMap((item, i) => {
    if (item.price === null || item.price.interval === 'one_off' || !catalogue.byUid.has(item.feature)) return []
    const owners = ownersOf(holdings, attachment, item)
    const there = owners.every((owner) => balances.some((one) => one.source?.item === i && one.entity === owner))
    return there ? [] : [`${uid}: gives no balance of item ${i} of plan ${planId}`]
  })
}

import { type Attachment, withQuantity } from './attachment.ts'
import type { Balance } from './balance.ts'
import type { Catalogue } from './feature.ts'
import { defaultPlans, planOf, termsOf } from './find-plan.ts'
import { allBalances, attachmentOf, attachmentsOf, type Holdings, ownBalances, withAttachment } from './holdings.ts'
import type { Plan } from './plan.ts'
import { isFree, isMainPlan } from './plan-kind.ts'
import type { Instant } from './time.ts'

/** Which plans a subject has, and on which terms. */

export function isMain(attachment: Attachment, catalogue: Catalogue): boolean {
  return isMainPlan(planOf(attachment, catalogue), termsOf(attachment, catalogue))
}

/** A plan as a customer has it from `at` on, in everything that nobody asked otherwise for. @param uid not used before. */
export function attachmentOn(plan: Plan, uid: string, at: Instant): Attachment {
  return {
    uid,
    id: null,
    plan: plan.uid,
    planId: plan.id,
    version: plan.version,
    entity: null,
    custom: null,
    status: 'active',
    startsAt: at,
    canceledAt: null,
    endsAt: null,
    trialEndsAt: null,
    anchor: at,
    quantities: [],
    createdAt: at,
  }
}

/** Where a main plan stands: of one group a subject has one at a time. */
export interface Place {
  readonly group: string
  /** The internal id of the entity, or null for the customer itself. */
  readonly entity: string | null
}

export function placeOf(attachment: Attachment, catalogue: Catalogue): Place {
  return { group: planOf(attachment, catalogue).group, entity: attachment.entity }
}

/** The main plans of a place that are active, or scheduled (C97). */
export function mainsAt(
  holdings: Holdings,
  { group, entity }: Place,
  status: 'active' | 'scheduled',
  catalogue: Catalogue,
): Attachment[] {
  return attachmentsOf(holdings).filter(
    (one) =>
      one.status === status &&
      one.entity === entity &&
      isMain(one, catalogue) &&
      planOf(one, catalogue).group === group,
  )
}

/** The balances that the attachment gives; none unless it is active. */
export function balancesFrom(holdings: Holdings, { uid, entity }: Attachment): Balance[] {
  const all = entity === null ? [...allBalances(holdings)] : ownBalances(holdings, entity)
  return all.filter(({ source }) => source?.attachment === uid)
}

/** The plans that every new customer is given, at most one for each group: one with a trial before one that is free (C71). */
export function plansToBeginWith(catalogue: Catalogue): Plan[] {
  const byGroup = new Map<string, Plan>()
  for (const plan of defaultPlans(catalogue)) {
    const other = byGroup.get(plan.group)
    if (other === undefined || isFree(other.terms)) byGroup.set(plan.group, plan)
  }
  return [...byGroup.values()]
}

/** What a customer falls back to when its plan of the group ends, or undefined (C73). */
export function freeDefault(group: string, catalogue: Catalogue): Plan | undefined {
  return defaultPlans(catalogue).find((plan) => plan.group === group && isFree(plan.terms))
}

/**
 * What was ordered for the next reset of a balance comes with it where that is moved by hand (B119, C160).
 * @param moved balances as they were before.
 */
export function withOrdersMoved(holdings: Holdings, moved: readonly Balance[], to: Instant, now: Instant): Holdings {
  let current = holdings
  for (const { source } of moved) {
    const attachment = source === null ? undefined : attachmentOf(current, source.attachment)
    const waiting = attachment?.quantities.find(({ item }) => item === source?.item)
    if (attachment === undefined || waiting === undefined || waiting.next === null || waiting.nextAt === to) continue
    const quantity =
      to <= now ? { ...waiting, units: waiting.next, next: null, nextAt: null } : { ...waiting, nextAt: to }
    current = withAttachment(current, withQuantity(attachment, quantity))
  }
  return current
}

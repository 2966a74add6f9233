import { endOfTrial, trialEnd } from './attach.ts'
import type { Attachment } from './attachment.ts'
import { attachmentOn, plansToBeginWith } from './attachments.ts'
import { begin } from './begin.ts'
import type { Catalogue } from './feature.ts'
import { findPlan } from './find-plan.ts'
import type { Holdings } from './holdings.ts'
import type { Journal } from './ledger.ts'
import type { Plan } from './plan.ts'
import { isFree } from './plan-kind.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import type { Moment } from './time.ts'

/** Which plans a new customer gets: `all` that are given to everybody, those of one group, none, or a chosen one instead. */
export type Beginning =
  | { readonly kind: 'all' }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'plan'; readonly planId: string }

/**
 * Gives a customer that is new the plans that it begins with. Refusals: `product_not_found`, `invalid_request` (a chosen plan
 * that has to be paid for). Source: C71, B192.
 */
export function beginWith(
  holdings: Holdings,
  beginning: Beginning,
  catalogue: Catalogue,
  moment: Moment,
  journal: Journal,
): Holdings | Refusal {
  const plans = plansOf(beginning, catalogue)
  if (isRefusal(plans)) return plans
  return plans.reduce((current, plan) => begin(current, firstOf(plan, moment), catalogue, journal), holdings)
}

function plansOf(beginning: Beginning, catalogue: Catalogue): readonly Plan[] | Refusal {
  switch (beginning.kind) {
    case 'none':
      return []
    case 'all':
      return plansToBeginWith(catalogue)
    case 'group':
      return plansToBeginWith(catalogue).filter(({ group }) => group === beginning.group)
    case 'plan': {
      const plan = findPlan(beginning.planId, null, catalogue)
      if (isRefusal(plan)) return plan
      if (isFree(plan.terms) || plan.terms.trial?.cardRequired === false) return [plan]
      return refuse(
        'invalid_request',
        `auto_enable_plan_id: ${plan.id} has to be paid for: it must be free, or have a trial without a card`,
      )
    }
  }
}

function firstOf(plan: Plan, { now, newId }: Moment): Attachment {
  const { terms } = plan
  const trialEndsAt = terms.trial === null ? null : trialEnd(terms.trial, now)
  const endsAt = endOfTrial(terms, trialEndsAt)
  return { ...attachmentOn(plan, newId('cus_prod'), now), endsAt, trialEndsAt, anchor: trialEndsAt ?? now }
}

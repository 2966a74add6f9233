import { hadTrial } from './attach.ts'
import { type Attachment, isTrialing } from './attachment.ts'
import { isMain, mainsAt } from './attachments.ts'
import type { Catalogue } from './feature.ts'
import { plansOnSale, termsOf } from './find-plan.ts'
import { attachmentsOf, type Holdings } from './holdings.ts'
import type { Plan } from './plan.ts'
import { isFree, isOneOff, isUpgrade } from './plan-kind.ts'
import type { Instant } from './time.ts'

/** What attaching a plan would do. */
export type AttachAction = 'activate' | 'upgrade' | 'downgrade' | 'purchase' | 'none'

/** What a subject has of a plan, and may do with it. */
export interface Eligibility {
  /** As older versions say it (C83): `cancel` is a downgrade to what costs nothing, `renew` takes back an end. */
  readonly scenario: 'new' | 'active' | 'scheduled' | 'renew' | 'upgrade' | 'downgrade' | 'cancel'
  readonly action: AttachAction
  /** Null where it is not had. */
  readonly status: 'active' | 'scheduled' | null
  readonly canceling: boolean
  readonly trialing: boolean
  /** Null where the plan has no trial. */
  readonly trialAvailable: boolean | null
}

/** @param holdings brought up to `now`; @param entity whose plans count, or null for the customer's own. Source: C80-C83. */
export function eligibilityFor(
  holdings: Holdings,
  entity: string | null,
  plan: Plan,
  catalogue: Catalogue,
  now: Instant,
): Eligibility {
  const had = attachmentsOf(holdings).filter((one) => one.planId === plan.id && one.entity === entity)
  const active = had.filter(({ status }) => status === 'active')
  const status = active.length > 0 ? 'active' : had.some((one) => one.status === 'scheduled') ? 'scheduled' : null
  const canceling = active.some(({ canceledAt }) => canceledAt !== null)
  const action = actionFor(holdings, entity, plan, status !== null, catalogue)
  return {
    scenario: scenarioOf(action, plan, status, canceling),
    action,
    status,
    canceling,
    trialing: active.some((one) => isTrialing(one, now)),
    trialAvailable: plan.terms.trial === null ? null : action !== 'downgrade' && !hadTrial(holdings, plan.id, entity),
  }
}

/** Source: C80, and C 4.1 for what is an upgrade. */
function actionFor(
  holdings: Holdings,
  entity: string | null,
  { group, addOn, terms }: Plan,
  had: boolean,
  catalogue: Catalogue,
): AttachAction {
  if (isOneOff(terms)) return 'purchase'
  if (had) return 'none'
  if (addOn) return 'activate'
  const [main] = mainsAt(holdings, { group, entity }, 'active', catalogue)
  if (main === undefined) return 'activate'
  return isUpgrade(termsOf(main, catalogue), terms, catalogue) ? 'upgrade' : 'downgrade'
}

function scenarioOf(
  action: AttachAction,
  { terms }: Plan,
  status: Eligibility['status'],
  canceling: boolean,
): Eligibility['scenario'] {
  switch (action) {
    case 'none':
      return canceling ? 'renew' : (status ?? 'new')
    case 'downgrade':
      return isFree(terms) ? 'cancel' : 'downgrade'
    case 'upgrade':
      return 'upgrade'
    case 'activate':
    case 'purchase':
      return 'new'
  }
}

/**
 * What is on sale for one who may not use a feature: the plans that have it, main ones first. Of main plans all, or only those
 * that are an upgrade of the highest one that is had; add-ons unless they are had, those paid once always. Source: R57.
 * @param feature by internal id.
 */
export function offersOf(
  holdings: Holdings,
  entity: string | null,
  feature: string,
  catalogue: Catalogue,
): readonly Plan[] {
  const had = attachmentsOf(holdings).filter(
    (one) => one.status === 'active' && (one.entity === null || one.entity === entity),
  )
  const highest = highestOf(had, catalogue)
  const owned = new Set(had.map(({ planId }) => planId))
  const offered = plansOnSale(catalogue).flatMap((plan) => {
    if (plan.terms.items.every((item) => item.feature !== feature)) return []
    if (plan.addOn) return isOneOff(plan.terms) || !owned.has(plan.id) ? [plan] : []
    if (highest === null) return [plan]
    const rises = !owned.has(plan.id) && isUpgrade(termsOf(highest, catalogue), plan.terms, catalogue)
    return rises ? [plan] : []
  })
  return offered.toSorted((a, b) => Number(a.addOn) - Number(b.addOn))
}

function highestOf(had: readonly Attachment[], catalogue: Catalogue): Attachment | null {
  let highest: Attachment | null = null
  for (const one of had) {
    if (!isMain(one, catalogue)) continue
    if (highest === null || isUpgrade(termsOf(highest, catalogue), termsOf(one, catalogue), catalogue)) highest = one
  }
  return highest
}

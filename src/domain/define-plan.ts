import type { Catalogue } from './feature.ts'
import { defaultPlans } from './find-plan.ts'
import type { BillingInterval } from './item-price.ts'
import type { BasePrice, FreeTrial, Plan, PlanSettings, PlanTerms } from './plan.ts'
import { type ItemAsWritten, resolveItems, twiceOffered } from './plan-items.ts'
import { isFree, isOneOff } from './plan-kind.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import type { Moment } from './time.ts'

export interface NewPlan {
  readonly id: string
  readonly settings: PlanSettings
  readonly price: BasePrice | null
  readonly items: readonly ItemAsWritten[]
  readonly trial: FreeTrial | null
}

/**
 * The first version of a plan. Refusals: `product_already_exists` (C50; archived ones count), those of `resolveItems` and
 * of `problemOf`.
 */
export function definePlan(
  { id, settings, price, items, trial }: NewPlan,
  catalogue: Catalogue,
  moment: Moment,
): Plan | Refusal {
  if (catalogue.versionsById.has(id)) return refuse('product_already_exists', `Product ${id} already exists`)
  const resolved = resolveItems(items, catalogue)
  if (isRefusal(resolved)) return resolved
  const plan: Plan = {
    ...settings,
    uid: moment.newId('plan'),
    id,
    version: 1,
    terms: { price, items: resolved, trial },
    retired: false,
    createdAt: moment.now,
  }
  return problemOf(plan, catalogue) ?? plan
}

/**
 * What a plan cannot be whatever it was before: what its terms cannot be, and `invalid_request` for a plan that costs
 * something and is given to everyone (C68), and for a second default of its group (C69).
 */
export function problemOf(plan: Plan, catalogue: Catalogue): Refusal | null {
  const { terms, autoEnable, archived } = plan
  const problem = problemOfTerms(terms, catalogue)
  if (problem !== null || !autoEnable) return problem
  const kind = defaultKind(terms)
  if (kind === null) {
    const message =
      'auto_enable: only a free plan, or a recurring one with a trial that needs no card, can be given to everyone'
    return refuse('invalid_request', message)
  }
  // Nobody is given an archived plan (C66).
  const other = archived
    ? undefined
    : defaultPlans(catalogue).find(
        (one) => one.group === plan.group && one.id !== plan.id && defaultKind(one.terms) === kind,
      )
  if (other === undefined) return null
  const what = kind === 'free' ? 'a free plan' : 'a plan with a trial'
  return refuse('invalid_request', `auto_enable: this group gives ${what} to everyone already, ${other.id}`)
}

/** As what the plan may be given to everyone, or null where it may not. A free one that has a trial is free. */
function defaultKind(terms: PlanTerms): 'free' | 'trial' | null {
  if (isFree(terms)) return 'free'
  return terms.trial !== null && !terms.trial.cardRequired && !isOneOff(terms) ? 'trial' : null
}

/**
 * Refusals: `invalid_request` for a trial of what is paid for once (C51), `invalid_product_item` for one item twice (C44) and
 * for weeks beside months (C45).
 */
export function problemOfTerms(terms: PlanTerms, catalogue: Catalogue): Refusal | null {
  const { price, items, trial } = terms
  const twice = twiceOffered(items, catalogue)
  if (twice !== null) return twice
  if (trial !== null && isOneOff(terms))
    return refuse('invalid_request', 'free_trial: a plan that is paid for once cannot have one')
  const intervals = new Set<BillingInterval | undefined>([
    price?.interval,
    ...items.map((item) => item.price?.interval),
  ])
  if (!intervals.has('week') || !intervals.has('month')) return null
  return refuse('invalid_product_item', 'One plan cannot have weekly and monthly prices')
}

import { totalOf } from '../../domain/due.ts'
import type { Feature } from '../../domain/feature.ts'
import { isOneOff } from '../../domain/plan-kind.ts'
import type { PlanView, ProductCheckAnswer, ProductPreview } from '../../domain/plan-view.ts'
import type { WireObject } from './wire.ts'

/** How plans are shown on a paywall: as products, which is what they are called there in every version (K 3.1). */
export type ShowProduct = (view: PlanView) => WireObject

/**
 * What to tell someone who may not use a feature, and what they could buy (R55-R58).
 * @param offers the plans that have it, in the order in which they are to be offered.
 */
export function paywallToWire(
  feature: Feature,
  holdsBalance: boolean,
  offers: readonly PlanView[],
  showProduct: ShowProduct,
): WireObject {
  const [best] = offers
  const reason = holdsBalance
    ? `The usage limit for ${feature.name} is reached.`
    : `${feature.name} is not included in what this customer has.`
  const [title, advice] = best === undefined ? ['Feature unavailable', ''] : offerTexts(best, feature)
  return {
    scenario: holdsBalance ? 'usage_limit' : 'feature_flag',
    title,
    message: `${reason}${advice}`,
    feature_id: feature.id,
    feature_name: feature.name,
    products: offers.map(showProduct),
    upgrade_product_id: best?.plan.id ?? null,
  }
}

/** A title, and a sentence to go on with. Source: R58. */
function offerTexts({ plan, eligibility }: PlanView, { name }: Feature): readonly [string, string] {
  if (eligibility?.trialAvailable === true)
    return [`Start a trial of ${plan.name}`, ` Try ${plan.name}, which has ${name}.`]
  if (plan.addOn) return [`Purchase ${plan.name}`, ` Purchase ${plan.name} to get more of it.`]
  return [`Upgrade to ${plan.name}`, ` Upgrade to ${plan.name} to go on.`]
}

/** Whether a product is had (R53). @param asked by the entity's id, where one was named. */
export function productCheckToWire(
  { customerId, planId, allowed, status, preview }: ProductCheckAnswer,
  asked: { readonly entity_id?: string | null | undefined; readonly with_preview?: boolean | undefined },
  showProduct: ShowProduct,
): WireObject {
  return {
    customer_id: customerId,
    code: 'product_found',
    product_id: planId,
    entity_id: status === null ? undefined : (asked.entity_id ?? undefined),
    allowed,
    status: status ?? undefined,
    preview: asked.with_preview === true ? productPreviewToWire(preview, showProduct) : undefined,
  }
}

/** Source: R54. */
function productPreviewToWire({ view, due, currentName }: ProductPreview, showProduct: ShowProduct): WireObject {
  const { plan, eligibility } = view
  const product = showProduct(view)
  const { next } = due
  return {
    scenario: eligibility?.scenario ?? 'new',
    product_id: plan.id,
    product_name: plan.name,
    recurring: !isOneOff(plan.terms),
    error_on_attach: false,
    next_cycle_at: next?.startsAt ?? null,
    current_product_name: currentName,
    options: [],
    items: product['items'],
    due_today: { price: totalOf(due.now), currency: 'usd' },
    due_next_cycle: next === null ? null : { price: totalOf([...next.lines, ...next.usage]), currency: 'usd' },
    product,
  }
}

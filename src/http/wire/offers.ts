import { type Due, totalOf } from '../../domain/due.ts'
import type { Eligibility } from '../../domain/eligibility.ts'
import type { Feature } from '../../domain/feature.ts'
import type { Plan } from '../../domain/plan.ts'
import { isOneOff } from '../../domain/plan-kind.ts'
import type { WireObject } from './wire.ts'

/** A plan that is on sale. */
interface Offer {
  readonly plan: Plan
  readonly eligibility: Eligibility | null
}

/** How plans are shown on a paywall: as products, which is what they are called there in every version (K 3.1). */
type ShowProduct<O extends Offer> = (offer: O) => WireObject

/** Whether a product is had. */
interface Checked<O extends Offer> {
  readonly customerId: string
  readonly planId: string
  readonly allowed: boolean
  readonly status: string | null
  readonly preview: Preview<O>
}

interface Preview<O extends Offer> {
  readonly view: O
  readonly due: Pick<Due, 'now' | 'next'>
  readonly currentName: string | null
}

/**
 * What to tell someone who may not use a feature, and what they could buy (R55-R58).
 * @param offers the plans that have it, in the order in which they are to be offered.
 */
export function paywallToWire<O extends Offer>(
  feature: Feature,
  holdsBalance: boolean,
  offers: readonly O[],
  showProduct: ShowProduct<O>,
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
function offerTexts({ plan, eligibility }: Offer, { name }: Feature): readonly [string, string] {
  if (eligibility?.trialAvailable === true)
    return [`Start a trial of ${plan.name}`, ` Try ${plan.name}, which has ${name}.`]
  if (plan.addOn) return [`Purchase ${plan.name}`, ` Purchase ${plan.name} to get more of it.`]
  return [`Upgrade to ${plan.name}`, ` Upgrade to ${plan.name} to go on.`]
}

/** Whether a product is had (R53). @param asked by the entity's id, where one was named. */
export function productCheckToWire<O extends Offer>(
  { customerId, planId, allowed, status, preview }: Checked<O>,
  asked: { readonly entity_id?: string | null | undefined; readonly with_preview?: boolean | undefined },
  showProduct: ShowProduct<O>,
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
function productPreviewToWire<O extends Offer>(
  { view, due, currentName }: Preview<O>,
  showProduct: ShowProduct<O>,
): WireObject {
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

import { type Amount, formatAmount, ZERO } from './amount.ts'
import type { Attachment, Quantity } from './attachment.ts'
import type { Catalogue } from './feature.ts'
import { termsOf } from './find-plan.ts'
import type { ItemPrice } from './item-price.ts'
import type { PlanItem, PlanTerms } from './plan.ts'
import { type Refusal, refuse } from './refusal.ts'

/** How much of a feature is ordered in all, with what is included (C130). */
export interface Order {
  readonly featureId: string
  readonly quantity: Amount
}

/**
 * What is bought of each prepaid item, in whole packs: what was ordered, else of a recurring item as much as of the plan
 * before. An order of what is not sold in advance says nothing. Refusal: `invalid_request` (more than may be bought).
 * Source: C127, C130, C132, W3-W6.
 */
export function quantitiesOf(
  terms: PlanTerms,
  orders: readonly Order[],
  before: Attachment | null,
  catalogue: Catalogue,
): readonly Quantity[] | Refusal {
  const quantities: Quantity[] = []
  for (const [item, { feature, included, price }] of terms.items.entries()) {
    if (price?.method !== 'prepaid') continue
    const order = orders.find(({ featureId }) => catalogue.byId.get(featureId)?.uid === feature)
    const wanted = order === undefined ? inherited(feature, price, before, catalogue) : order.quantity - included
    const units = inPacks(wanted, price)
    const problem = order === undefined ? null : tooMuch(order.featureId, units, price)
    if (problem !== null) return problem
    if (units > ZERO) quantities.push({ item, units, next: null, nextAt: null })
  }
  return quantities
}

/** Rounded up to whole packs; none where nothing is wanted. */
export function inPacks(wanted: Amount, { units }: ItemPrice): Amount {
  return wanted <= ZERO ? ZERO : ((wanted + units - 1n) / units) * units
}

export function tooMuch(featureId: string, units: Amount, { maxPurchase }: ItemPrice): Refusal | null {
  if (maxPurchase === null || units <= maxPurchase) return null
  return refuse(
    'invalid_request',
    `feature_quantities: at most ${formatAmount(maxPurchase)} of ${featureId} can be bought beyond what is included`,
  )
}

function inherited(feature: string, price: ItemPrice, before: Attachment | null, catalogue: Catalogue): Amount {
  if (before === null || price.interval === 'one_off') return ZERO
  const items: readonly PlanItem[] = termsOf(before, catalogue).items
  return before.quantities.reduce((sum, { item, units }) => {
    const old = items[item]
    return old?.feature === feature && old.price?.interval !== 'one_off' ? sum + units : sum
  }, ZERO)
}

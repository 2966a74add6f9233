import { ZERO } from './amount.ts'
import { type Catalogue, type Feature, isConsumable } from './feature.ts'
import type { PlanItem } from './plan.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import type { Every } from './time.ts'

/** An item as its author writes it: features by the caller's id. */
export interface ItemAsWritten extends Omit<PlanItem, 'feature' | 'entityFeature' | 'every'> {
  readonly featureId: string
  readonly entityFeatureId: string | null
  /** Undefined where nothing is said of it: then it is that of the price (C35). Null is once. */
  readonly every: Every | null | undefined
}

/**
 * Items with their features found, each in the one form in which it is kept, so that two ways to write the same are the same.
 * Refusals: `feature_not_found` (C48), `invalid_product_item` (C41-C43). Source: C 3.5.
 */
export function resolveItems(written: readonly ItemAsWritten[], catalogue: Catalogue): readonly PlanItem[] | Refusal {
  const items: PlanItem[] = []
  for (const one of written) {
    const item = resolveItem(one, catalogue)
    if (isRefusal(item)) return item
    items.push(item)
  }
  return items
}

function resolveItem(written: ItemAsWritten, catalogue: Catalogue): PlanItem | Refusal {
  const { featureId, entityFeatureId, every: asked, ...item } = written
  const feature = catalogue.byId.get(featureId)
  if (feature === undefined) return refuse('feature_not_found', `Feature ${featureId} not found`)
  const entityFeature = entityFeatureId === null ? null : catalogue.byId.get(entityFeatureId)
  if (entityFeature === undefined) return refuse('feature_not_found', `Feature ${entityFeatureId} not found`)
  const problem = problemOf(written, feature, entityFeature)
  if (problem !== null) return refuse('invalid_product_item', `${featureId}: ${problem}`)
  return {
    ...item,
    feature: feature.uid,
    included: item.unlimited ? ZERO : item.included,
    every: item.unlimited || !isConsumable(feature) ? null : everyOf(written),
    entityFeature: entityFeature?.uid ?? null,
  }
}

/** When it is granted anew: as is said, else as often as it is paid for (C35). */
function everyOf({ every, price }: ItemAsWritten): Every | null {
  if (every !== undefined) return every
  return price === null || price.interval === 'one_off' ? null : { interval: price.interval, count: price.count }
}

const TOO_SHORT: ReadonlySet<string> = new Set(['minute', 'hour', 'day'])

/** What is wrong with an item of that feature, or null. */
function problemOf(written: ItemAsWritten, feature: Feature, entityFeature: Feature | null): string | null {
  const { price, included, unlimited, every: asked, rolloverPolicy, expiry, thresholdBilling } = written
  const consumable = isConsumable(feature)
  if (feature.type.kind === 'boolean') {
    const counts = included !== ZERO || unlimited || asked != null || rolloverPolicy !== null
    return price !== null || counts || expiry !== null || thresholdBilling !== null
      ? 'a boolean feature is given or not: it takes no amount, reset, rollover or price'
      : null
  }
  if (entityFeature !== null && (isConsumable(entityFeature) || entityFeature.type.kind === 'boolean'))
    return `entity_feature_id: ${entityFeature.id} has no entities, only a metered feature that is not consumable has`
  // Paid for each month, seats are no less held: what is said of their reset is then about the payment.
  if (!consumable && asked != null && price === null) return 'reset: what is held and not used up never resets'
  if (price !== null && asked != null && TOO_SHORT.has(asked.interval))
    return `reset: with a price it cannot be ${asked.interval}, only a week or longer, or one_off`
  if (price !== null && unlimited && price.tiers.length > 1) return 'price.tiers: cannot be given for an unlimited item'
  if (price?.proration?.onIncrease === 'bill_immediately')
    return 'proration.on_increase: cannot be bill_immediately where units are prepaid'
  if (rolloverPolicy !== null && (!consumable || unlimited || everyOf(written) === null))
    return 'rollover: nothing rolls over where nothing resets'
  if (thresholdBilling !== null && price?.method !== 'usage_based')
    return 'threshold_billing: is for usage_based items, which alone may owe something'
  const boughtOnce =
    consumable && price?.method === 'prepaid' && price.interval === 'one_off' && everyOf(written) === null
  if (expiry !== null && !boughtOnce)
    return 'expiry: is for consumable units that are prepaid once; anything else lasts until its reset'
  return null
}

/**
 * One feature may be in a plan several times if it differs by its interval, by the entities it is for or by how it is paid:
 * a monthly grant and a top-up. Refusal: `invalid_product_item`. Source: C44.
 */
export function twiceOffered(items: readonly PlanItem[], { byUid }: Catalogue): Refusal | null {
  const offered = new Set<string>()
  for (const { feature, every, entityFeature, price } of items) {
    const interval = every ?? price
    const key = [feature, interval?.interval, interval?.count, entityFeature, price?.method].join(' ')
    if (offered.has(key)) {
      const id = byUid.get(feature)?.id ?? feature
      return refuse(
        'invalid_product_item',
        `${id}: is there twice, with the same interval and paid in the same way: give it once`,
      )
    }
    offered.add(key)
  }
  return null
}

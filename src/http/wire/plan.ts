import { ZERO } from '../../domain/amount.ts'
import { assert } from '../../domain/assert.ts'
import type { RolloverPolicy } from '../../domain/balance.ts'
import type { Environment } from '../../domain/customer.ts'
import type { Eligibility } from '../../domain/eligibility.ts'
import { type Feature, isConsumable } from '../../domain/feature.ts'
import type { ItemPrice } from '../../domain/item-price.ts'
import type { FreeTrial, Plan, PlanItem } from '../../domain/plan.ts'
import { isFree } from '../../domain/plan-kind.ts'
import type { ShowFeature } from './balance.ts'
import { basePriceTexts, itemTexts } from './plan-texts.ts'
import type { WireObject } from './wire.ts'

/** What is to be known to show a plan. */
export interface PlanSurroundings {
  readonly env: Environment
  /** Those of its items at the least, by internal id. */
  readonly features: Readonly<Record<string, Feature>>
}

/**
 * A plan in its newest shape (C 3.2), items by the id of their features.
 * @param plan with the terms that are to be shown, which may be a customer's own.
 * @param showFeature for items whose feature is to be expanded (C31), else null.
 */
export function planToWire(
  plan: Plan,
  { env, features }: PlanSurroundings,
  showFeature: ShowFeature | null,
): WireObject {
  const { terms } = plan
  const featureOf = (uid: string) => {
    const feature = features[uid]
    assert(feature !== undefined, 'the features of a plan are known where it is shown')
    return feature
  }
  const items = terms.items.map((item) => ({ item, feature: featureOf(item.feature) }))
  return {
    id: plan.id,
    name: plan.name,
    description: plan.description,
    group: plan.group === '' ? null : plan.group,
    version: plan.version,
    add_on: plan.addOn,
    auto_enable: plan.autoEnable,
    price:
      terms.price === null
        ? null
        : {
            amount: terms.price.amount,
            interval: terms.price.interval,
            interval_count: countToWire(terms.price.count),
            display: basePriceTexts(terms.price),
          },
    items: items
      .toSorted((a, b) => byIdAndPrice(a, b))
      .map(({ item, feature }) => ({
        ...itemToWire(item, feature),
        entity_feature_id: item.entityFeature === null ? undefined : featureOf(item.entityFeature).id,
        feature: showFeature === null ? undefined : showFeature(feature),
      })),
    free_trial: terms.trial === null ? undefined : trialToWire(terms.trial, isFree(terms)),
    created_at: plan.createdAt,
    env,
    archived: plan.archived,
    config: { ignore_past_due: plan.ignorePastDue },
    billing_controls: {},
    metadata: plan.metadata,
    base_variant_id: null,
  }
}

/** What a customer may do with a plan; of one that it does not have, nothing is said of its end (C 3.10). */
export function eligibilityToWire(eligibility: Eligibility): WireObject {
  const { scenario, action, status, canceling, trialing, trialAvailable } = eligibility
  return {
    scenario,
    attach_action: action,
    status: status ?? undefined,
    ...(status === 'active' ? { canceling, trialing } : {}),
    trial_available: trialAvailable ?? undefined,
  }
}

interface NamedItem {
  readonly item: PlanItem
  readonly feature: Feature
}

/** As recorded; of one feature what is given comes before what is sold. */
function byIdAndPrice(a: NamedItem, b: NamedItem): number {
  if (a.feature.id !== b.feature.id) return a.feature.id < b.feature.id ? -1 : 1
  return Number(a.item.price !== null) - Number(b.item.price !== null)
}

function itemToWire(item: PlanItem, feature: Feature): WireObject {
  const { every, price, expiry, thresholdBilling } = item
  const repeats = isConsumable(feature) && !item.unlimited
  return {
    feature_id: feature.id,
    included: item.included,
    unlimited: item.unlimited,
    pooled: false,
    // What is given once shows that; what never resets, because it is held or without end, shows nothing.
    reset: repeats ? { interval: every?.interval ?? 'one_off', interval_count: countToWire(every?.count ?? 1) } : null,
    price: price === null ? null : priceToWire(price, item),
    display: itemTexts(item, feature),
    rollover: item.rolloverPolicy === null ? undefined : rolloverToWire(item.rolloverPolicy),
    threshold_billing: thresholdBilling === null ? undefined : { threshold: thresholdBilling },
    expiry: expiry === null ? undefined : { duration: expiry.duration, length: expiry.length },
  }
}

/** Marks count what is included (C36); one tier alone is an amount (C32). Proration is not shown (C30). */
function priceToWire({ tiers, ...price }: ItemPrice, { included }: PlanItem): WireObject {
  const [only, another] = tiers
  const costs =
    another === undefined
      ? { amount: only?.amount ?? ZERO }
      : {
          tiers: tiers.map(({ to, amount, flatAmount }) => ({
            to: to === null ? 'inf' : to + included,
            amount,
            flat_amount: flatAmount ?? undefined,
          })),
          tier_behavior: price.behavior,
        }
  return {
    ...costs,
    interval: price.interval,
    interval_count: countToWire(price.count),
    billing_units: price.units,
    billing_method: price.method,
    max_purchase: price.maxPurchase,
  }
}

function rolloverToWire({ cap, months }: RolloverPolicy): WireObject {
  return {
    max: cap.kind === 'amount' ? cap.max : null,
    max_percentage: cap.kind === 'percentage' ? cap.percent : undefined,
    expiry_duration_type: months === null ? 'forever' : 'month',
    expiry_duration_length: months ?? undefined,
  }
}

/** @param free whether there is nothing that a card would be needed for (C29). */
function trialToWire({ length, duration, cardRequired }: FreeTrial, free: boolean): WireObject {
  return { duration_length: length, duration_type: duration, card_required: !free && cardRequired, on_end: 'bill' }
}

/** One goes without saying (C32). */
function countToWire(count: number): number | undefined {
  return count === 1 ? undefined : count
}

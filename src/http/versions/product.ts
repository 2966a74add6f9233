import type { Wire, WireObject } from '../wire/wire.ts'
import { added, isObject } from './plan-2.0.ts'
import { amountOf, listOf, objectOf } from './values.ts'
import type { Body, UpgradedBody } from './version.ts'

/**
 * Plans as `beta` and 1.2 know them: products, whose items hold the flat fee too (C 3.12).
 * @param typeOf type of a feature in these versions, from its newer `type` and `consumable`.
 */
export function productOf(plan: WireObject, typeOf: TypeOf): WireObject {
  const { id, name, group, env, version, created_at, archived, base_variant_id } = plan
  const trial = objectOf(plan['free_trial'])
  const price = objectOf(plan['price'])
  const features = listOf(plan['features'])
  const { scenario, trial_available } = objectOf(plan['customer_eligibility'])
  // A fee of nothing is none (C87).
  const fee =
    amountOf(price['amount']) === 0n
      ? []
      : [{ type: 'price', feature_id: null, ...cycleOf(price), price: price['amount'] }]
  return {
    id,
    name,
    group,
    env,
    is_add_on: plan['add_on'],
    is_default: plan['default'],
    archived,
    version,
    created_at,
    items: [...fee, ...features.map((item) => itemOf(item, typeOf))],
    free_trial: plan['free_trial'] == null ? null : { ...trialOf(trial), trial_available },
    base_variant_id,
    scenario,
    properties: propertiesOf(plan, features),
  }
}

export type TypeOf = (type: Wire | undefined, consumable: Wire | undefined) => Wire | undefined

function trialOf({ duration_length, duration_type, card_required }: WireObject): WireObject {
  return { duration: duration_type, length: duration_length, unique_fingerprint: false, card_required }
}

function itemOf(item: WireObject, typeOf: TypeOf): WireObject {
  const { type, consumable } = objectOf(item['feature'])
  const price = objectOf(item['price'])
  const included = item['granted_balance']
  const most = price['max_purchase'] ?? null
  return {
    type: item['price'] == null ? 'feature' : 'priced_feature',
    feature_id: item['feature_id'],
    feature_type: typeOf(type, consumable),
    included_usage: item['unlimited'] === true ? 'inf' : included,
    ...cycleOf(objectOf(item['reset'] ?? item['price'])),
    price: price['amount'],
    tiers: price['tiers'],
    tier_behavior: price['tier_behavior'],
    usage_model: price['usage_model'],
    billing_units: price['billing_units'],
    usage_limit: most === null ? undefined : amountOf(most) + amountOf(included),
    reset_usage_when_enabled: type === 'boolean' ? undefined : consumable === true,
    entity_feature_id: item['entity_feature_id'],
    config: item['rollover'] == null ? undefined : { rollover: rolloverOf(objectOf(item['rollover'])) },
    display: item['display'],
  }
}

function rolloverOf({ max, max_percentage, expiry_duration_type, expiry_duration_length }: WireObject): WireObject {
  return { max, max_percentage, duration: expiry_duration_type, length: expiry_duration_length ?? 0 }
}

/** Once is no interval. */
function cycleOf({ interval, interval_count }: WireObject): WireObject {
  const once = interval === undefined || interval === 'one_off'
  return { interval: once ? null : interval, interval_count: once ? undefined : (interval_count ?? 1) }
}

/** From the shortest to the longest. */
const INTERVALS = ['week', 'month', 'quarter', 'semi_annual', 'year']

function propertiesOf(plan: WireObject, features: readonly WireObject[]): WireObject {
  const prices = [plan, ...features].flatMap(({ price }) => (price == null ? [] : [objectOf(price)]))
  const free = prices.every((price) => [price, ...listOf(price['tiers'])].every(costsNothing))
  const intervals = prices.map(({ interval }) => INTERVALS.indexOf(String(interval)))
  return {
    is_free: free,
    is_one_off: !free && intervals.every((place) => place === -1),
    interval_group: INTERVALS[Math.max(-1, ...intervals)] ?? null,
    has_trial: plan['free_trial'] != null,
    updateable: prices.some(({ usage_model }) => usage_model === 'prepaid'),
  }
}

function costsNothing({ amount, flat_amount }: WireObject): boolean {
  return amountOf(amount) === 0n && amountOf(flat_amount) === 0n
}

/** A product as 2.0 knows it. Items that are written by newer names stay (C87, C88, C90). */
export function fromProduct({ is_add_on, is_default, items, free_trial, ...body }: Body): UpgradedBody {
  return {
    body: {
      ...body,
      ...(is_add_on === undefined ? {} : { add_on: is_add_on }),
      ...(is_default === undefined ? {} : { default: is_default }),
      ...(free_trial === undefined ? {} : { free_trial: isObject(free_trial) ? fromTrial(free_trial) : free_trial }),
      ...(Array.isArray(items) && !items.some(isNewer) ? fromItems(items) : items === undefined ? {} : { items }),
    },
  }
}

function isNewer(item: unknown): boolean {
  return isObject(item) && ('included' in item || 'reset' in item || isObject(item['price']))
}

/** The fee is one of the items, so that a list without it takes it away (C87). */
function fromItems(items: readonly unknown[]): Body {
  const isFee = (item: unknown): item is Body => isObject(item) && item['feature_id'] == null
  const [fee, another] = items.filter(isFee)
  if (another !== undefined) return { items }
  return {
    price: fee === undefined ? null : { amount: fee['price'], ...fromCycle(fee) },
    features: items.filter((item) => !isFee(item)).map((item) => (isObject(item) ? fromItem(item) : item)),
  }
}

function fromItem({ included_usage, price, tiers, usage_limit, config, ...item }: Body): Body {
  const unlimited = included_usage === 'inf'
  const included = unlimited ? undefined : included_usage
  const { rollover, on_increase, on_decrease } = isObject(config) ? config : {}
  const { feature_id, entity_feature_id, usage_model, billing_units, tier_behavior } = item
  const priced = price != null || tiers != null
  return {
    feature_id,
    entity_feature_id,
    ...(unlimited ? { unlimited } : {}),
    granted_balance: included,
    ...(priced || item['interval'] == null ? {} : { reset: fromCycle(item) }),
    ...(priced
      ? {
          price: {
            ...{ amount: tiers == null ? price : undefined, tiers, tier_behavior, usage_model, billing_units },
            ...fromCycle(item),
            max_purchase: usage_limit == null ? undefined : added(usage_limit, included, -1n),
          },
        }
      : {}),
    ...(isObject(rollover) ? { rollover: fromRollover(rollover) } : {}),
    ...(on_increase == null && on_decrease == null ? {} : { proration: { on_increase, on_decrease } }),
  }
}

function fromCycle({ interval, interval_count }: Body): Body {
  return { interval: interval ?? 'one_off', interval_count }
}

function fromRollover({ duration, length, ...rollover }: Body): Body {
  return { ...rollover, expiry_duration_type: duration, expiry_duration_length: length }
}

/** Counted in days where nothing else is said; newer versions count in months (C88). */
function fromTrial({ length, duration, ...trial }: Body): Body {
  return length === undefined
    ? { ...trial, ...(duration === undefined ? {} : { duration }) }
    : { ...trial, duration_length: length, duration_type: duration ?? 'day' }
}

/** A plan in its newest shape, from which an expansion that nobody asked for is taken out again. */
export function withoutFeatures(plan: WireObject): WireObject {
  return { ...plan, items: listOf(plan['items']).map(({ feature: _, ...item }) => item) }
}

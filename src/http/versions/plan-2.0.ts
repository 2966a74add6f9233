import { formatAmount, readAmount } from '../../domain/amount.ts'
import type { Wire, WireObject } from '../wire/wire.ts'
import { OPTIONAL } from './optional.ts'
import { amountOf, type Change, listOf, objectOf, orNull, stripped } from './values.ts'
import type { Body, UpgradedBody } from './version.ts'

/** A plan without the keys that hold nothing. @param feature the same of a feature. */
export function strippedPlan(plan: WireObject, feature: Change): WireObject {
  const display = (value: WireObject) => stripped(value, OPTIONAL.display)
  return stripped(
    {
      ...plan,
      price: orNull(plan['price'], (price) => ({
        ...stripped(price, OPTIONAL.planPrice),
        display: orNull(price['display'], display),
      })),
      items: listOf(plan['items']).map((item) =>
        stripped(
          {
            ...item,
            feature: orNull(item['feature'], feature),
            reset: orNull(item['reset'], (reset) => stripped(reset, OPTIONAL.reset)),
            price: orNull(item['price'], (price) => stripped(price, OPTIONAL.planItemPrice)),
            display: orNull(item['display'], display),
            rollover: orNull(item['rollover'], (rollover) => stripped(rollover, OPTIONAL.planRollover)),
          },
          OPTIONAL.planItem,
        ),
      ),
    },
    OPTIONAL.plan,
  )
}

const OLDER_METHODS = new Map<unknown, string>([['usage_based', 'pay_per_use']])
const NEWER_METHODS = new Map<unknown, string>([['pay_per_use', 'usage_based']])

/** A plan by its older names, the marks of its tiers without what is included (C16). */
export function olderPlan({ auto_enable, items, customer_eligibility, ...plan }: WireObject): WireObject {
  const older = { ...plan, default: auto_enable, features: listOf(items).map(olderItem) }
  return customer_eligibility == null
    ? older
    : { ...older, customer_eligibility: olderEligibility(objectOf(customer_eligibility)) }
}

/** Source: C15. */
function olderEligibility({ scenario, trial_available }: WireObject): WireObject {
  return stripped({ scenario, trial_available }, ['trial_available'])
}

function olderItem({ included, price, reset, ...item }: WireObject): WireObject {
  return {
    ...item,
    granted_balance: included,
    // What was left is never carried over unasked (C89).
    reset: orNull(reset, (one) => ({ ...one, reset_when_enabled: true })),
    price: orNull(price, ({ billing_method, tiers, ...one }) => ({
      ...one,
      tiers: tiers === undefined ? undefined : listOf(tiers).map((tier) => withoutIncluded(tier, included)),
      usage_model: OLDER_METHODS.get(billing_method) ?? billing_method,
    })),
  }
}

function withoutIncluded(tier: WireObject, included: Wire | undefined): WireObject {
  return tier['to'] === 'inf' ? tier : { ...tier, to: amountOf(tier['to']) - amountOf(included) }
}

/** Who writes `features` writes all of them by their older names; `items` are newer already (C16). */
export function fromOlderPlan({ default: enabled, features, ...body }: Body): UpgradedBody {
  return {
    body: {
      ...body,
      ...(enabled === undefined ? {} : { auto_enable: enabled }),
      ...(features === undefined ? {} : { items: Array.isArray(features) ? features.map(fromOlderItem) : features }),
    },
  }
}

function fromOlderItem(value: unknown): unknown {
  if (!isObject(value)) return value
  const { granted_balance: included, price, ...item } = value
  return {
    ...item,
    ...(included === undefined ? {} : { included }),
    ...(price === undefined ? {} : { price: isObject(price) ? fromOlderPrice(price, included) : price }),
  }
}

function fromOlderPrice({ usage_model: method, tiers, ...price }: Body, included: unknown): Body {
  return {
    ...price,
    ...(method === undefined ? {} : { billing_method: NEWER_METHODS.get(method) ?? method }),
    ...(tiers === undefined
      ? {}
      : { tiers: Array.isArray(tiers) ? tiers.map((tier) => withIncluded(tier, included)) : tiers }),
  }
}

function withIncluded(tier: unknown, included: unknown): unknown {
  return isObject(tier) ? { ...tier, to: added(tier['to'], included, 1n) } : tier
}

/** The exact sum of two numbers of a request, as a text; what is no number is left for validation to refuse. */
export function added(value: unknown, other: unknown, sign: 1n | -1n): unknown {
  const [a, b] = [numberOf(value), numberOf(other ?? 0)]
  return a === null || b === null ? value : formatAmount(a + sign * b)
}

function numberOf(value: unknown): bigint | null {
  const read = typeof value === 'number' || typeof value === 'string' ? readAmount(value) : 'not_a_number'
  return typeof read === 'bigint' ? read : null
}

export function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

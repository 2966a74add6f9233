import type { WireObject } from '../wire/wire.ts'
import { OPTIONAL } from './optional.ts'
import { type Change, filled, listOf, orNull } from './values.ts'

/** A plan with every optional key, as clients of 2.1 and 2.2 insist on (K3, K23). @param feature the same of a feature. */
export function filledPlan(plan: WireObject, feature: Change): WireObject {
  const eligibility = orNull(plan['customer_eligibility'], (one) => filled(one, OPTIONAL.eligibility))
  const shown = { ...plan, price: orNull(plan['price'], price), items: itemsOf(plan, feature) }
  return filled({ ...shown, customer_eligibility: eligibility }, OPTIONAL.plan)
}

function itemsOf(plan: WireObject, feature: Change): WireObject[] {
  return listOf(plan['items']).map((item) => ({
    ...filled(item, OPTIONAL.planItem),
    feature: orNull(item['feature'], feature),
    reset: orNull(item['reset'], (reset) => filled(reset, OPTIONAL.reset)),
    price: orNull(item['price'], (one) => filled(one, OPTIONAL.planItemPrice)),
    display: orNull(item['display'], display),
    rollover: orNull(item['rollover'], (rollover) => filled(rollover, OPTIONAL.planRollover)),
  }))
}

function price(value: WireObject): WireObject {
  return { ...filled(value, OPTIONAL.planPrice), display: orNull(value['display'], display) }
}

function display(value: WireObject): WireObject {
  return filled(value, OPTIONAL.display)
}

import type { WireObject } from '../wire/wire.ts'
import { OPTIONAL } from './optional.ts'
import { olderPlan, strippedPlan } from './plan-2.0.ts'
import { filledPlan } from './plan-2.2.ts'
import { productOf, type TypeOf } from './product.ts'
import { amountOf, type Change, filled, listOf, objectOf, orNull, sumOf } from './values.ts'

/** What a subject has of plans, as older versions show it: its subscriptions and its purchases. */

/** With every key that clients of 2.1 and 2.2 insist on (K 3.5, K23). @param feature the same of a feature. */
export function filledHeld({ subscriptions, purchases }: WireObject, feature: Change): WireObject {
  const plan = (value: WireObject) => orNull(value['plan'], (one) => filledPlan(one, feature))
  return {
    subscriptions: listOf(subscriptions).map((one) => ({ ...filled(one, OPTIONAL.subscription), plan: plan(one) })),
    purchases: listOf(purchases).map((one) => ({ ...filled(one, OPTIONAL.purchase), plan: plan(one) })),
  }
}

/**
 * Purchases among the subscriptions, those that have not begun apart from them, and of each plan and status one (B63). Which of
 * several it is cannot be told, so none has an id.
 * @param feature one that is stripped of what it does not have.
 */
export function olderHeld({ subscriptions, purchases }: WireObject, feature: Change): WireObject {
  const plan = (value: WireObject) => orNull(value['plan'], (one) => olderPlan(strippedPlan(one, feature))) ?? undefined
  const all: WireObject[] = [
    ...listOf(subscriptions).map(({ id: _, scope: _scope, auto_enable, ...one }) => ({
      ...one,
      default: auto_enable,
      plan: plan(one),
    })),
    ...listOf(purchases).map((one) => ({ ...bought(one), plan: plan(one) })),
  ]
  const merged = [...Map.groupBy(all, (one) => `${one['status']} ${one['plan_id']}`).values()].map(mergedOf)
  return {
    subscriptions: merged.filter(({ status }) => status !== 'scheduled'),
    scheduled_subscriptions: merged.filter(({ status }) => status === 'scheduled'),
  }
}

/** What is paid once is never given to everybody (C68), and stands beside other plans as an add-on does (C96). */
function bought({ plan_id, plan, expires_at, started_at, quantity }: WireObject): WireObject {
  const nothing = { canceled_at: null, trial_ends_at: null, current_period_start: null, current_period_end: null }
  return {
    plan_id,
    default: false,
    add_on: objectOf(plan)['add_on'] ?? true,
    status: 'active',
    past_due: false,
    ...nothing,
    expires_at,
    started_at,
    quantity,
  }
}

function mergedOf(group: readonly WireObject[]): WireObject {
  const [first = {}] = group
  if (group.length === 1) return first
  const starts = group.map(({ started_at }) => amountOf(started_at))
  return {
    ...first,
    quantity: sumOf(group, 'quantity'),
    started_at: starts.reduce((least, start) => (start < least ? start : least)),
    canceled_at: group.findLast(({ canceled_at }) => canceled_at !== null)?.['canceled_at'] ?? null,
  }
}

/** As products, items and all, from what `olderHeld` shows with plans expanded (B64, C179). */
export function productsHeld(value: WireObject, typeOf: TypeOf): WireObject[] {
  return [...listOf(value['subscriptions']), ...listOf(value['scheduled_subscriptions'])].map(({ plan, ...one }) => {
    const { name, group, version, items } = productOf(objectOf(plan), typeOf)
    return {
      id: one['plan_id'],
      name,
      group,
      status: one['trial_ends_at'] === null ? one['status'] : 'trialing',
      canceled_at: one['canceled_at'],
      started_at: one['started_at'],
      is_default: one['default'],
      is_add_on: one['add_on'],
      version,
      current_period_start: one['current_period_start'],
      current_period_end: one['current_period_end'],
      items,
      quantity: one['quantity'],
    }
  })
}

import type { Wire, WireObject } from '../wire/wire.ts'
import { type Change, listOf, orNull } from './values.ts'

/** The plans that a subject has, as 2.0 and older know them. */

/**
 * Of one plan and one status there is one subscription; those to come stand apart, and what was paid once is among the others
 * (B63). @param plan a plan as 2.0 shows it, from its newest shape.
 */
export function olderSubscriptions(
  subscriptions: Wire | undefined,
  purchases: Wire | undefined,
  plan: Change,
): { readonly subscriptions: WireObject[]; readonly scheduled_subscriptions: WireObject[] } {
  const all = [...listOf(subscriptions), ...listOf(purchases).map(asSubscription)]
  const merged = [...Map.groupBy(all, ({ plan_id, status }) => `${status} ${plan_id}`).values()]
    .flatMap((same) =>
      same.reduce<WireObject[]>(([one], other) => [one === undefined ? other : together(one, other)], []),
    )
    .map((one) => older(one, plan))
  return {
    subscriptions: merged.filter(({ status }) => status !== 'scheduled'),
    scheduled_subscriptions: merged.filter(({ status }) => status === 'scheduled'),
  }
}

/** Of a purchase there is no cycle, and nothing to cancel. */
function asSubscription(purchase: WireObject): WireObject {
  return {
    ...purchase,
    status: 'active',
    past_due: false,
    canceled_at: null,
    trial_ends_at: null,
    current_period_start: null,
    current_period_end: null,
  }
}

function together(one: WireObject, other: WireObject): WireObject {
  return {
    ...one,
    quantity: Number(one['quantity']) + Number(other['quantity']),
    started_at: Math.min(Number(one['started_at']), Number(other['started_at'])),
    canceled_at: other['canceled_at'] ?? one['canceled_at'],
  }
}

/** Several may be one, so that none has an id. */
function older({ id: _id, scope: _scope, auto_enable, plan, ...one }: WireObject, change: Change): WireObject {
  return { ...(plan == null ? {} : { plan: orNull(plan, change) }), ...one, default: auto_enable }
}

/** What beta and 1.2 call the products of a subject, from subscriptions with their plans (C179). */
export function productsOf(
  subscriptions: Wire | undefined,
  scheduled: Wire | undefined,
  productOf: Change,
): WireObject[] {
  return [...listOf(subscriptions), ...listOf(scheduled)].map((one) => {
    const { name, group, version, items } = orNull(one['plan'], productOf) ?? {}
    return {
      id: one['plan_id'],
      name: name ?? one['plan_id'],
      group: group ?? null,
      status: statusOf(one),
      is_add_on: one['add_on'],
      is_default: one['default'],
      version,
      canceled_at: one['canceled_at'],
      started_at: one['started_at'],
      current_period_start: one['current_period_start'],
      current_period_end: one['current_period_end'],
      quantity: one['quantity'],
      items,
    }
  })
}

function statusOf({ status, past_due, trial_ends_at }: WireObject): Wire | undefined {
  if (past_due === true) return 'past_due'
  return status === 'active' && trial_ends_at != null ? 'trialing' : status
}

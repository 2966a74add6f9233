import type { MemberIds } from '../../domain/feature.ts'
import type { PlanView } from '../../domain/plan-view.ts'
import type { Summary } from '../../domain/summary.ts'
import { nameOf } from '../../operations/decide.ts'
import type { FeatureView } from '../../operations/features.ts'
import type { TrackAnswer } from '../../operations/track.ts'
import type { AttachmentView, CustomerView, EntityView, NamedEntity } from '../../operations/view.ts'
import { productOf } from '../versions/versions.ts'
import { purchaseToWire, subscriptionToWire } from '../wire/attachments.ts'
import {
  balancesToWire,
  balanceToWire,
  deductionsToWire,
  featureToWire,
  flagToWire,
  lastingBalanceToWire,
  type ShowFeature,
} from '../wire/balance.ts'
import { customerToWire } from '../wire/customers.ts'
import { entityHeadToWire, entityToWire } from '../wire/entities.ts'
import { lockToWire } from '../wire/locks.ts'
import { eligibilityToWire, planToWire } from '../wire/plan.ts'
import type { WireObject } from '../wire/wire.ts'

/** How operations' answers look in the newest version, where several endpoints show the same thing. */

export function showFeature({ feature, memberIds }: FeatureView): WireObject {
  return featureToWire(feature, (uid) => memberIds[uid] ?? uid)
}

/** How to show a feature inside another object, or null where that was not asked for. */
export function expanding(expand: readonly string[], wanted: string, memberIds: MemberIds): ShowFeature | null {
  return expand.includes(wanted) ? (feature) => showFeature({ feature, memberIds }) : null
}

export function showPlan(view: PlanView, expand: readonly string[] = NOTHING): WireObject {
  const plan = planToWire(view.plan, view, expanding(expand, 'items.feature', view.memberIds))
  return view.eligibility === null ? plan : { ...plan, customer_eligibility: eligibilityToWire(view.eligibility) }
}

/** A plan as a product, which is what it is called on paywalls. */
export function showProduct(view: PlanView): WireObject {
  return productOf(showPlan(view, ['items.feature']))
}

/** @param often whether the same summary will be shown again: after a read it will, after a use there is a new one. */
export function showBalance(summary: Summary, feature: ShowFeature | null, often: boolean): WireObject {
  return often && feature === null ? lastingBalanceToWire(summary) : balanceToWire(summary, feature)
}

/** What a use says about its answer. */
interface Tracking {
  readonly entity_id?: string | undefined
  readonly async?: boolean | null | undefined
}

export function showTracked(answer: TrackAnswer, { entity_id, async }: Tracking): WireObject {
  return {
    customer_id: answer.customerId,
    entity_id,
    event_id: answer.eventId ?? undefined,
    event_name: answer.eventName ?? undefined,
    value: answer.value,
    balance: answer.summary === null ? null : balanceToWire(answer.summary, null),
    balances: answer.summaries === null ? undefined : balancesToWire(answer.summaries, null),
    deductions: async === true ? undefined : deductionsToWire(answer.deductions),
    lock: answer.lock === null ? undefined : lockToWire(answer.lock),
  }
}

/** What a request for a customer says about its answer. */
interface CustomerOptions {
  readonly expand?: readonly string[] | undefined
  readonly with_autumn_id?: boolean | undefined
}

export function showCustomer(view: CustomerView, options: CustomerOptions): WireObject {
  const { customer, entities, movedTo, ahead } = view
  const { expand = NOTHING, with_autumn_id: withInternalId = false } = options
  const { balances, flags } = showHeld(view, expand)
  return customerToWire(customer, balances, flags, showPlans(view.plans, expand), {
    expanded: expand,
    entities: entities === null ? null : entities.map((entity) => showHead(entity)),
    trialsUsed: view.trialsUsed.map((plan_id) => ({
      plan_id,
      customer_id: nameOf(customer),
      fingerprint: customer.fingerprint,
    })),
    withInternalId,
    movedTo,
    ahead,
  })
}

export function showEntity(view: EntityView, expand: readonly string[] = NOTHING): WireObject {
  const { balances, flags } = showHeld(view, expand)
  return entityToWire(showHead(view), showPlans(view.plans, expand), balances, flags, expand)
}

function showPlans(plans: readonly AttachmentView[], expand: readonly string[]) {
  const planIn = (list: 'subscriptions' | 'purchases', { shown }: AttachmentView) =>
    expand.includes(`${list}.plan`) ? showPlan(shown, expand) : undefined
  return {
    subscriptions: plans
      .filter(({ once }) => !once)
      .map((one) => subscriptionToWire(one, planIn('subscriptions', one))),
    purchases: plans.filter(({ once }) => once).map((one) => purchaseToWire(one, planIn('purchases', one))),
  }
}

function showHead({ entity, customer, customerId, featureId }: NamedEntity): WireObject {
  return entityHeadToWire(entity, customerId, featureId, customer.env)
}

function showHeld(
  { summaries, flags, memberIds }: Pick<CustomerView, 'summaries' | 'flags' | 'memberIds'>,
  expand: readonly string[],
): { balances: WireObject; flags: WireObject } {
  const ofBalances = expanding(expand, 'balances.feature', memberIds)
  const ofFlags = expanding(expand, 'flags.feature', memberIds)
  // Not by assignment: `__proto__` is a possible feature id and must become a key like any other.
  return {
    balances: Object.fromEntries(summaries.map((one) => [one.feature.id, showBalance(one, ofBalances, true)])),
    flags: Object.fromEntries(flags.map((flag) => [flag.feature.id, flagToWire(flag, ofFlags)])),
  }
}

export const NOTHING: readonly string[] = []

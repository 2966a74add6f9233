import type { Attachment } from '../../domain/attachment.ts'
import type { Plan } from '../../domain/plan.ts'
import type { Instant } from '../../domain/time.ts'
import type { WireObject } from './wire.ts'

/** What there is to show of a plan that a subject has. */
interface Attached {
  readonly attachment: Attachment
  readonly plan: Plan
  readonly cycle: { readonly start: Instant; readonly end: Instant } | null
  readonly trialing: boolean
}

/** How to show the plan itself, or null where that was not asked for. */
export type ShowAttached<A extends Attached> = ((attached: A) => WireObject) | null

/** The subscription object (C177, C178, B196). Nothing is ever past due: nothing is collected. */
export function subscriptionToWire<A extends Attached>(attached: A, showPlan: ShowAttached<A>): WireObject {
  const { attachment, plan, cycle, trialing } = attached
  const { id, uid, planId, status, canceledAt, endsAt, trialEndsAt, startsAt } = attachment
  return {
    id: id ?? uid,
    plan_id: planId,
    plan: showPlan === null ? undefined : showPlan(attached),
    auto_enable: plan.autoEnable,
    add_on: plan.addOn,
    status,
    past_due: false,
    canceled_at: canceledAt,
    expires_at: endsAt,
    trial_ends_at: trialing ? trialEndsAt : null,
    started_at: startsAt,
    current_period_start: cycle?.start ?? null,
    current_period_end: cycle?.end ?? null,
    quantity: 1,
    scope: scopeOf(attachment),
  }
}

/** The purchase object: a plan that is paid for once (B197). Versions up to 2.0 show the kind of plan as for a subscription. */
export function purchaseToWire<A extends Attached>(attached: A, showPlan: ShowAttached<A>): WireObject {
  const { attachment, plan } = attached
  const { planId, endsAt, startsAt } = attachment
  return {
    plan_id: planId,
    plan: showPlan === null ? undefined : showPlan(attached),
    auto_enable: plan.autoEnable,
    add_on: plan.addOn,
    expires_at: endsAt,
    started_at: startsAt,
    quantity: 1,
    scope: scopeOf(attachment),
  }
}

function scopeOf({ entity }: Attachment): string {
  return entity === null ? 'customer' : 'entity'
}

import type { Attachment } from '../../domain/attachment.ts'
import type { Plan } from '../../domain/plan.ts'
import type { Instant } from '../../domain/time.ts'
import type { WireObject } from './wire.ts'

/** What there is to show of a plan that a subject has. */
interface Attached {
  readonly attachment: Attachment
  readonly shown: { readonly plan: Plan }
  readonly cycle: { readonly start: Instant; readonly end: Instant } | null
  readonly trialing: boolean
}

/** The subscription object (C177, C178, B196); `plan` where it is expanded. Nothing is ever past due: nothing is collected. */
export function subscriptionToWire(
  { attachment, shown, cycle, trialing }: Attached,
  plan: WireObject | undefined,
): WireObject {
  const { id, uid, planId, status, canceledAt, endsAt, trialEndsAt, startsAt } = attachment
  return {
    id: id ?? uid,
    plan_id: planId,
    plan,
    auto_enable: shown.plan.autoEnable,
    add_on: shown.plan.addOn,
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

/** The purchase object: a plan that is paid for once (B197). */
export function purchaseToWire({ attachment }: Attached, plan: WireObject | undefined): WireObject {
  const { planId, endsAt, startsAt } = attachment
  return { plan_id: planId, plan, expires_at: endsAt, started_at: startsAt, quantity: 1, scope: scopeOf(attachment) }
}

function scopeOf({ entity }: Attachment): string {
  return entity === null ? 'customer' : 'entity'
}

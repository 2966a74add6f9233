import type * as z from 'zod'
import { formatAmount, ZERO } from '../../domain/amount.ts'
import type { Attachment } from '../../domain/attachment.ts'
import { type DueLine, type NextCycle, type Settlement, totalOf } from '../../domain/due.ts'
import type { PlanChange } from '../../domain/plan-changes.ts'
import type { BillingPreview } from '../../domain/plan-view.ts'
import type { Instant } from '../../domain/time.ts'
import { attachInput, multiAttachInput, updateInput } from './billing.ts'
import { expandOf } from './scalars.ts'
import type { WireObject } from './wire.ts'

const expand = expandOf('incoming.plan', 'outgoing.plan')

export const previewAttachInput = attachInput.safeExtend({ expand })
export const previewMultiAttachInput = multiAttachInput.safeExtend({ expand })
export const previewUpdateInput = updateInput.safeExtend({ expand })

type MoneyTerms = Partial<
  Pick<
    z.infer<typeof updateInput>,
    'proration_behavior' | 'billing_behavior' | 'no_billing_changes' | 'refund_last_payment'
  >
>

/** What the request says about money. */
export function settlementOf(input: MoneyTerms): Settlement {
  const { proration_behavior: prorations, billing_behavior: billing } = input
  const none = prorations === 'none' || billing === 'none'
  return {
    prorations: none ? 'none' : billing === 'next_cycle_only' ? 'next' : 'now',
    refund: input.refund_last_payment ?? 'prorated',
    nothing: input.no_billing_changes === true,
  }
}

/** How to show the plan of a change, or null where that was not asked for. */
export type ShowChanged = ((attachment: Attachment) => WireObject) | null

/** What an action would do, and what is due for it now and next (C 4.11). The currency is the one that plans are priced in. */
export function previewToWire(
  preview: BillingPreview,
  showIncoming: ShowChanged,
  showOutgoing: ShowChanged,
): WireObject {
  const { customerId, now, next, changes, intent } = preview
  return {
    customer_id: customerId,
    line_items: linesToWire(now, preview),
    ...totals(now),
    currency: 'usd',
    next_cycle: next === null ? undefined : nextToWire(next, preview),
    incoming: changes.incoming.map((change) => changeToWire(change, preview, showIncoming)),
    outgoing: changes.outgoing.map((change) => changeToWire(change, preview, showOutgoing)),
    // Of an update there is never a checkout (K 3.8).
    ...(intent === null ? { redirect_to_checkout: false, checkout_type: null } : { intent }),
  }
}

function nextToWire({ startsAt, lines, usage }: NextCycle, preview: BillingPreview): WireObject {
  return {
    starts_at: startsAt,
    ...totals([...lines, ...usage]),
    line_items: linesToWire(lines, preview),
    usage_line_items: linesToWire(usage, preview),
  }
}

/** There are no discounts, so both are the same. */
function totals(lines: readonly DueLine[]): WireObject {
  const total = totalOf(lines)
  return { subtotal: total, total }
}

function linesToWire(lines: readonly DueLine[], preview: BillingPreview): WireObject[] {
  return lines.map((line) => ({
    display_name: line.feature?.name ?? nameIn(preview, line.attachment),
    description: descriptionOf(line, nameIn(preview, line.attachment)),
    subtotal: line.amount,
    total: line.amount,
    discounts: [],
    plan_id: line.attachment.planId,
    feature_id: line.feature?.id ?? null,
    quantity: line.quantity,
    period: line.period ?? undefined,
  }))
}

function nameIn({ plans }: BillingPreview, { uid, planId }: Attachment): string {
  return plans.get(uid)?.plan.name ?? planId
}

/** "Pro: 3 Seats, 31 Jan 2026 to 28 Feb 2026", "Credit for …". */
function descriptionOf({ feature, quantity, amount, period }: DueLine, plan: string): string {
  const what = feature === null ? plan : `${plan}: ${formatAmount(quantity)} ${feature.name}`
  const when = period === null ? '' : `, ${day(period.start)} to ${day(period.end)}`
  return `${amount < ZERO ? 'Credit for ' : ''}${what}${when}`
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function day(instant: Instant): string {
  const date = new Date(instant)
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`
}

function changeToWire({ attachment, at }: PlanChange, preview: BillingPreview, show: ShowChanged): WireObject {
  const { planId, canceledAt, endsAt } = attachment
  return {
    plan_id: planId,
    plan: show === null ? undefined : show(attachment),
    feature_quantities: quantitiesToWire(attachment, preview),
    effective_at: at,
    canceled_at: canceledAt,
    expires_at: endsAt,
  }
}

/** As they are ordered: with what is included (C130). */
function quantitiesToWire({ uid, quantities }: Attachment, { plans }: BillingPreview): WireObject[] {
  const view = plans.get(uid)
  return quantities.flatMap(({ item: index, units }) => {
    const item = view?.plan.terms.items[index]
    const feature = item === undefined ? undefined : view?.features[item.feature]
    return item === undefined || feature === undefined
      ? []
      : [{ feature_id: feature.id, quantity: item.included + units }]
  })
}

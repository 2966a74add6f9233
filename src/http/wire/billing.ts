import * as z from 'zod'
import { ZERO } from '../../domain/amount.ts'
import type { CarryRequest } from '../../domain/attach.ts'
import type { OrderOfSeveral, PlanOrder, PlanUpdate } from '../../domain/plan-order.ts'
import type { Order } from '../../domain/quantities.ts'
import { customizeInput, trialInput, trialOf } from './customize.ts'
import { amount, id, instant, later, text } from './scalars.ts'
import type { WireObject } from './wire.ts'

/** So many in one request. */
const MOST_PLANS = 50
const MOST_FEATURES = 100

const quantities = z
  .array(
    z.object({
      feature_id: id,
      quantity: amount.refine((quantity) => quantity >= ZERO, 'must not be negative'),
      // Whether a buyer may change it at a checkout, of which there is none.
      adjustable: z.boolean().nullish(),
    }),
  )
  .max(MOST_FEATURES)
  .nullish()

const carry = z.object({ enabled: z.boolean(), feature_ids: z.array(id).max(MOST_FEATURES).nullish() }).nullish()
const anchor = z.union([z.literal('now'), instant], 'must be "now" or a time in Unix milliseconds').nullish()
const version = z.int().min(1).nullish()

/** What is said to whoever collects the money. Nobody does here, so all of it is heard and nothing done (C182, C185). */
const aboutMoney = {
  invoice_mode: z
    .object({
      enabled: z.boolean(),
      enable_plan_immediately: z.boolean().nullish(),
      finalize: z.boolean().nullish(),
      invoice_template_id: text.nullish(),
      net_terms_days: z.int().nullish(),
    })
    .nullish(),
  redirect_mode: z.enum(['if_required', 'always', 'never']).nullish(),
  success_url: text.nullish(),
  checkout_session_params: z.looseObject({}).nullish(),
  long_lived_checkout: z.boolean().nullish(),
  tax_rate_id: text.nullish(),
  metadata: z.looseObject({}).nullish(),
  no_billing_changes: z.boolean().nullish(),
  enable_plan_immediately: z.boolean().nullish(),
  proration_behavior: z.enum(['prorate_immediately', 'none']).nullish(),
  billing_behavior: z.enum(['prorate_immediately', 'next_cycle_only', 'none']).nullish(),
  discounts: later('discounts'),
  custom_line_items: later('custom_line_items'),
  currency: later('currency'),
  license_quantities: later('license_quantities'),
  processor_subscription_id: text.nullish(),
  transition_rules: later('transition_rules'),
}

const plan = {
  plan_id: id,
  version,
  feature_quantities: quantities,
  customize: customizeInput.nullish(),
  subscription_id: id.nullish(),
}

/** Short for that of `customize`, which wins. */
const trial = trialInput.nullish()

const schedule = z.enum(['immediate', 'end_of_cycle']).nullish()

export const attachInput = z.object({
  ...aboutMoney,
  ...plan,
  customer_id: id,
  entity_id: id.nullish(),
  free_trial: trial,
  plan_schedule: schedule,
  starts_at: instant.nullish(),
  ends_at: instant.nullish(),
  billing_cycle_anchor: anchor,
  carry_over_usages: carry,
  carry_over_balances: carry,
  remove_plan_ids: z.array(id).max(MOST_PLANS).nullish(),
  new_billing_subscription: z.boolean().nullish(),
  customer_data: z.looseObject({}).nullish(),
  entity_data: z.looseObject({}).nullish(),
})

export const multiAttachInput = z.object({
  ...aboutMoney,
  customer_id: id,
  entity_id: id.nullish(),
  plans: z
    .array(z.object({ ...plan, entity_id: id.nullish() }))
    .min(1)
    .max(MOST_PLANS),
  free_trial: trial,
  starts_at: instant.nullish(),
  billing_cycle_anchor: anchor,
  new_billing_subscription: z.boolean().nullish(),
  customer_data: z.looseObject({}).nullish(),
  entity_data: z.looseObject({}).nullish(),
})

/** What a request to change a plan can be about; one of them is needed (C155). */
const CHANGES = [
  'feature_quantities',
  'version',
  'customize',
  'free_trial',
  'cancel_action',
  'billing_cycle_anchor',
  'recalculate_balances',
  'carry_over_usages',
] as const

export const updateInput = z
  .object({
    ...aboutMoney,
    customer_id: id,
    entity_id: id.nullish(),
    plan_id: id.nullish(),
    subscription_id: id.nullish(),
    feature_quantities: quantities,
    version,
    customize: customizeInput.nullish(),
    free_trial: trial,
    cancel_action: z.enum(['cancel_immediately', 'cancel_end_of_cycle', 'uncancel']).nullish(),
    billing_cycle_anchor: anchor,
    refund_last_payment: z.enum(['prorated', 'full']).nullish(),
    recalculate_balances: z.object({ enabled: z.boolean() }).nullish(),
    carry_over_usages: carry,
  })
  .superRefine((input, ctx) => {
    if (CHANGES.every((name) => input[name] == null) && input.free_trial === undefined)
      ctx.addIssue({ code: 'custom', message: `nothing is to be changed: give one of ${CHANGES.join(', ')}` })
    if (input.refund_last_payment == null) return
    const issue = (message: string) => ctx.addIssue({ code: 'custom', path: ['refund_last_payment'], message })
    if (input.cancel_action !== 'cancel_immediately') issue('needs cancel_action cancel_immediately')
    else if (input.proration_behavior != null) issue('cannot be given with proration_behavior')
  })

const ACTIONS = {
  cancel_immediately: 'immediately',
  cancel_end_of_cycle: 'end_of_cycle',
  uncancel: 'uncancel',
} as const

export function planOrder(input: z.infer<typeof attachInput>): PlanOrder {
  const order = orderOf(input)
  return {
    ...order,
    trial: order.trial === undefined ? trialOf(input.free_trial) : order.trial,
    schedule: input.plan_schedule ?? undefined,
    startsAt: input.starts_at ?? undefined,
    endsAt: input.ends_at ?? undefined,
    anchor: input.billing_cycle_anchor ?? undefined,
    carryUsages: carryOf(input.carry_over_usages),
    carryBalances: carryOf(input.carry_over_balances),
    removed: input.remove_plan_ids ?? [],
    ownCycle: input.new_billing_subscription ?? undefined,
  }
}

export function ordersOf(input: z.infer<typeof multiAttachInput>): OrderOfSeveral[] {
  return input.plans.map((one) => {
    const order = orderOf(one)
    return {
      ...order,
      entityId: one.entity_id,
      trial: order.trial === undefined ? trialOf(input.free_trial) : order.trial,
      schedule: undefined,
      startsAt: input.starts_at ?? undefined,
      endsAt: undefined,
      anchor: input.billing_cycle_anchor ?? undefined,
      carryUsages: undefined,
      carryBalances: undefined,
      removed: [],
      ownCycle: input.new_billing_subscription ?? undefined,
    }
  })
}

export function planUpdate(input: z.infer<typeof updateInput>): PlanUpdate {
  const { customize, cancel_action } = input
  return {
    subscriptionId: input.subscription_id ?? undefined,
    planId: input.plan_id ?? undefined,
    orders: ordersIn(input.feature_quantities),
    customization: customize?.customization,
    version: input.version ?? undefined,
    trial: customize?.trial === undefined ? trialOf(input.free_trial) : customize.trial,
    cancel: cancel_action == null ? undefined : ACTIONS[cancel_action],
    anchor: input.billing_cycle_anchor ?? undefined,
    recalculate: input.recalculate_balances?.enabled === true,
    carryUsages: carryOf(input.carry_over_usages),
  }
}

type Planned = Pick<
  z.infer<typeof attachInput>,
  'plan_id' | 'version' | 'feature_quantities' | 'customize' | 'subscription_id'
>

function orderOf({ plan_id, version: wanted, feature_quantities, customize, subscription_id }: Planned) {
  return {
    planId: plan_id,
    version: wanted ?? undefined,
    orders: ordersIn(feature_quantities),
    customization: customize?.customization,
    trial: customize?.trial,
    subscriptionId: subscription_id ?? undefined,
  }
}

function ordersIn(list: z.infer<typeof quantities>): Order[] {
  return (list ?? []).map(({ feature_id, quantity }) => ({ featureId: feature_id, quantity }))
}

function carryOf(request: z.infer<typeof carry>): CarryRequest | undefined {
  return request == null ? undefined : { enabled: request.enabled, featureIds: request.feature_ids ?? undefined }
}

interface Billed {
  readonly customerId: string
  readonly entityId: string | undefined
}

/** What attaching and changing answer: nothing is collected, so there is nothing to pay (C105, C108). */
export function billedToWire({ customerId, entityId }: Billed): WireObject {
  return { customer_id: customerId, entity_id: entityId, payment_url: null }
}

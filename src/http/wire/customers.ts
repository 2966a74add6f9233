import { z } from 'zod'
import type { Customer, CustomerDetails } from '../../domain/customer.ts'
import { expandOf, id, jsonObject, later, newCustomerId, text } from './scalars.ts'
import type { WireObject } from './wire.ts'

const expand = expandOf(
  'invoices',
  'invoice_previews',
  'trials_used',
  'rewards',
  'entities',
  'referrals',
  'payment_method',
  'subscriptions.plan',
  'purchases.plan',
  'balances.feature',
  'flags.feature',
  'billing_controls.auto_topups.purchase_limit',
)

const details = {
  name: text.nullish(),
  email: z.email({ pattern: z.regexes.unicodeEmail, message: 'must be an email address' }).max(320).nullish(),
  fingerprint: text.nullish(),
  stripe_id: text.nullish(),
  metadata: jsonObject.nullish(),
  send_email_receipts: z.boolean().nullish(),
  currency: later('currency'),
  create_in_stripe: later('create_in_stripe'),
  auto_enable_plan_id: later('auto_enable_plan_id'),
  billing_controls: later('billing_controls'),
  config: later('config'),
  expand,
}

export const getOrCreateCustomerInput = z.object({
  customer_id: newCustomerId.nullable().superRefine((value, ctx) => {
    if (value !== null) return
    const message =
      'a customer without an id is not supported by this version of Granary: send your own id of the customer'
    ctx.addIssue({ code: 'custom', message, params: { code: 'not_supported' } })
  }),
  entity_id: later('entity_id'),
  entity_data: later('entity_data'),
  ...details,
})

export const getCustomerInput = z.object({ customer_id: id, expand })

export const updateCustomerInput = z.object({ customer_id: id, new_customer_id: newCustomerId.optional(), ...details })

type Details = Omit<z.infer<typeof updateCustomerInput>, 'customer_id' | 'new_customer_id'>

export function detailsOf(input: Details): CustomerDetails {
  return {
    name: input.name,
    email: input.email,
    fingerprint: input.fingerprint,
    stripeId: input.stripe_id,
    metadata: input.metadata,
    sendEmailReceipts: input.send_email_receipts ?? undefined,
  }
}

/** What there is none of, shown when it is asked for: no payments are collected and nobody has entities here. */
const EMPTY_EXPANSIONS: Record<string, WireObject> = {
  invoices: { invoices: [] },
  invoice_previews: { invoice_previews: [] },
  trials_used: { trials_used: [] },
  rewards: { rewards: null },
  entities: { entities: [] },
  referrals: { referrals: [] },
  payment_method: { payment_method: null },
}

/** The customer object of 2.3 and newer (B195). */
export function customerToWire(
  customer: Customer,
  balances: WireObject,
  flags: WireObject,
  expanded: readonly string[],
): WireObject {
  return {
    id: customer.id,
    name: customer.name,
    email: customer.email,
    created_at: customer.createdAt,
    fingerprint: customer.fingerprint,
    stripe_id: customer.stripeId,
    env: customer.env,
    metadata: customer.metadata,
    send_email_receipts: customer.sendEmailReceipts,
    billing_controls: {},
    subscriptions: [],
    purchases: [],
    // Nobody uses licences, yet the published clients refuse a customer without the list (K23, trap 4).
    licenses: [],
    balances,
    flags,
    config: {},
    ...Object.assign({}, ...expanded.map((name) => EMPTY_EXPANSIONS[name])),
  }
}

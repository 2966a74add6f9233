import * as z from 'zod'
import type { Customer, CustomerDetails } from '../../domain/customer.ts'
import type { Beginning } from '../../domain/default-plans.ts'
import type { Instant } from '../../domain/time.ts'
import { cursor, expandOf, id, instant, jsonObject, later, newCustomerId, search, text } from './scalars.ts'
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
  // Of plans that are expanded.
  'items.feature',
  'balances.feature',
  'flags.feature',
  'billing_controls.auto_topups.purchase_limit',
)

const config = z.object({
  disable_pooled_balance: z.boolean().nullish(),
  disable_overage_billing: later('config.disable_overage_billing'),
})

const details = {
  name: text.nullish(),
  email: z.email({ pattern: z.regexes.unicodeEmail, message: 'must be an email address' }).max(320).nullish(),
  fingerprint: text.nullish(),
  stripe_id: text.nullish(),
  metadata: jsonObject.nullish(),
  send_email_receipts: z.boolean().nullish(),
  currency: later('currency'),
  create_in_stripe: later('create_in_stripe'),
  auto_enable_plan_id: id.nullish(),
  internal_options: z.object({ disable_defaults: z.boolean().nullish(), default_group: text.nullish() }).nullish(),
  billing_controls: later('billing_controls'),
  config: config.nullish(),
}

/** What may be said of a customer that is created on the way to something else. */
export const customerData = z.object(details)

/** What may be said of an entity that is created on the way to something else (B224). */
export const entityData = z.object({
  feature_id: id.optional(),
  name: text.nullish(),
  billing_controls: later('entity_data.billing_controls'),
})

export const getOrCreateCustomerInput = z.object({
  customer_id: newCustomerId.nullable(),
  entity_id: id.optional(),
  entity_data: entityData.nullish(),
  ...details,
  expand,
  with_autumn_id: z.boolean().optional(),
})

export const getCustomerInput = z.object({ customer_id: id, expand, with_autumn_id: z.boolean().optional() })

export const updateCustomerInput = z.object({
  customer_id: id,
  new_customer_id: newCustomerId.optional(),
  ...details,
  expand,
})

export const deleteCustomerInput = z.object({ customer_id: id, delete_in_stripe: later('delete_in_stripe') })

/** The longest page, and the number above which a page asks for something that no server gives (B206). */
const LONGEST_PAGE = 1000
const MOST_ASKED = 5000

export const pageFields = {
  start_cursor: cursor,
  limit: z.int().min(1).max(MOST_ASKED).optional(),
  search,
  plans: z
    .array(
      z
        .object({ id, versions: z.array(z.int().min(1)).max(100).nullish() })
        .transform((one) => ({ id: one.id, versions: one.versions ?? null })),
    )
    .max(100)
    .nullish()
    .transform((list) => (list == null || list.length === 0 ? undefined : list)),
  subscription_status: z.enum(['active', 'scheduled']).nullish(),
  processors: later('processors'),
  /** What versions up to 2.2 show beside a page (B209). */
  with_counts: z.boolean().optional(),
}

export const listCustomersInput = z.object({
  ...pageFields,
  limit: pageFields.limit.superRefine((limit, ctx) => {
    if (limit !== undefined && limit > LONGEST_PAGE && limit <= MOST_ASKED) {
      const message = `must be at most ${LONGEST_PAGE}: take the next page with start_cursor`
      ctx.addIssue({ code: 'custom', message, params: { code: 'invalid_request' } })
    }
  }),
  sort_order: z.enum(['asc', 'desc']).optional(),
  created_at_range: z
    .object({ start: instant.optional(), end: instant.optional() })
    .refine(({ start, end }) => start === undefined || end === undefined || start <= end, 'start must not be after end')
    .optional(),
  expand,
  with_autumn_id: z.boolean().optional(),
})

type Details = z.infer<typeof customerData>

export function detailsOf(input: Details): CustomerDetails {
  const alone = input.config?.disable_pooled_balance
  return {
    name: input.name,
    email: input.email,
    fingerprint: input.fingerprint,
    stripeId: input.stripe_id,
    metadata: input.metadata,
    sendEmailReceipts: input.send_email_receipts ?? undefined,
    sharesWithEntities: alone == null ? undefined : !alone,
  }
}

/** What is said of a customer that may have to be created (B192). */
export function newcomerTerms(input: Details): { readonly details: CustomerDetails; readonly beginning: Beginning } {
  return { details: detailsOf(input), beginning: beginningOf(input) }
}

function beginningOf({ auto_enable_plan_id, internal_options }: Details): Beginning {
  if (auto_enable_plan_id != null) return { kind: 'plan', planId: auto_enable_plan_id }
  if (internal_options?.default_group != null) return { kind: 'group', group: internal_options.default_group }
  return { kind: internal_options?.disable_defaults === true ? 'none' : 'all' }
}

/** What there is none of, shown when it is asked for: no payments are collected. */
const EMPTY_EXPANSIONS: Record<string, WireObject> = {
  invoices: { invoices: [] },
  invoice_previews: { invoice_previews: [] },
  rewards: { rewards: null },
  referrals: { referrals: [] },
  payment_method: { payment_method: null },
}

/** What is added to a customer that is asked for more. */
export interface CustomerExtras {
  readonly expanded: readonly string[]
  readonly entities: readonly WireObject[] | null
  readonly trialsUsed: readonly WireObject[]
  readonly withInternalId: boolean
  /** The customer's present where its clock was moved, else null. */
  readonly movedTo: Instant | null
  /** How far the clock was moved in all. */
  readonly ahead: number
}

/** The customer object of 2.3 and newer (B195); `test_clock` only where time was moved. */
export function customerToWire(
  customer: Customer,
  balances: WireObject,
  flags: WireObject,
  held: { readonly subscriptions: readonly WireObject[]; readonly purchases: readonly WireObject[] },
  { expanded, entities, trialsUsed, withInternalId, movedTo, ahead }: CustomerExtras,
): WireObject {
  return {
    id: customer.id,
    ...(withInternalId ? { autumn_id: customer.uid } : {}),
    name: customer.name,
    email: customer.email,
    created_at: customer.createdAt,
    fingerprint: customer.fingerprint,
    stripe_id: customer.stripeId,
    env: customer.env,
    metadata: customer.metadata,
    send_email_receipts: customer.sendEmailReceipts,
    billing_controls: {},
    ...held,
    // Nobody uses licences, yet the published clients refuse a customer without the list (K23, trap 4).
    licenses: [],
    balances,
    flags,
    config: customer.sharesWithEntities ? {} : { disable_pooled_balance: true },
    ...(movedTo === null ? {} : { test_clock: { now: movedTo, ahead_ms: ahead } }),
    ...Object.assign({}, ...expanded.map((name) => EMPTY_EXPANSIONS[name])),
    ...(expanded.includes('trials_used') ? { trials_used: trialsUsed } : {}),
    ...(entities === null ? {} : { entities }),
  }
}

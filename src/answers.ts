/** What the API answers in its newest version, for TypeScript. Amounts are exact decimals; instants are Unix milliseconds. */

export type IntervalName = 'one_off' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'semi_annual' | 'year'

export interface SuccessAnswer {
  success: true
}

export interface FeatureAnswer {
  id: string
  name: string
  type: 'boolean' | 'metered' | 'credit_system' | 'ai_credit_system'
  consumable: boolean
  credit_schema?: CreditSchemaItemAnswer[]
  model_markups?: Record<string, ModelMarkupAnswer>
  default_markup?: number
  provider_markups?: Record<string, { markup: number }>
  event_names: string[]
  display?: { singular: string | null; plural: string | null }
  archived: boolean
}

/** In percent, and in USD for a million tokens. */
export interface ModelMarkupAnswer {
  markup?: number
  input_cost?: number
  output_cost?: number
  cache_read_cost?: number
  cache_write_cost?: number
  audio_input_cost?: number
  audio_output_cost?: number
  reasoning_cost?: number
}

export interface CreditSchemaItemAnswer {
  metered_feature_id: string
  /** Credits for `billing_units` of the member, which is one where it is absent. */
  credit_cost: number
  billing_units?: number
  dimensions?: Record<string, { match: Record<string, string>; priority: number; credit_cost: number }>
  multipliers?: Record<string, { match: Record<string, string>; factor: number; add: number }>
}

export interface PlanAnswer {
  id: string
  name: string
  description: string | null
  group: string | null
  version: number
  add_on: boolean
  auto_enable: boolean
  /** The flat fee, or null where there is none. */
  price: {
    amount: number
    interval: BillingIntervalName
    /** Absent where it is one. */
    interval_count?: number
    display: DisplayAnswer
  } | null
  items: PlanItemAnswer[]
  free_trial?: {
    duration_length: number
    duration_type: 'day' | 'month' | 'year'
    card_required: boolean
    on_end: 'bill'
  }
  created_at: number
  env: 'sandbox' | 'live'
  archived: boolean
  config: { ignore_past_due: boolean }
  billing_controls: Record<string, never>
  metadata: Record<string, string>
  base_variant_id: null
  /** Where a customer was named that is there. */
  customer_eligibility?: EligibilityAnswer
}

export type BillingIntervalName = Exclude<IntervalName, 'minute' | 'hour' | 'day'>

/** What a pricing table shows as it is. */
export interface DisplayAnswer {
  primary_text: string
  secondary_text?: string
}

export interface PlanItemAnswer {
  feature_id: string
  /** Where `expand` asked for it. */
  feature?: FeatureAnswer
  included: number
  unlimited: boolean
  pooled: boolean
  /** Null for what never resets; `one_off` for what is given once. */
  reset: { interval: IntervalName; interval_count?: number } | null
  price: PlanItemPriceAnswer | null
  display: DisplayAnswer
  rollover?: {
    max: number | null
    max_percentage?: number
    expiry_duration_type: 'month' | 'forever'
    expiry_duration_length?: number
  }
  /** Whose every entity gets the item for itself. */
  entity_feature_id?: string
  threshold_billing?: { threshold: number }
  expiry?: { duration: 'day' | 'week' | 'month' | 'year'; length: number }
}

/** Either `amount` or `tiers`, whose marks count what is included. */
export interface PlanItemPriceAnswer {
  amount?: number
  tiers?: { to: number | 'inf'; amount: number; flat_amount?: number }[]
  tier_behavior?: 'graduated' | 'volume'
  interval: BillingIntervalName
  interval_count?: number
  billing_units: number
  billing_method: 'prepaid' | 'usage_based'
  /** Beyond what is included; null is any number. */
  max_purchase: number | null
}

export interface ResetAnswer {
  interval: IntervalName
  /** Absent where it is one. */
  interval_count?: number
  resets_at: number | null
}

export interface BreakdownAnswer {
  /** The caller's `balance_id`, otherwise the internal id. */
  id: string
  plan_id: string | null
  included_grant: number
  prepaid_grant: number
  remaining: number
  usage: number
  /** What open locks hold of it, which counts as used. Only while there is something. */
  held?: number
  unlimited: boolean
  reset: ResetAnswer | null
  price: BalancePriceAnswer | null
  expires_at: number | null
}

/** What units beyond those that are included cost: one `amount`, or `tiers` whose marks count those that are included. */
export interface BalancePriceAnswer {
  amount?: number
  tiers?: { to: number | 'inf'; amount: number; flat_amount?: number }[]
  tier_behavior?: 'graduated' | 'volume'
  billing_units: number
  billing_method: 'prepaid' | 'usage_based'
  max_purchase: number | null
}

/** All balances of one feature for one subject, added up. */
export interface BalanceAnswer {
  object: 'balance'
  feature_id: string
  /** Where `expand` asked for it. */
  feature?: FeatureAnswer
  granted: number
  /** What may be spent now; never below zero. */
  remaining: number
  usage: number
  unlimited: boolean
  overage_allowed: boolean
  max_purchase: number | null
  next_reset_at: number | null
  breakdown: BreakdownAnswer[]
  /** `expires_at` is 0 for what never expires. Absent where nothing rolls over. */
  rollovers?: { granted: number; balance: number; expires_at: number }[]
}

/** A boolean feature that is held. */
export interface FlagAnswer {
  id: string
  plan_id: string | null
  expires_at: number | null
  feature_id: string
  feature?: FeatureAnswer
}

export interface EntityHeadAnswer {
  id: string | null
  name: string | null
  customer_id: string
  feature_id: string
  created_at: number
  env: 'sandbox' | 'live'
}

export interface EntityAnswer extends EntityHeadAnswer {
  subscriptions: SubscriptionAnswer[]
  purchases: PurchaseAnswer[]
  balances: Record<string, BalanceAnswer>
  flags: Record<string, FlagAnswer>
  billing_controls: Record<string, never>
}

export interface CustomerAnswer {
  id: string | null
  /** The internal id, where `with_autumn_id` asked for it. */
  autumn_id?: string
  name: string | null
  email: string | null
  created_at: number
  fingerprint: string | null
  stripe_id: string | null
  env: 'sandbox' | 'live'
  metadata: Record<string, unknown>
  send_email_receipts: boolean
  billing_controls: Record<string, never>
  subscriptions: SubscriptionAnswer[]
  purchases: PurchaseAnswer[]
  licenses: never[]
  balances: Record<string, BalanceAnswer>
  flags: Record<string, FlagAnswer>
  config: { disable_pooled_balance?: boolean }
  /** Only where the clock was moved. */
  test_clock?: { now: number; ahead_ms: number }
  entities?: EntityHeadAnswer[]
}

export interface CheckAnswer {
  allowed: boolean
  customer_id: string
  entity_id?: string
  /** In the units of `balance.feature_id`: credits where a credit system answers. */
  required_balance: number
  balance: BalanceAnswer | null
  balances?: Record<string, BalanceAnswer | null>
  flag: FlagAnswer | null
  /** Only where something was used. */
  event_id?: string
  /** Only where a lock was opened. */
  lock?: LockAnswer
  /** Only where it is not allowed: why. */
  reason?: 'no_flag' | 'no_balance' | 'insufficient_balance'
  /** Only where it is not allowed: the next reset after which it would be; null where no reset helps. */
  available_at?: number | null
  preview?: object | null
}

/** An open lock. */
export interface LockAnswer {
  lock_id: string
  /** In the units of the feature that was asked for. */
  held: number
  /** When it lapses: then everything goes back, or is used for good where the lock asked for no expiry. */
  expires_at: number
}

export interface FinalizeAnswer {
  success: true
  /** What moved beyond the hold: below zero came back, above zero was used on top. */
  deductions: DeductionAnswer[]
  /** Only where `keep_open` keeps it. */
  lock?: LockAnswer
}

export interface DeductionAnswer {
  balance_id: string
  feature_id: string
  plan_id: string | null
  reset: ResetAnswer | null
  /** In the units of that balance; negative was given back. */
  value: number
}

export interface TrackAnswer {
  customer_id: string
  entity_id?: string
  /** What `refund_of` of a later use names to give this one back. Absent with `skip_event`. */
  event_id?: string
  event_name?: string
  /** What was asked, whatever could be taken. */
  value: number
  /** Null with `async`. */
  balance: BalanceAnswer | null
  balances?: Record<string, BalanceAnswer | null>
  /** Absent with `async`. */
  deductions?: DeductionAnswer[]
  /** Only where a lock was opened. */
  lock?: LockAnswer
}

export interface BatchTrackAnswer {
  success: true
  /** One for each item, in their order. */
  results: BatchResultAnswer[]
}

/** What became of one item of a batch. */
export interface BatchResultAnswer {
  /** 200, or what the item alone would have been answered with. */
  status: number
  /** Null where it was done; else why not, and in words. */
  code: string | null
  message?: string
  event_id?: string
  /** What was asked, whatever could be taken; 0 where it was not done. */
  value: number
  deductions: DeductionAnswer[]
  /** Only where this is the first answer to an idempotency key, given again. */
  replayed?: true
}

export interface EventAnswer {
  id: string
  timestamp: number
  feature_id: string
  customer_id: string
  value: number
  properties: Record<string, unknown>
  /** Only where it gave back from another event. */
  refund_of?: string
  deductions: DeductionAnswer[] | null
}

export interface AggregateAnswer {
  /** One for each bin, in order of time; `period` is where it begins. */
  list: {
    period: number
    /** By feature or event name. */
    values: Record<string, number>
    /** By name and group; only with `group_by`. */
    grouped_values?: Record<string, Record<string, number>>
  }[]
  total: Record<string, { count: number; sum: number }>
  /** Only with `aggregate_on`, and only bins in which something was taken. */
  deductions?: {
    period: number
    /** By the feature that the balances are of. */
    values: Record<string, DeductedAnswer>
    /** By `balance_id` and group; only with `group_by`. */
    grouped_values?: Record<string, Record<string, { deducted: number; credit_cost: number | null }>>
  }[]
}

export interface DeductedAnswer {
  feature_type: 'metered' | 'credit_system'
  deducted: number
  events: number
  balances: {
    /** The internal id of a balance or a rollover. */
    balance_id: string
    entity_id: string | null
    plan_id: null
    reset: ResetAnswer | null
    /** Null for one for one, and where it differed. */
    credit_cost: number | null
    deducted: number
    events: number
  }[]
}

export interface ListedBalanceAnswer extends BreakdownAnswer {
  feature_id: string
  customer_entitlement_id: string
  entity_id: string | null
  created_at: number
}

export interface PageAnswer<T> {
  list: T[]
  /** To be sent as `start_cursor` for the next page; null on the last one. */
  next_cursor: string | null
}

export interface ClockAnswer {
  env: 'sandbox' | 'live'
  now: number
  ahead_ms: number
}

/** A plan that a subject has, or will have. */
export interface SubscriptionAnswer {
  /** The caller's `subscription_id`, or an internal one. */
  id: string
  plan_id: string
  /** Where `expand` asked for it. */
  plan?: PlanAnswer
  auto_enable: boolean
  add_on: boolean
  status: 'active' | 'scheduled'
  past_due: false
  canceled_at: number | null
  expires_at: number | null
  /** Null where there is no trial, or it is over. */
  trial_ends_at: number | null
  started_at: number
  /** Null where nothing is paid again and again. */
  current_period_start: number | null
  current_period_end: number | null
  quantity: number
  scope: 'customer' | 'entity'
}

/** A plan that is paid for once. */
export interface PurchaseAnswer {
  plan_id: string
  /** Where `expand` asked for it. */
  plan?: PlanAnswer
  expires_at: number | null
  started_at: number
  quantity: number
  scope: 'customer' | 'entity'
}

/** Nothing is collected, so there is nothing to pay. */
export interface BilledAnswer {
  customer_id: string
  entity_id?: string
  payment_url: null
}

/** What an action would change and make due, in major units of the currency. */
export interface PreviewAnswer {
  customer_id: string
  line_items: LineItemAnswer[]
  subtotal: number
  total: number
  currency: 'usd'
  next_cycle?: {
    starts_at: number
    subtotal: number
    total: number
    line_items: LineItemAnswer[]
    usage_line_items: LineItemAnswer[]
  }
  incoming: PlanChangeAnswer[]
  outgoing: PlanChangeAnswer[]
}

/** Of attaching. */
export interface AttachPreviewAnswer extends PreviewAnswer {
  redirect_to_checkout: false
  checkout_type: null
}

/** Of `billing.update`. */
export interface UpdatePreviewAnswer extends PreviewAnswer {
  intent: 'update_plan' | 'update_quantity' | 'cancel_immediately' | 'cancel_end_of_cycle' | 'uncancel' | 'none'
}

export interface LineItemAnswer {
  display_name: string
  description: string
  /** Below zero is given back. */
  subtotal: number
  total: number
  discounts: never[]
  plan_id: string
  /** Null for the flat fee. */
  feature_id: string | null
  quantity: number
  period?: { start: number; end: number }
}

export interface PlanChangeAnswer {
  plan_id: string
  /** Where `expand` asked for it. */
  plan?: PlanAnswer
  feature_quantities: { feature_id: string; quantity: number }[]
  /** Null for at once. */
  effective_at: number | null
  canceled_at: number | null
  expires_at: number | null
}

/** What a subject may do with a plan. */
export interface EligibilityAnswer {
  scenario: string
  attach_action: 'activate' | 'upgrade' | 'downgrade' | 'purchase' | 'none'
  status?: 'active' | 'scheduled'
  canceling?: boolean
  trialing?: boolean
  trial_available?: boolean
}

/**
 * Keys that hold something only sometimes, by object. 2.3 and newer leave them out, and so do 2.0 and older; 2.1 and 2.2 show
 * them as null.
 */
export const OPTIONAL = {
  feature: ['credit_schema', 'display'],
  plan: ['free_trial', 'customer_eligibility'],
  eligibility: ['status', 'canceling', 'trialing', 'trial_available'],
  planPrice: ['interval_count'],
  planItem: ['feature', 'display', 'rollover'],
  planItemPrice: ['amount', 'tiers', 'tier_behavior', 'interval_count'],
  planRollover: ['expiry_duration_length'],
  display: ['secondary_text'],
  flag: ['feature'],
  balance: ['feature', 'rollovers'],
  reset: ['interval_count'],
  price: ['amount', 'tier_behavior', 'tiers'],
  subscription: ['plan'],
  purchase: ['plan'],
  billed: ['entity_id', 'invoice', 'required_action'],
  check: ['entity_id', 'required_balance', 'balances', 'flag', 'preview'],
  track: ['entity_id', 'event_name', 'balances'],
  /** Each of these is an expansion of the same name. */
  customer: ['invoices', 'entities', 'trials_used', 'rewards', 'referrals', 'payment_method'],
  entity: ['invoices'],
  preview: ['next_cycle', 'expand'],
  planChange: ['plan'],
  line: ['discounts', 'period'],
  bin: ['grouped_values'],
  billingControls: ['auto_topups', 'spend_limits', 'usage_limits', 'usage_alerts', 'overage_allowed'],
} as const

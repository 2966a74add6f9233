/**
 * The domain says no. Plain data, returned and never thrown; `http/problems.ts` gives each code its HTTP status.
 * `message` is a sentence that the caller can act on.
 */
export interface Refusal {
  readonly kind: 'refused'
  readonly code: RefusalCode
  readonly message: string
}

export type RefusalCode =
  | 'invalid_inputs'
  | 'invalid_request'
  | 'invalid_feature'
  | 'invalid_cursor'
  | 'invalid_product_item'
  | 'conflicting_version_flags'
  | 'historical_plan_version_cannot_be_default'
  | 'not_supported'
  | 'customer_not_found'
  | 'entity_not_found'
  | 'feature_not_found'
  | 'balance_not_found'
  | 'product_not_found'
  | 'event_name_not_found'
  | 'customer_already_exists'
  | 'entity_already_exists'
  | 'entity_id_required'
  | 'feature_in_use'
  | 'duplicate_feature_id'
  | 'product_already_exists'
  | 'plan_in_use'
  | 'balance_id_in_use'
  | 'balance_is_priced'
  | 'flag_already_held'
  | 'event_not_found'
  | 'refund_exceeds_event'
  | 'insufficient_balance'
  | 'feature_limit_reached'
  | 'lock_already_exists'
  | 'lock_not_found'
  | 'idempotency_key_reused'
  | 'duplicate_idempotency_key'
  | 'plan_already_attached'
  | 'duplicate_subscription_id'
  | 'attachment_not_found'
  | 'overloaded'

export function refuse(code: RefusalCode, message: string): Refusal {
  return { kind: 'refused', code, message }
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'refused'
}

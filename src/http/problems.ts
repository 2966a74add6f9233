import type { Environment } from '../domain/customer.ts'
import { OutcomeNotKnown, StoreUnavailable } from '../domain/fault.ts'
import type { RefusalCode } from '../domain/refusal.ts'
import type { Wire } from './wire/wire.ts'

/** What goes back when the answer is no. Every refusal of the domain has a place here; the compiler sees to it. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

const REFUSALS: Record<RefusalCode, { readonly status: number; readonly code: string }> = {
  invalid_inputs: { status: 400, code: 'invalid_inputs' },
  invalid_request: { status: 400, code: 'invalid_request' },
  invalid_feature: { status: 400, code: 'invalid_feature' },
  invalid_product_item: { status: 400, code: 'invalid_product_item' },
  conflicting_version_flags: { status: 400, code: 'conflicting_version_flags' },
  historical_plan_version_cannot_be_default: { status: 400, code: 'historical_plan_version_cannot_be_default' },
  // Not a 409, in the contract too (C50).
  product_already_exists: { status: 400, code: 'product_already_exists' },
  invalid_cursor: { status: 400, code: 'invalid_cursor' },
  not_supported: { status: 400, code: 'not_supported' },
  insufficient_balance: { status: 400, code: 'insufficient_balance' },
  feature_limit_reached: { status: 400, code: 'feature_limit_reached' },
  lock_already_exists: { status: 409, code: 'lock_already_exists' },
  lock_not_found: { status: 400, code: 'invalid_request' },
  refund_exceeds_event: { status: 400, code: 'refund_exceeds_event' },
  event_not_found: { status: 404, code: 'event_not_found' },
  customer_not_found: { status: 404, code: 'customer_not_found' },
  entity_not_found: { status: 404, code: 'entity_not_found' },
  feature_not_found: { status: 404, code: 'feature_not_found' },
  product_not_found: { status: 404, code: 'product_not_found' },
  balance_not_found: { status: 404, code: 'balance_not_found' },
  event_name_not_found: { status: 404, code: 'invalid_request' },
  customer_already_exists: { status: 409, code: 'customer_already_exists' },
  entity_already_exists: { status: 409, code: 'entity_already_exists' },
  entity_id_required: { status: 400, code: 'entity_id_required' },
  feature_in_use: { status: 409, code: 'invalid_request' },
  plan_in_use: { status: 409, code: 'invalid_request' },
  duplicate_feature_id: { status: 409, code: 'duplicate_feature_id' },
  balance_id_in_use: { status: 409, code: 'invalid_request' },
  balance_is_priced: { status: 409, code: 'invalid_request' },
  flag_already_held: { status: 409, code: 'invalid_request' },
  idempotency_key_reused: { status: 409, code: 'idempotency_key_reused' },
  duplicate_idempotency_key: { status: 409, code: 'duplicate_idempotency_key' },
  plan_already_attached: { status: 409, code: 'plan_already_attached' },
  duplicate_subscription_id: { status: 409, code: 'duplicate_subscription_id' },
  attachment_not_found: { status: 404, code: 'cus_product_not_found' },
  // Not a 5xx: the published clients grant access when a check fails with one (K16, K19).
  overloaded: { status: 429, code: 'overloaded' },
}

export function problemOf(code: RefusalCode, message: string): Problem {
  const { status, code: shown } = REFUSALS[code]
  return { status, code: shown, message, ...(status === 429 ? { headers: { 'retry-after': '1' } } : {}) }
}

/** A failing world is a 503 that may be tried again; anything else thrown is a bug of ours, and says nothing of its insides. */
export function faultOf(error: unknown): Problem {
  if (error instanceof StoreUnavailable) {
    const message = 'The store is not available; nothing was applied. Try again in a second'
    return { status: 503, code: 'store_unavailable', message, headers: { 'retry-after': '1' } }
  }
  if (error instanceof OutcomeNotKnown) {
    const message =
      'The store was lost while this was being saved: it may or may not have been applied. Sending it again with the same idempotency key is safe; without one, look first'
    return { status: 503, code: 'outcome_unknown', message, headers: { 'retry-after': '1' } }
  }
  return { status: 500, code: 'internal_error', message: 'Internal server error' }
}

/** The body of every error (B17, R13). */
export function problemBody({ message, code }: Problem, env: Environment): Wire {
  return { message, code, env }
}

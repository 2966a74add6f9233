import type { Instant } from './time.ts'

/** The two worlds of a deployment. They share nothing: not customers, not features, not keys. */
export const ENVIRONMENTS = ['sandbox', 'live'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** The account that holds balances. */
export interface Customer {
  /** Internal, never reused: `cus_…`. */
  readonly uid: string
  readonly env: Environment
  /** The caller's id. */
  readonly id: string
  readonly name: string | null
  readonly email: string | null
  readonly fingerprint: string | null
  readonly stripeId: string | null
  readonly metadata: JsonObject
  readonly sendEmailReceipts: boolean
  readonly createdAt: Instant
}

/** What a caller may say of a customer. A key that is absent says nothing; null says "none". */
export interface CustomerDetails {
  readonly name?: string | null | undefined
  readonly email?: string | null | undefined
  readonly fingerprint?: string | null | undefined
  readonly stripeId?: string | null | undefined
  readonly metadata?: JsonObject | null | undefined
  readonly sendEmailReceipts?: boolean | undefined
}

export function newCustomer(
  uid: string,
  env: Environment,
  id: string,
  details: CustomerDetails,
  now: Instant,
): Customer {
  return {
    uid,
    env,
    id,
    name: details.name ?? null,
    email: details.email ?? null,
    fingerprint: details.fingerprint ?? null,
    stripeId: details.stripeId ?? null,
    metadata: withoutNulls(details.metadata ?? {}),
    sendEmailReceipts: details.sendEmailReceipts ?? false,
    createdAt: now,
  }
}

/**
 * What `get_or_create` may change on a customer that exists: only a missing name or email is filled in, and the receipt
 * setting follows the request. Source: B189.
 */
export function fillIn(customer: Customer, details: CustomerDetails): Customer {
  const name = customer.name ?? details.name ?? null
  const email = customer.email ?? details.email ?? null
  const sendEmailReceipts = details.sendEmailReceipts ?? customer.sendEmailReceipts
  const same = name === customer.name && email === customer.email && sendEmailReceipts === customer.sendEmailReceipts
  return same ? customer : { ...customer, name, email, sendEmailReceipts }
}

/**
 * Changes exactly what the request names. Metadata is merged one level deep and a key set to null is removed; an empty
 * `stripe_id` unlinks. Source: B202-B204.
 */
export function amend(customer: Customer, details: CustomerDetails, newId: string | undefined): Customer {
  return {
    ...customer,
    id: newId ?? customer.id,
    name: details.name === undefined ? customer.name : details.name,
    email: details.email === undefined ? customer.email : details.email,
    fingerprint: details.fingerprint === undefined ? customer.fingerprint : details.fingerprint,
    stripeId: details.stripeId === undefined ? customer.stripeId : details.stripeId || null,
    metadata:
      details.metadata === undefined
        ? customer.metadata
        : withoutNulls({ ...customer.metadata, ...(details.metadata ?? {}) }),
    sendEmailReceipts: details.sendEmailReceipts ?? customer.sendEmailReceipts,
  }
}

function withoutNulls(metadata: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null))
}

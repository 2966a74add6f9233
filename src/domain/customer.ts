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
  /** The caller's id, or null for someone known only by e-mail (B185). */
  readonly id: string | null
  readonly name: string | null
  readonly email: string | null
  readonly fingerprint: string | null
  readonly stripeId: string | null
  readonly metadata: JsonObject
  readonly sendEmailReceipts: boolean
  /** Whether entities see and spend the customer's own balances beside theirs (B51, R35). */
  readonly sharesWithEntities: boolean
  /** How far the customer's clock was moved ahead of its environment's, in milliseconds; zero outside of tests. */
  readonly clockAhead: number
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
  readonly sharesWithEntities?: boolean | undefined
}

export function newCustomer(
  uid: string,
  env: Environment,
  id: string | null,
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
    sharesWithEntities: details.sharesWithEntities ?? true,
    clockAhead: 0,
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
    sharesWithEntities: details.sharesWithEntities ?? customer.sharesWithEntities,
  }
}

/**
 * The name under which someone without an id is found: the e-mail in lower case, of which there is one per environment
 * (B186). It begins with a character that no caller's id can hold.
 */
export function claimOf(email: string): string {
  return CLAIM + email.toLowerCase()
}

/** The e-mail in lower case that a claim is made of; null for any other name. */
export function emailIn(name: string): string | null {
  return name.startsWith(CLAIM) ? name.slice(CLAIM.length) : null
}

const CLAIM = '\u0000'

/** Every name that stands for the customer: the caller's id, or the e-mail where there is none, and the internal id (B187). */
export function namesOf({ uid, id, email }: Customer): string[] {
  const name = id ?? (email === null ? null : claimOf(email))
  return name === null ? [uid] : [name, uid]
}

function withoutNulls(metadata: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null))
}

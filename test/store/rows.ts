import { amount } from '../../src/domain/amount.ts'
import type { Attachment } from '../../src/domain/attachment.ts'
import type { Balance } from '../../src/domain/balance.ts'
import { type Customer, newCustomer } from '../../src/domain/customer.ts'
import type { Entity } from '../../src/domain/entity.ts'
import type { Feature } from '../../src/domain/feature.ts'
import { allBalances, entitiesOf } from '../../src/domain/holdings.ts'
import type { Posting } from '../../src/domain/ledger.ts'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import type {
  CatalogueChange,
  CommitResult,
  CustomerChange,
  CustomerRows,
  KeyRecord,
  Store,
  StoredCustomer,
} from '../../src/store/store.ts'
import { balance } from '../build.ts'

/** Short ways to say what is written to a store. */

export const AT = Date.UTC(2026, 0, 31)
const NOTHING: CustomerRows = {
  expected: null,
  catalogue: 0,
  deleted: false,
  customer: null,
  latest: AT,
  postingsBefore: 0,
  postings: [],
  written: [],
  removed: [],
  entitiesWritten: [],
  entitiesRemoved: [],
  refunds: [],
  locksWritten: [],
  locksRemoved: [],
  attachmentsWritten: [],
  attachmentsRemoved: [],
  events: [],
  keys: [],
}

/** A customer `alice` has the internal id `cus_alice`. */
export function person(id: string, more: Partial<Customer> = {}): Customer {
  return { ...newCustomer(`cus_${id}`, 'sandbox', id, {}, AT), ...more }
}

/** Someone known only by e-mail. */
export function stranger(name: string, email: string): Customer {
  return person(name, { id: null, email })
}

export function added(customer: Customer, more: Partial<CustomerRows> = {}): CustomerChange {
  return { env: customer.env, uid: customer.uid, claims: [], rows: { ...NOTHING, customer, ...more } }
}

export function changed(customer: Customer, expected: number, more: Partial<CustomerRows>): CustomerChange {
  return { env: customer.env, uid: customer.uid, claims: [], rows: { ...NOTHING, expected, ...more } }
}

export function gone(customer: Customer, expected: number, more: Partial<CustomerRows> = {}): CustomerChange {
  return changed(customer, expected, { deleted: true, ...more })
}

/** Commits one transaction. @returns per change `committed 1`, `conflict`, `id_taken`, or the known keys. */
export async function commit(store: Store, ...changes: readonly CustomerChange[]): Promise<string[]> {
  return (await store.commit({ at: AT, changes })).map(worded)
}

export function worded(result: CommitResult | { readonly kind: 'in_use' }): string {
  if (result.kind === 'committed') return `committed ${result.version}`
  if (result.kind === 'known') return `known ${result.records.map(({ hash, answer }) => `${hash}=${answer}`).join(' ')}`
  return result.kind
}

export function change(expected: number, more: Partial<CatalogueChange>): CatalogueChange {
  return {
    env: 'sandbox',
    at: AT,
    now: AT,
    expected,
    written: null,
    removed: null,
    plansWritten: [],
    plansRemoved: [],
    clockAhead: 0,
    unused: null,
    claims: [],
    keys: [],
    ...more,
  }
}

export function feature(id: string, more: Partial<Feature> = {}): Feature {
  return {
    uid: `feat_${id}`,
    id,
    name: id,
    type: { kind: 'metered', consumable: true },
    eventNames: [],
    display: null,
    archived: false,
    createdAt: AT,
    ...more,
  }
}

export function seat(id: string | null, more: Partial<Entity> = {}): Entity {
  return { uid: `ent_${id}`, id, name: null, feature: 'feat_seats', createdAt: AT, ...more }
}

export function grantOf(uid: string, more: Partial<Balance> = {}): Balance {
  return { ...balance({ uid, createdAt: AT }), ...more }
}

/** That the customer itself has a plan, from now on without an end. */
export function attachment(uid: string, planId: string, more: Partial<Attachment> = {}): Attachment {
  return {
    uid,
    id: null,
    plan: `plan_${planId}`,
    planId,
    version: 1,
    entity: null,
    custom: null,
    status: 'active',
    startsAt: AT,
    canceledAt: null,
    endsAt: null,
    trialEndsAt: null,
    anchor: AT,
    quantities: [],
    createdAt: AT,
    ...more,
  }
}

export function posting(uid: string, value: string, more: Partial<Posting> = {}): Posting {
  return {
    entity: null,
    feature: 'feat_messages',
    balance: uid,
    rollover: null,
    kind: 'grant',
    amount: amount(value),
    granted: amount(value),
    held: 0n,
    remainingAfter: amount(value),
    permit: null,
    cause: 'test',
    at: AT,
    ...more,
  }
}

export function event(uid: string, more: Partial<UsageEvent> = {}): UsageEvent {
  return {
    uid,
    name: 'messages',
    value: amount('1'),
    properties: {},
    entity: null,
    refundOf: null,
    lock: null,
    timestamp: AT,
    recordedAt: AT,
    deductions: [],
    ...more,
  }
}

export function record(hash: string, answer = 'yes'): KeyRecord {
  return { hash, fingerprint: `of ${hash}`, answer }
}

/** All that is stored of a customer in plain lists, those in order of their internal ids; null when there is nobody. */
export function told(stored: StoredCustomer | null | undefined) {
  if (stored == null) return null
  const { holdings, version } = stored
  const byUid = (a: { readonly uid: string }, b: { readonly uid: string }) => (a.uid < b.uid ? -1 : 1)
  return {
    version,
    customer: holdings.customer,
    latest: holdings.latest,
    postings: holdings.postings,
    balances: [...allBalances(holdings)].sort(byUid),
    entities: entitiesOf(holdings).sort(byUid),
  }
}

export async function find(store: Store, id: string, env: Customer['env'] = 'sandbox') {
  const [stored] = await store.load([{ env, id }])
  return told(stored)
}

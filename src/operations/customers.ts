import { amend, type Customer, type CustomerDetails, claimOf, fillIn } from '../domain/customer.ts'
import { addEntities } from '../domain/entities.ts'
import { findEntity } from '../domain/holdings.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Instant } from '../domain/time.ts'
import type { Reply } from '../engine/command.ts'
import type { CustomerQuery } from '../store/store.ts'
import { cursorAfter, readCursor } from './cursor.ts'
import {
  asOf,
  type Bench,
  type Context,
  customerNotFound,
  deciding,
  decidingOnAnyone,
  type NewcomerTerms,
  type Result,
  SUCCESS,
  type Subject,
  type Success,
} from './decide.ts'
import { type CustomerView, customerView } from './view.ts'

/** What to do for an entity that is named but not there. */
export interface WantedEntity {
  readonly id: string
  readonly name: string | null
  /** The feature that it would be an instance of; undefined where the caller did not say. */
  readonly featureId: string | undefined
}

export interface CustomerRequest extends NewcomerTerms {
  /** Null for someone known only by e-mail. */
  readonly id: string | null
  readonly entity: WantedEntity | undefined
  readonly withEntities: boolean
}

/**
 * Returns the customer with this id, and creates it first when there is none. However many ask at once, one is created.
 * Of an existing one only a missing name or email is filled in. Someone known only by e-mail gets the id of the first
 * request that names both. Refusals: `invalid_request` (neither id nor e-mail), and those of an entity that is to be there.
 * Source: B185, B186, B188-B191, B224.
 */
export async function getOrCreateCustomer(context: Context, request: CustomerRequest): Promise<Reply<CustomerView>> {
  const { id, details } = request
  const claim = details.email == null ? null : claimOf(details.email)
  const name = id ?? claim
  if (name === null) {
    const outcome = refuse('invalid_request', 'A customer needs customer_id, or an email where customer_id is null')
    return { outcome, replayed: false }
  }
  const found = await readPresent(context, name, request)
  if (found !== null) return { outcome: { kind: 'answered', answer: found }, replayed: false }
  if (id !== null && claim !== null) {
    const claimed = await claimCustomer(context, id, claim, request)
    if (claimed !== null) return claimed
  }
  return context.engine.submit({
    env: context.env,
    keys: context.keys,
    customerId: name,
    decide: decidingOnAnyone(context.env, name, request, OPERATION, (bench) => completed(bench, request)),
  })
}

const OPERATION = 'customers.get_or_create'

/** The usual call finds a customer that needs nothing: that is a read. Null when there is something to do. */
function readPresent({ engine, env, keys }: Context, name: string, { details, entity, withEntities }: CustomerRequest) {
  return engine.read(env, name, (holdings, { now }, catalogue) => {
    if (holdings === null || keys.length > 0 || fillIn(holdings.customer, details) !== holdings.customer) return null
    if (entity !== undefined && findEntity(holdings, entity.id) === undefined) return null
    return customerView(asOf(holdings, now, catalogue), catalogue, now, withEntities)
  })
}

/** Gives an id to someone known by this e-mail. Null when there is nobody, or the id was taken meanwhile (B186). */
async function claimCustomer(
  { engine, env, keys }: Context,
  id: string,
  claim: string,
  request: CustomerRequest,
): Promise<Reply<CustomerView> | null> {
  // Someone with the id comes first, and without anyone known by the e-mail there is nothing to claim.
  if (await engine.read(env, id, (holdings) => holdings !== null)) return null
  if (await engine.read(env, claim, (holdings) => holdings === null)) return null
  const reply = await engine.submit({
    env,
    keys,
    customerId: claim,
    decide(situation) {
      const outcome = deciding<CustomerView>({ customerId: claim }, OPERATION, (bench) => {
        const { holdings } = bench
        if (holdings.customer.id !== null) return customerNotFound(id)
        const customer: Customer = { ...holdings.customer, id }
        return completed({ ...bench, holdings: { ...holdings, customer } }, request)
      })(situation)
      return outcome.kind === 'done' ? { ...outcome, whenIdTaken: customerNotFound(id) } : outcome
    },
  })
  return isRefusal(reply.outcome) && reply.outcome.code === 'customer_not_found' ? null : reply
}

/** The customer with what the request adds: a missing name or e-mail, a missing entity. */
function completed(bench: Bench, { details, entity, withEntities }: CustomerRequest): Result<CustomerView> | Refusal {
  const { holdings, catalogue, moment, journal } = bench
  const customer = fillIn(holdings.customer, details)
  let after = customer === holdings.customer ? holdings : { ...holdings, customer }
  if (entity !== undefined && findEntity(after, entity.id) === undefined) {
    const { featureId } = entity
    if (featureId === undefined) {
      return refuse('invalid_inputs', `entity_data.feature_id is needed to create the entity ${entity.id}`)
    }
    const added = addEntities(after, [{ ...entity, featureId }], catalogue, moment, journal)
    if (isRefusal(added)) return added
    after = added.holdings
  }
  return { holdings: after, answer: customerView(after, catalogue, moment.now, withEntities) }
}

/**
 * Sees to it that a customer, and the entity that is named, are there before something is done for them: what versions
 * before 2.1 do. @returns null when they are, or why they cannot be. Source: R11.
 */
export async function ensureCustomer(
  context: Context,
  { customerId, entityId }: Subject,
  terms: NewcomerTerms,
  entity: Omit<WantedEntity, 'id'> | undefined,
): Promise<Refusal | null> {
  const wanted =
    entityId === undefined ? undefined : { id: entityId, name: entity?.name ?? null, featureId: entity?.featureId }
  const request = { ...terms, id: customerId, entity: wanted, withEntities: false }
  // The keys of the request belong to what is done for the customer afterwards.
  const { outcome } = await getOrCreateCustomer({ ...context, keys: [] }, request)
  return isRefusal(outcome) ? outcome : null
}

/** Refusal: `customer_not_found`. */
export function getCustomer(
  { engine, env }: Context,
  id: string,
  withEntities: boolean,
): CustomerView | Refusal | Promise<CustomerView | Refusal> {
  return engine.read(env, id, (holdings, { now }, catalogue) =>
    holdings === null
      ? customerNotFound(id)
      : customerView(asOf(holdings, now, catalogue), catalogue, now, withEntities),
  )
}

/** Changes what the request names. Refusals: `customer_not_found`, `customer_already_exists` (the new id is taken). Source: B202-B204. */
export function updateCustomer(
  { engine, env, keys }: Context,
  id: string,
  details: CustomerDetails,
  newId: string | undefined,
  withEntities: boolean,
): Promise<Reply<CustomerView>> {
  return engine.submit({
    env,
    keys,
    customerId: id,
    ...(newId === undefined ? {} : { keyedBy: byName(id) }),
    decide(situation) {
      const outcome = deciding({ customerId: id }, 'customers.update', ({ holdings, catalogue, moment }) => {
        const after = { ...holdings, customer: amend(holdings.customer, details, newId) }
        return { holdings: after, answer: customerView(after, catalogue, moment.now, withEntities) }
      })(situation)
      if (outcome.kind !== 'done') return outcome
      const other = newId === undefined ? 'without an id and with this email' : newId
      return { ...outcome, whenIdTaken: refuse('customer_already_exists', `Customer ${other} already exists`) }
    },
  })
}

/** Deletes the customer with its entities, balances, ledger and events. Refusal: `customer_not_found`. Source: B205. */
export function deleteCustomer({ engine, env, keys }: Context, id: string): Promise<Reply<Success>> {
  return engine.submit({
    env,
    keys,
    customerId: id,
    keyedBy: byName(id),
    decide: ({ holdings }) => (holdings === null ? customerNotFound(id) : { kind: 'gone', answer: SUCCESS }),
  })
}

/** Whose the keys of a request are after which the customer has this name no longer. */
function byName(id: string): string {
  return `named ${id}`
}

export interface CustomerListRequest {
  readonly plans: CustomerQuery['plans']
  readonly status: CustomerQuery['status']
  readonly search: string | undefined
  readonly order: 'newest' | 'oldest'
  readonly from: Instant | undefined
  readonly to: Instant | undefined
  readonly cursor: string
  readonly limit: number
  readonly counted: boolean
}

/** A page of a list. The counts are null unless they were asked for. */
export interface ListPage<T> {
  readonly rows: readonly T[]
  readonly nextCursor: string | null
  readonly counts: { readonly all: number; readonly filtered: number } | null
}

/** Customers in order of creation, each brought up to its own present. Refusal: `invalid_cursor`. Source: B206-B211. */
export async function listCustomers(
  { engine, env }: Context,
  { cursor, limit, ...filters }: CustomerListRequest,
): Promise<ListPage<CustomerView> | Refusal> {
  const start = readCursor(cursor)
  if (isRefusal(start)) return start
  const page = await engine.listCustomers({ env, ...filters, ...start, limit: limit + 1 })
  const { catalogue } = page
  const rows = page.rows.slice(0, limit).map(({ holdings }) => {
    const { now } = engine.moment(env, holdings)
    return customerView(asOf(holdings, now, catalogue), catalogue, now, false)
  })
  const last = page.rows.length > limit ? rows.at(-1)?.customer : undefined
  return {
    rows,
    nextCursor: last === undefined ? null : cursorAfter({ uid: last.uid, at: last.createdAt }),
    counts: filters.counted ? { all: page.all, filtered: page.filtered } : null,
  }
}

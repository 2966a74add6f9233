import { addEntities, type EntityRequest, removeEntity } from '../domain/entities.ts'
import type { Entity } from '../domain/entity.ts'
import { findEntity, withEntity } from '../domain/holdings.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Reply } from '../engine/command.ts'
import type { CustomerQuery, EntityRow } from '../store/store.ts'
import { cursorAfter, readCursor } from './cursor.ts'
import type { ListPage } from './customers.ts'
import {
  asOf,
  type Bench,
  type Context,
  customerNotFound,
  deciding,
  decidingOnAnyone,
  entityNotFound,
  type NewcomerTerms,
  type Result,
  SUCCESS,
  type Success,
  unlessRepeated,
} from './decide.ts'
import { type EntityView, entityView } from './view.ts'

/** Which entity; without a customer its id must be unique in the environment (B221). */
export interface EntityReference {
  readonly customerId: string | undefined
  readonly entityId: string
}

/**
 * Adds entities to a customer, which is created when there is none (B215). All are added or none. Refusals: those of
 * `addEntities`. Source: B214-B218.
 */
export function createEntities(
  { engine, env, keys }: Context,
  customerId: string,
  requests: readonly EntityRequest[],
  terms: NewcomerTerms,
): Promise<Reply<readonly EntityView[]>> {
  const rule = (bench: Bench): Result<readonly EntityView[]> | Refusal => {
    const { holdings, catalogue, moment, journal } = bench
    const result = addEntities(holdings, requests, catalogue, moment, journal)
    if (isRefusal(result)) return result
    const answer = result.added.map((entity) => entityView(result.holdings, entity, catalogue, moment.now))
    return { holdings: result.holdings, answer }
  }
  const decide = decidingOnAnyone(env, customerId, { ...terms, id: customerId }, 'entities.create', rule)
  return engine.submit({ env, keys, customerId, decide })
}

/** Refusals: `customer_not_found`, `entity_not_found`, `entity_id_required` (several customers have one of this id). */
export async function getEntity(context: Context, reference: EntityReference): Promise<EntityView | Refusal> {
  const { engine, env } = context
  const customerId = await customerOf(context, reference)
  if (isRefusal(customerId)) return customerId
  return engine.read(env, customerId, (holdings, { now }, catalogue) => {
    if (holdings === null) return customerNotFound(customerId)
    const entity = findEntity(holdings, reference.entityId)
    if (entity === undefined) return entityNotFound(reference.entityId)
    return entityView(asOf(holdings, now, catalogue), entity, catalogue, now)
  })
}

/** Changes the name. Refusals as for `getEntity`. Source: B222, with its recommendation. */
export function updateEntity(
  context: Context,
  reference: EntityReference,
  name: string | null | undefined,
): Promise<Reply<EntityView>> {
  return change(context, reference, 'entities.update', ({ holdings, catalogue, moment }, entity) => {
    const renamed = name === undefined || name === entity.name ? entity : { ...entity, name }
    const after = renamed === entity ? holdings : withEntity(holdings, renamed)
    return { holdings: after, answer: entityView(after, renamed, catalogue, moment.now) }
  })
}

/** Takes the entity away with its balances and gives its seat back. Refusals as for `getEntity`. Source: B220. */
export function deleteEntity(context: Context, reference: EntityReference): Promise<Reply<Success>> {
  return change(context, reference, 'entities.delete', ({ holdings, journal }, entity) => ({
    holdings: removeEntity(holdings, entity, journal),
    answer: SUCCESS,
  }))
}

export interface EntityListRequest {
  readonly customerId: string | undefined
  readonly search: string | undefined
  readonly plans: CustomerQuery['plans']
  readonly status: CustomerQuery['status']
  readonly cursor: string
  readonly limit: number
  readonly counted: boolean
}

/** Entities, newest first. Refusals: `invalid_cursor`, `customer_not_found`. Source: B223. */
export async function listEntities(
  { engine, env }: Context,
  { customerId, cursor, limit, ...filters }: EntityListRequest,
): Promise<ListPage<EntityView> | Refusal> {
  const start = readCursor(cursor)
  if (isRefusal(start)) return start
  const customer =
    customerId === undefined ? undefined : await engine.read(env, customerId, (found) => found?.customer.uid ?? null)
  if (customer === null) return customerNotFound(customerId ?? '')
  const query = { env, customer, ...filters, ...start, order: 'newest' as const, limit: limit + 1 }
  const page = await engine.listEntities(query)
  const shown = page.rows.slice(0, limit)
  const views = await Promise.all(shown.map((row) => viewOf(row)))
  const last = page.rows.length > limit ? shown.at(-1)?.entity : undefined
  return {
    // One that was deleted since the page was read is not shown.
    rows: views.filter((view) => view !== null),
    nextCursor: last === undefined ? null : cursorAfter({ uid: last.uid, at: last.createdAt }),
    counts: filters.counted ? { all: page.all, filtered: page.filtered } : null,
  }

  function viewOf({ customer: subject, entity }: EntityRow): EntityView | null | Promise<EntityView | null> {
    return engine.read(env, subject, (holdings, { now }, catalogue) => {
      const found = holdings === null ? undefined : findEntity(holdings, entity.uid)
      return holdings === null || found === undefined
        ? null
        : entityView(asOf(holdings, now, catalogue), found, catalogue, now)
    })
  }
}

async function change<A>(
  context: Context,
  reference: EntityReference,
  cause: string,
  rule: (bench: Bench, entity: Entity) => Result<A>,
): Promise<Reply<A>> {
  const { engine, env, keys } = context
  // Without a customer the same request may find nobody when it is sent again, or the entity of somebody else.
  const keyedBy = reference.customerId === undefined ? { keyedBy: `entity ${reference.entityId}` } : {}
  const customerId = await customerOf(context, reference)
  if (isRefusal(customerId)) return unlessRepeated(context, { customerId: reference.entityId, ...keyedBy }, customerId)
  const act = (bench: Bench) => {
    const entity = findEntity(bench.holdings, reference.entityId)
    return entity === undefined ? entityNotFound(reference.entityId) : rule(bench, entity)
  }
  return engine.submit({ env, keys, customerId, ...keyedBy, decide: deciding({ customerId }, cause, act) })
}

/** The customer that the caller named, or the only one that has such an entity. */
async function customerOf(
  { engine, env }: Context,
  { customerId, entityId }: EntityReference,
): Promise<string | Refusal> {
  if (customerId !== undefined) return customerId
  const { rows } = await engine.listEntities({
    env,
    id: entityId,
    order: 'newest',
    offset: 0,
    limit: 2,
    counted: false,
  })
  const [only, another] = rows
  if (only === undefined) return entityNotFound(entityId)
  if (another === undefined) return only.customer
  return refuse('entity_id_required', `Several customers have an entity ${entityId}: say whose with customer_id`)
}

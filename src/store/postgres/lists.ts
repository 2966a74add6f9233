import { assert } from '../../domain/assert.ts'
import { type Environment, emailIn } from '../../domain/customer.ts'
import type { SqlRow, SqlValue } from '../cells.ts'
import { ATTACHMENT_COLUMNS, PLAN_COLUMNS, planFromRow } from '../plan-rows.ts'
import type { CustomerRowSet } from '../row-set.ts'
import {
  BALANCE_COLUMNS,
  CUSTOMER_COLUMNS,
  ENTITY_COLUMNS,
  FEATURE_COLUMNS,
  featureFromRow,
  POSTING_COLUMNS,
  REFUND_COLUMNS,
} from '../rows.ts'
import type { CustomerQuery, CustomerReference, EntityQuery, EventQuery, StoredCatalogue, Versions } from '../store.ts'
import { EVENT_COLUMNS, LOCK_COLUMNS } from '../use-rows.ts'
import type { Connections, Statement } from './connections.ts'
import { andProperties } from './properties.ts'
import { Where } from './where.ts'

/** A customer's own columns, and its other rows as JSON: one statement, so all of one instant. */
export type LoadedRow = SqlRow & {
  readonly [table in 'entities' | 'balances' | 'refunds' | 'locks' | 'attachments']: readonly SqlValue[][] | null
}

const AMOUNTS: readonly string[] = ['allowance', 'remaining', 'adjustment', 'held']

export interface CatalogueRow {
  readonly version: number
  readonly clock_ahead: number
  readonly features: readonly SqlRow[] | null
  readonly plans: readonly SqlRow[] | null
}

/** All tables in one statement, so of one instant. Primary keys (env, uid); `position` keeps the order of creation. */
export const CATALOGUE: Statement = {
  name: 'catalogue',
  text: `select version, clock_ahead, (
      select json_agg(features order by position) from (
        select position, ${FEATURE_COLUMNS.join(', ')} from features where env = $1
      ) as features
    ) as features, (
      select json_agg(plans order by position) from (
        select position, ${PLAN_COLUMNS.join(', ')} from plans where env = $1
      ) as plans
    ) as plans
    from catalogues where env = $1`,
}

/** @param row none where nothing was ever defined. */
export function catalogueFromRow(row: CatalogueRow | undefined): StoredCatalogue {
  return {
    version: row?.version ?? 0,
    clockAhead: row?.clock_ahead ?? 0,
    features: (row?.features ?? []).map(featureFromRow),
    plans: (row?.plans ?? []).map(planFromRow),
  }
}

/** Along the primary keys. Amounts as text: JSON would make binary floats of them. */
function listOf(table: string, columns: readonly string[]): string {
  const cells = columns.map((column) => (AMOUNTS.includes(column) ? `${column}::text` : column)).join(', ')
  return `(select json_agg(json_build_array(${cells})) from ${table} where customer = c.key) as ${table}`
}

export const WHOLE_CUSTOMER = `
  c.uid, c.env, s.version, s.latest, s.postings, ${CUSTOMER_COLUMNS.map((column) => `c.${column}`).join(', ')},
  ${listOf('entities', ENTITY_COLUMNS)}, ${listOf('balances', BALANCE_COLUMNS)}, ${listOf('refunds', REFUND_COLUMNS)},
  ${listOf('locks', LOCK_COLUMNS)}, ${listOf('attachments', ATTACHMENT_COLUMNS)}`

/**
 * Unique (id, env), else unique (uid); unique (claim, env) for a claim, which is no id. `is true` keeps env from being looked
 * up along customers_by_time, which as long as the table has no statistics looks as good to the planner.
 */
const REFERRED = `
  unnest($1::text[], $2::text[], $3::text[]) with ordinality as r (env, name, claim, n)
  cross join lateral (select coalesce(
    (select key from customers where id = r.name and (env = r.env) is true),
    (select key from customers where uid = r.name and (env = r.env) is true),
    (select key from customers where claim = r.claim and (env = r.env) is true)
  ) as key) as found`

const LOAD: Statement = {
  name: 'load',
  text: `select r.n, ${WHOLE_CUSTOMER}
    from ${REFERRED} join customers c on c.key = found.key join customer_states s on s.customer = c.key`,
}

const VERSIONS: Statement = {
  name: 'versions',
  text: `select 0 as n, env as uid, version from catalogues
    union all select r.n, uid, version from ${REFERRED} join customer_states on customer = found.key`,
}

function referring(references: readonly CustomerReference[]): unknown[] {
  const claims = references.map(({ id }) => emailIn(id))
  return [references.map(({ env }) => env), references.map(({ id }, i) => (claims[i] === null ? id : null)), claims]
}

export async function load(
  connections: Connections,
  references: readonly CustomerReference[],
): Promise<(CustomerRowSet | null)[]> {
  const found: (CustomerRowSet | null)[] = references.map(() => null)
  const rows = await connections.read<LoadedRow & { n: number }>(LOAD, referring(references))
  for (const row of rows) found[row.n - 1] = rowSet(row)
  return found
}

export async function versions(connections: Connections, references: readonly CustomerReference[]): Promise<Versions> {
  const catalogues: Record<Environment, number> = { sandbox: 0, live: 0 }
  const customers: { uid: string; version: number }[] = []
  const rows = await connections.read<{ n: number; uid: string; version: number }>(VERSIONS, referring(references))
  for (const { n, uid, version } of rows) {
    if (n === 0) catalogues[uid as Environment] = version
    else customers[n - 1] = { uid, version }
  }
  return { catalogues, customers: references.map((_, i) => customers[i] ?? null) }
}

export function rowSet(customer: LoadedRow): CustomerRowSet {
  return {
    customer,
    entities: rowsOf(customer.entities, ENTITY_COLUMNS),
    balances: rowsOf(customer.balances, BALANCE_COLUMNS),
    refunds: rowsOf(customer.refunds, REFUND_COLUMNS),
    locks: rowsOf(customer.locks, LOCK_COLUMNS),
    attachments: rowsOf(customer.attachments, ATTACHMENT_COLUMNS),
  }
}

function rowsOf(list: readonly SqlValue[][] | null, columns: readonly string[]): SqlRow[] {
  return (list ?? []).map((cells) => Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? null])))
}

/** Unique (id, env). */
const FIND_LOCK: Statement = {
  name: 'find_lock',
  text: `select c.uid from locks join customers c on c.key = customer where locks.id = $2 and (locks.env = $1) is true`,
}

export async function findLock(connections: Connections, env: Environment, id: string): Promise<string | null> {
  const [row] = await connections.read<{ uid: string }>(FIND_LOCK, [env, id])
  return row?.uid ?? null
}

/** Along locks_by_lapse, from the one that has waited longest; only customers of a sandbox have clocks of their own. */
const LAPSED: Statement = {
  name: 'lapsed_locks',
  text: `select c.uid from locks join customers c on c.key = customer
    where locks.env = $1 and lapses_at <= $2 + clock_ahead order by lapses_at limit $3`,
}

export async function withLapsedLocks(
  connections: Connections,
  env: Environment,
  at: number,
  limit: number,
): Promise<string[]> {
  const rows = await connections.read<{ uid: string }>(LAPSED, [env, at, limit])
  return [...new Set(rows.map(({ uid }) => uid))]
}

/**
 * Along attachments_by_turn as far as the time has come, so that the many that end some day cost nothing; and of the few
 * customers who have a clock of their own each one's, along customers_with_clocks.
 */
const DUE: Statement = {
  name: 'due_attachments',
  text: `select uid from (
      (
        select c.uid, turns_at as due from attachments a join customers c on c.key = a.customer
        where a.env = $1 and turns_at <= $2 order by turns_at limit $3
      )
      union all
      select c.uid, turns_at - clock_ahead from customers c join attachments a on a.customer = c.key
      where c.env = $1 and clock_ahead > 0 and turns_at <= $2 + clock_ahead
    ) as due group by uid order by min(due) limit $3`,
}

export async function withDueAttachments(
  connections: Connections,
  env: Environment,
  at: number,
  limit: number,
): Promise<string[]> {
  return (await connections.read<{ uid: string }>(DUE, [env, at, limit])).map(({ uid }) => uid)
}

export interface RowPage<T> {
  readonly rows: readonly T[]
  readonly all: number
  readonly filtered: number
}

/** Read along customers_by_time. */
export async function listCustomers(connections: Connections, query: CustomerQuery): Promise<RowPage<CustomerRowSet>> {
  const where = new Where('customers.env = ?', query.env)
  if (query.from !== undefined) where.and('customers.created_at >= ?', query.from)
  if (query.to !== undefined) where.and('customers.created_at <= ?', query.to)
  if (query.search !== undefined) where.andMentions(['customers.id', 'customers.name', 'customers.email'], query.search)
  where.andAttached('customers', query)
  const counts = await countsOf(connections, 'customers', where, query)
  const { page, order } = pageOf('customers', where, query)
  const rows = await connections.read<LoadedRow>(
    passing(
      `select ${WHOLE_CUSTOMER} from (select customers.* ${page}) as c join customer_states s on s.customer = c.key
       order by ${order('c')}`,
    ),
    where.values,
  )
  return { ...counts, rows: rows.map(rowSet) }
}

/** Read along entities_by_time; with an id along entities_by_id, with a customer along the primary key. */
export async function listEntities(connections: Connections, query: EntityQuery): Promise<RowPage<SqlRow>> {
  const where = new Where('entities.env = ?', query.env)
  if (query.customer !== undefined) {
    where.and('entities.customer = (select key from customers where uid = ?)', query.customer)
  }
  if (query.id !== undefined) where.and('(entities.id = ? or entities.uid = ?)', query.id, query.id)
  if (query.search !== undefined) where.andMentions(['entities.id', 'entities.name'], query.search)
  where.andAttached('entities', query)
  const counts = await countsOf(connections, 'entities', where, query)
  const columns = ENTITY_COLUMNS.map((column) => `entities.${column}`).join(', ')
  const { page } = pageOf('entities', where, query)
  const rows = await connections.read<SqlRow>(
    passing(`select ${columns}, customers.uid as customer_uid ${page}`),
    where.values,
  )
  return { ...counts, rows }
}

/** In the text and not as values, so that a plan that is made without looking at values knows how few rows are wanted. */
function pieceOf({ limit, offset }: { readonly limit: number; readonly offset: number }): string {
  assert(Number.isSafeInteger(limit) && Number.isSafeInteger(offset), 'a page has a size and a place')
  return `limit ${limit} offset ${offset}`
}

/** Joined, because a deleted customer leaves its entities behind for a while. */
const FROM = { customers: 'from customers', entities: 'from entities join customers on key = entities.customer' }

function pageOf(table: 'customers' | 'entities', where: Where, query: CustomerQuery | EntityQuery) {
  const [sign, direction] = query.order === 'newest' ? ['<', 'desc'] : ['>', 'asc']
  if (query.after !== undefined) {
    where.and(`(${table}.created_at, ${table}.uid) ${sign} (?, ?)`, query.after.at, query.after.uid)
  }
  const order = (of: string) => `${of}.created_at ${direction}, ${of}.uid ${direction}`
  const rows = pieceOf(query)
  return { page: `${FROM[table]} where ${where.text} order by ${order(table)} ${rows}`, order }
}

async function countsOf(
  connections: Connections,
  table: 'customers' | 'entities',
  where: Where,
  query: CustomerQuery | EntityQuery,
): Promise<{ all: number; filtered: number }> {
  if (!query.counted) return { all: 0, filtered: 0 }
  const everyone = `(select count(*) ${FROM[table]} where ${table}.env = $1)`
  const [counts] = await connections.read<{ all: number; filtered: number }>(
    passing(`select ${everyone} as all, (select count(*) ${FROM[table]} where ${where.text}) as filtered`),
    where.values,
  )
  return counts ?? { all: 0, filtered: 0 }
}

/** By the caller's id or the internal one, each with the environment. */
export const KEY_OF = `coalesce(
  (select key from customers where id = ? and (env = ?) is true),
  (select key from customers where uid = ? and (env = ?) is true))`

/**
 * In the order of the index, until the page is full. Where a filter looks as if it let hardly anything through, the planner
 * would rather read all events of the customer, with helpers, and sort what is left: a second instead of milliseconds.
 */
const IN_ORDER = 'set local enable_sort = off; set local max_parallel_workers_per_gather = 0'

export async function listEvents(connections: Connections, query: EventQuery): Promise<SqlRow[]> {
  // One customer reads its primary keys backwards, all customers events_by_time.
  const where = new Where('true')
  if (query.customerId === undefined) where.and('e.env = ? and coalesce(c.key, f.key) is not null', query.env)
  else where.and(`e.customer = ${KEY_OF}`, query.customerId, query.env, query.customerId, query.env)
  // Along the customer's events from the newest on; what is given back is nearly always something recent.
  if (query.uid !== undefined) where.and('e.uid = ?', query.uid)
  if (query.entity !== undefined) where.and('e.entity = ?', query.entity)
  if (query.names !== undefined) where.and('e.name = any (?)', query.names)
  andProperties(where, query.properties ?? [])
  if (query.from !== undefined) where.and('e.timestamp >= ?', query.from)
  if (query.to !== undefined) where.and('e.timestamp <= ?', query.to)
  // Leaves out whole months.
  if (query.storedFrom !== undefined) where.and('e.stored_at >= ?', query.storedFrom)
  if (query.after !== undefined) where.and('(e.timestamp, e.uid) < (?, ?)', query.after.timestamp, query.after.uid)
  const columns = EVENT_COLUMNS.map((column) => `e.${column}`).join(', ')
  const rows = pieceOf(query)
  const text = `select ${columns}, ${query.customerId === undefined ? OF_ANYONE : OF_CUSTOMER}
    where ${where.text} order by e.timestamp desc, e.uid desc ${rows}`
  return connections.read<SqlRow>({ ...passing(text), within: IN_ORDER }, where.values)
}

const OF_CUSTOMER = 'coalesce(c.id, c.uid) as customer_id from events e join customers c on c.key = e.customer'
/** Whose an event `e` is, former customers that are anonymised included. */
export const OF_WHOM = `left join customers c on c.key = e.customer
  left join former_customers f on f.key = e.customer and f.anonymised = 1`
export const WHO = 'coalesce(c.id, c.uid, f.uid)'
const OF_ANYONE = `${WHO} as customer_id from events e ${OF_WHOM}`

const LEDGER: Statement = {
  name: 'ledger',
  text: `select ${POSTING_COLUMNS.join(', ')} from postings where customer = coalesce(
      (select customer from customer_states where uid = $1), (select key from former_customers where uid = $1)
    ) order by seq`,
}

export function ledger(connections: Connections, customer: string): Promise<SqlRow[]> {
  return connections.read<SqlRow>(LEDGER, [customer])
}

/** A statement that is put together for one question. */
export function passing(text: string): Statement {
  return { name: '', text }
}

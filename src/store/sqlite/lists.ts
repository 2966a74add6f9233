import { emailIn } from '../../domain/customer.ts'
import type { SqlRow, SqlValue } from '../cells.ts'
import { ATTACHMENT_COLUMNS, attachedCondition } from '../plan-rows.ts'
import { BALANCE_COLUMNS, CUSTOMER_COLUMNS, ENTITY_COLUMNS, POSTING_COLUMNS, REFUND_COLUMNS } from '../rows.ts'
import type { CustomerQuery, CustomerReference, EntityQuery, EventQuery } from '../store.ts'
import { EVENT_COLUMNS, LOCK_COLUMNS, traceOf } from '../use-rows.ts'
import type { DueQuery, PackedCustomer, RowPage } from './protocol.ts'
import type { Sql } from './sql.ts'

export function load(sql: Sql, references: readonly CustomerReference[]): (PackedCustomer | null)[] {
  return references.map(({ env, id }) => {
    const customer = find(sql, env, id)
    return customer === undefined ? null : rowsOf(sql, customer)
  })
}

/** Unique (env, claim) for a claim; else unique (env, id), else unique (uid). */
function find(sql: Sql, env: string, name: string): SqlRow | undefined {
  const email = emailIn(name)
  if (email !== null) return sql.get(`${SELECT_CUSTOMER} where env = ? and claim = ?`, [env, email])
  return (
    sql.get(`${SELECT_CUSTOMER} where env = ? and id = ?`, [env, name]) ??
    sql.get(`${SELECT_CUSTOMER} where uid = ? and env = ?`, [name, env])
  )
}

export function rowsOf(sql: Sql, customer: SqlRow): PackedCustomer {
  const key = customer['key'] ?? null
  return {
    customer,
    // Primary keys (customer, uid).
    entities: rowsAsText(sql, 'entities', ENTITY_COLUMNS, key),
    balances: rowsAsText(sql, 'balances', BALANCE_COLUMNS, key),
    refunds: rowsAsText(sql, 'refunds', REFUND_COLUMNS, key),
    // Along locks_of_customer.
    locks: rowsAsText(sql, 'locks', LOCK_COLUMNS, key),
    attachments: rowsAsText(sql, 'attachments', ATTACHMENT_COLUMNS, key),
  }
}

/** A JSON list: one text crosses to the other thread in a fraction of the time that ten thousand rows take. */
function rowsAsText(sql: Sql, table: string, columns: readonly string[], key: SqlValue): string {
  const fields = columns.map((column) => `'${column}', ${column}`).join(', ')
  const row = sql.get(`select json_group_array(json_object(${fields})) as list from ${table} where customer = ?`, [key])
  return String(row?.['list'])
}

/** Read along customers_by_time. */
export function listCustomers(sql: Sql, query: CustomerQuery): RowPage<PackedCustomer> {
  const where = new Where('customers.env = ?', query.env)
  if (query.from !== undefined) where.and('customers.created_at >= ?', query.from)
  if (query.to !== undefined) where.and('customers.created_at <= ?', query.to)
  if (query.search !== undefined) {
    const search = query.search.toLowerCase()
    where.and('(contains(customers.id, ?) or contains(name, ?) or contains(email, ?))', search, search, search)
  }
  where.andAttached('customers', query)
  const { rows, ...counts } = pageOf(sql, SELECT_CUSTOMER, 'customers', where, query)
  return { ...counts, rows: rows.map((customer) => rowsOf(sql, customer)) }
}

/** Read along entities_by_time; with an id along entities_by_id, with a customer along the primary key. */
export function listEntities(sql: Sql, query: EntityQuery): RowPage<SqlRow> {
  const where = new Where('entities.env = ?', query.env)
  if (query.customer !== undefined) {
    where.and('entities.customer = (select key from customers where uid = ?)', query.customer)
  }
  if (query.id !== undefined) where.and('(entities.id = ? or entities.uid = ?)', query.id, query.id)
  if (query.search !== undefined) {
    const search = query.search.toLowerCase()
    where.and('(contains(entities.id, ?) or contains(entities.name, ?))', search, search)
  }
  where.andAttached('entities', query)
  return pageOf(sql, SELECT_ENTITY, 'entities', where, query)
}

function pageOf(
  sql: Sql,
  select: string,
  table: 'customers' | 'entities',
  where: Where,
  query: CustomerQuery | EntityQuery,
) {
  const [sign, direction] = query.order === 'newest' ? ['<', 'desc'] : ['>', 'asc']
  const count = ({ text, values }: Where) =>
    Number(sql.get(`select count(*) as n ${FROM[table]} where ${text}`, values)?.['n'])
  const everyone = new Where(`${table}.env = ?`, query.env)
  const counts = query.counted ? { all: count(everyone), filtered: count(where) } : { all: 0, filtered: 0 }
  if (query.after !== undefined) {
    where.and(`(${table}.created_at, ${table}.uid) ${sign} (?, ?)`, query.after.at, query.after.uid)
  }
  const rows = sql.all(
    `${select} where ${where.text} order by ${table}.created_at ${direction}, ${table}.uid ${direction} limit ? offset ?`,
    [...where.values, query.limit, query.offset],
  )
  return { ...counts, rows }
}

/** By the caller's id or the internal one, with the environment twice. */
export const KEY_OF_CUSTOMER = `coalesce(
  (select key from customers where env = ? and id = ?), (select key from customers where env = ? and uid = ?))`

export function listEvents(sql: Sql, query: EventQuery): SqlRow[] {
  const where = new Where('e.env = ?', query.env)
  // One customer reads events_of_customer backwards, all customers events_by_time. A single key and not `in`: with a list
  // SQLite walks the events of everyone in order of time instead.
  if (query.customerId === undefined) where.and('coalesce(c.key, f.key) is not null')
  else {
    where.and(`e.customer = ${KEY_OF_CUSTOMER}`, query.env, query.customerId, query.env, query.customerId)
  }
  // Along the customer's events from the newest on; what is given back is nearly always something recent.
  if (query.uid !== undefined) where.and('e.uid = ?', query.uid)
  if (query.entity !== undefined) where.and('e.entity = ?', query.entity)
  if (query.names !== undefined) where.and(`e.name in (${query.names.map(() => '?').join(', ')})`, ...query.names)
  for (const { path, value } of query.properties ?? [])
    where.and('instr(e.properties, ?) > 0 and has(e.properties, ?, ?)', traceOf(value), path.join('.'), value)
  if (query.from !== undefined) where.and('e.timestamp >= ?', query.from)
  if (query.to !== undefined) where.and('e.timestamp <= ?', query.to)
  if (query.storedFrom !== undefined) where.and(`${STORED_AT} >= ?`, query.storedFrom)
  if (query.after !== undefined) where.and('(e.timestamp, e.uid) < (?, ?)', query.after.timestamp, query.after.uid)
  const columns = EVENT_COLUMNS.map((column) => `e.${column}`).join(', ')
  return sql.all(
    `select ${columns}, ${query.customerId === undefined ? OF_ANYONE : OF_CUSTOMER}
     where ${where.text} order by e.timestamp desc, e.uid desc limit ? offset ?`,
    [...where.values, query.limit, query.offset],
  )
}

const OF_CUSTOMER = 'coalesce(c.id, c.uid) as customer_id from events e join customers c on c.key = e.customer'
/** Whose an event `e` is, former customers that are anonymised included. */
export const OF_WHOM = `left join customers c on c.key = e.customer
  left join former_customers f on f.key = e.customer and f.anonymised = 1`
export const WHO = 'coalesce(c.id, c.uid, f.uid)'
const OF_ANYONE = `${WHO} as customer_id from events e ${OF_WHOM}`

/** Of an event `e`. */
export const STORED_AT = 'coalesce(e.stored_at, e.recorded_at)'
/** The customer that has the lock open: along the primary key. */
export function findLock(sql: Sql, { env, id }: { readonly env: string; readonly id: string }): string | null {
  const row = sql.get(
    'select customers.uid from locks join customers on key = customer where locks.env = ? and locks.id = ?',
    [env, id],
  )
  return row === undefined ? null : String(row['uid'])
}

/** Along locks_by_lapse, from the one that has waited longest; only customers of a sandbox have clocks of their own. */
export function withLapsedLocks(sql: Sql, query: DueQuery): string[] {
  const rows = sql.all(
    `select customers.uid from locks join customers on key = customer
     where locks.env = ? and lapses_at <= ? + clock_ahead order by lapses_at limit ?`,
    [query.env, query.at, query.limit],
  )
  return [...new Set(rows.map((row) => String(row['uid'])))]
}

/**
 * Along attachments_by_turn as far as the time has come, so that the many that end some day cost nothing; and of the few
 * customers who have a clock of their own each one's, along customers_with_clocks.
 */
export function withDueAttachments(sql: Sql, { env, at, limit }: DueQuery): string[] {
  const rows = sql.all(
    `select uid from (
       select * from (
         select customers.uid, turns_at as due from attachments cross join customers on key = customer
         where attachments.env = ? and turns_at <= ? order by turns_at limit ?
       )
       union all
       select customers.uid, turns_at - clock_ahead from customers cross join attachments on customer = key
       where customers.env = ? and clock_ahead > 0 and turns_at <= ? + clock_ahead
     ) group by uid order by min(due) limit ?`,
    [env, at, limit, env, at, limit],
  )
  return rows.map((row) => String(row['uid']))
}

export function ledger(sql: Sql, customer: string): SqlRow[] {
  // Walks the chain from the last posting back, a look-up by primary key each. `cross join` holds SQLite to that: to save
  // itself the sorting it would read everybody's postings (25 ms instead of 0.1 with 200,000 of them, measured).
  return sql.all(
    `with recursive chain (link) as (
       select last_posting from customer_states join customers on key = customer where uid = ?
       union all
       select last_posting from former_customers where uid = ?
       union all
       select previous from chain cross join postings on seq = link where previous is not null
     )
     select ${POSTING_COLUMNS.join(', ')} from chain cross join postings on seq = link order by seq`,
    [customer, customer],
  )
}

/** A condition that is put together, with its values. */
class Where {
  text: string
  readonly values: SqlValue[]

  constructor(condition: string, ...values: SqlValue[]) {
    this.text = condition
    this.values = values
  }

  and(condition: string, ...values: SqlValue[]): void {
    this.text += ` and ${condition}`
    this.values.push(...values)
  }

  andAttached(table: 'customers' | 'entities', query: CustomerQuery | EntityQuery): void {
    const attached = attachedCondition(table, query)
    if (attached !== null) this.and(attached.condition, ...attached.values)
  }
}

/** Joined, because a deleted customer leaves its entities behind for a while. */
const FROM = {
  customers: 'from customers join customer_states on customer = key',
  entities: 'from entities join customers on customers.key = entities.customer',
}

export const SELECT_CUSTOMER = `
  select key, uid, env, version, latest, postings, ${CUSTOMER_COLUMNS.join(', ')} ${FROM.customers}`

const SELECT_ENTITY = `
  select ${ENTITY_COLUMNS.map((column) => `entities.${column}`).join(', ')}, customers.uid as customer_uid
  ${FROM.entities}`

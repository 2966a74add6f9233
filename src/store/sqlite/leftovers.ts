import { type Retention, removedBefore, USUAL_RETENTION } from '../../domain/retention.ts'
import type { Instant } from '../../domain/time.ts'
import type { SqlRow, SqlValue } from '../cells.ts'
import type { Sql } from './sql.ts'

/** How many rows of one kind go in one transaction. */
const CLEARED_AT_ONCE = 500
/** As many events: those of random customers cost 16 µs each (measured), and a commit may have to wait for all of them. */
const EVENTS_AT_ONCE = 100
/** How often it is looked for old events. */
const EVERY_MS = 60_000

/** Of the rows of a customer. */
const KEYS = {
  balances: 'customer, uid',
  entities: 'customer, uid',
  attachments: 'customer, uid',
  refunds: 'customer, event',
  events: 'seq',
}

/** What is to be cleared away little by little: the rows of deleted customers, and events that are past their retention. */
export class Leftovers {
  readonly #sql: Sql
  #retention = USUAL_RETENTION
  /** Events that were stored before are to go; null when there are none. */
  #oldBefore: Instant | null = null
  #lookedBefore = Number.NEGATIVE_INFINITY

  constructor(sql: Sql) {
    this.#sql = sql
  }

  retain(retention: Retention): void {
    this.#retention = retention
    this.#oldBefore = null
    this.#lookedBefore = Number.NEGATIVE_INFINITY
  }

  /**
   * From now on nobody finds the customer; what belonged to it is cleared away later, all of it or what is not to be kept. Its
   * locks go at once: others may use their ids from now on.
   */
  bury(customer: number, lastPosting: SqlValue): void {
    if (this.#retention.deletedCustomers === 'anonymise') {
      this.#sql.run(
        'insert into former_customers (key, uid, env, last_posting) select key, uid, env, ? from customers where key = ?',
        [lastPosting, customer],
      )
    }
    this.#sql.run('delete from customers where key = ?', [customer])
    this.#sql.run('delete from locks where customer = ?', [customer])
    this.#sql.run('delete from customer_states where customer = ?', [customer])
    this.#sql.run('insert into deletions (customer, last_posting) values (?, ?)', [customer, lastPosting])
  }

  /** It is that time now. */
  passed(at: Instant): void {
    const before = removedBefore(at, this.#retention)
    if (before === null || before - this.#lookedBefore < EVERY_MS) return
    this.#oldBefore = before
    this.#lookedBefore = before
  }

  /** Whether there is something to be cleared away. */
  get any(): boolean {
    return this.#oldBefore !== null || this.#sql.get('select 1 from deletions limit 1', []) !== undefined
  }

  /** Clears away some of it, in a transaction. Call again as long as there is `any`. */
  clearSome(): void {
    this.#sql.transaction(() => {
      const deletion = this.#sql.get('select customer, last_posting from deletions limit 1', [])
      if (deletion !== undefined) this.#clearCustomer(deletion)
      else if (this.#oldBefore !== null && !this.#removeEvents(this.#oldBefore)) this.#oldBefore = null
    })
  }

  #clearCustomer({ customer = null, last_posting: lastPosting = null }: SqlRow): void {
    let cleared = 0
    for (const table of ['balances', 'entities', 'attachments', 'refunds'] as const)
      cleared += this.#clearRows(table, customer)
    const former = this.#sql.get('select * from former_customers where key = ?', [customer])
    if (former === undefined) {
      cleared += this.#clearRows('events', customer)
      const left = this.#clearPostings(lastPosting)
      this.#sql.run('update deletions set last_posting = ? where customer = ?', [left, customer])
      if (cleared > 0 || left !== null) return
    } else {
      if (cleared + this.#anonymiseEvents(former) > 0) return
      this.#sql.run('update former_customers set anonymised = 1 where key = ?', [customer])
    }
    this.#sql.run('delete from deletions where customer = ?', [customer])
  }

  /** @returns how many. */
  #clearRows(table: keyof typeof KEYS, customer: SqlValue): number {
    const some = `select ${KEYS[table]} from ${table} where customer = ? limit ?`
    return this.#sql.run(`delete from ${table} where (${KEYS[table]}) in (${some})`, [customer, CLEARED_AT_ONCE])
  }

  /** Along events_of_customer, from where it was left off. @returns how many were looked at. */
  #anonymiseEvents({ key = null, cleared_timestamp: timestamp = null, cleared_seq: seq = null }: SqlRow): number {
    const some = this.#sql.all(
      `select seq, timestamp, properties is not null or entity is not null or lock is not null as tells from events
       where customer = ? and (timestamp, seq) > (?, ?) order by timestamp, seq limit ?`,
      [key, timestamp ?? Number.MIN_SAFE_INTEGER, seq ?? 0, CLEARED_AT_ONCE],
    )
    for (const event of some) {
      if (event['tells'] === 1)
        this.#sql.run('update events set properties = null, entity = null, lock = null where seq = ?', [
          event['seq'] ?? null,
        ])
    }
    const last = some.at(-1)
    if (last !== undefined) {
      const reached = [last['timestamp'] ?? null, last['seq'] ?? null, key]
      this.#sql.run('update former_customers set cleared_timestamp = ?, cleared_seq = ? where key = ?', reached)
    }
    return some.length
  }

  /** Clears from the end of a chain. @returns the new end, or null when nothing is left. */
  #clearPostings(last: SqlValue): SqlValue {
    let end = last
    for (let n = 0; n < CLEARED_AT_ONCE && end !== null; n++) {
      const previous = this.#sql.get('select previous from postings where seq = ?', [end])?.['previous'] ?? null
      this.#sql.run('delete from postings where seq = ?', [end])
      end = previous
    }
    return end
  }

  /** From the first on, in the order in which they were stored, with what was given back of them. @returns whether more may follow. */
  #removeEvents(before: Instant): boolean {
    const first = this.#sql.all(
      'select seq, coalesce(stored_at, recorded_at) as stored_at from events order by seq limit ?',
      [EVENTS_AT_ONCE],
    )
    const end = first.findIndex((row) => Number(row['stored_at']) >= before)
    const last = first.at(end === -1 ? -1 : end - 1)
    if (end === 0 || last === undefined) return false
    const old = [last['seq'] ?? null]
    // Primary keys of both; `cross join` keeps SQLite from reading all refunds.
    this.#sql.run(
      `delete from refunds where (customer, event) in (
         select r.customer, r.event from events e cross join refunds r on r.customer = e.customer and r.event = e.uid
         where e.seq <= ?)`,
      old,
    )
    this.#sql.run('delete from events where seq <= ?', old)
    return end === -1 && first.length === EVENTS_AT_ONCE
  }
}

import { type Retention, removedBefore, USUAL_RETENTION } from '../../domain/retention.ts'
import type { Instant } from '../../domain/time.ts'
import type { SqlValue } from '../rows.ts'
import type { Sql } from './sql.ts'

/** How many rows of one kind go in one transaction. */
const CLEARED_AT_ONCE = 500
/** How often it is looked for old events. */
const EVERY_MS = 60_000

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

  /** From now on nobody finds the customer; what belonged to it is cleared away later. */
  bury(customer: number, lastPosting: SqlValue): void {
    this.#sql.run('delete from customers where key = ?', [customer])
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
      if (deletion !== undefined) this.#clearCustomer(deletion['customer'] ?? null, deletion['last_posting'] ?? null)
      else if (this.#oldBefore !== null && !this.#removeEvents(this.#oldBefore)) this.#oldBefore = null
    })
  }

  #clearCustomer(customer: SqlValue, lastPosting: SqlValue): void {
    let cleared = 0
    for (const [table, key] of [
      ['balances', '(customer, uid)'],
      ['entities', '(customer, uid)'],
      ['refunds', '(customer, event)'],
      ['events', 'seq'],
    ] as const) {
      const some = `select ${key.replace(/[()]/g, '')} from ${table} where customer = ? limit ?`
      cleared += this.#sql.run(`delete from ${table} where ${key} in (${some})`, [customer, CLEARED_AT_ONCE])
    }
    const left = this.#clearPostings(lastPosting)
    if (cleared === 0 && left === null) this.#sql.run('delete from deletions where customer = ?', [customer])
    else this.#sql.run('update deletions set last_posting = ? where customer = ?', [left, customer])
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
      [CLEARED_AT_ONCE],
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
    return end === -1 && first.length === CLEARED_AT_ONCE
  }
}

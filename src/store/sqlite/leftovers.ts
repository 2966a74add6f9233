import type { SqlValue } from '../rows.ts'
import type { Sql } from './sql.ts'

/** How many rows of one kind that a deleted customer left go in one transaction. */
const CLEARED_AT_ONCE = 500

/**
 * From now on nobody finds the customer; what belonged to it is cleared away later, but for its locks: others may use their ids
 * from now on.
 */
export function bury(sql: Sql, customer: number, lastPosting: SqlValue): void {
  sql.run('delete from customers where key = ?', [customer])
  sql.run('delete from locks where customer = ?', [customer])
  sql.run('delete from customer_states where customer = ?', [customer])
  sql.run('insert into deletions (customer, last_posting) values (?, ?)', [customer, lastPosting])
}

/** Whether deleted customers have left rows. */
export function hasLeftovers(sql: Sql): boolean {
  return sql.get('select 1 from deletions limit 1', []) !== undefined
}

/** Clears away some rows of a deleted customer, in a transaction. Call again as long as `hasLeftovers`. */
export function clearSome(sql: Sql): void {
  sql.transaction(() => {
    const row = sql.get('select customer, last_posting from deletions limit 1', [])
    if (row === undefined) return
    const customer = row['customer'] ?? null
    let cleared = 0
    for (const [table, key] of [
      ['balances', '(customer, uid)'],
      ['entities', '(customer, uid)'],
      ['refunds', '(customer, event)'],
      ['events', 'seq'],
    ] as const) {
      const some = `select ${key.replace(/[()]/g, '')} from ${table} where customer = ? limit ?`
      cleared += sql.run(`delete from ${table} where ${key} in (${some})`, [customer, CLEARED_AT_ONCE])
    }
    const left = clearPostings(sql, row['last_posting'] ?? null)
    if (cleared === 0 && left === null) sql.run('delete from deletions where customer = ?', [customer])
    else sql.run('update deletions set last_posting = ? where customer = ?', [left, customer])
  })
}

/** Clears from the end of a chain. @returns the new end, or null when nothing is left. */
function clearPostings(sql: Sql, last: SqlValue): SqlValue {
  let end = last
  for (let n = 0; n < CLEARED_AT_ONCE && end !== null; n++) {
    const previous = sql.get('select previous from postings where seq = ?', [end])?.['previous'] ?? null
    sql.run('delete from postings where seq = ?', [end])
    end = previous
  }
  return end
}

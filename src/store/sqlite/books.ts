import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Environment } from '../../domain/customer.ts'
import { customerFromRows, readable } from '../row-set.ts'
import { POSTING_COLUMNS, postingFromRow } from '../rows.ts'
import type { Account, BookCounts, Books, Line, StoredCatalogue } from '../store.ts'
import { catalogueFromRows, loadCatalogue } from './catalogue.ts'
import { rowsOf, SELECT_CUSTOMER } from './lists.ts'
import { MIGRATIONS } from './migrations.ts'
import { findOrphans } from './orphans.ts'
import { unpacked } from './protocol.ts'
import { Sql } from './sql.ts'

/** How much of the file is kept in memory, in KiB; sorting the ledger works within this and goes on in a temporary file. */
const CACHE_KIB = 65_536
const CUSTOMERS_AT_ONCE = 500

/**
 * Opens the embedded store in `folder` for looking alone, in one read transaction: a server may go on writing beside it,
 * because in WAL mode a reader sees the file as it was when it began. Nothing is migrated or cleared away, so that whoever
 * looks for damage does not write over it; only SQLite itself may leave its two empty companions of the file. On the caller's
 * thread: it is for a command that has nothing else to do.
 * @throws when there is no store, or one of another schema.
 */
export function openBooks(folder: string): Books {
  const file = join(folder, 'granary.db')
  if (!existsSync(file)) throw new Error(`there is no store in ${folder}: say with --data-dir where it is`)
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  try {
    db.exec(`pragma cache_size = -${CACHE_KIB}; begin`)
    const schema = Number(db.prepare('pragma user_version').get()?.['user_version'])
    if (schema > MIGRATIONS.length) {
      throw new Error(`the data was written by a newer Granary (schema ${schema}, this one knows ${MIGRATIONS.length})`)
    }
    if (schema < MIGRATIONS.length) {
      throw new Error('the data was written by an older Granary: start the server once, which brings it up to date')
    }
    return new SqliteBooks(db)
  } catch (error) {
    db.close()
    throw error
  }
}

class SqliteBooks implements Books {
  readonly #db: DatabaseSync
  readonly #sql: Sql

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#sql = new Sql(db)
  }

  async counts(): Promise<BookCounts> {
    const count = (sql: string) => Number(this.#sql.get(sql, [])?.['n'])
    return {
      customers: count('select count(*) as n from customers'),
      // Along events_of_customer. Not those that deleted customers left.
      events: count('select count(*) as n from events join customers on key = customer'),
    }
  }

  async loadCatalogue(env: Environment): Promise<StoredCatalogue> {
    return catalogueFromRows(loadCatalogue(this.#sql, env))
  }

  async *accounts(): AsyncGenerator<Account> {
    let last = 0
    for (;;) {
      const page = this.#sql.all(`${SELECT_CUSTOMER} where key > ? order by key limit ?`, [last, CUSTOMERS_AT_ONCE])
      for (const row of page) {
        last = Number(row['key'])
        yield {
          env: row['env'] === 'live' ? 'live' : 'sandbox',
          uid: String(row['uid']),
          holdings: readable(() => customerFromRows(unpacked(rowsOf(this.#sql, row))).holdings),
        }
      }
      if (page.length === 0) return
    }
  }

  async *lines(): AsyncGenerator<Line> {
    for (const row of this.#sql.each(LINES, []))
      yield { customer: String(row['customer_uid']), posting: readable(() => postingFromRow(row)) }
  }

  async orphans(): Promise<string[]> {
    return [...findOrphans(this.#sql)]
  }

  async close(): Promise<void> {
    this.#db.close()
  }
}

/**
 * The whole table once, in the order in which it lies, and sorted; to walk the chain of every customer would jump through the
 * file. `cross join` keeps SQLite from starting at the customers, for whom postings have no index.
 */
const LINES = `
  select ${POSTING_COLUMNS.map((column) => `postings.${column}`).join(', ')}, customers.uid as customer_uid
  from postings cross join customers on customers.key = postings.customer
  join customer_states on customer_states.customer = postings.customer
  order by postings.customer, postings.seq`

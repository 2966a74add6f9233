import pg from 'pg'
import type { Environment } from '../../domain/customer.ts'
import type { SqlRow } from '../cells.ts'
import { customerFromRows, readable } from '../row-set.ts'
import { POSTING_COLUMNS, postingFromRow } from '../rows.ts'
import type { Account, BookCounts, Books, Line, StoredCatalogue } from '../store.ts'
import { CONNECT_MS, noConnection, TYPES } from './connections.ts'
import { CATALOGUE, type CatalogueRow, catalogueFromRow, type LoadedRow, rowSet, WHOLE_CUSTOMER } from './lists.ts'
import { MIGRATIONS } from './migrations.ts'
import { findOrphans } from './orphans.ts'

/** One customer may have ten thousand entities. */
const CUSTOMERS_AT_ONCE = 100
const LINES_AT_ONCE = 1000

/**
 * One instant, at which the first question looks. Tables are read whole, so whatever limits the server sets to the time of a
 * statement does not hold here, a cursor is planned for its last row and not for its first, and sorting has some memory before
 * it goes on in a file of the server's.
 */
const BEGIN = `
  begin isolation level repeatable read read only;
  set local statement_timeout = 0;
  set local idle_in_transaction_session_timeout = 0;
  set local cursor_tuple_fraction = 1;
  set local work_mem = '64MB'`

/**
 * Opens the store in a database for looking alone, in one read-only transaction on one connection: servers go on beside it, and
 * nothing is migrated or cleared away, so that whoever looks for damage does not write over it.
 * @throws Error with a sentence when it cannot be reached, has no store, or one of another schema.
 */
export async function openBooks(url: string): Promise<Books> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'granary verify',
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    types: TYPES,
  })
  // A connection that is lost fails the question that is on its way; without somebody who listens the process would end.
  client.on('error', () => {})
  await client.connect().catch((error: unknown) => {
    throw noConnection(error)
  })
  try {
    await client.query(BEGIN)
    await expectSchema(client)
    return new PostgresBooks(client)
  } catch (error) {
    await client.end()
    throw error
  }
}

async function expectSchema(client: pg.Client): Promise<void> {
  const tables = await client.query<{ there: boolean }>("select to_regclass('schema_steps') is not null as there")
  if (tables.rows[0]?.there !== true) {
    throw new Error('there is no store in this database: say with DATABASE_URL where it is, or start the server once')
  }
  const steps = await client.query<{ version: number }>('select coalesce(max(step), 0) as version from schema_steps')
  const schema = steps.rows[0]?.version ?? 0
  if (schema > MIGRATIONS.length) {
    throw new Error(`the data was written by a newer Granary (schema ${schema}, this one knows ${MIGRATIONS.length})`)
  }
  if (schema < MIGRATIONS.length) {
    throw new Error('the data was written by an older Granary: run granary migrate, which brings it up to date')
  }
}

class PostgresBooks implements Books {
  readonly #client: pg.Client
  #cursors = 0

  constructor(client: pg.Client) {
    this.#client = client
  }

  async counts(): Promise<BookCounts> {
    const count = async (from: string) => {
      const { rows } = await this.#client.query<{ n: number }>(`select count(*) as n from ${from}`)
      return rows[0]?.n ?? 0
    }
    // Not the events that deleted customers left.
    return { customers: await count('customers'), events: await count('events join customers on key = customer') }
  }

  async loadCatalogue(env: Environment): Promise<StoredCatalogue> {
    return catalogueFromRow((await this.#client.query<CatalogueRow>(CATALOGUE.text, [env])).rows[0])
  }

  async *accounts(): AsyncGenerator<Account> {
    let last = 0
    for (;;) {
      const { rows } = await this.#client.query<LoadedRow>(ACCOUNTS, [last, CUSTOMERS_AT_ONCE])
      for (const row of rows) {
        last = Number(row['key'])
        yield {
          env: row['env'] === 'live' ? 'live' : 'sandbox',
          uid: String(row['uid']),
          holdings: readable(() => customerFromRows(rowSet(row)).holdings),
        }
      }
      if (rows.length === 0) return
    }
  }

  /** A page after the other through a cursor of the server's. */
  async *lines(): AsyncGenerator<Line> {
    this.#cursors += 1
    const cursor = `lines_${this.#cursors}`
    await this.#client.query(`declare ${cursor} no scroll cursor for ${LINES}`)
    for (;;) {
      const { rows } = await this.#client.query<SqlRow>(`fetch ${LINES_AT_ONCE} from ${cursor}`)
      for (const row of rows)
        yield { customer: String(row['customer_uid']), posting: readable(() => postingFromRow(row)) }
      if (rows.length === 0) return
    }
  }

  orphans(): Promise<string[]> {
    return findOrphans(this.#client)
  }

  close(): Promise<void> {
    return this.#client.end()
  }
}

/** Along the primary keys. */
const ACCOUNTS = `
  select c.key, ${WHOLE_CUSTOMER} from customers c join customer_states s on s.customer = c.key
  where c.key > $1 order by c.key limit $2`

/** The whole table once, in the order in which it lies, and sorted: along its key would jump through it. */
const LINES = `
  select ${POSTING_COLUMNS.map((column) => `postings.${column}`).join(', ')}, customers.uid as customer_uid
  from postings join customers on key = postings.customer join customer_states using (customer)
  order by postings.customer, postings.seq`

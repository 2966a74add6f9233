import pg from 'pg'
import { type PostgresOptions, PostgresStore } from '../../src/store/postgres/postgres.ts'
import { openDatabase } from './server.ts'

/** A store on a database of its own, with a look behind its back. */
export interface OpenedPostgres {
  readonly store: PostgresStore
  readonly url: string
  /** The first column of what a query finds. */
  column(sql: string, values?: readonly unknown[]): Promise<unknown[]>
  /** Takes every row out of every table, once nothing is being cleared away any more. */
  empty(): Promise<void>
  /** Closes the store and opens it again. */
  reopen(): Promise<void>
  close(): Promise<void>
}

/** Every table of the newest schema that holds what is stored. */
export const TABLES = [
  'api_keys',
  'attachments',
  'balances',
  'catalogues',
  'customer_states',
  'customers',
  'deletions',
  'entities',
  'events',
  'features',
  'former_customers',
  'idempotency',
  'locks',
  'plans',
  'postings',
  'refunds',
]

export async function openPostgres(options: PostgresOptions = {}): Promise<OpenedPostgres> {
  const database = await openDatabase()
  const opened = { store: await PostgresStore.open(database.url, options) }
  const client = new pg.Client({ connectionString: database.url })
  client.on('error', () => {})
  await client.connect()
  await client.query('set synchronous_commit = off')
  const deletes = TABLES.map((table) => `delete from ${table};`).join(' ')
  return {
    get store() {
      return opened.store
    },
    url: database.url,
    async column(sql, values = []) {
      const { rows } = await client.query<unknown[]>({ text: sql, values: [...values], rowMode: 'array' })
      return rows.map(([first]) => first)
    },
    // Not `truncate`, which makes new files of all the tables and takes ten times as long for a few rows.
    empty: async () => void (await client.query(`begin; lock deletions; ${deletes} commit`)),
    async reopen() {
      await opened.store.close()
      opened.store = await PostgresStore.open(database.url, options)
    },
    async close() {
      await opened.store.close()
      await client.end()
      await database.drop()
    },
  }
}

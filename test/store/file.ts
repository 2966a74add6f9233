import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'

/** The embedded store with a look behind its back, into the file itself. */
export interface OpenFile {
  readonly store: SqliteStore
  readonly folder: string
  /** The first column of what a query finds. */
  column(sql: string): unknown[]
  /** Takes every row out of every table. */
  empty(): void
  /** Closes the store and opens it again. */
  reopen(): Promise<void>
  close(): Promise<void>
}

/** Every table of the newest schema. */
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

export async function openFile(folder = newFolder()): Promise<OpenFile> {
  const open = { store: await SqliteStore.open(folder) }
  const database = new DatabaseSync(join(folder, 'granary.db'), { timeout: 5000 })
  database.exec('pragma synchronous = off')
  return {
    get store() {
      return open.store
    },
    folder,
    column: (sql) =>
      database
        .prepare(sql)
        .all()
        .map((row) => Object.values(row)[0]),
    empty: () => database.exec(TABLES.map((table) => `delete from ${table};`).join(' ')),
    async reopen() {
      await open.store.close()
      open.store = await SqliteStore.open(folder)
    },
    async close() {
      database.close()
      await open.store.close()
      await rm(folder, { recursive: true })
    },
  }
}

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'granary-store-'))
}

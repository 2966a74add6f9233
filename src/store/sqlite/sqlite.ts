import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Environment } from '../../domain/customer.ts'
import type { Posting } from '../../domain/ledger.ts'
import type { Retention } from '../../domain/retention.ts'
import type { Instant } from '../../domain/time.ts'
import type { SqlRow } from '../cells.ts'
import { customerFromRows } from '../row-set.ts'
import { entityFromRow, postingFromRow } from '../rows.ts'
import type {
  AggregateQuery,
  ApiKey,
  Batch,
  CatalogueChange,
  CommitResult,
  CustomerQuery,
  CustomerReference,
  EntityQuery,
  EntityRow,
  EventQuery,
  EventRow,
  EventSums,
  GivenUp,
  Page,
  Store,
  StoredCatalogue,
  StoredCustomer,
} from '../store.ts'
import { eventFromRow } from '../use-rows.ts'
import { catalogueFromRows } from './catalogue.ts'
import { Connection } from './connection.ts'
import { encodeBatch, encodeCatalogueChange, unpacked } from './protocol.ts'

/** The data folder belongs to another process. */
class FolderInUse extends Error {
  override name = 'FolderInUse'
}

/**
 * The embedded store: one SQLite file in WAL mode with `synchronous=FULL`, owned by one process. Commits have a connection
 * and a thread to themselves; lists read through a second one and aggregates through a third, started when they are first needed.
 */
export class SqliteStore implements Store {
  readonly #file: string
  readonly #lock: DatabaseSync
  readonly #writer: Connection
  #reader: Promise<Connection> | undefined
  /** For what may take long, so that lists need not wait for it. */
  #adder: Promise<Connection> | undefined

  /** Opens or creates the store in `folder`. @throws FolderInUse, or an error that says what is wrong with the file. */
  static async open(folder: string): Promise<SqliteStore> {
    await mkdir(folder, { recursive: true })
    const lock = takeFolder(folder)
    const file = join(folder, 'granary.db')
    const writer = new Connection(file, 'write')
    try {
      await writer.call('open', null)
    } catch (error) {
      await writer.call('close', null).catch(() => null)
      lock.close()
      throw error
    }
    return new SqliteStore(file, lock, writer)
  }

  private constructor(file: string, lock: DatabaseSync, writer: Connection) {
    this.#file = file
    this.#lock = lock
    this.#writer = writer
  }

  async retain(retention: Retention): Promise<void> {
    await this.#writer.call('retain', retention)
  }

  async loadCatalogue(env: Environment): Promise<StoredCatalogue> {
    return catalogueFromRows(await this.#writer.call('loadCatalogue', env))
  }

  async load(references: readonly CustomerReference[]): Promise<(StoredCustomer | null)[]> {
    const found = await this.#writer.call('load', references)
    return found.map((one) => (one === null ? null : customerFromRows(unpacked(one))))
  }

  commit(batch: Batch): Promise<CommitResult[]> {
    return this.#writer.call('commit', encodeBatch(batch))
  }

  changeCatalogue(change: CatalogueChange): Promise<CommitResult | { kind: 'in_use' }> {
    return this.#writer.call('changeCatalogue', encodeCatalogueChange(change))
  }

  async findLock(env: Environment, id: string): Promise<string | null> {
    const reader = await this.#reading()
    return reader.call('findLock', { env, id })
  }

  async withLapsedLocks(env: Environment, at: Instant, limit: number): Promise<string[]> {
    // Asked every few seconds and answered from an index: not worth a second thread in a server that has nothing to read.
    return this.#writer.call('withLapsedLocks', { env, at, limit })
  }

  async withDueAttachments(env: Environment, at: Instant, limit: number): Promise<string[]> {
    return this.#writer.call('withDueAttachments', { env, at, limit })
  }

  async listCustomers(query: CustomerQuery): Promise<Page<StoredCustomer>> {
    const reader = await this.#reading()
    const page = await reader.call('listCustomers', query)
    return { ...page, rows: page.rows.map((row) => customerFromRows(unpacked(row))) }
  }

  async listEntities(query: EntityQuery): Promise<Page<EntityRow>> {
    const reader = await this.#reading()
    const page = await reader.call('listEntities', query)
    return { ...page, rows: page.rows.map(entityRowFrom) }
  }

  async listEvents(query: EventQuery): Promise<EventRow[]> {
    const reader = await this.#reading()
    return (await reader.call('listEvents', query)).map(eventFromRow)
  }

  async aggregateEvents(query: AggregateQuery): Promise<EventSums | GivenUp> {
    const deadline = Date.now() + query.patience
    this.#adder ??= this.#openReader()
    return (await this.#adder).call('aggregateEvents', { query, deadline })
  }

  async ledger(customerUid: string): Promise<Posting[]> {
    const reader = await this.#reading()
    return (await reader.call('ledger', customerUid)).map(postingFromRow)
  }

  /** Its clock is this machine's; that its thread answers is what is asked. */
  clock(): Promise<null> {
    return this.#writer.call('clock', null)
  }

  loadKeys(): Promise<ApiKey[]> {
    return this.#writer.call('loadKeys', null)
  }

  async addKey(key: ApiKey): Promise<void> {
    await this.#writer.call('addKey', key)
  }

  async close(): Promise<void> {
    for (const reader of [await this.#reader, await this.#adder]) await reader?.call('close', null)
    await this.#writer.call('close', null)
    this.#lock.close()
  }

  #reading(): Promise<Connection> {
    this.#reader ??= this.#openReader()
    return this.#reader
  }

  async #openReader(): Promise<Connection> {
    const reader = new Connection(this.#file, 'read')
    await reader.call('open', null)
    return reader
  }
}

function entityRowFrom(row: SqlRow): EntityRow {
  return { entity: entityFromRow(row), customer: String(row['customer_uid']) }
}

/**
 * An exclusive transaction held open on a file of its own. The operating system drops it when the process dies in whatever
 * way, where a file with a process id would survive `kill -9` and lie.
 */
function takeFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, 'granary.lock'))
  try {
    lock.exec('begin exclusive')
    return lock
  } catch (error) {
    lock.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === 5) {
      throw new FolderInUse(
        `the data folder ${folder} is in use by another Granary process: stop it, or choose another folder with --data-dir or GRANARY_DATA_DIR`,
      )
    }
    throw error
  }
}

import { assert } from '../../domain/assert.ts'
import type { Environment } from '../../domain/customer.ts'
import type { Posting } from '../../domain/ledger.ts'
import type { Instant } from '../../domain/time.ts'
import { customerFromRows } from '../row-set.ts'
import { entityFromRow, eventFromRow, postingFromRow } from '../rows.ts'
import type {
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
  Page,
  Store,
  StoredCatalogue,
  StoredCustomer,
  Versions,
} from '../store.ts'
import {
  CHANGE_CATALOGUE,
  COMMIT,
  decodeCatalogueResult,
  decodeResults,
  encodeBatch,
  encodeCatalogueChange,
} from './batch.ts'
import { Connections, codeOf, noConnection, type Statement } from './connections.ts'
import {
  CATALOGUE,
  type CatalogueRow,
  catalogueFromRow,
  ledger,
  listCustomers,
  listEntities,
  listEvents,
  load,
  passing,
  versions,
} from './lists.ts'
import { migrate } from './migrations.ts'
import { Partitions } from './partitions.ts'
import { Tidying } from './tidying.ts'
import { Writer } from './writer.ts'

export interface PostgresOptions {
  /** How many connections at the most, those for commits included. Default 10. */
  readonly connections?: number
  /** For how long it is tried to find out what became of a commit whose connection was lost, in milliseconds. Default 10,000. */
  readonly unknownAfter?: number
  /** Told what is amiss with the server but does not keep it from being used. */
  readonly onWarning?: (message: string) => void
}

/** As many commits as the engine has on their way; a third would only wait for its turn at the disk. */
const WRITERS = 2
const DEFAULT_CONNECTIONS = 10
const UNKNOWN_AFTER_MS = 10_000
/** No place for a row: the partition was dropped by a process whose clock is ahead. */
const NO_PARTITION = '23514'

/** The store on PostgreSQL, for any number of processes on one database. */
export class PostgresStore implements Store {
  readonly #commits: Connections
  readonly #reads: Connections
  readonly #partitions: Partitions
  readonly #writers: readonly Writer[]
  readonly #tidying: Tidying
  readonly #underway = new Set<Promise<unknown>>()
  #alone = false

  /** Connects and brings the schema up to date. @throws Error with a sentence that says what to do. */
  static async open(url: string, options: PostgresOptions = {}): Promise<PostgresStore> {
    const store = new PostgresStore(url, options)
    try {
      await migrateWith(store.#commits)
      await store.#look(options.onWarning ?? (() => {}))
      await store.#partitions.makeAhead(Date.now())
    } catch (error) {
      await store.close()
      throw error
    }
    store.#tidying.begin()
    return store
  }

  private constructor(url: string, options: PostgresOptions) {
    const { connections = DEFAULT_CONNECTIONS, unknownAfter = UNKNOWN_AFTER_MS } = options
    this.#commits = new Connections(url, WRITERS)
    this.#reads = new Connections(url, Math.max(connections - WRITERS, 1))
    this.#partitions = new Partitions(this.#reads)
    this.#tidying = new Tidying(this.#reads, this.#partitions)
    this.#writers = Array.from({ length: WRITERS }, () => new Writer(this.#commits, unknownAfter))
  }

  async loadCatalogue(env: Environment): Promise<StoredCatalogue> {
    return catalogueFromRow((await this.#reads.read<CatalogueRow>(CATALOGUE, [env]))[0])
  }

  async load(references: readonly CustomerReference[]): Promise<(StoredCustomer | null)[]> {
    const found = await load(this.#reads, references)
    return found.map((one) => (one === null ? null : customerFromRows(one)))
  }

  async commit(batch: Batch): Promise<CommitResult[]> {
    const { at, changes } = batch
    const own = `{${this.#writers.map(({ id }) => id).join(',')}}`
    const { results, alone } = decodeResults(await this.#send(at, COMMIT, [own, ...encodeBatch(batch)]), changes)
    this.#alone = alone
    const left = changes.some(({ rows }, i) => rows?.deleted === true && results[i]?.kind === 'committed')
    this.#tidying.after(at, left)
    return results
  }

  async changeCatalogue(change: CatalogueChange): Promise<CommitResult | { kind: 'in_use' }> {
    const results = await this.#send(change.at, CHANGE_CATALOGUE, encodeCatalogueChange(change))
    return decodeCatalogueResult(results, change.expected)
  }

  async listCustomers(query: CustomerQuery): Promise<Page<StoredCustomer>> {
    const page = await listCustomers(this.#reads, query)
    return { ...page, rows: page.rows.map(customerFromRows) }
  }

  async listEntities(query: EntityQuery): Promise<Page<EntityRow>> {
    const page = await listEntities(this.#reads, query)
    const rows = page.rows.map((row) => ({ entity: entityFromRow(row), customer: String(row['customer_uid']) }))
    return { ...page, rows }
  }

  async listEvents(query: EventQuery): Promise<EventRow[]> {
    return (await listEvents(this.#reads, query)).map(eventFromRow)
  }

  async ledger(customerUid: string): Promise<Posting[]> {
    return (await ledger(this.#reads, customerUid)).map(postingFromRow)
  }

  versions(references: readonly CustomerReference[]): Promise<Versions> {
    return versions(this.#reads, references)
  }

  alone(): boolean {
    return this.#alone
  }

  async clock(): Promise<Instant> {
    const [row] = await this.#reads.read<{ now: number }>(CLOCK, [])
    assert(row !== undefined, 'a clock says the time')
    return row.now
  }

  loadKeys(): Promise<ApiKey[]> {
    return this.#reads.read<ApiKey>(passing('select hash, env, created_at as "createdAt" from api_keys'), [])
  }

  async addKey({ hash, env, createdAt }: ApiKey): Promise<void> {
    // Not only a read, but doing it twice is doing it once.
    const text = 'insert into api_keys (hash, env, created_at) values ($1, $2, $3) on conflict (hash) do nothing'
    await this.#reads.read(passing(text), [hash, env, createdAt])
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#tidying.stop(), ...this.#underway])
    await Promise.all([this.#commits.close(), this.#reads.close()])
  }

  #send(at: Instant, statement: Statement, values: readonly unknown[]): Promise<string> {
    const sent = this.#sendPrepared(at, statement, values)
    this.#underway.add(sent)
    return sent.finally(() => this.#underway.delete(sent))
  }

  async #sendPrepared(at: Instant, statement: Statement, values: readonly unknown[]): Promise<string> {
    const writer = this.#writers.reduce((best, one) => (one.waiting < best.waiting ? one : best))
    for (let attempt = 1; ; attempt++) {
      await this.#partitions.prepare(at)
      try {
        return await writer.send(statement, values)
      } catch (error) {
        if (codeOf(error) !== NO_PARTITION || attempt > 1) throw error
        this.#partitions.forget()
      }
    }
  }

  async #look(warn: (message: string) => void): Promise<void> {
    const [row] = await this.#reads.read<{ fsync: string }>(passing("select current_setting('fsync') as fsync"), [])
    if (row?.fsync === 'off') {
      warn('the PostgreSQL server runs with fsync off: what was acknowledged is lost when its machine fails')
    }
  }
}

/** Brings a database's schema up to date. @returns how many steps were taken. @throws Error with a sentence. */
export async function migrateDatabase(url: string): Promise<number> {
  const connections = new Connections(url, 1)
  try {
    return await migrateWith(connections)
  } finally {
    await connections.close()
  }
}

async function migrateWith(connections: Connections): Promise<number> {
  const client = await connections.connect().catch((error: unknown) => {
    throw noConnection(error)
  })
  try {
    return await migrate(client)
  } finally {
    // A failed migration may have left its transaction open.
    client.release(true)
  }
}

const CLOCK: Statement = {
  name: 'clock',
  text: 'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now',
}

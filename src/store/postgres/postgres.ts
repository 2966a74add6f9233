import { assert } from '../../domain/assert.ts'
import type { Environment } from '../../domain/customer.ts'
import type { Posting } from '../../domain/ledger.ts'
import type { Retention } from '../../domain/retention.ts'
import type { Instant } from '../../domain/time.ts'
import { customerFromRows } from '../row-set.ts'
import { entityFromRow, postingFromRow } from '../rows.ts'
import {
  type AggregateQuery,
  type ApiKey,
  type Batch,
  type CatalogueChange,
  type CommitResult,
  type CustomerQuery,
  type CustomerReference,
  type EntityQuery,
  type EntityRow,
  type EventQuery,
  type EventRow,
  type EventSums,
  type GivenUp,
  liveBuckets,
  type Page,
  type Store,
  type StoredCatalogue,
  type StoredCustomer,
  type Versions,
} from '../store.ts'
import { eventFromRow } from '../use-rows.ts'
import { aggregateEvents } from './aggregate.ts'
import {
  CHANGE_CATALOGUE,
  COMMIT,
  decodeCatalogueResult,
  decodeResults,
  encodeBatch,
  encodeCatalogueChange,
} from './batch.ts'
import { CLOCK, Connections, codeOf, noConnection, type Statement } from './connections.ts'
import {
  CATALOGUE,
  type CatalogueRow,
  catalogueFromRow,
  findLock,
  ledger,
  listCustomers,
  listEntities,
  listEvents,
  load,
  passing,
  versions,
  withDueAttachments,
  withLapsedLocks,
} from './lists.ts'
import { migrate } from './migrations.ts'
import { Partitions } from './partitions.ts'
import { Tidying } from './tidying.ts'
import { Writer } from './writer.ts'

export interface PostgresOptions {
  /** How many connections at the most: two are for commits, from 5 on two are for aggregates. Default 10. */
  readonly connections?: number
  /** For how long it is tried to find out what became of a commit whose connection was lost, in milliseconds. Default 10,000. */
  readonly unknownAfter?: number
  /** Told what is amiss with the server but does not keep it from being used. */
  readonly onWarning?: (message: string) => void
}

/** As many commits as the engine has on their way; a third would only wait for its turn at the disk. */
const WRITERS = 2
/** Aggregates have connections of their own, opened when they are needed: they take long, and nobody else should wait for them. */
const AGGREGATES = 2
const DEFAULT_CONNECTIONS = 10
const UNKNOWN_AFTER_MS = 10_000
/** No place for a row: the partition was dropped by a process whose clock is ahead. */
const NO_PARTITION = '23514'

/** The store on PostgreSQL, for any number of processes on one database. */
export class PostgresStore implements Store {
  readonly #commits: Connections
  readonly #reads: Connections
  /** Those of aggregates; where there are too few for that, the same as for all reads. */
  readonly #sums: Connections
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
    const others = connections - WRITERS - AGGREGATES
    this.#reads = new Connections(url, others > 0 ? others : Math.max(connections - WRITERS, 1))
    this.#sums = others > 0 ? new Connections(url, AGGREGATES) : this.#reads
    this.#partitions = new Partitions(this.#reads)
    this.#tidying = new Tidying(this.#reads, this.#partitions)
    this.#writers = Array.from({ length: WRITERS }, () => new Writer(this.#commits, unknownAfter))
  }

  async retain(retention: Retention): Promise<void> {
    this.#tidying.retention = retention
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
    const values = [own, ...encodeBatch(batch, this.#liveBuckets(at))]
    const sent = this.#underWay(async () => {
      const going = changes.filter(({ rows }) => rows?.deleted === true)
      if (going.length > 0) await this.#settleFuture(going.map(({ uid }) => uid))
      return this.#send(at, COMMIT, values)
    })
    const { results, alone } = decodeResults(await sent, changes)
    this.#alone = alone
    const left = changes.some(({ rows }, i) => rows?.deleted === true && results[i]?.kind === 'committed')
    this.#tidying.after(at, left)
    return results
  }

  /** What becomes of those who are about to be deleted: durable before they are, and without meaning if they are not. */
  async #settleFuture(uids: readonly string[]): Promise<void> {
    const statement = this.#tidying.retention.deletedCustomers === 'anonymise' ? TO_BE_KEPT : NOT_TO_BE_KEPT
    await this.#reads.read(statement, [uids])
  }

  async changeCatalogue(change: CatalogueChange): Promise<CommitResult | { kind: 'in_use' }> {
    const values = encodeCatalogueChange(change, this.#liveBuckets(change.at))
    const results = await this.#underWay(() => this.#send(change.at, CHANGE_CATALOGUE, values))
    return decodeCatalogueResult(results, change.expected)
  }

  findLock(env: Environment, id: string): Promise<string | null> {
    return findLock(this.#reads, env, id)
  }

  withLapsedLocks(env: Environment, at: Instant, limit: number): Promise<string[]> {
    return withLapsedLocks(this.#reads, env, at, limit)
  }

  withDueAttachments(env: Environment, at: Instant, limit: number): Promise<string[]> {
    return withDueAttachments(this.#reads, env, at, limit)
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

  aggregateEvents(query: AggregateQuery): Promise<EventSums | GivenUp> {
    return aggregateEvents(this.#sums, query)
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
    await Promise.all([...new Set([this.#commits, this.#reads, this.#sums])].map((connections) => connections.close()))
  }

  #liveBuckets(at: Instant): number[] {
    return liveBuckets(at, this.#tidying.retention)
  }

  /** What `close` waits for. */
  #underWay<T>(work: () => Promise<T>): Promise<T> {
    const working = work()
    this.#underway.add(working)
    return working.finally(() => this.#underway.delete(working))
  }

  async #send(at: Instant, statement: Statement, values: readonly unknown[]): Promise<string> {
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

const TO_BE_KEPT: Statement = {
  name: 'to_be_kept',
  text: `insert into former_customers (key, uid, env) select key, uid, env from customers where uid = any ($1)
    on conflict do nothing`,
}
/** That may have been settled before by a deletion that came to nothing. */
const NOT_TO_BE_KEPT: Statement = {
  name: 'not_to_be_kept',
  text: 'delete from former_customers where key in (select key from customers where uid = any ($1))',
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

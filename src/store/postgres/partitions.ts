import type { PoolClient, QueryConfig } from 'pg'
import { type Retention, removedBefore } from '../../domain/retention.ts'
import type { Instant } from '../../domain/time.ts'
import { KEY_BUCKET_MS, liveBuckets } from '../store.ts'
import { CLOCK, type Connections, type Statement } from './connections.ts'

const DAY_MS = 86_400_000
const BUCKETS_A_DAY = DAY_MS / KEY_BUCKET_MS
const PARTITIONS_LOCK = [1735549294, 3]
/** For reading a month of events. */
const FORGETTING_MS = 3_600_000

const NAMES: Statement = {
  name: 'partitions',
  text: 'select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass order by 1',
}

/** A part of a table, from one value of its column up to another. */
interface Partition {
  readonly table: 'events' | 'idempotency'
  readonly name: string
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

/**
 * Usage events are kept apart by the month, and idempotency keys by the day, in which they were stored: an index stays small
 * enough for memory, and forgotten keys go with their whole table. Partitions are made before they are needed.
 */
export class Partitions {
  readonly #connections: Connections
  readonly #there = new Set<string>()

  constructor(connections: Connections) {
    this.#connections = connections
  }

  /** Whether what is stored at that instant has its place, as far as is known. */
  has(at: Instant): boolean {
    return this.#there.has(monthOf(at).name) && this.#there.has(dayOf(at).name)
  }

  /** Makes the place for that instant. @throws Error when the database cannot. */
  async prepare(at: Instant): Promise<void> {
    if (!this.has(at)) await this.#make([monthOf(at), dayOf(at)])
  }

  /** Makes the places for the next day and month too. */
  async makeAhead(at: Instant): Promise<void> {
    const month = monthOf(at)
    const ahead = [month, monthOf(month.to), dayOf(at), dayOf(at + DAY_MS)]
    if (!ahead.every(({ name }) => this.#there.has(name))) await this.#make(ahead)
  }

  /** Someone else dropped what was thought to be there. */
  forget(): void {
    this.#there.clear()
  }

  /** Drops the idempotency keys that are forgotten by now, and the months of which all events are past their retention. */
  async dropForgotten(at: Instant, retention: Retention): Promise<void> {
    // Only what is old by the database's clock too: one process whose clock is ahead must not forget for all.
    const [clock] = await this.#connections.read<{ now: number }>(CLOCK, [])
    const now = Math.min(at, clock?.now ?? at)
    const oldestBucket = liveBuckets(now, retention).at(-1) ?? 0
    const forgotten = (await this.#named('idempotency')).filter((name) => dayNamed(name).to <= oldestBucket)
    await this.#drop(forgotten)
    const before = removedBefore(now, retention)
    if (before === null) return
    for (const name of (await this.#named('events')).filter((one) => monthNamed(one).to <= before)) {
      await this.#forgetRefunds(name)
      await this.#drop([name])
    }
  }

  async #named(table: Partition['table']): Promise<string[]> {
    const rows = await this.#connections.read<{ name: string }>(NAMES, [table])
    return rows.map(({ name }) => name)
  }

  async #drop(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    await this.#locked(async (client) => {
      // Those who write wait while this waits for those who do.
      await client.query("set local lock_timeout = '1s'")
      // Another process may have been first.
      for (const name of names) await client.query(`drop table if exists ${name}`)
    })
  }

  /** What was given back of events that are about to go. They are read whole, which may take its time and holds up nobody. */
  async #forgetRefunds(name: string): Promise<void> {
    const client = await this.#connections.connect()
    try {
      await client.query({
        text: `
          begin;
          set local statement_timeout = 0;
          set local enable_seqscan = on;
          set local enable_hashjoin = on;
          delete from refunds using ${name} as old where refunds.customer = old.customer and refunds.event = old.uid;
          commit`,
        query_timeout: FORGETTING_MS,
      } as QueryConfig)
      client.release()
    } catch (error) {
      // Ends the transaction too.
      client.release(true)
      throw error
    }
  }

  async #make(partitions: readonly Partition[]): Promise<void> {
    await this.#locked(async (client) => {
      for (const { table, name, from, to } of partitions) {
        const found = await client.query('select to_regclass($1) as name', [name])
        if (found.rows[0]?.name !== null) continue
        // Not `partition of`, which would wait for everyone and let everyone wait.
        await client.query(`create table ${name} (like ${table} including all);
          alter table ${table} attach partition ${name} for values from (${from}) to (${to})`)
      }
    })
    for (const { name } of partitions) this.#there.add(name)
  }

  /** In a transaction, one process at a time. */
  async #locked(work: (client: PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#connections.connect()
    try {
      await client.query('begin')
      await client.query('select pg_advisory_xact_lock($1, $2)', PARTITIONS_LOCK)
      await work(client)
      await client.query('commit')
      client.release()
    } catch (error) {
      // Ends the transaction too.
      client.release(true)
      throw error
    }
  }
}

function monthOf(at: Instant): Partition {
  const date = new Date(at)
  return monthFrom(date.getUTCFullYear(), date.getUTCMonth())
}

function monthNamed(name: string): Partition {
  const [, year, month] = /_(\d+)_(\d+)$/.exec(name) ?? []
  return monthFrom(Number(year), Number(month) - 1)
}

function monthFrom(year: number, month: number): Partition {
  const name = `events_${year}_${String(month + 1).padStart(2, '0')}`
  return { table: 'events', name, from: Date.UTC(year, month, 1), to: Date.UTC(year, month + 1, 1) }
}

function dayOf(at: Instant): Partition {
  return dayFrom(Math.floor(at / DAY_MS))
}

function dayNamed(name: string): Partition {
  return dayFrom(Number(name.replace(/^.*_/, '')))
}

function dayFrom(day: number): Partition {
  return { table: 'idempotency', name: `idempotency_${day}`, from: day * BUCKETS_A_DAY, to: (day + 1) * BUCKETS_A_DAY }
}

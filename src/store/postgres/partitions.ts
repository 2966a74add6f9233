import type { PoolClient } from 'pg'
import type { Instant } from '../../domain/time.ts'
import { KEY_BUCKET_MS, liveBuckets } from '../store.ts'
import type { Connections } from './connections.ts'

const DAY_MS = 86_400_000
const BUCKETS_A_DAY = DAY_MS / KEY_BUCKET_MS
const PARTITIONS_LOCK = [1735549294, 3]

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

  /** Drops the idempotency keys that are forgotten by now. */
  async dropForgotten(at: Instant): Promise<void> {
    await this.#locked(async (client) => {
      // Only what is old by the database's clock too: one process whose clock is ahead must not forget for all.
      const clock = await client.query<{ now: number }>('select (extract(epoch from now()) * 1000)::bigint as now')
      const oldest = liveBuckets(Math.min(at, clock.rows[0]?.now ?? at)).at(-1) ?? 0
      const { rows } = await client.query<{ name: string }>(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'idempotency'::regclass",
      )
      // Those who write keys wait while this waits for those who do.
      await client.query("set local lock_timeout = '1s'")
      for (const { name } of rows) {
        const day = Number(name.replace(/^.*_/, ''))
        if ((day + 1) * BUCKETS_A_DAY <= oldest) await client.query(`drop table ${name}`)
      }
    })
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
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const name = `events_${year}_${String(month + 1).padStart(2, '0')}`
  return { table: 'events', name, from: Date.UTC(year, month, 1), to: Date.UTC(year, month + 1, 1) }
}

function dayOf(at: Instant): Partition {
  const day = Math.floor(at / DAY_MS)
  return { table: 'idempotency', name: `idempotency_${day}`, from: day * BUCKETS_A_DAY, to: (day + 1) * BUCKETS_A_DAY }
}

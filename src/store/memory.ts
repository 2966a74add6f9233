import type { Customer, Environment } from '../domain/customer.ts'
import { allBalances, holdingsOf, withBalances, withoutBalances } from '../domain/holdings.ts'
import type { Posting } from '../domain/ledger.ts'
import type { UsageEvent } from '../domain/usage.ts'
import {
  type ApiKey,
  type Batch,
  type CommitResult,
  type CustomerChange,
  type CustomerReference,
  type CustomerRows,
  type EventQuery,
  type EventRow,
  type FeatureChange,
  KEY_BUCKET_MS,
  type KeyRecord,
  liveBuckets,
  type Store,
  type StoredCatalogue,
  type StoredCustomer,
} from './store.ts'

interface Row extends StoredCustomer {
  readonly postings: Posting[]
  readonly events: UsageEvent[]
}

/** A store that keeps everything in memory: a real implementation for tests and experiments, with nothing durable. */
export class MemoryStore implements Store {
  readonly #customers = new Map<string, Row>()
  readonly #uids = new Map<string, string>()
  readonly #catalogues = new Map<Environment, StoredCatalogue>()
  readonly #keys = new Map<string, { bucket: number; record: KeyRecord }>()
  readonly #apiKeys = new Map<string, ApiKey>()

  async loadCatalogue(env: Environment): Promise<StoredCatalogue> {
    return this.#catalogues.get(env) ?? { version: 0, features: [] }
  }

  async load(references: readonly CustomerReference[]): Promise<(StoredCustomer | null)[]> {
    return references.map((reference) => {
      const row = this.#find(reference)
      if (row === null) return null
      // Rebuilt from its rows, as any store would, so that nothing depends on how the list was kept.
      const { customer, latest, postings } = row.holdings
      return { version: row.version, holdings: holdingsOf(customer, [...allBalances(row.holdings)], latest, postings) }
    })
  }

  async commit(batch: Batch): Promise<CommitResult[]> {
    return batch.changes.map((change) => this.#apply(change, batch.at))
  }

  async addFeature({ env, at, expected, feature, claims, keys }: FeatureChange): Promise<CommitResult> {
    const known = this.#known(claims, at)
    if (known.length > 0) return { kind: 'known', records: known }
    const { version, features } = await this.loadCatalogue(env)
    if (version !== expected) return { kind: 'conflict' }
    this.#catalogues.set(env, { version: version + 1, features: [...features, feature] })
    this.#remember(keys, at)
    return { kind: 'committed', version: version + 1 }
  }

  async listEvents(query: EventQuery): Promise<EventRow[]> {
    const rows: EventRow[] = []
    for (const { holdings, events } of this.#customers.values()) {
      const { customer } = holdings
      if (customer.env !== query.env) continue
      if (query.customerId !== undefined && query.customerId !== customer.id && query.customerId !== customer.uid)
        continue
      for (const event of events) if (isSelected(event, query)) rows.push({ ...event, customerId: customer.id })
    }
    rows.sort((a, b) => b.timestamp - a.timestamp || (a.uid < b.uid ? 1 : -1))
    return rows.slice(query.offset, query.offset + query.limit)
  }

  async ledger(customerUid: string): Promise<Posting[]> {
    return [...(this.#customers.get(customerUid)?.postings ?? [])]
  }

  async loadKeys(): Promise<ApiKey[]> {
    return [...this.#apiKeys.values()]
  }

  async addKey(key: ApiKey): Promise<void> {
    if (!this.#apiKeys.has(key.hash)) this.#apiKeys.set(key.hash, key)
  }

  async close(): Promise<void> {}

  #find({ env, id }: CustomerReference): Row | null {
    const row = this.#customers.get(this.#uids.get(`${env} ${id}`) ?? id)
    return row?.holdings.customer.env === env ? row : null
  }

  #apply(change: CustomerChange, at: number): CommitResult {
    const known = this.#known(change.claims, at)
    if (known.length > 0) return { kind: 'known', records: known }
    const row = this.#customers.get(change.uid)
    const rows = change.rows
    if (rows === null) return { kind: 'committed', version: row?.version ?? 0 }
    if ((row?.version ?? null) !== rows.expected) return { kind: 'conflict' }
    if ((this.#catalogues.get(change.env)?.version ?? 0) !== rows.catalogue) return { kind: 'conflict' }
    if (rows.customer !== null && !this.#name(rows.customer, row)) return { kind: 'id_taken' }
    const version = (rows.expected ?? 0) + 1
    this.#customers.set(change.uid, write(row, rows, version))
    this.#remember(rows.keys, at)
    return { kind: 'committed', version }
  }

  /** @returns false when the id belongs to someone else. */
  #name(customer: Customer, row: Row | undefined): boolean {
    const owner = this.#uids.get(`${customer.env} ${customer.id}`)
    if (owner !== undefined && owner !== customer.uid) return false
    if (row !== undefined) this.#uids.delete(`${customer.env} ${row.holdings.customer.id}`)
    this.#uids.set(`${customer.env} ${customer.id}`, customer.uid)
    return true
  }

  #known(claims: readonly string[], at: number): KeyRecord[] {
    const live = liveBuckets(at)
    return claims.flatMap((hash) => {
      const entry = this.#keys.get(hash)
      return entry !== undefined && live.includes(entry.bucket) ? [entry.record] : []
    })
  }

  #remember(keys: readonly KeyRecord[], at: number): void {
    for (const record of keys) this.#keys.set(record.hash, { bucket: Math.floor(at / KEY_BUCKET_MS), record })
  }
}

function write(row: Row | undefined, rows: CustomerRows, version: number): Row {
  const customer = rows.customer ?? row?.holdings.customer
  if (customer === undefined) throw new Error('a new customer comes with its row')
  const base = row?.holdings ?? holdingsOf(customer, [], rows.latest, 0)
  const balances = withoutBalances(withBalances({ ...base, customer }, rows.written), rows.removed)
  return {
    version,
    holdings: { ...balances, latest: rows.latest, postings: rows.postingsBefore + rows.postings.length },
    postings: appended(row?.postings, rows.postings),
    events: appended(row?.events, rows.events),
  }
}

/** In place: copying a growing list at every commit would make a long history quadratic. */
function appended<T>(list: T[] = [], added: readonly T[]): T[] {
  list.push(...added)
  return list
}

function isSelected(event: UsageEvent, { names, from, to, after }: EventQuery): boolean {
  if (names !== undefined && !names.includes(event.name)) return false
  if (from !== undefined && event.timestamp < from) return false
  if (to !== undefined && event.timestamp > to) return false
  if (after === undefined) return true
  return event.timestamp < after.timestamp || (event.timestamp === after.timestamp && event.uid < after.uid)
}

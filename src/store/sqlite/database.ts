import { DatabaseSync, type StatementSync } from 'node:sqlite'
import {
  BALANCE_COLUMNS,
  CUSTOMER_COLUMNS,
  EVENT_COLUMNS,
  FEATURE_COLUMNS,
  POSTING_COLUMNS,
  type SqlRow,
  type SqlValue,
} from '../rows.ts'
import {
  type ApiKey,
  type CommitResult,
  type CustomerReference,
  type EventQuery,
  KEY_BUCKET_MS,
  type KeyRecord,
  liveBuckets,
} from '../store.ts'
import { MIGRATIONS } from './migrations.ts'
import type { EncodedBatch, EncodedChange, EncodedFeatureChange, EncodedRows } from './protocol.ts'

/** How many forgotten idempotency keys one commit clears away, so that forgetting never makes a commit long. */
const FORGOTTEN_AT_ONCE = 200

/** The embedded database as the worker thread sees it: synchronous, one connection. */
export class Database {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #forgottenUpTo = 0

  constructor(file: string, mode: 'write' | 'read') {
    this.#db = new DatabaseSync(file, { readOnly: mode === 'read', timeout: 5000 })
    if (mode === 'write') this.#prepareForWriting()
  }

  #prepareForWriting(): void {
    // FULL makes every commit wait for the disk: an acknowledged answer survives a power cut, not only a crash.
    this.#db.exec(
      'pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma cache_size = -16384',
    )
    const version = Number(this.#db.prepare('pragma user_version').get()?.['user_version'] ?? 0)
    if (version > MIGRATIONS.length) {
      throw new Error(
        `the data was written by a newer Granary (schema ${version}, this one knows ${MIGRATIONS.length}): upgrade, or use another data folder`,
      )
    }
    for (const [step, sql] of MIGRATIONS.entries()) {
      if (step < version) continue
      this.#transaction(() => this.#db.exec(`${sql}; pragma user_version = ${step + 1}`))
    }
  }

  close(): void {
    this.#db.close()
  }

  loadCatalogue(env: string): { version: number; features: SqlRow[] } {
    return {
      version: this.#catalogueVersion(env),
      // Primary key (env, uid); `position` keeps the order of creation.
      features: this.#all(`select ${FEATURE_COLUMNS.join(', ')} from features where env = ? order by position`, [env]),
    }
  }

  load(references: readonly CustomerReference[]): ({ customer: SqlRow; balances: SqlRow[] } | null)[] {
    const columns = `uid, env, version, latest, postings, ${CUSTOMER_COLUMNS.join(', ')}`
    return references.map(({ env, id }) => {
      // Unique (env, id), else the primary key.
      const customer =
        this.#get(`select ${columns} from customers where env = ? and id = ?`, [env, id]) ??
        this.#get(`select ${columns} from customers where uid = ? and env = ?`, [id, env])
      if (customer === undefined) return null
      // Primary key (customer, uid).
      const balances = this.#all(`select ${BALANCE_COLUMNS.join(', ')} from balances where customer = ?`, [
        customer['uid'] ?? null,
      ])
      return { customer, balances }
    })
  }

  commit(batch: EncodedBatch): CommitResult[] {
    return this.#transaction(() => {
      const catalogues = new Map<string, number>()
      const results = batch.changes.map((change) => this.#apply(change, batch.at, catalogues))
      this.#forget(batch.at)
      return results
    })
  }

  addFeature({ env, at, expected, feature, claims, keys }: EncodedFeatureChange): CommitResult {
    return this.#transaction(() => {
      const known = this.#known(claims, at)
      if (known.length > 0) return { kind: 'known', records: known }
      if (this.#catalogueVersion(env) !== expected) return { kind: 'conflict' }
      const version = expected + 1
      this.#run(
        'insert into catalogues (env, version) values (?, ?) on conflict (env) do update set version = excluded.version',
        [env, version],
      )
      this.#run(
        `insert into features (env, position, ${FEATURE_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(FEATURE_COLUMNS.length)})`,
        [env, version, ...feature],
      )
      this.#remember(keys, at)
      return { kind: 'committed', version }
    })
  }

  listEvents(query: EventQuery): SqlRow[] {
    const conditions = ['e.env = ?']
    const values: SqlValue[] = [query.env]
    const where = (condition: string, ...given: SqlValue[]) => {
      conditions.push(condition)
      values.push(...given)
    }
    // One customer reads its clustered range backwards; all customers read events_by_time backwards.
    if (query.customerId !== undefined) {
      where(
        'e.customer in (select uid from customers where env = ? and (id = ? or uid = ?))',
        query.env,
        query.customerId,
        query.customerId,
      )
    }
    if (query.names !== undefined) where(`e.name in (${query.names.map(() => '?').join(', ')})`, ...query.names)
    if (query.from !== undefined) where('e.timestamp >= ?', query.from)
    if (query.to !== undefined) where('e.timestamp <= ?', query.to)
    if (query.after !== undefined) where('(e.timestamp, e.uid) < (?, ?)', query.after.timestamp, query.after.uid)
    const columns = EVENT_COLUMNS.map((column) => `e.${column}`).join(', ')
    return this.#all(
      `select ${columns}, c.id as customer_id from events e join customers c on c.uid = e.customer
       where ${conditions.join(' and ')} order by e.timestamp desc, e.uid desc limit ? offset ?`,
      [...values, query.limit, query.offset],
    )
  }

  ledger(customer: string): SqlRow[] {
    // Primary key (customer, seq).
    return this.#all(`select ${POSTING_COLUMNS.join(', ')} from postings where customer = ? order by seq`, [customer])
  }

  loadKeys(): ApiKey[] {
    return this.#all('select hash, env, created_at from api_keys', []).map((row) => ({
      hash: String(row['hash']),
      env: row['env'] === 'live' ? 'live' : 'sandbox',
      createdAt: Number(row['created_at']),
    }))
  }

  addKey({ hash, env, createdAt }: ApiKey): void {
    this.#run('insert into api_keys (hash, env, created_at) values (?, ?, ?) on conflict (hash) do nothing', [
      hash,
      env,
      createdAt,
    ])
  }

  #apply({ env, uid, claims, rows }: EncodedChange, at: number, catalogues: Map<string, number>): CommitResult {
    const known = this.#known(claims, at)
    if (known.length > 0) return { kind: 'known', records: known }
    if (rows === null) return { kind: 'committed', version: 0 }
    const catalogue = catalogues.get(env) ?? this.#catalogueVersion(env)
    catalogues.set(env, catalogue)
    if (catalogue !== rows.catalogue) return { kind: 'conflict' }
    const named = this.#nameAndVersion(env, uid, rows)
    if (named !== 'ok') return { kind: named }
    this.#write(env, uid, rows)
    this.#remember(rows.keys, at)
    return { kind: 'committed', version: (rows.expected ?? 0) + 1 }
  }

  /** Inserts the customer, or moves its version on from the one that was decided upon. Must come before every other write. */
  #nameAndVersion(env: string, uid: string, rows: EncodedRows): 'ok' | 'conflict' | 'id_taken' {
    const { expected, customer, latest, postingsBefore, postings } = rows
    const count = postingsBefore + postings.length
    if (customer !== null) {
      const owner = this.#get('select uid from customers where env = ? and id = ?', [env, customer[0] ?? null])
      if (owner !== undefined && owner['uid'] !== uid) return 'id_taken'
    }
    if (expected === null) {
      const columns = ['uid', 'env', 'version', 'latest', 'postings', ...CUSTOMER_COLUMNS]
      const sql = `insert into customers (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')}) on conflict do nothing`
      return this.#run(sql, [uid, env, 1, latest, count, ...(customer ?? [])]) === 1 ? 'ok' : 'conflict'
    }
    const moved = this.#run(
      'update customers set version = ?, latest = ?, postings = ? where uid = ? and version = ?',
      [expected + 1, latest, count, uid, expected],
    )
    if (moved !== 1) return 'conflict'
    if (customer !== null) {
      const sets = CUSTOMER_COLUMNS.map((column) => `${column} = ?`).join(', ')
      this.#run(`update customers set ${sets} where uid = ?`, [...customer, uid])
    }
    return 'ok'
  }

  #write(env: string, uid: string, rows: EncodedRows): void {
    for (const balance of rows.written) this.#run(WRITE_BALANCE, [uid, ...balance])
    for (const balance of rows.removed) this.#run('delete from balances where customer = ? and uid = ?', [uid, balance])
    let seq = rows.postingsBefore
    for (const posting of rows.postings) this.#run(ADD_POSTING, [uid, seq++, ...posting])
    for (const event of rows.events) this.#run(ADD_EVENT, [uid, env, ...event])
  }

  #known(claims: readonly string[], at: number): KeyRecord[] {
    const records: KeyRecord[] = []
    for (const hash of claims) {
      for (const bucket of liveBuckets(at)) {
        const row = this.#get('select hash, fingerprint, answer from idempotency where bucket = ? and hash = ?', [
          bucket,
          hash,
        ])
        if (row === undefined) continue
        records.push({ hash, fingerprint: String(row['fingerprint']), answer: String(row['answer']) })
        break
      }
    }
    return records
  }

  #remember(keys: readonly KeyRecord[], at: number): void {
    const bucket = Math.floor(at / KEY_BUCKET_MS)
    for (const { hash, fingerprint, answer } of keys) {
      this.#run('insert into idempotency (bucket, hash, fingerprint, answer) values (?, ?, ?, ?)', [
        bucket,
        hash,
        fingerprint,
        answer,
      ])
    }
  }

  #forget(at: number): void {
    const oldest = liveBuckets(at).at(-1) ?? 0
    if (this.#forgottenUpTo >= oldest) return
    const forgotten = this.#run(
      'delete from idempotency where (bucket, hash) in (select bucket, hash from idempotency where bucket < ? limit ?)',
      [oldest, FORGOTTEN_AT_ONCE],
    )
    if (forgotten < FORGOTTEN_AT_ONCE) this.#forgottenUpTo = oldest
  }

  #catalogueVersion(env: string): number {
    return Number(this.#get('select version from catalogues where env = ?', [env])?.['version'] ?? 0)
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec('begin immediate')
    try {
      const result = work()
      this.#db.exec('commit')
      return result
    } catch (error) {
      // A failed commit has rolled back by itself in some cases; then there is nothing left to roll back.
      if (this.#db.isTransaction) this.#db.exec('rollback')
      throw error
    }
  }

  #run(sql: string, values: readonly SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  #get(sql: string, values: readonly SqlValue[]): SqlRow | undefined {
    return this.#statement(sql).get(...values) as SqlRow | undefined
  }

  #all(sql: string, values: readonly SqlValue[]): SqlRow[] {
    return this.#statement(sql).all(...values) as SqlRow[]
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

const WRITE_BALANCE = `
  insert into balances (customer, ${BALANCE_COLUMNS.join(', ')}) values (?${', ?'.repeat(BALANCE_COLUMNS.length)})
  on conflict (customer, uid) do update set ${BALANCE_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')}`

const ADD_POSTING = `
  insert into postings (customer, seq, ${POSTING_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(POSTING_COLUMNS.length)})`

const ADD_EVENT = `
  insert into events (customer, env, ${EVENT_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(EVENT_COLUMNS.length)})`

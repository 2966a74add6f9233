import { DatabaseSync, type StatementSync } from 'node:sqlite'
import {
  BALANCE_COLUMNS,
  CHANGING_BALANCE_COLUMNS,
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
import { Cells, type EncodedBatch, type EncodedFeatureChange } from './protocol.ts'

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
    this.#db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -16384')
    // The same pages are changed again and again; a checkpoint writes each once, so a longer log (32 MB) means fewer writes
    // (measured on the store alone: 38 instead of 45 µs per track).
    this.#db.exec('pragma wal_autocheckpoint = 8192')
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
    const columns = `key, uid, env, version, latest, postings, ${CUSTOMER_COLUMNS.join(', ')}`
    const from = 'customers join customer_states on customer = key'
    return references.map(({ env, id }) => {
      // Unique (env, id), else unique (uid).
      const customer =
        this.#get(`select ${columns} from ${from} where env = ? and id = ?`, [env, id]) ??
        this.#get(`select ${columns} from ${from} where uid = ? and env = ?`, [id, env])
      if (customer === undefined) return null
      // Primary key (customer, uid).
      const balances = this.#all(`select ${BALANCE_COLUMNS.join(', ')} from balances where customer = ?`, [
        customer['key'] ?? null,
      ])
      return { customer, balances }
    })
  }

  commit({ at, count, cells }: EncodedBatch): CommitResult[] {
    return this.#transaction(() => {
      const catalogues = new Map<string, number>()
      const input = new Cells(cells)
      const results = Array.from({ length: count }, () => this.#apply(readChange(input), at, catalogues))
      this.#forget(at)
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
      this.#remember(
        keys.map((key) => [key.hash, key.fingerprint, key.answer]),
        at,
      )
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
    // One customer reads events_of_customer backwards, all customers events_by_time. A single key and not `in`: with a list
    // SQLite walks the events of everyone in order of time instead.
    if (query.customerId !== undefined) {
      where(
        'e.customer = coalesce((select key from customers where env = ? and id = ?), (select key from customers where env = ? and uid = ?))',
        query.env,
        query.customerId,
        query.env,
        query.customerId,
      )
    }
    if (query.names !== undefined) where(`e.name in (${query.names.map(() => '?').join(', ')})`, ...query.names)
    if (query.from !== undefined) where('e.timestamp >= ?', query.from)
    if (query.to !== undefined) where('e.timestamp <= ?', query.to)
    if (query.after !== undefined) where('(e.timestamp, e.uid) < (?, ?)', query.after.timestamp, query.after.uid)
    const columns = EVENT_COLUMNS.map((column) => `e.${column}`).join(', ')
    return this.#all(
      `select ${columns}, c.id as customer_id from events e join customers c on c.key = e.customer
       where ${conditions.join(' and ')} order by e.timestamp desc, e.uid desc limit ? offset ?`,
      [...values, query.limit, query.offset],
    )
  }

  ledger(customer: string): SqlRow[] {
    // Walks the chain from the last posting back, a look-up by primary key each.
    return this.#all(
      `with recursive chain (link) as (
         select last_posting from customer_states join customers on key = customer where uid = ?
         union all
         select previous from chain join postings on seq = link where previous is not null
       )
       select ${POSTING_COLUMNS.join(', ')} from chain join postings on seq = link order by seq`,
      [customer],
    )
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

  #apply({ env, uid, claims, rows }: DecodedChange, at: number, catalogues: Map<string, number>): CommitResult {
    const known = this.#known(claims, at)
    if (known.length > 0) return { kind: 'known', records: known }
    if (rows === null) return { kind: 'committed', version: 0 }
    const catalogue = catalogues.get(env) ?? this.#catalogueVersion(env)
    catalogues.set(env, catalogue)
    if (catalogue !== rows.catalogue) return { kind: 'conflict' }
    if (rows.customer !== null) {
      const owner = this.#get('select uid from customers where env = ? and id = ?', [env, rows.customer[0] ?? null])
      if (owner !== undefined && owner['uid'] !== uid) return { kind: 'id_taken' }
    }
    const state = rows.expected === null ? this.#create(env, uid, rows) : this.#lookUp(uid, rows.expected)
    if (state === null) return { kind: 'conflict' }
    if (rows.expected !== null && rows.customer !== null) {
      const sets = CUSTOMER_COLUMNS.map((column) => `${column} = ?`).join(', ')
      this.#run(`update customers set ${sets} where key = ?`, [...rows.customer, state.customer])
    }
    this.#write(env, state, rows)
    this.#remember(rows.keys, at)
    return { kind: 'committed', version: (rows.expected ?? 0) + 1 }
  }

  /** @returns null when the customer is there already. */
  #create(env: string, uid: string, { customer }: DecodedRows): CustomerState | null {
    const columns = ['uid', 'env', ...CUSTOMER_COLUMNS]
    const sql = `insert into customers (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')}) on conflict do nothing`
    if (this.#run(sql, [uid, env, ...(customer ?? [])]) !== 1) return null
    const key = Number(this.#get('select key from customers where uid = ?', [uid])?.['key'])
    this.#run('insert into customer_states (customer, version, latest, postings) values (?, 0, 0, 0)', [key])
    return { customer: key, lastPosting: null }
  }

  /** @returns null when the customer is not at the version that was decided upon. */
  #lookUp(uid: string, expected: number): CustomerState | null {
    const row = this.#get(
      'select customer, version, last_posting from customer_states where customer = (select key from customers where uid = ?)',
      [uid],
    )
    if (row === undefined || row['version'] !== expected) return null
    return { customer: Number(row['customer']), lastPosting: row['last_posting'] ?? null }
  }

  #write(env: string, { customer, lastPosting }: CustomerState, rows: DecodedRows): void {
    for (const balance of rows.written) {
      const changing = CHANGING_CELLS.map((cell) => balance[cell] ?? null)
      // Nearly always the balance is there and only a few of its columns have moved.
      if (this.#run(CHANGE_BALANCE, [...changing, customer, balance[0] ?? null]) === 0)
        this.#run(ADD_BALANCE, [customer, ...balance])
    }
    for (const [uid] of rows.removed)
      this.#run('delete from balances where customer = ? and uid = ?', [customer, uid ?? null])
    let previous = lastPosting
    for (const posting of rows.postings) previous = this.#insert(ADD_POSTING, [customer, previous, ...posting])
    for (const event of rows.events) this.#run(ADD_EVENT, [customer, env, ...event])
    this.#run('update customer_states set version = ?, latest = ?, postings = ?, last_posting = ? where customer = ?', [
      (rows.expected ?? 0) + 1,
      rows.latest,
      rows.postingsBefore + rows.postings.length,
      previous,
      customer,
    ])
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

  #remember(keys: readonly (readonly SqlValue[])[], at: number): void {
    const bucket = Math.floor(at / KEY_BUCKET_MS)
    for (const [hash = null, fingerprint = null, answer = null] of keys) {
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

  #insert(sql: string, values: readonly SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).lastInsertRowid)
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

interface CustomerState {
  readonly customer: number
  readonly lastPosting: SqlValue
}

type Rows = readonly (readonly SqlValue[])[]

interface DecodedRows {
  readonly expected: number | null
  readonly catalogue: number
  readonly latest: number
  readonly postingsBefore: number
  readonly customer: readonly SqlValue[] | null
  readonly written: Rows
  readonly removed: Rows
  readonly postings: Rows
  readonly events: Rows
  readonly keys: Rows
}

interface DecodedChange {
  readonly env: string
  readonly uid: string
  readonly claims: readonly string[]
  readonly rows: DecodedRows | null
}

/** In the order of `encodeChange`; the fields below are read as they are written here, one after another. */
function readChange(input: Cells): DecodedChange {
  const env = input.text()
  const uid = input.text()
  const claims = input.rows(1).map(([hash]) => String(hash))
  return { env, uid, claims, rows: input.number() === 0 ? null : readRows(input) }
}

function readRows(input: Cells): DecodedRows {
  const expected = input.next()
  return {
    expected: expected === null ? null : Number(expected),
    catalogue: input.number(),
    latest: input.number(),
    postingsBefore: input.number(),
    customer: input.number() === 0 ? null : input.row(CUSTOMER_COLUMNS.length),
    written: input.rows(BALANCE_COLUMNS.length),
    removed: input.rows(1),
    postings: input.rows(POSTING_COLUMNS.length),
    events: input.rows(EVENT_COLUMNS.length),
    keys: input.rows(3),
  }
}

const CHANGING_CELLS = CHANGING_BALANCE_COLUMNS.map((column) => BALANCE_COLUMNS.indexOf(column))

const CHANGE_BALANCE = `
  update balances set ${CHANGING_BALANCE_COLUMNS.map((column) => `${column} = ?`).join(', ')} where customer = ? and uid = ?`

const ADD_BALANCE = `
  insert into balances (customer, ${BALANCE_COLUMNS.join(', ')}) values (?${', ?'.repeat(BALANCE_COLUMNS.length)})`

const ADD_POSTING = `
  insert into postings (customer, previous, ${POSTING_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(POSTING_COLUMNS.length)})`

const ADD_EVENT = `
  insert into events (customer, env, ${EVENT_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(EVENT_COLUMNS.length)})`

import { DatabaseSync } from 'node:sqlite'
import { propertyText } from '../../domain/property.ts'
import { type Retention, USUAL_RETENTION } from '../../domain/retention.ts'
import type { SqlValue } from '../cells.ts'
import { ATTACHMENT_COLUMNS } from '../plan-rows.ts'
import {
  BALANCE_COLUMNS,
  CHANGING_BALANCE_COLUMNS,
  CUSTOMER_COLUMNS,
  ENTITY_COLUMNS,
  POSTING_COLUMNS,
  REFUND_COLUMNS,
} from '../rows.ts'
import { type ApiKey, type CommitResult, KEY_BUCKET_MS, type KeyRecord, liveBuckets } from '../store.ts'
import { EVENT_COLUMNS, LOCK_COLUMNS, propertiesFromText } from '../use-rows.ts'
import { isUsed, writeCatalogue } from './catalogue.ts'
import { Leftovers } from './leftovers.ts'
import { MIGRATIONS } from './migrations.ts'
import {
  Cells,
  type DecodedChange,
  type DecodedRows,
  type EncodedBatch,
  type EncodedCatalogueChange,
  readChange,
} from './protocol.ts'
import { Sql } from './sql.ts'

/** How many forgotten idempotency keys one commit clears away, so that forgetting never makes a commit long. */
const FORGOTTEN_AT_ONCE = 200

/** The embedded database as the worker thread sees it: synchronous, one connection. */
export class Database {
  readonly #db: DatabaseSync
  readonly sql: Sql
  readonly leftovers: Leftovers
  #retention = USUAL_RETENTION
  #forgottenUpTo = 0

  constructor(file: string, mode: 'write' | 'read') {
    this.#db = new DatabaseSync(file, { readOnly: mode === 'read', timeout: 5000 })
    this.sql = new Sql(this.#db)
    this.leftovers = new Leftovers(this.sql)
    // Upper and lower case as JavaScript has them: SQLite itself knows only those of ASCII.
    this.#db.function('contains', { deterministic: true }, (text, search) =>
      Number(typeof text === 'string' && text.toLowerCase().includes(String(search))),
    )
    this.#db.function('has', { deterministic: true }, (properties, path, value) =>
      Number(
        typeof properties === 'string' &&
          propertyText(propertiesFromText(properties), String(path).split('.')) === value,
      ),
    )
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
      this.sql.transaction(() => this.#db.exec(`${sql}; pragma user_version = ${step + 1}`))
    }
  }

  retain(retention: Retention): void {
    this.#retention = retention
    this.#forgottenUpTo = 0
    this.leftovers.retain(retention)
  }

  close(): void {
    this.#db.close()
  }

  commit({ at, count, cells }: EncodedBatch): CommitResult[] {
    return this.sql.transaction(() => {
      const catalogues = new Map<string, number>()
      const input = new Cells(cells)
      const results = Array.from({ length: count }, () => this.#apply(readChange(input), at, catalogues))
      this.#forget(at)
      this.leftovers.passed(at)
      return results
    })
  }

  changeCatalogue(change: EncodedCatalogueChange): CommitResult | { kind: 'in_use' } {
    const { env, at, now, expected, unused } = change
    return this.sql.transaction(() => {
      const known = this.#known(change.claims, at)
      if (known.length > 0) return { kind: 'known', records: known }
      if (this.#catalogueVersion(env) !== expected) return { kind: 'conflict' }
      if (unused !== null && isUsed(this.sql, unused, now)) return { kind: 'in_use' }
      const version = expected + 1
      writeCatalogue(this.sql, change, version)
      this.#remember(
        change.keys.map((key) => [key.hash, key.fingerprint, key.answer]),
        at,
      )
      return { kind: 'committed', version }
    })
  }

  loadKeys(): ApiKey[] {
    return this.sql.all('select hash, env, created_at from api_keys', []).map((row) => ({
      hash: String(row['hash']),
      env: row['env'] === 'live' ? 'live' : 'sandbox',
      createdAt: Number(row['created_at']),
    }))
  }

  addKey({ hash, env, createdAt }: ApiKey): void {
    this.sql.run('insert into api_keys (hash, env, created_at) values (?, ?, ?) on conflict (hash) do nothing', [
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
    if (rows.customer !== null && this.#isTaken(env, uid, rows.customer)) return { kind: 'id_taken' }
    if (rows.locksWritten.some(([id]) => this.#lockIsTaken(env, uid, id ?? null))) return { kind: 'lock_taken' }
    const state = rows.expected === null ? this.#create(env, uid, rows) : this.#lookUp(uid, rows.expected)
    if (state === null) return { kind: 'conflict' }
    if (rows.deleted) {
      this.leftovers.bury(state.customer, state.lastPosting)
      this.#remember(rows.keys, at)
      return { kind: 'committed', version: 0 }
    }
    if (rows.expected !== null && rows.customer !== null) {
      const sets = CUSTOMER_COLUMNS.map((column) => `${column} = ?`).join(', ')
      this.sql.run(`update customers set ${sets} where key = ?`, [...rows.customer, state.customer])
    }
    this.#write(env, state, rows, at)
    this.#remember(rows.keys, at)
    return { kind: 'committed', version: (rows.expected ?? 0) + 1 }
  }

  #isTaken(env: string, uid: string, customer: readonly SqlValue[]): boolean {
    const owner = (column: 'id' | 'claim' | 'uid', name: SqlValue) =>
      name === null ? undefined : this.sql.get(`select uid from customers where env = ? and ${column} = ?`, [env, name])
    const [id = null, claim = null] = [CUSTOMER_COLUMNS.indexOf('id'), CUSTOMER_COLUMNS.indexOf('claim')].map(
      (column) => customer[column],
    )
    // Unique (env, id), unique (env, claim), unique (uid): nobody may be called like the internal id of another either.
    return [owner('id', id), owner('claim', claim), owner('uid', id)].some(
      (found) => found !== undefined && found['uid'] !== uid,
    )
  }

  #lockIsTaken(env: string, uid: string, id: SqlValue): boolean {
    const owner = this.sql.get(
      'select customers.uid from locks join customers on key = customer where locks.env = ? and locks.id = ?',
      [env, id],
    )
    return owner !== undefined && owner['uid'] !== uid
  }

  /** @returns null when the customer is there already. */
  #create(env: string, uid: string, { customer }: DecodedRows): CustomerState | null {
    const columns = ['uid', 'env', ...CUSTOMER_COLUMNS]
    const sql = `insert into customers (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')}) on conflict do nothing`
    if (this.sql.run(sql, [uid, env, ...(customer ?? [])]) !== 1) return null
    const key = Number(this.sql.get('select key from customers where uid = ?', [uid])?.['key'])
    this.sql.run('insert into customer_states (customer, version, latest, postings) values (?, 0, 0, 0)', [key])
    return { customer: key, lastPosting: null }
  }

  /** @returns null when the customer is not at the version that was decided upon. */
  #lookUp(uid: string, expected: number): CustomerState | null {
    const row = this.sql.get(
      'select customer, version, last_posting from customer_states where customer = (select key from customers where uid = ?)',
      [uid],
    )
    if (row === undefined || row['version'] !== expected) return null
    return { customer: Number(row['customer']), lastPosting: row['last_posting'] ?? null }
  }

  #write(env: string, { customer, lastPosting }: CustomerState, rows: DecodedRows, at: number): void {
    for (const balance of rows.written) {
      const changing = CHANGING_CELLS.map((cell) => balance[cell] ?? null)
      // Nearly always the balance is there and only a few of its columns have moved.
      if (this.sql.run(CHANGE_BALANCE, [...changing, customer, balance[0] ?? null]) === 0)
        this.sql.run(ADD_BALANCE, [customer, ...balance])
    }
    for (const [uid] of rows.removed)
      this.sql.run('delete from balances where customer = ? and uid = ?', [customer, uid ?? null])
    // Removed first: what comes in their place may have the same id.
    for (const [uid] of rows.entitiesRemoved)
      this.sql.run('delete from entities where customer = ? and uid = ?', [customer, uid ?? null])
    for (const entity of rows.entitiesWritten) this.sql.run(WRITE_ENTITY, [customer, env, ...entity])
    for (const refund of rows.refunds) this.sql.run(WRITE_REFUND, [customer, ...refund])
    for (const [id] of rows.locksRemoved) this.sql.run('delete from locks where env = ? and id = ?', [env, id ?? null])
    for (const lock of rows.locksWritten) this.sql.run(WRITE_LOCK, [customer, env, ...lock])
    for (const [uid] of rows.attachmentsRemoved)
      this.sql.run('delete from attachments where customer = ? and uid = ?', [customer, uid ?? null])
    for (const attachment of rows.attachmentsWritten) this.sql.run(WRITE_ATTACHMENT, [customer, env, ...attachment])
    let previous = lastPosting
    for (const posting of rows.postings) previous = this.sql.insert(ADD_POSTING, [customer, previous, ...posting])
    for (const event of rows.events) this.sql.run(ADD_EVENT, [customer, env, at, ...event])
    this.sql.run(
      'update customer_states set version = ?, latest = ?, postings = ?, last_posting = ? where customer = ?',
      [(rows.expected ?? 0) + 1, rows.latest, rows.postingsBefore + rows.postings.length, previous, customer],
    )
  }

  #known(claims: readonly string[], at: number): KeyRecord[] {
    const records: KeyRecord[] = []
    for (const hash of claims) {
      for (const bucket of liveBuckets(at, this.#retention)) {
        const row = this.sql.get('select hash, fingerprint, answer from idempotency where bucket = ? and hash = ?', [
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
      this.sql.run('insert into idempotency (bucket, hash, fingerprint, answer) values (?, ?, ?, ?)', [
        bucket,
        hash,
        fingerprint,
        answer,
      ])
    }
  }

  #forget(at: number): void {
    const oldest = liveBuckets(at, this.#retention).at(-1) ?? 0
    if (this.#forgottenUpTo >= oldest) return
    const forgotten = this.sql.run(
      'delete from idempotency where (bucket, hash) in (select bucket, hash from idempotency where bucket < ? limit ?)',
      [oldest, FORGOTTEN_AT_ONCE],
    )
    if (forgotten < FORGOTTEN_AT_ONCE) this.#forgottenUpTo = oldest
  }

  #catalogueVersion(env: string): number {
    return Number(this.sql.get('select version from catalogues where env = ?', [env])?.['version'] ?? 0)
  }
}

interface CustomerState {
  readonly customer: number
  readonly lastPosting: SqlValue
}

const WRITE_ENTITY = `
  insert into entities (customer, env, ${ENTITY_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(ENTITY_COLUMNS.length)})
  on conflict (customer, uid) do update set ${ENTITY_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')}`

const WRITE_REFUND = `
  insert into refunds (customer, ${REFUND_COLUMNS.join(', ')}) values (?${', ?'.repeat(REFUND_COLUMNS.length)})
  on conflict (customer, event) do update set given = excluded.given`

const WRITE_LOCK = `
  insert into locks (customer, env, ${LOCK_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(LOCK_COLUMNS.length)})
  on conflict (env, id) do update set customer = excluded.customer, ${LOCK_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')}`

const WRITE_ATTACHMENT = `
  insert into attachments (customer, env, ${ATTACHMENT_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(ATTACHMENT_COLUMNS.length)})
  on conflict (customer, uid) do update set ${ATTACHMENT_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')}`

const CHANGING_CELLS = CHANGING_BALANCE_COLUMNS.map((column) => BALANCE_COLUMNS.indexOf(column))

const CHANGE_BALANCE = `
  update balances set ${CHANGING_BALANCE_COLUMNS.map((column) => `${column} = ?`).join(', ')} where customer = ? and uid = ?`

const ADD_BALANCE = `
  insert into balances (customer, ${BALANCE_COLUMNS.join(', ')}) values (?${', ?'.repeat(BALANCE_COLUMNS.length)})`

const ADD_POSTING = `
  insert into postings (customer, previous, ${POSTING_COLUMNS.join(', ')}) values (?, ?${', ?'.repeat(POSTING_COLUMNS.length)})`

const ADD_EVENT = `
  insert into events (customer, env, stored_at, ${EVENT_COLUMNS.join(', ')}) values (?, ?, ?${', ?'.repeat(EVENT_COLUMNS.length)})`

import { assert } from '../../domain/assert.ts'
import {
  BALANCE_COLUMNS,
  balanceToRow,
  CUSTOMER_COLUMNS,
  customerToRow,
  ENTITY_COLUMNS,
  EVENT_COLUMNS,
  entityToRow,
  eventToRow,
  FEATURE_COLUMNS,
  featureToRow,
  POSTING_COLUMNS,
  postingToRow,
  REFUND_COLUMNS,
  refundToRow,
  type SqlValue,
} from '../rows.ts'
import type { Batch, CatalogueChange, CommitResult, CustomerChange, CustomerRows, KeyRecord } from '../store.ts'
import type { Statement } from './connections.ts'

/** What `commit-1.ts` asks of a change: look up its keys, change a customer, add one, delete one. */
const [LOOK_UP, CHANGE, ADD, DELETE] = [0, 1, 2, 3]

/** The first column of every table but that of the changes is the number of the change, from 1. */
const WIDTHS = {
  changes: 8,
  slots: 1,
  claims: 2,
  customers: 1 + CUSTOMER_COLUMNS.length,
  written: 1 + BALANCE_COLUMNS.length,
  removed: 2,
  entitiesWritten: 1 + ENTITY_COLUMNS.length,
  entitiesRemoved: 2,
  refunds: 1 + REFUND_COLUMNS.length,
  postings: 2 + POSTING_COLUMNS.length,
  events: 1 + EVENT_COLUMNS.length,
  keys: 4,
}
type Tables = Record<keyof typeof WIDTHS, Columns>

/** Customers wait for a commit, and it is found out what became of one that is not waited for any more. */
const COMMIT_MS = 12_000

/** Writer, number, instant and live buckets, then the tables' columns. */
export const COMMIT: Statement = {
  ...calling('granary_commit_1', 4 + sum(Object.values(WIDTHS))),
  patience: COMMIT_MS,
}
export const CHANGE_CATALOGUE: Statement = calling('granary_catalogue_1', 15 + FEATURE_COLUMNS.length)

function calling(name: string, parameters: number): Statement {
  const list = Array.from({ length: parameters }, (_, i) => `$${i + 1}`).join(', ')
  return { name, text: `select ${name}(${list}) as results` }
}

/** All parameters of COMMIT but the first two. @param buckets that may hold a live key. */
export function encodeBatch({ at, changes }: Batch, buckets: readonly number[]): unknown[] {
  const tables = Object.fromEntries(
    Object.entries(WIDTHS).map(([name, width]) => [name, new Columns(width)]),
  ) as unknown as Tables
  const slots = new Map<string, number>()
  for (const [i, change] of changes.entries()) encodeChange(tables, slots, change, i + 1)
  for (const uid of slots.keys()) tables.slots.add([uid])
  const names = Object.keys(WIDTHS) as (keyof Tables)[]
  return [at, buckets, ...names.flatMap((name) => tables[name].literals())]
}

function encodeChange(tables: Tables, slots: Map<string, number>, change: CustomerChange, number: number): void {
  const { env, uid, claims, rows } = change
  for (const hash of claims) tables.claims.add([number, hash])
  if (rows === null) return tables.changes.add([env, uid, 0, LOOK_UP, 0, 0, 0, 0])
  const slot = slots.get(uid) ?? slots.size + 1
  slots.set(uid, slot)
  const kind = rows.deleted ? DELETE : rows.expected === null ? ADD : CHANGE
  const postings = rows.postingsBefore + rows.postings.length
  tables.changes.add([env, uid, slot, kind, rows.expected ?? 0, rows.catalogue, rows.latest, postings])
  for (const { hash, fingerprint, answer } of rows.keys) tables.keys.add([number, hash, fingerprint, answer])
  if (!rows.deleted) encodeRows(tables, rows, number)
}

function encodeRows(tables: Tables, rows: CustomerRows, number: number): void {
  assert(rows.customer !== null || rows.expected !== null, 'a new customer comes with its row')
  if (rows.customer !== null) tables.customers.add([number, ...customerToRow(rows.customer)])
  for (const balance of rows.written) tables.written.add([number, ...balanceToRow(balance)])
  for (const balance of rows.removed) tables.removed.add([number, balance.uid])
  for (const entity of rows.entitiesWritten) tables.entitiesWritten.add([number, ...entityToRow(entity)])
  for (const entity of rows.entitiesRemoved) tables.entitiesRemoved.add([number, entity.uid])
  for (const refund of rows.refunds) tables.refunds.add([number, ...refundToRow(refund)])
  for (const [i, posting] of rows.postings.entries())
    tables.postings.add([number, rows.postingsBefore + i, ...postingToRow(posting)])
  for (const event of rows.events) tables.events.add([number, ...eventToRow(event)])
}

/** All parameters of CHANGE_CATALOGUE but the first two. @param buckets that may hold a live key. */
export function encodeCatalogueChange(change: CatalogueChange, buckets: readonly number[]): unknown[] {
  const { env, now, expected, written, removed, clockAhead, unused, claims, keys } = change
  return [
    now,
    buckets,
    env,
    expected,
    clockAhead,
    removed,
    unused?.feature ?? null,
    unused?.balances ?? false,
    unused?.entities ?? false,
    [...claims],
    keys.map(({ hash }) => hash),
    keys.map(({ fingerprint }) => fingerprint),
    keys.map(({ answer }) => answer),
    ...(written === null ? FEATURE_COLUMNS.map(() => null) : featureToRow(written)),
  ]
}

/** One letter per change, and the records that were known, in the order of the claims. */
interface Results {
  readonly kinds: string
  readonly known: readonly (readonly [change: number, hash: string, fingerprint: string, answer: string])[]
}

export function decodeResults(text: string, changes: readonly CustomerChange[]): CommitResult[] {
  const { kinds, known } = JSON.parse(text) as Results
  return changes.map(({ rows }, i) => {
    // One that was new becomes the first version; one that is gone, or was not written, has none.
    const version = rows === null || rows.deleted ? 0 : (rows.expected ?? 0) + 1
    return resultOf(kinds.charAt(i), version, recordsOf(known, i))
  })
}

export function decodeCatalogueResult(text: string, expected: number): CommitResult | { kind: 'in_use' } {
  const { kinds, known } = JSON.parse(text) as Results
  return kinds === 'u' ? { kind: 'in_use' } : resultOf(kinds, expected + 1, recordsOf(known, 0))
}

function resultOf(kind: string, version: number, records: readonly KeyRecord[]): CommitResult {
  switch (kind) {
    case 'c':
      return { kind: 'committed', version }
    case 'x':
      return { kind: 'conflict' }
    case 't':
      return { kind: 'id_taken' }
    default:
      assert(kind === 'k', `unknown result ${kind}`)
      return { kind: 'known', records }
  }
}

function recordsOf(known: Results['known'], change: number): KeyRecord[] {
  return known.flatMap(([of, hash, fingerprint, answer]) => (of === change ? [{ hash, fingerprint, answer }] : []))
}

/**
 * Rows turned into one array literal per column, which is what `unnest` makes rows of again. Written by hand: the driver's
 * own way walks every value twice.
 */
class Columns {
  readonly #columns: string[]

  constructor(width: number) {
    this.#columns = Array.from({ length: width }, () => '')
  }

  add(row: readonly SqlValue[]): void {
    const columns = this.#columns
    for (let i = 0; i < columns.length; i++) {
      const separator = columns[i] === '' ? '' : ','
      columns[i] += separator + literalOf(row[i] ?? null)
    }
  }

  literals(): string[] {
    return this.#columns.map((column) => `{${column}}`)
  }
}

function literalOf(value: SqlValue): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

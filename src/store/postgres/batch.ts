import { assert } from '../../domain/assert.ts'
import type { Environment } from '../../domain/customer.ts'
import type { SqlValue } from '../cells.ts'
import { attachmentToRow, planToRow } from '../plan-rows.ts'
import { balanceToRow, customerToRow, entityToRow, featureToRow, postingToRow, refundToRow } from '../rows.ts'
import type { Batch, CatalogueChange, CommitResult, CustomerChange, CustomerRows, KeyRecord } from '../store.ts'
import { eventToRow, lockToRow } from '../use-rows.ts'
import type { Statement } from './connections.ts'

/** What `commit-3.ts` is asked to do with a customer. */
type Kind = 'l' | 'c' | 'a' | 'd'

/** The tables of a batch, in the order of the parameters. The first column is the number of the change, from 1. */
const TABLES = [
  'changes',
  'claims',
  'customers',
  'written',
  'removed',
  'entities',
  'entitiesRemoved',
  'refunds',
  'locksRemoved',
  'locks',
  'attachmentsRemoved',
  'attachments',
  'postings',
  'events',
  'keys',
] as const
type Tables = Record<(typeof TABLES)[number], Table>

/** Customers wait for a commit, and it is found out what became of one that is not waited for any more. */
const COMMIT_MS = 12_000

/** Writer, number, own writers, instant, live buckets, environments, kinds and whether it is plain, then the tables. */
export const COMMIT: Statement = { ...calling('granary_commit_3', 8 + TABLES.length), patience: COMMIT_MS }
export const CHANGE_CATALOGUE: Statement = calling('granary_catalogue_2', 18)

function calling(name: string, parameters: number): Statement {
  const list = Array.from({ length: parameters }, (_, i) => `$${i + 1}`).join(', ')
  return { name, text: `select ${name}(${list}) as results` }
}

/** All parameters of COMMIT but the first three. @param buckets that may hold a live key. */
export function encodeBatch({ at, changes }: Batch, buckets: readonly number[]): unknown[] {
  const tables = Object.fromEntries(TABLES.map((name) => [name, new Table()])) as Tables
  const slots = new Map<string, number>()
  const envs = new Set<Environment>()
  let kinds = ''
  let repeated = false
  for (const [i, change] of changes.entries()) {
    const { env, uid, rows } = change
    envs.add(env)
    const kind = kindOf(rows)
    kinds += kind
    const known = slots.get(uid)
    const slot = known ?? slots.size + 1
    if (rows !== null) {
      repeated ||= known !== undefined
      slots.set(uid, slot)
    }
    encodeChange(tables, change, kind === 'l' ? 0 : slot, i + 1)
  }
  const plain = !repeated && !/[ad]/.test(kinds) && tables.customers.isEmpty
  return [
    at,
    `{${buckets.join(',')}}`,
    `{${[...envs].join(',')}}`,
    kinds,
    plain,
    ...TABLES.map((name) => tables[name].literal()),
  ]
}

function kindOf(rows: CustomerRows | null): Kind {
  if (rows === null) return 'l'
  if (rows.deleted) return 'd'
  return rows.expected === null ? 'a' : 'c'
}

function encodeChange(tables: Tables, { env, uid, claims, rows }: CustomerChange, slot: number, number: number): void {
  for (const hash of claims) tables.claims.add([number, hash])
  if (rows === null) return tables.changes.add([number, env, uid, slot, 0, 0, 0, 0])
  const postings = rows.postingsBefore + rows.postings.length
  tables.changes.add([number, env, uid, slot, rows.expected ?? 0, rows.catalogue, rows.latest, postings])
  for (const { hash, fingerprint, answer } of rows.keys) tables.keys.add([number, hash, fingerprint, answer])
  if (!rows.deleted) encodeRows(tables, rows, number)
}

function encodeRows(tables: Tables, rows: CustomerRows, number: number): void {
  assert(rows.customer !== null || rows.expected !== null, 'a new customer comes with its row')
  if (rows.customer !== null) tables.customers.add([number, ...customerToRow(rows.customer)])
  for (const balance of rows.written) tables.written.add([number, ...balanceToRow(balance)])
  for (const balance of rows.removed) tables.removed.add([number, balance.uid])
  for (const entity of rows.entitiesWritten) tables.entities.add([number, ...entityToRow(entity)])
  for (const entity of rows.entitiesRemoved) tables.entitiesRemoved.add([number, entity.uid])
  for (const refund of rows.refunds) tables.refunds.add([number, ...refundToRow(refund)])
  for (const id of rows.locksRemoved) tables.locksRemoved.add([number, id])
  for (const lock of rows.locksWritten) tables.locks.add([number, ...lockToRow(lock)])
  for (const uid of rows.attachmentsRemoved) tables.attachmentsRemoved.add([number, uid])
  for (const attachment of rows.attachmentsWritten) tables.attachments.add([number, ...attachmentToRow(attachment)])
  for (const [i, posting] of rows.postings.entries())
    tables.postings.add([number, rows.postingsBefore + i, ...postingToRow(posting)])
  for (const event of rows.events) tables.events.add([number, ...eventToRow(event)])
}

/** All parameters of CHANGE_CATALOGUE but the first two. @param buckets that may hold a live key. */
export function encodeCatalogueChange(change: CatalogueChange, buckets: readonly number[]): unknown[] {
  const { env, now, expected, written, removed, plansWritten, plansRemoved, clockAhead, unused, claims, keys } = change
  const feature = unused?.kind === 'feature' ? unused : null
  const plan = unused?.kind === 'plan' ? unused : null
  return [
    now,
    buckets,
    env,
    expected,
    clockAhead,
    feature?.feature ?? null,
    feature?.balances ?? false,
    feature?.entities ?? false,
    [...(plan?.plans ?? [])],
    plan?.ever ?? false,
    [...claims],
    Table.of(keys.map(({ hash, fingerprint, answer }) => [1, hash, fingerprint, answer])),
    Table.of(written === null ? [] : [featureToRow(written)]),
    removed === null ? [] : [removed],
    Table.of(plansWritten.map(planToRow)),
    [...plansRemoved],
  ]
}

/** One letter per change, and the records that were known, in the order of the claims. */
interface Results {
  readonly kinds: string
  readonly known: readonly (readonly [change: number, hash: string, fingerprint: string, answer: string])[]
  /** Whether no other process has written lately; of a batch only. */
  readonly alone?: boolean
}

export function decodeResults(
  text: string,
  changes: readonly CustomerChange[],
): { readonly results: CommitResult[]; readonly alone: boolean } {
  const { kinds, known, alone = false } = JSON.parse(text) as Results
  const results = changes.map(({ rows }, i) => {
    // One that was new becomes the first version; one that is gone, or was not written, has none.
    const version = rows === null || rows.deleted ? 0 : (rows.expected ?? 0) + 1
    return resultOf(kinds.charAt(i), version, recordsOf(known, i))
  })
  return { results, alone }
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
    case 'w':
      return { kind: 'conflict' }
    case 't':
      return { kind: 'id_taken' }
    case 'h':
      return { kind: 'lock_taken' }
    default:
      assert(kind === 'k', `unknown result ${kind}`)
      return { kind: 'known', records }
  }
}

function recordsOf(known: Results['known'], change: number): KeyRecord[] {
  return known.flatMap(([of, hash, fingerprint, answer]) => (of === change ? [{ hash, fingerprint, answer }] : []))
}

/**
 * Rows turned into the text of an array of them, which is what `unnest` makes rows of again. Written by hand: the driver's own
 * way walks every value twice.
 */
class Table {
  #rows = ''

  static of(rows: readonly (readonly SqlValue[])[]): string {
    const table = new Table()
    for (const row of rows) table.add(row)
    return table.literal()
  }

  get isEmpty(): boolean {
    return this.#rows === ''
  }

  add(row: readonly SqlValue[]): void {
    let cells = ''
    for (const value of row) cells += `,${cellOf(value)}`
    this.#rows += `${this.#rows === '' ? '' : ','}"(${cells.slice(1)})"`
  }

  literal(): string {
    return `{${this.#rows}}`
  }
}

/** Neither in a row nor in an array have these a meaning of their own. */
const ORDINARY = /^[\w.:-]+$/

/** Nothing is null. In quotes for the row, and these and whatever they protect are protected once more for the array. */
function cellOf(value: SqlValue): string {
  if (value === null) return ''
  if (typeof value === 'number' || ORDINARY.test(value)) return String(value)
  return `\\"${value.replace(/["\\]/g, '\\\\\\$&')}\\"`
}

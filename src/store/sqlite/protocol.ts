import {
  balanceToRow,
  customerToRow,
  eventToRow,
  featureToRow,
  postingToRow,
  type SqlRow,
  type SqlValue,
} from '../rows.ts'
import type {
  ApiKey,
  Batch,
  CommitResult,
  CustomerChange,
  CustomerReference,
  EventQuery,
  FeatureChange,
  KeyRecord,
} from '../store.ts'

/**
 * What crosses the thread border. Rows are flat arrays of texts and numbers, because cloning nested objects costs more than
 * writing them.
 */
export interface Calls {
  open: { request: null; reply: null }
  loadCatalogue: { request: string; reply: { version: number; features: SqlRow[] } }
  load: { request: readonly CustomerReference[]; reply: ({ customer: SqlRow; balances: SqlRow[] } | null)[] }
  commit: { request: EncodedBatch; reply: CommitResult[] }
  addFeature: { request: EncodedFeatureChange; reply: CommitResult }
  listEvents: { request: EventQuery; reply: SqlRow[] }
  ledger: { request: string; reply: SqlRow[] }
  loadKeys: { request: null; reply: ApiKey[] }
  addKey: { request: ApiKey; reply: null }
  close: { request: null; reply: null }
}
export type CallName = keyof Calls

export interface Request<N extends CallName = CallName> {
  readonly id: number
  readonly call: N
  readonly argument: Calls[N]['request']
}

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: number | null } }

/** All changes of a batch one after another, in one flat list; `Cells` reads it back. */
export interface EncodedBatch {
  readonly at: number
  readonly count: number
  readonly cells: readonly SqlValue[]
}

export interface EncodedFeatureChange {
  readonly env: string
  readonly at: number
  readonly expected: number
  readonly feature: readonly SqlValue[]
  readonly claims: readonly string[]
  readonly keys: readonly KeyRecord[]
}

export function encodeBatch({ at, changes }: Batch): EncodedBatch {
  const cells: SqlValue[] = []
  for (const change of changes) encodeChange(change, cells)
  return { at, count: changes.length, cells }
}

export function encodeFeatureChange(change: FeatureChange): EncodedFeatureChange {
  return { ...change, feature: featureToRow(change.feature) }
}

function encodeChange({ env, uid, claims, rows }: CustomerChange, cells: SqlValue[]): void {
  cells.push(env, uid, claims.length, ...claims, rows === null ? 0 : 1)
  if (rows === null) return
  cells.push(rows.expected, rows.catalogue, rows.latest, rows.postingsBefore)
  cells.push(rows.customer === null ? 0 : 1)
  if (rows.customer !== null) cells.push(...customerToRow(rows.customer))
  cells.push(rows.written.length)
  for (const balance of rows.written) cells.push(...balanceToRow(balance))
  cells.push(rows.removed.length)
  for (const balance of rows.removed) cells.push(balance.uid)
  cells.push(rows.postings.length)
  for (const posting of rows.postings) cells.push(...postingToRow(posting))
  cells.push(rows.events.length)
  for (const event of rows.events) cells.push(...eventToRow(event))
  cells.push(rows.keys.length)
  for (const { hash, fingerprint, answer } of rows.keys) cells.push(hash, fingerprint, answer)
}

/** Reads a flat list from its beginning. Whoever reads must take what `encodeChange` put, in its order. */
export class Cells {
  readonly #cells: readonly SqlValue[]
  #at = 0

  constructor(cells: readonly SqlValue[]) {
    this.#cells = cells
  }

  next(): SqlValue {
    return this.#cells[this.#at++] ?? null
  }

  number(): number {
    return Number(this.next())
  }

  text(): string {
    return String(this.next())
  }

  row(columns: number): readonly SqlValue[] {
    this.#at += columns
    return this.#cells.slice(this.#at - columns, this.#at)
  }

  /** A count, and then so many rows. */
  rows(columns: number): (readonly SqlValue[])[] {
    return Array.from({ length: this.number() }, () => this.row(columns))
  }
}

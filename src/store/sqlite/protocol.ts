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

export interface EncodedBatch {
  readonly at: number
  readonly changes: readonly EncodedChange[]
}

export interface EncodedChange {
  readonly env: string
  readonly uid: string
  readonly claims: readonly string[]
  readonly rows: EncodedRows | null
}

export interface EncodedRows {
  readonly expected: number | null
  readonly catalogue: number
  readonly customer: readonly SqlValue[] | null
  readonly latest: number
  readonly postingsBefore: number
  readonly postings: readonly (readonly SqlValue[])[]
  readonly written: readonly (readonly SqlValue[])[]
  readonly removed: readonly string[]
  readonly events: readonly (readonly SqlValue[])[]
  readonly keys: readonly KeyRecord[]
}

export interface EncodedFeatureChange {
  readonly env: string
  readonly at: number
  readonly expected: number
  readonly feature: readonly SqlValue[]
  readonly claims: readonly string[]
  readonly keys: readonly KeyRecord[]
}

export function encodeBatch(batch: Batch): EncodedBatch {
  return { at: batch.at, changes: batch.changes.map(encodeChange) }
}

export function encodeFeatureChange(change: FeatureChange): EncodedFeatureChange {
  return { ...change, feature: featureToRow(change.feature) }
}

function encodeChange({ env, uid, claims, rows }: CustomerChange): EncodedChange {
  if (rows === null) return { env, uid, claims, rows }
  return {
    env,
    uid,
    claims,
    rows: {
      expected: rows.expected,
      catalogue: rows.catalogue,
      customer: rows.customer === null ? null : customerToRow(rows.customer),
      latest: rows.latest,
      postingsBefore: rows.postingsBefore,
      postings: rows.postings.map(postingToRow),
      written: rows.written.map(balanceToRow),
      removed: rows.removed.map((balance) => balance.uid),
      events: rows.events.map(eventToRow),
      keys: rows.keys,
    },
  }
}

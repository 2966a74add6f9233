import type { Retention } from '../../domain/retention.ts'
import type { SqlRow, SqlValue } from '../cells.ts'
import { ATTACHMENT_COLUMNS, attachmentToRow, planToRow } from '../plan-rows.ts'
import type { CustomerRowSet } from '../row-set.ts'
import {
  BALANCE_COLUMNS,
  balanceToRow,
  CUSTOMER_COLUMNS,
  customerToRow,
  ENTITY_COLUMNS,
  entityToRow,
  featureToRow,
  POSTING_COLUMNS,
  postingToRow,
  REFUND_COLUMNS,
  refundToRow,
} from '../rows.ts'
import type {
  AggregateQuery,
  ApiKey,
  Batch,
  CatalogueChange,
  CommitResult,
  CustomerChange,
  CustomerQuery,
  CustomerReference,
  EntityQuery,
  EventQuery,
  EventSums,
  FeatureUse,
  GivenUp,
  KeyRecord,
  PlanUse,
} from '../store.ts'
import { EVENT_COLUMNS, eventToRow, LOCK_COLUMNS, lockToRow } from '../use-rows.ts'

/**
 * What crosses the thread border. Rows are flat arrays of texts and numbers, because cloning nested objects costs more than
 * writing them.
 */
export interface Calls {
  open: { request: null; reply: null }
  retain: { request: Retention; reply: null }
  loadCatalogue: { request: string; reply: CatalogueRows }
  load: { request: readonly CustomerReference[]; reply: (PackedCustomer | null)[] }
  commit: { request: EncodedBatch; reply: CommitResult[] }
  changeCatalogue: { request: EncodedCatalogueChange; reply: CommitResult | { kind: 'in_use' } }
  findLock: { request: { env: string; id: string }; reply: string | null }
  withLapsedLocks: { request: DueQuery; reply: string[] }
  withDueAttachments: { request: DueQuery; reply: string[] }
  listCustomers: { request: CustomerQuery; reply: RowPage<PackedCustomer> }
  listEntities: { request: EntityQuery; reply: RowPage<SqlRow> }
  listEvents: { request: EventQuery; reply: SqlRow[] }
  aggregateEvents: { request: TimedQuery; reply: EventSums | GivenUp }
  ledger: { request: string; reply: SqlRow[] }
  clock: { request: null; reply: null }
  loadKeys: { request: null; reply: ApiKey[] }
  addKey: { request: ApiKey; reply: null }
  close: { request: null; reply: null }
}
export type CallName = keyof Calls

export interface CatalogueRows {
  readonly version: number
  readonly clockAhead: number
  readonly features: readonly SqlRow[]
  readonly plans: readonly SqlRow[]
}

/** Who has something that is due. */
export interface DueQuery {
  readonly env: string
  readonly at: number
  readonly limit: number
}

/** What waited too long for its turn is given up too. */
export interface TimedQuery {
  readonly query: AggregateQuery
  /** By the clock of the machine, in Unix milliseconds. */
  readonly deadline: number
}

/** All rows of one customer; lists as JSON. */
export interface PackedCustomer {
  readonly customer: SqlRow
  readonly entities: string
  readonly balances: string
  readonly refunds: string
  readonly locks: string
  readonly attachments: string
}

export function unpacked({
  customer,
  entities,
  balances,
  refunds,
  locks,
  attachments,
}: PackedCustomer): CustomerRowSet {
  const listed = (json: string) => JSON.parse(json) as SqlRow[]
  return {
    customer,
    entities: listed(entities),
    balances: listed(balances),
    refunds: listed(refunds),
    locks: listed(locks),
    attachments: listed(attachments),
  }
}

export interface RowPage<T> {
  readonly rows: readonly T[]
  readonly all: number
  readonly filtered: number
}

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

export interface EncodedCatalogueChange {
  readonly env: string
  readonly at: number
  readonly now: number
  readonly expected: number
  readonly written: readonly SqlValue[] | null
  readonly removed: string | null
  readonly plansWritten: Rows
  readonly plansRemoved: readonly string[]
  readonly clockAhead: number
  readonly unused: FeatureUse | PlanUse | null
  readonly claims: readonly string[]
  readonly keys: readonly KeyRecord[]
}

export function encodeBatch({ at, changes }: Batch): EncodedBatch {
  const cells: SqlValue[] = []
  for (const change of changes) encodeChange(change, cells)
  return { at, count: changes.length, cells }
}

export function encodeCatalogueChange(change: CatalogueChange): EncodedCatalogueChange {
  const { written, plansWritten } = change
  return {
    ...change,
    written: written === null ? null : featureToRow(written),
    plansWritten: plansWritten.map(planToRow),
  }
}

function encodeChange({ env, uid, claims, rows }: CustomerChange, cells: SqlValue[]): void {
  cells.push(env, uid, claims.length, ...claims, rows === null ? 0 : 1)
  if (rows === null) return
  cells.push(rows.expected, rows.catalogue, rows.deleted ? 1 : 0)
  if (rows.deleted) return pushKeys(rows.keys, cells)
  cells.push(rows.latest, rows.postingsBefore)
  cells.push(rows.customer === null ? 0 : 1)
  if (rows.customer !== null) cells.push(...customerToRow(rows.customer))
  cells.push(rows.written.length)
  for (const balance of rows.written) cells.push(...balanceToRow(balance))
  cells.push(rows.removed.length)
  for (const balance of rows.removed) cells.push(balance.uid)
  cells.push(rows.entitiesWritten.length)
  for (const entity of rows.entitiesWritten) cells.push(...entityToRow(entity))
  cells.push(rows.entitiesRemoved.length)
  for (const entity of rows.entitiesRemoved) cells.push(entity.uid)
  cells.push(rows.refunds.length)
  for (const refund of rows.refunds) cells.push(...refundToRow(refund))
  cells.push(rows.locksRemoved.length, ...rows.locksRemoved, rows.locksWritten.length)
  for (const lock of rows.locksWritten) cells.push(...lockToRow(lock))
  cells.push(rows.attachmentsRemoved.length, ...rows.attachmentsRemoved, rows.attachmentsWritten.length)
  for (const attachment of rows.attachmentsWritten) cells.push(...attachmentToRow(attachment))
  cells.push(rows.postings.length)
  for (const posting of rows.postings) cells.push(...postingToRow(posting))
  cells.push(rows.events.length)
  for (const event of rows.events) cells.push(...eventToRow(event))
  pushKeys(rows.keys, cells)
}

function pushKeys(keys: readonly KeyRecord[], cells: SqlValue[]): void {
  cells.push(keys.length)
  for (const { hash, fingerprint, answer } of keys) cells.push(hash, fingerprint, answer)
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

type Rows = readonly (readonly SqlValue[])[]

export interface DecodedRows {
  readonly expected: number | null
  readonly catalogue: number
  readonly deleted: boolean
  readonly latest: number
  readonly postingsBefore: number
  readonly customer: readonly SqlValue[] | null
  readonly written: Rows
  readonly removed: Rows
  readonly entitiesWritten: Rows
  readonly entitiesRemoved: Rows
  readonly refunds: Rows
  readonly locksRemoved: Rows
  readonly locksWritten: Rows
  readonly attachmentsRemoved: Rows
  readonly attachmentsWritten: Rows
  readonly postings: Rows
  readonly events: Rows
  readonly keys: Rows
}

export interface DecodedChange {
  readonly env: string
  readonly uid: string
  readonly claims: readonly string[]
  readonly rows: DecodedRows | null
}

/** In the order of `encodeChange`; the fields below are read as they are written here, one after another. */
export function readChange(input: Cells): DecodedChange {
  const env = input.text()
  const uid = input.text()
  const claims = input.rows(1).map(([hash]) => String(hash))
  return { env, uid, claims, rows: input.number() === 0 ? null : readRows(input) }
}

function readRows(input: Cells): DecodedRows {
  const expected = input.next()
  const head = { expected: expected === null ? null : Number(expected), catalogue: input.number() }
  if (input.number() === 1) return { ...NO_ROWS, ...head, deleted: true, keys: input.rows(3) }
  return {
    ...head,
    deleted: false,
    latest: input.number(),
    postingsBefore: input.number(),
    customer: input.number() === 0 ? null : input.row(CUSTOMER_COLUMNS.length),
    written: input.rows(BALANCE_COLUMNS.length),
    removed: input.rows(1),
    entitiesWritten: input.rows(ENTITY_COLUMNS.length),
    entitiesRemoved: input.rows(1),
    refunds: input.rows(REFUND_COLUMNS.length),
    locksRemoved: input.rows(1),
    locksWritten: input.rows(LOCK_COLUMNS.length),
    attachmentsRemoved: input.rows(1),
    attachmentsWritten: input.rows(ATTACHMENT_COLUMNS.length),
    postings: input.rows(POSTING_COLUMNS.length),
    events: input.rows(EVENT_COLUMNS.length),
    keys: input.rows(3),
  }
}

const NO_ROWS = {
  latest: 0,
  postingsBefore: 0,
  customer: null,
  written: [],
  removed: [],
  entitiesWritten: [],
  entitiesRemoved: [],
  refunds: [],
  locksRemoved: [],
  locksWritten: [],
  attachmentsRemoved: [],
  attachmentsWritten: [],
  postings: [],
  events: [],
}

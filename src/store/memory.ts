import { formatAmount } from '../domain/amount.ts'
import type { Attachment } from '../domain/attachment.ts'
import { type Customer, type Environment, namesOf } from '../domain/customer.ts'
import {
  allBalances,
  attachmentsOf,
  entitiesOf,
  holdingsOf,
  turnOf,
  withAttachment,
  withBalances,
  withEntity,
  withLock,
  withoutAttachment,
  withoutBalances,
  withoutEntity,
  withoutLock,
  withRefund,
} from '../domain/holdings.ts'
import type { Posting } from '../domain/ledger.ts'
import { fits } from '../domain/property.ts'
import { type Retention, removedBefore, USUAL_RETENTION } from '../domain/retention.ts'
import type { Instant } from '../domain/time.ts'
import { valuesOf } from '../domain/tree.ts'
import type { UsageEvent } from '../domain/usage-event.ts'
import {
  type AggregateQuery,
  type ApiKey,
  type Batch,
  type Books,
  type CatalogueChange,
  type CommitResult,
  type CustomerChange,
  type CustomerQuery,
  type CustomerReference,
  type CustomerRows,
  type EntityQuery,
  type EntityRow,
  type EventQuery,
  type EventRow,
  type EventSums,
  type GivenUp,
  KEY_BUCKET_MS,
  type KeyRecord,
  liveBuckets,
  type Page,
  type Store,
  type StoredCatalogue,
  type StoredCustomer,
} from './store.ts'
import { Tally } from './tally.ts'
import { takingOf } from './use-rows.ts'

interface Row extends StoredCustomer {
  readonly postings: Posting[]
  readonly events: StoredEvent[]
}

/** A deleted customer of whom something is kept. */
interface Former {
  readonly env: Environment
  readonly uid: string
  readonly postings: readonly Posting[]
  events: readonly StoredEvent[]
}

interface StoredEvent {
  readonly event: UsageEvent
  /** By the real time. */
  readonly storedAt: Instant
}

/** Looking for old events means looking at everybody. */
const TIDIED_EVERY_MS = 60_000

const EMPTY_CATALOGUE: StoredCatalogue = { version: 0, features: [], plans: [], clockAhead: 0 }

/** A store that keeps everything in memory: a real implementation for tests and experiments, with nothing durable. */
export class MemoryStore implements Store {
  readonly #customers = new Map<string, Row>()
  readonly #former = new Map<string, Former>()
  readonly #uids = new Map<string, string>()
  /** Internal ids of customers by environment and id of a lock. */
  readonly #locks = new Map<string, string>()
  readonly #catalogues = new Map<Environment, StoredCatalogue>()
  readonly #keys = new Map<string, { bucket: number; record: KeyRecord }>()
  readonly #apiKeys = new Map<string, ApiKey>()
  #retention = USUAL_RETENTION
  #tidiedAt: Instant | null = null

  async retain(retention: Retention): Promise<void> {
    this.#retention = retention
    this.#tidiedAt = null
  }

  async loadCatalogue(env: Environment): Promise<StoredCatalogue> {
    return this.#catalogues.get(env) ?? EMPTY_CATALOGUE
  }

  async load(references: readonly CustomerReference[]): Promise<(StoredCustomer | null)[]> {
    return references.map((reference) => {
      const row = this.#find(reference)
      return row === null ? null : rebuilt(row)
    })
  }

  async commit(batch: Batch): Promise<CommitResult[]> {
    const results = batch.changes.map((change) => this.#apply(change, batch.at))
    this.#tidy(batch.at)
    return results
  }

  async changeCatalogue(change: CatalogueChange): Promise<CommitResult | { kind: 'in_use' }> {
    const { env, at, expected, written, removed, clockAhead, plansWritten, plansRemoved } = change
    const known = this.#known(change.claims, at)
    if (known.length > 0) return { kind: 'known', records: known }
    const { version, features, plans } = this.#catalogues.get(env) ?? EMPTY_CATALOGUE
    if (version !== expected) return { kind: 'conflict' }
    if (this.#isUsed(change)) return { kind: 'in_use' }
    const others = features.filter(({ uid }) => uid !== removed)
    const place = others.findIndex(({ uid }) => uid === written?.uid)
    const after = written === null ? others : place === -1 ? [...others, written] : others.with(place, written)
    const revisions = new Map(plans.map((plan) => [plan.uid, plan]))
    for (const plan of plansWritten) revisions.set(plan.uid, plan)
    for (const uid of plansRemoved) revisions.delete(uid)
    this.#catalogues.set(env, {
      version: version + 1,
      features: after,
      plans: [...revisions.values()],
      clockAhead,
    })
    this.#remember(change.keys, at)
    return { kind: 'committed', version: version + 1 }
  }

  #isUsed({ env, now, unused }: CatalogueChange): boolean {
    if (unused === null) return false
    for (const { holdings } of this.#customers.values()) {
      if (holdings.customer.env !== env) continue
      if (unused.kind === 'plan') {
        const { plans, ever } = unused
        if (attachmentsOf(holdings).some(({ plan, status }) => plans.includes(plan) && (ever || status !== 'ended')))
          return true
        continue
      }
      if (unused.entities && entitiesOf(holdings).some(({ feature }) => feature === unused.feature)) return true
      if (!unused.balances) continue
      for (const { feature, expiresAt } of allBalances(holdings)) {
        if (feature === unused.feature && (expiresAt === null || expiresAt > now)) return true
      }
    }
    return false
  }

  async findLock(env: Environment, id: string): Promise<string | null> {
    return this.#locks.get(`${env} ${id}`) ?? null
  }

  async withLapsedLocks(env: Environment, at: Instant, limit: number): Promise<string[]> {
    const due = [...this.#customers.values()].flatMap(({ holdings: { customer, locks } }) => {
      const soonest = Math.min(...[...valuesOf(locks)].map(({ lapsesAt }) => lapsesAt - customer.clockAhead))
      return customer.env === env && soonest <= at ? [{ uid: customer.uid, soonest }] : []
    })
    const inOrder = due.sort((a, b) => a.soonest - b.soonest)
    return inOrder.slice(0, limit).map(({ uid }) => uid)
  }

  async withDueAttachments(env: Environment, at: Instant, limit: number): Promise<string[]> {
    const due = [...this.#customers.values()].flatMap(({ holdings }) => {
      const { customer } = holdings
      const soonest = Math.min(...attachmentsOf(holdings).map(turnOf)) - customer.clockAhead
      return customer.env === env && soonest <= at ? [{ uid: customer.uid, soonest }] : []
    })
    const inOrder = due.sort((a, b) => a.soonest - b.soonest)
    return inOrder.slice(0, limit).map(({ uid }) => uid)
  }

  async listCustomers(query: CustomerQuery): Promise<Page<StoredCustomer>> {
    const all = [...this.#customers.values()].filter(({ holdings }) => holdings.customer.env === query.env)
    const chosen = all.filter(({ holdings }) => {
      const { customer } = holdings
      if (!hasPlans(attachmentsOf(holdings), query)) return false
      if (query.from !== undefined && customer.createdAt < query.from) return false
      if (query.to !== undefined && customer.createdAt > query.to) return false
      return mentions(query.search, customer.id, customer.name, customer.email)
    })
    const rows = pageOf(chosen, query, ({ holdings: { customer } }) => customer).map(rebuilt)
    return { rows, ...counts(query, all, chosen) }
  }

  async listEntities(query: EntityQuery): Promise<Page<EntityRow>> {
    const all: (EntityRow & { readonly attachments: readonly Attachment[] })[] = []
    for (const [customer, { holdings }] of this.#customers) {
      if (holdings.customer.env !== query.env) continue
      const attachments = attachmentsOf(holdings)
      for (const entity of entitiesOf(holdings)) all.push({ entity, customer, attachments })
    }
    const chosen = all.filter(({ entity, customer, attachments }) => {
      if (
        !hasPlans(
          attachments.filter((one) => one.entity === null || one.entity === entity.uid),
          query,
        )
      )
        return false
      if (query.customer !== undefined && query.customer !== customer) return false
      if (query.id !== undefined && query.id !== entity.id && query.id !== entity.uid) return false
      return mentions(query.search, entity.id, entity.name)
    })
    const rows = pageOf(chosen, query, ({ entity }) => entity)
    return { rows: rows.map(({ entity, customer }) => ({ entity, customer })), ...counts(query, all, chosen) }
  }

  async listEvents(query: EventQuery): Promise<EventRow[]> {
    const rows = [...this.#eventsOf(query, query)]
    rows.sort((a, b) => b.timestamp - a.timestamp || (a.uid < b.uid ? 1 : -1))
    return rows.slice(query.offset, query.offset + query.limit)
  }

  async aggregateEvents(query: AggregateQuery): Promise<EventSums | GivenUp> {
    const { entity, from, to, storedFrom } = query
    const tally = new Tally(query, Date.now() + query.patience)
    for (const event of this.#eventsOf(query, { entity, from, to, storedFrom })) {
      tally.add({ ...event, value: formatAmount(event.value), deductions: event.deductions.map(takingOf) })
    }
    return tally.finish()
  }

  async ledger(customerUid: string): Promise<Posting[]> {
    return [...((this.#customers.get(customerUid) ?? this.#former.get(customerUid))?.postings ?? [])]
  }

  async loadKeys(): Promise<ApiKey[]> {
    return [...this.#apiKeys.values()]
  }

  async addKey(key: ApiKey): Promise<void> {
    if (!this.#apiKeys.has(key.hash)) this.#apiKeys.set(key.hash, key)
  }

  /** See `Books`. Taken apart from what goes on changing, because lists of postings and events grow in place. */
  books(): Books {
    const rows = [...this.#customers.values()].map((row) => ({
      ...row,
      postings: [...row.postings],
      events: [...row.events],
    }))
    const catalogues = new Map(this.#catalogues)
    return {
      counts: async () => ({ customers: rows.length, events: rows.reduce((n, { events }) => n + events.length, 0) }),
      loadCatalogue: async (env) => catalogues.get(env) ?? EMPTY_CATALOGUE,
      async *accounts() {
        for (const { holdings } of rows) yield { env: holdings.customer.env, uid: holdings.customer.uid, holdings }
      },
      async *lines() {
        for (const { holdings, postings } of rows)
          for (const posting of postings) yield { customer: holdings.customer.uid, posting }
      },
      orphans: async () => orphansOf(rows),
      close: async () => {},
    }
  }

  async close(): Promise<void> {}

  *#eventsOf({ env, customerId }: Pick<EventQuery, 'env' | 'customerId'>, selection: Selection): Generator<EventRow> {
    for (const { holdings, events } of this.#customers.values()) {
      const { customer } = holdings
      if (customer.env !== env) continue
      if (customerId !== undefined && customerId !== customer.id && customerId !== customer.uid) continue
      for (const stored of events)
        if (isSelected(stored, selection)) yield { ...stored.event, customerId: customer.id ?? customer.uid }
    }
    for (const former of customerId === undefined ? this.#former.values() : []) {
      if (former.env !== env) continue
      for (const stored of former.events)
        if (isSelected(stored, selection)) yield { ...stored.event, customerId: former.uid }
    }
  }

  #find({ env, id }: CustomerReference): Row | null {
    return this.#customers.get(this.#uids.get(`${env} ${id}`) ?? '') ?? null
  }

  #apply(change: CustomerChange, at: number): CommitResult {
    const known = this.#known(change.claims, at)
    if (known.length > 0) return { kind: 'known', records: known }
    const row = this.#customers.get(change.uid)
    const rows = change.rows
    if (rows === null) return { kind: 'committed', version: row?.version ?? 0 }
    if ((row?.version ?? null) !== rows.expected) return { kind: 'conflict' }
    if ((this.#catalogues.get(change.env)?.version ?? 0) !== rows.catalogue) return { kind: 'conflict' }
    if (rows.deleted) {
      if (row !== undefined)
        for (const { id } of valuesOf(row.holdings.locks)) this.#locks.delete(`${change.env} ${id}`)
      if (row !== undefined) this.#rename(row.holdings.customer, null)
      if (row !== undefined && this.#retention.deletedCustomers === 'anonymise') this.#keep(row)
      this.#customers.delete(change.uid)
      this.#remember(rows.keys, at)
      return { kind: 'committed', version: 0 }
    }
    const names = rows.locksWritten.map(({ id }) => `${change.env} ${id}`)
    if (names.some((name) => (this.#locks.get(name) ?? change.uid) !== change.uid)) return { kind: 'lock_taken' }
    if (rows.customer !== null && !this.#rename(row?.holdings.customer ?? null, rows.customer))
      return { kind: 'id_taken' }
    for (const id of rows.locksRemoved) this.#locks.delete(`${change.env} ${id}`)
    for (const name of names) this.#locks.set(name, change.uid)
    const version = (rows.expected ?? 0) + 1
    this.#customers.set(change.uid, write(row, rows, version, at))
    this.#remember(rows.keys, at)
    return { kind: 'committed', version }
  }

  /** @returns false when a name belongs to someone else. */
  #rename(before: Customer | null, after: Customer | null): boolean {
    const names = after === null ? [] : namesOf(after).map((name) => `${after.env} ${name}`)
    if (names.some((name) => (this.#uids.get(name) ?? after?.uid) !== after?.uid)) return false
    if (before !== null) for (const name of namesOf(before)) this.#uids.delete(`${before.env} ${name}`)
    if (after !== null) for (const name of names) this.#uids.set(name, after.uid)
    return true
  }

  #known(claims: readonly string[], at: number): KeyRecord[] {
    const live = liveBuckets(at, this.#retention)
    return claims.flatMap((hash) => {
      const entry = this.#keys.get(hash)
      return entry !== undefined && live.includes(entry.bucket) ? [entry.record] : []
    })
  }

  #keep({ holdings: { customer }, postings, events }: Row): void {
    const silent = events.map(({ event, storedAt }) => ({
      event: { ...event, properties: {}, entity: null },
      storedAt,
    }))
    this.#former.set(customer.uid, { env: customer.env, uid: customer.uid, postings, events: silent })
  }

  /** Removes old events now and then, and what was given back of them. */
  #tidy(at: Instant): void {
    const before = removedBefore(at, this.#retention)
    if (before === null || (this.#tidiedAt !== null && at - this.#tidiedAt < TIDIED_EVERY_MS)) return
    this.#tidiedAt = at
    for (const former of this.#former.values())
      former.events = former.events.filter(({ storedAt }) => storedAt >= before)
    for (const [uid, row] of this.#customers) {
      const events = row.events.filter(({ storedAt }) => storedAt >= before)
      if (events.length === row.events.length) continue
      const gone = new Set(row.events.filter(({ storedAt }) => storedAt < before).map(({ event }) => event.uid))
      const refunds = new Map([...row.holdings.refunds].filter(([event]) => !gone.has(event)))
      this.#customers.set(uid, { ...row, events, holdings: { ...row.holdings, refunds } })
    }
  }

  #remember(keys: readonly KeyRecord[], at: number): void {
    for (const record of keys) this.#keys.set(record.hash, { bucket: Math.floor(at / KEY_BUCKET_MS), record })
  }
}

function write(row: Row | undefined, rows: CustomerRows, version: number, at: Instant): Row {
  const customer = rows.customer ?? row?.holdings.customer
  if (customer === undefined) throw new Error('a new customer comes with its row')
  let holdings = row?.holdings ?? holdingsOf(customer, [], [], rows.latest, 0)
  for (const entity of rows.entitiesWritten) holdings = withEntity(holdings, entity)
  holdings = withoutBalances(withBalances({ ...holdings, customer }, rows.written), rows.removed)
  for (const entity of rows.entitiesRemoved) holdings = withoutEntity(holdings, entity)
  for (const { event, given } of rows.refunds) holdings = withRefund(holdings, event, given)
  for (const id of rows.locksRemoved) holdings = withoutLock(holdings, id)
  for (const lock of rows.locksWritten) holdings = withLock(holdings, lock)
  for (const uid of rows.attachmentsRemoved) holdings = withoutAttachment(holdings, uid)
  for (const attachment of rows.attachmentsWritten) holdings = withAttachment(holdings, attachment)
  return {
    version,
    holdings: { ...holdings, latest: rows.latest, postings: rows.postingsBefore + rows.postings.length },
    postings: appended(row?.postings, rows.postings),
    events: appended(
      row?.events,
      rows.events.map((event) => ({ event, storedAt: at })),
    ),
  }
}

/** From its rows, as any store would, so that nothing depends on how they were kept. */
function rebuilt({ version, holdings }: Row): StoredCustomer {
  const { customer, latest, postings, refunds } = holdings
  const [entities, balances, locks] = [entitiesOf(holdings), [...allBalances(holdings)], [...valuesOf(holdings.locks)]]
  const attachments = attachmentsOf(holdings)
  return { version, holdings: holdingsOf(customer, entities, balances, latest, postings, refunds, locks, attachments) }
}

/** In place: copying a growing list at every commit would make a long history quadratic. */
function appended<T>(list: T[] = [], added: readonly T[]): T[] {
  for (const one of added) list.push(one)
  return list
}

/** Everything but a refund lies within what it belongs to. */
function orphansOf(rows: readonly Row[]): string[] {
  const orphans = rows.flatMap(({ holdings, events }) => {
    const known = new Set(events.map(({ event }) => event.uid))
    return [...holdings.refunds.keys()].filter((event) => !known.has(event))
  })
  return orphans.length === 0
    ? []
    : [`${orphans.length} refunds belong to an event that is not there, such as ${orphans[0]}`]
}

type Selection = Pick<EventQuery, 'uid' | 'entity' | 'names' | 'properties' | 'from' | 'to' | 'after' | 'storedFrom'>

function isSelected({ event, storedAt }: StoredEvent, selection: Selection): boolean {
  const { uid, entity, names, properties, from, to, storedFrom, after } = selection
  if (storedFrom !== undefined && storedAt < storedFrom) return false
  if (uid !== undefined && event.uid !== uid) return false
  if (entity !== undefined && event.entity !== entity) return false
  if (names !== undefined && !names.includes(event.name)) return false
  if (properties !== undefined && !fits(event.properties, properties)) return false
  if (from !== undefined && event.timestamp < from) return false
  if (to !== undefined && event.timestamp > to) return false
  if (after === undefined) return true
  return event.timestamp < after.timestamp || (event.timestamp === after.timestamp && event.uid < after.uid)
}

/** Whether one of the attachments is of a plan, and a status, that the query asks for. */
function hasPlans(attachments: readonly Attachment[], { plans, status }: CustomerQuery | EntityQuery): boolean {
  if (plans === undefined && status === undefined) return true
  return attachments.some((one) => {
    if (one.status === 'ended' || (status !== undefined && one.status !== status)) return false
    return (
      plans === undefined ||
      plans.some(({ id, versions }) => id === one.planId && (versions?.includes(one.version) ?? true))
    )
  })
}

function counts({ counted }: CustomerQuery | EntityQuery, all: readonly unknown[], chosen: readonly unknown[]) {
  return counted ? { all: all.length, filtered: chosen.length } : { all: 0, filtered: 0 }
}

function mentions(search: string | undefined, ...texts: (string | null)[]): boolean {
  if (search === undefined) return true
  return texts.some((text) => text?.toLowerCase().includes(search.toLowerCase()))
}

/** The rows of a page, in the order that the query asks for. */
function pageOf<T>(
  rows: readonly T[],
  { order, after, offset, limit }: CustomerQuery | EntityQuery,
  keyOf: (row: T) => { readonly createdAt: number; readonly uid: string },
): T[] {
  const sign = order === 'newest' ? -1 : 1
  const compare = (a: { createdAt: number; uid: string }, b: { createdAt: number; uid: string }) =>
    sign * (a.createdAt - b.createdAt || (a.uid < b.uid ? -1 : Number(a.uid > b.uid)))
  const start = after === undefined ? undefined : { createdAt: after.at, uid: after.uid }
  return rows
    .filter((row) => start === undefined || compare(keyOf(row), start) > 0)
    .sort((a, b) => compare(keyOf(a), keyOf(b)))
    .slice(offset, offset + limit)
}

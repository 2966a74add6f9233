import type { Amount } from '../domain/amount.ts'
import type { Attachment } from '../domain/attachment.ts'
import type { Balance } from '../domain/balance.ts'
import type { Customer, Environment } from '../domain/customer.ts'
import type { Refunded } from '../domain/differences.ts'
import type { Entity } from '../domain/entity.ts'
import type { Feature } from '../domain/feature.ts'
import type { Holdings } from '../domain/holdings.ts'
import type { Posting } from '../domain/ledger.ts'
import type { Lock } from '../domain/lock.ts'
import type { Plan } from '../domain/plan.ts'
import type { Price } from '../domain/price.ts'
import type { GroupBy, PropertyFilter } from '../domain/property.ts'
import type { Retention } from '../domain/retention.ts'
import type { Instant } from '../domain/time.ts'
import type { UsageEvent } from '../domain/usage-event.ts'

/**
 * The port to what is durable. A promise that resolves means that the data would survive a power cut; a rejected commit
 * has applied nothing, unless it is rejected with `OutcomeUnknown`. Stores fetch and keep; no rule about balances lives behind this line.
 */
export interface Store {
  /** From now on that is kept, and for so long; before this is said, `USUAL_RETENTION`. */
  retain(retention: Retention): Promise<void>
  /** Everything of one environment that all its customers share. */
  loadCatalogue(env: Environment): Promise<StoredCatalogue>
  /** One answer per reference, in order; null where there is no such customer. */
  load(references: readonly CustomerReference[]): Promise<(StoredCustomer | null)[]>
  /** One transaction. Each customer commits or conflicts on its own; one answer per change, in order. */
  commit(batch: Batch): Promise<CommitResult[]>
  /** Changes the catalogue if it is still at `expected`. */
  changeCatalogue(change: CatalogueChange): Promise<CommitResult | { readonly kind: 'in_use' }>
  /** The internal id of the customer that has this lock open, or null. */
  findLock(env: Environment, id: string): Promise<string | null>
  /**
   * Whose locks have lapsed: some of the customers of an environment, those that wait longest first.
   * @param at the environment's clock; a customer's own may be ahead of it.
   */
  withLapsedLocks(env: Environment, at: Instant, limit: number): Promise<string[]>
  /** As `withLapsedLocks`: who has a plan that should have begun or ended. */
  withDueAttachments(env: Environment, at: Instant, limit: number): Promise<string[]>
  /** In order of creation, each with all it has. */
  listCustomers(query: CustomerQuery): Promise<Page<StoredCustomer>>
  /** In order of creation. */
  listEntities(query: EntityQuery): Promise<Page<EntityRow>>
  listEvents(query: EventQuery): Promise<EventRow[]>
  /**
   * Adds up events, exactly, as they were at one instant after the question was asked. Takes no longer than the query allows and
   * holds no more in memory than `MOST_SUMS` sums: else it is given up, and nothing was wrong with the store.
   */
  aggregateEvents(query: AggregateQuery): Promise<EventSums | GivenUp>
  /** The customer's ledger, oldest posting first. */
  ledger(customerUid: string): Promise<Posting[]>
  /**
   * What is durable at one instant after the question was asked, so that what is remembered can be told from what has moved.
   * Absent where nobody else can write: then what is remembered is what is durable.
   */
  versions?(references: readonly CustomerReference[]): Promise<Versions>
  /**
   * Whether no other process has written, or tried to, in the seconds before the latest commit, by what that was answered. So
   * whoever begins to write is noticed by the next commit of every other. Absent where that is not known.
   */
  alone?(): boolean
  /**
   * Answers as soon as the store can be asked anything: the time by its own clock, or null where that is this machine's.
   * Absent where there is nothing that could fail to answer.
   */
  clock?(): Promise<Instant | null>
  loadKeys(): Promise<ApiKey[]>
  /** Adds a key unless it is there already. */
  addKey(key: ApiKey): Promise<void>
  /** Waits for what was begun and closes; nothing may be asked afterwards. */
  close(): Promise<void>
}

/**
 * All that is stored, as it was at one instant: what is committed afterwards does not show, and nothing is changed by looking.
 * Beside a store that is in use, for proving it. Nothing here holds more in memory than a page.
 */
export interface Books {
  counts(): Promise<BookCounts>
  loadCatalogue(env: Environment): Promise<StoredCatalogue>
  /** Everybody, of both environments, in whatever order. */
  accounts(): AsyncIterable<Account>
  /** The ledgers of the same customers in the same order, each with its oldest posting first. */
  lines(): AsyncIterable<Line>
  /**
   * Rows that belong to nobody or that nothing leads to, a sentence for each kind that there is. What deleted customers left
   * that is still to be cleared away does not count.
   */
  orphans(): Promise<string[]>
  close(): Promise<void>
}

export interface BookCounts {
  readonly customers: number
  readonly events: number
}

export interface Account {
  readonly env: Environment
  readonly uid: string
  readonly holdings: Holdings | Unreadable
}

export interface Line {
  /** The internal id of its customer. */
  readonly customer: string
  readonly posting: Posting | Unreadable
}

/** Rows without a meaning: an amount that is none, say. */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly why: string
}

/** The store failed and may have lost its footing: the process must stop rather than answer from what it remembers. */
export class StoreBroken extends Error {
  override name = 'StoreBroken'
}

/**
 * Nobody knows whether a commit took effect: its connection was lost meanwhile, and the store could not be asked since. The
 * only rejection of a commit that does not mean that nothing was applied.
 */
export class OutcomeUnknown extends Error {
  override name = 'OutcomeUnknown'
}

export interface CustomerReference {
  readonly env: Environment
  /** Any of the customer's names (`namesOf`): the caller's id, the internal id, the claim of one without an id (B186, B187). */
  readonly id: string
}

export interface StoredCustomer {
  readonly holdings: Holdings
  readonly version: number
}

export interface Versions {
  readonly catalogues: Readonly<Record<Environment, number>>
  /** One per reference, in order; null where there is no such customer. */
  readonly customers: readonly ({ readonly uid: string; readonly version: number } | null)[]
}

export interface StoredCatalogue {
  readonly version: number
  readonly clockAhead: number
  readonly features: readonly Feature[]
  /** Every revision, in order of creation. */
  readonly plans: readonly Plan[]
}

export interface Batch {
  /** Wall clock; decides which idempotency keys are still live. */
  readonly at: Instant
  readonly changes: readonly CustomerChange[]
}

/** What one group of commands does to one customer. */
export interface CustomerChange {
  readonly env: Environment
  readonly uid: string
  /** Keys that must not be known yet; if one is, nothing of this change is applied. */
  readonly claims: readonly string[]
  /** Null when only the claims are to be looked up. */
  readonly rows: CustomerRows | null
}

export interface CustomerRows {
  /** The version that was decided upon, or null for a customer that is new. */
  readonly expected: number | null
  /** The catalogue that was relied upon: conflict when it has moved. */
  readonly catalogue: number
  /** The customer and all that belongs to it go; of the rest of this value only `keys` then has a meaning. */
  readonly deleted: boolean
  /** The customer itself when it is new or changed, else null. */
  readonly customer: Customer | null
  readonly latest: Instant
  /** How many postings there were before these. */
  readonly postingsBefore: number
  readonly postings: readonly Posting[]
  readonly written: readonly Balance[]
  readonly removed: readonly Balance[]
  readonly entitiesWritten: readonly Entity[]
  readonly entitiesRemoved: readonly Entity[]
  readonly refunds: readonly Refunded[]
  /** New or changed; the caller's id of each is nobody else's in the environment. */
  readonly locksWritten: readonly Lock[]
  /** By the caller's id; they are gone before others are written. */
  readonly locksRemoved: readonly string[]
  /** New or changed. */
  readonly attachmentsWritten: readonly Attachment[]
  /** By internal id. */
  readonly attachmentsRemoved: readonly string[]
  readonly events: readonly UsageEvent[]
  readonly keys: readonly KeyRecord[]
}

export interface CatalogueChange {
  readonly env: Environment
  /** Wall clock, for idempotency keys. */
  readonly at: Instant
  /** The environment's clock: a balance that has expired by then does not count as use. */
  readonly now: Instant
  readonly expected: number
  /** A feature that is new or changed, or null. */
  readonly written: Feature | null
  /** The internal id of a feature that goes, or null. */
  readonly removed: string | null
  /** Revisions of plans that are new or changed. */
  readonly plansWritten: readonly Plan[]
  /** Internal ids of revisions that go. */
  readonly plansRemoved: readonly string[]
  readonly clockAhead: number
  /** Uses that must not be there, else `in_use` and nothing is applied. */
  readonly unused: FeatureUse | PlanUse | null
  readonly claims: readonly string[]
  readonly keys: readonly KeyRecord[]
}

export interface FeatureUse {
  readonly kind: 'feature'
  readonly feature: string
  /** Look for balances of it. */
  readonly balances: boolean
  /** Look for entities that are instances of it. */
  readonly entities: boolean
}

export interface PlanUse {
  readonly kind: 'plan'
  /** Internal ids of revisions. */
  readonly plans: readonly string[]
  /** Whether those count who had one of them, or only those who have it or will. */
  readonly ever: boolean
}

/** The first answer to an idempotency key, saved in the transaction of its effect. */
export interface KeyRecord {
  /** Digest of environment, scope, space and key. */
  readonly hash: string
  /** Digest of the input, so that the same key with other input is found out. */
  readonly fingerprint: string
  readonly answer: string
}

export type CommitResult =
  | { readonly kind: 'committed'; readonly version: number }
  /** Someone else wrote first: load again, decide again. */
  | { readonly kind: 'conflict' }
  /** The caller's id, or the claim of one without an id, belongs to another customer. */
  | { readonly kind: 'id_taken' }
  /** The id of a lock that was to be opened belongs to another customer's. */
  | { readonly kind: 'lock_taken' }
  | { readonly kind: 'known'; readonly records: readonly KeyRecord[] }

/** A page of a list, and how much there is in all where that was asked for. */
export interface Page<T> {
  readonly rows: readonly T[]
  /** All there are, and those that the filters let through; zero unless `counted`. */
  readonly all: number
  readonly filtered: number
}

interface ListQuery {
  readonly env: Environment
  /** Text that occurs in an id, a name or an e-mail, in whatever case. */
  readonly search?: string | undefined
  readonly order: 'newest' | 'oldest'
  /** Only what comes after this row in the order. */
  readonly after?: { readonly at: Instant; readonly uid: string } | undefined
  readonly offset: number
  readonly limit: number
  readonly counted: boolean
}

export interface CustomerQuery extends ListQuery {
  /** Only who has one of these plans, or will: of any version where none is named. */
  readonly plans?: readonly { readonly id: string; readonly versions: readonly number[] | null }[] | undefined
  /** Only who has a plan of this status. */
  readonly status?: 'active' | 'scheduled' | undefined
  /** Created then; both inclusive. */
  readonly from?: Instant | undefined
  readonly to?: Instant | undefined
}

export interface EntityQuery extends ListQuery {
  /** As for customers; a plan that its customer has counts. */
  readonly plans?: CustomerQuery['plans']
  readonly status?: CustomerQuery['status']
  /** The internal id, or undefined for all customers. */
  readonly customer?: string | undefined
  /** The caller's id or the internal id of the entities. */
  readonly id?: string | undefined
}

export interface EntityRow {
  readonly entity: Entity
  /** The internal id of its customer. */
  readonly customer: string
}

export interface EventQuery {
  readonly env: Environment
  /** The caller's id or the internal id; undefined for all customers. */
  readonly customerId?: string | undefined
  /** The caller's id of an entity. */
  readonly entity?: string | undefined
  /** The one event with this id. */
  readonly uid?: string | undefined
  readonly names?: readonly string[] | undefined
  /** All of them hold (R170). */
  readonly properties?: readonly PropertyFilter[] | undefined
  /** Both inclusive. */
  readonly from?: Instant | undefined
  readonly to?: Instant | undefined
  /** Stored then or later, by the real time. */
  readonly storedFrom?: Instant | undefined
  /** Only what comes after this row, newest first. */
  readonly after?: { readonly timestamp: Instant; readonly uid: string } | undefined
  readonly offset: number
  readonly limit: number
}

export interface EventRow extends UsageEvent {
  readonly customerId: string
}

export interface AggregateQuery {
  readonly env: Environment
  /** The caller's id or the internal id; undefined for all customers. */
  readonly customerId?: string | undefined
  /** The caller's id of an entity. */
  readonly entity?: string | undefined
  readonly names: readonly string[]
  /** All of them hold. */
  readonly properties: readonly PropertyFilter[]
  /** Both inclusive. */
  readonly from: Instant
  readonly to: Instant
  /** Only what was stored then or later, by the wall clock of its commit. */
  readonly storedFrom?: Instant | undefined
  /** Where the bins begin, ascending. An event is in the last that begins at or before it; the first begins at or before `from`. */
  readonly bins: readonly Instant[]
  /** By what events are kept apart within a bin; null where they are not. */
  readonly groupBy: GroupBy | null
  /** How many groups have sums of their own; the others are added up under `OTHER_GROUPS`. */
  readonly mostGroups: number
  /** Whether to add up also what was taken from which balance. */
  readonly deductions: boolean
  /** Milliseconds after which it is given up. */
  readonly patience: number
}

/**
 * Stands for the groups that have no sums of their own, under the name that the contract has for them (R184). A group that is
 * called so itself is one of them: what stands here is always what is not listed otherwise.
 */
export const OTHER_GROUPS = 'AUTUMN_RESERVED'

/** How many sums an aggregate may need before the smaller groups are put together. */
export const MOST_SUMS = 500_000

export interface EventSums {
  /**
   * Of the events with one of the names: one for each bin, name and group that there is, in any order. Of one bin and name the
   * groups with the largest sums have their own, of equals those that come first by code points (R184).
   */
  readonly uses: readonly UseSum[]
  /**
   * Of deductions whose event has one of the names, or whose balance's feature is called so, from events that have a group where
   * there are groups (R187): one for each bin, balance and group. Of one balance those groups have their own that have the
   * largest sums over all bins.
   */
  readonly deductions: readonly DeductionSum[]
}

export interface UseSum {
  /** Counted from zero. */
  readonly bin: number
  readonly name: string
  /** Null where there is none. */
  readonly group: string | null
  readonly events: number
  readonly sum: Amount
}

export interface DeductionSum {
  readonly bin: number
  /** The caller's id of the feature that the balance or rollover was of. */
  readonly feature: string
  readonly balance: string
  readonly group: string | null
  readonly events: number
  /** In the units of the balance. */
  readonly sum: Amount
  /** At which all of it was taken; null where that differs. */
  readonly price: Price | null
}

/** Too much to add up: it took too long, or needed more sums than `MOST_SUMS`. */
export interface GivenUp {
  readonly kind: 'given_up'
  readonly why: 'too_slow' | 'too_many'
}

export interface ApiKey {
  /** SHA-256 of the key, hex. The key itself is never stored. */
  readonly hash: string
  readonly env: Environment
  readonly createdAt: Instant
}

/** Idempotency keys live in buckets of this length, so that forgetting them drops whole ranges of a clustered table. */
export const KEY_BUCKET_MS = 12 * 3_600_000

/** The buckets that may hold a key that is still live at `at`, newest first. */
export function liveBuckets(at: Instant, { keys }: Retention): number[] {
  const newest = Math.floor(at / KEY_BUCKET_MS)
  const oldest = Math.floor((at - keys) / KEY_BUCKET_MS)
  return Array.from({ length: newest - oldest + 1 }, (_, i) => newest - i)
}

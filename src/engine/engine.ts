import type { Environment } from '../domain/customer.ts'
import type { Catalogue } from '../domain/feature.ts'
import type { Holdings } from '../domain/holdings.ts'
import type { Refusal } from '../domain/refusal.ts'
import { type Retention, shownFrom, USUAL_RETENTION } from '../domain/retention.ts'
import type { Instant, Moment } from '../domain/time.ts'
import type {
  AggregateQuery,
  CustomerQuery,
  EntityQuery,
  EntityRow,
  EventQuery,
  EventRow,
  EventSums,
  GivenUp,
  Page,
  Store,
  StoredCustomer,
} from '../store/store.ts'
import { type CatalogueCommand, Catalogues } from './catalogues.ts'
import type { Command, Fate, Look, Reply } from './command.ts'
import { Confirmations } from './confirmations.ts'
import { asking, faultFrom } from './faults.ts'
import { GroupCommit } from './group-commit.ts'
import type { IdempotencyMode } from './idempotency.ts'
import { SharedReads } from './shared-reads.ts'

export interface EngineOptions {
  readonly store: Store
  readonly clock: () => Instant
  readonly newId: Moment['newId']
  readonly idempotency: IdempotencyMode
  /** Called when the store may have lost its footing; the process must stop. */
  readonly onBroken: (error: Error) => void
  /**
   * On a store that others may write too: `linearizable` confirms what is remembered before it is answered, `local` is for
   * a process that is the only one all the same. Default linearizable. Without such a store there is no difference.
   */
  readonly reads?: ReadMode
  /** What the store was told to keep. Default `USUAL_RETENTION`. */
  readonly retention?: Retention
  readonly cacheWeight?: number
  readonly waitingPerCustomer?: number
  readonly waitingInAll?: number
}

export type ReadMode = 'linearizable' | 'local'

const DEFAULTS = { cacheWeight: 2_000_000, waitingPerCustomer: 10_000, waitingInAll: 50_000 }

/**
 * Holds what is durable in memory, decides, and makes it durable before it is answered. Knows no rule about balances.
 * Reads look at the latest durable state and never wait for a commit under way: what that commit changes is not
 * acknowledged to anyone yet.
 */
export class Engine {
  readonly #store: Store
  readonly #clock: () => Instant
  readonly #retention: Retention
  readonly #commits: GroupCommit
  readonly #catalogues: Catalogues
  /** Null where what is remembered is what is durable. */
  readonly #shared: SharedReads | null

  static async start(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options)
    await engine.#catalogues.start()
    return engine
  }

  private constructor(options: EngineOptions) {
    const { store, clock, reads = 'linearizable', retention = USUAL_RETENTION } = options
    const versions = reads === 'local' ? undefined : store.versions?.bind(store)
    const confirmations = versions === undefined ? null : new Confirmations(versions)
    this.#store = store
    this.#clock = clock
    this.#retention = retention
    this.#catalogues = new Catalogues(options, confirmations)
    this.#commits = new GroupCommit({ ...DEFAULTS, ...options, catalogues: this.#catalogues, confirmations })
    this.#shared = confirmations === null ? null : new SharedReads(this.#commits, this.#catalogues, confirmations)
  }

  /** A customer's own present. */
  moment(env: Environment, holdings: Holdings): Moment {
    return this.#commits.moment(env, holdings)
  }

  /**
   * Looks at a customer's durable holdings (null when there is none). Answers at once when they are in memory and nobody
   * else writes. @throws StoreUnavailable
   */
  read<T>(env: Environment, id: string, look: Look<T>): T | Promise<T> {
    if (this.#shared !== null) return this.#shared.read(env, id, look)
    const { cache } = this.#commits
    const entry = cache.entry(env, id)
    // Absent is known too, while the customer is being created: nobody was told yet that it exists.
    if (entry.state !== 'loading') return this.#look(env, entry.holdings, look)
    return new Promise<T>((resolve, reject) => {
      entry.readers.push((error) => {
        if (error !== undefined) return reject(faultFrom(error))
        try {
          // The entry may have joined another one that stands for the same customer.
          resolve(this.#look(env, (cache.find(env, id) ?? entry).holdings, look))
        } catch (bug) {
          reject(bug)
        }
      })
    })
  }

  /** Looks at the catalogue alone, and the environment's clock. @throws StoreUnavailable */
  readCatalogue<T>(env: Environment, look: (catalogue: Catalogue, now: Instant) => T): T | Promise<T> {
    if (this.#shared !== null) return this.#shared.readCatalogue(env, look)
    return look(this.#catalogues.get(env), this.#catalogues.now(env))
  }

  #look<T>(env: Environment, holdings: Holdings | null, look: Look<T>): T {
    return look(holdings, this.#commits.moment(env, holdings), this.#catalogues.get(env))
  }

  /** Puts a command into its customer's lane. Resolves when its effect is durable. @throws StoreUnavailable, OutcomeNotKnown */
  submit<A>(command: Command<A>): Promise<Reply<A>> {
    return this.#commits.submit(command) as Promise<Reply<A>>
  }

  /**
   * Puts several commands into the lanes of their customers at once, in their order: those of one customer share commits.
   * Resolves, with one fate per command, when each is durable, refused or failed; or with `overloaded`, when there is no room
   * for all of them, and then none was taken.
   */
  submitAll<A>(commands: readonly Command<A>[]): Promise<readonly Fate<A>[] | Refusal> {
    return this.#commits.submitAll(commands) as Promise<readonly Fate<A>[] | Refusal>
  }

  /** Changes the catalogue. @throws StoreUnavailable, OutcomeNotKnown */
  submitToCatalogue<A>(command: CatalogueCommand<A>): Promise<Reply<A>> {
    return this.#catalogues.submit(command)
  }

  /** Those that are to be shown: what is past its retention may still be there for a while, and is never seen. */
  listEvents(query: Omit<EventQuery, 'storedFrom'>): Promise<EventRow[]> {
    return asking(() => this.#store.listEvents({ ...query, storedFrom: this.#shownFrom() }))
  }

  /** As `listEvents`: what is past its retention does not count. */
  aggregateEvents(query: Omit<AggregateQuery, 'storedFrom'>): Promise<EventSums | GivenUp> {
    return asking(() => this.#store.aggregateEvents({ ...query, storedFrom: this.#shownFrom() }))
  }

  #shownFrom(): Instant | undefined {
    return shownFrom(this.#clock(), this.#retention) ?? undefined
  }

  /** The internal id of the customer that has this lock open, or null. @throws StoreUnavailable */
  findLock(env: Environment, id: string): Promise<string | null> {
    return asking(() => this.#store.findLock(env, id))
  }

  /** Some of the customers whose locks have lapsed, by internal id. @throws StoreUnavailable */
  withLapsedLocks(env: Environment, limit: number): Promise<string[]> {
    return asking(() => this.#store.withLapsedLocks(env, this.#catalogues.now(env), limit))
  }

  /** Some of the customers who have a plan that should have begun or ended, by internal id. @throws StoreUnavailable */
  withDueAttachments(env: Environment, limit: number): Promise<string[]> {
    return asking(() => this.#store.withDueAttachments(env, this.#catalogues.now(env), limit))
  }

  /** Customers as they were saved, and the catalogue that held then; whoever shows them brings them up to date. */
  async listCustomers(query: CustomerQuery): Promise<Page<StoredCustomer> & { readonly catalogue: Catalogue }> {
    for (;;) {
      const catalogue = this.#catalogues.get(query.env)
      const page = await asking(() => this.#store.listCustomers(query))
      if (await asking(() => this.#catalogues.isCurrent(query.env, catalogue))) return { ...page, catalogue }
    }
  }

  listEntities(query: EntityQuery): Promise<Page<EntityRow>> {
    return asking(() => this.#store.listEntities(query))
  }

  /** Resolves when everything that was submitted is answered. */
  drain(): Promise<void> {
    return this.#commits.drain()
  }
}

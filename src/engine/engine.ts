import { assert } from '../domain/assert.ts'
import { ENVIRONMENTS, type Environment } from '../domain/customer.ts'
import { StoreUnavailable } from '../domain/fault.ts'
import { type Catalogue, catalogueOf, type Feature } from '../domain/feature.ts'
import type { Holdings } from '../domain/holdings.ts'
import type { Unused } from '../domain/redefine.ts'
import { isRefusal, type Refusal } from '../domain/refusal.ts'
import type { Instant, Moment } from '../domain/time.ts'
import type {
  CommitResult,
  CustomerQuery,
  EntityQuery,
  EntityRow,
  EventQuery,
  EventRow,
  FeatureUse,
  Page,
  Store,
  StoredCustomer,
} from '../store/store.ts'
import type { Command, IdempotencyKey, Reply } from './command.ts'
import { GroupCommit } from './group-commit.ts'
import { decodeAnswer, encodeAnswer, fingerprint, type IdempotencyMode, keyHash, repeatedReply } from './idempotency.ts'

export interface EngineOptions {
  readonly store: Store
  readonly clock: () => Instant
  readonly newId: Moment['newId']
  readonly idempotency: IdempotencyMode
  /** Called when the store may have lost its footing; the process must stop. */
  readonly onBroken: (error: Error) => void
  readonly cacheWeight?: number
  readonly waitingPerCustomer?: number
  readonly waitingInAll?: number
}

const DEFAULTS = { cacheWeight: 2_000_000, waitingPerCustomer: 10_000, waitingInAll: 50_000 }

/** A change of what all customers of an environment share. Deciding is pure and may be done again. */
export interface CatalogueCommand<A> {
  readonly env: Environment
  readonly keys: readonly IdempotencyKey[]
  decide(catalogue: Catalogue, moment: Moment): CatalogueOutcome<A> | Refusal
}

export interface CatalogueOutcome<A> {
  /** A feature that is new or changed. */
  readonly written?: Feature
  readonly removed?: Feature
  readonly clockAhead?: number
  /** The change is only for a feature that nobody has; `whenUsed` is the answer if somebody does. */
  readonly unless?: Unused & { readonly feature: Feature; readonly whenUsed: Refusal }
  answer(catalogue: Catalogue): A
}

/**
 * Holds what is durable in memory, decides, and makes it durable before it is answered. Knows no rule about balances.
 * Reads look at the latest durable state and never wait for a commit under way: what that commit changes is not
 * acknowledged to anyone yet.
 */
export class Engine {
  readonly #options: EngineOptions
  readonly #commits: GroupCommit
  readonly #catalogues = new Map<Environment, Catalogue>()
  /** Changes of a catalogue go one after another, per environment. */
  readonly #catalogueLane = new Map<Environment, Promise<unknown>>()

  static async start(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options)
    await Promise.all(ENVIRONMENTS.map((env) => engine.#loadCatalogue(env)))
    return engine
  }

  private constructor(options: EngineOptions) {
    this.#options = options
    this.#commits = new GroupCommit({
      ...DEFAULTS,
      ...options,
      catalogue: (env) => this.catalogue(env),
      reloadCatalogue: (env) => this.#loadCatalogue(env),
    })
  }

  catalogue(env: Environment): Catalogue {
    const catalogue = this.#catalogues.get(env)
    if (catalogue === undefined) throw new Error('the engine has not started')
    return catalogue
  }

  /** The environment's clock, for what does not concern one customer. */
  now(env: Environment): Instant {
    return this.#commits.moment(env, null).now
  }

  /** A customer's own present. */
  moment(env: Environment, holdings: Holdings): Moment {
    return this.#commits.moment(env, holdings)
  }

  /**
   * Looks at a customer's durable holdings (null when there is none) and the moment. Answers at once when they are in memory.
   */
  read<T>(env: Environment, id: string, look: (holdings: Holdings | null, moment: Moment) => T): T | Promise<T> {
    const { cache } = this.#commits
    const entry = cache.entry(env, id)
    // Absent is known too, while the customer is being created: nobody was told yet that it exists.
    if (entry.state !== 'loading') return look(entry.holdings, this.#commits.moment(env, entry.holdings))
    return new Promise<T>((resolve, reject) => {
      entry.readers.push((error) => {
        if (error !== undefined) return reject(new StoreUnavailable('the store did not answer', { cause: error }))
        try {
          // The entry may have joined another one that stands for the same customer.
          const { holdings } = cache.find(env, id) ?? entry
          resolve(look(holdings, this.#commits.moment(env, holdings)))
        } catch (bug) {
          reject(bug)
        }
      })
    })
  }

  /** Puts a command into its customer's lane. Resolves when its effect is durable. @throws StoreUnavailable */
  submit<A>(command: Command<A>): Promise<Reply<A>> {
    return this.#commits.submit(command) as Promise<Reply<A>>
  }

  /** Changes the catalogue. @throws StoreUnavailable */
  submitToCatalogue<A>(command: CatalogueCommand<A>): Promise<Reply<A>> {
    const before = this.#catalogueLane.get(command.env) ?? Promise.resolve()
    const reply = before.catch(() => null).then(() => this.#changeCatalogue(command))
    this.#catalogueLane.set(command.env, reply)
    return reply
  }

  listEvents(query: EventQuery): Promise<EventRow[]> {
    return this.#ask((store) => store.listEvents(query))
  }

  /** Customers as they were saved; whoever shows them brings them up to date. */
  listCustomers(query: CustomerQuery): Promise<Page<StoredCustomer>> {
    return this.#ask((store) => store.listCustomers(query))
  }

  listEntities(query: EntityQuery): Promise<Page<EntityRow>> {
    return this.#ask((store) => store.listEntities(query))
  }

  /** Resolves when everything that was submitted is answered. */
  drain(): Promise<void> {
    return this.#commits.drain()
  }

  async #loadCatalogue(env: Environment): Promise<void> {
    const { version, features, clockAhead } = await this.#options.store.loadCatalogue(env)
    const known = this.#catalogues.get(env)
    if (known === undefined || known.version < version) {
      this.#catalogues.set(env, catalogueOf(version, features, clockAhead))
    }
  }

  async #changeCatalogue<A>(command: CatalogueCommand<A>): Promise<Reply<A>> {
    const { store, clock, newId } = this.#options
    for (;;) {
      const catalogue = this.catalogue(command.env)
      const decided = command.decide(catalogue, { now: this.now(command.env), newId })
      const claims = command.keys.map((key) => keyHash(command.env, '', key))
      if (isRefusal(decided) && claims.length === 0) return { outcome: decided, replayed: false }
      const change = isRefusal(decided) ? null : decided
      const next = change === null ? catalogue : after(catalogue, change)
      const answer = change?.answer(next)
      const records = command.keys.map((key, i) => ({
        hash: claims[i] ?? '',
        fingerprint: fingerprint(key),
        answer: encodeAnswer(answer),
      }))
      const result = await this.#ask(
        (): Promise<CommitResult | { readonly kind: 'in_use' }> =>
          change === null
            ? store
                .commit({ at: clock(), changes: [{ env: command.env, uid: '', claims, rows: null }] })
                .then(([one]): CommitResult => one ?? { kind: 'conflict' })
            : store.changeCatalogue({
                env: command.env,
                at: clock(),
                now: this.now(command.env),
                expected: catalogue.version,
                written: change.written ?? null,
                removed: change.removed?.uid ?? null,
                clockAhead: next.clockAhead,
                unused: usesOf(change),
                claims,
                keys: records,
              }),
      )
      if (result.kind === 'known') return this.#repeat(command, claims, result.records)
      if (result.kind === 'in_use') return { outcome: refusalWhenUsed(change), replayed: false }
      if (result.kind !== 'committed') {
        await this.#loadCatalogue(command.env)
        continue
      }
      if (isRefusal(decided)) return { outcome: decided, replayed: false }
      this.#catalogues.set(command.env, next)
      return { outcome: { kind: 'answered', answer: answer as A }, replayed: false }
    }
  }

  #repeat<A>(
    { keys }: CatalogueCommand<A>,
    claims: readonly string[],
    records: readonly { hash: string; fingerprint: string; answer: string }[],
  ): Reply<A> {
    const record = records[0]
    const key = keys[claims.indexOf(record?.hash ?? '')]
    if (record === undefined || key === undefined) throw new Error('a known key is one of those asked for')
    return repeatedReply<A>(key, record.fingerprint, () => decodeAnswer(record.answer) as A, this.#options.idempotency)
  }

  async #ask<T>(question: (store: Store) => Promise<T>): Promise<T> {
    try {
      return await question(this.#options.store)
    } catch (cause) {
      throw new StoreUnavailable('the store did not answer; nothing was applied', { cause })
    }
  }
}

/** The catalogue as it is when a change is saved. */
function after<A>(catalogue: Catalogue, { written, removed, clockAhead }: CatalogueOutcome<A>): Catalogue {
  const others = catalogue.features.filter(({ uid }) => uid !== removed?.uid)
  const at = others.findIndex(({ uid }) => uid === written?.uid)
  const features = written === undefined ? others : at === -1 ? [...others, written] : others.with(at, written)
  return catalogueOf(catalogue.version + 1, features, clockAhead ?? catalogue.clockAhead)
}

function usesOf<A>({ unless }: CatalogueOutcome<A>): FeatureUse | null {
  if (unless === undefined || !(unless.balances || unless.entities)) return null
  return { feature: unless.feature.uid, balances: unless.balances, entities: unless.entities }
}

function refusalWhenUsed<A>(change: CatalogueOutcome<A> | null): Refusal {
  assert(change?.unless !== undefined, 'a use is found only where it was looked for')
  return change.unless.whenUsed
}

import { assert } from '../domain/assert.ts'
import { ENVIRONMENTS, type Environment } from '../domain/customer.ts'
import { OutcomeNotKnown, StoreUnavailable } from '../domain/fault.ts'
import { type Catalogue, catalogueOf, type Feature } from '../domain/feature.ts'
import type { Plan } from '../domain/plan.ts'
import { isRefusal, type Refusal } from '../domain/refusal.ts'
import type { Instant, Moment } from '../domain/time.ts'
import type { CommitResult, FeatureUse, KeyRecord, PlanUse, Store } from '../store/store.ts'
import type { IdempotencyKey, Reply } from './command.ts'
import type { Confirmations } from './confirmations.ts'
import { asking } from './faults.ts'
import { decodeAnswer, encodeAnswer, fingerprint, type IdempotencyMode, keyHash, repeatedReply } from './idempotency.ts'

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
  /** Revisions of plans that are new or changed. */
  readonly plansWritten?: readonly Plan[]
  readonly plansRemoved?: readonly Plan[]
  /** The change is only for what nobody has; `whenUsed` is what is to be done if somebody does. */
  readonly unless?: {
    readonly use: FeatureUse | PlanUse
    readonly whenUsed: Refusal | (() => CatalogueOutcome<A> | Refusal)
  }
  answer(catalogue: Catalogue): A
}

export interface CataloguesOptions {
  readonly store: Store
  readonly clock: () => Instant
  readonly newId: Moment['newId']
  readonly idempotency: IdempotencyMode
}

/** Whoever changes a catalogue so often at once is in a loop; someone else has succeeded each time. */
const MAX_ATTEMPTS = 100

type Change<A> = CatalogueOutcome<A> | null
type Stored = CommitResult | { readonly kind: 'in_use' }

/** The catalogues as they were known last, and the changes of them. */
export class Catalogues {
  readonly #options: CataloguesOptions
  /** Null where what is remembered needs no confirmation. */
  readonly #confirmations: Confirmations | null
  readonly #known = new Map<Environment, Catalogue>()
  /** Changes go one after another, per environment. */
  readonly #lanes = new Map<Environment, Promise<unknown>>()

  constructor(options: CataloguesOptions, confirmations: Confirmations | null) {
    this.#options = options
    this.#confirmations = confirmations
  }

  async start(): Promise<void> {
    await Promise.all(ENVIRONMENTS.map((env) => this.#load(env)))
  }

  get(env: Environment): Catalogue {
    const catalogue = this.#known.get(env)
    if (catalogue === undefined) throw new Error('the engine has not started')
    return catalogue
  }

  /** The environment's clock. */
  now(env: Environment): Instant {
    return this.#options.clock() + this.get(env).clockAhead
  }

  /** Loads what has moved. @throws what the store rejects with. */
  async refresh(env: Environment): Promise<void> {
    if (this.#confirmations === null) return this.#load(env)
    await this.catchUp(env, await this.#confirmations.catalogue(env))
  }

  /** @param version that was seen in the store. Loads the catalogue when ours is older. @throws what the store rejects with. */
  async catchUp(env: Environment, version: number): Promise<void> {
    if (this.get(env).version < version) await this.#load(env)
  }

  /**
   * Whether the catalogue that was relied upon still held at an instant after this was asked; if not, the one that does is
   * loaded. Without anyone else who writes it does. @throws what the store rejects with.
   */
  async isCurrent(env: Environment, catalogue: Catalogue): Promise<boolean> {
    if (this.#confirmations === null) return true
    const version = await this.#confirmations.catalogue(env)
    if (version === catalogue.version) return true
    await this.catchUp(env, version)
    return false
  }

  /** Puts a change behind those that came before. Resolves when its effect is durable. @throws StoreUnavailable */
  submit<A>(command: CatalogueCommand<A>): Promise<Reply<A>> {
    const before = this.#lanes.get(command.env) ?? Promise.resolve()
    const reply = before.catch(() => null).then(() => this.#change(command))
    this.#lanes.set(command.env, reply)
    return reply
  }

  async #load(env: Environment): Promise<void> {
    const { version, features, clockAhead, plans } = await this.#options.store.loadCatalogue(env)
    this.#install(env, catalogueOf(version, features, clockAhead, plans))
  }

  /** Answers may overtake each other: only what is newer replaces what is known. */
  #install(env: Environment, catalogue: Catalogue): void {
    const known = this.#known.get(env)
    if (known === undefined || known.version < catalogue.version) this.#known.set(env, catalogue)
  }

  async #change<A>(command: CatalogueCommand<A>): Promise<Reply<A>> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const reply = await this.#attempt(command)
      if (reply !== null) return reply
    }
    throw new StoreUnavailable('too many conflicting changes of the catalogue; nothing was applied')
  }

  /** @returns null when someone else wrote first; then what they wrote is loaded. */
  async #attempt<A>(command: CatalogueCommand<A>): Promise<Reply<A> | null> {
    const { env, decide } = command
    const catalogue = this.get(env)
    return this.#settle(command, catalogue, decide(catalogue, { now: this.now(env), newId: this.#options.newId }))
  }

  async #settle<A>(
    command: CatalogueCommand<A>,
    catalogue: Catalogue,
    decided: CatalogueOutcome<A> | Refusal,
  ): Promise<Reply<A> | null> {
    const { env, keys } = command
    const claims = keys.map((key) => keyHash(env, '', key))
    const change: Change<A> = isRefusal(decided) ? null : decided
    const next = change === null ? catalogue : after(catalogue, change)
    const answer = change?.answer(next)
    if (change !== null || claims.length > 0) {
      const records = keys.map((key, i) => ({
        hash: claims[i] ?? '',
        fingerprint: fingerprint(key),
        answer: encodeAnswer(answer),
      }))
      const result = await asking(() => this.#write(env, catalogue, change, claims, records)).catch((error) =>
        this.#failed(env, error),
      )
      if (result.kind === 'known') return this.#repeat(command, claims, result.records)
      if (result.kind === 'in_use') return this.#settle(command, catalogue, whenUsed(change))
      if (result.kind !== 'committed') {
        await asking(() => this.refresh(env))
        return null
      }
      if (change !== null) this.#install(env, { ...next, version: result.version })
    }
    if (isRefusal(decided)) {
      // A refusal writes nothing that would have been checked, so it is a read of the catalogue.
      const confirmed = await asking(() => this.isCurrent(env, catalogue))
      return confirmed ? { outcome: decided, replayed: false } : null
    }
    return { outcome: { kind: 'answered', answer: answer as A }, replayed: false }
  }

  /** Whether it was applied may be unknown: look again. If that fails, whatever relies on the old one conflicts and looks. */
  async #failed(env: Environment, error: unknown): Promise<never> {
    if (error instanceof OutcomeNotKnown) await this.#load(env).catch(() => null)
    throw error
  }

  async #write<A>(
    env: Environment,
    catalogue: Catalogue,
    change: Change<A>,
    claims: readonly string[],
    keys: readonly KeyRecord[],
  ): Promise<Stored> {
    const { store, clock } = this.#options
    const at = clock()
    if (change === null) {
      const [one] = await store.commit({ at, changes: [{ env, uid: '', claims, rows: null }] })
      return one ?? { kind: 'conflict' }
    }
    return store.changeCatalogue({
      env,
      at,
      now: this.now(env),
      expected: catalogue.version,
      written: change.written ?? null,
      removed: change.removed?.uid ?? null,
      plansWritten: change.plansWritten ?? [],
      plansRemoved: change.plansRemoved?.map(({ uid }) => uid) ?? [],
      clockAhead: change.clockAhead ?? catalogue.clockAhead,
      unused: change.unless?.use ?? null,
      claims,
      keys,
    })
  }

  #repeat<A>({ keys }: CatalogueCommand<A>, claims: readonly string[], records: readonly KeyRecord[]): Reply<A> {
    const record = records[0]
    const key = keys[claims.indexOf(record?.hash ?? '')]
    if (record === undefined || key === undefined) throw new Error('a known key is one of those asked for')
    return repeatedReply<A>(key, record.fingerprint, () => decodeAnswer(record.answer) as A, this.#options.idempotency)
  }
}

/** The catalogue as it is when a change is saved. The store counts one version for each. */
function after<A>(catalogue: Catalogue, change: CatalogueOutcome<A>): Catalogue {
  const { written, removed, clockAhead, plansWritten = [], plansRemoved = [] } = change
  const others = catalogue.features.filter(({ uid }) => uid !== removed?.uid)
  const at = others.findIndex(({ uid }) => uid === written?.uid)
  const features = written === undefined ? others : at === -1 ? [...others, written] : others.with(at, written)
  const plans = new Map(catalogue.plans.map((plan) => [plan.uid, plan]))
  for (const plan of plansWritten) plans.set(plan.uid, plan)
  for (const plan of plansRemoved) plans.delete(plan.uid)
  return catalogueOf(catalogue.version + 1, features, clockAhead ?? catalogue.clockAhead, [...plans.values()])
}

function whenUsed<A>(change: Change<A>): CatalogueOutcome<A> | Refusal {
  assert(change?.unless !== undefined, 'a use is found only where it was looked for')
  const { whenUsed: other } = change.unless
  return typeof other === 'function' ? other() : other
}

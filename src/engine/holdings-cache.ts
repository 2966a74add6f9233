import { type Environment, namesOf } from '../domain/customer.ts'
import { type Holdings, rowsIn } from '../domain/holdings.ts'
import type { CustomerReference, Store, StoredCustomer } from '../store/store.ts'
import { Batches } from './batches.ts'
import type { Waiting } from './command.ts'

/** A question for holdings, by what was known when it was asked. */
export interface Load {
  /** Loads are counted: whoever arrived before it was asked may be answered from what it brings. */
  readonly order: number
  /** The version of the catalogue by then. */
  readonly catalogue: number
}

/** Commits of one customer before other processes get their turn: see `GroupCommit`. */
export const MOST_IN_A_ROW = 16
/** Of each other's loads nobody must wait for long, and a burst of misses must not become a thousand questions. */
const LOADS_UNDER_WAY = 4

/** One customer in memory: what is durable, and the commands that wait in its lane. */
export class Entry {
  readonly env: Environment
  /** How the entry was asked for; decides what to load when nothing is known yet. */
  id: string
  /** The state and its version are one value, replaced together: a version never stands over older balances. */
  stored: StoredCustomer | null = null
  state: 'loading' | 'present' | 'absent' = 'loading'
  /** The load that is under way, or the one that brought what is here; null when a commit did. */
  load: Load | null = null
  /** The version of the catalogue that was proved to hold together with `stored` by its commit; null when a load brought it. */
  committedUnder: number | null = null
  /** The lane: decided one after another, in order of arrival. */
  waiting: Waiting[] = []
  /** Its customer is part of a commit under way; it stays out of the next batch until that is known. */
  inFlight = false
  /** How many commits it has made since others got their turn, and how many it may. */
  inARow = 0
  mayInARow = MOST_IN_A_ROW
  /** How often it has let others have their turn and met nobody. */
  alone = 0
  readers: ((error?: Error) => void)[] = []
  /** For eviction: looked at since the last pass. */
  recent = true
  weight = 0
  /** Under which it stands in the cache. */
  names: readonly string[]

  constructor(env: Environment, id: string) {
    this.env = env
    this.id = id
    this.names = [id]
  }

  get idle(): boolean {
    return !this.inFlight && this.waiting.length === 0 && this.readers.length === 0
  }

  get holdings(): Holdings | null {
    return this.stored?.holdings ?? null
  }
}

/**
 * Holdings of customers that were asked for lately. A miss is one load, whoever else asks meanwhile; loads of one turn of
 * the event loop travel together. Bounded by weight (rows held), because customers differ by orders of magnitude.
 * That a customer does not exist is never remembered.
 */
export class HoldingsCache {
  readonly #maxWeight: number
  readonly #loads: Batches<CustomerReference, StoredCustomer | null>
  readonly #catalogueVersion: (env: Environment) => number
  /** By the caller's id and by internal id, both prefixed with the environment. */
  readonly #entries = new Map<string, Entry>()
  #weight = 0
  #hand: MapIterator<[string, Entry]>
  readonly #onLoaded: (entry: Entry, error?: Error) => void
  /** How many loads were asked for so far. */
  order = 0

  constructor(
    store: Store,
    maxWeight: number,
    catalogueVersion: (env: Environment) => number,
    onLoaded: (entry: Entry, error?: Error) => void,
  ) {
    this.#maxWeight = maxWeight
    this.#loads = new Batches((references) => store.load(references), LOADS_UNDER_WAY)
    this.#catalogueVersion = catalogueVersion
    this.#onLoaded = onLoaded
    this.#hand = this.#entries.entries()
  }

  /** The entry for a reference, loading it when it is not there. */
  entry(env: Environment, id: string): Entry {
    const known = this.#entries.get(`${env} ${id}`)
    if (known !== undefined) {
      known.recent = true
      return known
    }
    const entry = new Entry(env, id)
    this.#entries.set(`${env} ${id}`, entry)
    this.reload(entry)
    return entry
  }

  /** The entry that now stands for a reference, if any. */
  find(env: Environment, id: string): Entry | undefined {
    return this.#entries.get(`${env} ${id}`)
  }

  /** What is durable after this was asked; null when there is no such customer. */
  load(env: Environment, id: string): Promise<StoredCustomer | null> {
    return this.#loads.ask(`${env} ${id}`, { env, id })
  }

  /** Of several loads only the latest counts: an earlier one may have looked before what the later one is to find. */
  reload(entry: Entry): void {
    const { env, holdings } = entry
    const reference = holdings?.customer.uid ?? entry.id
    const load = { order: ++this.order, catalogue: this.#catalogueVersion(env) }
    entry.state = 'loading'
    entry.load = load
    this.load(env, reference)
      .then((stored) => {
        if (entry.load === load) this.#loaded(entry, reference, stored)
      })
      .catch((error: unknown) => {
        if (entry.load === load) this.#onLoaded(entry, error instanceof Error ? error : new Error(String(error)))
      })
  }

  /**
   * Remembers what was loaded to answer a read, unless it is older than what is here, or commands of the customer wait or
   * are being committed: what they were decided upon is not taken from under them. They find out by themselves.
   */
  offer(env: Environment, stored: StoredCustomer): void {
    const { customer } = stored.holdings
    const names = namesOf(customer)
    const holders = names.map((name) => this.find(env, name)).filter((one) => one !== undefined)
    if (holders.some((holder) => !holder.idle || holder.state === 'loading')) return
    const own = this.find(env, customer.uid)
    const newer = (own?.stored?.version ?? 0) < stored.version
    for (const holder of holders) if (holder !== own) this.drop(holder)
    const entry = own ?? new Entry(env, customer.uid)
    if (newer) {
      entry.load = null
      this.install(entry, stored, null)
      // Where there is no room it was forgotten again at once, and must not stand there as somebody who has nothing.
      if (entry.stored === null) return
    }
    this.#rename(entry, namesOf((entry.holdings ?? stored.holdings).customer))
  }

  /**
   * Makes `stored` what the entry holds. Called with what a load or a commit returned, never with a guess.
   * @param committedUnder as in `Entry`.
   */
  install(entry: Entry, stored: StoredCustomer, committedUnder: number | null): void {
    const before = entry.holdings?.customer
    const { customer } = stored.holdings
    entry.stored = stored
    entry.committedUnder = committedUnder
    if (committedUnder !== null) entry.load = null
    entry.state = 'present'
    if (before?.id !== customer.id || before.email !== customer.email) this.#rename(entry, namesOf(customer))
    this.#weigh(entry, rowsIn(stored.holdings))
  }

  /** The customer is deleted: what waits in the lane finds nobody. The internal id is never anyone else's. */
  empty(entry: Entry): void {
    this.#weigh(entry, 0)
    entry.stored = null
    entry.state = 'absent'
    entry.load = null
  }

  /** Forgets an entry that holds nothing (an absent customer) or may not be trusted (a failed commit). */
  drop(entry: Entry): void {
    this.#weigh(entry, 0)
    this.#rename(entry, [])
    entry.stored = null
  }

  #rename(entry: Entry, names: readonly string[]): void {
    for (const name of entry.names) {
      if (this.find(entry.env, name) === entry) this.#entries.delete(`${entry.env} ${name}`)
    }
    for (const name of names) this.#entries.set(`${entry.env} ${name}`, entry)
    entry.names = names
  }

  #loaded(entry: Entry, reference: string, stored: StoredCustomer | null): void {
    if (stored === null) {
      this.#weigh(entry, 0)
      entry.stored = null
      entry.state = 'absent'
      // Who else is called by the other names it had is not known: only that there is nobody of this one.
      entry.id = reference
      const taken = this.find(entry.env, reference)
      this.#rename(entry, taken === undefined || taken === entry ? [reference] : [])
      return this.#onLoaded(entry)
    }
    // The same customer may already be here under its other name: then there is one lane for both.
    const canonical = this.#entries.get(`${entry.env} ${stored.holdings.customer.uid}`)
    if (canonical !== undefined && canonical !== entry) {
      this.drop(entry)
      canonical.waiting.push(...entry.waiting.splice(0))
      canonical.readers.push(...entry.readers.splice(0))
      if (canonical.state !== 'present') return
      if (!canonical.inFlight && (canonical.stored?.version ?? 0) < stored.version) {
        canonical.load = null
        this.install(canonical, stored, null)
      }
      return this.#onLoaded(canonical)
    }
    if ((entry.stored?.version ?? 0) < stored.version) this.install(entry, stored, null)
    entry.state = 'present'
    this.#onLoaded(entry)
  }

  #weigh(entry: Entry, weight: number): void {
    this.#weight += weight - entry.weight
    entry.weight = weight
    // Not for what is dropped: evicting drops entries itself, and would never end where one entry alone is too heavy.
    if (weight > 0 && this.#weight > this.#maxWeight) this.#evict()
  }

  /**
   * A clock hand that goes round the entries: one that was used since the hand last passed is spared once. It goes on from
   * where it stopped, so that a full cache pays a few steps per new customer and not a walk over all hot ones.
   */
  #evict(): void {
    for (let steps = 2 * this.#entries.size; steps > 0 && this.#weight > this.#maxWeight; steps--) {
      let next = this.#hand.next()
      if (next.done) {
        this.#hand = this.#entries.entries()
        next = this.#hand.next()
      }
      if (next.done) return
      const [key, entry] = next.value
      // Each entry stands under two names; the hand stops at one of them only.
      if (!entry.idle || key !== `${entry.env} ${entry.holdings?.customer.uid}`) continue
      if (entry.recent) entry.recent = false
      else this.drop(entry)
    }
  }
}

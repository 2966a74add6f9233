import { type Environment, namesOf } from '../domain/customer.ts'
import { type Holdings, rowsIn } from '../domain/holdings.ts'
import type { CustomerReference, Store, StoredCustomer } from '../store/store.ts'
import type { Waiting } from './command.ts'

/** One customer in memory: what is durable, and the commands that wait in its lane. */
export class Entry {
  readonly env: Environment
  /** How the entry was asked for; decides what to load when nothing is known yet. */
  readonly id: string
  /** The state and its version are one value, replaced together: a version never stands over older balances. */
  stored: StoredCustomer | null = null
  state: 'loading' | 'present' | 'absent' = 'loading'
  /** The lane: decided one after another, in order of arrival. */
  waiting: Waiting[] = []
  /** Its customer is part of a commit under way; it stays out of the next batch until that is known. */
  inFlight = false
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
  readonly #store: Store
  readonly #maxWeight: number
  /** By the caller's id and by internal id, both prefixed with the environment. */
  readonly #entries = new Map<string, Entry>()
  #weight = 0
  #hand: MapIterator<[string, Entry]>
  #toLoad: Entry[] = []
  readonly #onLoaded: (entry: Entry, error?: Error) => void

  constructor(store: Store, maxWeight: number, onLoaded: (entry: Entry, error?: Error) => void) {
    this.#store = store
    this.#maxWeight = maxWeight
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

  reload(entry: Entry): void {
    entry.state = 'loading'
    this.#toLoad.push(entry)
    if (this.#toLoad.length === 1) setImmediate(() => void this.#loadAll())
  }

  /** Makes `stored` what the entry holds. Called with what a load or a commit returned, never with a guess. */
  install(entry: Entry, stored: StoredCustomer): void {
    const before = entry.holdings?.customer
    const { customer } = stored.holdings
    entry.stored = stored
    entry.state = 'present'
    if (before?.id !== customer.id || before.email !== customer.email) this.#rename(entry, namesOf(customer))
    this.#weigh(entry, rowsIn(stored.holdings))
  }

  /** The customer is deleted: what waits in the lane finds nobody. The internal id is never anyone else's. */
  empty(entry: Entry): void {
    this.#weigh(entry, 0)
    entry.stored = null
    entry.state = 'absent'
  }

  /** Forgets an entry that holds nothing (an absent customer) or may not be trusted (a failed commit). */
  drop(entry: Entry): void {
    this.#weigh(entry, 0)
    this.#rename(entry, [])
    entry.stored = null
  }

  #rename(entry: Entry, names: string[]): void {
    for (const name of entry.names) {
      if (this.find(entry.env, name) === entry) this.#entries.delete(`${entry.env} ${name}`)
    }
    for (const name of names) this.#entries.set(`${entry.env} ${name}`, entry)
    entry.names = names
  }

  async #loadAll(): Promise<void> {
    const entries = this.#toLoad
    this.#toLoad = []
    const references: CustomerReference[] = entries.map(({ env, id, stored }) => ({
      env,
      id: stored?.holdings.customer.uid ?? id,
    }))
    try {
      const found = await this.#store.load(references)
      for (const [i, entry] of entries.entries()) this.#loaded(entry, found[i] ?? null)
    } catch (error) {
      for (const entry of entries) this.#onLoaded(entry, error instanceof Error ? error : new Error(String(error)))
    }
  }

  #loaded(entry: Entry, stored: StoredCustomer | null): void {
    if (stored === null) {
      entry.stored = null
      entry.state = 'absent'
      return this.#onLoaded(entry)
    }
    // The same customer may already be here under its other name: then there is one lane for both.
    const canonical = this.#entries.get(`${entry.env} ${stored.holdings.customer.uid}`)
    if (canonical !== undefined && canonical !== entry) {
      this.drop(entry)
      canonical.waiting.push(...entry.waiting.splice(0))
      canonical.readers.push(...entry.readers.splice(0))
      if (canonical.state === 'present') this.#onLoaded(canonical)
      return
    }
    this.install(entry, stored)
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

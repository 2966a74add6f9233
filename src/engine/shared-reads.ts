import type { Environment } from '../domain/customer.ts'
import type { Catalogue } from '../domain/feature.ts'
import type { Instant } from '../domain/time.ts'
import type { StoredCustomer } from '../store/store.ts'
import type { Catalogues } from './catalogues.ts'
import type { Look } from './command.ts'
import type { Confirmations, Seen } from './confirmations.ts'
import { asking } from './faults.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Entry } from './holdings-cache.ts'

/** A customer, or nobody, and the catalogue: of what a load brought, the one that was known when it was asked for. */
interface Found {
  readonly stored: StoredCustomer | null
  readonly catalogue: Catalogue
}

/**
 * Reads of what other processes write too. A read is answered from memory only when a question that was sent after it arrived
 * says that the name still means the same customer, at the same version, under the same catalogue; what has moved is loaded.
 * A load that was asked for after the read arrived needs no confirmation itself: only that the catalogue has not moved
 * between the two, so that both belong to one instant. So a read ends, however often its customer is written meanwhile.
 * That there is nobody of some name is never remembered.
 */
export class SharedReads {
  readonly #commits: GroupCommit
  readonly #catalogues: Catalogues
  readonly #confirmations: Confirmations

  constructor(commits: GroupCommit, catalogues: Catalogues, confirmations: Confirmations) {
    this.#commits = commits
    this.#catalogues = catalogues
    this.#confirmations = confirmations
  }

  async read<T>(env: Environment, id: string, look: Look<T>): Promise<T> {
    const { stored, catalogue } = await asking(() => this.#find(env, id))
    const holdings = stored?.holdings ?? null
    return look(holdings, this.#commits.moment(env, holdings), catalogue)
  }

  /** @returns what held together at one instant after this was asked. */
  async #find(env: Environment, id: string): Promise<Found> {
    const { cache } = this.#commits
    let loaded = cache.find(env, id)?.stored == null ? await this.#load(env, id) : null
    for (;;) {
      const seen = await this.#confirmations.customer(env, id)
      const catalogue = this.#catalogues.get(env)
      if (seen.catalogue !== catalogue.version) {
        loaded = null
        await this.#catalogues.catchUp(env, seen.catalogue)
        continue
      }
      const entry = cache.find(env, id)
      if (entry !== undefined && isAsSeen(entry, seen)) {
        entry.recent = true
        return { stored: entry.stored, catalogue }
      }
      if (seen.customer === null) return { stored: null, catalogue }
      if (loaded?.catalogue === catalogue) return loaded
      loaded = await this.#load(env, id)
    }
  }

  async readCatalogue<T>(env: Environment, look: (catalogue: Catalogue, now: Instant) => T): Promise<T> {
    for (;;) {
      const catalogue = this.#catalogues.get(env)
      if (await asking(() => this.#catalogues.isCurrent(env, catalogue))) {
        return look(catalogue, this.#catalogues.now(env))
      }
    }
  }

  async #load(env: Environment, id: string): Promise<Found> {
    const catalogue = this.#catalogues.get(env)
    const stored = await this.#commits.cache.load(env, id)
    if (stored !== null) this.#commits.cache.offer(env, stored)
    return { stored, catalogue }
  }
}

/** Or newer, by a commit that has proved that the catalogue of its version still held. */
function isAsSeen({ stored, committedUnder }: Entry, { customer, catalogue }: Seen): boolean {
  if (stored === null || customer === null || stored.holdings.customer.uid !== customer.uid) return false
  return stored.version === customer.version || (stored.version > customer.version && committedUnder === catalogue)
}

import { createHash, randomBytes } from 'node:crypto'
import type { Environment } from '../domain/customer.ts'
import { StoreUnavailable } from '../domain/fault.ts'
import type { Instant } from '../domain/time.ts'
import type { Store } from '../store/store.ts'

const PREFIXES: Record<Environment, string> = { sandbox: 'am_sk_test_', live: 'am_sk_live_' }

/** Wrong keys must not become questions to the store: it is asked for keys that others have made at most so often. */
const LOOK_EVERY_MS = 1_000

/** The secret keys of a deployment. Only their SHA-256 is stored. */
export class Keys {
  readonly #store: Store
  readonly #clock: () => Instant
  readonly #byHash = new Map<string, Environment>()
  /** Keys that were presented and are valid, so that the hot path hashes nothing. */
  readonly #presented = new Map<string, Environment>()
  #looked: { readonly at: Instant; readonly look: Promise<void> } | null = null

  static async load(store: Store, clock: () => Instant): Promise<Keys> {
    const keys = new Keys(store, clock)
    await keys.#load()
    return keys
  }

  private constructor(store: Store, clock: () => Instant) {
    this.#store = store
    this.#clock = clock
  }

  /** The environment that a key opens, or null when it is not one of ours. */
  environment(key: string): Environment | null {
    const known = this.#presented.get(key)
    if (known !== undefined) return known
    const env = this.#byHash.get(hashOf(key))
    if (env === undefined) return null
    this.#presented.set(key, env)
    return env
  }

  /**
   * Looks whether another process has made the key meanwhile. However many ask, the store is asked once a second, so a new
   * key opens every process a second later at the latest. Null where nobody else can make keys. @throws StoreUnavailable
   */
  lookAgain(key: string): Promise<Environment | null> | null {
    if (this.#store.versions === undefined) return null
    const now = this.#clock()
    // By its size, because a clock may step back.
    if (this.#looked === null || Math.abs(now - this.#looked.at) >= LOOK_EVERY_MS) {
      const look = this.#load().catch((cause: unknown) => {
        throw new StoreUnavailable('the keys could not be loaded; nothing was applied', { cause })
      })
      this.#looked = { at: now, look }
    }
    return this.#looked.look.then(() => this.environment(key))
  }

  async #load(): Promise<void> {
    for (const { hash, env } of await this.#store.loadKeys()) this.#byHash.set(hash, env)
  }

  has(env: Environment): boolean {
    return [...this.#byHash.values()].includes(env)
  }

  /** Makes a key valid. Harmless when it is already. @param key of the form that `environmentOfKey` in `domain/key.ts` accepts. */
  async add(key: string, env: Environment, now: number): Promise<void> {
    const hash = hashOf(key)
    if (this.#byHash.has(hash)) return
    await this.#store.addKey({ hash, env, createdAt: now })
    this.#byHash.set(hash, env)
  }

  /** A new key, with some 210 bits of chance. It is not kept anywhere: the caller must show it. */
  async create(env: Environment, now: number): Promise<string> {
    const key = PREFIXES[env] + randomBytes(48).toString('base64url').replace(/[-_]/g, '').slice(0, 42).padEnd(42, '0')
    await this.add(key, env, now)
    return key
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

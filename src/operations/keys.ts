import { createHash, randomBytes } from 'node:crypto'
import type { Environment } from '../domain/customer.ts'
import type { Store } from '../store/store.ts'

const PREFIXES: Record<Environment, string> = { sandbox: 'am_sk_test_', live: 'am_sk_live_' }

/** The secret keys of a deployment. Only their SHA-256 is stored. */
export class Keys {
  readonly #store: Store
  readonly #byHash: Map<string, Environment>
  /** Keys that were presented and are valid, so that the hot path hashes nothing. */
  readonly #presented = new Map<string, Environment>()

  static async load(store: Store): Promise<Keys> {
    return new Keys(store, new Map((await store.loadKeys()).map(({ hash, env }) => [hash, env])))
  }

  private constructor(store: Store, byHash: Map<string, Environment>) {
    this.#store = store
    this.#byHash = byHash
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

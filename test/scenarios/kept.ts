import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '../../src/store/memory.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { borrow, closing } from '../borrowed.ts'
import { openWorld, type StoreKind, storeOfRun, type World, type WorldOptions } from '../world.ts'

/**
 * What is kept when a world ends and another begins on it: what was said before is all that is known after. An embedded store is
 * closed and its folder opened again; a database, or memory, is what a new process finds.
 */
export class Kept {
  readonly #kind: StoreKind
  readonly #memory: () => Store
  #path: string | null = null
  #store: Store | null = null
  #world: World | null = null

  /** @param memory makes the store of kind `memory`. */
  constructor(kind: StoreKind = storeOfRun(), memory: () => Store = () => new MemoryStore()) {
    this.#kind = kind
    this.#memory = memory
  }

  /** @param at the real time, in Unix milliseconds. */
  async open(at: number, options: WorldOptions = {}): Promise<World> {
    await this.#end()
    const store = await this.#open()
    this.#world = await openWorld({ ...options, at, store: 'memory', wrap: () => store })
    return this.#world
  }

  /** Ends the world, and nothing is kept. */
  async remove(): Promise<void> {
    await this.#end()
    await this.#store?.close()
    this.#store = null
    if (this.#path !== null) await rm(this.#path, { recursive: true, force: true })
    this.#path = null
  }

  async #open(): Promise<Store> {
    if (this.#kind === 'sqlite') {
      this.#path ??= mkdtempSync(join(tmpdir(), 'granary-'))
      return SqliteStore.open(this.#path)
    }
    this.#store ??= this.#kind === 'memory' ? this.#memory() : await borrow(this.#kind)
    return closing(this.#store, async () => {})
  }

  async #end(): Promise<void> {
    await this.#world?.close()
    this.#world = null
  }
}

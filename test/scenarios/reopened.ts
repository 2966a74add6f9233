import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { openWorld, type World, type WorldOptions } from '../world.ts'

/** A folder that is opened, closed and opened again: what was said before is all that is known after. */
export class Folder {
  readonly #path = mkdtempSync(join(tmpdir(), 'granary-'))
  #world: World | null = null

  /** @param at the real time, in Unix milliseconds. */
  async open(at: number, options: WorldOptions = {}): Promise<World> {
    await this.close()
    const store = await SqliteStore.open(this.#path)
    this.#world = await openWorld({ ...options, at, wrap: () => store })
    return this.#world
  }

  async close(): Promise<void> {
    await this.#world?.close()
    this.#world = null
  }

  async remove(): Promise<void> {
    await this.close()
    await rm(this.#path, { recursive: true, force: true })
  }
}

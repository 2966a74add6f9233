import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Engine } from '../../src/engine/engine.ts'
import { idGenerator } from '../../src/engine/ids.ts'
import { createApp } from '../../src/http/app.ts'
import { serveHttp } from '../../src/http/server.ts'
import { Keys } from '../../src/operations/keys.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { SANDBOX_KEY, START } from '../world.ts'

/** The real application behind a real port, with a movable clock. */
export interface ClientServer {
  /** Without `/v1`. */
  readonly url: string
  readonly key: string
  readonly clock: { now: number }
  readonly faults: unknown[]
  close(): Promise<void>
}

export async function startServer(kind: 'memory' | 'sqlite'): Promise<ClientServer> {
  const clock = { now: START }
  const faults: unknown[] = []
  const folder = kind === 'sqlite' ? mkdtempSync(join(tmpdir(), 'granary-')) : null
  const store = folder === null ? new MemoryStore() : await SqliteStore.open(folder)
  const engine = await Engine.start({
    store,
    clock: () => clock.now,
    newId: idGenerator(() => clock.now),
    idempotency: 'replay',
    onBroken: (error) => faults.push(error),
  })
  const keys = await Keys.load(store)
  await keys.add(SANDBOX_KEY, 'sandbox', clock.now)
  const app = createApp({ engine, keys, onFault: (error) => faults.push(error) })
  const server = await serveHttp(app, '127.0.0.1', 0)
  return {
    url: server.url,
    key: SANDBOX_KEY,
    clock,
    faults,
    async close() {
      await server.stop(1000)
      await engine.drain()
      await store.close()
      if (folder !== null) await rm(folder, { recursive: true, force: true })
    },
  }
}

import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assemble } from '../../src/granary.ts'
import type { HttpRequest } from '../../src/http/app.ts'
import { serveHttp } from '../../src/http/server.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { SANDBOX_KEY, START } from '../world.ts'

/** The real application behind a real port, with a movable clock. */
export interface ClientServer {
  /** Without `/v1`. */
  readonly url: string
  readonly key: string
  readonly clock: { now: number }
  /** All that came in, in order. */
  readonly requests: readonly HttpRequest[]
  readonly faults: unknown[]
  close(): Promise<void>
}

export async function startServer(kind: 'memory' | 'sqlite'): Promise<ClientServer> {
  const clock = { now: START }
  const requests: HttpRequest[] = []
  const faults: unknown[] = []
  const folder = kind === 'sqlite' ? mkdtempSync(join(tmpdir(), 'granary-')) : null
  const store = folder === null ? new MemoryStore() : await SqliteStore.open(folder)
  const { engine, app, addKey } = await assemble({
    store,
    clock: () => clock.now,
    idempotency: 'replay',
    onBroken: (error) => faults.push(error),
    onFault: (error) => faults.push(error),
  })
  await addKey(SANDBOX_KEY, 'sandbox')
  const handle = (request: HttpRequest) => {
    requests.push(request)
    return app.handle(request)
  }
  const server = await serveHttp(handle, '127.0.0.1', 0)
  return {
    url: server.url,
    key: SANDBOX_KEY,
    clock,
    requests,
    faults,
    async close() {
      await server.stop(1000)
      await engine.drain()
      await store.close()
      if (folder !== null) await rm(folder, { recursive: true, force: true })
    },
  }
}

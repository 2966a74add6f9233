import { type Retention, USUAL_RETENTION } from '../src/domain/retention.ts'
import type { Engine } from '../src/engine/engine.ts'
import { assemble } from '../src/granary.ts'
import type { HttpRequest, HttpResponse } from '../src/http/app.ts'
import { type ModelPriceTable, readModelPrices } from '../src/http/wire/model-prices.ts'
import { MemoryStore } from '../src/store/memory.ts'
import type { Store } from '../src/store/store.ts'
import { borrow } from './borrowed.ts'

/** Where every world begins, unless it says otherwise. */
export const START = Date.UTC(2026, 0, 31, 10, 0, 0)

export const SANDBOX_KEY = 'am_sk_test_world'
export const LIVE_KEY = 'am_sk_live_world'

const KINDS = ['memory', 'sqlite', 'postgres'] as const
export type StoreKind = (typeof KINDS)[number]

/** What worlds are kept in where a test does not care: GRANARY_TEST_STORE, or memory. */
export function storeOfRun(): StoreKind {
  const wanted = process.env['GRANARY_TEST_STORE'] || 'memory'
  const kind = KINDS.find((one) => one === wanted)
  if (kind === undefined) throw new Error(`GRANARY_TEST_STORE is "${wanted}": it must be one of ${KINDS.join(', ')}`)
  return kind
}

export interface WorldOptions {
  /** By default what the run says. */
  readonly store?: StoreKind
  readonly at?: number
  readonly idempotency?: 'replay' | 'reject'
  readonly reads?: 'linearizable' | 'local'
  readonly modelPrices?: ModelPriceTable
  /** Wraps the store, for tests of a failing world. */
  readonly wrap?: (store: Store) => Store
  readonly retention?: Partial<Retention>
  readonly waitingPerCustomer?: number
  readonly waitingInAll?: number
  readonly cacheWeight?: number
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  // biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server said; tests look into it freely.
  readonly body: any
}

/** The real application with a movable clock, without a port. */
export interface World {
  readonly clock: { now: number; advance(ms: number): void; set(instant: number | string): void }
  readonly store: Store
  readonly engine: Engine
  readonly faults: unknown[]
  /** Makes a secret key valid, as this process does at its start. */
  addKey(key: string, env: 'sandbox' | 'live'): Promise<void>
  /** The application itself, to be served over a socket. */
  readonly handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>
  /** `call('balances.check', {...})` or `call('GET /v1/customers/alice')`; headers override the defaults (key, newest version). */
  call(operation: string, body?: unknown, headers?: Record<string, string | undefined>): Promise<Reply>
  /** As `call`, and fails the test unless the answer is a success. @returns the body. */
  ok(operation: string, body?: unknown, headers?: Record<string, string | undefined>): Promise<Reply['body']>
  close(): Promise<void>
}

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const clock = {
    now: options.at ?? START,
    advance(ms: number) {
      clock.now += ms
    },
    set(instant: number | string) {
      clock.now = typeof instant === 'number' ? instant : Date.parse(instant)
    },
  }
  const kind = options.store ?? storeOfRun()
  const bare = kind === 'memory' ? new MemoryStore() : await borrow(kind)
  const store = options.wrap?.(bare) ?? bare
  const faults: unknown[] = []
  const { engine, app, addKey } = await assemble({
    store,
    clock: () => clock.now,
    idempotency: options.idempotency ?? 'replay',
    reads: options.reads ?? 'linearizable',
    modelPrices: readModelPrices(options.modelPrices ?? {}),
    retention: { ...USUAL_RETENTION, ...options.retention },
    onBroken: (error) => faults.push(error),
    onFault: (error) => faults.push(error),
    ...(options.waitingPerCustomer === undefined ? {} : { waitingPerCustomer: options.waitingPerCustomer }),
    ...(options.waitingInAll === undefined ? {} : { waitingInAll: options.waitingInAll }),
    ...(options.cacheWeight === undefined ? {} : { cacheWeight: options.cacheWeight }),
  })
  await addKey(SANDBOX_KEY, 'sandbox')
  await addKey(LIVE_KEY, 'live')

  const call: World['call'] = async (operation, body, headers = {}) => {
    const [, method = 'POST', url = `/v1/${operation}`] = /^(?:([A-Z]+) )?(\/.*)$/.exec(operation) ?? []
    const [path = '', query = ''] = url.split('?')
    const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? '')
    const all = { authorization: `Bearer ${SANDBOX_KEY}`, 'content-type': 'application/json', ...headers }
    const response = await app.handle({ method, path, query, headers: all, body: text })
    return { ...response, body: JSON.parse(response.body) }
  }
  return {
    clock,
    store,
    engine,
    faults,
    addKey,
    handle: app.handle,
    call,
    async ok(operation, body, headers) {
      const reply = await call(operation, body, headers)
      if (reply.status >= 300) throw new Error(`${operation}: ${reply.status} ${JSON.stringify(reply.body)}`)
      return reply.body
    },
    async close() {
      await engine.drain()
      await store.close()
    },
  }
}

import type { Environment } from './domain/customer.ts'
import { type Retention, USUAL_RETENTION } from './domain/retention.ts'
import type { Instant } from './domain/time.ts'
import type { ModelPrices } from './domain/tokens.ts'
import { Engine, type ReadMode } from './engine/engine.ts'
import type { IdempotencyMode } from './engine/idempotency.ts'
import { idGenerator } from './engine/ids.ts'
import { type App, createApp, type HttpRequest } from './http/app.ts'
import { Keys } from './operations/keys.ts'
import { readiness } from './operations/readiness.ts'
import type { Store } from './store/store.ts'

export interface Parts {
  readonly store: Store
  /** Unix milliseconds. */
  readonly clock: () => Instant
  readonly idempotency: IdempotencyMode
  /** As in `EngineOptions`. */
  readonly reads?: ReadMode
  /** By default no model has a price. */
  readonly modelPrices?: ModelPrices
  /** Told when the store may have lost its footing. */
  readonly onBroken: (error: Error) => void
  /** Told of faults and bugs; refusals are ordinary. */
  readonly onFault: (error: unknown, request: HttpRequest) => void
  /** Default `USUAL_RETENTION`. */
  readonly retention?: Retention
  readonly cacheWeight?: number
  readonly waitingPerCustomer?: number
  readonly waitingInAll?: number
}

/** Everything but a port. */
export interface Assembled {
  readonly engine: Engine
  readonly keys: Keys
  readonly app: App
  /** Makes a secret key valid, beside those that the store knows. */
  addKey(key: string, env: Environment): Promise<void>
}

/** Puts the parts together, on a store that is open: engine → operations → application. */
export async function assemble({ onFault, modelPrices = new Map(), ...parts }: Parts): Promise<Assembled> {
  await parts.store.retain(parts.retention ?? USUAL_RETENTION)
  const engine = await Engine.start({ ...parts, newId: idGenerator(parts.clock) })
  const keys = await Keys.load(parts.store, parts.clock)
  const app = createApp({ engine, keys, modelPrices, ready: readiness(parts.store, parts.clock), onFault })
  return { engine, keys, app, addKey: (key, env) => keys.add(key, env, parts.clock()) }
}

import type * as z from 'zod'
import type * as answers from './answers.ts'
import type { Environment } from './domain/customer.ts'
import { environmentOfKey } from './domain/key.ts'
import { type Retention, readRetention } from './domain/retention.ts'
import { later, readSpan } from './domain/time.ts'
import { assemble } from './granary.ts'
import { bodyLimit, type HttpRequest, type HttpResponse, tooLarge } from './http/app.ts'
import type * as balances from './http/wire/balances.ts'
import type * as billing from './http/wire/billing.ts'
import type * as clocks from './http/wire/clock.ts'
import type * as customers from './http/wire/customers.ts'
import type * as entities from './http/wire/entities.ts'
import type * as events from './http/wire/events.ts'
import type * as features from './http/wire/features.ts'
import type * as locks from './http/wire/locks.ts'
import { type ModelPriceTable, readModelPrices } from './http/wire/model-prices.ts'
import type * as plans from './http/wire/plans.ts'
import type * as previews from './http/wire/previews.ts'
import type * as tokens from './http/wire/tokens.ts'
import type * as usage from './http/wire/usage.ts'
import { MemoryStore } from './store/memory.ts'
import type { PostgresOptions } from './store/postgres/postgres.ts'
import type { Store } from './store/store.ts'

export type * from './answers.ts'
export type { ModelPriceTable } from './http/wire/model-prices.ts'
export type { PostgresOptions } from './store/postgres/postgres.ts'
export type { Store } from './store/store.ts'
export { MemoryStore }

/** Every operation of the API: what it takes and what it answers, as over HTTP in the newest version. */
export interface Operations {
  'features.create': [z.input<typeof features.createFeatureInput>, answers.FeatureAnswer]
  'features.get': [z.input<typeof features.featureIdInput>, answers.FeatureAnswer]
  'features.list': [object, { list: answers.FeatureAnswer[] }]
  'features.update': [z.input<typeof features.updateFeatureInput>, answers.FeatureAnswer]
  'features.delete': [z.input<typeof features.featureIdInput>, answers.SuccessAnswer]
  'plans.create': [z.input<typeof plans.createPlanInput>, answers.PlanAnswer]
  'plans.get': [z.input<typeof plans.getPlanInput>, answers.PlanAnswer]
  'plans.list': [z.input<typeof plans.listPlansInput>, { list: answers.PlanAnswer[] }]
  'plans.update': [z.input<typeof plans.updatePlanInput>, answers.PlanAnswer]
  'plans.delete': [z.input<typeof plans.deletePlanInput>, answers.SuccessAnswer]
  'billing.attach': [z.input<typeof billing.attachInput>, answers.BilledAnswer]
  'billing.multi_attach': [z.input<typeof billing.multiAttachInput>, answers.BilledAnswer]
  'billing.update': [z.input<typeof billing.updateInput>, answers.BilledAnswer]
  'billing.preview_attach': [z.input<typeof previews.previewAttachInput>, answers.AttachPreviewAnswer]
  'billing.preview_multi_attach': [z.input<typeof previews.previewMultiAttachInput>, answers.AttachPreviewAnswer]
  'billing.preview_update': [z.input<typeof previews.previewUpdateInput>, answers.UpdatePreviewAnswer]
  'customers.get_or_create': [z.input<typeof customers.getOrCreateCustomerInput>, answers.CustomerAnswer]
  'customers.get': [z.input<typeof customers.getCustomerInput>, answers.CustomerAnswer]
  'customers.list': [z.input<typeof customers.listCustomersInput>, answers.PageAnswer<answers.CustomerAnswer>]
  'customers.update': [z.input<typeof customers.updateCustomerInput>, answers.CustomerAnswer]
  'customers.delete': [z.input<typeof customers.deleteCustomerInput>, answers.SuccessAnswer]
  'customers.advance_test_clock': [
    z.input<typeof clocks.advanceCustomerClockInput>,
    { customer_id: string; frozen_time: number; status: 'ready' },
  ]
  'entities.create': [
    z.input<typeof entities.createEntitiesInput>,
    answers.EntityAnswer & { list?: answers.EntityAnswer[] },
  ]
  'entities.get': [z.input<typeof entities.getEntityInput>, answers.EntityAnswer]
  'entities.list': [z.input<typeof entities.listEntitiesInput>, answers.PageAnswer<answers.EntityAnswer>]
  'entities.update': [z.input<typeof entities.updateEntityInput>, answers.EntityAnswer]
  'entities.delete': [z.input<typeof entities.deleteEntityInput>, answers.SuccessAnswer]
  'balances.create': [z.input<typeof balances.createBalanceInput>, answers.SuccessAnswer]
  'balances.update': [z.input<typeof balances.updateBalanceInput>, answers.SuccessAnswer]
  'balances.delete': [z.input<typeof balances.deleteBalanceInput>, answers.SuccessAnswer]
  'balances.list': [z.input<typeof balances.listBalancesInput>, { balances: answers.ListedBalanceAnswer[] }]
  'balances.recalculate': [z.input<typeof balances.recalculateInput>, answers.SuccessAnswer]
  'balances.preview_recalculate': [
    z.input<typeof balances.recalculateInput>,
    {
      total_usage: number
      entitlements: { customer_entitlement_id: string; before_remaining: number; after_remaining: number }[]
    },
  ]
  'balances.check': [z.input<typeof usage.checkInput>, answers.CheckAnswer]
  'balances.track': [z.input<typeof usage.trackInput>, answers.TrackAnswer]
  'balances.finalize': [z.input<typeof locks.finalizeInput>, answers.FinalizeAnswer]
  'balances.extend': [z.input<typeof locks.extendInput>, { success: true; lock: answers.LockAnswer }]
  'balances.track_tokens': [z.input<typeof tokens.trackTokensInput>, answers.TrackAnswer]
  'balances.batch_track_tokens': [readonly z.input<typeof tokens.trackTokensInput>[], answers.BatchTrackAnswer]
  'balances.batch_track': [readonly z.input<typeof usage.trackInput>[], answers.BatchTrackAnswer]
  'events.list': [z.input<typeof events.listEventsInput>, answers.PageAnswer<answers.EventAnswer>]
  'events.aggregate': [z.input<typeof events.aggregateEventsInput>, answers.AggregateAnswer]
  'clock.get': [object, answers.ClockAnswer]
  'clock.advance': [z.input<typeof clocks.advanceClockInput>, answers.ClockAnswer]
}

export interface GranaryOptions {
  /** Where everything is kept; by default in memory, for as long as the program runs. See also `openSqliteStore` and `openPostgresStore`. */
  readonly store?: Store
  /** Unix milliseconds; by default the real time. For tests see `movableClock`. */
  readonly clock?: () => number
  /** Which environment `call` acts in. Default sandbox. */
  readonly env?: Environment
  /** Secret keys (`am_sk_test_…`, `am_sk_live_…`) that `fetch` accepts, beside those that the store knows. */
  readonly secretKeys?: readonly string[]
  /** What a repeated idempotency key gets: the first answer, or a refusal. Default replay. */
  readonly idempotency?: 'replay' | 'reject'
  /** What models cost, in the shape of the public models.dev data. Without it only features themselves name prices. */
  readonly modelPrices?: ModelPriceTable
  /**
   * On a store that other processes write too: `linearizable` (the default) confirms what is remembered before it is
   * answered; `local` is for a process that is the only one all the same.
   */
  readonly reads?: 'linearizable' | 'local'
  /**
   * What is kept and for how long: idempotency keys from `1h` to `30d` (default `24h`), usage events from `1d` on (default
   * for ever), and whether events and postings of deleted customers go (`erase`, the default) or stay without what could tell
   * whose they were (`anonymise`).
   */
  readonly retention?: {
    readonly idempotencyKeys?: string
    readonly events?: string
    readonly deletedCustomers?: Retention['deletedCustomers']
  }
  /** Told when something failed that is nobody's mistake but the machine's or ours. By default it is written to stderr. */
  readonly onFault?: (error: unknown) => void
}

/** Granary inside of another program. */
export interface Granary {
  /**
   * Does what `POST /v1/<operation>` does. @throws GranaryError where HTTP would answer with an error.
   * `idempotencyKey` makes a retry harmless, as the header does.
   */
  call<O extends keyof Operations>(
    operation: O,
    input: Operations[O][0],
    options?: { readonly idempotencyKey?: string },
  ): Promise<Operations[O][1]>
  /** The whole HTTP API, to be mounted under any path of Hono, Next or whatever speaks `Request` and `Response`. */
  fetch(request: Request): Promise<Response>
  /** Waits for what was begun and closes the store. */
  close(): Promise<void>
}

/** An error answer of an operation, with the fields of the HTTP error. */
export class GranaryError extends Error {
  override name = 'GranaryError'
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/**
 * Starts Granary in this process: the same engine, rules and answers as the server, without a port.
 * @throws Error for a secret key of another form, for prices that cannot be read, RangeError for a retention out of range, or
 * what the store throws when it cannot be read.
 */
export async function createGranary(options: GranaryOptions = {}): Promise<Granary> {
  const { store = new MemoryStore(), clock = Date.now, env = 'sandbox', secretKeys = [] } = options
  const retention = readRetention(options.retention ?? {})
  if ('problem' in retention) throw new RangeError(`retention.${retention.part} ${retention.problem}`)
  const onFault = options.onFault ?? ((error: unknown) => process.stderr.write(`granary: ${String(error)}\n`))
  let broken: Error | null = null
  const { engine, app, addKey } = await assemble({
    store,
    clock,
    idempotency: options.idempotency ?? 'replay',
    reads: options.reads ?? 'linearizable',
    ...(options.modelPrices === undefined ? {} : { modelPrices: readModelPrices(options.modelPrices) }),
    retention,
    onFault,
    // Another program's process is not ours to end: from here on everything is refused.
    onBroken(error) {
      broken = error
      onFault(error)
    },
  })
  for (const key of secretKeys) {
    const keyEnv = environmentOfKey(key)
    if (keyEnv === null) throw new Error('a secret key must start with am_sk_test_ or am_sk_live_')
    await addKey(key, keyEnv)
  }
  const usable = <T>(act: () => T): T => {
    if (broken !== null) throw new Error('the store failed; open it again', { cause: broken })
    return act()
  }
  return {
    async call(operation, input, { idempotencyKey } = {}) {
      const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }
      const request = { method: 'POST', path: `/v1/${operation}`, headers, body: JSON.stringify(input) }
      const response = await usable(() => app.handleAs(env, request))
      const body = JSON.parse(response.body)
      if (response.status >= 400) throw new GranaryError(response.status, body.code, body.message)
      return body
    },
    fetch: async (request) => toFetch(await usable(() => fromFetch(request, (one) => app.handle(one)))),
    async close() {
      await engine.drain()
      await store.close()
    },
  }
}

/** The embedded SQLite store in a folder of its own, which no other process may have open. */
export async function openSqliteStore(folder: string): Promise<Store> {
  const { SqliteStore } = await import('./store/sqlite/sqlite.ts')
  return SqliteStore.open(folder)
}

/**
 * The store on PostgreSQL 15 or newer, for any number of processes on one database; its tables are made or brought up to date.
 * @param url `postgres://user:password@host:5432/database`.
 */
export async function openPostgresStore(url: string, options: PostgresOptions = {}): Promise<Store> {
  const { PostgresStore } = await import('./store/postgres/postgres.ts')
  return PostgresStore.open(url, options)
}

/** A clock for tests that stands still until it is moved. */
export interface MovableClock {
  (): number
  /** Forward by a length of time such as `31d`, `12h`, `90m`, `30s`, `2w`, `1mo` or `1y`. */
  advance(by: string): void
  /** To an instant: Unix milliseconds, a date, or its ISO 8601 text. Granary itself never lets time run backwards. */
  set(instant: number | string | Date): void
}

/** @param start as for `set`; by default the present. */
export function movableClock(start: number | string | Date = Date.now()): MovableClock {
  let now = instantOf(start)
  return Object.assign(() => now, {
    advance(by: string) {
      const span = readSpan(by)
      if (span === null) throw new RangeError(`"${by}" is not a length of time such as 31d, 12h, 30s or 1mo`)
      now = later(now, span)
    },
    set(instant: number | string | Date) {
      now = instantOf(instant)
    },
  })
}

function instantOf(value: number | string | Date): number {
  const instant = new Date(value).getTime()
  if (Number.isNaN(instant)) throw new RangeError(`"${String(value)}" is not an instant`)
  return instant
}

/** What stands before `/v1/` is where it is mounted. */
async function fromFetch(
  request: Request,
  handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>,
): Promise<HttpResponse> {
  const { pathname, search } = new URL(request.url)
  const at = pathname.indexOf('/v1/')
  const headers = Object.fromEntries(request.headers)
  const body = await request.text()
  const path = at === -1 ? pathname : pathname.slice(at)
  const limit = bodyLimit(path)
  if (Buffer.byteLength(body) > limit) return tooLarge({ headers }, limit)
  return handle({ method: request.method, path, query: search.slice(1), headers, body })
}

function toFetch({ status, headers, body }: HttpResponse): Response {
  return new Response(body, { status, headers })
}

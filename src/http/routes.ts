import type { Endpoint } from './endpoint.ts'
import { balances } from './endpoints/balances.ts'
import { batches } from './endpoints/batches.ts'
import { billing } from './endpoints/billing.ts'
import { clock } from './endpoints/clock.ts'
import { customers } from './endpoints/customers.ts'
import { entities } from './endpoints/entities.ts'
import { events } from './endpoints/events.ts'
import { features } from './endpoints/features.ts'
import { locks } from './endpoints/locks.ts'
import { plans } from './endpoints/plans.ts'
import { tokens } from './endpoints/tokens.ts'
import { usage } from './endpoints/usage.ts'
import type { Shape } from './versions/version.ts'

/** What a request says outside of its JSON. */
export interface Parts {
  /** What stood in the braces of the path. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  /** Not validated; an empty body is an empty object. */
  readonly body: unknown
}

export interface Route {
  readonly endpoint: Endpoint
  /** Puts what the path and the query say into the body, as the endpoint expects it. Absent where the body says all. */
  readonly gather?: (parts: Parts) => unknown
}

/** By operation. */
export const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map(
  [
    ...features,
    ...plans,
    ...billing,
    ...customers,
    ...entities,
    ...balances,
    ...usage,
    ...locks,
    ...tokens,
    ...batches,
    ...events,
    ...clock,
  ].map((one) => [one.operation, one]),
)

/** Two endpoints belong to the older surface alone and have no path of their own. */
const WITHOUT_OWN_PATH = new Set(['customers.set_balances', 'usage.set'])

/** Every `POST` with an exact path whose body says all: nearly all requests, and a map look-up. */
export const ROUTES: ReadonlyMap<string, Route> = new Map([
  ...[...ENDPOINTS.values()]
    .filter(({ operation }) => !WITHOUT_OWN_PATH.has(operation))
    .map((one) => [`/v1/${one.operation}`, { endpoint: one }] as const),
  ...(
    [
      ['/v1/check', 'balances.check'],
      ['/v1/entitled', 'balances.check'],
      ['/v1/track', 'balances.track'],
      ['/v1/events', 'balances.track'],
      ['/v1/track_tokens', 'balances.track_tokens'],
      ['/v1/events/list', 'events.list'],
      ['/v1/events/aggregate', 'events.aggregate'],
      ['/v1/usage', 'usage.set'],
      ['/v1/balances/create', 'balances.create'],
      ['/v1/balances/update', 'balances.update'],
      ['/v1/balances/recalculate', 'balances.recalculate'],
      ['/v1/balances/preview_recalculate', 'balances.preview_recalculate'],
      ['/v1/customers/list', 'customers.list'],
    ] as const
  ).map(([path, operation]) => [path, { endpoint: endpointOf(operation) }] as const),
])

/** The older surface, with parameters in the path and the query (B1). */
const PATTERNS: readonly (Route & { readonly method: string; readonly path: readonly string[] })[] = [
  pattern('GET', 'customers', 'customers.list', ({ query }) => query),
  pattern('POST', 'customers', 'customers.get_or_create', ({ query, body }) => {
    const { id, ...rest } = objectOf(body)
    return { ...query, customer_id: id ?? null, ...rest }
  }),
  pattern('GET', 'customers/{customer}', 'customers.get', inBody),
  pattern('POST', 'customers/{customer}', 'customers.update', renaming('new_customer_id')),
  pattern('PATCH', 'customers/{customer}', 'customers.update', renaming('new_customer_id')),
  pattern('DELETE', 'customers/{customer}', 'customers.delete', inBody),
  pattern('POST', 'customers/{customer}/balances', 'customers.set_balances', inBody),
  pattern('GET', 'customers/{customer}/entities', 'entities.list', inBody),
  pattern(
    'POST',
    'customers/{customer}/entities',
    'entities.create',
    ({ params, query, body }) => {
      const one = Array.isArray(body) ? { entities: body.map(withEntityId) } : objectOf(withEntityId(body))
      return { ...query, ...one, customer_id: params['customer'] }
    },
    'lists too',
  ),
  pattern('GET', 'customers/{customer}/entities/{entity}', 'entities.get', inBody),
  pattern('DELETE', 'customers/{customer}/entities/{entity}', 'entities.delete', inBody),
  pattern('GET', 'features', 'features.list', inBody),
  pattern('POST', 'features', 'features.create', ({ body }) => {
    const { id, ...rest } = objectOf(body)
    return { feature_id: id, name: id, ...rest }
  }),
  pattern('GET', 'features/{feature}', 'features.get', inBody),
  pattern('POST', 'features/{feature}', 'features.update', ({ params, body }) => {
    const { id, ...rest } = objectOf(body)
    return { ...rest, ...(id === undefined ? {} : { new_feature_id: id }), feature_id: params['feature'] }
  }),
  pattern('DELETE', 'features/{feature}', 'features.delete', inBody),
  ...['plans', 'products'].flatMap((noun) => [
    pattern('GET', noun, 'plans.list', inBody),
    shapedAs('product', pattern('POST', noun, 'plans.create', withPlanId)),
    shapedAs('product', pattern('GET', `${noun}/{plan}`, 'plans.get', inBody)),
    shapedAs('product', pattern('POST', `${noun}/{plan}`, 'plans.update', renaming('new_plan_id'))),
    shapedAs('product', pattern('PATCH', `${noun}/{plan}`, 'plans.update', renaming('new_plan_id'))),
    pattern('DELETE', `${noun}/{plan}`, 'plans.delete', inBody),
  ]),
  pattern('GET', 'products_beta', 'plans.list', inBody),
  pattern('GET', 'balances/list', 'balances.list', inBody),
]

export interface Found {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** @returns the route, or the methods that there are at this path; none where there is nothing at all. */
export function findRoute(method: string, path: string): Found | readonly string[] {
  const exact = ROUTES.get(path)
  if (exact !== undefined && method === 'POST') return { route: exact, params: NO_PARAMS }
  const parts = path.split('/').slice(1)
  const methods = exact === undefined ? [] : ['POST']
  for (const route of PATTERNS) {
    const params = match(route.path, parts)
    if (params === null) continue
    if (route.method === method) return { route, params }
    if (!methods.includes(route.method)) methods.push(route.method)
  }
  return methods
}

const NO_PARAMS = {}

/** The parameters of a path, or null where it is another one. */
function match(pattern: readonly string[], parts: readonly string[]): Record<string, string> | null {
  if (pattern.length !== parts.length) return null
  const params: Record<string, string> = {}
  for (const [i, expected] of pattern.entries()) {
    const part = parts[i] ?? ''
    if (!expected.startsWith('{')) {
      if (part !== expected) return null
      continue
    }
    const value = decoded(part)
    if (value === null || value === '') return null
    params[expected.slice(1, -1)] = value
  }
  return params
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part)
  } catch {
    return null
  }
}

function pattern(
  method: string,
  path: string,
  operation: string,
  gather: (parts: Parts) => unknown,
  lists: 'lists too' | 'objects only' = 'objects only',
) {
  return {
    method,
    path: ['v1', ...path.split('/')],
    endpoint: endpointOf(operation),
    // What is no object is left for validation to refuse; at one place a list is a way to say "several".
    gather: (parts: Parts) =>
      isObject(parts.body) || (lists === 'lists too' && Array.isArray(parts.body)) ? gather(parts) : parts.body,
  }
}

/** The same operation, answered in another shape. */
function shapedAs<R extends Route>(shape: Shape, route: R): R {
  return { ...route, endpoint: { ...route.endpoint, shape } }
}

function endpointOf(operation: string): Endpoint {
  const found = ENDPOINTS.get(operation)
  if (found === undefined) throw new Error(`there is no endpoint ${operation}`)
  return found
}

/** Path, then body, then query: what the path says cannot be overruled, and the body wins over the query (R5). */
function inBody({ params, query, body }: Parts): object {
  return { ...query, ...objectOf(body), ...idsOf(params) }
}

function idsOf(params: Parts['params']): object {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [`${name}_id`, value]))
}

/** On this surface `id` in the body is the new id (B202). @param name of the field that says so elsewhere. */
function renaming(name: string): (parts: Parts) => object {
  return ({ params, query, body }) => {
    const { id, ...rest } = objectOf(body)
    return { ...query, ...rest, ...(id === undefined ? {} : { [name]: id }), ...idsOf(params) }
  }
}

function withPlanId({ query, body }: Parts): object {
  const { id, ...rest } = objectOf(body)
  return { ...query, ...(id === undefined ? {} : { plan_id: id }), ...rest }
}

function withEntityId(body: unknown): unknown {
  if (!isObject(body)) return body
  const { id, ...rest } = objectOf(body)
  return { ...(id === undefined ? {} : { entity_id: id }), ...rest }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {}
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

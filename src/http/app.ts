import type { Environment } from '../domain/customer.ts'
import { isRefusal, refuse } from '../domain/refusal.ts'
import type { ModelPrices } from '../domain/tokens.ts'
import type { IdempotencyKey } from '../engine/command.ts'
import type { Engine } from '../engine/engine.ts'
import type { Keys } from '../operations/keys.ts'
import { authenticate } from './auth.ts'
import type { Answer, Endpoint } from './endpoint.ts'
import { readJson, writeJson } from './json.ts'
import { faultOf, type Problem, problemBody, problemOf } from './problems.ts'
import { type Found, findRoute, ROUTES } from './routes.ts'
import { readVersion, VERSIONS, type Version } from './versions/version.ts'
import { downgradeResponse, downgradeStatus, upgradeRequest } from './versions/versions.ts'

/** A request as the application sees it, whatever carried it. */
export interface HttpRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  /** What follows the question mark, or nothing. */
  readonly query?: string | undefined
  /** By lower-case name; at least those of `HEADERS_READ`. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface AppOptions {
  readonly engine: Engine
  readonly keys: Keys
  readonly modelPrices: ModelPrices
  /** Why requests should not come here now, in a sentence, or null when they may. */
  readonly ready: () => Promise<string | null>
  /** Told of faults and bugs; refusals are ordinary. */
  readonly onFault: (error: unknown, request: HttpRequest) => void
}

/** The longest `Idempotency-Key` that is accepted. */
const LONGEST_KEY = 255

/** All headers that are ever looked at: what carries requests may leave out the others. */
export const HEADERS_READ = ['authorization', 'x-api-version', 'idempotency-key'] as const

/** Bodies above this are refused, but where many items are sent at once: one item of the API fits many times over. */
export const MAX_BODY_BYTES = 1024 * 1024

/** How many bytes a body may have at a path. */
export function bodyLimit(path: string): number {
  return ROUTES.get(path)?.endpoint.bodyLimit ?? MAX_BODY_BYTES
}

/** The whole application without a port. Answers at once where nothing has to be waited for. */
export interface App {
  /** A request that says with its key who asks. */
  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse>
  /** A request of someone who needs no key, because it is the same program. */
  handleAs(env: Environment, request: HttpRequest): HttpResponse | Promise<HttpResponse>
}

export function createApp({ engine, keys, modelPrices, ready, onFault }: AppOptions): App {
  const failed = (error: unknown, request: HttpRequest, env: Environment): HttpResponse => {
    onFault(error, request)
    return problemResponse(faultOf(error), env)
  }

  const perform = (env: Environment, found: Found, request: HttpRequest) => {
    const target = found.route.endpoint
    try {
      const version = readVersion(header(request, 'x-api-version'))
      if (version === 'unknown' || version === 'not_served') return problemResponse(badVersion(request, version), env)
      const json = readJson(request.body)
      if ('problem' in json) return refused(env, 'invalid_inputs', `body: ${json.problem}`)
      const sent = gathered(found, request, json.value)
      const upgraded = upgradeRequest(version, target.operation, sent)
      if ('problem' in upgraded) return refused(env, 'invalid_inputs', upgraded.problem)
      const { body } = upgraded
      const idempotency = keysOf(request, target, body)
      if (isRefusal(idempotency)) return refused(env, idempotency.code, idempotency.message)
      const answer = target.handle({ engine, env, keys: idempotency, modelPrices }, body)
      const finish = (one: Answer) => {
        if (!isRefusal(one)) for (const fault of one.faults) onFault(fault, request)
        return respond(one, target, version, env, sent)
      }
      return answer instanceof Promise
        ? answer.then(finish).catch((error: unknown) => failed(error, request, env))
        : finish(answer)
    } catch (error) {
      return failed(error, request, env)
    }
  }

  return {
    handle(request) {
      const found = findRoute(request.method, request.path)
      if (!('route' in found)) return withoutRoute(request, found, ready)
      const go = (env: Environment | Problem) =>
        typeof env === 'string' ? perform(env, found, request) : problemResponse(env, environmentOf(request))
      const who = authenticate(header(request, 'authorization'), keys)
      return who instanceof Promise
        ? who.then(go).catch((error: unknown) => failed(error, request, environmentOf(request)))
        : go(who)
    },
    handleAs(env, request) {
      const found = findRoute(request.method, request.path)
      return 'route' in found ? perform(env, found, request) : withoutRoute(request, found, ready)
    },
  }
}

/** The answer to a body that is larger than `limit`, in bytes. */
export function tooLarge(request: Pick<HttpRequest, 'headers'>, limit: number): HttpResponse {
  const message = `The body is larger than ${limit} bytes: send less in one request`
  return problemResponse({ status: 413, code: 'body_too_large', message }, environmentOf(request))
}

function respond(answer: Answer, target: Endpoint, version: Version, env: Environment, body: unknown): HttpResponse {
  if (isRefusal(answer)) return refused(env, answer.code, answer.message)
  const shape = answer.shape ?? target.shape
  const text = writeJson(downgradeResponse(version, shape, answer.body, body))
  const status = downgradeStatus(version, shape, answer.status)
  return { status, headers: answer.replayed ? REPLAYED : JSON_HEADERS, body: text }
}

const JSON_HEADERS = { 'content-type': 'application/json' }
const REPLAYED = { ...JSON_HEADERS, 'idempotent-replayed': 'true' }

/** Header and body keys are independent: a request may carry both. Reads ignore them. */
function keysOf(
  request: HttpRequest,
  target: Endpoint,
  body: unknown,
): readonly IdempotencyKey[] | ReturnType<typeof refuse> {
  const fromHeader = header(request, 'idempotency-key')
  const fromBody = target.bodyKey(body)
  if (fromHeader === undefined && fromBody === undefined) return NO_KEYS
  if (!target.changes(body)) return NO_KEYS
  if (fromHeader !== undefined && (fromHeader === '' || fromHeader.length > LONGEST_KEY)) {
    return refuse('invalid_inputs', `Idempotency-Key: must have 1 to ${LONGEST_KEY} characters`)
  }
  const { operation } = target
  const found: IdempotencyKey[] = []
  if (fromHeader !== undefined) found.push({ space: 'header', key: fromHeader, input: body, operation })
  if (fromBody !== undefined) found.push({ space: 'body', key: fromBody, input: body, operation })
  return found
}

const NO_KEYS: readonly IdempotencyKey[] = []

/** The body with what the path and the query say; the body wins over the query, which beside a full body can only expand (R5). */
function gathered({ route, params }: Found, { query = '' }: HttpRequest, body: unknown): unknown {
  if (route.gather !== undefined) return route.gather({ params, query: readQuery(query), body })
  if (query === '' || typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const { expand } = readQuery(query)
  return expand === undefined ? body : { expand, ...body }
}

const NUMBERS = new Set(['limit', 'offset', 'version'])
const TRUTH_VALUES = new Set(['with_autumn_id', 'delete_in_stripe', 'include_archived', 'all_versions'])

/** A query has only texts: where a number or a truth value is expected, what looks like one becomes one. A repeated name is a list. */
function readQuery(query: string): Record<string, unknown> {
  const fields = Map.groupBy(new URLSearchParams(query), ([name]) => name)
  return Object.fromEntries(
    [...fields].map(([name, [first, ...more]]) => {
      const text = first?.[1] ?? ''
      if (more.length > 0) return [name, [text, ...more.map(([, other]) => other)]]
      if (NUMBERS.has(name) && /^\d{1,9}$/.test(text)) return [name, Number(text)]
      return [name, TRUTH_VALUES.has(name) && /^(true|false)$/.test(text) ? text === 'true' : text]
    }),
  )
}

/** What whoever supervises the process asks, without a key: does it run, and should requests come here? */
const PROBES = new Set(['/health', '/ready'])

/** @param methods that there are at this path. */
function withoutRoute(
  request: HttpRequest,
  methods: readonly string[],
  ready: AppOptions['ready'],
): HttpResponse | Promise<HttpResponse> {
  const env = environmentOf(request)
  if (PROBES.has(request.path) && (request.method === 'GET' || request.method === 'HEAD')) {
    if (request.path === '/health') return { status: 200, headers: JSON_HEADERS, body: writeJson({ status: 'ok' }) }
    return ready().then((reason) => readyResponse(reason, env))
  }
  if (methods.length > 0 || PROBES.has(request.path)) {
    const allow = methods.length === 0 ? 'GET' : methods.join(', ')
    const message = `${request.method} is not possible at ${request.path}: use ${allow}`
    return problemResponse({ status: 405, code: 'method_not_allowed', message, headers: { allow } }, env)
  }
  const message = `There is nothing at ${request.path}: endpoints are POST /v1/<noun>.<verb>, for instance /v1/balances.check`
  return problemResponse({ status: 404, code: 'route_not_found', message }, env)
}

function readyResponse(reason: string | null, env: Environment): HttpResponse {
  if (reason === null) return { status: 200, headers: JSON_HEADERS, body: writeJson({ status: 'ready' }) }
  return problemResponse({ status: 503, code: 'not_ready', message: reason, headers: { 'retry-after': '1' } }, env)
}

/** The environment that a request is about by the look of its key, for errors that come before the key is known (B17). */
function environmentOf(request: Pick<HttpRequest, 'headers'>): Environment {
  return /^Bearer am_(sk|pk)_live/i.test(header(request, 'authorization') ?? '') ? 'live' : 'sandbox'
}

function badVersion(request: HttpRequest, version: 'unknown' | 'not_served'): Problem {
  const given = header(request, 'x-api-version')
  const served = `this server speaks ${VERSIONS.join(', ')}`
  if (version === 'unknown')
    return { status: 400, code: 'invalid_api_version', message: `"${given}" is not a valid API version: ${served}` }
  return {
    status: 400,
    code: 'not_supported',
    message: `API version ${given} is not supported by this version of Granary: ${served}`,
  }
}

function refused(env: Environment, code: Parameters<typeof problemOf>[0], message: string): HttpResponse {
  return problemResponse(problemOf(code, message), env)
}

function problemResponse(problem: Problem, env: Environment): HttpResponse {
  return {
    status: problem.status,
    headers: { ...JSON_HEADERS, ...problem.headers },
    body: writeJson(problemBody(problem, env)),
  }
}

function header({ headers }: Pick<HttpRequest, 'headers'>, name: (typeof HEADERS_READ)[number]): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

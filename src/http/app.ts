import type { Environment } from '../domain/customer.ts'
import { isRefusal, refuse } from '../domain/refusal.ts'
import type { IdempotencyKey } from '../engine/command.ts'
import type { Engine } from '../engine/engine.ts'
import type { Keys } from '../operations/keys.ts'
import { authenticate } from './auth.ts'
import type { Answer, Endpoint } from './endpoint.ts'
import { readJson, writeJson } from './json.ts'
import { faultOf, type Problem, problemBody, problemOf } from './problems.ts'
import { ROUTES } from './routes.ts'
import { readVersion, VERSIONS, type Version } from './versions/version.ts'
import { downgradeResponse, upgradeRequest } from './versions/versions.ts'

/** A request as the application sees it, whatever carried it. */
export interface HttpRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  /** By lower-case name. */
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
  /** Told of faults and bugs; refusals are ordinary. */
  readonly onFault: (error: unknown, request: HttpRequest) => void
}

/** The longest `Idempotency-Key` that is accepted. */
const LONGEST_KEY = 255

/** The whole application as a function, without a port: answers at once where nothing has to be waited for. */
export function createApp({
  engine,
  keys,
  onFault,
}: AppOptions): (request: HttpRequest) => HttpResponse | Promise<HttpResponse> {
  const failed = (error: unknown, request: HttpRequest, env: Environment): HttpResponse => {
    onFault(error, request)
    return problemResponse(faultOf(error), env)
  }

  return (request) => {
    const target = ROUTES.get(request.path)
    if (target === undefined || request.method !== 'POST') return withoutRoute(request, target)
    const env = authenticate(header(request, 'authorization'), keys)
    if (typeof env !== 'string') return problemResponse(env, environmentOf(request))
    try {
      const version = readVersion(header(request, 'x-api-version'))
      if (version === 'unknown' || version === 'not_served') return problemResponse(badVersion(request, version), env)
      const json = readJson(request.body)
      if ('problem' in json) return refused(env, 'invalid_inputs', `body: ${json.problem}`)
      const upgraded = upgradeRequest(version, target.operation, json.value)
      if ('problem' in upgraded) return refused(env, 'invalid_inputs', upgraded.problem)
      const { body } = upgraded
      const idempotency = keysOf(request, target, body)
      if (isRefusal(idempotency)) return refused(env, idempotency.code, idempotency.message)
      const answer = target.handle({ engine, env, keys: idempotency }, body)
      const finish = (one: Answer) => respond(one, target, version, env, json.value)
      return answer instanceof Promise
        ? answer.then(finish).catch((error: unknown) => failed(error, request, env))
        : finish(answer)
    } catch (error) {
      return failed(error, request, env)
    }
  }
}

function respond(answer: Answer, { shape }: Endpoint, version: Version, env: Environment, body: unknown): HttpResponse {
  if (isRefusal(answer)) return refused(env, answer.code, answer.message)
  const text = writeJson(downgradeResponse(version, shape, answer.body, body))
  return { status: 200, headers: answer.replayed ? REPLAYED : JSON_HEADERS, body: text }
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

function withoutRoute(request: HttpRequest, target: Endpoint | undefined): HttpResponse {
  if (request.path === '/health' && (request.method === 'GET' || request.method === 'HEAD')) {
    return { status: 200, headers: JSON_HEADERS, body: writeJson({ status: 'ok' }) }
  }
  const env = environmentOf(request)
  if (target !== undefined || request.path === '/health') {
    const allow = target === undefined ? 'GET' : 'POST'
    const message = `${request.method} is not possible at ${request.path}: use ${allow}`
    return problemResponse({ status: 405, code: 'method_not_allowed', message, headers: { allow } }, env)
  }
  const message = `There is nothing at ${request.path}: endpoints are POST /v1/<noun>.<verb>, for instance /v1/balances.check`
  return problemResponse({ status: 404, code: 'route_not_found', message }, env)
}

/** The environment that a request is about by the look of its key, for errors that come before the key is known (B17). */
export function environmentOf(request: Pick<HttpRequest, 'headers'>): Environment {
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

export function problemResponse(problem: Problem, env: Environment): HttpResponse {
  return {
    status: problem.status,
    headers: { ...JSON_HEADERS, ...problem.headers },
    body: writeJson(problemBody(problem, env)),
  }
}

function header({ headers }: Pick<HttpRequest, 'headers'>, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

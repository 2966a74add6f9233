import { later, readSpan } from '../domain/time.ts'
import type { ClockInvocation } from './arguments.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** A request that did not work out, in a sentence that says what to do. */
class ClockError extends Error {
  override name = 'ClockError'
}

/** Shows or moves a running server's clock. @returns what to print. @throws ClockError */
export async function runClock(invocation: ClockInvocation, variables: Variables): Promise<string> {
  const { customer, advance } = invocation
  const ask = asking(invocation.url ?? variables['GRANARY_URL'] ?? '', variables)
  const environment = await ask('clock.get', {})
  const own = customer === undefined ? null : await ask('customers.get', { customer_id: customer })
  const before = instantIn(own?.['test_clock'], 'now') ?? instantIn(environment, 'now') ?? Date.now()
  const whose = customer === undefined ? `${String(environment['env'])} clock` : `clock of ${customer}`
  if (advance === null) return `${whose}  ${show(before)}`
  const to = target(before, advance)
  // What the server made of it counts: a customer's clock stands on whole seconds.
  const after =
    customer === undefined
      ? instantIn(await ask('clock.advance', { to }), 'now')
      : instantIn(await ask('customers.advance_test_clock', { customer_id: customer, frozen_time: to }), 'frozen_time')
  return `${whose}  ${show(before)} → ${show(after ?? to)}`
}

type Ask = (operation: string, body: object) => Promise<Record<string, unknown>>

function asking(given: string, variables: Variables): Ask {
  const url = (given === '' ? `http://127.0.0.1:${variables['PORT'] || '4747'}` : given).replace(/\/+$/, '')
  const key = variables['GRANARY_SECRET_KEY']
  if (key === undefined || key === '') {
    throw new ClockError('set GRANARY_SECRET_KEY to a sandbox key of the server: it was shown at the first start')
  }
  return async (operation, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const reply = await fetch(`${url}/v1/${operation}`, { method: 'POST', headers, body: JSON.stringify(body) }).catch(
      (error: unknown) => {
        throw new ClockError(`no server answers at ${url}: start it, or say with --url where it is`, { cause: error })
      },
    )
    const answer: unknown = await reply.json().catch(() => null)
    if (reply.ok && isRecord(answer)) return answer
    const message =
      isRecord(answer) && typeof answer['message'] === 'string' ? answer['message'] : 'not a Granary answer'
    throw new ClockError(`${url} answers ${reply.status}: ${message}`)
  }
}

function target(from: number, advance: string): number {
  const span = readSpan(advance)
  if (span !== null) return later(from, span)
  const instant = /^\d{4}-\d{2}-\d{2}/.test(advance) ? Date.parse(advance) : Number.NaN
  if (Number.isNaN(instant)) {
    throw new ClockError(
      `"${advance}" is neither a length of time (31d, 12h, 1mo) nor an instant (2027-01-31T10:00:00Z)`,
    )
  }
  return instant
}

function instantIn(value: unknown, field: string): number | null {
  const instant = isRecord(value) ? value[field] : undefined
  return typeof instant === 'number' ? instant : null
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(instant: number): string {
  return new Date(instant).toISOString()
}

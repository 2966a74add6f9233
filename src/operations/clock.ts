import type { Environment } from '../domain/customer.ts'
import { Journal } from '../domain/ledger.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import { type Instant, later, type Span } from '../domain/time.ts'
import { bringUpToDate } from '../domain/up-to-date.ts'
import type { Reply } from '../engine/command.ts'
import { type Context, customerNotFound, nameOf, saved } from './decide.ts'

/** An environment's clock. */
export interface ClockView {
  readonly env: Environment
  readonly now: Instant
  /** How far it was moved ahead of the real time, in milliseconds. */
  readonly ahead: number
}

/** Where a clock is to be moved: by a length of time, or to an instant. */
export type Advance = { readonly by: Span } | { readonly to: Instant }

export function getClock({ engine, env }: Context): ClockView | Promise<ClockView> {
  return engine.readCatalogue(env, ({ clockAhead }, now) => ({ env, now, ahead: clockAhead }))
}

/**
 * Moves the clock of the whole sandbox forward; it goes on from there. Everything that depends on time follows it, except
 * how long idempotency keys are kept. Refusal: `invalid_request` (live data, backwards, beyond the calendar).
 */
export function advanceClock({ engine, env, keys }: Context, advance: Advance): Promise<Reply<ClockView>> {
  return engine.submitToCatalogue({
    env,
    keys,
    decide(catalogue, { now }) {
      const to = 'to' in advance ? advance.to : later(now, advance.by)
      const problem = unmovable(env, now, to)
      if (problem !== null) return problem
      const clockAhead = catalogue.clockAhead + to - now
      return { clockAhead, answer: () => ({ env, now: to, ahead: clockAhead }) }
    },
  })
}

export interface CustomerClock {
  readonly customerId: string
  readonly movedTo: Instant
}

/**
 * Moves one sandbox customer's clock forward, to a whole second; it goes on from there. What becomes due on the way takes
 * effect. Refusals: `customer_not_found`, `invalid_request` as for `advanceClock`. Source: K 2.5 (`customers.advance_test_clock`).
 */
export function advanceCustomerClock(
  { engine, env, keys }: Context,
  customerId: string,
  to: Instant,
): Promise<Reply<CustomerClock>> {
  return engine.submit({
    env,
    keys,
    customerId,
    decide({ holdings, catalogue, moment: { now } }) {
      if (holdings === null) return customerNotFound(customerId)
      const movedTo = Math.floor(to / 1000) * 1000
      const problem = unmovable(env, now, movedTo)
      if (isRefusal(problem)) return problem
      const { customer } = holdings
      const moved = { ...holdings, customer: { ...customer, clockAhead: customer.clockAhead + movedTo - now } }
      // Saved with the instant that was asked for: whatever the real clock does, the customer is never before it again.
      const journal = new Journal(movedTo, 'time')
      const current = bringUpToDate(moved, movedTo, catalogue, journal)
      return saved(null, { holdings: current, answer: { customerId: nameOf(customer), movedTo } }, journal)
    },
  })
}

function unmovable(env: Environment, now: Instant, to: Instant): Refusal | null {
  if (env === 'live') {
    return refuse('invalid_request', 'The clock of live data cannot be moved: use a sandbox key (am_sk_test_…)')
  }
  if (to <= now) return refuse('invalid_request', `A clock only moves forward, and it shows ${now} already`)
  if (to > LATEST) return refuse('invalid_request', `A clock can be moved to ${LATEST} at the latest`)
  return null
}

/** Far from the end of the calendar, so that periods and expiries still fit behind it. */
const LATEST = Date.UTC(9999, 0, 1)

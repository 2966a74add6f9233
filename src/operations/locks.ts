import type { Amount } from '../domain/amount.ts'
import type { Environment, JsonObject } from '../domain/customer.ts'
import type { OverageBehavior } from '../domain/deduction.ts'
import { type Feature, isConsumable } from '../domain/feature.ts'
import { type LockTerms, lockEvent, settleLock } from '../domain/hold.ts'
import { lockOf, withLock } from '../domain/holdings.ts'
import { Journal } from '../domain/ledger.ts'
import { LONGEST_HOLD_MS, type Lock } from '../domain/lock.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Instant, Moment } from '../domain/time.ts'
import { bringUpToDate } from '../domain/up-to-date.ts'
import type { DeductionLine } from '../domain/usage-event.ts'
import type { Outcome, Reply, Situation } from '../engine/command.ts'
import type { Engine } from '../engine/engine.ts'
import { type Bench, type Context, deciding, type Result, SUCCESS, type Success, saved } from './decide.ts'

/** What a check or a track asks to be held. */
export interface LockRequest {
  /** The caller's, unique in the environment among open locks. */
  readonly id: string
  /** When it lapses and what it holds goes back; at most 24 h from now. Without it the hold is used for good after 24 h. */
  readonly expiresAt: Instant | undefined
  readonly behavior: OverageBehavior
}

/** An open lock as its caller is shown it. */
export type OpenLock = Pick<Lock, 'id' | 'held' | 'lapsesAt'>

/** @returns terms for `hold`, or `invalid_request`: it would hold for too long (R150), or cannot be held at all (R48). */
export function termsOf(lock: LockRequest, feature: Feature, { now, newId }: Moment): LockTerms | Refusal {
  if (feature.type.kind === 'boolean')
    return refuse(
      'invalid_request',
      `lock cannot be used with the boolean feature ${feature.id}: there is nothing to hold`,
    )
  if (!isConsumable(feature)) {
    return refuse(
      'invalid_request',
      `lock cannot be used with ${feature.id}: it is not consumable, so what is taken is held as it is`,
    )
  }
  const { id, expiresAt, behavior } = lock
  if (expiresAt !== undefined && expiresAt > now + LONGEST_HOLD_MS) return tooLong('lock.expires_at')
  const uid = newId('lock')
  if (expiresAt === undefined) return { id, uid, behavior, lapsesAt: now + LONGEST_HOLD_MS, atLapse: 'confirm' }
  return { id, uid, behavior, lapsesAt: Math.max(expiresAt, now), atLapse: 'release' }
}

/** What another customer's open lock with the same id comes to. */
export function lockTaken(id: string): Refusal {
  return refuse('lock_already_exists', `A lock with the id ${id} is open already`)
}

export function openLock({ id, held, lapsesAt }: Lock): OpenLock {
  return { id, held, lapsesAt }
}

function tooLong(field: string): Refusal {
  return refuse('invalid_request', `${field} must be at most 24 hours from now`)
}

export interface FinalizeRequest {
  readonly lockId: string
  /** What was used in all, or null for all that is held; zero gives everything back. */
  readonly used: Amount | null
  /** What is not used stays held. */
  readonly keepOpen: boolean
  /** Of the event that is recorded for a difference; by default those of the lock. */
  readonly properties: JsonObject | undefined
}

export interface FinalizeAnswer {
  /** What moved beyond what was held; below zero came back. */
  readonly deductions: readonly DeductionLine[]
  /** The lock where it stays open. */
  readonly lock: OpenLock | null
}

/**
 * Settles an open lock: `used` of it is used, the rest goes back where it came from, and what was used beyond it is taken by
 * the normal order, as far as the lock's overage behavior lets it. Refusal: `lock_not_found`, also for one that is settled
 * or has lapsed. Source: R156-R168.
 */
export function finalize(context: Context, request: FinalizeRequest): Promise<Reply<FinalizeAnswer>> {
  return onLock(context, request.lockId, (bench, lock) => {
    const { holdings, catalogue, journal, moment } = bench
    const { used, keepOpen } = request
    if (keepOpen && lock.held < 0n)
      return refuse('invalid_request', `The lock ${lock.id} gives back, so there is nothing of it to keep open`)
    const properties = request.properties ?? lock.properties
    const settlement = settleLock(holdings, lock, used ?? lock.held, properties, keepOpen, catalogue, journal)
    const { value, deductions } = settlement
    const event = () => lockEvent(lock, moment.newId('evt'), value, properties, deductions, journal.at)
    return {
      holdings: settlement.holdings,
      answer: { deductions, lock: settlement.lock === null ? null : openLock(settlement.lock) },
      events: value === 0n ? [] : [event()],
    }
  })
}

/** Moves the lapse of an open lock. Refusals: `lock_not_found`, `invalid_request` (not in the future, or too far in it). */
export function extendLock(context: Context, lockId: string, expiresAt: Instant): Promise<Reply<OpenLock>> {
  return onLock(context, lockId, ({ holdings, moment: { now } }, lock) => {
    if (expiresAt <= now)
      return refuse('invalid_request', 'expires_at must be in the future: finalize gives back at once')
    if (expiresAt > now + LONGEST_HOLD_MS) return tooLong('expires_at')
    const extended: Lock = { ...lock, lapsesAt: expiresAt, atLapse: 'release' }
    return { holdings: withLock(holdings, extended), answer: openLock(extended) }
  })
}

/**
 * Finds the customer that has the lock and decides there. Idempotency keys belong to the lock, because who repeats a request
 * names nothing else, and by then the lock is gone.
 */
async function onLock<A>(
  { engine, env, keys }: Context,
  id: string,
  rule: (bench: Bench, lock: Lock) => Result<A> | Refusal,
): Promise<Reply<A>> {
  const notFound = refuse(
    'lock_not_found',
    `No open lock has the id ${id}: it was finalized, it lapsed, or there never was one`,
  )
  const decideFor = (customerId: string) => (situation: Situation) => {
    if (situation.holdings === null) return notFound
    return deciding({ customerId }, `lock ${id}`, (bench) => {
      const lock = lockOf(bench.holdings, id)
      return lock === undefined
        ? notFound
        : rule({ ...bench, journal: bench.journal.past(bench.journal.at, lock.uid) }, lock)
    })(situation)
  }
  const submit = (customerId: string) =>
    engine.submit({ env, keys, customerId, keyedBy: `lock ${id}`, decide: decideFor(customerId) })
  let last: string | null = null
  for (;;) {
    const customer = await engine.findLock(env, id)
    // Nobody has it: only a repeated request still has an answer, and nobody's name is like this one.
    if (customer === null)
      return keys.length === 0 ? { outcome: notFound, replayed: false } : submit(`\u0001lock ${id}`)
    const reply = await submit(customer)
    // It may have been settled here and opened by somebody else while this was on its way.
    if (!isRefusal(reply.outcome) || reply.outcome.code !== 'lock_not_found' || customer === last) return reply
    last = customer
  }
}

/** Customers with lapsed locks that are settled at once. */
const SETTLED_AT_ONCE = 100
/** A store that cannot keep up is not asked for ever. */
const MOST_ROUNDS = 20

/**
 * Saves every lapse that is due, with the event that it records. Whoever reads balances sees a lapse at its instant anyhow;
 * the log of events has it from here. @throws StoreUnavailable
 */
export function settleLapsed(engine: Engine, env: Environment): Promise<void> {
  return settleDue(engine, env, () => engine.withLapsedLocks(env, SETTLED_AT_ONCE))
}

/** Saves every beginning and end of a plan that is due, which whoever reads sees anyhow. @throws StoreUnavailable */
export function settleTurns(engine: Engine, env: Environment): Promise<void> {
  return settleDue(engine, env, () => engine.withDueAttachments(env, SETTLED_AT_ONCE))
}

async function settleDue(engine: Engine, env: Environment, due: () => Promise<readonly string[]>): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const customers = await due()
    if (customers.length === 0) return
    await Promise.all(
      customers.map((customerId) => engine.submit({ env, keys: [], customerId, decide: (it) => settledUpTo(it) })),
    )
  }
}

function settledUpTo({ holdings, catalogue, moment: { now } }: Situation): Outcome<Success> {
  if (holdings === null) return { kind: 'unchanged', answer: SUCCESS }
  const journal = new Journal(now, 'time')
  const current = bringUpToDate(holdings, now, catalogue, journal)
  if (current.locks === holdings.locks && current.attachments === holdings.attachments)
    return { kind: 'unchanged', answer: SUCCESS }
  return saved(null, { holdings: current, answer: SUCCESS }, journal)
}

import type { Amount } from '../domain/amount.ts'
import type { JsonObject } from '../domain/customer.ts'
import type { OverageBehavior } from '../domain/deduction.ts'
import type { Catalogue, Feature } from '../domain/feature.ts'
import { hold } from '../domain/hold.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Summary } from '../domain/summary.ts'
import type { Instant, Moment } from '../domain/time.ts'
import { NO_MARKUPS } from '../domain/tokens.ts'
import { type NamedSummaries, summariesAfter, type Usage, type UsageSummaries, use } from '../domain/usage.ts'
import type { DeductionLine, UsageEvent } from '../domain/usage-event.ts'
import type { Command, Reply } from '../engine/command.ts'
import { type Bench, type Context, deciding, featureNotFound, nameOf, type Result, type Subject } from './decide.ts'
import { type LockRequest, lockTaken, type OpenLock, openLock, termsOf } from './locks.ts'

/** What a use leaves behind beside what it took, and what its answer tells. */
export interface Manner {
  /** Whether an event is recorded (R74). */
  readonly recorded: boolean
  /** Whether the answer tells what is left. Adding that up takes time, and not everyone is shown it. */
  readonly tellsBalance: boolean
}

export interface TrackRequest extends Subject, Manner {
  /** A feature's id, or an event name that feeds every feature which lists it. */
  readonly of: { readonly featureId: string } | { readonly eventName: string }
  readonly value: Amount
  readonly properties: JsonObject
  /** When the use happened, if not now; balances are always charged now. */
  readonly timestamp: Instant | undefined
  readonly behavior: OverageBehavior
  /** Holds instead of using, by the rules of a check (R150b). */
  readonly lock?: LockRequest | undefined
}

export interface TrackAnswer {
  readonly customerId: string
  /** Under which it was recorded, and can be given back; null where nothing is recorded. */
  readonly eventId: string | null
  readonly eventName: string | null
  /** What was asked, whatever could be taken (R60). */
  readonly value: Amount
  /** Null too where it is not to be told. */
  readonly summary: Summary | null
  /** Null where fewer than two features are concerned (R63). */
  readonly summaries: NamedSummaries | null
  readonly deductions: readonly DeductionLine[]
  /** The lock that holds what was used, or null. */
  readonly lock: OpenLock | null
}

/**
 * Records a use and takes it from the customer's balances. Refusals: `feature_not_found`, `event_name_not_found`,
 * `entity_not_found`, `customer_not_found`, `insufficient_balance` (under `reject`), `invalid_inputs` (a timestamp in the
 * future), `invalid_request`. Source: R60-R74.
 */
export function track(context: Context, request: TrackRequest): Promise<Reply<TrackAnswer>> {
  return context.engine.submit(trackCommand(context, request))
}

/** What `track` gives the engine. */
export function trackCommand(
  { env, keys }: Pick<Context, 'env' | 'keys'>,
  request: TrackRequest,
): Command<TrackAnswer> {
  return {
    env,
    keys,
    customerId: request.customerId,
    decide(situation) {
      const features = featuresOf(request, situation.catalogue)
      if (isRefusal(features)) return features
      const late = inTheFuture(request.timestamp, situation.moment)
      if (late !== null) return late
      const eventUid = situation.moment.newId('evt')
      return deciding(request, eventUid, (bench) => {
        const { value, properties, behavior, timestamp } = request
        const [feature] = features
        if (request.lock !== undefined && feature !== undefined)
          return holding(bench, feature, request, request.lock, eventUid)
        const eventName = 'eventName' in request.of ? request.of.eventName : null
        const name = 'eventName' in request.of ? request.of.eventName : request.of.featureId
        const what = { name, value, properties, timestamp, refundOf: null, lock: null }
        return recordUse(bench, eventUid, features, what, behavior, eventName, request)
      })(situation)
    },
  }
}

function holding(
  bench: Bench,
  feature: Feature,
  request: TrackRequest,
  wanted: LockRequest,
  eventUid: string,
): Result<TrackAnswer> | Refusal {
  const { holdings, entity, catalogue, journal, moment } = bench
  const { value, properties, timestamp } = request
  const terms = termsOf(wanted, feature, moment)
  if (isRefusal(terms)) return terms
  const held = hold(holdings, entity, feature, value, properties, terms, catalogue, journal)
  if (isRefusal(held)) return held
  const { usage, lock } = held
  if (lock === null)
    return refuse('insufficient_balance', `There is nothing of feature ${feature.id} left that could be held`)
  const what = { name: feature.id, value: lock.held, properties, timestamp, refundOf: null, lock }
  const result = trackResult(bench, eventUid, what, usage, null, request)
  const answer = { ...result.answer, value, lock: openLock(lock) }
  return { ...result, answer, whenLockTaken: lockTaken(lock.id) }
}

export function inTheFuture(timestamp: Instant | undefined, { now }: Moment): Refusal | null {
  if (timestamp === undefined || timestamp <= now) return null
  return refuse('invalid_inputs', 'timestamp: must not be in the future')
}

/** What is said of a use in its event. */
interface Recorded {
  readonly name: string
  readonly value: Amount
  readonly properties: JsonObject
  readonly timestamp: Instant | undefined
  readonly refundOf: string | null
  readonly lock: { readonly id: string } | null
}

/** Takes a use from balances and records it. @param eventName where the caller used one instead of a feature's id. */
export function recordUse(
  bench: Bench,
  eventUid: string,
  features: readonly Feature[],
  what: Recorded,
  behavior: OverageBehavior,
  eventName: string | null,
  manner: Manner,
): Result<TrackAnswer> | Refusal {
  const { holdings, entity, catalogue, journal } = bench
  const { value, properties } = what
  const usage = use(holdings, entity?.uid ?? null, features, value, properties, behavior, catalogue, journal)
  return isRefusal(usage) ? usage : trackResult(bench, eventUid, what, usage, eventName, manner)
}

/** @param eventName where the caller used one instead of a feature's id. */
export function trackResult(
  bench: Bench,
  eventUid: string,
  what: Recorded,
  usage: Usage,
  eventName: string | null,
  { recorded, tellsBalance }: Manner,
): Result<TrackAnswer> {
  const summaries = tellsBalance ? summariesAfter(usage, bench.catalogue) : UNTOLD
  return {
    holdings: usage.holdings,
    answer: {
      customerId: nameOf(bench.holdings.customer),
      eventId: recorded ? eventUid : null,
      eventName,
      value: what.value,
      summary: withoutPrices(summaries.principal),
      summaries: summaries.all?.map(([id, summary]) => [id, withoutPrices(summary)]) ?? null,
      deductions: usage.deductions,
      lock: null,
    },
    events: recorded ? [eventOf(bench, eventUid, what, usage.deductions)] : [],
  }
}

/** Answers are kept for repeated keys; the prices of a feature, of which there may be a thousand, are never shown in this one. */
function withoutPrices(summary: Summary | null): Summary | null {
  if (summary?.feature.type.kind !== 'ai_credit_system') return summary
  const type = { kind: summary.feature.type.kind, markups: NO_MARKUPS }
  return { ...summary, feature: { ...summary.feature, type } }
}

const UNTOLD: UsageSummaries = { principal: null, all: null }

export function featuresOf(
  { of, behavior }: Pick<TrackRequest, 'of' | 'behavior'>,
  catalogue: Catalogue,
): readonly Feature[] | Refusal {
  if ('featureId' in of) {
    const feature = catalogue.byId.get(of.featureId)
    return feature === undefined ? featureNotFound(of.featureId) : [feature]
  }
  if (behavior === 'reject') {
    return refuse(
      'invalid_request',
      'overage_behavior reject cannot be used with event_name: send the feature_id instead',
    )
  }
  return (
    catalogue.byEventName.get(of.eventName) ??
    refuse('event_name_not_found', `No features found for event name: ${of.eventName}`)
  )
}

export function eventOf(
  { entity, moment, journal }: Bench,
  uid: string,
  what: Recorded,
  deductions: readonly DeductionLine[],
): UsageEvent {
  const { name, value, properties, timestamp, refundOf, lock } = what
  return {
    uid,
    name,
    value,
    properties,
    entity: entity === null ? null : nameOf(entity),
    refundOf,
    lock: lock?.id ?? null,
    timestamp: timestamp ?? moment.now,
    recordedAt: journal.at,
    deductions,
  }
}

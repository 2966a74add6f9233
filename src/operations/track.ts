import type { Amount } from '../domain/amount.ts'
import type { JsonObject } from '../domain/customer.ts'
import type { OverageBehavior } from '../domain/deduction.ts'
import type { Catalogue, Feature } from '../domain/feature.ts'
import { hold } from '../domain/hold.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Summary } from '../domain/summary.ts'
import type { Instant, Moment } from '../domain/time.ts'
import {
  type DeductionLine,
  type NamedSummaries,
  summariesAfter,
  type Usage,
  type UsageEvent,
  use,
} from '../domain/usage.ts'
import type { Reply } from '../engine/command.ts'
import { type Bench, type Context, deciding, featureNotFound, nameOf, type Result, type Subject } from './decide.ts'
import { type LockRequest, lockTaken, type OpenLock, openLock, termsOf } from './locks.ts'

export interface TrackRequest extends Subject {
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
  /** Under which it was recorded, and can be given back. */
  readonly eventId: string
  readonly eventName: string | null
  /** What was asked, whatever could be taken (R60). */
  readonly value: Amount
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
export function track({ engine, env, keys }: Context, request: TrackRequest): Promise<Reply<TrackAnswer>> {
  return engine.submit({
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
        const { holdings, entity, catalogue, journal } = bench
        const { value, properties, behavior, timestamp } = request
        const [feature] = features
        if (request.lock !== undefined && feature !== undefined)
          return holding(bench, feature, request, request.lock, eventUid)
        const usage = use(holdings, entity?.uid ?? null, features, value, properties, behavior, catalogue, journal)
        if (isRefusal(usage)) return usage
        const eventName = 'eventName' in request.of ? request.of.eventName : null
        const name = 'eventName' in request.of ? request.of.eventName : request.of.featureId
        return trackResult(
          bench,
          eventUid,
          { name, value, properties, timestamp, refundOf: null, lock: null },
          usage,
          eventName,
        )
      })(situation)
    },
  })
}

function holding(
  bench: Bench,
  feature: Feature,
  { value, properties, timestamp }: TrackRequest,
  request: LockRequest,
  eventUid: string,
): Result<TrackAnswer> | Refusal {
  const { holdings, entity, catalogue, journal, moment } = bench
  const terms = termsOf(request, feature, moment)
  if (isRefusal(terms)) return terms
  const held = hold(holdings, entity, feature, value, properties, terms, catalogue, journal)
  if (isRefusal(held)) return held
  const { usage, lock } = held
  if (lock === null)
    return refuse('insufficient_balance', `There is nothing of feature ${feature.id} left that could be held`)
  const what = { name: feature.id, value: lock.held, properties, timestamp, refundOf: null, lock }
  const result = trackResult(bench, eventUid, what, usage, null)
  const answer = { ...result.answer, value, lock: openLock(lock) }
  return { ...result, answer, whenLockTaken: lockTaken(lock.id) }
}

export function inTheFuture(timestamp: Instant | undefined, { now }: Moment): Refusal | null {
  if (timestamp === undefined || timestamp <= now) return null
  return refuse('invalid_inputs', 'timestamp: must not be in the future')
}

/** What is said of a use that is recorded. */
interface Recorded {
  readonly name: string
  readonly value: Amount
  readonly properties: JsonObject
  readonly timestamp: Instant | undefined
  readonly refundOf: string | null
  readonly lock: { readonly id: string } | null
}

/** @param eventName where the caller used one instead of a feature's id. */
export function trackResult(
  bench: Bench,
  eventUid: string,
  what: Recorded,
  usage: Usage,
  eventName: string | null,
): Result<TrackAnswer> {
  const summaries = summariesAfter(usage, bench.catalogue)
  return {
    holdings: usage.holdings,
    answer: {
      customerId: nameOf(bench.holdings.customer),
      eventId: eventUid,
      eventName,
      value: what.value,
      summary: summaries.principal,
      summaries: summaries.all,
      deductions: usage.deductions,
      lock: null,
    },
    events: [eventOf(bench, eventUid, what, usage.deductions)],
  }
}

export function featuresOf({ of, behavior }: TrackRequest, catalogue: Catalogue): readonly Feature[] | Refusal {
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

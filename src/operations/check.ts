import { type Access, type Denial, deny, judge } from '../domain/access.ts'
import { type Amount, ZERO } from '../domain/amount.ts'
import type { JsonObject } from '../domain/customer.ts'
import { eligibilityFor, offersOf } from '../domain/eligibility.ts'
import type { Catalogue, Feature, MemberIds } from '../domain/feature.ts'
import { type Hold, hold, type LockTerms } from '../domain/hold.ts'
import type { Holdings } from '../domain/holdings.ts'
import { Journal } from '../domain/ledger.ts'
import type { PlanView } from '../domain/plan-view.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Instant } from '../domain/time.ts'
import { type NamedSummaries, summariesAfter, summaryAfter, type Usage, use } from '../domain/usage.ts'
import type { Reply } from '../engine/command.ts'
import {
  asOf,
  type Bench,
  type Context,
  deciding,
  entityIn,
  featureOf,
  nameOf,
  nobody,
  type Result,
  type SubjectFeature,
} from './decide.ts'
import { type LockRequest, lockTaken, type OpenLock, openLock, termsOf } from './locks.ts'
import { planView } from './plans.ts'
import { eventOf } from './track.ts'

export interface CheckAnswer {
  readonly access: Access
  /** Null where it is allowed. */
  readonly denial: Denial | null
  readonly customerId: string
  /** Under which a use was recorded, and can be given back; null where nothing was used. */
  readonly eventId: string | null
  /** The lock that holds what was used, or null. */
  readonly lock: OpenLock | null
  /** After a successful use that several features could pay for: each with its summary (R46). */
  readonly summaries: NamedSummaries | null
  /** What is on sale that has the feature; null unless it was asked for and access is denied (R55-R57). */
  readonly offers: readonly PlanView[] | null
  /** For showing the feature. */
  readonly memberIds: MemberIds
}

/** May the customer use `required` of the feature now? A read: answered at once when the customer is in memory (R31-R45). */
export function check(
  { engine, env }: Context,
  subject: SubjectFeature,
  required: Amount,
  properties: JsonObject,
  withOffers: boolean,
): CheckAnswer | Refusal | Promise<CheckAnswer | Refusal> {
  return engine.read(env, subject.customerId, (holdings, { now }, catalogue) => {
    const feature = featureOf(subject, catalogue)
    if (isRefusal(feature)) return feature
    if (holdings === null) return nobody(subject)
    const entity = entityIn(holdings, subject)
    if (isRefusal(entity)) return entity
    const [current, whose] = [asOf(holdings, now, catalogue), entity?.uid ?? null]
    const access = judge(current, whose, feature, required, properties, catalogue)
    const wouldBe = (then: Holdings) => judge(then, whose, feature, required, properties, catalogue).allowed
    const denial = access.allowed ? null : deny(current, whose, feature, catalogue, wouldBe)
    return {
      access,
      denial,
      customerId: nameOf(holdings.customer),
      eventId: null,
      lock: null,
      summaries: null,
      offers: withOffers && !access.allowed ? offersFor(access, feature, current, whose, catalogue, now) : null,
      memberIds: catalogue.memberIds,
    }
  })
}

/** What has the feature that answers; where a credit system does that is in no plan, what has the one that was asked for. */
function offersFor(
  access: Access,
  asked: Feature,
  holdings: Holdings,
  entity: string | null,
  catalogue: Catalogue,
  now: Instant,
): readonly PlanView[] {
  const answering = offersOf(holdings, entity, access.feature.uid, catalogue)
  const offers = answering.length > 0 ? answering : offersOf(holdings, entity, asked.uid, catalogue)
  return offers.map((plan) => ({
    ...planView(plan, catalogue, holdings.customer.env),
    eligibility: eligibilityFor(holdings, entity, plan, catalogue, now),
  }))
}

/**
 * Checks and, when it is allowed, uses `required` at once: all of it or nothing. Not enough is an answer
 * (`allowed: false`), not an error.
 * @param recorded whether an event is recorded of it.
 * @param lock holds it instead, all or as much as the lock asks for, until it is finalized (R150-R155). Refusals then also
 * `lock_already_exists`, `invalid_request`.
 * Source: R46-R52.
 */
export function checkAndUse(
  { engine, env, keys }: Context,
  subject: SubjectFeature,
  required: Amount,
  properties: JsonObject,
  recorded: boolean,
  lock: LockRequest | null,
  withOffers: boolean,
): Promise<Reply<CheckAnswer>> {
  return engine.submit({
    env,
    keys,
    customerId: subject.customerId,
    decide(situation) {
      const feature = featureOf(subject, situation.catalogue)
      if (isRefusal(feature)) return feature
      const terms = lock === null ? null : termsOf(lock, feature, situation.moment)
      if (isRefusal(terms)) return terms
      if (feature.type.kind === 'boolean') {
        return refuse(
          'invalid_request',
          `send_event cannot be used with the boolean feature ${feature.id}: there is nothing to deduct`,
        )
      }
      const eventUid = situation.moment.newId('evt')
      const rule = (bench: Bench) =>
        useWhole(bench, feature, required, properties, terms, eventUid, { recorded, withOffers })
      return deciding(subject, eventUid, rule)(situation)
    },
  })
}

function useWhole(
  bench: Bench,
  feature: Feature,
  required: Amount,
  properties: JsonObject,
  terms: LockTerms | null,
  eventUid: string,
  { recorded, withOffers }: { readonly recorded: boolean; readonly withOffers: boolean },
): Result<CheckAnswer> | Refusal {
  const { holdings, catalogue, journal } = bench
  const entity = bench.entity?.uid ?? null
  const before = judge(holdings, entity, feature, required, properties, catalogue)
  const customerId = nameOf(holdings.customer)
  const taken =
    terms === null
      ? used(use(holdings, entity, [feature], required, properties, 'reject', catalogue, journal))
      : hold(holdings, bench.entity, feature, required, properties, terms, catalogue, journal)
  const couldBeUsed = (then: Holdings) =>
    !isRefusal(
      use(then, entity, [feature], required, properties, 'reject', catalogue, new Journal(journal.at, 'trial')),
    )
  const no = (access: Access) => ({
    holdings,
    answer: {
      access: { ...access, allowed: false },
      denial: deny(holdings, entity, feature, catalogue, couldBeUsed),
      customerId,
      eventId: null,
      lock: null,
      summaries: null,
      offers: withOffers ? offersFor(access, feature, holdings, entity, catalogue, bench.moment.now) : null,
      memberIds: catalogue.memberIds,
    },
  })
  if (isRefusal(taken)) return taken.code === 'insufficient_balance' ? no(before) : taken
  const { usage, lock } = taken
  if (!usage.held && required > ZERO) return no({ ...before, required })
  if (terms !== null && lock === null) return no(before)
  const value = lock?.held ?? required
  const what = { name: feature.id, value, properties, timestamp: undefined, refundOf: null, lock }
  return {
    holdings: usage.holdings,
    answer: {
      access: { ...before, allowed: true, summary: summaryAfter(usage, before.feature) },
      denial: null,
      customerId,
      eventId: recorded ? eventUid : null,
      lock: lock === null ? null : openLock(lock),
      summaries: summariesAfter(usage, catalogue).all,
      offers: null,
      memberIds: catalogue.memberIds,
    },
    events: recorded ? [eventOf(bench, eventUid, what, usage.deductions)] : [],
    ...(lock === null ? {} : { whenLockTaken: lockTaken(lock.id) }),
  }
}

function used(usage: Usage | Refusal): Hold | Refusal {
  return isRefusal(usage) ? usage : { usage, lock: null }
}

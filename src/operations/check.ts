import { type Access, type Denial, deny, judge } from '../domain/access.ts'
import { type Amount, ZERO } from '../domain/amount.ts'
import type { JsonObject } from '../domain/customer.ts'
import type { Feature, MemberIds } from '../domain/feature.ts'
import type { Holdings } from '../domain/holdings.ts'
import { Journal } from '../domain/ledger.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import { type NamedSummaries, summariesAfter, summaryAfter, use } from '../domain/usage.ts'
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
import { eventOf } from './track.ts'

export interface CheckAnswer {
  readonly access: Access
  /** Null where it is allowed. */
  readonly denial: Denial | null
  readonly customerId: string
  /** Under which a use was recorded, and can be given back; null where nothing was used. */
  readonly eventId: string | null
  /** After a successful use that several features could pay for: each with its summary (R46). */
  readonly summaries: NamedSummaries | null
  /** For showing the feature. */
  readonly memberIds: MemberIds
}

/** May the customer use `required` of the feature now? A read: answered at once when the customer is in memory (R31-R45). */
export function check(
  { engine, env }: Context,
  subject: SubjectFeature,
  required: Amount,
  properties: JsonObject,
): CheckAnswer | Refusal | Promise<CheckAnswer | Refusal> {
  return engine.read(env, subject.customerId, (holdings, { now }, catalogue) => {
    const feature = featureOf(subject, catalogue)
    if (isRefusal(feature)) return feature
    if (holdings === null) return nobody(subject)
    const entity = entityIn(holdings, subject)
    if (isRefusal(entity)) return entity
    const [current, whose] = [asOf(holdings, now), entity?.uid ?? null]
    const access = judge(current, whose, feature, required, properties, catalogue)
    const wouldBe = (then: Holdings) => judge(then, whose, feature, required, properties, catalogue).allowed
    const denial = access.allowed ? null : deny(current, whose, feature, catalogue, wouldBe)
    return {
      access,
      denial,
      customerId: nameOf(holdings.customer),
      eventId: null,
      summaries: null,
      memberIds: catalogue.memberIds,
    }
  })
}

/**
 * Checks and, when it is allowed, uses `required` at once: all of it or nothing. Not enough is an answer
 * (`allowed: false`), not an error.
 * @param recorded whether an event is recorded of it.
 * Source: R46-R52.
 */
export function checkAndUse(
  { engine, env, keys }: Context,
  subject: SubjectFeature,
  required: Amount,
  properties: JsonObject,
  recorded: boolean,
): Promise<Reply<CheckAnswer>> {
  return engine.submit({
    env,
    keys,
    customerId: subject.customerId,
    decide(situation) {
      const feature = featureOf(subject, situation.catalogue)
      if (isRefusal(feature)) return feature
      if (feature.type.kind === 'boolean') {
        return refuse(
          'invalid_request',
          `send_event cannot be used with the boolean feature ${feature.id}: there is nothing to deduct`,
        )
      }
      const eventUid = situation.moment.newId('evt')
      const rule = (bench: Bench) => useWhole(bench, feature, required, properties, eventUid, recorded)
      return deciding(subject, eventUid, rule)(situation)
    },
  })
}

function useWhole(
  bench: Bench,
  feature: Feature,
  required: Amount,
  properties: JsonObject,
  eventUid: string,
  recorded: boolean,
): Result<CheckAnswer> {
  const { holdings, catalogue, journal } = bench
  const entity = bench.entity?.uid ?? null
  const before = judge(holdings, entity, feature, required, properties, catalogue)
  const customerId = nameOf(holdings.customer)
  const usage = use(holdings, entity, [feature], required, properties, 'reject', catalogue, journal)
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
      summaries: null,
      memberIds: catalogue.memberIds,
    },
  })
  if (isRefusal(usage)) return no(before)
  if (!usage.held && required > ZERO) return no({ ...before, required })
  const used = { name: feature.id, value: required, properties, timestamp: undefined, refundOf: null }
  return {
    holdings: usage.holdings,
    answer: {
      access: { ...before, allowed: true, summary: summaryAfter(usage, before.feature) },
      denial: null,
      customerId,
      eventId: recorded ? eventUid : null,
      summaries: summariesAfter(usage, catalogue).all,
      memberIds: catalogue.memberIds,
    },
    events: recorded ? [eventOf(bench, eventUid, used, usage.deductions)] : [],
  }
}

import { type Adjustment, adjust, remove, type Target } from '../domain/adjust.ts'
import type { Feature } from '../domain/feature.ts'
import { type GrantRequest, grant } from '../domain/grant.ts'
import type { Holdings } from '../domain/holdings.ts'
import { isRefusal, type Refusal } from '../domain/refusal.ts'
import type { Reply, Situation } from '../engine/command.ts'
import {
  type Bench,
  type Context,
  deciding,
  entityNotFound,
  featureNotFound,
  featureOf,
  type Subject,
} from './decide.ts'

/** Writes answer nothing but that they are done (B2). */
export type Success = { readonly success: true }
const SUCCESS: Success = { success: true }

/** Opens a balance. Refusals: those of `grant`, and `feature_not_found`, `customer_not_found`, `entity_not_found` (B69). */
export function createBalance(context: Context, subject: Subject, request: GrantRequest): Promise<Reply<Success>> {
  return change(context, 'balances.create', subject.customerId, {
    of: ({ catalogue }) => featureOf(subject, catalogue),
    rule: (feature: Feature, { holdings, moment, journal }) => grant(holdings, feature, request, moment, journal),
  })
}

/** Changes balances by hand. Refusals: those of `adjust`, and the unknown feature, customer, entity. */
export function updateBalance(
  context: Context,
  subject: Subject,
  target: Target,
  adjustment: Adjustment,
): Promise<Reply<Success>> {
  return change(context, 'balances.update', subject.customerId, {
    of: ({ catalogue }) => featureOf(subject, catalogue),
    rule: (feature: Feature, { holdings, catalogue, journal }) =>
      adjust(holdings, feature, target, adjustment, catalogue, journal),
  })
}

/** Deletes balances. `featureId` may be left out when a balance is named. Refusals as for updates. */
export function deleteBalance(
  context: Context,
  { customerId, featureId, entityId }: Omit<Subject, 'featureId'> & { readonly featureId: string | undefined },
  target: Target,
): Promise<Reply<Success>> {
  return change(context, 'balances.delete', customerId, {
    of({ catalogue }) {
      const feature = featureId === undefined ? null : catalogue.byId.get(featureId)
      if (feature === undefined) return featureNotFound(featureId ?? '')
      return entityId === undefined ? feature : entityNotFound(entityId)
    },
    rule: (feature: Feature | null, { holdings, journal }) => remove(holdings, feature, target, journal),
  })
}

/** A change of balances by name: what it is about is looked up first, then the rule makes new holdings or refuses. */
function change<F extends Feature | null>(
  { engine, env, keys }: Context,
  operation: string,
  customerId: string,
  { of, rule }: { of(situation: Situation): F | Refusal; rule(feature: F, bench: Bench): Holdings | Refusal },
): Promise<Reply<Success>> {
  return engine.submit({
    env,
    keys,
    customerId,
    decide(situation) {
      const feature = of(situation)
      if (isRefusal(feature)) return feature
      const act = (bench: Bench) => {
        const after = rule(feature, bench)
        return isRefusal(after) ? after : { holdings: after, answer: SUCCESS }
      }
      return deciding(customerId, operation, act)(situation)
    },
  })
}

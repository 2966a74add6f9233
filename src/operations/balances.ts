import { type Adjustment, adjust, remove, type Target } from '../domain/adjust.ts'
import { type GrantRequest, grant } from '../domain/grant.ts'
import { isRefusal } from '../domain/refusal.ts'
import type { Reply } from '../engine/command.ts'
import { type Context, deciding, entityNotFound, featureNotFound } from './decide.ts'

/** Writes answer nothing but that they are done (B2). */
export type Success = { readonly success: true }
const SUCCESS: Success = { success: true }

/** Whose balance of what. An entity that does not exist is refused and never falls back to its customer. */
export interface Subject {
  readonly customerId: string
  readonly featureId: string
  readonly entityId: string | undefined
}

/** Opens a balance. Refusals: those of `grant`, and `feature_not_found`, `customer_not_found`, `entity_not_found` in this order (B69). */
export function createBalance(
  { engine, env, keys }: Context,
  subject: Subject,
  request: GrantRequest,
): Promise<Reply<Success>> {
  return engine.submit({
    env,
    keys,
    customerId: subject.customerId,
    decide(situation) {
      const feature = situation.catalogue.byId.get(subject.featureId)
      if (feature === undefined) return featureNotFound(subject.featureId)
      if (subject.entityId !== undefined) return entityNotFound(subject.entityId)
      return deciding(
        subject.customerId,
        () => 'balances.create',
        ({ holdings, moment, journal }) => {
          const after = grant(holdings, feature, request, moment, journal)
          return isRefusal(after) ? after : { holdings: after, answer: SUCCESS }
        },
      )(situation)
    },
  })
}

/** Changes balances by hand. Refusals: those of `adjust`, and the unknown feature, customer, entity. */
export function updateBalance(
  { engine, env, keys }: Context,
  subject: Subject,
  target: Target,
  change: Adjustment,
): Promise<Reply<Success>> {
  return engine.submit({
    env,
    keys,
    customerId: subject.customerId,
    decide(situation) {
      const feature = situation.catalogue.byId.get(subject.featureId)
      if (feature === undefined) return featureNotFound(subject.featureId)
      if (subject.entityId !== undefined) return entityNotFound(subject.entityId)
      return deciding(
        subject.customerId,
        () => 'balances.update',
        ({ holdings, catalogue, journal }) => {
          const after = adjust(holdings, feature, target, change, catalogue, journal)
          return isRefusal(after) ? after : { holdings: after, answer: SUCCESS }
        },
      )(situation)
    },
  })
}

/** Deletes balances. `featureId` may be left out when a balance is named. Refusals as for updates. */
export function deleteBalance(
  { engine, env, keys }: Context,
  subject: Omit<Subject, 'featureId'> & { readonly featureId: string | undefined },
  target: Target,
): Promise<Reply<Success>> {
  return engine.submit({
    env,
    keys,
    customerId: subject.customerId,
    decide(situation) {
      const { featureId, entityId, customerId } = subject
      const feature = featureId === undefined ? null : situation.catalogue.byId.get(featureId)
      if (feature === undefined) return featureNotFound(featureId ?? '')
      if (entityId !== undefined) return entityNotFound(entityId)
      return deciding(
        customerId,
        () => 'balances.delete',
        ({ holdings, journal }) => {
          const after = remove(holdings, feature, target, journal)
          return isRefusal(after) ? after : { holdings: after, answer: SUCCESS }
        },
      )(situation)
    },
  })
}

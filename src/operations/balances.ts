import { type Adjustment, adjust, setTotal } from '../domain/adjust.ts'
import type { Amount } from '../domain/amount.ts'
import type { Balance } from '../domain/balance.ts'
import type { Entity } from '../domain/entity.ts'
import type { Feature } from '../domain/feature.ts'
import { type GrantRequest, grant } from '../domain/grant.ts'
import { allBalances, entitiesOf, type Holdings } from '../domain/holdings.ts'
import { type Redistribution, redistribute, settleRedistribution } from '../domain/redistribution.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import { remove, removeKeepingUse } from '../domain/removal.ts'
import { type BreakdownLine, breakdownLine } from '../domain/summary.ts'
import type { Target } from '../domain/target.ts'
import type { Reply, Situation } from '../engine/command.ts'
import { ensureCustomer } from './customers.ts'
import {
  asOf,
  type Bench,
  type Context,
  deciding,
  entityIn,
  featureNotFound,
  featureOf,
  type NewcomerTerms,
  nobody,
  SUCCESS,
  type Subject,
  type SubjectFeature,
  type Success,
  unlessRepeated,
} from './decide.ts'

/** Opens a balance. Refusals: those of `grant`, and `feature_not_found`, `customer_not_found`, `entity_not_found` (B69). */
export function createBalance(
  context: Context,
  subject: SubjectFeature,
  request: GrantRequest,
): Promise<Reply<Success>> {
  return change(context, 'balances.create', subject, {
    of: ({ catalogue }) => featureOf(subject, catalogue),
    rule: (feature: Feature, { holdings, entity, moment, journal }) =>
      grant(holdings, entity, feature, request, moment, journal),
  })
}

/** Changes balances by hand. Refusals: those of `adjust`, and the unknown feature, customer, entity. */
export function updateBalance(
  context: Context,
  subject: SubjectFeature,
  target: Target,
  adjustment: Adjustment,
): Promise<Reply<Success>> {
  return change(context, 'balances.update', subject, {
    of: ({ catalogue }) => featureOf(subject, catalogue),
    rule: (feature: Feature, { holdings, entity, catalogue, journal }) =>
      adjust(holdings, entity?.uid ?? null, feature, target, adjustment, catalogue, journal),
  })
}

/**
 * Deletes balances. `featureId` may be left out when a balance is named.
 * @param keepingUse whether what was used of them is charged to what is left (B133); needs a feature.
 * Refusals as for updates, and `invalid_request` (B128).
 */
export function deleteBalance(
  context: Context,
  subject: Subject,
  featureId: string | undefined,
  target: Target,
  keepingUse: boolean,
): Promise<Reply<Success>> {
  return change(context, 'balances.delete', subject, {
    of({ catalogue }) {
      if (featureId !== undefined) return catalogue.byId.get(featureId) ?? featureNotFound(featureId)
      if (!keepingUse) return null
      return refuse('invalid_request', 'recalculate_balances needs feature_id: whose use is to be kept?')
    },
    rule(feature: Feature | null, { holdings, entity, journal }) {
      const owner = entity?.uid ?? null
      return keepingUse && feature !== null
        ? removeKeepingUse(holdings, owner, feature, target, journal)
        : remove(holdings, owner, feature, target, journal)
    },
  })
}

/** Sets debts off against what is left elsewhere. Refusals: those of `redistribute`, and the unknown ones. Source: B136-B141. */
export function recalculateBalance(context: Context, subject: SubjectFeature, target: Target): Promise<Reply<Success>> {
  return change(context, 'balances.recalculate', subject, {
    of: ({ catalogue }) => featureOf(subject, catalogue),
    rule(feature: Feature, { holdings, entity, journal }) {
      const found = redistribute(holdings, entity?.uid ?? null, feature, target)
      return isRefusal(found) ? found : settleRedistribution(holdings, found, journal)
    },
  })
}

/** What `recalculateBalance` would do; nothing is written (B140). */
export function previewRecalculation(
  { engine, env }: Context,
  subject: SubjectFeature,
  target: Target,
): readonly Redistribution[] | Refusal | Promise<readonly Redistribution[] | Refusal> {
  return engine.read(env, subject.customerId, (holdings, { now }, catalogue) => {
    const feature = featureOf(subject, catalogue)
    if (isRefusal(feature)) return feature
    if (holdings === null) return nobody(subject)
    const entity = entityIn(holdings, subject)
    if (isRefusal(entity)) return entity
    return redistribute(asOf(holdings, now, catalogue), entity?.uid ?? null, feature, target)
  })
}

/** Sets totals, moving the grants with them. All are set or none. Source: B125. */
export function setBalances(
  context: Context,
  subject: Subject,
  totals: readonly { readonly featureId: string; readonly total: Amount }[],
): Promise<Reply<Success>> {
  return change(context, 'customers.set_balances', subject, {
    of({ catalogue }) {
      const unknown = totals.find(({ featureId }) => !catalogue.byId.has(featureId))
      return unknown === undefined ? null : featureNotFound(unknown.featureId)
    },
    rule(_: null, { holdings, entity, catalogue, journal }) {
      let current = holdings
      for (const { featureId, total } of totals) {
        const feature = featureOf({ ...subject, featureId }, catalogue)
        if (isRefusal(feature)) return feature
        const after = setTotal(current, entity?.uid ?? null, feature, total, journal)
        if (isRefusal(after)) return after
        current = after
      }
      return current
    },
  })
}

/** Sets what was used, and creates the customer if there is none. Refusals: those of `adjust`. Source: B126, R115. */
export async function setUsage(
  context: Context,
  subject: SubjectFeature,
  usage: Amount,
  terms: NewcomerTerms,
): Promise<Reply<Success>> {
  const feature = await context.engine.readCatalogue(context.env, (catalogue) => featureOf(subject, catalogue))
  if (isRefusal(feature)) return unlessRepeated(context, subject, feature)
  // A customer that is created here has no entities, so naming one would only leave an empty customer behind.
  if (subject.entityId === undefined) {
    const problem = await ensureCustomer(context, { customerId: subject.customerId }, terms, undefined)
    if (problem !== null) return { outcome: problem, replayed: false }
  }
  return change(context, 'usage.set', subject, {
    of: ({ catalogue }) => featureOf(subject, catalogue),
    rule: (found: Feature, { holdings, entity, catalogue, journal }) =>
      adjust(holdings, entity?.uid ?? null, found, {}, { usage }, catalogue, journal),
  })
}

/** One balance as `balances.list` shows it: drained ones too. */
export interface ListedBalance {
  readonly balance: Balance
  readonly featureId: string
  /** The entity that it belongs to, or null. */
  readonly entity: Entity | null
  readonly line: BreakdownLine
}

/** Every balance of a customer and its entities, or of one entity alone, in order of creation. Source: B142 (REC). */
export function listBalances(
  { engine, env }: Context,
  subject: Subject,
  featureId: string | undefined,
): readonly ListedBalance[] | Refusal | Promise<readonly ListedBalance[] | Refusal> {
  return engine.read(env, subject.customerId, (stored, { now }, catalogue) => {
    const wanted = featureId === undefined ? null : (catalogue.byId.get(featureId) ?? featureNotFound(featureId))
    if (isRefusal(wanted)) return wanted
    if (stored === null) return nobody(subject)
    const only = entityIn(stored, subject)
    if (isRefusal(only)) return only
    const holdings = asOf(stored, now, catalogue)
    const entities = new Map(entitiesOf(holdings).map((entity) => [entity.uid, entity]))
    return [...allBalances(holdings)]
      .filter((balance) => wanted === null || balance.feature === wanted.uid)
      .filter((balance) => only === null || balance.entity === only.uid)
      .sort((a, b) => a.createdAt - b.createdAt || (a.uid < b.uid ? -1 : 1))
      .flatMap((balance) => {
        const feature = catalogue.byUid.get(balance.feature)
        if (feature === undefined) return []
        const entity = balance.entity === null ? null : (entities.get(balance.entity) ?? null)
        return [{ balance, featureId: feature.id, entity, line: breakdownLine(feature, balance) }]
      })
  })
}

/** A change of balances by name: what it is about is looked up first, then the rule makes new holdings or refuses. */
function change<F extends Feature | null>(
  { engine, env, keys }: Context,
  operation: string,
  subject: Subject,
  { of, rule }: { of(situation: Situation): F | Refusal; rule(feature: F, bench: Bench): Holdings | Refusal },
): Promise<Reply<Success>> {
  return engine.submit({
    env,
    keys,
    customerId: subject.customerId,
    decide(situation) {
      const feature = of(situation)
      if (isRefusal(feature)) return feature
      const act = (bench: Bench) => {
        const after = rule(feature, bench)
        return isRefusal(after) ? after : { holdings: after, answer: SUCCESS }
      }
      return deciding(subject, operation, act)(situation)
    },
  })
}

import type { Environment } from '../domain/customer.ts'
import { definePlan, type NewPlan } from '../domain/define-plan.ts'
import { eligibilityFor } from '../domain/eligibility.ts'
import type { Catalogue, Feature } from '../domain/feature.ts'
import { findPlan } from '../domain/find-plan.ts'
import type { Plan, PlanTerms } from '../domain/plan.ts'
import type { PlanView } from '../domain/plan-view.ts'
import { type PlanChange, type PlanRevisions, redefinePlan } from '../domain/redefine-plan.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { CatalogueOutcome } from '../engine/catalogues.ts'
import type { Reply } from '../engine/command.ts'
import { asOf, type Context, entityIn, SUCCESS, type Subject, type Success } from './decide.ts'

/** Defines a plan. Refusals: those of `definePlan`. */
export function createPlan({ engine, env, keys }: Context, input: NewPlan): Promise<Reply<PlanView>> {
  return engine.submitToCatalogue({
    env,
    keys,
    decide(catalogue, moment) {
      const plan = definePlan(input, catalogue, moment)
      if (isRefusal(plan)) return plan
      return { plansWritten: [plan], answer: (next) => planView(plan, next, env) }
    },
  })
}

/** Changes a plan. Refusals: those of `redefinePlan`. Source: C53-C62. */
export function updatePlan({ engine, env, keys }: Context, id: string, change: PlanChange): Promise<Reply<PlanView>> {
  return engine.submitToCatalogue({
    env,
    keys,
    decide: (catalogue, moment) => written(redefinePlan(id, change, catalogue, moment), env),
  })
}

function written(revisions: PlanRevisions | Refusal, env: Environment): CatalogueOutcome<PlanView> | Refusal {
  if (isRefusal(revisions)) return revisions
  const { shown, unless } = revisions
  const outcome: CatalogueOutcome<PlanView> = {
    plansWritten: revisions.written,
    answer(next) {
      const plan = next.planByUid.get(shown)
      if (plan === undefined) throw new Error('a plan that was written is in the catalogue')
      return planView(plan, next, env)
    },
  }
  if (unless === null) return outcome
  const { plans, ever, otherwise } = unless
  const whenUsed = typeof otherwise === 'function' ? () => written(otherwise(), env) : otherwise
  return { ...outcome, unless: { use: { kind: 'plan', plans, ever }, whenUsed } }
}

/**
 * Removes the newest version of a plan, or all of it. Refusals: `product_not_found`, `invalid_request` where anybody ever had
 * what is to go, for that is part of their history (C67).
 */
export function deletePlan(
  { engine, env, keys }: Context,
  id: string,
  versions: 'newest' | 'all',
): Promise<Reply<Success>> {
  return engine.submitToCatalogue({
    env,
    keys,
    decide(catalogue) {
      const newest = findPlan(id, null, catalogue)
      if (isRefusal(newest)) return newest
      const removed = catalogue.plans.filter(
        (plan) => plan.id === id && (versions === 'all' || plan.version === newest.version),
      )
      const message = `Plan ${id} cannot be deleted, because customers have it or had it. Archive it with plans.update instead`
      return {
        plansRemoved: removed,
        unless: {
          use: { kind: 'plan', plans: removed.map(({ uid }) => uid), ever: true },
          whenUsed: refuse('invalid_request', message),
        },
        answer: () => SUCCESS,
      }
    },
  })
}

/** Refusal: `product_not_found` (C64). @param version null for the newest. */
export function getPlan(
  { engine, env }: Context,
  id: string,
  version: number | null,
): PlanView | Refusal | Promise<PlanView | Refusal> {
  return engine.readCatalogue(env, (catalogue) => {
    const plan = findPlan(id, version, catalogue)
    return isRefusal(plan) ? plan : planView(plan, catalogue, env)
  })
}

/** Which plans are listed, and for whom it is to be said what they may do with them. */
export interface PlanListRequest {
  readonly archived: boolean
  readonly versions: 'newest' | 'all'
  readonly subject: Subject | null
}

/**
 * In the order of their first revisions; the newest versions of what is not archived, unless more is asked for. Of a
 * subject that nobody knows nothing is said. Source: C65, C80-C83.
 */
export function listPlans(
  { engine, env }: Context,
  { subject, ...which }: PlanListRequest,
): readonly PlanView[] | Promise<readonly PlanView[]> {
  if (subject === null)
    return engine.readCatalogue(env, (catalogue) =>
      listed(catalogue, which).map((plan) => planView(plan, catalogue, env)),
    )
  return engine.read(env, subject.customerId, (found, { now }, catalogue) => {
    const entity = found === null ? null : entityIn(found, subject)
    const holdings = found === null || isRefusal(entity) ? null : asOf(found, now, catalogue)
    const whose = isRefusal(entity) ? null : (entity?.uid ?? null)
    return listed(catalogue, which).map((plan) => ({
      ...planView(plan, catalogue, env),
      eligibility: holdings === null ? null : eligibilityFor(holdings, whose, plan, catalogue, now),
    }))
  })
}

function listed(
  { plans, versionsById }: Catalogue,
  { archived, versions }: Pick<PlanListRequest, 'archived' | 'versions'>,
): readonly Plan[] {
  return [...new Set(plans.map(({ id }) => id))]
    .flatMap((id) => versionsById.get(id)?.slice(versions === 'all' ? 0 : -1) ?? [])
    .filter((plan) => archived || !plan.archived)
}

/** @param plan with the terms that are to be shown. */
export function planView(plan: Plan, catalogue: Catalogue, env: Environment): PlanView {
  return { plan, env, features: featuresIn(plan.terms, catalogue), memberIds: catalogue.memberIds, eligibility: null }
}

/** What has to be known of features to show those terms, by internal id. */
function featuresIn({ items }: PlanTerms, { byUid }: Catalogue): Readonly<Record<string, Feature>> {
  const features: Record<string, Feature> = {}
  for (const { feature: uid, entityFeature } of items) {
    for (const feature of [byUid.get(uid), byUid.get(entityFeature ?? '')]) {
      if (feature !== undefined) features[feature.uid] = feature
    }
  }
  return features
}

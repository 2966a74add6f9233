import type { Environment } from '../domain/customer.ts'
import { definePlan, type NewPlan } from '../domain/define-plan.ts'
import type { Catalogue, Feature, MemberIds } from '../domain/feature.ts'
import { findPlan } from '../domain/find-plan.ts'
import type { Plan } from '../domain/plan.ts'
import { type PlanChange, type PlanRevisions, redefinePlan } from '../domain/redefine-plan.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { CatalogueOutcome } from '../engine/catalogues.ts'
import type { Reply } from '../engine/command.ts'
import { type Context, SUCCESS, type Success } from './decide.ts'

/** A plan, and what else has to be known to show it. */
export interface PlanView {
  readonly plan: Plan
  readonly env: Environment
  /** Those of its items, by internal id. */
  readonly features: Readonly<Record<string, Feature>>
  readonly memberIds: MemberIds
}

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

/** In the order of their first revisions; the newest versions of what is not archived, unless more is asked for (C65). */
export function listPlans(
  { engine, env }: Context,
  { archived, versions }: { readonly archived: boolean; readonly versions: 'newest' | 'all' },
): readonly PlanView[] | Promise<readonly PlanView[]> {
  return engine.readCatalogue(env, (catalogue) =>
    [...new Set(catalogue.plans.map(({ id }) => id))]
      .flatMap((id) => catalogue.versionsById.get(id)?.slice(versions === 'all' ? 0 : -1) ?? [])
      .filter((plan) => archived || !plan.archived)
      .map((plan) => planView(plan, catalogue, env)),
  )
}

/** @param plan with the terms that are to be shown. */
export function planView(plan: Plan, { byUid, memberIds }: Catalogue, env: Environment): PlanView {
  const features: Record<string, Feature> = {}
  for (const { feature: uid, entityFeature } of plan.terms.items) {
    for (const feature of [byUid.get(uid), byUid.get(entityFeature ?? '')]) {
      if (feature !== undefined) features[feature.uid] = feature
    }
  }
  return { plan, env, features, memberIds }
}

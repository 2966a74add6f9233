import {
  type Catalogue,
  type Feature,
  type FeatureTypeAsWritten,
  type MemberIds,
  resolveType,
} from '../domain/feature.ts'
import { lastReference, type Redefinition, redefine, type Unused } from '../domain/redefine.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Reply } from '../engine/command.ts'
import { type Context, featureNotFound, SUCCESS, type Success } from './decide.ts'

export interface FeatureView {
  readonly feature: Feature
  readonly memberIds: MemberIds
}

export interface NewFeature {
  readonly id: string
  readonly name: string
  readonly type: FeatureTypeAsWritten
  readonly eventNames: readonly string[]
  readonly display: Feature['display']
}

/** Defines a feature. Refusals: `duplicate_feature_id`, `invalid_feature`, `feature_not_found` (a credit system's member). Source: B230. */
export function createFeature({ engine, env, keys }: Context, input: NewFeature): Promise<Reply<FeatureView>> {
  return engine.submitToCatalogue({
    env,
    keys,
    decide(catalogue, { now, newId }) {
      if (catalogue.byId.has(input.id)) return refuse('duplicate_feature_id', `Feature ${input.id} already exists`)
      const type = resolveType(input.type, catalogue)
      if (isRefusal(type)) return type
      const { id, name, eventNames, display } = input
      const uid = newId('feat')
      const written: Feature = { uid, id, name, type, eventNames, display, archived: false, createdAt: now }
      return { written, answer: (next) => viewOf(written, next) }
    },
  })
}

/** Changes a feature. Refusals: `feature_not_found`, and those of `redefine`; `invalid_feature` while somebody has it. Source: B234. */
export function updateFeature(
  { engine, env, keys }: Context,
  id: string,
  change: Redefinition,
): Promise<Reply<FeatureView>> {
  return engine.submitToCatalogue({
    env,
    keys,
    decide(catalogue) {
      const feature = catalogue.byId.get(id)
      if (feature === undefined) return featureNotFound(id)
      const redefined = redefine(feature, change, catalogue)
      if (isRefusal(redefined)) return redefined
      const { feature: written, unused } = redefined
      const whenUsed = refuse(
        'invalid_feature',
        `Feature ${id} is in use: its type and its id can change only while no customer has a balance or an entity of it`,
      )
      return { written, ...unlessUsed(feature, unused, whenUsed), answer: (next) => viewOf(written, next) }
    },
  })
}

/** Removes a feature that nobody has. Refusals: `feature_not_found`, `feature_in_use`. Source: B236. */
export function deleteFeature({ engine, env, keys }: Context, id: string): Promise<Reply<Success>> {
  return engine.submitToCatalogue({
    env,
    keys,
    decide(catalogue) {
      const feature = catalogue.byId.get(id)
      if (feature === undefined) return featureNotFound(id)
      const problem = lastReference(feature, catalogue)
      if (problem !== null) return problem
      const whenUsed = refuse(
        'feature_in_use',
        `Feature ${id} is in use: customers have balances or entities of it. Archive it with features.update instead`,
      )
      const unless = unlessUsed(feature, { balances: true, entities: true }, whenUsed)
      return { removed: feature, ...unless, answer: () => SUCCESS }
    },
  })
}

export function getFeature(
  { engine, env }: Context,
  id: string,
): FeatureView | Refusal | Promise<FeatureView | Refusal> {
  return engine.readCatalogue(env, (catalogue) => {
    const feature = catalogue.byId.get(id)
    return feature === undefined ? featureNotFound(id) : viewOf(feature, catalogue)
  })
}

/** All features in order of creation, archived ones last (B233). */
export function listFeatures({ engine, env }: Context): readonly FeatureView[] | Promise<readonly FeatureView[]> {
  return engine.readCatalogue(env, (catalogue) =>
    catalogue.features
      .toSorted((a, b) => Number(a.archived) - Number(b.archived))
      .map((feature) => viewOf(feature, catalogue)),
  )
}

function unlessUsed({ uid }: Feature, { balances, entities }: Unused, whenUsed: Refusal) {
  return balances || entities
    ? { unless: { use: { kind: 'feature', feature: uid, balances, entities }, whenUsed } as const }
    : {}
}

function viewOf(feature: Feature, { memberIds }: Catalogue): FeatureView {
  return { feature, memberIds: feature.type.kind === 'credit_system' ? memberIds : {} }
}

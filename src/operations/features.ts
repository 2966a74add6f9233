import { type Feature, type FeatureTypeAsWritten, resolveType } from '../domain/feature.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Reply } from '../engine/command.ts'
import { type Context, featureNotFound } from './decide.ts'

export interface FeatureView {
  readonly feature: Feature
  /** The caller's ids of a credit system's members, by internal id. */
  readonly memberIds: Readonly<Record<string, string>>
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
  return engine.submitFeature({
    env,
    keys,
    decide(catalogue, { now, newId }) {
      if (catalogue.byId.has(input.id)) return refuse('duplicate_feature_id', `Feature ${input.id} already exists`)
      const type = resolveType(input.type, catalogue)
      if (isRefusal(type)) return type
      const { id, name, eventNames, display } = input
      const feature: Feature = {
        uid: newId('feat'),
        id,
        name,
        type,
        eventNames,
        display,
        archived: false,
        createdAt: now,
      }
      return { feature, answer: (next) => viewOf(feature, next.byUid) }
    },
  })
}

export function getFeature({ engine, env }: Context, id: string): FeatureView | Refusal {
  const catalogue = engine.catalogue(env)
  const feature = catalogue.byId.get(id)
  return feature === undefined ? featureNotFound(id) : viewOf(feature, catalogue.byUid)
}

/** All features in order of creation, archived ones last (B233). */
export function listFeatures({ engine, env }: Context): FeatureView[] {
  const { features, byUid } = engine.catalogue(env)
  return features.toSorted((a, b) => Number(a.archived) - Number(b.archived)).map((feature) => viewOf(feature, byUid))
}

export function viewOf(feature: Feature, byUid: ReadonlyMap<string, Feature>): FeatureView {
  const memberIds: Record<string, string> = {}
  if (feature.type.kind === 'credit_system') {
    for (const { feature: uid } of feature.type.costs) memberIds[uid] = byUid.get(uid)?.id ?? uid
  }
  return { feature, memberIds }
}

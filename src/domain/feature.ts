import type { Plan } from './plan.ts'
import type { Tariff } from './price.ts'
import { type Refusal, refuse } from './refusal.ts'
import type { Instant } from './time.ts'
import type { Markups } from './tokens.ts'

/** Something a subject may use. */
export interface Feature {
  /** Internal, never reused: `feat_…`. Balances and credit systems refer to it, so that a feature can be renamed. */
  readonly uid: string
  /** The caller's id, unique in its environment. */
  readonly id: string
  readonly name: string
  readonly type: FeatureType
  /** Names under which `track` may report use of this feature; one name may feed several features. */
  readonly eventNames: readonly string[]
  readonly display: { readonly singular: string | null; readonly plural: string | null } | null
  readonly archived: boolean
  readonly createdAt: Instant
}

export type FeatureType =
  | { readonly kind: 'boolean' }
  /** Consumable use is spent and may reset; use that is not consumable (seats) is held and given back. */
  | { readonly kind: 'metered'; readonly consumable: boolean }
  | { readonly kind: 'credit_system'; readonly costs: readonly CreditCost[] }
  /** Its balances are US dollars, which pay for the tokens of models. */
  | { readonly kind: 'ai_credit_system'; readonly markups: Markups }

/** What a member feature costs in credits. */
export interface CreditCost {
  /** The member feature's internal id. */
  readonly feature: string
  readonly tariff: Tariff
}

/** A credit system that pays for some feature, and at what price. */
export interface Payer {
  readonly system: Feature
  readonly tariff: Tariff
}

/** All features and plans of one environment, indexed for the hot path. Immutable; a change makes a new one with the next version. */
export interface Catalogue {
  readonly version: number
  /** How far the environment's clock was moved ahead, in milliseconds; always zero for live data. */
  readonly clockAhead: number
  /** In order of creation. */
  readonly features: readonly Feature[]
  readonly byId: ReadonlyMap<string, Feature>
  readonly byUid: ReadonlyMap<string, Feature>
  readonly payersOf: ReadonlyMap<string, readonly Payer[]>
  readonly byEventName: ReadonlyMap<string, readonly Feature[]>
  readonly memberIds: MemberIds
  /** Every revision, in order of creation. */
  readonly plans: readonly Plan[]
  readonly planByUid: ReadonlyMap<string, Plan>
  /** What each version is now, by the caller's id, the newest last. */
  readonly versionsById: ReadonlyMap<string, readonly Plan[]>
}

/** The callers' ids of the members of all credit systems, by internal id; what shows a credit system shows them. */
export type MemberIds = Readonly<Record<string, string>>

export function catalogueOf(
  version: number,
  features: readonly Feature[],
  clockAhead = 0,
  plans: readonly Plan[] = [],
): Catalogue {
  const payersOf = new Map<string, Payer[]>()
  const byEventName = new Map<string, Feature[]>()
  for (const feature of features) {
    for (const name of feature.eventNames) append(byEventName, name, feature)
    if (feature.type.kind !== 'credit_system') continue
    for (const { feature: member, tariff } of feature.type.costs) append(payersOf, member, { system: feature, tariff })
  }
  return {
    version,
    clockAhead,
    features,
    byId: new Map(features.map((feature) => [feature.id, feature])),
    byUid: new Map(features.map((feature) => [feature.uid, feature])),
    payersOf,
    byEventName,
    memberIds: Object.fromEntries(features.filter(({ uid }) => payersOf.has(uid)).map(({ uid, id }) => [uid, id])),
    plans,
    planByUid: new Map(plans.map((plan) => [plan.uid, plan])),
    versionsById: Map.groupBy(
      plans.filter(({ retired }) => !retired).sort((a, b) => a.version - b.version),
      ({ id }) => id,
    ),
  }
}

/** A credit system as its author writes it: members by the caller's id. */
export type FeatureTypeAsWritten =
  | Exclude<FeatureType, { kind: 'credit_system' }>
  | { readonly kind: 'credit_system'; readonly costs: readonly CostAsWritten[] }

export interface CostAsWritten {
  readonly featureId: string
  readonly tariff: Tariff
}

/**
 * Resolves the members of a credit system. @returns the type, or the reason why it cannot be one:
 * `feature_not_found` for an unknown member, `invalid_feature` for a member that cannot be paid with credits. Source: B230.
 */
export function resolveType(written: FeatureTypeAsWritten, catalogue: Catalogue): FeatureType | Refusal {
  if (written.kind !== 'credit_system') return written
  if (written.costs.length === 0) {
    return refuse('invalid_feature', 'credit_schema must name at least one metered feature that the credits pay for')
  }
  const costs: CreditCost[] = []
  for (const { featureId, tariff } of written.costs) {
    const member = catalogue.byId.get(featureId)
    if (member === undefined) return refuse('feature_not_found', `Feature ${featureId} not found`)
    if (member.type.kind === 'credit_system' || !isConsumable(member)) {
      return refuse(
        'invalid_feature',
        `credit_schema can only hold consumable metered features and AI credit systems, ${featureId} is neither`,
      )
    }
    if (costs.some((other) => other.feature === member.uid)) {
      return refuse('invalid_feature', `credit_schema names ${featureId} twice`)
    }
    costs.push({ feature: member.uid, tariff })
  }
  return { kind: 'credit_system', costs }
}

/** Whether use of the feature is spent. False for seats and flags, which never reset. */
export function isConsumable(feature: Feature): boolean {
  const { type } = feature
  return type.kind === 'metered' ? type.consumable : type.kind !== 'boolean'
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

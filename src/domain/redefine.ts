import { type Catalogue, type CostAsWritten, type Feature, type FeatureType, resolveType } from './feature.ts'
import type { Plan } from './plan.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { areNone, type Markups } from './tokens.ts'

/** What `features.update` asks for. Undefined is "leave it". */
export interface Redefinition {
  readonly newId?: string | undefined
  readonly name?: string | undefined
  readonly kind?: FeatureType['kind'] | undefined
  readonly consumable?: boolean | undefined
  readonly costs?: readonly CostAsWritten[] | undefined
  readonly markups?: Partial<Markups> | undefined
  readonly eventNames?: readonly string[] | undefined
  readonly display?: Feature['display'] | undefined
  readonly archived?: boolean | undefined
}

/** What must not exist for a change to be carried out: nobody may hold a balance of it, nobody may be an entity of it. */
export interface Unused {
  readonly balances: boolean
  readonly entities: boolean
}

/**
 * The feature as it would be. Balances refer to it by its internal id, so a new name or price holds for all that is granted.
 * @returns the feature and what the store must see to, or `invalid_request`, `invalid_inputs`, `invalid_feature`,
 * `duplicate_feature_id`, `feature_not_found` (a member of a credit system). Source: B234.
 */
export function redefine(
  feature: Feature,
  change: Redefinition,
  catalogue: Catalogue,
): { readonly feature: Feature; readonly unused: Unused } | Refusal {
  const { newId = feature.id } = change
  if (newId !== feature.id && catalogue.byId.has(newId)) {
    return refuse('duplicate_feature_id', `Feature ${newId} already exists`)
  }
  const type = typeAfter(feature, change, catalogue)
  if (isRefusal(type)) return type
  const changesKind = !sameKind(type, feature.type)
  if (changesKind && catalogue.payersOf.has(feature.uid)) {
    return refuse('invalid_feature', `${feature.id} is paid for by a credit system: its type cannot change`)
  }
  const plan = changesKind ? planWith(feature, catalogue) : undefined
  if (plan !== undefined)
    return refuse('invalid_feature', `${feature.id} is in plan ${plan.id}: its type cannot change`)
  return {
    feature: {
      ...feature,
      id: newId,
      name: change.name ?? feature.name,
      type,
      eventNames: change.eventNames ?? feature.eventNames,
      display: change.display === undefined ? feature.display : change.display,
      archived: change.archived ?? feature.archived,
    },
    unused: { balances: changesKind || newId !== feature.id, entities: changesKind },
  }
}

function typeAfter(feature: Feature, change: Redefinition, catalogue: Catalogue): FeatureType | Refusal {
  const { type } = feature
  const kind = change.kind ?? type.kind
  if (kind !== type.kind && (isSystem(kind) || isSystem(type.kind))) {
    return refuse('invalid_request', 'type: a feature cannot become a credit system, nor a credit system anything else')
  }
  if (change.kind === 'metered' && change.consumable === undefined) {
    return refuse(
      'invalid_request',
      'consumable is needed with type metered: is what is used spent (true) or held (false)?',
    )
  }
  if (change.costs !== undefined && kind !== 'credit_system') {
    // The code that the contract has for an AI credit system with a schema is not that of others (B230).
    const code = kind === 'ai_credit_system' ? 'invalid_feature' : 'invalid_inputs'
    return refuse(code, `credit_schema: cannot be given for a ${kind} feature`)
  }
  if (!areNone(change.markups ?? {}) && kind !== 'ai_credit_system') {
    return refuse('invalid_inputs', `markups cannot be given for a ${kind} feature: only AI credit systems have them`)
  }
  if (isSystem(kind) && change.consumable === false) {
    return refuse('invalid_inputs', 'consumable: cannot be false for a credit system')
  }
  switch (kind) {
    case 'boolean':
      return change.consumable === true
        ? refuse('invalid_inputs', 'consumable: cannot be true for a boolean feature')
        : { kind }
    case 'metered':
      return { kind, consumable: change.consumable ?? (type.kind === 'metered' && type.consumable) }
    case 'credit_system':
      return change.costs === undefined ? type : resolveType({ kind, costs: change.costs }, catalogue)
    case 'ai_credit_system':
      return type.kind === kind ? { kind, markups: { ...type.markups, ...change.markups } } : type
  }
}

function isSystem(kind: FeatureType['kind']): boolean {
  return kind === 'credit_system' || kind === 'ai_credit_system'
}

function sameKind(a: FeatureType, b: FeatureType): boolean {
  return a.kind === b.kind && (a.kind !== 'metered' || b.kind !== 'metered' || a.consumable === b.consumable)
}

/** Why a feature cannot be deleted, as far as the catalogue says; balances and entities are the store's to look for (B236). */
export function lastReference(feature: Feature, catalogue: Catalogue): Refusal | null {
  const [payer] = catalogue.payersOf.get(feature.uid) ?? []
  if (payer !== undefined) {
    const { id } = payer.system
    return refuse('feature_in_use', `${feature.id} is paid for by ${id}: take it out of that credit system first`)
  }
  const plan = planWith(feature, catalogue)
  if (plan === undefined) return null
  const message = `${feature.id} is in version ${plan.version} of plan ${plan.id}: archive it with features.update instead`
  return refuse('feature_in_use', message)
}

/** A plan that refers to the feature, in whatever revision: somebody may have had it. */
function planWith({ uid }: Feature, { plans }: Catalogue): Plan | undefined {
  return plans.find(({ terms }) => terms.items.some((item) => item.feature === uid || item.entityFeature === uid))
}

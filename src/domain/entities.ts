import { beginFor } from './begin.ts'
import type { Entity } from './entity.ts'
import type { Catalogue, Feature } from './feature.ts'
import {
  attachmentsOf,
  entityOf,
  findEntity,
  type Holdings,
  ownBalances,
  withAttachment,
  withEntity,
  withoutAttachment,
  withoutEntity,
} from './holdings.ts'
import type { Journal } from './ledger.ts'
import { type Refusal, refuse } from './refusal.ts'
import { close } from './reset.ts'
import { seatEntities, standing, vacateSeats } from './seats.ts'
import type { Moment } from './time.ts'

/** What a caller says of an entity that is to be there. */
export interface EntityRequest {
  readonly id: string | null
  readonly name: string | null
  /** The caller's id of the feature that it is an instance of. */
  readonly featureId: string
}

/**
 * Adds entities; each takes a seat from the customer's own balances of its feature. All are added or none.
 * @param holdings brought up to the moment.
 * @returns the new holdings and the entities in the order asked for, or `feature_not_found`, `invalid_request` (the feature
 * is not one that is held), `entity_already_exists`, `entity_id_required` (a second one without an id),
 * `feature_limit_reached` (more than its plans' seats, those included and those that may be bought).
 * Source: B214-B219; that everything is looked at before anything is changed is the recommendation there.
 */
export function addEntities(
  holdings: Holdings,
  requests: readonly EntityRequest[],
  catalogue: Catalogue,
  moment: Moment,
  journal: Journal,
): { readonly holdings: Holdings; readonly added: readonly Entity[] } | Refusal {
  let current = holdings
  let anonymous = findEntity(holdings, null)
  const added: Entity[] = []
  for (const request of requests) {
    const feature = catalogue.byId.get(request.featureId)
    if (feature === undefined) return refuse('feature_not_found', `Feature ${request.featureId} not found`)
    const problem = unfit(feature) ?? taken(current, request)
    if (problem !== null) return problem
    const claimed = claimedBy(anonymous, request, feature)
    if (claimed !== null) anonymous = undefined
    const entity = claimed ?? {
      uid: moment.newId('ent'),
      id: request.id,
      name: request.name,
      feature: feature.uid,
      createdAt: moment.now,
    }
    current = withEntity(current, entity)
    added.push(entity)
  }
  for (const feature of new Set(added.map((entity) => entity.feature))) {
    current = seatEntities(current, feature, journal)
    // Whom a plan left standing already may stay; nobody comes to stand with them.
    if (standing(current, feature) > standing(holdings, feature)) return full(catalogue, feature)
  }
  for (const attachment of attachmentsOf(holdings)) {
    if (attachment.status !== 'active' || attachment.entity !== null) continue
    // One that was there without an id has its own already.
    const fresh = added.filter(({ uid }) => entityOf(holdings, uid) === undefined)
    for (const entity of fresh) current = beginFor(current, attachment, entity, catalogue, journal)
  }
  return { holdings: current, added }
}

/** Takes an entity away with its balances and plans, and gives its seat back. Source: B220. */
export function removeEntity(holdings: Holdings, entity: Entity, journal: Journal): Holdings {
  for (const balance of ownBalances(holdings, entity.uid)) close('void', balance, journal)
  let after = withoutEntity(holdings, entity)
  for (const one of attachmentsOf(holdings)) {
    if (one.entity !== entity.uid || one.status === 'ended') continue
    after =
      one.status === 'scheduled'
        ? withoutAttachment(after, one.uid)
        : withAttachment(after, { ...one, status: 'ended', endsAt: journal.at })
  }
  return vacateSeats(after, entity.feature, journal)
}

/** The entity that had no id so far gets the next one of its feature: it has its seat already (B217). */
function claimedBy(anonymous: Entity | undefined, { id, name }: EntityRequest, feature: Feature): Entity | null {
  if (id === null || anonymous?.feature !== feature.uid) return null
  return { ...anonymous, id, name: name ?? anonymous.name }
}

function full({ byUid }: Catalogue, feature: string): Refusal {
  return refuse(
    'feature_limit_reached',
    `No more entities of ${byUid.get(feature)?.id ?? feature} can be added: all seats that are included and may be bought are taken`,
  )
}

function unfit(feature: Feature): Refusal | null {
  if (feature.type.kind === 'metered' && !feature.type.consumable) return null
  return refuse(
    'invalid_request',
    `An entity cannot be a ${feature.id}: use a metered feature that is not consumable, such as seats`,
  )
}

function taken(holdings: Holdings, { id }: EntityRequest): Refusal | null {
  if (findEntity(holdings, id) === undefined) return null
  if (id !== null) return refuse('entity_already_exists', `Entity ${id} already exists`)
  return refuse('entity_id_required', 'Only one entity of a customer may be without an id: give this one an entity_id')
}

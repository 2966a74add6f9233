import { flagOf } from '../domain/access.ts'
import type { Customer } from '../domain/customer.ts'
import type { Entity } from '../domain/entity.ts'
import type { Catalogue, MemberIds } from '../domain/feature.ts'
import { entitiesOf, type Holdings, within } from '../domain/holdings.ts'
import { summaryFor } from '../domain/subject-summary.ts'
import type { Flag, Summary } from '../domain/summary.ts'
import type { Instant } from '../domain/time.ts'
import { nameOf } from './decide.ts'

/** What a subject holds, by feature. */
interface Held {
  readonly summaries: readonly Summary[]
  readonly flags: readonly Flag[]
  /** For showing those features. */
  readonly memberIds: MemberIds
}

/** A customer with all that it holds, as it stands at the moment of asking. */
export interface CustomerView extends Held {
  readonly customer: Customer
  /** The customer's present, where its clock or its environment's was moved; else null. */
  readonly movedTo: Instant | null
  /** How far it was moved in all, in milliseconds. */
  readonly ahead: number
  /** Null unless asked for. */
  readonly entities: readonly NamedEntity[] | null
}

/** An entity with all that it sees and may spend. */
export interface EntityView extends Held, NamedEntity {}

export interface NamedEntity {
  readonly entity: Entity
  readonly customer: Customer
  /** The customer's name in answers. */
  readonly customerId: string
  /** The caller's id of the feature that it is an instance of. */
  readonly featureId: string
}

/** @param holdings brought up to `now`. */
export function customerView(
  holdings: Holdings,
  catalogue: Catalogue,
  now: Instant,
  withEntities: boolean,
): CustomerView {
  const { customer } = holdings
  const ahead = customer.clockAhead + catalogue.clockAhead
  return {
    customer,
    movedTo: ahead > 0 ? now : null,
    ahead,
    entities: withEntities ? entitiesOf(holdings).map((entity) => named(holdings, entity, catalogue)) : null,
    ...held(holdings, null, catalogue),
  }
}

/** @param holdings brought up to date. */
export function entityView(holdings: Holdings, entity: Entity, catalogue: Catalogue): EntityView {
  return { ...named(holdings, entity, catalogue), ...held(holdings, entity.uid, catalogue) }
}

function named({ customer }: Holdings, entity: Entity, catalogue: Catalogue): NamedEntity {
  const featureId = catalogue.byUid.get(entity.feature)?.id ?? entity.feature
  return { entity, customer, customerId: nameOf(customer), featureId }
}

function held(holdings: Holdings, entity: string | null, catalogue: Catalogue): Held {
  const summaries: Summary[] = []
  const flags: Flag[] = []
  for (const feature of catalogue.features) {
    if (feature.type.kind === 'boolean') {
      const flag = flagOf(feature, within(holdings, entity, feature.uid))
      if (flag !== null) flags.push(flag)
      continue
    }
    const summary = summaryFor(holdings, entity, feature)
    if (summary !== null) summaries.push(summary)
  }
  return { summaries, flags, memberIds: catalogue.memberIds }
}

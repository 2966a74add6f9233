import { flagFor } from '../domain/access.ts'
import { type Attachment, isTrialing } from '../domain/attachment.ts'
import type { Customer } from '../domain/customer.ts'
import type { Entity } from '../domain/entity.ts'
import type { Catalogue, MemberIds } from '../domain/feature.ts'
import { planOf, termsOf } from '../domain/find-plan.ts'
import { attachmentsOf, entitiesOf, type Holdings } from '../domain/holdings.ts'
import { cycleAt } from '../domain/plan-cycle.ts'
import { isOneOff } from '../domain/plan-kind.ts'
import type { PlanView } from '../domain/plan-view.ts'
import { summaryFor } from '../domain/subject-summary.ts'
import type { Flag, Summary } from '../domain/summary.ts'
import type { Instant } from '../domain/time.ts'
import { nameOf } from './decide.ts'
import { planView } from './plans.ts'

/** A plan that a subject has or will have, as it stands at the moment. */
export interface AttachmentView {
  readonly attachment: Attachment
  /** With the terms that hold for it. */
  readonly shown: PlanView
  /** The present cycle, or null where nothing is paid again and again. */
  readonly cycle: { readonly start: Instant; readonly end: Instant } | null
  /** Whether it is a purchase rather than a subscription. */
  readonly once: boolean
  readonly trialing: boolean
}

/** What a subject holds: plans, and balances by feature. */
interface Held {
  /** In the order in which they were attached; of an entity its own before those of its customer. */
  readonly plans: readonly AttachmentView[]
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
  /** The callers' ids of the plans that the customer itself had with a trial. */
  readonly trialsUsed: readonly string[]
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
    trialsUsed: trialsIn(holdings),
    ...held(holdings, null, catalogue, now),
  }
}

/** @param holdings brought up to `now`. */
export function entityView(holdings: Holdings, entity: Entity, catalogue: Catalogue, now: Instant): EntityView {
  return { ...named(holdings, entity, catalogue), ...held(holdings, entity.uid, catalogue, now) }
}

function named({ customer }: Holdings, entity: Entity, catalogue: Catalogue): NamedEntity {
  const featureId = catalogue.byUid.get(entity.feature)?.id ?? entity.feature
  return { entity, customer, customerId: nameOf(customer), featureId }
}

function trialsIn(holdings: Holdings): string[] {
  const had = attachmentsOf(holdings).filter(({ entity, trialEndsAt }) => entity === null && trialEndsAt !== null)
  return [...new Set(had.map(({ planId }) => planId))]
}

/** What a customer has with its entities; what an entity has and inherits. */
function plansOf(holdings: Holdings, entity: string | null, catalogue: Catalogue, now: Instant): AttachmentView[] {
  const live = attachmentsOf(holdings).filter(({ status }) => status !== 'ended')
  const seen =
    entity === null
      ? live
      : [...live.filter((one) => one.entity === entity), ...live.filter((one) => one.entity === null)]
  return seen.map((attachment) => {
    const terms = termsOf(attachment, catalogue)
    return {
      attachment,
      shown: planView({ ...planOf(attachment, catalogue), terms }, catalogue, holdings.customer.env),
      cycle: attachment.status === 'active' ? cycleAt(attachment, terms, now) : null,
      once: isOneOff(terms),
      trialing: isTrialing(attachment, now),
    }
  })
}

function held(holdings: Holdings, entity: string | null, catalogue: Catalogue, now: Instant): Held {
  const summaries: Summary[] = []
  const flags: Flag[] = []
  for (const feature of catalogue.features) {
    if (feature.type.kind === 'boolean') {
      const flag = flagFor(holdings, entity, feature)
      if (flag !== null) flags.push(flag)
      continue
    }
    const summary = summaryFor(holdings, entity, feature)
    if (summary !== null) summaries.push(summary)
  }
  const plans = plansOf(holdings, entity, catalogue, now)
  return { plans, summaries, flags, memberIds: catalogue.memberIds }
}

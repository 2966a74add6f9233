import { type AttachRequest, attach } from '../domain/attach.ts'
import { customized } from '../domain/customize.ts'
import type { Entity } from '../domain/entity.ts'
import type { Catalogue } from '../domain/feature.ts'
import { findPlan } from '../domain/find-plan.ts'
import type { Holdings } from '../domain/holdings.ts'
import type { PlanTerms } from '../domain/plan.ts'
import { isMainPlan } from '../domain/plan-kind.ts'
import type { OrderOfSeveral, PlanOrder, PlanUpdate } from '../domain/plan-order.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import { type Updated, updateAttachment } from '../domain/update-attachment.ts'
import type { Reply } from '../engine/command.ts'
import { type Bench, type Context, deciding, entityIn, nameOf, type Subject } from './decide.ts'

/** What is done about money: nothing. */
export interface BillingAnswer {
  readonly customerId: string
  readonly entityId: string | undefined
}

/** Gives a subject a plan. Refusals: `product_not_found`, `customer_not_found`, `entity_not_found`, and those of `attach`. */
export function attachPlan(context: Context, subject: Subject, order: PlanOrder): Promise<Reply<BillingAnswer>> {
  return billing(context, subject, 'billing.attach', (bench) => attached(bench, bench.entity, order))
}

/**
 * Gives a subject several plans at once, all of them or none. Refusals as for `attachPlan`; a plan that is there already is
 * `invalid_request` here (C175).
 */
export function attachPlans(
  context: Context,
  subject: Subject,
  orders: readonly OrderOfSeveral[],
): Promise<Reply<BillingAnswer>> {
  return billing(context, subject, 'billing.multi_attach', (bench) => attachedAll(bench, orders))
}

/** Changes a plan that a subject has. Refusals: `customer_not_found`, `entity_not_found`, and those of `updateAttachment`. */
export function updatePlan(context: Context, subject: Subject, update: PlanUpdate): Promise<Reply<BillingAnswer>> {
  return billing(context, subject, 'billing.update', (bench) => {
    const after = updated(bench, update)
    return isRefusal(after) ? after : after.holdings
  })
}

/** What the plan would make of the holdings. Refusals as for `attachPlan`. */
export function attached(bench: Bench, entity: Entity | null, order: PlanOrder): Holdings | Refusal {
  const request = requestFor(order, entity, bench.catalogue)
  if (isRefusal(request)) return request
  return attach(bench.holdings, request, bench.catalogue, bench.moment, bench.journal)
}

/** What is asked for by the caller's ids. Refusals: `product_not_found`, those of `customized`. */
function requestFor(order: PlanOrder, entity: Entity | null, catalogue: Catalogue): AttachRequest | Refusal {
  const plan = findPlan(order.planId, order.version ?? null, catalogue)
  if (isRefusal(plan)) return plan
  const custom = order.customization === undefined ? null : customized(plan.terms, order.customization, catalogue)
  return isRefusal(custom) ? custom : { ...order, plan, custom, entity }
}

/** What the plans would make of the holdings, one after the other. */
export function attachedAll(bench: Bench, orders: readonly OrderOfSeveral[]): Holdings | Refusal {
  const { catalogue, moment, journal } = bench
  let current = bench
  const places = new Set<string>()
  for (const order of orders) {
    const entity = entityFor(current, order)
    if (isRefusal(entity)) return entity
    const request = requestFor({ ...order, schedule: 'immediate' }, entity, catalogue)
    if (isRefusal(request)) return request
    const { plan, custom } = request
    if (isMainPlan(plan, custom ?? plan.terms)) {
      const place = `${entity?.uid ?? ''} ${plan.group}`
      if (places.has(place))
        return refuse(
          'invalid_request',
          `plans: ${plan.id} is the second main plan of its group, and only one can be had`,
        )
      places.add(place)
    }
    const holdings = attach(current.holdings, request, catalogue, moment, journal)
    if (isRefusal(holdings)) {
      const { code, message } = holdings
      return code === 'plan_already_attached' ? refuse('invalid_request', message) : holdings
    }
    current = { ...current, holdings }
  }
  return current.holdings
}

/** The changed holdings, and what kind of change it was. */
export function updated(bench: Bench, update: PlanUpdate): Updated | Refusal {
  const { holdings, entity, catalogue, moment, journal } = bench
  const { customization } = update
  const customize =
    customization === undefined ? undefined : (terms: PlanTerms) => customized(terms, customization, catalogue)
  return updateAttachment(holdings, { ...update, customize, entity }, catalogue, moment, journal)
}

function entityFor(bench: Bench, { entityId }: OrderOfSeveral): Entity | null | Refusal {
  if (entityId === undefined) return bench.entity
  return entityIn(bench.holdings, { customerId: '', entityId: entityId ?? undefined })
}

function billing(
  { engine, env, keys }: Context,
  subject: Subject,
  operation: string,
  rule: (bench: Bench) => Holdings | Refusal,
): Promise<Reply<BillingAnswer>> {
  const decide = deciding(subject, operation, (bench) => {
    const holdings = rule(bench)
    if (isRefusal(holdings)) return holdings
    return { holdings, answer: { customerId: nameOf(bench.holdings.customer), entityId: subject.entityId } }
  })
  return engine.submit({ env, keys, customerId: subject.customerId, decide })
}

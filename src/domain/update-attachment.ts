import { type CarryRequest, carriedFeatures, endOfTrial, tooMany, trialEnd } from './attach.ts'
import { type Attachment, isTrialing } from './attachment.ts'
import { type CancelAction, cancel } from './cancel.ts'
import { type Carry, replace } from './carry.ts'
import { problemOfTerms } from './define-plan.ts'
import type { Entity } from './entity.ts'
import type { Catalogue } from './feature.ts'
import { findPlan, planOf, termsOf } from './find-plan.ts'
import { attachmentsOf, type Holdings, withAttachment } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { order, topUp } from './order.ts'
import type { FreeTrial, PlanTerms } from './plan.ts'
import { isFree, isOneOff, isPaidRecurring } from './plan-kind.ts'
import { type Order, quantitiesOf } from './quantities.ts'
import { sameTerms } from './redefine-plan.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import type { Instant, Moment } from './time.ts'

/** What `billing.update` asks for. Undefined is "leave it". */
export interface UpdateRequest {
  readonly subscriptionId: string | undefined
  readonly planId: string | undefined
  readonly entity: Entity | null
  readonly orders: readonly Order[]
  /** Terms of this customer alone, made of those that it has. */
  readonly customize: ((terms: PlanTerms) => PlanTerms | Refusal) | undefined
  readonly version: number | undefined
  readonly trial: FreeTrial | null | undefined
  readonly cancel: CancelAction | undefined
  readonly anchor: 'now' | Instant | undefined
  /** Whether a changed quantity is set off against debts of the feature (C162). */
  readonly recalculate: boolean
  readonly carryUsages: CarryRequest | undefined
}

export type Intent =
  | 'update_plan'
  | 'update_quantity'
  | 'cancel_immediately'
  | 'cancel_end_of_cycle'
  | 'uncancel'
  | 'none'

export interface Updated {
  readonly holdings: Holdings
  readonly intent: Intent
}

/**
 * Changes a plan that a subject has: its terms, what is ordered of it, its end. Source: C 4.8, 4.9.
 * @param holdings brought up to the moment.
 * @returns the new holdings with what was meant, or `attachment_not_found`, `product_not_found` (of the version),
 * `feature_not_found`, `invalid_product_item`, `invalid_request`. Nothing is half applied.
 */
export function updateAttachment(
  holdings: Holdings,
  request: UpdateRequest,
  catalogue: Catalogue,
  moment: Moment,
  journal: Journal,
): Updated | Refusal {
  const target = findTarget(holdings, request, catalogue)
  if (isRefusal(target)) return target
  const problem = contradiction(target, request, catalogue, moment.now)
  if (problem !== null) return problem
  const { orders } = request
  if (request.customize !== undefined || request.version !== undefined || request.trial !== undefined) {
    const after = changeTerms(holdings, target, request, catalogue, moment, journal)
    return isRefusal(after) ? after : { holdings: after, intent: 'update_plan' }
  }
  if (orders.length > 0) {
    const after = isTopUp(target, orders, catalogue)
      ? topUp(
          holdings,
          target,
          orders,
          request.cancel !== undefined || request.anchor !== undefined,
          catalogue,
          journal,
        )
      : order(holdings, target, orders, request.recalculate, catalogue, journal)
    return isRefusal(after) ? after : { holdings: after, intent: 'update_quantity' }
  }
  if (request.cancel !== undefined) {
    const after = cancel(holdings, target, request.cancel, catalogue, moment, journal)
    return isRefusal(after) ? after : { holdings: after, intent: INTENTS[request.cancel] }
  }
  if (request.anchor === undefined) return { holdings, intent: 'none' }
  const after = changeTerms(holdings, target, request, catalogue, moment, journal)
  return isRefusal(after) ? after : { holdings: after, intent: 'update_plan' }
}

const INTENTS = {
  immediately: 'cancel_immediately',
  end_of_cycle: 'cancel_end_of_cycle',
  uncancel: 'uncancel',
} as const satisfies Record<CancelAction, Intent>

/**
 * The plan that is meant: by the caller's id or the internal one, by its plan, or the most important one; of several the
 * newest. Refusal: `attachment_not_found`. Source: C156.
 */
function findTarget(
  holdings: Holdings,
  { subscriptionId, planId, entity, orders }: UpdateRequest,
  catalogue: Catalogue,
): Attachment | Refusal {
  const live = attachmentsOf(holdings).filter(({ status }) => status !== 'ended')
  const candidates = live
    .filter((one) => subscriptionId === undefined || one.id === subscriptionId || one.uid === subscriptionId)
    .filter((one) => subscriptionId !== undefined || one.entity === (entity?.uid ?? null))
    .filter((one) => planId === undefined || one.planId === planId)
    .filter((one) => orders.every(({ featureId }) => sells(one, featureId, catalogue)))
  const [best] = candidates.reverse().sort((a, b) => rank(a, catalogue) - rank(b, catalogue))
  if (best !== undefined) return best
  const which = subscriptionId ?? planId
  const what = which === undefined ? 'no plan' : `no plan ${which}`
  const sold =
    orders.length === 0 ? '' : `, which sells ${orders.map(({ featureId }) => featureId).join(', ')} in advance,`
  return refuse('attachment_not_found', `The customer has ${what}${sold} that could be updated`)
}

/** Active ones first; main plans that are paid for, other main plans, add-ons, purchases. */
function rank(attachment: Attachment, catalogue: Catalogue): number {
  const terms = termsOf(attachment, catalogue)
  const kind = isOneOff(terms) ? 3 : planOf(attachment, catalogue).addOn ? 2 : isPaidRecurring(terms) ? 0 : 1
  return kind + (attachment.status === 'active' ? 0 : 0.5)
}

function sells(attachment: Attachment, featureId: string, catalogue: Catalogue): boolean {
  const uid = catalogue.byId.get(featureId)?.uid
  return termsOf(attachment, catalogue).items.some(
    ({ feature, price }) => feature === uid && price?.method === 'prepaid',
  )
}

/** Units bought once, of a plan that is not itself paid once, are added to (C157, C163). */
function isTopUp(attachment: Attachment, orders: readonly Order[], catalogue: Catalogue): boolean {
  const terms = termsOf(attachment, catalogue)
  return (
    !isOneOff(terms) &&
    orders.some(({ featureId }) => {
      const uid = catalogue.byId.get(featureId)?.uid
      const sold = terms.items.filter(({ feature, price }) => feature === uid && price?.method === 'prepaid')
      return sold.every(({ price }) => price?.interval === 'one_off')
    })
  )
}

/** Source: C164. */
function contradiction(target: Attachment, request: UpdateRequest, catalogue: Catalogue, now: Instant): Refusal | null {
  const { anchor, trial, cancel: action, orders } = request
  if (anchor === undefined) return null
  const wrong = (why: string) => refuse('invalid_request', `billing_cycle_anchor ${why}`)
  if (trial != null) return wrong('cannot be given with a trial')
  if (action !== undefined) return wrong('cannot be given with cancel_action')
  if (orders.length > 0) return wrong('cannot be given with feature_quantities')
  if (target.status === 'scheduled') return wrong('cannot be given for a plan that begins later')
  if (isOneOff(termsOf(target, catalogue))) return wrong('cannot be given for a plan that is paid once')
  if (isTrialing(target, now) && trial === undefined)
    return wrong('cannot be given in a trial: the cycles begin when that ends')
  return anchor !== 'now' && anchor <= now ? wrong('must be in the future') : null
}

/** The same plan on other terms: another version, terms of this customer alone, another trial. Source: C158. */
function changeTerms(
  holdings: Holdings,
  target: Attachment,
  request: UpdateRequest,
  catalogue: Catalogue,
  { now, newId }: Moment,
  journal: Journal,
): Holdings | Refusal {
  const plan =
    request.version === undefined ? planOf(target, catalogue) : findPlan(target.planId, request.version, catalogue)
  if (isRefusal(plan)) return plan
  const before = termsOf(target, catalogue)
  // The trial that it is in stays its own, whatever version it is of.
  const trial = isTrialing(target, now) ? before.trial : plan.terms.trial
  const base = request.version === undefined ? before : { ...plan.terms, trial }
  const customized = request.customize?.(base) ?? base
  if (isRefusal(customized)) return customized
  const after = request.trial == null ? customized : { ...customized, trial: request.trial }
  const isSame = plan.uid === target.plan && sameTerms(after, before)
  if (isSame && request.trial === undefined && request.anchor === undefined && request.orders.length === 0)
    return refuse('invalid_request', 'The plan is on these very terms already: nothing would change')
  const problem = unchangeable(before, after) ?? problemOfTerms(after, catalogue) ?? tooMany(holdings)
  if (problem !== null) return problem
  const custom = sameTerms(after, plan.terms) ? null : after
  const quantities = quantitiesOf(custom ?? plan.terms, request.orders, target, catalogue)
  if (isRefusal(quantities)) return quantities
  // Of what has not begun it counts from the beginning.
  const from = Math.max(now, target.startsAt)
  const trialEndsAt = trialAfter(target, request.trial, from)
  const cutShort = request.trial === null && isTrialing(target, now)
  const isSet = target.canceledAt !== null || (target.endsAt !== null && target.endsAt !== target.trialEndsAt)
  const changed: Attachment = {
    ...target,
    uid: newId('cus_prod'),
    plan: plan.uid,
    version: plan.version,
    custom,
    trialEndsAt,
    endsAt: request.trial === undefined || isSet ? target.endsAt : endOfTrial(after, trialEndsAt),
    anchor: anchorAfter(target, before, after, { ...request, trialEndsAt, cutShort }, from),
    quantities,
    createdAt: now,
  }
  // What has not begun has nothing that could be carried over.
  if (target.status === 'scheduled')
    return withAttachment(holdings, { ...changed, uid: target.uid, createdAt: target.createdAt })
  const carry = carryFor(request.carryUsages, catalogue)
  return isRefusal(carry) ? carry : replace(holdings, target, changed, 'void', carry, catalogue, journal)
}

/** All use goes along, unless it is said otherwise. */
function carryFor(request: CarryRequest | undefined, catalogue: Catalogue): Carry | Refusal {
  const usages = request === undefined ? 'all' : carriedFeatures(request, catalogue)
  return isRefusal(usages) ? usages : { usages, balances: new Set(), joins: true }
}

function unchangeable(before: PlanTerms, after: PlanTerms): Refusal | null {
  if (isOneOff(before) === isOneOff(after)) return null
  return refuse(
    'invalid_request',
    'A plan that is paid once cannot become one that is paid again and again, nor the other way round',
  )
}

function trialAfter({ trialEndsAt }: Attachment, trial: FreeTrial | null | undefined, from: Instant): Instant | null {
  if (trial === undefined) return trialEndsAt
  return trial === null ? null : trialEnd(trial, from)
}

function anchorAfter(
  { anchor }: Attachment,
  before: PlanTerms,
  after: PlanTerms,
  request: Pick<UpdateRequest, 'anchor' | 'trial'> & {
    readonly trialEndsAt: Instant | null
    readonly cutShort: boolean
  },
  now: Instant,
): Instant {
  if (request.anchor !== undefined) return request.anchor === 'now' ? now : request.anchor
  if (request.trial != null && request.trialEndsAt !== null) return request.trialEndsAt
  return request.cutShort || (isFree(before) && !isFree(after)) ? now : anchor
}

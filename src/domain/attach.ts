import { type Attachment, isTrialing, type Quantity } from './attachment.ts'
import { isMain, mainsAt } from './attachments.ts'
import { begin } from './begin.ts'
import { type Carry, endAlone, type Features, NO_FEATURES, replace } from './carry.ts'
import { problemOfTerms } from './define-plan.ts'
import type { Entity } from './entity.ts'
import { type Catalogue, isConsumable } from './feature.ts'
import { termsOf } from './find-plan.ts'
import { attachmentsOf, type Holdings, withAttachment, withoutAttachment } from './holdings.ts'
import type { Journal } from './ledger.ts'
import type { FreeTrial, Plan, PlanTerms } from './plan.ts'
import { lastDay } from './plan-cycle.ts'
import { isFree, isMainPlan, isOneOff, isPaidRecurring, isUpgrade } from './plan-kind.ts'
import { type Order, quantitiesOf } from './quantities.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { type Instant, later, type Moment } from './time.ts'

/** What `billing.attach` asks for. Undefined is not given. */
export interface AttachRequest {
  readonly plan: Plan
  /** Terms of this customer alone, or null for those of the plan. */
  readonly custom: PlanTerms | null
  readonly entity: Entity | null
  readonly orders: readonly Order[]
  readonly schedule: 'immediate' | 'end_of_cycle' | undefined
  readonly startsAt: Instant | undefined
  readonly endsAt: Instant | undefined
  readonly anchor: Instant | 'now' | undefined
  readonly carryUsages: CarryRequest | undefined
  readonly carryBalances: CarryRequest | undefined
  readonly subscriptionId: string | undefined
  /** The caller's ids of plans that end with it. */
  readonly removed: readonly string[]
  /** A trial for this customer, or null for none, instead of the plan's (C76). */
  readonly trial: FreeTrial | null | undefined
  /** Whether its cycles are to be its own, and not those of what is paid already (C113). */
  readonly ownCycle: boolean | undefined
}

export interface CarryRequest {
  readonly enabled: boolean
  /** The callers' ids of the features, or undefined for all that are consumable. */
  readonly featureIds: readonly string[] | undefined
}

/** Everything that is found out before anything is changed. */
interface Scene {
  readonly terms: PlanTerms
  /** What the plan takes the place of, or null. */
  readonly current: Attachment | null
  readonly currentTerms: PlanTerms | null
  readonly scheduled: readonly Attachment[]
  readonly removed: readonly Attachment[]
  readonly upgrade: boolean
  /** When it begins, where that is not now. */
  readonly startsAt: Instant | null
  readonly trial: GivenTrial
  readonly carry: Carry
}

/** A trial with its end, or neither. */
interface GivenTrial {
  readonly terms: FreeTrial | null
  readonly endsAt: Instant | null
}
const NO_TRIAL: GivenTrial = { terms: null, endsAt: null }

const MINUTE = 60_000
const MOST_ATTACHMENTS = 10_000

/**
 * Gives a subject a plan: beside what it has, or in the place of its main plan of the group; at once, or at the end of the
 * cycle where that is a downgrade. Source: C 4.1-4.7.
 * @param holdings brought up to the moment.
 * @returns the new holdings, or `plan_already_attached`, `duplicate_subscription_id`, `product_not_found` (of a plan that is to
 * be removed), `feature_not_found`, `invalid_request`. Nothing is half applied.
 */
export function attach(
  holdings: Holdings,
  request: AttachRequest,
  catalogue: Catalogue,
  moment: Moment,
  journal: Journal,
): Holdings | Refusal {
  const scene = sceneOf(holdings, request, catalogue, moment.now)
  if (isRefusal(scene)) return scene
  const problem = contradiction(holdings, request, scene, catalogue, moment.now)
  if (problem !== null) return problem
  const { terms, current, startsAt } = scene
  const quantities = quantitiesOf(terms, request.orders, current, catalogue)
  if (isRefusal(quantities)) return quantities
  if (startsAt !== null && current !== null && quantities.some(({ item }) => isOnce(terms, item)))
    return invalid(
      'feature_quantities: what is paid once cannot be bought with a plan that begins later (attach it by itself)',
    )
  const attachment = attachmentFor(holdings, request, scene, quantities, catalogue, moment)
  const source = sourceOf(request, scene)
  let after = holdings
  for (const one of scene.removed) if (one !== source) after = endAlone(after, one, 'void', journal)
  for (const { uid } of scene.scheduled) after = withoutAttachment(after, uid)
  if (startsAt !== null) {
    if (current !== null) {
      const endsAt = Math.min(startsAt, current.endsAt ?? startsAt)
      after = withAttachment(after, { ...current, canceledAt: moment.now, endsAt })
    }
    return withAttachment(after, attachment)
  }
  if (source === null) return begin(after, attachment, catalogue, journal)
  return replace(after, source, attachment, 'void', scene.carry, catalogue, journal)
}

/** In whose place it comes at once: what it replaces, else the one that it removes, where something is to be carried over (C129). */
function sourceOf(
  { carryUsages, carryBalances }: AttachRequest,
  { current, removed, startsAt }: Scene,
): Attachment | null {
  if (startsAt !== null) return null
  const carries = carryUsages?.enabled === true || carryBalances?.enabled === true
  return current ?? (carries ? (removed[0] ?? null) : null)
}

function sceneOf(holdings: Holdings, request: AttachRequest, catalogue: Catalogue, now: Instant): Scene | Refusal {
  const { plan, entity, startsAt } = request
  const terms = request.custom ?? plan.terms
  const place = { group: plan.group, entity: entity?.uid ?? null }
  const replaces = isMainPlan(plan, terms)
  const [current = null] = replaces ? mainsAt(holdings, place, 'active', catalogue) : []
  if (current?.planId === plan.id) {
    const message = `${plan.name} is what the customer has already: change it with billing.update, which also undoes a cancellation`
    return refuse('plan_already_attached', message)
  }
  const currentTerms = current === null ? null : termsOf(current, catalogue)
  const upgrade = currentTerms === null || isUpgrade(currentTerms, terms, catalogue)
  const isLater = startsAt !== undefined && startsAt > now + MINUTE
  const waits = current !== null && (request.schedule ?? (upgrade ? 'immediate' : 'end_of_cycle')) === 'end_of_cycle'
  const end = waits && currentTerms !== null ? lastDay(current, currentTerms, now) : null
  const removed = removedBy(holdings, request)
  if (isRefusal(removed)) return removed
  const carry = carryOf(request, catalogue)
  if (isRefusal(carry)) return carry
  const scene = {
    terms,
    current,
    currentTerms,
    scheduled: replaces ? mainsAt(holdings, place, 'scheduled', catalogue) : [],
    // What it takes the place of need not be named.
    removed: removed.filter((one) => one !== current),
    upgrade,
    startsAt: isLater ? startsAt : end,
    carry,
  }
  return { ...scene, trial: trialFor(holdings, request, scene, now) }
}

/** Whatever else does not go together; the first that is found is reported, in the order of the contract. */
function contradiction(
  holdings: Holdings,
  request: AttachRequest,
  scene: Scene,
  catalogue: Catalogue,
  now: Instant,
): Refusal | null {
  const { ownCycle, subscriptionId, carryUsages, carryBalances } = request
  if (ownCycle === false && paidCycle(holdings, request.entity, catalogue) === null)
    return invalid('new_billing_subscription: there is no paid plan whose cycle the new one could share')
  const problem = wrongTrial(request, scene, catalogue) ?? wrongTimes(request, scene, now)
  if (problem !== null) return problem
  const carries = carryUsages?.enabled === true || carryBalances?.enabled === true
  if (carries && scene.startsAt !== null)
    return invalid('carry_over_usages and carry_over_balances cannot be given for a plan that begins later')
  if (carries && scene.current === null && scene.removed.length > 1)
    return invalid('remove_plan_ids: nothing can be carried over from several plans')
  if (
    subscriptionId !== undefined &&
    attachmentsOf(holdings).some(({ id, status }) => id === subscriptionId && status !== 'ended')
  )
    return refuse('duplicate_subscription_id', `subscription_id ${subscriptionId} is already used by this customer`)
  return tooMany(holdings)
}

/** Each of them is kept, and loaded with the customer. */
export function tooMany(holdings: Holdings): Refusal | null {
  if (attachmentsOf(holdings).length < MOST_ATTACHMENTS) return null
  return invalid(`A customer can have had ${MOST_ATTACHMENTS} plans at the most`)
}

/** Source: C51. */
function wrongTrial({ trial }: AttachRequest, { terms }: Scene, catalogue: Catalogue): Refusal | null {
  return trial == null ? null : problemOfTerms({ ...terms, trial }, catalogue)
}

/** Source: C117-C119. */
function wrongTimes(request: AttachRequest, { terms, current, startsAt, trial }: Scene, now: Instant): Refusal | null {
  const { startsAt: asked, endsAt, anchor, schedule } = request
  if (asked !== undefined) {
    if (schedule === 'end_of_cycle') return invalid('starts_at and plan_schedule end_of_cycle exclude each other')
    if (!isPaidRecurring(terms)) return invalid('starts_at can only be given for a plan that is paid again and again')
    if (trial.endsAt !== null) return invalid('starts_at cannot be given for a plan with a trial')
    if (asked <= now && current !== null)
      return invalid('starts_at cannot be in the past for a plan that takes the place of another')
  }
  const start = startsAt ?? asked ?? now
  if (endsAt !== undefined) {
    if (endsAt <= now) return invalid('ends_at must be in the future')
    if (endsAt <= start) return invalid('ends_at must come after the plan begins')
    if (isFree(terms)) return invalid('ends_at can only be given for a plan that is paid')
  }
  if (anchor === undefined) return null
  const wrong = (why: string) => invalid(`billing_cycle_anchor ${why}`)
  if (trial.endsAt !== null) return wrong('cannot be given for a plan with a trial: its cycles begin when that ends')
  if (isOneOff(terms)) return wrong('cannot be given for a plan that is paid once')
  if (startsAt !== null && (current !== null || anchor === 'now'))
    return wrong('cannot be given for a plan that begins later')
  if (anchor === 'now') return null
  if (anchor <= now) return wrong('must be in the future')
  if (anchor <= start) return wrong('must come after the plan begins')
  return endsAt !== undefined && anchor >= endsAt ? wrong('must come before ends_at') : null
}

function attachmentFor(
  holdings: Holdings,
  request: AttachRequest,
  scene: Scene,
  quantities: readonly Quantity[],
  catalogue: Catalogue,
  { now, newId }: Moment,
): Attachment {
  const { plan, endsAt, subscriptionId, entity } = request
  const { terms, trial, startsAt } = scene
  const start = startsAt ?? request.startsAt ?? now
  return {
    uid: newId('cus_prod'),
    id: subscriptionId ?? null,
    plan: plan.uid,
    planId: plan.id,
    version: plan.version,
    entity: entity?.uid ?? null,
    // A trial that is not the plan's is one of its terms: what becomes of the plan when it ends depends on it.
    custom: trial.terms === null || trial.terms === terms.trial ? request.custom : { ...terms, trial: trial.terms },
    status: startsAt === null ? 'active' : 'scheduled',
    startsAt: Math.min(start, startsAt ?? now),
    canceledAt: null,
    endsAt: endsAt ?? endOfTrial({ ...terms, trial: trial.terms }, trial.endsAt),
    trialEndsAt: trial.endsAt,
    anchor: anchorFor(holdings, request, scene, start, now, catalogue),
    quantities,
    createdAt: now,
  }
}

/** A trial is the end of a plan that costs nothing, and of one for which nobody has given a card (C78). @param terms with it. */
export function endOfTrial(terms: PlanTerms, trialEndsAt: Instant | null): Instant | null {
  return isFree(terms) || terms.trial?.cardRequired !== true ? trialEndsAt : null
}

/**
 * Its trial: the one made for this customer, always; else the rest of the one of the plan before, where it is no upgrade and not
 * free; else the plan's, once for each plan and subject, whichever version. Source: C75, C76.
 */
function trialFor(
  holdings: Holdings,
  { plan, entity, trial, startsAt: asked }: AttachRequest,
  { terms, current, currentTerms, upgrade, startsAt }: Omit<Scene, 'trial'>,
  now: Instant,
): GivenTrial {
  const start = startsAt ?? asked ?? now
  if (trial !== undefined) return trial === null ? NO_TRIAL : { terms: trial, endsAt: trialEnd(trial, start) }
  if (current !== null && !upgrade) {
    const inherits = startsAt === null && !isFree(terms) && isTrialing(current, now)
    return inherits ? { terms: currentTerms?.trial ?? null, endsAt: current.trialEndsAt } : NO_TRIAL
  }
  if (terms.trial === null || hadTrial(holdings, plan.id, entity?.uid ?? null)) return NO_TRIAL
  return { terms: terms.trial, endsAt: trialEnd(terms.trial, start) }
}

export function trialEnd({ length, duration }: FreeTrial, start: Instant): Instant {
  return later(start, { count: length, unit: TRIAL_UNITS[duration] })
}

const TRIAL_UNITS = { day: 'd', month: 'mo', year: 'y' } as const

export function hadTrial(holdings: Holdings, planId: string, entity: string | null): boolean {
  return attachmentsOf(holdings).some(
    (one) => one.planId === planId && one.entity === entity && one.trialEndsAt !== null,
  )
}

/** What cycles are counted from; the first that applies (C 4.5, C137, C138, C140). */
function anchorFor(
  holdings: Holdings,
  { anchor, entity, ownCycle, startsAt: asked, plan }: AttachRequest,
  { terms, current, currentTerms, startsAt, trial }: Scene,
  start: Instant,
  now: Instant,
  catalogue: Catalogue,
): Instant {
  if (startsAt !== null && current === null) return startsAt
  if (anchor !== undefined) return anchor === 'now' ? now : anchor
  if (asked !== undefined && asked <= now && current === null) return start
  if (trial.endsAt !== null) return trial.endsAt
  if (current !== null && currentTerms !== null) {
    // A trial that is cut short, and a first payment, begin a cycle of their own.
    const cutShort = startsAt === null && isTrialing(current, now)
    return cutShort || (isFree(currentTerms) && !isFree(terms)) ? now : current.anchor
  }
  const shared = plan.addOn && isPaidRecurring(terms) && ownCycle !== true
  return (shared ? paidCycle(holdings, entity, catalogue) : null) ?? now
}

/** What the cycles of the subject's paid main plan are counted from; an entity without one shares its customer's. */
function paidCycle(holdings: Holdings, entity: Entity | null, catalogue: Catalogue): Instant | null {
  const paid = attachmentsOf(holdings).filter(
    (one) => one.status === 'active' && isMain(one, catalogue) && isPaidRecurring(termsOf(one, catalogue)),
  )
  const own = paid.find((one) => one.entity === (entity?.uid ?? null))
  return (own ?? paid.find((one) => one.entity === null))?.anchor ?? null
}

/** Plans that end when the new one begins (C129). */
function removedBy(holdings: Holdings, { removed, plan, entity }: AttachRequest): readonly Attachment[] | Refusal {
  const found: Attachment[] = []
  for (const planId of new Set(removed)) {
    if (planId === plan.id) return invalid(`remove_plan_ids: ${planId} is the plan that is to be attached`)
    const one = attachmentsOf(holdings).find(
      (other) => other.planId === planId && other.status === 'active' && other.entity === (entity?.uid ?? null),
    )
    if (one === undefined) return refuse('product_not_found', `remove_plan_ids: the customer has no plan ${planId}`)
    found.push(one)
  }
  return found
}

function carryOf({ carryUsages, carryBalances }: AttachRequest, catalogue: Catalogue): Carry | Refusal {
  const usages = carriedFeatures(carryUsages, catalogue)
  if (isRefusal(usages)) return usages
  const balances = carriedFeatures(carryBalances, catalogue)
  return isRefusal(balances) ? balances : { usages, balances, joins: false }
}

/** Refusals: `feature_not_found`, `invalid_request` (not consumable). Source: C121. */
export function carriedFeatures(request: CarryRequest | undefined, catalogue: Catalogue): Features | Refusal {
  if (request?.enabled !== true) return NO_FEATURES
  if (request.featureIds === undefined) return 'all'
  const uids = new Set<string>()
  for (const featureId of request.featureIds) {
    const feature = catalogue.byId.get(featureId)
    if (feature === undefined) return refuse('feature_not_found', `Feature ${featureId} not found`)
    if (!isConsumable(feature))
      return invalid(`${featureId} cannot be carried over: only what is consumed can, and use that is held always is`)
    uids.add(feature.uid)
  }
  return uids
}

function isOnce({ items }: PlanTerms, item: number): boolean {
  return items[item]?.price?.interval === 'one_off'
}

function invalid(message: string): Refusal {
  return refuse('invalid_request', message)
}

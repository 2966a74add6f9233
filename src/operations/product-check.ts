import { type Attachment, isTrialing } from '../domain/attachment.ts'
import { mainsAt } from '../domain/attachments.ts'
import { type Due, dueFor } from '../domain/due.ts'
import { eligibilityFor } from '../domain/eligibility.ts'
import type { Entity } from '../domain/entity.ts'
import type { Catalogue } from '../domain/feature.ts'
import { findPlan, planOf } from '../domain/find-plan.ts'
import { attachmentsOf, type Holdings } from '../domain/holdings.ts'
import { Journal } from '../domain/ledger.ts'
import type { Plan } from '../domain/plan.ts'
import type { ProductCheckAnswer, ProductPreview } from '../domain/plan-view.ts'
import { isRefusal, type Refusal } from '../domain/refusal.ts'
import type { Instant, Moment } from '../domain/time.ts'
import { attached } from './billing.ts'
import { ensureCustomer } from './customers.ts'
import { asOf, type Context, entityIn, nameOf, nobody, type Subject } from './decide.ts'
import type { Newcomer } from './ensure.ts'
import { planView } from './plans.ts'

/**
 * Whether a subject has a plan. Who is missing is created first. Refusals: `product_not_found`, and those of an entity that is
 * to be created. Source: R53, R54.
 */
export async function checkProduct(
  context: Context,
  subject: Subject,
  planId: string,
  newcomer: Newcomer,
): Promise<ProductCheckAnswer | Refusal> {
  const answer = await lookFor(context, subject, planId)
  if (!isRefusal(answer) || answer.code === 'product_not_found') return answer
  const problem = await ensureCustomer(context, subject, newcomer, newcomer.entity)
  return problem ?? lookFor(context, subject, planId)
}

function lookFor({ engine, env }: Context, subject: Subject, planId: string) {
  return engine.read<ProductCheckAnswer | Refusal>(env, subject.customerId, (found, moment, catalogue) => {
    const plan = findPlan(planId, null, catalogue)
    if (isRefusal(plan)) return plan
    if (found === null) return nobody(subject)
    const entity = entityIn(found, subject)
    if (isRefusal(entity)) return entity
    const holdings = asOf(found, moment.now, catalogue)
    const had = attachmentsOf(holdings).filter(
      (one) => one.planId === planId && one.status !== 'ended' && (entity === null || one.entity === entity.uid),
    )
    const active = had.find(({ status }) => status === 'active')
    const shown = active ?? had[0]
    return {
      customerId: nameOf(holdings.customer),
      planId,
      allowed: active !== undefined,
      status: shown === undefined ? null : statusOf(shown, moment.now),
      preview: previewOf(holdings, entity, plan, catalogue, moment, env),
    }
  })
}

function statusOf(attachment: Attachment, now: Instant): ProductCheckAnswer['status'] {
  if (attachment.canceledAt !== null) return 'canceled'
  if (isTrialing(attachment, now)) return 'trialing'
  return attachment.status === 'active' ? 'active' : 'scheduled'
}

/** Of a plan that could not be attached, nothing is due. */
function previewOf(
  holdings: Holdings,
  entity: Entity | null,
  plan: Plan,
  catalogue: Catalogue,
  moment: Moment,
  env: Context['env'],
): ProductPreview {
  const whose = entity?.uid ?? null
  const journal = new Journal(moment.now, 'preview')
  const after = attached({ holdings, entity, catalogue, moment, journal }, entity, orderOf(plan.id))
  const settlement = { prorations: 'now', refund: 'prorated', nothing: false } as const
  const due = isRefusal(after) ? NOTHING_DUE : dueFor(holdings, after, settlement, catalogue, moment.now)
  const [current] = mainsAt(holdings, { group: plan.group, entity: whose }, 'active', catalogue)
  return {
    view: {
      ...planView(plan, catalogue, env),
      eligibility: eligibilityFor(holdings, whose, plan, catalogue, moment.now),
    },
    due: { now: due.now, next: due.next },
    currentName: current === undefined ? null : planOf(current, catalogue).name,
  }
}

const NOTHING_DUE: Pick<Due, 'now' | 'next'> = { now: [], next: null }

/** An order that asks for nothing but the plan. */
function orderOf(planId: string) {
  return {
    planId,
    version: undefined,
    customization: undefined,
    orders: [],
    schedule: undefined,
    startsAt: undefined,
    endsAt: undefined,
    anchor: undefined,
    carryUsages: undefined,
    carryBalances: undefined,
    subscriptionId: undefined,
    removed: [],
    trial: undefined,
    ownCycle: undefined,
  }
}

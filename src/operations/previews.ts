import { type Due, dueFor, type Settlement } from '../domain/due.ts'
import type { Catalogue } from '../domain/feature.ts'
import { planOf, termsOf } from '../domain/find-plan.ts'
import type { Holdings } from '../domain/holdings.ts'
import { Journal } from '../domain/ledger.ts'
import type { OrderOfSeveral, PlanOrder, PlanUpdate } from '../domain/plan-order.ts'
import type { BillingPreview, PlanView } from '../domain/plan-view.ts'
import { isRefusal, type Refusal } from '../domain/refusal.ts'
import type { Intent } from '../domain/update-attachment.ts'
import { attached, attachedAll, updated } from './billing.ts'
import { asOf, type Bench, type Context, entityIn, nameOf, nobody, type Subject } from './decide.ts'
import { planView } from './plans.ts'

type Previewed = BillingPreview | Refusal | Promise<BillingPreview | Refusal>

/** Refusals as for `attachPlan`. Source: C 4.11. */
export function previewAttach(context: Context, subject: Subject, order: PlanOrder, settlement: Settlement): Previewed {
  return preview(context, subject, settlement, (bench) => withoutIntent(attached(bench, bench.entity, order)))
}

/** Refusals as for `attachPlans`. */
export function previewAttaches(
  context: Context,
  subject: Subject,
  orders: readonly OrderOfSeveral[],
  settlement: Settlement,
): Previewed {
  return preview(context, subject, settlement, (bench) => withoutIntent(attachedAll(bench, orders)))
}

/** Refusals as for `updatePlan`. */
export function previewUpdate(
  context: Context,
  subject: Subject,
  update: PlanUpdate,
  settlement: Settlement,
): Previewed {
  return preview(context, subject, settlement, (bench) => updated(bench, update))
}

function withoutIntent(holdings: Holdings | Refusal) {
  return isRefusal(holdings) ? holdings : { holdings, intent: null }
}

/** The rule of the action on the holdings as they stand, whose result is looked at and forgotten. */
function preview(
  { engine, env }: Context,
  subject: Subject,
  settlement: Settlement,
  rule: (bench: Bench) => { readonly holdings: Holdings; readonly intent: Intent | null } | Refusal,
): Previewed {
  return engine.read(env, subject.customerId, (found, moment, catalogue) => {
    if (found === null) return nobody(subject)
    const entity = entityIn(found, subject)
    if (isRefusal(entity)) return entity
    const holdings = asOf(found, moment.now, catalogue)
    const result = rule({ holdings, entity, moment, catalogue, journal: new Journal(moment.now, 'preview') })
    if (isRefusal(result)) return result
    const due = dueFor(holdings, result.holdings, settlement, catalogue, moment.now)
    const plans = viewsOf(due, catalogue, env)
    return { ...due, customerId: nameOf(holdings.customer), plans, intent: result.intent }
  })
}

function viewsOf({ changes, now, next }: Due, catalogue: Catalogue, env: Context['env']): Map<string, PlanView> {
  const named = [...changes.incoming, ...changes.outgoing, ...now, ...(next?.lines ?? []), ...(next?.usage ?? [])]
  return new Map(
    named.map(({ attachment }) => {
      const plan = { ...planOf(attachment, catalogue), terms: termsOf(attachment, catalogue) }
      return [attachment.uid, planView(plan, catalogue, env)]
    }),
  )
}

import { expect } from 'vitest'
import type { Reply } from '../world.ts'
import { type Attached, endOfCycle, trialing } from './attached.ts'
import { nth } from './calendar.ts'
import type { Model } from './model.ts'
import { cycleOf, isNewest, isOnce, itemBody, OFFERS, type Offer, type Trial, trialBody } from './offers.ts'
import type { PlanStep } from './plan-steps.ts'
import { firstAfter, type Owner } from './rows.ts'
import { bodyOf, codeOf } from './wire.ts'

/** What is done with plans in the application and the model, side by side. */
export interface Counter {
  readonly model: Model
  owner(who: number | null): Owner
  call(operation: string, body: object): Promise<Reply>
}

const SOLD = 'images'

export async function runPlanStep(counter: Counter, one: PlanStep): Promise<void> {
  const { model } = counter
  if (one.do === 'attach') return attach(counter, one)
  if (one.do === 'attachAll') return attachAll(counter, one)
  const some = model.plans.list[one.which % Math.max(1, model.plans.list.length)]
  if (some === undefined) return
  const about = { ...bodyOf(some.owner), plan_id: some.plan.id }
  // An entity without an id cannot be named.
  if (some.owner !== null && some.owner.id === null) return
  switch (one.do) {
    case 'cancel': {
      const reply = await counter.call('billing.update', { ...about, cancel_action: one.action })
      return expectReply(reply, model.plans.cancel(meant(model, some), one.action))
    }
    case 'order': {
      const { quantity } = one
      const body = { ...about, feature_quantities: [{ feature_id: SOLD, quantity }] }
      const reply = await counter.call('billing.update', body)
      const sells = ({ terms }: Attached) =>
        terms.items.some(({ feature, price }) => feature === SOLD && price?.method === 'prepaid')
      const target = meant(model, some, sells)
      if (!sells(target)) return expectReply(reply, '404 cus_product_not_found')
      return expectReply(reply, model.plans.order(target, { feature: SOLD, quantity }))
    }
    case 'change': {
      const { items } = OFFERS[one.as] ?? some.terms
      const reply = await counter.call('billing.update', { ...about, customize: { items: items.map(itemBody) } })
      return expectReply(reply, model.plans.change(meant(model, some), [...items]))
    }
    case 'reversion': {
      const { version } = one
      const plan = OFFERS.find(({ id, version: other }) => id === some.plan.id && other === version)
      const reply = await counter.call('billing.update', { ...about, version })
      if (plan === undefined) return expectReply(reply, '404 product_not_found')
      return expectReply(reply, model.plans.reversion(meant(model, some), plan))
    }
    case 'retry': {
      const reply = await counter.call('billing.update', { ...about, ...trialOf(one.trial) })
      return expectReply(reply, model.plans.retry(meant(model, some), one.trial === 'none' ? null : one.trial))
    }
    case 'rephase': {
      const anchor = one.anchor === 'now' ? one.anchor : model.now + one.anchor
      const reply = await counter.call('billing.update', { ...about, billing_cycle_anchor: anchor })
      return expectReply(reply, model.plans.rephase(meant(model, some), anchor))
    }
  }
}

function orderOf(plan: Offer) {
  return { plan_id: plan.id, ...(isNewest(plan) ? {} : { version: plan.version }) }
}

function trialOf(trial: Trial | 'none' | null) {
  return trial === null ? {} : { free_trial: trial === 'none' ? null : trialBody(trial) }
}

/** Of several of one plan the newest that is active (C156). */
function meant({ plans }: Model, { plan, owner }: Attached, fits = (_: Attached) => true): Attached {
  const all = plans.list.filter((one) => one.plan.id === plan.id && one.owner === owner && fits(one)).toReversed()
  const some = plans.list.filter((one) => one.plan.id === plan.id && one.owner === owner)
  const best = all.find(({ status }) => status === 'active') ?? all[0] ?? some[0]
  if (best === undefined) throw new Error('one of the plan is there')
  return best
}

async function attach(counter: Counter, one: Extract<PlanStep, { do: 'attach' }>): Promise<void> {
  const { model } = counter
  const plan = OFFERS[one.plan]
  if (plan === undefined) return
  const owner = counter.owner(one.who)
  const at = (time: number | null) => (time === null ? null : model.now + time)
  const removed = one.removed === null ? null : (OFFERS[one.removed]?.id ?? null)
  const [starts, ends] = [at(one.starts), at(one.ends)]
  const anchor = one.anchor === 'now' ? one.anchor : at(one.anchor)
  const reply = await counter.call('billing.attach', {
    ...bodyOf(owner),
    ...orderOf(plan),
    ...(one.quantity === null ? {} : { feature_quantities: [{ feature_id: SOLD, quantity: one.quantity }] }),
    ...(one.schedule === null ? {} : { plan_schedule: one.schedule }),
    ...(starts === null ? {} : { starts_at: starts }),
    ...(ends === null ? {} : { ends_at: ends }),
    ...(one.usages ? { carry_over_usages: { enabled: true } } : {}),
    ...(one.balances ? { carry_over_balances: { enabled: true } } : {}),
    ...(removed === null ? {} : { remove_plan_ids: [removed] }),
    ...trialOf(one.trial),
    ...(anchor === null ? {} : { billing_cycle_anchor: anchor }),
  })
  const orders = one.quantity === null ? [] : [{ feature: SOLD, quantity: one.quantity }]
  const { schedule, usages, balances, trial } = one
  const wanted = { plan, owner, orders, schedule, starts, ends, usages, balances, removed, trial, anchor }
  expectReply(reply, model.plans.attach(wanted))
}

async function attachAll(counter: Counter, one: Extract<PlanStep, { do: 'attachAll' }>): Promise<void> {
  const { model } = counter
  const all = one.plans.flatMap(({ plan, who, quantity }) => {
    const offer = OFFERS[plan]
    const orders = quantity === null ? [] : [{ feature: SOLD, quantity }]
    return offer === undefined ? [] : [{ plan: offer, owner: counter.owner(who), orders }]
  })
  const starts = one.starts === null ? null : model.now + one.starts
  const anchor = typeof one.anchor === 'number' ? model.now + one.anchor : one.anchor
  const reply = await counter.call('billing.multi_attach', {
    ...bodyOf(null),
    plans: all.map(({ plan, owner, orders }) => ({
      ...orderOf(plan),
      ...(owner === null ? {} : { entity_id: bodyOf(owner).entity_id }),
      ...(orders.length === 0
        ? {}
        : { feature_quantities: orders.map(({ feature, quantity }) => ({ feature_id: feature, quantity })) }),
    })),
    ...(starts === null ? {} : { starts_at: starts }),
    ...trialOf(one.trial),
    ...(anchor === null ? {} : { billing_cycle_anchor: anchor }),
  })
  const { trial } = one
  const usual = { schedule: 'immediate' as const, ends: null, usages: false, balances: false, removed: null }
  expectReply(reply, model.plans.attachAll(all.map((wanted) => ({ ...wanted, ...usual, starts, trial, anchor }))))
}

function expectReply(reply: Reply, refused: string | null): void {
  expect(codeOf(reply)).toBe(refused ?? '200 undefined')
}

/** What the application shows of plans. */
export function shownPlans({ subscriptions, purchases }: Reply['body']): string[] {
  const all: Record<string, unknown>[] = [
    ...subscriptions,
    ...purchases.map((one: object) => ({ ...one, status: 'active', canceled_at: null, isPurchase: true })),
  ]
  return all
    .map((one) =>
      JSON.stringify([
        ...[one['plan_id'], one['scope'], one['status'], one['started_at'], one['canceled_at'], one['expires_at']],
        one['trial_ends_at'] ?? null,
        ...(one['isPurchase'] === true ? ['once'] : [one['current_period_start'], one['current_period_end']]),
      ]),
    )
    .toSorted()
}

/** What the model expects of that. A customer is shown what its entities have, an entity what its customer has. */
export function expectedPlans({ plans, now }: Model, owner: Owner): string[] {
  return plans.list
    .filter((one) => owner === null || one.owner === null || one.owner === owner)
    .map((one) => {
      const { plan, status, starts, canceled, ends, terms } = one
      return JSON.stringify([
        ...[plan.id, one.owner === null ? 'customer' : 'entity', status, starts, canceled, ends],
        trialing(one, now) ? one.trialEnds : null,
        ...(isOnce(terms) ? ['once'] : periodOf(one, now)),
      ])
    })
    .toSorted()
}

function periodOf(attached: Attached, now: number): (number | null)[] {
  const { terms, anchor, starts, status } = attached
  const every = cycleOf(terms)
  if (status === 'active' && trialing(attached, now)) return [starts, attached.trialEnds]
  if (every === null || status !== 'active') return [null, null]
  const start = nth(anchor, every, firstAfter(anchor, every, now).n - 1)
  return [Math.max(start, starts), endOfCycle(attached, now)]
}

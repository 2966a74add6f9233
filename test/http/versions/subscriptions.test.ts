import { expect, test } from 'vitest'
import { amount } from '../../../src/domain/amount.ts'
import { shown } from './shown.ts'

const LIVE = {
  ...{ plan_id: 'studio', auto_enable: false, add_on: false, status: 'active', past_due: false },
  ...{ canceled_at: null, expires_at: null, trial_ends_at: null, started_at: 100 },
  ...{ current_period_start: 100, current_period_end: 200, quantity: 1, scope: 'customer' },
}
const BOUGHT = {
  ...{ plan_id: 'pack', auto_enable: false, add_on: true, expires_at: null, started_at: 70 },
  ...{ quantity: 1, scope: 'customer' },
}
const HEAD = { id: 'ada', env: 'sandbox', billing_controls: {}, licenses: [], balances: {}, flags: {}, config: {} }
const of = (subscriptions: readonly object[], purchases: readonly object[] = []) => ({
  ...HEAD,
  ...({ subscriptions, purchases } as object),
})

const OLDER = (() => {
  const { auto_enable, scope: _, ...rest } = LIVE
  return { ...rest, default: auto_enable }
})()

test('K 3.5: at 2.2 and 2.1 the plan is a key of its own, null unless it was asked for', () => {
  const answer = of([{ id: 's', ...LIVE }], [BOUGHT])
  expect(shown('2.4', 'customer', answer)).toStrictEqual(answer)
  for (const version of ['2.2', '2.1'] as const) {
    expect(shown(version, 'customer', answer)).toMatchObject({
      subscriptions: [{ id: 's', ...LIVE, plan: null }],
      purchases: [{ ...BOUGHT, plan: null }],
    })
  }
})

test('B63: at 2.0 one subscription stands for all of a plan and a status', () => {
  const again = { ...LIVE, id: 's2', started_at: 50, canceled_at: 150, expires_at: 300 }
  const other = { ...LIVE, id: 's3', plan_id: 'boost', add_on: true }
  const later = { ...LIVE, id: 's4', plan_id: 'hobby', auto_enable: true, status: 'scheduled' }
  const answer = of([{ id: 's1', ...LIVE }, again, other, later])
  expect(shown('2.0', 'customer', answer)).toMatchObject({
    subscriptions: [
      { ...OLDER, quantity: 2, started_at: 50, canceled_at: 150 },
      { ...OLDER, plan_id: 'boost', add_on: true },
    ],
    scheduled_subscriptions: [{ ...OLDER, plan_id: 'hobby', default: true, status: 'scheduled' }],
  })
  const [first] = Object(shown('2.0', 'customer', answer)).subscriptions
  expect(Object.keys(first)).not.toContain('id')
})

test('B63: at 2.0 what was paid once is a subscription without a cycle', () => {
  const answer = Object(shown('2.0', 'entity', of([{ id: 's', ...LIVE }], [BOUGHT, { ...BOUGHT, started_at: 60 }])))
  expect(answer).not.toHaveProperty('purchases')
  const cycle = { current_period_start: null, current_period_end: null }
  expect(answer.subscriptions).toStrictEqual([
    OLDER,
    { ...OLDER, plan_id: 'pack', add_on: true, started_at: 60, quantity: 2, ...cycle },
  ])
})

const PLAN = {
  ...{ id: 'studio', name: 'Studio', description: null, group: 'main', version: 2, add_on: false },
  ...{ auto_enable: false, price: { amount: amount(24), interval: 'month' }, items: [] },
  ...{ env: 'sandbox', archived: false, created_at: 1, base_variant_id: null },
}

test('an expanded plan has the shape of its version', () => {
  const answer = of([{ id: 's', ...LIVE, plan: PLAN }])
  const planAt = (version: '2.4' | '2.2' | '2.0') => Object(shown(version, 'customer', answer)).subscriptions[0].plan
  expect(planAt('2.4')).toMatchObject({ id: 'studio', auto_enable: false, items: [] })
  expect(planAt('2.2')).toMatchObject({ id: 'studio', free_trial: null, customer_eligibility: null })
  expect(planAt('2.0')).toMatchObject({ id: 'studio', default: false, features: [] })
})

test.each([
  ['as it is', {}, 'active'],
  ['on trial', { trial_ends_at: 900 }, 'trialing'],
  ['past due', { past_due: true, trial_ends_at: 900 }, 'past_due'],
  ['to come', { status: 'scheduled' }, 'scheduled'],
])('C179: at 1.2 and beta a plan that is had is a product, %s', (_label, more, status) => {
  const answer = of([{ id: 's', ...LIVE, plan: PLAN, ...more }])
  for (const version of ['1.2', 'beta'] as const) {
    expect(Object(shown(version, 'customer', answer)).products).toStrictEqual([
      {
        ...{ id: 'studio', name: 'Studio', group: 'main', status, is_add_on: false, is_default: false, version: 2 },
        ...{ canceled_at: null, started_at: 100, current_period_start: 100, current_period_end: 200, quantity: 1 },
        items: [{ type: 'price', feature_id: null, interval: 'month', interval_count: 1, price: 24 }],
      },
    ])
  }
})

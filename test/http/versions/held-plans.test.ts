import { expect, test } from 'vitest'
import { monthly } from '../../scenarios/plan-story.ts'
import { openWorld } from '../../world.ts'
import { expectShown } from './shown.ts'

const SUBJECT = { id: 'desk', billing_controls: {}, balances: {}, flags: {} }
const NOTHING = { canceled_at: null, expires_at: null, trial_ends_at: null }
const UNPAID = { current_period_start: null, current_period_end: null }
const PRO = { ...NOTHING, past_due: false, current_period_start: 1000, current_period_end: 5000, quantity: 1 }
const BOOST = { ...NOTHING, past_due: false, ...UNPAID, quantity: 1 }

test('B63, K3.5: subscriptions of one plan are one, scheduled ones apart, purchases among them', () => {
  const ending = { ...PRO, add_on: false, status: 'active', canceled_at: 2000, expires_at: 5000, started_at: 1000 }
  const coming = { ...BOOST, add_on: false, status: 'scheduled', started_at: 5000 }
  const twice = { ...BOOST, add_on: true, status: 'active' }
  const newest = [
    { id: 'a', plan_id: 'pro', auto_enable: false, ...ending, scope: 'customer' },
    { id: 'b', plan_id: 'boost', auto_enable: false, ...twice, started_at: 1500, scope: 'customer' },
    { id: 'c', plan_id: 'boost', auto_enable: false, ...twice, started_at: 1200, canceled_at: 1700, scope: 'customer' },
    { id: 'd', plan_id: 'free', auto_enable: true, ...coming, scope: 'customer' },
  ]
  const purchase = { plan_id: 'pack', expires_at: null, started_at: 3000, quantity: 1, scope: 'customer' }
  const controls = {
    auto_topups: null,
    spend_limits: null,
    usage_limits: null,
    usage_alerts: null,
    overage_allowed: null,
  }
  const boost = { ...twice, plan_id: 'boost', default: false, started_at: 1200, canceled_at: 1700, quantity: 2 }
  const pack = { ...BOOST, plan_id: 'pack', default: false, add_on: true, status: 'active', started_at: 3000 }
  const free = { ...coming, plan_id: 'free', default: true }
  const product = (one: object, more: object = {}) => {
    const {
      default: is_default,
      plan_id: id,
      add_on,
      past_due,
      expires_at,
      trial_ends_at,
      ...rest
    } = {
      ...{ default: false, plan_id: '', add_on: false, past_due: false, expires_at: null, trial_ends_at: null },
      ...one,
    }
    return { id, is_default, is_add_on: add_on, ...rest, items: [], ...more }
  }
  const older = [{ ...ending, plan_id: 'pro', default: false }, boost, pack]
  expectShown(
    'entity',
    { ...SUBJECT, subscriptions: newest, purchases: [purchase] },
    {
      '2.4': { ...SUBJECT, subscriptions: newest, purchases: [purchase] },
      '2.2': {
        ...SUBJECT,
        billing_controls: controls,
        invoices: null,
        subscriptions: newest.map((one) => ({ ...one, plan: null })),
        purchases: [{ ...purchase, plan: null }],
      },
      '2.0': {
        id: 'desk',
        billing_controls: {},
        balances: {},
        subscriptions: older,
        scheduled_subscriptions: [free],
      },
      '1.2': {
        id: 'desk',
        billing_controls: {},
        features: {},
        products: [...older, free].map((one) => product(one)),
      },
    },
  )
})

test('B64, C179: at 1.2 a customer has products with their items, whether plans were asked for or not', async () => {
  const world = await openWorld()
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('customers.get_or_create', { customer_id: 'ada' })
  const free_trial = { duration_length: 7, duration_type: 'day', card_required: true }
  const items = [{ feature_id: 'messages', included: 50, reset: { interval: 'month' } }]
  await world.ok('plans.create', { plan_id: 'pro', name: 'Pro', group: 'main', price: monthly(20), items, free_trial })
  await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'pro' })
  const ask = (version: string, more: object = {}) =>
    world.ok('customers.get', { customer_id: 'ada', ...more }, { 'x-api-version': version })
  const { products } = await ask('1.2')
  expect(products).toMatchObject([
    { id: 'pro', name: 'Pro', group: 'main', version: 1, status: 'trialing', is_add_on: false, is_default: false },
  ])
  expect(products[0].items).toMatchObject([
    { type: 'price', feature_id: null, price: 20, interval: 'month' },
    { type: 'feature', feature_id: 'messages', feature_type: 'single_use', included_usage: 50, interval: 'month' },
  ])

  const expand = ['subscriptions.plan']
  const [newest] = (await ask('2.4', { expand })).subscriptions
  expect(newest.plan).toEqual(await world.ok('plans.get', { plan_id: 'pro' }))
  expect((await ask('2.2', { expand })).subscriptions[0].plan).toMatchObject({ id: 'pro', customer_eligibility: null })
  expect((await ask('2.0', { expand })).subscriptions[0].plan).toMatchObject({ default: false, features: [{}] })
  expect((await ask('2.0')).subscriptions[0]).not.toHaveProperty('plan')
  await world.close()
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { Story } from './story.ts'

type Body = Record<string, unknown>

let story: Story
beforeAll(async () => {
  story = await Story.begin()
  const messages = { feature_id: 'messages', included: 10, reset: { interval: 'month' } }
  const fee = { amount: 10, interval: 'month' }
  await story.world.ok('plans.create', { plan_id: 'studio', name: 'Studio', price: fee, items: [messages] })
  const once = { amount: 5, interval: 'one_off' }
  await story.world.ok('plans.create', { plan_id: 'pack', name: 'Pack', add_on: true, price: once, items: [] })
  const customize = { price: { amount: 7, interval: 'month' } }
  await story.world.ok('billing.attach', { customer_id: 'alice', plan_id: 'studio', customize })
  await story.seat('desk')
  await story.world.ok('billing.attach', { customer_id: 'alice', entity_id: 'desk', plan_id: 'pack' })
})
afterAll(() => story.world.close())

const EXPAND = { expand: ['subscriptions.plan', 'purchases.plan'] }

test.each<[string, string, Body]>([
  ['a customer', 'customers.get', { customer_id: 'alice' }],
  ['an entity', 'entities.get', { customer_id: 'alice', entity_id: 'desk' }],
])('the plans of %s are shown in full where that is asked for, on its own terms', async (_label, operation, body) => {
  const bare = await story.world.ok(operation, body)
  expect([...bare.subscriptions, ...bare.purchases].some((one: Body) => 'plan' in one)).toBe(false)
  const { subscriptions, purchases } = await story.world.ok(operation, { ...body, ...EXPAND })
  expect(subscriptions).toMatchObject([
    {
      plan_id: 'studio',
      plan: { id: 'studio', price: { amount: 7 }, items: [{ feature_id: 'messages', included: 10 }] },
    },
  ])
  expect(subscriptions[0].plan.items[0]).not.toHaveProperty('feature')
  expect(purchases).toMatchObject([{ plan_id: 'pack', plan: { id: 'pack', add_on: true } }])
})

test('older versions show them in their own shapes (B63, C179)', async () => {
  const at = (version: string, body: Body = {}) =>
    story.world.ok('customers.get', { customer_id: 'alice', ...body }, { 'x-api-version': version })
  const { subscriptions } = await at('2.0', EXPAND)
  expect(subscriptions).toMatchObject([
    { plan_id: 'studio', status: 'active', default: false, plan: { features: [{ granted_balance: 10 }] } },
    { plan_id: 'pack', status: 'active', add_on: true, plan: { id: 'pack' } },
  ])
  expect((await at('2.2')).subscriptions[0].plan).toBeNull()
  expect((await at('1.2')).products).toMatchObject([
    {
      ...{ id: 'studio', name: 'Studio', status: 'active', is_add_on: false },
      items: [
        { type: 'price', price: 7 },
        { type: 'feature', feature_id: 'messages', feature_type: 'single_use', included_usage: 10 },
      ],
    },
    { id: 'pack', name: 'Pack', is_add_on: true, items: [{ type: 'price', price: 5 }] },
  ])
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWorld, START, type World } from '../world.ts'
import { type Body, fieldsOf, replaced } from './fields.ts'

const LATER = START + 30 * 86_400_000
const PRICE = { amount: 2, interval: 'month', interval_count: 1, billing_units: 10, max_purchase: 500 }
const MONTH = { interval: 'month', interval_count: 1 }
const TIERS = {
  tiers: [
    { to: 100, amount: 1, flat_amount: 2 },
    { to: 'inf', amount: 3, flat_amount: 0 },
  ],
  tier_behavior: 'volume',
}
const TRIAL = { duration_length: 7, duration_type: 'day', card_required: true, on_end: 'bill' }
const { amount: _, ...UNPRICED } = PRICE
const ITEMS = [
  { feature_id: 'messages', included: 5, unlimited: false, reset: MONTH, rollover: { max: 5 } },
  {
    feature_id: 'messages',
    price: { ...UNPRICED, ...TIERS, billing_method: 'prepaid' },
    proration: { on_increase: 'prorate_immediately', on_decrease: 'none' },
  },
  {
    feature_id: 'images',
    reset: MONTH,
    rollover: { max_percentage: 50, expiry_duration_type: 'month', expiry_duration_length: 2 },
    entity_feature_id: 'seats',
  },
  {
    feature_id: 'images',
    price: { ...PRICE, interval: 'one_off', billing_method: 'prepaid' },
    expiry: { duration: 'month', length: 3 },
  },
]
const PLAN = {
  name: 'Pro',
  description: 'For teams',
  group: 'main',
  add_on: false,
  auto_enable: false,
  price: { amount: 20, ...MONTH },
  items: ITEMS,
  free_trial: TRIAL,
  config: { ignore_past_due: false },
  metadata: { colour: 'red' },
  expand: ['items.feature'],
}
const CUSTOMIZED = { price: { amount: 3, ...MONTH }, items: ITEMS, free_trial: TRIAL }
const CARRIED = { enabled: true, feature_ids: ['images'] }
const MONEY = {
  invoice_mode: { enabled: true, enable_plan_immediately: true, finalize: true, net_terms_days: 30 },
  redirect_mode: 'never',
  success_url: 'https://example.test',
  metadata: {},
  no_billing_changes: true,
}
const ORDERS = [{ feature_id: 'messages', quantity: 20, adjustable: false }]

/** Of each endpoint a body that it takes, with every field that it knows in one or another of them. */
const BODIES: readonly (readonly [operation: string, body: Body])[] = [
  ['plans.create', { plan_id: 'new', ...PLAN }],
  [
    'plans.update',
    { plan_id: 'spare', version: 1, new_plan_id: 'base', ...PLAN, archived: false, force_version: false },
  ],
  ['plans.update', { plan_id: 'basic', disable_version: true, all_versions: false }],
  ['plans.get', { plan_id: 'basic', version: 1, expand: ['items.feature'] }],
  ['plans.list', { customer_id: 'alice', entity_id: 'desk', include_archived: true, all_versions: true }],
  ['plans.delete', { plan_id: 'spare', all_versions: true }],
  [
    'billing.attach',
    {
      ...{ customer_id: 'alice', entity_id: 'desk', plan_id: 'team', version: 1, feature_quantities: ORDERS },
      ...{ customize: CUSTOMIZED, free_trial: TRIAL, subscription_id: 'mine', plan_schedule: 'immediate', ...MONEY },
      ...{ remove_plan_ids: [], new_billing_subscription: true },
    },
  ],
  [
    'billing.attach',
    {
      ...{ customer_id: 'alice', plan_id: 'team', carry_over_usages: CARRIED, carry_over_balances: CARRIED },
      ...{ customize: { add_items: ITEMS.slice(2, 3), remove_items: [{ feature_id: 'images', interval: 'month' }] } },
    },
  ],
  ['billing.attach', { customer_id: 'alice', plan_id: 'team', starts_at: LATER, ends_at: 2 * LATER }],
  ['billing.attach', { customer_id: 'alice', plan_id: 'team', billing_cycle_anchor: 'now' }],
  [
    'billing.multi_attach',
    {
      ...{ customer_id: 'alice', entity_id: 'desk', free_trial: TRIAL, new_billing_subscription: true, ...MONEY },
      ...{ plans: [{ plan_id: 'team', version: 1, entity_id: 'desk', subscription_id: 'it', customize: CUSTOMIZED }] },
    },
  ],
  [
    'billing.multi_attach',
    { customer_id: 'alice', plans: [{ plan_id: 'team', feature_quantities: ORDERS }], billing_cycle_anchor: 'now' },
  ],
  ['billing.update', { customer_id: 'alice', plan_id: 'basic', cancel_action: 'cancel_immediately', ...MONEY }],
  ['billing.update', { customer_id: 'alice', subscription_id: 'held', customize: CUSTOMIZED, free_trial: null }],
  [
    'billing.update',
    {
      ...{ customer_id: 'alice', plan_id: 'basic', version: 1, recalculate_balances: { enabled: true } },
      ...{ carry_over_usages: CARRIED, billing_cycle_anchor: 'now' },
    },
  ],
]

let world: World
beforeAll(async () => {
  world = await furnished()
})
afterAll(() => world.close())

async function furnished(): Promise<World> {
  const fresh = await openWorld()
  for (const feature_id of ['messages', 'images'])
    await fresh.ok('features.create', { feature_id, name: feature_id, type: 'metered', consumable: true })
  await fresh.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  for (const [plan_id, amount] of [
    ['basic', 20],
    ['team', 30],
    ['spare', 5],
  ] as const) {
    const price = { amount, interval: 'month' }
    await fresh.ok('plans.create', { plan_id, name: plan_id, group: 'main', price, items: ITEMS })
  }
  await fresh.ok('customers.get_or_create', { customer_id: 'alice' })
  await fresh.ok('entities.create', { customer_id: 'alice', entity_id: 'desk', feature_id: 'seats' })
  await fresh.ok('billing.attach', { customer_id: 'alice', plan_id: 'basic', subscription_id: 'held' })
  await fresh.ok('balances.track', { customer_id: 'alice', feature_id: 'messages', value: 3 })
  return fresh
}

async function state(): Promise<unknown> {
  const { list } = await world.ok('plans.list', { all_versions: true, include_archived: true })
  return [list, await world.ok('customers.get', { customer_id: 'alice', expand: ['entities'] })]
}

describe.each(BODIES.map(([operation, body], i) => [operation, i, body] as const))('%s (%i)', (operation, _i, body) => {
  test('takes it as it is', async () => {
    const fresh = await furnished()
    await fresh.ok(operation, body)
    await fresh.close()
  })

  test('refuses another type in any of its fields, says where, and nothing happens', async () => {
    const before = await state()
    for (const [path, value] of fieldsOf(body)) {
      for (const wrong of OTHERS.filter((one) => kindOf(one) !== kindOf(value))) {
        const sent = replaced(body, path, wrong)
        const { status, body: answer } = await world.call(operation, sent)
        const about = `${path.join('.')} = ${JSON.stringify(wrong)}`
        expect([about, status, answer.code]).toEqual([about, 400, 'invalid_inputs'])
        expect(answer.message).toMatch(new RegExp(`\\b${path.find((part) => typeof part === 'string')}\\b.* \\w+`))
      }
    }
    expect(await state()).toEqual(before)
    expect(world.faults).toEqual([])
  })

  test('and no value of the right type, however strange, is more than it can take', async () => {
    const all = fieldsOf(body)
    for (const [path, value] of all) {
      for (const strange of STRANGE[kindOf(value)] ?? []) {
        const fresh = replaced(body, path, strange)
        const before = await state()
        const { status, body: answer } = await world.call(operation, fresh)
        if (status < 300) continue
        expect([path.join('.'), strange, status < 500, typeof answer.message]).toEqual([
          path.join('.'),
          strange,
          true,
          'string',
        ])
        expect(answer.message.length).toBeGreaterThan(10)
        expect(await state()).toEqual(before)
      }
    }
    expect(world.faults).toEqual([])
  })
})

/** One of each type of JSON; a text that no field takes for a number, a word of a list, or a time. */
const OTHERS = ['\u0000?', 1.5, true, [[1]], { strange: 1 }]

const STRANGE: Readonly<Record<string, readonly unknown[]>> = {
  text: ['', '__proto__', '\ud800', 'x'.repeat(300), 'nobody', 'inf', 'now'],
  number: [-1, 0, 1e-13, 0.3, 1e16, 1e308, 2 ** 53, -0],
  truth: [true, false],
  list: [[], [null], [{}], Array.from({ length: 600 }, () => ({}))],
  object: [{}, JSON.parse('{"__proto__": {"a": 1}}')],
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  const kinds: Readonly<Record<string, string>> = { string: 'text', number: 'number', boolean: 'truth' }
  return kinds[typeof value] ?? 'object'
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIVE_KEY, type World } from '../world.ts'
import { codeOf, Story } from './story.ts'

type Body = Record<string, unknown>

let serial = 0
const MONTH = { interval: 'month' }
const METERED = { amount: 1, interval: 'month', billing_method: 'usage_based' }
const PREPAID = { ...METERED, billing_method: 'prepaid' }
const ONCE = { ...PREPAID, interval: 'one_off' }
const item = (more: Body = {}) => ({ feature_id: 'messages', ...more })
const inTiers = (tiers: readonly Body[], more: Body = {}) => {
  const { amount: _, ...price } = PREPAID
  return item({ included: 100, price: { ...price, tiers, ...more } })
}
const LAST = { to: 'inf', amount: 1 }

describe('plans', () => {
  let story: Story
  let world: World
  beforeAll(async () => {
    story = await Story.begin()
    world = story.world
    await world.ok('features.create', {
      ...{ feature_id: 'tokens', name: 'Tokens', type: 'metered', consumable: true },
      display: { singular: 'token', plural: 'tokens' },
    })
  })
  afterAll(async () => {
    await world.close()
    expect(world.faults).toEqual([])
  })

  /** A plan that no other test knows, in a group of its own. */
  const planId = () => `p${++serial}`
  const create = (plan_id: string, body: Body) => ({ plan_id, name: plan_id, group: plan_id, ...body })
  const code = (body: Body) => codeOf(world, 'plans.create', create(planId(), body))
  async function created(body: Body) {
    const plan_id = planId()
    const plan = await world.ok('plans.create', create(plan_id, body))
    expect(await world.ok('plans.get', { plan_id })).toEqual(plan)
    return plan
  }

  describe('a plan', () => {
    const FEE = { amount: 10, interval: 'month' }
    const TRIAL = { duration_length: 7, duration_type: 'day', card_required: false }
    test.each<[string, Body, string]>([
      ['C40: half a cent', { price: { ...FEE, amount: 0.005 } }, '400 invalid_inputs'],
      ['C40: a cent', { price: { ...FEE, amount: 0.01 } }, '200'],
      ['a fee by the day', { price: { ...FEE, interval: 'day' } }, '400 invalid_inputs'],
      ['a negative fee', { price: { ...FEE, amount: -1 } }, '400 invalid_inputs'],
      ['no name', { name: '' }, '400 invalid_inputs'],
      [
        'C51: a trial of what is paid once',
        { price: { ...FEE, interval: 'one_off' }, free_trial: TRIAL },
        '400 invalid_request',
      ],
      ['C51: a trial of a top-up', { items: [item({ price: ONCE })], free_trial: TRIAL }, '400 invalid_request'],
      ['a trial of nothing', { price: FEE, free_trial: { ...TRIAL, duration_length: 0 } }, '400 invalid_inputs'],
      ['C52: a trial that reverts', { price: FEE, free_trial: { ...TRIAL, on_end: 'revert' } }, '400 not_supported'],
      ['C68: for everyone, free', { auto_enable: true }, '200'],
      ['C68: for everyone, for nothing', { auto_enable: true, price: { ...FEE, amount: 0 } }, '200'],
      ['C68: for everyone, paid', { auto_enable: true, price: FEE }, '400 invalid_request'],
      ['C68: for everyone, on trial', { auto_enable: true, price: FEE, free_trial: TRIAL }, '200'],
      [
        'C68: for everyone with a card',
        { auto_enable: true, price: FEE, free_trial: { ...TRIAL, card_required: true } },
        '400 invalid_request',
      ],
      [
        'C68: for everyone, paid once',
        { auto_enable: true, price: { ...FEE, interval: 'one_off' } },
        '400 invalid_request',
      ],
      [
        'K7: as clients fill it in',
        { add_on: false, auto_enable: false, create_in_stripe: true, group: '', price: { ...FEE, interval_count: 1 } },
        '200',
      ],
      ['metadata that is no text', { metadata: { a: 1 } }, '400 invalid_inputs'],
      ['billing controls of nothing', { billing_controls: { usage_limits: [] } }, '200'],
      [
        'billing controls',
        { billing_controls: { usage_limits: [{ feature_id: 'messages', limit: 1 }] } },
        '400 not_supported',
      ],
      ['licenses', { licenses: [{ license_plan_id: 'x' }] }, '400 not_supported'],
    ])('%s', async (_label, body, expected) => {
      expect(await code(body)).toBe(expected)
    })

    test.each(['a b', '', 'ü', 'a:b'])('cannot be called %j', async (plan_id) => {
      expect(await codeOf(world, 'plans.create', { plan_id, name: 'X' })).toBe('400 invalid_inputs')
    })

    test('C50: has an id that no other has, archived ones too', async () => {
      const { id } = await created({})
      expect(await codeOf(world, 'plans.create', create(id, {}))).toBe('400 product_already_exists')
      await world.ok('plans.update', { plan_id: id, archived: true })
      expect(await codeOf(world, 'plans.create', create(id, {}))).toBe('400 product_already_exists')
      expect(await codeOf(world, 'plans.create', create(id, {}), { authorization: `Bearer ${LIVE_KEY}` })).toBe('200')
    })

    test('C69: is the only free one of its group that is for everyone, and the only one on trial', async () => {
      const group = planId()
      const free = { auto_enable: true, group }
      const trial = { ...free, price: FEE, free_trial: TRIAL }
      const first = await created(free)
      expect(await code(trial)).toBe('200')
      expect(await code(trial)).toBe('400 invalid_request')
      const refused = await world.call('plans.create', create(planId(), free))
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid_request'])
      expect(refused.body.message).toContain(first.id)
      // Nobody is given an archived plan (C66), until it comes back.
      await world.ok('plans.update', { plan_id: first.id, archived: true })
      expect(await code(free)).toBe('200')
      expect(await codeOf(world, 'plans.update', { plan_id: first.id, archived: false })).toBe('400 invalid_request')
    })
  })

  describe('is shown', () => {
    test('as it was written, with what was left out', async () => {
      const plan = await created({
        ...{ description: 'All of it', group: '', metadata: { tier: '3', __proto__x: 'y' } },
        ...{ config: { ignore_past_due: true }, price: { amount: '24.50', interval: 'month', interval_count: 3 } },
        free_trial: { duration_length: 2 },
        items: [{ feature_id: 'sso' }, { feature_id: 'seats', included: 3 }, item({ included: 50, reset: MONTH })],
      })
      const shown = { unlimited: false, pooled: false, price: null }
      expect(plan).toEqual({
        ...{ id: plan.id, name: plan.id, description: 'All of it', group: null, version: 1, add_on: false },
        auto_enable: false,
        price: {
          amount: 24.5,
          interval: 'month',
          interval_count: 3,
          display: { primary_text: '$24.50', secondary_text: 'per 3 months' },
        },
        items: [
          { ...shown, feature_id: 'messages', included: 50, reset: MONTH, display: { primary_text: '50 Messages' } },
          { ...shown, feature_id: 'seats', included: 3, reset: null, display: { primary_text: '3 Seats' } },
          { ...shown, feature_id: 'sso', included: 0, reset: null, display: { primary_text: 'SSO' } },
        ],
        free_trial: { duration_length: 2, duration_type: 'month', card_required: true, on_end: 'bill' },
        ...{ created_at: world.clock.now, env: 'sandbox', archived: false, config: { ignore_past_due: true } },
        ...{ billing_controls: {}, metadata: { tier: '3', __proto__x: 'y' }, base_variant_id: null },
      })
    })

    test('C29: on trial without a card where nothing is to be paid', async () => {
      const plan = await created({ free_trial: { duration_length: 2, card_required: true } })
      expect(plan.free_trial.card_required).toBe(false)
    })

    const BASE = { feature_id: 'messages', included: 0, unlimited: false, pooled: false }
    const PRICE = { amount: 1, interval: 'month', billing_units: 1, billing_method: 'prepaid', max_purchase: null }
    test.each<[string, Body, Body]>([
      ['what is given once', item({ included: 5 }), { included: 5, reset: { interval: 'one_off' }, price: null }],
      [
        'C35: a reset that is the price’s',
        item({ price: { ...PREPAID, interval_count: 2 } }),
        { reset: { ...MONTH, interval_count: 2 }, price: { ...PRICE, interval_count: 2 } },
      ],
      [
        'C35: a reset that takes the count of the price',
        item({ reset: MONTH, price: { ...METERED, interval_count: 2 } }),
        {
          reset: { ...MONTH, interval_count: 2 },
          price: { ...PRICE, billing_method: 'usage_based', interval_count: 2 },
        },
      ],
      ['C32: one tier as an amount', inTiers([LAST]), { included: 100, reset: MONTH, price: PRICE }],
      [
        'C36: marks as they were written',
        inTiers([{ to: 600, amount: 2 }, LAST]),
        {
          included: 100,
          reset: MONTH,
          price: { ...PRICE, amount: undefined, tiers: [{ to: 600, amount: 2 }, LAST], tier_behavior: 'graduated' },
        },
      ],
      [
        'C30: no proration',
        item({ price: ONCE, proration: { on_increase: 'prorate_next_cycle' } }),
        { reset: { interval: 'one_off' }, price: { ...PRICE, interval: 'one_off' } },
      ],
      ['C47: no cap', item({ price: { ...PREPAID, max_purchase: 0 } }), { reset: MONTH, price: PRICE }],
      [
        'a cap',
        item({ price: { ...PREPAID, max_purchase: 20, billing_units: 5 } }),
        { reset: MONTH, price: { ...PRICE, max_purchase: 20, billing_units: 5 } },
      ],
      [
        'no amount of what has no end',
        item({ unlimited: true, included: 5, reset: MONTH }),
        { unlimited: true, reset: null, price: null },
      ],
      [
        'no reset of seats',
        item({ feature_id: 'seats', reset: MONTH, price: PREPAID }),
        { feature_id: 'seats', reset: null, price: PRICE },
      ],
      [
        'C43: a rollover of a month',
        item({ reset: MONTH, rollover: { max: 5 } }),
        { reset: MONTH, price: null, rollover: { max: 5, expiry_duration_type: 'month', expiry_duration_length: 1 } },
      ],
      [
        'C43: a rollover for ever',
        item({
          reset: MONTH,
          rollover: { max_percentage: 50, expiry_duration_type: 'forever', expiry_duration_length: 3 },
        }),
        { reset: MONTH, price: null, rollover: { max: null, max_percentage: 50, expiry_duration_type: 'forever' } },
      ],
      [
        'for each seat',
        item({ included: 1, entity_feature_id: 'seats' }),
        { included: 1, reset: { interval: 'one_off' }, price: null, entity_feature_id: 'seats' },
      ],
      [
        'K 2.2: an expiry',
        item({ price: ONCE, expiry: { duration: 'month', length: 3 } }),
        {
          reset: { interval: 'one_off' },
          price: { ...PRICE, interval: 'one_off' },
          expiry: { duration: 'month', length: 3 },
        },
      ],
      [
        'K 2.2: a threshold',
        item({ price: METERED, threshold_billing: { threshold: 9 } }),
        { reset: MONTH, price: { ...PRICE, billing_method: 'usage_based' }, threshold_billing: { threshold: 9 } },
      ],
    ])('%s', async (_label, written, shown) => {
      const { items } = await created({ items: [written] })
      const [{ display, ...only }] = items
      expect(only).toEqual(JSON.parse(JSON.stringify({ ...BASE, ...shown })))
      // What is shown can be written again, and is the same.
      const again = await created({ items })
      expect(again.items).toEqual([{ ...only, display }])
    })

    const tokens = (more: Body) => ({ feature_id: 'tokens', ...more })
    test.each<[Body, string, string | undefined]>([
      [tokens({ included: 1000 }), '1,000 tokens', undefined],
      [tokens({ included: 1 }), '1 token', undefined],
      [tokens({ included: 1234567.5 }), '1,234,567.5 tokens', undefined],
      [tokens({}), '0 tokens', undefined],
      [tokens({ unlimited: true }), 'Unlimited tokens', undefined],
      [
        tokens({ included: 1000, price: { ...METERED, amount: 3, billing_units: 500 } }),
        '1,000 tokens',
        'then $3 per 500',
      ],
      [tokens({ included: 5, price: METERED }), '5 tokens', 'then $1 per token'],
      [tokens({ price: { ...PREPAID, amount: 0.5, billing_units: 500 } }), '$0.50 per 500 tokens', 'per month'],
      [tokens({ price: { ...PREPAID, interval: 'semi_annual' } }), '$1 per token', 'per 6 months'],
      [tokens({ price: ONCE }), '$1 per token', undefined],
      [
        inTiers(
          [
            { to: 200, flat_amount: 5 },
            { to: 'inf', amount: 0.002 },
          ],
          { tier_behavior: 'volume' },
        ),
        '100 Messages',
        'then $5 - $0.002 per Messages',
      ],
    ])('%j in words', async (written, primary_text, secondary_text) => {
      const { items } = await created({ items: [written] })
      expect(items[0].display).toEqual({ primary_text, ...(secondary_text === undefined ? {} : { secondary_text }) })
    })

    test.each<[Body, string, string | undefined]>([
      [{ amount: 1234.5, interval: 'year' }, '$1,234.50', 'per year'],
      [{ amount: 5, interval: 'quarter' }, '$5', 'per quarter'],
      [{ amount: 5, interval: 'week', interval_count: 2 }, '$5', 'per 2 weeks'],
      [{ amount: 5, interval: 'one_off', interval_count: 1 }, '$5', undefined],
    ])('a fee of %j in words', async (price, primary_text, secondary_text) => {
      const plan = await created({ price })
      expect(plan.price.display).toEqual({ primary_text, ...(secondary_text === undefined ? {} : { secondary_text }) })
    })

    test('C31: with its features, where that is asked for', async () => {
      const { id } = await created({ items: [item(), { feature_id: 'credits' }] })
      const { items } = await world.ok('plans.get', { plan_id: id, expand: ['items.feature'] })
      const features = await world.ok('features.list')
      for (const one of items) expect(features.list).toContainEqual(one.feature)
      const { list } = await world.ok('plans.list', { expand: ['items.feature'] })
      expect(list.find((plan: Body) => plan['id'] === id).items).toEqual(items)
    })
  })

  describe('at the older paths (C2, C14)', () => {
    const OLD = { 'x-api-version': '1.2' }
    test.each(['plans', 'products'])('/v1/%s', async (noun) => {
      const id = planId()
      const made = await world.ok(`POST /v1/${noun}`, { id, name: 'P', items: [item({ included: 5 })] })
      expect(made).toEqual(await world.ok('plans.get', { plan_id: id }))
      expect(await world.ok(`GET /v1/${noun}/${id}`)).toEqual(made)
      const other = planId()
      const changed = await world.ok(`POST /v1/${noun}/${id}`, { id: other, name: 'Q' })
      expect(changed).toEqual({ ...made, id: other, name: 'Q' })
      expect(await world.ok(`PATCH /v1/${noun}/${other}`, { archived: true })).toEqual({ ...changed, archived: true })
      const ids = async (query: string) =>
        (await world.ok(`GET /v1/${noun}${query}`)).list.map((plan: Body) => plan['id'])
      expect(await ids('')).not.toContain(other)
      expect(await ids('?include_archived=true')).toContain(other)
      expect((await world.call(`GET /v1/${noun}/${other}?version=2`)).body.code).toBe('product_not_found')
      expect(await world.ok(`DELETE /v1/${noun}/${other}?all_versions=true`)).toEqual({ success: true })
      expect((await world.call(`GET /v1/${noun}/${other}`)).status).toBe(404)
    })

    test('a product of 1.2 is written, shown and listed as one', async () => {
      const id = planId()
      const items = [
        { type: 'price', price: 20, interval: 'month' },
        { feature_id: 'messages', included_usage: 100, interval: 'month' },
        { feature_id: 'credits', included_usage: 'inf' },
      ]
      const product = await world.ok(
        'POST /v1/products',
        { id, name: 'P', group: id, items, free_trial: { length: 7 } },
        OLD,
      )
      expect(product).toMatchObject({
        ...{ id, is_default: false, is_add_on: false, free_trial: { length: 7, duration: 'day', card_required: true } },
        items: [
          { type: 'price', feature_id: null, price: 20, interval: 'month' },
          { type: 'feature', feature_id: 'credits', feature_type: 'single_use', included_usage: 'inf' },
          {
            type: 'feature',
            feature_id: 'messages',
            feature_type: 'single_use',
            included_usage: 100,
            interval: 'month',
          },
        ],
        properties: { is_free: false, interval_group: 'month', has_trial: true },
      })
      const { list } = await world.ok('GET /v1/products_beta', undefined, OLD)
      expect(list).toContainEqual(product)
      expect((await world.ok('plans.list', {}, OLD)).list).toContainEqual(product)
      // What is shown can be written again, and is the same.
      expect(await world.ok(`POST /v1/products/${id}`, product, OLD)).toEqual(product)
      expect(await world.ok('plans.get', { plan_id: id }, OLD)).toEqual(await world.ok('plans.get', { plan_id: id }))
    })

    test('a plan of 2.0 is written and shown by its names', async () => {
      const id = planId()
      const features = [
        {
          feature_id: 'messages',
          granted_balance: 100,
          price: {
            interval: 'month',
            usage_model: 'pay_per_use',
            tiers: [
              { to: 500, amount: 1 },
              { to: 'inf', amount: 0.5 },
            ],
          },
        },
      ]
      const old = { 'x-api-version': '2.0' }
      const plan = await world.ok('POST /v1/plans', { id, name: 'P', default: false, features }, old)
      expect(plan).toMatchObject({
        default: false,
        features: [{ ...features[0], reset: { ...MONTH, reset_when_enabled: true } }],
      })
      expect((await world.ok('plans.get', { plan_id: id })).items[0].price.tiers[0].to).toBe(600)
      expect(await world.ok(`POST /v1/plans/${id}`, { features: plan.features }, old)).toEqual(plan)
    })
  })
})

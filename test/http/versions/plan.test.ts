import { describe, expect, test } from 'vitest'
import { amount } from '../../../src/domain/amount.ts'
import type { Version } from '../../../src/http/versions/version.ts'
import { upgradeRequest } from '../../../src/http/versions/versions.ts'
import { MESSAGES, SEATS, SSO } from './features.ts'
import { expectShown, shown } from './shown.ts'

const HEAD = {
  ...{ id: 'studio', name: 'Studio', description: null, group: 'main', version: 2, add_on: false },
}
const TAIL = {
  ...{ created_at: 1790000000000, env: 'sandbox', archived: false, config: { ignore_past_due: false } },
  ...{ billing_controls: {}, metadata: {}, base_variant_id: null },
}
const FEE_DISPLAY = { primary_text: '$24', secondary_text: 'per month' }
const PACKS = { primary_text: '100 Messages', secondary_text: 'then $4 - $3 per 100' }
const SEATS_DISPLAY = { primary_text: '$9 per seat', secondary_text: 'per month' }

const STUDIO = {
  ...HEAD,
  auto_enable: false,
  price: { amount: amount(24), interval: 'month', display: FEE_DISPLAY },
  items: [
    {
      ...{ feature_id: 'messages', included: amount(100), unlimited: false, pooled: false },
      reset: { interval: 'one_off' },
      price: {
        tiers: [
          { to: amount(1100), amount: amount(4) },
          { to: 'inf', amount: amount(3) },
        ],
        ...{ tier_behavior: 'graduated', interval: 'one_off', billing_units: amount(100), billing_method: 'prepaid' },
        max_purchase: amount(5000),
      },
      display: PACKS,
    },
    {
      ...{ feature_id: 'seats', included: amount(0), unlimited: false, pooled: false, reset: null },
      price: {
        ...{ amount: amount(9), interval: 'month', interval_count: 2, billing_units: amount(1) },
        ...{ billing_method: 'usage_based', max_purchase: null },
      },
      display: SEATS_DISPLAY,
    },
    {
      ...{ feature_id: 'sso', included: amount(0), unlimited: false, pooled: false, reset: null, price: null },
      display: { primary_text: 'SSO' },
    },
  ],
  free_trial: { duration_length: 14, duration_type: 'day', card_required: true, on_end: 'bill' },
  ...TAIL,
}

const NEWEST = JSON.parse(
  JSON.stringify(STUDIO, (_key, value) => (typeof value === 'bigint' ? Number(value / 10n ** 12n) : value)),
)
const [PACK_ITEM, SEAT_ITEM, SSO_ITEM] = NEWEST.items
const FILLED = {
  ...NEWEST,
  customer_eligibility: null,
  price: { ...NEWEST.price, interval_count: null },
  items: [
    {
      ...PACK_ITEM,
      ...{ feature: null, rollover: null, reset: { interval: 'one_off', interval_count: null } },
      price: { ...PACK_ITEM.price, amount: null, interval_count: null },
    },
    { ...SEAT_ITEM, feature: null, rollover: null, price: { ...SEAT_ITEM.price, tiers: null, tier_behavior: null } },
    { ...SSO_ITEM, feature: null, rollover: null, display: { primary_text: 'SSO', secondary_text: null } },
  ],
}

test('C14, K23: one plan is the newest shape in every version, null-filled where clients insist on it', () => {
  expectShown('plan', STUDIO, { '2.4': NEWEST, '2.2': FILLED, '2.0': NEWEST, '1.2': NEWEST })
})

test('C14: a feature that only an older version asks for is not shown', () => {
  const item = { ...STUDIO.items[2], feature: SSO }
  const answer = { ...STUDIO, items: [item] }
  expect(shown('1.2', 'plan', answer)).toMatchObject({ items: [{ feature_id: 'sso' }] })
  expect(Object(shown('1.2', 'plan', answer)).items[0]).not.toHaveProperty('feature')
  const asked = shown('1.2', 'plan', answer, { expand: ['items.feature'] })
  expect(Object(asked).items[0].feature).toStrictEqual(SSO)
})

const OLDER = (() => {
  const { auto_enable, items: _, ...plan } = NEWEST
  const renamed = (item: typeof PACK_ITEM) => {
    const { included: granted_balance, price, ...rest } = item
    if (price === null) return { ...rest, granted_balance, price }
    const { billing_method, ...others } = price
    const usage_model = billing_method === 'prepaid' ? 'prepaid' : 'pay_per_use'
    return { ...rest, granted_balance, price: { ...others, usage_model } }
  }
  const pack = renamed(PACK_ITEM)
  const tiers = [
    { to: 1000, amount: 4 },
    { to: 'inf', amount: 3 },
  ]
  const reset = { interval: 'one_off', reset_when_enabled: true }
  return {
    ...plan,
    default: auto_enable,
    features: [{ ...pack, reset, price: { ...pack.price, tiers } }, renamed(SEAT_ITEM), renamed(SSO_ITEM)],
  }
})()

const FEATURES = [MESSAGES, SEATS, SSO]
const EXPANDED = { ...STUDIO, items: STUDIO.items.map((item, i) => ({ ...item, feature: FEATURES[i] })) }
const PRODUCT = {
  ...{ id: 'studio', name: 'Studio', group: 'main', env: 'sandbox', is_add_on: false, is_default: false },
  ...{ archived: false, version: 2, created_at: 1790000000000 },
  items: [
    { type: 'price', feature_id: null, interval: 'month', interval_count: 1, price: 24 },
    {
      ...{ type: 'priced_feature', feature_id: 'messages', feature_type: 'single_use', included_usage: 100 },
      interval: null,
      tiers: [
        { to: 1000, amount: 4 },
        { to: 'inf', amount: 3 },
      ],
      ...{ tier_behavior: 'graduated', usage_model: 'prepaid', billing_units: 100, usage_limit: 5100 },
      reset_usage_when_enabled: true,
      display: PACKS,
    },
    {
      ...{ type: 'priced_feature', feature_id: 'seats', feature_type: 'continuous_use', included_usage: 0 },
      ...{ interval: 'month', interval_count: 2, price: 9, usage_model: 'pay_per_use', billing_units: 1 },
      reset_usage_when_enabled: false,
      display: SEATS_DISPLAY,
    },
    {
      ...{ type: 'feature', feature_id: 'sso', feature_type: 'static', included_usage: 0, interval: null },
      display: { primary_text: 'SSO' },
    },
  ],
  free_trial: { duration: 'day', length: 14, unique_fingerprint: false, card_required: true },
  base_variant_id: null,
  properties: { is_free: false, is_one_off: false, interval_group: 'month', has_trial: true, updateable: true },
}

test('C16: at 2.0 a plan has other names, and its tiers leave out what is included', () => {
  const all = { '2.4': NEWEST, '2.2': FILLED, '2.0': OLDER }
  expect(shown('2.0', 'product', STUDIO)).toStrictEqual(all['2.0'])
  expect(shown('2.0', 'plans', { list: [STUDIO] })).toStrictEqual({ list: [all['2.0']] })
  for (const version of ['2.4', '2.2'] as const) {
    expect(shown(version, 'product', STUDIO)).toStrictEqual(all[version])
    expect(shown(version, 'plans', { list: [STUDIO] })).toStrictEqual({ list: [all[version]] })
  }
})

test.each<Version>(['beta', '1.2'])('C87, C90, C 3.12: at %s a plan is a product', (version) => {
  expect(shown(version, 'product', EXPANDED)).toStrictEqual(PRODUCT)
  expect(shown(version, 'plans', { list: [EXPANDED] })).toStrictEqual({ list: [PRODUCT] })
})

test('C87: a product that costs nothing has no fee among its items, an unlimited one as much as one likes', () => {
  const rollover = { max: amount(5), expiry_duration_type: 'month', expiry_duration_length: 2 }
  const [pack] = EXPANDED.items
  const item = { ...pack, price: null, unlimited: true, reset: { interval: 'week' }, rollover }
  const free = { ...EXPANDED, price: { amount: amount(0), interval: 'month' }, items: [item], free_trial: undefined }
  expect(shown('1.2', 'product', free)).toMatchObject({
    items: [
      {
        ...{ type: 'feature', included_usage: 'inf', interval: 'week', interval_count: 1 },
        config: { rollover: { max: 5, duration: 'month', length: 2 } },
      },
    ],
    free_trial: null,
    properties: { is_free: true, is_one_off: false, has_trial: false, updateable: false },
  })
})

describe('requests', () => {
  test('C16: at 2.0 features become items, their marks with what is included', () => {
    const body = {
      ...{ plan_id: 'p', name: 'P', default: true },
      features: [
        {
          ...{ feature_id: 'messages', granted_balance: 0.1, reset: { interval: 'month' } },
          price: {
            ...{ interval: 'month', usage_model: 'pay_per_use' },
            tiers: [{ to: 0.2, amount: 1 }, { to: 'inf' }],
          },
        },
        { feature_id: 'sso' },
      ],
    }
    const newest = {
      ...{ plan_id: 'p', name: 'P', auto_enable: true },
      items: [
        {
          ...{ feature_id: 'messages', included: 0.1, reset: { interval: 'month' } },
          price: {
            ...{ interval: 'month', billing_method: 'usage_based' },
            tiers: [{ to: '0.3', amount: 1 }, { to: 'inf' }],
          },
        },
        { feature_id: 'sso' },
      ],
    }
    for (const operation of ['plans.create', 'plans.update']) {
      expect(upgradeRequest('2.0', operation, body)).toStrictEqual({ body: newest })
      expect(upgradeRequest('2.1', operation, body)).toStrictEqual({ body })
    }
  })

  test('C16: at 2.0 items are newer already', () => {
    const body = { plan_id: 'p', items: [{ feature_id: 'messages', included: 5 }] }
    expect(upgradeRequest('2.0', 'plans.update', body)).toStrictEqual({ body })
  })

  test('C87, C88, C90: a product becomes a plan, its fee a price', () => {
    const body = {
      ...{ plan_id: 'p', name: 'P', is_add_on: true, is_default: false, free_trial: { length: 7 } },
      items: [
        { type: 'price', price: 20, interval: 'month' },
        {
          feature_id: 'messages',
          included_usage: 100,
          interval: 'month',
          config: { rollover: { max: 5, duration: 'month', length: 1 } },
        },
        {
          ...{ feature_id: 'seats', included_usage: 2, interval: 'month', price: 9, usage_model: 'prepaid' },
          ...{ usage_limit: 10, config: { on_decrease: 'none' } },
        },
        { feature_id: 'images', included_usage: 'inf' },
      ],
    }
    const upgraded = upgradeRequest('1.2', 'plans.create', body)
    expect(JSON.parse(JSON.stringify(upgraded))).toStrictEqual({
      body: {
        ...{ plan_id: 'p', name: 'P', add_on: true, auto_enable: false },
        free_trial: { duration_length: 7, duration_type: 'day' },
        price: { amount: 20, interval: 'month' },
        items: [
          {
            ...{ feature_id: 'messages', included: 100, reset: { interval: 'month' } },
            rollover: { max: 5, expiry_duration_type: 'month', expiry_duration_length: 1 },
          },
          {
            ...{ feature_id: 'seats', included: 2, proration: { on_decrease: 'none' } },
            price: { amount: 9, interval: 'month', billing_method: 'prepaid', max_purchase: '8' },
          },
          { feature_id: 'images', unlimited: true },
        ],
        expand: ['items.feature'],
      },
    })
  })

  test('C87: items without a fee take it away, and no items leave it', () => {
    const without = upgradeRequest('1.2', 'plans.update', { plan_id: 'p', items: [] })
    expect(without).toMatchObject({ body: { price: null, items: [] } })
    const untouched = upgradeRequest('1.2', 'plans.update', { plan_id: 'p', name: 'Q' })
    expect(untouched).toStrictEqual({ body: { plan_id: 'p', name: 'Q', expand: ['items.feature'] } })
  })

  test.each([
    ['newer items', [{ feature_id: 'messages', included: 5 }]],
    ['no list', 'messages'],
    ['two fees', [{ price: 1 }, { price: 2 }]],
  ])('1.2: %s are left as they are', (_label, items) => {
    expect(upgradeRequest('1.2', 'plans.update', { items })).toStrictEqual({
      body: { items, expand: ['items.feature'] },
    })
  })
})

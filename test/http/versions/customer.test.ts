import { expect, test } from 'vitest'
import {
  NOTHING_COUNTED,
  OVERDRAWN,
  OVERDRAWN_AT_1_2,
  OVERDRAWN_AT_2_0,
  OVERDRAWN_AT_2_2,
  OVERDRAWN_AT_2_4,
  SEATS_HELD,
  SEATS_HELD_AT_1_2,
  SEATS_HELD_AT_2_0,
  SEATS_HELD_AT_2_2,
  SEATS_HELD_AT_2_4,
  SSO_HELD,
  SSO_HELD_AT_2_0,
} from './balances.ts'
import { SEATS, SSO } from './features.ts'
import { expectShown, shown } from './shown.ts'

/** What no version changes. */
const DETAILS = {
  id: 'ada',
  name: 'Ada',
  email: null,
  created_at: 1795182610523,
  fingerprint: null,
  stripe_id: null,
  env: 'sandbox',
  metadata: { note: null, invoices: null },
  send_email_receipts: false,
}

const CUSTOMER = {
  ...DETAILS,
  billing_controls: {},
  subscriptions: [],
  purchases: [],
  licenses: [],
  balances: { messages: OVERDRAWN, seats: { ...SEATS_HELD, feature: SEATS } },
  flags: { sso: { ...SSO_HELD, feature: SSO } },
  config: {},
}

const NO_CONTROLS = {
  auto_topups: null,
  spend_limits: null,
  usage_limits: null,
  usage_alerts: null,
  overage_allowed: null,
}

const NO_EXPANSIONS = {
  invoices: null,
  entities: null,
  trials_used: null,
  rewards: null,
  referrals: null,
  payment_method: null,
}

const AT_2_4 = {
  ...DETAILS,
  billing_controls: {},
  subscriptions: [],
  purchases: [],
  licenses: [],
  balances: { messages: OVERDRAWN_AT_2_4, seats: { ...SEATS_HELD_AT_2_4, feature: SEATS } },
  flags: { sso: { ...SSO_HELD, feature: SSO } },
  config: {},
}

const AT_2_2 = {
  ...DETAILS,
  billing_controls: NO_CONTROLS,
  subscriptions: [],
  purchases: [],
  licenses: [],
  balances: {
    messages: OVERDRAWN_AT_2_2,
    seats: { ...SEATS_HELD_AT_2_2, feature: { ...SEATS, credit_schema: null } },
  },
  flags: { sso: { ...SSO_HELD, feature: { ...SSO, credit_schema: null, display: null } } },
  config: {},
  ...NO_EXPANSIONS,
}

const AT_2_0 = {
  ...DETAILS,
  billing_controls: {},
  subscriptions: [],
  scheduled_subscriptions: [],
  balances: {
    messages: OVERDRAWN_AT_2_0,
    seats: { ...SEATS_HELD_AT_2_0, feature: SEATS },
    sso: { ...SSO_HELD_AT_2_0, feature: SSO },
  },
}

const AT_1_2 = {
  ...DETAILS,
  billing_controls: {},
  products: [],
  features: {
    messages: { id: 'messages', type: 'single_use', name: 'Messages', ...OVERDRAWN_AT_1_2 },
    seats: { id: 'seats', type: 'continuous_use', name: 'Seats', ...SEATS_HELD_AT_1_2 },
    sso: { id: 'sso', type: 'static', name: 'SSO', unlimited: false, ...NOTHING_COUNTED },
  },
}

test('B62, B63, B64, K3.5: a customer with everything', () => {
  expectShown('customer', CUSTOMER, { '2.4': AT_2_4, '2.2': AT_2_2, '2.0': AT_2_0, '1.2': AT_1_2 })
})

test('recorded step 349: a customer who holds nothing', () => {
  const bare = { ...CUSTOMER, id: 'stack', name: null, metadata: {}, balances: {}, flags: {} }
  expect(shown('2.0', 'customer', bare)).toStrictEqual({
    id: 'stack',
    name: null,
    email: null,
    created_at: 1795182610523,
    fingerprint: null,
    stripe_id: null,
    env: 'sandbox',
    metadata: {},
    send_email_receipts: false,
    billing_controls: {},
    subscriptions: [],
    scheduled_subscriptions: [],
    balances: {},
  })
})

test.each([
  ['a list', ['invoices', 'payment_method', 'rewards']],
  ['a comma-separated text', 'invoices,payment_method,rewards'],
])('B7, B199: what was to be expanded stays, asked for as %s', (_title, expand) => {
  const expansions = { invoices: [], payment_method: null, rewards: null }
  const expected = {
    '2.4': { ...AT_2_4, ...expansions },
    '2.2': { ...AT_2_2, ...expansions },
    '2.0': { ...AT_2_0, ...expansions },
    '1.2': { ...AT_1_2, ...expansions },
  }
  expectShown('customer', { ...CUSTOMER, ...expansions }, expected, { customer_id: 'ada', expand })
})

test('B200: controls that are set stay', () => {
  const billing_controls = { spend_limits: [{ feature_id: 'messages', enabled: true, overage_limit: 5 }] }
  expectShown(
    'customer',
    { ...CUSTOMER, billing_controls },
    {
      '2.4': { ...AT_2_4, billing_controls },
      '2.2': { ...AT_2_2, billing_controls: { ...NO_CONTROLS, ...billing_controls } },
      '2.0': { ...AT_2_0, billing_controls },
      '1.2': { ...AT_1_2, billing_controls },
    },
  )
})

test('B206, B209, B210: a page of customers that others follow', () => {
  const counts = { total_count: 7, total_filtered_count: 5 }
  const body = { offset: 1, limit: 2 }
  const page = { has_more: true, offset: 1, limit: 2, total: 2, ...counts }
  const next_cursor = 'eyJ2IjowfQ'
  const expected = {
    '2.4': { list: [AT_2_4, AT_2_4], next_cursor, ...counts },
    '2.2': { list: [AT_2_2, AT_2_2], ...page },
    '2.0': { list: [AT_2_0, AT_2_0], ...page },
    '1.2': { list: [AT_1_2, AT_1_2], ...page },
  }
  expectShown('customers', { list: [CUSTOMER, CUSTOMER], next_cursor, ...counts }, expected, body)
})

test('B209: the last page of customers, of the usual length', () => {
  const counts = { total_count: 1, total_filtered_count: 1 }
  const page = { has_more: false, offset: 0, limit: 10, total: 1, ...counts }
  expectShown(
    'customers',
    { list: [CUSTOMER], next_cursor: null, ...counts },
    {
      '2.4': { list: [AT_2_4], next_cursor: null, ...counts },
      '2.2': { list: [AT_2_2], ...page },
      '2.0': { list: [AT_2_0], ...page },
      '1.2': { list: [AT_1_2], ...page },
    },
  )
})

test.each([
  ['boolean', 'static'],
  ['credit_system', 'single_use'],
  ['ai_credit_system', 'static'],
])('B64: at 1.2 a feature of type %s is %s', (type, older) => {
  const balances = { seats: { ...SEATS_HELD, feature: { ...SEATS, type } } }
  const answer = shown('1.2', 'customer', { ...CUSTOMER, balances })
  expect(answer).toMatchObject({ features: { seats: { id: 'seats', type: older, name: 'Seats' } } })
})

test('the name of a feature may be any', () => {
  const strange = JSON.parse(
    '{"__proto__": {"id": "f", "plan_id": null, "expires_at": null, "feature_id": "__proto__"}}',
  )
  const answer = { ...CUSTOMER, balances: {}, flags: strange }
  for (const [version, key] of [
    ['2.0', 'balances'],
    ['1.2', 'features'],
  ] as const) {
    expect(Object.keys(Reflect.get(Object(shown(version, 'customer', answer)), key)), version).toEqual(['__proto__'])
  }
})

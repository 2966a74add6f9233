import { test } from 'vitest'
import {
  NOTHING_COUNTED,
  SEATS_HELD,
  SEATS_HELD_AT_1_2,
  SEATS_HELD_AT_2_0,
  SEATS_HELD_AT_2_2,
  SEATS_HELD_AT_2_4,
  SSO_HELD,
  SSO_HELD_AT_2_0,
} from './balances.ts'
import { SEATS, SSO } from './features.ts'
import { expectShown } from './shown.ts'

/** What no version changes. */
const DETAILS = {
  id: 'team',
  name: null,
  customer_id: 'ada',
  feature_id: 'seats',
  created_at: 1795182610523,
  env: 'sandbox',
}

const ENTITY = {
  ...DETAILS,
  subscriptions: [],
  purchases: [],
  balances: { seats: { ...SEATS_HELD, feature: SEATS } },
  flags: { sso: { ...SSO_HELD, feature: SSO } },
  billing_controls: {},
}

const AT_2_4 = {
  ...DETAILS,
  subscriptions: [],
  purchases: [],
  balances: { seats: { ...SEATS_HELD_AT_2_4, feature: SEATS } },
  flags: { sso: { ...SSO_HELD, feature: SSO } },
  billing_controls: {},
}

const AT_2_2 = {
  ...DETAILS,
  subscriptions: [],
  purchases: [],
  balances: { seats: { ...SEATS_HELD_AT_2_2, feature: { ...SEATS, credit_schema: null } } },
  flags: { sso: { ...SSO_HELD, feature: { ...SSO, credit_schema: null, display: null } } },
  billing_controls: {
    auto_topups: null,
    spend_limits: null,
    usage_limits: null,
    usage_alerts: null,
    overage_allowed: null,
  },
  invoices: null,
}

const AT_2_0 = {
  ...DETAILS,
  subscriptions: [],
  scheduled_subscriptions: [],
  balances: {
    seats: { ...SEATS_HELD_AT_2_0, feature: SEATS },
    sso: { ...SSO_HELD_AT_2_0, feature: SSO },
  },
  billing_controls: {},
}

const AT_1_2 = {
  ...DETAILS,
  products: [],
  features: {
    seats: { id: 'seats', type: 'continuous_use', name: 'Seats', ...SEATS_HELD_AT_1_2 },
    sso: { id: 'sso', type: 'static', name: 'SSO', unlimited: false, ...NOTHING_COUNTED },
  },
  billing_controls: {},
}

test('B213, B62, B64, K3.6: an entity', () => {
  expectShown('entity', ENTITY, { '2.4': AT_2_4, '2.2': AT_2_2, '2.0': AT_2_0, '1.2': AT_1_2 })
})

test('B214: several entities that were created at once', () => {
  expectShown(
    'entity',
    { list: [ENTITY, ENTITY] },
    {
      '2.4': { list: [AT_2_4, AT_2_4] },
      '2.2': { list: [AT_2_2, AT_2_2] },
      '2.0': { list: [AT_2_0, AT_2_0] },
      '1.2': { list: [AT_1_2, AT_1_2] },
    },
  )
})

test('B213: invoices that were asked for stay', () => {
  const expected = {
    '2.4': { ...AT_2_4, invoices: [] },
    '2.2': { ...AT_2_2, invoices: [] },
    '2.0': { ...AT_2_0, invoices: [] },
    '1.2': { ...AT_1_2, invoices: [] },
  }
  expectShown('entity', { ...ENTITY, invoices: [] }, expected, { entity_id: 'team', expand: ['invoices'] })
})

test('B223, B209: a page of entities', () => {
  const counts = { total_count: 12, total_filtered_count: 11 }
  const page = { has_more: true, offset: 3, limit: 10, total: 1, ...counts }
  const expected = {
    '2.4': { list: [AT_2_4], next_cursor: 'c', ...counts },
    '2.2': { list: [AT_2_2], ...page },
    '2.0': { list: [AT_2_0], ...page },
    '1.2': { list: [AT_1_2], ...page },
  }
  expectShown('entities', { list: [ENTITY], next_cursor: 'c', ...counts }, expected, { offset: 3 })
})

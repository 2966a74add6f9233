import { expect, test } from 'vitest'
import { amount } from '../../../src/domain/amount.ts'
import type { Version } from '../../../src/http/versions/version.ts'
import { upgradeRequest } from '../../../src/http/versions/versions.ts'
import { MESSAGES, SEATS, SSO } from './features.ts'
import { expectShown, shown } from './shown.ts'

const CREDITS = {
  id: 'credits',
  name: 'Credits',
  type: 'credit_system',
  consumable: true,
  credit_schema: [{ metered_feature_id: 'renders', credit_cost: amount('0.2') }],
  event_names: [],
  archived: false,
}

test('B227, K3.6: a metered feature', () => {
  expectShown('feature', MESSAGES, {
    '2.4': MESSAGES,
    '2.2': { ...MESSAGES, credit_schema: null, display: null },
    '2.0': MESSAGES,
    '1.2': { id: 'messages', name: 'Messages', type: 'single_use', event_names: ['message.sent'], archived: false },
  })
})

test('B227, K3.6: a metered feature that is not consumable', () => {
  expectShown('feature', SEATS, {
    '2.4': SEATS,
    '2.2': { ...SEATS, credit_schema: null },
    '2.0': SEATS,
    '1.2': {
      id: 'seats',
      name: 'Seats',
      type: 'continuous_use',
      event_names: [],
      display: { singular: 'seat', plural: 'seats' },
      archived: true,
    },
  })
})

test('B227, B228: a credit system keeps its schema', () => {
  const credits = { ...CREDITS, credit_schema: [{ metered_feature_id: 'renders', credit_cost: 0.2 }] }
  expectShown('feature', CREDITS, {
    '2.4': credits,
    '2.2': { ...credits, display: null },
    '2.0': credits,
    '1.2': {
      id: 'credits',
      name: 'Credits',
      type: 'credit_system',
      credit_schema: [{ metered_feature_id: 'renders', credit_cost: 0.2 }],
      event_names: [],
      archived: false,
    },
  })
})

test('K trap 10: a cost in tiers is that of the first where tiers are not known', () => {
  const tiers = [
    { to: 10, credit_cost: 0.2 },
    { to: 'inf', credit_cost: 0.1 },
  ]
  const graduated = { metered_feature_id: 'renders', tier_behavior: 'graduated', tiers, billing_units: 5 }
  const feature = { ...CREDITS, credit_schema: [graduated] }
  const flat = { metered_feature_id: 'renders', credit_cost: 0.2, billing_units: 5 }
  expectShown('feature', feature, {
    '2.4': feature,
    '2.2': { ...CREDITS, credit_schema: [flat], display: null },
    '2.0': { ...CREDITS, credit_schema: [flat] },
    '1.2': {
      id: 'credits',
      name: 'Credits',
      type: 'credit_system',
      credit_schema: [flat],
      event_names: [],
      archived: false,
    },
  })
})

test('B227, K3.6: a list of features', () => {
  expectShown(
    'features',
    { list: [SSO, MESSAGES] },
    {
      '2.4': { list: [SSO, MESSAGES] },
      '2.2': {
        list: [
          { ...SSO, credit_schema: null, display: null },
          { ...MESSAGES, credit_schema: null, display: null },
        ],
      },
      '2.0': { list: [SSO, MESSAGES] },
      '1.2': {
        list: [
          { id: 'sso', name: 'SSO', type: 'static', event_names: [], archived: false },
          { id: 'messages', name: 'Messages', type: 'single_use', event_names: ['message.sent'], archived: false },
        ],
      },
    },
  )
})

test.each([
  ['static', { type: 'boolean' }],
  ['boolean', { type: 'boolean' }],
  ['single_use', { type: 'metered', consumable: true }],
  ['continuous_use', { type: 'metered', consumable: false }],
  ['credit_system', { type: 'credit_system' }],
  ['constructor', { type: 'constructor' }],
])('B227: up to beta the type %s is %o', (type, newest) => {
  for (const operation of ['features.create', 'features.update']) {
    const body = { feature_id: 'messages', type }
    for (const version of ['1.2', 'beta'] as const) {
      expect(upgradeRequest(version, operation, body)).toStrictEqual({ body: { feature_id: 'messages', ...newest } })
    }
    for (const version of ['2.0', '2.4'] as const) {
      expect(upgradeRequest(version, operation, body)).toStrictEqual({ body })
    }
  }
})

test('B227: a type that is not given stays away', () => {
  const body = { feature_id: 'messages', name: 'Letters' }
  expect(upgradeRequest('1.2', 'features.update', body)).toStrictEqual({ body })
})

test.each<Version>(['1.2', 'beta', '2.0', '2.1', '2.2', '2.3', '2.4'])(
  'at %s the other answers are the same',
  (version) => {
    const answer = { success: true, balance: null, flags: { sso: null }, purchases: [] }
    expect(shown(version, 'success', answer)).toStrictEqual(answer)
    expect(shown(version, 'other', answer)).toStrictEqual(answer)
  },
)

import { expect, test } from 'vitest'
import { amount } from '../../../src/domain/amount.ts'
import { SEATS_HELD, SEATS_HELD_AT_2_0, SEATS_HELD_AT_2_2, SEATS_HELD_AT_2_4 } from './balances.ts'
import { expectShown, shown } from './shown.ts'

const DEDUCTION = { balance_id: 'cus_ent_1', feature_id: 'seats', plan_id: null, reset: null }

test('R60, R61, R62: a use of one balance', () => {
  const answer = {
    customer_id: 'ada',
    value: amount('1.5'),
    balance: SEATS_HELD,
    deductions: [{ ...DEDUCTION, value: amount('1.5') }],
  }
  const deductions = [{ ...DEDUCTION, value: 1.5 }]
  expectShown('track', answer, {
    '2.4': { customer_id: 'ada', value: 1.5, balance: SEATS_HELD_AT_2_4, deductions },
    '2.2': {
      customer_id: 'ada',
      entity_id: null,
      event_name: null,
      value: 1.5,
      balance: SEATS_HELD_AT_2_2,
      balances: null,
      deductions,
    },
    '2.0': { customer_id: 'ada', value: 1.5, balance: SEATS_HELD_AT_2_0 },
    '1.2': { id: 'placeholder', code: 'event_received', customer_id: 'ada', feature_id: 'seats' },
  })
})

test('R61, R63, trap 12: an event of an entity that several features count', () => {
  const named = { customer_id: 'ada', entity_id: 'team', event_name: 'user.added' }
  const answer = {
    ...named,
    value: amount(1),
    balance: null,
    balances: { vault: null, seats: SEATS_HELD, credits: { ...SEATS_HELD, feature_id: 'credits' } },
    deductions: [],
  }
  expectShown('track', answer, {
    '2.4': {
      ...named,
      value: 1,
      balance: null,
      balances: { vault: null, seats: SEATS_HELD_AT_2_4, credits: { ...SEATS_HELD_AT_2_4, feature_id: 'credits' } },
      deductions: [],
    },
    '2.2': {
      ...named,
      value: 1,
      balance: null,
      balances: { seats: SEATS_HELD_AT_2_2, credits: { ...SEATS_HELD_AT_2_2, feature_id: 'credits' } },
      deductions: [],
    },
    '2.0': {
      ...named,
      value: 1,
      balance: null,
      balances: { seats: SEATS_HELD_AT_2_0, credits: { ...SEATS_HELD_AT_2_0, feature_id: 'credits' } },
    },
    '1.2': { id: 'placeholder', code: 'event_received', ...named, feature_id: 'seats' },
  })
})

test('R66, recorded steps 344, 348: a use of what is not held', () => {
  const answer = { customer_id: 'stack', value: amount(1), balance: null, deductions: [] }
  const expected = {
    '2.4': { customer_id: 'stack', value: 1, balance: null, deductions: [] },
    '2.2': {
      customer_id: 'stack',
      entity_id: null,
      event_name: null,
      value: 1,
      balance: null,
      balances: null,
      deductions: [],
    },
    '2.0': { customer_id: 'stack', value: 1, balance: null },
    '1.2': { id: 'placeholder', code: 'event_received', customer_id: 'stack', feature_id: 'messages' },
  }
  expectShown('track', answer, expected, { customer_id: 'stack', feature_id: 'messages', value: 1 })
})

test('R61: without any balance the feature is the event that was asked for', () => {
  const answer = { customer_id: 'ada', event_name: 'user.added', value: amount(1), balance: null, deductions: [] }
  expect(shown('beta', 'track', answer, { customer_id: 'ada', event_name: 'user.added' })).toStrictEqual({
    id: 'placeholder',
    code: 'event_received',
    customer_id: 'ada',
    event_name: 'user.added',
    feature_id: 'user.added',
  })
})

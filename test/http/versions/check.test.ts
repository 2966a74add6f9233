import { expect, test } from 'vitest'
import { amount } from '../../../src/domain/amount.ts'
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
import { MESSAGES, SEATS, SSO } from './features.ts'
import { expectShown, shown } from './shown.ts'

const DENIED = { allowed: false, customer_id: 'ada', required_balance: 1 }

test('R27, R29, B60, B61, B64: a balance in debt, with rollovers and different intervals', () => {
  const answer = { ...DENIED, required_balance: amount(1), balance: OVERDRAWN, flag: null }
  expectShown('check', answer, {
    '2.4': { ...DENIED, balance: OVERDRAWN_AT_2_4, flag: null },
    '2.2': { ...DENIED, entity_id: null, balance: OVERDRAWN_AT_2_2, balances: null, flag: null, preview: null },
    '2.0': { ...DENIED, balance: OVERDRAWN_AT_2_0 },
    '1.2': { ...DENIED, code: 'feature_found', feature_id: 'messages', ...OVERDRAWN_AT_1_2 },
  })
})

test('R17, B64: a balance that never resets', () => {
  const allowed = { allowed: true, customer_id: 'ada', entity_id: 'team', required_balance: 0.5 }
  const answer = { ...allowed, required_balance: amount('0.5'), balance: SEATS_HELD, flag: null }
  expectShown('check', answer, {
    '2.4': { ...allowed, balance: SEATS_HELD_AT_2_4, flag: null },
    '2.2': { ...allowed, balance: SEATS_HELD_AT_2_2, balances: null, flag: null, preview: null },
    '2.0': { ...allowed, balance: SEATS_HELD_AT_2_0 },
    '1.2': { ...allowed, code: 'feature_found', feature_id: 'seats', ...SEATS_HELD_AT_1_2 },
  })
})

test('R24, R25, R26: a boolean feature that is held', () => {
  const allowed = { allowed: true, customer_id: 'ada', required_balance: 1 }
  const sso = { id: 'sso', name: 'SSO', type: 'boolean', consumable: false, event_names: [], archived: false }
  const answer = { ...allowed, balance: null, flag: { ...SSO_HELD, plan_id: 'studio', feature: SSO } }
  const [line] = SSO_HELD_AT_2_0.breakdown
  expectShown('check', answer, {
    '2.4': { ...allowed, balance: null, flag: { ...SSO_HELD, plan_id: 'studio', feature: sso } },
    '2.2': {
      ...allowed,
      entity_id: null,
      balance: null,
      balances: null,
      flag: { ...SSO_HELD, plan_id: 'studio', feature: { ...sso, credit_schema: null, display: null } },
      preview: null,
    },
    '2.0': {
      ...allowed,
      balance: { ...SSO_HELD_AT_2_0, feature: sso, plan_id: 'studio', breakdown: [{ ...line, plan_id: 'studio' }] },
    },
    '1.2': { ...allowed, code: 'feature_found', feature_id: 'sso', unlimited: false, ...NOTHING_COUNTED },
  })
})

test('R29, R33: nothing is held, so there is nothing to say of it but what was asked', () => {
  const answer = { ...DENIED, balance: null, flag: null }
  const expected = {
    '2.4': answer,
    '2.2': { ...DENIED, entity_id: null, balance: null, balances: null, flag: null, preview: null },
    '2.0': { ...DENIED, balance: null },
    '1.2': { ...DENIED, code: 'feature_found', feature_id: 'messages' },
  }
  expectShown('check', answer, expected, { customer_id: 'ada', feature_id: 'messages' })
})

test('R18, R25: the use of an unlimited feature is visible from 2.0 on', () => {
  const line = { id: 'u', plan_id: 'studio', included_grant: 0, prepaid_grant: 0, remaining: 0, usage: 42 }
  const line24 = { ...line, unlimited: true, reset: null, price: null, expires_at: null }
  const counts = { granted: 0, remaining: 0, usage: 42, unlimited: true, overage_allowed: false, max_purchase: null }
  const balance = { object: 'balance', feature_id: 'messages', feature: MESSAGES, ...counts, next_reset_at: null }
  const allowed = { allowed: true, customer_id: 'ada', required_balance: 1 }
  const answer = {
    ...allowed,
    balance: { ...balance, usage: amount(42), breakdown: [{ ...line24, usage: amount(42) }] },
    flag: null,
  }
  expectShown('check', answer, {
    '2.4': { ...allowed, balance: { ...balance, breakdown: [line24] }, flag: null },
    '2.2': {
      ...allowed,
      entity_id: null,
      balance: {
        ...balance,
        feature: { ...MESSAGES, credit_schema: null, display: null },
        breakdown: [line24],
        rollovers: null,
      },
      balances: null,
      flag: null,
      preview: null,
    },
    '2.0': {
      ...allowed,
      balance: {
        feature_id: 'messages',
        feature: MESSAGES,
        unlimited: true,
        granted_balance: 0,
        purchased_balance: 0,
        current_balance: 0,
        usage: 42,
        overage_allowed: false,
        max_purchase: null,
        reset: null,
        plan_id: 'studio',
        breakdown: [
          {
            id: 'u',
            plan_id: 'studio',
            granted_balance: 0,
            purchased_balance: 0,
            current_balance: 0,
            usage: 42,
            overage_allowed: false,
            max_purchase: null,
            reset: null,
            prepaid_quantity: 0,
            expires_at: null,
          },
        ],
      },
    },
    '1.2': { ...allowed, code: 'feature_found', feature_id: 'messages', unlimited: true, ...NOTHING_COUNTED },
  })
})

test('R28, R29: a credit system that answers for its member names itself and its costs', () => {
  const schema = [{ metered_feature_id: 'renders', credit_cost: amount('0.2') }]
  const credits = { id: 'credits', name: 'Credits', type: 'credit_system', consumable: true, credit_schema: schema }
  const answer = {
    allowed: true,
    customer_id: 'ada',
    required_balance: amount('0.8'),
    balance: { ...SEATS_HELD, feature_id: 'credits', feature: credits },
    flag: null,
  }
  expect(shown('1.2', 'check', answer, { customer_id: 'ada', feature_id: 'renders' })).toStrictEqual({
    allowed: true,
    code: 'feature_found',
    customer_id: 'ada',
    feature_id: 'credits',
    required_balance: 0.8,
    ...SEATS_HELD_AT_1_2,
    credit_schema: [{ feature_id: 'renders', credit_amount: 0.2 }],
  })
  // R25: also where nothing is counted of it.
  const unlimited = { ...answer, balance: { ...answer.balance, unlimited: true } }
  expect(shown('1.2', 'check', unlimited)).toStrictEqual({
    allowed: true,
    code: 'feature_found',
    customer_id: 'ada',
    feature_id: 'credits',
    required_balance: 0.8,
    unlimited: true,
    ...NOTHING_COUNTED,
    credit_schema: [{ feature_id: 'renders', credit_amount: 0.2 }],
  })
})

test('R46, trap 12: a check that uses at once says what else it drew on, except at 1.2', () => {
  const answer = {
    allowed: true,
    customer_id: 'ada',
    required_balance: amount(1),
    balance: { ...SEATS_HELD, feature: SEATS },
    balances: { seats: SEATS_HELD, credits: null },
    flag: null,
  }
  const allowed = { allowed: true, customer_id: 'ada', required_balance: 1 }
  expectShown('check', answer, {
    '2.4': {
      ...allowed,
      balance: { ...SEATS_HELD_AT_2_4, feature: SEATS },
      balances: { seats: SEATS_HELD_AT_2_4, credits: null },
      flag: null,
    },
    '2.2': {
      ...allowed,
      entity_id: null,
      balance: { ...SEATS_HELD_AT_2_2, feature: { ...SEATS, credit_schema: null } },
      balances: { seats: SEATS_HELD_AT_2_2 },
      flag: null,
      preview: null,
    },
    '2.0': {
      ...allowed,
      balance: { ...SEATS_HELD_AT_2_0, feature: SEATS },
      balances: { seats: SEATS_HELD_AT_2_0 },
    },
    '1.2': { ...allowed, code: 'feature_found', feature_id: 'seats', ...SEATS_HELD_AT_1_2 },
  })
})

test.each([
  ['null where access is allowed', null],
  ['an object where it is denied', { scenario: 'feature_flag', products: [] }],
])('R27, R55: a preview that was asked for is %s', (_title, preview) => {
  const body = { customer_id: 'ada', feature_id: 'messages', with_preview: true }
  const answer = { ...DENIED, balance: null, flag: null, preview }
  const expected = {
    '2.4': answer,
    '2.2': { ...DENIED, entity_id: null, balance: null, balances: null, flag: null, preview },
    '2.0': { ...DENIED, balance: null, preview },
    '1.2': { ...DENIED, code: 'feature_found', feature_id: 'messages', preview },
  }
  expectShown('check', answer, expected, body)
})

const RECORDED = ['day', 'month', 'year', 'one_off', 'one_off']
const RESETS = [1795269010828, 1797774610759, 1826718610688, null, null]
const NAMES = ['b_day', 'b_month', 'b_year', 'b_exp', 'b_life']
const EXPIRY = [null, null, null, 1795269010854, null]

/** The balance behind the recorded steps 345 to 347. */
const STACK = {
  object: 'balance',
  feature_id: 'messages',
  granted: amount(50),
  remaining: amount(0),
  usage: amount(50),
  unlimited: false,
  overage_allowed: false,
  max_purchase: null,
  next_reset_at: 1795269010828,
  breakdown: RECORDED.map((interval, i) => ({
    id: NAMES[i],
    plan_id: null,
    included_grant: amount(10),
    prepaid_grant: 0,
    remaining: amount(0),
    usage: amount(10),
    unlimited: false,
    reset: { interval, resets_at: RESETS[i] },
    price: null,
    expires_at: EXPIRY[i],
  })),
}

test('recorded step 345: a stack of balances at 2.0', () => {
  const answer = { allowed: false, customer_id: 'stack', required_balance: amount(1), balance: STACK, flag: null }
  expect(shown('2.0', 'check', answer)).toStrictEqual(
    JSON.parse(
      '{"allowed":false,"customer_id":"stack","required_balance":1,"balance":{"feature_id":"messages","unlimited":false,"granted_balance":50,"purchased_balance":0,"current_balance":0,"usage":50,"overage_allowed":false,"max_purchase":null,"reset":{"interval":"multiple","resets_at":null},"plan_id":null,"breakdown":[{"id":"b_day","plan_id":null,"granted_balance":10,"purchased_balance":0,"current_balance":0,"usage":10,"overage_allowed":false,"max_purchase":null,"reset":{"interval":"day","resets_at":1795269010828},"prepaid_quantity":0,"expires_at":null},{"id":"b_month","plan_id":null,"granted_balance":10,"purchased_balance":0,"current_balance":0,"usage":10,"overage_allowed":false,"max_purchase":null,"reset":{"interval":"month","resets_at":1797774610759},"prepaid_quantity":0,"expires_at":null},{"id":"b_year","plan_id":null,"granted_balance":10,"purchased_balance":0,"current_balance":0,"usage":10,"overage_allowed":false,"max_purchase":null,"reset":{"interval":"year","resets_at":1826718610688},"prepaid_quantity":0,"expires_at":null},{"id":"b_exp","plan_id":null,"granted_balance":10,"purchased_balance":0,"current_balance":0,"usage":10,"overage_allowed":false,"max_purchase":null,"reset":{"interval":"one_off","resets_at":null},"prepaid_quantity":0,"expires_at":1795269010854},{"id":"b_life","plan_id":null,"granted_balance":10,"purchased_balance":0,"current_balance":0,"usage":10,"overage_allowed":false,"max_purchase":null,"reset":{"interval":"one_off","resets_at":null},"prepaid_quantity":0,"expires_at":null}]}}',
    ),
  )
})

test('recorded step 347: a stack of balances at 1.2', () => {
  const balance = { ...STACK, feature: MESSAGES }
  const answer = { allowed: false, customer_id: 'stack', required_balance: amount(1), balance, flag: null }
  expect(shown('1.2', 'check', answer)).toStrictEqual(
    JSON.parse(
      '{"allowed":false,"code":"feature_found","customer_id":"stack","feature_id":"messages","required_balance":1,"interval":"multiple","interval_count":null,"unlimited":false,"balance":0,"usage":50,"included_usage":50,"next_reset_at":null,"overage_allowed":false,"breakdown":[{"interval":"day","interval_count":1,"balance":0,"usage":10,"included_usage":10,"next_reset_at":1795269010828,"expires_at":null,"overage_allowed":false},{"interval":"month","interval_count":1,"balance":0,"usage":10,"included_usage":10,"next_reset_at":1797774610759,"expires_at":null,"overage_allowed":false},{"interval":"year","interval_count":1,"balance":0,"usage":10,"included_usage":10,"next_reset_at":1826718610688,"expires_at":null,"overage_allowed":false},{"interval":"lifetime","interval_count":1,"balance":0,"usage":10,"included_usage":10,"next_reset_at":null,"expires_at":1795269010854,"overage_allowed":false},{"interval":"lifetime","interval_count":1,"balance":0,"usage":10,"included_usage":10,"next_reset_at":null,"expires_at":null,"overage_allowed":false}]}',
    ),
  )
})

/** A month of a plan: 100 included and 20 bought in advance, and 10 more of which 5 may be exceeded for money, 3 are. */
const PAID = {
  object: 'balance',
  feature_id: 'messages',
  feature: MESSAGES,
  granted: amount(130),
  remaining: amount(7),
  usage: amount(126),
  unlimited: false,
  overage_allowed: true,
  max_purchase: amount(5),
  next_reset_at: 1795269010828,
  breakdown: [
    {
      id: 'prepaid',
      plan_id: 'studio',
      included_grant: amount(100),
      // An amount may also be a plain number.
      prepaid_grant: 20,
      remaining: amount(7),
      usage: amount(113),
      unlimited: false,
      reset: { interval: 'month', resets_at: 1797774610759 },
      price: { amount: amount(1), billing_units: 10, billing_method: 'prepaid', max_purchase: null },
      expires_at: null,
    },
    {
      id: 'metered',
      plan_id: 'studio',
      included_grant: amount(10),
      prepaid_grant: 0,
      remaining: amount(0),
      usage: amount(13),
      unlimited: false,
      reset: { interval: 'month', interval_count: 3, resets_at: 1795269010828 },
      price: { amount: amount(1), billing_units: 1, billing_method: 'usage_based', max_purchase: amount(5) },
      expires_at: null,
    },
  ],
}
const paid = { allowed: true, customer_id: 'ada', required_balance: 1 }

test('K3.4: at 2.1 and 2.2 a price has an amount and tiers, null where it is the other', () => {
  const tiers = [
    { to: 150, amount: 0.5 },
    { to: 'inf', amount: 0.25, flat_amount: 3 },
  ]
  const [first, second] = PAID.breakdown
  const price = { tiers, tier_behavior: 'volume', billing_units: 1, billing_method: 'prepaid', max_purchase: null }
  const balance = { ...PAID, breakdown: [{ ...first, price }, { ...second }] }
  expect(shown('2.2', 'check', { ...paid, balance, flag: null })).toMatchObject({
    balance: {
      breakdown: [
        { price: { ...price, amount: null } },
        {
          price: {
            amount: 1,
            tiers: null,
            tier_behavior: null,
            billing_units: 1,
            billing_method: 'usage_based',
            max_purchase: 5,
          },
        },
      ],
    },
  })
  expect(shown('2.3', 'check', { ...paid, balance, flag: null })).toMatchObject({
    balance: { breakdown: [{ price }, {}] },
  })
})

test('B60, B61: what is bought in advance, and overage that is paid for, are purchases at 2.0', () => {
  expect(shown('2.0', 'check', { ...paid, balance: PAID, flag: null })).toStrictEqual({
    ...paid,
    balance: {
      feature_id: 'messages',
      feature: MESSAGES,
      unlimited: false,
      granted_balance: 110,
      purchased_balance: 23,
      current_balance: 7,
      usage: 126,
      overage_allowed: true,
      max_purchase: 5,
      reset: { interval: 'month', resets_at: 1795269010828 },
      plan_id: 'studio',
      breakdown: [
        {
          id: 'prepaid',
          plan_id: 'studio',
          granted_balance: 100,
          purchased_balance: 20,
          current_balance: 7,
          usage: 113,
          overage_allowed: false,
          max_purchase: null,
          reset: { interval: 'month', resets_at: 1797774610759 },
          prepaid_quantity: 20,
          expires_at: null,
        },
        {
          id: 'metered',
          plan_id: 'studio',
          granted_balance: 10,
          purchased_balance: 3,
          current_balance: 0,
          usage: 13,
          overage_allowed: true,
          max_purchase: 5,
          reset: { interval: 'month', interval_count: 3, resets_at: 1795269010828 },
          prepaid_quantity: 0,
          expires_at: null,
        },
      ],
    },
  })
})

test('B64: at 1.2 overage makes a balance negative, and its limit includes what is granted', () => {
  expect(shown('1.2', 'check', { ...paid, balance: PAID, flag: null })).toStrictEqual({
    ...paid,
    code: 'feature_found',
    feature_id: 'messages',
    interval: 'month',
    interval_count: 1,
    unlimited: false,
    balance: 4,
    usage: 126,
    included_usage: 130,
    next_reset_at: 1795269010828,
    overage_allowed: false,
    usage_limit: 135,
    breakdown: [
      {
        interval: 'month',
        interval_count: 1,
        balance: 7,
        usage: 113,
        included_usage: 120,
        next_reset_at: 1797774610759,
        expires_at: null,
        overage_allowed: false,
      },
      {
        interval: 'month',
        interval_count: 3,
        balance: -3,
        usage: 13,
        included_usage: 10,
        next_reset_at: 1795269010828,
        expires_at: null,
        overage_allowed: false,
        usage_limit: 15,
      },
    ],
  })
})

test.each([
  ['unlimited', null, true, undefined],
  ['zero', amount(0), false, undefined],
  ['two', amount(2), false, 132],
])('B64: where the most that may be bought is %s', (_title, max_purchase, overage_allowed, usage_limit) => {
  const answer = shown('beta', 'check', { ...paid, balance: { ...PAID, max_purchase }, flag: null })
  expect(answer).toMatchObject({ overage_allowed, included_usage: 130 })
  expect(Reflect.get(Object(answer), 'usage_limit')).toBe(usage_limit)
})

test.each([
  ['one plan', ['studio', 'studio'], 'studio'],
  ['two plans', ['studio', 'team'], null],
  ['a plan and a gift', ['studio', null], null],
  ['a gift', [null], null],
  ['nothing', [], null],
])('B60: the plan of %s', (_title, plans, plan_id) => {
  const [line] = SEATS_HELD.breakdown
  const balance = { ...SEATS_HELD, breakdown: plans.map((plan) => ({ ...line, plan_id: plan })) }
  expect(shown('2.0', 'check', { ...paid, balance, flag: null })).toMatchObject({ balance: { plan_id } })
})

test('B61, B39: a line in credit has no overage, and a line without a reset does not count as an interval', () => {
  const [line] = SEATS_HELD.breakdown
  const balance = {
    ...SEATS_HELD,
    next_reset_at: 5,
    breakdown: [
      { ...line, remaining: amount(2), usage: amount(-4) },
      { ...line, reset: { interval: 'week', resets_at: 6 } },
      { ...line, reset: { interval: 'week', interval_count: 2, resets_at: 5 } },
    ],
  }
  expect(shown('2.0', 'check', { ...paid, balance, flag: null })).toMatchObject({
    balance: { purchased_balance: 0, reset: { interval: 'week', resets_at: 5 } },
  })
})

test('S40: amounts stay exact', () => {
  const [line] = SEATS_HELD.breakdown
  const balance = {
    ...SEATS_HELD,
    breakdown: [{ ...line, included_grant: amount('0.1'), remaining: 0, usage: amount('0.300000000001') }],
    granted: amount('0.1'),
    remaining: 0,
    usage: amount('0.300000000001'),
  }
  expect(shown('1.2', 'check', { ...paid, balance, flag: null })).toMatchObject({
    included_usage: 0.1,
    balance: -0.200000000001,
    usage: 0.300000000001,
  })
})

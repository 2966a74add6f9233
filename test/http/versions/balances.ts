import { amount } from '../../../src/domain/amount.ts'
import { MESSAGES } from './features.ts'

// Balances in the newest shape, each with the forms that older versions give it, all written by hand.

/** Ten every two days and ten from a gift, both overdrawn; what rolled over is used up. */
export const OVERDRAWN = {
  object: 'balance',
  feature_id: 'messages',
  feature: MESSAGES,
  granted: amount(25),
  remaining: amount(0),
  usage: amount('27.5'),
  unlimited: false,
  overage_allowed: false,
  max_purchase: null,
  next_reset_at: 1795269010828,
  breakdown: [
    {
      id: 'b_day',
      plan_id: null,
      included_grant: amount(10),
      prepaid_grant: 0,
      remaining: amount(0),
      usage: amount('12.5'),
      unlimited: false,
      reset: { interval: 'day', interval_count: 2, resets_at: 1795269010828 },
      price: null,
      expires_at: null,
    },
    {
      id: 'gift',
      plan_id: null,
      included_grant: amount(10),
      prepaid_grant: 0,
      remaining: amount(0),
      usage: amount(10),
      unlimited: false,
      reset: { interval: 'one_off', resets_at: null },
      price: null,
      expires_at: 1795269010854,
    },
  ],
  rollovers: [{ granted: amount(5), balance: amount(0), expires_at: 1797774610759 }],
}

export const OVERDRAWN_AT_2_4 = {
  object: 'balance',
  feature_id: 'messages',
  feature: MESSAGES,
  granted: 25,
  remaining: 0,
  usage: 27.5,
  unlimited: false,
  overage_allowed: false,
  max_purchase: null,
  next_reset_at: 1795269010828,
  breakdown: [
    {
      id: 'b_day',
      plan_id: null,
      included_grant: 10,
      prepaid_grant: 0,
      remaining: 0,
      usage: 12.5,
      unlimited: false,
      reset: { interval: 'day', interval_count: 2, resets_at: 1795269010828 },
      price: null,
      expires_at: null,
    },
    {
      id: 'gift',
      plan_id: null,
      included_grant: 10,
      prepaid_grant: 0,
      remaining: 0,
      usage: 10,
      unlimited: false,
      reset: { interval: 'one_off', resets_at: null },
      price: null,
      expires_at: 1795269010854,
    },
  ],
  rollovers: [{ granted: 5, balance: 0, expires_at: 1797774610759 }],
}

export const OVERDRAWN_AT_2_2 = {
  object: 'balance',
  feature_id: 'messages',
  feature: {
    id: 'messages',
    name: 'Messages',
    type: 'metered',
    consumable: true,
    event_names: ['message.sent'],
    credit_schema: null,
    display: null,
    archived: false,
  },
  granted: 25,
  remaining: 0,
  usage: 27.5,
  unlimited: false,
  overage_allowed: false,
  max_purchase: null,
  next_reset_at: 1795269010828,
  breakdown: [
    {
      id: 'b_day',
      plan_id: null,
      included_grant: 10,
      prepaid_grant: 0,
      remaining: 0,
      usage: 12.5,
      unlimited: false,
      reset: { interval: 'day', interval_count: 2, resets_at: 1795269010828 },
      price: null,
      expires_at: null,
    },
    {
      id: 'gift',
      plan_id: null,
      included_grant: 10,
      prepaid_grant: 0,
      remaining: 0,
      usage: 10,
      unlimited: false,
      reset: { interval: 'one_off', interval_count: null, resets_at: null },
      price: null,
      expires_at: 1795269010854,
    },
  ],
  rollovers: [{ granted: 5, balance: 0, expires_at: 1797774610759 }],
}

export const OVERDRAWN_AT_2_0 = {
  feature_id: 'messages',
  feature: MESSAGES,
  unlimited: false,
  granted_balance: 25,
  purchased_balance: 2.5,
  current_balance: 0,
  usage: 27.5,
  overage_allowed: false,
  max_purchase: null,
  reset: { interval: 'multiple', resets_at: null },
  plan_id: null,
  breakdown: [
    {
      id: 'b_day',
      plan_id: null,
      granted_balance: 10,
      purchased_balance: 2.5,
      current_balance: 0,
      usage: 12.5,
      overage_allowed: false,
      max_purchase: null,
      reset: { interval: 'day', interval_count: 2, resets_at: 1795269010828 },
      prepaid_quantity: 0,
      expires_at: null,
    },
    {
      id: 'gift',
      plan_id: null,
      granted_balance: 10,
      purchased_balance: 0,
      current_balance: 0,
      usage: 10,
      overage_allowed: false,
      max_purchase: null,
      reset: { interval: 'one_off', resets_at: null },
      prepaid_quantity: 0,
      expires_at: 1795269010854,
    },
  ],
  rollovers: [{ granted: 5, balance: 0, expires_at: 1797774610759 }],
}

/** What an answer of 1.2 says of it: the debt makes the balance negative, though not that of the line. */
export const OVERDRAWN_AT_1_2 = {
  interval: 'multiple',
  interval_count: null,
  unlimited: false,
  balance: -2.5,
  usage: 27.5,
  included_usage: 25,
  next_reset_at: null,
  overage_allowed: false,
  breakdown: [
    {
      interval: 'day',
      interval_count: 2,
      balance: 0,
      usage: 12.5,
      included_usage: 10,
      next_reset_at: 1795269010828,
      expires_at: null,
      overage_allowed: false,
    },
    {
      interval: 'lifetime',
      interval_count: 1,
      balance: 0,
      usage: 10,
      included_usage: 10,
      next_reset_at: null,
      expires_at: 1795269010854,
      overage_allowed: false,
    },
  ],
  rollovers: [{ balance: 0, expires_at: 1797774610759 }],
}

/** Three seats for good, one of them taken. Nothing is expanded. */
export const SEATS_HELD = {
  object: 'balance',
  feature_id: 'seats',
  granted: amount(3),
  remaining: amount(2),
  usage: amount(1),
  unlimited: false,
  overage_allowed: false,
  max_purchase: null,
  next_reset_at: null,
  breakdown: [
    {
      id: 'seats_1',
      plan_id: null,
      included_grant: amount(3),
      prepaid_grant: 0,
      remaining: amount(2),
      usage: amount(1),
      unlimited: false,
      reset: null,
      price: null,
      expires_at: null,
    },
  ],
}

export const SEATS_HELD_AT_2_4 = {
  object: 'balance',
  feature_id: 'seats',
  granted: 3,
  remaining: 2,
  usage: 1,
  unlimited: false,
  overage_allowed: false,
  max_purchase: null,
  next_reset_at: null,
  breakdown: [
    {
      id: 'seats_1',
      plan_id: null,
      included_grant: 3,
      prepaid_grant: 0,
      remaining: 2,
      usage: 1,
      unlimited: false,
      reset: null,
      price: null,
      expires_at: null,
    },
  ],
}

export const SEATS_HELD_AT_2_2 = { ...SEATS_HELD_AT_2_4, feature: null, rollovers: null }

export const SEATS_HELD_AT_2_0 = {
  feature_id: 'seats',
  unlimited: false,
  granted_balance: 3,
  purchased_balance: 0,
  current_balance: 2,
  usage: 1,
  overage_allowed: false,
  max_purchase: null,
  reset: null,
  plan_id: null,
  breakdown: [
    {
      id: 'seats_1',
      plan_id: null,
      granted_balance: 3,
      purchased_balance: 0,
      current_balance: 2,
      usage: 1,
      overage_allowed: false,
      max_purchase: null,
      reset: null,
      prepaid_quantity: 0,
      expires_at: null,
    },
  ],
}

export const SEATS_HELD_AT_1_2 = {
  interval: null,
  interval_count: 1,
  unlimited: false,
  balance: 2,
  usage: 1,
  included_usage: 3,
  next_reset_at: null,
  overage_allowed: false,
  breakdown: [
    {
      interval: null,
      interval_count: 1,
      balance: 2,
      usage: 1,
      included_usage: 3,
      next_reset_at: null,
      expires_at: null,
      overage_allowed: false,
    },
  ],
}

export const SSO_HELD = { id: 'cus_ent_7', plan_id: null, expires_at: 1795269010854, feature_id: 'sso' }

/** What a held flag is at 2.0. */
export const SSO_HELD_AT_2_0 = {
  feature_id: 'sso',
  unlimited: false,
  granted_balance: 0,
  purchased_balance: 0,
  current_balance: 0,
  usage: 0,
  overage_allowed: false,
  max_purchase: null,
  reset: null,
  plan_id: null,
  breakdown: [
    {
      id: 'cus_ent_7',
      plan_id: null,
      granted_balance: 0,
      purchased_balance: 0,
      current_balance: 0,
      usage: 0,
      overage_allowed: false,
      max_purchase: null,
      reset: null,
      prepaid_quantity: 0,
      expires_at: 1795269010854,
    },
  ],
}

/** What 1.2 says of a feature of which nothing is counted. */
export const NOTHING_COUNTED = {
  interval: null,
  interval_count: null,
  balance: 0,
  usage: 0,
  included_usage: 0,
  next_reset_at: null,
  overage_allowed: false,
}

import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance, feature, itemPrice } from '../../../test/build.ts'
import { amount } from '../../domain/amount.ts'
import type { PriceTier } from '../../domain/item-price.ts'
import { summarise } from '../../domain/summary.ts'
import { writeJson } from '../json.ts'
import { balanceToWire, deductionsToWire } from './balance.ts'

const messages = feature('messages')

/** The balance object, as JSON. */
function shown(...held: BalanceSketch[]) {
  const summary = summarise(messages, held.map(balance))
  return summary === null ? null : JSON.parse(writeJson(balanceToWire(summary, null)))
}

const tier = (to: string | null, cost: string, flat: string | null = null): PriceTier => ({
  to: to === null ? null : amount(to),
  amount: amount(cost),
  flatAmount: flat === null ? null : amount(flat),
})

describe('a balance that comes from a plan (B28, B30)', () => {
  test('tells its plan, what was bought in advance and its price', () => {
    const price = { units: amount('100'), tiers: [tier(null, '10')] }
    expect(shown({ granted: '300', left: '270', plan: 'pack', prepaid: '200', max: '1000', price })).toMatchObject({
      granted: 300,
      remaining: 270,
      usage: 30,
      overage_allowed: false,
      max_purchase: 1000,
      breakdown: [
        {
          plan_id: 'pack',
          included_grant: 100,
          prepaid_grant: 200,
          remaining: 270,
          usage: 30,
          price: { amount: 10, billing_units: 100, billing_method: 'prepaid', max_purchase: 1000 },
        },
      ],
    })
  })

  test('in debt shows nothing left, and that more may be used (B40, B41)', () => {
    expect(shown({ granted: '100', left: '-30', method: 'usage_based' })).toMatchObject({
      ...{ granted: 100, remaining: 0, usage: 130, overage_allowed: true, max_purchase: null },
      breakdown: [
        { remaining: 0, usage: 130, price: { amount: 1, billing_method: 'usage_based', max_purchase: null } },
      ],
    })
  })

  test('a free one has no price', () => {
    expect(shown({ plan: 'free' }).breakdown).toMatchObject([{ plan_id: 'free', prepaid_grant: 0, price: null }])
  })

  test('marks of tiers count what is included, the last has no end', () => {
    const tiers = [tier('500', '0.1'), tier('1000.5', '0.05', '7'), tier(null, '0')]
    const [line] = shown({
      granted: '100',
      price: itemPrice(1, { method: 'usage_based', tiers, behavior: 'volume' }),
    }).breakdown
    expect(line.price).toEqual({
      tiers: [
        { to: 600, amount: 0.1 },
        { to: 1100.5, amount: 0.05, flat_amount: 7 },
        { to: 'inf', amount: 0 },
      ],
      tier_behavior: 'volume',
      billing_units: 1,
      billing_method: 'usage_based',
      max_purchase: null,
    })
  })
})

test('what was taken tells the plan it was taken from (R62)', () => {
  const price = { cost: amount('1'), per: amount('1') }
  const line = { balanceUid: 'cus_ent_1', featureId: 'messages', planId: 'pro', reset: null, price, metered: null }
  expect(deductionsToWire([{ ...line, amount: amount('3') }])).toMatchObject([{ plan_id: 'pro', value: amount('3') }])
})

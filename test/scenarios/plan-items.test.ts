import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { World } from '../world.ts'
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

describe('in a plan', () => {
  let world: World
  beforeAll(async () => {
    world = (await Story.begin()).world
  })
  afterAll(async () => {
    await world.close()
    expect(world.faults).toEqual([])
  })

  function code(body: Body) {
    const plan_id = `i${++serial}`
    return codeOf(world, 'plans.create', { plan_id, name: plan_id, ...body })
  }

  describe('an item', () => {
    test.each<[string, Body, string]>([
      ['C33: a negative amount', item({ included: -1 }), '400 invalid_inputs'],
      ['C33: ten trillion', item({ included: 1e13 }), '200'],
      ['C33: more than ten trillion', item({ included: 1e13 + 1 }), '400 invalid_inputs'],
      ['C34: neither amount nor tiers', item({ price: { ...METERED, amount: null } }), '400 invalid_inputs'],
      ['C34: amount and tiers', inTiers([{ to: 200, amount: 2 }, LAST], { amount: 1 }), '400 invalid_inputs'],
      ['C34: no tier', inTiers([]), '400 invalid_inputs'],
      ['C35: use is paid for as often as it resets', item({ reset: MONTH, price: METERED }), '200'],
      ['C35: use, with another reset', item({ reset: { interval: 'year' }, price: METERED }), '400 invalid_inputs'],
      [
        'C35: use, every other month',
        item({ reset: { ...MONTH, interval_count: 2 }, price: METERED }),
        '400 invalid_inputs',
      ],
      ['C35: prepaid, with another reset', item({ reset: MONTH, price: { ...PREPAID, interval: 'year' } }), '200'],
      ['C36: a mark at what is included', inTiers([{ to: 100, amount: 2 }, LAST]), '400 invalid_inputs'],
      ['C36: a mark beyond it', inTiers([{ to: 100.5, amount: 2 }, LAST]), '200'],
      ['marks that fall', inTiers([{ to: 300, amount: 2 }, { to: 200, amount: 1 }, LAST]), '400 invalid_inputs'],
      ['a last tier with a mark', inTiers([{ to: 300, amount: 2 }]), '400 invalid_inputs'],
      ['a first tier without one', inTiers([LAST, LAST]), '400 invalid_inputs'],
      [
        'C37: a flat amount by volume',
        inTiers([{ to: 200, flat_amount: 5 }, LAST], { tier_behavior: 'volume' }),
        '200',
      ],
      ['C37: a flat amount, graduated', inTiers([{ to: 200, amount: 1, flat_amount: 5 }, LAST]), '400 invalid_inputs'],
      [
        'C37: a flat amount of one tier',
        inTiers([{ to: 'inf', flat_amount: 5 }], { tier_behavior: 'volume' }),
        '400 invalid_inputs',
      ],
      [
        'C37: a negative flat amount',
        inTiers([{ to: 200, flat_amount: -1 }, LAST], { tier_behavior: 'volume' }),
        '400 invalid_inputs',
      ],
      ['C37: use by volume', item({ price: { ...METERED, tier_behavior: 'volume' } }), '400 invalid_inputs'],
      ['C38: proration of prepaid', item({ price: PREPAID, proration: { on_increase: 'prorate_next_cycle' } }), '200'],
      [
        'C38: proration by a word that there is not',
        item({ price: PREPAID, proration: { on_decrease: 'toString' } }),
        '400 invalid_inputs',
      ],
      [
        'C254: proration in the words of the command line tool',
        item({ price: PREPAID, proration: { on_increase: 'prorate', on_decrease: 'refund_immediately' } }),
        '200',
      ],
      [
        'C42, C254: billed at once, in its words',
        item({ price: PREPAID, proration: { on_increase: 'charge_immediately' } }),
        '400 invalid_product_item',
      ],
      ['C38: proration of use', item({ price: METERED, proration: {} }), '400 invalid_inputs'],
      ['C41: a price by the day', item({ price: { ...PREPAID, interval: 'day' } }), '400 invalid_inputs'],
      [
        'C41: a price, with a reset by the hour',
        item({ reset: { interval: 'hour' }, price: PREPAID }),
        '400 invalid_product_item',
      ],
      [
        'C42: unlimited, in tiers',
        { ...inTiers([{ to: 200, amount: 2 }, LAST]), unlimited: true },
        '400 invalid_product_item',
      ],
      [
        'C42: billed at once',
        item({ price: PREPAID, proration: { on_increase: 'bill_immediately' } }),
        '400 invalid_product_item',
      ],
      ['C43: two caps', item({ reset: MONTH, rollover: { max: 1, max_percentage: 5 } }), '400 invalid_inputs'],
      [
        'C43: months below nothing',
        item({ reset: MONTH, rollover: { expiry_duration_length: -1 } }),
        '400 invalid_inputs',
      ],
      [
        'C43: a rollover of seats',
        { feature_id: 'seats', price: METERED, rollover: { max: 1 } },
        '400 invalid_product_item',
      ],
      ['a rollover of what is given once', item({ rollover: { max: 1 } }), '400 invalid_product_item'],
      [
        'a rollover of what has no end',
        item({ unlimited: true, reset: MONTH, rollover: {} }),
        '400 invalid_product_item',
      ],
      ['C48: of no feature', { feature_id: 'nope' }, '404 feature_not_found'],
      ['C48: for entities of no feature', item({ entity_feature_id: 'nope' }), '404 feature_not_found'],
      ['for entities of what is used up', item({ entity_feature_id: 'images' }), '400 invalid_product_item'],
      ['for entities of a flag', item({ entity_feature_id: 'sso' }), '400 invalid_product_item'],
      ['C49: prepaid, beside whole packs', item({ included: 7, price: { ...ONCE, billing_units: 5 } }), '200'],
      ['a flag with an amount', { feature_id: 'sso', included: 1 }, '400 invalid_product_item'],
      ['a flag with a price', { feature_id: 'sso', price: PREPAID }, '400 invalid_product_item'],
      ['a flag as clients fill it in', { feature_id: 'sso', included: 0, unlimited: false, reset: null }, '200'],
      ['seats that reset', { feature_id: 'seats', included: 1, reset: MONTH }, '400 invalid_product_item'],
      ['seats that are paid for', { feature_id: 'seats', included: 1, reset: MONTH, price: METERED }, '200'],
      ['K 2.2: units that expire', item({ price: ONCE, expiry: { duration: 'month', length: 3 } }), '200'],
      [
        'K 2.2: and do not, bought each month',
        item({ price: PREPAID, expiry: { duration: 'day', length: 3 } }),
        '400 invalid_product_item',
      ],
      [
        'K 2.2: and do not, where nothing is bought',
        item({ expiry: { duration: 'day', length: 3 } }),
        '400 invalid_product_item',
      ],
      [
        'K 2.2: seats that expire',
        { feature_id: 'seats', price: ONCE, expiry: { duration: 'day', length: 1 } },
        '400 invalid_product_item',
      ],
      ['K 2.2: a threshold of use', item({ price: METERED, threshold_billing: { threshold: 100 } }), '200'],
      [
        'K 2.2: a threshold of prepaid units',
        item({ price: PREPAID, threshold_billing: { threshold: 100 } }),
        '400 invalid_product_item',
      ],
      ['units of nothing', item({ price: { ...PREPAID, billing_units: 0 } }), '400 invalid_inputs'],
      ['a negative price', item({ price: { ...PREPAID, amount: -1 } }), '400 invalid_inputs'],
      ['no method', item({ price: { amount: 1, interval: 'month' } }), '400 invalid_inputs'],
      ['pooled', item({ pooled: true }), '400 not_supported'],
      [
        'with features of its own',
        item({ feature_override: { credit_schema: [], markups: { default_markup: 1 } } }),
        '400 not_supported',
      ],
      [
        'in another currency',
        item({ price: { ...PREPAID, additional_currencies: [{ currency: 'eur', amount: 1 }] } }),
        '400 not_supported',
      ],
    ])('%s', async (_label, one, expected) => {
      expect(await code({ items: [one] })).toBe(expected)
    })
  })

  describe('items together', () => {
    const PACKS = item({ price: ONCE })
    test.each<[string, readonly Body[], string]>([
      ['C44: a monthly grant and a top-up', [item({ included: 5, reset: MONTH }), PACKS], '200'],
      ['C44: a grant and a top-up, both once', [item({ included: 5 }), PACKS], '200'],
      [
        'C44: two grants with one interval',
        [item({ included: 5, reset: MONTH }), item({ reset: MONTH })],
        '400 invalid_product_item',
      ],
      ['C44: two grants with two intervals', [item({ included: 5, reset: MONTH }), item({ included: 9 })], '200'],
      [
        'C44: every month, and every other',
        [item({ reset: MONTH }), item({ reset: { ...MONTH, interval_count: 2 } })],
        '200',
      ],
      ['C44: two prices of one kind', [PACKS, item({ included: 4, price: ONCE })], '400 invalid_product_item'],
      ['C44: prepaid, then for use', [item({ price: PREPAID }), item({ price: METERED })], '200'],
      ['C44: a flag twice', [{ feature_id: 'sso' }, { feature_id: 'sso' }], '400 invalid_product_item'],
      [
        'C44: for each seat, and for all',
        [item({ included: 5 }), item({ included: 5, entity_feature_id: 'seats' })],
        '200',
      ],
      [
        'C45: weeks beside months',
        [item({ price: PREPAID }), { feature_id: 'images', price: { ...PREPAID, interval: 'week' } }],
        '400 invalid_product_item',
      ],
      [
        'C45: weeks beside years',
        [
          item({ price: { ...PREPAID, interval: 'year' } }),
          { feature_id: 'images', price: { ...PREPAID, interval: 'week' } },
        ],
        '200',
      ],
    ])('%s', async (_label, items, expected) => {
      expect(await code({ items })).toBe(expected)
    })

    test('C45: weeks beside a monthly fee', async () => {
      const items = [item({ price: { ...PREPAID, interval: 'week' } })]
      expect(await code({ items, price: { amount: 5, interval: 'month' } })).toBe('400 invalid_product_item')
    })
  })
})

import { describe, expect, test } from 'vitest'
import { itemPrice } from '../../test/build.ts'
import { amount, formatAmount, sum } from './amount.ts'
import { costOf, inCents, times } from './item-cost.ts'
import type { ItemPrice } from './item-price.ts'

const tier = (to: number | null, price: number, flat?: number) => ({
  to: to === null ? null : amount(to),
  amount: amount(price),
  flatAmount: flat === undefined ? null : amount(flat),
})
const W8 = itemPrice(0, { method: 'usage_based', tiers: [tier(500, 1), tier(null, 0.5)] })
const VOLUME = itemPrice(0, { behavior: 'volume', tiers: [tier(10, 5, 2), tier(100, 4), tier(null, 0, 300)] })

describe('what units cost (C36, W8)', () => {
  test.each<[string, ItemPrice, number, string]>([
    ['nothing', itemPrice(3), 0, '0'],
    ['one price for all', itemPrice(3), 7, '21'],
    ['as many packs as are begun', itemPrice(3, { units: amount(100) }), 201, '9'],
    ['W8: each tier its own units', W8, 600, '550'],
    ['W8: up to a mark, and with it', W8, 500, '500'],
    ['a fraction of a unit is a unit', W8, 500.1, '500.5'],
    ['volume: the tier that is reached prices all', VOLUME, 11, '44'],
    ['volume: a mark belongs to its tier, with what is due once', VOLUME, 10, '52'],
    ['volume: what is due once alone', VOLUME, 1000, '300'],
    ['graduated: what is due once for each tier that counts', { ...VOLUME, behavior: 'graduated' }, 11, '56'],
    ['a mark within a pack', itemPrice(0, { units: amount(100), tiers: [tier(150, 4), tier(null, 2)] }), 200, '7'],
  ])('%s', (_label, price, units, money) => {
    expect(formatAmount(inCents(costOf(price, amount(units))))).toBe(money)
  })
})

describe('money is rounded half-even to cents, once', () => {
  test.each<[string, bigint, bigint, string]>([
    ['a third of ten dollars', 10n, 3n, '3.33'],
    ['two thirds', 20n, 3n, '6.67'],
    ['half a cent to the even one below', 25n, 1000n, '0.02'],
    ['half a cent to the even one above', 35n, 1000n, '0.04'],
    ['below zero as above it', -35n, 1000n, '-0.04'],
  ])('%s', (_label, numerator, denominator, money) => {
    const one = { numerator: amount(1), denominator: 1n }
    expect(formatAmount(inCents(times(one, { numerator, denominator })))).toBe(money)
  })

  test('a third and two thirds of a fee make the fee, because nothing is rounded before', () => {
    const fee = { numerator: amount('0.01'), denominator: 1n }
    const thirds = [1n, 2n].map((numerator) => inCents(times(fee, { numerator, denominator: 3n })))
    expect(formatAmount(sum(thirds))).toBe('0.01')
  })
})

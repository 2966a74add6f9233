import { describe, expect, test } from 'vitest'
import { feature, fee, itemPrice, planItem, planTerms } from '../../test/build.ts'
import { amount } from './amount.ts'
import { catalogueOf } from './feature.ts'
import type { ItemPrice } from './item-price.ts'
import type { PlanTerms } from './plan.ts'
import { isFree, isOneOff, isPaidRecurring, isUpgrade } from './plan-kind.ts'

const catalogue = catalogueOf(1, [feature('messages'), feature('seats', { kind: 'metered', consumable: false })])

const messages = (price: ItemPrice | null) => planItem('messages', { price })
const seats = (price: ItemPrice | null) => planItem('seats', { price })
const used = (money: number) => itemPrice(money, { method: 'usage_based' })
const flat = (money: number): ItemPrice =>
  itemPrice(0, { behavior: 'volume', tiers: [{ to: null, amount: 0n, flatAmount: amount(money) }] })
const tiers = (first: number, second: number): ItemPrice =>
  itemPrice(0, {
    tiers: [
      { to: amount(10), amount: amount(first), flatAmount: null },
      { to: null, amount: amount(second), flatAmount: null },
    ],
  })

const nothing = planTerms(null, messages(null))

describe('what kind a plan is (C95)', () => {
  test.each<[string, PlanTerms, 'free' | 'one-off' | 'paid recurring']>([
    ['nothing has a price', nothing, 'free'],
    ['no items at all', planTerms(null), 'free'],
    ['a fee of nothing', planTerms(fee(0)), 'free'],
    ['a fee of nothing, once', planTerms(fee(0, 'one_off')), 'free'],
    ['an item for nothing', planTerms(null, messages(itemPrice(0))), 'free'],
    ['a fee each month', planTerms(fee(10)), 'paid recurring'],
    ['a fee once', planTerms(fee(10, 'one_off')), 'one-off'],
    ['an item for a price', planTerms(null, messages(itemPrice(1))), 'paid recurring'],
    ['the second tier alone costs', planTerms(null, messages(tiers(0, 1))), 'paid recurring'],
    ['a flat amount alone', planTerms(null, messages(flat(5))), 'paid recurring'],
    ['an item bought once', planTerms(null, messages(itemPrice(1, { interval: 'one_off' }))), 'one-off'],
    [
      'a fee, and an item bought once',
      planTerms(fee(5), messages(itemPrice(1, { interval: 'one_off' }))),
      'paid recurring',
    ],
    [
      'nothing each month, and once something',
      planTerms(fee(0), messages(itemPrice(1, { interval: 'one_off' }))),
      'paid recurring',
    ],
  ])('%s', (_label, terms, kind) => {
    expect({ free: isFree(terms), oneOff: isOneOff(terms), paid: isPaidRecurring(terms) }).toEqual({
      free: kind === 'free',
      oneOff: kind === 'one-off',
      paid: kind === 'paid recurring',
    })
  })
})

describe('whether a change of plan is an upgrade (C 4.1, C98-C99)', () => {
  test.each<[string, PlanTerms, PlanTerms, boolean]>([
    // label                                       before                       after                        upgrade
    ['from free to paid', nothing, planTerms(fee(1)), true],
    ['from paid to free', planTerms(fee(1)), nothing, false],
    ['from free to free', nothing, planTerms(fee(0)), true],
    ['from paid to once', planTerms(fee(10)), planTerms(fee(1, 'one_off')), true],
    ['from once to paid', planTerms(fee(10, 'one_off')), planTerms(fee(1)), true],
    ['both for use alone', planTerms(null, messages(used(9))), planTerms(null, messages(used(1))), true],
    ['a fee to use alone', planTerms(fee(10)), planTerms(null, messages(used(1))), false],
    ['seats are not used up', planTerms(null, seats(used(9))), planTerms(null, seats(used(1))), false],
    ['a longer interval for less', planTerms(fee(20)), planTerms(fee(100, 'year')), true],
    ['a shorter one for more a month', planTerms(fee(100, 'year')), planTerms(fee(20)), true],
    ['a shorter one for less a month', planTerms(fee(240, 'year')), planTerms(fee(19)), false],
    ['three months are a quarter', planTerms(fee(30, 'quarter')), planTerms(fee(30, 'month', 3)), true],
    ['a higher fee', planTerms(fee(10)), planTerms(fee(11)), true],
    ['the same fee', planTerms(fee(10)), planTerms(fee(10)), true],
    ['a lower fee', planTerms(fee(10)), planTerms(fee(9)), false],
    ['four weeks are a month', planTerms(fee(4)), planTerms(fee(1, 'week')), true],
    [
      'a third of it each month, exactly',
      planTerms(fee(10, 'quarter')),
      planTerms(fee(3.33), seats(itemPrice(0.0033))),
      false,
    ],
    [
      'only the first tier counts',
      planTerms(null, messages(tiers(2, 9))),
      planTerms(null, messages(tiers(3, 1))),
      true,
    ],
    ['use up does not count', planTerms(fee(10), messages(used(9))), planTerms(fee(10)), true],
    [
      'what is bought once counts whole',
      planTerms(fee(10)),
      planTerms(fee(5), messages(itemPrice(5, { interval: 'one_off' }))),
      true,
    ],
  ])('%s', (_label, before, after, upgrade) => {
    expect(isUpgrade(before, after, catalogue)).toBe(upgrade)
  })
})

import { describe, expect, test } from 'vitest'
import { amount, formatAmount, ONE } from './amount.ts'
import type { JsonObject } from './customer.ts'
import {
  costOf,
  type Dimension,
  flatTariff,
  type Multiplier,
  priceIn,
  rateOf,
  type Tariff,
  type Tier,
  tierAt,
} from './price.ts'

const dimension = (name: string, match: Record<string, string>, cost: string, priority = 0): Dimension => ({
  ...{ name, match, priority, tiers: [{ to: null, cost: amount(cost) }] },
})
const multiplier = (name: string, match: Record<string, string>, factor: string, add = '0'): Multiplier => ({
  ...{ name, match, factor: amount(factor), add: amount(add) },
})
const tariff = (more: Partial<Tariff>): Tariff => ({ ...flatTariff(amount('2')), ...more })
const rate = (of: Tariff, properties: JsonObject) => rateOf('feat_x', of, properties)
const priced = (of: Tariff, properties: JsonObject) => formatAmount(priceIn(rate(of, properties)).cost)

describe('the price of an event (K 2.2)', () => {
  const dimensions = [
    dimension('large', { model: 'large' }, '5'),
    dimension('large at night', { model: 'large', night: 'true' }, '4'),
    dimension('in the north', { region: 'north' }, '3'),
    dimension('in the north, first', { region: 'north' }, '1', 1),
    dimension('b', { tie: 'x' }, '8', 0.5),
    dimension('a', { tie: 'x' }, '9', 0.5),
    dimension('nothing', { none: 'undefined' }, '10'),
    dimension('null', { none: 'null' }, '11'),
  ]

  test.each<[string, JsonObject, string]>([
    ['its own, when nothing is said', {}, '2'],
    ['its own, when nothing applies', { model: 'small' }, '2'],
    ['that of the dimension that applies', { model: 'large' }, '5'],
    ['of several the one that asks for most', { model: 'large', night: true }, '4'],
    ['values are compared as texts', { model: 'large', night: 'true' }, '4'],
    ['a property that is no text has none', { model: ['large'] }, '2'],
    ['nor has null', { none: null }, '2'],
    ['one that is not there is not the text of nothing', { model: 'small' }, '2'],
    ['but a text that says so is one', { none: 'undefined' }, '10'],
    ['an inherited name is no property', { model: 'small', toString: 'x' }, '2'],
    ['then by priority', { region: 'north' }, '1'],
    ['then by priority again, against one that asks for as much', { region: 'north', model: 'large' }, '1'],
    ['then by name', { tie: 'x' }, '9'],
  ])('is %s', (_label, properties, expected) => {
    expect(priced(tariff({ dimensions }), properties)).toBe(expected)
    expect(priced(tariff({ dimensions: dimensions.toReversed() }), properties)).toBe(expected)
  })

  const multipliers = [
    multiplier('night', { night: 'true' }, '0.5'),
    multiplier('fee', { night: 'true' }, '1', '0.25'),
    multiplier('rush', { rush: '1' }, '3', '1'),
    multiplier('gift', { gift: 'yes' }, '1', '-100'),
  ]

  test.each<[string, JsonObject, string]>([
    ['nothing, when none applies', {}, '2'],
    ['all factors first and then what is added', { night: true }, '1.25'],
    ['all that apply', { night: true, rush: 1 }, '4.25'],
    ['down to nothing, never below', { gift: 'yes' }, '0'],
  ])('is changed by %s', (_label, properties, expected) => {
    expect(priced(tariff({ multipliers }), properties)).toBe(expected)
    expect(priced(tariff({ multipliers: multipliers.toReversed() }), properties)).toBe(expected)
  })

  test('multipliers change the cost of a dimension too, for the same number of units', () => {
    const both = tariff({ dimensions, multipliers, per: amount('1000') })
    expect(priceIn(rate(both, { model: 'large', night: true }))).toEqual({ cost: amount('2.25'), per: amount('1000') })
    expect(priceIn(rate(flatTariff(ONE), { night: true }))).toEqual({ cost: ONE, per: ONE })
  })
})

const tiers = (...list: [to: string | null, cost: string][]): Tier[] =>
  list.map(([to, cost]) => ({ to: to === null ? null : amount(to), cost: amount(cost) }))

describe('a price in tiers (K 2.2)', () => {
  const graduated = tiers(['10', '2'], ['15', '1'], [null, '0.5'])

  test('is counted under the name of the member, or of the dimension that applies', () => {
    const own = tariff({ tiers: graduated, dimensions: [{ ...dimension('large', { m: 'l' }, '0'), tiers: graduated }] })
    expect(rate(own, {})).toEqual({ tiers: graduated, per: ONE, meter: 'feat_x' })
    expect(rate(own, { m: 'l' })).toEqual({ tiers: graduated, per: ONE, meter: 'feat_x large' })
    const flatWhenLarge = tariff({ tiers: graduated, dimensions: [dimension('large', { m: 'l' }, '7')] })
    expect(rate(flatWhenLarge, { m: 'l' })).toEqual({ tiers: tiers([null, '7']), per: ONE, meter: null })
  })

  test('is changed by multipliers in every tier, down to nothing', () => {
    const multipliers = [multiplier('rush', { r: '1' }, '2', '-1')]
    expect(rate(tariff({ tiers: graduated, multipliers }), { r: 1 }).tiers).toEqual(
      tiers(['10', '3'], ['15', '1'], [null, '0']),
    )
  })

  const at = (count: string, direction: 'take' | 'give') => {
    const { price, units } = tierAt({ tiers: graduated, per: ONE, meter: 'm' }, amount(count), direction)
    return [formatAmount(price.cost), units === null ? null : formatAmount(units)]
  }

  test.each<[string, 'take' | 'give', string, string | null]>([
    ['0', 'take', '2', '10'],
    ['9.5', 'take', '2', '0.5'],
    ['10', 'take', '1', '5'],
    ['14', 'take', '1', '1'],
    ['15', 'take', '0.5', null],
    ['99', 'take', '0.5', null],
    ['0', 'give', '2', null],
    ['0.5', 'give', '2', '0.5'],
    ['10', 'give', '2', '10'],
    ['10.5', 'give', '1', '0.5'],
    ['15', 'give', '1', '5'],
    ['17', 'give', '0.5', '2'],
  ])('after %s, to %s: %s for the next %s', (count, direction, cost, units) => {
    expect(at(count, direction)).toEqual([cost, units])
  })

  test.each([
    ['-3', '0'],
    ['0', '0'],
    ['10', '20'],
    ['12', '22'],
    ['16', '25.5'],
  ])('%s units from the first one on cost %s', (units, cost) => {
    expect(formatAmount(costOf({ tiers: graduated, per: ONE, meter: 'm' }, amount(units)))).toBe(cost)
  })

  test('a cost is for as many units as are priced together', () => {
    expect(formatAmount(costOf({ tiers: graduated, per: amount('10'), meter: 'm' }, amount('16')))).toBe('2.55')
  })
})

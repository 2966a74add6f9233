import { describe, expect, test } from 'vitest'
import { amount, formatAmount, ONE } from './amount.ts'
import type { JsonObject } from './customer.ts'
import { type Dimension, flatTariff, type Multiplier, priceOf, type Tariff } from './price.ts'

const dimension = (name: string, match: Record<string, string>, cost: string, priority = 0): Dimension => ({
  ...{ name, match, priority, cost: amount(cost) },
})
const multiplier = (name: string, match: Record<string, string>, factor: string, add = '0'): Multiplier => ({
  ...{ name, match, factor: amount(factor), add: amount(add) },
})
const tariff = (more: Partial<Tariff>): Tariff => ({ ...flatTariff(amount('2')), ...more })
const priced = (of: Tariff, properties: JsonObject) => formatAmount(priceOf(of, properties).cost)

describe('the price of an event (K 2.2)', () => {
  const dimensions = [
    dimension('large', { model: 'large' }, '5'),
    dimension('large at night', { model: 'large', night: 'true' }, '4'),
    dimension('in the north', { region: 'north' }, '3'),
    dimension('in the north, first', { region: 'north' }, '1', 1),
    dimension('b', { tie: 'x' }, '8', 0.5),
    dimension('a', { tie: 'x' }, '9', 0.5),
  ]

  test.each<[string, JsonObject, string]>([
    ['its own, when nothing is said', {}, '2'],
    ['its own, when nothing applies', { model: 'small' }, '2'],
    ['that of the dimension that applies', { model: 'large' }, '5'],
    ['of several the one that asks for most', { model: 'large', night: true }, '4'],
    ['values are compared as texts', { model: 'large', night: 'true' }, '4'],
    ['a property that is no text has none', { model: ['large'] }, '2'],
    ['nor has null', { region: null }, '2'],
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
    expect(priceOf(both, { model: 'large', night: true })).toEqual({ cost: amount('2.25'), per: amount('1000') })
    expect(priceOf(flatTariff(ONE), { night: true })).toMatchObject({ cost: ONE, per: ONE })
  })
})

import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance } from '../../test/build.ts'
import { amount, formatAmount } from './amount.ts'
import { type Balance, dueAt, grantedOf, isDrained, spendableOf, usedOf } from './balance.ts'

const roll = (left: string, expiresAt: number | null = null) => ({ left, expiresAt })

describe('the four quantities of a balance: granted, used, remaining of it, and what may be spent', () => {
  test.each<[string, BalanceSketch, Partial<Balance>, string]>([
    // label                                              sketch                              more                           figures
    ['new', { granted: '10' }, {}, '10 0 10'],
    ['used', { granted: '10', left: '4' }, {}, '10 6 4'],
    ['in debt (B36)', { granted: '10', left: '-4' }, {}, '10 14 0'],
    ['with more than was granted', { granted: '10', left: '14' }, {}, '10 -4 14'],
    ['with a grant changed by hand (B117)', { granted: '10' }, { adjustment: amount('3') }, '13 3 10'],
    ['without limit, which grants nothing (B44)', { granted: 'unlimited', left: '-4' }, {}, '0 4 0'],
    ['with rollovers', { granted: '10', left: '4', rollovers: [roll('2'), roll('1')] }, {}, '10 6 7'],
    ['in debt beside a rollover', { granted: '10', left: '-4', rollovers: [roll('2')] }, {}, '10 14 2'],
  ])('%s', (_label, sketch, more, expected) => {
    const one = { ...balance(sketch), ...more }
    expect([grantedOf(one), usedOf(one), spendableOf(one)].map(formatAmount).join(' ')).toBe(expected)
  })
})

describe('used up for good (B96, B175, B176)', () => {
  test.each<[string, BalanceSketch, Partial<Balance>, boolean]>([
    ['a loose one at exactly nothing is', { left: '0' }, {}, true],
    ['one with something left is not', { left: '0.000000000001' }, {}, false],
    ['nor one in debt', { left: '-1' }, {}, false],
    ['nor one that resets', { left: '0', every: 'month' }, {}, false],
    ['nor one of a plan (R22)', { left: '0', plan: 'free' }, {}, false],
    ['nor one that entities sit on', { left: '0' }, { seats: 1 }, false],
    ['nor one with a rollover', { left: '0', rollovers: [roll('1')] }, {}, false],
    ['one with a used up rollover is', { left: '0', rollovers: [roll('0')] }, {}, true],
    ['one without limit is not', { granted: 'unlimited' }, {}, false],
    ['nor a flag', { left: '0' }, { terms: { kind: 'flag' } }, false],
  ])('%s', (_label, sketch, more, expected) => {
    expect(isDrained({ ...balance(sketch), ...more })).toBe(expected)
  })
})

describe('the first instant at which time changes a balance', () => {
  const never = Number.POSITIVE_INFINITY
  test.each<[string, BalanceSketch, number]>([
    ['never', {}, never],
    ['its reset', { every: 'month', nextAt: 5 }, 5],
    ['its expiry', { expiresAt: 5 }, 5],
    ['its expiry before its reset', { every: 'month', nextAt: 9, expiresAt: 5 }, 5],
    ['its reset before its expiry', { every: 'month', nextAt: 5, expiresAt: 9 }, 5],
    ['the expiry of its first rollover', { rollovers: [roll('1', 5), roll('1', 9)] }, 5],
    ['that before its reset', { every: 'month', nextAt: 9, rollovers: [roll('1', 5)] }, 5],
    ['its reset before that', { every: 'month', nextAt: 5, rollovers: [roll('1', 9)] }, 5],
    ['a rollover that never expires', { rollovers: [roll('1')] }, never],
    ['its expiry, whatever its rollover does', { expiresAt: 5, rollovers: [roll('1')] }, 5],
    ['an instant of zero', { expiresAt: 0 }, 0],
  ])('%s', (_label, sketch, expected) => {
    expect(dueAt(balance(sketch))).toBe(expected)
  })
})

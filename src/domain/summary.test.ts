import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance, feature, itemPrice } from '../../test/build.ts'
import { flagOf } from './access.ts'
import { amount, formatAmount } from './amount.ts'
import type { Balance } from './balance.ts'
import { breakdownLine, type Summary, summarise } from './summary.ts'

const messages = feature('messages')
const seats = feature('seats', { kind: 'metered', consumable: false })
const sso = feature('sso', { kind: 'boolean' })

const roll = (left: string, used: string, expiresAt: number | null = null) => ({ left, used, expiresAt })
const monthly = (nextAt: number) => ({ every: 'month', nextAt }) as const

/** `granted remaining used`, or `unlimited used`. */
function figures(summary: Summary | null): string {
  if (summary === null) return 'nothing'
  const { granted, remaining, usage, unlimited } = summary
  return (
    (unlimited ? [usage] : [granted, remaining, usage]).map(formatAmount).join(' ') + (unlimited ? ' unlimited' : '')
  )
}

describe('balances of one feature are added up (B33-B47)', () => {
  test.each<[string, BalanceSketch[], string, number | null]>([
    // label                                              held                                          shown           next reset
    ['none', [], 'nothing', null],
    ['one', [{ granted: '10', left: '4' }], '10 4 6', null],
    [
      'two',
      [
        { granted: '10', left: '4' },
        { granted: '5', left: '3' },
      ],
      '15 7 8',
      null,
    ],
    [
      'a debt is not set off against what is left elsewhere (B35)',
      [{ granted: '10', left: '-2' }, { granted: '5' }],
      '15 5 12',
      null,
    ],
    [
      'rollovers count as granted, left and used',
      [{ granted: '10', left: '4', rollovers: [roll('2', '1'), roll('3', '0')] }],
      '16 9 7',
      null,
    ],
    [
      'what is used up for good is left out',
      [
        { granted: '10', left: '0' },
        { granted: '5', left: '3' },
      ],
      '5 3 2',
      null,
    ],
    ['and if that is all, nothing is shown', [{ granted: '10', left: '0' }], 'nothing', null],
    ['the reset that comes first', [{ ...monthly(9) }, { ...monthly(5) }, { ...monthly(7) }, {}], '400 400 0', 5],
    [
      'one without limit makes all so (B44)',
      [
        { granted: 'unlimited', left: '-3' },
        { granted: '10', left: '4', ...monthly(5) },
      ],
      '3 unlimited',
      null,
    ],
    [
      'what was used of several without limit',
      [
        { granted: '10', left: '4' },
        { granted: 'unlimited', left: '-3' },
        { granted: 'unlimited', left: '-2' },
      ],
      '5 unlimited',
      null,
    ],
  ])('%s', (_label, held, expected, nextResetAt) => {
    const summary = summarise(messages, held.map(balance))
    expect(figures(summary)).toBe(expected)
    expect(summary?.nextResetAt ?? null).toBe(nextResetAt)
  })

  test('what this very operation used up still shows (R22)', () => {
    const balances = [balance({ uid: 'a', left: '0' }), balance({ uid: 'b', left: '0' })]
    const shown = (...touched: string[]) =>
      summarise(messages, balances, new Set(touched))?.breakdown.map(({ id }) => id)
    expect([shown('a'), shown('a', 'b'), shown()]).toEqual([['a'], ['a', 'b'], undefined])
    expect(summarise(messages, balances)).toBeNull()
  })
})

describe('each balance is a line', () => {
  const line = (sketch: BalanceSketch, more: Partial<Balance> = {}, of = messages) =>
    summarise(of, [{ ...balance({ uid: 'cus_ent_1', ...sketch }), ...more }])?.breakdown[0]

  test('with its own figures, its reset and its expiry', () => {
    expect(line({ granted: '10', left: '-2', ...monthly(5), expiresAt: 9 })).toEqual({
      id: 'cus_ent_1',
      planId: null,
      includedGrant: 10n * 10n ** 12n,
      prepaidGrant: 0n,
      held: 0n,
      remaining: 0n,
      usage: 12n * 10n ** 12n,
      unlimited: false,
      reset: { interval: 'month', count: 1, resetsAt: 5 },
      price: null,
      expiresAt: 9,
    })
  })

  test('with its plan, what was bought in advance and its price, which begins after what is included (B30, B33, B34)', () => {
    const price = itemPrice(1, { method: 'prepaid', maxPurchase: amount('500') })
    const shown = line(
      { granted: '300', left: '270', plan: 'pack', prepaid: '200', price },
      { adjustment: amount('20') },
    )
    expect(shown).toMatchObject({ planId: 'pack', includedGrant: amount('120'), prepaidGrant: amount('200') })
    expect(shown).toMatchObject({ remaining: amount('270'), usage: amount('50') })
    expect(shown?.price).toEqual({ terms: price, included: amount('100') })
    expect(line({ plan: 'free' })).toMatchObject({ planId: 'free', prepaidGrant: 0n, price: null })
  })

  test('under the id of the caller, where it has one (R16)', () => {
    expect(line({ left: '4' }, { id: 'plan' })).toMatchObject({ id: 'plan', remaining: 4n * 10n ** 12n })
  })

  test('that says so where it never resets, and says nothing of seats (R17)', () => {
    expect(line({})?.reset).toEqual({ interval: 'one_off', count: 1, resetsAt: null })
    expect(line({}, {}, seats)?.reset).toBeNull()
  })

  test('also one without limit, where it is shown by itself', () => {
    expect(breakdownLine(messages, balance({ uid: 'cus_ent_1', granted: 'unlimited', left: '5' }))).toMatchObject({
      includedGrant: 0n,
      remaining: 0n,
      usage: -5n * 10n ** 12n,
      unlimited: true,
    })
  })

  test('except those without limit, which are one line', () => {
    const balances = [
      balance({ left: '4' }),
      { ...balance({ uid: 'cus_ent_1', granted: 'unlimited', left: '-3', expiresAt: 9 }), id: 'mine' },
      balance({ granted: 'unlimited', left: '-2' }),
    ]
    expect(summarise(messages, balances)).toMatchObject({
      granted: 0n,
      remaining: 0n,
      rollovers: null,
      breakdown: [
        {
          id: 'cus_ent_1',
          includedGrant: 0n,
          remaining: 0n,
          usage: 5n * 10n ** 12n,
          held: 0n,
          unlimited: true,
          reset: null,
          expiresAt: 9,
        },
      ],
    })
  })
})

describe('rollovers', () => {
  const policy = { months: null }
  const shown = (...held: BalanceSketch[]) =>
    summarise(messages, held.map(balance))?.rollovers?.map(
      (one) => `${formatAmount(one.granted)} ${formatAmount(one.remaining)} ${one.expiresAt}`,
    )

  test('of all balances are listed, the soonest to expire first', () => {
    const first = { rollover: policy, rollovers: [roll('1', '2', 5), roll('3', '0')] }
    const second = { rollover: policy, rollovers: [roll('4', '0', 3), roll('5', '0', 7)] }
    const expected = ['4 4 3', '3 1 5', '5 5 7', '3 3 null']
    expect(shown(first, second)).toEqual(expected)
    expect(shown(second, first)).toEqual(expected)
  })

  test('are an empty list where one balance may roll over, and none where none may', () => {
    expect(shown({}, { rollover: policy })).toEqual([])
    expect(shown({}, {})).toBeUndefined()
  })
})

test('a list that is the same adds up to the same object, for the same feature', () => {
  const balances = [balance({})]
  const first = summarise(messages, balances)
  expect(summarise(messages, balances)).toBe(first)
  const renamed = { ...messages, name: 'Texts' }
  expect(summarise(renamed, balances)?.feature).toBe(renamed)
  expect(summarise(messages, balances, new Set())).toEqual(first)
})

test('a flag is one, however many balances give it (R24)', () => {
  const flags = [balance({ uid: 'a', expiresAt: 5 }), balance({ uid: 'b' })]
  expect(flagOf(sso, flags)).toEqual({ id: 'a', feature: sso, planId: null, expiresAt: 5 })
  expect(flagOf(sso, [])).toBeNull()
})

describe('the plan of what is one for several', () => {
  test.each<[string, BalanceSketch[], string | null]>([
    ['none gives it', [{}, {}], null],
    ['one does', [{ plan: 'a' }], 'a'],
    ['one does, beside a gift', [{}, { plan: 'a' }], 'a'],
    ['one does, twice', [{ plan: 'a' }, { plan: 'a' }], 'a'],
    ['two do', [{ plan: 'a' }, { plan: 'b' }], null],
    ['three do, the first and the last being one', [{ plan: 'a' }, { plan: 'b' }, { plan: 'a' }], null],
  ])('%s (B44, B45)', (_label, sketches, planId) => {
    expect(flagOf(sso, sketches.map(balance))?.planId).toBe(planId)
    const unlimited = sketches.map((sketch) => balance({ ...sketch, granted: 'unlimited' }))
    const other = balance({ plan: 'other', method: 'usage_based', max: '5' })
    const summary = summarise(messages, [...unlimited, other])
    expect(summary).toMatchObject({ overageAllowed: false, maxPurchase: null })
    expect(summary?.breakdown).toMatchObject([{ planId, price: null, prepaidGrant: 0n }])
  })
})

describe('what may be owed and bought beyond what is granted (B41, B42)', () => {
  const usage = (max?: string): BalanceSketch => ({ method: 'usage_based', ...(max !== undefined && { max }) })
  const prepaid = (max?: string): BalanceSketch => ({ prepaid: '1', ...(max !== undefined && { max }) })
  test.each<[string, BalanceSketch[], boolean, string | null]>([
    ['nothing is priced', [{}, { plan: 'free' }], false, null],
    ['usage without a maximum', [usage()], true, null],
    ['usage with one', [usage('5'), { plan: 'free' }], true, '5'],
    ['two with one each', [usage('5'), usage('7')], true, '12'],
    ['one of two has none', [usage('5'), usage()], true, null],
    ['bought in advance', [prepaid('5')], false, '5'],
    ['both', [prepaid('5'), usage('2')], true, '7'],
    ['bought in advance without a maximum', [prepaid(), usage('2')], true, null],
    ['at zero, too', [{ ...usage('5'), left: '0' }], true, '5'],
  ])('%s', (_label, held, overageAllowed, most) => {
    const summary = summarise(messages, held.map(balance))
    const maxPurchase = most === null ? null : amount(most)
    expect(summary).toMatchObject({ overageAllowed, maxPurchase })
  })
})

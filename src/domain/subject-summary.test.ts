import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance, feature } from '../../test/build.ts'
import { amount, formatAmount } from './amount.ts'
import type { Balance } from './balance.ts'
import { newCustomer } from './customer.ts'
import type { Entity } from './entity.ts'
import { balancesOf, type Holdings, holdingsOf, withBalances, withEntity, withoutEntity } from './holdings.ts'
import { summaryFor } from './subject-summary.ts'
import type { Summary } from './summary.ts'

const alice = newCustomer('cus_1', 'sandbox', 'alice', {}, 0)
const messages = feature('messages', undefined, { name: 'Messages' })
const entity = (id: string): Entity => ({ uid: `ent_${id}`, id, name: null, feature: 'feat_seats', createdAt: 0 })
const [desk, lamp] = [entity('desk'), entity('lamp')]

/** What the customer has, what the desk has, what the lamp has. */
type Held = [own: readonly BalanceSketch[], desk?: readonly BalanceSketch[], lamp?: readonly BalanceSketch[]]

function held([own, ofDesk = [], ofLamp = []]: Held, shares = true): Holdings {
  const rows = (sketches: readonly BalanceSketch[], owner: Entity | null) =>
    sketches.map((sketch): Balance => ({ ...balance(sketch), entity: owner?.uid ?? null }))
  const all = [...rows(own, null), ...rows(ofDesk, desk), ...rows(ofLamp, lamp)]
  return holdingsOf({ ...alice, sharesWithEntities: shares }, [desk, lamp], all, 0, 0)
}

/** `granted / remaining / used, next reset, lines`. */
function figures(summary: Summary | null): string {
  if (summary === null) return 'nothing'
  const { granted, remaining, usage, unlimited, nextResetAt, breakdown } = summary
  const numbers = unlimited
    ? `unlimited, used ${formatAmount(usage)}`
    : [granted, remaining, usage].map(formatAmount).join(' / ')
  return [numbers, nextResetAt === null ? 'no reset' : `reset ${nextResetAt}`, `${breakdown.length} lines`].join(', ')
}

const rolled = (left: string, used: string) => ({ left, used, expiresAt: null })
const monthly = (nextAt: number) => ({ every: 'month' as const, nextAt })

describe('a customer is shown what it and all its entities have (B52-B54)', () => {
  test.each<[string, Held, string]>([
    // label                                        customer, desk, lamp                                     shown
    ['nothing at all', [[]], 'nothing'],
    ['its own alone', [[{ granted: '50', left: '40' }]], '50 / 40 / 10, no reset, 1 lines'],
    ['theirs alone, without a line (B46)', [[], [{ granted: '50', left: '40' }]], '50 / 40 / 10, no reset, 0 lines'],
    [
      'both, with lines of its own only (B58)',
      [[{ granted: '50' }], [{ granted: '100', left: '50' }], [{ granted: '100' }, { granted: '100' }]],
      '350 / 300 / 50, no reset, 1 lines',
    ],
    [
      'a debt of one is set off against what another has left',
      [[], [{ granted: '10', left: '-30' }], [{ granted: '50', left: '40' }]],
      '60 / 10 / 50, no reset, 0 lines',
    ],
    [
      'no more than nothing is left, where debts are greater',
      [[], [{ granted: '10', left: '-50' }], [{ granted: '50', left: '40' }]],
      '60 / 0 / 70, no reset, 0 lines',
    ],
    [
      'their debts are not set off against its own',
      [[{ granted: '20' }], [{ granted: '10', left: '-50' }]],
      '30 / 20 / 60, no reset, 1 lines',
    ],
    [
      'nor its own against theirs',
      [[{ granted: '20', left: '-5' }], [{ granted: '10' }]],
      '30 / 10 / 25, no reset, 1 lines',
    ],
    [
      'what rolled over counts beside the debts',
      [[], [{ granted: '10', left: '-5', ...monthly(9), rollovers: [rolled('8', '2'), rolled('1', '0')] }]],
      '21 / 9 / 17, reset 9, 0 lines',
    ],
    [
      'what rolled over adds up, of one and of another',
      [
        [],
        [{ granted: '10', rollovers: [rolled('8', '2')] }, { rollovers: [rolled('3', '4')] }],
        [{ rollovers: [rolled('1', '5')] }],
      ],
      '233 / 222 / 11, no reset, 0 lines',
    ],
    [
      'what is used up for good is left out',
      [[], [{ granted: '50', left: '0' }], [{ granted: '5', left: '1' }]],
      '5 / 1 / 4, no reset, 0 lines',
    ],
    ['and if that is all, nothing is shown', [[], [{ granted: '50', left: '0' }]], 'nothing'],
    [
      'what resets is shown when it is used up',
      [[], [{ granted: '50', left: '0', ...monthly(9) }]],
      '50 / 0 / 50, reset 9, 0 lines',
    ],
    ['the soonest reset is its own', [[monthly(7)], [monthly(8)]], '200 / 200 / 0, reset 7, 1 lines'],
    [
      'the soonest reset is one of theirs',
      [[monthly(7)], [monthly(8)], [monthly(6)]],
      '300 / 300 / 0, reset 6, 1 lines',
    ],
    [
      'one of theirs without limit makes all unlimited, and uses add up',
      [[{ granted: '10', left: '7' }], [{ granted: 'unlimited', left: '-5' }], [{ granted: '50', left: '10' }]],
      'unlimited, used 8, no reset, 0 lines',
    ],
    [
      'so does one of its own, which then is the only line',
      [[{ granted: 'unlimited', left: '-5' }, { granted: '9' }], [{ granted: '50', left: '10', ...monthly(9) }]],
      'unlimited, used 5, no reset, 1 lines',
    ],
    [
      'on both sides uses add up',
      [
        [{ granted: 'unlimited', left: '-5' }],
        [{ granted: 'unlimited', left: '-2' }],
        [{ granted: 'unlimited', left: '1' }],
      ],
      'unlimited, used 6, no reset, 1 lines',
    ],
  ])('%s', (_label, rows, expected) => {
    expect(figures(summaryFor(held(rows), null, messages))).toBe(expected)
  })

  test('the rollovers listed are its own, as the lines are', () => {
    const rollover = { months: null }
    const own: Held = [[{ rollover, rollovers: [rolled('8', '2')] }], [{ rollovers: [rolled('1', '0')] }]]
    expect(summaryFor(held(own), null, messages)?.rollovers).toEqual([
      { granted: amount('10'), remaining: amount('8'), expiresAt: null },
    ])
  })

  test('what entities have of other features is none of it', () => {
    const theirs = (of: string, owner: Entity): Balance => ({ ...balance(), feature: of, entity: owner.uid })
    const both = holdingsOf(alice, [desk, lamp], [theirs('feat_messages', desk), theirs('feat_images', lamp)], 0, 0)
    expect(figures(summaryFor(both, null, messages))).toBe('100 / 100 / 0, no reset, 0 lines')
    expect(figures(summaryFor(both, null, feature('images')))).toBe('100 / 100 / 0, no reset, 0 lines')
  })

  test('flags of entities are none of it', () => {
    const flag: Balance = { ...balance(), terms: { kind: 'flag' }, remaining: 0n, entity: desk.uid }
    expect(summaryFor(holdingsOf(alice, [desk], [flag], 0, 0), null, messages)).toBeNull()
  })

  test('a balance of theirs that somebody sits on is in use, and not used up', () => {
    const seats: Balance = { ...balance({ granted: '2', left: '0' }), seats: 2, entity: desk.uid }
    expect(figures(summaryFor(holdingsOf(alice, [desk], [seats], 0, 0), null, messages))).toBe(
      '2 / 0 / 2, no reset, 0 lines',
    )
  })
})

describe('an entity is shown what it may spend (B49, B51)', () => {
  const rows: Held = [[{ granted: '50', ...monthly(9) }], [{ granted: '10', left: '4' }], [{ granted: '100' }]]
  test.each<[string, boolean, string, string]>([
    ['its own and what it inherits', true, 'ent_desk', '60 / 54 / 6, reset 9, 2 lines'],
    ['its own alone where nothing is shared', false, 'ent_desk', '10 / 4 / 6, no reset, 1 lines'],
  ])('%s', (_label, shares, who, expected) => {
    expect(figures(summaryFor(held(rows, shares), who, messages))).toBe(expected)
  })

  test('one without anything sees what it inherits, or nothing', () => {
    expect(figures(summaryFor(held([[{ granted: '50' }]]), 'ent_desk', messages))).toBe(
      '50 / 50 / 0, no reset, 1 lines',
    )
    expect(summaryFor(held([[{ granted: '50' }]], false), 'ent_desk', messages)).toBeNull()
  })

  test('one without limit that it inherits makes all unlimited', () => {
    const shown = summaryFor(
      held([[{ granted: 'unlimited', left: '-3' }], [{ granted: '10', left: '4' }]]),
      'ent_desk',
      messages,
    )
    expect(figures(shown)).toBe('unlimited, used 3, no reset, 1 lines')
  })
})

describe('a total that is remembered', () => {
  const before = held([[{ granted: '50' }], [{ granted: '10' }], [{ granted: '5' }]])
  const total = (holdings: Holdings) => figures(summaryFor(holdings, null, messages))

  test('is the same object until something changes', () => {
    expect(summaryFor(before, null, messages)).toBe(summaryFor(before, null, messages))
    expect(summaryFor({ ...before, latest: 9 }, null, messages)).toBe(summaryFor(before, null, messages))
  })

  test('is another one as soon as its own balance changes, or one of theirs, or an entity goes or comes', () => {
    expect(total(before)).toBe('65 / 65 / 0, no reset, 1 lines')
    const [own] = balancesOf(before, 'feat_messages')
    if (own === undefined) throw new Error('there is a balance')
    const less = withBalances(before, [{ ...own, remaining: amount('20') }])
    expect(total(less)).toBe('65 / 35 / 30, no reset, 1 lines')
    const theirs: Balance = { ...balance({ granted: '3', left: '1' }), entity: lamp.uid }
    expect(total(withBalances(before, [theirs]))).toBe('68 / 66 / 2, no reset, 1 lines')
    expect(total(withoutEntity(before, desk))).toBe('55 / 55 / 0, no reset, 1 lines')
    expect(total(withEntity(before, entity('chair')))).toBe('65 / 65 / 0, no reset, 1 lines')
    expect(total(before)).toBe('65 / 65 / 0, no reset, 1 lines')
  })

  test('is not that of the feature as it was before it was renamed', () => {
    expect(summaryFor(before, null, messages)?.feature.name).toBe('Messages')
    expect(summaryFor(before, null, { ...messages, name: 'Texts' })?.feature.name).toBe('Texts')
  })

  test('shows what this very use drew from, even when that is used up now (R22)', () => {
    const used = held([[{ uid: 'cus_ent_own', granted: '50', left: '0' }], [{ granted: '10' }]])
    expect(total(used)).toBe('10 / 10 / 0, no reset, 0 lines')
    const shown = summaryFor(used, null, messages, new Set(['cus_ent_own']))
    expect(figures(shown)).toBe('60 / 10 / 50, no reset, 1 lines')
  })
})

describe('what a customer may owe and buy, with all its entities (B53)', () => {
  const usage: BalanceSketch = { method: 'usage_based', max: '5' }
  const endless: BalanceSketch = { method: 'usage_based' }
  const prepaid: BalanceSketch = { prepaid: '1', max: '7' }
  test.each<[string, Held, boolean, string | null]>([
    ['nothing is priced', [[{}], [{}]], false, null],
    ['its own', [[usage], [{}]], true, '5'],
    ['theirs', [[{}], [usage], [prepaid]], true, '12'],
    ['both', [[prepaid], [usage], [usage]], true, '17'],
    ['theirs alone', [[], [prepaid]], false, '7'],
    ['one without a maximum', [[usage], [endless]], true, null],
    ['its own without a maximum', [[endless], [usage]], true, null],
    ['one without limit', [[usage], [{ granted: 'unlimited' }]], false, null],
    ['one without limit of a plan', [[], [{ granted: 'unlimited', plan: 'a' }], [usage]], false, null],
  ])('%s', (_label, rows, overageAllowed, most) => {
    const maxPurchase = most === null ? null : amount(most)
    expect(summaryFor(held(rows), null, messages)).toMatchObject({ overageAllowed, maxPurchase })
  })

  test('what is used up of a plan of theirs is shown (R22)', () => {
    expect(figures(summaryFor(held([[], [{ left: '0', plan: 'free' }]]), null, messages))).toBe(
      '100 / 0 / 100, no reset, 0 lines',
    )
  })
})

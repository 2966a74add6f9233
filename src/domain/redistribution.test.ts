import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance, feature } from '../../test/build.ts'
import { amount, formatAmount, sum } from './amount.ts'
import { type Balance, consumptionOrder, grantedOf } from './balance.ts'
import { newCustomer } from './customer.ts'
import type { Entity } from './entity.ts'
import { allBalances, type Holdings, holdingsOf } from './holdings.ts'
import { Journal } from './ledger.ts'
import { type Redistribution, redistribute, settleRedistribution } from './redistribution.ts'
import { isRefusal } from './refusal.ts'
import type { Target } from './target.ts'

const alice = newCustomer('cus_1', 'sandbox', 'alice', {}, 0)
const desk: Entity = { uid: 'ent_desk', id: 'desk', name: null, feature: 'feat_seats', createdAt: 0 }
const messages = feature('messages')

/** A balance as `left of granted`, and what else is to be said of it. */
type Row = [figures: string, more?: BalanceSketch & { of?: 'desk'; adjusted?: string; feature?: string }]

function held(rows: readonly Row[]): Holdings {
  const balances = rows.map(([figures, { of, adjusted, feature, ...more } = {}], i): Balance => {
    const [left = '', granted = ''] = figures.split(' of ')
    const sketch = { uid: `cus_ent_${i}`, left, granted: granted === 'unlimited' ? ('unlimited' as const) : granted }
    return {
      ...balance({ createdAt: i, ...sketch, ...more }),
      entity: of === 'desk' ? desk.uid : null,
      adjustment: amount(adjusted ?? '0'),
      feature: feature ?? 'feat_messages',
    }
  })
  return holdingsOf(alice, [desk], balances, 0, 0)
}

function found(holdings: Holdings, entity: string | null = null, target: Target = {}): readonly Redistribution[] {
  const result = redistribute(holdings, entity, messages, target)
  if (isRefusal(result)) throw new Error(result.code)
  return result
}

/** What is left of each balance, in order of creation. */
function left(holdings: Holdings): string[] {
  const all = [...allBalances(holdings)].sort((a, b) => a.createdAt - b.createdAt)
  return all.map((one) =>
    [formatAmount(one.remaining), ...one.rollovers.map((r) => `~${formatAmount(r.remaining)}`)].join(' '),
  )
}

function settled(holdings: Holdings, entity: string | null = null, target: Target = {}): Holdings {
  return settleRedistribution(holdings, found(holdings, entity, target), new Journal(1, 'test'))
}

describe('debts are set off against what siblings have left (B137-B139)', () => {
  const rollovers = [{ left: '7', expiresAt: null }]
  test.each<[string, Row[], string[]]>([
    // label                                     held                                              left
    ['the vector', [['-30 of 100'], ['200 of 200']], ['0', '170']],
    ['a debt on a later one', [['60 of 100'], ['-30 of 50']], ['0', '30']],
    [
      'what is used is taken again in order, also where nothing was owed',
      [['50 of 50'], ['20 of 100'], ['-1 of 10']],
      ['0', '59', '10'],
    ],
    ['more used than granted in all: the first owes it', [['-100 of 20'], ['30 of 30']], ['-70', '0']],
    [
      'those that are used at a price owe it before all others (B138)',
      [['-100 of 20'], ['30 of 30', { method: 'usage_based', max: '10' }]],
      ['0', '-70'],
    ],
    [
      'each as far as it may, the first of them the rest',
      [
        ['-100 of 20'],
        ['30 of 30', { method: 'usage_based', max: '10' }],
        ['0 of 0', { method: 'usage_based', max: '5' }],
      ],
      ['0', '-65', '-5'],
    ],
    ['more left than granted in all: the first has it', [['-10 of 20'], ['100 of 30']], ['60', '30']],
    ['no debt, nothing changes', [['10 of 100'], ['200 of 200']], ['10', '200']],
    ['nothing left, nothing changes', [['-10 of 100'], ['0 of 200']], ['-10', '0']],
    ['only debts, nothing changes', [['-10 of 100'], ['-20 of 200']], ['-10', '-20']],
    ['alone, nothing changes', [['-10 of 100']], ['-10']],
    ['rollovers are left alone, and pay for nothing', [['-30 of 100', { rollovers }], ['200 of 200']], ['0 ~7', '170']],
    ['a rollover is nothing that is left', [['-30 of 100', { rollovers }]], ['-30 ~7']],
    ['what was changed by hand stays granted', [['-30 of 100', { adjusted: '50' }], ['10 of 10']], ['-20', '0']],
    ['a grant below zero fills up to nothing', [['-30 of 10', { adjusted: '-40' }], ['50 of 50']], ['0', '20']],
    ['one without limit has no part in it', [['-5 of unlimited'], ['-30 of 100'], ['200 of 200']], ['-5', '0', '170']],
    ['nor has another feature', [['-30 of 100'], ['200 of 200', { feature: 'feat_other' }]], ['-30', '200']],
  ])('%s', (_label, rows, expected) => {
    expect(left(settled(held(rows)))).toEqual(expected)
  })

  test('in the order of consumption, whatever came first', () => {
    const rows: Row[] = [['200 of 200'], ['-30 of 100', { every: 'month', nextAt: 9 }]]
    expect(left(settled(held(rows)))).toEqual(['170', '0'])
  })
})

describe('each owner by itself (B137)', () => {
  const rows: Row[] = [['-30 of 100'], ['200 of 200'], ['-10 of 10', { of: 'desk' }], ['40 of 50', { of: 'desk' }]]
  test.each<[string, string | null, string[]]>([
    ['all owners are looked at', null, ['0', '170', '0', '30']],
    ['or one entity alone', 'ent_desk', ['-30', '200', '0', '30']],
  ])('%s', (_label, entity, expected) => {
    expect(left(settled(held(rows), entity))).toEqual(expected)
  })

  test('what one owes is never set off against what another has', () => {
    const apart: Row[] = [['-30 of 100'], ['200 of 200', { of: 'desk' }]]
    expect(left(settled(held(apart)))).toEqual(['-30', '200'])
  })
})

describe('what is looked at', () => {
  const monthly = { every: 'month' as const, nextAt: 9 }
  test('may be the balances of one interval', () => {
    const rows: Row[] = [['-30 of 100', monthly], ['50 of 50', monthly], ['200 of 200']]
    expect(left(settled(held(rows), null, { interval: 'month' }))).toEqual(['0', '20', '200'])
  })

  test.each<[string, Row[], string | null, Target]>([
    ['nothing is held', [], null, {}],
    ['only another feature is', [['5 of 5', { feature: 'feat_other' }]], null, {}],
    ['only one without limit is', [['0 of unlimited']], null, {}],
    ['nothing of that entity', [['5 of 5']], 'ent_desk', {}],
    ['nothing of that interval', [['5 of 5']], null, { interval: 'month' }],
  ])('is refused where there is nothing: %s', (_label, rows, entity, target) => {
    expect(redistribute(held(rows), entity, messages, target)).toMatchObject({ code: 'balance_not_found' })
  })

  test('a balance that does not change is told as well, and nothing is posted for it (B141)', () => {
    const holdings = held([['10 of 100'], ['200 of 200']])
    const result = found(holdings)
    expect(result.map(({ before, after }) => [before.uid, before === after])).toEqual([
      ['cus_ent_0', true],
      ['cus_ent_1', true],
    ])
    const journal = new Journal(1, 'test')
    expect(settleRedistribution(holdings, result, journal)).toBe(holdings)
    expect(journal.postings).toEqual([])
  })

  test('every change is a posting by hand', () => {
    const holdings = held([['-30 of 100'], ['200 of 200'], ['5 of 5']])
    const journal = new Journal(1, 'test')
    settleRedistribution(holdings, found(holdings), journal)
    expect(journal.postings.map(({ kind, balance: uid, amount: value }) => [kind, uid, formatAmount(value)])).toEqual([
      ['adjust', 'cus_ent_0', '30'],
      ['adjust', 'cus_ent_1', '-30'],
    ])
  })
})

test('what remains in all stays the same, and doing it again changes nothing (B138)', () => {
  const row = fc.record({
    left: fc.integer({ min: -40, max: 80 }),
    granted: fc.nat(60),
    adjusted: fc.integer({ min: -70, max: 30 }),
    monthly: fc.boolean(),
    of: fc.constantFrom(undefined, 'desk' as const),
  })
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), (rows) => {
      const before = held(
        rows.map(({ left: has, granted, adjusted, monthly, of }) => [
          `${has} of ${granted}`,
          { adjusted: String(adjusted), ...(monthly ? { every: 'month', nextAt: 9 } : {}), ...(of ? { of } : {}) },
        ]),
      )
      const after = settled(before)
      for (const owner of [null, desk.uid]) {
        const [old, now] = [before, after].map((holdings) =>
          [...allBalances(holdings)].filter(({ entity }) => entity === owner).sort(consumptionOrder),
        )
        expect(sum((now ?? []).map(({ remaining }) => remaining))).toBe(
          sum((old ?? []).map(({ remaining }) => remaining)),
        )
        expect((now ?? []).map(grantedOf)).toEqual((old ?? []).map(grantedOf))
        // Where there was something left to set off, a debt that remains is the first one's, and nobody has anything left.
        const [first, ...others] = (now ?? []).map(({ remaining }) => remaining)
        const debts = [first ?? 0n, ...others].filter((remaining) => remaining < 0n)
        if (debts.length > 0 && (old ?? []).some(({ remaining }) => remaining > 0n))
          expect([debts, others]).toEqual([[first], others.map(() => 0n)])
      }
      expect(left(settled(after))).toEqual(left(after))
    }),
    { numRuns: 2000 },
  )
})

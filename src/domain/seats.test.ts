import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance } from '../../test/build.ts'
import { formatAmount } from './amount.ts'
import type { Balance } from './balance.ts'
import { newCustomer } from './customer.ts'
import type { Entity } from './entity.ts'
import { balancesOf, type Holdings, holdingsOf } from './holdings.ts'
import { Journal } from './ledger.ts'
import { seatEntities, standing, vacateSeats } from './seats.ts'

const alice = newCustomer('cus_1', 'sandbox', 'alice', {}, 0)

/** A balance of seats: what was granted (by default what it has left and who sits on it), what is left, who sits. */
type Row = [left: string, seats?: number, sketch?: BalanceSketch]

function held(entities: number, rows: readonly Row[]): Holdings {
  const people = Array.from(
    { length: entities },
    (_, i): Entity => ({ uid: `ent_${i}`, id: `e${i}`, name: null, feature: 'feat_seats', createdAt: 0 }),
  )
  const strangers: Entity[] = [{ uid: 'ent_x', id: 'x', name: null, feature: 'feat_rooms', createdAt: 0 }]
  const balances = rows.map(
    ([left, seats = 0, sketch = {}], i): Balance => ({
      ...balance({ granted: '10', left, createdAt: i, ...sketch }),
      feature: 'feat_seats',
      seats,
    }),
  )
  const elsewhere: Balance = { ...balance({ granted: '100' }), feature: 'feat_seats', entity: 'ent_x' }
  return holdingsOf(alice, [...people, ...strangers], [...balances, elsewhere], 0, 0)
}

function shown(holdings: Holdings): string[] {
  return balancesOf(holdings, 'feat_seats').map(({ remaining, seats }) => `${formatAmount(remaining)} (${seats})`)
}

describe('entities take seats (B218)', () => {
  test.each<[string, number, Row[], string[]]>([
    ['nothing where nothing was granted', 2, [], []],
    ['one each', 2, [['5']], ['3 (2)']],
    ['only those who have none yet', 3, [['3', 2]], ['2 (3)']],
    ['nothing when all have one', 2, [['3', 2]], ['3 (2)']],
    ['nothing when more are taken than there are entities', 1, [['3', 2]], ['3 (2)']],
    ['from the first, then from the next', 3, [['2'], ['5']], ['0 (2)', '4 (1)']],
    ['whole ones only', 2, [['1.5'], ['0.9'], ['1']], ['0.5 (1)', '0.9 (0)', '0 (1)']],
    ['those that nobody granted are owed by the first', 4, [['1'], ['1']], ['-2 (3)', '0 (1)']],
    ['a debt is no seat', 2, [['-1'], ['1']], ['-2 (1)', '0 (1)']],
    ['one without limit seats everybody', 9, [['0', 0, { granted: 'unlimited' }], ['5']], ['-9 (9)', '5 (0)']],
  ])('%s', (_label, entities, rows, expected) => {
    expect(shown(seatEntities(held(entities, rows), 'feat_seats', new Journal(1, 'test')))).toEqual(expected)
  })

  test.each<[string, number, Row[], string[]]>([
    [
      'those of a plan, up to its maximum',
      9,
      [['5', 0, { granted: '5', method: 'usage_based', max: '2' }]],
      ['-2 (7)'],
    ],
    ['those of a plan without a maximum', 9, [['5', 0, { granted: '5', method: 'usage_based' }]], ['-4 (9)']],
    ['none where the maximum is owed already', 2, [['-2', 0, { method: 'usage_based', max: '2' }]], ['-2 (0)']],
    ['whole ones, with a part of one left', 4, [['0.5', 0, { method: 'usage_based', max: '1.5' }]], ['-1.5 (2)']],
    [
      'what is left elsewhere before anything is owed',
      3,
      [
        ['0', 0, { method: 'usage_based' }],
        ['2', 0, { method: 'usage_based' }],
      ],
      ['-1 (1)', '0 (2)'],
    ],
    [
      'seats that nobody sells, without a maximum',
      4,
      [['1'], ['1', 0, { method: 'usage_based', max: '1' }]],
      ['-2 (3)', '0 (1)'],
    ],
    [
      'seats as they are used before those that are bought',
      3,
      [
        ['1', 0, { prepaid: '1' }],
        ['0', 0, { method: 'usage_based' }],
      ],
      ['0 (1)', '-2 (2)'],
    ],
    ['bought ones up to what may be bought', 9, [['5', 0, { granted: '5', prepaid: '3', max: '4' }]], ['-1 (6)']],
    ['bought ones without a maximum', 7, [['5', 0, { granted: '5', prepaid: '3' }]], ['-2 (7)']],
  ])('on a plan: %s (B219)', (_label, entities, rows, expected) => {
    const after = seatEntities(held(entities, rows), 'feat_seats', new Journal(1, 'test'))
    expect(shown(after)).toEqual(expected)
    const seated = balancesOf(after, 'feat_seats').reduce((sum, { seats }) => sum + seats, 0)
    expect(standing(after, 'feat_seats')).toBe(entities - seated)
  })

  test('nobody stands where there is no balance to sit on', () => {
    expect(standing(held(3, []), 'feat_seats')).toBe(0)
    expect(standing(held(1, [['0', 3]]), 'feat_seats')).toBe(0)
  })

  test('what one without limit is drawn for is permitted by that', () => {
    const journal = new Journal(1, 'test')
    seatEntities(held(2, [['0', 0, { granted: 'unlimited' }]]), 'feat_seats', journal)
    expect(journal.postings.map(({ permit }) => permit)).toEqual(['unlimited'])
  })

  test('each balance is posted once, and what is owed with a permit', () => {
    const journal = new Journal(1, 'test')
    seatEntities(held(4, [['1'], ['1']]), 'feat_seats', journal)
    expect(
      journal.postings.map(({ kind, amount, remainingAfter, permit }) => [
        kind,
        formatAmount(amount),
        formatAmount(remainingAfter),
        permit,
      ]),
    ).toEqual([
      ['use', '-1', '0', null],
      ['use', '-1', '0', null],
      ['use', '-2', '-2', 'overage'],
    ])
  })

  test('nothing to do leaves the same holdings', () => {
    const holdings = held(2, [['3', 2]])
    expect(seatEntities(holdings, 'feat_seats', new Journal(1, 'test'))).toBe(holdings)
    expect(vacateSeats(holdings, 'feat_seats', new Journal(1, 'test'))).toBe(holdings)
  })
})

describe('entities give seats back (B220)', () => {
  test.each<[string, number, Row[], string[]]>([
    ['on the one balance', 1, [['3', 2]], ['4 (1)']],
    [
      'on the balance that is drawn from last',
      3,
      [
        ['0', 2],
        ['4', 2],
      ],
      ['0 (2)', '5 (1)'],
    ],
    [
      'on one that somebody sits on',
      1,
      [
        ['0', 2],
        ['5', 0],
      ],
      ['1 (1)', '5 (0)'],
    ],
    [
      'what is owed first',
      4,
      [
        ['-2', 3],
        ['0', 2],
      ],
      ['-1 (2)', '0 (2)'],
    ],
    [
      'a debt that nobody sits on is not theirs',
      1,
      [
        ['-2', 0],
        ['0', 2],
      ],
      ['-2 (0)', '1 (1)'],
    ],
    [
      'as many as there are too many',
      0,
      [
        ['-1', 2],
        ['4', 2],
      ],
      ['1 (0)', '6 (0)'],
    ],
    ['where entities stand, none', 2, [['5', 1]], ['5 (1)']],
    ['nothing where nothing is held', 0, [], []],
    ['on one without limit, it is counted back', 1, [['-2', 2, { granted: 'unlimited' }]], ['-1 (1)']],
  ])('%s', (_label, entities, rows, expected) => {
    expect(shown(vacateSeats(held(entities, rows), 'feat_seats', new Journal(1, 'test')))).toEqual(expected)
  })

  test('each seat is a refund in the ledger', () => {
    const journal = new Journal(1, 'test')
    vacateSeats(held(1, [['-1', 3]]), 'feat_seats', journal)
    expect(
      journal.postings.map(({ kind, amount, remainingAfter }) => [
        kind,
        formatAmount(amount),
        formatAmount(remainingAfter),
      ]),
    ).toEqual([
      ['refund', '1', '0'],
      ['refund', '1', '1'],
    ])
  })
})

import { describe, expect, test } from 'vitest'
import { amount, formatAmount } from '../../src/domain/amount.ts'
import { type Balance, grantedOf } from '../../src/domain/balance.ts'
import { newCustomer } from '../../src/domain/customer.ts'
import type { Entity } from '../../src/domain/entity.ts'
import type { Feature } from '../../src/domain/feature.ts'
import { allBalances, type Holdings, holdingsOf } from '../../src/domain/holdings.ts'
import { Journal } from '../../src/domain/ledger.ts'
import { isRefusal, type Refusal } from '../../src/domain/refusal.ts'
import { remove, removeKeepingUse } from '../../src/domain/removal.ts'
import type { Target } from '../../src/domain/target.ts'
import { type BalanceSketch, balance, feature } from '../build.ts'

const messages = feature('messages')
const entity = (id: string): Entity => ({ uid: `ent_${id}`, id, name: null, feature: 'feat_seats', createdAt: 0 })

/** A balance by its id as `left of granted`, and what else is to be said of it. */
type Row = [
  id: string,
  figures: string,
  more?: BalanceSketch & { of?: 'desk' | 'lamp'; seats?: number; adjusted?: string; feature?: string; flag?: true },
]

function held(rows: readonly Row[]): Holdings {
  const balances = rows.map(([id, figures, { of, seats, adjusted, feature, flag, ...more } = {}], i): Balance => {
    const [left = '', granted = ''] = figures.split(' of ')
    const one = balance({ left, granted, createdAt: i, ...more, uid: `cus_ent_${id}` })
    return {
      ...one,
      ...(flag ? { terms: { kind: 'flag' } } : {}),
      id,
      entity: of === undefined ? null : `ent_${of}`,
      seats: seats ?? 0,
      adjustment: amount(adjusted ?? '0'),
      feature: feature ?? messages.uid,
    }
  })
  const alice = newCustomer('cus_1', 'sandbox', 'alice', {}, 0)
  return holdingsOf(alice, [entity('desk'), entity('lamp')], balances, 0, 0)
}

/** What is there afterwards: `id left of granted`, with the entities that sit on it. */
function shown(holdings: Holdings | Refusal): string[] {
  if (isRefusal(holdings)) return [holdings.code]
  return [...allBalances(holdings)].map((one) => {
    const seats = one.seats === 0 ? '' : ` (${one.seats})`
    return `${one.id} ${formatAmount(one.remaining)} of ${formatAmount(grantedOf(one))}${seats}`
  })
}

/** What was posted: `bucket kind amount granted`. */
const posted = ({ postings }: Journal): string[] =>
  postings.map((one) =>
    [
      one.rollover ?? one.balance.slice('cus_ent_'.length),
      one.kind,
      formatAmount(one.amount),
      formatAmount(one.granted),
      ...(one.permit === null ? [] : [one.permit]),
    ].join(' '),
  )

const rolled = (left: string, used: string) => [{ left, used, expiresAt: null }]

describe('deleting with what was used (B129, B132)', () => {
  const rows: Row[] = [
    ['a', '60 of 100'],
    ['b', '5 of 7', { of: 'desk' }],
    ['c', '3 of 3', { of: 'lamp' }],
    ['d', '1 of 1', { feature: 'feat_images' }],
  ]
  test.each<[string, string | null, Feature | null, Target, string[]]>([
    ['everything of the feature', null, messages, {}, ['d 1 of 1']],
    ['what one entity has of it', 'ent_desk', messages, {}, ['a 60 of 100', 'd 1 of 1', 'c 3 of 3']],
    ['what an id names, of whichever feature', null, null, { balanceId: 'd' }, ['a 60 of 100', 'b 5 of 7', 'c 3 of 3']],
    ['what an id names', null, messages, { balanceId: 'b' }, ['a 60 of 100', 'd 1 of 1', 'c 3 of 3']],
    ['an id of another feature', null, messages, { balanceId: 'd' }, ['balance_not_found']],
  ])('%s', (_label, whose, feature, target, left) => {
    expect(shown(remove(held(rows), whose, feature, target, new Journal(1, 'delete')))).toEqual(left)
  })

  test('takes the balance and its rollovers to nothing in the ledger', () => {
    const journal = new Journal(1, 'delete')
    remove(held([['a', '60 of 100', { rollovers: rolled('4', '1') }]]), null, messages, {}, journal)
    expect(posted(journal)).toEqual(['roll_cus_ent_a_0 void -4 -5', 'a void -60 -100'])
    expect(journal.postings.map(({ at, cause }) => [at, cause])).toEqual([
      [1, 'delete'],
      [1, 'delete'],
    ])
  })
})

describe('deleting and keeping what was used (B133-B135)', () => {
  const monthly = { every: 'month', nextAt: 9 } as const
  test.each<[string, Row[], string | null, Target, string[], string[]]>([
    [
      'it moves to what is left',
      [
        ['a', '60 of 100'],
        ['b', '200 of 200'],
      ],
      null,
      { balanceId: 'a' },
      ['b 160 of 200'],
      ['a void -60 -100', 'b adjust -40 0'],
    ],
    [
      'to as many as it takes, in order, and the first owes the rest',
      [
        ['a', '0 of 100'],
        ['b', '30 of 30'],
        ['c', '50 of 50', monthly],
      ],
      null,
      { balanceId: 'a' },
      ['c -20 of 50', 'b 0 of 30'],
      ['a void 0 -100', 'c adjust -50 0', 'b adjust -30 0', 'c adjust -20 0 overflow'],
    ],
    [
      'nothing was used: nothing moves',
      [
        ['a', '100 of 100'],
        ['b', '200 of 200'],
      ],
      null,
      { balanceId: 'a' },
      ['b 200 of 200'],
      ['a void -100 -100'],
    ],
    [
      'less than nothing was used: it is not given to anyone',
      [
        ['a', '120 of 100'],
        ['b', '150 of 200'],
      ],
      null,
      { balanceId: 'a' },
      ['b 150 of 200'],
      ['a void -120 -100'],
    ],
    [
      'less than nothing was used and nothing is left: it is gone',
      [['a', '120 of 100']],
      null,
      {},
      [],
      ['a void -120 -100'],
    ],
    ['nothing was used and nothing is left', [['a', '100 of 100']], null, {}, [], ['a void -100 -100']],
    [
      'nothing is left: it is owed, and several collapse into the first (B134)',
      [
        ['a', '60 of 100'],
        ['b', '20 of 50'],
      ],
      null,
      {},
      ['a -70 of 0'],
      ['b void -20 -50', 'a adjust -130 -100 adjust'],
    ],
    [
      'a grant that was changed by hand goes with it',
      [['a', '60 of 100', { adjusted: '20' }]],
      null,
      {},
      ['a -60 of 0'],
      ['a adjust -120 -120 adjust'],
    ],
    ['a flag is simply gone', [['a', '0 of 0', { flag: true }]], null, {}, [], []],
    [
      'one without limit is gone, and what it gave is kept nowhere',
      [
        ['a', '-7 of unlimited'],
        ['b', '5 of 9'],
      ],
      null,
      { balanceId: 'a' },
      ['b 5 of 9'],
      ['a void 7 0'],
    ],
    [
      'one without limit beside a finite one, with nothing left: what was used of the finite one is owed',
      [
        ['a', '-7 of unlimited'],
        ['b', '5 of 9'],
      ],
      null,
      {},
      ['b -4 of 0'],
      ['a void 7 0', 'b adjust -9 -9 adjust'],
    ],
    [
      'every owner keeps its own',
      [
        ['a', '60 of 100'],
        ['b', '5 of 7', { of: 'desk' }],
        ['c', '3 of 9', { of: 'lamp' }],
      ],
      null,
      {},
      ['a -40 of 0', 'b -2 of 0', 'c -6 of 0'],
      ['a adjust -100 -100 adjust', 'b adjust -7 -7 adjust', 'c adjust -9 -9 adjust'],
    ],
    [
      "an entity's moves to what it has left itself, not to what it inherits",
      [
        ['a', '60 of 100'],
        ['b', '5 of 7', { of: 'desk' }],
        ['c', '3 of 9', { of: 'desk' }],
      ],
      'ent_desk',
      { balanceId: 'b' },
      ['a 60 of 100', 'c 1 of 9'],
      ['b void -5 -7', 'c adjust -2 0'],
    ],
    [
      "a customer's does not move to its entities",
      [
        ['a', '60 of 100'],
        ['b', '5 of 7', { of: 'desk' }],
      ],
      null,
      { balanceId: 'a' },
      ['a -40 of 0', 'b 5 of 7'],
      ['a adjust -100 -100 adjust'],
    ],
    [
      'who sat on what is gone sits where it is paid for now',
      [
        ['a', '1 of 3', { seats: 2 }],
        ['b', '1 of 1'],
        ['c', '4 of 5', { seats: 1 }],
      ],
      null,
      { balanceId: 'a' },
      ['b 0 of 1 (1)', 'c 3 of 5 (2)'],
      ['a void -1 -3', 'b adjust -1 0', 'c adjust -1 0'],
    ],
    [
      'no more of them on any than are paid for there, and the rest on the first',
      [
        ['a', '1 of 3', { seats: 3 }],
        ['b', '1 of 1'],
        ['c', '5 of 5'],
      ],
      null,
      { balanceId: 'a' },
      ['b 0 of 1 (2)', 'c 4 of 5 (1)'],
      ['a void -1 -3', 'b adjust -1 0', 'c adjust -1 0'],
    ],
    [
      'and on the first where fewer are paid for than sat there',
      [
        ['a', '2 of 3', { seats: 3 }],
        ['b', '1 of 1'],
        ['c', '4 of 5'],
      ],
      null,
      { balanceId: 'a' },
      ['b 0 of 1 (3)', 'c 4 of 5'],
      ['a void -2 -3', 'b adjust -1 0'],
    ],
    [
      'who sat on several sits on the one that owes',
      [
        ['a', '1 of 3', { seats: 2 }],
        ['b', '0 of 1', { seats: 1 }],
      ],
      null,
      {},
      ['a -3 of 0 (3)'],
      ['b void 0 -1', 'a adjust -4 -3 adjust'],
    ],
    ['what nobody has', [['a', '1 of 3']], null, { balanceId: 'z' }, ['balance_not_found'], []],
    ['what another feature has', [['a', '1 of 3', { feature: 'feat_images' }]], null, {}, ['balance_not_found'], []],
  ])('%s', (_label, rows, whose, target, left, postings) => {
    const journal = new Journal(1, 'delete')
    expect(shown(removeKeepingUse(held(rows), whose, messages, target, journal))).toEqual(left)
    expect(posted(journal)).toEqual(postings)
  })

  test('what owes it keeps its ids and has nothing that time changes', () => {
    const journal = new Journal(1, 'delete')
    const rows: Row[] = [
      ['a', '60 of 100', { ...monthly, rollover: { months: 2 }, rollovers: rolled('4', '1'), expiresAt: 50, seats: 1 }],
    ]
    const after = removeKeepingUse(held(rows), null, messages, {}, journal)
    if (isRefusal(after)) throw new Error(after.message)
    expect([...allBalances(after)]).toMatchObject([
      {
        uid: 'cus_ent_a',
        id: 'a',
        remaining: amount('-40'),
        seats: 1,
        reset: null,
        rolloverPolicy: null,
        rollovers: [],
        expiresAt: null,
      },
    ])
    expect(posted(journal)).toEqual(['roll_cus_ent_a_0 void -4 -5', 'a adjust -100 -100 adjust'])
  })
})

describe('what comes from plans', () => {
  const rows: Row[] = [
    ['free', '60 of 100', { plan: 'free' }],
    ['paid', '5 of 7', { plan: 'pro', method: 'usage_based', createdAt: 9 }],
  ]
  const both = [remove, removeKeepingUse] as const

  test.each(both)('goes with the plan alone where it is paid for, and then nothing else goes (B130): %o', (how) => {
    const journal = new Journal(1, 'delete')
    expect(shown(how(held(rows), null, messages, {}, journal))).toEqual(['balance_is_priced'])
    expect(how(held(rows), null, messages, { balanceId: 'paid' }, journal)).toMatchObject({
      message: expect.stringContaining('plan pro'),
    })
    expect(journal.postings).toEqual([])
  })

  test.each(both)('may go where it is free (B131): %o', (how) => {
    expect(shown(how(held(rows.slice(0, 1)), null, messages, {}, new Journal(1, 'delete'))).at(0) ?? 'gone').toBe(
      how === remove ? 'gone' : 'free -40 of 0',
    )
  })

  test('its use goes to what is there, in order, and the first owes it (B133)', () => {
    const after = removeKeepingUse(held(rows), null, messages, { balanceId: 'free' }, new Journal(1, 'delete'))
    expect(shown(after)).toEqual(['paid -35 of 7'])
  })
})

import { describe, expect, test } from 'vitest'
import { balance } from '../../test/build.ts'
import { amount } from './amount.ts'
import { audit, ofMissingFeatures } from './audit.ts'
import type { Balance } from './balance.ts'
import { newCustomer } from './customer.ts'
import type { Entity } from './entity.ts'
import { type Holdings, holdingsOf } from './holdings.ts'
import type { Posting } from './ledger.ts'
import type { HeldLine, Lock } from './lock.ts'
import { AT_PAR } from './price.ts'

const DESK: Entity = { uid: 'ent_desk', id: 'desk', name: null, feature: 'feat_seats', createdAt: 0 }

/** Something that is held, and the lines that led to it: `[amount, granted, after]`, and where not obvious the rest. */
type Line = readonly [amount: string, granted: string, after: string, more?: Partial<Posting>]

function posting(balanceUid: string, [value, granted, after, more = {}]: Line): Posting {
  return {
    entity: null,
    feature: 'feat_messages',
    balance: balanceUid,
    rollover: null,
    kind: 'use',
    amount: amount(value),
    granted: amount(granted),
    held: 0n,
    remainingAfter: amount(after),
    permit: null,
    cause: 'test',
    at: 0,
    ...more,
  }
}

/**
 * Messages of which 70 of 100 are left with two rollovers, one balance that is gone, an entity's own, and a seat that is
 * owed because nobody granted any.
 */
const MAIN = balance({
  uid: 'cus_ent_main',
  left: '70',
  rollovers: [
    { left: '6', used: '4', expiresAt: 9 },
    { left: '3', expiresAt: null },
  ],
})
const OWN: Balance = { ...balance({ uid: 'cus_ent_own', granted: '5' }), entity: DESK.uid }
const SEATS: Balance = {
  ...balance({ uid: 'cus_ent_seats', granted: '0', left: '-1' }),
  feature: 'feat_seats',
  seats: 1,
}
const [FIRST, SECOND] = ['roll_cus_ent_main_0', 'roll_cus_ent_main_1']

const LEDGER: readonly Posting[] = [
  posting(MAIN.uid, ['100', '100', '100']),
  posting('cus_ent_gone', ['20', '20', '20']),
  posting(MAIN.uid, ['10', '10', '10', { rollover: FIRST }]),
  posting(MAIN.uid, ['-4', '0', '6', { rollover: FIRST }]),
  posting(MAIN.uid, ['3', '3', '3', { rollover: SECOND }]),
  posting(OWN.uid, ['5', '5', '5', { entity: DESK.uid }]),
  posting(SEATS.uid, ['-1', '0', '-1', { feature: 'feat_seats', permit: 'overage' }]),
  posting(MAIN.uid, ['-25', '0', '75']),
  posting(MAIN.uid, ['-5', '0', '70']),
  posting('cus_ent_gone', ['-20', '-20', '0']),
]

function held(balances: readonly Balance[] = [MAIN, OWN, SEATS], postings = LEDGER.length): Holdings {
  return holdingsOf(newCustomer('cus_1', 'sandbox', 'alice', {}, 0), [DESK], balances, 0, postings)
}

function forged(line: number, more: Partial<Posting>): Posting[] {
  return LEDGER.map((one, i) => (i === line ? { ...one, ...more } : one))
}

test('books that add up have nothing to be found', () => {
  expect(audit(held(), LEDGER)).toEqual([])
  expect(audit(held([], 0), [])).toEqual([])
})

test('what holds nothing and never did needs no line', () => {
  const nothing = [balance({ uid: 'cus_ent_flag', granted: '0' }), balance({ granted: 'unlimited' })]
  expect(audit(held([MAIN, OWN, SEATS, ...nothing]), LEDGER)).toEqual([])
})

describe('a forged ledger is found out:', () => {
  test.each<[forgery: string, ledger: Posting[], findings: string[]]>([
    [
      'another amount',
      forged(7, { amount: amount('-24') }),
      [
        'cus_ent_main: 70 remains, and its lines sum to 71',
        'cus_ent_main: line 2 says that 75 remained after it, and the lines so far sum to 76 (the first of 2 such lines)',
      ],
    ],
    [
      'another grant',
      forged(0, { granted: amount('100.000000000001') }),
      ['cus_ent_main: 100 is granted, and its lines grant 100.000000000001'],
    ],
    [
      'another amount left in between',
      forged(7, { remainingAfter: amount('74') }),
      ['cus_ent_main: line 2 says that 74 remained after it, and the lines so far sum to 75'],
    ],
    [
      'another amount left at the end',
      forged(8, { remainingAfter: amount('71') }),
      ['cus_ent_main: line 3 says that 71 remained after it, and the lines so far sum to 70'],
    ],
    [
      'the lines of two buckets exchanged',
      forged(3, { rollover: SECOND }),
      [
        `cus_ent_main ${FIRST}: 6 remains, and its lines sum to 10`,
        `cus_ent_main ${SECOND}: 3 remains, and its lines sum to -1`,
        `cus_ent_main ${SECOND}: line 1 says that 6 remained after it, and the lines so far sum to -4 (the first of 2 such lines)`,
        `cus_ent_main ${SECOND}: line 1 takes it to -4 without a permit`,
      ],
    ],
    ['a permit taken away', forged(6, { permit: null }), ['cus_ent_seats: line 1 takes it to -1 without a permit']],
    [
      'lines in another order',
      LEDGER.toSpliced(7, 2, ...LEDGER.slice(7, 9).reverse()),
      [
        'cus_ent_main: line 2 says that 70 remained after it, and the lines so far sum to 95 (the first of 2 such lines)',
      ],
    ],
    [
      'a line left out',
      LEDGER.toSpliced(8, 1),
      ['cus_ent_main: 70 remains, and its lines sum to 75', 'the customer counts 10 postings, and there are 9'],
    ],
    [
      'a line twice',
      [...LEDGER, posting(MAIN.uid, ['-5', '0', '70'])],
      [
        'cus_ent_main: 70 remains, and its lines sum to 65',
        'cus_ent_main: line 4 says that 70 remained after it, and the lines so far sum to 65',
        'the customer counts 10 postings, and there are 11',
      ],
    ],
    [
      'two lines that cancel out added',
      [...LEDGER, posting(MAIN.uid, ['1', '0', '71']), posting(MAIN.uid, ['-1', '0', '70'])],
      ['the customer counts 10 postings, and there are 12'],
    ],
    [
      'a line of another feature',
      forged(7, { feature: 'feat_words' }),
      ['cus_ent_main: line 2 is of feat_words, and the first one of feat_messages'],
    ],
    [
      'a line of another owner',
      forged(5, { entity: null }),
      ['cus_ent_own: is of feat_messages of ent_desk, and its first line of feat_messages'],
    ],
    [
      'a bucket that was not taken to nothing before it went',
      LEDGER.slice(0, -1),
      ['cus_ent_gone: is gone, and by its lines holds 20 of 20', 'the customer counts 10 postings, and there are 9'],
    ],
    [
      'a grant that stayed when its bucket went',
      forged(9, { granted: amount('-19') }),
      ['cus_ent_gone: is gone, and by its lines holds 0 of 1'],
    ],
    [
      'no line of a balance at all',
      LEDGER.toSpliced(5, 1),
      [
        'cus_ent_own: holds 5 of 5, and the ledger has no line of it',
        'the customer counts 10 postings, and there are 9',
      ],
    ],
  ])('%s', (_, ledger, findings) => {
    expect(audit(held(), ledger)).toEqual(findings)
  })
})

describe('forged holdings are found out:', () => {
  const [first, second] = MAIN.rollovers
  test.each<[forgery: string, balances: Balance[], finding: string]>([
    [
      'more left than there was',
      [{ ...MAIN, remaining: amount('71') }, OWN, SEATS],
      'cus_ent_main: 71 remains, and its lines sum to 70',
    ],
    [
      'a bigger allowance',
      [{ ...MAIN, terms: { kind: 'finite', allowance: amount('101') } }, OWN, SEATS],
      'cus_ent_main: 101 is granted, and its lines grant 100',
    ],
    [
      'an adjustment that nobody made',
      [{ ...MAIN, adjustment: amount('1') }, OWN, SEATS],
      'cus_ent_main: 101 is granted, and its lines grant 100',
    ],
    ['a balance that vanished', [MAIN, SEATS], 'cus_ent_own: is gone, and by its lines holds 5 of 5'],
    [
      'a balance out of nowhere',
      [MAIN, OWN, SEATS, balance({ uid: 'cus_ent_new', granted: '1' })],
      'cus_ent_new: holds 1 of 1, and the ledger has no line of it',
    ],
    [
      'a rollover with more in it',
      [{ ...MAIN, rollovers: [{ ...first, remaining: amount('7') }, second] as Balance['rollovers'] }, OWN, SEATS],
      `cus_ent_main ${FIRST}: 7 remains, and its lines sum to 6`,
    ],
    [
      'a rollover that says it was used less',
      [{ ...MAIN, rollovers: [{ ...first, used: amount('3') }, second] as Balance['rollovers'] }, OWN, SEATS],
      `cus_ent_main ${FIRST}: 9 is granted, and its lines grant 10`,
    ],
    [
      'a rollover that stands there twice',
      [{ ...MAIN, rollovers: [first, second, second] as Balance['rollovers'] }, OWN, SEATS],
      `cus_ent_main ${SECOND}: 6 remains, and its lines sum to 3`,
    ],
    [
      'a balance given to somebody else',
      [MAIN, { ...OWN, entity: null }, SEATS],
      'cus_ent_own: is of feat_messages, and its first line of feat_messages of ent_desk',
    ],
    [
      'more seats than entities',
      [MAIN, OWN, { ...SEATS, seats: 2 }],
      '2 seats of feat_seats are taken, and its entities number 1',
    ],
    [
      "a seat on what is an entity's own",
      [MAIN, { ...OWN, seats: 1 }, SEATS],
      'cus_ent_own: 1 seats of it are taken, which cannot be',
    ],
    [
      'fewer seats than none',
      [MAIN, OWN, { ...SEATS, seats: -1 }],
      'cus_ent_seats: -1 seats of it are taken, which cannot be',
    ],
  ])('%s', (_, balances, finding) => {
    expect(audit(held(balances), LEDGER)).toContain(finding)
  })

  test('another count of postings', () => {
    expect(audit(held(undefined, 11), LEDGER)).toEqual(['the customer counts 11 postings, and there are 10'])
  })
})

test('an entity without a seat is nothing to be found: its balance may have gone from under it', () => {
  const seatless = [MAIN, OWN, { ...SEATS, seats: 0 }]
  expect(audit(held(seatless), LEDGER)).toEqual([])
})

describe('features that are not there', () => {
  test('are missed by balances and by entities', () => {
    expect(ofMissingFeatures(held(), new Set(['feat_messages', 'feat_seats']), 100)).toEqual([])
    expect(ofMissingFeatures(held(), new Set(['feat_messages']), 100)).toEqual([
      'cus_ent_seats: is of the feature feat_seats, which is not there',
      'ent_desk: is one of the feature feat_seats, which is not there',
    ])
  })

  test('are not missed by a balance that expired, because they may go before it is cleared away', () => {
    const expiring = [{ ...MAIN, expiresAt: 100 }]
    expect(ofMissingFeatures(held(expiring), new Set(['feat_seats']), 99)).toHaveLength(1)
    expect(ofMissingFeatures(held(expiring), new Set(['feat_seats']), 100)).toEqual([])
  })
})

describe('what locks hold is found out where it is not what is held', () => {
  /** Holds so much of a bucket of the main balance. */
  const lockOf = (id: string, rollover: string | null, units: string, ended: HeldLine['ended'] = null): Lock => ({
    ...{ id, uid: `lock_${id}`, feature: 'feat_messages', name: 'messages', entity: null, held: amount(units) },
    ...{ behavior: 'cap', properties: {}, heldAt: 0, lapsesAt: 9, atLapse: 'release' },
    lines: [
      {
        ...{ balance: MAIN.uid, rollover, feature: 'feat_messages', healed: 0n, ended },
        line: {
          ...{ balanceUid: rollover ?? MAIN.uid, featureId: 'messages', planId: null, reset: null },
          ...{ amount: amount(units), price: AT_PAR, metered: null },
        },
      },
    ],
  })
  const holding = { ...MAIN, held: amount('25') }
  const ledger = forged(7, { held: amount('25') })
  const over = { at: 5, debt: 0n }

  test.each<[string, Lock[], Balance, Posting[], string[]]>([
    ['nothing, where both agree', [lockOf('a', null, '20'), lockOf('b', null, '5')], holding, ledger, []],
    ['nothing, of a period that is over', [lockOf('a', null, '20', over)], MAIN, [...LEDGER], []],
    ['nothing, of what is gone', [lockOf('a', FIRST, '4', 'gone')], MAIN, [...LEDGER], []],
    ['less', [lockOf('a', null, '20')], holding, ledger, ['cus_ent_main: 25 is held of it, and open locks hold 20']],
    ['more', [lockOf('a', null, '20')], MAIN, [...LEDGER], ['cus_ent_main: 0 is held of it, and open locks hold 20']],
    [
      'of a rollover, after a reset too',
      [lockOf('a', FIRST, '4', over)],
      MAIN,
      [...LEDGER],
      [`cus_ent_main ${FIRST}: 0 is held of it, and open locks hold 4`],
    ],
    [
      'by the lock itself',
      [{ ...lockOf('a', null, '25'), held: amount('24') }],
      holding,
      ledger,
      ['lock a holds 24, and its lines come to 25'],
    ],
    [
      'nothing, of what gives back less than was asked',
      [{ ...lockOf('a', null, '0'), held: amount('-5') }],
      MAIN,
      [...LEDGER],
      [],
    ],
    [
      'by the ledger',
      [lockOf('a', null, '25')],
      holding,
      [...LEDGER],
      ['cus_ent_main: 25 is held of it, and its lines hold 0'],
    ],
  ])('%s', (_label, locks, main, lines, findings) => {
    const customer = newCustomer('cus_1', 'sandbox', 'alice', {}, 0)
    const holdings = holdingsOf(customer, [DESK], [main, OWN, SEATS], 0, LEDGER.length, new Map(), locks)
    expect(audit(holdings, lines)).toEqual(findings)
  })
})

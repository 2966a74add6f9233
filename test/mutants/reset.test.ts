import { describe, expect, test } from 'vitest'
import { amount, formatAmount } from '../../src/domain/amount.ts'
import type { Balance } from '../../src/domain/balance.ts'
import { Journal } from '../../src/domain/ledger.ts'
import { advance, reset } from '../../src/domain/reset.ts'
import { type BalanceSketch, balance } from '../build.ts'

const DAY = 86_400_000
const daily = { uid: 'cus_ent_x', every: 'day', nextAt: DAY, granted: '10' } as const

/** The sum of what was posted to each bucket so far must be what the line says is left in it (law 1). */
function expectRunningSums(before: Balance, { postings }: Journal): void {
  const left = new Map([
    [before.uid, before.remaining],
    ...before.rollovers.map((one) => [one.uid, one.remaining] as const),
  ])
  for (const { rollover, balance: uid, amount: moved, remainingAfter } of postings) {
    const bucket = rollover ?? uid
    left.set(bucket, (left.get(bucket) ?? 0n) + moved)
    expect([bucket, formatAmount(remainingAfter)]).toEqual([bucket, formatAmount(left.get(bucket) ?? 0n)])
  }
}

/** `kind bucket amount granted @day`. */
const posted = ({ postings }: Journal): string[] =>
  postings.map(
    ({ kind, rollover, amount: moved, granted, at }) =>
      `${kind} ${rollover ?? 'main'} ${formatAmount(moved)} ${formatAmount(granted)} @${at / DAY}`,
  )

describe('every line says what is left after it (law 1)', () => {
  test.each<[string, BalanceSketch]>([
    ['nothing rolls over', {}],
    ['for ever', { rollover: { months: null } }],
    ['for ever, up to a cap', { rollover: { months: null, max: '25' } }],
    ['for a month', { rollover: { months: 1 } }],
    [
      'for a month, up to a cap',
      { rollover: { months: 1, max: '25' }, rollovers: [{ left: '9', expiresAt: 40 * DAY }] },
    ],
    ['a debt', { rollover: { months: 1 }, left: '-3' }],
    ['until it expires', { rollover: { months: 1 }, expiresAt: 5 * DAY }],
  ])('%s', (_label, sketch) => {
    const before = balance({ ...daily, left: '4', ...sketch })
    const journal = new Journal(60 * DAY, 'test')
    advance(before, 60 * DAY, journal)
    expectRunningSums(before, journal)
  })
})

test('what expires leaves the ledger at its instant, with what was used of its rollovers (law 1)', () => {
  const journal = new Journal(9 * DAY, 'test')
  const one = balance({
    granted: '10',
    left: '4',
    expiresAt: DAY,
    rollovers: [{ left: '3', used: '2', expiresAt: null }],
  })
  expect(advance(one, 9 * DAY, journal)).toBeNull()
  expect(posted(journal)).toEqual([`expire ${one.rollovers[0]?.uid} -3 -5 @1`, 'expire main -4 -10 @1'])
  expect(journal.postings.map(({ cause }) => cause)).toEqual(['time', 'time'])
})

test('nothing due is the same object', () => {
  const one = balance(daily)
  expect(advance(one, DAY - 1, new Journal(DAY - 1, 'test'))).toBe(one)
})

describe('a rollover is named by its balance and its boundary, so that every reader computes the same one', () => {
  test.each<[string, number | null, string]>([
    ['one that ends', 1, `roll_x_${DAY.toString(36)}`],
    ['one that never ends', null, 'roll_x_ever'],
  ])('%s', (_label, months, uid) => {
    expect(reset(balance({ ...daily, rollover: { months } }), DAY, new Journal(DAY, 'test')).rollovers).toEqual([
      expect.objectContaining({ uid, remaining: amount('10') }),
    ])
  })
})

test('a rollover that would end at its own boundary is none', () => {
  const journal = new Journal(DAY, 'test')
  advance(balance({ ...daily, rollover: { months: 0 } }), DAY, journal)
  expect(posted(journal)).toEqual(['reset main -10 -10 @1', 'grant main 10 10 @1'])
})

test.each<[string, number, number[]]>([
  ['before one that ends later', 90 * DAY, [32 * DAY, 90 * DAY]],
  ['after one that ends sooner', 20 * DAY, [20 * DAY, 32 * DAY]],
])('a new rollover takes its place %s', (_label, other, expected) => {
  const one = balance({ ...daily, rollover: { months: 1 }, rollovers: [{ left: '1', expiresAt: other }] })
  expect(reset(one, DAY, new Journal(DAY, 'test')).rollovers.map(({ expiresAt }) => expiresAt)).toEqual(expected)
})

test('the cap takes from the rollover that ends soonest, and its grant goes with it (B165)', () => {
  const rollovers = [
    { left: '0', used: '5', expiresAt: 20 * DAY },
    { left: '3', used: '2', expiresAt: 21 * DAY },
    { left: '4', used: '1', expiresAt: 22 * DAY },
  ]
  const one = balance({ ...daily, rollover: { months: 1, max: '12' }, rollovers })
  const journal = new Journal(DAY, 'test')
  const after = reset(one, DAY, journal)
  expect(after.rollovers.map(({ remaining, used }) => [formatAmount(remaining), formatAmount(used)])).toEqual([
    ['0', '5'],
    ['2', '1'],
    ['10', '0'],
  ])
  expect(posted(journal).slice(-2)).toEqual(['reset roll_cus_ent_x_1 -3 -5 @1', 'reset roll_cus_ent_x_2 -2 -2 @1'])
})

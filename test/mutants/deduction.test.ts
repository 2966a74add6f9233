import { describe, expect, test } from 'vitest'
import { amount, formatAmount } from '../../src/domain/amount.ts'
import { applyMoves, type Candidate, deduct, type OverageBehavior, USING } from '../../src/domain/deduction.ts'
import { Journal } from '../../src/domain/ledger.ts'
import { AT_PAR, flatTariff, PAR, rateOf } from '../../src/domain/price.ts'
import { type BalanceSketch, balance } from '../build.ts'

type More = Partial<Pick<Candidate, 'mayOwe'>> & { cost?: string }

const candidate = (sketch: BalanceSketch, { mayOwe = 0n, cost = '1' }: More = {}): Candidate => ({
  balance: balance(sketch),
  rate: rateOf('feat_messages', flatTariff(amount(cost)), {}),
  mayOwe,
})

/** Moves as `amount permit`, then what is missing. */
function planned(candidates: Candidate[], units: string, behavior: OverageBehavior = 'cap'): string[] {
  const { moves, missing } = deduct(candidates, amount(units), behavior)
  return [...moves.map((move) => `${formatAmount(move.amount)} ${move.permit}`), `missing ${formatAmount(missing)}`]
}

describe('what permits a debt is written down', () => {
  test.each<[string, Candidate[], string, OverageBehavior, string[]]>([
    ['overflow (V11)', [candidate({ left: '5' })], '7', 'overflow', ['5 null', '2 overflow', 'missing 0']],
    [
      'seats that nobody sells (R101)',
      [candidate({ left: '5' }, { mayOwe: null })],
      '7',
      'cap',
      ['5 null', '2 overage', 'missing 0'],
    ],
    ['no limit (R88)', [candidate({ granted: 'unlimited' })], '7', 'reject', ['7 unlimited', 'missing 0']],
    ['no limit, given back', [candidate({ granted: 'unlimited' })], '-7', 'cap', ['-7 unlimited', 'missing 0']],
  ])('%s', (_label, candidates, units, behavior, expected) => {
    expect(planned(candidates, units, behavior)).toEqual(expected)
  })
})

describe('giving back (R110-R113)', () => {
  test('is never short: what nobody can take back is dropped', () => {
    expect(planned([], '-3')).toEqual(['missing 0'])
    expect(planned([candidate({ granted: '10', left: '8' })], '-3')).toEqual(['-2 null', 'missing 0'])
  })

  test('a debt is healed once: the grant is the most, for a balance that was in debt too', () => {
    expect(planned([candidate({ granted: '10', left: '-3' })], '-100')).toEqual(['-3 null', '-10 null', 'missing 0'])
  })
})

test('a free member moves nothing at all, so its payer is not touched (R99)', () => {
  expect(planned([candidate({ left: '5' }, { cost: '0' })], '1000', 'reject')).toEqual(['missing 0'])
  expect(planned([candidate({ left: '0' }, { cost: '0' })], '1000', 'reject')).toEqual(['missing 0'])
})

test.each([
  ['first', [null, 5]],
  ['last', [5, null]],
])('a rollover that never expires pays after one that does, where it stands %s (R88-R96)', (_label, expiries) => {
  const candidates = expiries.map((expiresAt) => candidate({ rollovers: [{ left: '9', expiresAt }] }))
  const { moves } = deduct(candidates, amount('10'), 'cap')
  expect(moves.map(({ rollover, amount: moved }) => [rollover?.expiresAt, formatAmount(moved)])).toEqual([
    [5, '9'],
    [null, '1'],
  ])
})

test('what several moves take of one rollover is counted as used, line by line', () => {
  const journal = new Journal(1, 'evt')
  const one = balance({ rollovers: [{ left: '5', used: '1', expiresAt: null }] })
  const rollover = one.rollovers[0] ?? null
  const move = { balance: one, rollover, price: AT_PAR, permit: null, metered: null }
  const moves = ['2', '1'].map((taken) => ({ ...move, amount: amount(taken) }))
  const [after] = applyMoves(moves, USING, journal)
  expect(after?.rollovers.map(({ remaining, used }) => [remaining, used].map(formatAmount))).toEqual([['2', '4']])
  expect(journal.postings.map(({ remainingAfter }) => formatAmount(remainingAfter))).toEqual(['3', '2'])
})

test('what is taken and what is given back are posted under different names', () => {
  const journal = new Journal(1, 'evt')
  const one = balance({ granted: '10', left: '5' })
  for (const units of ['2', '-2']) {
    const { moves } = deduct([{ balance: one, rate: PAR, mayOwe: 0n }], amount(units), 'cap')
    applyMoves(moves, USING, journal)
  }
  expect(journal.postings.map(({ kind }) => kind)).toEqual(['use', 'refund'])
})

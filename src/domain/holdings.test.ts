import fc from 'fast-check'
import { expect, test } from 'vitest'
import { balance } from '../../test/build.ts'
import { amount } from './amount.ts'
import { newCustomer } from './customer.ts'
import { applyMoves, deduct } from './deduction.ts'
import { balancesOf, differences, holdingsOf, withBalances, withoutBalances } from './holdings.ts'
import { Journal } from './ledger.ts'
import { PAR } from './price.ts'

const alice = newCustomer('cus_1', 'sandbox', 'alice', {}, 0)

test('law 7: what is taken does not depend on the order in which rows were loaded', () => {
  const rows = fc.array(
    fc.record({
      granted: fc.constantFrom('3', '5', 'unlimited' as const),
      every: fc.constantFrom(undefined, 'day' as const, 'month' as const),
      expiresAt: fc.constantFrom(undefined, 10, 20),
      createdAt: fc.nat(3),
    }),
    { minLength: 2, maxLength: 8 },
  )
  fc.assert(
    fc.property(rows, fc.nat(30), fc.infiniteStream(fc.nat()), (sketches, value, chance) => {
      const balances = sketches.map(({ granted, every, expiresAt, createdAt }, i) =>
        balance({
          uid: `cus_ent_${i}`,
          granted,
          createdAt,
          ...(every === undefined || granted === 'unlimited' ? {} : { every }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        }),
      )
      const shuffled = balances.toSorted(() => ((chance.next().value ?? 0) % 2 === 0 ? 1 : -1))
      const taken = [balances, shuffled].map((list) => {
        const candidates = balancesOf(holdingsOf(alice, [], list, 0, 0), 'feat_messages').map((one) => ({
          balance: one,
          rate: PAR,
          mayOverdraw: false,
        }))
        return deduct(candidates, amount(value), 'overflow').moves.map((move) => [move.balance.uid, move.amount])
      })
      expect(taken[1]).toEqual(taken[0])
    }),
    { numRuns: 2000 },
  )
})

test('only what changed is written, and what is gone is removed', () => {
  const [a, b, c] = [balance({ uid: 'cus_ent_a' }), balance({ uid: 'cus_ent_b' }), balance({ uid: 'cus_ent_c' })]
  const before = holdingsOf(alice, [], [a, b, c], 0, 0)
  const [changed] = applyMoves(
    deduct([{ balance: b, rate: PAR, mayOverdraw: false }], amount(1), 'cap').moves,
    { take: 'use', give: 'refund' },
    new Journal(1, 'evt'),
  )
  const added = balance({ uid: 'cus_ent_d' })
  const after = withoutBalances(withBalances(before, changed === undefined ? [] : [changed, added]), [c])
  const { written, removed } = differences(before, after)
  expect(written.map(({ uid }) => uid).toSorted()).toEqual(['cus_ent_b', 'cus_ent_d'])
  expect(removed.map(({ uid }) => uid)).toEqual(['cus_ent_c'])
  expect(differences(before, before)).toEqual({
    written: [],
    removed: [],
    entitiesWritten: [],
    entitiesRemoved: [],
    refunds: [],
  })
})

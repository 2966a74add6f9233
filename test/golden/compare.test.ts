import { expect, test } from 'vitest'
import { Comparison } from './compare.ts'

const A = 'cus_ent_AAAAAAAAAAAAAAAA'
const B = 'cus_ent_BBBBBBBBBBBBBBBB'
const X = 'cus_ent_01m7wkh9503y8wj8'
const Y = 'cus_ent_01m7wkhjbrcmpfn5'

test('ids map one to one from when they are first seen', () => {
  const comparison = new Comparison(null)
  expect(comparison.bodies({ id: A }, { id: X })).toEqual([])
  expect(comparison.bodies({ list: [{ id: A }, { id: B }] }, { list: [{ id: X }, { id: Y }] })).toEqual([])
  expect(comparison.bodies({ id: A }, { id: Y })).toEqual([{ path: 'id', recorded: A, granary: Y }])
  expect(comparison.bodies({ id: 'cus_ent_CCCCCCCCCCCCCCCC' }, { id: X })).toHaveLength(1)
  expect(comparison.bodies({ id: 'evt_CCCCCCCCCCCCCCCC' }, { id: 'roll_CCCCCCCCCCCCCCCC' })).toHaveLength(1)
})

test('an instant that a request named is exact, any other may be a little late', () => {
  const comparison = new Comparison(null)
  comparison.request({ next_reset_at: 1000 })
  expect(comparison.bodies({ next_reset_at: 1000 }, { next_reset_at: 1001 })).toHaveLength(1)
  expect(comparison.bodies({ created_at: 5000 }, { created_at: 4900 })).toEqual([])
  expect(comparison.bodies({ created_at: 5000 }, { created_at: 4000 })).toHaveLength(1)
  expect(comparison.bodies({ expires_at: null }, { expires_at: 0 })).toHaveLength(1)
})

test('keys that are missing or too many are found, and balances must say that they are balances', () => {
  const comparison = new Comparison(null)
  expect(comparison.bodies({ a: 1, b: undefined }, { a: 1, c: 2 }).map(({ path }) => path)).toEqual(['b', 'c'])
  const balance = { feature_id: 'f', granted: 1 }
  expect(comparison.bodies({ balance }, { balance: { object: 'balance', ...balance } })).toEqual([])
  expect(comparison.bodies({ balance }, { balance })).toHaveLength(1)
  expect(comparison.bodies({ list: [1, 2] }, { list: [1] })).toHaveLength(1)
})

test('what Granary says beyond the recording has to be there, as it was announced', () => {
  const comparison = new Comparison(null)
  const [recorded, own] = [{ allowed: false }, { reason: 'no_balance', available_at: 5000 }]
  expect(comparison.bodies(recorded, { ...recorded, ...own }, own)).toEqual([])
  expect(comparison.bodies(recorded, { ...recorded, ...own, available_at: 4900 }, own)).toEqual([])
  expect(comparison.bodies(recorded, { ...recorded, ...own, available_at: null }, own)).toHaveLength(1)
  expect(comparison.bodies(recorded, { ...recorded, ...own, reason: 'no_flag' }, own)).toHaveLength(1)
  expect(comparison.bodies(recorded, recorded, own).map(({ path }) => path)).toEqual(['reason', 'available_at'])
  expect(comparison.bodies(recorded, { ...recorded, ...own })).toHaveLength(2)
  const id = { event_id: /^evt_/ }
  expect(comparison.bodies(recorded, { ...recorded, event_id: 'evt_1' }, id)).toEqual([])
  for (const event_id of ['cus_1', null, 1]) {
    expect(comparison.bodies(recorded, { ...recorded, event_id }, id)).toHaveLength(1)
  }
})

test('of an error everything counts but its wording, and there has to be one', () => {
  const comparison = new Comparison(null)
  const error = { message: 'theirs', code: 'x', env: 'sandbox' }
  expect(comparison.errors(error, { ...error, message: 'ours' })).toEqual([])
  expect(comparison.errors(error, { ...error, message: '' })).toHaveLength(1)
  expect(comparison.errors(error, { ...error, code: 'y' })).toHaveLength(1)
})

import { beforeEach, describe, expect, test } from 'vitest'
import { amount } from '../../src/domain/amount.ts'
import type { Lock } from '../../src/domain/lock.ts'
import { AT_PAR } from '../../src/domain/price.ts'
import { valuesOf } from '../../src/domain/tree.ts'
import type { Store } from '../../src/store/store.ts'
import { EVERY_STORE, openFor } from './every.ts'
import { AT, added, changed, commit, event, gone, grantOf, person, posting } from './rows.ts'

const HOUR = 3_600_000
const alice = person('alice')
const bob = person('bob')

function lock(id: string, more: Partial<Lock> = {}): Lock {
  return {
    uid: `lock_${id}`,
    id,
    feature: 'feat_messages',
    name: 'messages',
    entity: null,
    held: amount('8'),
    behavior: 'reject',
    properties: {},
    lines: [],
    heldAt: AT,
    lapsesAt: AT + HOUR,
    atLapse: 'release',
    ...more,
  }
}

/** What the port promises of locks, held against every store with the same expectations. */
describe.each(EVERY_STORE)('a store (%s) keeps locks', (kind) => {
  let store: Store
  const empty = openFor(kind)

  beforeEach(async () => {
    store = await empty()
  })

  const locksOf = async (id: string) => {
    const [found] = await store.load([{ env: 'sandbox', id }])
    return [...valuesOf(found?.holdings.locks ?? null)].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }
  const findLock = (id: string) => store.findLock('sandbox', id)

  test('with every field, changed in place and removed', async () => {
    const deduction = {
      balanceUid: 'cus_ent_1',
      featureId: 'messages',
      planId: null,
      reset: null,
      amount: amount('7.5'),
    }
    const line = { ...deduction, price: AT_PAR, metered: null }
    const other = {
      ...deduction,
      balanceUid: 'roll_1',
      planId: 'pro',
      price: { cost: amount('0.2'), per: amount('3') },
      metered: { meter: 'feat_messages', units: amount('0.000000000001') },
    }
    const whole = lock('a', {
      entity: { uid: 'ent_1', name: 'e1' },
      held: amount('-12345678901234567890.000000000001'),
      behavior: 'overflow',
      properties: { job: 'x', 'ü\u0000"': [1, null] },
      lines: [
        { balance: 'cus_ent_1', rollover: null, feature: 'feat_messages', line, healed: 0n, ended: null },
        {
          balance: 'cus_ent_1',
          rollover: 'roll_1',
          feature: 'feat_credits',
          line: other,
          healed: amount('0.5'),
          ended: { at: AT - 5, debt: amount('1.000000000001') },
        },
      ],
      atLapse: 'confirm',
    })
    await commit(store, added(alice, { locksWritten: [whole, lock('b')] }), added(bob))
    expect(await locksOf('alice')).toEqual([whole, lock('b')])
    expect(await locksOf('bob')).toEqual([])
    const less = { ...whole, held: amount('3'), lines: whole.lines.slice(0, 1), lapsesAt: AT + 2 * HOUR }
    await commit(store, changed(alice, 1, { locksWritten: [less], locksRemoved: ['b'] }))
    expect(await locksOf('alice')).toEqual([less])
  })

  test('and finds whose they are, per environment', async () => {
    await commit(store, added(alice, { locksWritten: [lock('a')] }), added(bob))
    expect(await findLock('a')).toBe('cus_alice')
    expect(await findLock('A')).toBeNull()
    expect(await store.findLock('live', 'a')).toBeNull()
    const other = person('other', { env: 'live' })
    expect(await commit(store, added(other, { locksWritten: [lock('a')] }))).toEqual(['committed 1'])
    expect(await store.findLock('live', 'a')).toBe('cus_other')
  })

  test('under an id that is nobody else’s: else nothing of the change is applied', async () => {
    await commit(store, added(alice, { locksWritten: [lock('a')] }), added(bob))
    const taking = { locksWritten: [lock('b'), lock('a')], written: [grantOf('cus_ent_1')], events: [event('evt_1')] }
    expect(await commit(store, changed(bob, 1, taking))).toEqual(['lock_taken'])
    expect(await locksOf('bob')).toEqual([])
    expect(await findLock('b')).toBeNull()
    expect(await store.listEvents({ env: 'sandbox', offset: 0, limit: 10 })).toEqual([])
    expect(await commit(store, changed(bob, 1, { locksWritten: [lock('b')] }))).toEqual(['committed 2'])
    await commit(store, changed(alice, 1, { locksRemoved: ['a'] }))
    expect(await commit(store, changed(bob, 2, { locksWritten: [lock('a')] }))).toEqual(['committed 3'])
    expect(await findLock('a')).toBe('cus_bob')
  })

  test('of two customers in one batch for one id one gets it', async () => {
    await commit(store, added(alice), added(bob))
    const [one, two] = [
      changed(alice, 1, { locksWritten: [lock('a')] }),
      changed(bob, 1, { locksWritten: [lock('a')] }),
    ]
    const results = await commit(store, one, two)
    // The other one is told so, or asked to look again.
    expect(results.toSorted()[0]).toBe('committed 2')
    expect(['lock_taken', 'conflict']).toContain(results.toSorted()[1])
    expect([(await locksOf('alice')).length, (await locksOf('bob')).length].toSorted()).toEqual([0, 1])
  })

  test('that the same commit settled and opened again', async () => {
    await commit(store, added(alice, { locksWritten: [lock('a')] }))
    const again = lock('a', { uid: 'lock_other' })
    await commit(store, changed(alice, 1, { locksWritten: [again] }))
    expect(await locksOf('alice')).toEqual([again])
  })

  test('and says whose have lapsed, by the customer’s clock, the longest first', async () => {
    const ahead = person('carol', { clockAhead: HOUR })
    await commit(
      store,
      added(alice, { locksWritten: [lock('a', { lapsesAt: AT + 2 }), lock('b', { lapsesAt: AT + 3 })] }),
      added(bob, { locksWritten: [lock('c', { lapsesAt: AT + 1 })] }),
      added(ahead, { locksWritten: [lock('d', { lapsesAt: AT + HOUR })] }),
    )
    expect(await store.withLapsedLocks('sandbox', AT - 1, 10)).toEqual([])
    expect(await store.withLapsedLocks('sandbox', AT, 10)).toEqual(['cus_carol'])
    const due = await store.withLapsedLocks('sandbox', AT + 2, 10)
    expect(due.toSorted()).toEqual(['cus_alice', 'cus_bob', 'cus_carol'])
    expect(due.indexOf('cus_bob')).toBeLessThan(due.indexOf('cus_alice'))
    expect(await store.withLapsedLocks('sandbox', AT + 2, 1)).toHaveLength(1)
    expect(await store.withLapsedLocks('live', AT + 2, 10)).toEqual([])
  })

  test('until their customer is deleted, at once', async () => {
    await commit(store, added(alice, { locksWritten: [lock('a')] }), added(bob))
    await commit(store, gone(alice, 1))
    expect(await findLock('a')).toBeNull()
    expect(await store.withLapsedLocks('sandbox', AT + HOUR, 10)).toEqual([])
    expect(await commit(store, changed(bob, 1, { locksWritten: [lock('a')] }))).toEqual(['committed 2'])
    expect(await findLock('a')).toBe('cus_bob')
  })

  test('and what they hold, in balances, postings and events', async () => {
    const holding = grantOf('cus_ent_1', { held: amount('2.5') })
    const line = posting('cus_ent_1', '-2.5', { kind: 'hold', held: amount('2.5') })
    const hold = event('evt_1', { lock: 'a' })
    await commit(store, added(alice, { written: [holding], postings: [line], events: [hold] }))
    const [found] = await store.load([{ env: 'sandbox', id: 'alice' }])
    expect(found?.holdings.balances.get('feat_messages')).toEqual([holding])
    expect(await store.ledger('cus_alice')).toEqual([line])
    expect(await store.listEvents({ env: 'sandbox', offset: 0, limit: 1 })).toMatchObject([{ uid: 'evt_1', lock: 'a' }])
    await commit(store, changed(alice, 1, { written: [{ ...holding, held: 0n }] }))
    const [after] = await store.load([{ env: 'sandbox', id: 'alice' }])
    expect(after?.holdings.balances.get('feat_messages')).toEqual([{ ...holding, held: 0n }])
  })
})

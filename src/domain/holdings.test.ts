import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance } from '../../test/build.ts'
import { amount } from './amount.ts'
import type { Balance } from './balance.ts'
import { newCustomer } from './customer.ts'
import { applyMoves, deduct, USING } from './deduction.ts'
import { differences } from './differences.ts'
import type { Entity } from './entity.ts'
import { catalogueOf } from './feature.ts'
import {
  allBalances,
  balancesOf,
  entitiesCounted,
  entitiesOf,
  entityOf,
  findEntity,
  type Holdings,
  holdingsOf,
  ownBalances,
  rowsIn,
  settle,
  withBalances,
  withEntity,
  withoutBalances,
  withoutEntity,
  withRefund,
} from './holdings.ts'
import { Journal } from './ledger.ts'
import { PAR } from './price.ts'
import { bringUpToDate } from './up-to-date.ts'
import { within } from './within.ts'

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
          mayOwe: 0n,
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
    deduct([{ balance: b, rate: PAR, mayOwe: 0n }], amount(1), 'cap').moves,
    USING,
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
    locksWritten: [],
    locksRemoved: [],
    attachmentsWritten: [],
    attachmentsRemoved: [],
  })
})

const entity = (uid: string, more: Partial<Entity> = {}): Entity => {
  return { uid: `ent_${uid}`, id: uid, name: null, feature: 'feat_seats', createdAt: 0, ...more }
}
const [desk, lamp, nobody] = [entity('desk'), entity('lamp', { createdAt: -1 }), entity('nobody', { id: null })]

/** Balances by name; of an entity where the name says so, as in `desk.a`. */
type Held = Readonly<Record<string, BalanceSketch & { of?: string }>>

const rows = (held: Held): Balance[] =>
  Object.entries(held).map(([name, { of = 'messages', ...sketch }]) => ({
    ...balance({ ...sketch, uid: name }),
    feature: `feat_${of}`,
    entity: name.includes('.') ? `ent_${name.split('.')[0]}` : null,
  }))
const holdings = (held: Held, customer = alice): Holdings =>
  holdingsOf(customer, [desk, lamp, nobody], rows(held), 5, 7)
const uids = (balances: Iterable<Balance>) => [...balances].map(({ uid }) => uid)
const monthly = (nextAt: number) => ({ every: 'month', nextAt }) as const

describe('what a subject sees and spends', () => {
  const held: Held = { a: {}, 'desk.b': {}, c: { of: 'images' }, 'desk.d': { of: 'videos' }, 'desk.e': monthly(9) }

  test.each<[string, string | null, string, string[]]>([
    ['the customer its own alone (B56)', null, 'messages', ['a']],
    ['an entity its own before what it inherits (R84 key 1)', 'ent_desk', 'messages', ['desk.e', 'desk.b', 'a']],
    ['an entity with none of its own what it inherits', 'ent_lamp', 'messages', ['a']],
    ['an entity its own where there is nothing to inherit', 'ent_desk', 'videos', ['desk.d']],
    ['an entity that is not there what is inherited', 'ent_none', 'images', ['c']],
    ['nothing of what nobody has', 'ent_desk', 'none', []],
  ])('%s', (_label, who, of, expected) => {
    expect(uids(within(holdings(held), who, `feat_${of}`))).toEqual(expected)
  })

  test('an entity nothing of its customer, where that does not share (B51)', () => {
    const alone = holdings(held, { ...alice, sharesWithEntities: false })
    expect(uids(within(alone, 'ent_desk', 'feat_messages'))).toEqual(['desk.e', 'desk.b'])
    expect(uids(within(alone, 'ent_lamp', 'feat_messages'))).toEqual([])
  })

  test('first what is without limit, whoever’s it is (R88)', () => {
    const own = { 'desk.b': {}, 'desk.e': monthly(9) }
    const unlimited = (name: string) => ({ [name]: { granted: 'unlimited' as const } })
    const seen = (more: Held) => uids(within(holdings({ ...own, a: {}, ...more }), 'ent_desk', 'feat_messages'))
    expect(seen(unlimited('z'))).toEqual(['z', 'desk.e', 'desk.b', 'a'])
    expect(seen(unlimited('desk.z'))).toEqual(['desk.z', 'desk.e', 'desk.b', 'a'])
    expect(seen({ ...unlimited('y'), ...unlimited('desk.z') })).toEqual(['desk.z', 'y', 'desk.e', 'desk.b', 'a'])
  })

  test('the same list as long as neither part changes, because summaries are remembered by it', () => {
    const before = holdings(held)
    const seen = (of: Holdings) => within(of, 'ent_desk', 'feat_messages')
    expect(seen({ ...before, latest: 9 })).toBe(seen(before))
    const [own] = balancesOf(before, 'feat_messages')
    const less = withBalances(before, own === undefined ? [] : [{ ...own, remaining: 0n }])
    expect(seen(less).map(({ remaining }) => remaining)).toEqual([amount(100), amount(100), 0n])
    expect(seen(before).at(-1)?.remaining).toBe(amount(100))
  })

  test('its own, of every feature', () => {
    expect(uids(ownBalances(holdings(held), 'ent_desk'))).toEqual(['desk.e', 'desk.b', 'desk.d'])
    expect(uids(ownBalances(holdings(held), null))).toEqual(['a', 'c'])
    expect(ownBalances(holdings(held), 'ent_none')).toEqual([])
  })
})

describe('an entity is found', () => {
  const before = holdings({})

  test.each<[string, string | null, Entity | undefined]>([
    ['by the id of the caller', 'desk', desk],
    ['by the internal id (B221)', 'ent_desk', desk],
    ['without an id, where it has none', null, nobody],
    ['not by another id', 'chair', undefined],
  ])('%s', (_label, id, expected) => {
    expect(findEntity(before, id)).toBe(expected)
  })

  test('by its new id once it has one, and by no other', () => {
    const after = withEntity(before, { ...nobody, id: 'chair' })
    expect([findEntity(after, 'chair')?.uid, findEntity(after, null)]).toEqual(['ent_nobody', undefined])
    expect(findEntity(after, 'ent_nobody')?.id).toBe('chair')
    const renamed = withEntity(after, { ...nobody, id: 'chair', name: 'Chair' })
    expect(findEntity(renamed, 'chair')?.name).toBe('Chair')
  })

  test('not once it is gone; an id that somebody else has by then stays with that one', () => {
    expect(findEntity(withoutEntity(before, desk), 'desk')).toBeUndefined()
    expect(entityOf(withoutEntity(before, desk), 'ent_desk')).toBeUndefined()
    const another = withEntity(before, entity('other', { id: 'desk' }))
    expect(findEntity(withoutEntity(another, desk), 'desk')?.uid).toBe('ent_other')
  })

  test('by its internal id alone, where only that is asked for', () => {
    expect([entityOf(before, 'ent_desk'), entityOf(before, 'desk')]).toEqual([desk, undefined])
  })

  test('in order of creation, then of the internal id', () => {
    expect(entitiesOf(before)).toEqual([lamp, desk, nobody])
    expect(entitiesCounted(before, 'feat_seats')).toBe(3)
    expect(entitiesCounted(before, 'feat_rooms')).toBe(0)
  })
})

test('rows are counted: the customer, its balances and refunds, its entities and their balances', () => {
  const before = holdings({ a: {}, b: { of: 'images' }, 'desk.c': {}, 'desk.d': {}, 'lamp.e': {} })
  expect(rowsIn(before)).toBe(1 + 3 + 5)
  expect(rowsIn(withRefund(before, 'evt_1', [1n]))).toBe(1 + 3 + 5 + 1)
  expect(rowsIn(holdingsOf(alice, [], [], 0, 0))).toBe(1)
  const many = Array.from({ length: 1000 }, (_, i) => entity(String(i)))
  expect(rowsIn(holdingsOf(alice, many, [], 0, 0))).toBe(1 + 1000)
})

describe('bringing up to date', () => {
  const held: Held = {
    a: { left: '1', ...monthly(10) },
    b: { expiresAt: 20, of: 'images' },
    'desk.c': { left: '2', ...monthly(30) },
    'lamp.d': { expiresAt: 40 },
    e: { of: 'videos' },
  }
  const left = (of: Holdings) => [...allBalances(of)].map(({ uid, remaining }) => `${uid} ${remaining / amount(1)}`)
  const to = (now: number, of = holdings(held)) => bringUpToDate(of, now, catalogueOf(1, []), new Journal(now, 'time'))

  test.each<[number, string[], number]>([
    // instant   what there is                                                  what time changes next
    [9, ['a 1', 'b 100', 'e 100', 'desk.c 2', 'lamp.d 100'], 10],
    [10, ['a 100', 'b 100', 'e 100', 'desk.c 2', 'lamp.d 100'], 20],
    [20, ['a 100', 'e 100', 'desk.c 2', 'lamp.d 100'], 30],
    [30, ['a 100', 'e 100', 'desk.c 100', 'lamp.d 100'], 40],
  ])('to %i', (now, expected, next) => {
    expect([left(to(now)).toSorted(), to(now).dueAt]).toEqual([expected.toSorted(), next])
  })

  test('to the last of them leaves the next reset', () => {
    const { dueAt } = to(40)
    expect([left(to(40)).toSorted(), dueAt > 40, Number.isFinite(dueAt)]).toEqual([
      ['a 100', 'desk.c 100', 'e 100'],
      true,
      true,
    ])
  })

  test('changes nothing where nothing is due, and else only what is', () => {
    const before = holdings(held)
    expect(to(9, before)).toBe(before)
    const after = to(30, before)
    expect(balancesOf(after, 'feat_videos')).toBe(balancesOf(before, 'feat_videos'))
    const changed = differences(before, after)
    expect([uids(changed.written), uids(changed.removed)]).toEqual([['a', 'desk.c'], ['b']])
    expect(changed.entitiesWritten).toEqual([])
  })

  test('moves one of a list and leaves another as it is', () => {
    const both: Held = { a: { left: '1', ...monthly(10) }, b: { left: '3' } }
    expect(left(to(10, holdings(both)))).toEqual(['a 100', 'b 3'])
  })

  test('keeps one of a list where another of it ends', () => {
    const both: Held = { a: { expiresAt: 10 }, b: { left: '3' }, 'desk.c': { expiresAt: 10 }, 'desk.d': {} }
    expect(left(to(10, holdings(both)))).toEqual(['b 3', 'desk.d 100'])
    expect(left(to(9, holdings(both)))).toEqual(['a 100', 'b 3', 'desk.c 100', 'desk.d 100'])
  })
})

describe('what a change makes due', () => {
  const before = holdings({ a: monthly(50), 'desk.b': monthly(60) })
  const due = (changed: Held) => withBalances(before, rows(changed)).dueAt

  test('is as before, or sooner', () => {
    expect([before.dueAt, due({}), due({ c: {} })]).toEqual([50, 50, 50])
    expect([due({ c: { expiresAt: 40 } }), due({ 'desk.c': { expiresAt: 40 } })]).toEqual([40, 40])
    expect(due({ a: { expiresAt: 40 }, 'lamp.c': { expiresAt: 30 } })).toBe(30)
  })

  test('is found in time, whoever it belongs to', () => {
    const after = withBalances(before, rows({ 'lamp.c': { expiresAt: 40 }, 'desk.d': { expiresAt: 45 } }))
    const later = bringUpToDate(after, 45, catalogueOf(1, []), new Journal(45, 'time'))
    expect(uids(allBalances(later)).toSorted()).toEqual(['a', 'desk.b'])
    expect(later.dueAt).toBe(50)
  })

  test.each<[string, Partial<Balance>]>([
    ['expires', { expiresAt: 9 }],
    ['has no limit', { terms: { kind: 'unlimited' } }],
    ['resets', { reset: { interval: 'month', count: 1, anchor: 0, nextAt: 99 } }],
  ])('moves a balance that now %s to its new place in the order', (_label, more) => {
    const list = holdings({ a: {}, b: { createdAt: 1 } })
    const changed = balancesOf(list, 'feat_messages')
      .slice(1)
      .map((one) => ({ ...one, ...more }))
    expect(uids(balancesOf(withBalances(list, changed), 'feat_messages'))).toEqual(['b', 'a'])
  })
})

test('a balance of an entity that is not there is a bug to put, and nothing to take away', () => {
  const stray = rows({ 'chair.a': {} })
  expect(() => withBalances(holdings({}), stray)).toThrow('the entity of a balance is there')
  expect(uids(allBalances(withoutBalances(holdings({ b: {} }), stray)))).toEqual(['b'])
})

describe('what is to be written', () => {
  const before = withRefund(holdings({ a: {}, 'desk.b': {} }), 'evt_1', [1n])

  test('all of what is new', () => {
    const { written, removed, entitiesWritten, entitiesRemoved, refunds } = differences(null, before)
    expect([uids(written).toSorted(), removed, entitiesRemoved]).toEqual([['a', 'desk.b'], [], []])
    expect(entitiesWritten.map(({ uid }) => uid).toSorted()).toEqual(['ent_desk', 'ent_lamp', 'ent_nobody'])
    expect(refunds).toEqual([{ event: 'evt_1', given: [1n] }])
  })

  test('only refunds that changed', () => {
    const after = withRefund(withRefund(before, 'evt_2', [2n]), 'evt_3', [3n])
    expect(differences(before, after).refunds.map(({ event }) => event)).toEqual(['evt_2', 'evt_3'])
    expect(differences(before, withRefund(before, 'evt_1', [4n])).refunds).toEqual([{ event: 'evt_1', given: [4n] }])
  })

  test('only entities that changed themselves', () => {
    const named = { ...desk, name: 'Desk' }
    const after = withBalances(withEntity(before, named), rows({ 'lamp.c': {} }))
    const { written, entitiesWritten } = differences(before, after)
    expect([uids(written), entitiesWritten]).toEqual([['lamp.c'], [named]])
  })

  test('nothing of a feature of which the last balance is gone', () => {
    const after = withoutBalances(before, ownBalances(before, 'ent_desk'))
    expect(uids(differences(before, after).removed)).toEqual(['desk.b'])
    expect([...after.balances.keys()]).toEqual(['feat_messages'])
    expect(withoutBalances(before, ownBalances(before, null)).balances.size).toBe(0)
  })
})

test('an operation is closed with the number of its postings; time never runs backwards', () => {
  const [one] = rows({ a: {} })
  const journal = new Journal(5, 'evt')
  if (one !== undefined) journal.post('use', one, null, { amount: -1n, after: 0n })
  expect(settle(holdings({}), journal)).toMatchObject({ latest: 5, postings: 8 })
  expect(() => settle(holdings({}), new Journal(4, 'evt'))).toThrow('time runs backwards')
})

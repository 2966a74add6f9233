import { beforeEach, describe, expect, test } from 'vitest'
import { amount } from '../../src/domain/amount.ts'
import { claimOf } from '../../src/domain/customer.ts'
import { AT_PAR, flatTariff } from '../../src/domain/price.ts'
import { USUAL_RETENTION } from '../../src/domain/retention.ts'
import type { CustomerQuery, EntityQuery, EventQuery, Store } from '../../src/store/store.ts'
import { EVERY_STORE, openFor } from './every.ts'
import {
  AT,
  added,
  change,
  changed,
  commit,
  event,
  feature,
  find,
  gone,
  grantOf,
  person,
  posting,
  record,
  seat,
  stranger,
  told,
  worded,
} from './rows.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const alice = person('alice')
const bob = person('bob')

/** What the port promises, held against every store with the same expectations. */
describe.each(EVERY_STORE)('a store (%s)', (kind) => {
  let store: Store
  const empty = openFor(kind)

  beforeEach(async () => {
    store = await empty()
    await store.retain(USUAL_RETENTION)
  })

  const customers = (query: Partial<CustomerQuery> = {}) =>
    store.listCustomers({ env: 'sandbox', order: 'oldest', offset: 0, limit: 100, counted: true, ...query })
  const names = async (query: Partial<CustomerQuery> = {}) =>
    (await customers(query)).rows.map(({ holdings }) => holdings.customer.uid.slice('cus_'.length))
  const entities = (query: Partial<EntityQuery> = {}) =>
    store.listEntities({ env: 'sandbox', order: 'oldest', offset: 0, limit: 100, counted: true, ...query })
  const seats = async (query: Partial<EntityQuery> = {}) =>
    (await entities(query)).rows.map(({ entity, customer }) => `${customer} ${entity.uid}`)
  const uses = (query: Partial<EventQuery> = {}) =>
    store.listEvents({ env: 'sandbox', offset: 0, limit: 100, ...query })
  const eventIds = async (query: Partial<EventQuery> = {}) => (await uses(query)).map(({ uid }) => uid)

  describe('customers', () => {
    test('are found by their id and their internal id, in their environment alone, one answer per question', async () => {
      const live = person('alice', { uid: 'cus_live', env: 'live' })
      await commit(store, added(alice), added(bob), added(live))
      const found = await store.load([
        { env: 'sandbox', id: 'bob' },
        { env: 'sandbox', id: 'nobody' },
        { env: 'sandbox', id: 'cus_alice' },
        { env: 'live', id: 'alice' },
        { env: 'live', id: 'cus_alice' },
        { env: 'sandbox', id: 'cus_live' },
        { env: 'sandbox', id: 'bob' },
        { env: 'sandbox', id: 'ALICE' },
      ])
      expect(found.map((one) => one?.holdings.customer.uid ?? null)).toEqual([
        'cus_bob',
        null,
        'cus_alice',
        'cus_live',
        null,
        null,
        'cus_bob',
        null,
      ])
    })

    test('keep every field', async () => {
      const full = person('alice', {
        name: 'Älice "A" \\ 株式会社',
        email: 'Alice@example.com',
        fingerprint: 'print',
        stripeId: 'cus_stripe',
        metadata: { list: [1, null, { deep: 'a\u2028b' }], text: '', half: 0.5 },
        sendEmailReceipts: true,
        sharesWithEntities: false,
        clockAhead: 86_400_000,
      })
      await commit(store, added(full, { latest: AT + 5 }))
      expect(await find(store, 'alice')).toEqual({
        version: 1,
        customer: full,
        latest: AT + 5,
        postings: 0,
        balances: [],
        entities: [],
      })
      const plain = person('alice', { clockAhead: 0 })
      await commit(store, changed(alice, 1, { customer: plain, latest: AT + 6 }))
      expect(await find(store, 'cus_alice')).toMatchObject({ version: 2, customer: plain, latest: AT + 6 })
    })

    test('without an id are found by their e-mail in lower case, until they are given one', async () => {
      const nobody = stranger('x', 'Eve@Example.com')
      await commit(store, added(nobody))
      expect(await find(store, claimOf('eve@example.COM'))).toMatchObject({ customer: nobody })
      expect(await find(store, 'cus_x')).toMatchObject({ customer: nobody })
      expect(await find(store, 'eve@example.com')).toBeNull()
      expect(await find(store, claimOf('eve@example.com'), 'live')).toBeNull()
      const eve = { ...nobody, id: 'eve' }
      expect(await commit(store, changed(nobody, 1, { customer: eve }))).toEqual(['committed 2'])
      expect(await find(store, claimOf('eve@example.com'))).toBeNull()
      expect(await find(store, 'eve')).toMatchObject({ customer: eve })
    })

    test('of one environment never share an id', async () => {
      await commit(store, added(alice), added(bob))
      const second = person('alice', { uid: 'cus_second' })
      expect(await commit(store, added(second))).toEqual(['id_taken'])
      expect(await commit(store, changed(bob, 1, { customer: { ...bob, id: 'alice' } }))).toEqual(['id_taken'])
      expect(await commit(store, added({ ...second, env: 'live' }))).toEqual(['committed 1'])
      expect(await find(store, 'cus_bob')).toMatchObject({ version: 1, customer: bob })
    })

    test('of one environment never have an id that is the internal id of another', async () => {
      await commit(store, added(alice), added(bob))
      expect(await commit(store, changed(bob, 1, { customer: { ...bob, id: 'cus_alice' } }))).toEqual(['id_taken'])
      expect(await find(store, 'cus_alice')).toMatchObject({ customer: alice })
    })

    test('of one environment that have no id never share an e-mail; those with one may', async () => {
      await commit(store, added(stranger('x', 'eve@example.com')), added(person('eve', { email: 'eve@example.com' })))
      expect(await commit(store, added(stranger('y', 'EVE@example.com')))).toEqual(['id_taken'])
      const other = stranger('y', 'other@example.com')
      expect(await commit(store, added(other))).toEqual(['committed 1'])
      const taking = { ...other, email: 'eve@example.com' }
      expect(await commit(store, changed(other, 1, { customer: taking }))).toEqual(['id_taken'])
      expect(await commit(store, added({ ...stranger('z', 'eve@example.com'), env: 'live' }))).toEqual(['committed 1'])
      expect(await find(store, 'cus_y')).toMatchObject({ version: 1, customer: other })
    })

    test('without id and e-mail are many', async () => {
      const both = [person('x', { id: null }), person('y', { id: null })]
      expect(await commit(store, ...both.map((one) => added(one)))).toEqual(['committed 1', 'committed 1'])
      expect(await find(store, 'cus_y')).toMatchObject({ customer: both[1] })
    })

    test('leave their old id to others when they are renamed, in the same transaction already', async () => {
      await commit(store, added(alice))
      const anna = { ...alice, id: 'anna' }
      const second = person('alice', { uid: 'cus_second' })
      expect(await commit(store, changed(alice, 1, { customer: anna }), added(second))).toEqual([
        'committed 2',
        'committed 1',
      ])
      expect(await find(store, 'alice')).toMatchObject({ customer: second })
      expect(await find(store, 'anna')).toMatchObject({ customer: anna })
    })

    test('may change everything but their name and keep it', async () => {
      await commit(store, added(alice))
      expect(await commit(store, changed(alice, 1, { customer: { ...alice, name: 'A' } }))).toEqual(['committed 2'])
      expect(await find(store, 'alice')).toMatchObject({ customer: { name: 'A' } })
    })
  })

  describe('a commit', () => {
    test('is for the version that was decided upon, else nothing of it is applied', async () => {
      await commit(store, added(alice))
      const more = {
        written: [grantOf('cus_ent_1')],
        events: [event('evt_1')],
        postings: [posting('cus_ent_1', '100')],
      }
      expect(await commit(store, changed(alice, 1, { latest: AT + 1 }))).toEqual(['committed 2'])
      expect(await commit(store, changed(alice, 1, more))).toEqual(['conflict'])
      expect(await commit(store, changed(alice, 3, more))).toEqual(['conflict'])
      expect(await commit(store, added(alice, more))).toEqual(['conflict'])
      expect(await commit(store, changed(bob, 1, more))).toEqual(['conflict'])
      expect(await find(store, 'alice')).toMatchObject({ version: 2, latest: AT + 1, balances: [], postings: 0 })
      expect(await eventIds()).toEqual([])
      expect(await store.ledger('cus_alice')).toEqual([])
      expect(await find(store, 'bob')).toBeNull()
    })

    test('is for the catalogue that was relied upon', async () => {
      await store.changeCatalogue(change(0, { written: feature('messages') }))
      expect(await commit(store, added(alice))).toEqual(['conflict'])
      expect(await commit(store, added(alice, { catalogue: 1 }))).toEqual(['committed 1'])
      expect(await commit(store, changed(alice, 1, { catalogue: 2 }))).toEqual(['conflict'])
      expect(await commit(store, gone(alice, 1, { catalogue: 0 }))).toEqual(['conflict'])
      // Those of the other environment have not moved.
      expect(await commit(store, added({ ...bob, env: 'live' }))).toEqual(['committed 1'])
    })

    test('lets every customer of a batch commit or conflict alone', async () => {
      await commit(store, added(alice), added(bob))
      const carl = person('carl')
      const results = await commit(
        store,
        changed(alice, 7, { customer: { ...alice, name: 'no' } }),
        changed(bob, 1, { customer: { ...bob, name: 'yes' } }),
        added(person('alice', { uid: 'cus_second' })),
        added(carl),
      )
      expect(results).toEqual(['conflict', 'committed 2', 'id_taken', 'committed 1'])
      expect(await find(store, 'alice')).toMatchObject({ customer: { name: null } })
      expect(await find(store, 'bob')).toMatchObject({ customer: { name: 'yes' } })
      expect(await find(store, 'carl')).toMatchObject({ customer: carl })
    })

    test('of two in one batch for one customer takes the first', async () => {
      await commit(store, added(alice))
      const rename = (name: string) => changed(alice, 1, { customer: { ...alice, name } })
      expect(await commit(store, rename('first'), rename('second'))).toEqual(['committed 2', 'conflict'])
      expect(await find(store, 'alice')).toMatchObject({ customer: { name: 'first' } })
    })
  })

  describe('balances', () => {
    test('keep every field, are changed in place and removed', async () => {
      const plain = grantOf('cus_ent_1')
      const recurring = grantOf('cus_ent_2', {
        id: 'mine',
        terms: { kind: 'finite', allowance: amount('0.000000000001') },
        remaining: amount('-12345678901234567890.000000000001'),
        adjustment: amount('-5.5'),
        seats: 3,
        metered: new Map([
          ['feat_messages', amount('2.5')],
          ['feat_messages fast', amount('1')],
        ]),
        reset: { interval: 'semi_annual', count: 7, anchor: AT - 5, nextAt: AT + 5 },
        rolloverPolicy: { cap: { kind: 'percentage', percent: amount('12.5') }, months: null },
        rollovers: [
          { uid: 'roll_1', remaining: amount('1.5'), used: amount('0.5'), held: amount('0.25'), expiresAt: AT + 9 },
          { uid: 'roll_2', remaining: amount('0'), used: amount('1'), held: 0n, expiresAt: null },
        ],
        expiresAt: AT + 100,
      })
      const endless = grantOf('cus_ent_3', { terms: { kind: 'unlimited' }, remaining: amount('-3') })
      const flag = grantOf('cus_ent_4', { feature: 'feat_sso', terms: { kind: 'flag' }, remaining: 0n })
      const all = [plain, recurring, endless, flag]
      await commit(store, added(alice, { written: all }), added(bob))
      expect(await find(store, 'alice')).toMatchObject({ balances: all })
      expect(await find(store, 'bob')).toMatchObject({ balances: [] })

      const used: typeof recurring = {
        ...recurring,
        remaining: amount('0.5'),
        adjustment: 0n,
        seats: 0,
        reset: { interval: 'semi_annual', count: 7, anchor: AT + 5, nextAt: AT + 10 },
        rollovers: [],
        expiresAt: AT + 200,
      }
      await commit(store, changed(alice, 1, { written: [used], removed: [plain, flag] }))
      expect(await find(store, 'alice')).toMatchObject({ version: 2, balances: [used, endless] })
    })

    test('of different customers are apart, even under one internal id', async () => {
      const one = grantOf('cus_ent_1')
      await commit(store, added(alice, { written: [one] }), added(bob, { written: [one] }))
      await commit(store, changed(alice, 1, { removed: [one] }))
      expect(await find(store, 'alice')).toMatchObject({ balances: [] })
      expect(await find(store, 'bob')).toMatchObject({ balances: [one] })
    })
  })

  describe('entities', () => {
    test('are kept with what is theirs, changed, and removed', async () => {
      const [desk, lamp] = [seat('desk', { name: 'Desk', createdAt: AT + 7 }), seat('lamp')]
      const [own, theirs] = [grantOf('cus_ent_1'), grantOf('cus_ent_2', { entity: 'ent_desk' })]
      await commit(store, added(alice, { entitiesWritten: [desk, lamp], written: [own, theirs] }))
      expect(await find(store, 'alice')).toMatchObject({ entities: [desk, lamp], balances: [own, theirs] })
      const renamed = { ...desk, name: null }
      await commit(store, changed(alice, 1, { entitiesWritten: [renamed], entitiesRemoved: [lamp] }))
      expect(await find(store, 'alice')).toMatchObject({ entities: [renamed], balances: [own, theirs] })
      await commit(store, changed(alice, 2, { entitiesRemoved: [renamed], removed: [theirs] }))
      expect(await find(store, 'alice')).toMatchObject({ version: 3, entities: [], balances: [own] })
      expect(await seats()).toEqual([])
    })

    test.each([['desk'], [null]])('with the id %s may be removed and added again in one commit', async (id) => {
      const [before, after] = [seat(id, { uid: 'ent_1' }), seat(id, { uid: 'ent_2', name: 'new' })]
      const theirs = grantOf('cus_ent_1', { entity: 'ent_1' })
      const again = grantOf('cus_ent_2', { entity: 'ent_2' })
      await commit(store, added(alice, { entitiesWritten: [before], written: [theirs] }))
      const rows = { entitiesWritten: [after], entitiesRemoved: [before], written: [again], removed: [theirs] }
      expect(await commit(store, changed(alice, 1, rows))).toEqual(['committed 2'])
      expect(await find(store, 'alice')).toMatchObject({ entities: [after], balances: [again] })
      // And are themselves again afterwards: changed, and gone for good.
      const rename = { entitiesWritten: [{ ...after, name: 'newer' }] }
      await commit(store, changed(alice, 2, rename))
      expect(await find(store, 'alice')).toMatchObject({ entities: [{ uid: 'ent_2', name: 'newer' }] })
      await commit(store, changed(alice, 3, { entitiesRemoved: [after], removed: [again] }))
      expect(await find(store, 'alice')).toMatchObject({ entities: [], balances: [] })
    })

    test('that had no id may be given one, and make room for the next', async () => {
      const nobody = seat(null, { uid: 'ent_1' })
      await commit(store, added(alice, { entitiesWritten: [nobody] }))
      const named = { ...nobody, id: 'desk' }
      const next = seat(null, { uid: 'ent_2' })
      await commit(store, changed(alice, 1, { entitiesWritten: [named, next] }))
      expect(await find(store, 'alice')).toMatchObject({ entities: [named, next] })
      expect(await seats({ id: 'desk' })).toEqual(['cus_alice ent_1'])
    })

    test('of different customers may be called the same', async () => {
      await commit(
        store,
        added(alice, { entitiesWritten: [seat('desk', { uid: 'ent_a' })] }),
        added(bob, { entitiesWritten: [seat('desk', { uid: 'ent_b' })] }),
      )
      expect(await seats({ id: 'desk' })).toEqual(['cus_alice ent_a', 'cus_bob ent_b'])
    })
  })

  describe('the ledger', () => {
    test('is kept per customer, oldest first, with every field', async () => {
      const first = [posting('cus_ent_1', '100', { kind: 'grant' }), posting('cus_ent_2', '-5', { entity: 'ent_desk' })]
      const second = [
        posting('cus_ent_1', '-150', {
          kind: 'use',
          rollover: 'roll_1',
          granted: amount('0'),
          remainingAfter: amount('-50.000000000001'),
          permit: 'overflow',
          cause: 'evt_1',
          at: AT + 1,
        }),
      ]
      await commit(store, added(alice, { postings: first }), added(bob, { postings: [posting('cus_ent_9', '1')] }))
      await commit(store, changed(alice, 1, { postings: second, postingsBefore: 2 }))
      expect(await store.ledger('cus_alice')).toEqual([...first, ...second])
      expect(await store.ledger('cus_nobody')).toEqual([])
      expect(await find(store, 'alice')).toMatchObject({ postings: 3 })
    })
  })

  describe('events', () => {
    const full = event('evt_3', {
      name: 'chat',
      value: amount('-0.5'),
      properties: { model: 'ä', deep: { list: [1] } },
      entity: 'desk',
      timestamp: AT - 10,
      recordedAt: AT + 1,
      deductions: [
        {
          balanceUid: 'cus_ent_1',
          featureId: 'messages',
          planId: 'pro',
          reset: null,
          amount: amount('0.25'),
          price: AT_PAR,
          metered: null,
        },
        {
          balanceUid: 'cus_ent_2',
          featureId: 'credits',
          planId: 'pro',
          reset: { interval: 'month', count: 3, resetsAt: AT + 9 },
          amount: amount('-1'),
          price: { cost: amount('0.2'), per: amount('3') },
          metered: { meter: 'feat_messages fast', units: amount('-1.5') },
        },
        {
          balanceUid: 'cus_ent_3',
          featureId: 'credits',
          planId: null,
          reset: { interval: 'one_off', count: 1, resetsAt: null },
          amount: amount('1'),
          price: { cost: amount('3'), per: AT_PAR.per },
          metered: null,
        },
      ],
    })

    beforeEach(async () => {
      const events = [event('evt_1'), event('evt_2', { entity: 'lamp', timestamp: AT + 5 }), full]
      await commit(
        store,
        added(alice, { events }),
        added(stranger('x', 'x@example.com'), { events: [event('evt_4', { entity: 'desk' })] }),
        added(person('alice', { uid: 'cus_live', env: 'live' }), { events: [event('evt_5')] }),
      )
    })

    test('are listed newest first with every field, and under their customer’s name', async () => {
      expect(await eventIds()).toEqual(['evt_2', 'evt_4', 'evt_1', 'evt_3'])
      expect((await uses()).map(({ customerId }) => customerId)).toEqual(['alice', 'cus_x', 'alice', 'alice'])
      expect((await uses()).at(-1)).toEqual({ ...full, customerId: 'alice' })
    })

    test.each<[string, Partial<EventQuery>, string[]]>([
      ['by the id of a customer', { customerId: 'alice' }, ['evt_2', 'evt_1', 'evt_3']],
      ['by the internal id of a customer', { customerId: 'cus_x' }, ['evt_4']],
      ['by nobody’s id', { customerId: 'nobody' }, []],
      ['by an entity, whosever it is', { entity: 'desk' }, ['evt_4', 'evt_3']],
      ['by an entity of a customer', { entity: 'desk', customerId: 'alice' }, ['evt_3']],
      ['by an entity that is not there', { entity: 'chair' }, []],
      ['by names', { names: ['chat', 'none'] }, ['evt_3']],
      ['from an instant, inclusive', { from: AT }, ['evt_2', 'evt_4', 'evt_1']],
      ['up to an instant, inclusive', { to: AT }, ['evt_4', 'evt_1', 'evt_3']],
      ['after a row', { after: { timestamp: AT, uid: 'evt_4' } }, ['evt_1', 'evt_3']],
      ['past a number of rows', { offset: 1, limit: 2 }, ['evt_4', 'evt_1']],
      ['of the other environment', { env: 'live' }, ['evt_5']],
      ['of the other environment, by an internal id of this one', { env: 'live', customerId: 'cus_alice' }, []],
    ])('are listed %s', async (_label, query, ids) => {
      expect(await eventIds(query)).toEqual(ids)
    })
  })

  describe('idempotency keys', () => {
    test('are known after the commit that used them, with their first answer', async () => {
      const keys = [record('k1', '{"a":1}'), record('k2')]
      await commit(store, added(alice, { keys }))
      const again = { ...changed(alice, 1, { customer: { ...alice, name: 'again' } }), claims: ['k0', 'k2', 'k1'] }
      const [result] = await store.commit({ at: AT, changes: [again] })
      expect(result).toEqual({ kind: 'known', records: [record('k2'), record('k1', '{"a":1}')] })
      expect(await find(store, 'alice')).toMatchObject({ version: 1, customer: { name: null } })
    })

    test('may be asked for alone, and stop nobody else in their batch', async () => {
      await commit(store, added(alice, { keys: [record('k1')] }))
      const asking = (claims: string[]) => ({ env: 'sandbox' as const, uid: '', claims, rows: null })
      const results = await store.commit({ at: AT, changes: [asking(['k1']), asking(['k2']), added(bob)] })
      expect(results.map(({ kind: one }) => one)).toEqual(['known', 'committed', 'committed'])
    })

    test('of a commit that is not applied are not used up', async () => {
      await commit(store, added(alice))
      const conflicting = changed(alice, 9, { keys: [record('k1')] })
      await commit(store, conflicting, added(person('alice', { uid: 'cus_second' }), { keys: [record('k2')] }))
      const changes = [{ ...changed(alice, 1, {}), claims: ['k1', 'k2'] }]
      expect((await store.commit({ at: AT, changes })).map(worded)).toEqual(['committed 2'])
    })

    test('live for at least a day and are forgotten after two', async () => {
      await store.commit({ at: AT, changes: [added(alice, { keys: [record('k1')] })] })
      const asked = async (at: number) => {
        const change = { env: 'sandbox' as const, uid: 'cus_alice', claims: ['k1'], rows: null }
        return (await store.commit({ at, changes: [change] })).map(({ kind: one }) => one)
      }
      expect(await asked(AT + 24 * HOUR)).toEqual(['known'])
      expect(await asked(AT + 48 * HOUR)).toEqual(['committed'])
    })

    test.each([
      ['1h', 1, 13],
      ['72h', 72, 84],
      ['30d', 720, 732],
    ])('kept for %s are known for so long, and twelve hours later no more', async (_, hours, later) => {
      await store.retain({ ...USUAL_RETENTION, keys: hours * HOUR })
      const asked = async (at: number) => {
        const [result] = await store.commit({ at, changes: [{ env: 'sandbox', uid: '', claims: ['k1'], rows: null }] })
        return result?.kind
      }
      // After all that the store was told of the time before.
      const at = Date.UTC(2030, hours, 1, 0, 0, 1)
      await store.commit({ at, changes: [added(alice, { keys: [record('k1')] })] })
      expect(await asked(at + hours * HOUR)).toBe('known')
      expect(await asked(at + later * HOUR)).toBe('committed')
      await store.commit({ at: at + later * HOUR, changes: [changed(alice, 1, { keys: [record('k1', 'again')] })] })
      expect(await asked(at + later * HOUR)).toBe('known')
    })

    test('of catalogue changes are the same', async () => {
      const first = { written: feature('messages'), keys: [record('k1')], claims: ['k1'] }
      expect(worded(await store.changeCatalogue(change(0, first)))).toBe('committed 1')
      const second = { written: feature('seats'), claims: ['k1'] }
      expect(worded(await store.changeCatalogue(change(1, second)))).toBe('known k1=yes')
      expect((await store.loadCatalogue('sandbox')).features.map(({ id }) => id)).toEqual(['messages'])
    })
  })

  describe('old events', () => {
    const retention = { ...USUAL_RETENTION, events: 30 * DAY }
    const day = (n: number) => Date.UTC(2026, 0, 1 + n)
    /** One after the other, a use on each of these days. */
    const use = async (...days: readonly number[]) => {
      for (const [i, n] of days.entries()) {
        const rows = { events: [event(`evt_${n}`, { timestamp: AT })], refunds: [{ event: `evt_${n}`, given: [] }] }
        const one = i === 0 ? added(alice, rows) : changed(alice, i, rows)
        await store.commit({ at: day(n), changes: [one] })
      }
    }
    /** Until there are so many: removing takes its time. Each time is a commit, so this does not spin. */
    const until = async (left: readonly string[], at: number) => {
      for (let tries = 0; (await eventIds()).toSorted().join() !== left.join(); tries++) {
        expect(tries).toBeLessThan(500)
        await store.commit({ at, changes: [added(person(`c${tries}`))] })
      }
    }

    test('are told apart by when they were stored, whenever they happened', async () => {
      await use(0, 40, 80)
      expect(await eventIds({ storedFrom: day(40) })).toEqual(['evt_80', 'evt_40'])
      expect(await eventIds({ storedFrom: day(40) + 1, customerId: 'alice' })).toEqual(['evt_80'])
      expect(await eventIds({ storedFrom: day(0), uid: 'evt_0' })).toEqual(['evt_0'])
      expect(await eventIds({ storedFrom: day(0) + 1, uid: 'evt_0' })).toEqual([])
    })

    test('are removed with what was given back of them, and younger ones stay', async () => {
      await store.retain(retention)
      // PostgreSQL removes whole months.
      await use(0, 70, 80)
      await until(['evt_70', 'evt_80'], day(80))
      expect([...((await store.load([{ env: 'sandbox', id: 'alice' }]))[0]?.holdings.refunds.keys() ?? [])]).toEqual([
        'evt_70',
        'evt_80',
      ])
      await until([], day(200))
    })

    test('are kept for ever when nothing else is said, and again when that is said later', async () => {
      await use(0, 40)
      await store.commit({ at: day(9000), changes: [added(bob)] })
      await store.retain(retention)
      await store.retain(USUAL_RETENTION)
      await store.commit({ at: day(9001), changes: [added(person('carol'))] })
      expect(await eventIds()).toEqual(['evt_40', 'evt_0'])
    })
  })

  describe('a deleted customer', () => {
    const many = 1800
    const rows = {
      entitiesWritten: Array.from({ length: many }, (_, i) => seat(`desk${i}`)),
      written: Array.from({ length: many }, (_, i) => grantOf(`cus_ent_${i}`, { entity: `ent_desk${i}` })),
      events: Array.from({ length: many }, (_, i) => event(`evt_${i}`, { entity: `desk${i}` })),
      postings: Array.from({ length: many }, (_, i) => posting(`cus_ent_${i}`, '1')),
    }

    test('is nowhere any more, however much it left, and everyone else still is', async () => {
      const kept = { written: [grantOf('cus_ent_b')], events: [event('evt_b')], postings: [posting('cus_ent_b', '1')] }
      await commit(store, added(alice, rows), added(bob, { ...kept, entitiesWritten: [seat('b')] }))
      expect((await entities()).all).toBe(many + 1)
      // All that is asked for reaches the store before it has had the time to clear everything away.
      const deleting = commit(store, gone(alice, 1))
      const [deleted, loaded, listed, listedEntities, events, ledger] = await Promise.all([
        deleting,
        deleting.then(() =>
          store.load([
            { env: 'sandbox', id: 'alice' },
            { env: 'sandbox', id: 'cus_alice' },
            { env: 'sandbox', id: 'bob' },
          ]),
        ),
        deleting.then(() => customers()),
        deleting.then(() => entities()),
        deleting.then(() => eventIds()),
        deleting.then(() => store.ledger('cus_alice')),
      ])
      expect(deleted.map((one) => one.split(' ')[0])).toEqual(['committed'])
      expect(loaded.map((one) => one?.holdings.customer.id ?? null)).toEqual([null, null, 'bob'])
      expect(listed.rows.map(({ holdings }) => holdings.customer.id)).toEqual(['bob'])
      expect([listed.all, listed.filtered]).toEqual([1, 1])
      expect(listedEntities.rows.map(({ entity }) => entity.id)).toEqual(['b'])
      expect([listedEntities.all, listedEntities.filtered]).toEqual([1, 1])
      expect(events).toEqual(['evt_b'])
      expect(ledger).toEqual([])
      expect(await find(store, 'bob')).toMatchObject({ balances: kept.written, entities: [seat('b')] })
      expect(await store.ledger('cus_bob')).toEqual(kept.postings)
    })

    test('leaves nothing to the one who is called like it a moment later', async () => {
      await commit(store, added(alice, rows))
      const second = person('alice', { uid: 'cus_second' })
      const own = { written: [grantOf('cus_ent_own')], entitiesWritten: [seat('desk0', { uid: 'ent_own' })] }
      const results = await commit(store, gone(alice, 1), added(second, own))
      const [loaded] = await store.load([{ env: 'sandbox', id: 'alice' }])
      expect(results[1]).toBe('committed 1')
      const expected = {
        version: 1,
        customer: second,
        balances: own.written,
        entities: own.entitiesWritten,
        postings: 0,
      }
      expect(told(loaded)).toMatchObject(expected)
      expect(await seats({ customer: 'cus_second' })).toEqual(['cus_second ent_own'])
      expect(await seats({ id: 'desk0' })).toEqual(['cus_second ent_own'])
      expect([await eventIds({ customerId: 'alice' }), await eventIds({ entity: 'desk0' })]).toEqual([[], []])
      expect(await store.ledger('cus_second')).toEqual([])
      await commit(store, changed(second, 1, { postings: [posting('cus_ent_own', '7')], events: [event('evt_own')] }))
      expect(await store.ledger('cus_second')).toEqual([posting('cus_ent_own', '7')])
      expect(await eventIds({ customerId: 'alice' })).toEqual(['evt_own'])
    })

    test('no longer keeps a feature from being deleted', async () => {
      await commit(store, added(alice, rows))
      const unused = (feature: string) => ({ kind: 'feature' as const, feature, balances: true, entities: true })
      const asking = (feature: string) =>
        store.changeCatalogue(change(0, { removed: feature, unused: unused(feature) }))
      expect([worded(await asking('feat_messages')), worded(await asking('feat_seats'))]).toEqual(['in_use', 'in_use'])
      await commit(store, gone(alice, 1))
      const messages = await asking('feat_messages')
      expect(worded(messages)).toBe('committed 1')
    })

    test('is deleted at the version that was decided upon, and once', async () => {
      await commit(store, added(alice), added(bob))
      expect(await commit(store, gone(alice, 2))).toEqual(['conflict'])
      expect(await find(store, 'alice')).toMatchObject({ version: 1 })
      await commit(store, gone(alice, 1))
      expect(await commit(store, gone(alice, 1))).toEqual(['conflict'])
      expect(await commit(store, changed(alice, 1, { written: [grantOf('cus_ent_1')] }))).toEqual(['conflict'])
      expect(await find(store, 'alice')).toBeNull()
    })

    test('leaves behind the keys of its deletion', async () => {
      await commit(store, added(alice))
      await commit(store, gone(alice, 1, { keys: [record('k1')] }))
      const asking = { env: 'sandbox' as const, uid: '', claims: ['k1'], rows: null }
      expect((await store.commit({ at: AT, changes: [asking] })).map(worded)).toEqual(['known k1=yes'])
    })

    test('without an id leaves its e-mail to the next', async () => {
      const nobody = stranger('x', 'eve@example.com')
      await commit(store, added(nobody))
      const next = stranger('y', 'eve@example.com')
      const results = await commit(store, gone(nobody, 1), added(next))
      expect(results[1]).toBe('committed 1')
      expect(await find(store, claimOf('eve@example.com'))).toMatchObject({ customer: next })
    })

    test('that nobody was is a conflict', async () => {
      expect(await commit(store, gone(alice, 1))).toEqual(['conflict'])
    })
  })

  describe('a deleted customer that is anonymised', () => {
    const many = 1200
    const rows = {
      entitiesWritten: [seat('desk')],
      written: [grantOf('cus_ent_1')],
      refunds: [{ event: 'evt_0', given: [] }],
      events: Array.from({ length: many }, (_, i) =>
        // Many at one instant, and some before it, that were told later.
        event(`evt_${i}`, { entity: 'desk', properties: { name: `secret ${i}` }, timestamp: AT - (i % 3) }),
      ),
      postings: [posting('cus_ent_1', '100'), posting('cus_ent_1', '-1', { cause: 'evt_0', entity: 'ent_desk' })],
    }
    const personal = person('alice', { name: 'Alice', email: 'alice@example.com', metadata: { phone: '1' } })
    /** Until all that was said of it is cleared away. Each time is a question, so this does not spin. */
    const anonymised = async () => {
      for (let tries = 0; (await eventIds({ names: ['messages'], limit: 1 })).length === 0; tries++) {
        expect(tries).toBeLessThan(500)
        await store.loadKeys()
      }
    }
    beforeEach(() => store.retain({ ...USUAL_RETENTION, deletedCustomers: 'anonymise' }))

    test('is found by nothing, and its events are there without what was said of them', async () => {
      await commit(store, added(personal, rows))
      expect(await commit(store, gone(personal, 1))).toEqual(['committed 0'])
      // Never seen half cleared.
      for (const { customerId, properties, entity } of await uses({ limit: 2000 }))
        expect([customerId, properties, entity]).toEqual(['cus_alice', {}, null])
      await anonymised()
      const seen = await uses({ limit: 2000 })
      expect(seen).toHaveLength(many)
      const told = seen.map(({ customerId, properties, entity }) => JSON.stringify([customerId, properties, entity]))
      expect(new Set(told)).toEqual(new Set(['["cus_alice",{},null]']))
      expect(seen.at(0)).toMatchObject({ name: 'messages', value: amount('1'), timestamp: AT })
      expect(await store.ledger('cus_alice')).toEqual(rows.postings)
      for (const id of ['alice', 'cus_alice']) {
        expect(await find(store, id)).toBeNull()
        expect(await eventIds({ customerId: id })).toEqual([])
      }
      expect(await eventIds({ entity: 'desk' })).toEqual([])
      expect([(await customers()).all, (await entities()).all]).toEqual([0, 0])
      expect(await uses({ env: 'live' })).toEqual([])
    })

    test('leaves nothing to the one who is called like it a moment later', async () => {
      const second = person('alice', { uid: 'cus_second' })
      await commit(store, added(personal, rows))
      await commit(store, gone(personal, 1), added(second, { events: [event('evt_new')] }))
      await anonymised()
      expect(await eventIds({ customerId: 'alice' })).toEqual(['evt_new'])
      expect(await find(store, 'alice')).toMatchObject({ customer: second, postings: 0, balances: [], entities: [] })
      expect(await store.ledger('cus_second')).toEqual([])
      await commit(store, gone(second, 1))
      for (let tries = 0; (await eventIds({ uid: 'evt_new' })).length === 0; tries++) expect(tries).toBeLessThan(500)
      expect(
        (await uses({ limit: 2000 })).map(({ customerId }) => customerId).filter((id) => id !== 'cus_alice'),
      ).toEqual(['cus_second'])
    })

    test('stays so when the setting is changed, and whoever is deleted from then on is erased', async () => {
      await commit(store, added(personal, rows), added(bob, { events: [event('evt_b')] }))
      await commit(store, gone(personal, 1))
      await store.retain(USUAL_RETENTION)
      await commit(store, gone(bob, 1))
      await anonymised()
      expect(new Set((await uses({ limit: 2000 })).map(({ customerId }) => customerId))).toEqual(new Set(['cus_alice']))
      expect(await store.ledger('cus_alice')).toEqual(rows.postings)
    })

    test('that was to be anonymised and was not deleted after all is erased, when it is deleted under another setting', async () => {
      await commit(store, added(personal, rows))
      expect(await commit(store, gone(personal, 7))).toEqual(['conflict'])
      expect(await uses({ customerId: 'alice', limit: 2000 })).toHaveLength(many)
      await store.retain(USUAL_RETENTION)
      await commit(store, gone(personal, 1))
      await commit(store, added(bob, { events: [event('evt_b')] }))
      expect([await eventIds(), await store.ledger('cus_alice')]).toEqual([['evt_b'], []])
    })

    test('has its events no longer than others', async () => {
      await store.retain({ ...USUAL_RETENTION, events: 30 * DAY, deletedCustomers: 'anonymise' })
      await commit(store, added(personal, rows))
      await commit(store, gone(personal, 1))
      await anonymised()
      expect(await eventIds({ storedFrom: AT + 1 })).toEqual([])
      for (let tries = 0; (await eventIds({ limit: 1 })).length > 0; tries++) {
        expect(tries).toBeLessThan(500)
        await store.commit({ at: AT + 90 * DAY, changes: [added(person(`c${tries}`))] })
      }
      expect(await store.ledger('cus_alice')).toHaveLength(2)
    })
  })

  describe('the catalogue', () => {
    const [messages, seating, credits] = [
      feature('messages', { eventNames: ['chat'], display: { singular: 'message', plural: null }, createdAt: AT + 1 }),
      feature('seats', { type: { kind: 'metered', consumable: false } }),
      feature('credits', {
        type: {
          kind: 'credit_system',
          costs: [
            {
              feature: 'feat_messages',
              tariff: {
                ...flatTariff(amount('0.000000000001'), amount('3')),
                dimensions: [
                  {
                    name: 'd',
                    match: { model: 'x' },
                    priority: 2,
                    tiers: [
                      { to: amount('10'), cost: amount('5') },
                      { to: null, cost: 0n },
                    ],
                  },
                ],
                multipliers: [{ name: 'm', match: { night: 'true' }, factor: amount('0.5'), add: amount('-1') }],
              },
            },
          ],
        },
      }),
    ]
    const catalogue = async () => {
      const { version, features, clockAhead, plans } = await store.loadCatalogue('sandbox')
      return { version, clockAhead, features, plans }
    }

    test('is empty at first, and per environment', async () => {
      expect(await catalogue()).toEqual({ version: 0, clockAhead: 0, features: [], plans: [] })
      await store.changeCatalogue(change(0, { written: messages }))
      expect(await store.loadCatalogue('live')).toEqual({ version: 0, clockAhead: 0, features: [], plans: [] })
      const live = { env: 'live' as const, written: messages }
      expect(worded(await store.changeCatalogue(change(0, live)))).toBe('committed 1')
    })

    test('keeps features in order of creation; a changed one keeps its place, a removed one is gone', async () => {
      for (const [i, written] of [messages, seating, credits].entries())
        expect(worded(await store.changeCatalogue(change(i, { written })))).toBe(`committed ${i + 1}`)
      expect(await catalogue()).toEqual({
        version: 3,
        clockAhead: 0,
        features: [messages, seating, credits],
        plans: [],
      })
      const renamed = { ...messages, id: 'texts', archived: true, display: null }
      await store.changeCatalogue(change(3, { written: renamed }))
      expect((await catalogue()).features).toEqual([renamed, seating, credits])
      await store.changeCatalogue(change(4, { removed: 'feat_seats' }))
      // The id of one that is gone, or was renamed, is free again.
      await store.changeCatalogue(change(5, { written: feature('seats', { uid: 'feat_new' }) }))
      await store.changeCatalogue(change(6, { written: feature('messages', { uid: 'feat_newer' }) }))
      expect((await catalogue()).features.map(({ uid }) => uid)).toEqual([
        'feat_messages',
        'feat_credits',
        'feat_new',
        'feat_newer',
      ])
    })

    test('keeps how far its clock was moved', async () => {
      expect(worded(await store.changeCatalogue(change(0, { clockAhead: 5 * HOUR })))).toBe('committed 1')
      await store.changeCatalogue(change(1, { written: messages, clockAhead: 6 * HOUR }))
      expect(await catalogue()).toEqual({ version: 2, clockAhead: 6 * HOUR, features: [messages], plans: [] })
    })

    test('changes only from the version that was decided upon', async () => {
      await store.changeCatalogue(change(0, { written: messages }))
      expect(worded(await store.changeCatalogue(change(0, { written: seating })))).toBe('conflict')
      expect(worded(await store.changeCatalogue(change(2, { removed: 'feat_messages', clockAhead: 9 })))).toBe(
        'conflict',
      )
      expect(await catalogue()).toEqual({ version: 1, clockAhead: 0, features: [messages], plans: [] })
    })

    test.each<[string, Parameters<typeof added>[1], { balances: boolean; entities: boolean }, string]>([
      ['a balance is a use', { written: [grantOf('b')] }, { balances: true, entities: false }, 'in_use'],
      [
        'so is one of an entity',
        { written: [grantOf('b', { entity: 'ent_desk' })], entitiesWritten: [seat('desk')] },
        { balances: true, entities: false },
        'in_use',
      ],
      [
        'one that expires a moment later still is',
        { written: [grantOf('b', { expiresAt: AT + 1 })] },
        { balances: true, entities: true },
        'in_use',
      ],
      [
        'one that expires now is not',
        { written: [grantOf('b', { expiresAt: AT })] },
        { balances: true, entities: true },
        'committed 1',
      ],
      [
        'balances that are not looked for are none',
        { written: [grantOf('b')] },
        { balances: false, entities: true },
        'committed 1',
      ],
      [
        'those of another feature are none',
        { written: [grantOf('b', { feature: 'feat_other' })] },
        { balances: true, entities: true },
        'committed 1',
      ],
      [
        'an entity is a use',
        { entitiesWritten: [seat('desk', { feature: 'feat_messages' })] },
        { balances: false, entities: true },
        'in_use',
      ],
      [
        'entities that are not looked for are none',
        { entitiesWritten: [seat('desk', { feature: 'feat_messages' })] },
        { balances: true, entities: false },
        'committed 1',
      ],
      [
        'an entity of another feature is none',
        { entitiesWritten: [seat('desk')] },
        { balances: true, entities: true },
        'committed 1',
      ],
    ])('asked to change what nobody has: %s', async (_label, rows, looked, expected) => {
      await commit(store, added(alice, rows))
      const unused = { kind: 'feature' as const, feature: 'feat_messages', ...looked }
      const asked = change(0, { written: messages, clockAhead: 7, unused, keys: [record('k1')], claims: ['k1'] })
      expect(worded(await store.changeCatalogue(asked))).toBe(expected)
      const { version, clockAhead } = await catalogue()
      expect([version, clockAhead]).toEqual(expected === 'in_use' ? [0, 0] : [1, 7])
      // A change that was not made has not used up its key.
      const again = change(version, { claims: ['k1'] })
      expect(worded(await store.changeCatalogue(again))).toBe(expected === 'in_use' ? 'committed 1' : 'known k1=yes')
    })

    test('asked to change what nobody has any more: what was given back is no use', async () => {
      const [held, desk] = [grantOf('b'), seat('desk', { feature: 'feat_messages' })]
      await commit(store, added(alice, { written: [held], entitiesWritten: [desk] }))
      await commit(store, changed(alice, 1, { removed: [held], entitiesRemoved: [desk] }))
      const unused = { kind: 'feature' as const, feature: 'feat_messages', balances: true, entities: true }
      expect(worded(await store.changeCatalogue(change(0, { unused })))).toBe('committed 1')
    })
  })

  describe('the list of customers', () => {
    /** Two are of one millisecond; `erin` has no id. */
    const people = [
      person('bob', { createdAt: AT + 1, name: 'Bärbel Ö', email: 'b@example.com' }),
      person('alice', { createdAt: AT + 1, name: '100%', email: null }),
      person('carl', { createdAt: AT + 2, name: 'ΣΊΣΥΦΟΣ' }),
      person('dora', { createdAt: AT + 3, email: 'DORA@Example.com' }),
      { ...stranger('erin', 'erin_x@example.com'), createdAt: AT + 4 },
    ]

    beforeEach(async () => {
      await commit(store, ...people.map((one) => added(one)))
      await commit(store, added(person('live', { env: 'live', createdAt: AT + 2 })))
    })

    test.each<[string, Partial<CustomerQuery>, string[]]>([
      ['oldest first, then by internal id', {}, ['alice', 'bob', 'carl', 'dora', 'erin']],
      ['newest first', { order: 'newest' }, ['erin', 'dora', 'carl', 'bob', 'alice']],
      ['a page', { limit: 2 }, ['alice', 'bob']],
      ['the page past some rows', { limit: 2, offset: 2 }, ['carl', 'dora']],
      ['a page past the end', { offset: 9 }, []],
      ['what comes after a row', { after: { at: AT + 1, uid: 'cus_alice' } }, ['bob', 'carl', 'dora', 'erin']],
      ['what comes before it', { order: 'newest', after: { at: AT + 2, uid: 'cus_carl' } }, ['bob', 'alice']],
      [
        'what comes after a row that is gone',
        { after: { at: AT + 1, uid: 'cus_az' } },
        ['bob', 'carl', 'dora', 'erin'],
      ],
      ['those from an instant on', { from: AT + 3 }, ['dora', 'erin']],
      ['those up to an instant', { to: AT + 1 }, ['alice', 'bob']],
      ['those of one instant', { from: AT + 2, to: AT + 2 }, ['carl']],
      ['a part of an id', { search: 'OB' }, ['bob']],
      ['a part of a name in the other case', { search: 'BÄRBEL ö' }, ['bob']],
      ['a name in Greek', { search: 'σίσυφ' }, ['carl']],
      ['a part of an e-mail in the other case', { search: 'dora@EX' }, ['dora']],
      ['a sign that patterns have', { search: '%' }, ['alice']],
      ['another one', { search: '_' }, ['erin']],
      ['someone without an id', { search: 'erin' }, ['erin']],
      ['an internal id is not searched', { search: 'cus_' }, []],
      ['all at once', { search: 'example', from: AT + 2, order: 'newest', limit: 1, offset: 1 }, ['dora']],
      ['the other environment', { env: 'live' }, ['live']],
    ])('is in order and in pages: %s', async (_label, query, expected) => {
      expect(await names(query)).toEqual(expected)
    })

    test.each<[string, Partial<CustomerQuery>, [all: number, filtered: number]]>([
      ['all', {}, [5, 5]],
      ['whatever the page', { limit: 1, offset: 3 }, [5, 5]],
      ['wherever it begins', { after: { at: AT + 3, uid: 'cus_dora' } }, [5, 5]],
      ['what a search finds', { search: 'example' }, [5, 3]],
      ['what lies between two instants', { from: AT + 2, to: AT + 3 }, [5, 2]],
      ['nothing, unless that is asked for', { counted: false }, [0, 0]],
      ['the other environment', { env: 'live' }, [1, 1]],
    ])('counts %s', async (_label, query, [all, filtered]) => {
      const page = await customers(query)
      expect([page.all, page.filtered]).toEqual([all, filtered])
    })

    test('shows each with all it has, as a load does', async () => {
      const [held, theirs] = [grantOf('cus_ent_1'), grantOf('cus_ent_2', { entity: 'ent_desk' })]
      const [first] = people
      if (first === undefined) throw new Error('there is someone')
      const rows = { written: [held, theirs], entitiesWritten: [seat('desk')], postings: [posting('cus_ent_1', '1')] }
      await commit(store, changed(first, 1, { ...rows, latest: AT + 8 }))
      const [row] = (await customers({ search: 'bob' })).rows
      expect(told(row)).toEqual(await find(store, 'bob'))
      expect(told(row)).toMatchObject({
        version: 2,
        latest: AT + 8,
        balances: [held, theirs],
        entities: [seat('desk')],
      })
    })
  })

  describe('the list of entities', () => {
    beforeEach(async () => {
      const mine = [
        seat('desk', { uid: 'ent_2', createdAt: AT + 1, name: 'Großer Tisch' }),
        seat('lamp', { uid: 'ent_1', createdAt: AT + 1 }),
        seat(null, { uid: 'ent_3', createdAt: AT + 2, name: 'ÉTAGÈRE' }),
      ]
      const theirs = [seat('desk', { uid: 'ent_4', createdAt: AT + 3 })]
      await commit(
        store,
        added(alice, { entitiesWritten: mine }),
        added(bob, { entitiesWritten: theirs }),
        added(person('l', { env: 'live' }), { entitiesWritten: [seat('desk', { uid: 'ent_5' })] }),
      )
    })

    test.each<[string, Partial<EntityQuery>, string[]]>([
      ['oldest first, then by internal id', {}, ['alice ent_1', 'alice ent_2', 'alice ent_3', 'bob ent_4']],
      ['newest first', { order: 'newest' }, ['bob ent_4', 'alice ent_3', 'alice ent_2', 'alice ent_1']],
      ['a page past some rows', { limit: 2, offset: 1 }, ['alice ent_2', 'alice ent_3']],
      ['what comes after a row', { after: { at: AT + 1, uid: 'ent_1' } }, ['alice ent_2', 'alice ent_3', 'bob ent_4']],
      [
        'what comes before it',
        { order: 'newest', after: { at: AT + 2, uid: 'ent_3' } },
        ['alice ent_2', 'alice ent_1'],
      ],
      ['those of a customer', { customer: 'cus_alice' }, ['alice ent_1', 'alice ent_2', 'alice ent_3']],
      ['those of nobody', { customer: 'cus_nobody' }, []],
      ['a caller’s id names the customer by no means', { customer: 'alice' }, []],
      ['by their id', { id: 'desk' }, ['alice ent_2', 'bob ent_4']],
      ['by their internal id', { id: 'ent_3' }, ['alice ent_3']],
      ['by their id, of a customer', { id: 'desk', customer: 'cus_bob' }, ['bob ent_4']],
      ['a part of an id', { search: 'AMP' }, ['alice ent_1']],
      ['a part of a name in the other case', { search: 'étag' }, ['alice ent_3']],
      ['a part of a name', { search: 'ßer T' }, ['alice ent_2']],
      ['the other environment', { env: 'live' }, ['l ent_5']],
    ])('is in order and in pages: %s', async (_label, query, expected) => {
      expect(await seats(query)).toEqual(expected.map((one) => `cus_${one}`))
    })

    test.each<[string, Partial<EntityQuery>, [all: number, filtered: number]]>([
      ['all', { limit: 1 }, [4, 4]],
      ['what a search finds', { search: 'desk' }, [4, 2]],
      ['nothing, unless that is asked for', { counted: false }, [0, 0]],
      ['the other environment', { env: 'live' }, [1, 1]],
    ])('counts %s', async (_label, query, [all, filtered]) => {
      const page = await entities(query)
      expect([page.all, page.filtered]).toEqual([all, filtered])
    })

    test('counts the same for a customer', async () => {
      const { all, filtered } = await entities({ customer: 'cus_alice', search: 'desk' })
      expect([all, filtered]).toEqual([4, 1])
    })
  })

  test('secret keys are added once', async () => {
    const [first, second] = [
      { hash: 'a', env: 'sandbox' as const, createdAt: AT },
      { hash: 'b', env: 'live' as const, createdAt: AT + 1 },
    ]
    await store.addKey(first)
    await store.addKey(second)
    await store.addKey({ ...first, env: 'live', createdAt: AT + 9 })
    expect((await store.loadKeys()).toSorted((a, b) => a.createdAt - b.createdAt)).toEqual([first, second])
  })
})

import { beforeEach, describe, expect, test } from 'vitest'
import { amount } from '../../src/domain/amount.ts'
import type { Attachment } from '../../src/domain/attachment.ts'
import type { Source } from '../../src/domain/balance.ts'
import { allBalances, attachmentsOf } from '../../src/domain/holdings.ts'
import type { ItemPrice } from '../../src/domain/item-price.ts'
import type { Plan, PlanItem, PlanTerms } from '../../src/domain/plan.ts'
import type { CustomerQuery, EntityQuery, PlanUse, Store } from '../../src/store/store.ts'
import { plan } from '../build.ts'
import { EVERY_STORE, openFor } from './every.ts'
import {
  AT,
  added,
  attachment,
  change,
  changed,
  commit,
  feature,
  gone,
  grantOf,
  person,
  record,
  seat,
  worded,
} from './rows.ts'

const HOUR = 3_600_000
const LEAST = amount('0.000000000001')
const LARGE = amount('12345678901234567890.123456789012')
const alice = person('alice')
const bob = person('bob')

/** Every field has something, and those that may be null have not. */
const PRICE: ItemPrice = {
  interval: 'semi_annual',
  count: 3,
  method: 'prepaid',
  tiers: [
    { to: LARGE, amount: LEAST, flatAmount: amount('0.1') },
    { to: null, amount: 0n, flatAmount: null },
  ],
  behavior: 'volume',
  units: amount('1000'),
  maxPurchase: amount('99.5'),
  proration: { onIncrease: 'bill_next_cycle', onDecrease: 'no_prorations' },
}
const BARE_PRICE: ItemPrice = { ...PRICE, method: 'usage_based', maxPurchase: null, proration: null }

const ITEM: PlanItem = {
  feature: 'feat_messages',
  included: LARGE,
  unlimited: false,
  every: { interval: 'month', count: 2 },
  rolloverPolicy: { cap: { kind: 'percentage', percent: amount('12.5') }, months: 3 },
  price: PRICE,
  entityFeature: 'feat_seats',
  expiry: { duration: 'week', length: 2 },
  thresholdBilling: LEAST,
}
const BARE_ITEM: PlanItem = {
  feature: 'feat_sso',
  included: 0n,
  unlimited: true,
  every: null,
  rolloverPolicy: null,
  price: null,
  entityFeature: null,
  expiry: null,
  thresholdBilling: null,
}

const TERMS: PlanTerms = {
  price: { interval: 'month', count: 1, amount: amount('20.000000000001') },
  items: [ITEM, BARE_ITEM, { ...BARE_ITEM, price: BARE_PRICE }],
  trial: { length: 14, duration: 'day', cardRequired: true },
}

const WHOLE_PLAN = plan('pro', {
  name: 'Pro "plan", {of} \\ ours',
  description: '',
  group: 'main,group',
  addOn: true,
  autoEnable: true,
  archived: true,
  ignorePastDue: true,
  metadata: { $amount: '1', 'a"b': '\u0000{}' },
  terms: TERMS,
  retired: true,
})

const WHOLE = attachment('cus_prod_1', 'pro', {
  id: 'sub "1", \\',
  version: 7,
  entity: 'ent_desk',
  custom: TERMS,
  status: 'scheduled',
  startsAt: AT + 1,
  canceledAt: AT + 2,
  endsAt: AT + 3,
  trialEndsAt: AT + 4,
  anchor: AT - 5,
  quantities: [
    { item: 0, units: LARGE, next: LEAST, nextAt: 5 },
    { item: 2, units: 0n, next: null, nextAt: null },
  ],
  createdAt: AT - 6,
})

const SOURCE: Source = {
  attachment: 'cus_prod_1',
  item: 2,
  planId: 'pro "plan", {of} \\ ours',
  addOn: true,
  price: PRICE,
  prepaid: LARGE,
  nextPrepaid: LEAST,
  slice: true,
}
const BARE_SOURCE: Source = { ...SOURCE, price: null, nextPrepaid: null, addOn: false, slice: false }

/** What the port promises of plans and of who has them, held against every store with the same expectations. */
describe.each(EVERY_STORE)('a store (%s) keeps', (kind) => {
  let store: Store
  const empty = openFor(kind)

  beforeEach(async () => {
    store = await empty()
  })

  const holdings = async (id: string) => (await store.load([{ env: 'sandbox', id }]))[0]?.holdings
  const attached = async (id: string): Promise<Attachment[] | null> => {
    const found = await holdings(id)
    return found === undefined ? null : attachmentsOf(found)
  }
  const balances = async (id: string) => {
    const found = await holdings(id)
    return found === undefined
      ? null
      : [...allBalances(found)].toSorted((a, b) => (a.uid < b.uid ? -1 : Number(a.uid > b.uid)))
  }

  describe('plans', () => {
    const plans = async () => (await store.loadCatalogue('sandbox')).plans
    const write = async (expected: number, ...plansWritten: readonly Plan[]) =>
      worded(await store.changeCatalogue(change(expected, { plansWritten })))

    test('with every field', async () => {
      const bare = plan('free')
      const priceless = plan('x', { terms: { ...TERMS, price: null, trial: null, items: [] } })
      expect(await write(0, WHOLE_PLAN, bare, priceless)).toBe('committed 1')
      expect(await plans()).toEqual([WHOLE_PLAN, bare, priceless])
      expect((await store.loadCatalogue('live')).plans).toEqual([])
    })

    test('in order of creation: a changed one keeps its place, a removed one is gone', async () => {
      const [a, b, c, d] = [plan('z'), plan('y'), plan('x'), plan('w')]
      await write(0, a, b)
      await write(1, c)
      const changedA = { ...WHOLE_PLAN, uid: a.uid, version: 2 }
      expect(await write(2, d, changedA)).toBe('committed 3')
      expect(await plans()).toEqual([changedA, b, c, d])
      const removing = { plansRemoved: [b.uid, d.uid, 'plan_none'], plansWritten: [plan('v')] }
      expect(worded(await store.changeCatalogue(change(3, removing)))).toBe('committed 4')
      expect((await plans()).map(({ id }) => id)).toEqual(['pro', 'x', 'v'])
      // Also after the last one has gone.
      await store.changeCatalogue(change(4, { plansRemoved: ['plan_v'], plansWritten: [plan('u')] }))
      await write(5, plan('t'))
      expect((await plans()).map(({ id }) => id)).toEqual(['pro', 'x', 'u', 't'])
    })

    test('beside features and the clock, all in one change or nothing', async () => {
      const all = { written: feature('messages'), plansWritten: [WHOLE_PLAN], clockAhead: 5, keys: [record('k1')] }
      expect(worded(await store.changeCatalogue(change(0, all)))).toBe('committed 1')
      const whole = { version: 1, clockAhead: 5, features: [feature('messages')], plans: [WHOLE_PLAN] }
      expect(await store.loadCatalogue('sandbox')).toEqual(whole)
      const other = { plansWritten: [plan('other')], plansRemoved: [WHOLE_PLAN.uid] }
      expect(worded(await store.changeCatalogue(change(0, other)))).toBe('conflict')
      expect(worded(await store.changeCatalogue(change(1, { ...other, claims: ['k1'] })))).toBe('known k1=yes')
      expect(await store.loadCatalogue('sandbox')).toEqual(whole)
      // What leaves plans alone does so.
      await store.changeCatalogue(change(1, { removed: 'feat_messages', clockAhead: 5 }))
      expect(await store.loadCatalogue('sandbox')).toEqual({ ...whole, version: 2, features: [] })
    })

    const use = (plans: readonly string[], ever = false): PlanUse => ({ kind: 'plan', plans, ever })
    const [pro, lite] = ['plan_pro', 'plan_lite']

    test.each<[string, readonly Attachment[], PlanUse, string]>([
      ['nobody has it', [], use([pro]), 'committed 1'],
      ['one who has it', [attachment('a', 'pro')], use([pro]), 'in_use'],
      ['one who will', [attachment('a', 'pro', { status: 'scheduled' })], use([pro]), 'in_use'],
      ['one who had it', [attachment('a', 'pro', { status: 'ended' })], use([pro]), 'committed 1'],
      ['one who ever had it', [attachment('a', 'pro', { status: 'ended' })], use([pro], true), 'in_use'],
      ['one who has it, asked for ever', [attachment('a', 'pro')], use([pro], true), 'in_use'],
      ['one who has another', [attachment('a', 'lite')], use([pro], true), 'committed 1'],
      ['one who has one of several', [attachment('a', 'lite')], use([pro, lite]), 'in_use'],
      ['an entity that has it', [attachment('a', 'pro', { entity: 'ent_desk' })], use([pro]), 'in_use'],
      ['another revision of the same plan', [attachment('a', 'pro', { plan: 'plan_old' })], use([pro]), 'committed 1'],
      ['no plan in question', [attachment('a', 'pro')], use([], true), 'committed 1'],
    ])('and knows whether they are used: %s', async (_label, attachmentsWritten, unused, result) => {
      await commit(store, added(alice, { attachmentsWritten, entitiesWritten: [seat('desk')] }), added(bob))
      const replacing = { unused, plansWritten: [plan('new')] }
      expect(worded(await store.changeCatalogue(change(0, replacing)))).toBe(result)
      expect(await plans()).toHaveLength(result === 'in_use' ? 0 : 1)
    })

    test('and what a deleted customer had is no use', async () => {
      await commit(store, added(alice, { attachmentsWritten: [attachment('a', 'pro')] }))
      await commit(store, gone(alice, 1))
      expect(worded(await store.changeCatalogue(change(0, { unused: use([pro], true) })))).toBe('committed 1')
    })
  })

  describe('what is attached', () => {
    test('with every field, and without those that may be missing', async () => {
      const bare = attachment('cus_prod_2', 'free')
      await commit(
        store,
        added(alice, { attachmentsWritten: [WHOLE, bare], entitiesWritten: [seat('desk')] }),
        added(bob),
      )
      expect(await attached('alice')).toEqual([WHOLE, bare])
      expect(await attached('bob')).toEqual([])
    })

    test('changed in place, and removed', async () => {
      const [first, second] = [attachment('a', 'pro'), attachment('b', 'pro', { createdAt: AT + 1 })]
      await commit(store, added(alice, { attachmentsWritten: [first, second] }))
      const now: Attachment = { ...WHOLE, uid: 'a', entity: null }
      expect(await commit(store, changed(alice, 1, { attachmentsWritten: [now] }))).toEqual(['committed 2'])
      expect(await attached('alice')).toEqual([now, second])
      // And back again: nothing of what it was in between is left.
      const third = attachment('c', 'lite', { createdAt: AT + 2 })
      await commit(store, changed(alice, 2, { attachmentsWritten: [first, third], attachmentsRemoved: ['b', 'none'] }))
      expect(await attached('alice')).toEqual([first, third])
    })

    test('of each customer apart, in one commit', async () => {
      const [hers, his] = [attachment('a', 'pro'), attachment('b', 'lite')]
      await commit(store, added(alice), added(bob, { attachmentsWritten: [his] }))
      const results = await commit(
        store,
        changed(alice, 1, { attachmentsWritten: [hers], attachmentsRemoved: ['b'] }),
        changed(bob, 1, { attachmentsRemoved: ['a'] }),
      )
      expect(results).toEqual(['committed 2', 'committed 2'])
      expect([await attached('alice'), await attached('bob')]).toEqual([[hers], [his]])
    })

    test('and nothing of a change that conflicts', async () => {
      await commit(store, added(alice, { attachmentsWritten: [attachment('a', 'pro')] }))
      const rows = { attachmentsWritten: [attachment('b', 'pro')], attachmentsRemoved: ['a'] }
      expect(await commit(store, changed(alice, 9, rows))).toEqual(['conflict'])
      expect(await attached('alice')).toEqual([attachment('a', 'pro')])
    })

    test('until the customer is deleted; who comes after has nothing of it', async () => {
      await commit(store, added(alice, { attachmentsWritten: [attachment('a', 'pro', { endsAt: AT })] }))
      expect(await store.withDueAttachments('sandbox', AT, 10)).toEqual(['cus_alice'])
      await commit(store, gone(alice, 1))
      expect(await store.withDueAttachments('sandbox', AT, 10)).toEqual([])
      expect(await attached('alice')).toBeNull()
      await commit(store, added(alice))
      expect(await attached('alice')).toEqual([])
    })
  })

  describe('balances of plans', () => {
    test('with all of where they come from', async () => {
      const written = [
        grantOf('cus_ent_1', { source: SOURCE }),
        grantOf('cus_ent_2', { source: { ...SOURCE, price: BARE_PRICE }, terms: { kind: 'unlimited' } }),
        grantOf('cus_ent_3', { source: BARE_SOURCE, entity: 'ent_desk' }),
        grantOf('cus_ent_4'),
      ]
      await commit(store, added(alice, { written, entitiesWritten: [seat('desk')] }))
      expect(await balances('alice')).toEqual(written)
    })

    test('whose allowance and source change while they are used', async () => {
      const before = grantOf('cus_ent_1', { source: SOURCE })
      const loose = grantOf('cus_ent_2')
      await commit(store, added(alice, { written: [before, loose] }))
      const after = {
        ...before,
        terms: { kind: 'finite' as const, allowance: LARGE + LEAST },
        remaining: LEAST,
        source: { ...BARE_SOURCE, prepaid: amount('3'), nextPrepaid: 0n },
      }
      await commit(store, changed(alice, 1, { written: [after] }))
      expect(await balances('alice')).toEqual([after, loose])
      await commit(store, changed(alice, 2, { written: [{ ...after, source: null }] }))
      expect(await balances('alice')).toEqual([{ ...after, source: null }, loose])
      const back = { ...before, remaining: 0n }
      await commit(store, changed(alice, 3, { written: [back, { ...loose, source: SOURCE }] }))
      expect(await balances('alice')).toEqual([back, { ...loose, source: SOURCE }])
    })
  })

  describe('who has what, in lists:', () => {
    beforeEach(async () => {
      const ofDesk = { entity: 'ent_desk' }
      const people: [string, Attachment[]][] = [
        ['pro1', [attachment('a', 'pro')]],
        ['pro2', [attachment('b', 'pro', { version: 2 }), attachment('c', 'pro', { status: 'ended' })]],
        ['past', [attachment('d', 'pro', { status: 'ended' })]],
        ['soon', [attachment('e', 'lite', { status: 'scheduled' }), attachment('f', 'pro', { version: 3 })]],
        ['none', []],
        ['desk', [attachment('g', 'lite', ofDesk), attachment('h', 'extra', { ...ofDesk, status: 'scheduled' })]],
      ]
      await commit(
        store,
        ...people.map(([id, attachmentsWritten], i) =>
          added(person(id, { createdAt: AT + i }), {
            attachmentsWritten,
            entitiesWritten: ['desk', 'door'].map((name, n) =>
              seat(`${id}-${name}`, {
                uid: id === 'desk' && name === 'desk' ? 'ent_desk' : `ent_${id}-${name}`,
                createdAt: AT + 2 * i + n,
              }),
            ),
          }),
        ),
        added(person('live', { env: 'live' }), { attachmentsWritten: [attachment('z', 'pro')] }),
      )
    })

    const page = { env: 'sandbox', order: 'oldest', offset: 0, limit: 100, counted: true } as const
    const pro = (...versions: number[]) => [{ id: 'pro', versions: versions.length === 0 ? null : versions }]
    const customers = async (query: Partial<CustomerQuery>) => {
      const { rows, all, filtered } = await store.listCustomers({ ...page, ...query })
      expect([all, filtered]).toEqual([6, query.after === undefined && query.limit === undefined ? rows.length : 3])
      return rows.map(({ holdings }) => holdings.customer.id)
    }
    const entities = async (query: Partial<EntityQuery>) => {
      const { rows, all, filtered } = await store.listEntities({ ...page, ...query })
      expect([all, filtered]).toEqual([12, rows.length])
      return rows.map(({ entity }) => entity.id)
    }

    test.each<[string, Partial<CustomerQuery>, string[]]>([
      ['nothing is asked', {}, ['pro1', 'pro2', 'past', 'soon', 'none', 'desk']],
      ['a plan', { plans: pro() }, ['pro1', 'pro2', 'soon']],
      ['a version', { plans: pro(1) }, ['pro1']],
      ['some versions', { plans: pro(2, 3, 9) }, ['pro2', 'soon']],
      ['no version', { plans: [{ id: 'pro', versions: [] }] }, []],
      ['no plan', { plans: [] }, []],
      ['another case', { plans: [{ id: 'PRO', versions: null }] }, []],
      ['several plans', { plans: [...pro(1), { id: 'lite', versions: null }] }, ['pro1', 'soon', 'desk']],
      ['active', { status: 'active' }, ['pro1', 'pro2', 'soon', 'desk']],
      ['scheduled', { status: 'scheduled' }, ['soon', 'desk']],
      ['a plan that is scheduled', { plans: [{ id: 'lite', versions: null }], status: 'scheduled' }, ['soon']],
      ['one plan is scheduled and another asked for', { plans: pro(), status: 'scheduled' }, []],
      ['a search beside', { plans: pro(), search: 'PRO' }, ['pro1', 'pro2']],
      ['a time beside', { plans: pro(), from: AT + 1, to: AT + 2 }, ['pro2']],
    ])('customers, where %s', async (_label, query, found) => {
      expect(await customers(query)).toEqual(found)
    })

    test('customers a page after the other', async () => {
      expect(await customers({ plans: pro(), limit: 2 })).toEqual(['pro1', 'pro2'])
      expect(await customers({ plans: pro(), after: { at: AT + 1, uid: 'cus_pro2' } })).toEqual(['soon'])
      expect(await customers({ plans: pro(), limit: 2, order: 'newest' })).toEqual(['soon', 'pro2'])
    })

    const both = (id: string) => [`${id}-desk`, `${id}-door`]
    test.each<[string, Partial<EntityQuery>, string[]]>([
      ['a plan of the customer', { plans: pro(1) }, both('pro1')],
      ['a plan of one of them', { plans: [{ id: 'lite', versions: null }] }, [...both('soon'), 'desk-desk']],
      ['scheduled', { status: 'scheduled' }, [...both('soon'), 'desk-desk']],
      ['scheduled for one of them', { plans: [{ id: 'extra', versions: [1] }], status: 'scheduled' }, ['desk-desk']],
      ['no plan', { plans: [] }, []],
      ['a plan and a customer', { plans: pro(), customer: 'cus_soon' }, both('soon')],
      ['a plan, an id and a search', { plans: pro(), id: 'soon-door', search: 'SOON' }, ['soon-door']],
    ])('entities, where %s', async (_label, query, found) => {
      expect(await entities(query)).toEqual(found)
    })
  })

  describe('whose plans are due:', () => {
    const due = (at: number, limit = 10) => store.withDueAttachments('sandbox', at, limit)

    test.each<[string, Partial<Attachment>, boolean]>([
      ['one that begins now', { status: 'scheduled', startsAt: AT }, true],
      ['one that begins a moment later', { status: 'scheduled', startsAt: AT + 1 }, false],
      ['one that is to begin, whenever it ends', { status: 'scheduled', startsAt: AT + 1, endsAt: AT }, false],
      ['one that ends now', { endsAt: AT }, true],
      ['one that ends a moment later', { endsAt: AT + 1 }, false],
      ['one without an end', { startsAt: 0, trialEndsAt: AT, canceledAt: AT }, false],
      ['one that has ended', { status: 'ended', startsAt: AT, endsAt: AT }, false],
    ])('%s', async (_label, more, isDue) => {
      await commit(store, added(alice, { attachmentsWritten: [attachment('a', 'pro', more)] }))
      expect(await due(AT)).toEqual(isDue ? ['cus_alice'] : [])
      expect(await store.withDueAttachments('live', AT, 10)).toEqual([])
    })

    test('not any more once they have begun or ended', async () => {
      const waiting = attachment('a', 'pro', { status: 'scheduled' })
      await commit(store, added(alice, { attachmentsWritten: [waiting] }))
      expect(await due(AT)).toEqual(['cus_alice'])
      await commit(store, changed(alice, 1, { attachmentsWritten: [{ ...waiting, status: 'active' }] }))
      expect(await due(AT)).toEqual([])
    })

    test('by the customer’s own clock, the one that waits longest first, each once', async () => {
      const ending = (uid: string, endsAt: number) => attachment(uid, 'pro', { endsAt })
      const ahead = (id: string, clockAhead: number) => person(id, { clockAhead })
      await commit(
        store,
        added(alice, { attachmentsWritten: [ending('a', AT + 4), ending('b', AT + 2), ending('c', AT + 4)] }),
        added(bob, { attachmentsWritten: [ending('d', AT + 3)] }),
        added(ahead('carol', HOUR), { attachmentsWritten: [ending('e', AT + HOUR), ending('f', AT + 5)] }),
        added(ahead('dave', 5), { attachmentsWritten: [ending('g', AT + HOUR)] }),
      )
      // Carol waits for one of hers since an hour ago.
      expect(await due(AT - HOUR + 4)).toEqual([])
      expect(await due(AT - HOUR + 5)).toEqual(['cus_carol'])
      expect(await due(AT)).toEqual(['cus_carol'])
      expect(await due(AT + 2)).toEqual(['cus_carol', 'cus_alice'])
      expect(await due(AT + 4)).toEqual(['cus_carol', 'cus_alice', 'cus_bob'])
      expect(await due(AT + 4, 2)).toEqual(['cus_carol', 'cus_alice'])
      expect(await due(AT + 4, 1)).toEqual(['cus_carol'])
      expect(await due(AT + HOUR - 5)).toEqual(['cus_carol', 'cus_alice', 'cus_bob', 'cus_dave'])
      // The clock moves, and what is due with it.
      await commit(store, changed(bob, 1, { customer: { ...bob, clockAhead: 2 * HOUR } }))
      expect(await due(AT, 1)).toEqual(['cus_bob'])
    })
  })
})

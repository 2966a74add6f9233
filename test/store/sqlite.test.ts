import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { amount } from '../../src/domain/amount.ts'
import { flatTariff } from '../../src/domain/price.ts'
import { USUAL_RETENTION } from '../../src/domain/retention.ts'
import { MIGRATIONS } from '../../src/store/sqlite/migrations.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld } from '../world.ts'
import { newFolder, type OpenFile, openFile, TABLES } from './file.ts'
import {
  AT,
  added,
  attachment,
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
  worded,
} from './rows.ts'

const alice = person('alice')

let file: OpenFile | null = null
afterEach(async () => {
  await file?.close()
  file = null
})

async function opened(folder?: string): Promise<OpenFile> {
  file = await openFile(folder)
  return file
}

/** A customer with so many rows of each kind that they are not cleared away at once. */
function large(many: number) {
  return {
    entitiesWritten: Array.from({ length: many }, (_, i) => seat(`desk${i}`)),
    written: Array.from({ length: many }, (_, i) => grantOf(`cus_ent_${i}`)),
    attachmentsWritten: Array.from({ length: many }, (_, i) => attachment(`cus_prod_${i}`, 'pro')),
    events: Array.from({ length: many }, (_, i) => event(`evt_${i}`)),
    postings: Array.from({ length: many }, (_, i) => posting(`cus_ent_${i}`, '1')),
  }
}

/** Customers that have rows, per table: their keys. */
function owners(open: OpenFile) {
  const tables = ['customer_states', 'entities', 'balances', 'attachments', 'postings', 'events']
  const keys = tables.map((table) => [table, open.column(`select distinct customer from ${table} order by customer`)])
  return { ...Object.fromEntries(keys), deletions: open.column('select customer from deletions') }
}

/** Lets the store go on clearing: between any two calls it clears a little. */
async function cleared(open: OpenFile): Promise<void> {
  for (let calls = 0; open.column('select 1 from deletions').length > 0; calls++) {
    expect(calls).toBeLessThan(10_000)
    await open.store.loadKeys()
  }
}

describe('what a deleted customer leaves in the file', () => {
  test('is cleared away, and nothing else is', async () => {
    const open = await opened()
    const bob = person('bob')
    await commit(open.store, added(alice, large(1200)), added(bob, large(3)))
    const [key] = open.column("select key from customers where id = 'bob'")
    await commit(open.store, gone(alice, 1))
    await cleared(open)
    const bobs = [key]
    expect(owners(open)).toEqual({
      customer_states: bobs,
      entities: bobs,
      balances: bobs,
      attachments: bobs,
      postings: bobs,
      events: bobs,
      deletions: [],
    })
    expect(open.column('select count(*) from postings')).toEqual([3])
    expect(await open.store.ledger('cus_bob')).toHaveLength(3)
    expect(await find(open.store, 'bob')).toMatchObject({ balances: { length: 3 }, entities: { length: 3 } })
  })

  test('is cleared away by the next start when the process ends before', async () => {
    const open = await opened()
    await commit(open.store, added(alice, large(3000)))
    await Promise.all([commit(open.store, gone(alice, 1)), open.reopen()])
    expect(open.column('select count(*) from deletions')).toEqual([1])
    expect(open.column('select count(*) from events')).not.toEqual([0])
    expect(await find(open.store, 'alice')).toBeNull()
    await cleared(open)
    expect(TABLES.filter((table) => open.column(`select 1 from ${table} limit 1`).length > 0)).toEqual([])
  })

  test('is anonymised from where it was left off by the next start, whatever that one is set to', async () => {
    const open = await opened()
    await open.store.retain({ ...USUAL_RETENTION, deletedCustomers: 'anonymise' })
    const events = large(3000).events.map((one) => ({ ...one, entity: 'desk', properties: { a: 1 } }))
    await commit(open.store, added(alice, { ...large(3000), events }))
    await Promise.all([commit(open.store, gone(alice, 1)), open.store.loadKeys(), open.store.loadKeys(), open.reopen()])
    const telling = 'select count(*) from events where properties is not null or entity is not null'
    const [before] = open.column(telling)
    expect(before).toBeGreaterThan(0)
    expect(open.column('select anonymised from former_customers')).toEqual([0])
    await cleared(open)
    expect([open.column(telling), open.column('select count(*) from events')]).toEqual([[0], [3000]])
    expect(open.column('select count(*) from postings')).toEqual([3000])
    expect(open.column('select anonymised from former_customers')).toEqual([1])
    const left = TABLES.filter((table) => open.column(`select 1 from ${table} limit 1`).length > 0)
    expect(left.toSorted()).toEqual(['events', 'former_customers', 'postings'])
  })

  test('of several at once is all cleared away', async () => {
    const open = await opened()
    const people = ['a', 'b', 'c'].map((id) => person(id))
    await commit(open.store, ...people.map((one) => added(one, large(600))))
    await commit(open.store, ...people.map((one) => gone(one, 1)))
    await cleared(open)
    expect(TABLES.filter((table) => open.column(`select 1 from ${table} limit 1`).length > 0)).toEqual([])
  })

  test('is never found under the key of someone else: no key is used twice', async () => {
    const open = await opened()
    const keys = new Set<unknown>()
    for (let i = 0; i < 5; i++) {
      const one = person('alice', { uid: `cus_${i}` })
      await commit(open.store, added(one, large(2)))
      for (const key of open.column('select key from customers')) keys.add(key)
      await commit(open.store, gone(one, 1))
      await cleared(open)
    }
    await open.reopen()
    await commit(open.store, added(alice))
    for (const key of open.column('select key from customers')) keys.add(key)
    expect(keys.size).toBe(6)
  })
})

test('everything is there again after closing and opening', async () => {
  const open = await opened()
  const { store } = open
  await store.changeCatalogue(change(0, { written: feature('messages'), clockAhead: 99, keys: [record('k0')] }))
  await store.addKey({ hash: 'h', env: 'live', createdAt: AT })
  const rows = {
    catalogue: 1,
    entitiesWritten: [seat('desk'), seat(null)],
    written: [grantOf('cus_ent_1', { seats: 2 }), grantOf('cus_ent_2', { entity: 'ent_desk' })],
    events: [event('evt_1', { entity: 'desk' })],
    postings: [posting('cus_ent_1', '100'), posting('cus_ent_2', '50', { entity: 'ent_desk' })],
    keys: [record('k1')],
  }
  await commit(store, added({ ...alice, clockAhead: 5, sharesWithEntities: false }, rows))
  const state = async () => ({
    alice: await find(open.store, 'alice'),
    ledger: await open.store.ledger('cus_alice'),
    events: await open.store.listEvents({ env: 'sandbox', offset: 0, limit: 9 }),
    catalogue: await open.store.loadCatalogue('sandbox'),
    keys: await open.store.loadKeys(),
  })
  const before = await state()
  expect(before.ledger).toEqual(rows.postings)
  await open.reopen()
  expect(await state()).toEqual(before)
  const claiming = [{ ...changed(alice, 1, { catalogue: 1 }), claims: ['k0', 'k1'] }]
  expect((await open.store.commit({ at: AT, changes: claiming })).map(worded)).toEqual(['known k0=yes k1=yes'])
  expect(await commit(open.store, changed(alice, 1, { catalogue: 1 }))).toEqual(['committed 2'])
})

describe('a file of an older schema', () => {
  /** Two customers, of whom one has a past: granted 100, used 30, and 10 rolled over of which 4 are used. */
  const FIRST_SCHEMA = `
    insert into catalogues values ('sandbox', 3);
    insert into features values
      ('sandbox', 1, 'feat_1', 'messages', 'Messages', '{"kind":"metered","consumable":true}', '["chat"]', null, 0, 500),
      ('sandbox', 2, 'feat_2', 'seats', 'Seats', '{"kind":"metered","consumable":false}', '[]', null, 0, 501),
      ('sandbox', 3, 'feat_3', 'credits', 'Credits',
        '{"kind":"credit_system","costs":[{"feature":"feat_1","cost":{"$amount":"0.2"}}]}', '[]', null, 1, 502);
    insert into customers values
      (7, 'cus_1', 'sandbox', 'alice', 'Alice', 'a@example.com', 'print', 'cus_s', '{"plan":"old"}', 1, 1000),
      (9, 'cus_2', 'live', 'alice', null, null, null, null, '{}', 0, 1001);
    insert into customer_states values (7, 5, 2000, 5, 6), (9, 1, 1001, 1, 2);
    insert into balances values
      (7, 'cus_ent_1', 'mine', 'feat_1', 'finite', '100', '70', '0', 'month', 1, 1000, ${AT * 2},
        '{"cap":{"kind":"amount","max":{"$amount":"50"}},"months":null}',
        '[{"uid":"roll_1","remaining":{"$amount":"6"},"used":{"$amount":"4"},"expiresAt":null}]', null, 1000),
      (7, 'cus_ent_2', null, 'feat_2', 'finite', '5', '5', '0', null, null, null, null, null, null, null, 1002);
    insert into postings values
      (1, 7, null, 'feat_1', 'cus_ent_1', null, 'grant', '100', '100', '100', null, 'balances.create', 1000),
      (2, 9, null, 'feat_9', 'cus_ent_9', null, 'grant', '1', '1', '1', null, 'balances.create', 1001),
      (3, 7, 1, 'feat_2', 'cus_ent_2', null, 'grant', '5', '5', '5', null, 'balances.create', 1002),
      (4, 7, 3, 'feat_1', 'cus_ent_1', 'roll_1', 'rollover', '10', '10', '10', null, 'time', 1500),
      (5, 7, 4, 'feat_1', 'cus_ent_1', 'roll_1', 'use', '-4', '0', '6', null, 'evt_1', 2000),
      (6, 7, 5, 'feat_1', 'cus_ent_1', null, 'use', '-30', '0', '70', null, 'evt_1', 2000);
    insert into events values
      (1, 7, 'sandbox', 1900, 'evt_1', 'messages', '34', '{"model":"x"}', 2000, '[["cus_ent_1","messages","34"]]');
    insert into idempotency values (${Math.floor(AT / (12 * 3_600_000))}, 'k1', 'of k1', 'first');
    insert into api_keys values ('hash', 'sandbox', 900);
  `

  function written(version: number, ...sql: string[]): string {
    const folder = newFolder()
    const database = new DatabaseSync(join(folder, 'granary.db'))
    for (const text of [...sql, `pragma user_version = ${version}`]) database.exec(text)
    database.close()
    return folder
  }

  test('is brought up to the newest with all that is in it', async () => {
    const { store } = await opened(written(1, MIGRATIONS[0] ?? '', FIRST_SCHEMA))
    expect(file?.column('pragma user_version')).toEqual([MIGRATIONS.length])
    expect(await find(store, 'alice')).toEqual({
      version: 5,
      latest: 2000,
      postings: 5,
      customer: {
        uid: 'cus_1',
        env: 'sandbox',
        id: 'alice',
        name: 'Alice',
        email: 'a@example.com',
        fingerprint: 'print',
        stripeId: 'cus_s',
        metadata: { plan: 'old' },
        sendEmailReceipts: true,
        sharesWithEntities: true,
        clockAhead: 0,
        createdAt: 1000,
      },
      entities: [],
      balances: [
        {
          uid: 'cus_ent_1',
          id: 'mine',
          feature: 'feat_1',
          entity: null,
          terms: { kind: 'finite', allowance: amount('100') },
          source: null,
          remaining: amount('70'),
          held: 0n,
          adjustment: 0n,
          seats: 0,
          metered: new Map(),
          reset: { interval: 'month', count: 1, anchor: 1000, nextAt: AT * 2 },
          renewedAt: null,
          rolloverPolicy: { cap: { kind: 'amount', max: amount('50') }, months: null },
          rollovers: [{ uid: 'roll_1', remaining: amount('6'), used: amount('4'), held: 0n, expiresAt: null }],
          expiresAt: null,
          createdAt: 1000,
        },
        grantOf('cus_ent_2', {
          feature: 'feat_2',
          terms: { kind: 'finite', allowance: amount('5') },
          remaining: amount('5'),
          createdAt: 1002,
        }),
      ],
    })
    expect((await find(store, 'alice', 'live'))?.customer.uid).toBe('cus_2')
    const { ledger } = await expectLedgerToAddUp(store, 'alice')
    expect(ledger.map(({ kind }) => kind)).toEqual(['grant', 'grant', 'rollover', 'use', 'use'])
    expect(ledger.map(({ entity }) => entity)).toEqual([null, null, null, null, null])
    expect(await store.ledger('cus_2')).toHaveLength(1)
    expect(await store.listEvents({ env: 'sandbox', customerId: 'alice', offset: 0, limit: 9 })).toMatchObject([
      {
        uid: 'evt_1',
        entity: null,
        value: amount('34'),
        timestamp: 1900,
        properties: { model: 'x' },
        customerId: 'alice',
      },
    ])
    const { version, clockAhead, features } = await store.loadCatalogue('sandbox')
    expect([version, clockAhead, features.map(({ id, archived }) => [id, archived])]).toEqual([
      3,
      0,
      [
        ['messages', false],
        ['seats', false],
        ['credits', true],
      ],
    ])
    // Saved when a cost was for one unit alone.
    const costs = [{ feature: 'feat_1', tariff: flatTariff(amount('0.2')) }]
    expect(features[2]?.type).toEqual({ kind: 'credit_system', costs })
    expect(await store.loadKeys()).toEqual([{ hash: 'hash', env: 'sandbox', createdAt: 900 }])
    const claiming = [{ ...changed(alice, 1, {}), claims: ['k1'] }]
    expect((await store.commit({ at: AT, changes: claiming })).map(worded)).toEqual(['known k1=first'])
  })

  test('works on with everything that is new', async () => {
    const open = await opened(written(1, MIGRATIONS[0] ?? '', FIRST_SCHEMA))
    const world = await openWorld({ at: AT, wrap: (): Store => open.store })
    const one = { customer_id: 'alice', feature_id: 'messages' }
    expect((await world.ok('balances.track', { ...one, value: 16 })).balance).toMatchObject({
      remaining: 60,
      granted: 110,
    })
    await world.ok('entities.create', { customer_id: 'alice', entity_id: 'desk', feature_id: 'seats' })
    await world.ok('balances.create', { ...one, entity_id: 'desk', included_grant: 7 })
    await world.ok('balances.track', { ...one, entity_id: 'desk', value: 9 })
    const { balances } = await world.ok('customers.get', { customer_id: 'alice' })
    expect([balances.seats.usage, balances.messages.remaining]).toEqual([1, 58])
    await expectLedgerToAddUp(open.store, 'alice')
    await world.ok('customers.delete', { customer_id: 'alice' })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    await cleared(open)
    // The keys of both customers of old are spent.
    expect(open.column("select key from customers where env = 'sandbox'")).toEqual([10])
    expect(world.faults).toEqual([])
  })

  test('has tariffs with a single cost, which are one tier', async () => {
    const cost = { $amount: '0.2' }
    const tariff = {
      ...{ cost, per: { $amount: '10' } },
      dimensions: [{ name: 'large', match: { model: 'l' }, priority: 1, cost: { $amount: '5' } }],
      multipliers: [{ name: 'night', match: { at: 'night' }, factor: cost, add: cost }],
    }
    const type = JSON.stringify({ kind: 'credit_system', costs: [{ feature: 'feat_1', tariff }] })
    const row = `insert into features values ('sandbox', 1, 'feat_3', 'credits', 'Credits', '${type}', '[]', null, 0, 502)`
    const { store } = await opened(written(2, MIGRATIONS[0] ?? '', MIGRATIONS[1] ?? '', row))
    const { features } = await store.loadCatalogue('sandbox')
    const tier = (text: string) => [{ to: null, cost: amount(text) }]
    expect(features[0]?.type).toEqual({
      kind: 'credit_system',
      costs: [
        {
          feature: 'feat_1',
          tariff: {
            ...flatTariff(amount('0.2'), amount('10')),
            dimensions: [{ name: 'large', match: { model: 'l' }, priority: 1, tiers: tier('5') }],
            multipliers: [{ name: 'night', match: { at: 'night' }, factor: amount('0.2'), add: amount('0.2') }],
          },
        },
      ],
    })
  })

  test('that was written by a newer Granary is refused and not touched', async () => {
    const folder = written(MIGRATIONS.length + 1, 'create table news (text text)')
    await expect(SqliteStore.open(folder)).rejects.toThrow(
      `the data was written by a newer Granary (schema ${MIGRATIONS.length + 1}, this one knows ${MIGRATIONS.length})`,
    )
    const database = new DatabaseSync(join(folder, 'granary.db'))
    expect(database.prepare("select name from sqlite_master where type = 'table'").all()).toEqual([{ name: 'news' }])
    expect(database.prepare('pragma user_version').get()).toEqual({ user_version: MIGRATIONS.length + 1 })
    database.close()
    // And the folder is not left locked.
    await expect(SqliteStore.open(folder)).rejects.toThrow('newer Granary')
    await rm(folder, { recursive: true })
  })

  test('that is new gets every table there is', async () => {
    const open = await opened()
    const tables = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
    expect(open.column(tables)).toEqual(TABLES)
  })
})

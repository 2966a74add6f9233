import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { amount } from '../../src/domain/amount.ts'
import { allBalances, attachmentsOf } from '../../src/domain/holdings.ts'
import { PostgresStore } from '../../src/store/postgres/postgres.ts'
import { MIGRATIONS } from '../../src/store/sqlite/migrations.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { plan } from '../build.ts'
import { makeSchema } from '../postgres/older.ts'
import { openDatabase } from '../postgres/server.ts'
import { newFolder } from './file.ts'
import { AT, attachment, change, changed, commit, feature, grantOf, person, worded } from './rows.ts'

const alice = person('alice')
const messages = feature('messages')
const loose = grantOf('cus_ent_1')
const of = { attachment: 'a', item: 0, planId: 'pro', addOn: false, price: null, prepaid: 0n, nextPrepaid: null }
const bought = grantOf('cus_ent_2', { source: { ...of, slice: false } })
const pro = attachment('a', 'pro')

/** What a Granary without plans has left: Alice at version 3 with a balance, and the catalogue at version 1. */
const LEFT = [
  "insert into catalogues (env, version, clock_ahead) values ('sandbox', 1, 0)",
  `insert into features (env, position, uid, id, name, type, event_names, archived, created_at)
   values ('sandbox', 1, 'feat_messages', 'messages', 'messages', '{"kind":"metered","consumable":true}', '[]', 0, ${AT})`,
  `insert into customers (uid, env, id, metadata, send_email_receipts, shares_with_entities, clock_ahead, created_at)
   values ('cus_alice', 'sandbox', 'alice', '{}', 0, 1, 0, ${AT})`,
  `insert into balances (customer, uid, feature, terms, allowance, remaining, adjustment, seats, created_at)
   select key, 'cus_ent_1', 'feat_messages', 'finite', '100', '100', '0', 0, ${AT} from customers`,
]
const STATE = { sqlite: '', postgres: ', uid' }
const state = (kind: keyof typeof STATE) =>
  `insert into customer_states (customer, version, latest, postings${STATE[kind]}) select key, 3, ${AT}, 0${STATE[kind]} from customers`

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  // The last first: stores before their database.
  for (const close of closing.splice(0).reverse()) await close()
})

async function opened(kind: keyof typeof STATE): Promise<Store> {
  if (kind === 'postgres') return (await openedDatabase()).store
  const folder = newFolder()
  const file = new DatabaseSync(join(folder, 'granary.db'))
  // The six steps before there were plans.
  for (const sql of [...MIGRATIONS.slice(0, 6), ...LEFT, state(kind), 'pragma user_version = 6']) file.exec(sql)
  file.close()
  const store = await SqliteStore.open(folder)
  closing.push(() => store.close())
  return store
}

/** Three steps were before there were plans. */
async function openedDatabase() {
  const database = await openDatabase()
  closing.push(database.drop)
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  closing.push(() => client.end())
  await makeSchema(client, 3)
  for (const sql of [...LEFT, state('postgres')]) await client.query(sql)
  const store = await PostgresStore.open(database.url)
  closing.push(() => store.close())
  return { store, client }
}

async function found(store: Store) {
  const [stored] = await store.load([{ env: 'sandbox', id: 'alice' }])
  if (stored == null) return null
  const { holdings, version } = stored
  return { version, balances: [...allBalances(holdings)], attachments: attachmentsOf(holdings) }
}

test.each(['sqlite', 'postgres'] as const)('a store (%s) from before there were plans keeps them now', async (kind) => {
  const store = await opened(kind)
  expect(await found(store)).toEqual({ version: 3, balances: [loose], attachments: [] })
  const catalogue = { version: 1, clockAhead: 0, features: [messages], plans: [] }
  expect(await store.loadCatalogue('sandbox')).toEqual(catalogue)
  expect(worded(await store.changeCatalogue(change(1, { plansWritten: [plan('pro')] })))).toBe('committed 2')
  expect(await store.loadCatalogue('sandbox')).toEqual({ ...catalogue, version: 2, plans: [plan('pro')] })
  const rows = { catalogue: 2, attachmentsWritten: [pro], written: [bought] }
  expect(await commit(store, changed(alice, 3, rows))).toEqual(['committed 4'])
  expect(await found(store)).toEqual({ version: 4, balances: [loose, bought], attachments: [pro] })
})

describe('a process of the version before, on a database that this one has migrated,', () => {
  async function together() {
    const { store, client } = await openedDatabase()
    await commit(store, changed(alice, 3, { catalogue: 1, attachmentsWritten: [pro], written: [bought] }))
    return { store, client }
  }

  test('uses a balance of a plan, which stays one', async () => {
    const { store, client } = await together()
    const balance = `(1,cus_ent_2,,feat_messages,,finite,100,40,0,0,,,,,,,,,,${AT},)`
    const tables = ['{}', '{}', `{"${balance}"}`, ...Array.from({ length: 9 }, () => '{}')]
    const values = [randomUUID(), 1, '{}', AT, '{1}', '{sandbox}', 'c', true, `{"(1,sandbox,cus_alice,1,4,1,${AT},0)"}`]
    const places = [...values, ...tables].map((_, i) => `$${i + 1}`).join(', ')
    const { rows } = await client.query(`select granary_commit_2(${places}) as results`, [...values, ...tables])
    expect(JSON.parse(rows[0].results).kinds).toBe('c')
    const used = { ...bought, remaining: amount('40') }
    expect(await found(store)).toEqual({ version: 5, balances: [loose, used], attachments: [pro] })
  })

  test.each([1, 2])('clears away the plans of who is deleted (granary_clear_%i)', async (number) => {
    const { store, client } = await together()
    await client.query(`begin; insert into deletions (customer) select key from customers;
      delete from customers; delete from customer_states`)
    // The second finds nothing any more.
    for (let i = 0; i < 2; i++) await client.query(`select granary_clear_${number}(100)`)
    await client.query('commit')
    const left = await client.query('select uid from attachments union all select customer::text from deletions')
    expect(left.rows).toEqual([])
    expect(await found(store)).toBeNull()
  })
})

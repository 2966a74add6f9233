import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { catalogueOf } from '../../src/domain/feature.ts'
import { termsOf } from '../../src/domain/find-plan.ts'
import { allBalances, attachmentOf } from '../../src/domain/holdings.ts'
import { openBooks } from '../../src/store/postgres/books.ts'
import { PostgresStore } from '../../src/store/postgres/postgres.ts'
import type { Store } from '../../src/store/store.ts'
import { Client } from '../crash/clients.ts'
import { bookOf, expectBooksToBeProved, expectLedgerToAddUp, expectPlansToAddUp } from '../ledger.ts'
import { openDatabaseOn, type Server, startServer } from '../postgres/server.ts'
import { cleanUp, type Granary } from './granary.ts'
import { KEY, serveTogether } from './together.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const TIMES = LONG ? 10 : 1

let server: Server
let url: string
let granaries: Granary[]
let clients: Client[]

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.remove())

beforeEach(async () => {
  url = (await openDatabaseOn(server.url())).url
  granaries = await serveTogether(url, 2)
  clients = []
  const feature = { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true }
  await client(0).ok('features.create', feature)
})

afterEach(async () => {
  for (const one of clients) one.close()
  await cleanUp()
})

/** A new one of one process. */
function client(process: number): Client {
  const made = new Client(granaries[process % granaries.length]?.url ?? '', KEY)
  clients.push(made)
  return made
}

function several(count: number): Client[] {
  return Array.from({ length: count }, (_, i) => client(i))
}

async function sell(plan_id: string, amount: number, included: number, more: object = {}): Promise<void> {
  await client(0).ok('plans.create', {
    ...{ plan_id, name: plan_id, auto_enable: amount === 0 },
    ...(amount === 0 ? {} : { price: { amount, interval: 'month' } }),
    items: [{ feature_id: 'messages', included, reset: { interval: 'month' } }],
    ...more,
  })
}

/** What the database itself says, once nobody serves any more. */
async function expectBooksToAddUp(
  customers: readonly string[],
  look: (store: Store, id: string) => Promise<void>,
): Promise<void> {
  for (const granary of granaries) expect((await granary.end('SIGTERM')).code).toBe(0)
  const store = await PostgresStore.open(url)
  try {
    for (const id of customers) {
      await expectPlansToAddUp(store, id)
      await look(store, id)
    }
  } finally {
    await store.close()
  }
  await expectBooksToBeProved(openBooks(url))
  expect(server.log()).not.toContain('deadlock detected')
}

const nothing = async () => {}

async function plansOf(one: Client, customer_id: string): Promise<string[]> {
  const { subscriptions } = await one.ok('customers.get', { customer_id })
  return subscriptions.map(({ plan_id, status }: Record<string, string>) => `${plan_id} ${status}`)
}

// Generous: the machine may be busy.
describe('two processes on one database', { timeout: LONG ? 600_000 : 120_000 }, () => {
  test('attach a plan that many ask for at once to exactly one of them', async () => {
    const began = performance.now()
    await sell('starter', 10, 100)
    const all = several(12)
    const customers = Array.from({ length: 15 * TIMES }, (_, i) => `customer-${i}`)
    for (const customer_id of customers) {
      await all[0]?.ok('customers.get_or_create', { customer_id })
      const replies = await Promise.all(
        all.map((one) => one.send('billing.attach', { customer_id, plan_id: 'starter' })),
      )
      const told = replies.map((reply) => (reply?.status === 200 ? '200' : `${reply?.status} ${reply?.body.code}`))
      expect(told.toSorted(), customer_id).toEqual(['200', ...all.slice(1).map(() => '409 plan_already_attached')])
      for (const one of all.slice(0, 2)) expect(await plansOf(one, customer_id)).toEqual(['starter active'])
    }
    await expectBooksToAddUp(customers, nothing)
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(`Two processes, attached at once: ${customers.length} times by 12 clients, once each (${seconds} s)`)
  })

  test('give a customer that both create at once the plans of everybody once (B191)', async () => {
    const began = performance.now()
    await sell('hobby', 0, 5)
    await sell('desk', 0, 7, { group: 'desk' })
    const all = several(8)
    const customers = Array.from({ length: 30 * TIMES }, (_, i) => `customer-${i}`)
    for (const [n, customer_id] of customers.entries()) {
      const replies = await Promise.all(
        all.map((one, i) =>
          (i + n) % 3 === 0
            ? one.send('balances.track', { customer_id, feature_id: 'messages', value: 1, auto_create: true })
            : one.send('customers.get_or_create', { customer_id }),
        ),
      )
      expect(replies.map((reply) => reply?.status)).toEqual(all.map(() => 200))
      const used = all.filter((_, i) => (i + n) % 3 === 0).length
      for (const one of all.slice(0, 2)) {
        expect((await plansOf(one, customer_id)).toSorted()).toEqual(['desk active', 'hobby active'])
        const { balance } = await one.ok('balances.check', { customer_id, feature_id: 'messages' })
        expect([balance.granted, balance.usage]).toEqual([12, used])
      }
    }
    await expectBooksToAddUp(customers, nothing)
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(`Two processes, created at once: ${customers.length} customers by 8 clients, once each (${seconds} s)`)
  })

  test('let everybody keep the terms that they were given while the plan is changed (R118, C55-C59)', async () => {
    const began = performance.now()
    await sell('starter', 10, 100)
    const customers = Array.from({ length: 40 * TIMES }, (_, i) => `customer-${i}`)
    const given = new Map<string, number>()
    const count = { changes: 0, versions: 0, inPlace: 0 }
    let over = false
    const change = async (one: Client, i: number) => {
      for (let n = 0; !over; n++) {
        const how = [{}, { disable_version: true }, { all_versions: true }, { force_version: true }][(n + i) % 4]
        const items = [{ feature_id: 'messages', included: 101 + 2 * n + i, reset: { interval: 'month' } }]
        await one.ok('plans.update', { plan_id: 'starter', items, ...how })
        count.changes += 1
      }
    }
    const attach = async (one: Client, mine: readonly string[]) => {
      for (const customer_id of mine) {
        await one.ok('customers.get_or_create', { customer_id })
        await one.ok('billing.attach', { customer_id, plan_id: 'starter' })
        const { balances } = await one.ok('customers.get', { customer_id })
        given.set(customer_id, balances.messages.granted)
      }
    }
    const attaching = several(8).map((one, i) =>
      attach(
        one,
        customers.filter((_, n) => n % 8 === i),
      ),
    )
    const changing = several(2).map(change)
    await Promise.all(attaching).finally(() => {
      over = true
    })
    await Promise.all(changing)
    const { list } = await client(1).ok('plans.list', { all_versions: true })
    count.versions = list.length
    for (const [customer_id, granted] of given)
      for (const one of several(2))
        expect((await one.ok('customers.get', { customer_id })).balances.messages.granted, customer_id).toBe(granted)
    await expectBooksToAddUp(customers, async (store, id) => {
      count.inPlace = (await expectTermsAsGiven(store, id)).revisions - count.versions
    })
    expect(count.changes).toBeGreaterThan(10)
    expect(count.versions).toBeGreaterThan(1)
    expect(new Set(given.values()).size).toBeGreaterThan(1)
    const told = Object.entries(count).map(([word, number]) => `${number} ${word}`)
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(
      `Two processes, a plan that changes: ${customers.length} attached, ${told.join(', ')}; all as given (${seconds} s)`,
    )
  })

  test('lose no use that was acknowledged while plans are switched', async () => {
    const began = performance.now()
    await sell('starter', 10, 1_000_000)
    await sell('studio', 24, 2_000_000)
    const customers = Array.from({ length: 3 }, (_, i) => `customer-${i}`)
    const used = new Map(customers.map((id) => [id, 0]))
    for (const customer_id of customers) {
      await client(0).ok('customers.get_or_create', { customer_id })
      await client(0).ok('billing.attach', { customer_id, plan_id: 'starter' })
    }
    let [over, switched, refused] = [false, 0, 0]
    const changing = several(2).map(async (one, i) => {
      for (let n = 0; !over; n++) {
        const customer_id = customers[n % customers.length] ?? ''
        const plan_id = (n + i) % 2 === 0 ? 'studio' : 'starter'
        const body = { customer_id, plan_id, plan_schedule: 'immediate', carry_over_usages: { enabled: true } }
        const reply = await one.send('billing.attach', body)
        if (reply?.status === 200) switched += 1
        else {
          expect(reply).toMatchObject({ status: 409, body: { code: 'plan_already_attached' } })
          refused += 1
        }
      }
    })
    const tracking = several(12).map(async (one, i) => {
      for (let n = 0; n < 60 * TIMES; n++) {
        const customer_id = customers[(i + n) % customers.length] ?? ''
        const use = { customer_id, feature_id: 'messages', value: 1 }
        const done = n % 3 === 0 ? { ...use, idempotency_key: `${i}-${n}` } : use
        await one.ok('balances.track', done)
        used.set(customer_id, (used.get(customer_id) ?? 0) + 1)
      }
    })
    await Promise.all(tracking).finally(() => {
      over = true
    })
    await Promise.all(changing)
    for (const [customer_id, count] of used)
      for (const one of several(2))
        expect((await one.ok('customers.get', { customer_id })).balances.messages.usage, customer_id).toBe(count)
    await expectBooksToAddUp(customers, async (store, id) => {
      const { ledger } = await expectLedgerToAddUp(store, id)
      const events = await store.listEvents({ env: 'sandbox', customerId: id, offset: 0, limit: 1_000_000 })
      expect(events).toHaveLength(used.get(id) ?? 0)
      // Each is in the ledger under its name, once; what a switch carries over is under another.
      const posted = Map.groupBy(
        ledger.filter(({ cause }) => cause.startsWith('evt_')),
        ({ cause }) => cause,
      )
      expect([...posted.keys()].toSorted()).toEqual(events.map(({ uid }) => uid).toSorted())
      for (const lines of posted.values()) expect(lines).toHaveLength(1)
    })
    expect(switched).toBeGreaterThan(10)
    const tracks = [...used.values()].reduce((sum, one) => sum + one, 0)
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(
      `Two processes, used and switched: ${tracks} uses, ${switched} switches, ${refused} refused; 0 lost (${seconds} s)`,
    )
  })
})

/** Every balance of a plan has what the revision says that its customer has: nobody's was changed behind them. */
async function expectTermsAsGiven(store: Store, id: string): Promise<{ readonly revisions: number }> {
  const { holdings } = await bookOf(store, id)
  const { version, features, clockAhead, plans } = await store.loadCatalogue('sandbox')
  const catalogue = catalogueOf(version, features, clockAhead, plans)
  let checked = 0
  for (const { source, terms } of allBalances(holdings)) {
    const attachment = source === null ? undefined : attachmentOf(holdings, source.attachment)
    if (source === null || attachment === undefined) continue
    expect(attachment.version).toBe(catalogue.planByUid.get(attachment.plan)?.version)
    const item = termsOf(attachment, catalogue).items[source.item]
    expect(terms, id).toEqual({ kind: 'finite', allowance: item?.included })
    checked += 1
  }
  expect(checked, id).toBeGreaterThan(0)
  return { revisions: plans.length }
}

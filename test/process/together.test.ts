import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openBooks } from '../../src/store/postgres/books.ts'
import { chance, seedOfRun } from '../crash/chance.ts'
import { Client, type Reply } from '../crash/clients.ts'
import { expectBooksToBeProved } from '../ledger.ts'
import { openDatabaseOn, type Server, startServer } from '../postgres/server.ts'
import { cleanUp, type Granary } from './granary.ts'
import { KEY, serveOn, serveTogether } from './together.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const TIMES = LONG ? 10 : 1
const FEATURE = { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true }

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
  await client(0).ok('features.create', FEATURE)
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

/** The first two processes, a client of each. */
function both(): Both {
  return [client(0), client(1)]
}

type Both = readonly [Client, Client]

/** Now in this order, now in the other. */
function inTurn([one, other]: Both, n: number): Both {
  return n % 2 === 0 ? [one, other] : [other, one]
}

/** What the database itself says, once nobody serves any more. */
async function expectBooksToAddUp(): Promise<void> {
  for (const granary of granaries) expect((await granary.end('SIGTERM')).code).toBe(0)
  await expectBooksToBeProved(openBooks(url))
  expect(server.log()).not.toContain('deadlock detected')
}

async function hold(customer_id: string, ...amounts: readonly number[]): Promise<void> {
  const one = client(0)
  await one.ok('customers.get_or_create', { customer_id })
  for (const [i, included] of amounts.entries()) {
    const terms = { balance_id: `part-${i}`, included, reset: { interval: 'year' } }
    await one.ok('balances.create', { customer_id, feature_id: 'messages', ...terms })
  }
}

function isRefused(reply: Reply): boolean {
  return reply.status === 400 && reply.body.code === 'insufficient_balance'
}

// Generous: the machine may be busy.
describe('two processes on one database', { timeout: LONG ? 600_000 : 120_000 }, () => {
  test('keep exact totals of hot and cold customers while others come, go and change the feature', async () => {
    const began = performance.now()
    const customers = ['hot', ...Array.from({ length: 12 }, (_, i) => `cold-${i}`)]
    const remaining = new Map<string, number>()
    for (const id of customers) {
      await hold(id, 60, 40)
      remaining.set(id, 100)
    }
    const count = { sent: 0, done: 0, refused: 0, replayed: 0, replaced: 0, renamed: 0 }
    const random = chance(seedOfRun())
    const gain = (id: string, amount: number) => {
      remaining.set(id, (remaining.get(id) ?? 0) + amount)
      count.done += 1
    }

    const ask = async (here: Both, one: () => number, n: string) => {
      const [near, far] = inTurn(here, Math.floor(one() * 2))
      const customer_id = one() < 0.4 ? 'hot' : (customers[1 + Math.floor(one() * 12)] ?? '')
      const about = { customer_id, feature_id: 'messages' }
      const [what, value] = [one(), 1 + Math.floor(one() * 4)]
      count.sent += 1
      if (what < 0.2) {
        const { body } = await expectAnswer(near.send('balances.check', { ...about, required_balance: value }))
        expect(body.balance.remaining).toBeGreaterThanOrEqual(0)
      } else if (what < 0.4) {
        const using = { ...about, required_balance: value, send_event: true }
        const { body } = await expectAnswer(near.send('balances.check', using))
        if (body.allowed) gain(customer_id, -value)
        else count.refused += 1
      } else if (what < 0.5) {
        await expectAnswer(near.send('balances.update', { ...about, balance_id: 'part-1', add_to_balance: value }))
        gain(customer_id, value)
      } else {
        const use = { ...about, value, overage_behavior: 'reject' }
        const keyed = what < 0.6 ? { 'idempotency-key': n } : null
        // The second of two at the same time, at the other process, must not count.
        const asked = keyed === null ? [near] : [near, far]
        const replies = await Promise.all(asked.map((to) => to.send('balances.track', use, keyed ?? {})))
        const first = replies.filter((reply) => reply?.status === 200 && !reply.headers['idempotent-replayed'])
        expect(first.length).toBeLessThanOrEqual(1)
        count.replayed += replies.filter((reply) => reply?.headers['idempotent-replayed'] === 'true').length
        if (first.length === 1) gain(customer_id, -value)
        else for (const reply of replies) expect(reply !== null && isRefused(reply), JSON.stringify(reply)).toBe(true)
        if (first.length === 0) count.refused += 1
      }
    }
    const replace = async (here: Both, n: number) => {
      const customer_id = `comer-${n % 3}`
      const [first, second] = inTurn(here, n)
      await first.ok('customers.get_or_create', { customer_id })
      await second.ok('balances.create', { customer_id, feature_id: 'messages', included: 5 })
      const use = { customer_id, feature_id: 'messages', value: 3, overage_behavior: 'reject' }
      expect(await first.send('balances.track', use)).toMatchObject({ status: 200 })
      // Of the one before nothing may be left.
      expect((await second.ok('balances.check', use)).balance.remaining).toBe(2)
      await first.ok('customers.delete', { customer_id })
      expect((await second.send('balances.track', use))?.status).toBe(404)
      count.replaced += 1
    }
    const rename = async (here: Both, n: number) => {
      const [first, second] = inTurn(here, n)
      const name = `Messages ${n}`
      await first.ok('features.update', { feature_id: 'messages', name })
      expect((await second.ok('features.get', { feature_id: 'messages' })).name).toBe(name)
      count.renamed += 1
    }
    const workers = Array.from({ length: 20 }, async (_, i) => {
      const [here, one] = [both(), chance(Math.floor(random() * 2 ** 32))]
      for (let n = 0; n < 50 * TIMES; n++) await ask(here, one, `${i}-${n}`)
    })
    const others = [
      ...[0, 1, 2].map(async (i) => {
        const here = both()
        for (let n = 0; n < 6 * TIMES; n++) await replace(here, i + 3 * n)
      }),
      (async () => {
        const here = both()
        for (let n = 0; n < 10 * TIMES; n++) await rename(here, n)
      })(),
    ]
    await Promise.all([...workers, ...others])

    for (const id of customers) {
      for (const one of both()) {
        const { balance } = await one.ok('balances.check', { customer_id: id, feature_id: 'messages' })
        expect(balance.remaining, id).toBe(remaining.get(id))
      }
    }
    expect(count.refused).toBeGreaterThan(0)
    expect(count.replayed).toBeGreaterThan(0)
    await expectBooksToAddUp()
    const told = Object.entries(count).map(([word, number]) => `${number} ${word}`)
    console.log(
      `Two processes, mixed: ${told.join(', ')}; totals exact, 0 deadlocks (${((performance.now() - began) / 1000).toFixed(1)} s)`,
    )
  })

  test('allow exactly as many units as three balances hold, to 64 clients at once', async () => {
    const began = performance.now()
    const granted = 60 * TIMES
    const customers = Array.from({ length: 4 }, (_, i) => `customer-${i}`)
    for (const id of customers) await hold(id, granted / 2, granted / 3, granted / 6)
    const allowed = new Map(customers.map((id) => [id, 0]))
    let refused = 0
    await Promise.all(
      Array.from({ length: 64 }, async (_, i) => {
        const one = client(i)
        const customer_id = customers[(i >> 1) % customers.length] ?? ''
        const about = { customer_id, feature_id: 'messages' }
        for (let n = i >> 3; ; n++) {
          const reply =
            n % 2 === 0
              ? await expectAnswer(one.send('balances.check', { ...about, required_balance: 1, send_event: true }))
              : await one.send('balances.track', { ...about, value: 1, overage_behavior: 'reject' })
          if (reply?.status !== 200 || reply.body.allowed === false) {
            expect(reply?.status === 200 || (reply !== null && isRefused(reply)), JSON.stringify(reply)).toBe(true)
            refused += 1
            return
          }
          allowed.set(customer_id, (allowed.get(customer_id) ?? 0) + 1)
        }
      }),
    )
    expect([...allowed.values()]).toEqual(customers.map(() => granted))
    expect(refused).toBe(64)
    await expectBooksToAddUp()
    console.log(
      `Two processes, drain: ${granted} units of each of ${customers.length} customers, exactly as many allowed to 64 clients (${((performance.now() - began) / 1000).toFixed(1)} s)`,
    )
  })

  test('do each item of a batch once that is sent to both at the same time, and again', async () => {
    const began = performance.now()
    const customers = Array.from({ length: 60 }, (_, i) => `customer-${i}`)
    for (const id of customers) await hold(id, 1_000_000)
    const count = { batches: 0, answers: 0, replayed: 0 }
    await Promise.all(
      Array.from({ length: 6 }, async (_, i) => {
        const here = both()
        for (let n = 0; n < 10 * TIMES; n++) {
          const name = `${i}-${n}`
          const items = customers.map((customer_id, one) => ({
            customer_id,
            feature_id: 'messages',
            value: 1 + (one % 3),
            ...(n % 2 === 0 ? {} : { idempotency_key: `${name} ${customer_id}` }),
          }))
          const headers: Record<string, string> = n % 2 === 0 ? { 'idempotency-key': name } : {}
          const ask = (one: Client) => expectAnswer(one.send('balances.batch_track', items, headers), 202)
          const replies = [...(await Promise.all(here.map(ask))), await ask(inTurn(here, n)[0])]
          const results: { status: number; value: number; replayed?: true }[][] = replies.map(
            ({ body }) => body.results,
          )
          for (const [at, { value }] of items.entries()) {
            const fates = results.map((all) => all[at])
            expect(fates).toMatchObject(replies.map(() => ({ status: 200, value })))
            expect(fates.filter((one) => one?.replayed !== true)).toHaveLength(1)
          }
          count.batches += 1
          count.answers += replies.length
          count.replayed += results.flat().filter((one) => one.replayed).length
        }
      }),
    )
    for (const [at, customer_id] of customers.entries()) {
      for (const one of both()) {
        const { balance } = await one.ok('balances.check', { customer_id, feature_id: 'messages' })
        expect(balance.usage, customer_id).toBe(count.batches * (1 + (at % 3)))
      }
    }
    await expectBooksToAddUp()
    console.log(
      `Two processes, batches: ${count.batches} of ${customers.length} items, ${count.answers} answers, ${count.replayed} items replayed; each once (${((performance.now() - began) / 1000).toFixed(1)} s)`,
    )
  })

  test('see at once what the other has acknowledged', async () => {
    const rounds = 40 * TIMES
    const here = both()
    for (let n = 0; n < rounds; n++) {
      const [one, other] = inTurn(here, n)
      const customer_id = `customer-${n % 4}`
      const about = { customer_id, feature_id: 'messages' }
      await one.ok('customers.get_or_create', { customer_id })
      expect((await other.ok('customers.get', { customer_id })).id).toBe(customer_id)
      await other.ok('balances.create', { ...about, balance_id: 'main', included: 1, reset: { interval: 'year' } })
      expect((await one.ok('balances.check', about)).allowed).toBe(true)
      expect((await one.ok('balances.check', { ...about, required_balance: 1, send_event: true })).allowed).toBe(true)
      expect((await other.ok('balances.check', about)).allowed).toBe(false)
      // Refused by both, so that both remember that there is nothing.
      const use = { ...about, value: 1, overage_behavior: 'reject' }
      for (const each of [one, other]) expect((await each.send('balances.track', use))?.status).toBe(400)
      await one.ok('balances.update', { ...about, add_to_balance: 2 })
      expect((await other.ok('balances.check', about)).allowed).toBe(true)
      expect((await other.send('balances.track', use))?.status).toBe(200)
      await other.ok('balances.update', { ...about, remaining: 0 })
      expect((await one.ok('balances.check', about)).allowed).toBe(false)

      const feature_id = `feature-${n}`
      expect((await other.send('features.get', { feature_id }))?.status).toBe(404)
      await one.ok('features.create', { ...FEATURE, feature_id })
      await other.ok('balances.create', { customer_id, feature_id, included: 1 })
      expect((await one.ok('balances.check', { customer_id, feature_id })).allowed).toBe(true)

      const renamed = `${customer_id}-renamed`
      await one.ok('customers.update', { customer_id, new_customer_id: renamed })
      expect((await other.send('balances.check', about))?.status).toBe(404)
      expect((await other.ok('balances.check', { ...about, customer_id: renamed })).balance.remaining).toBe(0)
      await other.ok('customers.delete', { customer_id: renamed })
      expect((await one.send('balances.check', { ...about, customer_id: renamed }))?.status).toBe(404)
    }
    await expectBooksToAddUp()
    console.log(`Two processes, seen at once: ${rounds} rounds, 10 changes each, 0 seen late`)
  })

  test('take a key that one of them was started with at the other', async () => {
    const key = 'am_sk_test_new'
    granaries.push(await serveOn(url, { GRANARY_SECRET_KEY: key }))
    const old = new Client(granaries[0]?.url ?? '', key)
    clients.push(old)
    expect((await old.ok('features.list', {})).list).toHaveLength(1)
  })

  test.each(['stopped', 'killed'] as const)(
    'say 503 while PostgreSQL is %s, and go on by themselves afterwards without losing or repeating anything',
    async (how) => {
      const began = performance.now()
      const customers = ['hot', 'cold-1', 'cold-2', 'cold-3']
      for (const id of customers) await hold(id, 10_000)
      const used = new Map<string, number>()
      const count = { acknowledged: 0, unavailable: 0, unknown: 0, replayed: 0 }
      const random = chance(seedOfRun())
      let [awaited, enough] = [40, Promise.withResolvers<void>()]
      let over = false

      const load = Array.from({ length: 16 }, async (_, i) => {
        const here = both()
        for (let n = 0; !over; n++) {
          const customer_id = customers[Math.floor(random() ** 2 * customers.length)] ?? ''
          used.set(customer_id, (used.get(customer_id) ?? 0) + 1)
          const use = { customer_id, feature_id: 'messages', value: 1, properties: { id: `${i}-${n}` } }
          for (let attempt = 0; ; attempt++) {
            const key = { 'idempotency-key': `${i}-${n}` }
            const [near] = inTurn(here, i + attempt)
            const reply = await expectAnswer(near.send('balances.track', use, key), 200, 503)
            if (reply.status === 200) {
              if (reply.headers['idempotent-replayed'] === 'true') count.replayed += 1
              break
            }
            expect(reply.headers['retry-after']).toBe('1')
            if (reply.body.code === 'outcome_unknown') count.unknown += 1
            else {
              expect(reply.body.code).toBe('store_unavailable')
              count.unavailable += 1
            }
            // As a client does that was told to retry after a while.
            await pause(50)
          }
          count.acknowledged += 1
          if (count.acknowledged === awaited) enough.resolve()
        }
      })
      await Promise.race([enough.promise, ...load])
      await (how === 'stopped' ? server.stop() : server.kill())
      for (const { url: at } of granaries) {
        expect((await fetch(`${at}/health`)).status).toBe(200)
        const ready = await fetch(`${at}/ready`)
        expect([ready.status, ready.headers.get('retry-after')]).toEqual([503, '1'])
      }
      for (const one of both()) {
        const reply = await one.send('balances.check', { customer_id: 'hot', feature_id: 'messages' })
        expect(reply).toMatchObject({ status: 503, body: { code: 'store_unavailable' } })
        expect(reply?.headers['retry-after']).toBe('1')
      }
      // A write may wait for as long as it is tried to find out what became of one before it.
      const away = { customer_id: 'hot', feature_id: 'messages', value: 1 }
      const sendAway = () =>
        both().map((one, i) => one.send('balances.track', away, { 'idempotency-key': `while away ${i}` }))
      for (const reply of await Promise.all(sendAway())) {
        expect(reply?.status).toBe(503)
        expect(reply?.headers['retry-after']).toBe('1')
      }
      // Longer than it is tried to find out what became of a commit.
      if (LONG && how === 'killed') await pause(15_000)
      await server.start()
      for (const { url: at } of granaries) while ((await fetch(`${at}/ready`)).status !== 200) await pause(50)
      ;[awaited, enough] = [count.acknowledged + 200, Promise.withResolvers<void>()]
      await Promise.race([enough.promise, ...load])
      over = true
      await Promise.all(load)

      expect((await Promise.all(sendAway())).map((reply) => reply?.status)).toEqual([200, 200])
      used.set('hot', (used.get('hot') ?? 0) + 2)
      for (const customer_id of customers) {
        for (const one of both()) {
          const { balance } = await one.ok('balances.check', { customer_id, feature_id: 'messages' })
          expect(balance.remaining, customer_id).toBe(10_000 - (used.get(customer_id) ?? 0))
        }
      }
      await expectBooksToAddUp()
      const told = Object.entries(count).map(([word, number]) => `${number} ${word}`)
      console.log(
        `PostgreSQL ${how}: ${told.join(', ')}; 0 lost, 0 twice (${((performance.now() - began) / 1000).toFixed(1)} s)`,
      )
    },
  )
})

/** An answer of one of these, else the test fails. */
async function expectAnswer(sent: Promise<Reply | null>, ...statuses: readonly number[]): Promise<Reply> {
  const reply = await sent
  if (reply === null) throw new Error('there was no answer')
  expect(statuses.length === 0 ? [200] : statuses, JSON.stringify(reply)).toContain(reply.status)
  return reply
}

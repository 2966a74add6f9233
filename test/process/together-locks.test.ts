import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openBooks } from '../../src/store/postgres/books.ts'
import { PostgresStore } from '../../src/store/postgres/postgres.ts'
import { Client, type Reply } from '../crash/clients.ts'
import { expectBooksToBeProved } from '../ledger.ts'
import { openDatabase, type TestDatabase } from '../postgres/server.ts'
import { cleanUp, type Granary, SOON } from './granary.ts'
import { KEY, serveTogether } from './together.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const TIMES = LONG ? 10 : 1

let database: TestDatabase
let granaries: Granary[]
let one: Client
let other: Client

beforeEach(async () => {
  database = await openDatabase()
  granaries = await serveTogether(database.url, 2)
  one = new Client(granaries[0]?.url ?? '', KEY)
  other = new Client(granaries[1]?.url ?? '', KEY)
  await one.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
})

afterEach(async () => {
  one.close()
  other.close()
  await cleanUp()
  await database.drop()
})

/** Now in this order, now in the other. */
function inTurn(n: number): readonly [Client, Client] {
  return n % 2 === 0 ? [one, other] : [other, one]
}

async function grant(customer_id: string, ...amounts: readonly number[]): Promise<void> {
  await one.ok('customers.get_or_create', { customer_id })
  for (const [i, included] of amounts.entries()) {
    const terms = { balance_id: `part-${i}`, included, reset: { interval: 'year' } }
    await one.ok('balances.create', { customer_id, feature_id: 'messages', ...terms })
  }
}

function open(
  client: Client,
  customer_id: string,
  required_balance: number,
  lock_id: string,
  more: object = {},
): Promise<Reply | null> {
  const lock = { enabled: true, lock_id, ...more }
  return client.send('balances.check', { customer_id, feature_id: 'messages', required_balance, lock })
}

function finalize(client: Client, lock_id: string, more: object, key?: string): Promise<Reply | null> {
  const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key }
  return client.send('balances.finalize', { lock_id, action: 'confirm', ...more }, headers)
}

/** Fails unless both say so. */
async function expectShown(customer_id: string, remaining: number, held: number): Promise<void> {
  for (const client of [one, other]) {
    const { balance } = await client.ok('balances.check', { customer_id, feature_id: 'messages' })
    const lines: { held?: number }[] = balance.breakdown
    const shown = { remaining: balance.remaining, held: lines.reduce((sum, line) => sum + (line.held ?? 0), 0) }
    expect(shown, customer_id).toEqual({ remaining, held })
  }
}

async function expectBooksToAddUp(): Promise<void> {
  for (const granary of granaries) expect((await granary.end('SIGTERM')).code).toBe(0)
  await expectBooksToBeProved(openBooks(database.url))
}

describe('two processes on one database, with locks', { timeout: LONG ? 600_000 : 60_000 }, () => {
  test('150 locks of 1 at once on 100 units hold exactly 100, and are settled through either', async () => {
    for (let round = 0; round < TIMES; round++) {
      const customer = `customer-${round}`
      await grant(customer, 60, 40)
      const ids = Array.from({ length: 150 }, (_, i) => `${customer} ${i}`)
      const replies = await Promise.all(ids.map((id, i) => open(inTurn(i)[0], customer, 1, id)))
      for (const reply of replies) expect(reply?.status).toBe(200)
      const held = ids.filter((_, i) => replies[i]?.body.allowed === true)
      expect(held).toHaveLength(100)
      await expectShown(customer, 0, 100)
      const settled = await Promise.all(
        held.map((id, i) => finalize(inTurn(i)[1], id, i % 4 === 0 ? { action: 'release' } : {})),
      )
      for (const reply of settled) expect(reply?.status).toBe(200)
      await expectShown(customer, 25, 0)
    }
    await expectBooksToAddUp()
    console.log(`Two processes, locks: ${TIMES} times 150 at once on 100 units held exactly 100`)
  })

  test('settle at once what was opened at the other', async () => {
    const rounds = 30 * TIMES
    await grant('alice', 10)
    for (let n = 0; n < rounds; n++) {
      const [here, there] = inTurn(n)
      expect(await open(here, 'alice', 8, 'job')).toMatchObject({ status: 200, body: { allowed: true } })
      expect(await open(there, 'alice', 1, 'job')).toMatchObject({ status: 409, body: { code: 'lock_already_exists' } })
      expect(await finalize(there, 'job', { override_value: 3, keep_open: true })).toMatchObject({
        body: { lock: { held: 5 } },
      })
      const later = { lock_id: 'job', expires_at: Date.now() + 3_600_000 }
      expect((await here.ok('balances.extend', later)).lock).toMatchObject({ held: 5, expires_at: later.expires_at })
      expect(await finalize(there, 'job', { override_value: 1 })).toMatchObject({ status: 200 })
      expect((await finalize(here, 'job', {}))?.status).toBe(400)
      await here.ok('balances.update', { customer_id: 'alice', feature_id: 'messages', add_to_balance: 4 })
    }
    await expectShown('alice', 10, 0)
    await expectBooksToAddUp()
    console.log(`Two processes, locks: ${rounds} rounds of 5 changes in turns, 0 seen late`)
  })

  test('give an id that two customers ask for at the same moment to one of them', async () => {
    const rounds = 60 * TIMES
    for (const id of ['alice', 'bob']) await grant(id, rounds)
    const won = { alice: 0, bob: 0 }
    for (let n = 0; n < rounds; n++) {
      const [here, there] = inTurn(n)
      const id = n % 3 === 0 ? 'job' : `job-${n}`
      const replies = await Promise.all([open(here, 'alice', 1, id), open(there, 'bob', 1, id)])
      expect(replies.map((reply) => reply?.status).toSorted()).toEqual([200, 409])
      expect(replies.find((reply) => reply?.status === 409)?.body.code).toBe('lock_already_exists')
      won[replies[0]?.status === 200 ? 'alice' : 'bob'] += 1
      expect((await finalize(there, id, {}))?.status).toBe(200)
    }
    await expectShown('alice', rounds - won.alice, 0)
    await expectShown('bob', rounds - won.bob, 0)
    await expectBooksToAddUp()
    console.log(`Two processes, locks: ${rounds} ids asked for twice, ${won.alice} to one and ${won.bob} to the other`)
  })

  test('settle once what is finalized with one key at both at the same moment, and answer both alike', async () => {
    const rounds = 60 * TIMES
    await grant('alice', 10 * rounds)
    for (let n = 0; n < rounds; n++) {
      const [here] = inTurn(n)
      expect((await open(here, 'alice', 4, 'job'))?.status).toBe(200)
      // Less, as much and more.
      const used = { override_value: 2 + 2 * (n % 3) }
      const replies = await Promise.all([one, other].map((client) => finalize(client, 'job', used, `ends ${n}`)))
      expect(replies.map((reply) => reply?.status)).toEqual([200, 200])
      expect(replies[1]?.body).toEqual(replies[0]?.body)
      expect(replies.filter((reply) => reply?.headers['idempotent-replayed'] === 'true')).toHaveLength(1)
    }
    await expectShown('alice', 6 * rounds, 0)
    await expectBooksToAddUp()
    console.log(`Two processes, locks: ${rounds} finalized with one key at both, each once`)
  })

  test('record once that a lock has lapsed, though both look after it and nobody asks', async () => {
    const customers = Array.from({ length: 40 * TIMES }, (_, i) => `customer-${i}`)
    for (const id of customers) await grant(id, 10)
    const expires_at = Date.now() + 500 * TIMES
    // What is opened later than that lapses at once.
    const lapsesAt = new Map<string, number>()
    await Promise.all(
      customers.flatMap((id, i) =>
        ['a', 'b'].map(async (name, n) => {
          const reply = await open(inTurn(i + n)[0], id, 2 + n, `${name} ${id}`, { expires_at })
          expect(reply).toMatchObject({ status: 200, body: { allowed: true } })
          lapsesAt.set(`${name} ${id}`, reply?.body.lock.expires_at)
        }),
      ),
    )
    const store = await PostgresStore.open(database.url)
    try {
      const deadline = Date.now() + SOON
      while (Date.now() <= expires_at || (await store.withLapsedLocks('sandbox', Date.now(), 1)).length > 0) {
        expect(Date.now()).toBeLessThan(deadline)
        await pause(20)
      }
      for (const granary of granaries) expect((await granary.end('SIGTERM')).code).toBe(0)
      const events = await store.listEvents({ env: 'sandbox', offset: 0, limit: 1_000_000 })
      const lapses = events.filter(({ value }) => value < 0n)
      // Each at the instant at which it lapsed, whenever that was recorded.
      const told = lapses.map(({ lock, timestamp }) => [lock, timestamp])
      expect(told.toSorted()).toEqual([...lapsesAt].toSorted())
      expect(events).toHaveLength(2 * lapses.length)
      expect(events.reduce((sum, { value }) => sum + value, 0n)).toBe(0n)
    } finally {
      await store.close()
    }
    await expectBooksToBeProved(openBooks(database.url))
    console.log(`Two processes, locks: ${2 * customers.length} lapsed, each recorded once`)
  })
})

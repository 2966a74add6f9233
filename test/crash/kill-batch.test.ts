import { setTimeout as after } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { openBooks } from '../../src/store/sqlite/books.ts'
import { expectBooksToBeProved } from '../ledger.ts'
import { cleanUp, newFolder, start } from '../process/granary.ts'
import { chance, seedOfRun } from './chance.ts'
import { Client } from './clients.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const KILLS = LONG ? 60 : 6
const CLIENTS = 4
const CUSTOMERS = Array.from({ length: 200 }, (_, i) => `customer-${i}`)

afterEach(cleanUp)

/** A key for the whole, or one for each item. */
interface Sent {
  readonly headers: Record<string, string>
  readonly items: readonly object[]
  answered: boolean
}

function newBatch(name: string, keyed: 'whole' | 'items'): Sent {
  const items = CUSTOMERS.map((customer_id) => ({
    customer_id,
    feature_id: 'messages',
    value: 1,
    ...(keyed === 'items' ? { idempotency_key: `${name} ${customer_id}` } : {}),
  }))
  return { headers: keyed === 'whole' ? { 'idempotency-key': name } : {}, items, answered: false }
}

test(`${KILLS} times kill -9 in the midst of batches: sent again, each item is done exactly once`, {
  timeout: 60_000 + KILLS * 20_000,
}, async () => {
  const folder = newFolder()
  let granary = await start(folder)
  const { key } = granary
  const withClients = async (count: number, work: (client: Client, i: number) => Promise<void>) => {
    const clients = Array.from({ length: count }, () => new Client(granary.url, key))
    await Promise.all(clients.map(work)).finally(() => {
      for (const client of clients) client.close()
    })
  }
  await withClients(1, async (client) => {
    await client.ok('features.create', { feature_id: 'messages', name: 'M', type: 'metered', consumable: true })
    for (const customer_id of CUSTOMERS) {
      await client.ok('customers.get_or_create', { customer_id })
      await client.ok('balances.create', { customer_id, feature_id: 'messages', included: 1_000_000 })
    }
  })
  const random = chance(seedOfRun())
  const count = { batches: 0, unanswered: 0, inPart: 0, whole: 0, replayed: 0 }

  for (let kill = 0; kill < KILLS; kill++) {
    const sent: Sent[] = []
    let killing: Promise<unknown> | undefined
    const [killAt, delay] = [CLIENTS + Math.floor(random() * 12), random() * 40]
    await withClients(CLIENTS, async (client, i) => {
      for (let n = 0; ; n++) {
        const batch = newBatch(`${kill}-${i}-${n}`, (i + n) % 2 === 0 ? 'whole' : 'items')
        sent.push(batch)
        if (sent.length >= killAt) killing ??= after(delay).then(() => granary.end('SIGKILL'))
        const reply = await client.send('balances.batch_track', batch.items, batch.headers)
        if (reply === null) return
        expect(reply.status).toBe(202)
        batch.answered = true
      }
    })
    await killing
    granary = await start(folder)
    await withClients(CLIENTS, async (client, i) => {
      for (const batch of sent.filter((_, n) => n % CLIENTS === i)) {
        const reply = await client.send('balances.batch_track', batch.items, batch.headers)
        expect(reply).toMatchObject({ status: 202, body: { success: true } })
        const results: { status: number; value: number; replayed?: true }[] = reply?.body.results
        expect(results.every(({ status, value }) => status === 200 && value === 1)).toBe(true)
        const replayed = results.filter((one) => one.replayed).length
        if (batch.answered) expect(replayed).toBe(CUSTOMERS.length)
        else count.unanswered += 1
        if (replayed === CUSTOMERS.length) count.whole += 1
        else if (replayed > 0) count.inPart += 1
        count.replayed += replayed
      }
    })
    count.batches += sent.length
  }

  await withClients(CLIENTS, async (client, i) => {
    for (const customer_id of CUSTOMERS.filter((_, n) => n % CLIENTS === i)) {
      const { balance } = await client.ok('balances.check', { customer_id, feature_id: 'messages' })
      expect(balance.usage, customer_id).toBe(count.batches)
    }
  })
  await granary.end('SIGKILL')
  await expectBooksToBeProved(openBooks(folder))
  // Otherwise nothing was tried.
  expect(count.unanswered).toBeGreaterThan(0)
  expect(count.whole).toBeGreaterThan(0)
  const told = `${count.unanswered} unanswered, ${count.inPart} of them done in part, ${count.replayed} items replayed`
  console.log(`Batches: ${KILLS} kills, ${count.batches} batches of ${CUSTOMERS.length}, ${told}; 0 lost, 0 twice`)
})

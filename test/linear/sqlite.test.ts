import { afterEach, expect, test } from 'vitest'
import { verify } from '../../src/operations/verify.ts'
import { openBooks } from '../../src/store/sqlite/books.ts'
import { chance, seedOfRun } from '../crash/chance.ts'
import { Client } from '../crash/clients.ts'
import { cleanUp, newFolder, start } from '../process/granary.ts'
import { linearize } from './checker.ts'
import { counter, type Input } from './model.ts'
import { type Member, record } from './recorder.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const KILLS = LONG ? 15 : 3
const OPERATIONS = 600 * (KILLS + 1)
const FEATURE = 'messages'
/** The first three get more than half of everything. */
const CUSTOMERS = Array.from({ length: 12 }, (_, i) => `customer-${i}`)

afterEach(cleanUp)

test(`24 clients and ${KILLS} times kill -9: what each customer answered is what one operation after another would have`, async () => {
  const folder = newFolder()
  let granary = await start(folder)
  const { key } = granary
  const member: Member = {
    url: granary.url,
    kill: () => granary.end('SIGKILL'),
    async restart() {
      granary = await start(folder)
      return granary.url
    },
  }
  const client = new Client(granary.url, key)
  await client.ok('features.create', { feature_id: FEATURE, name: 'Messages', type: 'metered', consumable: true })
  client.close()

  const random = chance(seedOfRun())
  const shape = { clients: 24, operations: OPERATIONS, kills: KILLS }
  const histories = await record({ members: [member], key, feature: FEATURE, random, choose, ...shape })
  await granary.end('SIGTERM')

  for (const [customer, history] of histories) {
    const verdict = linearize(history, counter)
    const told = verdict.kind === 'explained' ? '' : verdict.explanation
    expect(verdict.kind, `${customer}, ${verdict.steps} steps\n${told}`).toBe('explained')
  }
  // Otherwise nothing was tried.
  const all = [...histories.values()].flat()
  const seen = (text: string) => all.filter(({ answer }) => answer?.includes(text) === true).length
  expect(all.filter(({ returned }) => returned === null).length).toBeGreaterThan(KILLS)
  for (const text of ['refused', 'denied', 'took 0', 'took 1', 'done', 'no such customer'])
    expect(seen(text), text).toBeGreaterThan(5)

  const found: string[] = []
  const books = openBooks(folder)
  await verify(books, Date.now(), { found: (sentence) => found.push(sentence), proved: () => undefined })
  await books.close()
  expect(found).toEqual([])
})

/** Mostly use, of little at a time, so that balances run dry between two top-ups; now and then somebody goes and comes back. */
function choose(random: () => number): { customer: string; input: Input } {
  const customer = CUSTOMERS[Math.floor(random() ** 2 * CUSTOMERS.length)] ?? ''
  const amount = 1 + Math.floor(random() * 3)
  const what = random()
  if (what < 0.25) return { customer, input: { kind: 'check', required: amount } }
  if (what < 0.4) return { customer, input: { kind: 'use', required: amount } }
  if (what < 0.6) return { customer, input: { kind: 'track', value: amount, behavior: 'cap' } }
  if (what < 0.8) return { customer, input: { kind: 'track', value: amount, behavior: 'reject' } }
  if (what < 0.86) return { customer, input: { kind: 'add', amount: 7 } }
  if (what < 0.88) return { customer, input: { kind: 'set', amount: 10 } }
  if (what < 0.93) return { customer, input: { kind: 'create' } }
  if (what < 0.99) return { customer, input: { kind: 'grant', amount: 20 } }
  return { customer, input: { kind: 'delete' } }
}

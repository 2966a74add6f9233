import type { Autumn } from 'autumn-js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { countsOf } from './journey/journey.ts'
import { connect, NEWEST, type PublishedClient } from './published.ts'
import { type ClientServer, startServer } from './server.ts'

/** What only the newest client can ask of customers and entities, and what is refused. */
const DAY = 86_400_000

let server: ClientServer
let autumn: Autumn
let refusal: PublishedClient['refusal']
beforeEach(async () => {
  server = await startServer('memory')
  ;({ autumn, refusal } = await connect(NEWEST, server))
  await autumn.features.create({ featureId: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await autumn.features.create({ featureId: 'seats', name: 'Seats', type: 'metered', consumable: false })
})
afterEach(async () => {
  await server.close()
  expect(server.faults).toEqual([])
})

test('customers are listed oldest first, and by when they were created', async () => {
  const born: number[] = []
  for (const customerId of ['a', 'b', 'c', 'd']) {
    server.clock.now += 1000
    born.push(server.clock.now)
    await autumn.customers.getOrCreate({ customerId })
  }
  const ids = async (filter: Parameters<typeof autumn.customers.list>[0]) =>
    (await autumn.customers.list(filter)).list.map(({ id }) => id)
  expect(await ids({ sortOrder: 'asc' })).toEqual(['a', 'b', 'c', 'd'])
  const [, start = 0, end = 0] = born
  expect(await ids({ createdAtRange: { start, end } })).toEqual(['c', 'b'])
  expect(await ids({ createdAtRange: { end }, sortOrder: 'asc' })).toEqual(['a', 'b', 'c'])
  const first = await autumn.customers.list({ sortOrder: 'asc', limit: 3 })
  expect(await ids({ sortOrder: 'asc', limit: 3, startCursor: first.nextCursor ?? '' })).toEqual(['d'])

  expect(await refusal(autumn.customers.list({ startCursor: 'nonsense' }))).toEqual([400, 'invalid_cursor'])
  expect(await refusal(autumn.entities.list({ startCursor: 'nonsense' }))).toEqual([400, 'invalid_cursor'])
  const backwards = autumn.customers.list({ createdAtRange: { start: end, end: start } })
  expect(await refusal(backwards)).toEqual([400, 'invalid_inputs'])
  expect(await refusal(autumn.customers.list({ limit: 1001 }))).toEqual([400, 'invalid_request'])
})

test('entities of a customer that does not share have what is their own', async () => {
  const messages = { customerId: 'acme', featureId: 'messages' }
  await autumn.customers.getOrCreate({ customerId: 'acme', config: { disablePooledBalance: true } })
  await autumn.entities.create({ customerId: 'acme', entityId: 'desk', featureId: 'seats' })
  await autumn.balances.create({ ...messages, includedGrant: 100 })
  const desk = { ...messages, entityId: 'desk' }
  expect(await autumn.check(desk)).toMatchObject({ allowed: false, balance: null })
  await autumn.balances.create({ ...desk, includedGrant: 20 })
  expect(countsOf((await autumn.check(desk)).balance)).toEqual([20, 20, 0])

  const shared = await autumn.customers.update({ customerId: 'acme', config: { disablePooledBalance: false } })
  expect(shared.config?.disablePooledBalance ?? false).toBe(false)
  expect(countsOf((await autumn.check(desk)).balance)).toEqual([120, 120, 0])
})

test('a customer has a clock of its own, which only moves forward', async () => {
  const { now } = server.clock
  for (const customerId of ['ada', 'bob']) {
    await autumn.customers.getOrCreate({ customerId })
    const reset = { interval: 'day' } as const
    await autumn.balances.create({ customerId, featureId: 'messages', includedGrant: 10, reset })
    await autumn.track({ customerId, featureId: 'messages', value: 4 })
  }
  const frozenTime = now + DAY + 999
  const moved = await autumn.customers.advanceTestClock({ customerId: 'ada', frozenTime })
  expect(moved).toEqual({ customerId: 'ada', frozenTime: now + DAY, status: 'ready' })
  const left = async (customerId: string) => (await autumn.check({ customerId, featureId: 'messages' })).balance
  expect(await left('ada')).toMatchObject({ remaining: 10, usage: 0, nextResetAt: now + 2 * DAY })
  expect(await left('bob')).toMatchObject({ remaining: 6, usage: 4, nextResetAt: now + DAY })

  const back = autumn.customers.advanceTestClock({ customerId: 'ada', frozenTime: now })
  expect(await refusal(back)).toEqual([400, 'invalid_request'])
  const nobody = autumn.customers.advanceTestClock({ customerId: 'nobody', frozenTime })
  expect(await refusal(nobody)).toEqual([404, 'customer_not_found'])
})

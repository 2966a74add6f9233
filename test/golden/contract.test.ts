import { afterEach, beforeEach, expect, test } from 'vitest'
import { openWorld, type World } from '../world.ts'

// What the contract asks for where no recorded step goes.

let world: World
beforeEach(async () => {
  world = await openWorld()
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'sso', name: 'SSO', type: 'boolean' })
  await world.ok('customers.get_or_create', { customer_id: 'ada' })
})
afterEach(() => world.close())

const ADA = { customer_id: 'ada', feature_id: 'messages' }

async function remainders(): Promise<number[]> {
  const { balance } = await world.ok('balances.check', ADA)
  return balance.breakdown.map(({ remaining }: { remaining: number }) => remaining)
}

// Seed (older update), B85, B95: the internal id names one balance, also where it has an id of the caller's.
test('customer_entitlement_id names the one balance that an update means', async () => {
  for (const included_grant of [10, 20]) await world.ok('balances.create', { ...ADA, included_grant })
  await world.ok('balances.create', { ...ADA, included_grant: 30, balance_id: 'named' })
  const { deductions } = await world.ok('balances.track', { ...ADA, value: 60 })
  await world.ok('balances.track', { ...ADA, value: -60 })
  const internal = deductions.map(({ balance_id }: { balance_id: string }) => balance_id)
  await world.ok('balances.update', { ...ADA, customer_entitlement_id: internal[1], current_balance: 5 })
  expect(await remainders()).toEqual([10, 5, 30])
  await world.ok('balances.update', { ...ADA, customer_entitlement_id: internal[2], current_balance: 7 })
  expect(await remainders()).toEqual([10, 5, 7])
})

// B45, B70: a boolean feature is held or not.
test.each(['remaining', 'usage', 'add_to_balance', 'included_grant'])('%s of a flag cannot be set', async (field) => {
  await world.ok('balances.create', { customer_id: 'ada', feature_id: 'sso' })
  const reply = await world.call('balances.update', { customer_id: 'ada', feature_id: 'sso', [field]: 5 })
  expect(reply.status).toBeGreaterThanOrEqual(400)
  expect(reply.status).toBeLessThan(500)
})

// B188.
test('an e-mail address may have letters of any script', async () => {
  const email = 'jörg@exämple.de'
  expect(await world.ok('customers.get_or_create', { customer_id: 'joerg', email })).toMatchObject({ email })
})

// R171.
test('up to 2.2 a page of events has at most a thousand', async () => {
  const headers = { 'x-api-version': '2.2.0' }
  expect((await world.call('events.list', { limit: 1000 }, headers)).status).toBe(200)
  expect((await world.call('events.list', { limit: 1001 }, headers)).status).toBe(400)
})

// B5, R170: what a version does not know is dropped.
test('from 2.3 on, an offset does not page events', async () => {
  await world.ok('balances.track', { ...ADA, value: 1 })
  const { list } = await world.ok('events.list', { customer_id: 'ada', offset: 1 }, { 'x-api-version': '2.3.0' })
  expect(list).toHaveLength(1)
})

test.each(['1.2', 'beta', '2.0.0', '2.1', '2.2.0', '2.3.0', '2.4.0'])(
  'at %s a body that is not an object is refused',
  async (version) => {
    for (const body of ['[]', 'null', '"text"', '5']) {
      const { status } = await world.call('events.list', body, { 'x-api-version': version })
      expect([body, status]).toEqual([body, 400])
    }
  },
)

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorld, START, type World } from '../world.ts'
import { titlesUnder } from './documentation.ts'

/** Intended differences from the reference that the recorded steps do not show: each title is a row of the documentation. */
const PROMISES: readonly { readonly title: string; readonly rule: string; keep(world: World): Promise<void> }[] = [
  {
    title: 'Version 2.4',
    rule: 'correction of B13, K4',
    async keep(world) {
      await world.ok('features.list', {}, { 'x-api-version': '2.4.0' })
    },
  },
  {
    title: 'No version header',
    rule: 'B15 (REC)',
    async keep(world) {
      const body = await world.ok('customers.get', { customer_id: 'ada' }, { 'x-api-version': undefined })
      expect(body).toEqual(await world.ok('customers.get', { customer_id: 'ada' }, { 'x-api-version': '2.4.0' }))
    },
  },
  {
    title: 'Malformed JSON',
    rule: 'correction of B4',
    async keep(world) {
      const { status, body } = await world.call('balances.check', '{"customer_id": "ada",\n "feature_id" "messages"}')
      expect([status, body.code]).toEqual([400, 'invalid_inputs'])
      expect(body.message).toContain('line 2, column 15')
    },
  },
  {
    title: 'A repeated idempotency key',
    rule: 'decision, instead of R120',
    async keep(world) {
      await grant(world, 10)
      const use = { customer_id: 'ada', feature_id: 'messages', value: 3 }
      const first = await world.call('balances.track', use, { 'idempotency-key': 'k' })
      const again = await world.call('balances.track', use, { 'idempotency-key': 'k' })
      expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([200, 'true', first.body])
      expect(await left(world)).toEqual([10, 7, 3])
      const other = await world.call('balances.track', { ...use, value: 4 }, { 'idempotency-key': 'k' })
      expect([other.status, other.body.code]).toEqual([409, 'idempotency_key_reused'])
    },
  },
  {
    title: 'A one-off balance that is used up',
    rule: 'S10',
    async keep(world) {
      await grant(world, 10)
      const use = { customer_id: 'ada', feature_id: 'messages' }
      await world.ok('balances.track', { ...use, value: 10 })
      expect(await left(world)).toBeNull()
      const refused = await world.call('balances.track', { ...use, value: 1, overage_behavior: 'reject' })
      expect([refused.status, refused.body.code]).toEqual([400, 'insufficient_balance'])
      await world.ok('balances.track', { ...use, value: -4 })
      expect(await left(world)).toEqual([10, 4, 6])
    },
  },
  {
    title: 'Setting `remaining` where something rolled over',
    rule: 'seed (newer update), correction of B102',
    async keep(world) {
      await grant(world, 100, { reset: { interval: 'day' }, rollover: { max: 50, length: 1 } })
      world.clock.advance(DAY)
      expect(await left(world)).toEqual([150, 150, 0])
      await world.ok('balances.update', { customer_id: 'ada', feature_id: 'messages', remaining: 80 })
      expect(await left(world)).toEqual([150, 80, 70])
    },
  },
  {
    title: 'Moving the next reset into the past',
    rule: 'correction of B120, B163',
    async keep(world) {
      await grant(world, 100, { reset: { interval: 'month' }, rollover: { max: 30, length: 1 } })
      const next_reset_at = world.clock.now - 1
      await world.ok('balances.update', { customer_id: 'ada', feature_id: 'messages', next_reset_at })
      const { balance } = await check(world)
      expect([balance.granted, balance.rollovers]).toMatchObject([130, [{ granted: 30, balance: 30 }]])
    },
  },
  {
    title: 'The instant of a reset or an expiry',
    rule: 'correction of B149, B152',
    async keep(world) {
      await grant(world, 10, { reset: { interval: 'hour' } })
      await world.ok('balances.track', { customer_id: 'ada', feature_id: 'messages', value: 4 })
      world.clock.set(START + HOUR - 1)
      expect(await left(world)).toEqual([10, 6, 4])
      world.clock.set(START + HOUR)
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: 'Several missed resets',
    rule: 'correction of B155',
    async keep(world) {
      await grant(world, 10, { reset: { interval: 'day' }, rollover: { length: 1 } })
      world.clock.advance(3 * DAY)
      const { balance } = await check(world)
      expect([balance.remaining, balance.rollovers.map(({ balance: kept }: { balance: number }) => kept)]).toEqual([
        40,
        [10, 10, 10],
      ])
    },
  },
  {
    title: 'Month ends',
    rule: 'B151 (REC)',
    async keep(world) {
      // The world begins on the 31st of January.
      await grant(world, 10, { reset: { interval: 'month' } })
      const next = async () => new Date((await check(world)).balance.next_reset_at).toISOString()
      expect(await next()).toBe('2026-02-28T10:00:00.000Z')
      world.clock.set('2026-02-28T10:00:00Z')
      expect(await next()).toBe('2026-03-31T10:00:00.000Z')
    },
  },
  {
    title: 'Twelve decimals',
    rule: 'correction of B47, B237',
    async keep(world) {
      await grant(world, 1)
      await world.ok('balances.track', { customer_id: 'ada', feature_id: 'messages', value: 0.000000000001 })
      expect(await left(world)).toEqual([1, 0.999999999999, 0.000000000001])
    },
  },
  {
    title: 'Amounts out of reach',
    rule: 'B242 (REC)',
    async keep(world) {
      await refused(world, 'balances.create', { ...ADA, included_grant: 1.1e15 })
      await grant(world, 1e15)
      expect(await left(world)).toEqual([1e15, 1e15, 0])
    },
  },
  {
    title: 'Impossible resets and rollovers',
    rule: 'correction of B78, B74, B83 (REC)',
    async keep(world) {
      await refused(world, 'balances.create', {
        ...ADA,
        included_grant: 1,
        reset: { interval: 'day', interval_count: 0 },
      })
      await refused(world, 'balances.create', {
        ...{ ...ADA, included_grant: 1, reset: { interval: 'day' } },
        rollover: { max: 1, max_percentage: 50, length: 1 },
      })
      await refused(
        world,
        'balances.create',
        { ...ADA, included_grant: 1, reset: { interval: 'one_off' }, rollover: { length: 1 } },
        'invalid_request',
      )
      await refused(world, 'balances.create', {
        ...{ customer_id: 'ada', feature_id: 'seats' },
        ...{ included_grant: 1, reset: { interval: 'month' } },
      })
    },
  },
  {
    title: 'Fractions of a millisecond',
    rule: 'B240 (REC)',
    async keep(world) {
      await refused(world, 'balances.create', { ...ADA, included_grant: 1, expires_at: START + 1.5 })
    },
  },
  {
    title: 'The other names of the grant',
    rule: 'seeds, B68, B85 (REC)',
    async keep(world) {
      await world.ok('balances.create', { ...ADA, included: 7 })
      expect(await left(world)).toEqual([7, 7, 0])
      await world.ok('balances.update', { ...ADA, granted_balance: 9, current_balance: 5 })
      expect(await left(world)).toEqual([9, 5, 4])
    },
  },
  {
    title: 'Balances of credit systems',
    rule: 'B70 (REC)',
    async keep(world) {
      const credits = { customer_id: 'ada', feature_id: 'credits' }
      await refused(world, 'balances.create', credits)
      await refused(world, 'balances.create', { ...credits, included_grant: 1, unlimited: true })
    },
  },
  {
    title: 'Setting the grant of several balances',
    rule: 'B114 (REC)',
    async keep(world) {
      await grant(world, 100, { balance_id: 'a' })
      await grant(world, 50, { balance_id: 'b' })
      await world.ok('balances.update', { ...ADA, balance_id: 'b', included_grant: 70 })
      await world.ok('balances.update', { ...ADA, included_grant: 200 })
      expect((await left(world))?.[0]).toBe(200)
    },
  },
  {
    title: 'An update is done as a whole or not at all',
    rule: 'B91 (REC)',
    async keep(world) {
      await grant(world, 10)
      await refused(world, 'balances.update', { ...ADA, remaining: 5, next_reset_at: START + DAY }, 'invalid_request')
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: 'Deleting without saying what',
    rule: 'B129 (REC)',
    async keep(world) {
      await grant(world, 10)
      await refused(world, 'balances.delete', { customer_id: 'ada' })
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: 'A member that several credit systems pay for',
    rule: 'correction of R36',
    async keep(world) {
      await credits(world, 'small', 5, 1)
      await credits(world, 'large', 5, 20)
      // One render costs five credits. The first system holds one, which is enough only before the conversion.
      const answer = await world.ok('balances.check', {
        customer_id: 'ada',
        feature_id: 'renders',
        required_balance: 1,
      })
      expect([answer.allowed, answer.balance.feature_id]).toEqual([true, 'large'])
    },
  },
  {
    title: 'A member that is free',
    rule: 'R99',
    async keep(world) {
      await credits(world, 'free', 0, 10)
      const answer = await world.ok('balances.track', { customer_id: 'ada', feature_id: 'renders', value: 1000 })
      expect([answer.balance.remaining, answer.deductions]).toEqual([10, []])
    },
  },
  {
    title: 'The balance that a refund shows',
    rule: 'R64',
    async keep(world) {
      const own = { customer_id: 'ada', feature_id: 'renders' }
      await world.ok('features.create', system('unowned', 1))
      await world.ok('balances.create', { ...own, included_grant: 10 })
      await world.ok('balances.track', { ...own, value: 5 })
      const answer = await world.ok('balances.track', { ...own, value: -2 })
      expect(answer.balance).toMatchObject({ feature_id: 'renders', remaining: 7 })
    },
  },
  {
    title: 'More than two hundred balances',
    rule: 'B174 (REC)',
    async keep(world) {
      for (let i = 0; i < 205; i++) await grant(world, 1)
      expect(await left(world)).toEqual([205, 205, 0])
    },
  },
  {
    title: 'What is not served yet',
    rule: 'decision',
    async keep(world) {
      const lock = { enabled: true, lock_id: 'l' }
      await refused(world, 'balances.check', { ...ADA, lock }, 'not_supported')
      await refused(world, 'balances.track', { ...ADA, async: true }, 'not_supported')
      const old = await world.call('balances.check', ADA, { 'x-api-version': '2.0.0' })
      expect([old.status, old.body.code]).toEqual([400, 'not_supported'])
    },
  },
]

const HOUR = 3_600_000
const DAY = 24 * HOUR
const ADA = { customer_id: 'ada', feature_id: 'messages' }

let world: World
beforeEach(async () => {
  world = await openWorld()
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  await world.ok('features.create', { feature_id: 'renders', name: 'Renders', type: 'metered', consumable: true })
  await world.ok('features.create', system('credits', 1))
  await world.ok('customers.get_or_create', { customer_id: 'ada' })
})
afterEach(() => world.close())

describe('beyond the recordings', () => {
  test.each(PROMISES.map((promise) => [promise.title, promise] as const))('%s', async (_title, promise) => {
    await promise.keep(world)
    expect(world.faults).toEqual([])
  })

  test('every promise has its row in the documentation, and every row is kept', () => {
    expect(titlesUnder('Differences that the recordings do not show')).toEqual(PROMISES.map(({ title }) => title))
  })
})

function check(on: World) {
  return on.ok('balances.check', ADA)
}

/** Granted, remaining and used, or null when nothing is shown. */
async function left(on: World): Promise<[number, number, number] | null> {
  const { balance } = await check(on)
  return balance === null ? null : [balance.granted, balance.remaining, balance.usage]
}

function grant(on: World, included_grant: number, more: object = {}) {
  return on.ok('balances.create', { ...ADA, included_grant, ...more })
}

function system(feature_id: string, credit_cost: number) {
  const credit_schema = [{ metered_feature_id: 'renders', credit_cost }]
  return { feature_id, name: feature_id, type: 'credit_system', credit_schema }
}

/** A credit system that pays for renders, and a balance of it. */
async function credits(on: World, feature_id: string, cost: number, included_grant: number): Promise<void> {
  await on.ok('features.create', system(feature_id, cost))
  await on.ok('balances.create', { customer_id: 'ada', feature_id, included_grant })
}

async function refused(on: World, operation: string, body: object, code = 'invalid_inputs'): Promise<void> {
  const reply = await on.call(operation, body)
  expect([reply.status, reply.body.code]).toEqual([400, code])
}

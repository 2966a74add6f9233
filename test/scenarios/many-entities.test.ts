import { afterEach, beforeEach, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type World } from '../world.ts'
import { Kept } from './kept.ts'
import { codeOf, figuresOf } from './story.ts'

type Body = Record<string, unknown>

const now = Date.parse('2026-01-31T10:00:00Z')
const DAY = 86_400_000
const COUNT = 10_000
const AT_ONCE = 2500
const acme = { customer_id: 'acme', feature_id: 'messages' }

let kept: Kept
let world: World
beforeEach(async () => {
  kept = new Kept()
  world = await kept.open(now)
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  await world.ok('customers.get_or_create', { customer_id: 'acme' })
})
afterEach(async () => {
  expect(world.faults).toEqual([])
  await kept.remove()
})

/** `e0`, `e1` and so on, in as few calls as a body allows for. */
async function seatAll(): Promise<void> {
  for (let from = 0; from < COUNT; from += AT_ONCE) {
    const entities = Array.from({ length: AT_ONCE }, (_, i) => ({ entity_id: `e${from + i}`, feature_id: 'seats' }))
    const { list } = await world.ok('entities.create', { customer_id: 'acme', entities })
    expect([list.length, list[0].id, list.at(-1).id]).toEqual([AT_ONCE, `e${from}`, `e${from + AT_ONCE - 1}`])
  }
}

const customer = async (feature: string) =>
  figuresOf((await world.ok('customers.get', { customer_id: 'acme' })).balances[feature])
const sees = async (entity_id: string) => figuresOf((await world.ok('balances.check', { ...acme, entity_id })).balance)

test('a customer with 10,000 entities, its balances, its time, and what is left of it', async () => {
  await world.ok('balances.create', { customer_id: 'acme', feature_id: 'seats', included: COUNT + 1 })
  await world.ok('balances.create', { ...acme, included: 1000 })
  await seatAll()
  expect(await customer('seats')).toBe(`${COUNT + 1}/1/${COUNT}`)
  expect(await codeOf(world, 'entities.create', { customer_id: 'acme', entity_id: 'e7777', feature_id: 'seats' })).toBe(
    '409 entity_already_exists',
  )

  // Every hundredth has something of its own.
  const some = Array.from({ length: COUNT / 100 }, (_, i) => `e${i * 100}`)
  await Promise.all(
    some.map((entity_id) =>
      world.ok('balances.create', { ...acme, entity_id, included: 10, reset: { interval: 'day' } }),
    ),
  )
  expect(await customer('messages')).toBe('2000/2000/0')
  const use = await world.ok('balances.track', { ...acme, entity_id: 'e5000', value: 25 })
  expect(use.deductions.map(({ value }: Body) => value)).toEqual([10, 15])
  await world.ok('balances.track', { ...acme, entity_id: 'e5001', value: 5 })
  expect([await sees('e5000'), await sees('e5001'), await sees('e100')]).toEqual([
    '1010/980/30',
    '1000/980/20',
    '1010/990/20',
  ])
  expect(await customer('messages')).toBe('2000/1970/30')
  expect((await world.ok('balances.check', { ...acme, required_balance: 981 })).allowed).toBe(false)

  world.clock.advance(DAY)
  expect([await sees('e5000'), await customer('messages')]).toEqual(['1010/990/20', '2000/1980/20'])
  await world.ok('balances.track', { ...acme, entity_id: 'e9900', value: 4 })
  await world.ok('entities.delete', { customer_id: 'acme', entity_id: 'e100' })
  expect([await customer('messages'), await customer('seats')]).toEqual(['1990/1966/24', `${COUNT + 1}/2/${COUNT - 1}`])

  const { ledger } = await expectLedgerToAddUp(world.store, 'acme')
  world = await kept.open(now + DAY)
  expect((await expectLedgerToAddUp(world.store, 'acme')).ledger).toEqual(ledger)
  expect([await sees('e9900'), await sees('e1'), await sees('e5000')]).toEqual([
    '1010/986/24',
    '1000/980/20',
    '1010/990/20',
  ])
  expect([await customer('messages'), await customer('seats')]).toEqual(['1990/1966/24', `${COUNT + 1}/2/${COUNT - 1}`])
  expect(await world.ok('entities.get', { entity_id: 'e9999' })).toMatchObject({ customer_id: 'acme', id: 'e9999' })

  const first = await world.ok('entities.list', { customer_id: 'acme', limit: 5000 })
  const second = await world.ok('entities.list', { limit: 5000, start_cursor: first.next_cursor })
  expect([first.list.length, second.list.length, second.next_cursor]).toEqual([5000, COUNT - 5001, null])
  const ids = [...first.list, ...second.list].map(({ id }: Body) => id)
  expect(new Set(ids).size).toBe(COUNT - 1)
  const found = await world.ok('entities.list', { customer_id: 'acme', search: 'E999', limit: 100 })
  expect(found.list.map(({ id }: Body) => id).toSorted()).toEqual([
    'e999',
    ...Array.from({ length: 10 }, (_, i) => `e999${i}`),
  ])

  await world.ok('customers.delete', { customer_id: 'acme' })
  expect(await codeOf(world, 'entities.get', { entity_id: 'e5000' })).toBe('404 entity_not_found')
  await world.ok('entities.create', { customer_id: 'acme', entity_id: 'e5000', feature_id: 'seats' })
  expect(await sees('e5000')).toBe('nothing')
  world = await kept.open(now + DAY)
  const left = await world.ok('customers.get', { customer_id: 'acme', expand: ['entities'] })
  expect([left.entities.map(({ id }: Body) => id), left.balances]).toEqual([['e5000'], {}])
})

test('10,000 entities with a slice each of what their customer has for them', async () => {
  const item = { feature_id: 'messages', included: 10, reset: { interval: 'month' }, entity_feature_id: 'seats' }
  await world.ok('plans.create', { plan_id: 'team', name: 'Team', items: [item] })
  await world.ok('billing.attach', { customer_id: 'acme', plan_id: 'team' })
  await seatAll()
  expect(await customer('messages')).toBe('100000/100000/0')
  await world.ok('balances.track', { ...acme, entity_id: 'e5000', value: 4 })
  // e0, e1, e10, e100, e1000: in the order of ids as texts.
  const { event_id, deductions } = await world.ok('balances.track', { ...acme, value: 45 })
  expect(deductions.map(({ value }: Body) => value)).toEqual([10, 10, 10, 10, 5])
  expect([await sees('e100'), await sees('e1000'), await sees('e2')]).toEqual(['10/0/10', '10/5/5', '10/10/0'])
  expect(await customer('messages')).toBe('100000/99951/49')
  await world.ok('balances.track', { customer_id: 'acme', refund_of: event_id })
  const check = (required_balance: number) => world.ok('balances.check', { ...acme, required_balance })
  expect([(await check(99_996)).allowed, (await check(99_997)).allowed]).toEqual([true, false])
  expect((await check(99_997)).available_at).toBe(Date.parse('2026-02-28T10:00:00Z'))

  const lock = { enabled: true, lock_id: 'job' }
  await world.ok('balances.check', { ...acme, required_balance: 2000, lock })
  expect(await customer('messages')).toBe('100000/97996/2004')
  await world.ok('balances.finalize', { lock_id: 'job', action: 'release' })
  await world.ok('balances.update', { ...acme, remaining: 99_000 })
  await expectLedgerToAddUp(world.store, 'acme')

  const { breakdown } = (await world.ok('customers.get', { customer_id: 'acme' })).balances.messages
  world = await kept.open(now + 28 * DAY)
  expect(await customer('messages')).toBe('100000/100000/0')
  const after = (await world.ok('customers.get', { customer_id: 'acme' })).balances.messages.breakdown
  expect(after.map(({ id }: Body) => id)).toEqual(breakdown.map(({ id }: Body) => id))
  await world.ok('billing.update', { customer_id: 'acme', plan_id: 'team', cancel_action: 'cancel_immediately' })
  expect(await customer('messages')).toBe('nothing')
  await expectLedgerToAddUp(world.store, 'acme')
})

test('what a deleted customer had counts no more, from the moment of its deletion', async () => {
  await seatAll()
  await world.ok('balances.create', { ...acme, entity_id: 'e0', included: 10 })
  // What lists is ready to list, so that nothing is cleared away before it does.
  expect((await world.ok('entities.list', { limit: 1 })).list).toHaveLength(1)
  await world.ok('customers.delete', { customer_id: 'acme' })
  const [page, seats, messages] = await Promise.all([
    world.ok('entities.list', {}, { 'x-api-version': '2.2.0' }),
    codeOf(world, 'features.delete', { feature_id: 'seats' }),
    codeOf(world, 'features.delete', { feature_id: 'messages' }),
  ])
  expect([page.list, page.total_count, page.total_filtered_count]).toEqual([[], 0, 0])
  expect([seats, messages]).toEqual(['200', '200'])
})

test.each([
  ['all that memory may hold', 1000, 0],
  ['what thousands of others took of the memory', 9000, 9000],
])('a customer that needs %s is served', async (_label, cacheWeight, others) => {
  const small = await openWorld({ cacheWeight })
  await small.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  const ids = Array.from({ length: others }, (_, i) => `c${i}`)
  await Promise.all(ids.map((customer_id) => small.ok('customers.get_or_create', { customer_id })))
  const entities = Array.from({ length: 8000 }, (_, i) => ({ entity_id: `e${i}`, feature_id: 'seats' }))
  expect((await small.ok('entities.create', { customer_id: 'acme', entities })).list).toHaveLength(8000)
  for (const customer_id of ['bob', 'acme', 'c0']) {
    await small.ok('customers.get_or_create', { customer_id })
    expect(await small.ok('customers.get', { customer_id })).toMatchObject({ id: customer_id })
  }
  expect((await small.ok('entities.get', { entity_id: 'e7999' })).customer_id).toBe('acme')
  expect(small.faults).toEqual([])
})

import { expect, test } from 'vitest'
import { Story } from './story.ts'

const DAY = 86_400_000
type Body = Record<string, unknown>

test('events are shown for as long as is said and not a millisecond longer; what they took stays taken', async () => {
  const s = await Story.begin('2026-01-31T10:00:00Z', { retention: { events: 30 * DAY } })
  await s.grant('messages', { included: 100 })
  const { event_id } = await s.track('messages', 30, { timestamp: Date.UTC(2026, 0, 30) })
  s.world.clock.advance(10 * DAY)
  await s.track('messages', 5)
  const values = async (more = {}) =>
    (await s.world.ok('events.list', more)).list.map(({ value }: { value: number }) => value)

  // It counts when an event was recorded, and not when it is said to have happened.
  s.world.clock.advance(20 * DAY)
  expect(await values()).toEqual([5, 30])
  const total = async (more = {}) =>
    (await s.world.ok('events.aggregate', { feature_id: 'messages', range: '90d', ...more })).total['messages']
  expect(await total()).toEqual({ count: 2, sum: 35 })
  s.world.clock.advance(1)
  expect(await values()).toEqual([5])
  expect(await total()).toEqual({ count: 1, sum: 5 })
  expect(await total({ customer_id: 'alice' })).toEqual({ count: 1, sum: 5 })
  expect(await values({ customer_id: 'alice' })).toEqual([5])
  await s.holds('messages', '100/65/35')

  // And for good: PostgreSQL drops the month, the others a few hundred at a time.
  s.world.clock.advance(60 * DAY)
  for (let i = 0; i < 3; i++) await s.world.ok('customers.get_or_create', { customer_id: `c${i}` })
  expect(await values()).toEqual([])
  expect(await s.refused('balances.track', { refund_of: event_id })).toMatchObject({
    status: 404,
    code: 'event_not_found',
  })
  await s.holds('messages', '100/65/35')
  await s.track('messages', 1)
  expect(await values()).toEqual([1])
})

test('of a deleted customer nothing is left but what was used, when that is wanted; who is called so next starts clean', async () => {
  const s = await Story.begin('2026-01-31T10:00:00Z', { retention: { deletedCustomers: 'anonymise' } })
  const { world } = s
  await world.ok('customers.update', { customer_id: 'alice', name: 'Alice Liddell', metadata: { phone: '1' } })
  await s.grant('messages', { included: 100 })
  await s.grant('seats', { included: 2 })
  await s.seat('desk of alice')
  const { event_id } = await s.track('messages', 3, { entity_id: 'desk of alice', properties: { text: 'to alice' } })
  await s.track('messages', 5)
  await world.ok('balances.track', { customer_id: 'alice', refund_of: event_id, value: -1 })
  await world.ok('customers.delete', { customer_id: 'alice' })
  await world.ok('customers.get_or_create', { customer_id: 'alice', name: 'Another Alice' })
  await s.grant('messages', { included: 7 })

  const events = async (more = {}) => (await world.ok('events.list', more)).list
  // Clearing takes a moment, in which they are not shown at all.
  for (let tries = 0; (await events()).length === 0; tries++) expect(tries).toBeLessThan(500)
  expect((await events()).map(({ value, feature_id }: Body) => [value, feature_id]).toSorted()).toEqual([
    [-1, 'messages'],
    [3, 'messages'],
    [5, 'messages'],
  ])
  expect(JSON.stringify(await events())).not.toMatch(/alice|text/i)
  expect(await events({ customer_id: 'alice' })).toEqual([])
  const { total, list } = await world.ok('events.aggregate', {
    ...{ feature_id: 'messages', range: '24h', group_by: '$customer_id' },
  })
  expect(total['messages']).toEqual({ count: 3, sum: 7 })
  expect(JSON.stringify(list)).toMatch(/"cus_[0-9a-z]{26}":7/)
  await s.holds('messages', '7/7/0')
  expect(await s.refused('balances.track', { refund_of: event_id })).toMatchObject({ code: 'event_not_found' })
  expect((await world.call('entities.get', { customer_id: 'alice', entity_id: 'desk of alice' })).status).toBe(404)
})

test('a clock that was moved makes nothing old: the real time counts', async () => {
  const s = await Story.begin('2026-01-31T10:00:00Z', { retention: { events: 30 * DAY, keys: 3 * DAY } })
  await s.grant('messages', { included: 100 })
  await s.track('messages', 30, { idempotency_key: 'k1' })
  await s.world.ok('clock.advance', { by: '2y' })
  expect((await s.world.ok('events.list', {})).list).toHaveLength(1)
  await s.track('messages', 30, { idempotency_key: 'k1' })
  await s.holds('messages', '100/70/30')
})

test('keys are known for as long as is said, also that of a refund whose event is gone by then', async () => {
  const s = await Story.begin('2026-01-31T10:00:00Z', { retention: { events: DAY, keys: 10 * DAY } })
  await s.grant('messages', { included: 100 })
  const { event_id } = await s.track('messages', 30, { idempotency_key: 'k1' })
  const refund = () =>
    s.world.call('balances.track', { customer_id: 'alice', refund_of: event_id, idempotency_key: 'k2' })
  const first = await refund()
  s.world.clock.advance(10 * DAY)
  const again = await refund()
  expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([200, 'true', first.body])
  const batch = await s.world.call('balances.batch_track', [
    { customer_id: 'alice', refund_of: event_id, idempotency_key: 'k2' },
    { customer_id: 'alice', refund_of: event_id },
  ])
  expect(batch.body.results).toEqual([
    expect.objectContaining({ status: 200, event_id: first.body.event_id, value: -30 }),
    expect.objectContaining({ status: 404, code: 'event_not_found' }),
  ])
  await s.track('messages', 30, { idempotency_key: 'k1' })
  await s.holds('messages', '100/100/0')
  s.world.clock.advance(DAY)
  await s.track('messages', 30, { idempotency_key: 'k1' })
  await s.holds('messages', '100/70/30')
  expect((await refund()).body.code).toBe('event_not_found')
})

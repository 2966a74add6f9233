import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorld, type World } from '../world.ts'

describe.each(['memory', 'sqlite'] as const)('idempotency keys on %s', (store) => {
  let world: World
  beforeEach(async () => {
    world = await openWorld({ store })
    await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
    await world.ok('features.create', {
      feature_id: 'credits',
      name: 'Credits',
      type: 'credit_system',
      credit_schema: [{ metered_feature_id: 'messages', credit_cost: 0.2 }],
    })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    await world.ok('balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: 10 })
  })
  afterEach(() => world.close())

  const use = { customer_id: 'alice', feature_id: 'messages', value: 3 }
  const remaining = async () =>
    (await world.ok('balances.check', { customer_id: 'alice', feature_id: 'messages' })).balance.remaining

  test('the same header key has one effect and the first answer, marked as replayed', async () => {
    const first = await world.call('balances.track', use, { 'idempotency-key': 'k1' })
    await world.ok('balances.track', { ...use, value: 1 })
    const second = await world.call('balances.track', use, { 'idempotency-key': 'k1' })
    expect(second.body).toEqual(first.body)
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(await remaining()).toBe(6)
  })
})

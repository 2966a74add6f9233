import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type World } from '../world.ts'

let world: World
beforeEach(async () => {
  world = await openWorld()
  await world.ok('features.create', { feature_id: 'tokens', name: 'Tokens', type: 'metered', consumable: true })
  await world.ok('customers.get_or_create', { customer_id: 'alice' })
})
afterEach(async () => {
  await expectLedgerToAddUp(world.store, 'alice')
  expect(world.faults).toEqual([])
  await world.close()
})

const schema = (more: object) => [{ metered_feature_id: 'tokens', credit_cost: 1, ...more }]

async function credits(more: object, included: number): Promise<void> {
  const body = { feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema: schema(more) }
  await world.ok('features.create', body)
  await world.ok('balances.create', { customer_id: 'alice', feature_id: 'credits', included })
}

const use = (value: number, properties: object = {}) =>
  world.ok('balances.track', { customer_id: 'alice', feature_id: 'tokens', value, properties })

describe('credits for groups of units (K 2.2)', () => {
  test('one credit for three tokens is exact: what has no decimal by itself has one in all', async () => {
    await credits({ billing_units: 3 }, 2)
    await use(1)
    await use(1)
    const { balance } = await use(1)
    // Each third is rounded half-even to twelve decimals as it is taken.
    expect(balance.remaining).toBe(1.000000000001)
    const { event_id, deductions } = await use(3)
    expect(deductions).toMatchObject([{ feature_id: 'credits', value: 1 }])
    await world.ok('balances.track', { customer_id: 'alice', refund_of: event_id, value: -1.5 })
    expect((await world.ok('balances.check', { customer_id: 'alice', feature_id: 'credits' })).balance.remaining).toBe(
      0.500000000001,
    )
  })

  test('a million tokens at 0.15 credits for a thousand', async () => {
    await credits({ credit_cost: 0.15, billing_units: 1000 }, 200)
    const { deductions } = await use(1_000_000)
    expect(deductions).toMatchObject([{ value: 150 }])
    const denied = { customer_id: 'alice', feature_id: 'tokens', required_balance: 400_000 }
    expect(await world.ok('balances.check', denied)).toMatchObject({ allowed: false, required_balance: 60 })
  })
})

describe('credits by properties of the event (K 2.2)', () => {
  const dimensions = { large: { match: { model: 'large' }, credit_cost: 5 } }
  const multipliers = { night: { match: { night: true }, factor: 0.5, add: 1 } }

  test('a use, a check and a check that uses at once ask the same price', async () => {
    await credits({ dimensions, multipliers }, 100)
    const large = { customer_id: 'alice', feature_id: 'tokens', properties: { model: 'large', night: 'true' } }
    const asked = await world.ok('balances.check', { ...large, required_balance: 2 })
    expect(asked).toMatchObject({ allowed: true, required_balance: 7, balance: { remaining: 100 } })
    const used = await world.ok('balances.check', { ...large, required_balance: 2, send_event: true })
    expect(used.balance.remaining).toBe(93)
    expect((await use(2, large.properties)).deductions).toMatchObject([{ value: 7 }])
    expect((await use(2, { model: 'small' })).deductions).toMatchObject([{ value: 2 }])
    expect(await world.ok('balances.check', { ...large, required_balance: 30 })).toMatchObject({
      ...{ allowed: false, required_balance: 105, reason: 'insufficient_balance' },
    })
  })

  test('come back as they were written, and a new schema counts from the next use on', async () => {
    await credits({ dimensions, multipliers, billing_units: 10 }, 100)
    const [item] = (await world.ok('features.get', { feature_id: 'credits' })).credit_schema
    expect(item).toEqual({
      ...{ metered_feature_id: 'tokens', credit_cost: 1, billing_units: 10 },
      dimensions: { large: { match: { model: 'large' }, priority: 0, credit_cost: 5 } },
      multipliers: { night: { match: { night: 'true' }, factor: 0.5, add: 1 } },
    })
    const { event_id } = await use(10, { model: 'large' })
    await world.ok('features.update', { feature_id: 'credits', credit_schema: schema({ credit_cost: 2 }) })
    expect((await use(1, { model: 'large' })).deductions).toMatchObject([{ value: 2 }])
    // What is given back goes by the price that was paid.
    const back = await world.ok('balances.track', { customer_id: 'alice', refund_of: event_id, value: -4 })
    expect(back.deductions).toMatchObject([{ value: -2 }])
  })

  test.each([
    ['a match of nothing', { dimensions: { d: { match: {}, credit_cost: 1 } } }, 'invalid_inputs'],
    ['a match of an object', { dimensions: { d: { match: { a: {} }, credit_cost: 1 } } }, 'invalid_inputs'],
    ['a dimension without a cost', { dimensions: { d: { match: { a: 1 } } } }, 'invalid_inputs'],
    ['a negative cost', { dimensions: { d: { match: { a: 1 }, credit_cost: -1 } } }, 'invalid_inputs'],
    ['a negative factor', { multipliers: { m: { match: { a: 1 }, factor: -1 } } }, 'invalid_inputs'],
    ['a multiplier of nothing', { multipliers: { m: { match: { a: 1 } } } }, 'invalid_inputs'],
    ['no units', { billing_units: 0 }, 'invalid_inputs'],
    [
      'tiers, which come later',
      { tier_behavior: 'graduated', tiers: [{ to: 'inf', credit_cost: 1 }] },
      'not_supported',
    ],
  ])('refuses %s', async (_label, more, code) => {
    const body = { feature_id: 'credits', name: 'C', type: 'credit_system', credit_schema: schema(more) }
    const reply = await world.call('features.create', body)
    expect([reply.status, reply.body.code]).toEqual([400, code])
  })
})

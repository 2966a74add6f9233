import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, START, type World } from '../world.ts'
import { Kept } from './kept.ts'

let world: World
beforeEach(async () => {
  world = await openWorld()
  await furnish()
})
afterEach(async () => {
  await expectLedgerToAddUp(world.store, 'alice')
  expect(world.faults).toEqual([])
})

async function furnish(): Promise<void> {
  await world.ok('features.create', { feature_id: 'tokens', name: 'Tokens', type: 'metered', consumable: true })
  await world.ok('customers.get_or_create', { customer_id: 'alice' })
}

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
  test('discovered: a property may have the name that an amount has on disk', async () => {
    const match = { $amount: 'x', '$amount entries': 'y', plain: 'z' }
    await credits({ dimensions: { strange: { match, credit_cost: 2 } } }, 10)
    const { features } = await world.store.loadCatalogue('sandbox')
    const stored = features.find(({ id }) => id === 'credits')?.type
    expect(stored).toMatchObject({ costs: [{ tariff: { dimensions: [{ name: 'strange', match }] } }] })
    expect((await use(1, match)).balance.remaining).toBe(8)
  })

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
    ['tiers beside a cost', { tiers: [{ to: 'inf', credit_cost: 1 }] }, 'invalid_inputs'],
    ['no price at all', { credit_cost: null }, 'invalid_inputs'],
    ['a behaviour of no tiers', { credit_cost: undefined, tier_behavior: 'graduated' }, 'invalid_inputs'],
    ['no tiers', { credit_cost: undefined, tiers: [] }, 'invalid_inputs'],
    ['tiers that end', { credit_cost: undefined, tiers: [{ to: 5, credit_cost: 1 }] }, 'invalid_inputs'],
    [
      'tiers that do not rise',
      {
        credit_cost: undefined,
        tiers: [
          { to: 5, credit_cost: 1 },
          { to: 5, credit_cost: 2 },
          { to: 'inf', credit_cost: 3 },
        ],
      },
      'invalid_inputs',
    ],
    [
      'a tier that has no end before the last',
      {
        credit_cost: undefined,
        tiers: [
          { to: 'inf', credit_cost: 1 },
          { to: 'inf', credit_cost: 2 },
        ],
      },
      'invalid_inputs',
    ],
    [
      'a tier of nothing',
      {
        credit_cost: undefined,
        tiers: [
          { to: 0, credit_cost: 1 },
          { to: 'inf', credit_cost: 2 },
        ],
      },
      'invalid_inputs',
    ],
    [
      'tiers by volume',
      { credit_cost: undefined, tier_behavior: 'volume', tiers: [{ to: 'inf', credit_cost: 1 }] },
      'invalid_inputs',
    ],
  ])('refuses %s', async (_label, more, code) => {
    const body = { feature_id: 'credits', name: 'C', type: 'credit_system', credit_schema: schema(more) }
    const reply = await world.call('features.create', body)
    expect([reply.status, reply.body.code]).toEqual([400, code])
  })
})

describe('credits in tiers (K 2.2)', () => {
  const tiers = [
    { to: 10, credit_cost: 0 },
    { to: 100, credit_cost: 2 },
    { to: 'inf', credit_cost: 0.5 },
  ]
  const graduated = { credit_cost: undefined, tier_behavior: 'graduated', tiers }
  const remaining = async () =>
    (await world.ok('balances.check', { customer_id: 'alice', feature_id: 'credits' })).balance.remaining
  const giveBack = (refund_of: string, value?: number) =>
    world.call('balances.track', { customer_id: 'alice', refund_of, ...(value === undefined ? {} : { value }) })

  test('what is used goes through them, however it is split, and each use is one line', async () => {
    await credits(graduated, 1000)
    expect((await use(4)).deductions).toEqual([])
    expect((await use(10)).deductions).toMatchObject([{ feature_id: 'credits', value: 8 }])
    expect((await use(96)).deductions).toMatchObject([{ feature_id: 'credits', value: 177 }])
    expect(await remaining()).toBe(815)
    expect((await use(2)).deductions).toMatchObject([{ value: 1 }])
  })

  test('a check asks what the use would cost now', async () => {
    await credits(graduated, 190)
    const asked = (required_balance: number) =>
      world.ok('balances.check', { customer_id: 'alice', feature_id: 'tokens', required_balance })
    expect(await asked(10)).toMatchObject({ allowed: true, required_balance: 0 })
    expect(await asked(110)).toMatchObject({ allowed: true, required_balance: 185 })
    expect(await asked(121)).toMatchObject({ allowed: false, required_balance: 190.5, reason: 'insufficient_balance' })
    await use(100)
    expect(await asked(20)).toMatchObject({ allowed: true, required_balance: 10 })
    expect(await asked(21)).toMatchObject({ allowed: false, required_balance: 10.5 })
  })

  test('a check of what is not held asks what the first units cost', async () => {
    const body = { feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema: schema(graduated) }
    await world.ok('features.create', body)
    const asked = { customer_id: 'alice', feature_id: 'tokens', required_balance: 110 }
    expect(await world.ok('balances.check', asked)).toMatchObject({
      ...{ allowed: false, required_balance: 185, balance: null, reason: 'no_balance' },
    })
  })

  test('begin anew with each period, and with each balance', async () => {
    await world.ok('features.create', {
      ...{ feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema: schema(graduated) },
    })
    const mine = { customer_id: 'alice', feature_id: 'credits' }
    await world.ok('balances.create', { ...mine, included: 30, reset: { interval: 'month' } })
    await world.ok('balances.create', { ...mine, included: 1000 })
    // 10 free and 15 at 2; then the next balance: 10 free, 5 at 2.
    expect((await use(40)).deductions).toMatchObject([{ value: 30 }, { value: 10 }])
    world.clock.set('2026-02-28T10:00:00Z')
    expect((await use(11)).deductions).toMatchObject([{ value: 2 }])
  })

  test('survive a restart', async () => {
    const kept = new Kept()
    onTestFinished(() => kept.remove())
    world = await kept.open(START)
    await furnish()
    await credits(graduated, 1000)
    await use(12)
    const [stored] = await world.store.load([{ env: 'sandbox', id: 'alice' }])
    const [balance] = [...(stored?.holdings.balances.values() ?? [])].flat()
    expect([...(balance?.metered.values() ?? [])]).toEqual([12_000_000_000_000n])
    world = await kept.open(START)
    const { event_id } = await use(98)
    const { body } = await giveBack(event_id, -15)
    // The ten at 0.5 first, then five at 2.
    expect(body.deductions).toMatchObject([{ value: -15 }])
    expect((await use(10)).deductions).toMatchObject([{ value: 12.5 }])
  })

  test('undoing a use is the identity, the free part included, once in all', async () => {
    await credits(graduated, 1000)
    await use(3)
    const { event_id } = await use(200)
    expect((await giveBack(event_id, -103)).body.deductions).toMatchObject([{ value: -51.5 }])
    expect((await giveBack(event_id, -95)).body.deductions).toMatchObject([{ value: -180 }])
    expect(await remaining()).toBe(1000)
    expect((await giveBack(event_id, -3)).body).toMatchObject({ code: 'refund_exceeds_event' })
    expect((await giveBack(event_id)).status).toBe(200)
    expect((await giveBack(event_id)).body).toMatchObject({ code: 'refund_exceeds_event' })
    expect((await use(8)).deductions).toMatchObject([{ value: 2 }])
  })

  test('giving back to a rollover what it paid in a period that is over leaves the count of this one', async () => {
    await world.ok('features.create', {
      ...{ feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema: schema(graduated) },
    })
    const monthly = { included: 20, reset: { interval: 'month' }, rollover: { duration: 'forever' } }
    await world.ok('balances.create', { customer_id: 'alice', feature_id: 'credits', ...monthly })
    world.clock.set('2026-02-28T10:00:00Z')
    const { event_id } = await use(15)
    world.clock.set('2026-03-31T10:00:00Z')
    expect((await use(12)).deductions).toMatchObject([{ value: 4 }])
    expect((await giveBack(event_id)).body.deductions).toMatchObject([{ value: -10 }])
    expect((await use(1)).deductions).toMatchObject([{ value: 2 }])
  })

  test('what an operator adds is no use: it costs as the first tier does, and counts nothing', async () => {
    const tiered = {
      ...graduated,
      tiers: [
        { to: 10, credit_cost: 3 },
        { to: 'inf', credit_cost: 1 },
      ],
    }
    await credits(tiered, 100)
    await use(15)
    await world.ok('balances.update', { customer_id: 'alice', feature_id: 'tokens', add_to_balance: 4 })
    expect(await remaining()).toBe(77)
    expect((await use(1)).deductions).toMatchObject([{ value: 1 }])
  })

  test('a dimension has tiers of its own, and counts for itself', async () => {
    const large = {
      match: { model: 'large' },
      tier_behavior: 'graduated',
      tiers: [
        { to: 5, credit_cost: 10 },
        { to: 'inf', credit_cost: 7 },
      ],
    }
    await credits({ ...graduated, dimensions: { large } }, 1000)
    await use(10)
    expect((await use(6, { model: 'large' })).deductions).toMatchObject([{ value: 57 }])
    expect((await use(1)).deductions).toMatchObject([{ value: 2 }])
    const [item] = (await world.ok('features.get', { feature_id: 'credits' })).credit_schema
    expect(item).toEqual({
      ...{ metered_feature_id: 'tokens', tier_behavior: 'graduated', tiers },
      dimensions: { large: { ...large, priority: 0 } },
    })
  })

  test('a version that knows no tiers is shown the cost of the first', async () => {
    await credits(graduated, 1000)
    const old = { 'x-api-version': '2.2' }
    const [item] = (await world.ok('features.get', { feature_id: 'credits' }, old)).credit_schema
    expect(item).toEqual({ metered_feature_id: 'tokens', credit_cost: 0 })
    const body = { customer_id: 'alice', expand: ['balances.feature'] }
    const { balances } = await world.ok('customers.get', body, old)
    expect(balances.credits.feature.credit_schema).toEqual([item])
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp, expectPlansToAddUp } from '../ledger.ts'
import { openWorld, type World } from '../world.ts'

const DAY = 86_400_000
const MONTH = { interval: 'month' }
const alice = { customer_id: 'alice' }

let world: World

beforeEach(async () => {
  world = await openWorld()
  for (const [feature_id, consumable] of [
    ['messages', true],
    ['seats', false],
  ] as const)
    await world.ok('features.create', { feature_id, name: feature_id, type: 'metered', consumable })
  await world.ok('customers.get_or_create', alice)
})

afterEach(async () => {
  await expectLedgerToAddUp(world.store, 'alice')
  await expectPlansToAddUp(world.store, 'alice')
  expect(world.faults).toEqual([])
  await world.close()
})

async function sell(plan_id: string, amount: number, items: object[], more: object = {}): Promise<void> {
  await world.ok('plans.create', { plan_id, name: plan_id, price: { amount, ...MONTH }, items, ...more })
}

function attach(plan_id: string, more: object = {}) {
  return world.ok('billing.attach', { ...alice, plan_id, ...more })
}

async function shown(feature_id: string) {
  const { balances } = await world.ok('customers.get', alice)
  const { granted, remaining, usage } = balances[feature_id]
  return { granted, remaining, usage }
}

/** Of messages, in packs of ten, where less than was ordered waits for the next reset. */
const waiting = (feature_id: string) => ({
  feature_id,
  price: { amount: 1, ...MONTH, billing_method: 'prepaid', billing_units: 1 },
  proration: { on_increase: 'prorate_immediately', on_decrease: 'none' },
})

describe('who has lost a seat', () => {
  test('discovered: has one of the plan since that instant, not only since another plan ends (B218)', async () => {
    await sell('starter', 10, [{ feature_id: 'seats', included: 1 }])
    await sell('boost', 5, [{ feature_id: 'messages', included: 10 }], { add_on: true })
    await attach('boost')
    const expires_at = world.clock.now + DAY
    await world.ok('balances.create', { ...alice, feature_id: 'seats', included: 1, expires_at })
    await world.ok('entities.create', { ...alice, entity_id: 'chair', feature_id: 'seats' })
    await attach('starter')
    expect(await shown('seats')).toEqual({ granted: 2, remaining: 1, usage: 1 })
    world.clock.advance(DAY)
    expect(await shown('seats')).toEqual({ granted: 1, remaining: 0, usage: 1 })
    await world.ok('billing.update', { ...alice, plan_id: 'boost', cancel_action: 'cancel_immediately' })
    expect(await shown('seats')).toEqual({ granted: 1, remaining: 0, usage: 1 })
  })
})

describe('what is carried over', () => {
  test('discovered: of a grant without a reset it lasts until the cycle ends (C145)', async () => {
    await sell('starter', 10, [{ feature_id: 'messages', included: 20 }])
    await sell('studio', 24, [{ feature_id: 'messages', included: 60 }])
    await attach('starter')
    await attach('studio', { carry_over_balances: { enabled: true } })
    expect(await shown('messages')).toMatchObject({ remaining: 80 })
    world.clock.set('2026-02-28T10:00:00Z')
    expect(await shown('messages')).toMatchObject({ remaining: 60 })
  })

  test('discovered: comes from the one plan that is removed, where none is replaced (C129)', async () => {
    await sell('boost', 5, [{ feature_id: 'messages', included: 20, reset: MONTH }], { add_on: true })
    await sell('more', 9, [{ feature_id: 'messages', included: 50, reset: MONTH }], { add_on: true })
    await attach('boost')
    await world.ok('balances.track', { ...alice, feature_id: 'messages', value: 5 })
    await attach('more', { remove_plan_ids: ['boost'], carry_over_usages: { enabled: true } })
    expect(await shown('messages')).toEqual({ granted: 50, remaining: 45, usage: 5 })
  })

  test('discovered: comes from the plan that is replaced, also where it is named as one to be removed', async () => {
    await sell('starter', 10, [{ feature_id: 'messages', included: 20, reset: MONTH }])
    await sell('studio', 24, [{ feature_id: 'messages', included: 60, reset: MONTH }])
    await attach('starter')
    await world.ok('balances.track', { ...alice, feature_id: 'messages', value: 5 })
    await attach('studio', { remove_plan_ids: ['starter'], carry_over_usages: { enabled: true } })
    expect(await shown('messages')).toEqual({ granted: 60, remaining: 55, usage: 5 })
  })
})

test('discovered: a plan that is replaced later, and named as one to be removed, gives its balances until then', async () => {
  await sell('starter', 10, [{ feature_id: 'messages', included: 20, reset: MONTH }])
  await sell('studio', 24, [{ feature_id: 'messages', included: 60, reset: MONTH }])
  await attach('studio')
  await attach('starter', { remove_plan_ids: ['studio'] })
  expect(await shown('messages')).toMatchObject({ remaining: 60 })
  world.clock.set('2026-02-28T10:00:00Z')
  expect(await shown('messages')).toMatchObject({ remaining: 20 })
})

test("discovered: a check that is denied, while an entity's plan is about to begin, says so", async () => {
  await world.ok('entities.create', { ...alice, entity_id: 'desk', feature_id: 'seats' })
  await sell('starter', 10, [{ feature_id: 'messages', included: 20, reset: MONTH }])
  await world.ok('balances.create', { ...alice, feature_id: 'messages', included: 1 })
  await attach('starter', { entity_id: 'desk', starts_at: world.clock.now + DAY })
  const reply = await world.call('balances.check', { ...alice, feature_id: 'messages', required_balance: 2 })
  expect([reply.status, reply.body.allowed]).toEqual([200, false])
})

describe('a smaller quantity that waits for the next cycle (W22, C160)', () => {
  test('discovered: is what the next plan inherits once that has begun (C132)', async () => {
    await sell('starter', 10, [{ ...waiting('messages'), reset: MONTH }])
    await sell('studio', 24, [{ ...waiting('messages'), reset: MONTH }])
    await attach('starter', { feature_quantities: [{ feature_id: 'messages', quantity: 5 }] })
    const less = { plan_id: 'starter', feature_quantities: [{ feature_id: 'messages', quantity: 3 }] }
    await world.ok('billing.update', { ...alice, ...less })
    expect(await shown('messages')).toMatchObject({ granted: 5 })
    world.clock.set('2026-02-28T10:00:00Z')
    expect(await shown('messages')).toMatchObject({ granted: 3 })
    await attach('studio')
    expect(await shown('messages')).toMatchObject({ granted: 3 })
  })

  test('discovered: is there from then on where it is of seats, which do not reset', async () => {
    await sell('starter', 10, [waiting('seats')])
    await attach('starter', { feature_quantities: [{ feature_id: 'seats', quantity: 5 }] })
    const less = { plan_id: 'starter', feature_quantities: [{ feature_id: 'seats', quantity: 3 }] }
    await world.ok('billing.update', { ...alice, ...less })
    expect(await shown('seats')).toMatchObject({ granted: 5 })
    world.clock.set('2026-02-28T10:00:00Z')
    expect(await shown('seats')).toMatchObject({ granted: 3 })
  })

  test.each([
    ['into the past: it is had from now on', '2026-01-31T09:00:00Z', 3, '2026-02-01T10:00:00Z', 3],
    ['to sooner: it is had from then on', '2026-02-03T10:00:00Z', 5, '2026-02-03T10:00:00Z', 3],
    ['to later: it is had from then on', '2026-03-05T10:00:00Z', 5, '2026-02-28T10:00:00Z', 5],
  ])('discovered: goes with a reset that is moved by hand %s (B119)', async (_label, to, now, at, then) => {
    await sell('starter', 10, [{ ...waiting('messages'), reset: MONTH }])
    await sell('studio', 24, [{ ...waiting('messages'), reset: MONTH }])
    await attach('starter', { feature_quantities: [{ feature_id: 'messages', quantity: 5 }] })
    const less = { plan_id: 'starter', feature_quantities: [{ feature_id: 'messages', quantity: 3 }] }
    await world.ok('billing.update', { ...alice, ...less })
    await world.ok('balances.update', { ...alice, feature_id: 'messages', next_reset_at: Date.parse(to) })
    expect(await shown('messages')).toMatchObject({ granted: now })
    world.clock.set(at)
    expect(await shown('messages')).toMatchObject({ granted: then })
    await attach('studio')
    expect(await shown('messages')).toMatchObject({ granted: then })
  })
})

describe('units that are bought once pay what is owed of the feature (C163)', () => {
  const drops = (included: number, price: object | null = null) => ({
    feature_id: 'messages',
    included,
    ...(price === null ? { reset: MONTH } : { price }),
  })
  const once = { amount: 3, interval: 'one_off', billing_method: 'prepaid', billing_units: 4 }
  const buy = (quantity: number) =>
    world.ok('billing.update', {
      ...alice,
      plan_id: 'mixed',
      feature_quantities: [{ feature_id: 'messages', quantity }],
    })
  beforeEach(async () => {
    await sell('mixed', 12, [drops(1), drops(0, once)])
    await attach('mixed')
  })

  test('discovered: but not what a lock holds, which comes back by itself', async () => {
    const lock = { enabled: true, lock_id: 'one', overage_behavior: 'overflow' }
    const more = { required_balance: 3, lock }
    expect((await world.ok('balances.check', { ...alice, feature_id: 'messages', ...more })).allowed).toBe(true)
    await buy(4)
    expect(await shown('messages')).toEqual({ granted: 5, remaining: 4, usage: 3 })
    await world.ok('balances.finalize', { lock_id: 'one', action: 'release' })
    expect(await shown('messages')).toEqual({ granted: 5, remaining: 5, usage: 0 })
  })

  test('discovered: no more than is left of them', async () => {
    await buy(4)
    const messages = { ...alice, feature_id: 'messages' }
    await world.ok('balances.update', { ...messages, interval: 'one_off', remaining: -3 })
    await world.ok('balances.track', { ...messages, value: 3, overage_behavior: 'overflow' })
    expect(await shown('messages')).toEqual({ granted: 5, remaining: 0, usage: 10 })
    await buy(4)
    expect(await shown('messages')).toEqual({ granted: 9, remaining: 0, usage: 10 })
    await buy(4)
    expect(await shown('messages')).toEqual({ granted: 13, remaining: 3, usage: 10 })
  })
})

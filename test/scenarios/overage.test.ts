import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { codeOf, Story } from './story.ts'

/** Use beyond what a plan grants, through the whole application. */

let s: Story

const usage = (feature: string, included: number, more: object = {}) => ({
  feature_id: feature,
  included,
  ...(feature === 'seats' ? {} : { reset: { interval: 'month' } }),
  price: { amount: 1, interval: 'month', billing_method: 'usage_based', billing_units: 1, ...more },
})

beforeAll(async () => {
  s = await Story.begin()
  const plans = {
    capped: [usage('messages', 100, { max_purchase: 50 })],
    endless: [usage('messages', 100)],
    free: [{ feature_id: 'messages', included: 40, reset: { interval: 'month' } }, { feature_id: 'sso' }],
    team: [usage('seats', 5, { max_purchase: 2 })],
    desks: [
      { feature_id: 'seats', included: 5 },
      { feature_id: 'messages', included: 50, entity_feature_id: 'seats', reset: { interval: 'month' } },
    ],
  }
  for (const [plan_id, items] of Object.entries(plans))
    await s.world.ok('plans.create', { plan_id, name: plan_id, group: plan_id, items })
})

beforeEach(() => s.anew())

const attach = (plan_id: string) => s.world.ok('billing.attach', { customer_id: 'alice', plan_id })
const allowed = async (feature: string, required: number, more: object = {}) =>
  (await s.check(feature, required, { ...more })).allowed

test('V13, V73: a plan with a maximum is used up to it, and no further', async () => {
  await attach('capped')
  expect([await allowed('messages', 150), await allowed('messages', 151)]).toEqual([true, false])
  const { deductions } = await s.track('messages', 120)
  expect(deductions).toMatchObject([{ plan_id: 'capped', value: 120 }])
  expect([await allowed('messages', 30), await allowed('messages', 31)]).toEqual([true, false])
  expect(await allowed('messages', 31, { send_event: true })).toBe(false)
  expect(await allowed('messages', 10, { send_event: true })).toBe(true)
  expect(await codeOf(s.world, 'balances.track', { ...ALICE, value: 21, overage_behavior: 'reject' })).toBe(
    '400 insufficient_balance',
  )
  await s.track('messages', 500)
  await s.holds('messages', '100/0/150')
  const denied = await s.check('messages', 1)
  expect(denied).toMatchObject({ allowed: false, reason: 'insufficient_balance' })
  expect(denied.available_at).toBe(Date.parse('2026-02-28T10:00:00Z'))
  s.at('2026-02-28')
  await s.holds('messages', '100/100/0')
})

test('the balance tells what may be owed and at which price (B30, B41, B42)', async () => {
  await attach('capped')
  await attach('free')
  await s.track('messages', 150)
  const { balances, flags } = await s.world.ok('customers.get', { customer_id: 'alice' })
  expect(flags.sso.plan_id).toBe('free')
  expect(balances.messages).toMatchObject({ overage_allowed: true, max_purchase: 50, remaining: 0, usage: 150 })
  expect(balances.messages.breakdown).toMatchObject([
    { plan_id: 'free', usage: 40, price: null },
    { plan_id: 'capped', usage: 110, price: { amount: 1, billing_method: 'usage_based', max_purchase: 50 } },
  ])
  const old = await s.world.ok('customers.get', { customer_id: 'alice' }, { 'x-api-version': '2.0' })
  expect(old.balances.messages).toMatchObject({ purchased_balance: 10, current_balance: 0, plan_id: null })
})

test('V72, V4: without a maximum everything is taken, and a later grant repays nothing', async () => {
  await attach('endless')
  await s.track('messages', 1_000_000)
  expect(await allowed('messages', 1e9)).toBe(true)
  await s.grant('messages', { included_grant: 200, balance_id: 'gift' })
  await s.track('messages', 150)
  const { balances } = await s.world.ok('customers.get', { customer_id: 'alice' })
  expect(balances.messages).toMatchObject({ granted: 300, remaining: 50, usage: 1_000_150 })
})

test('a lock holds what may be owed and gives it back', async () => {
  await attach('capped')
  const lock = { enabled: true, lock_id: 'job' }
  expect(await allowed('messages', 151, { lock })).toBe(false)
  expect(await allowed('messages', 140, { lock })).toBe(true)
  await s.holds('messages', '100/0/140')
  await s.world.ok('balances.finalize', { lock_id: 'job', action: 'confirm', override_value: 110 })
  await s.holds('messages', '100/0/110')
  expect([await allowed('messages', 40), await allowed('messages', 41)]).toEqual([true, false])
})

test('B219: no more entities than seats that are included and may be bought', async () => {
  await attach('team')
  await s.seat('a', 'b', 'c', 'd', 'e', 'f')
  await s.holds('seats', '5/0/6')
  const two = ['g', 'h'].map((entity_id) => ({ entity_id, feature_id: 'seats' }))
  expect(await s.refused('entities.create', { entities: two })).toMatchObject({
    status: 400,
    code: 'feature_limit_reached',
  })
  await s.seat('g')
  await s.holds('seats', '5/0/7')
  expect(await s.refused('entities.create', { entities: two.slice(1) })).toMatchObject({
    code: 'feature_limit_reached',
  })
  await s.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'a' })
  await s.seat('h')
})

test('B122, B130, B131: what is paid for keeps its end and goes with its plan, what is free may go', async () => {
  await attach('capped')
  const later = s.world.clock.now + 1000
  expect(await s.refused('balances.update', { feature_id: 'messages', expires_at: later })).toMatchObject({
    status: 400,
    code: 'invalid_request',
  })
  expect(await s.refused('balances.delete', { feature_id: 'messages' })).toMatchObject({
    status: 409,
    code: 'invalid_request',
  })
  await s.holds('messages', '100/100/0')
  await s.anew()
  await attach('free')
  await s.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages' })
  await s.holds('messages', 'nothing')
})

describe('an item that each entity has for itself', () => {
  beforeEach(async () => {
    await attach('desks')
    await s.seat('e2', 'e1')
  })

  test('V19-V21: is shown in one line and spent in the order of the ids', async () => {
    await s.holds('messages', '100/100/0')
    await s.sees('e1', 'messages', '50/50/0')
    expect(await s.lines('messages')).toHaveLength(1)
    await s.track('messages', 30, { entity_id: 'e2' })
    await s.track('messages', 55)
    await s.sees('e1', 'messages', '50/0/50')
    await s.sees('e2', 'messages', '50/15/35')
    await s.holds('messages', '100/15/85')
    expect([await allowed('messages', 15), await allowed('messages', 16)]).toEqual([true, false])
  })

  test('V45: a lock of the customer goes back to the slices it came from', async () => {
    await s.check('messages', 70, { lock: { enabled: true, lock_id: 'job' } })
    await s.sees('e2', 'messages', '50/30/20')
    await s.world.ok('balances.finalize', { lock_id: 'job', action: 'confirm', override_value: 60 })
    await s.sees('e2', 'messages', '50/40/10')
  })
})

test('the books of all of it add up', async () => {
  await attach('capped')
  await attach('team')
  await s.seat('a', 'b', 'c', 'd', 'e', 'f')
  await s.check('messages', 140, { lock: { enabled: true, lock_id: 'job' } })
  await s.track('messages', -20)
  await s.world.ok('balances.finalize', { lock_id: 'job', action: 'release' })
  await s.track('messages', 999)
  s.at('2026-03-31')
  await s.track('messages', 130, { overage_behavior: 'overflow' })
  const { ledger } = await expectLedgerToAddUp(s.world.store, 'alice')
  expect(ledger.some(({ permit }) => permit === 'overage')).toBe(true)
})

const ALICE = { customer_id: 'alice', feature_id: 'messages' }

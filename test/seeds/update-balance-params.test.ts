import { beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { Story } from '../scenarios/story.ts'

type Body = Record<string, unknown>

/** The document of the newer update: every field that it lists, in each generation that it belongs to. */
describe.each(['2.1.0', '2.2.0', '2.3.0', '2.4.0'])('UpdateBalanceParams (%s)', (version) => {
  let story: Story
  beforeEach(async () => {
    story = await Story.begin()
    await story.grant('messages', { included: 100, reset: { interval: 'month' }, balance_id: 'month' })
    await story.grant('messages', { included: 50, balance_id: 'once' })
  })

  const headers = { 'x-api-version': version }
  const alice = { customer_id: 'alice', feature_id: 'messages' }

  const update = async (fields: Body) => {
    expect(await story.world.ok('balances.update', { ...alice, ...fields }, headers)).toEqual({ success: true })
    await expectLedgerToAddUp(story.world.store, 'alice')
  }
  const refusal = async (fields: Body): Promise<[number, string, string]> => {
    const { status, body } = await story.world.call('balances.update', { ...alice, ...fields }, headers)
    return [status, body.code, body.message]
  }
  const codeOf = async (fields: Body) => (await refusal(fields)).slice(0, 2).join(' ')
  const remaining = async (more: Body = {}) => {
    const { balance } = await story.world.ok('balances.check', { ...alice, ...more }, headers)
    return balance.remaining
  }

  test('customer_id: whose balance it is', async () => {
    await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
    await story.world.ok('balances.create', { customer_id: 'bob', feature_id: 'messages', included: 7 })
    await update({ customer_id: 'bob', remaining: 5 })
    expect([await remaining({ customer_id: 'bob' }), await remaining()]).toEqual([5, 150])
    expect(await codeOf({ customer_id: 'nobody', remaining: 1 })).toBe('404 customer_not_found')
    expect(await codeOf({ customer_id: undefined, remaining: 1 })).toBe('400 invalid_inputs')
    expect(await codeOf({ customer_id: null, remaining: 1 })).toBe('400 invalid_inputs')
  })

  test('feature_id: of which feature', async () => {
    await story.grant('images', { included: 9 })
    await update({ feature_id: 'images', remaining: 4 })
    expect([await remaining({ feature_id: 'images' }), await remaining()]).toEqual([4, 150])
    expect(await codeOf({ feature_id: 'nope', remaining: 1 })).toBe('404 feature_not_found')
    expect(await codeOf({ feature_id: undefined, remaining: 1 })).toBe('400 invalid_inputs')
  })

  test('entity_id: what an entity sees becomes exactly the value, and its own balance moves first', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 20, entity_id: 'e1', balance_id: 'own' })
    for (const [value, own] of [
      [165, 'own 15'],
      [151, 'own 1'],
      [500, 'own 350'],
    ] as const) {
      await update({ entity_id: 'e1', remaining: value })
      expect(await remaining({ entity_id: 'e1' })).toBe(value)
      expect(await story.lines('messages', 'e1')).toEqual([own, 'month 100', 'once 50'])
    }
    await update({ entity_id: 'e1', remaining: 120 })
    expect([await remaining({ entity_id: 'e1' }), await remaining({ entity_id: 'e2' })]).toEqual([120, 120])
    await update({ entity_id: 'e2', add_to_balance: 5 })
    expect(await remaining({ entity_id: 'e1' })).toBe(125)
    expect(await codeOf({ entity_id: 'nope', remaining: 1 })).toBe('404 entity_not_found')
  })

  test.each([0, 0.1, 30, 149.999999999999, 150, 151, 1e6])('remaining: %s is exactly what is left', async (value) => {
    await story.track('messages', 33.3)
    await update({ remaining: value })
    const { balances } = await story.world.ok('balances.list', { customer_id: 'alice' })
    const left = balances.map((one: Body) => one['remaining'])
    expect([await remaining(), left[0] + left[1]]).toEqual([value, value])
    const { balance } = await story.check('messages', value)
    expect(balance.remaining).toBe(value)
    expect((await story.check('messages', value)).allowed).toBe(true)
    expect((await story.check('messages', value + 0.001)).allowed).toBe(false)
  })

  test('remaining: below zero leaves nothing and a debt', async () => {
    await update({ remaining: -40 })
    expect(await remaining()).toBe(0)
    expect((await story.check('messages', 0.1)).allowed).toBe(false)
    // What is given afterwards pays the debt first.
    await update({ add_to_balance: 50 })
    expect(await remaining()).toBe(10)
  })

  test.each([0, 20, 50, 80, 149, 200, 450])('remaining: %s is exact with rollovers, too (B102)', async (value) => {
    await story.grant('messages', {
      included: 200,
      reset: { interval: 'month' },
      rollover: { max: 150, duration: 'month', length: 2 },
      balance_id: 'rolling',
    })
    await story.track('messages', 60)
    story.at('2026-02-28')
    // 100 and 200 anew, 50 for good, 150 rolled over.
    expect(await remaining()).toBe(500)
    await update({ remaining: value })
    expect(await remaining()).toBe(value)
    // Twice is once.
    await update({ remaining: value })
    expect(await remaining()).toBe(value)
    expect((await story.check('messages', value)).allowed).toBe(true)
    expect((await story.check('messages', value + 0.5)).allowed).toBe(false)
  })

  test('remaining: what is set at the same time by many is what one of them set', async () => {
    const values = [10, 20, 30, 40, 50, 60]
    await Promise.all(values.map((value) => story.world.ok('balances.update', { ...alice, remaining: value }, headers)))
    expect(values).toContain(await remaining())
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test.each([
    [25, 110, 135],
    [-25, 110, 85],
    [-110, 110, 0],
    [-500, 110, 0],
    [0.000000000001, 110, 110.000000000001],
    [1000, 110, 1110],
  ])('add_to_balance: %s to %s leaves %s', async (value, before, after) => {
    await story.track('messages', 40)
    expect(await remaining()).toBe(before)
    await update({ add_to_balance: value })
    const { balances } = await story.world.ok('balances.list', { customer_id: 'alice' })
    const granted = balances.reduce((sum: number, one: Body) => sum + Number(one['included_grant']), 0)
    const left = balances.reduce((sum: number, one: Body) => sum + Number(one['remaining']), 0)
    expect([granted, left]).toEqual([150, after])
  })

  test('add_to_balance: what many add at the same time is all added (B109)', async () => {
    const add = () => story.world.ok('balances.update', { ...alice, add_to_balance: 5 }, headers)
    await Promise.all(Array.from({ length: 10 }, add))
    expect(await remaining()).toBe(200)
  })

  test.each([
    ['remaining', 'add_to_balance'],
    ['current_balance', 'add_to_balance'],
    ['remaining', 'usage'],
    ['add_to_balance', 'usage'],
  ])('%s: cannot be combined with %s', async (a, b) => {
    const [status, code, message] = await refusal({ [a]: 0, [b]: 0 })
    expect([status, code]).toEqual([400, 'invalid_inputs'])
    expect(message).toContain(b)
    expect(await remaining()).toBe(150)
  })

  test('remaining: wins over current_balance, its older name (B86)', async () => {
    await update({ remaining: 12, current_balance: 99 })
    expect(await remaining()).toBe(12)
  })

  test('interval: tells balances of one feature apart', async () => {
    await update({ interval: 'month', remaining: 30 })
    expect(await story.lines('messages')).toEqual(['month 30', 'once 50'])
    await update({ interval: 'one_off', add_to_balance: -20 })
    expect(await story.lines('messages')).toEqual(['month 30', 'once 30'])
    await update({ remaining: 100 })
    expect(await story.lines('messages')).toEqual(['month 70', 'once 30'])
    expect(await codeOf({ interval: 'day', remaining: 1 })).toBe('404 balance_not_found')
    expect(await codeOf({ interval: 'monthly', remaining: 1 })).toBe('400 invalid_inputs')
  })
})

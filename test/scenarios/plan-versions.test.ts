import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { World } from '../world.ts'
import { codeOf, Story } from './story.ts'

type Body = Record<string, unknown>

let serial = 0
const fiveOf = (feature_id: string) => ({ feature_id, included: 5 })
const FIVE = [fiveOf('messages'), { feature_id: 'sso' }]
const NINE = [{ feature_id: 'messages', included: 9 }, { feature_id: 'sso' }]
const FEE = { amount: 10, interval: 'month' }
const TRIAL = { duration_length: 7, duration_type: 'day', card_required: false }

describe('a plan that changes', () => {
  let story: Story
  let world: World
  beforeAll(async () => {
    story = await Story.begin()
    world = story.world
  })
  beforeEach(async () => {
    // What one test gives to everyone is not given to the customers of the next.
    for (const { id, auto_enable } of (await world.ok('plans.list', {})).list)
      if (auto_enable) await update(id, { auto_enable: false })
    await story.anew()
  })
  afterAll(async () => {
    await world.close()
    expect(world.faults).toEqual([])
  })

  /** A plan that no other test knows, in a group of its own. */
  async function plan(body: Body = { items: FIVE }): Promise<string> {
    const plan_id = `v${++serial}`
    await world.ok('plans.create', { plan_id, name: 'Plan', group: plan_id, ...body })
    return plan_id
  }
  const update = (plan_id: string, change: Body) => world.ok('plans.update', { plan_id, ...change })
  const refused = (plan_id: string, change: Body) => codeOf(world, 'plans.update', { plan_id, ...change })
  const get = (plan_id: string, version?: number) => world.ok('plans.get', { plan_id, version })
  const attach = (plan_id: string, more: Body = {}) =>
    world.ok('billing.attach', { customer_id: 'alice', plan_id, no_billing_changes: true, ...more })
  const end = (plan_id: string) =>
    world.ok('billing.update', {
      customer_id: 'alice',
      plan_id,
      cancel_action: 'cancel_immediately',
      no_billing_changes: true,
    })
  const messages = async () => (await world.ok('customers.get', { customer_id: 'alice' })).balances.messages?.granted
  const versions = async (plan_id: string) =>
    (await world.ok('plans.list', { all_versions: true, include_archived: true })).list.filter(
      ({ id }: { id: string }) => id === plan_id,
    )
  const included = ({ items }: { items: { included: number }[] }) => items[0]?.included

  describe('that nobody has, changes in place', () => {
    test.each<[string, Body, Body]>([
      ['C53: items, and the fee stays', { items: NINE }, { price: { amount: 10 }, items: NINE }],
      ['C53: no items', { items: [] }, { price: { amount: 10 }, items: [] }],
      ['C53: the fee, and items stay', { price: { ...FEE, amount: 11 } }, { price: { amount: 11 }, items: FIVE }],
      ['C53: no fee', { price: null }, { price: null, items: FIVE }],
      [
        'another trial',
        { free_trial: { duration_length: 1 } },
        { free_trial: { duration_length: 1, card_required: true } },
      ],
      ['its name and what is said of it', { name: 'New', description: 'X' }, { name: 'New', description: 'X' }],
      ['nothing is said of it', { description: null }, { description: null }],
      ['an add-on', { add_on: true }, { add_on: true }],
      ['C60: configured', { config: { ignore_past_due: true } }, { config: { ignore_past_due: true } }],
      ['C60: configured in nothing', { config: {} }, { config: { ignore_past_due: false } }],
      ['its metadata', { metadata: { a: 'b' } }, { metadata: { a: 'b' } }],
      ['K trap 14: its group, as older clients send it', { group: '' }, { group: null }],
      ['archived', { archived: true }, { archived: true }],
    ])('%s', async (_label, change, expected) => {
      const id = await plan({ items: FIVE, price: FEE, free_trial: TRIAL })
      const before = await get(id)
      const after = await update(id, change)
      expect(after).toMatchObject({ ...expected, version: 1, created_at: before.created_at })
      expect(await get(id)).toEqual(after)
      expect(
        Object.keys(after).filter((key) => JSON.stringify(after[key]) !== JSON.stringify(before[key])).length,
      ).toBeLessThan(3)
    })

    test('C53: without its trial', async () => {
      const id = await plan({ price: FEE, free_trial: TRIAL })
      const { free_trial: _, ...others } = await get(id)
      expect(await update(id, { free_trial: null })).toEqual(others)
    })

    test('C62: to ask for a card takes it from those that everyone is given', async () => {
      const id = await plan({ price: FEE, free_trial: TRIAL, auto_enable: true })
      expect(await update(id, { free_trial: { ...TRIAL, card_required: true } })).toMatchObject({ auto_enable: false })
      expect(await refused(id, { auto_enable: true })).toBe('400 invalid_request')
    })

    test('is refused what it cannot be, and stays', async () => {
      const id = await plan({ items: FIVE, auto_enable: true })
      const before = await get(id)
      for (const [change, code] of [
        [{ price: FEE }, '400 invalid_request'],
        [{ items: [fiveOf('nope')] }, '404 feature_not_found'],
        [{ items: [fiveOf('messages'), fiveOf('messages')] }, '400 invalid_product_item'],
        [{ disable_version: true, force_version: true }, '400 conflicting_version_flags'],
        [{ all_versions: true, disable_version: true }, '400 conflicting_version_flags'],
        [{ version: 2 }, '404 product_not_found'],
        [{ version: 0 }, '400 invalid_inputs'],
        [{ new_plan_id: 'a b' }, '400 invalid_inputs'],
        [{ new_plan_id: await plan() }, '400 product_already_exists'],
        [{ migration: { draft: true } }, '400 not_supported'],
        [{ variants: [{}] }, '200'],
        [{ variants: [{ id: 'x' }] }, '400 not_supported'],
      ] as const) {
        expect(await refused(id, { name: before.name, ...change })).toBe(code)
        expect(await get(id)).toEqual(before)
      }
      expect(await refused('nope', {})).toBe('404 product_not_found')
    })
  })

  describe('that somebody has', () => {
    test('W31, C55, C58: other terms make a version, and who has it keeps what it has', async () => {
      const id = await plan({ items: FIVE, auto_enable: true, metadata: { a: '1' } })
      await attach(id)
      world.clock.advance(1000)
      const next = await update(id, { items: NINE, metadata: { a: '2' } })
      expect(next).toMatchObject({ version: 2, items: NINE, auto_enable: true, metadata: { a: '2' } })
      expect(next.created_at).toBe(world.clock.now)
      expect(await get(id)).toEqual(next)
      expect(await get(id, 1)).toMatchObject({ version: 1, items: FIVE, auto_enable: false, metadata: { a: '2' } })
      expect(await messages()).toBe(5)
      // The next version comes after the highest, whichever it is made from.
      expect(await update(id, { version: 1, items: [], force_version: true })).toMatchObject({ version: 3, items: [] })
      expect((await versions(id)).map(({ auto_enable }: Body) => auto_enable)).toEqual([false, false, true])
    })

    test.each<[string, Body]>([
      ['W30: the same items', { items: FIVE }],
      ['the same items in another order', { items: [...FIVE].reverse() }],
      [
        'the same, said in other words',
        {
          items: [
            { ...fiveOf('messages'), reset: { interval: 'one_off', interval_count: 3 } },
            { feature_id: 'sso', unlimited: false, included: 0 },
          ],
        },
      ],
      ['the same fee', { price: { ...FEE, interval_count: 1 } }],
      ['the same trial', { free_trial: { ...TRIAL, on_end: 'bill' } }],
      [
        'C57: settings',
        {
          name: 'N',
          description: 'D',
          group: 'other',
          add_on: true,
          archived: true,
          config: { ignore_past_due: true },
          metadata: { a: 'b' },
        },
      ],
    ])('%s make no version', async (_label, change) => {
      const id = await plan({ items: FIVE, price: FEE, free_trial: TRIAL })
      await attach(id)
      expect((await update(id, change)).version).toBe(1)
      expect(await versions(id)).toHaveLength(1)
    })

    test.each<[string, Body]>([
      ['an amount', { items: NINE }],
      ['a fee', { price: null }],
      ['a trial', { free_trial: null }],
      ['an item', { items: [...FIVE, { feature_id: 'seats' }] }],
      ['nothing, by force', { force_version: true }],
    ])('another one for %s', async (_label, change) => {
      const id = await plan({ items: FIVE, price: FEE, free_trial: TRIAL })
      await attach(id)
      expect((await update(id, change)).version).toBe(2)
    })

    test('C56: nobody has it any more, and it changes in place', async () => {
      const id = await plan()
      await attach(id)
      await end(id)
      expect(await update(id, { items: NINE })).toMatchObject({ version: 1, items: NINE })
    })

    test('C56: who will have it counts', async () => {
      const id = await plan({ items: FIVE, price: FEE })
      await attach(id, { starts_at: world.clock.now + 86_400_000 })
      expect((await update(id, { items: NINE })).version).toBe(2)
      world.clock.advance(86_400_000)
      expect(await messages()).toBe(5)
    })

    test('C59: without a version it changes for those who come later', async () => {
      const id = await plan()
      await attach(id)
      const after = await update(id, { items: NINE, disable_version: true, name: 'New' })
      expect(after).toMatchObject({ version: 1, items: NINE, name: 'New' })
      expect(await get(id)).toEqual(after)
      expect(await versions(id)).toEqual([after])
      expect(await messages()).toBe(5)
      await world.ok('customers.get_or_create', { customer_id: 'bob' })
      await world.ok('billing.attach', { customer_id: 'bob', plan_id: id, no_billing_changes: true })
      expect((await world.ok('customers.get', { customer_id: 'bob' })).balances.messages.granted).toBe(9)
      // Both have version 1, so that a further change makes another.
      await world.ok('customers.delete', { customer_id: 'bob' })
      expect((await update(id, { items: FIVE })).version).toBe(2)
    })

    test('all versions change, and who has one keeps it', async () => {
      const id = await plan()
      await attach(id)
      await update(id, { items: NINE })
      const after = await update(id, { items: [fiveOf('images')], all_versions: true, archived: true })
      expect(after.version).toBe(2)
      expect(await versions(id)).toMatchObject([
        { version: 1, items: [{ feature_id: 'images' }], archived: true },
        { version: 2, items: [{ feature_id: 'images' }], archived: true },
      ])
      expect(await messages()).toBe(5)
      expect(after).toEqual(await get(id))
    })

    test('C70: an older version changes, and is not for everyone', async () => {
      const id = await plan({ items: FIVE })
      await update(id, { items: NINE, force_version: true })
      expect(await update(id, { version: 1, name: 'Old' })).toMatchObject({ version: 1, name: 'Old', items: FIVE })
      expect(await get(id)).toMatchObject({ version: 2, name: 'Plan' })
      expect(await refused(id, { version: 1, auto_enable: true })).toBe('400 historical_plan_version_cannot_be_default')
      expect(await update(id, { version: 2, auto_enable: true })).toMatchObject({ auto_enable: true })
      expect(await update(id, { all_versions: true, auto_enable: true })).toMatchObject({ auto_enable: true })
      expect(await get(id, 1)).toMatchObject({ auto_enable: false })
    })
  })

  describe('its id', () => {
    test('is that of all its versions', async () => {
      const id = await plan()
      await update(id, { force_version: true })
      expect(await update(id, { new_plan_id: `${id}_new`, items: NINE })).toMatchObject({
        id: `${id}_new`,
        version: 2,
        items: NINE,
      })
      expect((await versions(`${id}_new`)).map(included)).toEqual([5, 9])
      expect(await refused(id, {})).toBe('404 product_not_found')
      expect(await plan({})).not.toBe(id)
      expect(await codeOf(world, 'plans.create', { plan_id: id, name: 'Again' })).toBe('200')
    })

    test('C61: stays when anybody ever had it', async () => {
      const id = await plan()
      await attach(id)
      expect(await refused(id, { new_plan_id: `${id}_new` })).toBe('409 invalid_request')
      await end(id)
      expect(await refused(id, { new_plan_id: `${id}_new`, force_version: true })).toBe('409 invalid_request')
      expect(await refused(id, { new_plan_id: id })).toBe('200')
      expect(await versions(id)).toHaveLength(1)
    })
  })

  describe('goes', () => {
    const remove = (plan_id: string, more: Body = {}) => codeOf(world, 'plans.delete', { plan_id, ...more })

    test('by its newest version, or as a whole', async () => {
      const id = await plan()
      for (const items of [NINE, []]) await update(id, { items, force_version: true })
      expect(await remove(id, { all_versions: false })).toBe('200')
      expect(await get(id)).toMatchObject({ version: 2, items: NINE })
      expect(await remove(id, { all_versions: true })).toBe('200')
      expect(await remove(id)).toBe('404 product_not_found')
    })

    test('W32, C67: not while anybody had it', async () => {
      const id = await plan()
      await attach(id)
      await end(id)
      expect(await remove(id)).toBe('400 invalid_request')
      await update(id, { force_version: true })
      expect(await remove(id, { all_versions: true })).toBe('400 invalid_request')
      // Nobody had the newest version.
      expect(await remove(id)).toBe('200')
      expect(await get(id)).toMatchObject({ version: 1 })
    })

    test('C59, C67: not the version of which somebody has what it was', async () => {
      const id = await plan()
      await attach(id)
      await update(id, { items: NINE, disable_version: true })
      expect(await remove(id)).toBe('400 invalid_request')
    })
  })

  test('C65: the newest versions are listed, in the order of their plans', async () => {
    const ids = [await plan(), await plan()]
    world.clock.advance(1000)
    ids.push(await plan())
    await attach(ids[0] ?? '')
    await update(ids[0] ?? '', { items: NINE, disable_version: true })
    await update(ids[1] ?? '', { force_version: true })
    await update(ids[2] ?? '', { archived: true })
    const list = async (body: Body) =>
      (await world.ok('plans.list', body)).list
        .filter(({ id }: { id: string }) => ids.includes(id))
        .map(({ id, version }: { id: string; version: number }) => `${ids.indexOf(id)} v${version}`)
    expect(await list({ customer_id: 'nobody', entity_id: 'none' })).toEqual(['0 v1', '1 v2'])
    expect(await list({ all_versions: true })).toEqual(['0 v1', '1 v1', '1 v2'])
    expect(await list({ include_archived: true })).toEqual(['0 v1', '1 v2', '2 v1'])
  })

  describe('keeps its features (B234, B236)', () => {
    test.each(['feature_id', 'entity_feature_id'])('%s', async (field) => {
      const feature_id = `held${++serial}`
      await world.ok('features.create', { feature_id, name: 'Held', type: 'metered', consumable: false })
      const id = await plan({ items: [{ ...fiveOf('messages'), [field]: feature_id }] })
      await update(id, { items: [], force_version: true })
      expect(await codeOf(world, 'features.delete', { feature_id })).toBe('409 invalid_request')
      expect(await codeOf(world, 'features.update', { feature_id, consumable: true })).toBe('400 invalid_feature')
      expect(
        await codeOf(world, 'features.update', { feature_id, name: 'New', new_feature_id: `${feature_id}_new` }),
      ).toBe('200')
      expect((await get(id, 1)).items[0][field]).toBe(`${feature_id}_new`)
      await world.ok('plans.delete', { plan_id: id, all_versions: true })
      expect(await codeOf(world, 'features.delete', { feature_id: `${feature_id}_new` })).toBe('200')
    })
  })
})

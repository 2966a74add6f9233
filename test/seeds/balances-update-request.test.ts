import { beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { Story } from '../scenarios/story.ts'

type Body = Record<string, unknown>

const now = Date.parse('2026-01-31T10:00:00Z')
const DAY = 86_400_000

/** The document of the older update: every field that it lists, on both paths, in its own generation and in the newest. */
describe.each([
  ['POST /v1/balances/update', '2.0.0'],
  ['POST /v1/balances.update', '2.0.0'],
  ['POST /v1/balances/update', '2.4.0'],
  ['POST /v1/balances.update', '2.4.0'],
])('BalancesUpdateRequest (%s at %s)', (path, version) => {
  let story: Story
  beforeEach(async () => {
    story = await Story.begin()
    await story.grant('messages', { included: 100, reset: { interval: 'month' }, balance_id: 'month' })
    await story.grant('messages', { included: 50, balance_id: 'once' })
  })

  const headers = { 'x-api-version': version }
  const alice = { customer_id: 'alice', feature_id: 'messages' }

  const update = async (fields: Body) => {
    expect(await story.world.ok(path, { ...alice, ...fields }, headers)).toEqual({ success: true })
    await expectLedgerToAddUp(story.world.store, 'alice')
  }
  const refusal = async (fields: Body): Promise<[number, string, string]> => {
    const { status, body } = await story.world.call(path, { ...alice, ...fields }, headers)
    return [status, body.code, body.message]
  }
  const codeOf = async (fields: Body) => (await refusal(fields)).slice(0, 2).join(' ')

  /** The internal id of a balance, by the caller's. */
  const internal = async (id: string): Promise<string> => {
    const { balances } = await story.world.ok('balances.list', { customer_id: 'alice' })
    return balances.find((one: Body) => one['id'] === id).customer_entitlement_id
  }

  test('customer_id: whose balance it is, by the caller’s id or the internal one', async () => {
    await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
    await story.world.ok('balances.create', { customer_id: 'bob', feature_id: 'messages', included: 7 })
    await update({ customer_id: 'bob', current_balance: 5 })
    await story.holds('messages', '150/150/0')
    const bob = await story.world.ok('customers.get', { customer_id: 'bob', with_autumn_id: true })
    expect(bob.balances.messages).toMatchObject({ granted: 7, remaining: 5, usage: 2 })
    await update({ customer_id: bob.autumn_id, current_balance: 4 })
    const { balances } = await story.world.ok('customers.get', { customer_id: 'bob' })
    expect(balances.messages.remaining).toBe(4)
    expect(await codeOf({ customer_id: 'nobody', current_balance: 1 })).toBe('404 customer_not_found')
    expect(await codeOf({ customer_id: undefined, current_balance: 1 })).toBe('400 invalid_inputs')
    expect(await codeOf({ customer_id: 5, current_balance: 1 })).toBe('400 invalid_inputs')
  })

  test('entity_id: an entity’s balances, its own before those that it shares', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 20, entity_id: 'e1', balance_id: 'own' })
    await update({ entity_id: 'e1', current_balance: 155 })
    expect(await story.lines('messages', 'e1')).toEqual(['own 5', 'month 100', 'once 50'])
    await story.sees('e2', 'messages', '150/150/0')
    await update({ current_balance: 150 })
    expect(await story.lines('messages', 'e1')).toEqual(['own 5', 'month 100', 'once 50'])
    expect(await codeOf({ entity_id: 'nope', current_balance: 1 })).toBe('404 entity_not_found')
    await story.sees('e1', 'messages', '170/155/15')
  })

  test('feature_id: which balances; those of other features are left alone', async () => {
    await story.grant('images', { included: 9 })
    await update({ feature_id: 'images', current_balance: 4 })
    await story.holds('images', '9/4/5')
    await story.holds('messages', '150/150/0')
    expect(await codeOf({ feature_id: 'nope', current_balance: 1 })).toBe('404 feature_not_found')
    expect(await codeOf({ feature_id: undefined, current_balance: 1 })).toBe('400 invalid_inputs')
    expect(await codeOf({ feature_id: 'credits', current_balance: 1 })).toBe('404 balance_not_found')
  })

  test.each([
    // current_balance   granted/remaining/usage    month and once
    [150, '150/150/0', ['month 100', 'once 50']],
    [120.5, '150/120.5/29.5', ['month 70.5', 'once 50']],
    [30, '150/30/120', ['month 0', 'once 30']],
    [0.000000000001, '150/1e-12/149.999999999999', ['month 0', 'once 1e-12']],
    [400, '150/400/-250', ['month 350', 'once 50']],
    [-25, '100/0/125', ['month 0']],
    ['12.5', '150/12.5/137.5', ['month 0', 'once 12.5']],
  ])('current_balance: %s is what is left afterwards', async (current_balance, figures, lines) => {
    await story.track('messages', 10)
    await update({ current_balance })
    await story.holds('messages', figures)
    expect(await story.lines('messages')).toEqual(lines)
  })

  test('current_balance: must be a number within reach', async () => {
    for (const current_balance of [null, true, '', 'many', [], 1e16, -1e16]) {
      expect(await codeOf({ current_balance })).toBe('400 invalid_inputs')
    }
    await story.holds('messages', '150/150/0')
  })

  test.each(['minute', 'hour', 'day', 'week', 'month', 'quarter', 'semi_annual', 'year', 'one_off'])(
    'interval: %s means the balances that reset so often, and no others',
    async (interval) => {
      const intervals = ['minute', 'hour', 'day', 'week', 'quarter', 'semi_annual', 'year']
      for (const every of intervals) {
        await story.grant('messages', { included: 10, reset: { interval: every }, balance_id: every })
      }
      const before = await story.lines('messages')
      await update({ interval, current_balance: 3 })
      const target = interval === 'one_off' ? 'once' : interval
      const after = before.map((line) => (line.startsWith(`${target} `) ? `${target} 3` : line))
      expect(after).not.toEqual(before)
      expect(await story.lines('messages')).toEqual(after)
    },
  )

  test('interval: takes all balances that have it together, however many periods each counts (B94)', async () => {
    await story.grant('messages', {
      included: 10,
      reset: { interval: 'month', interval_count: 3 },
      balance_id: 'three',
    })
    await update({ interval: 'month', usage: 105 })
    expect(await story.lines('messages')).toEqual(['month 0', 'three 5', 'once 50'])
    expect(await codeOf({ interval: 'week', current_balance: 1 })).toBe('404 balance_not_found')
    expect(await codeOf({ interval: 'fortnight', current_balance: 1 })).toBe('400 invalid_inputs')
  })

  test('granted_balance: what was granted; what is left stays, so that the use moves', async () => {
    await story.track('messages', 30)
    await update({ granted_balance: 200 })
    await story.holds('messages', '200/120/80')
    await update({ granted_balance: 90, interval: 'month' })
    await story.holds('messages', '140/120/20')
    await update({ granted_balance: 60, current_balance: 60, interval: 'one_off' })
    await story.holds('messages', '150/130/20')
    story.at('2026-02-28')
    // An adjustment lasts until the next reset, and what never resets keeps it (B117).
    await story.holds('messages', '160/160/0')
  })

  test.each([
    [30, '150/120/30'],
    [27.35, '150/122.65/27.35'],
    [0, '150/150/0'],
    [120, '150/30/120'],
    [180, '100/0/130'],
    [-20, '150/170/-20'],
  ])('usage: %s is what counts as used afterwards', async (usage, figures) => {
    await story.track('messages', 60)
    await update({ usage })
    // A one-off balance that stands at zero is not shown, nor what was used of it.
    await story.holds('messages', figures)
    const { balances } = await story.world.ok('balances.list', { customer_id: 'alice' })
    expect(balances.reduce((sum: number, one: Body) => sum + Number(one['usage']), 0)).toBeCloseTo(usage, 12)
  })

  test('usage: cannot be combined with a balance', async () => {
    for (const other of ['current_balance', 'add_to_balance']) {
      const [status, code, message] = await refusal({ usage: 1, [other]: 1 })
      expect([status, code]).toEqual([400, 'invalid_inputs'])
      expect(message).toContain('usage')
    }
    await story.holds('messages', '150/150/0')
  })

  test('customer_entitlement_id: one balance by its internal id, whether or not it has one of the caller’s', async () => {
    await story.grant('messages', { included: 5, reset: { interval: 'day' } })
    const { balances } = await story.world.ok('balances.list', { customer_id: 'alice' })
    const bare = balances.at(-1).id
    expect(bare).toBe(balances.at(-1).customer_entitlement_id)
    await update({ customer_entitlement_id: bare, current_balance: 2 })
    await update({ customer_entitlement_id: await internal('once'), current_balance: 20 })
    expect(await story.lines('messages')).toEqual([`${bare} 2`, 'month 100', 'once 20'])
  })

  test('customer_entitlement_id: one balance by the id that the caller gave it', async () => {
    await update({ customer_entitlement_id: 'once', current_balance: 20 })
    await update({ customer_entitlement_id: 'month', usage: 1 })
    expect(await story.lines('messages')).toEqual(['month 99', 'once 20'])
  })

  test('customer_entitlement_id: one that is not there, not of this feature or not of this interval is not found', async () => {
    await story.grant('images', { included: 9, balance_id: 'image' })
    for (const customer_entitlement_id of ['nope', 'cus_ent_nope', 'image', await internal('image')]) {
      expect(await codeOf({ customer_entitlement_id, current_balance: 1 })).toBe('404 balance_not_found')
    }
    expect(await codeOf({ customer_entitlement_id: 'once', interval: 'month', usage: 1 })).toBe('404 balance_not_found')
    await update({ customer_entitlement_id: 'once', interval: 'one_off', usage: 1 })
    await story.holds('messages', '150/149/1')
  })

  test('next_reset_at: moves the next reset, and those after it', async () => {
    await story.track('messages', 40)
    await update({ next_reset_at: now + 5 * DAY })
    expect((await story.check('messages')).balance.next_reset_at).toBe(now + 5 * DAY)
    await story.holds('messages', '150/110/40')
    story.world.clock.set(now + 5 * DAY)
    await story.holds('messages', '150/150/0')
    const { balance } = await story.check('messages')
    expect(new Date(balance.next_reset_at).toISOString()).toBe('2026-03-05T10:00:00.000Z')
  })

  test('next_reset_at: in the past resets at once; what never resets has none', async () => {
    await story.track('messages', 40)
    await update({ next_reset_at: now - DAY })
    await story.holds('messages', '150/150/0')
    expect(await codeOf({ next_reset_at: now + DAY, interval: 'one_off' })).toBe('400 invalid_request')
    expect(await codeOf({ next_reset_at: 'tomorrow' })).toBe('400 invalid_inputs')
    expect(await codeOf({ next_reset_at: now + 0.5 })).toBe('400 invalid_inputs')
  })

  test.each([
    [10, ['month 70', 'once 50']],
    [0.25, ['month 60.25', 'once 50']],
    [-10, ['month 50', 'once 50']],
    [-100, ['month 0', 'once 10']],
    [-200, ['month 0', 'once 0']],
    [1000, ['month 1060', 'once 50']],
    [0, ['month 60', 'once 50']],
  ])('add_to_balance: %s is added to what is left', async (add_to_balance, lines) => {
    await story.track('messages', 40)
    await update({ add_to_balance })
    const { balances } = await story.world.ok('balances.list', { customer_id: 'alice' })
    expect(balances.map((one: Body) => `${one['id']} ${one['remaining']}`)).toEqual(lines)
    const used = balances.reduce((sum: number, one: Body) => sum + Number(one['usage']), 0)
    expect(used).toBe(40 - add_to_balance)
  })

  test('add_to_balance: cannot be combined with current_balance, and the sentence says so', async () => {
    const [status, code, message] = await refusal({ add_to_balance: 1, current_balance: 1 })
    expect([status, code]).toEqual([400, 'invalid_inputs'])
    expect(message).toMatch(/add_to_balance/)
    await story.holds('messages', '150/150/0')
  })

  test('what the answers of 2.0 call them afterwards', async () => {
    await update({ current_balance: -25, granted_balance: 160 })
    const { balance } = await story.world.ok('balances.check', alice, { 'x-api-version': '2.0.0' })
    expect(balance).toMatchObject({
      granted_balance: 110,
      purchased_balance: 25,
      current_balance: 0,
      usage: 135,
    })
  })
})

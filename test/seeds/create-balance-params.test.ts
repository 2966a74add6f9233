import { beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { Story } from '../scenarios/story.ts'

type Body = Record<string, unknown>

const now = Date.parse('2026-01-31T10:00:00Z')
const DAY = 86_400_000

/** The document of the creation of a balance: every field that it lists, on both paths, in its generation and in the newest. */
describe.each([
  ['POST /v1/balances.create', '2.1.0'],
  ['POST /v1/balances/create', '2.1.0'],
  ['POST /v1/balances.create', '2.4.0'],
  ['POST /v1/balances/create', '2.4.0'],
])('CreateBalanceParams (%s at %s)', (path, version) => {
  let story: Story
  beforeEach(async () => {
    story = await Story.begin()
  })

  const headers = { 'x-api-version': version }
  const alice = { customer_id: 'alice', feature_id: 'messages' }

  const create = async (fields: Body) => {
    expect(await story.world.ok(path, { ...alice, ...fields }, headers)).toEqual({ success: true })
    await expectLedgerToAddUp(story.world.store, 'alice')
  }
  const refusal = async (fields: Body): Promise<[string, string]> => {
    const { status, body } = await story.world.call(path, { ...alice, ...fields }, headers)
    return [`${status} ${body.code}`, body.message]
  }
  const codeOf = async (fields: Body) => (await refusal(fields))[0]
  const nothing = async () => {
    const { balances, flags } = await story.world.ok('customers.get', { customer_id: 'alice' })
    expect([balances, flags]).toEqual([{}, {}])
  }

  test('customer_id: who gets it; nobody is created for it', async () => {
    await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
    const bob = await story.world.ok('customers.get', { customer_id: 'bob', with_autumn_id: true })
    for (const customer_id of ['bob', bob.autumn_id]) await create({ customer_id, included: 5 })
    const { balances } = await story.world.ok('customers.get', { customer_id: 'bob' })
    expect(balances.messages.granted).toBe(10)
    await nothing()
    expect(await codeOf({ customer_id: 'nobody', included: 5 })).toBe('404 customer_not_found')
    expect(await codeOf({ customer_id: undefined, included: 5 })).toBe('400 invalid_inputs')
    const reply = await story.world.call('customers.get', { customer_id: 'nobody' })
    expect(reply.status).toBe(404)
  })

  test('feature_id: of what', async () => {
    await create({ feature_id: 'images', included: 5 })
    await create({ feature_id: 'credits', included: 6 })
    await create({ feature_id: 'seats', included: 7 })
    await create({ feature_id: 'sso' })
    const { balances, flags } = await story.world.ok('customers.get', { customer_id: 'alice' })
    expect(Object.entries(balances).map(([id, one]) => [id, Object(one).granted])).toEqual([
      ['images', 5],
      ['seats', 7],
      ['credits', 6],
    ])
    expect(Object.keys(flags)).toEqual(['sso'])
    expect(await codeOf({ feature_id: 'nope', included: 5 })).toBe('404 feature_not_found')
    expect(await codeOf({ feature_id: undefined, included: 5 })).toBe('400 invalid_inputs')
  })

  test('entity_id: makes it the balance of that entity alone', async () => {
    await story.seat('e1', 'e2')
    await create({ entity_id: 'e1', included: 5 })
    await story.sees('e1', 'messages', '5/5/0')
    await story.sees('e2', 'messages', 'nothing')
    await story.holds('messages', '5/5/0')
    expect((await story.check('messages')).allowed).toBe(false)
    expect((await story.check('messages', 5, { entity_id: 'e1' })).allowed).toBe(true)
    expect(await codeOf({ entity_id: 'nope', included: 5 })).toBe('404 entity_not_found')
    expect(await codeOf({ entity_id: 'e1', feature_id: 'seats', included: 5 })).toBe('400 invalid_request')
    expect(await codeOf({ entity_id: null, included: 5 })).toBe('400 invalid_inputs')
  })

  test.each([0, 0.5, 100, 123.000000000001, 1e15])('included: %s is granted and there to use', async (included) => {
    await create({ included, balance_id: 'b', reset: { interval: 'month' } })
    await story.holds('messages', `${included}/${included}/0`)
    expect((await story.check('messages', included)).allowed).toBe(true)
  })

  test('included: must be a number that is not negative; each creation adds a balance', async () => {
    for (const included of [-1, null, true, 'many', 1e16]) {
      expect(await codeOf({ included })).toBe('400 invalid_inputs')
    }
    await nothing()
    await create({ included: 5, balance_id: 'a' })
    await create({ included: '7', balance_id: 'b' })
    expect(await story.lines('messages')).toEqual(['a 5', 'b 7'])
  })

  test('unlimited: without end, and not together with included', async () => {
    const [code, message] = await refusal({ unlimited: true, included: 5 })
    expect(code).toBe('400 invalid_inputs')
    expect(message).toContain('included')
    expect(message).toContain('unlimited')
    expect(await codeOf({ unlimited: true, included: 0 })).toBe('400 invalid_inputs')
    expect(await codeOf({ unlimited: 'yes' })).toBe('400 invalid_inputs')
    expect(await codeOf({ unlimited: false })).toBe('400 invalid_inputs')
    await nothing()
    await create({ unlimited: true })
    const { allowed, balance } = await story.check('messages', 1e15)
    expect([allowed, balance.unlimited, balance.granted, balance.remaining]).toEqual([true, true, 0, 0])
    await create({ unlimited: false, included: 5 })
    expect((await story.check('messages')).balance.unlimited).toBe(true)
  })

  test('reset: absent it is given once and never resets', async () => {
    await create({ included: 5, balance_id: 'b' })
    await story.track('messages', 2)
    const { balance } = await story.check('messages')
    expect(balance.breakdown).toMatchObject([{ reset: { interval: 'one_off', resets_at: null } }])
    expect(balance.next_reset_at).toBeNull()
    story.at('2036-01-31')
    await story.holds('messages', '5/3/2')
    await create({ included: 1, reset: { interval: 'one_off' }, balance_id: 'same' })
    expect((await story.check('messages')).balance.breakdown[1].reset).toEqual({ interval: 'one_off', resets_at: null })
  })

  test.each([
    [{ interval: 'minute' }, '2026-01-31T10:01:00.000Z'],
    [{ interval: 'hour', interval_count: 36 }, '2026-02-01T22:00:00.000Z'],
    [{ interval: 'day' }, '2026-02-01T10:00:00.000Z'],
    [{ interval: 'week', interval_count: 2 }, '2026-02-14T10:00:00.000Z'],
    [{ interval: 'month' }, '2026-02-28T10:00:00.000Z'],
    [{ interval: 'month', interval_count: 2 }, '2026-03-31T10:00:00.000Z'],
    [{ interval: 'quarter' }, '2026-04-30T10:00:00.000Z'],
    [{ interval: 'semi_annual' }, '2026-07-31T10:00:00.000Z'],
    [{ interval: 'year', interval_count: 1 }, '2027-01-31T10:00:00.000Z'],
  ])('reset: %o first resets at %s', async (reset, expected) => {
    await create({ included: 5, reset })
    await story.track('messages', 2)
    const { balance } = await story.check('messages')
    expect(new Date(balance.next_reset_at).toISOString()).toBe(expected)
    const count = 'interval_count' in reset ? reset.interval_count : 1
    expect(balance.breakdown[0].reset).toEqual({
      interval: reset.interval,
      ...(count === 1 ? {} : { interval_count: count }),
      resets_at: balance.next_reset_at,
    })
    story.world.clock.set(balance.next_reset_at - 1)
    await story.holds('messages', '5/3/2')
    story.world.clock.set(balance.next_reset_at)
    await story.holds('messages', '5/5/0')
  })

  test('reset: must name an interval and a whole number of them', async () => {
    for (const reset of [{}, { interval: 'fortnight' }, { interval: 'day', interval_count: 0 }, 'month', null]) {
      expect(await codeOf({ included: 5, reset })).toBe('400 invalid_inputs')
    }
    await nothing()
  })

  test('expires_at: then it is gone, with its use', async () => {
    await create({ included: 5, expires_at: now + DAY })
    await story.track('messages', 2)
    expect((await story.check('messages')).balance.breakdown[0].expires_at).toBe(now + DAY)
    story.world.clock.set(now + DAY - 1)
    await story.holds('messages', '5/3/2')
    story.world.clock.set(now + DAY)
    await story.holds('messages', 'nothing')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('expires_at: not together with reset, and not in the past', async () => {
    const [code, message] = await refusal({ included: 5, expires_at: now + DAY, reset: { interval: 'month' } })
    expect(code).toBe('400 invalid_inputs')
    expect(message).toContain('reset')
    expect(message).toContain('expires_at')
    for (const expires_at of [now, now - 1, 0, -1, now + 0.5, 'tomorrow', null]) {
      expect(await codeOf({ included: 5, expires_at })).toBe('400 invalid_inputs')
    }
    await nothing()
    await create({ included: 5, expires_at: now + DAY, reset: { interval: 'one_off' } })
  })
})

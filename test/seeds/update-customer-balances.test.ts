import { beforeEach, describe, expect, test } from 'vitest'
import { Story } from '../scenarios/story.ts'

type Body = Record<string, unknown>

const now = Date.parse('2026-01-31T10:00:00Z')

/** The document of a balance in the answer of an update of its customer: every field that it lists. */
describe.each(['2.1.0', '2.2.0', '2.3.0', '2.4.0'])('UpdateCustomerBalances (%s)', (version) => {
  /** These versions want every optional key, null where there is nothing. */
  const filled = version < '2.3'
  let story: Story
  beforeEach(async () => {
    story = await Story.begin()
    await story.grant('messages', {
      included: 100,
      reset: { interval: 'month' },
      rollover: { max: 50, duration: 'month', length: 2 },
      balance_id: 'month',
    })
    await story.track('messages', 70.5)
    story.at('2026-02-28')
    await story.grant('messages', { included: 20, expires_at: Date.parse('2027-01-01T00:00:00Z'), balance_id: 'gift' })
    await story.track('messages', 45)
    await story.grant('images', { unlimited: true })
    await story.track('images', 8)
    await story.grant('seats', { included: 5 })
    await story.grant('sso', {})
  })

  const update = (fields: Body = {}) =>
    story.world.ok('customers.update', { customer_id: 'alice', ...fields }, { 'x-api-version': version })
  const balanceOf = async (feature: string, fields: Body = {}) => (await update(fields)).balances[feature]

  test('every metered feature that is held has one, by its id; a flag has none', async () => {
    const { balances, flags, name } = await update({ name: 'Alice' })
    expect([Object.keys(balances).toSorted(), Object.keys(flags), name]).toEqual([
      ['images', 'messages', 'seats'],
      ['sso'],
      'Alice',
    ])
  })

  test('object: "balance"', async () => {
    const { balances } = await update()
    expect(Object.values(balances).map((one) => Object(one).object)).toEqual(['balance', 'balance', 'balance'])
  })

  test('feature_id: the feature’s id', async () => {
    const { balances } = await update()
    for (const [id, one] of Object.entries(balances)) expect(Object(one).feature_id).toBe(id)
  })

  test('feature: the feature itself, only where it is expanded', async () => {
    const bare = await balanceOf('messages')
    expect([bare.feature ?? null, 'feature' in bare]).toEqual([null, filled])
    const { feature } = await balanceOf('messages', { expand: ['balances.feature'] })
    expect(feature).toEqual({
      id: 'messages',
      name: 'Messages',
      type: 'metered',
      consumable: true,
      event_names: [],
      archived: false,
      ...(filled ? { credit_schema: null, display: null } : {}),
    })
  })

  test('granted: all that was granted for now, rollovers included', async () => {
    // 100 anew, 29.5 rolled over, 20 as a gift.
    expect((await balanceOf('messages')).granted).toBe(149.5)
    expect((await balanceOf('images')).granted).toBe(0)
    expect((await balanceOf('seats')).granted).toBe(5)
  })

  test('remaining: what may be spent, and what update sets', async () => {
    expect((await balanceOf('messages')).remaining).toBe(104.5)
    await story.update('messages', { remaining: 12.25 })
    expect((await balanceOf('messages')).remaining).toBe(12.25)
    await story.update('seats', { remaining: -2 })
    expect((await balanceOf('seats')).remaining).toBe(0)
  })

  test('usage: what was used for now; beyond the grant it is a debt', async () => {
    expect((await balanceOf('messages')).usage).toBe(45)
    expect((await balanceOf('images')).usage).toBe(8)
    await story.track('seats', 7)
    expect((await balanceOf('seats')).usage).toBe(7)
    await story.update('messages', { add_to_balance: 50 })
    expect((await balanceOf('messages')).usage).toBe(-5)
  })

  test('unlimited: whether it never ends', async () => {
    expect([(await balanceOf('messages')).unlimited, (await balanceOf('images')).unlimited]).toEqual([false, true])
  })

  test('overage_allowed: whether use beyond the grant is sold, which it never is here', async () => {
    expect((await balanceOf('messages')).overage_allowed).toBe(false)
    expect((await balanceOf('images')).overage_allowed).toBe(false)
  })

  test('max_purchase: null, as nothing is sold', async () => {
    expect((await balanceOf('messages')).max_purchase).toBeNull()
  })

  test('next_reset_at: the soonest reset in Unix milliseconds, or null', async () => {
    expect((await balanceOf('messages')).next_reset_at).toBe(Date.parse('2026-03-31T10:00:00Z'))
    expect((await balanceOf('seats')).next_reset_at).toBeNull()
    expect((await balanceOf('images')).next_reset_at).toBeNull()
    await story.grant('messages', { included: 1, reset: { interval: 'day' } })
    expect((await balanceOf('messages')).next_reset_at).toBe(Date.parse('2026-03-01T10:00:00Z'))
  })

  test('breakdown: each balance by itself, in the order in which they are spent', async () => {
    const count = filled ? { interval_count: null } : {}
    expect((await balanceOf('messages')).breakdown).toEqual([
      {
        id: 'month',
        plan_id: null,
        included_grant: 100,
        prepaid_grant: 0,
        remaining: 84.5,
        usage: 15.5,
        unlimited: false,
        reset: { interval: 'month', resets_at: Date.parse('2026-03-31T10:00:00Z'), ...count },
        price: null,
        expires_at: null,
      },
      {
        id: 'gift',
        plan_id: null,
        included_grant: 20,
        prepaid_grant: 0,
        remaining: 20,
        usage: 0,
        unlimited: false,
        reset: { interval: 'one_off', resets_at: null, ...count },
        price: null,
        expires_at: Date.parse('2027-01-01T00:00:00Z'),
      },
    ])
    expect((await balanceOf('seats')).breakdown).toMatchObject([{ reset: null, included_grant: 5 }])
    expect((await balanceOf('images')).breakdown).toMatchObject([{ unlimited: true, usage: 8, reset: null }])
  })

  test('rollovers: what was kept at resets, only where something can be', async () => {
    expect((await balanceOf('messages')).rollovers).toEqual([
      { granted: 29.5, balance: 0, expires_at: Date.parse('2026-04-28T10:00:00Z') },
    ])
    const seats = await balanceOf('seats')
    expect([seats.rollovers ?? null, 'rollovers' in seats]).toEqual([null, filled])
    await story.grant('credits', {
      included: 3,
      reset: { interval: 'day' },
      rollover: { max_percentage: 100, duration: 'forever' },
    })
    expect((await balanceOf('credits')).rollovers).toEqual([])
    story.at('2026-03-01')
    // A rollover that never expires says so with a zero.
    expect((await balanceOf('credits')).rollovers).toEqual([{ granted: 3, balance: 3, expires_at: 0 }])
  })

  test('every key is there with its type, and no other', async () => {
    const types = {
      object: 'string',
      feature_id: 'string',
      granted: 'number',
      remaining: 'number',
      usage: 'number',
      unlimited: 'boolean',
      overage_allowed: 'boolean',
    }
    const { balances } = await update({ metadata: { seen: now } })
    for (const [id, value] of Object.entries(balances)) {
      const one: Body = Object(value)
      for (const [key, type] of Object.entries(types)) expect(typeof one[key], `${id}.${key}`).toBe(type)
      expect([null, 'number'], `${id}.max_purchase`).toContain(
        one['max_purchase'] === null ? null : typeof one['max_purchase'],
      )
      expect([null, 'number']).toContain(one['next_reset_at'] === null ? null : typeof one['next_reset_at'])
      expect(Array.isArray(one['breakdown'])).toBe(true)
      const optional = filled ? ['feature', 'rollovers'] : id === 'messages' ? ['rollovers'] : []
      expect(Object.keys(one).toSorted()).toEqual(
        [...Object.keys(types), 'max_purchase', 'next_reset_at', 'breakdown', ...optional].toSorted(),
      )
    }
    expect(balances).toEqual(
      (await story.world.ok('customers.get', { customer_id: 'alice' }, { 'x-api-version': version })).balances,
    )
  })

  test('those of an update by the older paths are the same', async () => {
    const { balances } = await update()
    for (const method of ['POST', 'PATCH']) {
      const answer = await story.world.ok(`${method} /v1/customers/alice`, { name: 'A' }, { 'x-api-version': version })
      expect(answer.balances).toEqual(balances)
    }
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorld, type World } from '../world.ts'

/**
 * Keys that the published clients of 2.1 and 2.2 have to find in an answer, null where there is nothing: by hand from the
 * tables of the specification (K 3.3-3.7). Nested shapes are checked where there is something.
 */
interface Shape {
  readonly keys: readonly string[]
  readonly inside?: Readonly<Record<string, Shape>>
  /** Of every value of a map, or every item of a list. */
  readonly each?: Shape
}

const reset: Shape = { keys: ['interval', 'interval_count', 'resets_at'] }
const feature: Shape = {
  keys: ['id', 'name', 'type', 'consumable', 'archived', 'event_names', 'credit_schema', 'display'],
}
const line: Shape = {
  keys: [
    ...['id', 'plan_id', 'included_grant', 'prepaid_grant', 'remaining', 'usage'],
    ...['unlimited', 'reset', 'price', 'expires_at'],
  ],
  inside: { reset },
}
const balance: Shape = {
  keys: [
    ...['object', 'feature_id', 'feature', 'granted', 'remaining', 'usage', 'unlimited'],
    ...['overage_allowed', 'max_purchase', 'next_reset_at', 'breakdown', 'rollovers'],
  ],
  inside: {
    feature,
    breakdown: { keys: [], each: line },
    rollovers: { keys: [], each: { keys: ['balance', 'expires_at'] } },
  },
}
const balances: Shape = { keys: [], each: balance }
const flag: Shape = { keys: ['id', 'plan_id', 'expires_at', 'feature_id', 'feature'], inside: { feature } }
const preview: Shape = { keys: ['scenario', 'title', 'message', 'feature_id', 'feature_name', 'products'] }
const check: Shape = {
  keys: ['allowed', 'customer_id', 'required_balance', 'balance', 'flag', 'preview'],
  inside: { balance, flag, preview },
}
const track: Shape = {
  keys: ['customer_id', 'entity_id', 'event_name', 'value', 'balance', 'balances'],
  inside: { balance, balances },
}
const billingControls = ['auto_topups', 'spend_limits', 'usage_alerts', 'overage_allowed']
const customer: Shape = {
  keys: [
    ...['id', 'name', 'email', 'created_at', 'fingerprint', 'stripe_id', 'env', 'metadata', 'send_email_receipts'],
    ...['billing_controls', 'subscriptions', 'purchases', 'balances', 'flags'],
    ...['config', 'invoices', 'entities', 'trials_used', 'referrals'],
  ],
  inside: {
    billing_controls: { keys: billingControls },
    balances,
    flags: { keys: [], each: flag },
  },
}
const entity: Shape = {
  keys: [
    ...['id', 'name', 'customer_id', 'feature_id', 'created_at', 'env'],
    ...['subscriptions', 'purchases', 'balances', 'flags', 'billing_controls', 'invoices'],
  ],
  inside: { billing_controls: { keys: billingControls }, balances, flags: { keys: [], each: flag } },
}
const page = ['list', 'has_more', 'offset', 'limit', 'total', 'total_count', 'total_filtered_count']
const customers: Shape = { keys: page, inside: { list: { keys: [], each: customer } } }
const entities: Shape = { keys: page, inside: { list: { keys: [], each: entity } } }
const events: Shape = {
  keys: ['list', 'has_more', 'offset', 'limit', 'total'],
  inside: {
    list: { keys: [], each: { keys: ['id', 'timestamp', 'feature_id', 'customer_id', 'value', 'properties'] } },
  },
}

let world: World
beforeEach(async () => {
  world = await openWorld()
  const features = [
    { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true },
    { feature_id: 'sso', name: 'SSO', type: 'boolean' },
    { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false },
    { feature_id: 'renders', name: 'Renders', type: 'metered', consumable: true, event_names: ['render.done'] },
    {
      feature_id: 'credits',
      name: 'Credits',
      type: 'credit_system',
      credit_schema: [{ metered_feature_id: 'renders', credit_cost: 2 }],
      display: { singular: 'credit', plural: 'credits' },
    },
  ]
  for (const one of features) await world.ok('features.create', one)
  await world.ok('customers.get_or_create', { customer_id: 'ada' })
  const give = (balance: object) => world.ok('balances.create', { customer_id: 'ada', ...balance })
  await give({
    feature_id: 'messages',
    included_grant: 10,
    reset: { interval: 'day' },
    rollover: { max: 5, length: 1 },
  })
  await give({ feature_id: 'messages', included_grant: 5, reset: { interval: 'week', interval_count: 2 } })
  await give({ feature_id: 'messages', included_grant: 5 })
  await give({ feature_id: 'seats', included_grant: 3 })
  await give({ feature_id: 'sso' })
  await give({ feature_id: 'credits', included_grant: 50 })
  // A day later there is a rollover to show.
  world.clock.advance(86_400_000)
})
afterEach(() => world.close())

const at = (version: string) => (operation: string, body: object) =>
  world.ok(operation, body, { 'x-api-version': version })

describe.each(['2.1', '2.1.0', '2.2.0'])('version %s', (version) => {
  const ask = (operation: string, body: object) => at(version)(operation, body)

  test.each([
    ['messages', 'balance'],
    ['seats', 'balance'],
    ['sso', 'flag'],
    ['renders', 'balance'],
  ])('a check of %s has every key, and null where there is nothing', async (feature_id, filled) => {
    const answer = await ask('balances.check', { customer_id: 'ada', feature_id })
    expect(missing(check, answer)).toEqual([])
    expect(answer[filled]).toMatchObject({ feature_id: expect.any(String), feature: null })
    expect([answer.preview, answer[filled === 'flag' ? 'balance' : 'flag']]).toEqual([null, null])
  })

  test('a check that was denied, expanded or uses at once has them too', async () => {
    const denied = { customer_id: 'ada', feature_id: 'messages', required_balance: 1000, with_preview: true }
    const answer = await ask('balances.check', { ...denied, expand: ['balance.feature'] })
    expect(missing(check, answer)).toEqual([])
    expect(answer.balance.feature).toMatchObject({ id: 'messages', credit_schema: null, display: null })
    expect(answer.preview).toMatchObject({ scenario: 'usage_limit', products: [] })
    const used = await ask('balances.check', { customer_id: 'ada', feature_id: 'renders', send_event: true })
    expect(missing(check, used)).toEqual([])
    expect(Object.keys(used.balances)).toEqual(['credits'])
  })

  test('a track has them, and no null in the map of balances', async () => {
    const one = await ask('balances.track', { customer_id: 'ada', feature_id: 'messages' })
    expect(missing(track, one)).toEqual([])
    expect([one.entity_id, one.event_name, one.balances]).toEqual([null, null, null])
    const shared = await ask('balances.track', { customer_id: 'ada', event_name: 'render.done' })
    expect(missing(track, shared)).toEqual([])
    expect(Object.keys(shared.balances)).toEqual(['credits'])
    await world.ok('balances.delete', { customer_id: 'ada', feature_id: 'credits' })
    const unpaid = await ask('balances.track', { customer_id: 'ada', event_name: 'render.done' })
    expect(missing(track, unpaid)).toEqual([])
    expect([unpaid.balance, unpaid.balances]).toEqual([null, {}])
  })

  test('a customer has them', async () => {
    const answer = await ask('customers.get_or_create', { customer_id: 'ada' })
    expect(missing(customer, answer)).toEqual([])
    expect([answer.invoices, answer.entities, answer.trials_used, answer.referrals]).toEqual([null, null, null, null])
    expect(Object.keys(answer.balances).sort()).toEqual(['credits', 'messages', 'seats'])
    expect(answer.balances.messages.rollovers).toHaveLength(1)
    expect(answer.balances.seats.rollovers).toBeNull()
    const updated = await ask('customers.update', { customer_id: 'ada', name: 'Ada' })
    expect(missing(customer, updated)).toEqual([])
    const expanded = await ask('customers.get', {
      customer_id: 'ada',
      expand: ['invoices', 'entities', 'balances.feature', 'flags.feature'],
    })
    expect(missing(customer, expanded)).toEqual([])
    expect([expanded.invoices, expanded.flags.sso.feature.display]).toEqual([[], null])
    expect(expanded.balances.credits.feature.display).toEqual({ singular: 'credit', plural: 'credits' })
  })

  test('a feature has them', async () => {
    expect(missing(feature, await ask('features.get', { feature_id: 'messages' }))).toEqual([])
    const { list } = await ask('features.list', {})
    expect(list).toHaveLength(5)
    expect(missing({ keys: [], each: feature }, list)).toEqual([])
    const created = await ask('features.create', { feature_id: 'new', name: 'New', type: 'boolean' })
    expect(missing(feature, created)).toEqual([])
  })

  test('an entity has them', async () => {
    const desk = { customer_id: 'ada', entity_id: 'desk' }
    const created = await ask('entities.create', { ...desk, feature_id: 'seats', name: 'Desk' })
    expect(missing(entity, created)).toEqual([])
    expect(created).toMatchObject({ id: 'desk', name: 'Desk', customer_id: 'ada', feature_id: 'seats', invoices: null })
    expect(Object.keys(created.balances).sort()).toEqual(['credits', 'messages', 'seats'])
    expect([created.flags.sso.feature, created.balances.messages.feature]).toEqual([null, null])
    expect(await ask('entities.get', desk)).toEqual(created)
    expect(await ask('entities.update', desk)).toEqual(created)
    const expanded = await ask('entities.get', { ...desk, expand: ['invoices', 'balances.feature', 'flags.feature'] })
    expect(missing(entity, expanded)).toEqual([])
    expect([expanded.invoices, expanded.flags.sso.feature.display]).toEqual([[], null])

    const checked = await ask('balances.check', { ...desk, feature_id: 'messages' })
    expect(missing({ ...check, keys: [...check.keys, 'entity_id'] }, checked)).toEqual([])
    const tracked = await ask('balances.track', { ...desk, event_name: 'render.done' })
    expect(missing(track, tracked)).toEqual([])
    expect([checked.entity_id, tracked.entity_id]).toEqual(['desk', 'desk'])
  })

  test('customers and entities are paged by offset, with two counts', async () => {
    for (const customer_id of ['bob', 'cyd']) {
      world.clock.advance(1)
      await world.ok('customers.get_or_create', { customer_id, email: `${customer_id}@example.test` })
      await world.ok('entities.create', { customer_id, entity_id: `${customer_id}-1`, feature_id: 'seats' })
    }
    const first = await ask('customers.list', { limit: 2 })
    expect(missing(customers, first)).toEqual([])
    expect(first).toMatchObject({ has_more: true, offset: 0, limit: 2, total: 2 })
    expect(first).toMatchObject({ total_count: 3, total_filtered_count: 3, list: [{ id: 'cyd' }, { id: 'bob' }] })
    expect(first).not.toHaveProperty('next_cursor')
    const last = await ask('customers.list', { limit: 2, offset: 2 })
    expect(missing(customers, last)).toEqual([])
    expect(last).toMatchObject({ has_more: false, offset: 2, limit: 2, total: 1, list: [{ id: 'ada' }] })
    expect(Object.keys(last.list[0].balances).sort()).toEqual(['credits', 'messages', 'seats'])
    const found = await ask('customers.list', { search: 'EXAMPLE' })
    expect(found).toMatchObject({ has_more: false, offset: 0, limit: 10, total: 2 })
    expect(found).toMatchObject({ total_count: 3, total_filtered_count: 2, list: [{ id: 'cyd' }, { id: 'bob' }] })

    const seats = await ask('entities.list', { limit: 1 })
    expect(missing(entities, seats)).toEqual([])
    expect(seats).toMatchObject({ has_more: true, offset: 0, limit: 1, total: 1, list: [{ id: 'cyd-1' }] })
    expect(seats).toMatchObject({ total_count: 2, total_filtered_count: 2 })
    const mine = await ask('entities.list', { customer_id: 'bob' })
    expect(mine).toMatchObject({ has_more: false, limit: 10, total: 1, list: [{ id: 'bob-1', customer_id: 'bob' }] })
  })

  test('events are paged by offset', async () => {
    for (const value of [1, 2, 3])
      await world.ok('balances.track', { customer_id: 'ada', feature_id: 'messages', value })
    const page = (body: object) => ask('events.list', { customer_id: 'ada', ...body })
    const first = await page({ limit: 2 })
    expect(missing(events, first)).toEqual([])
    expect(first).toMatchObject({ has_more: true, offset: 0, limit: 2, total: 2 })
    expect(first.list.map(({ value }: { value: number }) => value)).toEqual([3, 2])
    expect(first).not.toHaveProperty('next_cursor')
    const rest = await page({ limit: 2, offset: 2 })
    expect(rest).toMatchObject({ has_more: false, offset: 2, limit: 2, total: 1, list: [{ value: 1 }] })
    expect(await page({})).toMatchObject({ has_more: false, offset: 0, limit: 100, total: 3 })
  })
})

describe.each(['2.3', '2.3.0', '2.4.0', undefined])('version %s', (version) => {
  const ask = (operation: string, body: object) =>
    world.ok(operation, body, version === undefined ? {} : { 'x-api-version': version })

  test('what does not apply is left out', async () => {
    const checked = await ask('balances.check', { customer_id: 'ada', feature_id: 'seats' })
    expect(Object.keys(checked).sort()).toEqual(['allowed', 'balance', 'customer_id', 'flag', 'required_balance'])
    expect(absent(balance, checked.balance)).toEqual(['feature', 'rollovers'])
    const tracked = await ask('balances.track', { customer_id: 'ada', feature_id: 'messages' })
    expect(absent(track, tracked)).toEqual(['entity_id', 'event_name', 'balances'])
    const counts = tracked.balance.breakdown.map(({ reset }: { reset: object }) => Reflect.get(reset, 'interval_count'))
    expect(counts).toEqual([undefined, 2, undefined])
    const whole = await ask('customers.get_or_create', { customer_id: 'ada' })
    expect(absent(customer, whole)).toEqual(['invoices', 'entities', 'trials_used', 'referrals'])
    expect(whole).toMatchObject({ licenses: [], subscriptions: [], purchases: [], billing_controls: {} })
    expect(absent(flag, whole.flags.sso)).toEqual(['feature'])
    expect(absent(feature, await ask('features.get', { feature_id: 'messages' }))).toEqual(['credit_schema', 'display'])
  })

  test('nor is anything left in an entity or a page of customers that does not apply', async () => {
    const desk = { customer_id: 'ada', entity_id: 'desk' }
    const created = await ask('entities.create', { ...desk, feature_id: 'seats' })
    expect(absent(entity, created)).toEqual(['invoices'])
    expect([created.billing_controls, absent(flag, created.flags.sso)]).toEqual([{}, ['feature']])
    for (const [operation, listed] of [
      ['customers.list', await ask('customers.get_or_create', { customer_id: 'ada' })],
      ['entities.list', created],
    ]) {
      expect(await ask(operation, { start_cursor: '' })).toEqual({ list: [listed], next_cursor: null })
    }
  })

  test('what does apply is there', async () => {
    const { balance: held } = await ask('balances.check', { customer_id: 'ada', feature_id: 'messages' })
    expect(held.rollovers).toEqual([{ granted: 5, balance: 5, expires_at: Date.UTC(2026, 2, 1, 10) }])
    const tracked = await ask('balances.track', { customer_id: 'ada', event_name: 'render.done' })
    expect(tracked).toMatchObject({ event_name: 'render.done', balances: { renders: null, credits: { usage: 2 } } })
    expect(await ask('features.get', { feature_id: 'credits' })).toMatchObject({
      credit_schema: [{ metered_feature_id: 'renders', credit_cost: 2 }],
      display: { singular: 'credit', plural: 'credits' },
    })
    const page = await ask('events.list', { customer_id: 'ada', start_cursor: '' })
    expect(Object.keys(page)).toEqual(['list', 'next_cursor'])
    expect(page).toMatchObject({ next_cursor: null, list: [{ deductions: [{ feature_id: 'credits', value: 2 }] }] })
  })
})

/** Paths of keys that a shape asks for and an answer lacks. */
function missing({ keys, inside = {}, each }: Shape, value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [`${path} is not there`]
  const found = keys.filter((key) => !(key in value)).map((key) => `${path}.${key}`)
  for (const [key, shape] of Object.entries(inside)) {
    const item: unknown = Reflect.get(value, key)
    if (item !== null && item !== undefined) found.push(...missing(shape, item, `${path}.${key}`))
  }
  if (each !== undefined) {
    for (const [key, item] of Object.entries(value)) found.push(...missing(each, item, `${path}.${key}`))
  }
  return found
}

function absent({ keys }: Shape, value: object): string[] {
  return keys.filter((key) => !(key in value))
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createGranary, type Granary, GranaryError, movableClock, openSqliteStore } from '../src/index.ts'

const KEY = 'am_sk_test_embedded'
let granary: Granary
afterEach(() => granary.close())

async function furnished(options: Parameters<typeof createGranary>[0] = {}): Promise<Granary> {
  const one = await createGranary(options)
  await one.call('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await one.call('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  await one.call('customers.get_or_create', { customer_id: 'alice' })
  return one
}

const MESSAGES = { customer_id: 'alice', feature_id: 'messages' }

/** The error that a call ends with. */
async function errorOf(call: Promise<unknown>): Promise<GranaryError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof GranaryError)) throw error
  return error
}

describe('inside of another program', () => {
  test('a year of a monthly balance passes on a clock that stands still until it is moved', async () => {
    const clock = movableClock('2026-01-15T10:00:00Z')
    granary = await furnished({ clock })
    const rollover = { max: 30, length: 1 }
    await granary.call('balances.create', { ...MESSAGES, included: 100, reset: { interval: 'month' }, rollover })
    const seen: [number, number][] = []
    for (let month = 0; month < 12; month++) {
      await granary.call('balances.track', { ...MESSAGES, value: month % 2 === 0 ? 90 : 200 })
      clock.advance('1mo')
      const { balance } = await granary.call('balances.check', MESSAGES)
      seen.push([balance?.granted ?? 0, balance?.remaining ?? 0])
    }
    // What is left in every other month, ten, rolls over and is used up in the next.
    expect(seen).toEqual(Array.from({ length: 12 }, (_, month) => (month % 2 === 0 ? [110, 110] : [100, 100])))
    clock.set('2030-01-01')
    expect((await granary.call('clock.get', {})).now).toBe(Date.UTC(2030, 0, 1))
  })

  test('models cost what they are said to cost', async () => {
    const cost = { input: 5, output: '15' }
    granary = await furnished({ modelPrices: { anthropic: { models: { opus: { cost } } } } })
    const ai = { customer_id: 'alice', feature_id: 'ai' }
    await granary.call('features.create', {
      feature_id: 'ai',
      name: 'AI',
      type: 'ai_credit_system',
      default_markup: 20,
    })
    await granary.call('balances.create', { ...ai, included: 1 })
    const tokens = { model_id: 'anthropic/opus', input_tokens: 10_000, output_tokens: 5_000 }
    const { value, balance } = await granary.call('balances.track_tokens', { ...ai, ...tokens })
    expect([value, balance?.remaining]).toEqual([0.15, 0.85])
    const wrong = createGranary({ modelPrices: { p: { models: { m: { cost: { input: -1 } } } } } })
    await expect(wrong).rejects.toThrow('p.models.m.cost.input: must not be negative')
  })

  test('what is kept, and for how long, may be said', async () => {
    const clock = movableClock('2026-01-15T10:00:00Z')
    granary = await furnished({ clock, retention: { idempotencyKeys: '72h', events: '30d' } })
    await granary.call('balances.create', { ...MESSAGES, included: 10 })
    const use = () => granary.call('balances.track', MESSAGES, { idempotencyKey: 'k1' })
    const first = await use()
    clock.advance('72h')
    expect(await use()).toEqual(first)
    clock.advance('28d')
    expect((await granary.call('events.list', {})).list).toEqual([])
    for (const [part, text] of Object.entries({ idempotencyKeys: '1y', events: 'ever', deletedCustomers: 'keep' })) {
      await expect(createGranary({ retention: { [part]: text } })).rejects.toThrow(`retention.${part} is "${text}"`)
    }
  })

  test('entities, lists and deletion are there', async () => {
    granary = await furnished()
    await granary.call('balances.create', { customer_id: 'alice', feature_id: 'seats', included: 2 })
    const laptop = await granary.call('entities.create', {
      customer_id: 'alice',
      entity_id: 'laptop',
      feature_id: 'seats',
    })
    expect(laptop.balances['seats']?.remaining).toBe(1)
    const { list, next_cursor } = await granary.call('customers.list', { limit: 1 })
    expect([list.map(({ id }) => id), next_cursor]).toEqual([['alice'], null])
    expect(await granary.call('customers.delete', { customer_id: 'alice' })).toEqual({ success: true })
    expect((await errorOf(granary.call('customers.get', { customer_id: 'alice' }))).code).toBe('customer_not_found')
  })

  test('a refusal is an error with its status, code and sentence', async () => {
    granary = await furnished()
    const error = await errorOf(granary.call('balances.check', { customer_id: 'bob', feature_id: 'messages' }))
    expect([error.status, error.code, error.message]).toEqual([404, 'customer_not_found', 'Customer bob not found'])
    const bad = await errorOf(granary.call('balances.create', { ...MESSAGES, included: Number.NaN }))
    expect([bad.status, bad.code]).toEqual([400, 'invalid_inputs'])
  })

  test('an idempotency key has one effect', async () => {
    granary = await furnished()
    await granary.call('balances.create', { ...MESSAGES, included: 10 })
    const use = () => granary.call('balances.track', { ...MESSAGES, value: 3 }, { idempotencyKey: 'k' })
    expect(await use()).toEqual(await use())
    expect((await granary.call('balances.check', MESSAGES)).balance?.remaining).toBe(7)
  })

  test('sandbox and live share nothing, and a live clock stands fast', async () => {
    granary = await furnished({ env: 'live' })
    const error = await errorOf(granary.call('clock.advance', { by: '31d' }))
    expect([error.status, error.code]).toEqual([400, 'invalid_request'])
    expect((await granary.call('clock.get', {})).env).toBe('live')
  })

  test('the embedded store keeps it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'granary-embedded-'))
    try {
      const first = await furnished({ store: await openSqliteStore(folder) })
      await first.call('balances.create', { ...MESSAGES, included: 0.3 })
      await first.call('balances.track', { ...MESSAGES, value: 0.1 })
      await first.close()
      granary = await createGranary({ store: await openSqliteStore(folder) })
      expect((await granary.call('balances.check', MESSAGES)).balance?.remaining).toBe(0.2)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('a key of another form is refused at the start', async () => {
    granary = await furnished()
    await expect(createGranary({ secretKeys: ['sk_test_1'] })).rejects.toThrow('am_sk_test_')
  })
})

describe('fetch', () => {
  const ask = (path: string, init: RequestInit = {}) =>
    granary.fetch(
      new Request(`https://app.example${path}`, {
        headers: { authorization: `Bearer ${KEY}`, 'x-api-version': '2.4.0' },
        ...init,
      }),
    )

  test.each(['', '/granary', '/api/v2/money'])('serves the API under "%s"', async (prefix) => {
    granary = await furnished({ secretKeys: [KEY] })
    await granary.call('balances.create', { ...MESSAGES, included: 5 })
    const body = JSON.stringify({ feature_id: 'messages', customer_id: 'alice' })
    const response = await ask(`${prefix}/v1/balances.check`, { method: 'POST', body })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(await response.json()).toMatchObject({ allowed: true, balance: { remaining: 5 } })
    const customer = await ask(`${prefix}/v1/customers/alice?expand=balances.feature`)
    expect(await customer.json()).toMatchObject({ balances: { messages: { feature: { id: 'messages' } } } })
  })

  test('asks for a key, and says what is wrong', async () => {
    granary = await furnished({ secretKeys: [KEY] })
    const without = await ask('/v1/customers/alice', { headers: {} })
    expect([without.status, await without.json()]).toMatchObject([401, { code: 'no_secret_key' }])
    const nowhere = await ask('/elsewhere')
    expect([nowhere.status, await nowhere.json()]).toMatchObject([404, { code: 'route_not_found' }])
    const large = await ask('/v1/balances.check', { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) })
    expect([large.status, await large.json()]).toMatchObject([413, { code: 'body_too_large' }])
  })
})

describe('a movable clock', () => {
  test.each([
    ['250ms', '2026-01-31T10:00:00.250Z'],
    ['30s', '2026-01-31T10:00:30.000Z'],
    ['90m', '2026-01-31T11:30:00.000Z'],
    ['12h', '2026-01-31T22:00:00.000Z'],
    ['31d', '2026-03-03T10:00:00.000Z'],
    ['2w', '2026-02-14T10:00:00.000Z'],
    ['1mo', '2026-02-28T10:00:00.000Z'],
    ['1y', '2027-01-31T10:00:00.000Z'],
  ])('goes %s ahead', async (by, expected) => {
    granary = await createGranary()
    const clock = movableClock('2026-01-31T10:00:00Z')
    clock.advance(by)
    expect(new Date(clock()).toISOString()).toBe(expected)
  })

  test('knows nothing else', async () => {
    granary = await createGranary()
    const clock = movableClock(0)
    for (const by of ['', '31', 'd', '-1d', '1.5d', '1 d', '31D', '1M']) expect(() => clock.advance(by)).toThrow(by)
    expect(() => clock.set('yesterday')).toThrow('yesterday')
    expect(clock()).toBe(0)
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { behaving } from '../engine/behaving.ts'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type World } from '../world.ts'
import { codeOf, figuresOf } from './story.ts'

type Body = Record<string, unknown>

const modelPrices = {
  anthropic: { models: { opus: { cost: { input: 5, output: 15, cache_read: 0.5 } } } },
  openai: { models: { gpt: { cost: { input: 10, output: 30 } }, unpriced: {} } },
}
const AI = { feature_id: 'ai', name: 'AI credits', type: 'ai_credit_system' }
const OPUS = { model_id: 'anthropic/opus', input_tokens: 10_000, output_tokens: 5_000 }
const GPT = { model_id: 'openai/gpt', input_tokens: 8_000, output_tokens: 2_000 }

let world: World
/** How long the answers are that are kept for repeated keys. */
const kept: number[] = []
const watched = behaving({
  commit(ask, batch) {
    for (const { rows } of batch.changes) kept.push(...(rows?.keys ?? []).map(({ answer }) => answer.length))
    return ask(batch)
  },
})
beforeEach(async () => {
  kept.length = 0
  world = await openWorld({ modelPrices, wrap: watched })
  await world.ok('features.create', { feature_id: 'messages', name: 'M', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'seats', name: 'S', type: 'metered', consumable: false })
  await world.ok('features.create', AI)
  await world.ok('customers.get_or_create', { customer_id: 'alice' })
})
afterEach(async () => {
  await expectLedgerToAddUp(world.store, 'alice')
  expect(world.faults).toEqual([])
  await world.close()
})

const grant = (included: number, more: Body = {}) =>
  world.ok('balances.create', { customer_id: 'alice', feature_id: 'ai', included, ...more })
const spend = (what: Body, more: Body = {}) =>
  world.ok('balances.track_tokens', { customer_id: 'alice', ...what, ...more })
const refusal = (what: Body) => codeOf(world, 'balances.track_tokens', { customer_id: 'alice', ...what })
const holds = async (feature = 'ai', more: Body = {}) =>
  figuresOf((await world.ok('balances.check', { customer_id: 'alice', feature_id: feature, ...more })).balance)
const redefine = (change: Body) => world.ok('features.update', { feature_id: 'ai', ...change })

describe('a balance of an AI credit system', () => {
  test('is in dollars, and is granted, checked, used, given back and reset like any other that is spent', async () => {
    await grant(10, { reset: { interval: 'month' }, rollover: { max: 1, length: 1 } })
    const asked = { customer_id: 'alice', feature_id: 'ai', required_balance: 10.01 }
    expect(await world.ok('balances.check', asked)).toMatchObject({ allowed: false, reason: 'insufficient_balance' })
    const { event_id, value } = await world.ok('balances.track', { customer_id: 'alice', feature_id: 'ai', value: 2.5 })
    expect([value, await holds()]).toEqual([2.5, '10/7.5/2.5'])
    await world.ok('balances.track', { customer_id: 'alice', refund_of: event_id, value: -0.5 })
    expect(await holds()).toBe('10/8/2')
    world.clock.set('2026-02-28T10:00:00Z')
    expect(await holds()).toBe('11/11/0')
  })

  test('is asked for exactly one of a grant or no limit (B70)', async () => {
    const create = (more: Body) => codeOf(world, 'balances.create', { customer_id: 'alice', feature_id: 'ai', ...more })
    expect(await create({})).toBe('400 invalid_inputs')
    expect(await create({ included: 1, unlimited: true })).toBe('400 invalid_inputs')
    expect(await create({ unlimited: true })).toBe('200')
    expect((await spend(OPUS)).balance).toMatchObject({ unlimited: true, usage: 0.125 })
  })
})

describe('tokens (R127, R129)', () => {
  test('cost what the table says, from the only AI credits that she has', async () => {
    await grant(1)
    const { event_id, balance, deductions, ...answer } = await spend(OPUS)
    expect(answer).toEqual({ customer_id: 'alice', value: 0.125 })
    expect(figuresOf(balance)).toBe('1/0.875/0.125')
    expect(deductions).toMatchObject([{ feature_id: 'ai', value: 0.125 }])
    const { list } = await world.ok('events.list', { customer_id: 'alice' })
    expect(list).toMatchObject([{ id: event_id, feature_id: 'ai', value: 0.125, deductions }])
  })

  test('say in their event how their cost came about, beside what the caller says', async () => {
    await redefine({ default_markup: 50 })
    await grant(1)
    const counts = { cache_read_tokens: 2_000, reasoning_tokens: 1_000, audio_input_tokens: 0 }
    await spend({ ...OPUS, ...counts }, { properties: { team: 'red', cost: 'mine', markup: { a: 1 } } })
    const [event] = (await world.ok('events.list', { customer_id: 'alice' })).list
    expect(event.value).toBe(0.2115)
    expect(event.properties).toEqual({
      team: 'red',
      model_id: 'anthropic/opus',
      input_tokens: 10_000,
      output_tokens: 5_000,
      ...counts,
      cost: 0.2115,
      base_cost: 0.141,
      markup: 50,
      rates: { input: 5, output: 15, cache_read: 0.5, reasoning: 15 },
    })
  })

  test('follow the markups of the feature, which may change and be taken away', async () => {
    await redefine({
      default_markup: 10,
      provider_markups: { openai: { markup: 20 } },
      model_markups: { 'openai/gpt': { markup: 50 } },
    })
    await grant(100)
    const value = async (what: Body) => (await spend(what)).value
    expect([await value(GPT), await value(OPUS)]).toEqual([0.21, 0.1375])
    await redefine({ model_markups: null })
    expect([await value(GPT), await value(OPUS)]).toEqual([0.168, 0.1375])
    await redefine({ provider_markups: {}, default_markup: -100 })
    const free = await spend(GPT)
    expect(free).toMatchObject({ value: 0, deductions: [] })
    await redefine({ default_markup: null, name: 'AI' })
    expect(await value(GPT)).toBe(0.14)
    const { model_markups, provider_markups, default_markup } = await world.ok('features.get', { feature_id: 'ai' })
    expect([model_markups, provider_markups, default_markup]).toEqual([undefined, undefined, undefined])
  })

  test('of models of her own cost what the feature says of every kind', async () => {
    const mine = { markup: 100, input_cost: 1, output_cost: '2', cache_read_cost: 0.1, audio_output_cost: 30 }
    await redefine({ model_markups: { 'custom/mine': mine } })
    const known = await world.ok('features.get', { feature_id: 'ai' })
    expect(known.model_markups).toEqual({ 'custom/mine': { ...mine, output_cost: 2 } })
    await grant(100)
    const million = 1_000_000
    const used = { model_id: 'custom/mine', input_tokens: million, output_tokens: million }
    expect((await spend(used)).value).toBe(6)
    const more = { cache_read_tokens: million, cache_write_tokens: million, audio_output_tokens: million }
    expect((await spend({ ...used, ...more })).value).toBe(68.2)
  })

  test('beyond what is left are capped, overflow or are refused, as asked', async () => {
    await grant(0.1)
    expect(await refusal({ ...OPUS, overage_behavior: 'reject' })).toBe('400 insufficient_balance')
    expect(await holds()).toBe('0.1/0.1/0')
    expect(await spend(OPUS)).toMatchObject({ value: 0.125, deductions: [{ value: 0.1 }] })
    expect(await spend(OPUS, { overage_behavior: 'overflow' })).toMatchObject({ deductions: [{ value: 0.125 }] })
    // A pool that is spent is a pool all the same.
    expect((await spend(OPUS)).value).toBe(0.125)
  })

  test('can be given back', async () => {
    await grant(1)
    const { event_id } = await spend(OPUS)
    await world.ok('balances.track', { customer_id: 'alice', refund_of: event_id })
    expect(await holds()).toBe('1/1/0')
  })

  test('may be dated back, and not ahead', async () => {
    await grant(1)
    const timestamp = world.clock.now - 1000
    await spend({ ...OPUS, timestamp })
    expect((await world.ok('events.list', { customer_id: 'alice' })).list[0].timestamp).toBe(timestamp)
    expect(await refusal({ ...OPUS, timestamp: timestamp + 2000 })).toBe('400 invalid_inputs')
    expect(await holds()).toBe('1/0.875/0.125')
  })

  test('sent again under the same key cost once, whichever way the key comes', async () => {
    await grant(1)
    const first = await spend({ ...OPUS, idempotency_key: 'run-1' })
    const again = await world.call('balances.track_tokens', { customer_id: 'alice', ...OPUS, idempotency_key: 'run-1' })
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([200, 'true', first])
    const header = { 'idempotency-key': 'run-2' }
    const body = { customer_id: 'alice', ...OPUS }
    for (let i = 0; i < 2; i++) await world.ok('balances.track_tokens', body, header)
    expect(await codeOf(world, 'balances.track_tokens', { ...body, output_tokens: 1 }, header)).toBe(
      '409 idempotency_key_reused',
    )
    expect(await holds()).toBe('1/0.75/0.25')
  })

  test('under a key keep an answer that does not grow with the prices of the feature', async () => {
    await grant(1)
    const model_markups = (models: number) =>
      Object.fromEntries(Array.from({ length: models }, (_, i) => [`custom/m${i}`, { input_cost: 1, output_cost: 1 }]))
    for (const [i, models] of [1, 1000].entries()) {
      await redefine({ model_markups: model_markups(models) })
      await spend({ ...OPUS, model_id: 'custom/m0', idempotency_key: `run-${i}` })
    }
    const [few = 0, many = 0] = kept
    expect(kept).toHaveLength(2)
    // But for the digits of what is left.
    expect(many).toBeLessThan(few + 50)
  })

  test('sent under one key to track and as tokens are two things', async () => {
    await grant(1)
    await spend({ ...OPUS, idempotency_key: 'run-1' })
    const track = { customer_id: 'alice', feature_id: 'ai', value: 0.125, idempotency_key: 'run-1' }
    expect(await codeOf(world, 'balances.track', track)).toBe('409 idempotency_key_reused')
  })

  test('that were refused leave their key free', async () => {
    await grant(1)
    const keyed = { ...OPUS, idempotency_key: 'run-1' }
    expect(await refusal({ ...keyed, model_id: 'openai/unknown' })).toBe('400 invalid_request')
    expect((await spend(keyed)).value).toBe(0.125)
  })
})

describe('which feature pays (R128)', () => {
  test('none, where nothing of one is held', async () => {
    expect(await refusal(OPUS)).toBe('404 feature_not_found')
    expect((await world.ok('events.list', { customer_id: 'alice' })).list).toEqual([])
  })

  test('the one that is named, also where nothing of it is held: the use is recorded (R66)', async () => {
    expect(await spend(OPUS, { feature_id: 'ai' })).toMatchObject({ value: 0.125, balance: null, deductions: [] })
  })

  test('the one that is held, of several that there are; where two are, it must be named', async () => {
    await world.ok('features.create', { ...AI, feature_id: 'team_ai', default_markup: 100 })
    await grant(1)
    expect((await spend(OPUS)).balance.feature_id).toBe('ai')
    await grant(1, { feature_id: 'team_ai' })
    const several = await world.call('balances.track_tokens', { customer_id: 'alice', ...OPUS })
    expect([several.status, several.body.code]).toEqual([400, 'invalid_request'])
    expect(several.body.message).toContain('(ai, team_ai)')
    expect(await spend(OPUS, { feature_id: 'team_ai' })).toMatchObject({ value: 0.25, balance: { remaining: 0.75 } })
  })

  test.each([
    ['an unknown feature', { feature_id: 'nope' }, '404 feature_not_found'],
    ['a feature of another type', { feature_id: 'messages' }, '400 invalid_request'],
    ['an unknown model', { model_id: 'anthropic/haiku' }, '400 invalid_request'],
    ['a model of which the table knows no price', { model_id: 'openai/unpriced' }, '400 invalid_request'],
    ['a model without its provider', { model_id: 'opus' }, '400 invalid_request'],
    ['a model of her own that has no price', { model_id: 'custom/mine' }, '400 invalid_request'],
    ['no model', { model_id: undefined }, '400 invalid_inputs'],
    ['no count of the input', { input_tokens: undefined }, '400 invalid_inputs'],
    ['half a token', { output_tokens: 0.5 }, '400 invalid_inputs'],
    ['less than no tokens', { cache_read_tokens: -1 }, '400 invalid_inputs'],
    ['tokens as a text', { reasoning_tokens: '5' }, '400 invalid_inputs'],
    ['an unknown customer', { customer_id: 'nobody' }, '404 customer_not_found'],
    ['an unknown entity', { entity_id: 'e1' }, '404 entity_not_found'],
    ['an unknown behaviour', { overage_behavior: 'maybe' }, '400 invalid_inputs'],
  ])('refuses %s', async (_label, wrong, code) => {
    await grant(1)
    expect(await refusal({ ...OPUS, ...wrong })).toBe(code)
    expect(await holds()).toBe('1/1/0')
    expect((await world.ok('events.list', { customer_id: 'alice' })).list).toEqual([])
  })

  test('what no feature says and no table knows is said in words', async () => {
    await grant(1)
    const { body } = await world.call('balances.track_tokens', { customer_id: 'alice', ...OPUS, model_id: 'x/y' })
    expect(body.message).toMatch(/^Model x\/y has no price for input and output: /)
  })
})

describe('many at once', () => {
  const batch = (items: unknown, headers: Record<string, string> = {}) =>
    world.call('balances.batch_track_tokens', items, headers)
  const item = (what: Body, more: Body = {}) => ({ customer_id: 'alice', ...what, ...more })
  const briefly = (results: Body[]) => results.map(({ status, code, value }) => (status === 200 ? value : code))

  test('each cost what it would alone, and each says what became of it', async () => {
    await grant(1)
    await world.ok('customers.get_or_create', { customer_id: 'bob' })
    const { status, body } = await batch([
      item(OPUS),
      item(GPT),
      item(OPUS, { customer_id: 'nobody' }),
      item(OPUS, { customer_id: 'bob' }),
      item(OPUS, { overage_behavior: 'reject', output_tokens: 100_000 }),
      item(OPUS),
    ])
    expect(status).toBe(202)
    const refused = ['customer_not_found', 'feature_not_found', 'insufficient_balance']
    expect(briefly(body.results)).toEqual([0.125, 0.14, ...refused, 0.125])
    expect(body.results[0].deductions).toMatchObject([{ feature_id: 'ai', value: 0.125 }])
    expect(await holds()).toBe('1/0.61/0.39')
    const { list } = await world.ok('events.list', { customer_id: 'alice' })
    expect(list[0].properties).toMatchObject({ model_id: 'anthropic/opus', base_cost: 0.125 })
  })

  test('that are the same all count, unless their keys are the same too', async () => {
    await grant(10)
    const keyed = item(OPUS, { idempotency_key: 'run-1' })
    const { body } = await batch([item(OPUS), item(OPUS), keyed, keyed])
    expect(briefly(body.results)).toEqual([0.125, 0.125, 0.125, 0.125])
    expect(body.results.map(({ replayed }: Body) => replayed)).toEqual([undefined, undefined, undefined, true])
    expect(await holds()).toBe('10/9.625/0.375')
    // An item of a batch is what it would be alone.
    const alone = await world.call('balances.track_tokens', keyed)
    expect([alone.headers['idempotent-replayed'], alone.body.event_id]).toEqual(['true', body.results[2].event_id])
    expect(await holds()).toBe('10/9.625/0.375')
  })

  test('sent again under one key for all cost once', async () => {
    await grant(10)
    const key = { 'idempotency-key': 'batch-1' }
    const first = await batch([item(OPUS), item(OPUS)], key)
    const again = await batch([item(OPUS), item(OPUS)], key)
    expect(again.headers['idempotent-replayed']).toBe('true')
    const events = (reply: typeof first) => reply.body.results.map(({ event_id }: Body) => event_id)
    expect(events(again)).toEqual(events(first))
    expect(await holds()).toBe('10/9.75/0.25')
  })

  test.each<[string, unknown, string, RegExp]>([
    ['nothing', [], '400 invalid_inputs', /^input: must be of length 1/],
    ['no list', item(OPUS), '400 invalid_inputs', /^input: must be an array/],
    ['an item without a model', [item(OPUS), item(OPUS, { model_id: '' })], '400 invalid_inputs', /^1\.model_id/],
    ['half a token', [item(OPUS, { input_tokens: 0.5 })], '400 invalid_inputs', /^0\.input_tokens: must be a whole/],
    ['an unknown feature', [item(OPUS, { feature_id: 'nope' })], '404 feature_not_found', /^0: Feature nope not/],
    ['a feature of another type', [item(OPUS, { feature_id: 'messages' })], '400 invalid_request', /^0: Feature mess/],
    ['a model without a price', [item(OPUS), item(OPUS, { model_id: 'x/y' })], '400 invalid_request', /^1: Model x\/y/],
  ])('are refused as a whole for %s', async (_label, items, code, message) => {
    await grant(1)
    const { status, body } = await batch(items)
    expect([`${status} ${body.code}`, body.message]).toEqual([code, expect.stringMatching(message)])
    expect(await holds()).toBe('1/1/0')
  })

  test('a price that any feature has is enough to begin; whose balance it is decides', async () => {
    const model_markups = { 'custom/mine': { input_cost: 1, output_cost: 1 } }
    await world.ok('features.create', { ...AI, feature_id: 'team_ai', model_markups })
    await grant(1)
    const mine = item({ ...OPUS, model_id: 'custom/mine' })
    expect(briefly((await batch([mine])).body.results)).toEqual(['invalid_request'])
    expect(briefly((await batch([{ ...mine, feature_id: 'team_ai' }])).body.results)).toEqual([0.015])
  })

  test('before 2.1 create who is missing, where the feature is named', async () => {
    const carol = { ...OPUS, customer_id: 'carol' }
    const { body } = await batch([{ ...carol, feature_id: 'ai' }, carol], { 'x-api-version': '2.0' })
    expect(briefly(body.results)).toEqual([0.125, 'feature_not_found'])
  })
})

describe('without waiting for the balance', () => {
  test('tokens are answered with 202 when they are on disk; up to 2.2 with 200', async () => {
    await grant(1)
    const body = { customer_id: 'alice', ...OPUS, async: true }
    const { status, body: answer } = await world.call('track_tokens', body)
    expect([status, answer.value, answer.balance, answer.deductions]).toEqual([202, 0.125, null, undefined])
    expect((await world.call('track_tokens', body, { 'x-api-version': '2.2' })).status).toBe(200)
    expect(await holds()).toBe('1/0.75/0.25')
  })
})

describe('entities', () => {
  test('spend their own first and then the shared', async () => {
    await world.ok('entities.create', { customer_id: 'alice', entity_id: 'e1', feature_id: 'seats' })
    await grant(1)
    await grant(0.1, { entity_id: 'e1' })
    const { deductions, entity_id } = await spend(OPUS, { entity_id: 'e1' })
    expect([entity_id, deductions.map(({ value }: Body) => value)]).toEqual(['e1', [0.1, 0.025]])
    expect(await holds('ai', { entity_id: 'e1' })).toBe('1/0.975/0.025')
  })

  test('have no pool where only another entity has one', async () => {
    for (const entity_id of ['e1', 'e2'])
      await world.ok('entities.create', { customer_id: 'alice', entity_id, feature_id: 'seats' })
    await grant(1, { entity_id: 'e1' })
    expect(await refusal({ ...OPUS, entity_id: 'e2' })).toBe('404 feature_not_found')
    expect((await spend(OPUS, { entity_id: 'e1' })).value).toBe(0.125)
  })
})

describe('an AI credit system among others', () => {
  test('is paid for by a credit system that lists it, once it is used up (B231)', async () => {
    const credit_schema = [{ metered_feature_id: 'ai', credit_cost: 100 }]
    await world.ok('features.create', { feature_id: 'credits', name: 'C', type: 'credit_system', credit_schema })
    await grant(0.1)
    await grant(50, { feature_id: 'credits' })
    const { balances, deductions } = await spend(OPUS)
    expect(deductions).toMatchObject([
      { feature_id: 'ai', value: 0.1 },
      { feature_id: 'credits', value: 2.5 },
    ])
    expect(Object.keys(balances)).toEqual(['ai', 'credits'])
    const asked = { customer_id: 'alice', feature_id: 'ai', required_balance: 0.4 }
    expect(await world.ok('balances.check', asked)).toMatchObject({ allowed: true, required_balance: 40 })
  })

  test('pays for no other feature (R36)', async () => {
    await grant(1)
    const asked = { customer_id: 'alice', feature_id: 'messages', required_balance: 0.1 }
    expect(await world.ok('balances.check', asked)).toMatchObject({ allowed: false, balance: null })
  })

  test('can take part in an event that has a name', async () => {
    await redefine({ event_names: ['called'] })
    await grant(1)
    await world.ok('balances.track', { customer_id: 'alice', event_name: 'called', value: 0.25 })
    expect(await holds()).toBe('1/0.75/0.25')
  })
})

describe('older versions', () => {
  test('2.0 creates a customer who is missing, and 2.1 does not', async () => {
    const bob = { customer_id: 'bob', feature_id: 'ai', ...OPUS }
    expect(await codeOf(world, 'track_tokens', bob, { 'x-api-version': '2.1' })).toBe('404 customer_not_found')
    const { body } = await world.call('track_tokens', bob, { 'x-api-version': '2.0' })
    expect(body).toEqual({ customer_id: 'bob', value: 0.125, balance: null })
    expect((await world.ok('customers.get', { customer_id: 'bob' })).id).toBe('bob')
  })

  test('and nobody where no feature is named, because who is new holds none, nor where the request is wrong', async () => {
    const old = { 'x-api-version': '2.0' }
    expect(await codeOf(world, 'track_tokens', { customer_id: 'bob', ...OPUS }, old)).toBe('404 customer_not_found')
    const wrong = { customer_id: 'bob', feature_id: 'messages', ...OPUS }
    expect(await codeOf(world, 'track_tokens', wrong, old)).toBe('400 invalid_request')
    const unknown = { customer_id: 'bob', feature_id: 'ai', ...OPUS, model_id: 'x/y' }
    expect(await codeOf(world, 'track_tokens', unknown, old)).toBe('400 invalid_request')
    expect(await codeOf(world, 'customers.get', { customer_id: 'bob' })).toBe('404 customer_not_found')
  })

  test.each([
    ['2.4', 'ai_credit_system'],
    ['2.2', 'ai_credit_system'],
    ['1.2', 'ai_credit_system'],
  ])('%s shows the feature as %s', async (version, type) => {
    await redefine({ default_markup: 5 })
    const { body } = await world.call('features.get', { feature_id: 'ai' }, { 'x-api-version': version })
    expect(body).toMatchObject({ id: 'ai', type })
  })

  test('1.2 answers with a placeholder', async () => {
    await grant(1)
    const { body } = await world.call('track_tokens', { customer_id: 'alice', ...OPUS }, { 'x-api-version': '1.2' })
    expect(body).toMatchObject({ code: 'event_received', customer_id: 'alice', feature_id: 'ai' })
  })
})

test('markups are kept exactly as they were given', async () => {
  const model_markups = { 'custom/mine': { markup: -12.5, input_cost: 0.000000000001, output_cost: 3 } }
  await redefine({ model_markups, default_markup: 0, provider_markups: { openai: { markup: 20 } } })
  await grant(1)
  const stored = await world.store.loadCatalogue('sandbox')
  expect(stored.features.find(({ id }) => id === 'ai')?.type).toEqual({
    kind: 'ai_credit_system',
    markups: {
      standard: 0n,
      providers: [{ provider: 'openai', percent: 20_000_000_000_000n }],
      models: [
        { model: 'custom/mine', percent: -12_500_000_000_000n, rates: { input: 1n, output: 3_000_000_000_000n } },
      ],
    },
  })
})

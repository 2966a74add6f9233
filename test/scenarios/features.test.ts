import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { LIVE_KEY, type World } from '../world.ts'
import { codeOf, figuresOf, Story } from './story.ts'

type Body = Record<string, unknown>

const DAY = 86_400_000
let serial = 0

describe('features', () => {
  let story: Story
  let world: World
  beforeAll(async () => {
    story = await Story.begin()
    world = story.world
  })
  beforeEach(() => story.anew())
  afterAll(async () => {
    await world.close()
    expect(world.faults).toEqual([])
  })

  /** A feature that no other test knows. */
  async function feature(definition: Body): Promise<string> {
    serial += 1
    const feature_id = `f${serial}`
    await world.ok('features.create', { feature_id, name: feature_id, ...definition })
    return feature_id
  }
  const METERED = { type: 'metered', consumable: true }
  const HELD = { type: 'metered', consumable: false }
  const FLAG = { type: 'boolean' }
  const update = (feature_id: string, change: Body) => codeOf(world, 'features.update', { feature_id, ...change })
  const get = (feature_id: string) => world.ok('features.get', { feature_id })

  const AI = { type: 'ai_credit_system' }
  const CREDITS = { type: 'credit_system', credit_schema: [{ metered_feature_id: 'messages', credit_cost: 2 }] }

  describe('of which nobody has any can become (B234)', () => {
    test.each<[string, Body, Body, string]>([
      // label                                      it is    change                                      answer
      ['a flag from something metered', METERED, { type: 'boolean' }, '200'],
      ['something metered from a flag', FLAG, { type: 'metered', consumable: true }, '200'],
      ['held from used up', METERED, { consumable: false }, '200'],
      ['used up from held', HELD, { type: 'metered', consumable: true }, '200'],
      ['metered, without saying how', FLAG, { type: 'metered' }, '400 invalid_request'],
      ['what it is, without saying how', METERED, { type: 'metered' }, '400 invalid_request'],
      ['what it is', METERED, METERED, '200'],
      ['a credit system from something metered', METERED, CREDITS, '400 invalid_request'],
      ['a credit system from a flag', FLAG, { type: 'credit_system' }, '400 invalid_request'],
      ['something metered from a credit system', CREDITS, METERED, '400 invalid_request'],
      ['a flag from a credit system', CREDITS, { type: 'boolean' }, '400 invalid_request'],
      ['a credit system that is held', CREDITS, { consumable: false }, '400 invalid_inputs'],
      ['a flag that is used up', FLAG, { consumable: true }, '400 invalid_inputs'],
      ['metered with a schema', METERED, { credit_schema: CREDITS.credit_schema }, '400 invalid_inputs'],
      ['credits for nothing', CREDITS, { credit_schema: [] }, '400 invalid_feature'],
      ['credits for what is held', CREDITS, schemaOf('seats'), '400 invalid_feature'],
      ['credits for a flag', CREDITS, schemaOf('sso'), '400 invalid_feature'],
      ['credits for credits', CREDITS, schemaOf('credits'), '400 invalid_feature'],
      ['credits for the unknown', CREDITS, schemaOf('nope'), '404 feature_not_found'],
      ['credits for one thing twice', CREDITS, schemaOf('images', 'images'), '400 invalid_feature'],
      ['credits for something else', CREDITS, schemaOf('images'), '200'],
      ['one with the id of another', METERED, { new_feature_id: 'messages' }, '409 duplicate_feature_id'],
      ['one with an id that cannot be', METERED, { new_feature_id: 'a b' }, '400 invalid_inputs'],
      ['one without a name', METERED, { name: '' }, '400 invalid_inputs'],
      ['AI credits', METERED, { type: 'ai_credit_system' }, '400 invalid_request'],
      ['anything else, from AI credits', AI, METERED, '400 invalid_request'],
      ['markups of what has none', METERED, { default_markup: 20 }, '400 invalid_inputs'],
      ['AI credits with a schema', AI, { credit_schema: CREDITS.credit_schema }, '400 invalid_feature'],
      ['AI credits that are held', AI, { consumable: false }, '400 invalid_inputs'],
      ['AI credits at other prices', AI, { default_markup: 5, provider_markups: { p: { markup: -100 } } }, '200'],
      ['AI credits below nothing', AI, { default_markup: -101 }, '400 invalid_inputs'],
      ['a price for no model', AI, { model_markups: { gpt: { markup: 1 } } }, '400 invalid_inputs'],
      ['a price below nothing', AI, { model_markups: { 'p/m': { input_cost: -1 } } }, '400 invalid_inputs'],
    ])('%s', async (_label, definition, change, code) => {
      const id = await feature(definition)
      const before = await get(id)
      expect(await update(id, { name: 'New', ...change })).toBe(code)
      const after = await get(id)
      // All of a change is looked at before any of it is done.
      if (code !== '200') return expect(after).toEqual(before)
      expect(after).toMatchObject({ name: 'New', ...change })
      expect(after.archived).toBe(false)
    })

    function schemaOf(...members: string[]) {
      return { credit_schema: members.map((metered_feature_id) => ({ metered_feature_id, credit_cost: 1 })) }
    }

    test('nothing, where there is no such feature', async () => {
      expect(await update('nope', { name: 'X' })).toBe('404 feature_not_found')
      expect(await codeOf(world, 'features.delete', { feature_id: 'nope' })).toBe('404 feature_not_found')
    })
  })

  /** Ways in which a feature is used, and what may then be changed of it. */
  const USES: [string, Body, (id: string) => Promise<unknown>, Record<'kind' | 'flip' | 'id' | 'delete', string>][] = [
    [
      'a balance',
      METERED,
      (id) => story.grant(id, { included: 5 }),
      {
        kind: '400 invalid_feature',
        flip: '400 invalid_feature',
        id: '400 invalid_feature',
        delete: '409 invalid_request',
      },
    ],
    [
      'a balance that is used up',
      METERED,
      async (id) => {
        await story.grant(id, { included: 5 })
        await story.track(id, 5)
      },
      {
        kind: '400 invalid_feature',
        flip: '400 invalid_feature',
        id: '400 invalid_feature',
        delete: '409 invalid_request',
      },
    ],
    [
      'a balance of an entity',
      METERED,
      async (id) => {
        await story.seat('e1')
        await story.grant(id, { included: 5, entity_id: 'e1' })
      },
      {
        kind: '400 invalid_feature',
        flip: '400 invalid_feature',
        id: '400 invalid_feature',
        delete: '409 invalid_request',
      },
    ],
    [
      'an entity (B234)',
      HELD,
      (id) => world.ok('entities.create', { customer_id: 'alice', entity_id: 'e1', feature_id: id }),
      { kind: '400 invalid_feature', flip: '400 invalid_feature', id: '200', delete: '409 invalid_request' },
    ],
    [
      'a credit system',
      METERED,
      (id) => feature({ ...CREDITS, credit_schema: [{ metered_feature_id: id, credit_cost: 2 }] }),
      { kind: '400 invalid_feature', flip: '400 invalid_feature', id: '200', delete: '409 invalid_request' },
    ],
    [
      'a balance that has expired',
      METERED,
      async (id) => {
        await story.grant(id, { included: 5, expires_at: world.clock.now + DAY })
        world.clock.advance(DAY)
      },
      { kind: '200', flip: '200', id: '200', delete: '200' },
    ],
    [
      'a balance that was deleted',
      METERED,
      async (id) => {
        await story.grant(id, { included: 5 })
        await world.ok('balances.delete', { customer_id: 'alice', feature_id: id })
      },
      { kind: '200', flip: '200', id: '200', delete: '200' },
    ],
    [
      'an entity that was deleted',
      HELD,
      async (id) => {
        await world.ok('entities.create', { customer_id: 'alice', entity_id: 'e1', feature_id: id })
        await world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
      },
      { kind: '200', flip: '200', id: '200', delete: '200' },
    ],
    [
      'a customer that was deleted',
      HELD,
      async (id) => {
        await world.ok('entities.create', { customer_id: 'zoe', entity_id: 'e1', feature_id: id })
        await world.ok('balances.create', { customer_id: 'zoe', feature_id: id, included: 5 })
        await world.ok('customers.delete', { customer_id: 'zoe' })
      },
      { kind: '200', flip: '200', id: '200', delete: '200' },
    ],
    [
      'a use that was only recorded',
      METERED,
      (id) => story.track(id, 5),
      { kind: '200', flip: '200', id: '200', delete: '200' },
    ],
    ['nothing', METERED, async () => null, { kind: '200', flip: '200', id: '200', delete: '200' }],
  ]

  test.each(USES)('a feature with %s (B234, B236)', async (_label, definition, employ, codes) => {
    const changes: ['kind' | 'flip' | 'id', Body][] = [
      ['kind', { type: 'boolean' }],
      ['flip', { consumable: !definition['consumable'] }],
      ['id', { new_feature_id: `g${serial + 1}` }],
    ]
    for (const [name, change] of changes) {
      await story.anew()
      const id = await feature(definition)
      await employ(id)
      const actual = await update(id, name === 'id' ? { new_feature_id: `${id}_new` } : change)
      expect([name, actual]).toEqual([name, codes[name]])
    }
    await story.anew()
    const id = await feature(definition)
    await employ(id)
    expect(['archive', await update(id, { archived: true })]).toEqual(['archive', '200'])
    expect(['delete', await codeOf(world, 'features.delete', { feature_id: id })]).toEqual(['delete', codes.delete])
    expect(await codeOf(world, 'features.get', { feature_id: id })).toBe(
      codes.delete === '200' ? '404 feature_not_found' : '200',
    )
  })

  test('a deleted feature leaves the customers that once had it as they are; its id is free', async () => {
    const id = await feature(METERED)
    await story.grant(id, { included: 5, expires_at: world.clock.now + DAY })
    await story.track(id, 2)
    await story.grant('messages', { included: 10 })
    world.clock.advance(DAY)
    expect((await world.ok('features.delete', { feature_id: id })).success).toBe(true)
    await story.holds('messages', '10/10/0')
    await story.track('messages', 1)
    expect(await codeOf(world, 'balances.check', { customer_id: 'alice', feature_id: id })).toBe(
      '404 feature_not_found',
    )
    const { list } = await world.ok('events.list', { customer_id: 'alice', feature_id: id })
    expect(list).toMatchObject([{ feature_id: id, value: 2 }])
    await world.ok('features.create', { feature_id: id, name: 'Anew', ...FLAG })
    await story.grant(id, {})
    const { flags, balances } = await world.ok('customers.get', { customer_id: 'alice' })
    expect([Object.keys(flags), Object.keys(balances)]).toEqual([[id], ['messages']])
    await expectLedgerToAddUp(world.store, 'alice')
  })

  test('another kind, once what was granted has expired', async () => {
    const id = await feature(METERED)
    await story.grant(id, { included: 5, expires_at: world.clock.now + DAY })
    expect(await update(id, { type: 'boolean' })).toBe('400 invalid_feature')
    world.clock.advance(DAY)
    expect(await update(id, { type: 'boolean' })).toBe('200')
    expect(await story.check(id)).toMatchObject({ allowed: false, flag: null, balance: null })
    await story.grant(id, {})
    expect((await story.check(id)).allowed).toBe(true)
    await expectLedgerToAddUp(world.store, 'alice')
  })

  test('deleted while somebody is granted it: one of the two is refused', async () => {
    for (let i = 0; i < 5; i++) {
      const feature_id = await feature(METERED)
      const [grant, deletion] = await Promise.all([
        codeOf(world, 'balances.create', { customer_id: 'alice', feature_id, included: 5 }),
        codeOf(world, 'features.delete', { feature_id }),
      ])
      const expected = grant === '200' ? ['200', '409 invalid_request'] : ['404 feature_not_found', '200']
      expect([grant, deletion]).toEqual(expected)
    }
  })

  test('live features are used by live customers alone (B10)', async () => {
    const live = { authorization: `Bearer ${LIVE_KEY}` }
    const id = await feature(METERED)
    await world.ok('features.create', { feature_id: id, name: 'Live', ...METERED }, live)
    await world.ok('customers.get_or_create', { customer_id: 'alice' }, live)
    await world.ok('balances.create', { customer_id: 'alice', feature_id: id, included: 1 }, live)
    expect(await codeOf(world, 'features.delete', { feature_id: id })).toBe('200')
    expect(await codeOf(world, 'features.delete', { feature_id: id }, live)).toBe('409 invalid_request')
  })

  test('an archived feature goes on as before, is listed last, and comes back (B233, B235)', async () => {
    const id = await feature(METERED)
    const after = await feature(METERED)
    await story.grant(id, { included: 5 })
    expect(await update(id, { archived: true })).toBe('200')
    await story.track(id, 2)
    await story.holds(id, '5/3/2')
    await story.grant(id, { included: 1 })
    expect((await story.check(id, 4)).allowed).toBe(true)
    const order = async () => {
      const { list } = await world.ok('features.list', {})
      return list.filter((one: Body) => one['id'] === id || one['id'] === after).map((one: Body) => one['id'])
    }
    expect(await order()).toEqual([after, id])
    expect(await codeOf(world, 'features.create', { feature_id: id, name: 'X', ...METERED })).toBe(
      '409 duplicate_feature_id',
    )
    expect(await update(id, { archived: false })).toBe('200')
    expect(await order()).toEqual([id, after])
  })

  test('a new id holds everywhere: in credit schemas, for entities, in events and on the older path (B234)', async () => {
    const event = `sent_${serial}`
    const id = await feature({ ...METERED, event_names: [event] })
    const credits = await feature({ ...CREDITS, credit_schema: [{ metered_feature_id: id, credit_cost: 2 }] })
    const held = await feature(HELD)
    await world.ok('entities.create', { customer_id: 'alice', entity_id: 'e1', feature_id: held })
    await story.grant(credits, { included: 100 })
    expect(await world.ok(`POST /v1/features/${id}`, { id: `${id}_new` })).toMatchObject({ id: `${id}_new` })
    await world.ok('features.update', { feature_id: held, new_feature_id: `${held}_new` })
    expect(await codeOf(world, 'features.get', { feature_id: id })).toBe('404 feature_not_found')
    expect((await get(credits)).credit_schema).toEqual([{ metered_feature_id: `${id}_new`, credit_cost: 2 }])
    await story.track(`${id}_new`, 3)
    await world.ok('balances.track', { customer_id: 'alice', event_name: event, value: 1 })
    await story.holds(credits, '100/92/8')
    expect(await world.ok('entities.get', { customer_id: 'alice', entity_id: 'e1' })).toMatchObject({
      feature_id: `${held}_new`,
    })
    await story.grant(`${held}_new`, { included: 2 })
    await story.holds(`${held}_new`, '2/1/1')
    // The old id is free for something else.
    await world.ok('features.create', { feature_id: id, name: 'Anew', ...FLAG })
  })

  test('a new schema is for later use alone', async () => {
    const credits = await feature({ ...CREDITS, credit_schema: [{ metered_feature_id: 'images', credit_cost: 2 }] })
    const plain = await feature(METERED)
    await story.grant(credits, { included: 100 })
    const [first] = (await story.track('images', 10)).deductions
    expect([first.feature_id, first.value]).toEqual([credits, 20])
    await world.ok('features.update', {
      feature_id: credits,
      credit_schema: [
        { metered_feature_id: 'images', credit_cost: 0.5 },
        { metered_feature_id: plain, credit_cost: 1 },
      ],
    })
    await story.holds(credits, '100/80/20')
    await story.track('images', 10)
    await story.track(plain, 5)
    await story.holds(credits, '100/70/30')
    expect((await story.check('images', 140)).allowed).toBe(true)
    expect((await story.check('images', 141)).allowed).toBe(false)
    await world.ok('features.update', {
      feature_id: credits,
      credit_schema: [{ metered_feature_id: plain, credit_cost: 1 }],
    })
    expect((await story.check('images')).balance).toBeNull()
    const { list } = await world.ok('events.list', { customer_id: 'alice' })
    expect(list.map(({ deductions }: { deductions: Body[] }) => deductions[0]?.['value'])).toEqual([5, 5, 20])
    await expectLedgerToAddUp(world.store, 'alice')
    // Whoever is in no schema any more can be deleted, and so can the system itself.
    await world.ok('balances.delete', { customer_id: 'alice', feature_id: credits })
    expect(await codeOf(world, 'features.delete', { feature_id: plain })).toBe('409 invalid_request')
    expect(await codeOf(world, 'features.delete', { feature_id: credits })).toBe('200')
    expect(await codeOf(world, 'features.delete', { feature_id: plain })).toBe('200')
  })

  test('name, display and event names are changed by themselves, with null for none', async () => {
    const [old, now] = [`a${serial}`, `b${serial}`]
    const id = await feature({ ...METERED, event_names: [old], display: { singular: 'one', plural: 'many' } })
    const before = await get(id)
    expect(await world.ok('features.update', { feature_id: id })).toEqual(before)
    expect(await world.ok('features.update', { feature_id: id, name: 'New' })).toEqual({ ...before, name: 'New' })
    const bare = await world.ok('features.update', { feature_id: id, display: null, event_names: null })
    expect(bare.event_names).toEqual([])
    expect(bare).not.toHaveProperty('display')
    const again = await world.ok('features.update', { feature_id: id, event_names: [now] })
    expect(again.event_names).toEqual([now])
    await story.grant(id, { included: 5 })
    await world.ok('balances.track', { customer_id: 'alice', event_name: now, value: 2 })
    await story.holds(id, '5/3/2')
    const gone = { customer_id: 'alice', event_name: old }
    expect(await codeOf(world, 'balances.track', gone)).toBe('404 invalid_request')
  })

  test('a retry with the same key changes and deletes once', async () => {
    const id = await feature(METERED)
    const headers = { 'idempotency-key': `k${serial}` }
    const rename = { feature_id: id, new_feature_id: `${id}_new` }
    const first = await world.ok('features.update', rename, headers)
    expect(await world.ok('features.update', rename, headers)).toEqual(first)
    const other = { ...headers, 'idempotency-key': `d${serial}` }
    expect(await world.ok('features.delete', { feature_id: `${id}_new` }, other)).toEqual({ success: true })
    expect(await world.ok('features.delete', { feature_id: `${id}_new` }, other)).toEqual({ success: true })
  })

  test('the older paths and names (B1, B227)', async () => {
    const version = { 'x-api-version': '1.2.0' }
    const id = `old${serial}`
    expect(await world.ok('POST /v1/features', { id, type: 'continuous_use' }, version)).toMatchObject({
      id,
      name: id,
      type: 'continuous_use',
    })
    expect(await world.ok(`POST /v1/features/${id}`, { name: 'Old', type: 'single_use' }, version)).toMatchObject({
      name: 'Old',
      type: 'single_use',
    })
    expect(await world.ok(`GET /v1/features/${id}`)).toMatchObject({ type: 'metered', consumable: true })
    const { list } = await world.ok('GET /v1/features', undefined, version)
    expect(list.map((one: Body) => one['id'])).toContain(id)
    expect(await world.ok(`DELETE /v1/features/${id}`, undefined, version)).toEqual({ success: true })
    expect(await codeOf(world, `GET /v1/features/${id}`)).toBe('404 feature_not_found')
  })

  test('what is expanded is the feature as it is now', async () => {
    const id = await feature(METERED)
    await story.grant(id, { included: 5 })
    await story.check(id)
    await update(id, { name: 'Renamed' })
    const { balances } = await world.ok('customers.get', { customer_id: 'alice', expand: ['balances.feature'] })
    expect([balances[id].feature.name, figuresOf(balances[id])]).toEqual(['Renamed', '5/5/0'])
  })
})

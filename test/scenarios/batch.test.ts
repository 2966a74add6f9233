import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { behaving } from '../engine/behaving.ts'
import { openWorld, type Reply, type World } from '../world.ts'
import { Story } from './story.ts'

type Item = Record<string, unknown>

let story: Story
let world: World
beforeEach(async () => {
  story = await Story.begin()
  world = story.world
})

const use = (value: number, more: Item = {}): Item => ({
  customer_id: 'alice',
  feature_id: 'messages',
  value,
  ...more,
})

const batch = (items: unknown, headers: Record<string, string> = {}) =>
  world.call('balances.batch_track', items, headers)

/** Per item: what was taken, by feature, or why nothing was. */
const briefly = ({ body }: Reply): string[] =>
  body.results.map(({ status, code, deductions }: Item) =>
    status === 200
      ? (deductions as Item[]).map(({ feature_id, value }) => `${feature_id} ${value}`).join(', ')
      : `${status} ${code}`,
  )

const events = async (customer_id = 'alice') => (await world.ok('events.list', { customer_id })).list

describe('batch_track (R125)', () => {
  test('does many uses of many customers, and answers 202 with what each took', async () => {
    await story.grant('messages', { included: 50 })
    await story.grant('credits', { included: 10 })
    await world.ok('customers.get_or_create', { customer_id: 'bob' })
    await world.ok('balances.create', { customer_id: 'bob', feature_id: 'images', included: 5 })
    const reply = await batch([
      use(45),
      { customer_id: 'bob', feature_id: 'images', value: 2, properties: { size: 'l' }, timestamp: world.clock.now - 5 },
      use(10),
      { customer_id: 'bob', feature_id: 'images' },
    ])
    expect(reply.status).toBe(202)
    expect(reply.headers['idempotent-replayed']).toBeUndefined()
    expect(reply.body.success).toBe(true)
    expect(briefly(reply)).toEqual(['messages 45', 'images 2', 'messages 5, credits 1', 'images 1'])
    const event_id = expect.stringMatching(/^evt_/)
    expect(reply.body.results[2]).toEqual({
      status: 200,
      code: null,
      event_id,
      value: 10,
      deductions: [
        expect.objectContaining({ feature_id: 'messages', value: 5, plan_id: null }),
        expect.objectContaining({ feature_id: 'credits', value: 1 }),
      ],
    })
    await story.holds('credits', '10/9/1')
    expect((await events('bob')).map(({ value }: Item) => value)).toEqual([1, 2])
    expect((await events('bob'))[1]).toMatchObject({ properties: { size: 'l' }, timestamp: world.clock.now - 5 })
  })

  test('an item that is refused does not keep the others from being done', async () => {
    await story.grant('messages', { included: 50 })
    const reply = await batch([
      use(1),
      use(1, { customer_id: 'nobody' }),
      use(60, { overage_behavior: 'reject' }),
      use(1, { entity_id: 'nowhere' }),
      use(1, { timestamp: world.clock.now + 1 }),
      use(2),
    ])
    expect(reply.status).toBe(202)
    expect(briefly(reply)).toEqual([
      'messages 1',
      '404 customer_not_found',
      '400 insufficient_balance',
      '404 entity_not_found',
      '400 invalid_inputs',
      'messages 2',
    ])
    expect(reply.body.results[1]).toEqual({
      status: 404,
      code: 'customer_not_found',
      message: 'Customer nobody not found',
      value: 0,
      deductions: [],
    })
    await story.holds('messages', '50/47/3')
  })

  test.each<[string, unknown, string, RegExp]>([
    ['nothing', [], '400 invalid_inputs', /^input: must be of length 1 or more$/],
    ['more than a thousand', Array(1001).fill({}), '400 invalid_inputs', /^input: must be of length 1000 or less$/],
    ['no list', use(1), '400 invalid_inputs', /^input: must be an array \(received object\)$/],
    ['an item that is none', [use(1), 7], '400 invalid_inputs', /^1: must be an object \(received number\)$/],
    ['a wrong value', [use(1), use(1), use(1, { value: 'x' })], '400 invalid_inputs', /^2\.value: must be a number/],
    ['no feature', [{ customer_id: 'alice' }], '400 invalid_inputs', /^0: either feature_id or event_name/],
    [
      'a thousand mistakes',
      Array(1000).fill({}),
      '400 invalid_inputs',
      /^\[Validation Errors\] 0\.customer_id: .*; and 980 more$/,
    ],
    ['an unknown feature', [use(1), use(1, { feature_id: 'nope' })], '404 feature_not_found', /^1: .*nope not found/],
    ['an unknown event', [use(1), { customer_id: 'alice', event_name: 'e' }], '404 invalid_request', /^1: No features/],
    [
      'an event name with reject',
      [use(1), { customer_id: 'alice', event_name: 'e', overage_behavior: 'reject' }],
      '400 invalid_request',
      /^1: overage_behavior reject/,
    ],
  ])('%s is refused as a whole, and nothing is done', async (_label, items, code, message) => {
    await story.grant('messages', { included: 50 })
    const { status, body } = await batch(items)
    expect(`${status} ${body.code}`).toBe(code)
    expect(body.message).toMatch(message)
    await story.holds('messages', '50/50/0')
  })

  test('a thousand items of one customer are done in their order', async () => {
    await story.grant('messages', { included: 100 })
    const reply = await batch(Array.from({ length: 1000 }, (_, i) => use(i % 2 === 0 ? 3 : -1)))
    expect(reply.body.results).toHaveLength(1000)
    expect(briefly(reply).slice(96, 99)).toEqual(['messages 3', 'messages -1', 'messages 2'])
    await story.holds('messages', '100/1/99')
    expect(reply.body.results[998].deductions[0].value).toBe(1)
  })

  test('an item may give back what an earlier batch took, once', async () => {
    await story.grant('messages', { included: 50 })
    const { body } = await batch([use(10), use(4)])
    const refund = { customer_id: 'alice', refund_of: body.results[0].event_id }
    const reply = await batch([{ ...refund, value: -3 }, refund, refund, { ...refund, refund_of: 'evt_none' }])
    expect(briefly(reply)).toEqual(['messages -3', 'messages -7', '400 refund_exceeds_event', '404 event_not_found'])
    expect(reply.body.results.map(({ value }: Item) => value)).toEqual([-3, -7, 0, 0])
    await story.holds('messages', '50/46/4')
  })

  test('up to 2.0 a missing customer or entity is created, as by track; a batch is answered with 202 all the same', async () => {
    const version = { 'x-api-version': '1.2' }
    const items = [
      { customer_id: 'carl', feature_id: 'messages', properties: { value: 7, tag: 'x' } },
      { customer_id: 'carl', feature_id: 'messages', entity_id: 'seat1', entity_data: { feature_id: 'seats' } },
      { customer_id: 'carl', feature_id: 'messages', entity_id: 'seat2' },
    ]
    const reply = await batch(items, version)
    expect(reply.status).toBe(202)
    expect(reply.body.results.map(({ status, value }: Item) => [status, value])).toEqual([
      [200, 7],
      [200, 1],
      [400, 0],
    ])
    expect((await events('carl')).map(({ value, properties }: Item) => [value, properties])).toEqual([
      [1, {}],
      [7, { tag: 'x' }],
    ])
  })
})

describe('a batch with keys (R126)', () => {
  beforeEach(() => story.grant('messages', { included: 100 }))

  test('a batch that is sent again with its key is done once, and answered as the first time', async () => {
    const items = [use(1), use(2), use(2), use(1, { customer_id: 'nobody' })]
    const first = await batch(items, { 'idempotency-key': 'k' })
    const again = await batch(items, { 'idempotency-key': 'k' })
    expect(again.status).toBe(202)
    expect(again.body.results).toEqual(
      first.body.results.map((one: Item) => (one['status'] === 200 ? { ...one, replayed: true } : one)),
    )
    // One item was refused, and so was tried again.
    expect(again.headers['idempotent-replayed']).toBeUndefined()
    await story.holds('messages', '100/95/5')
    expect(await events()).toHaveLength(3)
  })

  test('where all of it was done before, the whole is marked as replayed', async () => {
    const items = [use(1), use(2)]
    await batch(items, { 'idempotency-key': 'k' })
    expect((await batch(items, { 'idempotency-key': 'k' })).headers['idempotent-replayed']).toBe('true')
  })

  test("an item's key is key#index, and that item may be sent again by itself", async () => {
    const { body } = await batch([use(1), use(2)], { 'idempotency-key': 'k' })
    const alone = await world.call('balances.track', use(2), { 'idempotency-key': 'k#1' })
    expect(alone.headers['idempotent-replayed']).toBe('true')
    expect(alone.body).toMatchObject({ value: 2, event_id: body.results[1].event_id, balance: null })
    await story.holds('messages', '100/97/3')
  })

  test('an own key of an item wins over that of the batch, and is that of track', async () => {
    const own = use(5, { idempotency_key: 'mine' })
    await world.ok('balances.track', own)
    const reply = await batch([own, use(1)], { 'idempotency-key': 'k' })
    expect(reply.body.results.map(({ replayed }: Item) => replayed)).toEqual([true, undefined])
    const moved = await batch([use(1), own], { 'idempotency-key': 'k2' })
    expect(moved.body.results.map(({ replayed }: Item) => replayed)).toEqual([undefined, true])
    await story.holds('messages', '100/93/7')
  })

  test('items of one batch with one key have one effect where they are the same; another is refused', async () => {
    const own = use(5, { idempotency_key: 'mine' })
    const reply = await batch([own, own, use(6, { idempotency_key: 'mine' }), use(1)])
    expect(briefly(reply)).toEqual(['messages 5', 'messages 5', '409 idempotency_key_reused', 'messages 1'])
    expect(reply.body.results.map(({ replayed }: Item) => replayed)).toEqual([undefined, true, undefined, undefined])
    await story.holds('messages', '100/94/6')
  })

  test('another batch under the same key: what is the same is done once, what is not is refused', async () => {
    await batch([use(1), use(2)], { 'idempotency-key': 'k' })
    const reply = await batch([use(1), use(3), use(4)], { 'idempotency-key': 'k' })
    expect(briefly(reply)).toEqual(['messages 1', '409 idempotency_key_reused', 'messages 4'])
    await story.holds('messages', '100/93/7')
  })

  test('with GRANARY_IDEMPOTENCY=reject an item that was done before says so (R126)', async () => {
    const strict = await openWorld({ idempotency: 'reject' })
    await strict.ok('features.create', { feature_id: 'messages', name: 'M', type: 'metered', consumable: true })
    await strict.ok('customers.get_or_create', { customer_id: 'alice' })
    const headers = { 'idempotency-key': 'k' }
    await strict.ok('balances.batch_track', [use(1)], headers)
    const again = await strict.call('balances.batch_track', [use(1), use(2)], headers)
    expect(again.status).toBe(202)
    expect(again.body.results.map(({ status, code }: Item) => [status, code])).toEqual([
      [409, 'duplicate_idempotency_key'],
      [200, null],
    ])
    await strict.close()
  })
})

describe('when not all of a batch can be done', () => {
  /** Lets so many commits through, and then none, until it is told otherwise. */
  const stopping = { left: Number.POSITIVE_INFINITY }
  const limited = async (waitingPerCustomer?: number) => {
    stopping.left = Number.POSITIVE_INFINITY
    const told = await Story.begin(undefined, {
      wrap: behaving({
        commit: (ask, group) => (--stopping.left < 0 ? Promise.reject(new Error('disk full')) : ask(group)),
      }),
      ...(waitingPerCustomer === undefined ? {} : { waitingPerCustomer }),
    })
    world = told.world
    for (const customer_id of people) {
      await world.ok('customers.get_or_create', { customer_id })
      await world.ok('balances.create', { customer_id, feature_id: 'messages', included: 10 })
    }
  }
  const people = Array.from({ length: 40 }, (_, i) => `p${i}`)
  const items = people.map((customer_id) => use(1, { customer_id }))
  const used = async () => {
    const { list } = await world.ok('customers.list', { limit: 100 })
    return list.reduce((sum: number, { balances }: Item) => sum + (Object(balances).messages?.usage ?? 0), 0)
  }

  test('all of it failed: 503, and nothing is done', async () => {
    await limited()
    stopping.left = 0
    const reply = await batch(items)
    expect([reply.status, reply.body.code, reply.headers['retry-after']]).toEqual([503, 'store_unavailable', '1'])
    stopping.left = Number.POSITIVE_INFINITY
    expect(await used()).toBe(0)
  })

  test('a part failed and there are no keys: 202, and each item says what became of it', async () => {
    await limited()
    stopping.left = 1
    const reply = await batch(items)
    stopping.left = Number.POSITIVE_INFINITY
    expect(reply.status).toBe(202)
    const failed = reply.body.results.filter(({ status }: Item) => status === 503)
    expect(failed[0]).toMatchObject({ code: 'store_unavailable', value: 0, deductions: [] })
    expect(failed.length).toBeGreaterThan(0)
    expect(failed.length).toBeLessThan(40)
    expect(await used()).toBe(40 - failed.length)
    expect(world.faults).toHaveLength(failed.length)
  })

  test('a part failed and there are keys: 503, and sending it again does what is missing and nothing twice', async () => {
    await limited()
    stopping.left = 1
    const reply = await batch(items, { 'idempotency-key': 'k' })
    expect([reply.status, reply.body.code, reply.headers['retry-after']]).toEqual([503, 'outcome_unknown', '1'])
    stopping.left = Number.POSITIVE_INFINITY
    const before = await used()
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(40)
    const again = await batch(items, { 'idempotency-key': 'k' })
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([202, undefined])
    expect(again.body.results.filter(({ replayed }: Item) => replayed === true)).toHaveLength(before)
    expect(await used()).toBe(40)
    const third = await batch(items, { 'idempotency-key': 'k' })
    expect(third.headers['idempotent-replayed']).toBe('true')
    expect(await used()).toBe(40)
  })

  test('no room for all of it: 429 for the whole, and nothing is done', async () => {
    await limited(5)
    const six = Array.from({ length: 6 }, () => use(1, { customer_id: 'p0' }))
    const [alone, crowded] = await Promise.all([batch(six), batch([...items, ...six])])
    expect(alone.status).toBe(202)
    expect([crowded.status, crowded.body.code, crowded.headers['retry-after']]).toEqual([429, 'overloaded', '1'])
    expect(await used()).toBe(6)
    expect((await batch([...items, ...six])).status).toBe(202)
  })
})

test('a batch is what its items are one by one', { timeout: 120_000 }, async () => {
  const item = fc.record(
    {
      feature_id: fc.constantFrom('messages', 'images', 'credits', 'seats', 'sso'),
      value: fc.constantFrom(0, 1, 2.5, 7, -3, 40),
      overage_behavior: fc.constantFrom('cap', 'overflow', 'reject'),
      entity_id: fc.constantFrom('seat1', 'nowhere'),
      idempotency_key: fc.constantFrom('a', 'b'),
      skip_event: fc.boolean(),
      async: fc.boolean(),
    },
    { requiredKeys: ['feature_id', 'value'] },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 12 }), async (items) => {
      await story.anew()
      await world.ok('customers.get_or_create', { customer_id: 'bob' })
      for (const customer_id of ['alice', 'bob']) {
        await world.ok('entities.create', { customer_id, entities: [{ entity_id: 'seat1', feature_id: 'seats' }] })
        for (const feature_id of ['messages', 'credits', 'seats']) {
          await world.ok('balances.create', { customer_id, feature_id, included: 20, reset: undefined })
        }
        await world.ok('balances.create', { customer_id, feature_id: 'messages', included: 5, entity_id: 'seat1' })
      }
      const { body } = await batch(items.map((one) => ({ customer_id: 'alice', ...one })))
      const alone: unknown[] = []
      for (const one of items) {
        const { async: _, ...sync } = one
        alone.push(resultOf(await world.call('balances.track', { customer_id: 'bob', ...sync })))
      }
      const together = body.results.map((one: Item) => tidied(one))
      // A key that came with `async` before is another request than the same without.
      if (!items.some((one) => one.async !== undefined && one.idempotency_key !== undefined)) {
        expect(together).toEqual(alone)
        expect(await holdingsOf('alice')).toEqual(await holdingsOf('bob'))
      }
    }),
    { numRuns: 30 },
  )
})

const resultOf = ({ status, body, headers }: Reply) =>
  status >= 400
    ? tidied({ status, code: body.code, value: 0, deductions: [] })
    : tidied({ ...body, status, code: null, replayed: headers['idempotent-replayed'] === 'true' })

/** Without what must differ: ids, and what a result does not have. */
const tidied = ({ status, code, value, deductions, event_id, replayed }: Item) => ({
  status,
  code,
  value,
  recorded: event_id !== undefined,
  replayed: replayed === true,
  deductions: (deductions as Item[]).map((one) => ({ ...one, balance_id: 'some' })),
})

async function holdingsOf(customer_id: string) {
  const { balances } = await world.ok('customers.get', { customer_id })
  const entity = await world.ok('entities.get', { customer_id, entity_id: 'seat1' })
  const recorded = (await events(customer_id)).map(({ feature_id, value }: Item) => [feature_id, value])
  const figures = (all: Record<string, Item>) =>
    Object.values(all).map(({ feature_id, granted, remaining, usage }) => [feature_id, granted, remaining, usage])
  return [figures(balances), figures(entity.balances), recorded]
}

describe('async (R72, K9)', () => {
  beforeEach(() => story.grant('messages', { included: 10 }))

  test('is done before it is answered: 202 with what was asked, and no balance', async () => {
    const reply = await world.call('balances.track', use(4, { async: true }))
    expect([reply.status, reply.body]).toEqual([
      202,
      { customer_id: 'alice', event_id: expect.stringMatching(/^evt_/), value: 4, balance: null },
    ])
    await story.holds('messages', '10/6/4')
  })

  test('is refused like any other use', async () => {
    for (const [more, refused] of [
      [{ customer_id: 'nobody' }, '404 customer_not_found'],
      [{ feature_id: 'nope' }, '404 feature_not_found'],
      [{ value: 11, overage_behavior: 'reject' }, '400 insufficient_balance'],
      [{ value: 'x' }, '400 invalid_inputs'],
      [{ async: 'yes' }, '400 invalid_inputs'],
    ] as const) {
      const { status, body } = await world.call('balances.track', use(1, { async: true, ...more }))
      expect(`${status} ${body.code}`).toBe(refused)
    }
    await story.holds('messages', '10/10/0')
  })

  test.each([
    ['2.4', 202, { customer_id: 'alice', event_id: expect.any(String), value: 1, balance: null }],
    ['2.3', 202, { customer_id: 'alice', event_id: expect.any(String), value: 1, balance: null }],
    [
      '2.2',
      200,
      {
        customer_id: 'alice',
        entity_id: null,
        event_name: null,
        event_id: expect.any(String),
        value: 1,
        balance: null,
        balances: null,
      },
    ],
    [
      '2.1',
      200,
      {
        customer_id: 'alice',
        entity_id: null,
        event_name: null,
        event_id: expect.any(String),
        value: 1,
        balance: null,
        balances: null,
      },
    ],
    ['2.0', 200, { customer_id: 'alice', value: 1, balance: null }],
    ['1.2', 200, { id: 'placeholder', code: 'event_received', customer_id: 'alice', feature_id: 'messages' }],
  ])('at %s it is answered with %d', async (version, status, body) => {
    const reply = await world.call('balances.track', use(1, { async: true }), { 'x-api-version': version })
    expect([reply.status, reply.body]).toEqual([status, body])
  })

  test('a repeated key gets the first answer, with 202 again', async () => {
    const keyed = use(3, { async: true, idempotency_key: 'k' })
    const first = await world.call('balances.track', keyed)
    const again = await world.call('balances.track', keyed)
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([202, 'true', first.body])
    await story.holds('messages', '10/7/3')
  })
})

describe('skip_event (R74)', () => {
  beforeEach(() => story.grant('messages', { included: 10 }))

  test('a use takes what it takes, and nothing is recorded', async () => {
    const answer = await story.track('messages', 4, { skip_event: true })
    expect(answer).not.toHaveProperty('event_id')
    expect(answer.deductions).toMatchObject([{ feature_id: 'messages', value: 4 }])
    await story.holds('messages', '10/6/4')
    expect(await events()).toEqual([])
    await story.track('messages', 1, { skip_event: false })
    expect(await events()).toHaveLength(1)
  })

  test('nor of a check that uses at once', async () => {
    const more = { send_event: true, skip_event: true }
    const answer = await story.check('messages', 4, more)
    expect(answer).toMatchObject({ allowed: true, balance: { remaining: 6 } })
    expect(answer).not.toHaveProperty('event_id')
    expect((await story.check('messages', 7, more)).allowed).toBe(false)
    await story.holds('messages', '10/6/4')
    expect(await events()).toEqual([])
  })
})

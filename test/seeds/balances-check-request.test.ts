import { beforeEach, describe, expect, test } from 'vitest'
import { bookOf, expectLedgerToAddUp } from '../ledger.ts'
import { Story } from '../scenarios/story.ts'

type Body = Record<string, unknown>

const now = Date.parse('2026-01-31T10:00:00Z')

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

/** What an answer says of the balance, in the words of each version: granted / left / used, or that nothing is held. */
const FIGURES: Record<string, (answer: Record<string, Record<string, unknown>>) => string> = {
  '1.2.0': ({ included_usage, balance, usage }) =>
    balance === undefined ? 'nothing' : `${included_usage}/${balance}/${usage}`,
  '2.0.0': ({ balance }) =>
    balance == null ? 'nothing' : `${balance['granted_balance']}/${balance['current_balance']}/${balance['usage']}`,
  '2.1.0': ({ balance }) =>
    balance == null ? 'nothing' : `${balance['granted']}/${balance['remaining']}/${balance['usage']}`,
  '2.4.0': ({ balance }) =>
    balance == null ? 'nothing' : `${balance['granted']}/${balance['remaining']}/${balance['usage']}`,
}

/** The document of the check: every field that it lists, in each generation. */
describe.each(Object.keys(FIGURES))('BalancesCheckRequest (%s)', (version) => {
  const headers = { 'x-api-version': version }
  const old = version < '2.1'
  const alice = { customer_id: 'alice', feature_id: 'messages' }

  const call = (fields: Body = {}) => story.world.call('POST /v1/check', { ...alice, ...fields }, headers)
  const check = (fields: Body = {}) => story.world.ok('POST /v1/check', { ...alice, ...fields }, headers)
  const figures = (answer: Record<string, Record<string, unknown>>) => FIGURES[version]?.(answer)
  const codeOf = async (fields: Body) => {
    const { status, body } = await call(fields)
    return status === 200 ? '200' : `${status} ${body.code}`
  }
  const eventsOf = async (customer_id = 'alice') => (await story.world.ok('events.list', { customer_id })).list
  const exists = async (customer_id: string) =>
    (await story.world.call('customers.get', { customer_id })).status === 200

  test('customer_id: whose access is asked for, by the caller’s id or the internal one', async () => {
    await story.grant('messages', { included: 10 })
    const { autumn_id } = await story.world.ok('customers.get', { customer_id: 'alice', with_autumn_id: true })
    for (const customer_id of ['alice', autumn_id]) {
      const answer = await check({ customer_id })
      expect([answer.allowed, answer.customer_id, figures(answer)]).toEqual([true, 'alice', '10/10/0'])
    }
    expect(await codeOf({ customer_id: undefined })).toBe('400 invalid_inputs')
    expect(await codeOf({ customer_id: 5 })).toBe('400 invalid_inputs')
  })

  test(`customer_id: one that is not there ${old ? 'is created' : 'is not found'} (R11)`, async () => {
    const customer_data = { name: 'Zoe', email: 'zoe@example.org', metadata: { tier: 'beta' } }
    if (!old) {
      expect(await codeOf({ customer_id: 'zoe', customer_data })).toBe('404 customer_not_found')
      expect(await exists('zoe')).toBe(false)
      return
    }
    const answer = await check({ customer_id: 'zoe', customer_data })
    expect([answer.allowed, answer.customer_id, figures(answer)]).toEqual([false, 'zoe', 'nothing'])
    expect(await story.world.ok('customers.get', { customer_id: 'zoe' })).toMatchObject({ ...customer_data })
    // Of one that is there only what is missing is filled in.
    await check({ customer_data: { name: 'Alice', metadata: { a: 1 } } })
    await check({ customer_data: { name: 'Other' } })
    expect(await story.world.ok('customers.get', { customer_id: 'alice' })).toMatchObject({
      name: 'Alice',
      metadata: {},
    })
  })

  test('feature_id: what is asked for; an unknown one comes first, and creates nobody (R31, S21)', async () => {
    await story.grant('messages', { included: 10 })
    await story.grant('images', { included: 3 })
    expect(figures(await check({ feature_id: 'images' }))).toBe('3/3/0')
    expect(await codeOf({ feature_id: 'nope' })).toBe('404 feature_not_found')
    expect(await codeOf({ feature_id: 'nope', customer_id: 'zoe', entity_id: 'e1' })).toBe('404 feature_not_found')
    expect(await exists('zoe')).toBe(false)
    expect(await codeOf({ feature_id: undefined })).toBe('400 invalid_inputs')
    expect(await codeOf({ feature_id: undefined, product_id: 'pro' })).toBe('404 product_not_found')
    expect(await codeOf({ product_id: 'pro' })).toBe('400 invalid_inputs')
  })

  test('feature_id: a flag is held or not', async () => {
    const bare = await check({ feature_id: 'sso' })
    expect([bare.allowed, figures(bare)]).toEqual([false, 'nothing'])
    await story.grant('sso', {})
    const answer = await check({ feature_id: 'sso' })
    expect(answer.allowed).toBe(true)
    if (version === '1.2.0')
      expect(answer).toMatchObject({ feature_id: 'sso', unlimited: false, balance: 0, interval: null })
    if (version === '2.0.0') {
      expect(answer).not.toHaveProperty('flag')
      const zero = { granted_balance: 0, purchased_balance: 0, current_balance: 0, usage: 0 }
      expect(answer.balance).toMatchObject({ feature_id: 'sso', ...zero, breakdown: [zero] })
    }
    if (!old) expect(answer).toMatchObject({ balance: null, flag: { feature_id: 'sso', expires_at: null } })
  })

  test('entity_id: whose access it is; it is named in the answer', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 10 })
    await story.grant('messages', { included: 5, entity_id: 'e1' })
    const first = await check({ entity_id: 'e1', required_balance: 15 })
    expect([first.allowed, first.entity_id, figures(first)]).toEqual([true, 'e1', '15/15/0'])
    const second = await check({ entity_id: 'e2', required_balance: 15 })
    expect([second.allowed, figures(second)]).toEqual([false, '10/10/0'])
    // Of the customer it shows all there is, though the customer may spend its own alone (R34).
    const customer = await check({ required_balance: 15 })
    expect([customer.allowed, figures(customer)]).toEqual([false, '15/15/0'])
    expect(customer.entity_id ?? null).toBeNull()
    expect('entity_id' in customer).toBe(version === '2.1.0')
  })

  test(`entity_id: one that is not there ${old ? 'is created from what is said of it' : 'is not found'} (R11, B224)`, async () => {
    await story.grant('messages', { included: 10 })
    const entity_data = { feature_id: 'seats', name: 'Eve' }
    const before = await bookOf(story.world.store, 'alice')
    if (!old) {
      for (const customer_id of ['alice', 'zoe']) {
        expect(await codeOf({ customer_id, entity_id: 'e1', entity_data })).toBe('404 entity_not_found')
      }
      expect(await bookOf(story.world.store, 'alice')).toEqual(before)
      expect(await exists('zoe')).toBe(false)
      return
    }
    for (const customer_id of ['alice', 'zoe']) {
      expect(await codeOf({ customer_id, entity_id: 'e1' })).toBe('400 invalid_inputs')
      const unfit = { customer_id, entity_id: 'e1', entity_data: { feature_id: 'messages' } }
      expect(await codeOf(unfit)).toBe('400 invalid_request')
    }
    expect(await bookOf(story.world.store, 'alice')).toEqual(before)
    expect(await exists('zoe')).toBe(false)
    const answer = await check({ entity_id: 'e1', entity_data })
    expect([answer.allowed, answer.entity_id, figures(answer)]).toEqual([true, 'e1', '10/10/0'])
    await check({ customer_id: 'zoe', entity_id: 'e1', entity_data, customer_data: { name: 'Zoe' } })
    for (const customer_id of ['alice', 'zoe']) {
      expect(await story.world.ok('entities.get', { customer_id, entity_id: 'e1' })).toMatchObject({
        name: 'Eve',
        feature_id: 'seats',
      })
    }
  })

  test('many that ask for a new customer at once find one (R11)', async () => {
    const answers = Array.from({ length: 6 }, () => codeOf({ customer_id: 'zoe' }))
    expect(await Promise.all(answers)).toEqual(Array(6).fill(old ? '200' : '404 customer_not_found'))
    const { list } = await story.world.ok('customers.list', {})
    expect(list).toHaveLength(old ? 2 : 1)
  })

  test.each<[unknown, boolean, number]>([
    [undefined, true, 1],
    [0, true, 0],
    [9.5, true, 9.5],
    [10, true, 10],
    [10.000000000001, false, 10.000000000001],
    [-3, true, -3],
    ['2.5', true, 2.5],
  ])('required_balance: %s of ten is allowed: %s', async (required_balance, allowed, shown) => {
    await story.grant('messages', { included: 10 })
    const answer = await check({ required_balance })
    expect([answer.allowed, answer.required_balance, figures(answer)]).toEqual([allowed, shown, '10/10/0'])
    expect(await eventsOf()).toEqual([])
  })

  test('required_balance: in credits where credits answer (R28)', async () => {
    await story.grant('credits', { included: 10 })
    const answer = await check({ feature_id: 'images', required_balance: 4 })
    expect([answer.allowed, answer.required_balance, figures(answer)]).toEqual([false, 12, '10/10/0'])
    expect(version === '1.2.0' ? answer.feature_id : answer.balance.feature_id).toBe('credits')
    if (version === '1.2.0') {
      expect(answer.credit_schema).toEqual([
        { feature_id: 'messages', credit_amount: 0.2 },
        { feature_id: 'images', credit_amount: 3 },
      ])
    }
  })

  test('required_balance: must be a number; required_quantity is its older name', async () => {
    await story.grant('messages', { included: 10 })
    for (const required_balance of [null, true, 'many', 1e16]) {
      expect(await codeOf({ required_balance })).toBe('400 invalid_inputs')
    }
    expect((await check({ required_quantity: 11 })).allowed).toBe(false)
    expect((await check({ required_quantity: 11, required_balance: 1 })).allowed).toBe(true)
  })

  test('properties: are kept with the event, and make no difference without one', async () => {
    await story.grant('messages', { included: 10 })
    const properties = { model: 'large', tokens: 12, nested: { deep: [null, true] }, value: 'kept' }
    await check({ properties })
    expect(await eventsOf()).toEqual([])
    await check({ properties, send_event: true })
    expect(await eventsOf()).toMatchObject([{ feature_id: 'messages', value: 1, properties }])
    expect((await eventsOf())[0].properties).toEqual(properties)
    for (const wrong of [null, 'text', [1]]) expect(await codeOf({ properties: wrong })).toBe('400 invalid_inputs')
  })

  test('send_event: uses what was asked for, all or nothing', async () => {
    await story.grant('messages', { included: 10 })
    const send = (required_balance?: number) => check({ required_balance, send_event: true })
    const one = await send()
    expect([one.allowed, figures(one)]).toEqual([true, '10/9/1'])
    const four = await send(4)
    expect([four.allowed, figures(four)]).toEqual([true, '10/5/5'])
    const six = await send(6)
    expect([six.allowed, figures(six)]).toEqual([false, '10/5/5'])
    const back = await send(-2)
    expect([back.allowed, figures(back)]).toEqual([true, '10/7/3'])
    const none = await check({ required_balance: 3, send_event: false })
    expect([none.allowed, figures(none)]).toEqual([true, '10/7/3'])
    const values = (await eventsOf()).map((event: Body) => [event['value'], event['timestamp']])
    expect(values).toEqual([
      [-2, now],
      [4, now],
      [1, now],
    ])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('send_event: goes on with credits where the feature’s own is not enough (R51)', async () => {
    await story.grant('images', { included: 2 })
    await story.grant('credits', { included: 10 })
    const answer = await check({ feature_id: 'images', required_balance: 5, send_event: true })
    expect(answer.allowed).toBe(true)
    await story.holds('credits', '10/1/9')
    await story.holds('images', 'nothing')
    expect((await check({ feature_id: 'images', required_balance: 1, send_event: true })).allowed).toBe(false)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('send_event: for an entity, and never for a flag (R48)', async () => {
    await story.seat('e1')
    await story.grant('messages', { included: 5, entity_id: 'e1' })
    await story.grant('sso', {})
    expect(figures(await check({ entity_id: 'e1', send_event: true, required_balance: 2 }))).toBe('5/3/2')
    const { list } = await story.world.ok('events.list', { entity_id: 'e1' })
    expect(list).toMatchObject([{ value: 2 }])
    expect(await codeOf({ feature_id: 'sso', send_event: true })).toBe('400 invalid_request')
    expect(await codeOf({ send_event: 'yes' })).toBe('400 invalid_inputs')
  })

  test('send_event: a retry with the same key uses once', async () => {
    await story.grant('messages', { included: 10 })
    const keyed = { ...headers, 'idempotency-key': 'k' }
    const send = () => story.world.call('POST /v1/check', { ...alice, required_balance: 4, send_event: true }, keyed)
    const [first, again] = [await send(), await send()]
    expect(again.body).toEqual(first.body)
    await story.holds('messages', '10/6/4')
  })

  test('with_preview: tells what is missing when the answer is no, and nothing when it is yes (R27, R55)', async () => {
    await story.grant('messages', { included: 10 })
    const yes = await check({ with_preview: true })
    expect([yes.allowed, 'preview' in yes, yes.preview]).toEqual([true, true, null])
    const no = await check({ with_preview: true, required_balance: 11 })
    expect(no.preview).toMatchObject({
      scenario: 'usage_limit',
      title: expect.any(String),
      message: expect.any(String),
      feature_id: 'messages',
      feature_name: 'Messages',
      products: [],
      upgrade_product_id: null,
    })
    const flag = await check({ with_preview: true, feature_id: 'sso' })
    expect(flag.preview).toMatchObject({ scenario: 'feature_flag', feature_id: 'sso', feature_name: 'SSO' })
    const unasked = await check({ required_balance: 11 })
    expect('preview' in unasked).toBe(version === '2.1.0')
    expect(unasked.preview ?? null).toBeNull()
    expect(await codeOf({ with_preview: 'yes' })).toBe('400 invalid_inputs')
  })

  test.each(['POST /v1/check', 'POST /v1/entitled', 'balances.check'])('%s is the same check', async (path) => {
    await story.grant('messages', { included: 10, balance_id: 'b', reset: { interval: 'day' } })
    expect(await story.world.ok(path, alice, headers)).toEqual(await check())
  })
})

describe('BalancesCheckRequest: the whole answer', () => {
  const resets_at = now + 86_400_000

  test.each<[string, object]>([
    [
      '1.2.0',
      {
        allowed: true,
        code: 'feature_found',
        customer_id: 'alice',
        feature_id: 'messages',
        required_balance: 2,
        interval: 'day',
        interval_count: 1,
        unlimited: false,
        balance: 6,
        usage: 4,
        included_usage: 10,
        next_reset_at: resets_at,
        overage_allowed: false,
        breakdown: [
          {
            interval: 'day',
            interval_count: 1,
            balance: 6,
            usage: 4,
            included_usage: 10,
            next_reset_at: resets_at,
            overage_allowed: false,
            expires_at: null,
          },
        ],
      },
    ],
    [
      '2.0.0',
      {
        allowed: true,
        customer_id: 'alice',
        required_balance: 2,
        balance: {
          feature_id: 'messages',
          unlimited: false,
          granted_balance: 10,
          purchased_balance: 0,
          current_balance: 6,
          usage: 4,
          overage_allowed: false,
          max_purchase: null,
          reset: { interval: 'day', resets_at },
          plan_id: null,
          breakdown: [
            {
              id: 'b',
              plan_id: null,
              granted_balance: 10,
              purchased_balance: 0,
              current_balance: 6,
              usage: 4,
              overage_allowed: false,
              max_purchase: null,
              reset: { interval: 'day', resets_at },
              prepaid_quantity: 0,
              expires_at: null,
            },
          ],
        },
      },
    ],
    [
      '2.1.0',
      newer(
        { entity_id: null, balances: null, preview: null },
        { feature: null, rollovers: null },
        { interval_count: null },
      ),
    ],
    ['2.4.0', newer({}, {}, {})],
  ])('%s', async (version, answer) => {
    await story.grant('messages', { included: 10, reset: { interval: 'day' }, balance_id: 'b' })
    await story.track('messages', 4)
    const body = { customer_id: 'alice', feature_id: 'messages', required_balance: 2 }
    expect(await story.world.ok('POST /v1/check', body, { 'x-api-version': version })).toStrictEqual(answer)
  })

  function newer(more: object, ofBalance: object, ofReset: object) {
    return {
      allowed: true,
      customer_id: 'alice',
      required_balance: 2,
      balance: {
        object: 'balance',
        feature_id: 'messages',
        granted: 10,
        remaining: 6,
        usage: 4,
        unlimited: false,
        overage_allowed: false,
        max_purchase: null,
        next_reset_at: resets_at,
        breakdown: [
          {
            id: 'b',
            plan_id: null,
            included_grant: 10,
            prepaid_grant: 0,
            remaining: 6,
            usage: 4,
            unlimited: false,
            reset: { interval: 'day', resets_at, ...ofReset },
            price: null,
            expires_at: null,
          },
        ],
        ...ofBalance,
      },
      flag: null,
      ...more,
    }
  }
})

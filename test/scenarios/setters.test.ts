import { beforeEach, describe, expect, test } from 'vitest'
import { bookOf, expectLedgerToAddUp } from '../ledger.ts'
import { codeOf, figuresOf, Story } from './story.ts'

type Body = Record<string, unknown>

const now = Date.parse('2026-01-31T10:00:00Z')

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

const MONTHLY = { included: 100, reset: { interval: 'month' } }

describe('POST /v1/customers/{id}/balances sets totals, and the grants move along (B125)', () => {
  const set = (balances: Body[], more: Body = {}) =>
    story.world.ok('POST /v1/customers/alice/balances', { balances, ...more })
  const setMessages = (balance: number, more: Body = {}) => set([{ feature_id: 'messages', balance }], more)

  test.each<[string, number, number, string]>([
    // label                          used  total  granted/remaining/usage
    ['above, after a use', 20, 150, '170/150/20'],
    ['below, unused', 0, 40, '40/40/0'],
    ['below, after a use', 20, 30, '50/30/20'],
    ['what it is', 20, 80, '100/80/20'],
    ['zero', 20, 0, '20/0/20'],
    ['less than nothing', 20, -5, '20/0/20'],
    ['a fraction', 0.5, 0.25, '0.75/0.25/0.5'],
  ])('%s', async (_label, used, total, figures) => {
    await story.grant('messages', MONTHLY)
    await story.track('messages', used)
    expect(await setMessages(total)).toEqual({ success: true })
    await story.holds('messages', figures)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('several balances: down in order, up on the first', async () => {
    await story.grant('messages', { ...MONTHLY, balance_id: 'month' })
    await story.grant('messages', { included: 50, balance_id: 'once' })
    await story.track('messages', 30)
    await setMessages(60)
    expect(await story.lines('messages')).toEqual(['month 10', 'once 50'])
    await story.holds('messages', '90/60/30')
    await setMessages(20)
    expect(await story.lines('messages')).toEqual(['month 0', 'once 20'])
    await setMessages(200)
    expect(await story.lines('messages')).toEqual(['month 180', 'once 20'])
    await story.holds('messages', '230/200/30')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a debt stays used: the grant grows by it', async () => {
    await story.grant('messages', MONTHLY)
    await story.track('messages', 130, { overage_behavior: 'overflow' })
    await setMessages(50)
    await story.holds('messages', '180/50/130')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('what rolled over is left alone, and counts in the total', async () => {
    await story.grant('messages', { ...MONTHLY, rollover: { max: 50, duration: 'forever' } })
    story.at('2026-02-28')
    await story.holds('messages', '150/150/0')
    await setMessages(120)
    await story.holds('messages', '120/120/0')
    const { balance } = await story.check('messages')
    expect(balance.rollovers).toMatchObject([{ granted: 50, balance: 50 }])
    await setMessages(20)
    await story.holds('messages', '50/50/0')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('lasts until the next reset (B117)', async () => {
    await story.grant('messages', MONTHLY)
    await setMessages(500)
    story.at('2026-02-28')
    await story.holds('messages', '100/100/0')
  })

  test('several features at once', async () => {
    await story.grant('messages', MONTHLY)
    await story.grant('images', { included: 5 })
    await story.grant('seats', { included: 3 })
    await set([
      { feature_id: 'messages', balance: 7 },
      { feature_id: 'images', balance: 8 },
      { feature_id: 'seats', balance: 9 },
    ])
    await story.holds('messages', '7/7/0')
    await story.holds('images', '8/8/0')
    await story.holds('seats', '9/9/0')
  })

  test.each<[string, Body[], string]>([
    ['an unknown feature', [{ feature_id: 'nope', balance: 1 }], '404 feature_not_found'],
    ['a feature of which there is no balance', [{ feature_id: 'images', balance: 1 }], '404 balance_not_found'],
    ['a flag', [{ feature_id: 'sso', balance: 1 }], '400 invalid_request'],
    ['what is unlimited', [{ feature_id: 'credits', balance: 1 }], '400 invalid_request'],
    ['no amount', [{ feature_id: 'messages' }], '400 invalid_inputs'],
    ['nothing', [], '400 invalid_inputs'],
  ])('%s is refused, and then nothing of the call is done', async (_label, balances, code) => {
    await story.grant('messages', MONTHLY)
    await story.grant('sso', {})
    await story.grant('credits', { unlimited: true })
    const request = { balances: balances.length === 0 ? [] : [{ feature_id: 'messages', balance: 1 }, ...balances] }
    expect(await codeOf(story.world, 'POST /v1/customers/alice/balances', request)).toBe(code)
    await story.holds('messages', '100/100/0')
  })

  test('an unknown customer is not created; an unknown feature is reported first', async () => {
    const path = 'POST /v1/customers/nobody/balances'
    const set1 = { balances: [{ feature_id: 'messages', balance: 1 }] }
    expect(await codeOf(story.world, path, set1)).toBe('404 customer_not_found')
    expect(await codeOf(story.world, path, { balances: [{ feature_id: 'nope', balance: 1 }] })).toBe(
      '404 feature_not_found',
    )
  })

  test('what is used up can be set again', async () => {
    await story.grant('messages', { included: 5 })
    await story.track('messages', 5)
    await setMessages(3)
    await story.holds('messages', '8/3/5')
  })

  test('of an entity: its own first, until what it sees is the total', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { ...MONTHLY, balance_id: 'shared' })
    await story.grant('messages', { included: 50, entity_id: 'e1', balance_id: 'own' })
    await story.track('messages', 20, { entity_id: 'e1' })
    await setMessages(200, { entity_id: 'e1' })
    expect(await story.lines('messages', 'e1')).toEqual(['own 100', 'shared 100'])
    await story.sees('e1', 'messages', '220/200/20')
    await story.sees('e2', 'messages', '100/100/0')
    await setMessages(40)
    await story.sees('e2', 'messages', '40/40/0')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a retry with the same key sets once', async () => {
    await story.grant('messages', MONTHLY)
    const headers = { 'idempotency-key': 'k' }
    const body = { balances: [{ feature_id: 'messages', balance: 40 }] }
    await story.world.ok('POST /v1/customers/alice/balances', body, headers)
    await story.track('messages', 10)
    const again = await story.world.call('POST /v1/customers/alice/balances', body, headers)
    expect([again.status, again.headers['idempotent-replayed']]).toEqual([200, 'true'])
    await story.holds('messages', '40/30/10')
  })
})

describe('POST /v1/usage sets what was used (B126, B127, R115)', () => {
  const setUsage = (value: number, more: Body = {}) =>
    story.world.ok('POST /v1/usage', { customer_id: 'alice', feature_id: 'messages', value, ...more })

  test.each<[string, number, number, string]>([
    ['more', 20, 30, '100/70/30'],
    ['less', 40.5, 27.35, '100/72.65/27.35'],
    ['nothing', 50, 0, '100/100/0'],
    ['more than there is', 0, 130, '100/0/130'],
    ['less than nothing', 0, -20, '100/120/-20'],
  ])('%s', async (_label, used, value, figures) => {
    await story.grant('messages', MONTHLY)
    await story.track('messages', used)
    expect(await setUsage(value)).toEqual({ success: true })
    await story.holds('messages', figures)
    const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
    expect(list.map((event: Body) => event['value'])).toEqual([used])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('what was used of a rollover counts', async () => {
    await story.grant('messages', { ...MONTHLY, rollover: { max: 50, duration: 'forever' } })
    story.at('2026-02-28')
    await story.track('messages', 20)
    await setUsage(50)
    await story.holds('messages', '150/100/50')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('of the feature itself, never of the credits that pay for it (R115)', async () => {
    await story.grant('messages', MONTHLY)
    await story.grant('credits', { included: 100 })
    await setUsage(120)
    await story.holds('messages', '100/0/120')
    await story.holds('credits', '100/100/0')
  })

  test('of seats it is the number in use (B127)', async () => {
    await story.grant('seats', { included: 5 })
    await setUsage(7, { feature_id: 'seats' })
    await story.holds('seats', '5/0/7')
    await setUsage(2, { feature_id: 'seats' })
    await story.holds('seats', '5/3/2')
  })

  test('1.2 shows more than there was as less than nothing', async () => {
    await story.grant('messages', { included: 5 })
    await setUsage(8)
    const version = { 'x-api-version': '1.2.0' }
    const { features } = await story.world.ok('GET /v1/customers/alice', undefined, version)
    expect(features.messages).toMatchObject({ included_usage: 5, balance: -3, usage: 8 })
  })

  test('of an entity: what it sees is used so much', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 100, balance_id: 'shared' })
    await story.grant('messages', { included: 160, entity_id: 'e1', balance_id: 'own' })
    await setUsage(130, { entity_id: 'e1' })
    await story.sees('e1', 'messages', '260/130/130')
    expect(await story.lines('messages', 'e1')).toEqual(['own 30', 'shared 100'])
    await story.holds('messages', '260/130/130')
  })

  test('a customer that is not there is created, with what is said of it, in every version', async () => {
    for (const version of ['1.2.0', '2.0.0', '2.1.0', '2.4.0']) {
      const customer_id = `new_${version.replaceAll('.', '_')}`
      const customer_data = { name: 'New', email: 'new@example.org' }
      const body = { customer_id, feature_id: 'messages', value: 3, customer_data }
      // There is nothing yet of which something could have been used.
      const answer = await story.world.call('POST /v1/usage', body, { 'x-api-version': version })
      expect([answer.status, answer.body.code]).toEqual([404, 'balance_not_found'])
      expect(await story.world.ok('customers.get', { customer_id })).toMatchObject({ name: 'New' })
    }
    const nobody = { customer_id: 'nobody', feature_id: 'nope', value: 1 }
    expect(await codeOf(story.world, 'POST /v1/usage', nobody)).toBe('404 feature_not_found')
    expect(await codeOf(story.world, 'customers.get', { customer_id: 'nobody' })).toBe('404 customer_not_found')
  })

  test.each<[string, Body, string]>([
    ['no value', { value: undefined }, '400 invalid_inputs'],
    ['an unknown feature', { feature_id: 'nope' }, '404 feature_not_found'],
    ['a flag', { feature_id: 'sso' }, '400 invalid_inputs'],
    ['a feature of which there is no balance', { feature_id: 'images' }, '404 balance_not_found'],
  ])('%s is refused', async (_label, body, code) => {
    await story.grant('sso', {})
    const request = { customer_id: 'alice', feature_id: 'messages', value: 1, ...body }
    expect(await codeOf(story.world, 'POST /v1/usage', request)).toBe(code)
  })

  test('of what is unlimited it is the counter', async () => {
    await story.grant('messages', { unlimited: true })
    await story.track('messages', 30)
    await setUsage(12)
    expect((await story.check('messages')).balance).toMatchObject({ unlimited: true, usage: 12 })
    await expectLedgerToAddUp(story.world.store, 'alice')
  })
})

describe('recalculation (B136-B141)', () => {
  const recalculate = (more: Body = {}) =>
    story.world.ok('balances.recalculate', { customer_id: 'alice', feature_id: 'messages', ...more })
  const preview = (more: Body = {}) =>
    story.world.ok('balances.preview_recalculate', { customer_id: 'alice', feature_id: 'messages', ...more })
  const pairs = async (more: Body = {}) => {
    const { total_usage, entitlements } = await preview(more)
    return [total_usage, entitlements.map((one: Body) => `${one['before_remaining']} -> ${one['after_remaining']}`)]
  }
  const remain = (balance_id: string, remaining: number) => story.update('messages', { balance_id, remaining })

  interface Held {
    readonly terms: Body
    readonly remaining: number
  }
  const a = (remaining: number, terms: Body = MONTHLY): Held => ({ terms, remaining })

  test.each<[string, Record<string, Held>, string[], string]>([
    // label                                held                                                     after                  granted/remaining/usage
    [
      'a debt is set off against a sibling (B139)',
      { a: a(-30), b: a(200, { included: 200 }) },
      ['a 0', 'b 170'],
      '300/170/130',
    ],
    ['a debt as large as what is left', { a: a(-50), b: a(50, { included: 50 }) }, ['a 0'], '100/0/100'],
    ['a debt larger than what is left stays', { a: a(-80), b: a(50, { included: 50 }) }, ['a 0'], '100/0/130'],
    [
      'all that was used is used again, in order',
      { a: a(40), b: a(-10, { included: 50 }) },
      ['a 0', 'b 30'],
      '150/30/120',
    ],
    [
      'a balance above its grant gives the rest to the debt',
      { a: a(150), b: a(-30, { included: 100 }) },
      ['a 20', 'b 100'],
      '200/120/80',
    ],
    [
      'less than nothing was used: what is above the grants goes to the first',
      { a: a(250), b: a(-30, { included: 100 }) },
      ['a 120', 'b 100'],
      '200/220/-20',
    ],
    [
      'three',
      { a: a(-10, { included: 10, reset: { interval: 'day' } }), b: a(100), c: a(-5, { included: 5 }) },
      ['a 0', 'b 80', 'c 5'],
      '115/85/30',
    ],
    ['debts alone stay', { a: a(-10), b: a(-5, { included: 5 }) }, ['a 0', 'b 0'], '105/0/120'],
    ['what is left alone stays', { a: a(10), b: a(5, { included: 5 }) }, ['a 10', 'b 5'], '105/15/90'],
    ['a single balance in debt', { a: a(-10) }, ['a 0'], '100/0/110'],
    [
      'a debt beside one that is empty stays',
      { a: a(-10), b: a(0, { included: 9, reset: { interval: 'year' } }) },
      ['a 0', 'b 0'],
      '109/0/119',
    ],
  ])('%s', async (_label, held, after, figures) => {
    for (const [balance_id, { terms }] of Object.entries(held)) await story.grant('messages', { ...terms, balance_id })
    for (const [balance_id, { remaining }] of Object.entries(held)) await remain(balance_id, remaining)
    const before = await bookOf(story.world.store, 'alice')
    const foreseen = await preview()
    expect(await bookOf(story.world.store, 'alice')).toEqual(before)

    expect(await recalculate()).toEqual({ success: true })
    expect(await story.lines('messages')).toEqual(after)
    await story.holds('messages', figures)
    const total = Object.values(held).reduce((sum, { remaining }) => sum + remaining, 0)
    const sumOf = (key: string) => foreseen.entitlements.reduce((sum: number, one: Body) => sum + Number(one[key]), 0)
    expect([sumOf('before_remaining'), sumOf('after_remaining')]).toEqual([total, total])

    // What was foreseen has come, and there is nothing more to do.
    const again = await preview()
    const now_ = foreseen.entitlements.map((one: Body) => one['after_remaining'])
    expect(again.entitlements.map((one: Body) => one['before_remaining'])).toEqual(now_)
    expect(again.entitlements.map((one: Body) => one['after_remaining'])).toEqual(now_)
    const { ledger } = await expectLedgerToAddUp(story.world.store, 'alice')
    await recalculate()
    expect((await bookOf(story.world.store, 'alice')).ledger).toEqual(ledger)
  })

  test('a preview tells what was used, and what would be left of each, by internal ids (B140)', async () => {
    await story.grant('messages', { ...MONTHLY, balance_id: 'a' })
    await story.grant('messages', { included: 200, balance_id: 'b' })
    await remain('a', -30)
    expect(await pairs()).toEqual([130, ['-30 -> 0', '200 -> 170']])
    const { entitlements } = await preview()
    const { balances } = await story.world.ok('balances.list', { customer_id: 'alice' })
    expect(entitlements.map((one: Body) => one['customer_entitlement_id'])).toEqual(
      balances.map((one: Body) => one['customer_entitlement_id']),
    )
    expect(await pairs({ interval: 'one_off' })).toEqual([0, ['200 -> 200']])
    await story.holds('messages', '300/200/130')
  })

  test('rollovers stay, and a preview counts them', async () => {
    await story.grant('messages', { ...MONTHLY, rollover: { max: 50, duration: 'forever' }, balance_id: 'a' })
    await story.grant('messages', { included: 200, balance_id: 'b' })
    story.at('2026-02-28')
    await story.track('messages', 20)
    await story.update('messages', { balance_id: 'a', add_to_balance: -170 })
    const before = (await story.check('messages')).balance
    expect(await pairs()).toEqual([140, ['-40 -> 0', '200 -> 160']])
    await recalculate()
    const { balance } = await story.check('messages')
    expect([balance.granted, balance.remaining, balance.usage]).toEqual([
      before.granted,
      before.remaining - 40,
      before.usage,
    ])
    expect(balance.rollovers).toEqual(before.rollovers)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a grant that was changed by hand keeps its change', async () => {
    await story.grant('messages', { ...MONTHLY, balance_id: 'a' })
    await story.grant('messages', { included: 50, balance_id: 'b' })
    await story.update('messages', { balance_id: 'a', included_grant: 150, remaining: -20 })
    await story.holds('messages', '200/50/170')
    await recalculate()
    await story.holds('messages', '200/30/170')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('each owner settles its own debts (B137)', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { ...MONTHLY, balance_id: 'a' })
    await story.grant('messages', { included: 100, balance_id: 'b' })
    for (const entity_id of ['e1', 'e2']) {
      await story.grant('messages', { ...MONTHLY, entity_id, balance_id: `${entity_id} a` })
      await story.grant('messages', { included: 50, entity_id, balance_id: `${entity_id} b` })
    }
    await remain('a', -10)
    for (const entity_id of ['e1', 'e2'])
      await story.update('messages', { entity_id, balance_id: `${entity_id} a`, remaining: -20 })
    await recalculate({ entity_id: 'e2' })
    expect(await story.lines('messages', 'e1')).toEqual(['e1 a 0', 'e1 b 50', 'a 0', 'b 100'])
    expect(await story.lines('messages', 'e2')).toEqual(['e2 a 0', 'e2 b 30', 'a 0', 'b 100'])
    const { entitlements } = await preview()
    expect(entitlements).toHaveLength(6)
    await recalculate()
    expect(await story.lines('messages', 'e1')).toEqual(['e1 a 0', 'e1 b 30', 'a 0', 'b 90'])
    expect(await story.lines('messages', 'e2')).toEqual(['e2 a 0', 'e2 b 30', 'a 0', 'b 90'])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('an interval restricts it to the balances that have it', async () => {
    await story.grant('messages', { ...MONTHLY, balance_id: 'a' })
    await story.grant('messages', { ...MONTHLY, balance_id: 'b' })
    await story.grant('messages', { included: 100, balance_id: 'c' })
    await remain('a', -30)
    await recalculate({ interval: 'one_off' })
    expect(await story.lines('messages')).toEqual(['a 0', 'b 100', 'c 100'])
    await recalculate({ interval: 'month' })
    expect(await story.lines('messages')).toEqual(['a 0', 'b 70', 'c 100'])
  })

  test('seats that are owed are settled by a later grant', async () => {
    await story.grant('seats', { included: 2, balance_id: 'a' })
    await story.track('seats', 5)
    await story.grant('seats', { included: 10, balance_id: 'b' })
    await story.holds('seats', '12/10/5')
    await recalculate({ feature_id: 'seats' })
    // The balance that owed stands at zero now, so it is not shown.
    await story.holds('seats', '10/7/3')
    await story.track('seats', -5)
    await story.holds('seats', '12/12/0')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('seats of entities are settled like others, and given back as before (B220)', async () => {
    await story.grant('seats', { included: 1, balance_id: 'a' })
    await story.seat('e1', 'e2', 'e3')
    await story.grant('seats', { included: 5, balance_id: 'b' })
    await story.holds('seats', '6/5/3')
    await recalculate({ feature_id: 'seats' })
    await story.holds('seats', '6/3/3')
    for (const entity_id of ['e1', 'e2', 'e3'])
      await story.world.ok('entities.delete', { customer_id: 'alice', entity_id })
    await story.holds('seats', '6/6/0')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test.each<[string, Body, string]>([
    ['an unknown feature', { feature_id: 'nope' }, '404 feature_not_found'],
    ['a feature of which there is no balance', { feature_id: 'images' }, '404 balance_not_found'],
    ['an interval that none has', { interval: 'year' }, '404 balance_not_found'],
    ['a flag', { feature_id: 'sso' }, '404 balance_not_found'],
    ['what is unlimited', { feature_id: 'credits' }, '404 balance_not_found'],
    ['an unknown customer', { customer_id: 'nobody' }, '404 customer_not_found'],
    ['no feature', { feature_id: undefined }, '400 invalid_inputs'],
  ])('%s is refused, with and without a preview', async (_label, body, code) => {
    await story.grant('messages', MONTHLY)
    await story.grant('sso', {})
    await story.grant('credits', { unlimited: true })
    for (const operation of [
      'balances.recalculate',
      'balances.preview_recalculate',
      'POST /v1/balances/recalculate',
      'POST /v1/balances/preview_recalculate',
    ]) {
      expect(await codeOf(story.world, operation, { customer_id: 'alice', feature_id: 'messages', ...body })).toBe(code)
    }
  })
})

describe('balances.list (B142 REC)', () => {
  test('shows every balance with its owner and its age, those that are used up too', async () => {
    await story.grant('messages', { included: 5, balance_id: 'gift' })
    await story.track('messages', 5)
    story.world.clock.advance(1000)
    await story.grant('messages', { ...MONTHLY, reset: { interval: 'week', interval_count: 2 } })
    await story.grant('credits', { unlimited: true })
    await story.track('credits', 7)
    const { balances } = await story.world.ok('GET /v1/balances/list?customer_id=alice')
    expect(balances).toEqual([
      {
        id: 'gift',
        plan_id: null,
        included_grant: 5,
        prepaid_grant: 0,
        remaining: 0,
        usage: 5,
        unlimited: false,
        reset: { interval: 'one_off', resets_at: null },
        price: null,
        expires_at: null,
        feature_id: 'messages',
        customer_entitlement_id: expect.stringMatching(/^cus_ent_/),
        entity_id: null,
        created_at: now,
      },
      {
        id: expect.stringMatching(/^cus_ent_/),
        plan_id: null,
        included_grant: 100,
        prepaid_grant: 0,
        remaining: 100,
        usage: 0,
        unlimited: false,
        reset: { interval: 'week', interval_count: 2, resets_at: now + 1000 + 14 * 86_400_000 },
        price: null,
        expires_at: null,
        feature_id: 'messages',
        customer_entitlement_id: balances[1].id,
        entity_id: null,
        created_at: now + 1000,
      },
      expect.objectContaining({ feature_id: 'credits', unlimited: true, included_grant: 0, remaining: 0, usage: 7 }),
    ])
  })

  test('is brought up to date, and leaves out what has expired', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'day' } })
    await story.grant('messages', { included: 5, expires_at: now + 1000, balance_id: 'soon' })
    await story.track('messages', 12)
    story.at('2026-02-01')
    const { balances } = await story.world.ok('balances.list', { customer_id: 'alice' })
    expect(balances.map((one: Body) => [one['id'] === 'soon', one['remaining']])).toEqual([[false, 10]])
  })

  test.each<[string, Body, string]>([
    ['an unknown customer', { customer_id: 'nobody' }, '404 customer_not_found'],
    ['an unknown feature', { feature_id: 'nope' }, '404 feature_not_found'],
    ['no customer', { customer_id: undefined }, '400 invalid_inputs'],
  ])('%s is refused', async (_label, body, code) => {
    expect(await codeOf(story.world, 'balances.list', { customer_id: 'alice', ...body })).toBe(code)
  })

  test('is empty where there is nothing', async () => {
    expect(await story.world.ok('balances.list', { customer_id: 'alice' })).toEqual({ balances: [] })
    expect(figuresOf((await story.check('messages')).balance)).toBe('nothing')
  })
})

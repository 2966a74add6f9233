import { Autumn, AutumnError, updateBalanceResponseFromJSON } from 'autumn-js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ClientServer, startServer } from './server.ts'

const DAY = 86_400_000

test('the installed client is a strict one: it refuses an answer in which a required key is absent', () => {
  expect(updateBalanceResponseFromJSON('{"success":true}').ok).toBe(true)
  expect(updateBalanceResponseFromJSON('{}').ok).toBe(false)
})

describe.each(['memory', 'sqlite'] as const)('the published client on %s', (store) => {
  let server: ClientServer
  let autumn: Autumn

  beforeEach(async () => {
    server = await startServer(store)
    // Failing open would turn an error of the server into "allowed".
    autumn = new Autumn({ serverURL: server.url, secretKey: server.key, failOpen: false })
    await autumn.features.create({ featureId: 'messages', name: 'Messages', type: 'metered', consumable: true })
    await autumn.features.create({ featureId: 'seats', name: 'Seats', type: 'metered', consumable: false })
    await autumn.features.create({ featureId: 'sso', name: 'Single sign-on', type: 'boolean' })
    await autumn.features.create({
      featureId: 'renders',
      name: 'Renders',
      type: 'metered',
      consumable: true,
      eventNames: ['render.done'],
    })
    await autumn.features.create({
      featureId: 'credits',
      name: 'Credits',
      type: 'credit_system',
      creditSchema: [{ meteredFeatureId: 'renders', creditCost: 0.2 }],
    })
    await autumn.customers.getOrCreate({ customerId: 'ada', name: 'Ada', email: 'ada@example.test' })
  })
  afterEach(async () => {
    await server.close()
    expect(server.faults).toEqual([])
  })

  const balanceOf = async (featureId: string) => (await autumn.check({ customerId: 'ada', featureId })).balance
  const grant = (featureId: string, includedGrant: number, balanceId?: string) =>
    autumn.balances.create({ customerId: 'ada', featureId, includedGrant, ...(balanceId && { balanceId }) })

  /** The error that a call ends with. */
  const errorOf = async (call: Promise<unknown>): Promise<AutumnError> => {
    const error = await call.then(
      () => new Error('the call succeeded'),
      (reason: unknown) => reason,
    )
    if (!(error instanceof AutumnError)) throw error
    return error
  }
  const codeOf = ({ body }: AutumnError): unknown => JSON.parse(body).code

  describe('features', () => {
    test('come back as they were created, one by one and as a list', async () => {
      const created = await autumn.features.create({
        featureId: 'storage',
        name: 'Storage',
        type: 'metered',
        consumable: false,
        display: { singular: 'gigabyte', plural: 'gigabytes' },
      })
      expect(created).toEqual({
        id: 'storage',
        name: 'Storage',
        type: 'metered',
        consumable: false,
        eventNames: [],
        display: { singular: 'gigabyte', plural: 'gigabytes' },
        archived: false,
      })
      expect(await autumn.features.get({ featureId: 'storage' })).toEqual(created)
      expect(await autumn.features.get({ featureId: 'credits' })).toMatchObject({
        type: 'credit_system',
        consumable: true,
        creditSchema: [{ meteredFeatureId: 'renders', creditCost: 0.2 }],
      })
      const { list } = await autumn.features.list()
      expect(list.map(({ id, type }) => [id, type])).toEqual([
        ['messages', 'metered'],
        ['seats', 'metered'],
        ['sso', 'boolean'],
        ['renders', 'metered'],
        ['credits', 'credit_system'],
        ['storage', 'metered'],
      ])
      expect(list.at(3)?.eventNames).toEqual(['render.done'])
    })

    test('a second one with the same id is refused', async () => {
      const error = await errorOf(
        autumn.features.create({ featureId: 'messages', name: 'Again', type: 'metered', consumable: true }),
      )
      expect([error.statusCode, codeOf(error)]).toEqual([409, 'duplicate_feature_id'])
    })
  })

  describe('customers', () => {
    test('are created once, and later calls change nothing that is there', async () => {
      const created = await autumn.customers.getOrCreate({
        customerId: 'bob',
        metadata: { tier: 'beta', nested: { deep: [1, null] } },
      })
      expect(created).toMatchObject({
        id: 'bob',
        name: null,
        email: null,
        env: 'sandbox',
        createdAt: server.clock.now,
        metadata: { tier: 'beta', nested: { deep: [1, null] } },
        sendEmailReceipts: false,
        subscriptions: [],
        purchases: [],
        licenses: [],
        balances: {},
        flags: {},
      })
      const again = await autumn.customers.getOrCreate({ customerId: 'bob', name: 'Bob', metadata: { tier: 'no' } })
      expect(again).toEqual({ ...created, name: 'Bob' })
      expect(await autumn.customers.get({ customerId: 'bob' })).toEqual(again)
    })

    test('are updated: name, e-mail, metadata merged, id', async () => {
      await autumn.customers.update({ customerId: 'ada', metadata: { plan: 'gold', seats: 3, old: true } })
      const updated = await autumn.customers.update({
        customerId: 'ada',
        name: 'Ada L.',
        email: 'ada.l@example.test',
        metadata: { seats: 0.1, old: null },
        newCustomerId: 'ada-l',
      })
      expect(updated).toMatchObject({
        id: 'ada-l',
        name: 'Ada L.',
        email: 'ada.l@example.test',
        metadata: { plan: 'gold', seats: 0.1 },
      })
      expect(updated.metadata).not.toHaveProperty('old')
      expect(await autumn.customers.get({ customerId: 'ada-l' })).toEqual(updated)
      const gone = await errorOf(autumn.customers.get({ customerId: 'ada' }))
      expect([gone.statusCode, codeOf(gone)]).toEqual([404, 'customer_not_found'])
    })

    test('show their balances and flags', async () => {
      await grant('messages', 100)
      await autumn.balances.create({ customerId: 'ada', featureId: 'sso' })
      const { balances, flags } = await autumn.customers.get({ customerId: 'ada' })
      expect(Object.keys(balances)).toEqual(['messages'])
      expect(balances['messages']).toEqual(await balanceOf('messages'))
      expect(flags['sso']).toMatchObject({ featureId: 'sso', planId: null, expiresAt: null })
    })

    test('expansions that are asked for are there, empty', async () => {
      await grant('messages', 1)
      const customer = await autumn.customers.getOrCreate({
        customerId: 'ada',
        expand: ['invoices', 'entities', 'trials_used', 'rewards', 'referrals', 'payment_method', 'balances.feature'],
      })
      expect(customer).toMatchObject({ invoices: [], entities: [], trialsUsed: [], referrals: [] })
      expect(customer.balances['messages']?.feature).toMatchObject({ id: 'messages', type: 'metered' })
    })
  })

  describe('balances', () => {
    test('a monthly one shows its grant, its reset and what is left', async () => {
      const resetsAt = Date.UTC(2026, 1, 28, 10)
      await autumn.balances.create({
        customerId: 'ada',
        featureId: 'messages',
        includedGrant: 100,
        reset: { interval: 'month' },
        balanceId: 'plan',
      })
      expect(await balanceOf('messages')).toEqual({
        featureId: 'messages',
        granted: 100,
        remaining: 100,
        usage: 0,
        unlimited: false,
        overageAllowed: false,
        maxPurchase: null,
        nextResetAt: resetsAt,
        breakdown: [
          {
            id: 'plan',
            planId: null,
            includedGrant: 100,
            prepaidGrant: 0,
            remaining: 100,
            usage: 0,
            unlimited: false,
            reset: { interval: 'month', resetsAt },
            price: null,
            expiresAt: null,
          },
        ],
      })
    })

    test('what is left rolls over at the reset, and is used first', async () => {
      await autumn.balances.create({
        customerId: 'ada',
        featureId: 'messages',
        includedGrant: 100,
        reset: { interval: 'week', intervalCount: 2 },
        rollover: { max: 30, length: 1 },
      })
      await autumn.track({ customerId: 'ada', featureId: 'messages', value: 40 })
      server.clock.now += 14 * DAY
      const renewed = await balanceOf('messages')
      expect(renewed).toMatchObject({ granted: 130, remaining: 130, usage: 0 })
      expect(renewed?.breakdown?.[0]?.reset).toMatchObject({ interval: 'week', intervalCount: 2 })
      expect(renewed?.rollovers).toEqual([{ granted: 30, balance: 30, expiresAt: Date.UTC(2026, 2, 14, 10) }])
      const { balance, deductions } = await autumn.track({ customerId: 'ada', featureId: 'messages', value: 50 })
      expect(balance).toMatchObject({ granted: 130, remaining: 80, usage: 50 })
      expect(balance?.rollovers).toEqual([{ granted: 30, balance: 0, expiresAt: Date.UTC(2026, 2, 14, 10) }])
      expect(deductions?.map(({ value }) => value)).toEqual([30, 20])
    })

    test('an unlimited one absorbs everything and counts it', async () => {
      await autumn.balances.create({ customerId: 'ada', featureId: 'messages', unlimited: true })
      const { balance } = await autumn.track({ customerId: 'ada', featureId: 'messages', value: 1_000_000.5 })
      expect(balance).toMatchObject({ unlimited: true, granted: 0, remaining: 0, usage: 1_000_000.5 })
      const check = await autumn.check({ customerId: 'ada', featureId: 'messages', requiredBalance: 1e12 })
      expect(check.allowed).toBe(true)
    })

    test('an expiring one is used before a lasting one and is gone at its instant', async () => {
      const expiresAt = server.clock.now + DAY
      await grant('messages', 10, 'lasting')
      await autumn.balances.create({
        customerId: 'ada',
        featureId: 'messages',
        includedGrant: 5,
        expiresAt,
        balanceId: 'gift',
      })
      await autumn.track({ customerId: 'ada', featureId: 'messages', value: 2 })
      const both = await balanceOf('messages')
      expect(both?.breakdown?.map(({ id, remaining, expiresAt: at }) => [id, remaining, at])).toEqual([
        ['gift', 3, expiresAt],
        ['lasting', 10, null],
      ])
      server.clock.now = expiresAt
      expect((await balanceOf('messages'))?.breakdown?.map(({ id }) => id)).toEqual(['lasting'])
    })

    test('are set, added to and deleted by hand', async () => {
      await grant('messages', 100, 'first')
      await grant('messages', 50, 'second')
      const state = async () => {
        const balance = await balanceOf('messages')
        return [balance?.granted, balance?.remaining, balance?.usage]
      }
      const change = { customerId: 'ada', featureId: 'messages' }
      expect(await autumn.balances.update({ ...change, remaining: 120 })).toEqual({ success: true })
      expect(await state()).toEqual([150, 120, 30])
      await autumn.balances.update({ ...change, balanceId: 'second', addToBalance: -12.45 })
      expect(await state()).toEqual([150, 107.55, 42.45])
      await autumn.balances.update({ ...change, addToBalance: 12.45 })
      expect(await state()).toEqual([150, 120, 30])
      await autumn.balances.update({ ...change, usage: 27.35 })
      expect(await state()).toEqual([150, 122.65, 27.35])
      await autumn.balances.update({ ...change, balanceId: 'first', includedGrant: 200 })
      expect(await state()).toEqual([250, 122.65, 127.35])
      await autumn.balances.update({ ...change, balanceId: 'second', expiresAt: server.clock.now + DAY })
      expect((await balanceOf('messages'))?.breakdown?.map(({ expiresAt }) => expiresAt)).toContain(
        server.clock.now + DAY,
      )
      expect(await autumn.balances.delete({ ...change, balanceId: 'first' })).toEqual({ success: true })
      expect((await balanceOf('messages'))?.breakdown?.map(({ id }) => id)).toEqual(['second'])
    })

    test('moves the next reset', async () => {
      await autumn.balances.create({
        customerId: 'ada',
        featureId: 'messages',
        includedGrant: 10,
        reset: { interval: 'day' },
        nextResetAt: server.clock.now + 5 * DAY,
      })
      expect((await balanceOf('messages'))?.nextResetAt).toBe(server.clock.now + 5 * DAY)
      await autumn.balances.update({
        customerId: 'ada',
        featureId: 'messages',
        interval: 'day',
        nextResetAt: server.clock.now + 2 * DAY,
      })
      expect((await balanceOf('messages'))?.nextResetAt).toBe(server.clock.now + 2 * DAY)
    })
  })

  describe('check', () => {
    test('allows what is there and denies what is not', async () => {
      await grant('messages', 10)
      const ask = async (requiredBalance: number) =>
        (await autumn.check({ customerId: 'ada', featureId: 'messages', requiredBalance })).allowed
      expect([await ask(10), await ask(10.000000000001), await ask(0)]).toEqual([true, false, true])
    })

    test('a customer who holds nothing is denied, not refused', async () => {
      expect(await autumn.check({ customerId: 'ada', featureId: 'messages' })).toEqual({
        allowed: false,
        customerId: 'ada',
        requiredBalance: 1,
        balance: null,
        flag: null,
      })
    })

    test('uses at once, all or nothing', async () => {
      await grant('messages', 10)
      const use = (requiredBalance: number) =>
        autumn.check({ customerId: 'ada', featureId: 'messages', requiredBalance, sendEvent: true })
      const first = await use(6)
      expect([first.allowed, first.balance?.remaining]).toEqual([true, 4])
      const second = await use(5)
      expect([second.allowed, second.balance?.remaining]).toEqual([false, 4])
    })

    test('answers for a boolean feature with a flag', async () => {
      expect((await autumn.check({ customerId: 'ada', featureId: 'sso' })).allowed).toBe(false)
      await autumn.balances.create({ customerId: 'ada', featureId: 'sso' })
      const { allowed, balance, flag } = await autumn.check({ customerId: 'ada', featureId: 'sso' })
      expect([allowed, balance, flag?.featureId]).toEqual([true, null, 'sso'])
    })

    test('answers for a member of a credit system in credits', async () => {
      await grant('credits', 2)
      const allowed = await autumn.check({ customerId: 'ada', featureId: 'renders', requiredBalance: 10 })
      expect([allowed.allowed, allowed.requiredBalance, allowed.balance?.featureId]).toEqual([true, 2, 'credits'])
      const denied = await autumn.check({ customerId: 'ada', featureId: 'renders', requiredBalance: 11 })
      expect([denied.allowed, denied.requiredBalance]).toEqual([false, 2.2])
    })

    test('explains a denial', async () => {
      const { preview } = await autumn.check({ customerId: 'ada', featureId: 'sso', withPreview: true })
      expect(preview).toMatchObject({ scenario: 'feature_flag', featureId: 'sso', featureName: 'Single sign-on' })
    })
  })

  describe('track', () => {
    test('adds up decimals exactly', async () => {
      await grant('messages', 1)
      await autumn.track({ customerId: 'ada', featureId: 'messages', value: 0.1 })
      const { value, balance } = await autumn.track({ customerId: 'ada', featureId: 'messages', value: 0.2 })
      expect([value, balance?.usage, balance?.remaining]).toEqual([0.2, 0.3, 0.7])
      for (let i = 0; i < 7; i++) await autumn.track({ customerId: 'ada', featureId: 'messages', value: 0.1 })
      expect((await autumn.check({ customerId: 'ada', featureId: 'messages' })).balance).toBeNull()
    })

    test('takes no more than is there, or overdraws, as it is told', async () => {
      await grant('messages', 10)
      const use = { customerId: 'ada', featureId: 'messages' }
      await autumn.track({ ...use, value: 7 })
      const capped = await autumn.track({ ...use, value: 5 })
      expect([capped.value, capped.balance?.remaining, capped.deductions?.[0]?.value]).toEqual([5, 0, 3])
      const overflown = await autumn.track({ ...use, value: 5, overageBehavior: 'overflow' })
      expect([overflown.balance?.remaining, overflown.balance?.usage]).toEqual([0, 15])
      const refunded = await autumn.track({ ...use, value: -7 })
      expect([refunded.balance?.remaining, refunded.balance?.usage]).toEqual([2, 8])
    })

    test('seats are held and given back', async () => {
      await grant('seats', 3)
      await autumn.track({ customerId: 'ada', featureId: 'seats', value: 4 })
      const { allowed, balance } = await autumn.check({ customerId: 'ada', featureId: 'seats' })
      expect([allowed, balance?.remaining, balance?.usage, balance?.breakdown?.[0]?.reset]).toEqual([false, 0, 4, null])
      const back = await autumn.track({ customerId: 'ada', featureId: 'seats', value: -2 })
      expect([back.balance?.remaining, back.balance?.usage]).toEqual([1, 2])
    })

    test('an event is paid from its own balance first, then in credits', async () => {
      await grant('renders', 3, 'own')
      await grant('credits', 10, 'pool')
      const tracked = await autumn.track({ customerId: 'ada', eventName: 'render.done', value: 5 })
      expect(tracked.eventName).toBe('render.done')
      expect(tracked.balances?.['renders']).toMatchObject({ remaining: 0, usage: 3 })
      expect(tracked.balances?.['credits']).toMatchObject({ remaining: 9.6, usage: 0.4 })
      expect(tracked.deductions?.map(({ featureId, value }) => [featureId, value])).toEqual([
        ['renders', 3],
        ['credits', 0.4],
      ])
    })

    test('a feature that is not held is null in the map of balances', async () => {
      await grant('credits', 10)
      const { balance, balances } = await autumn.track({ customerId: 'ada', featureId: 'renders', value: 1 })
      expect([balance?.featureId, balances?.['renders']]).toEqual(['credits', null])
    })

    test('once for an idempotency key', async () => {
      await grant('messages', 10)
      const use = { customerId: 'ada', featureId: 'messages', value: 3 }
      const key = { headers: { 'idempotency-key': 'order-1' } }
      const first = await autumn.track(use, key)
      expect(await autumn.track(use, key)).toEqual(first)
      expect((await balanceOf('messages'))?.remaining).toBe(7)
      const reused = await errorOf(autumn.track({ ...use, value: 4 }, key))
      expect([reused.statusCode, codeOf(reused)]).toEqual([409, 'idempotency_key_reused'])
    })
  })

  describe('events', () => {
    test('are listed newest first, page by page, with what they took', async () => {
      await grant('messages', 14)
      for (const value of [1, 2, 3, 4, 5]) {
        // Two of them within one millisecond.
        if (value !== 3) server.clock.now += 1
        await autumn.track({ customerId: 'ada', featureId: 'messages', value, properties: { value, model: 'm' } })
      }
      const seen: number[] = []
      let startCursor: string | null = ''
      for (let pages = 0; startCursor !== null && pages < 5; pages++) {
        const page: Awaited<ReturnType<typeof autumn.events.list>> = await autumn.events.list({
          customerId: 'ada',
          limit: 2,
          startCursor,
        })
        expect(page.list.length).toBeLessThanOrEqual(2)
        seen.push(...page.list.map(({ value }) => value))
        startCursor = page.nextCursor
      }
      expect([startCursor, seen]).toEqual([null, [5, 4, 3, 2, 1]])
      const { list } = await autumn.events.list({ customerId: 'ada', featureId: ['messages'], limit: 1 })
      expect(list[0]).toMatchObject({
        timestamp: server.clock.now,
        featureId: 'messages',
        customerId: 'ada',
        value: 5,
        properties: { value: 5, model: 'm' },
        // Ten of the fourteen were used before, so four were left to take.
        deductions: [{ featureId: 'messages', value: 4 }],
      })
    })

    test('are added up by the day, in groups, and with what they took', async () => {
      await grant('messages', 4)
      for (const [region, value] of Object.entries({ eu: 5, us: 0.5 }))
        await autumn.track({ customerId: 'ada', featureId: 'messages', value, properties: { region } })
      const { list, total, deductions } = await autumn.events.aggregate({
        customerId: 'ada',
        featureId: 'messages',
        range: '7d',
        groupBy: 'properties.region',
        maxGroups: 5,
        aggregateOn: 'deducted',
      })
      expect(list).toHaveLength(8)
      expect(list.at(-1)).toMatchObject({ values: { messages: 5.5 }, groupedValues: { messages: { eu: 5, us: 0.5 } } })
      expect(total).toEqual({ messages: { count: 2, sum: 5.5 } })
      const [bin] = deductions ?? []
      expect(bin?.period).toBe(list.at(-1)?.period)
      expect(bin?.values['messages']).toMatchObject({ featureType: 'metered', deducted: 4, events: 1 })
      const [balance] = bin?.values['messages']?.balances ?? []
      expect(balance).toMatchObject({ entityId: null, planId: null, creditCost: null, deducted: 4, events: 1 })
      expect(Object.values(bin?.groupedValues ?? {})).toMatchObject([{ eu: { deducted: 4 } }])
      const unknown = autumn.events.aggregate({ customerId: 'nobody', featureId: 'messages' })
      expect(codeOf(await errorOf(unknown))).toBe('customer_not_found')
    })

    test('are filtered by feature and by time, and can be back-dated', async () => {
      await grant('messages', 10)
      await autumn.track({ customerId: 'ada', featureId: 'messages', timestamp: server.clock.now - DAY })
      await autumn.track({ customerId: 'ada', featureId: 'renders' })
      const names = async (filter: object) =>
        (await autumn.events.list({ customerId: 'ada', ...filter })).list.map(({ featureId }) => featureId)
      expect(await names({})).toEqual(['renders', 'messages'])
      expect(await names({ featureId: 'renders' })).toEqual(['renders'])
      expect(await names({ customRange: { end: server.clock.now - DAY } })).toEqual(['messages'])
      expect(await names({ customRange: { start: server.clock.now - DAY + 1 } })).toEqual(['renders'])
    })
  })

  describe('errors', () => {
    test.each([
      ['an unknown customer', 404, 'customer_not_found', { customerId: 'nobody', featureId: 'messages' }],
      ['an unknown feature', 404, 'feature_not_found', { customerId: 'ada', featureId: 'nothing' }],
      ['an unknown entity', 404, 'entity_not_found', { customerId: 'ada', featureId: 'messages', entityId: 'e' }],
    ])('%s is a %i', async (_what, status, code, request) => {
      const checked = await errorOf(autumn.check(request))
      expect([checked.statusCode, codeOf(checked)]).toEqual([status, code])
      const tracked = await errorOf(autumn.track(request))
      expect([tracked.statusCode, codeOf(tracked)]).toEqual([status, code])
    })

    test('an impossible request is a 400 that says what is wrong', async () => {
      const error = await errorOf(
        autumn.balances.create({ customerId: 'ada', featureId: 'messages', includedGrant: 5, unlimited: true }),
      )
      expect([error.statusCode, codeOf(error)]).toEqual([400, 'invalid_inputs'])
      expect(error.message).toContain('exclude each other')
    })

    test('an update that matches nothing is a 404', async () => {
      const error = await errorOf(autumn.balances.update({ customerId: 'ada', featureId: 'messages', remaining: 1 }))
      expect([error.statusCode, codeOf(error)]).toEqual([404, 'balance_not_found'])
    })

    test('a wrong key is a 401', async () => {
      const stranger = new Autumn({ serverURL: server.url, secretKey: 'am_sk_test_nobody', failOpen: false })
      const error = await errorOf(stranger.check({ customerId: 'ada', featureId: 'messages' }))
      expect([error.statusCode, codeOf(error)]).toEqual([401, 'invalid_secret_key'])
    })

    test('what this version does not do yet is refused, not ignored', async () => {
      await grant('messages', 10)
      const billingControls = { usageLimits: [{ featureId: 'messages', limit: 5, interval: 'day' as const }] }
      const error = await errorOf(autumn.customers.update({ customerId: 'ada', billingControls }))
      expect([error.statusCode, codeOf(error)]).toEqual([400, 'not_supported'])
    })
  })
})

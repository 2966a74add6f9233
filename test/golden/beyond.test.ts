import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorld, START, type World } from '../world.ts'
import { titlesUnder } from './documentation.ts'

/** Intended differences from the reference that the recorded steps do not show: each title is a row of the documentation. */
const PROMISES: readonly { readonly title: string; readonly rule: string; keep(world: World): Promise<void> }[] = [
  {
    title: 'Version 2.4',
    rule: 'correction of B13, K4',
    async keep(world) {
      await world.ok('features.list', {}, { 'x-api-version': '2.4.0' })
    },
  },
  {
    title: 'No version header',
    rule: 'B15 (REC)',
    async keep(world) {
      const body = await world.ok('customers.get', { customer_id: 'ada' }, { 'x-api-version': undefined })
      expect(body).toEqual(await world.ok('customers.get', { customer_id: 'ada' }, { 'x-api-version': '2.4.0' }))
    },
  },
  {
    title: 'Malformed JSON',
    rule: 'correction of B4',
    async keep(world) {
      const { status, body } = await world.call('balances.check', '{"customer_id": "ada",\n "feature_id" "messages"}')
      expect([status, body.code]).toEqual([400, 'invalid_inputs'])
      expect(body.message).toContain('line 2, column 15')
    },
  },
  {
    title: 'A repeated idempotency key',
    rule: 'decision, instead of R120',
    async keep(world) {
      await grant(world, 10)
      const use = { customer_id: 'ada', feature_id: 'messages', value: 3 }
      const first = await world.call('balances.track', use, { 'idempotency-key': 'k' })
      const again = await world.call('balances.track', use, { 'idempotency-key': 'k' })
      expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([200, 'true', first.body])
      expect(await left(world)).toEqual([10, 7, 3])
      const other = await world.call('balances.track', { ...use, value: 4 }, { 'idempotency-key': 'k' })
      expect([other.status, other.body.code]).toEqual([409, 'idempotency_key_reused'])
    },
  },
  {
    title: 'A one-off balance that is used up',
    rule: 'S10',
    async keep(world) {
      await grant(world, 10)
      const use = { customer_id: 'ada', feature_id: 'messages' }
      await world.ok('balances.track', { ...use, value: 10 })
      expect(await left(world)).toBeNull()
      const refused = await world.call('balances.track', { ...use, value: 1, overage_behavior: 'reject' })
      expect([refused.status, refused.body.code]).toEqual([400, 'insufficient_balance'])
      await world.ok('balances.track', { ...use, value: -4 })
      expect(await left(world)).toEqual([10, 4, 6])
    },
  },
  {
    title: 'Setting `remaining` where something rolled over',
    rule: 'seed (newer update), correction of B102',
    async keep(world) {
      await grant(world, 100, { reset: { interval: 'day' }, rollover: { max: 50, length: 1 } })
      world.clock.advance(DAY)
      expect(await left(world)).toEqual([150, 150, 0])
      await world.ok('balances.update', { customer_id: 'ada', feature_id: 'messages', remaining: 80 })
      expect(await left(world)).toEqual([150, 80, 70])
      const balances = [{ feature_id: 'messages', balance: 20 }]
      await world.ok('POST /v1/customers/ada/balances', { balances })
      expect(await left(world)).toEqual([90, 20, 70])
    },
  },
  {
    title: 'Moving the next reset into the past',
    rule: 'correction of B120, B163',
    async keep(world) {
      await grant(world, 100, { reset: { interval: 'month' }, rollover: { max: 30, length: 1 } })
      const next_reset_at = world.clock.now - 1
      await world.ok('balances.update', { customer_id: 'ada', feature_id: 'messages', next_reset_at })
      const { balance } = await check(world)
      expect([balance.granted, balance.rollovers]).toMatchObject([130, [{ granted: 30, balance: 30 }]])
    },
  },
  {
    title: 'The instant of a reset or an expiry',
    rule: 'correction of B149, B152',
    async keep(world) {
      await grant(world, 10, { reset: { interval: 'hour' } })
      await world.ok('balances.track', { customer_id: 'ada', feature_id: 'messages', value: 4 })
      world.clock.set(START + HOUR - 1)
      expect(await left(world)).toEqual([10, 6, 4])
      world.clock.set(START + HOUR)
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: 'Several missed resets',
    rule: 'correction of B155',
    async keep(world) {
      await grant(world, 10, { reset: { interval: 'day' }, rollover: { length: 1 } })
      world.clock.advance(3 * DAY)
      const { balance } = await check(world)
      expect([balance.remaining, balance.rollovers.map(({ balance: kept }: { balance: number }) => kept)]).toEqual([
        40,
        [10, 10, 10],
      ])
    },
  },
  {
    title: 'Month ends',
    rule: 'B151 (REC)',
    async keep(world) {
      // The world begins on the 31st of January.
      await grant(world, 10, { reset: { interval: 'month' } })
      const next = async () => new Date((await check(world)).balance.next_reset_at).toISOString()
      expect(await next()).toBe('2026-02-28T10:00:00.000Z')
      world.clock.set('2026-02-28T10:00:00Z')
      expect(await next()).toBe('2026-03-31T10:00:00.000Z')
    },
  },
  {
    title: 'Twelve decimals',
    rule: 'correction of B47, B237',
    async keep(world) {
      await grant(world, 1)
      await world.ok('balances.track', { customer_id: 'ada', feature_id: 'messages', value: 0.000000000001 })
      expect(await left(world)).toEqual([1, 0.999999999999, 0.000000000001])
    },
  },
  {
    title: 'Amounts out of reach',
    rule: 'B242 (REC)',
    async keep(world) {
      await refused(world, 'balances.create', { ...ADA, included_grant: 1.1e15 })
      await grant(world, 1e15)
      expect(await left(world)).toEqual([1e15, 1e15, 0])
    },
  },
  {
    title: 'Impossible resets and rollovers',
    rule: 'correction of B78, B74, B83 (REC)',
    async keep(world) {
      await refused(world, 'balances.create', {
        ...ADA,
        included_grant: 1,
        reset: { interval: 'day', interval_count: 0 },
      })
      await refused(world, 'balances.create', {
        ...{ ...ADA, included_grant: 1, reset: { interval: 'day' } },
        rollover: { max: 1, max_percentage: 50, length: 1 },
      })
      await refused(
        world,
        'balances.create',
        { ...ADA, included_grant: 1, reset: { interval: 'one_off' }, rollover: { length: 1 } },
        'invalid_request',
      )
      await refused(world, 'balances.create', {
        ...{ customer_id: 'ada', feature_id: 'seats' },
        ...{ included_grant: 1, reset: { interval: 'month' } },
      })
    },
  },
  {
    title: 'Fractions of a millisecond',
    rule: 'B240 (REC)',
    async keep(world) {
      await refused(world, 'balances.create', { ...ADA, included_grant: 1, expires_at: START + 1.5 })
    },
  },
  {
    title: 'The other names of the grant',
    rule: 'seeds, B68, B85 (REC)',
    async keep(world) {
      await world.ok('balances.create', { ...ADA, included: 7 })
      expect(await left(world)).toEqual([7, 7, 0])
      await world.ok('balances.update', { ...ADA, granted_balance: 9, current_balance: 5 })
      expect(await left(world)).toEqual([9, 5, 4])
      const headers = { 'x-api-version': '2.0.0' }
      await world.ok('balances.update', { ...ADA, granted_balance: 8, current_balance: 2 }, headers)
      const { balance } = await world.ok('balances.check', ADA, headers)
      expect(balance).toMatchObject({ granted_balance: 8, current_balance: 2, usage: 6 })
    },
  },
  {
    title: 'Balances of credit systems',
    rule: 'B70 (REC)',
    async keep(world) {
      const credits = { customer_id: 'ada', feature_id: 'credits' }
      await refused(world, 'balances.create', credits)
      await refused(world, 'balances.create', { ...credits, included_grant: 1, unlimited: true })
    },
  },
  {
    title: 'Setting the grant of several balances',
    rule: 'B114 (REC)',
    async keep(world) {
      await grant(world, 100, { balance_id: 'a' })
      await grant(world, 50, { balance_id: 'b' })
      await world.ok('balances.update', { ...ADA, balance_id: 'b', included_grant: 70 })
      await world.ok('balances.update', { ...ADA, included_grant: 200 })
      expect((await left(world))?.[0]).toBe(200)
    },
  },
  {
    title: 'An update is done as a whole or not at all',
    rule: 'B91 (REC)',
    async keep(world) {
      await grant(world, 10)
      await refused(world, 'balances.update', { ...ADA, remaining: 5, next_reset_at: START + DAY }, 'invalid_request')
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: 'Deleting without saying what',
    rule: 'B129 (REC)',
    async keep(world) {
      await grant(world, 10)
      await refused(world, 'balances.delete', { customer_id: 'ada' })
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: 'A member that several credit systems pay for',
    rule: 'correction of R36',
    async keep(world) {
      await credits(world, 'small', 5, 1)
      await credits(world, 'large', 5, 20)
      // One render costs five credits. The first system holds one, which is enough only before the conversion.
      const answer = await world.ok('balances.check', {
        customer_id: 'ada',
        feature_id: 'renders',
        required_balance: 1,
      })
      expect([answer.allowed, answer.balance.feature_id]).toEqual([true, 'large'])
    },
  },
  {
    title: 'A member that is free',
    rule: 'R99',
    async keep(world) {
      await credits(world, 'free', 0, 10)
      const answer = await world.ok('balances.track', { customer_id: 'ada', feature_id: 'renders', value: 1000 })
      expect([answer.balance.remaining, answer.deductions]).toEqual([10, []])
    },
  },
  {
    title: 'Tiers of a credit cost',
    rule: 'K 2.2, K trap 10',
    async keep(world) {
      const tiers = [
        { to: 5, credit_cost: 1 },
        { to: 'inf', credit_cost: 0.5 },
      ]
      const credit_schema = [{ metered_feature_id: 'renders', tier_behavior: 'graduated', tiers }]
      await world.ok('features.create', { ...system('pool', 1), credit_schema })
      for (const included_grant of [6, 6])
        await world.ok('balances.create', { customer_id: 'ada', feature_id: 'pool', included_grant })
      const { deductions } = await world.ok('balances.track', { customer_id: 'ada', feature_id: 'renders', value: 9 })
      expect(deductions).toMatchObject([{ value: 6 }, { value: 2 }])
      const old = await world.ok('features.get', { feature_id: 'pool' }, { 'x-api-version': '2.2' })
      expect(old.credit_schema).toEqual([{ metered_feature_id: 'renders', credit_cost: 1 }])
    },
  },
  {
    title: 'The balance that a refund shows',
    rule: 'R64',
    async keep(world) {
      const own = { customer_id: 'ada', feature_id: 'renders' }
      await world.ok('features.create', system('unowned', 1))
      await world.ok('balances.create', { ...own, included_grant: 10 })
      await world.ok('balances.track', { ...own, value: 5 })
      const answer = await world.ok('balances.track', { ...own, value: -2 })
      expect(answer.balance).toMatchObject({ feature_id: 'renders', remaining: 7 })
    },
  },
  {
    title: 'More than two hundred balances',
    rule: 'B174 (REC)',
    async keep(world) {
      for (let i = 0; i < 205; i++) await grant(world, 1)
      expect(await left(world)).toEqual([205, 205, 0])
    },
  },
  {
    title: '`customer_entitlement_id`',
    rule: 'seed (older update), B85, B95',
    async keep(world) {
      await grant(world, 10, { balance_id: 'a' })
      await grant(world, 20, { balance_id: 'b' })
      await world.ok('balances.update', { ...ADA, customer_entitlement_id: 'b', current_balance: 5 })
      const { balance } = await check(world)
      expect(balance.breakdown).toMatchObject([
        { id: 'a', remaining: 10 },
        { id: 'b', remaining: 5 },
      ])
    },
  },
  {
    title: 'Deleting the balances of an entity',
    rule: 'B93, B129',
    async keep(world) {
      await entity(world, 'e1')
      await grant(world, 10)
      await grant(world, 5, { entity_id: 'e1' })
      const deletion = { ...ADA, entity_id: 'e1' }
      await world.ok('balances.delete', deletion)
      expect(await left(world)).toEqual([10, 10, 0])
      const { status, body } = await world.call('balances.delete', deletion)
      expect([status, body.code]).toEqual([404, 'balance_not_found'])
    },
  },
  {
    title: 'Recalculating changed grants',
    rule: 'B138',
    async keep(world) {
      await grant(world, 100, { balance_id: 'a', reset: { interval: 'month' } })
      await world.ok('balances.track', { ...ADA, value: 180, overage_behavior: 'overflow' })
      await world.ok('balances.update', { ...ADA, balance_id: 'a', included_grant: 150 })
      await grant(world, 200, { balance_id: 'b' })
      const { entitlements } = await world.ok('balances.preview_recalculate', ADA)
      const sums = ['before_remaining', 'after_remaining'].map((key) =>
        entitlements.reduce((sum: number, one: Record<string, number>) => sum + (one[key] ?? Number.NaN), 0),
      )
      expect(sums).toEqual([120, 120])
      await world.ok('balances.recalculate', ADA)
      const { balance } = await check(world)
      expect(balance.breakdown).toMatchObject([
        { id: 'a', included_grant: 150, remaining: 0 },
        { id: 'b', included_grant: 200, remaining: 120 },
      ])
    },
  },
  {
    title: 'A recalculation that matches nothing',
    rule: 'B136, correction of B97',
    async keep(world) {
      await grant(world, 10)
      for (const operation of ['balances.recalculate', 'balances.preview_recalculate']) {
        const { status, body } = await world.call(operation, { ...ADA, interval: 'year' })
        expect([status, body.code]).toEqual([404, 'balance_not_found'])
      }
    },
  },
  {
    title: 'Lists of balances',
    rule: 'B142 (REC)',
    async keep(world) {
      await entity(world, 'e1')
      await grant(world, 10, { balance_id: 'a', expires_at: START + DAY })
      await grant(world, 20, { balance_id: 'b', entity_id: 'e1' })
      await world.ok('balances.track', { ...ADA, entity_id: 'e1', value: 20 })
      world.clock.advance(DAY)
      const { balances } = await world.ok('GET /v1/balances/list?customer_id=ada')
      expect(balances).toEqual([
        {
          ...{ id: 'b', customer_entitlement_id: expect.stringMatching(/^cus_ent_/), feature_id: 'messages' },
          ...{ entity_id: 'e1', plan_id: null, included_grant: 20, prepaid_grant: 0, remaining: 0, usage: 20 },
          ...{ unlimited: false, reset: { interval: 'one_off', resets_at: null }, price: null, expires_at: null },
          created_at: START,
        },
      ])
      expect(await world.ok('balances.list', { customer_id: 'ada' })).toEqual({ balances })
    },
  },
  {
    title: 'Setting several totals',
    rule: 'B91 (REC), B125',
    async keep(world) {
      await grant(world, 10)
      const balances = ['messages', 'seats'].map((feature_id) => ({ feature_id, balance: 3 }))
      const { status, body } = await world.call('POST /v1/customers/ada/balances', { balances })
      expect([status, body.code]).toEqual([404, 'balance_not_found'])
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: '`POST /v1/usage` for an unknown customer',
    rule: 'B126 (REC), correction of B97',
    async keep(world) {
      const customer_data = { name: 'Bob', email: 'bob@example.test' }
      const usage = { customer_id: 'bob', feature_id: 'messages', value: 1, customer_data }
      const { status, body } = await world.call('POST /v1/usage', usage)
      expect([status, body.code]).toEqual([404, 'balance_not_found'])
      expect(await world.ok('customers.get', { customer_id: 'bob' })).toMatchObject(customer_data)
    },
  },
  {
    title: '`auto_create`',
    rule: 'decision, R11',
    async keep(world) {
      const newcomer = { customer_id: 'bob', feature_id: 'messages', entity_id: 'e1' }
      const missing = await world.call('balances.check', newcomer)
      expect([missing.status, missing.body.code]).toEqual([404, 'entity_not_found'])
      const entity_data = { feature_id: 'seats', name: 'E1' }
      await world.ok('balances.check', { ...newcomer, auto_create: true, customer_data: { name: 'Bob' }, entity_data })
      expect(await world.ok('customers.get', { customer_id: 'bob', expand: ['entities'] })).toMatchObject({
        name: 'Bob',
        entities: [{ id: 'e1', name: 'E1' }],
      })
    },
  },
  {
    title: 'Entities of a boolean feature',
    rule: 'B216 (REC)',
    async keep(world) {
      await world.ok('features.create', { feature_id: 'sso', name: 'SSO', type: 'boolean' })
      const wrong = { customer_id: 'ada', entity_id: 'e1', feature_id: 'sso' }
      await refused(world, 'entities.create', wrong, 'invalid_request')
    },
  },
  {
    title: 'Several entities at once',
    rule: 'B216 (REC)',
    async keep(world) {
      await world.ok('balances.create', { ...SEATS, included_grant: 5 })
      const twice = ['e1', 'e2', 'e1'].map((id) => ({ id, feature_id: 'seats' }))
      const { status, body } = await world.call('POST /v1/customers/ada/entities', twice)
      expect([status, body.code]).toEqual([409, 'entity_already_exists'])
      expect(await world.ok('entities.list', { customer_id: 'ada' })).toMatchObject({ list: [] })
      expect((await world.ok('balances.check', SEATS)).balance).toMatchObject({ remaining: 5, usage: 0 })
    },
  },
  {
    title: 'Entities created at the same time',
    rule: 'B225 (REC)',
    async keep(world) {
      await Promise.all(['e1', 'e2', 'e3'].map((id) => entity(world, id)))
      const { list } = await world.ok('entities.list', { customer_id: 'ada' })
      expect(list.map(({ id }: { id: string }) => id).toSorted()).toEqual(['e1', 'e2', 'e3'])
    },
  },
  {
    title: 'More seats than may be bought',
    rule: 'B219 (REC)',
    async keep(world) {
      const price = { amount: 9, interval: 'month', billing_method: 'usage_based', billing_units: 1, max_purchase: 2 }
      const items = [{ feature_id: 'seats', included: 5, price }]
      await world.ok('plans.create', { plan_id: 'team', name: 'Team', items })
      await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'team' })
      for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await entity(world, id)
      const eighth = { customer_id: 'ada', entity_id: 'h', feature_id: 'seats' }
      await refused(world, 'entities.create', eighth, 'feature_limit_reached')
      const { balances } = await world.ok('customers.get', { customer_id: 'ada' })
      expect(balances.seats).toMatchObject({ granted: 5, usage: 7, max_purchase: 2 })
    },
  },
  {
    title: 'The entity without an id',
    rule: 'B217 (REC)',
    async keep(world) {
      await world.ok('balances.create', { ...SEATS, included_grant: 5 })
      const used = async () => (await world.ok('balances.check', SEATS)).balance.usage
      await entity(world, null)
      expect(await used()).toBe(1)
      await entity(world, 'e1')
      expect(await used()).toBe(1)
      const { list } = await world.ok('entities.list', { customer_id: 'ada' })
      expect(list).toMatchObject([{ id: 'e1' }])
      await entity(world, 'e2')
      expect(await used()).toBe(2)
    },
  },
  {
    title: 'Finding an entity without its customer',
    rule: 'B221 (REC)',
    async keep(world) {
      for (const operation of ['entities.get', 'entities.update', 'entities.delete']) {
        const { status, body } = await world.call(operation, { entity_id: 'e1' })
        expect([status, body.code]).toEqual([404, 'entity_not_found'])
      }
      const anonymous = { customer_id: null, email: 'bob@example.test', with_autumn_id: true }
      const { autumn_id } = await world.ok('customers.get_or_create', anonymous)
      await entity(world, 'e1', autumn_id)
      expect(await world.ok('entities.get', { entity_id: 'e1' })).toMatchObject({ id: 'e1', customer_id: autumn_id })
      expect(await world.ok('entities.delete', { entity_id: 'e1' })).toEqual({ success: true })
    },
  },
  {
    title: 'The name of an entity',
    rule: 'B222 (REC)',
    async keep(world) {
      await entity(world, 'e1')
      const named = { customer_id: 'ada', entity_id: 'e1' }
      expect(await world.ok('entities.update', { ...named, name: 'Desk' })).toMatchObject({ id: 'e1', name: 'Desk' })
      expect(await world.ok('entities.get', named)).toMatchObject({ name: 'Desk' })
    },
  },
  {
    title: 'The slices of an item for each entity',
    rule: 'decision, R97',
    async keep(world) {
      await slices(world)
      const { balance, deductions } = await world.ok('balances.track', { ...ADA, value: 15 })
      const [line, ...others] = balance.breakdown
      const ids = deductions.map(({ balance_id }: { balance_id: string }) => balance_id)
      expect([others, new Set([line.id, ...ids]).size]).toEqual([[], 3])
      await world.ok('balances.update', { ...ADA, balance_id: ids[1], remaining: 10 })
      await world.ok('balances.update', { ...ADA, balance_id: line.id, add_to_balance: 1 })
      expect(await left(world)).toEqual([20, 11, 9])
    },
  },
  {
    title: "The next reset of one entity's slice",
    rule: 'decision, B119, B122',
    async keep(world) {
      await slices(world)
      await world.ok('balances.track', { ...ADA, value: 20 })
      await world.ok('balances.update', { ...ADA, entity_id: 'desk', next_reset_at: START + 1000 })
      world.clock.advance(1000)
      expect(await left(world)).toEqual([20, 10, 10])
      await world.ok('balances.update', { ...ADA, next_reset_at: START + 2000 })
      world.clock.advance(1000)
      expect(await left(world)).toEqual([20, 20, 0])
    },
  },
  {
    title: 'Recalculating slices',
    rule: 'decision, B137',
    async keep(world) {
      await slices(world)
      await world.ok('balances.update', { ...ADA, entity_id: 'desk', remaining: -5 })
      await world.ok('balances.recalculate', ADA)
      expect(await left(world)).toEqual([20, 10, 15])
    },
  },
  {
    title: 'One-off balances of entities that are used up',
    rule: 'B53, B175',
    async keep(world) {
      for (const id of ['e1', 'e2']) {
        await entity(world, id)
        await grant(world, 10, { entity_id: id })
      }
      expect(await left(world)).toEqual([20, 20, 0])
      await world.ok('balances.track', { ...ADA, entity_id: 'e1', value: 10 })
      expect(await left(world)).toEqual([10, 10, 0])
      await world.ok('balances.track', { ...ADA, entity_id: 'e1', value: -4 })
      expect(await left(world)).toEqual([20, 14, 6])
    },
  },
  {
    title: 'The breakdown in lists of customers',
    rule: 'B55 (REC)',
    async keep(world) {
      await entity(world, 'e1')
      await grant(world, 10, { balance_id: 'own' })
      await grant(world, 5, { entity_id: 'e1', balance_id: 'of e1' })
      const { list } = await world.ok('customers.list')
      expect(list[0].balances.messages).toMatchObject({ granted: 15, breakdown: [{ id: 'own', included_grant: 10 }] })
      expect(list[0].balances).toEqual((await world.ok('customers.get', { customer_id: 'ada' })).balances)
    },
  },
  {
    title: 'The last page up to 2.2',
    rule: 'B209',
    async keep(world) {
      await world.ok('customers.get_or_create', { customer_id: 'bob' })
      const headers = { 'x-api-version': '2.2.0' }
      expect(await world.ok('customers.list', { limit: 1 }, headers)).toMatchObject({ total: 1, has_more: true })
      expect(await world.ok('customers.list', { limit: 2 }, headers)).toMatchObject({ total: 2, has_more: false })
    },
  },
  {
    title: 'Deleting a feature that entities are of',
    rule: 'decision, B236',
    async keep(world) {
      await entity(world, 'e1')
      const { status, body } = await world.call('features.delete', { feature_id: 'seats' })
      expect([status, body.code]).toEqual([409, 'invalid_request'])
      await world.ok('entities.delete', { customer_id: 'ada', entity_id: 'e1' })
      await world.ok('features.delete', { feature_id: 'seats' })
    },
  },
  {
    title: 'Test clocks',
    rule: 'decision 11, K 2.5',
    async keep(world) {
      await grant(world, 10, { reset: { interval: 'day' } })
      await world.ok('balances.track', { ...ADA, value: 4 })
      const moved = await world.ok('customers.advance_test_clock', { customer_id: 'ada', frozen_time: START + DAY + 1 })
      expect(moved).toEqual({ customer_id: 'ada', frozen_time: START + DAY, status: 'ready' })
      expect(await left(world)).toEqual([10, 10, 0])
      world.clock.advance(HOUR)
      const { test_clock } = await world.ok('customers.get', { customer_id: 'ada' })
      expect(test_clock).toEqual({ now: START + DAY + HOUR, ahead_ms: DAY })
    },
  },
  {
    title: 'A use with `async`',
    rule: 'R72, S42, K9',
    async keep(world) {
      await grant(world, 10)
      const later = { ...ADA, value: 4, async: true }
      const { status, body } = await world.call('balances.track', later)
      expect([status, body]).toEqual([
        202,
        { customer_id: 'ada', event_id: expect.any(String), value: 4, balance: null },
      ])
      expect(await left(world)).toEqual([10, 6, 4])
      const rejected = { ...later, value: 7, overage_behavior: 'reject' }
      expect((await world.call('balances.track', rejected)).body.code).toBe('insufficient_balance')
      const unknown = await world.call('balances.track', { ...later, customer_id: 'nobody' })
      expect([unknown.status, unknown.body.code]).toEqual([404, 'customer_not_found'])
      expect((await world.call('balances.track', later, { 'x-api-version': '2.2' })).status).toBe(200)
    },
  },
  {
    title: 'A batch that is sent again',
    rule: 'decision, instead of R126',
    async keep(world) {
      await grant(world, 10)
      const items = [
        { ...ADA, value: 1 },
        { ...ADA, value: 2, idempotency_key: 'own' },
      ]
      const first = await world.call('balances.batch_track', items, { 'idempotency-key': 'k' })
      const again = await world.call('balances.batch_track', items, { 'idempotency-key': 'k' })
      expect([again.status, again.headers['idempotent-replayed']]).toEqual([202, 'true'])
      expect(again.body.results).toEqual(first.body.results.map((one: object) => ({ ...one, replayed: true })))
      const alone = await world.call('balances.track', { ...ADA, value: 1 }, { 'idempotency-key': 'k#0' })
      expect(alone.headers['idempotent-replayed']).toBe('true')
      expect(await left(world)).toEqual([10, 7, 3])
    },
  },
  {
    title: 'What models cost',
    rule: 'decision, R129',
    async keep(world) {
      await world.ok('features.create', aiCredits({}))
      await refused(
        world,
        'balances.track_tokens',
        { ...TOKENS, model_id: 'anthropic/claude-opus-4-6' },
        'invalid_request',
      )
      const cost = { input: 5, output: 15 }
      const priced = await openWorld({ modelPrices: { anthropic: { models: { 'claude-opus-4-6': { cost } } } } })
      await priced.ok('features.create', aiCredits({}))
      await priced.ok('customers.get_or_create', { customer_id: 'ada' })
      const used = { ...TOKENS, model_id: 'anthropic/claude-opus-4-6' }
      expect((await priced.ok('balances.track_tokens', used)).value).toBe(0.125)
      await priced.close()
    },
  },
  {
    title: 'Rates of a feature for a model',
    rule: 'decision, R129',
    async keep(world) {
      const own = { input_cost: 1, output_cost: 1, cache_read_cost: 10, reasoning_cost: 100 }
      await world.ok('features.create', aiCredits({ 'custom/own': own }))
      const used = { ...TOKENS, cache_read_tokens: 1000, reasoning_tokens: 1000 }
      expect((await world.ok('balances.track_tokens', used)).value).toBe(0.125)
      const { model_markups } = await world.ok('features.get', { feature_id: 'ai' })
      expect(model_markups).toEqual({ 'custom/own': own })
    },
  },
  {
    title: "Tokens beyond input and output of one's own models",
    rule: 'R129',
    async keep(world) {
      await world.ok('features.create', aiCredits({ 'custom/own': { input_cost: 1, output_cost: 2 } }))
      const used = { ...TOKENS, input_tokens: 0, output_tokens: 0, cache_read_tokens: 1000, reasoning_tokens: 1000 }
      expect((await world.ok('balances.track_tokens', used)).value).toBe(0.003)
    },
  },
  {
    title: 'Names in `model_markups`',
    rule: 'decision, B232',
    async keep(world) {
      await refused(world, 'features.create', aiCredits({ 'gpt-4o': { markup: 20 } }), 'invalid_inputs')
    },
  },
  {
    title: 'Which AI credit system pays, where none is named',
    rule: 'R128, R11',
    async keep(world) {
      await world.ok('features.create', aiCredits({ 'custom/own': { input_cost: 1, output_cost: 2 } }))
      await world.ok('balances.create', { customer_id: 'ada', feature_id: 'ai', included_grant: 0.02 })
      const { feature_id: _, ...unnamed } = TOKENS
      for (let i = 0; i < 2; i++) expect((await world.ok('balances.track_tokens', unnamed)).value).toBe(0.02)
      const newcomer = { ...unnamed, customer_id: 'bob' }
      const reply = await world.call('balances.track_tokens', newcomer, { 'x-api-version': '2.0' })
      expect([reply.status, reply.body.code]).toEqual([404, 'customer_not_found'])
    },
  },
  {
    title: 'A batch of tokens with a model that has no price',
    rule: 'R125, R128',
    async keep(world) {
      await world.ok('features.create', aiCredits({ 'custom/own': { input_cost: 1, output_cost: 2 } }))
      const items = [TOKENS, { ...TOKENS, model_id: 'custom/other' }]
      await refused(world, 'balances.batch_track_tokens', items, 'invalid_request')
      expect((await world.ok('events.list', { customer_id: 'ada' })).list).toEqual([])
    },
  },
  {
    title: 'Aggregates count at once',
    rule: 'R175',
    async keep(world) {
      await world.ok('balances.track', { ...ADA, value: 2 })
      expect((await aggregate(world)).total).toEqual({ messages: { count: 1, sum: 2 } })
    },
  },
  {
    title: 'Sums of events',
    rule: 'R182, correction of B237',
    async keep(world) {
      for (const value of [0.1, 0.2, 0.000000000001]) await world.ok('balances.track', { ...ADA, value })
      expect((await aggregate(world)).total.messages.sum).toBe(0.300000000001)
    },
  },
  {
    title: 'Bins of `24h`',
    rule: 'R180, step 340',
    async keep(world) {
      const lengths = async (more: object) => {
        const { list } = await aggregate(world, more)
        return list[1].period - list[0].period
      }
      expect([await lengths({}), await lengths({ bin_size: 'hour' })]).toEqual([DAY, HOUR])
    },
  },
  {
    title: 'The overflow group',
    rule: 'R184',
    async keep(world) {
      for (const [name, value] of Object.entries({ AUTUMN_RESERVED: 9, a: 3, b: 2, c: 1 }))
        await world.ok('balances.track', { ...ADA, value, properties: { name } })
      const groups = async (max_groups: number) => {
        const { list } = await aggregate(world, { group_by: 'properties.name', max_groups })
        return list.at(-1).grouped_values.messages
      }
      expect(await groups(2)).toEqual({ a: 3, b: 2, AUTUMN_RESERVED: 10 })
      expect(await groups(9)).toEqual({ a: 3, b: 2, c: 1, AUTUMN_RESERVED: 9 })
    },
  },
  {
    title: 'What is a group of a property',
    rule: 'R180, R183',
    async keep(world) {
      for (const a of ['x', '', 5, true, null, { b: 'deep' }, ['first'], 'z\u0000'])
        await world.ok('balances.track', { ...ADA, properties: { a } })
      const groups = async (path: string) => {
        const { list } = await aggregate(world, { group_by: `properties.${path}` })
        return Object.keys(list.at(-1).grouped_values.messages).sort()
      }
      expect(await groups('a')).toEqual(['5', 'true', 'x', 'z\ufffd'])
      expect([await groups('a.b'), await groups('a.0')]).toEqual([['deep'], ['first']])
    },
  },
  {
    title: 'Groups of what was deducted',
    rule: 'R183, R187',
    async keep(world) {
      await grant(world, 100)
      await world.ok('balances.track', { ...ADA, value: 1 })
      await world.ok('balances.track', { ...ADA, value: 2, properties: { region: 'eu' } })
      const { deductions } = await aggregate(world, { group_by: 'properties.region', aggregate_on: 'deducted' })
      expect(deductions[0].values.messages.deducted).toBe(2)
      expect(Object.values(deductions[0].grouped_values)).toEqual([{ eu: { deducted: 2, credit_cost: null } }])
    },
  },
  {
    title: 'The credit cost of what was deducted',
    rule: 'R187',
    async keep(world) {
      await credits(world, 'gold', 3, 100)
      await world.ok('balances.track', { customer_id: 'ada', feature_id: 'renders', value: 2 })
      const cost = async () => {
        const { deductions } = await aggregate(world, { feature_id: 'gold', aggregate_on: 'deducted' })
        return [deductions[0].values.gold.deducted, deductions[0].values.gold.balances[0].credit_cost]
      }
      expect(await cost()).toEqual([6, 3])
      const credit_schema = [{ metered_feature_id: 'renders', credit_cost: 5 }]
      await world.ok('features.update', { feature_id: 'gold', credit_schema })
      expect(await cost()).toEqual([6, 3])
      await world.ok('balances.track', { customer_id: 'ada', feature_id: 'renders', value: 1 })
      expect(await cost()).toEqual([11, null])
    },
  },
  {
    title: 'Cycles of `1bc`, `3bc` and `last_cycle`',
    rule: 'R181',
    async keep(world) {
      await grant(world, 100, { reset: { interval: 'week' } })
      expect((await aggregate(world, { range: '1bc' })).list).toHaveLength(8)
      expect((await aggregate(world, { range: '3bc' })).list).toHaveLength(22)
      expect((await aggregate(world, { range: '1bc', feature_id: 'renders' })).list).toHaveLength(8)
    },
  },
  {
    title: 'Aggregates that are too large',
    rule: 'decision',
    async keep(world) {
      const custom_range = { start: START - 3650 * DAY, end: START }
      const hours = { ...ADA, custom_range, bin_size: 'hour' }
      await refused(world, 'events.aggregate', hours, 'invalid_request')
      expect((await aggregate(world, { range: undefined, custom_range })).list).toHaveLength(3651)
    },
  },
  {
    title: 'A lock beside refunds',
    rule: 'decision (law 1)',
    async keep(world) {
      await world.ok('balances.create', { ...ADA, included_grant: 10, reset: { interval: 'month' } })
      await world.ok('balances.check', { ...ADA, required_balance: 4, lock: LOCK })
      await world.ok('balances.track', { ...ADA, value: -4 })
      await world.ok('balances.finalize', { lock_id: 'job', action: 'release' })
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: 'A lock over the end of a period',
    rule: 'law 8',
    async keep(world) {
      await world.ok('balances.create', { ...ADA, included_grant: 10, reset: { interval: 'hour' } })
      await world.ok('balances.check', { ...ADA, required_balance: 4, lock: LOCK })
      world.clock.advance(HOUR)
      await world.ok('balances.finalize', { lock_id: 'job', action: 'release' })
      expect(await left(world)).toEqual([10, 10, 0])
    },
  },
  {
    title: 'A lock with `overage_behavior: "cap"` where nothing is left',
    rule: 'K 2.2',
    async keep(world) {
      const monthly = { included_grant: 5, reset: { interval: 'month' } }
      await world.ok('balances.create', { ...ADA, ...monthly })
      const lock = { ...LOCK, overage_behavior: 'cap' }
      const some = await world.ok('balances.check', { ...ADA, required_balance: 8, lock })
      expect([some.allowed, some.lock.held]).toEqual([true, 5])
      const none = await world.ok('balances.check', { ...ADA, lock: { ...lock, lock_id: 'other' } })
      expect([none.allowed, none.lock]).toEqual([false, undefined])
    },
  },
  {
    title: 'A lock of a track',
    rule: 'R150b (REC)',
    async keep(world) {
      await world.ok('balances.create', { ...ADA, included_grant: 5, reset: { interval: 'month' } })
      await refused(world, 'balances.track', { ...ADA, value: 8, lock: LOCK }, 'insufficient_balance')
      const late = { ...LOCK, expires_at: world.clock.now + 2 * DAY }
      await refused(world, 'balances.track', { ...ADA, lock: late }, 'invalid_request')
      const named = { customer_id: 'ada', event_name: 'sent', lock: LOCK }
      await refused(world, 'balances.track', named, 'invalid_inputs')
    },
  },
  {
    title: 'Items of plans that could not work',
    rule: 'decision, as for balances (B74, B83)',
    async keep(world) {
      await world.ok('features.create', { feature_id: 'sso', name: 'SSO', type: 'boolean' })
      for (const item of [
        { feature_id: 'sso', included: 5 },
        { feature_id: 'seats', included: 5, reset: { interval: 'month' } },
        { feature_id: 'messages', included: 5, rollover: { max: 5 } },
        { feature_id: 'messages', included: 5, entity_feature_id: 'renders' },
      ]) {
        await refused(world, 'plans.create', { ...PRO, items: [item] }, 'invalid_product_item')
      }
    },
  },
  {
    title: 'Expiry and thresholds of plan items',
    rule: 'K 2.2',
    async keep(world) {
      const expiry = { duration: 'month', length: 3 }
      const threshold_billing = { threshold: 100 }
      const price = { amount: 1, interval: 'month', billing_method: 'usage_based' }
      const packs = { ...price, interval: 'one_off', billing_method: 'prepaid' }
      for (const wrong of [
        { price, expiry },
        { price: packs, threshold_billing },
      ]) {
        const items = [{ feature_id: 'messages', ...wrong }]
        await refused(world, 'plans.create', { ...PRO, items }, 'invalid_product_item')
      }
      const items = [
        { feature_id: 'messages', price, threshold_billing },
        { feature_id: 'messages', price: packs, expiry },
      ]
      expect((await world.ok('plans.create', { ...PRO, items })).items).toMatchObject(items)
    },
  },
  {
    title: 'Prepaid amounts beside whole packs',
    rule: 'C49',
    async keep(world) {
      const price = { amount: 1, interval: 'month', billing_method: 'prepaid', billing_units: 5 }
      const items = [{ feature_id: 'messages', included: 7, price }]
      expect((await world.ok('plans.create', { ...PRO, items })).items).toMatchObject(items)
    },
  },
  {
    title: "A plan's trial that reverts",
    rule: 'C52, decision',
    async keep(world) {
      const free_trial = { duration_length: 7, duration_type: 'day', on_end: 'revert' }
      await refused(world, 'plans.create', { ...PRO, free_trial }, 'not_supported')
    },
  },
  {
    title: 'The texts in `display`',
    rule: 'C 3.2',
    async keep(world) {
      const price = { amount: 3, interval: 'month', billing_method: 'usage_based', billing_units: 500 }
      const items = [{ feature_id: 'messages', included: 1000, price }]
      const plan = await world.ok('plans.create', { ...PRO, items, price: { amount: 24, interval: 'month' } })
      expect(plan.price.display).toEqual({ primary_text: '$24', secondary_text: 'per month' })
      expect(plan.items[0].display).toEqual({ primary_text: '1,000 Messages', secondary_text: 'then $3 per 500' })
    },
  },
  {
    title: 'What previews are worked out from',
    rule: 'decision, C 4.11',
    async keep(world) {
      await world.ok('plans.create', { ...PRO, price: { amount: 10, interval: 'month' } })
      const preview = await world.ok('billing.preview_attach', { customer_id: 'ada', plan_id: PRO.plan_id })
      expect(preview).toMatchObject({ total: 10, currency: 'usd', checkout_type: null, next_cycle: { total: 10 } })
    },
  },
  {
    title: '`customer_eligibility` at 2.1',
    rule: 'K 3.6, instead of C15',
    async keep(world) {
      await world.ok('plans.create', PRO)
      const { list } = await world.ok('plans.list', { customer_id: 'ada' }, { 'x-api-version': '2.1' })
      expect(list[0].customer_eligibility).toMatchObject({ scenario: 'new', attach_action: 'activate', status: null })
    },
  },
  {
    title: 'A paywall where no plan has the credits that answer',
    rule: 'decision, R57',
    async keep(world) {
      await world.ok('plans.create', { ...PRO, items: [{ feature_id: 'renders', included: 5 }] })
      const asked = { customer_id: 'ada', feature_id: 'renders', with_preview: true }
      const { preview } = await world.ok('balances.check', asked)
      expect(preview).toMatchObject({ feature_id: 'credits', upgrade_product_id: PRO.plan_id })
    },
  },
  {
    title: 'What is archived',
    rule: 'decision, C66, R57',
    async keep(world) {
      await world.ok('plans.create', { ...PRO, items: [{ feature_id: 'messages', included: 5 }] })
      await world.ok('plans.update', { plan_id: PRO.plan_id, archived: true })
      const { preview } = await world.ok('balances.check', { ...ADA, with_preview: true })
      expect(preview).toMatchObject({ products: [], upgrade_product_id: null })
    },
  },
  {
    title: 'A paid plan without a payment provider',
    rule: 'C112, C182, C185',
    async keep(world) {
      await world.ok('plans.create', PAID)
      const money = { redirect_mode: 'always', success_url: 'https://example.test', invoice_mode: { enabled: true } }
      const answer = await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'pro', ...money })
      expect(answer).toEqual({ customer_id: 'ada', payment_url: null })
      expect(await left(world)).toEqual([100, 100, 0])
      const discounts = [{ reward_id: 'half' }]
      const body = { customer_id: 'ada', plan_id: 'pro', cancel_action: 'cancel_immediately', discounts }
      await refused(world, 'billing.update', body, 'not_supported')
    },
  },
  {
    title: 'When plans begin and end',
    rule: 'C154',
    async keep(world) {
      await world.ok('plans.create', PAID)
      await world.ok('plans.create', FREE)
      await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'pro' })
      await world.ok('billing.update', { customer_id: 'ada', plan_id: 'pro', cancel_action: 'cancel_end_of_cycle' })
      const end = Date.UTC(2026, 1, 28, 10)
      world.clock.set(end - 1)
      expect(await plans(world)).toEqual(['pro active', 'free scheduled'])
      world.clock.set(end)
      expect(await plans(world)).toEqual(['free active'])
      expect(await left(world)).toEqual([5, 5, 0])
    },
  },
  {
    title: 'The anchor from one paid plan to another',
    rule: 'C137, C140',
    async keep(world) {
      for (const plan of [FREE, PAID, { ...PAID, plan_id: 'max', price: { amount: 50, interval: 'month' } }])
        await world.ok('plans.create', plan)
      const resets: number[] = []
      for (const plan_id of ['free', 'pro', 'max']) {
        await world.ok('billing.attach', { customer_id: 'ada', plan_id })
        resets.push((await check(world)).balance.next_reset_at)
        world.clock.advance(DAY)
      }
      expect(resets).toEqual([Date.UTC(2026, 1, 28, 10), Date.UTC(2026, 2, 1, 10), Date.UTC(2026, 2, 1, 10)])
    },
  },
  {
    title: 'A trial of a paid plan that ends',
    rule: 'C78',
    async keep(world) {
      await world.ok('plans.create', FREE)
      const trial = (card_required: boolean) => ({ duration_length: 7, duration_type: 'day', card_required })
      await world.ok('plans.create', { ...PAID, free_trial: trial(true) })
      await world.ok('plans.create', { ...PAID, plan_id: 'max', group: 'other', free_trial: trial(false) })
      for (const plan_id of ['pro', 'max']) await world.ok('billing.attach', { customer_id: 'ada', plan_id })
      expect(await plans(world)).toEqual(['pro active', 'max active'])
      world.clock.advance(7 * DAY)
      expect(await plans(world)).toEqual(['pro active'])
    },
  },
  {
    title: 'The rest of a trial, where a plan takes the place of another without being an upgrade',
    rule: 'C76',
    async keep(world) {
      const free_trial = { duration_length: 7, duration_type: 'day', card_required: true }
      await world.ok('plans.create', { ...FREE, auto_enable: false })
      await world.ok('plans.create', { ...PAID, plan_id: 'max', price: { amount: 90, interval: 'month' }, free_trial })
      await world.ok('plans.create', PAID)
      const switched = (plan_id: string) =>
        world.ok('billing.attach', { customer_id: 'ada', plan_id, plan_schedule: 'immediate' })
      for (const plan_id of ['max', 'pro']) await switched(plan_id)
      const trials = async () => (await world.ok('customers.get', ADA)).subscriptions.map(trialEnd)
      const trialEnd = ({ trial_ends_at }: { trial_ends_at?: number }) => trial_ends_at ?? null
      expect(await trials()).toEqual([START + 7 * DAY])
      await switched(FREE.plan_id)
      expect(await trials()).toEqual([null])
    },
  },
  {
    title: 'Another trial of a plan that is cancelled, or has yet to begin',
    rule: 'decision, C158, C164',
    async keep(world) {
      const free_trial = { duration_length: 50, duration_type: 'day', card_required: true }
      await world.ok('plans.create', PAID)
      await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'pro' })
      const update = { customer_id: 'ada', plan_id: 'pro' }
      await world.ok('billing.update', { ...update, cancel_action: 'cancel_end_of_cycle' })
      const shown = async () => (await world.ok('customers.get', ADA)).subscriptions[0]
      const { expires_at } = await shown()
      await world.ok('billing.update', { ...update, free_trial })
      expect(await shown()).toMatchObject({ expires_at, trial_ends_at: START + 50 * DAY })
      await world.ok('billing.update', { ...update, cancel_action: 'cancel_immediately' })
      const starts_at = START + 10 * DAY
      await world.ok('billing.attach', { ...update, starts_at })
      await world.ok('billing.update', { ...update, free_trial })
      expect(await shown()).toMatchObject({ status: 'scheduled', trial_ends_at: starts_at + 50 * DAY })
    },
  },
  {
    title: 'Items of a plan for one customer',
    rule: 'C44, C104',
    async keep(world) {
      await world.ok('plans.create', PAID)
      const customize = { add_items: PAID.items }
      const body = { customer_id: 'ada', plan_id: 'pro', customize }
      await refused(world, 'billing.attach', body, 'invalid_product_item')
    },
  },
  {
    title: 'Packs that do not divide what is included',
    rule: 'C49',
    async keep(world) {
      const price = { amount: 1, interval: 'month', billing_units: 10, billing_method: 'prepaid' }
      await world.ok('plans.create', { ...PRO, items: [{ feature_id: 'messages', included: 7, price }] })
      const feature_quantities = [{ feature_id: 'messages', quantity: 20 }]
      await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'pro', feature_quantities })
      expect(await left(world)).toEqual([27, 27, 0])
    },
  },
  {
    title: '`free_trial` beside `customize`',
    rule: 'K 2.1, C76',
    async keep(world) {
      await world.ok('plans.create', PAID)
      const free_trial = { duration_length: 3, duration_type: 'day', card_required: true }
      await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'pro', free_trial })
      const [pro] = (await world.ok('customers.get', { customer_id: 'ada' })).subscriptions
      expect(pro.trial_ends_at).toBe(START + 3 * DAY)
      const both = { customer_id: 'ada', plan_id: 'pro', free_trial, customize: { free_trial: null } }
      await world.ok('billing.update', both)
      expect((await world.ok('customers.get', { customer_id: 'ada' })).subscriptions[0].trial_ends_at).toBeNull()
    },
  },
  {
    title: 'Purchases at 2.0',
    rule: 'B63',
    async keep(world) {
      await world.ok('plans.create', { ...PAID, price: { amount: 9, interval: 'one_off' } })
      await world.ok('billing.attach', { customer_id: 'ada', plan_id: 'pro' })
      const ask = (expand: string[]) =>
        world.ok('customers.get', { customer_id: 'ada', expand }, { 'x-api-version': '2.0' })
      expect((await ask([])).subscriptions).toMatchObject([{ plan_id: 'pro', status: 'active', add_on: true }])
      expect((await ask(['purchases.plan'])).subscriptions).toMatchObject([{ plan_id: 'pro', add_on: false }])
    },
  },
  {
    title: 'Bodies of `billing.attach` and `billing.update` up to 1.2',
    rule: 'K 1.6',
    async keep(world) {
      await world.ok('plans.create', FREE)
      const ask = (body: object) => world.call('billing.attach', body, { 'x-api-version': '1.2' })
      const old = await ask({ customer_id: 'ada', product_id: 'free', options: [] })
      expect([old.status, old.body.code]).toEqual([400, 'invalid_inputs'])
      expect((await ask({ customer_id: 'ada', plan_id: 'free' })).status).toBe(200)
    },
  },
  {
    title: 'What is not served yet',
    rule: 'decision',
    async keep(world) {
      const billing_controls = { usage_limits: [{ feature_id: 'messages', limit: 5, interval: 'day' }] }
      await refused(world, 'customers.update', { customer_id: 'ada', billing_controls }, 'not_supported')
      await refused(world, 'customers.list', { processors: ['stripe'] }, 'not_supported')
      for (const version of ['0.1', '0.2', '1.1']) {
        const old = await world.call('balances.check', ADA, { 'x-api-version': version })
        expect([old.status, old.body.code]).toEqual([400, 'not_supported'])
      }
    },
  },
]

const HOUR = 3_600_000
const DAY = 24 * HOUR
const ADA = { customer_id: 'ada', feature_id: 'messages' }
const TOKENS = {
  ...{ customer_id: 'ada', feature_id: 'ai', model_id: 'custom/own' },
  ...{ input_tokens: 10_000, output_tokens: 5_000 },
}
const PRO = { plan_id: 'pro', name: 'Pro' }
const MONTHLY = { interval: 'month' }
const PAID = {
  ...PRO,
  price: { amount: 20, ...MONTHLY },
  items: [{ feature_id: 'messages', included: 100, reset: MONTHLY }],
}
const FREE = {
  ...{ plan_id: 'free', name: 'Free', auto_enable: true },
  items: [{ feature_id: 'messages', included: 5, reset: MONTHLY }],
}
const LOCK = { enabled: true, lock_id: 'job' }
const SEATS = { customer_id: 'ada', feature_id: 'seats' }

let world: World
beforeEach(async () => {
  world = await openWorld()
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  await world.ok('features.create', { feature_id: 'renders', name: 'Renders', type: 'metered', consumable: true })
  await world.ok('features.create', system('credits', 1))
  await world.ok('customers.get_or_create', { customer_id: 'ada' })
})
afterEach(() => world.close())

describe('beyond the recordings', () => {
  test.each(PROMISES.map((promise) => [promise.title, promise] as const))('%s', async (_title, promise) => {
    await promise.keep(world)
    expect(world.faults).toEqual([])
  })

  test('every promise has its row in the documentation, and every row is kept', () => {
    expect(titlesUnder('Differences that the recordings do not show')).toEqual(PROMISES.map(({ title }) => title))
  })
})

function check(on: World) {
  return on.ok('balances.check', ADA)
}

/** Granted, remaining and used, or null when nothing is shown. */
async function left(on: World): Promise<[number, number, number] | null> {
  const { balance } = await check(on)
  return balance === null ? null : [balance.granted, balance.remaining, balance.usage]
}

/** What Ada has of plans. */
async function plans(on: World): Promise<string[]> {
  const { subscriptions } = await on.ok('customers.get', { customer_id: 'ada' })
  return subscriptions.map((one: { plan_id: string; status: string }) => `${one.plan_id} ${one.status}`)
}

function aggregate(on: World, more: object = {}) {
  return on.ok('events.aggregate', { ...ADA, range: '24h', ...more })
}

function grant(on: World, included_grant: number, more: object = {}) {
  return on.ok('balances.create', { ...ADA, included_grant, ...more })
}

function entity(on: World, entity_id: string | null, customer_id = 'ada') {
  return on.ok('entities.create', { customer_id, entity_id, feature_id: 'seats' })
}

/** Two entities, and a plan with 10 messages a month for each of them. */
async function slices(on: World): Promise<void> {
  await entity(on, 'desk')
  await entity(on, 'lamp')
  const each = { feature_id: 'messages', included: 10, reset: { interval: 'month' }, entity_feature_id: 'seats' }
  await on.ok('plans.create', { plan_id: 'team', name: 'Team', items: [each] })
  await on.ok('billing.attach', { customer_id: 'ada', plan_id: 'team' })
}

function system(feature_id: string, credit_cost: number) {
  const credit_schema = [{ metered_feature_id: 'renders', credit_cost }]
  return { feature_id, name: feature_id, type: 'credit_system', credit_schema }
}

function aiCredits(model_markups: object) {
  return { feature_id: 'ai', name: 'AI', type: 'ai_credit_system', model_markups }
}

/** A credit system that pays for renders, and a balance of it. */
async function credits(on: World, feature_id: string, cost: number, included_grant: number): Promise<void> {
  await on.ok('features.create', system(feature_id, cost))
  await on.ok('balances.create', { customer_id: 'ada', feature_id, included_grant })
}

async function refused(on: World, operation: string, body: object, code = 'invalid_inputs'): Promise<void> {
  const reply = await on.call(operation, body)
  expect([reply.status, reply.body.code]).toEqual([400, code])
}

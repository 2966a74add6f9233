import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { D0, each, monthly, PlanStory, prepaid } from './plan-story.ts'
import { figuresOf } from './story.ts'

/** Items of a plan that each entity has for itself: "100 messages for every seat". */

type Body = Record<string, unknown>

const perSeat = (feature_id: string, included: number, more: Body = {}) =>
  each(feature_id, included, { entity_feature_id: 'seats', ...more })

const PLANS: Record<string, Body> = {
  team: { items: [{ feature_id: 'seats', included: 5 }, perSeat('messages', 100)] },
  // V19 and V22: some that all share, and some for each.
  mixed: { items: [each('messages', 100), perSeat('messages', 50)] },
  keeping: {
    items: [
      perSeat('messages', 100, { rollover: { max: 100, expiry_duration_type: 'month', expiry_duration_length: 1 } }),
    ],
  },
  credited: { items: [perSeat('credits', 200), { feature_id: 'sso', entity_feature_id: 'seats' }] },
  sold: { items: [prepaid('images', 5, {}, { entity_feature_id: 'seats' })] },
  once: { price: monthly(10), items: [prepaid('images', 0, { interval: 'one_off' }, { entity_feature_id: 'seats' })] },
  small: { price: monthly(10), items: [perSeat('messages', 100)] },
  large: { price: monthly(20), items: [perSeat('messages', 500)] },
  owing: {
    items: [
      perSeat('messages', 10, {
        price: { amount: 1, interval: 'month', billing_method: 'usage_based', max_purchase: 5 },
        reset: undefined,
      }),
    ],
  },
}

let told: PlanStory
beforeAll(async () => {
  told = await PlanStory.begin({})
  for (const [plan_id, body] of Object.entries(PLANS)) await told.define(plan_id, { group: plan_id, ...body })
  for (const plan_id of ['small', 'large']) await told.world.ok('plans.update', { plan_id, group: 'sizes' })
})
beforeEach(() => told.story.anew(D0))
afterEach(async () => {
  await expectLedgerToAddUp(told.world.store, 'alice')
  await expectTotalsToAgree()
})

/** B39: what was granted less what was used is what the rows come to, debts included, and what rolled over. */
async function expectTotalsToAgree(): Promise<void> {
  const { balances } = await told.world.ok('customers.get', { customer_id: 'alice' })
  const { balances: rows } = await told.world.ok('balances.list', { customer_id: 'alice' })
  for (const [feature, { unlimited, granted, usage, rollovers }] of Object.entries<Body>(balances)) {
    if (unlimited) continue
    const ofIt = (rows as Body[]).filter(({ feature_id }) => feature_id === feature)
    const rolled = ((rollovers ?? []) as Body[]).reduce((sum, { balance }) => sum + Number(balance), 0)
    expect([feature, Number(granted) - Number(usage)]).toEqual([
      feature,
      ofIt.reduce((sum, row) => sum + signed(row), rolled),
    ])
  }
}

/** What a row of a balance comes to; below zero what is owed of it. */
const signed = ({ included_grant, prepaid_grant, usage }: Body) =>
  Number(included_grant) + Number(prepaid_grant) - Number(usage)

const use = (value: number, more: Body = {}) => told.story.track('messages', value, more)
const by = (entity_id: string) => ({ entity_id })
const allowed = async (required: number, more: Body = {}) =>
  (await told.story.check('messages', required, more)).allowed

/** What each row comes to and whose it is, rollovers apart. */
async function slices(feature_id = 'messages'): Promise<string> {
  const { balances } = await told.world.ok('balances.list', { customer_id: 'alice', feature_id })
  const rows = (balances as Body[]).map((row) => `${row['entity_id'] ?? 'shared'} ${signed(row)}`)
  return rows.toSorted().join(', ')
}

describe('what is seen of it', () => {
  test('seats and messages for each come and go with the entities (vector of section 18, B218, B220)', async () => {
    await told.attach('team')
    await told.holds('messages', 'nothing')
    await told.story.seat('e1', 'e2')
    await told.holds('seats', '5/3/2')
    await told.holds('messages', '200/200/0')
    expect(await told.lines('messages')).toEqual(['team 200/200/0'])
    for (const entity of ['e1', 'e2']) await told.story.sees(entity, 'messages', '100/100/0')
    await use(30, by('e2'))
    await told.holds('messages', '200/170/30')
    await told.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e2' })
    await told.holds('seats', '5/4/1')
    await told.holds('messages', '100/100/0')
  })

  test('one line under one id, for whoever was there before and after the plan (B33, B50)', async () => {
    await told.story.seat('e2')
    await told.attach('mixed')
    const first = (await told.balance('messages')).breakdown.map(({ id }: Body) => id)
    await told.story.seat('e1')
    expect(await told.lines('messages')).toEqual(['mixed 100/100/0', 'mixed 100/100/0'])
    expect((await told.balance('messages')).breakdown.map(({ id }: Body) => id)).toEqual(first)
    await told.holds('messages', '200/200/0')
    await told.story.sees('e1', 'messages', '150/150/0')
    await told.resets('messages', '2030-02-28')
    expect([
      await allowed(200),
      await allowed(201),
      await allowed(150, by('e1')),
      await allowed(151, by('e1')),
    ]).toEqual([true, false, true, false])
  })

  test('beside what an entity has by itself, which the customer is shown but does not spend (R34, R82, B52-B54)', async () => {
    await told.story.seat('e1', 'e2')
    await told.attach('mixed')
    await told.story.grant('messages', { included: 10, entity_id: 'e1' })
    await told.holds('messages', '210/210/0')
    expect(await told.lines('messages')).toEqual(['mixed 100/100/0', 'mixed 100/100/0'])
    expect([await allowed(200), await allowed(201)]).toEqual([true, false])
    await use(300)
    await told.holds('messages', '210/10/200')
    await told.story.sees('e1', 'messages', '160/10/150')
  })

  test('credits and a flag of each entity (B226, B45)', async () => {
    await told.story.grant('messages', { included: 100 })
    await told.story.seat('e1', 'e2')
    await told.attach('credited')
    await told.story.track('credits', 25, by('e1'))
    await told.story.sees('e1', 'credits', '200/175/25')
    await told.story.sees('e2', 'credits', '200/200/0')
    await told.holds('credits', '400/375/25')
    for (const more of [{}, by('e1')])
      expect((await told.story.check('sso', 1, more)).flag).toMatchObject({ plan_id: 'credited' })
    // Its messages are the customer's own, the credits are of its entities: those come after (R84 key 1).
    const { deductions } = await use(200)
    expect(deductions.map(({ feature_id, value }: Body) => [feature_id, value])).toEqual([
      ['messages', 100],
      ['credits', 20],
    ])
    await told.story.sees('e1', 'credits', '200/155/45')
  })

  test('an entity that shares nothing with its customer has its slice all the same (R35)', async () => {
    await told.story.seat('e1')
    await told.attach('mixed')
    await told.world.ok('customers.update', { customer_id: 'alice', config: { disable_pooled_balance: true } })
    await told.story.sees('e1', 'messages', '50/50/0')
    await use(80, by('e1'))
    expect(await slices()).toBe('e1 0, shared 100')
    await told.holds('messages', '150/100/50')
  })
})

describe('what is used of it', () => {
  beforeEach(async () => {
    await told.story.seat('e2', 'e10', 'e1')
    await told.attach('mixed')
  })

  test.each<[string, number, Body, string]>([
    ['an entity: its slice, then what is shared (V20)', 80, by('e1'), 'e1 0, e10 50, e2 50, shared 70'],
    ['the customer: what is shared', 50, {}, 'e1 50, e10 50, e2 50, shared 50'],
    ['then the slices in ascending order of ids (V21, V22, R97)', 170, {}, 'e1 0, e10 30, e2 50, shared 0'],
    ['no more than all of it', 999, {}, 'e1 0, e10 0, e2 0, shared 0'],
    ['what overflows is owed by what is shared', 251, { overage_behavior: 'overflow' }, 'e1 0, e10 0, e2 0, shared -1'],
  ])('%s', async (_label, value, more, expected) => {
    await use(value, more)
    expect(await slices()).toBe(expected)
  })

  test('the answer says what each slice paid, and a refund gives it back there', async () => {
    const { event_id, deductions, balance } = await use(170)
    expect(deductions.map(({ value }: Body) => value)).toEqual([100, 50, 20])
    expect(new Set(deductions.map(({ balance_id }: Body) => balance_id)).size).toBe(3)
    expect(figuresOf(balance)).toBe('250/80/170')
    const { balance: after } = await told.story.track('messages', -40, { refund_of: event_id })
    expect(figuresOf(after)).toBe('250/120/130')
    expect(await slices()).toBe('e1 20, e10 50, e2 50, shared 0')
    await told.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    await told.world.ok('balances.track', { customer_id: 'alice', refund_of: event_id })
    expect(await slices()).toBe('e10 50, e2 50, shared 100')
  })

  test.each<[string, Body, Body | null, string]>([
    [
      'confirmed in part, of an entity (V44)',
      { required_balance: 30, ...by('e1') },
      { action: 'confirm', override_value: 80 },
      'e1 0, e10 50, e2 50, shared 70',
    ],
    [
      'confirmed in part, of the customer (V45)',
      { required_balance: 120 },
      { action: 'confirm', override_value: 60 },
      'e1 50, e10 50, e2 50, shared 40',
    ],
    [
      'confirmed with more (V46)',
      { required_balance: 120 },
      { action: 'confirm', override_value: 160 },
      'e1 0, e10 40, e2 50, shared 0',
    ],
    ['released', { required_balance: 230 }, { action: 'release' }, 'e1 50, e10 50, e2 50, shared 100'],
    ['lapsed', { required_balance: 230 }, null, 'e1 50, e10 50, e2 50, shared 100'],
  ])('a lock, %s', async (_label, held, then, expected) => {
    const lock = { enabled: true, lock_id: 'job', expires_at: Date.parse(D0) + 60_000 }
    expect((await told.story.check('messages', undefined, { ...held, lock })).allowed).toBe(true)
    if (then === null) told.at('2030-01-31T10:01:00Z')
    else await told.world.ok('balances.finalize', { lock_id: 'job', ...then })
    await told.story.check('messages')
    expect(await slices()).toBe(expected)
  })

  test('what a lock holds of an entity that is deleted is not lost to the others', async () => {
    await use(100)
    const lock = { enabled: true, lock_id: 'job' }
    await told.story.check('messages', 60, { lock })
    expect(await slices()).toBe('e1 0, e10 40, e2 50, shared 0')
    await told.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    await told.world.ok('balances.finalize', { lock_id: 'job', action: 'release' })
    // 10 go back to the slice that they came from, and the 50 make up for use of what is left.
    expect(await slices()).toBe('e10 50, e2 50, shared 50')
  })
})

test('each slice may owe up to its maximum, and the customer is judged by all of them (R94, B42)', async () => {
  await told.story.seat('e1', 'e2')
  await told.attach('owing')
  expect((await told.balance('messages')).max_purchase).toBe(10)
  expect([await allowed(30), await allowed(31)]).toEqual([true, false])
  await use(13, by('e1'))
  expect([await allowed(17), await allowed(18)]).toEqual([true, false])
  await use(999)
  expect(await slices()).toBe('e1 -5, e2 -5')
  // Debts are not set off: B54.
  await told.story.update('messages', { entity_id: 'e2', remaining: 4 })
  await told.holds('messages', '20/4/21')
})

describe('what is set by hand', () => {
  beforeEach(async () => {
    await told.story.seat('e1', 'e2', 'e3')
    await told.attach('team')
  })

  test('what remains, of all slices and of one (table of section 7.3)', async () => {
    const set = async (change: Body) => {
      await told.story.update('messages', change)
      return slices()
    }
    expect(await set({ remaining: 240 })).toBe('e1 40, e2 100, e3 100')
    await told.holds('messages', '300/240/60')
    expect(await set({ remaining: 150 })).toBe('e1 0, e2 50, e3 100')
    expect(await set({ remaining: 280 })).toBe('e1 130, e2 50, e3 100')
    await told.holds('messages', '300/280/20')
    expect(await set({ entity_id: 'e2', remaining: 120 })).toBe('e1 130, e2 120, e3 100')
    await told.story.sees('e2', 'messages', '100/120/-20')
    expect(await set({ usage: 0 })).toBe('e1 80, e2 120, e3 100')
    expect(await set({ add_to_balance: -100 })).toBe('e1 0, e2 100, e3 100')
  })

  test('the grant of one, and its use (B110, B115)', async () => {
    await told.story.update('messages', { entity_id: 'e1', included_grant: 160 })
    await told.story.update('messages', { entity_id: 'e1', usage: 130 })
    await told.story.sees('e1', 'messages', '160/30/130')
    await told.holds('messages', '360/230/130')
    await told.story.update('messages', { included_grant: 400 })
    await told.story.sees('e1', 'messages', '200/30/170')
    told.at('2030-02-28')
    await told.holds('messages', '300/300/0')
  })

  test('by the id under which the item is shown, and by that of one slice', async () => {
    const [{ id }] = (await told.balance('messages')).breakdown
    await told.story.update('messages', { balance_id: id, remaining: 250 })
    expect(await slices()).toBe('e1 50, e2 100, e3 100')
    const { balances } = await told.world.ok('entities.get', { customer_id: 'alice', entity_id: 'e3' })
    const [own] = balances.messages.breakdown
    expect(own.id).not.toBe(id)
    await told.story.update('messages', { balance_id: own.id, remaining: 7 })
    expect(await slices()).toBe('e1 50, e2 100, e3 7')
    await told.world.ok('balances.delete', { customer_id: 'alice', balance_id: own.id })
    expect(await slices()).toBe('e1 50, e2 100')
    await told.world.ok('balances.delete', { customer_id: 'alice', balance_id: id })
    await told.holds('messages', 'nothing')
    await told.holds('seats', '5/2/3')
  })

  test('the next reset, of the whole item; an entity moves its own alone (B119)', async () => {
    await use(30, by('e1'))
    await told.story.update('messages', { next_reset_at: Date.parse('2030-02-10T10:00:00Z') })
    await told.story.update('messages', { entity_id: 'e2', next_reset_at: Date.parse('2030-02-05T10:00:00Z') })
    await told.resets('messages', '2030-02-05')
    told.at('2030-02-05')
    await told.resets('messages', '2030-02-10')
    expect(await slices()).toBe('e1 70, e2 100, e3 100')
    told.at('2030-02-10')
    expect(await slices()).toBe('e1 100, e2 100, e3 100')
    await told.resets('messages', '2030-03-05')
  })

  test('all of a plan’s balance is deleted and its use kept, entity by entity (B133, B134)', async () => {
    await use(30, by('e1'))
    await told.story.grant('messages', { included: 50, entity_id: 'e2' })
    await use(20, by('e2'))
    const interval = { interval: 'month', recalculate_balances: true }
    await told.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages', ...interval })
    expect(await slices()).toBe('e1 -30, e2 30')
    await told.holds('messages', '50/30/50')
  })

  test('debts are set off within each entity (B136-B141)', async () => {
    await told.story.grant('messages', { included: 50, entity_id: 'e1' })
    await told.story.update('messages', { entity_id: 'e1', interval: 'month', remaining: -20 })
    expect(await slices()).toBe('e1 -20, e1 50, e2 100, e3 100')
    await told.world.ok('balances.recalculate', { customer_id: 'alice', feature_id: 'messages' })
    expect(await slices()).toBe('e1 0, e1 30, e2 100, e3 100')
  })

  test('the setters of older versions (B125, B126)', async () => {
    await use(20, by('e1'))
    const old = { 'x-api-version': '1.2' }
    await told.world.ok(
      'POST /v1/customers/alice/balances',
      { balances: [{ feature_id: 'messages', balance: 350 }] },
      old,
    )
    await told.holds('messages', '370/350/20')
    await told.world.ok('POST /v1/usage', { customer_id: 'alice', feature_id: 'messages', value: 120 }, old)
    await told.holds('messages', '370/250/120')
  })
})

describe('what time does to it', () => {
  test('each slice rolls over by itself, and the customer is shown what ends together as one (B163, table of section 14)', async () => {
    await told.story.seat('e1', 'e2')
    await told.attach('keeping')
    await use(40, by('e1'))
    told.at('2030-02-28')
    await use(10, by('e1'))
    await told.story.sees('e1', 'messages', '160/150/10')
    await told.holds('messages', '360/350/10')
    const rollovers = async () =>
      (await told.balance('messages')).rollovers.map((one: Body) => `${one['granted']} ${one['balance']}`)
    expect(await rollovers()).toEqual(['160 150'])
    // The customer's use takes what rolled over first, of one after the other (R90).
    await use(70)
    expect(await rollovers()).toEqual(['160 80'])
    await told.story.sees('e2', 'messages', '200/180/20')
  })

  test('a switch begins anew for each, and a change keeps what each has used (C142, C143)', async () => {
    await told.story.seat('e1', 'e2')
    await told.attach('small')
    await use(30, by('e1'))
    await use(10, by('e2'))
    await told.attach('large')
    await told.holds('messages', '1000/1000/0')
    await use(30, by('e1'))
    await use(10, by('e2'))
    await told.update({ plan_id: 'large', customize: { items: [perSeat('messages', 60)] } })
    expect(await slices()).toBe('e1 30, e2 50')
    expect(await told.lines('messages')).toEqual(['large 120/80/40'])
    await told.story.seat('e3')
    await told.holds('messages', '180/140/40')
  })

  test('use that is carried over is each one’s own (C144)', async () => {
    await told.story.seat('e1', 'e2')
    await told.attach('small')
    await use(90, by('e1'))
    await told.attach('large', { carry_over_usages: { enabled: true } })
    expect(await slices()).toBe('e1 410, e2 500')
  })

  test('at its end nothing of it is left', async () => {
    await told.story.seat('e1', 'e2')
    await told.attach('small')
    await use(30)
    await told.update({ plan_id: 'small', cancel_action: 'cancel_end_of_cycle' })
    told.at('2030-02-28')
    await told.holds('messages', 'nothing')
    expect(await allowed(1)).toBe(false)
  })

  test('a refused check says when the slices are there again', async () => {
    await told.story.seat('e1', 'e2')
    await told.attach('team')
    await use(200)
    const denied = await told.story.check('messages', 150)
    expect(denied).toMatchObject({ allowed: false, reason: 'insufficient_balance' })
    expect(denied.available_at).toBe(Date.parse('2030-02-28T10:00:00Z'))
    expect((await told.story.check('messages', 201)).available_at).toBeNull()
  })
})

describe('what is bought in advance for each', () => {
  test('every entity has as much of it (B34)', async () => {
    await told.story.seat('e1', 'e2')
    await told.attach('sold', { feature_quantities: [{ feature_id: 'images', quantity: 12 }] })
    await told.holds('images', '24/24/0')
    await told.story.seat('e3')
    await told.holds('images', '36/36/0')
    expect((await told.balance('images')).breakdown).toMatchObject([{ included_grant: 15, prepaid_grant: 21 }])
    await told.update({ plan_id: 'sold', feature_quantities: [{ feature_id: 'images', quantity: 20 }] })
    await told.holds('images', '60/60/0')
  })

  test('and so does every one when more is bought of what is paid once (C163)', async () => {
    await told.story.seat('e1', 'e2')
    await told.attach('once', { feature_quantities: [{ feature_id: 'images', quantity: 10 }] })
    await told.story.track('images', 12)
    expect(await slices('images')).toBe('e1 0, e2 8')
    await told.update({ plan_id: 'once', feature_quantities: [{ feature_id: 'images', quantity: 5 }] })
    expect(await slices('images')).toBe('e1 5, e2 13')
    await told.holds('images', '30/18/12')
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { codeOf, Story } from './story.ts'

type Body = Record<string, unknown>

let story: Story
beforeAll(async () => {
  story = await Story.begin()
  const month = { reset: { interval: 'month' } }
  const seats = (price: Body) => ({ feature_id: 'seats', included: 2, price: { interval: 'month', ...price } })
  const plans: Body[] = [
    { plan_id: 'hobby', auto_enable: true, group: 'main', items: [{ feature_id: 'messages', included: 10, ...month }] },
    {
      plan_id: 'starter',
      group: 'main',
      price: { amount: 10, interval: 'month' },
      items: [{ feature_id: 'messages', included: 50, ...month }],
    },
    {
      plan_id: 'studio',
      group: 'main',
      price: { amount: 24, interval: 'month' },
      items: [
        {
          feature_id: 'messages',
          included: 300,
          price: { amount: 1, interval: 'month', billing_method: 'usage_based' },
        },
      ],
    },
    { plan_id: 'yearly', group: 'main', price: { amount: 240, interval: 'year' } },
    {
      plan_id: 'trying',
      group: 'main',
      price: { amount: 30, interval: 'month' },
      free_trial: { duration_length: 14, duration_type: 'day', card_required: true },
    },
    {
      plan_id: 'tasting',
      group: 'main',
      price: { amount: 30, interval: 'month' },
      free_trial: { duration_length: 14, duration_type: 'day', card_required: false },
    },
    {
      plan_id: 'team',
      group: 'team',
      price: { amount: 5, interval: 'month' },
      items: [seats({ amount: 9, billing_method: 'prepaid' })],
    },
    {
      plan_id: 'packs',
      add_on: true,
      items: [
        {
          feature_id: 'images',
          price: { amount: 4, interval: 'one_off', billing_units: 100, billing_method: 'prepaid' },
        },
      ],
    },
    { plan_id: 'boost', add_on: true, price: { amount: 6, interval: 'month' } },
  ]
  for (const plan of plans) await story.world.ok('plans.create', { name: String(plan['plan_id']), ...plan })
})
beforeEach(() => story.anew('2026-01-01T00:00:00Z'))
afterAll(() => story.world.close())

const attach = (plan_id: string, more: Body = {}) =>
  story.world.ok('billing.attach', { customer_id: 'alice', plan_id, ...more })
const preview = (plan_id: string, more: Body = {}) =>
  story.world.ok('billing.preview_attach', { customer_id: 'alice', plan_id, ...more })

const update = (more: Body) => story.world.ok('billing.update', { customer_id: 'alice', ...more })
const previewUpdate = (more: Body) => story.world.ok('billing.preview_update', { customer_id: 'alice', ...more })

const linesOf = (list: readonly Body[]) =>
  list.map(({ plan_id, feature_id, quantity, total }) => `${plan_id} ${feature_id ?? 'fee'} ${quantity}: ${total}`)

/** What is due now, and with the next cycle and when. */
function dueIn({ line_items, total, next_cycle }: { line_items: Body[]; total: number; next_cycle?: NextCycle }) {
  const next =
    next_cycle === undefined
      ? 'nothing next'
      : [
          new Date(next_cycle.starts_at).toISOString().slice(0, 10),
          ...linesOf(next_cycle.line_items),
          ...linesOf(next_cycle.usage_line_items).map((line) => `used ${line}`),
        ]
  return { now: linesOf(line_items), total, next }
}

interface NextCycle {
  readonly starts_at: number
  readonly line_items: Body[]
  readonly usage_line_items: Body[]
  readonly total: number
}

const MIDDLE = '2026-01-16T12:00:00Z'
const quantity = (feature_id: string, of: number) => ({ feature_quantities: [{ feature_id, quantity: of }] })

describe('what is due when a plan is attached (C 4.11)', () => {
  test.each<[string, Body, readonly string[], number, readonly string[] | 'nothing next']>([
    [
      'a first plan costs its fee',
      { plan_id: 'starter' },
      ['starter fee 1: 10'],
      10,
      ['2026-02-01', 'starter fee 1: 10'],
    ],
    ['a trial is free until it ends', { plan_id: 'trying' }, [], 0, ['2026-01-15', 'trying fee 1: 30']],
    ['a trial without a card ends unpaid', { plan_id: 'tasting' }, [], 0, 'nothing next'],
    [
      'what is ordered in advance is beside it',
      { plan_id: 'team', ...quantity('seats', 5) },
      ['team fee 1: 5', 'team seats 3: 27'],
      32,
      ['2026-02-01', 'team fee 1: 5', 'team seats 3: 27'],
    ],
    [
      'what is sold once is due once, in whole packs',
      { plan_id: 'packs', ...quantity('images', 250) },
      ['packs images 300: 12'],
      12,
      'nothing next',
    ],
    [
      'nobody asks where somebody else sees to it',
      { plan_id: 'starter', no_billing_changes: true },
      [],
      0,
      'nothing next',
    ],
    [
      'what begins later costs nothing yet',
      { plan_id: 'boost', starts_at: Date.parse('2026-03-05') },
      [],
      0,
      ['2026-03-05', 'boost fee 1: 6'],
    ],
    [
      'until its first cycle begins, a part of one is due',
      { plan_id: 'boost', billing_cycle_anchor: Date.parse('2026-01-16T12:00:00Z') },
      ['boost fee 1: 3'],
      3,
      ['2026-01-16', 'boost fee 1: 6'],
    ],
    [
      'what began in the past is due from then on',
      { plan_id: 'boost', starts_at: Date.parse('2025-11-01') },
      ['boost fee 1: 18'],
      18,
      ['2026-02-01', 'boost fee 1: 6'],
    ],
  ])('%s', async (_label, order, now, total, next) => {
    expect(dueIn(await preview(String(order['plan_id']), order))).toEqual({ now, total, next })
  })

  test.each<[string, Body]>([
    ['a trial that never ends', { customize: { free_trial: { duration_length: 10_000, duration_type: 'year' } } }],
    ['what begins at the end of time', { starts_at: 8_640_000_000_000_000 }],
  ])('nothing is looked for beyond the year 9999: %s', async (_label, more) => {
    expect(dueIn(await preview('boost', more))).toEqual({ now: [], total: 0, next: 'nothing next' })
  })

  test('a cycle may begin as late as there is time', async () => {
    const { next_cycle } = await preview('boost', { billing_cycle_anchor: 8_640_000_000_000_000 })
    expect(next_cycle).toBeUndefined()
  })

  const FULL = ['2026-02-01', 'studio fee 1: 24']
  test.each<[string, Body, readonly string[], number, readonly string[]]>([
    ['the rest of the old one is given back', {}, ['starter fee 1: -5', 'studio fee 1: 12'], 7, FULL],
    ['but not where nothing is prorated', { proration_behavior: 'none' }, [], 0, FULL],
    [
      'or later, where that is asked for',
      { billing_behavior: 'next_cycle_only' },
      [],
      0,
      ['2026-02-01', 'starter fee 1: -5', 'studio fee 1: 12', 'studio fee 1: 24'],
    ],
    [
      'a cycle that begins anew is due whole',
      { billing_cycle_anchor: 'now' },
      ['starter fee 1: -5', 'studio fee 1: 24'],
      19,
      ['2026-02-16', 'studio fee 1: 24'],
    ],
  ])('in the middle of a month an upgrade costs half: %s', async (_label, more, now, total, next) => {
    await attach('starter')
    story.at(MIDDLE)
    expect(dueIn(await preview('studio', more))).toEqual({ now, total, next })
  })

  test('an add-on shares the cycle of the plan', async () => {
    await attach('starter')
    story.at(MIDDLE)
    expect(dueIn(await preview('boost'))).toEqual({
      ...{ now: ['boost fee 1: 3'], total: 3, next: ['2026-02-01', 'boost fee 1: 6'] },
    })
  })

  test('a downgrade costs nothing now, and is due with what was used when the cycle ends (C152)', async () => {
    await attach('studio')
    await story.track('messages', 320)
    const answer = await preview('starter')
    expect(dueIn(answer)).toEqual({
      ...{ now: [], total: 0, next: ['2026-02-01', 'starter fee 1: 10', 'used studio messages 20: 20'] },
    })
    expect(answer.next_cycle).toMatchObject({ subtotal: 30, total: 30 })
    const at = Date.parse('2026-02-01')
    const ends = { canceled_at: story.world.clock.now, expires_at: at }
    expect(answer.outgoing).toEqual([{ plan_id: 'studio', feature_quantities: [], effective_at: at, ...ends }])
    expect(answer.incoming).toMatchObject([
      { plan_id: 'starter', effective_at: at, canceled_at: null, expires_at: null },
    ])
  })

  test('what was used beyond the grants is due at once where the plan ends at once, and rounded to cents', async () => {
    await attach('studio')
    await story.track('messages', 320)
    story.at(MIDDLE)
    // 349.5 of 365 days of 240 dollars are 229.808….
    expect(dueIn(await preview('yearly')).now).toEqual([
      'studio fee 1: -12',
      'studio messages 20: 20',
      'yearly fee 1: 229.81',
    ])
  })

  test('use that the new plan takes over is not due (C142)', async () => {
    await attach('studio')
    await story.track('messages', 320)
    const anew = { customize: { price: { amount: 30, interval: 'month' } }, plan_id: 'studio' }
    expect(dueIn(await previewUpdate(anew))).toEqual({
      ...{ now: ['studio fee 1: -24', 'studio fee 1: 30'], total: 6 },
      next: ['2026-02-01', 'studio fee 1: 30', 'used studio messages 20: 20'],
    })
  })

  test('several plans at once', async () => {
    const plans = [{ plan_id: 'starter' }, { plan_id: 'boost' }, { plan_id: 'team', ...quantity('seats', 3) }]
    const answer = await story.world.ok('billing.preview_multi_attach', { customer_id: 'alice', plans })
    const now = ['starter fee 1: 10', 'boost fee 1: 6', 'team fee 1: 5', 'team seats 1: 9']
    expect(dueIn(answer)).toEqual({ now: expect.arrayContaining(now), total: 30, next: expect.any(Array) })
    expect(answer.line_items).toHaveLength(4)
    expect(answer.next_cycle.total).toBe(30)
  })
})

describe('what is due when a plan is changed', () => {
  const immediately = { plan_id: 'starter', cancel_action: 'cancel_immediately' }
  test.each<[string, Body, readonly string[], string]>([
    ['what is left of the cycle is given back', immediately, ['starter fee 1: -5'], 'cancel_immediately'],
    ['or all of it', { ...immediately, refund_last_payment: 'full' }, ['starter fee 1: -10'], 'cancel_immediately'],
    ['or nothing', { ...immediately, proration_behavior: 'none' }, [], 'cancel_immediately'],
    [
      'at the end of the cycle nothing has to be',
      { plan_id: 'starter', cancel_action: 'cancel_end_of_cycle' },
      [],
      'cancel_end_of_cycle',
    ],
    [
      'what recalculates alone changes no plan',
      { plan_id: 'starter', recalculate_balances: { enabled: true } },
      [],
      'none',
    ],
  ])('cancelled in the middle of a month: %s', async (_label, change, now, intent) => {
    await attach('starter')
    story.at(MIDDLE)
    const answer = await previewUpdate(change)
    expect([dueIn(answer).now, answer.intent]).toEqual([now, intent])
    expect(answer).not.toHaveProperty('checkout_type')
  })

  test('a plan that is to end hands over to the free default then, and goes on if it is resumed (C165, C168)', async () => {
    await attach('starter')
    const ending = { plan_id: 'starter', cancel_action: 'cancel_end_of_cycle' }
    const at = Date.parse('2026-02-01')
    const before = await previewUpdate(ending)
    expect([before.outgoing, before.incoming]).toMatchObject([
      [{ plan_id: 'starter', effective_at: at, expires_at: at }],
      [{ plan_id: 'hobby', effective_at: at }],
    ])
    expect(before.next_cycle).toEqual({ starts_at: at, subtotal: 0, total: 0, line_items: [], usage_line_items: [] })
    await update(ending)
    const after = await previewUpdate({ plan_id: 'starter', cancel_action: 'uncancel' })
    expect([after.outgoing, after.incoming, after.intent]).toMatchObject([
      [{ plan_id: 'hobby' }],
      [{ plan_id: 'starter', effective_at: null, canceled_at: null, expires_at: null }],
      'uncancel',
    ])
    expect(dueIn(after)).toEqual({ now: [], total: 0, next: ['2026-02-01', 'starter fee 1: 10'] })
  })

  test('a trial that is cancelled gives nothing back', async () => {
    await attach('trying')
    const answer = await previewUpdate({ plan_id: 'trying', cancel_action: 'cancel_immediately' })
    expect(dueIn(answer)).toEqual({ now: [], total: 0, next: 'nothing next' })
  })

  test.each<[string, Body | undefined, number, readonly string[], readonly string[]]>([
    ['more, by default at once', undefined, 7, ['team seats 3: -13.5', 'team seats 5: 22.5'], []],
    ['fewer, by default at once', undefined, 4, ['team seats 3: -13.5', 'team seats 2: 9'], []],
    ['none at all', undefined, 0, ['team seats 3: -13.5'], []],
    [
      'more, with the next cycle',
      { on_increase: 'prorate_next_cycle' },
      7,
      [],
      ['team seats 3: -13.5', 'team seats 5: 22.5'],
    ],
    ['more, for nothing until then', { on_increase: 'bill_next_cycle' }, 7, [], []],
    ['fewer, for nothing back', { on_increase: 'prorate_immediately', on_decrease: 'none' }, 4, [], []],
    [
      'fewer, when an increase would be (C161)',
      { on_increase: 'bill_next_cycle', on_decrease: 'prorate_immediately' },
      4,
      [],
      ['team seats 3: -13.5', 'team seats 2: 9'],
    ],
  ])('in the middle of a month: %s (C160, C161)', async (_label, proration, wanted, now, put) => {
    const item = {
      feature_id: 'seats',
      included: 2,
      price: { amount: 9, interval: 'month', billing_method: 'prepaid' },
    }
    const customize = { items: [{ ...item, ...(proration === undefined ? {} : { proration }) }] }
    await attach('team', { customize, ...quantity('seats', 5) })
    story.at(MIDDLE)
    const answer = await previewUpdate({ plan_id: 'team', ...quantity('seats', wanted) })
    const units = Math.max(0, wanted - 2)
    const due = units === 0 ? [] : [`team seats ${units}: ${units * 9}`]
    expect(dueIn(answer)).toMatchObject({ now, next: ['2026-02-01', ...put, 'team fee 1: 5', ...due] })
    expect(answer.intent).toBe('update_quantity')
  })

  test('units that are bought once more are due by themselves (C163)', async () => {
    const price = { amount: 2, interval: 'one_off', billing_units: 10, billing_method: 'prepaid' }
    const customize = { add_items: [{ feature_id: 'images', price }] }
    await attach('starter', { customize, ...quantity('images', 50) })
    const answer = await previewUpdate({ plan_id: 'starter', ...quantity('images', 15) })
    expect(dueIn(answer)).toMatchObject({ now: ['starter images 20: 4'], total: 4 })
    expect(answer.incoming).toMatchObject([{ feature_quantities: [{ feature_id: 'images', quantity: 70 }] }])
  })
})

describe('a preview is a dry run (C267)', () => {
  test('nothing is written, and a key is not kept', async () => {
    await attach('starter')
    const before = await story.world.ok('customers.get', { customer_id: 'alice' })
    const key = { 'idempotency-key': 'once' }
    const body = { customer_id: 'alice', plan_id: 'studio' }
    const first = await story.world.call('billing.preview_attach', body, key)
    expect([first.status, first.headers['idempotent-replayed']]).toEqual([200, undefined])
    expect(await story.world.ok('customers.get', { customer_id: 'alice' })).toEqual(before)
    const real = await story.world.call('billing.attach', body, key)
    expect([real.status, real.headers['idempotent-replayed']]).toEqual([200, undefined])
  })

  test.each<[string, Body]>([
    ['a plan that nobody knows', { plan_id: 'nope' }],
    ['a plan that is there already', { plan_id: 'starter' }],
    ['a customer that nobody knows', { customer_id: 'nobody', plan_id: 'studio' }],
    ['an entity that nobody knows', { entity_id: 'nobody', plan_id: 'studio' }],
    ['times that exclude each other', { plan_id: 'studio', ends_at: 1 }],
    [
      'more than may be bought',
      {
        plan_id: 'team',
        customize: {
          items: [
            {
              feature_id: 'seats',
              price: { amount: 1, interval: 'month', billing_method: 'prepaid', max_purchase: 2 },
            },
          ],
        },
        ...quantity('seats', 3),
      },
    ],
    ['no plan at all', {}],
  ])('refuses what attaching refuses: %s', async (_label, body) => {
    await attach('starter')
    const asked = { customer_id: 'alice', ...body }
    const code = await codeOf(story.world, 'billing.preview_attach', asked)
    expect(code).toMatch(/^4/)
    expect(await codeOf(story.world, 'billing.attach', asked)).toBe(code)
  })

  test.each<[string, Body]>([
    ['a plan that is not there', { plan_id: 'studio', cancel_action: 'cancel_immediately' }],
    ['a free plan without a cycle', { plan_id: 'hobby', cancel_action: 'cancel_end_of_cycle' }],
    ['nothing to change', { plan_id: 'hobby' }],
  ])('refuses what updating refuses: %s', async (_label, body) => {
    const asked = { customer_id: 'alice', ...body }
    const code = await codeOf(story.world, 'billing.preview_update', asked)
    expect(code).toMatch(/^4/)
    expect(await codeOf(story.world, 'billing.update', asked)).toBe(code)
  })

  test('plans are shown in full where that is asked for, on the terms that would hold', async () => {
    const customize = { price: { amount: 77, interval: 'month' } }
    const answer = await preview('starter', { customize, expand: ['incoming.plan'] })
    expect(answer.incoming[0].plan).toMatchObject({ id: 'starter', price: { amount: 77 } })
    expect(answer.outgoing[0]).not.toHaveProperty('plan')
  })
})

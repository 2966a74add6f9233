import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { START } from '../world.ts'
import { codeOf, Story } from './story.ts'

type Body = Record<string, unknown>

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The world begins on Saturday, 31 January 2026, at 10:00 UTC. */
const TODAY = Date.UTC(2026, 0, 31)

let story: Story
beforeAll(async () => {
  story = await Story.begin()
})
beforeEach(() => story.anew())
afterAll(async () => {
  await story.world.close()
  expect(story.world.faults).toEqual([])
})

const aggregate = (body: Body, version = '2.4') =>
  story.world.ok(
    'events.aggregate',
    { customer_id: 'alice', feature_id: 'messages', ...body },
    { 'x-api-version': version },
  )
const refusal = (body: Body) =>
  codeOf(story.world, 'events.aggregate', { customer_id: 'alice', feature_id: 'messages', ...body })
const periods = ({ list }: { list: { period: number }[] }) => list.map(({ period }) => period)
const used = (value: number, more: Body = {}) => story.track('messages', value, more)
const at = (ago: number) => ({ timestamp: START - ago })

describe('bins (R182)', () => {
  test('every bin from the start to now is there, with 0 for each feature that is asked for', async () => {
    await used(0.1)
    await used(0.2, at(DAY))
    await used(-0.5, at(DAY))
    await used(7, at(3 * DAY))
    const answer = await aggregate({ range: '7d', feature_id: ['messages', 'images'] })
    expect(periods(answer)).toEqual([7, 6, 5, 4, 3, 2, 1, 0].map((days) => TODAY - days * DAY))
    expect(answer.list.map(({ values }: { values: Body }) => values)).toEqual([
      ...[0, 0, 0, 0, 7, 0, -0.3, 0.1].map((messages) => ({ messages, images: 0 })),
    ])
    expect(answer.total).toEqual({ messages: { count: 4, sum: 6.8 }, images: { count: 0, sum: 0 } })
    expect(Object.keys(answer)).toEqual(['list', 'total'])
    expect(Object.keys(answer.list[0])).toEqual(['period', 'values'])
  })

  test.each<[string, Body, number[]]>([
    ['a day is two days, as recorded (step 340)', { range: '24h' }, [TODAY - DAY, TODAY]],
    ['weeks begin on Monday', { range: '7d', bin_size: 'week' }, [Date.UTC(2026, 0, 19), Date.UTC(2026, 0, 26)]],
    [
      'months',
      { range: '90d', bin_size: 'month' },
      [Date.UTC(2025, 10, 1), Date.UTC(2025, 11, 1), Date.UTC(2026, 0, 1)],
    ],
    ['hours', { custom_range: { start: START - HOUR, end: START }, bin_size: 'hour' }, [START - HOUR, START]],
    [
      'those that begin in the future are not shown',
      { custom_range: { start: START - DAY, end: START + 50 * DAY } },
      [TODAY - DAY, TODAY],
    ],
    ['not even the first', { custom_range: { start: START + DAY, end: START + 2 * DAY } }, []],
    ['within one bin', { custom_range: { start: START - 2, end: START - 1 } }, [TODAY]],
  ])('%s', async (_label, body, expected) => {
    expect(periods(await aggregate(body))).toEqual(expected)
  })

  test('both ends of a range are within it', async () => {
    for (const ago of [0, 1, 2, 3]) await used(10 ** ago, at(ago))
    const { list, total } = await aggregate({ custom_range: { start: START - 2, end: START - 1 } })
    expect([list[0].values, total]).toEqual([{ messages: 110 }, { messages: { count: 2, sum: 110 } }])
  })

  test('what a customer whose clock is ahead has used counts in the total, also where its bin is not shown yet', async () => {
    await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
    await story.world.ok('customers.advance_test_clock', { customer_id: 'bob', frozen_time: START + 3 * DAY })
    await used(1)
    await story.world.ok('balances.track', { customer_id: 'bob', feature_id: 'messages', value: 5 })
    const custom_range = { start: START - DAY, end: START + 9 * DAY }
    const { list, total } = await aggregate({ customer_id: undefined, custom_range })
    expect(list.map(({ values }: { values: Body }) => values)).toEqual([{ messages: 0 }, { messages: 1 }])
    expect(total).toEqual({ messages: { count: 2, sum: 6 } })
    const bobs = await aggregate({ customer_id: 'bob', range: '24h' })
    expect(periods(bobs)).toEqual([TODAY + 2 * DAY, TODAY + 3 * DAY])
    expect(bobs.list[1].values).toEqual({ messages: 5 })
  })
})

describe('ranges (R181)', () => {
  const first = async (range: string, more: Body = {}) => periods(await aggregate({ range, ...more }))[0]

  test('without a cycle the look-back is a day, and that is the usual range', async () => {
    await story.grant('messages', { included: 10 })
    for (const range of ['1bc', '3bc', 'last_cycle']) expect(await first(range), range).toBe(TODAY - DAY)
    expect(periods(await aggregate({}))).toEqual([TODAY - DAY, TODAY])
    expect(periods(await aggregate({ customer_id: undefined, range: '3bc' }))).toEqual([TODAY - DAY, TODAY])
  })

  test('a cycle is looked back by its length, wherever in it now is (S30)', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'week' } })
    for (const [later, days] of [
      [0, 7],
      [5, 7],
      [40, 7],
    ] as const) {
      story.world.clock.set(START + later * DAY)
      expect(await first('1bc')).toBe(TODAY + (later - days) * DAY)
      expect(await first('3bc')).toBe(TODAY + (later - 3 * days) * DAY)
    }
  })

  test('the last cycle is the one before, or the first one while it lasts', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'week' } })
    await used(1)
    story.world.clock.set(START + 6 * DAY)
    await used(2)
    expect((await aggregate({ range: 'last_cycle' })).total.messages).toEqual({ count: 2, sum: 3 })
    // The boundary belongs to the new one.
    story.world.clock.set(START + 7 * DAY)
    await used(4)
    const answer = await aggregate({ range: 'last_cycle' })
    expect(answer.total.messages).toEqual({ count: 2, sum: 3 })
    expect(periods(answer)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((days) => TODAY + days * DAY))
    story.world.clock.set(START + 14 * DAY)
    expect((await aggregate({ range: 'last_cycle' })).total.messages).toEqual({ count: 1, sum: 4 })
  })

  test('the cycle is that of what is asked for, or of the credits that pay for it, before that of anything else', async () => {
    await story.grant('seats', { included: 1 })
    await story.grant('images', { included: 10, reset: { interval: 'day' } })
    expect(await first('1bc')).toBe(TODAY - DAY)
    story.world.clock.advance(1)
    await story.grant('credits', { included: 10, reset: { interval: 'month' } })
    expect(await first('1bc')).toBe(Date.UTC(2026, 0, 3))
    story.world.clock.advance(1)
    await story.grant('messages', { included: 10, reset: { interval: 'week' } })
    // The older of the two that pay for messages.
    expect(await first('1bc')).toBe(Date.UTC(2026, 0, 3))
    expect(await first('1bc', { feature_id: 'images' })).toBe(TODAY - DAY)
    expect(await first('1bc', { feature_id: 'seats' })).toBe(TODAY - DAY)
  })

  test('an entity has its own cycle beside that of its customer', async () => {
    await story.grant('seats', { included: 2 })
    await story.seat('desk')
    await story.grant('messages', { included: 1, entity_id: 'desk', reset: { interval: 'week' } })
    expect(await first('1bc', { entity_id: 'desk' })).toBe(TODAY - 7 * DAY)
    expect(await first('1bc', { entity_id: 'nobody' })).toBe(TODAY - DAY)
    expect(await first('1bc')).toBe(TODAY - DAY)
  })
})

describe('whose, and of what', () => {
  test('several features, event names too, each once', async () => {
    await story.world.ok('features.update', { feature_id: 'images', event_names: ['drawn'] })
    await story.world.ok('balances.track', { customer_id: 'alice', event_name: 'drawn', value: 2 })
    await used(1)
    const { total } = await aggregate({ range: '24h', feature_id: ['messages', 'drawn', 'images', 'messages'] })
    // An event is stored under the name that it was tracked by (S29).
    expect(total).toEqual({
      messages: { count: 1, sum: 1 },
      drawn: { count: 1, sum: 2 },
      images: { count: 0, sum: 0 },
    })
    await story.world.ok('features.update', { feature_id: 'images', event_names: [] })
  })

  test('one customer, one entity, or everyone', async () => {
    await story.seat('desk')
    await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
    await used(1)
    await used(10, { entity_id: 'desk' })
    await story.world.ok('balances.track', { customer_id: 'bob', feature_id: 'messages', value: 100 })
    const sum = async (body: Body) => (await aggregate({ range: '24h', ...body })).total.messages.sum
    expect(await sum({})).toBe(11)
    expect(await sum({ entity_id: 'desk' })).toBe(10)
    expect(await sum({ entity_id: 'nobody' })).toBe(0)
    expect(await sum({ customer_id: undefined })).toBe(111)
    expect(await refusal({ customer_id: 'nobody' })).toBe('404 customer_not_found')
  })

  test('a feature that nobody knows has no events, and one that was called otherwise keeps its old name', async () => {
    await used(3)
    await story.world.ok('features.update', { feature_id: 'messages', new_feature_id: 'texts' })
    const { total } = await aggregate({ range: '24h', feature_id: ['messages', 'texts', 'never'] })
    expect(total).toMatchObject({ messages: { sum: 3 }, texts: { sum: 0 }, never: { sum: 0 } })
    await story.world.ok('features.update', { feature_id: 'texts', new_feature_id: 'messages' })
  })

  test('the value of an event is what was asked, refunds are negative, and exact (S1, R74)', async () => {
    await story.grant('messages', { included: 1 })
    const { event_id } = await used(5)
    await story.world.ok('balances.track', { customer_id: 'alice', refund_of: event_id })
    await used(0.1)
    await used(0.2)
    // Only one of the five could be taken, and so only one could be given back.
    const { total } = await aggregate({ range: '24h' })
    expect(total.messages).toEqual({ count: 4, sum: 4.3 })
  })

  test('properties have to be as filter_by says', async () => {
    await used(1, { properties: { region: 'eu', size: { w: 5 } } })
    await used(10, { properties: { region: 'eu', size: { w: '5' }, ok: true } })
    await used(100, { properties: { region: 'us' } })
    const sum = async (filter_by: Body) => (await aggregate({ range: '24h', filter_by })).total.messages.sum
    expect(await sum({})).toBe(111)
    expect(await sum({ region: 'eu' })).toBe(11)
    expect(await sum({ 'size.w': '5' })).toBe(11)
    expect(await sum({ region: 'eu', ok: 'true' })).toBe(10)
    expect(await sum({ region: 'EU' })).toBe(0)
    expect(await sum({ size: '' })).toBe(0)
  })
})

describe('groups (R183)', () => {
  const groups = async (body: Body) => {
    const { list, total } = await aggregate({ range: '24h', ...body })
    return { list: list.map(({ values, grouped_values }: Body) => [values, grouped_values]), total }
  }

  test('a group of any bin is in every bin; events without one are only in the total (S31)', async () => {
    await used(1, { properties: { region: 'eu' }, ...at(DAY) })
    await used(2, { properties: { region: 'us' } })
    await used(4, { properties: { region: '' } })
    await used(8)
    await story.track('images', 16, { properties: { region: 'eu' } })
    expect(await groups({ feature_id: ['messages', 'images'], group_by: 'properties.region' })).toEqual({
      list: [
        [
          { messages: 1, images: 0 },
          { messages: { eu: 1, us: 0 }, images: { eu: 0, us: 0 } },
        ],
        [
          { messages: 2, images: 16 },
          { messages: { eu: 0, us: 2 }, images: { eu: 16, us: 0 } },
        ],
      ],
      total: { messages: { count: 4, sum: 15 }, images: { count: 1, sum: 16 } },
    })
  })

  test('by entity, by customer, and by plan, of which there are none', async () => {
    await story.seat('desk')
    await used(1)
    await used(2, { entity_id: 'desk' })
    const last = async (group_by: string) => (await groups({ group_by })).list.at(-1)
    expect(await last('$entity_id')).toEqual([{ messages: 2 }, { messages: { desk: 2 } }])
    expect(await last('$customer_id')).toEqual([{ messages: 3 }, { messages: { alice: 3 } }])
    expect(await last('$plan_id')).toEqual([{ messages: 3 }, { messages: { '': 3 } }])
  })

  test('those beyond max_groups are added up, bin by bin (R184)', async () => {
    for (const [region, value] of Object.entries({ a: 1, b: 2, c: 3, d: 4 }))
      await used(value, { properties: { region } })
    for (const [region, value] of Object.entries({ a: 9, b: 1, c: 1 }))
      await used(value, { properties: { region }, ...at(DAY) })
    expect((await groups({ group_by: 'properties.region', max_groups: 2 })).list).toEqual([
      [{ messages: 11 }, { messages: { AUTUMN_RESERVED: 1, a: 9, b: 1, c: 0, d: 0 } }],
      [{ messages: 10 }, { messages: { AUTUMN_RESERVED: 3, a: 0, b: 0, c: 3, d: 4 } }],
    ])
    expect((await groups({ group_by: 'properties.region' })).list[1][1]).toEqual({
      messages: { a: 1, b: 2, c: 3, d: 4 },
    })
  })

  test('nine is the usual number of groups', async () => {
    for (let i = 0; i < 11; i++) await used(i + 1, { properties: { n: i } })
    const [, grouped] = (await groups({ group_by: 'properties.n' })).list.at(-1)
    expect(Object.keys(grouped.messages)).toHaveLength(10)
    expect(grouped.messages.AUTUMN_RESERVED).toBe(3)
  })

  test('names that every object has are names like others', async () => {
    await used(1, { properties: { region: '__proto__' } })
    await used(2, { properties: { region: 'constructor' } })
    const reply = await story.world.call('events.aggregate', {
      ...{ customer_id: 'alice', feature_id: ['messages', '__proto__', 'toString'], range: '24h' },
      group_by: 'properties.region',
    })
    const { grouped_values, values } = reply.body.list.at(-1)
    expect(Object.entries(grouped_values.messages)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ])
    expect(Object.entries(values)).toEqual([
      ['messages', 3],
      ['__proto__', 0],
      ['toString', 0],
    ])
  })
})

describe('what was deducted (R187)', () => {
  test('beyond the own balance it goes to the credits, at their cost', async () => {
    await story.grant('images', { included: 10, reset: { interval: 'month' }, balance_id: 'own' })
    await story.grant('credits', { included: 100 })
    await story.track('images', 12, { properties: { region: 'eu' } })
    const { deductions: taken } = await story.track('images', 1)
    const ids = (await story.world.ok('balances.list', { customer_id: 'alice' })).balances
    const own = ids.find(({ id }: Body) => id === 'own').customer_entitlement_id
    const pool = taken[0].balance_id
    const answer = await aggregate({ feature_id: 'images', range: '24h', aggregate_on: 'deducted' })
    expect(answer.deductions).toEqual([
      {
        period: TODAY,
        values: {
          images: {
            feature_type: 'metered',
            deducted: 10,
            events: 1,
            balances: [
              {
                balance_id: own,
                entity_id: null,
                plan_id: null,
                reset: { interval: 'month', resets_at: Date.UTC(2026, 1, 28, 10) },
                credit_cost: null,
                deducted: 10,
                events: 1,
              },
            ],
          },
          credits: {
            feature_type: 'credit_system',
            deducted: 9,
            events: 2,
            balances: [
              {
                balance_id: pool,
                entity_id: null,
                plan_id: null,
                reset: { interval: 'one_off', resets_at: null },
                credit_cost: 3,
                deducted: 9,
                events: 2,
              },
            ],
          },
        },
      },
    ])
    // The rest of the answer is as without it.
    const { deductions: _, ...rest } = answer
    expect(await aggregate({ feature_id: 'images', range: '24h' })).toEqual(rest)
    // By the balance's feature too.
    const credits = await aggregate({ feature_id: 'credits', range: '24h', aggregate_on: 'deducted' })
    expect(Object.keys(credits.deductions[0].values)).toEqual(['credits'])
    expect(credits.total).toEqual({ credits: { count: 0, sum: 0 } })
  })

  test('of a shared balance it is told who spent it, and of what', async () => {
    await story.grant('credits', { included: 100 })
    await story.seat('e1', 'e2')
    await story.track('messages', 5, { entity_id: 'e1' })
    await story.track('messages', 10, { entity_id: 'e2' })
    await story.track('images', 1, { entity_id: 'e2' })
    await story.track('images', 1)
    const body = { feature_id: 'credits', range: '24h', aggregate_on: 'deducted' }
    const split = async (group_by: string) => {
      const [{ values, grouped_values }] = (await aggregate({ ...body, group_by })).deductions
      const [balance] = values.credits.balances
      return [values.credits.deducted, balance.credit_cost, grouped_values[balance.balance_id]]
    }
    expect(await split('$entity_id')).toEqual([
      6,
      null,
      { e1: { deducted: 1, credit_cost: 0.2 }, e2: { deducted: 5, credit_cost: null } },
    ])
    expect(await split('$feature_id')).toEqual([
      9,
      null,
      { messages: { deducted: 3, credit_cost: 0.2 }, images: { deducted: 6, credit_cost: 3 } },
    ])
    expect(await split('$customer_id')).toEqual([9, null, { alice: { deducted: 9, credit_cost: null } }])
    // What is tracked is not grouped by its own name.
    const { list } = await aggregate({ ...body, feature_id: 'messages', group_by: '$feature_id' })
    expect(list.at(-1)).toEqual({ period: TODAY, values: { messages: 15 } })
  })

  test('an entity’s own balance, a rollover, and a balance that is gone', async () => {
    await story.seat('desk')
    await story.grant('messages', { included: 3, entity_id: 'desk' })
    await story.grant('messages', {
      included: 4,
      balance_id: 'gone',
      reset: { interval: 'day' },
      rollover: { length: 1 },
    })
    story.world.clock.advance(DAY)
    await used(6, { entity_id: 'desk' })
    await used(2)
    const before = await aggregate({ range: '24h', aggregate_on: 'deducted' })
    const lines = ({ deductions }: { deductions: Body[] }) =>
      deductions
        .flatMap(({ values }) => (values as { messages: { balances: Body[] } }).messages.balances)
        .map(({ balance_id, entity_id, reset, deducted }) => {
          const interval = (reset as { interval: string } | null)?.interval ?? null
          return `${String(balance_id).split('_')[0]} of ${entity_id}, ${interval}: ${deducted}`
        })
    expect(lines(before).sort()).toEqual(['cus of desk, one_off: 2', 'cus of null, day: 2', 'roll of null, day: 4'])
    await story.world.ok('balances.delete', { customer_id: 'alice', balance_id: 'gone' })
    const after = await aggregate({ range: '24h', aggregate_on: 'deducted' })
    expect(lines(after).sort()).toEqual(['cus of desk, one_off: 2', 'cus of null, null: 2', 'roll of null, null: 4'])
  })

  test('a bin in which nothing was taken has no entry', async () => {
    await used(1, at(DAY))
    expect((await aggregate({ range: '24h', aggregate_on: 'deducted' })).deductions).toEqual([])
    await story.grant('messages', { included: 3 })
    await used(1)
    const { deductions } = await aggregate({ range: '24h', aggregate_on: 'deducted' })
    expect(deductions.map(({ period }: Body) => period)).toEqual([TODAY])
  })
})

describe('refusals (R180)', () => {
  test.each<[string, Body, string]>([
    ['no feature', { feature_id: undefined }, '400 invalid_inputs'],
    ['an empty list of features', { feature_id: [] }, '400 invalid_inputs'],
    ['an empty feature', { feature_id: '' }, '400 invalid_inputs'],
    ['too many features', { feature_id: Array.from({ length: 101 }, (_, i) => `f${i}`) }, '400 invalid_inputs'],
    ['an unknown range', { range: '1y' }, '400 invalid_inputs'],
    ['two ranges', { range: '7d', custom_range: { start: 1, end: 2 } }, '400 invalid_inputs'],
    ['a range without an end', { custom_range: { start: 1 } }, '400 invalid_inputs'],
    ['a range that ends where it starts', { custom_range: { start: 5, end: 5 } }, '400 invalid_inputs'],
    ['half a millisecond', { custom_range: { start: 5, end: 7.5 } }, '400 invalid_inputs'],
    ['an unknown bin size', { bin_size: 'minute' }, '400 invalid_inputs'],
    ['grouping by an unknown field', { group_by: '$region' }, '400 invalid_inputs'],
    ['grouping by a bare name', { group_by: 'region' }, '400 invalid_inputs'],
    ['grouping by no property', { group_by: 'properties.' }, '400 invalid_inputs'],
    ['grouping by an odd path', { group_by: 'properties.a-b' }, '400 invalid_inputs'],
    ['grouping by a path with a gap', { group_by: 'properties.a..b' }, '400 invalid_inputs'],
    ['grouping by a path that ends in a line', { group_by: 'properties.a\n' }, '400 invalid_inputs'],
    ['grouping by what every object has', { group_by: 'constructor' }, '400 invalid_inputs'],
    ['grouping by features of what was tracked', { group_by: '$feature_id' }, '400 invalid_inputs'],
    ['no group', { max_groups: 0 }, '400 invalid_inputs'],
    ['the most groups', { max_groups: 250 }, '200'],
    ['more', { max_groups: 251 }, '400 invalid_inputs'],
    ['five filters', { filter_by: { a: '1', b: '2', c: '3', d: '4', e: '5' } }, '200'],
    ['six filters', { filter_by: { a: '1', b: '2', c: '3', d: '4', e: '5', f: '6' } }, '400 invalid_inputs'],
    ['a filter by a number', { filter_by: { a: 1 } }, '400 invalid_inputs'],
    ['a filter by an odd path', { filter_by: { 'a b': '1' } }, '400 invalid_inputs'],
    ['a filter by NUL', { filter_by: { a: '\u0000' } }, '400 invalid_inputs'],
    ['another measure', { aggregate_on: 'granted' }, '400 invalid_inputs'],
    ['deductions of everyone', { aggregate_on: 'deducted', customer_id: undefined }, '400 invalid_request'],
    ['deductions by plan', { aggregate_on: 'deducted', group_by: '$plan_id' }, '400 invalid_request'],
    ['filtered deductions', { aggregate_on: 'deducted', filter_by: { a: '1' } }, '400 invalid_request'],
    ['deductions with an empty filter', { aggregate_on: 'deducted', filter_by: {} }, '200'],
    [
      'hours of ten years',
      { custom_range: { start: START - 3650 * DAY, end: START }, bin_size: 'hour' },
      '400 invalid_request',
    ],
    ['days of all times', { custom_range: { start: 1, end: 8.64e15 } }, '200'],
    ['hours of all times to come', { custom_range: { start: START, end: 8.64e15 }, bin_size: 'hour' }, '200'],
    [
      'hours of a year of ten features',
      {
        custom_range: { start: START - 365 * DAY, end: START },
        bin_size: 'hour',
        feature_id: Array.from({ length: 10 }, (_, i) => `f${i}`),
      },
      '400 invalid_request',
    ],
  ])('%s: %s', async (_label, body, expected) => {
    expect(await refusal(body)).toBe(expected)
  })

  test('a sentence says what to do about too much', async () => {
    for (let i = 0; i < 60; i++) await used(1, { properties: { n: i } })
    const custom_range = { start: START - 1000 * DAY, end: START }
    const reply = await story.refused('events.aggregate', {
      ...{ feature_id: 'messages', custom_range, group_by: 'properties.n', max_groups: 250 },
    })
    expect([reply.status, reply.code]).toEqual([400, 'invalid_request'])
    expect(reply.message).toMatch(/more than 50000 numbers: ask for a shorter time, larger bins/)
    expect(await refusal({ custom_range, group_by: 'properties.n', max_groups: 9 })).toBe('200')
  })
})

describe('older versions', () => {
  test('up to 2.0 the numbers stand in the bin itself (R186)', async () => {
    await used(1, { properties: { region: 'eu' } })
    for (const version of ['1.2', 'beta', '2.0']) {
      const flat = await aggregate({ range: '24h' }, version)
      expect(flat.list).toEqual([
        { period: TODAY - DAY, messages: 0 },
        { period: TODAY, messages: 1 },
      ])
      expect(flat.total).toEqual({ messages: { count: 1, sum: 1 } })
      const grouped = await aggregate({ range: '24h', group_by: 'properties.region' }, version)
      expect(grouped.list[1]).toEqual({ period: TODAY, messages: { eu: 1 } })
    }
  })

  test('2.1 and 2.2 have every key (K23)', async () => {
    for (const version of ['2.1', '2.2']) {
      const { list } = await aggregate({ range: '24h' }, version)
      expect(list[1]).toEqual({ period: TODAY, values: { messages: 0 }, grouped_values: null })
    }
  })

  test('the older path', async () => {
    const body = { customer_id: 'alice', feature_id: 'messages', range: '24h' }
    expect(await story.world.ok('POST /v1/events/aggregate', body)).toEqual(await aggregate({ range: '24h' }))
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LIVE_KEY, START, type World } from '../world.ts'
import { codeOf, deleteEveryone, figuresOf, Story } from './story.ts'

type Body = Record<string, unknown>

const DAY = 86_400_000
/** In order of creation, a second apart; the last two at the same instant. */
const PEOPLE = [
  { customer_id: 'c1', name: 'Ärzte ohne Grenzen', email: 'info@msf.example' },
  { customer_id: 'c2', name: 'Straße & Söhne', email: 'post@strasse.example' },
  { customer_id: 'c3', name: null, email: 'ΣΊΣΥΦΟΣ@olymp.example' },
  { customer_id: 'CUS_4', name: 'One hundred %', email: null },
  { customer_id: 'c5', name: 'under_score', email: null },
]

const idsOf = ({ list }: { list: Body[] }) => list.map(({ id }) => id)

describe('customers.list (B206-B211)', () => {
  let world: World
  beforeAll(async () => {
    world = (await Story.begin()).world
  })
  beforeEach(async () => {
    await deleteEveryone(world)
    world.clock.set(START)
    for (const [i, person] of PEOPLE.entries()) {
      if (i > 0 && i < 4) world.clock.advance(1000)
      await world.ok('customers.get_or_create', person)
    }
  })
  afterAll(async () => {
    await world.close()
    expect(world.faults).toEqual([])
  })

  const list = (body: Body = {}) => world.ok('customers.list', body)

  async function pages(body: Body, between: () => Promise<unknown> = async () => null): Promise<unknown[][]> {
    const found: unknown[][] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: { list: Body[]; next_cursor: string | null } = await list({ ...body, start_cursor: cursor })
      found.push(idsOf(page))
      cursor = page.next_cursor
      await between()
    }
    return found
  }

  test('newest first, or oldest first, in pages without gap or repetition', async () => {
    expect(await pages({ limit: 2 })).toEqual([['c5', 'CUS_4'], ['c3', 'c2'], ['c1']])
    expect(await pages({ limit: 2, sort_order: 'desc' })).toEqual([['c5', 'CUS_4'], ['c3', 'c2'], ['c1']])
    expect(await pages({ limit: 1, sort_order: 'asc' })).toEqual([['c1'], ['c2'], ['c3'], ['CUS_4'], ['c5']])
    expect(await pages({ limit: 5 })).toEqual([['c5', 'CUS_4', 'c3', 'c2', 'c1']])
    expect(Object.keys(await list({ limit: 5 }))).toEqual(['list', 'next_cursor'])
  })

  test('a page stays what it was while customers come and go (B207)', async () => {
    let n = 0
    const come = async () => {
      world.clock.advance(1)
      n += 1
      await world.ok('customers.get_or_create', { customer_id: `new${n}` })
      if (n === 1) await world.ok('customers.delete', { customer_id: 'CUS_4' })
      if (n === 2) await world.ok('customers.update', { customer_id: 'c2', new_customer_id: 'renamed' })
    }
    expect(await pages({ limit: 2 }, come)).toEqual([['c5', 'CUS_4'], ['c3', 'c2'], ['c1']])
    expect(await pages({ limit: 3, sort_order: 'asc' })).toEqual([
      ['c1', 'renamed', 'c3'],
      ['c5', 'new1', 'new2'],
      ['new3'],
    ])
  })

  test.each<[string, Body, string[]]>([
    ['an id', { search: 'C5' }, ['c5']],
    ['a part of an id, in another case', { search: 'us_4' }, ['CUS_4']],
    ['a name in another case, not of ASCII', { search: 'äRZTE OHNE' }, ['c1']],
    ['a capital that is not of ASCII', { search: 'SÖHNE' }, ['c2']],
    ['Greek', { search: 'σίσυφο' }, ['c3']],
    ['an e-mail', { search: '@STRASSE.' }, ['c2']],
    ['blanks around it', { search: '  msf\t' }, ['c1']],
    ['nothing but blanks', { search: '   ' }, ['c5', 'CUS_4', 'c3', 'c2', 'c1']],
    ['a sign that SQL knows', { search: '%' }, ['CUS_4']],
    ['another', { search: '_' }, ['c5', 'CUS_4']],
    ['a quote', { search: "'" }, []],
    ['what occurs in several', { search: 'example' }, ['c3', 'c2', 'c1']],
    ['a start', { created_at_range: { start: START + 2000 } }, ['c5', 'CUS_4', 'c3']],
    ['an end', { created_at_range: { end: START + 1000 } }, ['c2', 'c1']],
    ['both, inclusive', { created_at_range: { start: START + 1000, end: START + 2000 } }, ['c3', 'c2']],
    ['an empty range', { created_at_range: {} }, ['c5', 'CUS_4', 'c3', 'c2', 'c1']],
    ['two filters', { search: 'example', created_at_range: { start: START + 1 } }, ['c3', 'c2']],
    ['filters and a page', { search: 'c', sort_order: 'asc', limit: 2 }, ['c1', 'c2']],
  ])('%s (B208)', async (_label, filter, ids) => {
    expect(idsOf(await list(filter))).toEqual(ids)
  })

  test('filters hold on every page', async () => {
    expect(await pages({ search: 'example', limit: 1 })).toEqual([['c3'], ['c2'], ['c1']])
    const range = { start: START, end: START + 2000 }
    expect(await pages({ created_at_range: range, limit: 2, sort_order: 'asc' })).toEqual([['c1', 'c2'], ['c3']])
  })

  test.each<[string, Body, string]>([
    ['no row', { limit: 0 }, '400 invalid_inputs'],
    ['half a row', { limit: 1.5 }, '400 invalid_inputs'],
    ['the longest page', { limit: 1000 }, '200'],
    ['more than a page may have', { limit: 1001 }, '400 invalid_request'],
    ['the most that may be asked', { limit: 5000 }, '400 invalid_request'],
    ['more than that', { limit: 5001 }, '400 invalid_inputs'],
    ['a start after the end', { created_at_range: { start: 2, end: 1 } }, '400 invalid_inputs'],
    ['an unknown order', { sort_order: 'up' }, '400 invalid_inputs'],
    ['what is no cursor', { start_cursor: 'nonsense' }, '400 invalid_cursor'],
    ['a cursor of nothing', { start_cursor: cursorOf({}) }, '400 invalid_cursor'],
    [
      'a cursor with a time that is none',
      { start_cursor: cursorOf({ v: 0, id: 'cus_1', t: 'x' }) },
      '400 invalid_cursor',
    ],
    ['a cursor without an id', { start_cursor: cursorOf({ v: 0, t: 5 }) }, '400 invalid_cursor'],
    ['a cursor that is a list', { start_cursor: cursorOf([]) }, '400 invalid_cursor'],
    ['a cursor that is null', { start_cursor: cursorOf(null) }, '400 invalid_cursor'],
    ['a cursor of a row that is gone', { start_cursor: cursorOf({ v: 0, id: 'cus_0', t: START + 1500 }) }, '200'],
    ['a plan without an id', { plans: [{}] }, '400 invalid_inputs'],
    ['a status that no plan is in', { subscription_status: 'ended' }, '400 invalid_inputs'],
    ['processors, which come later', { processors: ['stripe'] }, '400 not_supported'],
    ['nothing of what comes later', { plans: [], processors: [] }, '200'],
  ])('answers to %s (B206, B207)', async (_label, body, code) => {
    expect(await codeOf(world, 'customers.list', body)).toBe(code)
  })

  function cursorOf(value: unknown): string {
    return Buffer.from(JSON.stringify(value)).toString('base64url')
  }

  test('a cursor means a place, not a row: what follows it is found when its row is gone', async () => {
    const page = await list({ limit: 2 })
    await world.ok('customers.delete', { customer_id: 'CUS_4' })
    expect(idsOf(await list({ start_cursor: page.next_cursor }))).toEqual(['c3', 'c2', 'c1'])
  })

  test('fifty are a page when nobody says', async () => {
    const more = Array.from({ length: 50 }, (_, i) => world.ok('customers.get_or_create', { customer_id: `m${i}` }))
    await Promise.all(more)
    const first = await list()
    expect(first.list).toHaveLength(50)
    const second = await list({ start_cursor: first.next_cursor })
    expect([second.list.length, second.next_cursor]).toEqual([5, null])
    expect(new Set([...idsOf(first), ...idsOf(second)]).size).toBe(55)
  })

  test('each is the customer as customers.get shows it, brought up to date (B211)', async () => {
    const grant = (customer_id: string, more: Body) =>
      world.ok('balances.create', { customer_id, feature_id: 'messages', included: 10, ...more })
    await grant('c1', { reset: { interval: 'day' }, rollover: { max: 5, duration: 'forever' } })
    await grant('c2', { expires_at: world.clock.now + DAY })
    await world.ok('balances.create', { customer_id: 'c2', feature_id: 'sso' })
    await world.ok('entities.create', { customer_id: 'c3', entity_id: 'e1', feature_id: 'seats' })
    await grant('c3', { reset: { interval: 'month' }, entity_id: 'e1' })
    for (const customer_id of ['c1', 'c2']) {
      await world.ok('balances.track', { customer_id, feature_id: 'messages', value: 4 })
    }
    await world.ok('customers.advance_test_clock', {
      customer_id: 'c3',
      frozen_time: Math.ceil(world.clock.now / 1000) * 1000 + 40 * DAY,
    })
    await world.ok('balances.track', { customer_id: 'c3', entity_id: 'e1', feature_id: 'messages', value: 3 })
    const figures = async () =>
      (await list({ sort_order: 'asc' })).list.map(({ balances }: Body) => figuresOf(Object(balances).messages))
    expect(await figures()).toEqual(['10/6/4', '10/6/4', '10/7/3', 'nothing', 'nothing'])
    world.clock.advance(DAY)
    expect(await figures()).toEqual(['15/15/0', 'nothing', '10/7/3', 'nothing', 'nothing'])
    for (const shown of (await list()).list) {
      expect(shown).toEqual(await world.ok('customers.get', { customer_id: shown.id }))
    }
    const expanded = await list({ expand: ['balances.feature'], search: 'c1' })
    expect(expanded.list[0].balances.messages.feature).toMatchObject({ id: 'messages', name: 'Messages' })
  })

  test('an environment lists its own', async () => {
    const live = { authorization: `Bearer ${LIVE_KEY}` }
    await world.ok('customers.get_or_create', { customer_id: 'c1' }, live)
    const page = await world.ok('customers.list', {}, live)
    expect(page.list).toMatchObject([{ id: 'c1', env: 'live', name: null }])
    expect((await list()).list).toHaveLength(5)
  })

  test.each(['2.1.0', '2.2.0'])('%s pages by offset and counts (B209)', async (version) => {
    const page = (body: Body, path = 'customers.list') => world.ok(path, body, { 'x-api-version': version })
    const second = await page({ offset: 2, limit: 2 })
    expect(second).toMatchObject({
      has_more: true,
      offset: 2,
      limit: 2,
      total: 2,
      total_count: 5,
      total_filtered_count: 5,
    })
    expect(idsOf(second)).toEqual(['c3', 'c2'])
    expect(second).not.toHaveProperty('next_cursor')
    const last = await page({ offset: 4, limit: 2, search: 'c' }, 'POST /v1/customers/list')
    expect([idsOf(last), last.has_more, last.total]).toEqual([['c1'], false, 1])
    const found = await page({ search: 'example' })
    expect(found).toMatchObject({
      has_more: false,
      offset: 0,
      limit: 10,
      total: 3,
      total_count: 5,
      total_filtered_count: 3,
    })
    const beyond = await page({ offset: 100 })
    expect([beyond.list, beyond.has_more, beyond.total, beyond.total_count]).toEqual([[], false, 0, 5])
    const ordered = await page({ sort_order: 'asc', limit: 1, created_at_range: { start: START + 1 } })
    expect([idsOf(ordered), ordered.total_filtered_count]).toEqual([['c2'], 4])
    const refused = await world.call('customers.list', { limit: 1001 }, { 'x-api-version': version })
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid_inputs'])
  })

  test('1.2 reads the query of GET /v1/customers (B210)', async () => {
    const get = (query: string, version = '1.2.0') =>
      world.ok(`GET /v1/customers${query}`, undefined, { 'x-api-version': version })
    const page = await get('?limit=2&offset=1')
    expect(page).toMatchObject({ total: 2, total_count: 5, total_filtered_count: 5, limit: 2, offset: 1 })
    expect(idsOf(page)).toEqual(['CUS_4', 'c3'])
    expect(page.list[0]).toMatchObject({ id: 'CUS_4', products: [], features: {} })
    expect(idsOf(await get(''))).toEqual(['c5', 'CUS_4', 'c3', 'c2', 'c1'])
    expect(idsOf(await get(`?search=${encodeURIComponent('ärzte')}`))).toEqual(['c1'])
    // The newest version reads a cursor there.
    const newest = await get('?limit=3', '2.4.0')
    expect(idsOf(await get(`?start_cursor=${newest.next_cursor}`, '2.4.0'))).toEqual(['c2', 'c1'])
  })
})

describe('entities.list (B223)', () => {
  let world: World
  beforeAll(async () => {
    world = (await Story.begin()).world
  })
  beforeEach(async () => {
    await deleteEveryone(world)
    world.clock.set(START)
    for (const [customer_id, entity_id, name] of [
      ['ann', 'e1', 'Ärger'],
      ['ben', 'e1', null],
      ['ann', 'E2', 'Übung'],
      ['ann', null, 'Gast'],
      ['ben', 'x_%', 'Zoë'],
    ] as const) {
      await world.ok('entities.create', { customer_id, entity_id, feature_id: 'seats', name })
      world.clock.advance(1000)
    }
  })
  afterAll(async () => {
    await world.close()
    expect(world.faults).toEqual([])
  })

  const list = (body: Body = {}) => world.ok('entities.list', body)
  const shown = (page: { list: Body[] }) => page.list.map(({ customer_id, id }) => `${customer_id} ${id}`)
  const ALL = ['ben x_%', 'ann null', 'ann E2', 'ben e1', 'ann e1']

  test('all, or those of a customer, newest first', async () => {
    expect(shown(await list())).toEqual(ALL)
    expect(shown(await list({ customer_id: 'ann' }))).toEqual(['ann null', 'ann E2', 'ann e1'])
    expect(shown(await list({ customer_id: ' ann ' }))).toEqual(['ann null', 'ann E2', 'ann e1'])
    expect(shown(await world.ok('GET /v1/customers/ben/entities'))).toEqual(['ben x_%', 'ben e1'])
    expect(await codeOf(world, 'entities.list', { customer_id: ' ' })).toBe('400 invalid_inputs')
    expect(await codeOf(world, 'entities.list', { customer_id: 'nobody' })).toBe('404 customer_not_found')
  })

  test('in pages that stay what they were', async () => {
    const first = await list({ limit: 2 })
    await world.ok('entities.create', { customer_id: 'ann', entity_id: 'new', feature_id: 'seats' })
    await world.ok('entities.delete', { customer_id: 'ben', entity_id: 'x_%' })
    const second = await list({ limit: 2, start_cursor: first.next_cursor })
    const third = await list({ limit: 2, start_cursor: second.next_cursor })
    expect([...shown(first), ...shown(second), ...shown(third), third.next_cursor]).toEqual([...ALL, null])
  })

  test.each<[string, Body, string[]]>([
    ['an id', { search: 'e2' }, ['ann E2']],
    ['a name, whatever its case', { search: 'ÜBUNG' }, ['ann E2']],
    ['of one customer', { search: 'e', customer_id: 'ann' }, ['ann E2', 'ann e1']],
    ['a sign that SQL knows', { search: '%' }, ['ben x_%']],
    ['a name without an id', { search: 'gast' }, ['ann null']],
    ['nothing', { search: ' ' }, ALL],
  ])('found by %s', async (_label, filter, expected) => {
    expect(shown(await list(filter))).toEqual(expected)
  })

  test.each<[string, Body, string]>([
    ['the longest page', { limit: 5000 }, '200'],
    ['a longer one', { limit: 5001 }, '400 invalid_inputs'],
    ['none', { limit: 0 }, '400 invalid_inputs'],
    ['what is no cursor', { start_cursor: 'x' }, '400 invalid_cursor'],
    ['a plan without an id', { plans: [{}] }, '400 invalid_inputs'],
  ])('answers to %s', async (_label, body, code) => {
    expect(await codeOf(world, 'entities.list', body)).toBe(code)
  })

  test('each is the entity as entities.get shows it', async () => {
    await world.ok('balances.create', { customer_id: 'ann', feature_id: 'messages', included: 10 })
    await world.ok('balances.create', {
      customer_id: 'ann',
      entity_id: 'E2',
      feature_id: 'messages',
      included: 5,
      reset: { interval: 'day' },
    })
    await world.ok('balances.track', { customer_id: 'ann', entity_id: 'E2', feature_id: 'messages', value: 7 })
    world.clock.advance(DAY)
    const page = await list({ customer_id: 'ann' })
    const figures = page.list.map(({ balances }: Body) => figuresOf(Object(balances).messages))
    expect(figures).toEqual(['10/8/2', '15/13/2', '10/8/2'])
    for (const entity of page.list.filter(({ id }: Body) => id !== null)) {
      expect(entity).toEqual(await world.ok('entities.get', { customer_id: 'ann', entity_id: entity.id }))
    }
  })

  test('by offset up to 2.2', async () => {
    const version = { 'x-api-version': '2.2.0' }
    const page = await world.ok('entities.list', { offset: 1, limit: 1, search: 'E' }, version)
    expect(shown(page)).toEqual(['ben e1'])
    expect(page).toMatchObject({
      has_more: true,
      offset: 1,
      limit: 1,
      total: 1,
      total_count: 5,
      total_filtered_count: 3,
    })
    const anns = await world.ok('entities.list', { customer_id: 'ann' }, version)
    expect([shown(anns).length, anns.has_more, anns.total_count, anns.total_filtered_count]).toEqual([3, false, 5, 3])
  })

  test('those of a deleted customer are gone', async () => {
    await world.ok('customers.delete', { customer_id: 'ann' })
    expect(shown(await list())).toEqual(['ben x_%', 'ben e1'])
    expect(shown(await list({ search: 'E' }))).toEqual(['ben e1'])
    const counted = await world.ok('entities.list', {}, { 'x-api-version': '2.2.0' })
    expect([counted.total, counted.total_count, counted.total_filtered_count]).toEqual([2, 2, 2])
  })
})

import { beforeEach, describe, expect, test } from 'vitest'
import { codeOf, Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

const now = Date.parse('2026-01-31T10:00:00Z')

describe('which feature answers a check (R36), and in which units (R28)', () => {
  test.each<[string, Record<string, number>, string, number, [boolean, string | null, number]]>([
    // label                                        held                         asked            allowed, by, required
    ['its own balance when that is enough', { messages: 10, credits: 10 }, 'messages', 10, [true, 'messages', 10]],
    ['credits when they are enough, converted', { messages: 10, credits: 10 }, 'messages', 11, [true, 'credits', 2.2]],
    ['credits when nothing is enough', { messages: 10, credits: 1 }, 'messages', 11, [false, 'credits', 2.2]],
    ['credits alone, exactly enough', { credits: 100 }, 'messages', 500, [true, 'credits', 100]],
    ['credits alone, a hair short', { credits: 100 }, 'messages', 501, [false, 'credits', 100.2]],
    ['compared after conversion, not before (QUIRK)', { credits: 100 }, 'images', 34, [false, 'credits', 102]],
    ['the credit system itself, one to one (R38)', { credits: 100 }, 'credits', 100, [true, 'credits', 100]],
    ['its own balance when there are no credits', { messages: 10 }, 'messages', 11, [false, 'messages', 11]],
  ])('%s', async (_label, held, feature, required, expected) => {
    for (const [name, included] of Object.entries(held)) await story.grant(name, { included })
    const answer = await story.check(feature, required)
    expect([answer.allowed, answer.balance?.feature_id ?? null, answer.required_balance]).toEqual(expected)
  })

  test.each<[string, number, boolean]>([
    ['nothing is asked of a balance', 0, true],
    ['less than nothing is asked', -5, true],
    ['a fraction less than is there', 9.999999999999, true],
    ['a hair more than is there', 10.000000000001, false],
  ])('%s', async (_label, required, allowed) => {
    expect((await story.check('messages', required)).allowed).toBe(false)
    await story.grant('messages', { included: 10 })
    expect((await story.check('messages', required)).allowed).toBe(allowed)
  })
})

test('a use that its own balance covers in part goes on with credits (V6)', async () => {
  await story.grant('messages', { included: 10 })
  await story.grant('credits', { included: 100 })
  const answer = await story.track('messages', 25)
  expect(answer.value).toBe(25)
  expect(answer.deductions.map(({ feature_id, value }: Record<string, unknown>) => [feature_id, value])).toEqual([
    ['messages', 10],
    ['credits', 3],
  ])
  expect(answer.balance).toMatchObject({ feature_id: 'messages', remaining: 0 })
  expect(answer.balances.credits).toMatchObject({ remaining: 97 })
})

test('an answer names credit systems that are not held as null (R63, S39)', async () => {
  await story.grant('messages', { included: 10 })
  const answer = await story.track('messages', 1)
  expect(Object.keys(answer.balances).toSorted()).toEqual(['credits', 'messages'])
  expect(answer.balances.credits).toBeNull()
  expect((await story.track('seats', 1)).balances).toBeUndefined()
})

test('a refund answers with the own balance, not with credits nobody holds (R64 QUIRK)', async () => {
  await story.grant('messages', { included: 10 })
  await story.track('messages', 5)
  expect((await story.track('messages', -2)).balance).toMatchObject({ feature_id: 'messages', remaining: 7 })
})

test('an event name feeds every feature that lists it, each in full (R68)', async () => {
  await story.world.ok('features.create', {
    feature_id: 'calls',
    name: 'Calls',
    type: 'metered',
    consumable: true,
    event_names: ['call.ended'],
  })
  await story.world.ok('features.create', {
    feature_id: 'minutes',
    name: 'Minutes',
    type: 'metered',
    consumable: true,
    event_names: ['call.ended'],
  })
  await story.grant('calls', { included: 10 })
  await story.grant('minutes', { included: 10 })
  const body = { customer_id: 'alice', event_name: 'call.ended', value: 3 }
  const answer = await story.world.ok('balances.track', body)
  expect(answer).toMatchObject({
    event_name: 'call.ended',
    balance: null,
    balances: { calls: { remaining: 7 }, minutes: { remaining: 7 } },
  })
  const unknown = await story.refused('balances.track', { event_name: 'nope' })
  expect([unknown.status, unknown.code]).toEqual([404, 'invalid_request'])
  const rejecting = await story.refused('balances.track', { event_name: 'call.ended', overage_behavior: 'reject' })
  expect([rejecting.status, rejecting.code]).toEqual([400, 'invalid_request'])
})

test('features that one event feeds are used one after another, and it is one event (R68, R70)', async () => {
  const called = (feature_id: string) => {
    const event_names = ['job.done']
    return story.world.ok('features.create', {
      feature_id,
      name: feature_id,
      type: 'metered',
      consumable: true,
      event_names,
    })
  }
  for (const id of ['jobs', 'steps', 'extras']) await called(id)
  // The first has less than is used, the second enough, the third nothing at all (R66).
  await story.grant('jobs', { included: 2, reset: { interval: 'month' } })
  await story.grant('steps', { included: 10 })
  const answer = await story.world.ok('balances.track', { customer_id: 'alice', event_name: 'job.done', value: 5 })
  expect(answer).toMatchObject({
    event_name: 'job.done',
    balances: { jobs: { remaining: 0 }, steps: { remaining: 5 }, extras: null },
    deductions: [
      { feature_id: 'jobs', value: 2 },
      { feature_id: 'steps', value: 5 },
    ],
  })
  const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
  expect(list).toMatchObject([
    { id: answer.event_id, feature_id: 'job.done', value: 5, deductions: [{ value: 2 }, { value: 5 }] },
  ])
  const { total } = await story.world.ok('events.aggregate', {
    ...{ customer_id: 'alice', feature_id: ['job.done', 'jobs'], range: '24h' },
  })
  expect(total).toEqual({ 'job.done': { count: 1, sum: 5 }, jobs: { count: 0, sum: 0 } })
})

test('an event that nothing takes, because nobody holds what it feeds, is recorded all the same (R66, R70)', async () => {
  await story.world.ok('features.update', { feature_id: 'images', event_names: ['drawn'] })
  const answer = await story.world.ok('balances.track', { customer_id: 'alice', event_name: 'drawn', value: 2 })
  expect(answer).toMatchObject({ value: 2, balance: null, deductions: [] })
  const { list } = await story.world.ok('events.list', { customer_id: 'alice', feature_id: 'drawn' })
  expect(list).toMatchObject([{ feature_id: 'drawn', value: 2, deductions: null }])
  await story.world.ok('features.update', { feature_id: 'images', event_names: [] })
})

test('an unknown feature is not a use of nothing (R67), and an event name is not one of a feature', async () => {
  const unknown = await story.refused('balances.track', { feature_id: 'nope', overage_behavior: 'reject' })
  expect([unknown.status, unknown.code]).toEqual([404, 'feature_not_found'])
  const feature = await story.refused('balances.track', { event_name: 'messages' })
  expect([feature.status, feature.code]).toEqual([404, 'invalid_request'])
})

test('a use without any balance is recorded and takes nothing, even under reject (R66)', async () => {
  const answer = await story.track('images', 2, { overage_behavior: 'reject' })
  expect(answer).toMatchObject({ value: 2, balance: null, deductions: [] })
  const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
  expect(list).toHaveLength(1)
})

test('checking with send_event uses all or nothing (R46, R47)', async () => {
  await story.grant('messages', { included: 10 })
  const use = (required_balance: number, feature_id = 'messages') =>
    story.world.ok('balances.check', { customer_id: 'alice', feature_id, required_balance, send_event: true })
  expect(await use(4)).toMatchObject({ allowed: true, balance: { remaining: 6 } })
  expect(await use(7)).toMatchObject({ allowed: false, balance: { remaining: 6 } })
  expect(await use(1, 'images')).toMatchObject({ allowed: false, balance: null })
  expect(await use(0, 'images')).toMatchObject({ allowed: true, balance: null })
  expect(await use(-3)).toMatchObject({ allowed: true, balance: { remaining: 9 } })
  const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
  expect(list.map(({ value }: { value: number }) => value)).toEqual([-3, 0, 4])
})

test('a timestamp dates the event, never the balance (S28); the future is refused', async () => {
  await story.grant('messages', { included: 10 })
  await story.track('messages', 1, { timestamp: now - 3_600_000 })
  await story.track('messages', 2)
  const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
  expect(list.map(({ timestamp, value }: Record<string, unknown>) => [timestamp, value])).toEqual([
    [now, 2],
    [now - 3_600_000, 1],
  ])
  const refusal = await story.refused('balances.track', { feature_id: 'messages', timestamp: now + 1 })
  expect([refusal.status, refusal.code]).toEqual([400, 'invalid_inputs'])
})

test('a preview says what is missing, and null when nothing is (R55-R58)', async () => {
  const preview = async (feature_id: string) =>
    (await story.world.ok('balances.check', { customer_id: 'alice', feature_id, with_preview: true })).preview
  expect(await preview('images')).toMatchObject({
    scenario: 'feature_flag',
    // Nobody holds images or the credits that could pay for them: the credit system answers (R36 step 5).
    feature_id: 'credits',
    feature_name: 'Credits',
    products: [],
  })
  await story.grant('images', { included: 0, reset: { interval: 'day' } })
  expect(await preview('images')).toMatchObject({
    scenario: 'usage_limit',
    feature_id: 'images',
    feature_name: 'Images',
  })
  await story.update('images', { remaining: 1 })
  expect(await preview('images')).toBeNull()
  expect(await story.check('images')).not.toHaveProperty('preview')
})

describe('events.list (R170-R174)', () => {
  beforeEach(async () => {
    for (let i = 1; i <= 7; i++) {
      if (i % 2 === 0) story.world.clock.advance(1000)
      await story.track(i === 3 ? 'images' : 'messages', i, { properties: { i } })
    }
  })

  test('pages newest first without losing or repeating any', async () => {
    const values: number[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: { list: { value: number }[]; next_cursor: string | null } = await story.world.ok('events.list', {
        customer_id: 'alice',
        limit: 2,
        start_cursor: cursor,
      })
      values.push(...page.list.map(({ value }) => value))
      cursor = page.next_cursor
    }
    expect(values).toEqual([7, 6, 5, 4, 3, 2, 1])
  })

  test.each<[string, Record<string, unknown>, number[]]>([
    ['one feature', { feature_id: 'images' }, [3]],
    ['several features', { feature_id: ['images', 'messages'], limit: 3 }, [7, 6, 5]],
    ['a range, both ends included', { custom_range: { start: now + 1000, end: now + 2000 } }, [5, 4, 3, 2]],
    ['every customer', {}, [7, 6, 5, 4, 3, 2, 1]],
    ['an unknown customer', { customer_id: 'nobody' }, []],
    ['an entity, of which there are none', { entity_id: 'e' }, []],
    ['a property', { filter_by: { i: '5' } }, [5]],
    ['properties and a feature', { filter_by: { i: '3' }, feature_id: 'messages' }, []],
    ['no property at all', { filter_by: {}, limit: 2 }, [7, 6]],
    ['none, null', { filter_by: null, limit: 1 }, [7]],
    ['a property that no event has', { filter_by: { j: '5' } }, []],
  ])('filters by %s', async (_label, filter, values) => {
    const { list } = await story.world.ok('events.list', filter)
    expect(list.map(({ value }: { value: number }) => value)).toEqual(values)
  })

  test('a filter holds on every page, and at every version (R170, R171)', async () => {
    for (let i = 0; i < 5; i++) await story.track('messages', 10 + i, { properties: { i, model: { name: 'm' } } })
    const filter_by = { 'model.name': 'm' }
    const first = await story.world.ok('events.list', { filter_by, limit: 3 })
    const second = await story.world.ok('events.list', { filter_by, limit: 3, start_cursor: first.next_cursor })
    const values = [...first.list, ...second.list].map(({ value }: { value: number }) => value)
    expect([values, second.next_cursor]).toEqual([[14, 13, 12, 11, 10], null])
    const older = await story.world.ok('events.list', { filter_by, limit: 3, offset: 3 }, { 'x-api-version': '2.2.0' })
    expect(older).toMatchObject({ has_more: false, total: 2, list: [{ value: 11 }, { value: 10 }] })
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['no row', { limit: 0 }, '400 invalid_inputs'],
    ['the longest page', { limit: 5000 }, '200'],
    ['a longer one', { limit: 5001 }, '400 invalid_inputs'],
    ['no feature', { feature_id: [] }, '400 invalid_inputs'],
    ['five properties', { filter_by: { a: '', b: '', c: '', d: '', e: '' } }, '200'],
    ['six', { filter_by: { a: '', b: '', c: '', d: '', e: '', f: '' } }, '400 invalid_inputs'],
    ['a property that is a number', { filter_by: { a: 5 } }, '400 invalid_inputs'],
    ['an odd path', { filter_by: { 'a-b': 'x' } }, '400 invalid_inputs'],
    ['a list', { filter_by: ['a'] }, '400 invalid_inputs'],
  ])('%s: %o is %s (R170, R180)', async (_label, body, expected) => {
    expect(await codeOf(story.world, 'events.list', body)).toBe(expected)
  })

  test('a cursor that is none is refused', async () => {
    const refusal = await story.refused('events.list', { start_cursor: 'nonsense' })
    expect([refusal.status, refusal.code]).toEqual([400, 'invalid_cursor'])
  })

  test('2.2 pages by offset (R171)', async () => {
    const page = await story.world.ok(
      'events.list',
      { customer_id: 'alice', offset: 2, limit: 3 },
      { 'x-api-version': '2.2.0' },
    )
    expect(page).toMatchObject({ has_more: true, offset: 2, limit: 3, total: 3 })
    expect(page.list.map(({ value }: { value: number }) => value)).toEqual([5, 4, 3])
  })
})

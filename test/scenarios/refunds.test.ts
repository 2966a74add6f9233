import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin('2026-01-15T10:00:00Z')
})
afterEach(async () => {
  await expectLedgerToAddUp(story.world.store, 'alice')
  expect(story.world.faults).toEqual([])
  await story.world.close()
})

type Body = Record<string, unknown>

/** Gives back an event, all that is left of it or so much. @returns what each bucket got back. */
async function giveBack(event: string, value?: number, more: Body = {}): Promise<string[]> {
  const body = { customer_id: 'alice', refund_of: event, ...(value === undefined ? {} : { value }), ...more }
  const { deductions } = await story.world.ok('balances.track', body)
  return deductions.map(({ feature_id, value: given }: Body) => `${feature_id} ${given}`)
}

const refused = (body: Body) => story.refused('balances.track', body).then(({ status, code }) => `${status} ${code}`)
const exceeded = (event: string, more: Body = {}) => refused({ refund_of: event, ...more })
const left = async (feature: string) => (await story.check(feature)).balance?.remaining ?? null

describe('a use that is given back', () => {
  test('comes back bucket by bucket, the last one first', async () => {
    await story.grant('messages', { included: 10, balance_id: 'soon', expires_at: story.world.clock.now + 86_400_000 })
    await story.grant('messages', { included: 10, balance_id: 'late' })
    await story.grant('credits', { included: 3 })
    // 10 + 10 messages, and 5 more at 0.2 credits.
    const { event_id } = await story.track('messages', 25)
    expect(await giveBack(event_id, -2)).toEqual(['credits -0.4'])
    expect(await giveBack(event_id, -6)).toEqual(['credits -0.6', 'messages -3'])
    expect(await story.lines('messages')).toEqual(['late 3'])
    expect(await giveBack(event_id)).toEqual(['messages -7', 'messages -10'])
    expect(await story.lines('messages')).toEqual(['soon 10', 'late 10'])
    expect(await left('credits')).toBe(3)
  })

  test('comes back once in all, in however many parts', async () => {
    await story.grant('messages', { included: 10 })
    const { event_id } = await story.track('messages', 6)
    expect(await exceeded(event_id, { value: -6.000000000001 })).toBe('400 refund_exceeds_event')
    await giveBack(event_id, -2.5)
    expect(await exceeded(event_id, { value: -3.6 })).toBe('400 refund_exceeds_event')
    await giveBack(event_id, -3.5)
    expect(await exceeded(event_id)).toBe('400 refund_exceeds_event')
    await story.holds('messages', '10/10/0')
  })

  test('gives what was taken, not what was asked: a use that was capped', async () => {
    await story.grant('messages', { included: 4, balance_id: 'plan' })
    const { event_id } = await story.track('messages', 10)
    expect(await giveBack(event_id)).toEqual(['messages -4'])
    await story.holds('messages', '4/4/0')
    const { event_id: nothing } = await story.track('images', 5)
    expect(await exceeded(nothing)).toBe('400 refund_exceeds_event')
  })

  test('restores rollovers, which an ordinary refund never does (R110)', async () => {
    await story.grant('messages', {
      ...{ included: 10, balance_id: 'plan', reset: { interval: 'month' } },
      rollover: { max: 5, length: 2 },
    })
    story.at('2026-02-15')
    const { event_id } = await story.track('messages', 8)
    await story.holds('messages', '15/7/8')
    expect(await giveBack(event_id)).toEqual(['messages -3', 'messages -5'])
    await story.holds('messages', '15/15/0')
  })

  test('pays off the debt that it made, and gives beyond a grant that was set right meanwhile', async () => {
    await story.grant('messages', { included: 5 })
    const { event_id } = await story.track('messages', 8, { overage_behavior: 'overflow' })
    await story.holds('messages', '5/0/8')
    await giveBack(event_id, -2)
    await story.holds('messages', '5/0/6')
    await story.update('messages', { usage: 0 })
    expect(await giveBack(event_id)).toEqual(['messages -6'])
    await story.holds('messages', '5/11/-6')
  })

  test('counts down the use of what is unlimited', async () => {
    await story.grant('messages', { unlimited: true })
    const { event_id } = await story.track('messages', 8)
    await giveBack(event_id, -3)
    expect((await story.check('messages')).balance).toMatchObject({ unlimited: true, usage: 5 })
  })

  test('is an event of its own, below zero, that names the first and can be found', async () => {
    await story.grant('messages', { included: 10 })
    const { event_id } = await story.track('messages', 6)
    story.world.clock.advance(1000)
    const answer = await story.world.ok('balances.track', {
      ...{ customer_id: 'alice', refund_of: event_id, value: -2, properties: { why: 'failed' } },
    })
    expect(answer).toMatchObject({ value: -2, balance: { remaining: 6 }, deductions: [{ value: -2 }] })
    const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
    expect(list).toMatchObject([
      { id: answer.event_id, feature_id: 'messages', value: -2, refund_of: event_id, properties: { why: 'failed' } },
      { id: event_id, value: 6 },
    ])
    expect(list[1]).not.toHaveProperty('refund_of')
    expect(await exceeded(answer.event_id)).toBe('400 invalid_request')
  })

  test('works for a check that used at once', async () => {
    await story.grant('messages', { included: 10 })
    const body = { customer_id: 'alice', feature_id: 'messages', required_balance: 4, send_event: true }
    const { event_id } = await story.world.ok('balances.check', body)
    await giveBack(event_id)
    await story.holds('messages', '10/10/0')
    const denied = await story.world.ok('balances.check', { ...body, required_balance: 11 })
    expect(denied).not.toHaveProperty('event_id')
  })
})

describe('what is gone by then gets nothing', () => {
  test('a period that is over: it would be full without the use as well', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'month' } })
    const { event_id } = await story.track('messages', 6)
    story.at('2026-02-15')
    expect(await giveBack(event_id, -4)).toEqual([])
    await story.holds('messages', '10/10/0')
    expect(await giveBack(event_id)).toEqual([])
    expect(await exceeded(event_id)).toBe('400 refund_exceeds_event')
  })

  test.each([
    ['moved into the past', '2026-01-20', '2026-01-19T00:00:00Z', []],
    ['moved to before the use', '2026-01-20', '2026-01-10T00:00:00Z', []],
    ['moved away before it came', '2026-02-20', '2026-02-25T00:00:00Z', ['messages -6']],
    ['moved nearer, and not there yet', '2026-01-20', '2026-01-25T00:00:00Z', ['messages -6']],
  ])('a reset that was %s', async (_label, day, moved, expected) => {
    await story.grant('messages', { included: 10, reset: { interval: 'month' } })
    const { event_id } = await story.track('messages', 6)
    if (day.startsWith('2026-01')) story.at(day)
    await story.update('messages', { next_reset_at: Date.parse(moved) })
    story.at(day)
    expect(await giveBack(event_id)).toEqual(expected)
    await story.holds('messages', '10/10/0')
  })

  test('after a reset that came, moving the next one changes nothing', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'month' } })
    const { event_id } = await story.track('messages', 6)
    story.at('2026-02-16')
    await story.update('messages', { next_reset_at: Date.parse('2026-03-01T00:00:00Z') })
    expect(await giveBack(event_id)).toEqual([])
    await story.holds('messages', '10/10/0')
  })

  test('a balance or rollover that ended, or was deleted; what is still there gets its part', async () => {
    await story.grant('messages', { included: 4, expires_at: Date.parse('2026-01-16T00:00:00Z') })
    await story.grant('messages', { included: 3, balance_id: 'deleted' })
    await story.grant('messages', { included: 9, balance_id: 'stays' })
    const { event_id } = await story.track('messages', 10)
    await story.world.ok('balances.delete', { customer_id: 'alice', balance_id: 'deleted' })
    story.at('2026-01-17')
    expect(await giveBack(event_id)).toEqual(['messages -3'])
    await story.holds('messages', '9/9/0')
  })
})

describe('whose event', () => {
  test('an entity gets back its own part and the part that it inherits', async () => {
    await story.world.ok('entities.create', { customer_id: 'alice', entity_id: 'desk', feature_id: 'seats' })
    await story.grant('messages', { included: 10 })
    await story.grant('messages', { included: 5, entity_id: 'desk' })
    const { event_id } = await story.track('messages', 8, { entity_id: 'desk' })
    expect(await giveBack(event_id, -4)).toEqual(['messages -3', 'messages -1'])
    expect(await refused({ refund_of: event_id, entity_id: 'chair' })).toBe('400 invalid_request')
    expect(await giveBack(event_id, undefined, { entity_id: 'desk' })).toEqual(['messages -4'])
    await story.holds('messages', '15/15/0')
  })

  test('an entity that is gone has nothing that could come back', async () => {
    await story.world.ok('entities.create', { customer_id: 'alice', entity_id: 'desk', feature_id: 'seats' })
    await story.grant('messages', { included: 5, entity_id: 'desk' })
    const { event_id } = await story.track('messages', 2, { entity_id: 'desk' })
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'desk' })
    expect(await exceeded(event_id)).toBe('404 entity_not_found')
  })

  test('is not another customer’s, another feature’s, or nobody’s', async () => {
    await story.grant('messages', { included: 10 })
    const { event_id } = await story.track('messages', 6)
    await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
    expect(await refused({ customer_id: 'bob', refund_of: event_id })).toBe('404 event_not_found')
    expect(await refused({ customer_id: 'nobody', refund_of: event_id })).toBe('404 customer_not_found')
    expect(await exceeded('evt_nothing')).toBe('404 event_not_found')
    expect(await exceeded(event_id, { feature_id: 'images' })).toBe('400 invalid_request')
    expect(await giveBack(event_id, undefined, { feature_id: 'messages' })).toEqual(['messages -6'])
  })

  test.each([
    ['a value that takes', { value: 3 }],
    ['a value of zero', { value: 0 }],
    ['an overage behaviour', { overage_behavior: 'overflow' }],
    ['both names', { feature_id: 'messages', event_name: 'sent' }],
  ])('is asked for without %s', async (_label, more) => {
    await story.grant('messages', { included: 10 })
    const { event_id } = await story.track('messages', 6)
    expect(await exceeded(event_id, more)).toBe('400 invalid_inputs')
    await story.holds('messages', '10/4/6')
  })

  test('a use that fed several features comes back whole, or not at all', async () => {
    for (const feature_id of ['text', 'voice']) {
      await story.world.ok('features.create', {
        ...{ feature_id, name: feature_id, type: 'metered', consumable: true, event_names: ['said'] },
      })
      await story.grant(feature_id, { included: 10 })
    }
    const { event_id } = await story.world.ok('balances.track', { customer_id: 'alice', event_name: 'said', value: 4 })
    expect(await exceeded(event_id, { value: -1 })).toBe('400 invalid_request')
    expect(await giveBack(event_id)).toEqual(['voice -4', 'text -4'])
    expect([await left('text'), await left('voice')]).toEqual([10, 10])
  })

  test('a retry with the same key gives back once; two at once give back once', async () => {
    await story.grant('messages', { included: 10 })
    const { event_id } = await story.track('messages', 6)
    const body = { customer_id: 'alice', refund_of: event_id, value: -4 }
    const keyed = () => story.world.call('balances.track', body, { 'idempotency-key': 'r1' })
    expect((await keyed()).body).toEqual((await keyed()).body)
    const both = await Promise.all([body, body].map((one) => story.world.call('balances.track', { ...one, value: -2 })))
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 400])
    await story.holds('messages', '10/10/0')
  })
})

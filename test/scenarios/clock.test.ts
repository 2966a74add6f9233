import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { LIVE_KEY, type World } from '../world.ts'
import { Kept } from './kept.ts'
import { codeOf, figuresOf, Story } from './story.ts'

type Body = Record<string, unknown>

const DAY = 86_400_000
const now = Date.parse('2026-01-31T10:00:00Z')
const LIVE = { authorization: `Bearer ${LIVE_KEY}` }
const at = (instant: string) => Date.parse(`${instant}T10:00:00Z`)

let story: Story
let world: World
beforeEach(async () => {
  story = await Story.begin()
  world = story.world
})

const advance = (by: string) => world.ok('clock.advance', { by })
const freeze = (instant: number, customer_id = 'alice') =>
  world.ok('customers.advance_test_clock', { customer_id, frozen_time: instant })
const clockOf = async (customer_id = 'alice') => (await world.ok('customers.get', { customer_id })).test_clock

describe('the clock of the sandbox', () => {
  test('is real until it is moved, and goes on from there', async () => {
    expect(await world.ok('clock.get', {})).toEqual({ env: 'sandbox', now, ahead_ms: 0 })
    expect(await clockOf()).toBeUndefined()
    expect(await advance('31d')).toEqual({ env: 'sandbox', now: now + 31 * DAY, ahead_ms: 31 * DAY })
    world.clock.advance(5000)
    expect(await world.ok('clock.get', {})).toEqual({ env: 'sandbox', now: now + 31 * DAY + 5000, ahead_ms: 31 * DAY })
    expect(await clockOf()).toEqual({ now: now + 31 * DAY + 5000, ahead_ms: 31 * DAY })
    expect(await world.ok('clock.advance', { to: now + 40 * DAY })).toMatchObject({ now: now + 40 * DAY })
    expect(await world.ok('clock.get', {}, LIVE)).toEqual({ env: 'live', now: now + 5000, ahead_ms: 0 })
  })

  test.each<[string, string, string]>([
    ['31d', 'days', '2026-03-03T10:00:00.000Z'],
    ['2w', 'weeks', '2026-02-14T10:00:00.000Z'],
    ['12h', 'hours', '2026-01-31T22:00:00.000Z'],
    ['90m', 'minutes', '2026-01-31T11:30:00.000Z'],
    ['30s', 'seconds', '2026-01-31T10:00:30.000Z'],
    ['250ms', 'milliseconds', '2026-01-31T10:00:00.250Z'],
    ['1mo', 'a month of the calendar, at its end', '2026-02-28T10:00:00.000Z'],
    ['13mo', 'months beyond the year', '2027-02-28T10:00:00.000Z'],
    ['1y', 'years', '2027-01-31T10:00:00.000Z'],
  ])('moves by %s: %s', async (by, _label, expected) => {
    expect(new Date((await advance(by)).now).toISOString()).toBe(expected)
  })

  test.each<[string, Body, string]>([
    ['backwards', { to: now - 1 }, '400 invalid_request'],
    ['to where it is', { to: now }, '400 invalid_request'],
    ['by nothing', { by: '0d' }, '400 invalid_inputs'],
    ['by less than nothing', { by: '-1d' }, '400 invalid_inputs'],
    ['by what is no length', { by: 'tomorrow' }, '400 invalid_inputs'],
    ['by a bare number', { by: '5' }, '400 invalid_inputs'],
    ['by a number', { by: 5 }, '400 invalid_inputs'],
    ['nowhere', {}, '400 invalid_inputs'],
    ['twice', { by: '1d', to: now + DAY }, '400 invalid_inputs'],
    ['to a fraction', { to: now + 0.5 }, '400 invalid_inputs'],
    ['beyond the calendar', { by: '999999y' }, '400 invalid_request'],
    ['beyond what can be', { to: 8_640_000_000_000_001 }, '400 invalid_inputs'],
  ])('does not move %s', async (_label, request, code) => {
    expect(await codeOf(world, 'clock.advance', request)).toBe(code)
    expect(await world.ok('clock.get', {})).toMatchObject({ now, ahead_ms: 0 })
  })

  test('of live data stands still', async () => {
    await world.ok('customers.get_or_create', { customer_id: 'alice' }, LIVE)
    expect(await codeOf(world, 'clock.advance', { by: '1d' }, LIVE)).toBe('400 invalid_request')
    const freezing = { customer_id: 'alice', frozen_time: now + DAY }
    expect(await codeOf(world, 'customers.advance_test_clock', freezing, LIVE)).toBe('400 invalid_request')
    expect(await world.ok('customers.get', { customer_id: 'alice' }, LIVE)).not.toHaveProperty('test_clock')
    await advance('1d')
    expect(await world.ok('customers.get', { customer_id: 'alice' }, LIVE)).not.toHaveProperty('test_clock')
  })

  test('takes everyone along: resets, rollovers and expiries come due, and new things are dated by it', async () => {
    await story.grant('messages', {
      included: 100,
      reset: { interval: 'month' },
      rollover: { max: 50, duration: 'month', length: 1 },
    })
    await story.grant('images', { included: 5, expires_at: now + 10 * DAY })
    await story.track('messages', 30)
    await advance('9d')
    await story.holds('images', '5/5/0')
    await advance('1d')
    await story.holds('images', 'nothing')
    await advance('18d')
    await story.holds('messages', '150/150/0')
    const { balance } = await story.check('messages')
    expect(new Date(balance.next_reset_at).toISOString()).toBe('2026-03-31T10:00:00.000Z')
    expect(balance.rollovers).toEqual([{ granted: 50, balance: 50, expires_at: at('2026-03-28') }])
    await story.track('messages', 60)
    const { list } = await world.ok('events.list', { customer_id: 'alice', limit: 1 })
    expect(list[0].timestamp).toBe(at('2026-02-28'))
    const bob = await world.ok('customers.get_or_create', { customer_id: 'bob' })
    expect(bob.created_at).toBe(at('2026-02-28'))
    await world.ok('entities.create', { customer_id: 'bob', entity_id: 'e1', feature_id: 'seats' })
    expect(await world.ok('entities.get', { entity_id: 'e1' })).toMatchObject({ created_at: at('2026-02-28') })
    const newest = await world.ok('customers.list', { created_at_range: { start: now + 1 } })
    expect(newest.list.map((one: Body) => one['id'])).toEqual(['bob'])
    await advance('1mo')
    await story.holds('messages', '100/90/10')
    await expectLedgerToAddUp(world.store, 'alice')
  })

  test('decides what lies in the future', async () => {
    const future = { customer_id: 'alice', feature_id: 'messages', timestamp: now + DAY }
    const ending = { customer_id: 'alice', feature_id: 'messages', included: 5, expires_at: now + DAY }
    await story.grant('messages', { included: 10 })
    expect(await codeOf(world, 'balances.track', future)).toBe('400 invalid_inputs')
    await advance('1d')
    expect(await codeOf(world, 'balances.track', future)).toBe('200')
    expect(await codeOf(world, 'balances.track', { ...future, timestamp: now + DAY + 1 })).toBe('400 invalid_inputs')
    expect(await codeOf(world, 'balances.create', ending)).toBe('400 invalid_inputs')
    expect(await codeOf(world, 'balances.create', { ...ending, expires_at: now + DAY + 1 })).toBe('200')
  })

  test('a retry with the same key moves it once', async () => {
    const headers = { 'idempotency-key': 'k' }
    const first = await world.call('clock.advance', { by: '1d' }, headers)
    world.clock.advance(1000)
    const again = await world.call('clock.advance', { by: '1d' }, headers)
    expect([again.body, again.headers['idempotent-replayed']]).toEqual([first.body, 'true'])
    expect(await world.ok('clock.get', {})).toMatchObject({ ahead_ms: DAY })
  })

  test('many that move it at once are all counted', async () => {
    await Promise.all(Array.from({ length: 10 }, () => advance('1h')))
    expect(await world.ok('clock.get', {})).toMatchObject({ ahead_ms: 10 * 3_600_000 })
  })

  test('moves while uses are under way, and none is lost', async () => {
    await story.grant('messages', { included: 1000 })
    const uses = Array.from({ length: 20 }, (_, i) => (i % 5 === 0 ? advance('1h') : story.track('messages', 1)))
    await Promise.all(uses)
    await story.holds('messages', '1000/984/16')
    await expectLedgerToAddUp(world.store, 'alice')
  })
})

describe('the clock of a customer', () => {
  beforeEach(async () => {
    await world.ok('customers.get_or_create', { customer_id: 'bob' })
    for (const customer_id of ['alice', 'bob']) {
      await world.ok('balances.create', {
        customer_id,
        feature_id: 'messages',
        included: 100,
        reset: { interval: 'month' },
        rollover: { max: 50, duration: 'month', length: 1 },
      })
      await world.ok('balances.track', { customer_id, feature_id: 'messages', value: 30 })
    }
  })

  const messagesOf = async (customer_id: string) =>
    figuresOf((await world.ok('customers.get', { customer_id })).balances.messages)

  test('moves that customer alone, and what comes due takes effect', async () => {
    expect(await freeze(at('2026-02-28'))).toEqual({
      customer_id: 'alice',
      frozen_time: at('2026-02-28'),
      status: 'ready',
    })
    expect([await messagesOf('alice'), await messagesOf('bob')]).toEqual(['150/150/0', '100/70/30'])
    expect(await clockOf()).toEqual({ now: at('2026-02-28'), ahead_ms: 28 * DAY })
    expect(await clockOf('bob')).toBeUndefined()
    expect(await world.ok('clock.get', {})).toMatchObject({ now, ahead_ms: 0 })
    await expectLedgerToAddUp(world.store, 'alice')
  })

  test('goes on from where it was set', async () => {
    await freeze(at('2026-02-27'))
    world.clock.advance(DAY - 1)
    expect(await messagesOf('alice')).toBe('100/70/30')
    world.clock.advance(1)
    expect(await messagesOf('alice')).toBe('150/150/0')
    expect(await clockOf()).toEqual({ now: at('2026-02-28'), ahead_ms: 27 * DAY })
  })

  test('knows whole seconds (K 2.5)', async () => {
    expect(await freeze(now + 5999)).toMatchObject({ frozen_time: now + 5000 })
    expect(await clockOf()).toEqual({ now: now + 5000, ahead_ms: 5000 })
    // Rounded down, this is where it is.
    const same = { customer_id: 'alice', frozen_time: now + 5500 }
    expect(await codeOf(world, 'customers.advance_test_clock', same)).toBe('400 invalid_request')
  })

  test.each<[string, Body, string]>([
    ['backwards', { frozen_time: now - 1000 }, '400 invalid_request'],
    ['to where it is', { frozen_time: now }, '400 invalid_request'],
    ['of nobody', { customer_id: 'nobody', frozen_time: now + DAY }, '404 customer_not_found'],
    ['to a text', { frozen_time: '2026-02-28' }, '400 invalid_inputs'],
    ['to a fraction', { frozen_time: now + 1000.5 }, '400 invalid_inputs'],
    ['nowhere', {}, '400 invalid_inputs'],
    ['beyond the calendar', { frozen_time: Date.UTC(9999, 0, 1) + 1000 }, '400 invalid_request'],
  ])('does not move %s', async (_label, request, code) => {
    expect(await codeOf(world, 'customers.advance_test_clock', { customer_id: 'alice', ...request })).toBe(code)
    expect(await clockOf()).toBeUndefined()
  })

  test('never goes backwards, not even step by step', async () => {
    await freeze(now + 10 * DAY)
    const back = { customer_id: 'alice', frozen_time: now + 9 * DAY }
    expect(await codeOf(world, 'customers.advance_test_clock', back)).toBe('400 invalid_request')
    world.clock.advance(DAY)
    const here = { customer_id: 'alice', frozen_time: now + 11 * DAY }
    expect(await codeOf(world, 'customers.advance_test_clock', here)).toBe('400 invalid_request')
    expect(await freeze(now + 12 * DAY)).toMatchObject({ frozen_time: now + 12 * DAY })
  })

  test('dates what happens to the customer and its entities', async () => {
    await freeze(now + 5 * DAY)
    await story.seat('e1')
    expect(await world.ok('entities.get', { entity_id: 'e1' })).toMatchObject({ created_at: now + 5 * DAY })
    await story.grant('images', { included: 1, balance_id: 'i' })
    const { balances } = await world.ok('balances.list', { customer_id: 'alice', feature_id: 'images' })
    expect(balances).toMatchObject([{ created_at: now + 5 * DAY }])
    await story.track('messages', 1, { timestamp: now + 4 * DAY })
    const { list } = await world.ok('events.list', { customer_id: 'alice', limit: 1 })
    expect(list).toMatchObject([{ timestamp: now + 4 * DAY }])
    const late = { customer_id: 'bob', feature_id: 'messages', timestamp: now + 4 * DAY }
    expect(await codeOf(world, 'balances.track', late)).toBe('400 invalid_inputs')
    expect((await world.ok('customers.get', { customer_id: 'alice' })).created_at).toBe(now)
  })

  test('balances of its entities come due with it', async () => {
    await story.seat('e1')
    await story.grant('messages', { included: 10, reset: { interval: 'week' }, entity_id: 'e1' })
    await story.grant('images', { included: 10, expires_at: now + 3 * DAY, entity_id: 'e1' })
    await story.track('messages', 10, { entity_id: 'e1' })
    await freeze(now + 7 * DAY)
    await story.sees('e1', 'messages', '110/80/30')
    await story.sees('e1', 'images', 'nothing')
    await expectLedgerToAddUp(world.store, 'alice')
  })

  test('adds to the clock of the sandbox, whichever is moved first', async () => {
    await freeze(now + 10 * DAY)
    await advance('5d')
    expect(await clockOf()).toEqual({ now: now + 15 * DAY, ahead_ms: 15 * DAY })
    expect(await clockOf('bob')).toEqual({ now: now + 5 * DAY, ahead_ms: 5 * DAY })
    const behind = { customer_id: 'bob', frozen_time: now + 5 * DAY }
    expect(await codeOf(world, 'customers.advance_test_clock', behind)).toBe('400 invalid_request')
    await freeze(now + 20 * DAY, 'bob')
    await world.ok('clock.advance', { to: now + 13 * DAY })
    expect(await clockOf()).toEqual({ now: now + 23 * DAY, ahead_ms: 23 * DAY })
    expect(await clockOf('bob')).toEqual({ now: now + 28 * DAY, ahead_ms: 28 * DAY })
    expect([await messagesOf('alice'), await messagesOf('bob')]).toEqual(['100/70/30', '150/150/0'])
    await expectLedgerToAddUp(world.store, 'bob')
  })

  test('is told in lists and after changes, and belongs to the customer, not to its id', async () => {
    await freeze(now + 28 * DAY)
    const clock = { now: now + 28 * DAY, ahead_ms: 28 * DAY }
    const { list } = await world.ok('customers.list', { sort_order: 'asc' })
    expect(list.map((one: Body) => [one['id'], one['test_clock']])).toEqual([
      ['alice', clock],
      ['bob', undefined],
    ])
    expect(figuresOf(list[0].balances.messages)).toBe('150/150/0')
    const renamed = await world.ok('customers.update', { customer_id: 'alice', new_customer_id: 'alicia' })
    expect(renamed.test_clock).toEqual(clock)
    await world.ok('customers.delete', { customer_id: 'alicia' })
    expect(await world.ok('customers.get_or_create', { customer_id: 'alicia' })).not.toHaveProperty('test_clock')
  })

  test('a retry with the same key moves it once', async () => {
    const headers = { 'idempotency-key': 'k' }
    const body = { customer_id: 'alice', frozen_time: now + 5 * DAY }
    const first = await world.ok('customers.advance_test_clock', body, headers)
    expect(await world.ok('customers.advance_test_clock', body, headers)).toEqual(first)
  })

  test('idempotency keys are kept by the real clock (R120)', async () => {
    const use = { customer_id: 'alice', feature_id: 'messages', value: 5, idempotency_key: 'u1' }
    await world.ok('balances.track', use)
    await freeze(now + 5 * DAY)
    await advance('3d')
    expect((await world.call('balances.track', use)).headers['idempotent-replayed']).toBe('true')
    world.clock.advance(DAY - 1)
    expect((await world.call('balances.track', use)).headers['idempotent-replayed']).toBe('true')
    expect(await messagesOf('alice')).toBe('100/65/35')
    // Long after a day of real time it is a new key.
    world.clock.advance(DAY)
    expect((await world.call('balances.track', use)).headers['idempotent-replayed']).toBeUndefined()
    expect(await messagesOf('alice')).toBe('100/60/40')
  })

  test('a real clock that goes backwards holds nobody up', async () => {
    await freeze(now + 5 * DAY)
    world.clock.set(now - DAY)
    expect((await clockOf()).now).toBe(now + 5 * DAY)
    await story.track('messages', 1)
    world.clock.set(now + 1000)
    expect((await clockOf()).now).toBe(now + 5 * DAY + 1000)
    await expectLedgerToAddUp(world.store, 'alice')
  })
})

describe('after a restart on what was kept', () => {
  let kept: Kept
  beforeEach(() => {
    kept = new Kept()
  })
  afterEach(() => kept.remove())

  test('both clocks show what they would have shown', async () => {
    const first = await kept.open(now)
    await first.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
    for (const customer_id of ['alice', 'bob']) {
      await first.ok('customers.get_or_create', { customer_id })
      await first.ok('balances.create', {
        customer_id,
        feature_id: 'messages',
        included: 100,
        reset: { interval: 'month' },
      })
      await first.ok('balances.track', { customer_id, feature_id: 'messages', value: 30, idempotency_key: 'u1' })
    }
    await first.ok('customers.advance_test_clock', { customer_id: 'alice', frozen_time: now + 20 * DAY })
    await first.ok('clock.advance', { by: '7d' })

    const second = await kept.open(now + 3_600_000)
    expect(await second.ok('clock.get', {})).toEqual({
      env: 'sandbox',
      now: now + 7 * DAY + 3_600_000,
      ahead_ms: 7 * DAY,
    })
    const shown = async (customer_id: string) => {
      const { test_clock, balances } = await second.ok('customers.get', { customer_id })
      return [test_clock.now - now, figuresOf(balances.messages)]
    }
    expect(await shown('alice')).toEqual([27 * DAY + 3_600_000, '100/70/30'])
    expect(await shown('bob')).toEqual([7 * DAY + 3_600_000, '100/70/30'])
    const again = { customer_id: 'alice', feature_id: 'messages', value: 30, idempotency_key: 'u1' }
    expect((await second.call('balances.track', again)).headers['idempotent-replayed']).toBe('true')
    await second.ok('clock.advance', { by: '1d' })
    expect(await shown('alice')).toEqual([28 * DAY + 3_600_000, '100/100/0'])
    await second.ok('balances.track', { customer_id: 'alice', feature_id: 'messages', value: 1 })
    await expectLedgerToAddUp(second.store, 'alice')

    const third = await kept.open(now + 2 * 3_600_000)
    const { balances, test_clock } = await third.ok('customers.get', { customer_id: 'alice' })
    expect([figuresOf(balances.messages), test_clock.ahead_ms]).toEqual(['100/99/1', 28 * DAY])
    expect(await third.ok('clock.get', {}, LIVE)).toMatchObject({ ahead_ms: 0 })
  })
})

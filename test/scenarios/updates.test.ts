import { beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

const now = Date.parse('2026-01-31T10:00:00Z')
const DAY = 86_400_000

describe('one balance of 100 (B98-B116)', () => {
  test.each<[string, number, Record<string, unknown>, string]>([
    // label                               used   change                                        granted/remaining/usage
    ['remaining below the grant', 0, { remaining: 30 }, '100/30/70'],
    ['remaining above it', 0, { remaining: 200 }, '100/200/-100'],
    ['remaining below zero is debt', 0, { remaining: -50 }, '100/0/150'],
    ['usage', 0, { usage: 30 }, '100/70/30'],
    ['usage after fractions were used', 40.5, { usage: 27.35 }, '100/72.65/27.35'],
    ['usage back to nothing', 50, { usage: 0 }, '100/100/0'],
    ['usage beyond the grant', 0, { usage: 130 }, '100/0/130'],
    ['negative usage is credit', 0, { usage: -20 }, '100/120/-20'],
    ['adding', 30, { add_to_balance: 10 }, '100/80/20'],
    ['adding beyond the grant', 0, { add_to_balance: 10 }, '100/110/-10'],
    ['adding less than nothing', 30, { add_to_balance: -10 }, '100/60/40'],
    ['adding nothing', 30, { add_to_balance: 0 }, '100/70/30'],
    ['the grant alone moves usage (B113)', 30, { included_grant: 150 }, '150/70/80'],
    ['grant and remaining together (B116)', 30, { remaining: 80, included_grant: 150 }, '150/80/70'],
    ['nothing at all (B89)', 30, {}, '100/70/30'],
  ])('%s', async (_label, used, change, figures) => {
    await story.grant('messages', { included: 100, reset: { interval: 'month' } })
    await story.track('messages', used)
    await story.update('messages', change)
    await story.holds('messages', figures)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })
})

describe('several balances', () => {
  beforeEach(async () => {
    await story.grant('messages', { included: 100, reset: { interval: 'month' }, balance_id: 'month' })
    await story.grant('messages', { included: 200, balance_id: 'once' })
  })

  test.each<[string, Record<string, unknown>[], string, string[]]>([
    ['by interval', [{ remaining: 50, interval: 'month' }], '300/250/50', ['month 50', 'once 200']],
    [
      'by the interval one_off',
      [
        { remaining: 50, interval: 'month' },
        { remaining: 100, interval: 'one_off' },
      ],
      '300/150/150',
      ['month 50', 'once 100'],
    ],
    ['by id', [{ usage: 20, balance_id: 'once' }], '300/280/20', ['month 100', 'once 180']],
    ['untargeted, down: in order', [{ remaining: 150 }], '300/150/150', ['month 0', 'once 150']],
    ['untargeted, up: all on the first', [{ remaining: 350 }], '300/350/-50', ['month 150', 'once 200']],
    ['untargeted debt: on the first', [{ remaining: -10 }], '100/0/110', ['month 0']],
    [
      'a debt is healed before anything else',
      [{ remaining: -10, balance_id: 'month' }, { remaining: 150 }],
      '300/150/150',
      ['month 0', 'once 150'],
    ],
    ['the grant of both together (B114 REC)', [{ included_grant: 350 }], '350/300/50', ['month 100', 'once 200']],
  ])('%s', async (_label, changes, figures, lines) => {
    for (const change of changes) await story.update('messages', change)
    await story.holds('messages', figures)
    expect(await story.lines('messages')).toEqual(lines)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test.each([
    ['an id that none has', { balance_id: 'nope', remaining: 1 }],
    ['an interval that none has', { interval: 'year', usage: 1 }],
    ['both, which none has', { interval: 'month', balance_id: 'once', next_reset_at: now + DAY }],
  ])('%s is 404 balance_not_found', async (_label, change) => {
    const refusal = await story.refused('balances.update', { feature_id: 'messages', ...change })
    expect([refusal.status, refusal.code]).toEqual([404, 'balance_not_found'])
    const { interval, balance_id } = change as Record<string, unknown>
    const deleted = await story.refused('balances.delete', { feature_id: 'messages', interval, balance_id })
    expect([deleted.status, deleted.code]).toEqual([404, 'balance_not_found'])
  })

  test('a deleted balance takes its use along; its siblings stay (B132)', async () => {
    await story.track('messages', 40)
    await story.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages', balance_id: 'month' })
    await story.holds('messages', '200/200/0')
    await story.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages' })
    await story.holds('messages', 'nothing')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })
})

test.each([
  ['remaining', 'add_to_balance'],
  ['remaining', 'usage'],
  ['add_to_balance', 'usage'],
])('%s and %s exclude each other, and the sentence names both (B86, B87)', async (a, b) => {
  await story.grant('messages', { included: 100 })
  const refusal = await story.refused('balances.update', { feature_id: 'messages', [a]: 1, [b]: 1 })
  expect([refusal.status, refusal.code]).toEqual([400, 'invalid_inputs'])
  expect(refusal.message).toContain(a)
  expect(refusal.message).toContain(b)
  await story.holds('messages', '100/100/0')
})

test('remaining is exact with rollovers too, where the reference overshoots (B102)', async () => {
  await story.grant('messages', {
    included: 100,
    reset: { interval: 'month' },
    rollover: { max: 50, duration: 'forever' },
  })
  story.at('2026-02-28')
  await story.holds('messages', '150/150/0')
  await story.update('messages', { remaining: 80 })
  await story.holds('messages', '150/80/70')
  await story.update('messages', { remaining: 120 })
  await story.holds('messages', '150/120/30')
})

test('usage counts what was used of a rollover', async () => {
  await story.grant('messages', {
    included: 100,
    reset: { interval: 'month' },
    rollover: { max: 50, duration: 'forever' },
  })
  story.at('2026-02-28')
  await story.track('messages', 20)
  await story.update('messages', { usage: 50 })
  await story.holds('messages', '150/100/50')
})

test('adding through a member feature reaches the credits that pay for it (B107)', async () => {
  await story.grant('credits', { included: 100 })
  await story.update('images', { add_to_balance: -2 })
  await story.holds('credits', '100/94/6')
  expect((await story.refused('balances.update', { feature_id: 'images', remaining: 1 })).code).toBe(
    'balance_not_found',
  )
})

test('an adjustment of the grant lasts until the next reset (B117)', async () => {
  await story.grant('messages', { included: 100, reset: { interval: 'month' } })
  await story.update('messages', { included_grant: 150, remaining: 150 })
  await story.holds('messages', '150/150/0')
  story.at('2026-02-28')
  await story.holds('messages', '100/100/0')
})

describe('moving the next reset (B119-B121)', () => {
  test('moves the one that resets soonest, and later boundaries with it', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'month' }, balance_id: 'month' })
    await story.grant('messages', { included: 10, reset: { interval: 'day' }, balance_id: 'day' })
    await story.track('messages', 15)
    await story.update('messages', { next_reset_at: now + 5 * DAY })
    story.world.clock.set(now + 4 * DAY)
    expect(await story.lines('messages')).toEqual(['day 0', 'month 5'])
    story.world.clock.set(now + 5 * DAY)
    expect(await story.lines('messages')).toEqual(['day 10', 'month 5'])
    expect((await story.check('messages')).balance.next_reset_at).toBe(now + 6 * DAY)
  })

  test('into the past resets at once, with its rollover (B163 corrected)', async () => {
    await story.grant('messages', {
      included: 100,
      reset: { interval: 'month' },
      rollover: { max: 30, duration: 'month', length: 1 },
    })
    await story.track('messages', 40)
    await story.update('messages', { next_reset_at: now - 3 * DAY })
    const { balance } = await story.check('messages')
    expect([balance.granted, balance.remaining, balance.usage]).toEqual([130, 130, 0])
    expect(new Date(balance.next_reset_at).toISOString()).toBe('2026-02-28T10:00:00.000Z')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('is refused for a balance that never resets', async () => {
    await story.grant('messages', { included: 10 })
    const refusal = await story.refused('balances.update', {
      feature_id: 'messages',
      next_reset_at: now + DAY,
      remaining: 3,
    })
    expect([refusal.status, refusal.code]).toEqual([400, 'invalid_request'])
    // Nothing of the call is applied, not even the part that could have been (B91 REC).
    await story.holds('messages', '10/10/0')
  })
})

describe('setting an expiry (B122, B123)', () => {
  test('a recurring balance goes on resetting until then', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'month' } })
    await story.update('messages', { expires_at: Date.parse('2026-03-15T00:00:00Z') })
    await story.track('messages', 4)
    story.at('2026-02-28')
    await story.holds('messages', '10/10/0')
    story.at('2026-03-15T00:00:00Z')
    await story.holds('messages', 'nothing')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('takes the one that expires soonest, and changes the order of use', async () => {
    await story.grant('messages', { included: 1, balance_id: 'never' })
    await story.grant('messages', { included: 2, balance_id: 'late', expires_at: now + 9 * DAY })
    await story.grant('messages', { included: 3, balance_id: 'soon', expires_at: now + 5 * DAY })
    await story.update('messages', { expires_at: now + 20 * DAY })
    expect(await story.lines('messages')).toEqual(['late 2', 'soon 3', 'never 1'])
  })

  test('must lie ahead', async () => {
    await story.grant('messages', { included: 10 })
    const refusal = await story.refused('balances.update', { feature_id: 'messages', expires_at: now })
    expect([refusal.status, refusal.code]).toEqual([400, 'invalid_request'])
  })
})

import { beforeEach, describe, expect, test } from 'vitest'
import { Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

const DAY = 86_400_000
const now = Date.parse('2026-01-31T10:00:00Z')

describe('a grant that contradicts itself is refused, and nothing is granted', () => {
  test.each<[string, string, Record<string, unknown>, string, string[]]>([
    // label                                   feature     terms                                                       code             the sentence names
    [
      'included with unlimited',
      'messages',
      { included_grant: 5, unlimited: true },
      'invalid_inputs',
      ['included_grant', 'unlimited'],
    ],
    ['neither amount nor unlimited', 'messages', {}, 'invalid_inputs', ['included_grant', 'unlimited']],
    ['neither, for credits (B70 REC)', 'credits', {}, 'invalid_inputs', ['included_grant', 'unlimited']],
    ['unlimited: false is no amount', 'messages', { unlimited: false }, 'invalid_inputs', ['included_grant']],
    [
      'unlimited with reset',
      'messages',
      { unlimited: true, reset: { interval: 'month' } },
      'invalid_inputs',
      ['unlimited', 'reset'],
    ],
    [
      'reset with expires_at (seed)',
      'messages',
      { included: 5, reset: { interval: 'month' }, expires_at: now + DAY },
      'invalid_inputs',
      ['reset', 'expires_at'],
    ],
    ['a negative amount', 'messages', { included: -5 }, 'invalid_inputs', ['included_grant']],
    ['an amount beyond all measure', 'messages', { included: 1e16 }, 'invalid_inputs', ['included']],
    ['already expired', 'messages', { included: 5, expires_at: now }, 'invalid_inputs', ['expires_at']],
    [
      'a count of zero, on which the reference hangs (B78)',
      'messages',
      { included: 5, reset: { interval: 'day', interval_count: 0 } },
      'invalid_inputs',
      ['reset.interval_count'],
    ],
    [
      'a count of one and a half',
      'messages',
      { included: 5, reset: { interval: 'day', interval_count: 1.5 } },
      'invalid_inputs',
      ['reset.interval_count'],
    ],
    [
      'an unknown interval',
      'messages',
      { included: 5, reset: { interval: 'fortnight' } },
      'invalid_inputs',
      ['reset.interval', 'week'],
    ],
    [
      'seconds instead of milliseconds',
      'messages',
      { included: 5, expires_at: Math.floor(now / 1000) + 60 },
      'invalid_inputs',
      ['expires_at'],
    ],
    [
      'a fraction of a millisecond (B240)',
      'messages',
      { included: 5, expires_at: now + 0.5 },
      'invalid_inputs',
      ['expires_at'],
    ],
    ['a boolean with an amount', 'sso', { included: 1 }, 'invalid_inputs', ['sso']],
    ['a boolean that is unlimited', 'sso', { unlimited: true }, 'invalid_inputs', ['sso']],
    ['a boolean with a reset', 'sso', { reset: { interval: 'month' } }, 'invalid_inputs', ['sso']],
    [
      'seats with a reset (B83 REC)',
      'seats',
      { included: 5, reset: { interval: 'month' } },
      'invalid_inputs',
      ['seats'],
    ],
    [
      'seats with a rollover (B73)',
      'seats',
      { included: 5, rollover: { duration: 'forever' } },
      'invalid_request',
      ['rollover'],
    ],
    [
      'a rollover without a reset (B74)',
      'messages',
      { included: 5, rollover: { max: 5, length: 1, duration: 'month' } },
      'invalid_request',
      ['rollover'],
    ],
    [
      'a rollover of a one-off',
      'messages',
      { included: 5, reset: { interval: 'one_off' }, rollover: { duration: 'forever' } },
      'invalid_request',
      ['rollover'],
    ],
    [
      'two caps',
      'messages',
      { included: 5, reset: { interval: 'day' }, rollover: { max: 1, max_percentage: 5, duration: 'forever' } },
      'invalid_inputs',
      ['max', 'max_percentage'],
    ],
    [
      'a rollover of unknown length',
      'messages',
      { included: 5, reset: { interval: 'day' }, rollover: { max: 1, duration: 'month' } },
      'invalid_inputs',
      ['rollover.length'],
    ],
    [
      'a first reset without reset (B76)',
      'messages',
      { included: 5, next_reset_at: now + DAY },
      'invalid_request',
      ['next_reset_at'],
    ],
    [
      'a first reset in the past',
      'messages',
      { included: 5, reset: { interval: 'day' }, next_reset_at: now },
      'invalid_request',
      ['next_reset_at'],
    ],
    [
      'a first reset at the expiry',
      'messages',
      { included: 5, reset: { interval: 'day' }, next_reset_at: now + DAY, expires_at: now + DAY },
      'invalid_request',
      ['next_reset_at', 'expires_at'],
    ],
    ['an unknown feature', 'nope', { included: 5 }, 'feature_not_found', ['nope']],
    ['an unknown entity', 'messages', { included: 5, entity_id: 'e1' }, 'entity_not_found', ['e1']],
  ])('%s', async (_label, feature, terms, code, named) => {
    const refusal = await story.refused('balances.create', { feature_id: feature, ...terms })
    expect([refusal.status, refusal.code]).toEqual([code.endsWith('not_found') ? 404 : 400, code])
    for (const name of named) expect(refusal.message).toContain(name)
    const { balances, flags } = await story.world.ok('customers.get', { customer_id: 'alice' })
    expect([balances, flags]).toEqual([{}, {}])
  })
})

test('included, included_grant and granted_balance are one thing; the newest name counts (B68)', async () => {
  await story.grant('messages', { included: 7, included_grant: 8, granted_balance: 9 })
  await story.holds('messages', '7/7/0')
  await story.grant('messages', { granted_balance: 9 })
  await story.holds('messages', '16/16/0')
})

test('a grant of zero is a grant; each grant is a line of its own (B80)', async () => {
  await story.grant('messages', { included: 0, reset: { interval: 'day' }, balance_id: 'zero' })
  await story.grant('messages', { included: 5, balance_id: 'five' })
  expect(await story.lines('messages')).toEqual(['zero 0', 'five 5'])
})

test('a balance_id is unique per customer, and free again once its balance is gone (B77)', async () => {
  await story.grant('messages', { included: 5, balance_id: 'gift' })
  const taken = await story.refused('balances.create', { feature_id: 'images', included: 5, balance_id: 'gift' })
  expect([taken.status, taken.code]).toEqual([409, 'invalid_request'])
  await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
  await story.world.ok('balances.create', {
    customer_id: 'bob',
    feature_id: 'messages',
    included: 1,
    balance_id: 'gift',
  })
  await story.world.ok('balances.delete', { customer_id: 'alice', balance_id: 'gift' })
  await story.grant('images', { included: 5, balance_id: 'gift' })
})

test('a flag is held or not, once, and may expire (B71, R24, S37)', async () => {
  expect(await story.check('sso')).toMatchObject({ allowed: false, balance: null, flag: null })
  await story.grant('sso', { expires_at: now + DAY })
  expect(await story.check('sso', 5)).toMatchObject({
    allowed: true,
    balance: null,
    flag: { feature_id: 'sso', expires_at: now + DAY },
  })
  const again = await story.refused('balances.create', { feature_id: 'sso' })
  expect([again.status, again.code]).toEqual([409, 'invalid_request'])
  expect(await story.track('sso', 1)).toMatchObject({ value: 1, balance: null, deductions: [] })
  const sending = await story.refused('balances.check', { feature_id: 'sso', send_event: true })
  expect([sending.status, sending.code]).toEqual([400, 'invalid_request'])
  story.world.clock.set(now + DAY)
  expect(await story.check('sso')).toMatchObject({ allowed: false, flag: null })
})

test('used, then renewed at the boundary that the caller chose, and counted on from there (B84)', async () => {
  await story.grant('messages', { included: 50, reset: { interval: 'month' }, next_reset_at: now + 10 * DAY })
  await story.track('messages', 10)
  await story.holds('messages', '50/40/10')
  story.world.clock.set(now + 10 * DAY)
  await story.holds('messages', '50/50/0')
  const { balance } = await story.check('messages')
  expect(new Date(balance.next_reset_at).toISOString()).toBe('2026-03-10T10:00:00.000Z')
})

test('what is left of January rolls over once, at most 50, and is spent first', async () => {
  await story.grant('messages', {
    included: 100,
    reset: { interval: 'month' },
    rollover: { max: 50, duration: 'month', length: 1 },
  })
  await story.track('messages', 30)
  await story.holds('messages', '100/70/30')
  story.at('2026-02-28')
  await story.holds('messages', '150/150/0')
  const { balance, deductions } = await story.track('messages', 60)
  expect(deductions.map(({ value }: { value: number }) => value)).toEqual([50, 10])
  expect(balance.rollovers).toEqual([{ granted: 50, balance: 0, expires_at: Date.parse('2026-03-28T10:00:00Z') }])
  story.at('2026-03-28')
  await story.holds('messages', '100/90/10')
})

test('a drained one-off is left out of reads, still takes refunds, and counts as held (R22, S10 REC)', async () => {
  await story.grant('messages', { included: 5 })
  expect((await story.track('messages', 5)).balance).toMatchObject({ granted: 5, remaining: 0, usage: 5 })
  await story.holds('messages', 'nothing')
  expect(await story.check('messages')).toMatchObject({ allowed: false, balance: null })
  expect(
    (await story.refused('balances.track', { feature_id: 'messages', value: 1, overage_behavior: 'reject' })).code,
  ).toBe('insufficient_balance')
  await story.track('messages', -2)
  await story.holds('messages', '5/2/3')
})

test('a drained recurring balance stays visible at zero and comes back at its boundary (B176 REC)', async () => {
  await story.grant('messages', { included: 5, reset: { interval: 'day' } })
  await story.track('messages', 5)
  await story.holds('messages', '5/0/5')
  story.at('2026-02-01')
  await story.holds('messages', '5/5/0')
})

test('unlimited beside finite takes everything, and nothing finite is shown (B44, V12)', async () => {
  await story.grant('messages', { included: 10, reset: { interval: 'month' } })
  await story.grant('messages', { unlimited: true })
  await story.track('messages', 500)
  const { balance, allowed } = await story.check('messages', 1e9)
  expect([
    allowed,
    balance.unlimited,
    balance.granted,
    balance.remaining,
    balance.usage,
    balance.breakdown.length,
  ]).toEqual([true, true, 0, 0, 500, 1])
})

test('free seats go below zero under cap, while a check says no (R43, R101)', async () => {
  await story.grant('seats', { included: 5 })
  await story.track('seats', 8)
  await story.holds('seats', '5/0/8')
  expect((await story.check('seats')).allowed).toBe(false)
  expect((await story.check('seats')).balance.breakdown[0].reset).toBeNull()
  expect(
    (await story.refused('balances.track', { feature_id: 'seats', value: 1, overage_behavior: 'reject' })).code,
  ).toBe('insufficient_balance')
  await story.track('seats', -4)
  await story.holds('seats', '5/1/4')
})

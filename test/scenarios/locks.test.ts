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
const HOUR = 3_600_000
const DAY = 24 * HOUR

/** Holds by a check. */
function lock(feature: string, required: number, id: string, terms: Body = {}, more: Body = {}) {
  return story.check(feature, required, { lock: { enabled: true, lock_id: id, ...terms }, ...more })
}

/** Confirms with what was used, or as it stands. @returns what moved, bucket by bucket. */
async function confirm(id: string, used?: number, more: Body = {}): Promise<string[]> {
  const override = used === undefined ? {} : { override_value: used }
  return moved(await story.world.ok('balances.finalize', { lock_id: id, action: 'confirm', ...override, ...more }))
}

async function release(id: string): Promise<string[]> {
  return moved(await story.world.ok('balances.finalize', { lock_id: id, action: 'release' }))
}

function moved({ deductions }: { deductions: { feature_id: string; value: number }[] }): string[] {
  return deductions.map(({ feature_id, value }) => `${feature_id} ${value}`)
}

const finalize = (body: Body) =>
  story.world.call('balances.finalize', body).then(({ status, body: answer }) => `${status} ${answer.code}`)
const refused = (required: number, of: Body, more: Body = {}) =>
  story
    .refused('balances.check', { feature_id: 'messages', required_balance: required, lock: of, ...more })
    .then(({ status, code }) => `${status} ${code}`)

/** The values of the events of a feature, newest first. */
async function values(feature = 'messages'): Promise<number[]> {
  const { list } = await story.world.ok('events.list', { customer_id: 'alice', feature_id: feature })
  return list.map(({ value }: { value: number }) => value)
}

const held = async (feature: string) =>
  ((await story.check(feature)).balance?.breakdown ?? []).map((line: { held?: number }) => line.held ?? 0)

describe('a check with a lock', () => {
  test('holds what is required at once, and says so', async () => {
    await story.grant('messages', { included: 20 })
    const answer = await lock('messages', 8, 'job')
    expect(answer).toMatchObject({ allowed: true, required_balance: 8, balance: { remaining: 12, usage: 8 } })
    expect(answer.lock).toEqual({ lock_id: 'job', held: 8, expires_at: story.world.clock.now + DAY })
    expect(await held('messages')).toEqual([8])
    expect(await values()).toEqual([8])
  })

  test('holds all or nothing, unless it asks for what fits or for everything (K 2.2)', async () => {
    await story.grant('messages', { included: 5 })
    expect(await lock('messages', 8, 'all')).toMatchObject({ allowed: false, reason: 'insufficient_balance' })
    expect(await finalize({ lock_id: 'all', action: 'confirm' })).toBe('400 invalid_request')
    expect(await lock('messages', 8, 'some', { overage_behavior: 'cap' })).toMatchObject({
      allowed: true,
      required_balance: 8,
      lock: { held: 5 },
    })
    expect(await lock('messages', 1, 'none', { overage_behavior: 'cap' })).toMatchObject({ allowed: false })
    await release('some')
    const { allowed, lock: open } = await lock('messages', 8, 'over', { overage_behavior: 'overflow' })
    expect([allowed, open.held]).toEqual([true, 8])
    await story.holds('messages', '5/0/8')
    expect(await values()).toEqual([8, -5, 5])
  })

  test('of nothing holds nothing: no entitlement, an unknown feature, customer or entity (R47, R155)', async () => {
    expect(await lock('messages', 1, 'nothing')).toMatchObject({ allowed: false, balance: null, reason: 'no_balance' })
    expect(await finalize({ lock_id: 'nothing', action: 'confirm' })).toBe('400 invalid_request')
    const of = { enabled: true, lock_id: 'a' }
    expect(await refused(1, of, { feature_id: 'nope' })).toBe('404 feature_not_found')
    expect(await refused(1, of, { customer_id: 'nobody' })).toBe('404 customer_not_found')
    expect(await refused(1, of, { entity_id: 'nobody' })).toBe('404 entity_not_found')
  })

  test('refuses what cannot be held (R48, R150)', async () => {
    await story.grant('seats', { included: 5 })
    const of = { enabled: true, lock_id: 'a' }
    expect(await refused(1, of, { feature_id: 'seats' })).toBe('400 invalid_request')
    expect(await refused(1, of, { feature_id: 'sso' })).toBe('400 invalid_request')
    const { now } = story.world.clock
    expect(await refused(1, { ...of, expires_at: now + DAY + 1 })).toBe('400 invalid_request')
    for (const wrong of [
      { lock_id: 'a' },
      { enabled: false, lock_id: 'a' },
      { enabled: true },
      { enabled: true, lock_id: '' },
      { enabled: true, lock_id: 'x'.repeat(257) },
      { ...of, expires_at: 'soon' },
      { ...of, overage_behavior: 'maybe' },
    ])
      expect(await refused(1, wrong)).toBe('400 invalid_inputs')
  })

  test('an id is used once in an environment as long as its lock is open, by whoever (R152)', async () => {
    await story.grant('messages', { included: 20 })
    await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
    await story.world.ok('balances.create', { customer_id: 'bob', feature_id: 'messages', included: 20 })
    await lock('messages', 8, 'job')
    const of = { enabled: true, lock_id: 'job' }
    expect(await refused(1, of)).toBe('409 lock_already_exists')
    expect(await refused(1, of, { customer_id: 'bob' })).toBe('409 lock_already_exists')
    await story.holds('messages', '20/12/8')
    await confirm('job')
    const { allowed } = await story.world.ok('balances.check', {
      customer_id: 'bob',
      feature_id: 'messages',
      required_balance: 3,
      lock: of,
    })
    expect(allowed).toBe(true)
    expect(await release('job')).toEqual(['messages -3'])
    await story.holds('messages', '20/12/8')
  })

  test('with send_event takes it once', async () => {
    await story.grant('messages', { included: 20 })
    await lock('messages', 5, 'job', {}, { send_event: true })
    await story.holds('messages', '20/15/5')
    expect(await values()).toEqual([5])
  })

  test('many at once hold exactly what there is', async () => {
    await story.grant('messages', { included: 100 })
    const answers = await Promise.all(Array.from({ length: 150 }, (_, i) => lock('messages', 1, `job-${i}`)))
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(100)
    await story.holds('messages', '100/0/100')
    expect(await held('messages')).toEqual([100])
    const settled = await Promise.all(
      answers.flatMap(({ allowed }, i) => (allowed ? [i % 2 === 0 ? release(`job-${i}`) : confirm(`job-${i}`)] : [])),
    )
    const back = settled.filter((lines) => lines.length > 0).length
    await story.holds('messages', `100/${back}/${100 - back}`)
    expect(await held('messages')).toEqual([0])
  })

  test('of an unlimited feature moves its counter (R155)', async () => {
    await story.grant('messages', { unlimited: true })
    expect(await lock('messages', 7, 'job')).toMatchObject({ allowed: true, balance: { usage: 7 } })
    await confirm('job', 3)
    await story.holds('messages', '0/0/3')
  })

  test('a balance that is held down to nothing stays in sight (B96)', async () => {
    await story.grant('messages', { included: 5 })
    await lock('messages', 5, 'job')
    await story.holds('messages', '5/0/5')
    await confirm('job')
    await story.holds('messages', 'nothing')
  })
})

describe('a lock that is finalized', () => {
  // H is an hourly balance and M a monthly one, as in the vectors of section 16.5.
  const fifteen = async (used = 0) => {
    await story.grant('messages', { included: 5, balance_id: 'H', reset: { interval: 'hour' } })
    await story.grant('messages', { included: 10, balance_id: 'M', reset: { interval: 'month' } })
    if (used !== 0) await story.track('messages', used)
  }
  const remaining = async () => (await story.check('messages')).balance.remaining

  test.each([
    ['V31', 0, 8, 5, 10, [-3, 8]],
    ['V32', 5, 8, -3, 13, [-11, 8, 5]],
    ['V32b', 10, -5, -3, 8, [2, -5, 10]],
    ['V32c', 10, -5, 3, 2, [8, -5, 10]],
    ['V32d', 0, 5, -2, 15, [-7, 5]],
    ['V33', 10, -5, -8, 13, [-3, -5, 10]],
    ['V34', 0, 8, 11, 4, [3, 8]],
    ['as it stands', 0, 8, 8, 7, [8]],
    ['beyond what there is (R160, S25)', 0, 8, 20, 0, [12, 8]],
    ['of nothing (V48)', 0, 0, 1.2, 13.8, [1.2, 0]],
  ] as const)('%s: %d used, %d held, %d used of it', async (_name, used, required, target, left, events) => {
    await fifteen(used)
    await lock('messages', required, 'job')
    await confirm('job', target)
    expect(await remaining()).toBe(left)
    expect(await values()).toEqual(events)
  })

  test('V37: by a release gives everything back', async () => {
    await fifteen(5)
    await lock('messages', 8, 'job')
    expect(await release('job')).toEqual(['messages -8'])
    expect(await remaining()).toBe(10)
    expect(await values()).toEqual([-8, 8, 5])
  })

  test('V35, V36: goes back where it came from, the last first', async () => {
    await story.grant('messages', { included: 5, balance_id: 'H', reset: { interval: 'hour' } })
    await story.grant('messages', { included: 20, balance_id: 'L' })
    await lock('messages', 8, 'a')
    await confirm('a', 5)
    expect(await story.lines('messages')).toEqual(['H 0', 'L 20'])
    await story.update('messages', { balance_id: 'H', usage: 0 })
    await lock('messages', 8, 'b')
    await release('b')
    expect(await story.lines('messages')).toEqual(['H 5', 'L 20'])
  })

  test.each([
    ['V40', 95, 8, 3, [2, 200]],
    ['V41', 95, 8, 20, [0, 197]],
    ['V42', 95, 8, undefined, [0, 199.4]],
  ] as const)('%s: what credits paid for goes back at their price', async (_name, used, required, target, left) => {
    await story.grant('messages', { included: 100 })
    await story.grant('credits', { included: 200, reset: { interval: 'month' } })
    await story.track('messages', used)
    await lock('messages', required, 'job')
    await confirm('job', target)
    expect((await story.check('credits')).balance.remaining).toBe(left[1])
    const { balances } = await story.world.ok('customers.get', { customer_id: 'alice' })
    expect(balances['messages']?.remaining ?? 0).toBe(left[0])
  })

  test('V44: of an entity reaches into what it inherits, and no further', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 100, reset: { interval: 'month' } })
    for (const entity_id of ['e1', 'e2'])
      await story.grant('messages', { entity_id, included: 50, reset: { interval: 'month' } })
    const left = async () =>
      Promise.all(
        ['e1', 'e2'].map(async (entity_id) => (await story.check('messages', 1, { entity_id })).balance.remaining),
      )
    await lock('messages', 30, 'job', {}, { entity_id: 'e1' })
    await confirm('job', 80)
    expect(await left()).toEqual([70, 120])
    await lock('messages', 60, 'other', {}, { entity_id: 'e2' })
    await release('other')
    expect(await left()).toEqual([70, 120])
    const { list } = await story.world.ok('events.list', { customer_id: 'alice', entity_id: 'e2' })
    expect(list.map(({ value }: { value: number }) => value)).toEqual([-60, 60])
  })

  test('V49: two at once have one effect (R157)', async () => {
    await fifteen()
    await lock('messages', 8, 'job')
    const answers = await Promise.all(
      [1, 2].map(() => finalize({ lock_id: 'job', action: 'confirm', override_value: 4 })),
    )
    expect(answers.toSorted()).toEqual(['200 undefined', '400 invalid_request'])
    expect(await remaining()).toBe(11)
  })

  test('is gone: again, by another action, or as one that never was (R157)', async () => {
    await fifteen()
    await lock('messages', 8, 'job')
    await confirm('job')
    expect(await finalize({ lock_id: 'job', action: 'confirm' })).toBe('400 invalid_request')
    expect(await finalize({ lock_id: 'job', action: 'release' })).toBe('400 invalid_request')
    expect(await finalize({ lock_id: 'nobody', action: 'release' })).toBe('400 invalid_request')
    expect(await remaining()).toBe(7)
  })

  test('needs to make sense (R156)', async () => {
    for (const wrong of [
      {},
      { lock_id: 'job' },
      { lock_id: 'job', action: 'maybe' },
      { lock_id: 'job', action: 'release', override_value: 3 },
      { lock_id: 'job', action: 'release', keep_open: true },
      { lock_id: 'job', action: 'confirm', keep_open: true },
      { lock_id: 'job', action: 'confirm', keep_open: true, override_value: -1 },
    ])
      expect(await finalize(wrong)).toBe('400 invalid_inputs')
  })

  test('keeps to its overage behavior beyond what was held', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'month' } })
    await lock('messages', 4, 'job', { overage_behavior: 'overflow' })
    await confirm('job', 15)
    await story.holds('messages', '10/0/15')
  })

  test('takes back first what overflowed, though it was taken from the first balance', async () => {
    await story.grant('messages', { included: 5, balance_id: 'H', reset: { interval: 'hour' } })
    await story.grant('messages', { included: 2, balance_id: 'M', reset: { interval: 'month' } })
    await lock('messages', 12, 'job', { overage_behavior: 'overflow' })
    await story.holds('messages', '7/0/12')
    expect(await confirm('job', 6)).toEqual(['messages -5', 'messages -1'])
    await story.holds('messages', '7/1/6')
  })

  test('records its properties, else those of the lock (R165)', async () => {
    await fifteen()
    await lock('messages', 8, 'a', {}, { properties: { job: 1 } })
    await confirm('a', 5)
    await lock('messages', 4, 'b', {}, { properties: { job: 2 } })
    await confirm('b', 5, { properties: { job: 'done' } })
    const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
    expect(list.map(({ properties }: Body) => properties)).toEqual([
      { job: 'done' },
      { job: 2 },
      { job: 1 },
      { job: 1 },
    ])
  })

  test('step by step keeps the rest held', async () => {
    await fifteen()
    await lock('messages', 12, 'job')
    const { lock: open } = await story.world.ok('balances.finalize', {
      lock_id: 'job',
      action: 'confirm',
      override_value: 7,
      keep_open: true,
    })
    expect(open.held).toBe(5)
    // The hourly five and two of the monthly ones are used.
    expect(await held('messages')).toEqual([0, 5])
    expect(await release('job')).toEqual(['messages -5'])
    expect(await remaining()).toBe(8)
    expect(await values()).toEqual([-5, 12])
    expect(await finalize({ lock_id: 'job', action: 'release' })).toBe('400 invalid_request')
  })

  test('step by step may use more than was held, and stays open', async () => {
    await fifteen()
    await lock('messages', 4, 'job')
    const step = { lock_id: 'job', action: 'confirm', keep_open: true }
    await story.world.ok('balances.finalize', { ...step, override_value: 6 })
    expect(await remaining()).toBe(9)
    await story.world.ok('balances.finalize', { ...step, override_value: 2 })
    expect(await remaining()).toBe(7)
    expect(await release('job')).toEqual([])
    expect(await values()).toEqual([2, 2, 4])
  })
})

describe('a lock that nobody finalizes', () => {
  test('lapses exactly at its expiry, and everything goes back (R154, R166)', async () => {
    await story.grant('messages', { included: 20, balance_id: 'a' })
    const end = story.world.clock.now + HOUR
    await lock('messages', 8, 'job', { expires_at: end })
    story.world.clock.set(end - 1)
    await story.holds('messages', '20/12/8')
    story.world.clock.set(end)
    await story.holds('messages', '20/20/0')
    expect(await finalize({ lock_id: 'job', action: 'confirm' })).toBe('400 invalid_request')
    expect(await values()).toEqual([-8, 8])
    const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
    expect(list[0].timestamp).toBe(end)
    // Its id is free, and what lapsed does so once.
    await lock('messages', 8, 'job', { expires_at: end + HOUR })
    await story.holds('messages', '20/12/8')
  })

  test('may still be confirmed at the last moment', async () => {
    await story.grant('messages', { included: 20 })
    const end = story.world.clock.now + HOUR
    await lock('messages', 8, 'job', { expires_at: end })
    story.world.clock.set(end - 1)
    await confirm('job')
    story.world.clock.advance(DAY)
    await story.holds('messages', '20/12/8')
    expect(await values()).toEqual([8])
  })

  test('without an expiry is used for good after 24 hours (R154)', async () => {
    await story.grant('messages', { included: 20 })
    await lock('messages', 8, 'job')
    story.world.clock.advance(DAY - 1)
    expect(await held('messages')).toEqual([8])
    story.world.clock.advance(1)
    expect(await held('messages')).toEqual([0])
    await story.holds('messages', '20/12/8')
    expect(await finalize({ lock_id: 'job', action: 'release' })).toBe('400 invalid_request')
    expect(await values()).toEqual([8])
  })

  test('with an expiry in the past has lapsed by the next look', async () => {
    await story.grant('messages', { included: 20 })
    const { lock: open } = await lock('messages', 8, 'job', { expires_at: story.world.clock.now - HOUR })
    expect(open.expires_at).toBe(story.world.clock.now)
    await story.holds('messages', '20/20/0')
  })

  test('may be held for longer, and for less long', async () => {
    await story.grant('messages', { included: 20 })
    const start = story.world.clock.now
    await lock('messages', 8, 'job', { expires_at: start + HOUR })
    const extend = (expires_at: unknown) => story.world.call('balances.extend', { lock_id: 'job', expires_at })
    const { body } = await extend(start + DAY)
    expect(body).toEqual({ success: true, lock: { lock_id: 'job', held: 8, expires_at: start + DAY } })
    story.world.clock.advance(2 * HOUR)
    expect(await held('messages')).toEqual([8])
    for (const [at, code] of [
      [start + DAY + 2 * HOUR + 1, 'invalid_request'],
      [start + 2 * HOUR, 'invalid_request'],
      ['soon', 'invalid_inputs'],
    ])
      expect((await extend(at)).body.code).toBe(code)
    await extend(start + 3 * HOUR)
    story.world.clock.advance(HOUR)
    await story.holds('messages', '20/20/0')
    expect((await extend(start + 5 * HOUR)).body.code).toBe('invalid_request')
  })
})

describe('a lock over the end of a period (law 8)', () => {
  const monthly = (terms: Body = {}) =>
    story.grant('messages', { included: 100, reset: { interval: 'month' }, ...terms })
  const rollover = (more: Body = {}) => ({
    rollover: { max: null, length: 1, duration: 'month', ...more },
  })
  const onFebruary15 = () => story.at('2026-02-15')
  const rollovers = async () =>
    (await story.check('messages')).balance.rollovers?.map(({ balance }: { balance: number }) => balance)

  // Periods begin on the 15th at 10:00. Locks last a day at most, so they are opened the day before.
  beforeEach(() => story.at('2026-01-15'))

  test('gives back to the rollover of its period', async () => {
    await monthly(rollover())
    story.world.clock.set('2026-02-14T12:00:00Z')
    await lock('messages', 30, 'job')
    onFebruary15()
    expect(await rollovers()).toEqual([70])
    expect(await held('messages')).toEqual([0])
    await release('job')
    expect(await rollovers()).toEqual([100])
    await story.holds('messages', '200/200/0')
  })

  test('opens that rollover where everything was held', async () => {
    await monthly(rollover())
    story.world.clock.set('2026-02-14T12:00:00Z')
    await lock('messages', 100, 'job')
    onFebruary15()
    expect(await rollovers()).toEqual([])
    await confirm('job', 60)
    expect(await rollovers()).toEqual([40])
  })

  test('only up to the cap', async () => {
    await monthly(rollover({ max: 80 }))
    story.world.clock.set('2026-02-14T12:00:00Z')
    await lock('messages', 30, 'job')
    onFebruary15()
    await release('job')
    expect(await rollovers()).toEqual([80])
  })

  test('and without a rollover to nothing', async () => {
    await monthly()
    story.world.clock.set('2026-02-14T12:00:00Z')
    await lock('messages', 30, 'job')
    onFebruary15()
    await story.holds('messages', '100/100/0')
    expect(await release('job')).toEqual([])
    await story.holds('messages', '100/100/0')
    expect(await values()).toEqual([-30, 30])
  })

  test('that lapses at the very boundary is back before it', async () => {
    await monthly(rollover())
    story.world.clock.set('2026-02-14T12:00:00Z')
    await lock('messages', 30, 'job', { expires_at: Date.parse('2026-02-15T10:00:00Z') })
    onFebruary15()
    expect(await rollovers()).toEqual([100])
  })

  test('restores rollovers (V38, V39)', async () => {
    await monthly(rollover({ length: 3 }))
    story.at('2026-03-15')
    expect(await rollovers()).toEqual([100, 100])
    await lock('messages', 250, 'job')
    expect(await rollovers()).toEqual([0, 0])
    await confirm('job', 180)
    expect(await rollovers()).toEqual([0, 20])
    await lock('messages', 10, 'more')
    await confirm('more', 50)
    expect(await rollovers()).toEqual([0, 0])
    await story.holds('messages', '300/70/230')
  })

  test('does not give back what was owed when it ended, to whichever lock comes first', async () => {
    await monthly(rollover())
    story.world.clock.set('2026-02-14T12:00:00Z')
    await lock('messages', 60, 'a')
    await lock('messages', 40, 'b')
    await story.track('messages', 50, { overage_behavior: 'overflow' })
    onFebruary15()
    expect(await rollovers()).toEqual([])
    // Of the 100 of January 50 were used, so without the locks 50 would have been kept.
    expect(await release('b')).toEqual([])
    expect(await release('a')).toEqual(['messages -50'])
    expect(await rollovers()).toEqual([50])
  })

  test('that was moved into the past goes by the boundary that it was moved to, at the very instant too', async () => {
    await monthly()
    await lock('messages', 30, 'before')
    await story.update('messages', { next_reset_at: story.world.clock.now - HOUR })
    await lock('messages', 20, 'after')
    await expectLedgerToAddUp(story.world.store, 'alice')
    expect(await release('before')).toEqual([])
    expect(await held('messages')).toEqual([20])
    expect(await release('after')).toEqual(['messages -20'])
    await story.holds('messages', '100/100/0')
  })

  test('that was moved into the past goes back to the rollover that was kept there', async () => {
    await monthly(rollover())
    await lock('messages', 30, 'job')
    await story.update('messages', { next_reset_at: story.world.clock.now - HOUR })
    expect(await rollovers()).toEqual([70])
    expect(await release('job')).toEqual(['messages -30'])
    expect(await rollovers()).toEqual([100])
  })

  test('of a balance that is deleted afterwards gives nothing to others', async () => {
    await monthly({ balance_id: 'first' })
    await story.grant('messages', { included: 50, balance_id: 'second' })
    story.world.clock.set('2026-02-14T12:00:00Z')
    await lock('messages', 30, 'job')
    onFebruary15()
    await story.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages', balance_id: 'first' })
    await story.track('messages', 40)
    expect(await release('job')).toEqual([])
    expect(await story.lines('messages')).toEqual(['second 10'])
  })

  test('of a rollover that has ended gives nothing back', async () => {
    await monthly(rollover())
    onFebruary15()
    story.world.clock.set('2026-03-15T09:00:00Z')
    await lock('messages', 100, 'job')
    story.at('2026-03-15')
    // The rollover of January ends, and the whole of February's balance is carried over.
    expect(await rollovers()).toEqual([100])
    await release('job')
    expect(await rollovers()).toEqual([100])
  })
})

describe('a balance that goes while something of it is held', () => {
  test('by its expiry takes that with it', async () => {
    const end = story.world.clock.now + HOUR
    await story.grant('messages', { included: 10, balance_id: 'soon', expires_at: end })
    await story.grant('messages', { included: 10, balance_id: 'late' })
    await story.track('messages', 3, {})
    await lock('messages', 12, 'job')
    story.world.clock.set(end)
    await release('job')
    expect(await story.lines('messages')).toEqual(['late 10'])
  })

  test('by deletion: what was held makes up for use of the others (R163)', async () => {
    await story.grant('messages', { included: 10, balance_id: 'first', reset: { interval: 'day' } })
    await story.grant('messages', { included: 50, balance_id: 'second' })
    await lock('messages', 8, 'job')
    await story.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages', balance_id: 'first' })
    await story.track('messages', 20)
    expect(await release('job')).toEqual(['messages -8'])
    expect(await story.lines('messages')).toEqual(['second 38'])
  })

  test('by deletion that keeps its use: what is held was not used', async () => {
    await story.grant('messages', { included: 10, balance_id: 'first', reset: { interval: 'day' } })
    await story.grant('messages', { included: 50, balance_id: 'second' })
    await story.track('messages', 2)
    await lock('messages', 5, 'job')
    const gone = { customer_id: 'alice', feature_id: 'messages', balance_id: 'first', recalculate_balances: true }
    await story.world.ok('balances.delete', gone)
    expect(await story.lines('messages')).toEqual(['second 48'])
    await confirm('job', 5)
    expect(await story.lines('messages')).toEqual(['second 48'])
  })

  test('by deletion that keeps its use, where nothing else could pay for that: it owes what was used, and no more comes back', async () => {
    await story.grant('messages', { included: 10, balance_id: 'only', reset: { interval: 'day' } })
    await story.track('messages', 2)
    await lock('messages', 5, 'job')
    const gone = { customer_id: 'alice', feature_id: 'messages', recalculate_balances: true }
    await story.world.ok('balances.delete', gone)
    await expectLedgerToAddUp(story.world.store, 'alice')
    expect(await release('job')).toEqual([])
    await story.holds('messages', '0/0/2')
  })

  test('a deleted customer takes its locks along, and their ids are free', async () => {
    await story.grant('messages', { included: 10 })
    await lock('messages', 5, 'job')
    await story.world.ok('customers.delete', { customer_id: 'alice' })
    expect(await finalize({ lock_id: 'job', action: 'confirm' })).toBe('400 invalid_request')
    await story.world.ok('customers.get_or_create', { customer_id: 'alice' })
    await story.grant('messages', { included: 10 })
    expect(await lock('messages', 5, 'job')).toMatchObject({ allowed: true })
  })

  test('a deleted entity has nothing to give back to', async () => {
    await story.seat('e1')
    await story.grant('messages', { included: 10, balance_id: 'shared' })
    await story.grant('messages', { entity_id: 'e1', included: 10 })
    await lock('messages', 15, 'job', {}, { entity_id: 'e1' })
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    await release('job')
    expect(await story.lines('messages')).toEqual(['shared 10'])
  })
})

describe('a lock below zero', () => {
  test('that is released takes back what it gave, as far as that is still there', async () => {
    await story.grant('messages', { included: 20, reset: { interval: 'month' } })
    await story.track('messages', 10)
    await lock('messages', -8, 'job')
    await story.holds('messages', '20/18/2')
    await story.track('messages', 15)
    expect(await release('job')).toEqual(['messages 3'])
    await story.holds('messages', '20/0/20')
  })

  test('that paid off a debt is no way to be rid of it', async () => {
    await story.grant('messages', { included: 20, reset: { interval: 'month' } })
    await story.track('messages', 23, { overage_behavior: 'overflow' })
    await lock('messages', -5, 'job')
    await story.holds('messages', '20/2/18')
    expect(await release('job')).toEqual(['messages 5'])
    await story.holds('messages', '20/0/23')
    await lock('messages', -5, 'other')
    await confirm('other', -4)
    await story.holds('messages', '20/1/19')
  })

  test('of an unlimited feature is undone whole', async () => {
    await story.grant('messages', { unlimited: true })
    await story.track('messages', 10)
    await lock('messages', -4, 'job')
    await story.holds('messages', '0/0/6')
    expect(await release('job')).toEqual(['messages 4'])
    await story.holds('messages', '0/0/10')
  })
})

describe('beside a lock', () => {
  test('a use below zero gives back what was used, not what is held', async () => {
    await story.grant('messages', { included: 20, balance_id: 'a' })
    await story.track('messages', 5)
    await lock('messages', 8, 'job')
    await story.track('messages', -10)
    await story.holds('messages', '20/12/8')
    await release('job')
    await story.holds('messages', '20/20/0')
  })

  test('a use below zero does not fill the debt that a lock holds', async () => {
    await story.grant('messages', { included: 5, reset: { interval: 'month' } })
    await story.track('messages', 2)
    await lock('messages', 8, 'job', { overage_behavior: 'overflow' })
    await story.holds('messages', '5/0/10')
    await story.track('messages', -10)
    await story.holds('messages', '5/0/8')
    await release('job')
    await story.holds('messages', '5/5/0')
  })

  test('its event cannot be given back by refund_of', async () => {
    await story.grant('messages', { included: 20 })
    const { event_id } = await lock('messages', 8, 'job')
    const { status, code } = await story.refused('balances.track', { refund_of: event_id })
    expect([status, code]).toEqual([400, 'invalid_request'])
  })

  test('a track holds, too, by the same rules (R150b)', async () => {
    await story.grant('messages', { included: 20 })
    const of = { enabled: true, lock_id: 'job' }
    const answer = await story.track('messages', 8, { lock: of })
    expect(answer).toMatchObject({ value: 8, balance: { remaining: 12 }, lock: { lock_id: 'job', held: 8 } })
    await confirm('job', 3)
    await story.holds('messages', '20/17/3')
    const refusal = (body: Body) => story.refused('balances.track', body).then(({ code }) => code)
    expect(await refusal({ feature_id: 'messages', value: 18, lock: of })).toBe('insufficient_balance')
    expect(await refusal({ feature_id: 'images', value: 1, lock: of })).toBe('insufficient_balance')
    expect(await refusal({ event_name: 'sent', lock: of })).toBe('invalid_inputs')
    await story.holds('messages', '20/17/3')
  })

  test('older versions see what they know', async () => {
    await story.grant('messages', { included: 20, reset: { interval: 'month' } })
    const body = { customer_id: 'alice', feature_id: 'messages', required_balance: 8 }
    const keys = async (version: string) =>
      Object.keys(
        await story.world.ok(
          'balances.check',
          { ...body, lock: { enabled: true, lock_id: version } },
          { 'x-api-version': version },
        ),
      )
    expect(await keys('2.0')).not.toContain('lock')
    expect(await keys('1.2')).not.toContain('lock')
    await release('2.0')
    await release('1.2')
    await story.holds('messages', '20/20/0')
  })
})

describe('a request that is repeated', () => {
  test('with its key opens one lock, and settles it once', async () => {
    await story.grant('messages', { included: 20 })
    const held = {
      customer_id: 'alice',
      feature_id: 'messages',
      required_balance: 8,
      lock: { enabled: true, lock_id: 'j' },
    }
    const key = { 'idempotency-key': 'k1' }
    const first = await story.world.ok('balances.check', held, key)
    expect(await story.world.ok('balances.check', held, key)).toEqual(first)
    const settled = { lock_id: 'j', action: 'confirm', override_value: 3 }
    const done = await story.world.ok('balances.finalize', settled, { 'idempotency-key': 'k2' })
    expect(await story.world.ok('balances.finalize', settled, { 'idempotency-key': 'k2' })).toEqual(done)
    await story.holds('messages', '20/17/3')
    const other = await story.world.call(
      'balances.finalize',
      { ...settled, override_value: 4 },
      { 'idempotency-key': 'k2' },
    )
    expect([other.status, other.body.code]).toEqual([409, 'idempotency_key_reused'])
  })
})

import { beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { codeOf, figuresOf, Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

const now = Date.parse('2026-01-31T10:00:00Z')
type Body = Record<string, unknown>

describe('what an entity sees and spends', () => {
  beforeEach(async () => {
    await story.seat('e1', 'e2', 'e3')
  })

  test('its own and what it shares with the others; the customer is shown all of it (B49, B52, B58, B81)', async () => {
    await story.grant('messages', { included: 50, balance_id: 'shared' })
    for (const entity_id of ['e1', 'e2', 'e3']) {
      await story.grant('messages', { included: 100, entity_id, balance_id: `own ${entity_id}` })
    }
    await story.holds('messages', '350/350/0')
    expect(await story.lines('messages')).toEqual(['shared 50'])
    expect(await story.lines('messages', 'e2')).toEqual(['own e2 100', 'shared 50'])
    await story.update('messages', { entity_id: 'e1', remaining: 100 })
    await story.sees('e1', 'messages', '150/100/50')
    await story.sees('e2', 'messages', '150/150/0')
    await story.holds('messages', '350/300/50')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('two entities side by side (B226)', async () => {
    await story.grant('messages', { included: 100 })
    await story.grant('sso', {})
    for (const entity_id of ['e1', 'e2']) await story.grant('credits', { included: 200, entity_id })
    await story.track('credits', 25, { entity_id: 'e1' })
    await story.update('messages', { entity_id: 'e2', add_to_balance: -15 })
    // Members are paid for with credits of its own before what it inherits (R85), so e2 gave 3 credits for 15 messages.
    await story.sees('e1', 'credits', '200/175/25')
    await story.sees('e1', 'messages', '100/100/0')
    await story.sees('e2', 'credits', '200/197/3')
    for (const entity_id of ['e1', 'e2', 'e3']) {
      const { flags } = await story.world.ok('entities.get', { customer_id: 'alice', entity_id })
      expect(Object.keys(flags)).toEqual(['sso'])
    }
  })

  test('the shared balance is one for all (B49)', async () => {
    await story.grant('messages', { included: 100 })
    await story.track('messages', 30, { entity_id: 'e1' })
    await story.track('messages', 20, { entity_id: 'e2' })
    await story.track('messages', 10)
    for (const entity of ['e1', 'e2', 'e3']) await story.sees(entity, 'messages', '100/40/60')
    await story.holds('messages', '100/40/60')
  })

  test.each<[string, Body, number, string[], string[], string[]]>([
    // label                                  used by             value  taken from               e1 sees                    e2 sees
    [
      'own first, then shared (V20, V23)',
      { entity_id: 'e1' },
      80,
      ['own 50', 'shared 30'],
      ['shared 70'],
      ['other 50', 'shared 70'],
    ],
    [
      'own alone where that is enough',
      { entity_id: 'e1' },
      49,
      ['own 49'],
      ['own 1', 'shared 100'],
      ['other 50', 'shared 100'],
    ],
    [
      'shared, by one without its own',
      { entity_id: 'e3' },
      80,
      ['shared 80'],
      ['own 50', 'shared 20'],
      ['other 50', 'shared 20'],
    ],
    ['shared alone, by the customer (R82)', {}, 80, ['shared 80'], ['own 50', 'shared 20'], ['other 50', 'shared 20']],
    ['no more than is shared, by the customer', {}, 120, ['shared 100'], ['own 50'], ['other 50']],
    ['no more than it sees, by an entity', { entity_id: 'e1' }, 151, ['own 50', 'shared 100'], [], ['other 50']],
  ])('%s', async (_label, by, value, from, first, second) => {
    await story.grant('messages', { included: 100, balance_id: 'shared' })
    await story.grant('messages', { included: 50, entity_id: 'e1', balance_id: 'own' })
    await story.grant('messages', { included: 50, entity_id: 'e2', balance_id: 'other' })
    const names = await namesOf('messages')
    const { deductions } = await story.track('messages', value, by)
    expect(deductions.map((one: Body) => `${names.get(one['balance_id'])} ${one['value']}`)).toEqual(from)
    expect([await story.lines('messages', 'e1'), await story.lines('messages', 'e2')]).toEqual([first, second])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('nothing is taken for the customer where only its entities have something (V24, V79, R34, R52)', async () => {
    await story.grant('messages', { included: 100, entity_id: 'e1' })
    const { allowed, balance } = await story.check('messages')
    expect([allowed, figuresOf(balance), balance.breakdown]).toEqual([false, '100/100/0', []])
    const sent = await story.check('messages', 1, { send_event: true })
    expect([sent.allowed, figuresOf(sent.balance)]).toEqual([false, '100/100/0'])
    const tracked = await story.track('messages', 5)
    expect([tracked.deductions, figuresOf(tracked.balance)]).toEqual([[], '100/100/0'])
    await story.holds('messages', '100/100/0')
    const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
    expect(list.map(({ value }: Body) => value)).toEqual([5])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a check counts what it inherits, and send_event takes from both at once (R34)', async () => {
    await story.grant('messages', { included: 20, balance_id: 'shared' })
    await story.grant('messages', { included: 10, entity_id: 'e1', balance_id: 'own' })
    const check = (value: number, more: Body = {}) => story.check('messages', value, { entity_id: 'e1', ...more })
    expect(await check(30)).toMatchObject({ allowed: true, entity_id: 'e1' })
    expect((await check(30.000000000001)).allowed).toBe(false)
    expect(await check(31, { send_event: true })).toMatchObject({ allowed: false, balance: { remaining: 30 } })
    expect(await check(12, { send_event: true })).toMatchObject({ allowed: true, balance: { remaining: 18 } })
    await story.sees('e2', 'messages', '20/18/2')
    expect((await check(19)).allowed).toBe(false)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('credits of its own go before the messages that it inherits (R84, R85)', async () => {
    await story.grant('messages', { included: 10, balance_id: 'shared messages' })
    await story.grant('credits', { included: 100, balance_id: 'shared credits' })
    await story.grant('credits', { included: 1, entity_id: 'e1', balance_id: 'own credits' })
    await story.grant('messages', { included: 2, entity_id: 'e1', balance_id: 'own messages' })
    const names = await namesOf('messages', 'credits')
    const { deductions } = await story.track('messages', 20, { entity_id: 'e1' })
    // 20 messages: 2 of its own, 5 for its one credit, 10 that it shares, 3 for 0.6 credits that it shares.
    expect(deductions.map(({ balance_id, value }: Body) => [names.get(balance_id), value])).toEqual([
      ['own messages', 2],
      ['own credits', 1],
      ['shared messages', 10],
      ['shared credits', 0.6],
    ])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('an unlimited balance that it inherits takes everything, and hides what is its own (R88)', async () => {
    await story.grant('messages', { unlimited: true })
    await story.grant('messages', { included: 10, entity_id: 'e1' })
    await story.track('messages', 50, { entity_id: 'e1' })
    const { balance, allowed } = await story.check('messages', 1e9, { entity_id: 'e1' })
    expect([allowed, balance.unlimited, figuresOf(balance)]).toEqual([true, true, '0/0/50'])
    await story.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages', interval: 'one_off' })
    await story.holds('messages', 'nothing')
  })

  test('one that is unlimited itself leaves what is shared alone; the customer is shown as unlimited (B53)', async () => {
    await story.grant('messages', { included: 100, balance_id: 'shared' })
    await story.grant('messages', { unlimited: true, entity_id: 'e1' })
    await story.grant('messages', { included: 10, entity_id: 'e2' })
    await story.track('messages', 500, { entity_id: 'e1' })
    await story.track('messages', 30, { entity_id: 'e2' })
    await story.sees('e2', 'messages', '100/80/20')
    await story.sees('e3', 'messages', '100/80/20')
    const { balances } = await story.world.ok('customers.get', { customer_id: 'alice' })
    expect([balances.messages.unlimited, balances.messages.granted, balances.messages.remaining]).toEqual([true, 0, 0])
    // Own use is 20, and the entity's counter stands at 500.
    expect(balances.messages.usage).toBe(520)
    // Shown as unlimited, yet the customer itself may spend only what is its own (R34).
    expect((await story.check('messages', 80)).allowed).toBe(true)
    expect((await story.check('messages', 81)).allowed).toBe(false)
    expect((await story.check('messages', 1e9, { entity_id: 'e1' })).allowed).toBe(true)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a debt of one entity is set off against what others have, in what the customer is shown (B54)', async () => {
    for (const entity_id of ['e1', 'e2']) await story.grant('messages', { included: 50, entity_id })
    await story.update('messages', { entity_id: 'e1', remaining: -20 })
    await story.sees('e1', 'messages', '50/0/70')
    await story.holds('messages', '100/30/70')
    await story.update('messages', { entity_id: 'e1', remaining: -60 })
    await story.holds('messages', '100/0/110')
    expect((await story.check('messages', 1, { entity_id: 'e2' })).allowed).toBe(true)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a debt of the customer is not the debt of an entity that has something (R44)', async () => {
    await story.grant('messages', { included: 10, balance_id: 'shared' })
    await story.grant('messages', { included: 10, entity_id: 'e1', balance_id: 'own' })
    await story.track('messages', 25, { overage_behavior: 'overflow' })
    await story.sees('e1', 'messages', '20/10/25')
    await story.sees('e2', 'messages', '10/0/25')
    await story.holds('messages', '20/10/25')
    // Under overflow an entity owes on its own balance, not on the shared one.
    await story.track('messages', 12, { entity_id: 'e1', overage_behavior: 'overflow' })
    expect(await story.lines('messages', 'e1')).toEqual(['own 0', 'shared 0'])
    await story.sees('e1', 'messages', '20/0/37')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a refund of an entity goes to its own balance first', async () => {
    await story.grant('messages', { included: 100, balance_id: 'shared' })
    await story.grant('messages', { included: 50, entity_id: 'e1', balance_id: 'own' })
    await story.track('messages', 80, { entity_id: 'e1' })
    await story.track('messages', -60, { entity_id: 'e1' })
    expect(await story.lines('messages', 'e1')).toEqual(['own 50', 'shared 80'])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a flag of an entity is its own (B45, R34)', async () => {
    await story.grant('sso', { entity_id: 'e1' })
    expect((await story.check('sso', 1, { entity_id: 'e1' })).flag).toMatchObject({ feature_id: 'sso' })
    for (const more of [{}, { entity_id: 'e2' }]) {
      expect(await story.check('sso', 1, more)).toMatchObject({ allowed: false, flag: null, balance: null })
    }
    await story.grant('sso', {})
    expect((await story.check('sso', 1, { entity_id: 'e2' })).allowed).toBe(true)
    const again = await story.refused('balances.create', { feature_id: 'sso', entity_id: 'e1' })
    expect([again.status, again.code]).toEqual([409, 'invalid_request'])
  })

  test('many entities at once take no more than there is of what they share (R50)', async () => {
    await story.grant('messages', { included: 30 })
    const uses = Array.from({ length: 45 }, (_, i) =>
      story.check('messages', 1, { entity_id: `e${1 + (i % 3)}`, send_event: true }),
    )
    const allowed = (await Promise.all(uses)).filter((answer) => answer.allowed)
    expect(allowed).toHaveLength(30)
    expect((await story.check('messages')).allowed).toBe(false)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  /** The callers' ids of balances by their internal ids. */
  async function namesOf(...features: string[]): Promise<Map<unknown, string>> {
    const names = new Map<unknown, string>()
    for (const feature_id of features) {
      const { balances } = await story.world.ok(`GET /v1/balances/list?customer_id=alice&feature_id=${feature_id}`)
      for (const { customer_entitlement_id, id } of balances) names.set(customer_entitlement_id, id)
    }
    return names
  }
})

describe('entities that share nothing with their customer (B51, R35)', () => {
  beforeEach(async () => {
    await story.seat('e1', 'e2')
    await story.world.ok('customers.update', { customer_id: 'alice', config: { disable_pooled_balance: true } })
    await story.grant('messages', { included: 5000, balance_id: 'shared' })
    await story.grant('messages', { included: 500, entity_id: 'e1', balance_id: 'own' })
  })

  test('see and spend their own alone (V25)', async () => {
    await story.sees('e1', 'messages', '500/500/0')
    await story.sees('e2', 'messages', 'nothing')
    const reject = { feature_id: 'messages', entity_id: 'e1', value: 600, overage_behavior: 'reject' }
    expect(await codeOf(story.world, 'balances.track', { customer_id: 'alice', ...reject })).toBe(
      '400 insufficient_balance',
    )
    const { deductions } = await story.track('messages', 600, { entity_id: 'e1' })
    expect(deductions.map(({ value }: Body) => value)).toEqual([500])
    expect((await story.check('messages', 1, { entity_id: 'e1' })).allowed).toBe(false)
    expect(await story.check('messages', 1, { entity_id: 'e2' })).toMatchObject({ allowed: false, balance: null })
    expect((await story.check('messages', 5000)).allowed).toBe(true)
    expect(await story.lines('messages')).toEqual(['shared 5000'])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('are counted in what the customer is shown all the same (B52)', async () => {
    await story.track('messages', 200, { entity_id: 'e1' })
    await story.holds('messages', '5500/5300/200')
  })

  test('share again when the setting is taken back; other settings leave it alone (B204)', async () => {
    await story.world.ok('customers.update', { customer_id: 'alice', name: 'Alice' })
    await story.sees('e2', 'messages', 'nothing')
    await story.world.ok('customers.update', { customer_id: 'alice', config: {} })
    await story.sees('e2', 'messages', 'nothing')
    await story.world.ok('customers.update', { customer_id: 'alice', config: { disable_pooled_balance: false } })
    await story.sees('e2', 'messages', '5000/5000/0')
    await story.sees('e1', 'messages', '5500/5500/0')
  })

  test('an update of an entity does not reach the shared balance either (B93)', async () => {
    await story.update('messages', { entity_id: 'e1', remaining: 0 })
    await story.holds('messages', '5000/5000/0')
    const refusal = await story.refused('balances.update', { feature_id: 'messages', entity_id: 'e2', remaining: 1 })
    expect([refusal.status, refusal.code]).toEqual([404, 'balance_not_found'])
  })

  test('it can be asked for when the customer is created, and nothing changes it in passing (B189)', async () => {
    const customer_id = 'bob'
    await story.world.ok('customers.get_or_create', { customer_id, config: { disable_pooled_balance: true } })
    await story.world.ok('customers.get_or_create', { customer_id, config: { disable_pooled_balance: false } })
    await story.world.ok('entities.create', { customer_id, entity_id: 'e1', feature_id: 'seats' })
    await story.world.ok('balances.create', { customer_id, feature_id: 'messages', included: 5 })
    const { balances } = await story.world.ok('entities.get', { customer_id, entity_id: 'e1' })
    expect(balances).toEqual({})
  })
})

describe('time passes for entities too', () => {
  beforeEach(async () => {
    await story.seat('e1', 'e2')
  })

  test('resets, rollovers and expiries are those of each balance (B148-B168)', async () => {
    const monthly = { included: 100, reset: { interval: 'month' }, rollover: { max: 50, duration: 'month', length: 1 } }
    await story.grant('messages', { ...monthly, entity_id: 'e1' })
    story.at('2026-02-10')
    await story.grant('messages', { ...monthly, entity_id: 'e2', rollover: undefined })
    await story.grant('messages', { included: 7, expires_at: Date.parse('2026-03-01T00:00:00Z'), entity_id: 'e2' })
    for (const entity_id of ['e1', 'e2']) await story.track('messages', 30, { entity_id })
    await story.holds('messages', '207/147/60')
    const { balance } = await story.check('messages')
    expect(new Date(balance.next_reset_at).toISOString()).toBe('2026-02-28T10:00:00.000Z')
    story.at('2026-02-28')
    await story.sees('e1', 'messages', '150/150/0')
    await story.sees('e2', 'messages', '107/77/30')
    await story.holds('messages', '257/227/30')
    story.at('2026-03-01')
    await story.sees('e2', 'messages', '100/70/30')
    story.at('2026-03-10')
    await story.sees('e2', 'messages', '100/100/0')
    await story.track('messages', 60, { entity_id: 'e1' })
    await story.holds('messages', '250/190/60')
    story.at('2026-03-28')
    await story.sees('e1', 'messages', '100/90/10')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a boundary that an entity crosses is crossed for it alone, however late anyone looks', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'day' }, entity_id: 'e1' })
    await story.grant('messages', { included: 10, reset: { interval: 'month' }, entity_id: 'e2' })
    await story.grant('messages', { included: 10, reset: { interval: 'week' } })
    for (const entity_id of ['e1', 'e2']) await story.track('messages', 10, { entity_id })
    await story.track('messages', 10)
    await story.holds('messages', '30/0/30')
    story.at('2026-02-01')
    await story.sees('e1', 'messages', '20/10/10')
    await story.sees('e2', 'messages', '20/0/20')
    await story.holds('messages', '30/10/20')
    story.at('2026-03-01')
    await story.holds('messages', '30/30/0')
    await story.track('messages', 1, { entity_id: 'e2' })
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('what is used up for good is not shown, neither to the entity nor in the total', async () => {
    await story.grant('messages', { included: 10, entity_id: 'e1' })
    await story.grant('messages', { included: 5, reset: { interval: 'day' }, entity_id: 'e1' })
    await story.track('messages', 15, { entity_id: 'e1' })
    await story.sees('e1', 'messages', '5/0/5')
    await story.holds('messages', '5/0/5')
    await story.track('messages', -7, { entity_id: 'e1' })
    await story.sees('e1', 'messages', '15/7/8')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('the next reset and the expiry of an entity’s balance are moved by hand (B119, B122)', async () => {
    await story.grant('messages', { included: 10, reset: { interval: 'month' }, entity_id: 'e1', balance_id: 'own' })
    await story.grant('messages', { included: 10, reset: { interval: 'month' }, balance_id: 'shared' })
    await story.track('messages', 4, { entity_id: 'e1' })
    await story.update('messages', { entity_id: 'e1', balance_id: 'own', next_reset_at: now - 1 })
    await story.sees('e1', 'messages', '20/20/0')
    await story.update('messages', { entity_id: 'e1', balance_id: 'own', expires_at: now + 5000 })
    story.world.clock.advance(5000)
    await story.sees('e1', 'messages', '10/10/0')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })
})

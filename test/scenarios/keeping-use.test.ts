import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import type { World } from '../world.ts'
import { Kept } from './kept.ts'
import { codeOf, figuresOf } from './story.ts'

type Body = Record<string, unknown>
/** An operation and what it says, `customer_id` apart. */
type Act = [operation: string, body: Body]

const now = Date.parse('2026-01-31T10:00:00Z')
const DAY = 86_400_000
const MESSAGES = { feature_id: 'messages' }

let world: World

describe('deleting balances and keeping their use, with a restart after each deletion,', () => {
  const kept = new Kept()
  beforeAll(async () => {
    world = await kept.open(now)
    await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
    await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
    await world.ok('features.create', { feature_id: 'sso', name: 'SSO', type: 'boolean' })
    const credit_schema = [{ metered_feature_id: 'messages', credit_cost: 2 }]
    await world.ok('features.create', { feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema })
  })
  beforeEach(async () => {
    world.clock.set(now)
    await act('customers.get_or_create', {})
  })
  afterEach(async () => {
    expect(world.faults).toEqual([])
    await expectLedgerToAddUp(world.store, 'alice')
    await act('customers.delete', {})
  })
  afterAll(() => kept.remove())

  /** From here on only what was kept counts. Ids are in order only within one process, so what comes later is later. */
  async function reopen(): Promise<void> {
    world.clock.advance(1000)
    world = await kept.open(world.clock.now)
  }

  async function remove(body: Body): Promise<void> {
    await act('balances.delete', { ...MESSAGES, recalculate_balances: true, ...body })
    await reopen()
  }

  const A = (used: number, more: Body = {}): Act[] => balance('a', 100, used, more)
  const B = (used: number, more: Body = {}): Act[] => balance('b', 200, used, more)

  test.each<[string, Act[], Body, string, string[]]>([
    // label                                       before                             deleted                   left: granted/remaining/usage
    [
      'not kept: it goes (B132)',
      [...A(40), ...B(0)],
      { balance_id: 'a', recalculate_balances: false },
      '200/200/0',
      ['b 200/200/0'],
    ],
    ['moves to what is left (B133)', [...A(40), ...B(0)], { balance_id: 'a' }, '200/160/40', ['b 200/160/40']],
    ['more than was granted (B133)', [...A(130), ...B(0)], { balance_id: 'a' }, '200/70/130', ['b 200/70/130']],
    ['is added to what was used there', [...A(40), ...B(50)], { balance_id: 'a' }, '200/110/90', ['b 200/110/90']],
    ['fractions', [...A(0.1), ...B(0.2)], { balance_id: 'a' }, '200/199.7/0.3', ['b 200/199.7/0.3']],
    ['nothing was used (B133)', [...A(0), ...B(0)], { balance_id: 'a' }, '200/200/0', ['b 200/200/0']],
    ['less than nothing (B133)', [...A(-20), ...B(30)], { balance_id: 'a' }, '200/170/30', ['b 200/170/30']],
    ['more than is left is owed', [...A(130), ...B(150)], { balance_id: 'a' }, '200/0/280', ['b 200/0/280']],
    [
      'in the order of consumption',
      [...A(130), ...B(0), ...balance('month', 30, 0, { reset: { interval: 'month' } })],
      { balance_id: 'a' },
      '230/100/130',
      ['b 200/100/100', 'month 30/0/30'],
    ],
    [
      'what more than all have is owed by the first',
      [...A(250), ...B(0), ...balance('month', 30, 0, { reset: { interval: 'month' } })],
      { balance_id: 'a' },
      // What is used up and does not reset is left out of the sum.
      '30/0/50',
      ['b 200/0/200', 'month 30/0/50'],
    ],
    [
      'of one interval',
      [...A(40, { reset: { interval: 'day' } }), ...B(0)],
      { interval: 'day' },
      '200/160/40',
      ['b 200/160/40'],
    ],
    [
      'of several at once',
      [...A(40), ...balance('c', 100, 30), ...B(0, { reset: { interval: 'day' } })],
      { interval: 'one_off' },
      '200/130/70',
      ['b 200/130/70'],
    ],
    ['onto a balance that is used up (B96)', [...A(40), ...B(200)], { balance_id: 'a' }, '200/0/240', ['b 200/0/240']],
    ['nothing is left: it is owed (B134)', A(40), {}, '0/0/40', ['a 0/0/40']],
    ['several collapse into one (B134)', [...A(40), ...B(30)], {}, '0/0/70', ['a 0/0/70']],
    ['used up ones are found (B135)', [...A(100), ...B(30)], {}, '0/0/130', ['a 0/0/130']],
    ['what was given too much is set off', [...A(40), ...B(-10)], {}, '0/0/30', ['a 0/0/30']],
    ['nothing is left and nothing was used', [...A(0), ...B(0)], {}, 'nothing', []],
    ['nothing is left and less than nothing was used', A(-5), {}, 'nothing', []],
    [
      'the grant that was changed by hand goes with it',
      [...A(40), ['balances.update', { ...MESSAGES, balance_id: 'a', included_grant: 150 }]],
      {},
      '0/0/90',
      ['a 0/0/90'],
    ],
  ])('%s', async (_label, before, deletion, figures, lines) => {
    for (const [operation, body] of before) await act(operation, body)
    await remove(deletion)
    expect(await held()).toBe(figures)
    expect(await listed()).toEqual(lines)
  })

  test('without a feature nothing is deleted (B128)', async () => {
    await all(A(40))
    const keeping = { customer_id: 'alice', balance_id: 'a', recalculate_balances: true }
    expect(await codeOf(world, 'balances.delete', keeping)).toBe('400 invalid_request')
    await reopen()
    expect(await held()).toBe('100/60/40')
  })

  test.each<[string, Body, string]>([
    ['a feature that nobody defined', { feature_id: 'nope' }, '404 feature_not_found'],
    ['a feature that is not held', { feature_id: 'credits' }, '404 balance_not_found'],
    ['an id that none has', { balance_id: 'nope' }, '404 balance_not_found'],
    ['an interval that none has', { interval: 'year' }, '404 balance_not_found'],
    ['an entity that is not there', { entity_id: 'nobody' }, '404 entity_not_found'],
  ])('%s: nothing is deleted', async (_label, wrong, code) => {
    await all([...A(40), ...B(0)])
    const body = { customer_id: 'alice', ...MESSAGES, recalculate_balances: true, ...wrong }
    expect(await codeOf(world, 'balances.delete', body)).toBe(code)
    await reopen()
    expect(await held()).toBe('300/260/40')
  })

  test('a flag is simply gone', async () => {
    await act('balances.create', { feature_id: 'sso' })
    await remove({ feature_id: 'sso' })
    expect((await world.ok('customers.get', { customer_id: 'alice' })).flags).toEqual({})
  })

  test('credits do not take over what was used of their member', async () => {
    await all([...A(40), ['balances.create', { feature_id: 'credits', included: 500, balance_id: 'c' }]])
    await remove({})
    expect([await held(), await held('credits')]).toEqual(['0/0/40', '500/500/0'])
  })

  test('credits that were used are kept among credits', async () => {
    for (const [balance_id, included] of [
      ['c1', 100],
      ['c2', 50],
    ])
      await act('balances.create', { feature_id: 'credits', included, balance_id })
    await act('balances.track', { ...MESSAGES, value: 15 })
    await remove({ feature_id: 'credits', balance_id: 'c1' })
    expect(await held('credits')).toBe('50/20/30')
  })

  describe('what owes it', () => {
    const terms = { reset: { interval: 'month' }, rollover: { max: 50, length: 1 } }

    test('keeps its ids, and has neither reset, rollover nor expiry', async () => {
      await all(A(0, terms))
      world.clock.set('2026-02-28T10:00:00Z')
      await all([...used('a', 40), ...B(30, { expires_at: now + 60 * DAY })])
      const [before] = (await list()).filter(({ id }) => id === 'a')
      expect((await check()).balance.rollovers).toHaveLength(1)
      await remove({})
      const after = await list()
      expect(after).toHaveLength(1)
      expect(after[0]).toEqual({
        ...before,
        included_grant: 0,
        remaining: 0,
        usage: 70,
        reset: { interval: 'one_off', resets_at: null },
        expires_at: null,
      })
      expect(await check()).toMatchObject({ balance: { next_reset_at: null, breakdown: [{ id: 'a' }] } })
      expect((await check()).balance.rollovers).toBeUndefined()
      for (const instant of ['2026-03-31T10:00:00Z', '2026-05-01T10:00:00Z', '2030-01-01T10:00:00Z']) {
        world.clock.set(instant)
        expect(await held(), instant).toBe('0/0/70')
      }
      const update = { customer_id: 'alice', ...MESSAGES, balance_id: 'a' }
      expect(await codeOf(world, 'balances.update', { ...update, next_reset_at: world.clock.now + DAY })).toBe(
        '400 invalid_request',
      )
      await act('balances.update', { ...update, usage: 65 })
      expect(await held()).toBe('0/0/65')
    })

    test('that would have expired stays', async () => {
      await all(A(40, { expires_at: now + DAY }))
      await remove({})
      world.clock.advance(2 * DAY)
      expect(await held()).toBe('0/0/40')
    })

    test('is paid back by refunds, and left out once nothing is owed', async () => {
      await all(A(40, terms))
      await remove({})
      await act('balances.track', { ...MESSAGES, value: -15 })
      await reopen()
      expect(await held()).toBe('0/0/25')
      await act('balances.track', { ...MESSAGES, value: -100 })
      await reopen()
      expect([await held(), await listed()]).toEqual(['nothing', ['a 0/0/0']])
      await act('balances.track', { ...MESSAGES, value: 1, overage_behavior: 'overflow' })
      expect(await held()).toBe('0/0/1')
    })

    test('does not spend later grants, which a recalculation sets off against it', async () => {
      await all([...A(40, terms)])
      await remove({})
      await all(B(0, { reset: { interval: 'month' } }))
      expect([await held(), (await check(200)).allowed, (await check(201)).allowed]).toEqual([
        '200/200/40',
        true,
        false,
      ])
      await act('balances.track', { ...MESSAGES, value: 10 })
      expect(await listed()).toEqual(['a 0/0/40', 'b 200/190/10'])
      await act('balances.recalculate', MESSAGES)
      await reopen()
      expect([await held(), await listed()]).toEqual(['200/150/50', ['a 0/0/0', 'b 200/150/50']])
    })

    test('can be deleted as well, with or without what it owes', async () => {
      await all(A(40))
      await remove({})
      await remove({})
      expect(await listed()).toEqual(['a 0/0/40'])
      await all(B(0))
      await remove({ balance_id: 'a' })
      expect(await listed()).toEqual(['b 200/160/40'])
      await remove({})
      await remove({ recalculate_balances: false })
      expect([await held(), await listed()]).toEqual(['nothing', []])
    })

    test('lets its id be used again only once it is gone', async () => {
      await all(A(40))
      await remove({})
      const again = { customer_id: 'alice', ...MESSAGES, included: 1, balance_id: 'a' }
      expect(await codeOf(world, 'balances.create', again)).toBe('409 invalid_request')
      await remove({ recalculate_balances: false })
      expect(await codeOf(world, 'balances.create', again)).toBe('200')
    })
  })

  describe('rollovers', () => {
    const terms = { reset: { interval: 'month' }, rollover: { max: 50, length: 3 } }

    test('of what is deleted go with it, and what was used of them too', async () => {
      await all(A(0, terms))
      world.clock.set('2026-02-28T10:00:00Z')
      await act('balances.track', { ...MESSAGES, value: 70 })
      expect(await held()).toBe('150/80/70')
      await all(B(0))
      await remove({ balance_id: 'a' })
      expect([await held(), (await check()).balance.rollovers]).toEqual(['200/180/20', undefined])
    })

    test('that are left pay first', async () => {
      await all(B(0, terms))
      world.clock.set('2026-02-28T10:00:00Z')
      await all(A(70))
      await remove({ balance_id: 'a' })
      const { balance } = await check()
      expect([figuresOf(balance), balance.rollovers]).toMatchObject(['250/180/70', [{ granted: 50, balance: 0 }]])
      world.clock.set('2026-03-31T10:00:00Z')
      expect(figuresOf((await check()).balance)).toBe('300/250/50')
    })
  })

  describe('unlimited balances', () => {
    const UNLIMITED: Act = ['balances.create', { ...MESSAGES, unlimited: true, balance_id: 'u' }]

    test('among those that are left take over', async () => {
      await all([...A(40), UNLIMITED, ...B(0)])
      await remove({ balance_id: 'a' })
      expect(await listed()).toEqual(['u unlimited 40', 'b 200/200/0'])
      expect((await check(1e9)).allowed).toBe(true)
    })

    test('that are deleted leave nothing behind: what they gave was never taken from anything', async () => {
      await all([UNLIMITED, ['balances.track', { ...MESSAGES, value: 25 }], ...B(30)])
      expect(await listed()).toEqual(['u unlimited 25', 'b 200/170/30'])
      await remove({ balance_id: 'u' })
      expect(await listed()).toEqual(['b 200/170/30'])
      await act('balances.create', { ...MESSAGES, unlimited: true, balance_id: 'v' })
      await remove({ balance_id: 'v' })
      expect(await held()).toBe('200/170/30')
    })

    test('that are deleted alone are gone', async () => {
      await all([UNLIMITED, ['balances.track', { ...MESSAGES, value: 25 }]])
      await remove({})
      expect(await listed()).toEqual([])
    })

    test('that are deleted with a finite one leave what was used of that', async () => {
      await all([...A(40), UNLIMITED])
      await remove({})
      expect(await listed()).toEqual(['a 0/0/40'])
    })
  })

  describe('entities', () => {
    beforeEach(async () => {
      const entities = ['e1', 'e2', 'e3'].map((entity_id) => ({ entity_id, feature_id: 'seats' }))
      await act('entities.create', { entities })
    })
    const own = (entity_id: string, id: string, granted: number, use: number, more: Body = {}): Act[] => [
      ['balances.create', { ...MESSAGES, entity_id, included: granted, balance_id: id, ...more }],
      ['balances.update', { ...MESSAGES, entity_id, balance_id: id, usage: use }],
    ]

    test('one owes what all of its own had used (B135)', async () => {
      await all([...own('e1', 'a', 100, 100), ...own('e1', 'b', 100, 30)])
      await remove({ entity_id: 'e1' })
      expect([await held('messages', 'e1'), await listed()]).toEqual(['0/0/130', ['a 0/0/130 of e1']])
      expect(await held()).toBe('0/0/130')
    })

    test('one moves it among its own, never to what it inherits', async () => {
      await all([...B(0), ...own('e1', 'x', 100, 40), ...own('e1', 'y', 100, 0)])
      await remove({ entity_id: 'e1', balance_id: 'x' })
      expect(await listed()).toEqual(['b 200/200/0', 'y 100/60/40 of e1'])
      await remove({ entity_id: 'e1' })
      expect(await listed()).toEqual(['b 200/200/0', 'y 0/0/40 of e1'])
      expect(await held('messages', 'e2')).toBe('200/200/0')
    })

    test('each owner keeps its own, in one request for all', async () => {
      await all([
        ...balance('c', 50, 10),
        ...own('e1', 'x', 100, 40),
        ...own('e1', 'y', 100, 25),
        ...own('e2', 'z', 100, 0),
        ...own('e3', 'v', 100, 5),
      ])
      await remove({})
      expect(await listed()).toEqual(['c 0/0/10', 'x 0/0/65 of e1', 'v 0/0/5 of e3'])
      expect(await held()).toBe('0/0/80')
      expect(await held('messages', 'e2')).toBe('0/0/10')
    })

    test('each owner moves it to what it has left itself', async () => {
      const monthly = { reset: { interval: 'month' } }
      await all([
        ...balance('c', 50, 10, monthly),
        ...balance('d', 50, 0),
        ...own('e1', 'x', 100, 40, monthly),
        ...own('e1', 'y', 100, 0),
        ...own('e2', 'z', 100, 20, monthly),
      ])
      await remove({ interval: 'month' })
      expect(await listed()).toEqual(['d 50/40/10', 'y 100/60/40 of e1', 'z 0/0/20 of e2'])
    })

    test('a customer that shares nothing keeps it all the same', async () => {
      await act('customers.update', { config: { disable_pooled_balance: true } })
      await all([...B(0), ...own('e1', 'x', 100, 40)])
      await remove({ entity_id: 'e1' })
      expect([await held('messages', 'e1'), await listed()]).toEqual(['0/0/40', ['b 200/200/0', 'x 0/0/40 of e1']])
    })
  })

  describe('seats', () => {
    const SEATS = { feature_id: 'seats' }
    const grant = (balance_id: string, included: number) => act('balances.create', { ...SEATS, included, balance_id })
    const sit = (...ids: string[]) =>
      act('entities.create', { entities: ids.map((entity_id) => ({ entity_id, ...SEATS })) })
    const leave = (entity_id: string) => act('entities.delete', { entity_id })

    test('are taken from what is left, and given back there', async () => {
      await grant('a', 5)
      await sit('e1', 'e2')
      await grant('b', 3)
      await remove({ ...SEATS, balance_id: 'a' })
      expect(await listed('seats')).toEqual(['b 3/1/2'])
      await leave('e1')
      expect(await listed('seats')).toEqual(['b 3/2/1'])
      await sit('e3')
      await leave('e2')
      await leave('e3')
      await reopen()
      expect(await listed('seats')).toEqual(['b 3/3/0'])
    })

    test('are owed where nothing is left, until the entities go', async () => {
      await grant('a', 5)
      await sit('e1', 'e2')
      await remove(SEATS)
      expect([await held('seats'), await listed('seats')]).toEqual(['0/0/2', ['a 0/0/2']])
      await grant('b', 4)
      expect(await held('seats')).toBe('4/4/2')
      await leave('e1')
      await reopen()
      expect(await listed('seats')).toEqual(['a 0/0/1', 'b 4/4/0'])
      await leave('e2')
      expect([await held('seats'), await listed('seats')]).toEqual(['4/4/0', ['a 0/0/0', 'b 4/4/0']])
      await sit('e3')
      expect(await held('seats')).toBe('4/3/1')
    })

    test('of several balances are owed by one', async () => {
      await grant('a', 1)
      await grant('b', 4)
      await sit('e1', 'e2', 'e3')
      await act('balances.track', { ...SEATS, value: 1 })
      await remove(SEATS)
      expect(await listed('seats')).toEqual(['a 0/0/4'])
      for (const id of ['e1', 'e2', 'e3']) await leave(id)
      // What was tracked by hand is nobody's seat.
      expect(await listed('seats')).toEqual(['a 0/0/1'])
    })

    test('that are taken from several balances are given back to those', async () => {
      await grant('a', 5)
      await sit('e1', 'e2')
      await grant('b', 1)
      await grant('c', 5)
      await remove({ ...SEATS, balance_id: 'a' })
      expect(await listed('seats')).toEqual(['b 1/0/1', 'c 5/4/1'])
      await leave('e1')
      await leave('e2')
      expect(await listed('seats')).toEqual(['b 1/1/0', 'c 5/5/0'])
    })
  })
})

function act(operation: string, body: Body) {
  return world.ok(operation, { customer_id: 'alice', ...body })
}

async function all(acts: readonly Act[]): Promise<void> {
  for (const [operation, body] of acts) await act(operation, body)
}

/** A balance of messages, and what was used of it. */
function balance(balance_id: string, included: number, use: number, more: Body = {}): Act[] {
  return [['balances.create', { ...MESSAGES, included, balance_id, ...more }], ...used(balance_id, use)]
}

function used(balance_id: string, usage: number): Act[] {
  return [['balances.update', { ...MESSAGES, balance_id, usage }]]
}

function check(required_balance = 1) {
  return act('balances.check', { ...MESSAGES, required_balance })
}

/** granted/remaining/usage, as the customer or one of its entities is shown them. */
async function held(feature = 'messages', entity_id?: string): Promise<string> {
  const subject = entity_id === undefined ? 'customers.get' : 'entities.get'
  const { balances } = await act(subject, entity_id === undefined ? {} : { entity_id })
  return figuresOf(balances[feature])
}

type Line = {
  id: string
  entity_id: string | null
  feature_id: string
  included_grant: number
  remaining: number
  usage: number
  unlimited: boolean
}

async function list(feature = 'messages'): Promise<Line[]> {
  const { balances } = await act('balances.list', {})
  return balances.filter(({ feature_id }: Line) => feature_id === feature)
}

/** Every balance there is, used-up ones too, as `id granted/remaining/usage of entity`. */
async function listed(feature = 'messages'): Promise<string[]> {
  return (await list(feature)).map((one) => {
    const figures = one.unlimited ? `unlimited ${one.usage}` : `${one.included_grant}/${one.remaining}/${one.usage}`
    return `${one.id} ${figures}${one.entity_id === null ? '' : ` of ${one.entity_id}`}`
  })
}

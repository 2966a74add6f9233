import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance, feature } from '../../test/build.ts'
import { judge } from './access.ts'
import { adjust } from './adjust.ts'
import { amount, formatAmount } from './amount.ts'
import type { Balance } from './balance.ts'
import { newCustomer } from './customer.ts'
import type { OverageBehavior } from './deduction.ts'
import type { Entity } from './entity.ts'
import { catalogueOf, type Feature } from './feature.ts'
import { hold, settleLock } from './hold.ts'
import { allBalances, type Holdings, holdingsOf } from './holdings.ts'
import { Journal } from './ledger.ts'
import { flatTariff } from './price.ts'
import { refund } from './refund.ts'
import { isRefusal, type Refusal } from './refusal.ts'
import { summaryFor } from './subject-summary.ts'
import type { Target } from './target.ts'
import { use } from './usage.ts'
import type { UsageEvent } from './usage-event.ts'
import { within } from './within.ts'

const NOW = 1000
const messages = feature('messages')
const credits = feature('credits', {
  kind: 'credit_system',
  costs: [{ feature: messages.uid, tariff: flatTariff(amount('2')) }],
})
const catalogue = catalogueOf(1, [messages, credits])
const entity = (id: string): Entity => ({ uid: `ent_${id}`, id, name: null, feature: 'feat_seats', createdAt: 0 })
// Not in the order of their ids.
const people = ['e2', 'e1', 'e3'].map(entity)

/** Balances by a name that begins with the entity they are of, if any: `own`, `e1 a`. */
type Held = Readonly<Record<string, BalanceSketch & { of?: Feature }>>
const slice = (more: BalanceSketch & { of?: Feature } = {}) => ({ granted: '50', slice: true, ...more })

function holdings(held: Held): Holdings {
  const balances = Object.entries(held).map(([name, { of = messages, ...sketch }]): Balance => {
    const owner = /^e\d/.exec(name)?.[0]
    return {
      ...balance({ ...sketch, uid: `cus_ent_${name}` }),
      feature: of.uid,
      entity: owner === undefined ? null : `ent_${owner}`,
    }
  })
  return holdingsOf(newCustomer('cus_1', 'sandbox', 'alice', {}, 0), people, balances, 0, 0)
}

function left(after: Holdings | Refusal): string {
  if (isRefusal(after)) return after.code
  const rows = [...allBalances(after)].map(
    (one) => `${one.uid.slice('cus_ent_'.length)} ${formatAmount(one.remaining)}`,
  )
  return rows.toSorted().join(', ')
}

function used(before: Holdings, units: string, who: string | null = null, behavior: OverageBehavior = 'cap') {
  return use(before, who, [messages], amount(units), {}, behavior, catalogue, new Journal(NOW, 'evt'))
}

const spent = (...args: Parameters<typeof used>) => {
  const result = used(...args)
  return isRefusal(result) ? result.code : left(result.holdings)
}

const V19: Held = { own: { granted: '100', every: 'month', nextAt: 9e9 }, 'e1 a': slice(), 'e2 a': slice() }

/** `granted remaining used`, and a line each with its own. */
function shown(before: Holdings, who: string | null = null) {
  const summary = summaryFor(before, who, messages)
  if (summary === null) return 'nothing'
  const lines = summary.breakdown.map((line) => `${formatAmount(line.includedGrant)}-${formatAmount(line.usage)}`)
  const figures = [summary.granted, summary.remaining, summary.usage].map(formatAmount)
  return `${figures.join(' ')}: ${lines.join(', ')}`
}

describe('an item that each entity has for itself', () => {
  test('is seen whole by the customer, and each slice by its entity (V19, B33-B36)', () => {
    const before = holdings(V19)
    expect(shown(before)).toBe('200 200 0: 100-0, 100-0')
    expect(shown(before, 'ent_e1')).toBe('150 150 0: 50-0, 100-0')
    expect(shown(before, 'ent_e3')).toBe('100 100 0: 100-0')
    expect(judge(before, null, messages, amount('200'), {}, catalogue).allowed).toBe(true)
    expect(judge(before, null, messages, amount('200.1'), {}, catalogue).allowed).toBe(false)
    expect(judge(before, 'ent_e1', messages, amount('150.1'), {}, catalogue).allowed).toBe(false)
  })

  test('debts of a slice are not set off against another, as those of what entities have by themselves are (B54)', () => {
    expect(shown(holdings({ 'e1 a': slice({ left: '-20' }), 'e2 a': slice() }))).toBe('100 50 70: 100-70')
    const both = holdings({
      'e1 a': slice({ left: '-20' }),
      'e1 b': { granted: '10', left: '-5' },
      'e2 b': { granted: '10' },
    })
    expect(shown(both)).toBe('70 5 85: 50-70')
  })

  test.each<[string, string, string | null, OverageBehavior, string]>([
    ['an entity spends its slice, then what it shares (V20)', '80', 'ent_e1', 'cap', 'e1 a 0, e2 a 50, own 70'],
    [
      'the customer what is its own, then slice by slice in the order of ids (V21)',
      '120',
      null,
      'cap',
      'e1 a 30, e2 a 50, own 0',
    ],
    ['all of it', '200', null, 'reject', 'e1 a 0, e2 a 0, own 0'],
    ['no more than that', '200.1', null, 'reject', 'insufficient_balance'],
    ['what overflows is owed by the first', '201', null, 'overflow', 'e1 a 0, e2 a 0, own -1'],
  ])('%s', (_label, units, who, behavior, expected) => {
    expect(spent(holdings(V19), units, who, behavior)).toBe(expected)
  })

  test('slices come item by item', () => {
    const items: Held = {
      'e1 b': slice({ item: 1 }),
      'e2 b': slice({ item: 1 }),
      'e1 a': slice({ createdAt: 9 }),
      'e2 a': slice({ createdAt: 5 }),
      'e2 m': slice({ item: 2, every: 'month', nextAt: 9e9 }),
    }
    const order = within(holdings(items), null, messages.uid).map(({ uid }) => uid.slice('cus_ent_'.length))
    expect(order).toEqual(['e2 m', 'e1 a', 'e2 a', 'e1 b', 'e2 b'])
    expect(summaryFor(holdings(items), null, messages)?.breakdown.map(({ id }) => id)).toEqual([
      'cus_ent_pro_2',
      'cus_ent_pro_0',
      'cus_ent_pro_1',
    ])
  })

  test('an item stays one, whatever its slices have come to differ in', () => {
    const items: Held = {
      'e1 a': slice({ expiresAt: 30, nextAt: 500, every: 'day' }),
      'e2 a': slice({ expiresAt: 10, nextAt: 200, every: 'day' }),
      'e3 a': slice({ nextAt: 900, every: 'day' }),
      'e1 b': slice({ item: 1, expiresAt: 20, nextAt: 400, every: 'day' }),
    }
    const order = within(holdings(items), null, messages.uid).map(({ uid }) => uid.slice('cus_ent_'.length))
    expect(order).toEqual(['e1 a', 'e2 a', 'e3 a', 'e1 b'])
    const breakdown = summaryFor(holdings(items), null, messages)?.breakdown
    expect(breakdown?.map(({ id, reset, expiresAt }) => [id, reset?.resetsAt, expiresAt])).toEqual([
      ['cus_ent_pro_0', 200, 10],
      ['cus_ent_pro_1', 400, 20],
    ])
  })

  test('credits are paid with slice by slice in the order of ids, however old each is (R97)', () => {
    const held: Held = {
      'e1 c': slice({ of: credits, createdAt: 9 }),
      'e2 c': slice({ of: credits, createdAt: 5 }),
      'e3 c': slice({ of: credits, createdAt: 7 }),
    }
    expect(spent(holdings(held), '30')).toBe('e1 c 0, e2 c 40, e3 c 50')
  })

  test('what rolled over of slices and ends together is one line (section 14)', () => {
    const rollover = { months: 1 }
    const held: Held = {
      'e1 a': slice({ rollover, rollovers: [{ left: '50', used: '10', expiresAt: 5 }] }),
      'e2 a': slice({
        rollover,
        rollovers: [
          { left: '100', expiresAt: 5 },
          { left: '7', expiresAt: 9 },
        ],
      }),
      own: { rollover, rollovers: [{ left: '1', expiresAt: 6 }] },
    }
    const { rollovers, ...sums } = summaryFor(holdings(held), null, messages) ?? { rollovers: null }
    expect(
      rollovers?.map((one) => `${formatAmount(one.granted)} ${formatAmount(one.remaining)} ${one.expiresAt}`),
    ).toEqual(['160 150 5', '1 1 6', '7 7 9'])
    expect(sums).toMatchObject({ granted: amount('368'), remaining: amount('358'), usage: amount('10') })
  })

  test('a flag that each entity has for itself is held by the customer, too (R34)', () => {
    const sso = feature('sso', { kind: 'boolean' })
    const flags = holdings({ 'e1 a': slice({ of: sso }), 'e2 a': slice({ of: sso }) })
    expect(judge(flags, null, sso, amount('1'), {}, catalogue)).toMatchObject({
      allowed: true,
      flag: { id: 'cus_ent_pro_0', planId: 'pro' },
    })
    expect(judge(flags, 'ent_e2', sso, amount('1'), {}, catalogue)).toMatchObject({ flag: { id: 'cus_ent_e2 a' } })
    expect(judge(flags, 'ent_e3', sso, amount('1'), {}, catalogue)).toMatchObject({ allowed: false, flag: null })
  })

  test.each<[string, Held, Parameters<typeof adjust>[4], Target, string | null, string]>([
    [
      'an unlimited item by all of its use (B104)',
      { 'e1 a': slice({ granted: 'unlimited', left: '-5' }), 'e2 a': slice({ granted: 'unlimited', left: '-3' }) },
      { remaining: amount('-20') },
      {},
      null,
      'e1 a -17, e2 a -3',
    ],
    [
      'an item by the id that it is shown with',
      { ...V19, 'e1 b': slice({ item: 1 }) },
      { remaining: amount('90') },
      { balanceId: 'cus_ent_pro_0' },
      null,
      'e1 a 40, e1 b 50, e2 a 50, own 100',
    ],
    [
      'an entity’s part of it by that id',
      V19,
      { remaining: amount('9') },
      { anyId: 'cus_ent_pro_0' },
      'ent_e2',
      'e1 a 50, e2 a 9, own 100',
    ],
    [
      'a slice by its own',
      V19,
      { remaining: amount('9') },
      { balanceId: 'cus_ent_e2 a' },
      null,
      'e1 a 50, e2 a 9, own 100',
    ],
    ['what was used of all of them (B110)', V19, { usage: amount('130') }, {}, null, 'e1 a 20, e2 a 50, own 0'],
    [
      'nothing that entities have by themselves (B93)',
      { 'e1 b': {} },
      { remaining: amount('9') },
      {},
      null,
      'balance_not_found',
    ],
  ])('sets %s', (_label, held, change, target, who, expected) => {
    expect(left(adjust(holdings(held), who, messages, target, change, catalogue, new Journal(NOW, 'update')))).toBe(
      expected,
    )
  })

  test('a next reset or an expiry is set for all slices of an item, and for an entity’s own alone (B93, B119, B122)', () => {
    const every = { every: 'month', nextAt: 5000 } as const
    const before = holdings({ 'e1 a': slice(every), 'e2 a': slice(every), 'e1 b': slice({ item: 1 }) })
    const times = (who: string | null, change: Parameters<typeof adjust>[4]) => {
      const after = adjust(before, who, messages, {}, change, catalogue, new Journal(NOW, 'update'))
      if (isRefusal(after)) throw new Error(after.code)
      return [...allBalances(after)]
        .map(({ uid, reset, expiresAt }) => `${uid.slice(8)} ${reset?.nextAt} ${expiresAt}`)
        .toSorted()
    }
    expect(times(null, { nextResetAt: 2000 })).toEqual(['e1 a 2000 null', 'e1 b undefined null', 'e2 a 2000 null'])
    expect(times(null, { expiresAt: 2000 })).toEqual(['e1 a 5000 2000', 'e1 b undefined null', 'e2 a 5000 2000'])
    expect(times('ent_e2', { expiresAt: 2000 })).toEqual(['e1 a 5000 null', 'e1 b undefined null', 'e2 a 5000 2000'])
  })

  test('a slice without limit absorbs everything (R88)', () => {
    expect(spent(holdings({ ...V19, 'e2 a': slice({ granted: 'unlimited' }) }), '500')).toBe(
      'e1 a 50, e2 a -500, own 100',
    )
  })

  test('the customer spends its own credits before slices of the feature itself (R84 key 1)', () => {
    const held: Held = { pool: { of: credits, granted: '20' }, 'e1 a': slice(), 'e1 c': slice({ of: credits }) }
    expect(spent(holdings(held), '15')).toBe('e1 a 45, e1 c 50, pool 0')
    expect(spent(holdings(held), '70')).toBe('e1 a 0, e1 c 30, pool 0')
    expect(spent(holdings(held), '70', 'ent_e1')).toBe('e1 a 0, e1 c 10, pool 20')
  })

  test('each slice may owe what its price allows, and the customer is told of all (B42)', () => {
    const held: Held = {
      'e1 a': slice({ method: 'usage_based', max: '5' }),
      'e2 a': slice({ method: 'usage_based', max: '5' }),
    }
    expect(spent(holdings(held), '500')).toBe('e1 a -5, e2 a -5')
    expect(judge(holdings(held), null, messages, amount('110'), {}, catalogue).allowed).toBe(true)
    expect(summaryFor(holdings(held), null, messages)).toMatchObject({
      overageAllowed: true,
      maxPurchase: amount('10'),
    })
    const more = { ...held, 'e3 b': { method: 'usage_based', max: '7' } as const }
    expect(summaryFor(holdings(more), null, messages)).toMatchObject({ maxPurchase: amount('17') })
  })

  test.each([
    ['release', '0', 'e1 a 50, e2 a 50, own 100'],
    ['confirm in part (V45)', '60', 'e1 a 50, e2 a 50, own 40'],
    ['confirm more (V46)', '160', 'e1 a 0, e2 a 40, own 0'],
  ])('a lock of the customer holds slices, too: %s', (_label, target, expected) => {
    const terms = { id: 'job', uid: 'lock_1', behavior: 'reject', lapsesAt: NOW + 1, atLapse: 'release' } as const
    const journal = new Journal(NOW, 'hold')
    const held = hold(holdings(V19), null, messages, amount('120'), {}, terms, catalogue, journal)
    if (isRefusal(held) || held.lock === null) throw new Error('held')
    expect(left(held.usage.holdings)).toBe('e1 a 30, e2 a 50, own 0')
    const { holdings: settled } = settleLock(
      held.usage.holdings,
      held.lock,
      amount(target),
      {},
      false,
      catalogue,
      journal,
    )
    expect(left(settled)).toBe(expected)
  })

  test('what an event took of a slice goes back there', () => {
    const usage = used(holdings(V19), '120')
    if (isRefusal(usage)) throw new Error(usage.code)
    const event: UsageEvent = {
      ...{ uid: 'evt_1', name: 'messages', value: amount('120'), properties: {}, entity: null, refundOf: null },
      ...{ lock: null, timestamp: NOW, recordedAt: NOW, deductions: usage.deductions },
    }
    const back = refund(usage.holdings, null, event, [messages], amount('30'), catalogue, new Journal(NOW, 'evt_2'))
    expect(isRefusal(back) ? back.code : left(back.usage.holdings)).toBe('e1 a 50, e2 a 50, own 10')
  })

  test.each([
    ['240', 'e1 a 40, e2 a 100, e3 a 100'],
    ['150', 'e1 a 0, e2 a 50, e3 a 100'],
    ['310', 'e1 a 110, e2 a 100, e3 a 100'],
  ])('set by hand without an entity, %s is of all slices (B98, section 7.3)', (remaining, expected) => {
    const three = Object.fromEntries(['e1 a', 'e2 a', 'e3 a'].map((name) => [name, slice({ granted: '100' })]))
    const change = { remaining: amount(remaining) }
    expect(left(adjust(holdings(three), null, messages, {}, change, catalogue, new Journal(NOW, 'update')))).toBe(
      expected,
    )
  })
})

import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance, feature } from '../../test/build.ts'
import { deny, judge } from './access.ts'
import { amount, formatAmount } from './amount.ts'
import { audit } from './audit.ts'
import type { Balance } from './balance.ts'
import { newCustomer } from './customer.ts'
import type { OverageBehavior } from './deduction.ts'
import { catalogueOf, type Feature } from './feature.ts'
import { hold, lapse, settleLock } from './hold.ts'
import { allBalances, type Holdings, holdingsOf, lockOf, settle, withLock } from './holdings.ts'
import { Journal, type Posting } from './ledger.ts'
import { flatTariff } from './price.ts'
import { refund } from './refund.ts'
import { isRefusal } from './refusal.ts'
import { bringUpToDate } from './up-to-date.ts'
import { use } from './usage.ts'
import type { UsageEvent } from './usage-event.ts'

/** Use beyond what is granted, of balances that come from plans. */

const DAY = 86_400_000
const NOW = 1000
const messages = feature('messages')
const seats = feature('seats', { kind: 'metered', consumable: false })
const videos = feature('videos')
const credits = feature('credits', {
  kind: 'credit_system',
  costs: [
    { feature: messages.uid, tariff: flatTariff(amount('0.2')) },
    {
      feature: videos.uid,
      tariff: {
        ...flatTariff(0n),
        tiers: [
          { to: amount('10'), cost: amount('2') },
          { to: null, cost: amount('0.5') },
        ],
      },
    },
  ],
})
const catalogue = catalogueOf(1, [messages, seats, videos, credits])

type Row = BalanceSketch & { of?: Feature }
const usage = (more: Row = {}): Row => ({ method: 'usage_based', ...more })
const monthly = { every: 'month', nextAt: 31 * DAY } as const

function held(rows: readonly Row[]): Holdings {
  const balances = rows.map(
    ({ of = messages, ...sketch }, i): Balance => ({
      ...balance({ createdAt: i, ...sketch, uid: `cus_ent_${i}` }),
      feature: of.uid,
    }),
  )
  return holdingsOf(newCustomer('cus_1', 'sandbox', 'alice', {}, 0), [], balances, 0, 0)
}

/** What is left of each, by row. */
function left(holdings: Holdings): string[] {
  return [...allBalances(holdings)]
    .toSorted((a, b) => (a.uid < b.uid ? -1 : 1))
    .map(({ remaining }) => formatAmount(remaining))
}

function used(holdings: Holdings, units: string, behavior: OverageBehavior = 'cap', of = messages) {
  const result = use(holdings, null, [of], amount(units), {}, behavior, catalogue, new Journal(NOW, 'evt'))
  return isRefusal(result) ? result.code : left(result.holdings)
}

describe('the table of spec 3.4: asked, used at once, held', () => {
  const full = usage({ granted: '100', left: '0', max: '50' })
  const twenty = usage({ granted: '100', left: '-20', max: '50' })
  test.each<[string, Row[], Feature, string, { check: boolean; sendEvent: boolean; lock: boolean }]>([
    // label                                                held                             of        q      allowed: {check, send_event, lock}
    ['2: nothing is held', [], messages, '1', { check: false, sendEvent: false, lock: false }],
    [
      '3: one is without limit (V77)',
      [full, { granted: 'unlimited' }],
      messages,
      '1000',
      { check: true, sendEvent: true, lock: true },
    ],
    [
      '4: something is given back',
      [{ left: '0', every: 'day' }],
      messages,
      '-1',
      { check: true, sendEvent: true, lock: true },
    ],
    ['7: within what is granted', [usage({ max: '1' })], messages, '100', { check: true, sendEvent: true, lock: true }],
    [
      '7: without a maximum (V72)',
      [usage({ left: '0' })],
      messages,
      '1000000000',
      { check: true, sendEvent: true, lock: true },
    ],
    ['7: up to the maximum (V73)', [twenty], messages, '30', { check: true, sendEvent: true, lock: true }],
    ['7: beyond the maximum (V73)', [twenty], messages, '31', { check: false, sendEvent: false, lock: false }],
    [
      '7: nothing at the maximum',
      [usage({ left: '-50', max: '50' })],
      messages,
      '0.1',
      { check: false, sendEvent: false, lock: false },
    ],
    [
      '7: zero units at the maximum (R39)',
      [usage({ left: '-50', max: '50' })],
      messages,
      '0',
      { check: true, sendEvent: true, lock: true },
    ],
    [
      '7: what is left of one, what another may owe (R42)',
      [{ granted: '40', left: '5', prepaid: '40' }, twenty],
      messages,
      '35',
      { check: true, sendEvent: true, lock: true },
    ],
    [
      '7: and no more than both (R42)',
      [{ granted: '40', left: '5', prepaid: '40' }, twenty],
      messages,
      '36',
      { check: false, sendEvent: false, lock: false },
    ],
    [
      '7: the maxima of two',
      [twenty, usage({ left: '0', max: '10' })],
      messages,
      '40',
      { check: true, sendEvent: true, lock: true },
    ],
    [
      '7: one of two has no maximum (R41)',
      [twenty, usage({ left: '-500', max: '1', price: { maxPurchase: null } })],
      messages,
      '10000',
      { check: true, sendEvent: true, lock: true },
    ],
    [
      '7: a debt elsewhere counts against the maxima of a check alone (R44)',
      [{ left: '-20' }, full],
      messages,
      '31',
      { check: false, sendEvent: true, lock: true },
    ],
    [
      '7: rollovers come first',
      [{ ...twenty, rollovers: [{ left: '7', expiresAt: null }] }],
      messages,
      '37',
      { check: true, sendEvent: true, lock: true },
    ],
    [
      '7: credits that may be owed (R107)',
      [usage({ of: credits, left: '0', max: '2' })],
      messages,
      '10',
      { check: true, sendEvent: true, lock: true },
    ],
    [
      '7: no more of them',
      [usage({ of: credits, left: '0', max: '2' })],
      messages,
      '11',
      { check: false, sendEvent: false, lock: false },
    ],
    [
      '7: seats that are sold',
      [usage({ of: seats, left: '0', max: '2' })],
      seats,
      '2',
      { check: true, sendEvent: true, lock: true },
    ],
    [
      '8: what is free stops at zero',
      [{ left: '3', plan: 'free' }],
      messages,
      '4',
      { check: false, sendEvent: false, lock: false },
    ],
    [
      '8: what is bought in advance does, too (R108)',
      [{ left: '3', prepaid: '90', max: '500' }],
      messages,
      '4',
      { check: false, sendEvent: false, lock: false },
    ],
    [
      '8: free seats (R43)',
      [{ of: seats, left: '0', plan: 'free' }],
      seats,
      '1',
      { check: false, sendEvent: false, lock: false },
    ],
  ])('%s', (_label, rows, of, q, expected) => {
    const holdings = held(rows)
    const terms = { id: 'job', uid: 'lock_1', behavior: 'reject', lapsesAt: NOW + 1, atLapse: 'release' } as const
    const taken = use(holdings, null, [of], amount(q), {}, 'reject', catalogue, new Journal(NOW, 'evt'))
    const locked = hold(holdings, null, of, amount(q), {}, terms, catalogue, new Journal(NOW, 'evt'))
    expect({
      check: judge(holdings, null, of, amount(q), {}, catalogue).allowed,
      sendEvent: !isRefusal(taken) && (taken.held || amount(q) <= 0n),
      lock: !isRefusal(locked) && locked.lock !== null,
    }).toEqual(expected)
  })

  test('what tiers of credits cost is asked of the balance that would owe it', () => {
    const rows = [usage({ of: credits, left: '0', every: 'day' }), usage({ of: credits, left: '0', max: '10' })]
    expect(judge(held(rows), null, videos, amount('12'), {}, catalogue).required).toBe(amount('21'))
    const free = [{ of: credits, left: '1', plan: 'free' }, usage({ of: credits, left: '0', max: '24' })]
    // Half a unit is paid by the first, and of the second ten are paid at 2 and one and a half at 0.5: one balance alone would ask 21.
    expect(judge(held(free), null, videos, amount('12'), {}, catalogue)).toMatchObject({
      required: amount('21.75'),
      allowed: true,
    })
  })
})

describe('what is taken (R91-R93, R108)', () => {
  test.each<[string, Row[], string, OverageBehavior, string[] | string]>([
    ['no more than the maximum (V13)', [usage({ max: '50' })], '500', 'cap', ['-50']],
    ['up to the maximum under reject', [usage({ max: '50' })], '150', 'reject', ['-50']],
    ['nothing beyond it under reject', [usage({ max: '50' })], '150.1', 'reject', 'insufficient_balance'],
    ['beyond it under overflow (R96)', [usage({ max: '50' })], '500', 'overflow', ['-400']],
    ['nothing more of what overflowed', [usage({ left: '-400', max: '50' })], '1', 'cap', ['-400']],
    ['what was bought in advance stops at zero', [{ granted: '300', prepaid: '200' }], '500', 'cap', ['0']],
    [
      'what is positive before anything is owed (V2)',
      [usage({ ...monthly, granted: '500', left: '0' }), { granted: '200', plan: 'gift' }],
      '300',
      'cap',
      ['-100', '0'],
    ],
    [
      'a later grant pays, and no debt of before (V4)',
      [usage({ ...monthly, left: '-100' }), { granted: '200' }],
      '150',
      'cap',
      ['-100', '50'],
    ],
    [
      'the first without a maximum owes all the rest (R92)',
      [usage({ left: '0', max: '5' }), usage({ left: '0' }), usage({ left: '0' })],
      '100',
      'cap',
      ['-5', '-95', '0'],
    ],
    [
      'each down to its maximum',
      [usage({ left: '1', max: '5' }), usage({ left: '2', max: '7' })],
      '100',
      'cap',
      ['-5', '-7'],
    ],
    ['the first of all owes what overflows', [{ left: '0' }, usage({ left: '0' })], '3', 'overflow', ['-3', '0']],
  ])('%s', (_label, rows, units, behavior, expected) => {
    expect(used(held(rows), units, behavior)).toEqual(expected)
  })

  test('credits are owed in credits (R107)', () => {
    const rows = [{ granted: '10' }, usage({ of: credits, granted: '1', max: '3' })]
    expect(used(held(rows), '25')).toEqual(['0', '-2'])
    expect(used(held(rows), '30', 'reject')).toEqual(['0', '-3'])
    expect(used(held(rows), '31', 'reject')).toBe('insufficient_balance')
  })

  test('seats that are sold keep to their maximum, free ones do not, bought ones stop (R94, R101)', () => {
    expect(used(held([usage({ of: seats, granted: '5', max: '2' })]), '9', 'cap', seats)).toEqual(['-2'])
    expect(used(held([{ of: seats, granted: '5', plan: 'free' }]), '9', 'cap', seats)).toEqual(['-4'])
    expect(used(held([{ of: seats, granted: '5', plan: 'free' }]), '9', 'reject', seats)).toBe('insufficient_balance')
    expect(used(held([{ of: seats, granted: '5', prepaid: '3' }]), '9', 'cap', seats)).toEqual(['0'])
  })

  test('month, gift and what is used: taken in order, given back debts first (V27, R111)', () => {
    let holdings = held([{ ...monthly, granted: '100' }, { granted: '50' }, usage({ granted: '0', ...monthly })])
    const seen = ['180', '-20', '-20', '-50'].map((units) => {
      const result = use(holdings, null, [messages], amount(units), {}, 'cap', catalogue, new Journal(NOW, 'evt'))
      if (isRefusal(result)) throw new Error(result.code)
      holdings = result.holdings
      return left(holdings)
    })
    expect(seen).toEqual([
      ['0', '0', '-30'],
      ['0', '0', '-10'],
      ['10', '0', '0'],
      ['60', '0', '0'],
    ])
  })

  test('of one event the debt comes back first, and no more than it took', () => {
    const before = held([usage({ granted: '10', max: '5' })])
    const taken = use(before, null, [messages], amount('14'), {}, 'cap', catalogue, new Journal(NOW, 'evt_1'))
    if (isRefusal(taken)) throw new Error(taken.code)
    expect(taken.deductions).toMatchObject([{ planId: 'pro', amount: amount('14') }])
    const event: UsageEvent = {
      ...{ uid: 'evt_1', name: 'messages', value: amount('14'), properties: {}, entity: null },
      ...{ refundOf: null, lock: null, timestamp: NOW, recordedAt: NOW, deductions: taken.deductions },
    }
    const back = (units: string) =>
      refund(taken.holdings, null, event, [messages], amount(units), catalogue, new Journal(NOW, 'evt_2'))
    const some = back('5')
    expect(isRefusal(some) ? some.code : left(some.usage.holdings)).toEqual(['1'])
    expect(back('14.1')).toMatchObject({ code: 'refund_exceeds_event' })
  })
})

describe('locks hold what may be owed', () => {
  const rows = [{ granted: '10' }, usage({ granted: '0', max: '5' })]

  function opened(units: string, behavior: OverageBehavior, from = held(rows)) {
    const journal = new Journal(NOW, 'hold')
    const terms = { id: 'job', uid: 'lock_1', behavior, lapsesAt: NOW + 1, atLapse: 'release' } as const
    const result = hold(from, null, messages, amount(units), {}, terms, catalogue, journal)
    if (isRefusal(result)) return result.code
    const lock = lockOf(result.usage.holdings, 'job')
    return lock === undefined ? 'nothing held' : { lock, holdings: result.usage.holdings, postings: journal.postings }
  }

  function open(units: string, behavior: OverageBehavior) {
    const result = opened(units, behavior)
    if (typeof result === 'string') throw new Error(result)
    return result
  }

  test.each<[string, string, OverageBehavior, string | string[]]>([
    ['all of it under reject', '15', 'reject', ['0', '-5']],
    ['nothing of it where it is too much', '16', 'reject', 'insufficient_balance'],
    ['what fits under cap', '20', 'cap', ['0', '-5']],
    ['all of it under overflow', '20', 'overflow', ['-10', '0']],
  ])('%s (R151, K 2.2)', (_label, units, behavior, expected) => {
    const result = opened(units, behavior)
    expect(typeof result === 'string' ? result : left(result.holdings)).toEqual(expected)
  })

  test('nothing is held under cap where nothing may be owed', () => {
    expect(opened('1', 'cap', held([usage({ left: '-5', max: '5' })]))).toBe('nothing held')
  })

  test.each<[string, string, string[]]>([
    ['a release gives all of it back', '0', ['10', '0']],
    ['what is confirmed in part is used from the first on, debts come back first (R161)', '12', ['0', '-2']],
    ['a whole one stays owed', '14', ['0', '-4']],
    ['more is taken as far as may be owed (R160)', '20', ['0', '-5']],
  ])('%s', (_label, target, expected) => {
    const { lock, holdings } = open('14', 'reject')
    const { holdings: after } = settleLock(
      holdings,
      lock,
      amount(target),
      {},
      false,
      catalogue,
      new Journal(NOW, 'end'),
    )
    expect(left(after)).toEqual(expected)
    expect([...allBalances(after)].map((one) => one.held)).toEqual([0n, 0n])
  })

  test('a lapse gives it back', () => {
    const { lock, holdings } = open('14', 'reject')
    expect(left(lapse(holdings, lock, new Journal(NOW + 1, 'time')))).toEqual(['10', '0'])
  })

  test('what was owed at a reset is paid off by what comes back of that period (law 8)', () => {
    const from = held([usage({ ...monthly, granted: '10', left: '-3', rollover: { months: null } })])
    const result = opened('4', 'reject', from)
    if (typeof result === 'string') throw new Error(result)
    const { lock, holdings } = result
    const at = 31 * DAY
    const renewed = bringUpToDate({ ...holdings, locks: null }, at, catalogueOf(1, []), new Journal(at, 'time'))
    expect(left(renewed)).toEqual(['10'])
    const later = bringUpToDate(
      withLock(holdings, { ...lock, lapsesAt: at + 1 }),
      at + 1,
      catalogueOf(1, []),
      new Journal(at + 1, 'time'),
    )
    // Seven were owed then, and four of them come back: nothing that could be carried over.
    expect([...allBalances(later)].map(({ remaining, rollovers }) => [formatAmount(remaining), rollovers])).toEqual([
      ['10', []],
    ])
  })

  test('every line that ends below zero has its permit, and the books add up (laws 1 and 2)', () => {
    const fresh = held([usage({ granted: '10', max: '5' })])
    const [before] = [...allBalances(fresh)]
    if (before === undefined) throw new Error('there is one')
    const journal = new Journal(NOW, 'test')
    journal.post('grant', before, null, {
      amount: before.remaining,
      granted: before.remaining,
      after: before.remaining,
    })
    const terms = { id: 'job', uid: 'lock_1', behavior: 'reject', lapsesAt: NOW + 9, atLapse: 'release' } as const
    const result = hold(fresh, null, messages, amount('14'), {}, terms, catalogue, journal)
    if (isRefusal(result) || result.lock === null) throw new Error('held')
    const { holdings } = settleLock(result.usage.holdings, result.lock, amount('12'), {}, false, catalogue, journal)
    expect(audit(settle(holdings, journal), journal.postings)).toEqual([])
    const told = ({ kind, remainingAfter, permit }: Posting) => `${kind} ${formatAmount(remainingAfter)} ${permit}`
    expect(journal.postings.map(told)).toEqual([
      'grant 10 null',
      'hold 0 null',
      'hold -4 overage',
      'confirm -4 overage',
      'confirm -4 overage',
      'release -2 overage',
    ])
  })
})

test('why not, and from which reset on, where nothing more may be owed', () => {
  const from = held([usage({ ...monthly, granted: '10', left: '-5', max: '5' })])
  const denied = (units: string) =>
    deny(from, null, messages, catalogue, (then) => judge(then, null, messages, amount(units), {}, catalogue).allowed)
  expect(denied('1')).toEqual({ reason: 'insufficient_balance', availableAt: 31 * DAY })
  expect(denied('15')).toEqual({ reason: 'insufficient_balance', availableAt: 31 * DAY })
  expect(denied('16')).toEqual({ reason: 'insufficient_balance', availableAt: null })
})

import { describe, expect, test } from 'vitest'
import { type Adjustment, adjust, setTotal } from '../../src/domain/adjust.ts'
import { amount, formatAmount } from '../../src/domain/amount.ts'
import { type Balance, grantedOf } from '../../src/domain/balance.ts'
import { newCustomer } from '../../src/domain/customer.ts'
import { catalogueOf, type Feature } from '../../src/domain/feature.ts'
import { allBalances, type Holdings, holdingsOf } from '../../src/domain/holdings.ts'
import { Journal } from '../../src/domain/ledger.ts'
import { flatTariff } from '../../src/domain/price.ts'
import { redistribute } from '../../src/domain/redistribution.ts'
import { isRefusal, type Refusal } from '../../src/domain/refusal.ts'
import { type BalanceSketch, balance, feature } from '../build.ts'

const messages = feature('messages', { kind: 'metered', consumable: true })
const sso = feature('sso', { kind: 'boolean' })
const credits = feature('credits', {
  kind: 'credit_system',
  costs: [{ feature: 'feat_messages', tariff: flatTariff(amount('1')) }],
})
const catalogue = catalogueOf(1, [messages, sso, credits])
const alice = newCustomer('cus_1', 'sandbox', 'alice', {}, 0)
const NOW = 1_000

/** Balances by a short name. */
type Held = Readonly<Record<string, BalanceSketch & { of?: Feature; entity?: string }>>

const holdings = (held: Held): Holdings =>
  holdingsOf(
    alice,
    [{ uid: 'ent_desk', id: 'desk', name: null, feature: 'feat_seats', createdAt: 0 }],
    Object.entries(held).map(
      ([name, { of = messages, entity = null, ...sketch }]): Balance => ({
        ...balance({ ...sketch, uid: `cus_ent_${name}` }),
        feature: of.uid,
        entity,
        ...(of === sso ? { terms: { kind: 'flag' } } : {}),
      }),
    ),
    0,
    0,
  )

function adjusted(held: Held, change: Adjustment, of = messages, journal = new Journal(NOW, 'update'), target = {}) {
  return adjust(holdings(held), null, of, target, change, catalogue, journal)
}

/** `name left`, in consumption order. */
function left(after: Holdings | Refusal): string[] | string {
  if (isRefusal(after)) return after.code
  return [...allBalances(after)].map(
    ({ uid, remaining }) => `${uid.slice('cus_ent_'.length)} ${formatAmount(remaining)}`,
  )
}

function one(after: Holdings | Refusal, name: string): Balance | undefined {
  return isRefusal(after) ? undefined : [...allBalances(after)].find(({ uid }) => uid === `cus_ent_${name}`)
}

describe('what is refused, and what is not', () => {
  const flag = { a: { of: sso } }
  test.each<[string, Held, Adjustment, Feature, string[] | string]>([
    ['nothing is asked of nothing (B89)', {}, {}, messages, []],
    ['nothing, spelled out', {}, { usage: undefined }, messages, []],
    ['adding where nothing is held', {}, { addToBalance: amount('1') }, messages, 'balance_not_found'],
    ['setting where nothing is held', {}, { remaining: amount('1') }, messages, 'balance_not_found'],
    ['adding reaches credits (B107)', { a: { of: credits } }, { addToBalance: amount('1') }, messages, ['a 101']],
    [
      'but no grant is set on them',
      { a: { of: credits } },
      { addToBalance: amount('1'), includedGrant: amount('5') },
      messages,
      'balance_not_found',
    ],
    ['a flag expires', flag, { expiresAt: NOW + 1 }, sso, ['a 100']],
    ['a flag expires, and nothing else is asked', flag, { expiresAt: NOW + 1, usage: undefined }, sso, ['a 100']],
    ['a flag has no amount', flag, { remaining: amount('1') }, sso, 'invalid_inputs'],
    ['a flag has no amount, expiring or not', flag, { expiresAt: NOW + 1, usage: amount('1') }, sso, 'invalid_inputs'],
    [
      'an amount to be and an amount to add',
      { a: {} },
      { remaining: amount('1'), addToBalance: amount('1') },
      messages,
      'invalid_inputs',
    ],
    [
      'an amount to be and one to have used',
      { a: {} },
      { remaining: amount('1'), usage: amount('1') },
      messages,
      'invalid_inputs',
    ],
    [
      'an amount to have used and one to add',
      { a: {} },
      { usage: amount('1'), addToBalance: amount('1') },
      messages,
      'invalid_inputs',
    ],
    ['an expiry that has come', { a: {} }, { expiresAt: NOW }, messages, 'invalid_request'],
    [
      'a grant without limit',
      { a: { granted: 'unlimited' } },
      { includedGrant: amount('1') },
      messages,
      'invalid_request',
    ],
    ['a reset of what never resets', { a: {} }, { nextResetAt: NOW + 1 }, messages, 'invalid_request'],
    [
      'one without limit counts from what is set (B104)',
      { a: { granted: 'unlimited', left: '-7' } },
      { remaining: amount('3') },
      messages,
      ['a 3'],
    ],
  ])('%s', (_label, held, change, of, expected) => {
    expect(left(adjusted(held, change, of))).toEqual(expected)
  })

  test('a total is set only where every balance is finite (B125)', () => {
    const total = (held: Held) =>
      left(setTotal(holdings(held), null, messages, amount('5'), new Journal(NOW, 'update')))
    expect(total({ a: {}, b: { granted: 'unlimited' } })).toBe('invalid_request')
    expect(total({ a: {} })).toEqual(['a 5'])
    expect(total({})).toBe('balance_not_found')
  })
})

test('what is set by hand is posted as that, up and down', () => {
  const journal = new Journal(NOW, 'update')
  adjusted({ a: {} }, { addToBalance: amount('1') }, messages, journal)
  adjusted({ a: {} }, { addToBalance: amount('-1') }, messages, journal)
  expect(journal.postings.map(({ kind, amount: moved }) => [kind, formatAmount(moved)])).toEqual([
    ['adjust', '1'],
    ['adjust', '-1'],
  ])
})

test('setting the usage leaves to each balance its own rollovers (B110)', () => {
  const rolled = (by: string) => [{ left: by, expiresAt: null }]
  const after = adjusted(
    { a: { rollovers: rolled('1') }, b: { createdAt: 1, rollovers: rolled('2') } },
    { usage: amount('150') },
  )
  expect(left(after)).toEqual(['a 0', 'b 50'])
  expect(['a', 'b'].map((name) => one(after, name)?.rollovers[0]?.remaining)).toEqual([amount('1'), amount('2')])
})

describe('amounts that are set (B98-B114)', () => {
  const rolled = (by: string, used = '0') => [{ left: by, used, expiresAt: null }]
  const change = (key: 'remaining' | 'usage' | 'includedGrant', to: string): Adjustment => ({ [key]: amount(to) })
  const two: Held = { a: { left: '60' }, b: { createdAt: 1, left: '50' } }

  test.each<[string, Held, Adjustment, string[]]>([
    // label                                       held                                    set                         left
    ['what remains, down, from the first', two, change('remaining', '20'), ['a 0', 'b 20']],
    ['what remains, up, on the first', two, change('remaining', '200'), ['a 150', 'b 50']],
    ['what remains, as it is', two, change('remaining', '110'), ['a 60', 'b 50']],
    ['below zero leaves nothing, and the first owes it', two, change('remaining', '-5'), ['a -5', 'b 0']],
    ['a debt is healed first', { a: { left: '-5' }, b: { left: '10' } }, change('remaining', '7'), ['a 0', 'b 7']],
    [
      'rollovers count as what remains, and go first',
      { a: { left: '5', rollovers: rolled('2') } },
      change('remaining', '4'),
      ['a 4'],
    ],
    ['what was used', two, change('usage', '30'), ['a 120', 'b 50']],
    [
      'what was used of rollovers counts',
      { a: { left: '60', rollovers: rolled('2', '3') } },
      change('usage', '50'),
      ['a 53'],
    ],
    ['the grant leaves what remains', two, change('includedGrant', '350'), ['a 60', 'b 50']],
  ])('%s', (_label, held, set, expected) => {
    expect(left(adjusted(held, set))).toEqual(expected)
  })

  test('the grant of all together is what is set, and the first has the difference', () => {
    const journal = new Journal(NOW, 'update')
    const granted = (after: Holdings | Refusal) =>
      ['a', 'b'].map((name) => formatAmount(grantedOf(one(after, name) ?? balance({ granted: '0' }))))
    expect(granted(adjusted(two, change('includedGrant', '350'), messages, journal))).toEqual(['250', '100'])
    expect(granted(adjusted(two, change('includedGrant', '50')))).toEqual(['-50', '100'])
    expect(journal.postings.map((line) => [formatAmount(line.amount), formatAmount(line.granted)])).toEqual([
      ['0', '150'],
    ])
  })

  test('one without limit is set in one step', () => {
    const journal = new Journal(NOW, 'update')
    adjusted({ a: { granted: 'unlimited', left: '-7' } }, change('remaining', '3'), messages, journal)
    expect(journal.postings.map((line) => formatAmount(line.amount))).toEqual(['10'])
  })

  test.each<[string, Adjustment, string[]]>([
    ['set', change('remaining', '1'), ['a 60', 'b 1']],
    ['added to', { addToBalance: amount('1') }, ['a 60', 'b 51']],
    ['given a grant', change('includedGrant', '1'), ['a 60', 'b 50']],
  ])('only the one that is meant is %s', (_label, set, expected) => {
    const after = adjusted(two, set, messages, undefined, { balanceId: 'cus_ent_b' })
    expect(left(after)).toEqual(expected)
    expect(one(after, 'a')).toEqual(one(holdings(two), 'a'))
    expect(left(adjusted(two, set, messages, undefined, { balanceId: 'nobody' }))).toBe('balance_not_found')
  })

  test.each<[string, string, string[], string[]]>([
    ['above what rolled over', '12', ['a 0', 'b 10'], ['40', '60']],
    ['as much as rolled over', '2', ['a 0', 'b 0'], ['40', '50']],
    ['less than rolled over', '1', ['a 0', 'b 0'], ['40', '50']],
    ['more than there is', '122', ['a 70', 'b 50'], ['110', '100']],
  ])('a total of %s moves the grants with it, and leaves rollovers alone (B125)', (_label, total, expected, grants) => {
    const held: Held = { a: { left: '60', rollovers: rolled('2') }, b: { createdAt: 1, left: '50' } }
    const after = setTotal(holdings(held), null, messages, amount(total), new Journal(NOW, 'update'))
    expect(left(after)).toEqual(expected)
    expect(one(after, 'a')?.rollovers[0]?.remaining).toBe(amount('2'))
    expect(['a', 'b'].map((name) => formatAmount(grantedOf(one(after, name) ?? balance({}))))).toEqual(grants)
  })
})

describe('the next reset (B119-B121)', () => {
  const monthly = (nextAt: number) => ({ every: 'month', nextAt, left: '40' }) as const
  const yearly = (nextAt: number) => ({ every: 'year', nextAt, left: '40' }) as const

  test.each<[string, Held, string]>([
    ['of the one that resets soonest, though it is drawn from later', { a: monthly(9_000), b: yearly(5_000) }, 'b'],
    ['of the first where both reset at once', { a: monthly(9_000), b: yearly(9_000) }, 'a'],
    ['of the one that resets at all', { a: { createdAt: -1 }, b: yearly(5_000) }, 'b'],
  ])('is moved %s', (_label, held, moved) => {
    const after = adjusted(held, { nextResetAt: NOW + 1 })
    const names = Object.keys(held).filter((name) => one(after, name)?.reset?.nextAt === NOW + 1)
    expect(names).toEqual([moved])
  })

  test.each<[string, number, string]>([
    ['in the future leaves what is there', NOW + 1, '40'],
    ['that is now takes effect at once', NOW, '100'],
    ['that has passed takes effect at once', NOW - 1, '100'],
  ])('%s', (_label, nextResetAt, expected) => {
    const after = one(adjusted({ a: monthly(9_000) }, { nextResetAt }), 'a')
    expect(formatAmount(after?.remaining ?? 0n)).toBe(expected)
    expect(after?.reset?.anchor).toBe(nextResetAt)
    expect((after?.reset?.nextAt ?? 0) > NOW).toBe(true)
  })
})

describe('the expiry (B122)', () => {
  const first = { every: 'month', nextAt: 9_000 } as const
  test.each<[string, Held, string]>([
    [
      'of the one that expires soonest, though it is drawn from later',
      { a: { ...first, expiresAt: 30_000 }, b: { expiresAt: 20_000 } },
      'b',
    ],
    [
      'of the one drawn from first, when that expires soonest',
      { a: { ...first, expiresAt: 20_000 }, b: { expiresAt: 30_000 } },
      'a',
    ],
    ['of the first of two that expire at once', { a: { ...first, expiresAt: 20_000 }, b: { expiresAt: 20_000 } }, 'a'],
    ['of the one that expires at all', { a: first, b: { expiresAt: 20_000 } }, 'b'],
    ['of the first, when none does', { a: first, b: {} }, 'a'],
  ])('is set %s', (_label, held, chosen) => {
    const after = adjusted(held, { expiresAt: 40_000 })
    expect(Object.keys(held).filter((name) => one(after, name)?.expiresAt === 40_000)).toEqual([chosen])
  })
})

test.each<[string, Held, string[]]>([
  ['the customer', { a: {}, b: { entity: 'ent_desk' } }, ['a', 'b']],
  ['the entity', { b: {}, a: { entity: 'ent_desk' } }, ['a', 'b']],
  [
    'the owner of the oldest, whichever it draws from first',
    { c: {}, b: { entity: 'ent_desk', createdAt: 1 }, d: { entity: 'ent_desk' } },
    ['d', 'b', 'c'],
  ],
  [
    'the owner of the oldest, wherever that stands among its own',
    {
      b: {},
      c: { entity: 'ent_desk' },
      a: { entity: 'ent_desk', createdAt: 1 },
      d: { entity: 'ent_desk', createdAt: 2 },
    },
    ['c', 'a', 'd', 'b'],
  ],
])('redistribution answers by the age of what each has: first %s (B136)', (_label, held, expected) => {
  const found = redistribute(holdings(held), null, messages, {})
  if (isRefusal(found)) throw new Error(found.message)
  expect(found.map(({ before }) => before.uid.slice('cus_ent_'.length))).toEqual(expected)
})

describe('balances of plans', () => {
  const pack: Held = { a: { granted: '300', left: '270', prepaid: '200' } }

  test('the grant that is set leaves out what was bought in advance (B113, B118)', () => {
    const after = one(adjusted(pack, { includedGrant: amount('120') }), 'a')
    expect([after?.adjustment, after?.remaining]).toEqual([amount('20'), amount('270')])
    const both = { ...pack, b: { granted: '50', prepaid: '10', createdAt: 1 } }
    expect(one(adjusted(both, { includedGrant: amount('140') }), 'a')?.adjustment).toBe(0n)
  })

  test.each<[string, Adjustment, string[]]>([
    ['what remains counts what was bought (B103)', { remaining: amount('300') }, ['a 300']],
    ['what was used is of both (B110)', { usage: amount('40') }, ['a 260']],
    ['by hand it may be owed, whatever use may (B100)', { remaining: amount('-50') }, ['a -50']],
  ])('%s', (_label, change, expected) => {
    expect(left(adjusted(pack, change))).toEqual(expected)
  })

  test('by hand the first owes, though another is used at a price (B100)', () => {
    const held: Held = { a: { left: '1' }, b: { left: '1', method: 'usage_based' } }
    expect(left(adjusted(held, { addToBalance: amount('-5') }))).toEqual(['a -3', 'b 0'])
  })

  test.each<[string, BalanceSketch, boolean]>([
    ['paid for by the month', { method: 'usage_based' }, false],
    ['bought by the month', { prepaid: '5' }, false],
    ['bought once', { prepaid: '5', price: { interval: 'one_off' } }, true],
    ['free', { plan: 'free', every: 'month', nextAt: NOW + 9 }, true],
  ])('an expiry of one that is %s (B122)', (_label, sketch, isSet) => {
    const after = adjusted({ a: sketch }, { expiresAt: NOW + 5 })
    expect(isRefusal(after) ? after.code : one(after, 'a')?.expiresAt).toBe(isSet ? NOW + 5 : 'invalid_request')
  })

  test('the expiry is of the one that is chosen, whatever else is paid for', () => {
    const held: Held = { a: { method: 'usage_based' }, b: { expiresAt: NOW + 9 } }
    expect(one(adjusted(held, { expiresAt: NOW + 5 }), 'b')?.expiresAt).toBe(NOW + 5)
  })
})

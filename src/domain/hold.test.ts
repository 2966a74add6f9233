import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance, feature } from '../../test/build.ts'
import { amount, formatAmount, sum } from './amount.ts'
import { type Balance, heldOf } from './balance.ts'
import { newCustomer } from './customer.ts'
import { OVERAGE_BEHAVIORS, type OverageBehavior } from './deduction.ts'
import { catalogueOf } from './feature.ts'
import { hold, lapse, settleLock } from './hold.ts'
import { allBalances, type Holdings, holdingsOf, lockOf, locksIn } from './holdings.ts'
import { Journal } from './ledger.ts'
import { flatTariff, type Tariff } from './price.ts'
import { isRefusal } from './refusal.ts'
import { use } from './usage.ts'

const NOW = 1000
const messages = feature('messages')

/** What messages cost in credits. */
type Cost = 'nothing' | '1.1 for 3' | 'tiers'
const TARIFFS: Record<Cost, Tariff> = {
  nothing: flatTariff(0n),
  '1.1 for 3': flatTariff(amount('1.1'), amount('3')),
  // 9/7 each up to 4, then 10 for nothing, then 9000/7 each: what the first take is rounded, and must not be told by that.
  tiers: {
    ...flatTariff(0n, amount('7')),
    tiers: [
      { to: amount('4'), cost: amount('9') },
      { to: amount('14'), cost: 0n },
      { to: null, cost: amount('9000') },
    ],
  },
}

interface World {
  readonly holdings: Holdings
  readonly catalogue: ReturnType<typeof catalogueOf>
}

/** @param credits balances of a credit system that pays for messages. */
function world(own: readonly BalanceSketch[], credits: readonly BalanceSketch[] = [], cost: Cost = '1.1 for 3'): World {
  const system = feature('credits', {
    kind: 'credit_system',
    costs: [{ feature: messages.uid, tariff: TARIFFS[cost] }],
  })
  const rows = [
    ...own.map((sketch, i) => balance({ ...sketch, uid: `cus_ent_a${i}` })),
    ...credits.map((sketch, i): Balance => ({ ...balance({ ...sketch, uid: `cus_ent_b${i}` }), feature: system.uid })),
  ]
  const holdings = holdingsOf(newCustomer('cus_1', 'sandbox', 'alice', {}, 0), [], rows, 0, 0)
  return { holdings, catalogue: catalogueOf(1, [messages, system]) }
}

function held({ holdings, catalogue }: World, units: string, behavior: OverageBehavior): World | null {
  const terms = { id: 'job', uid: 'lock_1', behavior, lapsesAt: NOW + 1, atLapse: 'release' } as const
  const result = hold(holdings, null, messages, amount(units), {}, terms, catalogue, new Journal(NOW, 'hold'))
  return isRefusal(result) || result.lock === null ? null : { holdings: result.usage.holdings, catalogue }
}

function settled({ holdings, catalogue }: World, target: string | null, keepOpen = false): World {
  const lock = lockOf(holdings, 'job')
  if (lock === undefined) throw new Error('the lock is open')
  const used = target === null ? lock.held : amount(target)
  const settlement = settleLock(holdings, lock, used, {}, keepOpen, catalogue, new Journal(NOW, 'settle'))
  return { holdings: settlement.holdings, catalogue }
}

function used({ holdings, catalogue }: World, units: string, behavior: OverageBehavior): World | null {
  const journal = new Journal(NOW, 'use')
  const usage = use(holdings, null, [messages], amount(units), {}, behavior, catalogue, journal)
  return isRefusal(usage) ? null : { holdings: usage.holdings, catalogue }
}

/** Everything about the balances, whatever their order; what is counted as nothing is not counted. */
function balances({ holdings }: World): Balance[] {
  return [...allBalances(holdings)]
    .map((row) => ({ ...row, metered: new Map([...row.metered].filter(([, units]) => units !== 0n)) }))
    .sort((a, b) => (a.uid < b.uid ? -1 : 1))
}

/** Of each balance what is left, rollovers as `~left`, with what is held as `(held)` and what is counted as `#units`. */
function left(one: World): string {
  const withHeld = (bucket: { remaining: bigint; held: bigint }) =>
    formatAmount(bucket.remaining) + (bucket.held === 0n ? '' : ` (${formatAmount(bucket.held)})`)
  return balances(one)
    .flatMap((row) => [
      ...row.rollovers.map((rollover) => `~${withHeld(rollover)}`),
      withHeld(row) + [...row.metered.values()].map((units) => ` #${formatAmount(units)}`).join(''),
    ])
    .join(', ')
}

describe('a hold that is used in part', () => {
  const gold = [{ granted: '100' }]
  test.each<[string, World, units: string, target: string, string]>([
    ['leaves to the last decimal what a use leaves', world([], gold), '2', '1', '99.633333333333'],
    [
      'at a price whose rest has 24 decimals, over two balances',
      world([], [{ granted: '0.1', every: 'day', nextAt: NOW + 9 }, { granted: '10' }]),
      '5',
      '1',
      '0, 9.733333333333',
    ],
    [
      'where its own pay first and credits for the rest',
      world([{ granted: '2' }], gold),
      '5',
      '3',
      '0, 99.633333333333',
    ],
    [
      'where the rest is free: what was paid for is used first',
      world([{ granted: '2' }], gold, 'nothing'),
      '5',
      '3',
      '0, 100',
    ],
    ['or its own alone', world([{ granted: '2' }], gold, 'nothing'), '5', '1', '1, 100'],
    ['in the first tier', world([], gold, 'tiers'), '20', '2', '97.428571428571 #2'],
    ['up to the end of the first tier', world([], gold, 'tiers'), '14', '4', '94.857142857143 #4'],
    ['in a tier that is free', world([], gold, 'tiers'), '14', '9', '94.857142857143 #9'],
    ['behind rounded and free tiers', world([], [{ granted: '9999' }], 'tiers'), '16', '15', '8708.142857142857 #15'],
    [
      'of a rollover first',
      world([{ granted: '10', rollovers: [{ left: '5', expiresAt: NOW + 5 }] }]),
      '8',
      '3',
      '~2, 10',
    ],
    ['of what paid off a debt', world([{ granted: '10', left: '-3' }]), '-5', '-2', '-1'],
  ])('%s', (_label, before, units, target, after) => {
    const open = held(before, units, 'cap')
    expect(open && left(settled(open, target))).toBe(after)
    // What a use of as much would have left.
    const plain = used(before, target, 'cap')
    expect(plain && left(plain)).toBe(after)
  })

  test.each<[string, World, units: string, steps: string[], string]>([
    ['keeps the rest of a line held', world([], gold), '3', ['1', '1'], '98.9 (0.366666666666)'],
    ['keeps the rest of a tier held', world([], gold, 'tiers'), '14', ['3', '2'], '94.857142857143 #14'],
    [
      'keeps held what was taken last',
      world([{ granted: '10', rollovers: [{ left: '5', expiresAt: NOW + 5 }] }]),
      '8',
      ['3'],
      '~0 (2), 7 (3)',
    ],
    ['keeps a lock of nothing open beyond the hold', world([{ granted: '10' }]), '4', ['6', '1'], '3'],
  ])('step by step %s', (_label, before, units, steps, after) => {
    const open = held(before, units, 'cap')
    const end = steps.reduce<World | null>((one, step) => one && settled(one, step, true), open)
    expect(end && left(end)).toBe(after)
    expect(end && locksIn(end.holdings)).toBe(1)
  })
})

describe('a hold', () => {
  test.each<[string, World, units: string, OverageBehavior, string]>([
    ['takes what a use takes', world([{ granted: '10' }]), '4', 'reject', '6 (4)'],
    ['of all or nothing takes nothing', world([{ granted: '10' }]), '14', 'reject', 'nothing'],
    ['of what fits takes that', world([{ granted: '10' }]), '14', 'cap', '0 (10)'],
    ['of everything may owe', world([{ granted: '10' }]), '14', 'overflow', '-4 (14)'],
    ['of nothing is one', world([{ granted: '10' }]), '0', 'reject', '10'],
    ['below zero gives', world([{ granted: '10', left: '2' }]), '-4', 'reject', '6 (-4)'],
    ['of what is free holds nothing', world([], [{ granted: '10' }], 'nothing'), '4', 'reject', '10'],
    [
      'counts the units of a tier that is free',
      world([], [{ granted: '10' }], 'tiers'),
      '6',
      'reject',
      '4.857142857143 (5.142857142857) #6',
    ],
  ])('%s', (_label, before, units, behavior, after) => {
    const open = held(before, units, behavior)
    expect(open === null ? 'nothing' : left(open)).toBe(after)
  })

  test('of several prices is undone whole, however they round', () => {
    // What the first payer took for is a fraction of a message that 12 decimals only come near to.
    const before = world([], [{ granted: '0.1', every: 'day', nextAt: NOW + 9 }, { granted: '5' }], 'tiers')
    const open = held(before, '14', 'cap')
    expect(open && balances(settled(open, '0'))).toEqual(balances(before))
  })
})

const sketch = fc.record({
  granted: fc.integer({ min: 0, max: 60 }).map((n) => String(n / 8)),
  taken: fc.integer({ min: -20, max: 60 }),
  resets: fc.boolean(),
  kept: fc.option(fc.integer({ min: 0, max: 30 })),
})
/** Balances that are used in part, or in debt, with and without rollovers. */
const sketches = fc.array(
  sketch.map(
    ({ granted, taken, resets, kept }): BalanceSketch => ({
      granted,
      left: String(Number(granted) - taken / 8),
      ...(resets ? { every: 'month', nextAt: NOW + 5000 } : {}),
      ...(resets && kept !== null
        ? { rollover: { months: 1 }, rollovers: [{ left: String(kept / 8), expiresAt: NOW + 500 }] }
        : {}),
    }),
  ),
  { maxLength: 4 },
)
const units = fc.integer({ min: 0, max: 160 }).map((n) => n / 8)
const worlds = (...costs: Cost[]) =>
  fc.tuple(sketches, sketches, fc.constantFrom(...costs)).map(([own, credits, cost]) => world(own, credits, cost))
const behaviors = fc.constantFrom<OverageBehavior>(...OVERAGE_BEHAVIORS)

describe('law 8', () => {
  test('to hold and to release, or to let lapse, changes nothing', () => {
    let holds = 0
    const signed = fc.tuple(units, fc.boolean()).map(([n, gives]) => String(gives ? -n : n))
    fc.assert(
      fc.property(worlds('nothing', '1.1 for 3', 'tiers'), signed, behaviors, (before, n, behavior) => {
        const open = held(before, n, behavior)
        if (open === null) return
        holds += 1
        expect(balances(settled(open, '0'))).toEqual(balances(before))
        const lock = lockOf(open.holdings, 'job')
        const lapsed = lock && lapse(open.holdings, lock, new Journal(NOW + 1, 'time'))
        expect(lapsed && balances({ ...open, holdings: lapsed })).toEqual(balances(before))
      }),
    )
    expect(holds).toBeGreaterThan(20)
  })

  test('to hold and to confirm is to use', () => {
    fc.assert(
      fc.property(worlds('nothing', '1.1 for 3', 'tiers'), units, behaviors, (before, n, behavior) => {
        const open = held(before, String(n), behavior)
        const plain = used(before, String(n), behavior)
        if (open === null) return
        expect(plain && balances(plain)).toEqual(balances(settled(open, null)))
      }),
    )
  })

  test('to hold and to use a part of it is to use that part', () => {
    const part = fc.integer({ min: 0, max: 8 })
    fc.assert(
      fc.property(worlds('nothing', '1.1 for 3'), units, part, behaviors, (before, n, eighths, behavior) => {
        const target = String((n * eighths) / 8)
        const open = held(before, String(n), behavior)
        const lock = open && lockOf(open.holdings, 'job')
        if (open == null || lock == null || lock.held < amount(target)) return
        const plain = used(before, target, behavior)
        expect(plain && balances(plain)).toEqual(balances(settled(open, target)))
      }),
    )
  })

  test('what is held is what is taken, and afterwards nothing is', () => {
    fc.assert(
      fc.property(worlds('1.1 for 3', 'tiers'), units, units, behaviors, (before, n, target, behavior) => {
        const open = held(before, String(n), behavior)
        if (open === null) return
        const total = (one: World) =>
          sum(balances(one).flatMap((row) => [row.remaining, ...row.rollovers.map((r) => r.remaining)]))
        expect(sum(balances(open).map(heldOf))).toBe(total(before) - total(open))
        expect(sum(balances(settled(open, String(target))).map(heldOf))).toBe(0n)
      }),
    )
  })
})

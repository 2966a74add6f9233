import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BalanceSketch, balance } from '../../test/build.ts'
import { amount, formatAmount } from './amount.ts'
import { consumptionOrder, mayOwe } from './balance.ts'
import { applyMoves, asCandidate, type Candidate, deduct, type Move, type OverageBehavior, USING } from './deduction.ts'
import { Journal } from './ledger.ts'
import { flatTariff, type Rate, rateOf, type Tier } from './price.ts'

type Asked = [units: string, behavior?: OverageBehavior]

/** Rows as `left`, rollovers as `~left`, after the deduction; what no balance paid as `short`. */
function outcome(sketches: BalanceSketch[], [units, behavior = 'cap']: Asked, costs: string[] = [], seats = false) {
  const candidates: Candidate[] = sketches.map(balance).map((one, i) => ({
    balance: one,
    rate: rateOf('feat_messages', flatTariff(amount(costs[i] ?? '1')), {}),
    mayOwe: seats ? null : mayOwe(one),
  }))
  const { moves, missing } = deduct(candidates, amount(units), behavior)
  const changed = applyMoves(moves, USING, new Journal(1, 'evt'))
  const after = candidates.map(({ balance: one }) => changed.find(({ uid }) => uid === one.uid) ?? one)
  return {
    left: after.flatMap((one) => [
      ...one.rollovers.map((r) => `~${formatAmount(r.remaining)}`),
      formatAmount(one.remaining),
    ]),
    short: formatAmount(missing),
  }
}

describe('taking (R88-R96)', () => {
  const roll = (left: string, expiresAt: number | null = null) => ({ left, expiresAt })
  test.each<[string, BalanceSketch[], Asked, string[], string]>([
    // label                                    held                                        asked            left             short
    ['takes from the first, then the next', [{ granted: '500' }, { granted: '200' }], ['550'], ['0', '150'], '0'],
    ['drops what nobody pays under cap (V9)', [{ granted: '100' }], ['150'], ['0'], '50'],
    ['leaves a gap under reject (V10)', [{ granted: '100' }], ['150', 'reject'], ['0'], '50'],
    [
      'lets the first owe under overflow (V11)',
      [{ granted: '5' }, { granted: '2' }],
      ['12', 'overflow'],
      ['-5', '0'],
      '0',
    ],
    ['adds to a debt under overflow', [{ granted: '5', left: '-3' }], ['2', 'overflow'], ['-5'], '0'],
    ['takes nothing from a debt under cap', [{ granted: '5', left: '-3' }, { granted: '4' }], ['2'], ['-3', '2'], '0'],
    ['takes exact fractions', [{ granted: '0.3' }], ['0.1'], ['0.2'], '0'],
    [
      'spends rollovers first (V17)',
      [{ granted: '400', rollovers: [roll('100'), roll('400')] }],
      ['150'],
      ['~0', '~350', '400'],
      '0',
    ],
    [
      'spends the rollover that expires soonest',
      [{ rollovers: [roll('9', 5)] }, { rollovers: [roll('9', 4)] }],
      ['10'],
      ['~8', '100', '~0', '100'],
      '0',
    ],
    [
      'goes from rollovers to the main amount',
      [{ granted: '100', rollovers: [roll('10')] }],
      ['30'],
      ['~0', '80'],
      '0',
    ],
    ['nothing held pays nothing', [], ['3'], [], '3'],
    [
      'spends the rollover of the first balance, where two expire together',
      [{ rollovers: [roll('9', 5)] }, { rollovers: [roll('9', 5)] }],
      ['10'],
      ['~0', '100', '~8', '100'],
      '0',
    ],
    ['zero moves nothing', [{ granted: '5' }], ['0'], ['5'], '0'],
  ])('%s', (_label, held, asked, left, short) => {
    expect(outcome(held, asked)).toEqual({ left, short })
  })

  test('an unlimited balance absorbs everything and counts it (R88, V12)', () => {
    expect(outcome([{ granted: 'unlimited' }, { granted: '10' }], ['500', 'reject'])).toEqual({
      left: ['-500', '10'],
      short: '0',
    })
  })

  test('seats that nobody sells may be overdrawn (R101)', () => {
    expect(outcome([{ granted: '5' }], ['8'], [], true)).toEqual({ left: ['-3'], short: '0' })
  })
})

/** What the rules R90-R96 say, one unit after the other and without rollovers: from the first that has one, else who may owe one. */
function naively(rows: readonly { left: number; most: number | null }[], units: number, behavior: OverageBehavior) {
  const after = rows.map(({ left }) => left)
  let short = 0
  for (let unit = 0; unit < units; unit++) {
    const payer = after.findIndex((left) => left > 0)
    const debtor =
      behavior === 'overflow' ? 0 : rows.findIndex(({ most }, i) => most === null || (after[i] ?? 0) > -most)
    const at = payer === -1 ? debtor : payer
    if (at === -1) short += 1
    else after[at] = (after[at] ?? 0) - 1
  }
  return { left: after.map(String), short: String(short) }
}

test('what is taken is what a model takes unit by unit, each balance down to its own floor', () => {
  const row = fc.record({
    left: fc.integer({ min: -6, max: 6 }),
    kind: fc.constantFrom('free', 'prepaid', 'usage_based'),
    max: fc.option(fc.nat(5), { nil: null }),
  })
  const asked = [fc.array(row, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 30 })] as const
  fc.assert(
    fc.property(...asked, fc.constantFrom('cap', 'reject', 'overflow'), (rows, units, behavior) => {
      const sketches = rows.map(({ left, kind, max }): BalanceSketch => {
        const price = { maxPurchase: max === null ? null : amount(String(max)) }
        return { left: String(left), ...(kind === 'free' ? {} : { method: kind, price }) }
      })
      const model = rows.map(({ left, kind, max }) => ({ left, most: kind === 'usage_based' ? max : 0 }))
      expect(outcome(sketches, [String(units), behavior])).toEqual(naively(model, units, behavior))
      const { moves } = deduct(sketches.map(balance).map(asCandidate), amount(String(units)), behavior)
      const debts = permitsOf(moves)
      expect(debts.every((permit) => permit === (behavior === 'overflow' ? 'overflow' : 'overage'))).toBe(true)
    }),
  )
})

/** What permitted the postings that end below zero. */
function permitsOf(moves: readonly Move[]) {
  const journal = new Journal(1, 'evt')
  applyMoves(moves, USING, journal)
  return journal.postings.filter(({ remainingAfter }) => remainingAfter < 0n).map(({ permit }) => permit)
}

describe('credit costs (R89, R106)', () => {
  test.each<[string, BalanceSketch[], string[], Asked, string[], string]>([
    [
      'own balance first, then credits at 0.2 (V6)',
      [{ granted: '10' }, { granted: '100' }],
      ['1', '0.2'],
      ['25'],
      ['0', '97'],
      '0',
    ],
    ['credits alone (V5)', [{ granted: '200' }], ['0.2'], ['50'], ['190'], '0'],
    [
      'two credit systems share a use that neither covers',
      [{ granted: '1' }, { granted: '2' }],
      ['0.3', '0.3'],
      ['10'],
      ['0', '0'],
      '0',
    ],
    [
      'an expensive unit split between two leaves no dust',
      [{ granted: '1' }, { granted: '2' }],
      ['3', '3'],
      ['1'],
      ['0', '0'],
      '0',
    ],
    ['a free member takes nothing and succeeds (R99)', [{ granted: '5' }], ['0'], ['1000', 'reject'], ['5'], '0'],
  ])('%s', (_label, held, costs, asked, left, short) => {
    expect(outcome(held, asked, costs)).toEqual({ left, short })
  })
})

describe('giving back (R110-R113)', () => {
  test.each<[string, BalanceSketch[], Asked, string[]]>([
    ['up to the grant and no further', [{ granted: '100', left: '78.7' }], ['-1000'], ['100']],
    [
      'pays off debts first, in order',
      [
        { granted: '10', left: '-3' },
        { granted: '10', left: '-1' },
      ],
      ['-4'],
      ['0', '0'],
    ],
    [
      'then fills the first',
      [
        { granted: '10', left: '-3' },
        { granted: '10', left: '4' },
      ],
      ['-5'],
      ['2', '4'],
    ],
    [
      'then the next (V28)',
      [
        { granted: '100', left: '90' },
        { granted: '50', left: '0' },
      ],
      ['-30'],
      ['100', '20'],
    ],
    [
      'never into a rollover (V18)',
      [{ granted: '100', rollovers: [{ left: '0', used: '100', expiresAt: null }] }],
      ['-40'],
      ['~0', '100'],
    ],
    ['beyond the grant under overflow (V30)', [{ granted: '100', left: '70' }], ['-50', 'overflow'], ['120']],
    ['is never rejected', [{ granted: '100' }], ['-5', 'reject'], ['100']],
    ['undoes the count of an unlimited balance', [{ granted: 'unlimited', left: '-5' }], ['-7'], ['2']],
  ])('%s', (_label, held, asked, left) => {
    expect(outcome(held, asked).left).toEqual(left)
  })
})

describe('consumption order (B143, R84)', () => {
  type Sketch = BalanceSketch & { flag?: true }
  const made = ({ flag, ...sketch }: Sketch) => ({
    ...balance(sketch),
    ...(flag && { terms: { kind: 'flag' as const } }),
  })

  test.each<[string, Sketch, Sketch]>([
    ['unlimited before finite', { granted: 'unlimited' }, { every: 'day' }],
    ['a balance that resets before one that does not', { every: 'year' }, { expiresAt: 5 }],
    ['the shorter interval', { every: 'day', createdAt: 9 }, { every: 'month', createdAt: 1 }],
    ['the one that expires sooner (V7)', { expiresAt: 30, createdAt: 9 }, { expiresAt: 365, createdAt: 1 }],
    ['an expiring one before a lasting one', { expiresAt: 30, createdAt: 9 }, { createdAt: 1 }],
    ['a flag that expires before one that lasts', { flag: true, expiresAt: 5 }, { flag: true, createdAt: -1 }],
    ['what is of no add-on (V8)', { createdAt: 9, plan: 'pro' }, { createdAt: 1, plan: 'more', addOn: true }],
    ['a loose one before an add-on', { createdAt: 9 }, { createdAt: 1, addOn: true }],
    ['what is free before what is used at a price (V3)', { createdAt: 9 }, { createdAt: 1, method: 'usage_based' }],
    ['what is bought in advance, too', { createdAt: 9, prepaid: '1' }, { createdAt: 1, method: 'usage_based' }],
    ['an add-on last, whatever it costs', { createdAt: 9, method: 'usage_based' }, { createdAt: 1, addOn: true }],
    [
      'the shorter interval, whatever the plan (R86)',
      { every: 'day', addOn: true, method: 'usage_based' },
      { every: 'month', createdAt: -1 },
    ],
    ['what expires, whatever the plan', { expiresAt: 5, addOn: true, createdAt: 9 }, { plan: 'pro', createdAt: 1 }],
    ['of two plans alike the older', { createdAt: 1, plan: 'b' }, { createdAt: 2, plan: 'a' }],
    ['the older', { createdAt: 1, uid: 'cus_ent_z' }, { createdAt: 2, uid: 'cus_ent_a' }],
    ['and last the smaller internal id', { uid: 'cus_ent_a' }, { uid: 'cus_ent_b' }],
  ])('%s', (_label, first, second) => {
    const [a, b] = [made(first), made(second)]
    expect([b, a].sort(consumptionOrder)).toEqual([a, b])
    expect([a, b].sort(consumptionOrder)).toEqual([a, b])
  })
})

describe('at a price in tiers (K 2.2)', () => {
  const tier = (to: string | null, cost: string): Tier => ({ to: to === null ? null : amount(to), cost: amount(cost) })
  const rate: Rate = { tiers: [tier('10', '2'), tier('15', '0'), tier(null, '0.5')], per: amount('1'), meter: 'm' }

  interface Paid extends BalanceSketch {
    readonly counted?: string
  }

  /** What is left of each and what each counts, as `left/count`, and how many moves that took. */
  const paid = (sketches: readonly Paid[], [units, behavior = 'cap']: Asked) => {
    const candidates: Candidate[] = sketches.map(({ counted, ...sketch }) => ({
      balance: { ...balance(sketch), metered: new Map(counted === undefined ? [] : [['m', amount(counted)]]) },
      rate,
      mayOwe: 0n,
    }))
    const { moves, missing } = deduct(candidates, amount(units), behavior)
    const changed = applyMoves(moves, USING, new Journal(1, 'evt'))
    const after = candidates.map(({ balance: one }) => changed.find(({ uid }) => uid === one.uid) ?? one)
    return [
      ...after.flatMap(({ rollovers }) => rollovers.map((one) => `~${formatAmount(one.remaining)}`)),
      ...after.map((one) => `${formatAmount(one.remaining)}/${formatAmount(one.metered.get('m') ?? 0n)}`),
      `${moves.length} moves`,
      `${formatAmount(missing)} short`,
    ]
  }

  test.each<[string, Paid[], Asked, string[]]>([
    ['within the first tier', [{}], ['4'], ['92/4', '1 moves', '0 short']],
    ['up to the mark', [{}], ['10'], ['80/10', '1 moves', '0 short']],
    ['over two marks', [{}], ['17'], ['79/17', '3 moves', '0 short']],
    ['goes on from what was counted', [{ counted: '14' }], ['3'], ['99/17', '2 moves', '0 short']],
    [
      'a free tier is paid for with nothing left',
      [{ left: '0', counted: '12' }],
      ['5'],
      ['0/15', '1 moves', '2 short'],
    ],
    ['each balance counts for itself', [{ left: '4' }, {}], ['3'], ['0/2', '98/1', '2 moves', '0 short']],
    ['a drained one counts a fraction', [{ left: '1' }, {}], ['3'], ['0/0.5', '95/2.5', '2 moves', '0 short']],
    [
      'a rollover and its balance count together',
      [{ rollovers: [{ left: '18', expiresAt: null }] }],
      ['12'],
      ['~0', '98/12', '3 moves', '0 short'],
    ],
    [
      'a rollover pays over two marks',
      [{ rollovers: [{ left: '22', expiresAt: null }] }],
      ['17'],
      ['~1', '100/17', '3 moves', '0 short'],
    ],
    ['no more is taken than there is, over two marks', [{ left: '20.5' }], ['17'], ['0/16', '3 moves', '1 short']],
    ['what is owed counts too', [{ left: '1' }], ['20', 'overflow'], ['-21.5/20', '4 moves', '0 short']],
    ['without limit', [{ granted: 'unlimited' }], ['17'], ['-21/17', '3 moves', '0 short']],
    ['given back from the tier it was in', [{ left: '50', counted: '17' }], ['-9'], ['55/8', '3 moves', '0 short']],
    ['given back below the first unit', [{ left: '50', counted: '1' }], ['-3'], ['56/0', '2 moves', '0 short']],
    ['no more is given back than fits', [{ left: '99', counted: '5' }], ['-3'], ['100/4.5', '1 moves', '0 short']],
  ])('%s', (_label, sketches, asked, expected) => {
    expect(paid(sketches, asked)).toEqual(expected)
  })
})

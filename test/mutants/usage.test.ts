import { describe, expect, test } from 'vitest'
import { judge } from '../../src/domain/access.ts'
import { amount, formatAmount } from '../../src/domain/amount.ts'
import type { Balance } from '../../src/domain/balance.ts'
import { newCustomer } from '../../src/domain/customer.ts'
import type { OverageBehavior } from '../../src/domain/deduction.ts'
import { catalogueOf, type Feature, type FeatureType, isConsumable } from '../../src/domain/feature.ts'
import { allBalances, holdingsOf } from '../../src/domain/holdings.ts'
import { Journal } from '../../src/domain/ledger.ts'
import { AT_PAR, flatTariff } from '../../src/domain/price.ts'
import { isRefusal } from '../../src/domain/refusal.ts'
import { candidatesFor, linesOf, summariesAfter, use } from '../../src/domain/usage.ts'
import { type BalanceSketch, balance, feature } from '../build.ts'

const pays = (cost: string): FeatureType => ({
  kind: 'credit_system',
  costs: [{ feature: 'feat_messages', tariff: flatTariff(amount(cost)) }],
})
const messages = feature('messages', { kind: 'metered', consumable: true })
const seats = feature('seats', { kind: 'metered', consumable: false })
const sso = feature('sso', { kind: 'boolean' })
const credits = feature('credits', pays('2'))
const tokens = feature('tokens', pays('1'))
const catalogue = catalogueOf(1, [messages, seats, sso, credits, tokens])

/** What is held, as balances of features. */
type Held = readonly (readonly [of: Feature, sketch: BalanceSketch])[]

const desk = { uid: 'ent_desk', id: 'desk', name: null, feature: 'feat_seats', createdAt: 0 }

const holdings = (held: Held, ofDesk: Held = []) =>
  holdingsOf(
    newCustomer('cus_1', 'sandbox', 'alice', {}, 0),
    [desk],
    [...held, ...ofDesk].map(
      ([of, sketch], i): Balance => ({
        ...balance(sketch),
        feature: of.uid,
        entity: i < held.length ? null : desk.uid,
      }),
    ),
    0,
    0,
  )

function used(held: Held, of: Feature, value: string, behavior: OverageBehavior = 'cap') {
  const usage = use(holdings(held), null, [of], amount(value), {}, behavior, catalogue, new Journal(1, 'evt'))
  if (isRefusal(usage)) throw new Error(usage.message)
  return usage
}

const monthly = { every: 'month', nextAt: 9 } as const
const spent = { ...monthly, granted: '10', left: '0' }

describe('the one balance that a use answers with (R64)', () => {
  test.each<[string, Held, string, string | null]>([
    // label                                            held                                              value  answers
    [
      'its own, which paid',
      [
        [messages, monthly],
        [credits, monthly],
      ],
      '1',
      'messages',
    ],
    [
      'credits, which paid instead',
      [
        [messages, spent],
        [credits, monthly],
      ],
      '1',
      'credits',
    ],
    [
      'its own, of which a part was paid',
      [
        [messages, { ...spent, left: '1' }],
        [credits, monthly],
      ],
      '3',
      'messages',
    ],
    [
      'credits, where of its own only a rollover paid',
      [
        [messages, { ...spent, rollovers: [{ left: '1', expiresAt: null }] }],
        [credits, monthly],
      ],
      '3',
      'credits',
    ],
    [
      'credits without limit, even when nothing is taken',
      [
        [messages, monthly],
        [credits, { granted: 'unlimited' }],
      ],
      '0',
      'credits',
    ],
    [
      'its own, when credits only take back',
      [
        [messages, monthly],
        [credits, { ...monthly, left: '50' }],
      ],
      '-1',
      'messages',
    ],
    ['credits, when nothing else is held', [[credits, monthly]], '-1', 'credits'],
    ['nothing, when nothing is held', [], '1', null],
  ])('%s', (_label, held, value, answers) => {
    const { principal } = summariesAfter(used(held, messages, value), catalogue)
    expect(principal?.feature.id ?? null).toBe(answers)
  })
})

describe('who may owe what nobody pays', () => {
  test.each<[string, Held, Feature, OverageBehavior, string[]]>([
    ['seats that nobody sells (R101)', [[seats, { granted: '5' }]], seats, 'cap', ['-2']],
    ['not what is consumed (V9)', [[messages, { granted: '5' }]], messages, 'cap', ['0']],
    ['not credits that are used themselves', [[credits, { granted: '5' }]], credits, 'cap', ['0']],
    ['not credits that pay for a member', [[credits, { granted: '5' }]], messages, 'cap', ['0']],
  ])('%s', (_label, held, of, behavior, left) => {
    const after = [...allBalances(used(held, of, '7', behavior).holdings)]
    expect(after.map(({ remaining }) => formatAmount(remaining))).toEqual(left)
  })

  test('seats neither under reject', () => {
    const of = (behavior: OverageBehavior) =>
      candidatesFor(holdings([[seats, {}]]), null, seats, {}, catalogue, behavior).map(({ mayOwe }) => mayOwe)
    expect([of('cap'), of('reject')]).toEqual([[null], [0n]])
  })
})

describe('who pays', () => {
  const payers = (held: Held, of: Feature) =>
    candidatesFor(holdings(held), null, of, {}, catalogue, 'cap').map((one) => one.balance.feature)

  test('two credit systems pay in the order of their balances, not of their making (R80-R88)', () => {
    expect(
      payers(
        [
          [credits, {}],
          [tokens, monthly],
        ],
        messages,
      ),
    ).toEqual(['feat_tokens', 'feat_credits'])
    expect(
      payers(
        [
          [credits, monthly],
          [tokens, {}],
        ],
        messages,
      ),
    ).toEqual(['feat_credits', 'feat_tokens'])
  })

  test('the first without limit comes first, and the others stay in their order (R88)', () => {
    const held: Held = [
      [messages, {}],
      [credits, { granted: 'unlimited' }],
      [tokens, {}],
    ]
    expect(payers(held, messages)).toEqual(['feat_credits', 'feat_messages', 'feat_tokens'])
  })

  test('an entity’s own come first, its credits before what it inherits of the feature itself (R84 key 1, R85)', () => {
    const own: Held = [
      [credits, {}],
      [messages, {}],
    ]
    const before = holdings(own, own)
    const paying = (who: string | null) =>
      candidatesFor(before, who, messages, {}, catalogue, 'cap').map(
        (one) => `${one.balance.entity} ${one.balance.feature}`,
      )
    expect(paying('ent_desk')).toEqual([
      'ent_desk feat_messages',
      'ent_desk feat_credits',
      'null feat_messages',
      'null feat_credits',
    ])
    expect(paying(null)).toEqual(['null feat_messages', 'null feat_credits'])
  })

  test('nobody pays for a flag (R80-R88)', () => {
    expect(payers([[sso, {}]], sso)).toEqual([])
  })
})

test('what is spent may reset: metered use that is consumed, and credits', () => {
  expect([messages, seats, sso, credits].map(isConsumable)).toEqual([true, false, false, true])
})

describe('which credit system answers a check (R36)', () => {
  test.each<[string, Held, boolean, string]>([
    // A message costs two credits, or one token; ten are asked for.
    [
      'the first that has enough',
      [
        [credits, { left: '20' }],
        [tokens, {}],
      ],
      true,
      'credits',
    ],
    [
      'the next, where the first has too little',
      [
        [credits, { left: '19' }],
        [tokens, {}],
      ],
      true,
      'tokens',
    ],
    ['the next, where the first is not held', [[tokens, { left: '10' }]], true, 'tokens'],
    [
      'the first that is held, where none has enough',
      [
        [credits, { left: '19' }],
        [tokens, { left: '9' }],
      ],
      false,
      'credits',
    ],
    ['the one that is held, where it has too little', [[tokens, { left: '9' }]], false, 'tokens'],
  ])('%s', (_label, held, allowed, answers) => {
    const access = judge(holdings(held), null, messages, amount('10'), {}, catalogue)
    expect([access.allowed, access.feature.id]).toEqual([allowed, answers])
  })
})

test.each([
  ['1', ['use']],
  ['-1', ['refund']],
])('a use of %s is posted as that', (value, kinds) => {
  const journal = new Journal(1, 'evt')
  use(holdings([[messages, { left: '50' }]]), null, [messages], amount(value), {}, 'cap', catalogue, journal)
  expect(journal.postings.map(({ kind }) => kind)).toEqual(kinds)
})

describe('a use that is too much is refused under reject alone (R66)', () => {
  const tried = (held: Held, value: string, behavior: OverageBehavior) => {
    const after = use(holdings(held), null, [messages], amount(value), {}, behavior, catalogue, new Journal(1, 'evt'))
    if (isRefusal(after)) return `${after.code}: ${after.message}`
    return `${after.held ? 'held' : 'not held'}, ${after.deductions.map((line) => formatAmount(line.amount)).join(' ')}`
  }
  test.each<[string, Held, string, OverageBehavior, string]>([
    ['all of it', [[messages, { left: '5' }]], '5', 'reject', 'held, 5'],
    [
      'too much',
      [[messages, { left: '5' }]],
      '6',
      'reject',
      'insufficient_balance: Insufficient balance to deduct 6 from feature messages',
    ],
    ['too much, capped', [[messages, { left: '5' }]], '6', 'cap', 'held, 5'],
    ['nothing is held', [], '6', 'reject', 'not held, '],
    ['nothing is held, capped', [], '6', 'cap', 'not held, '],
    ['nothing is left', [[messages, { left: '0' }]], '1', 'cap', 'held, '],
  ])('%s', (_label, held, value, behavior, expected) => {
    expect(tried(held, value, behavior)).toBe(expected)
  })
})

describe('all balances that a use concerns (R63)', () => {
  const shown = (held: Held, of: readonly Feature[]) => {
    const usage = use(holdings(held), null, of, amount('1'), {}, 'cap', catalogue, new Journal(1, 'evt'))
    if (isRefusal(usage)) throw new Error(usage.message)
    const { principal, all } = summariesAfter(usage, catalogue)
    const named = all?.map(([id, summary]) => `${id} ${summary === null ? null : formatAmount(summary.remaining)}`)
    return [principal?.feature.id ?? null, named ?? null]
  }

  test('are the feature and every credit system that could pay for it, held or not', () => {
    expect(
      shown(
        [
          [messages, {}],
          [tokens, {}],
        ],
        [messages],
      ),
    ).toEqual(['messages', ['messages 99', 'credits null', 'tokens 100']])
    expect(shown([], [messages])).toEqual([null, ['messages null', 'credits null', 'tokens null']])
  })

  test('are none where there is but one', () => {
    expect(shown([[seats, {}]], [seats])).toEqual(['seats', null])
    expect(shown([[sso, {}]], [sso])).toEqual([null, null])
  })

  test('are those of all features that an event feeds, which answer with one only where they agree', () => {
    expect(
      shown(
        [
          [messages, {}],
          [seats, {}],
        ],
        [messages, seats],
      ),
    ).toEqual([null, ['messages 99', 'credits null', 'tokens null', 'seats 99']])
    expect(shown([[seats, {}]], [messages, seats])).toEqual([
      'seats',
      ['messages null', 'credits null', 'tokens null', 'seats 99'],
    ])
  })

  test('show what this use used up (R22)', () => {
    expect(shown([[seats, { left: '1' }]], [seats])).toEqual(['seats', null])
  })
})

describe('what was taken is told bucket by bucket (R62)', () => {
  const one = balance({ uid: 'cus_ent_1', rollovers: [{ left: '5', expiresAt: null }] })
  const [rollover = null] = one.rollovers
  const move = { balance: one, price: AT_PAR, permit: null, metered: null }
  const lines = (...moves: Parameters<typeof linesOf>[0]) =>
    linesOf(moves, catalogue).map((line) => [line.balanceUid, formatAmount(line.amount), line.metered])
  const metered = (units: string) => ({ meter: 'm', units: amount(units) })

  test('in one line for several moves on one, and in another for its rollover', () => {
    const [first, second] = [amount('1'), amount('2')].map((moved) => ({ ...move, rollover: null, amount: moved }))
    if (first === undefined || second === undefined) throw new Error('there are moves')
    expect(lines(first, { ...move, rollover, amount: amount('4') }, second)).toEqual([
      ['cus_ent_1', '3', null],
      ['roll_cus_ent_1_0', '4', null],
    ])
  })

  test('in no line where it cancels out, and in one where something free was counted', () => {
    const back = { ...move, rollover: null, amount: amount('-1') }
    expect(lines({ ...back, amount: amount('1') }, back)).toEqual([])
    const free = { ...back, amount: 0n, metered: metered('2') }
    expect(lines(free)).toEqual([['cus_ent_1', '0', metered('2')]])
    expect(lines(free, { ...free, metered: metered('-2') })).toEqual([])
  })
})

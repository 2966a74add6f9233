import { describe, expect, test } from 'vitest'
import { amount, formatAmount } from '../../src/domain/amount.ts'
import type { Balance } from '../../src/domain/balance.ts'
import { newCustomer } from '../../src/domain/customer.ts'
import type { OverageBehavior } from '../../src/domain/deduction.ts'
import { catalogueOf, type Feature } from '../../src/domain/feature.ts'
import { allBalances, type Holdings, holdingsOf, withBalances, withoutBalances } from '../../src/domain/holdings.ts'
import { Journal } from '../../src/domain/ledger.ts'
import { flatTariff, type Tariff } from '../../src/domain/price.ts'
import { type Refund, refund } from '../../src/domain/refund.ts'
import { isRefusal, type Refusal } from '../../src/domain/refusal.ts'
import { summariesAfter, use } from '../../src/domain/usage.ts'
import type { UsageEvent } from '../../src/domain/usage-event.ts'
import { type BalanceSketch, balance, feature } from '../build.ts'

const tiers: Tariff = {
  ...flatTariff(amount('0')),
  tiers: [
    { to: amount('10'), cost: amount('2') },
    { to: amount('15'), cost: amount('0') },
    { to: null, cost: amount('0.5') },
  ],
}
const messages = feature('messages')
const voice = feature('voice')
const images = feature('images')
const videos = feature('videos')
const credits = feature('credits', {
  kind: 'credit_system',
  costs: [
    { feature: 'feat_messages', tariff: flatTariff(amount('0.2')) },
    // One credit for three of them, which no decimal can say.
    { feature: 'feat_images', tariff: flatTariff(amount('1'), amount('3')) },
    { feature: 'feat_videos', tariff: tiers },
  ],
})
const catalogue = catalogueOf(1, [messages, voice, images, videos, credits])

/** Balances by name. */
type Held = Readonly<Record<string, BalanceSketch & { of?: Feature; entity?: string }>>
type Given = Refund | Refusal

const USED = 10
const LATER = 20

function holdings(held: Held): Holdings {
  const balances = Object.entries(held).map(
    ([name, { of = messages, entity = null, ...sketch }]): Balance => ({
      ...balance({ ...sketch, uid: `cus_ent_${name}` }),
      feature: of.uid,
      entity,
    }),
  )
  const desk = { uid: 'ent_desk', id: 'desk', name: null, feature: 'feat_seats', createdAt: 0 }
  return holdingsOf(newCustomer('cus_1', 'sandbox', 'alice', {}, 0), [desk], balances, 0, 0)
}

/** A use of what is held, and what is left after it. */
class Story {
  readonly features: readonly Feature[]
  readonly event: UsageEvent
  now: Holdings

  constructor(held: Held, units: string, features: readonly Feature[] = [messages], behavior: OverageBehavior = 'cap') {
    const entity = Object.values(held).some((one) => one.entity !== undefined) ? 'ent_desk' : null
    const value = amount(units)
    const usage = use(holdings(held), entity, features, value, {}, behavior, catalogue, new Journal(USED, 'evt_1'))
    if (isRefusal(usage)) throw new Error(usage.message)
    this.features = features
    this.now = usage.holdings
    const named = { uid: 'evt_1', name: 'messages', value, properties: {}, entity, refundOf: null, lock: null }
    this.event = { ...named, timestamp: USED, recordedAt: USED, deductions: usage.deductions }
  }

  /** Gives back so many units, or all that is left of them. */
  back(units?: string, journal = new Journal(LATER, 'evt_2')): Given {
    const wanted = units === undefined ? null : amount(units)
    const given = refund(this.now, this.event.entity, this.event, this.features, wanted, catalogue, journal)
    if (!isRefusal(given)) this.now = given.usage.holdings
    return given
  }

  /** What is left of each balance and of its rollovers. */
  get left(): string[] {
    return [...allBalances(this.now)].map(({ uid, remaining, rollovers }) =>
      [uid.slice('cus_ent_'.length), ...[remaining, ...rollovers.map((one) => one.remaining)].map(formatAmount)].join(
        ' ',
      ),
    )
  }

  change(name: string, more: Partial<Balance>): void {
    const found = [...allBalances(this.now)].filter(({ uid }) => uid === `cus_ent_${name}`)
    this.now = withBalances(
      this.now,
      found.map((one) => ({ ...one, ...more })),
    )
  }
}

/** What was given back of each bucket, and the units that the event of the refund carries. */
function lines(given: Given): string[] {
  if (isRefusal(given)) return [given.code]
  const shown = given.usage.deductions.map((line) => `${line.featureId} ${formatAmount(line.amount)}`)
  return [...shown, `${formatAmount(given.units)} units`]
}

function answers(given: Given): string | null {
  if (isRefusal(given)) return given.code
  return summariesAfter(given.usage, catalogue).principal?.feature.id ?? null
}

const both: Held = { a: { granted: '10' }, c: { of: credits, granted: '10' } }

describe('so many units are given back', () => {
  test.each<[string, Held, string, Feature, string[], string[][]]>([
    // what                                    held                      used  of        back            lines
    [
      'from the bucket that was drawn from last to the first',
      both,
      '15',
      messages,
      ['2', '4'],
      [
        ['credits -0.4', '2 units'],
        ['credits -0.6', 'messages -1', '4 units'],
      ],
    ],
    ['up to all of them', { a: {} }, '6', messages, ['6'], [['messages -6', '6 units']]],
    [
      'and no more',
      { a: {} },
      '6',
      messages,
      ['6.000000000001', '4', '2.000000000001', '2'],
      [['refund_exceeds_event'], ['messages -4', '4 units'], ['refund_exceeds_event'], ['messages -2', '2 units']],
    ],
    [
      'at a third of a credit each, one after the other',
      { c: { of: credits } },
      '3',
      images,
      ['1', '1', '1'],
      [
        ['credits -0.333333333333', '1 units'],
        ['credits -0.333333333333', '1 units'],
        ['credits -0.333333333333', '1 units'],
      ],
    ],
    [
      'from the tier that they were in',
      { c: { of: credits } },
      '17',
      videos,
      ['4', '6'],
      [
        ['credits -1', 'credits 0', '4 units'],
        ['credits 0', 'credits -6', '6 units'],
      ],
    ],
  ])('%s', (_label, held, used, of, parts, expected) => {
    const story = new Story(held, used, [of])
    expect(parts.map((units) => lines(story.back(units)))).toEqual(expected)
  })

  test('only where the event feeds one feature', () => {
    const several = new Story({ a: {}, b: { of: voice } }, '4', [messages, voice])
    expect(lines(several.back('1'))).toEqual(['invalid_request'])
    expect(lines(new Story({ a: {} }, '4', []).back('1'))).toEqual(['invalid_request'])
    expect(several.left).toEqual(['a 96', 'b 96'])
  })
})

describe('all that is left is given back', () => {
  test.each<[string, () => Story, string[]]>([
    [
      'as so many units as were taken, whatever was asked for',
      () => new Story({ a: { granted: '4' } }, '10'),
      ['messages -4', '4 units'],
    ],
    ['as so many units as credits paid for', () => new Story(both, '15'), ['credits -1', 'messages -10', '15 units']],
    [
      'as so many units as were free beside those that were paid',
      () => new Story({ c: { of: credits } }, '17', [videos]),
      ['credits -1', 'credits 0', 'credits -20', '17 units'],
    ],
    [
      'as what was said, where several features were fed',
      () => new Story({ a: {}, b: { of: voice } }, '4', [messages, voice]),
      ['voice -4', 'messages -4', '4 units'],
    ],
    ['never, where nothing was taken', () => new Story({}, '10'), ['refund_exceeds_event']],
  ])('%s', (_label, begin, expected) => {
    const story = begin()
    expect(lines(story.back())).toEqual(expected)
    expect(lines(story.back())).toEqual(['refund_exceeds_event'])
  })

  test('after a part of it', () => {
    const story = new Story(both, '15')
    story.back('7')
    expect(lines(story.back())).toEqual(['messages -8', '8 units'])
    expect(story.left).toEqual(['a 10', 'c 10'])
  })
})

describe('a refund answers (R64)', () => {
  test('with what got something back, and not with what else had paid', () => {
    const story = new Story({ ...both, a: { granted: '10', every: 'month', nextAt: 99 } }, '15')
    expect(answers(story.back('2'))).toBe('credits')
    expect(answers(story.back('8'))).toBe('messages')
  })

  test('with a balance that it leaves at exactly nothing, too (R22)', () => {
    const story = new Story({ a: { granted: '5' } }, '8', [messages], 'overflow')
    expect(answers(story.back('3'))).toBe('messages')
    expect(story.left).toEqual(['a 0'])
  })

  test('with lines that count nothing, where no price went by that', () => {
    const given = new Story(both, '15').back()
    expect(isRefusal(given) ? [] : given.usage.deductions.map(({ metered }) => metered)).toEqual([null, null])
  })

  test('as a use of something that is held', () => {
    expect(new Story({ a: {} }, '1').back()).toMatchObject({ usage: { held: true, entity: null } })
  })
})

describe('what is gone by then gets nothing, and is settled', () => {
  const monthly = { every: 'month', nextAt: 15 } as const

  test.each<[string, (story: Story) => void, string[]]>([
    [
      'a balance that was deleted',
      (story) => {
        story.now = withoutBalances(story.now, [...allBalances(story.now)])
      },
      [],
    ],
    [
      'a period that is over',
      (story) => story.change('a', { renewedAt: USED + 1, remaining: amount('100') }),
      ['a 100'],
    ],
  ])('%s', (_label, happens, left) => {
    const story = new Story({ a: monthly }, '6')
    happens(story)
    expect(lines(story.back('2'))).toEqual(['2 units'])
    expect(lines(story.back())).toEqual(['4 units'])
    expect(lines(story.back())).toEqual(['refund_exceeds_event'])
    expect(story.left).toEqual(left)
  })

  test('but not a balance that was granted anew just before the use', () => {
    const story = new Story({ a: monthly }, '6')
    story.change('a', { renewedAt: USED })
    expect(lines(story.back())).toEqual(['messages -6', '6 units'])
  })

  test('nor a rollover, which outlives the period: but that period counts its units no more', () => {
    const rollovers = [{ left: '3', expiresAt: null }]
    const held: Held = { c: { of: credits, left: '50', ...monthly, rollovers } }
    const counted = (story: Story) =>
      [...allBalances(story.now)].map(({ metered }) => [...metered.values()].map(formatAmount))
    const over = new Story(held, '2', [videos])
    expect([over.left, counted(over)]).toEqual([['c 49 0'], [['2']]])
    over.change('c', { renewedAt: USED + 1, metered: new Map([['feat_videos', amount('5')]]) })
    expect(lines(over.back())).toEqual(['credits -3', '2 units'])
    expect([over.left, counted(over)]).toEqual([['c 49 3'], [['5']]])
    const within = new Story(held, '2', [videos])
    within.back()
    expect([within.left, counted(within)]).toEqual([['c 50 3'], [['0']]])
  })
})

test('an entity gets back what was its own and what it inherits', () => {
  const story = new Story({ b: { granted: '5', entity: 'ent_desk' }, a: { granted: '10' } }, '8')
  expect(lines(story.back('4'))).toEqual(['messages -3', 'messages -1', '4 units'])
  expect(story.left).toEqual(['a 10', 'b 1'])
})

test('what is given back is posted as that', () => {
  const journal = new Journal(LATER, 'evt_2')
  new Story({ a: {} }, '1').back('1', journal)
  expect(journal.postings.map(({ kind, amount: moved }) => [kind, formatAmount(moved)])).toEqual([['refund', '1']])
})

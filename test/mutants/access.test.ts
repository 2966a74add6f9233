import { describe, expect, test } from 'vitest'
import { type Access, deny, judge } from '../../src/domain/access.ts'
import { amount, formatAmount } from '../../src/domain/amount.ts'
import type { Balance } from '../../src/domain/balance.ts'
import { newCustomer } from '../../src/domain/customer.ts'
import { catalogueOf, type Feature } from '../../src/domain/feature.ts'
import { allBalances, type Holdings, holdingsOf } from '../../src/domain/holdings.ts'
import { flatTariff, type Tariff } from '../../src/domain/price.ts'
import { type BalanceSketch, balance, feature } from '../build.ts'

const tiers: Tariff = {
  ...flatTariff(amount('0')),
  tiers: [
    { to: amount('10'), cost: amount('2') },
    { to: null, cost: amount('0.5') },
  ],
}
const messages = feature('messages')
const images = feature('images')
const videos = feature('videos')
const sso = feature('sso', { kind: 'boolean' })
const credits = feature('credits', {
  kind: 'credit_system',
  costs: [
    { feature: 'feat_messages', tariff: flatTariff(amount('2')) },
    { feature: 'feat_videos', tariff: tiers },
  ],
})
const tokens = feature('tokens', {
  kind: 'credit_system',
  costs: [{ feature: 'feat_messages', tariff: flatTariff(amount('1')) }],
})
const catalogue = catalogueOf(1, [messages, images, videos, sso, credits, tokens])

/** Balances by name, of an entity where the name says so, as in `desk.a`. */
type Held = Readonly<Record<string, BalanceSketch & { of?: Feature; metered?: string }>>

const rows = (held: Held): Balance[] =>
  Object.entries(held).map(([name, { of = messages, metered, ...sketch }]) => ({
    ...balance({ ...sketch, uid: name }),
    feature: of.uid,
    entity: name.includes('.') ? `ent_${name.split('.')[0]}` : null,
    metered: new Map(metered === undefined ? [] : [['feat_videos', amount(metered)]]),
    ...(of === sso ? { terms: { kind: 'flag' }, remaining: 0n } : {}),
  }))

function holdings(held: Held, shares = true): Holdings {
  const desk = { uid: 'ent_desk', id: 'desk', name: null, feature: 'feat_seats', createdAt: 0 }
  const alice = { ...newCustomer('cus_1', 'sandbox', 'alice', {}, 0), sharesWithEntities: shares }
  return holdingsOf(alice, [desk], rows(held), 0, 0)
}

/** Whether it is allowed, which feature answers, with how much of it, and whether anything is shown. */
function told({ allowed, feature: of, required, summary, flag }: Access): string {
  const shown = flag === null ? (summary === null ? 'nothing' : formatAmount(summary.remaining)) : `flag ${flag.id}`
  return `${allowed ? 'yes' : 'no'}: ${formatAmount(required)} of ${of.id}, shown ${shown}`
}
const judged = (held: Held, of: Feature, required: string, who: string | null = null) =>
  told(judge(holdings(held), who, of, amount(required), {}, catalogue))

describe('may it be used? (R33-R45)', () => {
  const month = { every: 'month', nextAt: 9 } as const
  test.each<[string, Held, Feature, string, string]>([
    // label                                  held                            of        required  answer
    ['nothing is held', {}, images, '0', 'no: 0 of images, shown nothing'],
    ['enough', { a: { of: images, left: '5' } }, images, '5', 'yes: 5 of images, shown 5'],
    ['too little', { a: { of: images, left: '5' } }, images, '5.000000000001', 'no: 5.000000000001 of images, shown 5'],
    [
      'nothing of what is used up',
      { a: { of: images, left: '0', ...month } },
      images,
      '0',
      'yes: 0 of images, shown 0',
    ],
    ['giving back, where one owes', { a: { of: images, left: '-5' } }, images, '-1', 'yes: -1 of images, shown 0'],
    ['nothing, where one owes', { a: { of: images, left: '-5' } }, images, '0', 'yes: 0 of images, shown 0'],
    ['without limit', { a: { of: images, granted: 'unlimited' } }, images, '9', 'yes: 9 of images, shown 0'],
    ['a flag that is held', { a: { of: sso } }, sso, '1', 'yes: 1 of sso, shown flag a'],
    ['a flag that is not', {}, sso, '1', 'no: 1 of sso, shown nothing'],
    ['its own before credits', { a: {}, c: { of: credits } }, messages, '5', 'yes: 5 of messages, shown 100'],
    [
      'credits, where its own is too little',
      { a: { left: '1' }, c: { of: credits } },
      messages,
      '5',
      'yes: 10 of credits, shown 100',
    ],
    ['credits, where nothing is its own', { c: { of: credits } }, messages, '5', 'yes: 10 of credits, shown 100'],
    [
      'credits, too little',
      { a: { left: '1' }, c: { of: credits, left: '9' } },
      messages,
      '5',
      'no: 10 of credits, shown 9',
    ],
    [
      'its own, too little, where no credits are held',
      { a: { left: '1' } },
      messages,
      '5',
      'no: 5 of messages, shown 1',
    ],
    ['neither, so that the first of the credit systems answers', {}, messages, '5', 'no: 10 of credits, shown nothing'],
    ['neither, giving back', {}, messages, '-5', 'no: -10 of credits, shown nothing'],
    ['of what only an entity has of its own', { 'desk.a': {} }, messages, '5', 'no: 5 of messages, shown 100'],
    [
      'of credits that only an entity has',
      { 'desk.c': { of: credits } },
      messages,
      '5',
      'no: 10 of credits, shown 100',
    ],
    [
      'of what an entity has, before credits that it has',
      { 'desk.a': {}, 'desk.c': { of: credits } },
      messages,
      '5',
      'no: 5 of messages, shown 100',
    ],
  ])('%s', (_label, held, of, required, expected) => {
    expect(judged(held, of, required)).toBe(expected)
  })

  test('an entity may use its own and what it inherits', () => {
    const held: Held = { a: { left: '3' }, 'desk.b': { left: '4' } }
    expect(judged(held, messages, '7', 'ent_desk')).toBe('yes: 7 of messages, shown 7')
    expect(judged(held, messages, '4')).toBe('no: 4 of messages, shown 7')
  })

  test.each<[string, Held, string, string]>([
    ['from the first unit on, where no credits are held', {}, '12', 'no: 21 of credits, shown nothing'],
    ['over a mark', { c: { of: credits } }, '12', 'yes: 21 of credits, shown 100'],
    ['after what was counted', { c: { of: credits, metered: '9' } }, '12', 'yes: 7.5 of credits, shown 100'],
    [
      'as each balance counted, in order',
      { c: { of: credits, left: '4' }, d: { of: credits, metered: '10', createdAt: 1 } },
      '12',
      'yes: 9 of credits, shown 104',
    ],
    ['too many', { c: { of: credits, left: '20' } }, '12', 'no: 21 of credits, shown 20'],
    ['given back', { c: { of: credits, left: '20', metered: '11' } }, '-2', 'yes: -2.5 of credits, shown 20'],
  ])('what goes by tiers costs as it would be drawn: %s (K 2.2)', (_label, held, required, expected) => {
    expect(judged(held, videos, required)).toBe(expected)
  })

  test('what an entity has of credits at a price in tiers is shown with the price from the first unit on', () => {
    expect(judged({ 'desk.c': { of: credits } }, videos, '12')).toBe('no: 21 of credits, shown 100')
  })
})

describe('why not, and from when on', () => {
  const DAY = 86_400_000
  const daily = (more: BalanceSketch = {}) =>
    ({ every: 'day', nextAt: DAY, granted: '10', left: '0', ...more }) as const

  /** Allowed as soon as the customer or the entity has so much. */
  function denied(held: Held, of: Feature, required: string, who: string | null = null, shares = true) {
    const before = holdings(held, shares)
    const allowed = (then: Holdings) => judge(then, who, of, amount(required), {}, catalogue).allowed
    const { reason, availableAt } = deny(before, who, of, catalogue, allowed)
    return `${reason} ${availableAt === null ? 'never' : availableAt / DAY}`
  }

  test.each<[string, Held, Feature, string, string]>([
    // label                                       held                                        of        required  why, and from which day on
    ['a flag that is not held', {}, sso, '1', 'no_flag never'],
    ['nothing is held', {}, messages, '1', 'no_balance never'],
    ['nothing but something else', { a: { of: images } }, messages, '1', 'no_balance never'],
    ['nothing but what an entity has', { 'desk.a': daily() }, messages, '1', 'no_balance never'],
    ['used up for good', { a: { left: '0' } }, messages, '1', 'insufficient_balance never'],
    ['used up for today', { a: daily() }, messages, '1', 'insufficient_balance 1'],
    ['more than any day gives', { a: daily() }, messages, '11', 'insufficient_balance never'],
    [
      'used up, but credits come',
      { a: { left: '0' }, c: { of: credits, ...daily() } },
      messages,
      '5',
      'insufficient_balance 1',
    ],
    [
      'credits come, not enough of them',
      { c: { of: credits, ...daily() } },
      messages,
      '6',
      'insufficient_balance never',
    ],
    ['credits of the second system', { c: { of: tokens, ...daily() } }, messages, '10', 'insufficient_balance 1'],
    [
      'the sooner of two resets is enough',
      { a: daily({ nextAt: 3 * DAY }), b: daily() },
      messages,
      '10',
      'insufficient_balance 1',
    ],
    ['both resets are needed', { a: daily({ nextAt: 3 * DAY }), b: daily() }, messages, '20', 'insufficient_balance 3'],
    [
      'what rolls over adds up, day by day',
      { a: daily({ rollover: { months: null } }) },
      messages,
      '30',
      'insufficient_balance 3',
    ],
    [
      'up to the twelfth reset',
      { a: daily({ rollover: { months: null } }) },
      messages,
      '120',
      'insufficient_balance 12',
    ],
    ['and no further', { a: daily({ rollover: { months: null } }) }, messages, '121', 'insufficient_balance never'],
    [
      'what expires before it would be reset',
      { a: daily({ expiresAt: DAY }) },
      messages,
      '1',
      'insufficient_balance never',
    ],
  ])('%s', (_label, held, of, required, expected) => {
    expect(denied(held, of, required)).toBe(expected)
  })

  test('of many balances only the first sixty resets are looked at', () => {
    const many = Object.fromEntries(
      Array.from({ length: 8 }, (_, i) => [`b${i}`, daily({ anchor: i, nextAt: DAY + i, rollover: { months: null } })]),
    )
    // Sixty of 96 resets: four balances were granted eight times by then, and four seven times.
    expect(denied(many, messages, '600')).toBe(`insufficient_balance ${(8 * DAY + 3) / DAY}`)
    expect(denied(many, messages, '601')).toBe('insufficient_balance never')
  })

  test('an entity waits for its own and for what it inherits', () => {
    const held: Held = { a: daily({ nextAt: 2 * DAY }), 'desk.b': daily() }
    expect(denied(held, messages, '10', 'ent_desk')).toBe('insufficient_balance 1')
    expect(denied(held, messages, '20', 'ent_desk')).toBe('insufficient_balance 2')
    expect(denied(held, messages, '20', 'ent_desk', false)).toBe('insufficient_balance never')
    expect(denied(held, messages, '10')).toBe('insufficient_balance 2')
    expect(denied({ 'desk.b': daily() }, messages, '10', 'ent_desk')).toBe('insufficient_balance 1')
  })

  test('looking ahead moves nothing', () => {
    const before = holdings({ a: daily() })
    deny(before, null, messages, catalogue, (then) => [...allBalances(then)].some(({ remaining }) => remaining > 0n))
    expect([...allBalances(before)].map(({ remaining }) => remaining)).toEqual([0n])
  })
})

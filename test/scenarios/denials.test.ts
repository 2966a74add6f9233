import { beforeEach, describe, expect, test } from 'vitest'
import { Story } from './story.ts'

type Body = Record<string, unknown>
/** A feature and what is granted of it, or used where the terms are a number. */
type Act = [feature: string, terms: Body | number, more?: Body]

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

const now = Date.parse('2026-01-31T10:00:00Z')
const DAY = 86_400_000
const daily = { reset: { interval: 'day' } }
const monthly = { reset: { interval: 'month' } }
/** The next resets of what is granted at the beginning. */
const [TOMORROW, NEXT_MONTH] = ['2026-02-01T10:00Z', '2026-02-28T10:00Z']

async function all(acts: readonly Act[]): Promise<void> {
  for (const [feature, terms, more] of acts) {
    await (typeof terms === 'number' ? story.track(feature, terms, more) : story.grant(feature, { ...terms, ...more }))
  }
}

/** `allowed`, or why not and from when on. */
async function verdict(feature: string, required: number | undefined, more: Body = {}): Promise<string> {
  const answer = await story.check(feature, required, more)
  if (answer.allowed) {
    expect(answer).not.toHaveProperty('reason')
    expect(answer).not.toHaveProperty('available_at')
    return 'allowed'
  }
  const at = answer.available_at === null ? 'never' : new Date(answer.available_at).toISOString()
  return `${answer.reason} ${at.replace(':00.000', '')}`
}

const NOTHING = 'no_balance never'
const NEVER = 'insufficient_balance never'
const from = (instant: string) => `insufficient_balance ${instant}`

const CASES: [string, Act[], string, number | undefined, string][] = [
  // label                                  before                                              feature     required   verdict
  ['nothing is held', [], 'messages', 1, NOTHING],
  ['nothing is held, and nothing asked for', [], 'messages', 0, NOTHING],
  ['something else is held', [['seats', { included: 1 }]], 'messages', 1, NOTHING],
  ['what is held expired', [['messages', { included: 10, expires_at: now + 1 }]], 'messages', 11, NEVER],
  ['a flag that is not held', [], 'sso', undefined, 'no_flag never'],
  ['a flag that is held', [['sso', {}]], 'sso', undefined, 'allowed'],
  ['enough', [['messages', { included: 10 }]], 'messages', 10, 'allowed'],
  ['one-off: too much', [['messages', { included: 10 }]], 'messages', 10.000000000001, NEVER],
  [
    'one-off: used up and no longer shown',
    [
      ['messages', { included: 10 }],
      ['messages', 10],
    ],
    'messages',
    1,
    NEVER,
  ],
  ['unlimited', [['messages', { unlimited: true }]], 'messages', 1e9, 'allowed'],
  [
    'monthly: used up',
    [
      ['messages', { included: 10, ...monthly }],
      ['messages', 10],
    ],
    'messages',
    1,
    from(NEXT_MONTH),
  ],
  [
    'monthly: all of it',
    [
      ['messages', { included: 10, ...monthly }],
      ['messages', 1],
    ],
    'messages',
    10,
    from(NEXT_MONTH),
  ],
  ['monthly: more than it gives', [['messages', { included: 10, ...monthly }]], 'messages', 11, NEVER],
  [
    'monthly: a debt is forgiven by the reset',
    [
      ['messages', { included: 10, ...monthly }],
      ['messages', 50, { overage_behavior: 'overflow' }],
    ],
    'messages',
    10,
    from(NEXT_MONTH),
  ],
  [
    'daily and monthly: the daily one is enough',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', { included: 20, ...monthly }],
      ['messages', 30],
    ],
    'messages',
    10,
    from(TOMORROW),
  ],
  [
    'daily and monthly: only the monthly one is enough',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', { included: 20, ...monthly }],
      ['messages', 30],
    ],
    'messages',
    15,
    from(NEXT_MONTH),
  ],
  [
    'daily and monthly: both together',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', { included: 20, ...monthly }],
      ['messages', 30],
    ],
    'messages',
    30,
    from(NEXT_MONTH),
  ],
  [
    'daily and monthly: what is left of the one, with the other',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', { included: 20, ...monthly }],
      ['messages', 15],
    ],
    'messages',
    25,
    from(TOMORROW),
  ],
  [
    'daily and monthly: not even both',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', { included: 20, ...monthly }],
    ],
    'messages',
    31,
    NEVER,
  ],
  [
    'what expires before the reset does not help',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', { included: 10, expires_at: now + DAY - 1 }],
      ['messages', 10],
    ],
    'messages',
    15,
    NEVER,
  ],
  [
    'what expires at the reset does not help either',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', { included: 10, expires_at: now + DAY }],
      ['messages', 10],
    ],
    'messages',
    15,
    NEVER,
  ],
  [
    'what expires after the reset helps',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', { included: 10, expires_at: now + DAY + 1 }],
      ['messages', 10],
    ],
    'messages',
    15,
    from(TOMORROW),
  ],
  [
    'what expires before it resets never helps',
    [
      ['messages', { included: 10, ...monthly, next_reset_at: now + 3 * DAY, expires_at: now + 4 * DAY }],
      ['messages', { included: 10, ...monthly }],
      ['messages', 20],
    ],
    'messages',
    20,
    NEVER,
  ],
  [
    'nothing rolls over',
    [
      ['messages', { included: 10, ...daily }],
      ['messages', 2],
    ],
    'messages',
    15,
    NEVER,
  ],
  [
    'what rolls over makes the difference',
    [
      ['messages', { included: 10, ...daily, rollover: { length: 1 } }],
      ['messages', 2],
    ],
    'messages',
    18,
    from(TOMORROW),
  ],
  [
    'what rolls over is not enough, within its cap',
    [
      ['messages', { included: 10, ...daily, rollover: { max: 5, length: 1 } }],
      ['messages', 2],
    ],
    'messages',
    18,
    NEVER,
  ],
  [
    'seats never reset',
    [
      ['seats', { included: 1 }],
      ['seats', 1],
    ],
    'seats',
    1,
    NEVER,
  ],
  ['credits: enough', [['credits', { included: 1 }]], 'messages', 5, 'allowed'],
  ['credits: not enough', [['credits', { included: 1 }]], 'messages', 5.1, NEVER],
  [
    'credits: used up and no longer shown',
    [
      ['credits', { included: 1 }],
      ['messages', 5],
    ],
    'messages',
    1,
    NEVER,
  ],
  [
    'credits: from their own reset on',
    [
      ['credits', { included: 1, ...daily }],
      ['messages', 5],
    ],
    'messages',
    5,
    from(TOMORROW),
  ],
  [
    'credits reset before the feature itself',
    [
      ['messages', { included: 100, ...monthly }],
      ['credits', { included: 1, ...daily }],
      ['messages', 105],
    ],
    'messages',
    5,
    from(TOMORROW),
  ],
  [
    'credits reset before the feature itself, too few',
    [
      ['messages', { included: 100, ...monthly }],
      ['credits', { included: 1, ...daily }],
      ['messages', 105],
    ],
    'messages',
    6,
    from(NEXT_MONTH),
  ],
  ['a credit system without any', [], 'credits', 1, NOTHING],
  ['a member does not pay for the system', [['messages', { included: 100 }]], 'credits', 1, NOTHING],
  ['less than nothing, of something', [['messages', { included: 10, ...monthly }]], 'messages', -5, 'allowed'],
  [
    'less than nothing, in debt',
    [
      ['messages', { included: 10, ...monthly }],
      ['messages', 50, { overage_behavior: 'overflow' }],
    ],
    'messages',
    -5,
    'allowed',
  ],
  ['less than nothing, of nothing', [], 'messages', -5, NOTHING],
]

describe('why not, and from when on', () => {
  test.each(CASES)('%s', async (_label, before, feature, required, expected) => {
    await all(before)
    expect(await verdict(feature, required)).toBe(expected)
  })

  test.each(CASES.filter(([, , , , expected]) => / 2026-/.test(expected)))(
    '%s: at that instant it is allowed, and not before',
    async (_label, before, feature, required) => {
      await all(before)
      const { available_at } = await story.check(feature, required)
      story.world.clock.set(available_at - 1)
      expect((await story.check(feature, required)).available_at).toBe(available_at)
      story.world.clock.set(available_at)
      expect(await verdict(feature, required)).toBe('allowed')
    },
  )

  test('what is held expired: nothing is', async () => {
    await story.grant('messages', { included: 10, expires_at: now + 1 })
    story.world.clock.advance(1)
    expect(await verdict('messages', 1)).toBe(NOTHING)
  })

  test('to look ahead changes nothing', async () => {
    await all([
      ['messages', { included: 10, ...daily, rollover: { length: 1 } }],
      ['messages', 10],
    ])
    const before = await story.world.ok('customers.get', { customer_id: 'alice' })
    expect(await verdict('messages', 5)).toBe(from(TOMORROW))
    expect(await verdict('messages', 5, { send_event: true })).toBe(from(TOMORROW))
    expect(await story.world.ok('customers.get', { customer_id: 'alice' })).toEqual(before)
    expect((await story.world.ok('events.list', { customer_id: 'alice' })).list).toHaveLength(1)
  })

  test('the next reset may have been moved', async () => {
    await all([
      ['messages', { included: 10, ...monthly }],
      ['messages', 10],
    ])
    await story.update('messages', { next_reset_at: now + 3 * DAY })
    expect(await verdict('messages', 10)).toBe(from('2026-02-03T10:00Z'))
  })
})

describe('entities', () => {
  const e1 = { entity_id: 'e1' }
  beforeEach(() => story.seat('e1', 'e2'))

  test.each<[string, Act[], number, Body, string]>([
    // label                                     before                                  required  whose   verdict
    ['nothing is held', [], 1, e1, NOTHING],
    ['only the other one holds something', [['messages', { included: 5, entity_id: 'e2' }]], 1, e1, NOTHING],
    ['what an entity holds is not the customer’s', [['messages', { included: 5, ...e1 }]], 1, {}, NOTHING],
    [
      'its own resets',
      [
        ['messages', { included: 5, ...daily, ...e1 }],
        ['messages', 5, e1],
      ],
      5,
      e1,
      from(TOMORROW),
    ],
    [
      'the inherited one resets',
      [
        ['messages', { included: 5, ...e1 }],
        ['messages', { included: 20, ...monthly }],
        ['messages', 25, e1],
      ],
      20,
      e1,
      from(NEXT_MONTH),
    ],
    [
      'both together',
      [
        ['messages', { included: 5, ...daily, ...e1 }],
        ['messages', { included: 20, ...monthly }],
        ['messages', 25, e1],
      ],
      25,
      e1,
      from(NEXT_MONTH),
    ],
    [
      'its own first, if that is enough',
      [
        ['messages', { included: 5, ...daily, ...e1 }],
        ['messages', { included: 20, ...monthly }],
        ['messages', 25, e1],
      ],
      5,
      e1,
      from(TOMORROW),
    ],
    [
      'the customer waits for its own',
      [
        ['messages', { included: 5, ...daily, ...e1 }],
        ['messages', { included: 20, ...monthly }],
        ['messages', 25, e1],
      ],
      5,
      {},
      from(NEXT_MONTH),
    ],
  ])('%s', async (_label, before, required, whose, expected) => {
    await all(before)
    expect(await verdict('messages', required, whose)).toBe(expected)
  })

  test('what is not shared does not help', async () => {
    await all([
      ['messages', { included: 5, ...daily, ...e1 }],
      ['messages', { included: 20, ...monthly }],
    ])
    await story.world.ok('customers.update', { customer_id: 'alice', config: { disable_pooled_balance: true } })
    await all([['messages', 5, e1]])
    expect(await verdict('messages', 5, e1)).toBe(from(TOMORROW))
    expect(await verdict('messages', 6, e1)).toBe(NEVER)
  })
})

describe('with send_event', () => {
  const use = { send_event: true }

  test.each<[string, Act[], string, number, string]>([
    ['nothing is held', [], 'messages', 1, NOTHING],
    ['too much', [['messages', { included: 10 }]], 'messages', 11, NEVER],
    [
      'monthly: used up',
      [
        ['messages', { included: 10, ...monthly }],
        ['messages', 10],
      ],
      'messages',
      10,
      from(NEXT_MONTH),
    ],
    [
      'one-off: used up and no longer shown',
      [
        ['messages', { included: 10 }],
        ['messages', 10],
      ],
      'messages',
      1,
      NEVER,
    ],
    [
      'credits: from their own reset on',
      [
        ['credits', { included: 3, ...daily }],
        ['images', 1],
      ],
      'images',
      1,
      from(TOMORROW),
    ],
  ])('%s', async (_label, before, feature, required, expected) => {
    await all(before)
    expect(await verdict(feature, required, use)).toBe(expected)
    expect(await verdict(feature, required)).toBe(expected)
  })

  test('what was allowed is used, what is denied is not', async () => {
    await story.grant('messages', { included: 10, ...monthly })
    expect(await verdict('messages', 8, use)).toBe('allowed')
    expect(await verdict('messages', 8, use)).toBe(from(NEXT_MONTH))
    await story.holds('messages', '10/2/8')
    story.world.clock.set(NEXT_MONTH)
    expect(await verdict('messages', 8, use)).toBe('allowed')
  })

  test('the answer that a key replays is the first one', async () => {
    const once = { ...use, customer_id: 'alice', feature_id: 'messages', required_balance: 11 }
    await story.grant('messages', { included: 10, ...daily, rollover: { length: 1 } })
    const ask = () => story.world.ok('balances.check', once, { 'idempotency-key': 'k' })
    const first = await ask()
    expect([first.allowed, first.available_at]).toEqual([false, now + DAY])
    story.world.clock.advance(DAY)
    expect(await ask()).toEqual(first)
  })

  test('the feature and its credits pay together', async () => {
    await all([
      ['images', { included: 1, ...daily }],
      ['credits', { included: 5 }],
      ['images', 1],
    ])
    // Tomorrow one image is its own, and the other costs three credits.
    expect(await verdict('images', 2, use)).toBe(from(TOMORROW))
  })
})

test('a reset after the next one may be the one that helps, where enough rolls over', async () => {
  await all([
    ['messages', { included: 10, ...daily, rollover: { length: 1 } }],
    ['messages', 10],
  ])
  expect(await verdict('messages', 15)).toBe(from('2026-02-02T10:00Z'))
})

describe('by version', () => {
  const keys = async (version: string) => {
    await story.grant('messages', { included: 10, ...daily })
    const body = { customer_id: 'alice', feature_id: 'messages', required_balance: 11 }
    const asked = [body, { ...body, send_event: true }, { ...body, feature_id: 'sso' }]
    const replies = await Promise.all(
      asked.map((one) => story.world.ok('balances.check', one, { 'x-api-version': version })),
    )
    expect(replies.map(({ allowed }) => allowed)).toEqual([false, false, false])
    return new Set(
      replies.map((reply) =>
        Object.keys(reply)
          .filter((key) => /^(reason|available_at)$/.test(key))
          .join(),
      ),
    )
  }

  test.each(['2.4', '2.3', '2.2', '2.1'])('%s says why', async (version) => {
    expect(await keys(version)).toEqual(new Set(['reason,available_at']))
  })
  test.each(['beta', '1.2'])('%s does not', async (version) => {
    expect(await keys(version)).toEqual(new Set(['']))
  })
  test('2.0 does not', async () => {
    expect(await keys('2.0')).toEqual(new Set(['']))
  })
})

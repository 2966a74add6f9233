import { describe, expect, test } from 'vitest'
import { balance } from '../../test/build.ts'
import { type Cycle, cycleOf, type Range, spanOf } from './cycle.ts'

const at = (text: string) => Date.parse(text)
const DAY = 86_400_000
const NOW = at('2026-03-20T10:00Z')
const MONTHLY = { every: 'month', anchor: at('2026-01-31T10:00Z'), nextAt: at('2026-03-31T10:00Z') } as const
const DAILY = { every: 'day', anchor: at('2026-03-01T00:00Z'), nextAt: at('2026-03-21T00:00Z') } as const

describe('the cycle (R181)', () => {
  test('is the present period of a balance that resets, counted from its anchor', () => {
    expect(cycleOf([balance({ ...MONTHLY, createdAt: at('2026-01-31T10:00Z') })])).toEqual({
      before: at('2026-01-31T10:00Z'),
      start: at('2026-02-28T10:00Z'),
      end: at('2026-03-31T10:00Z'),
      isFirst: false,
    })
  })

  test('is the first where the balance began in it', () => {
    const { start } = cycleOf([balance(MONTHLY)]) ?? { start: 0 }
    expect(cycleOf([balance({ ...MONTHLY, createdAt: start })])?.isFirst).toBe(true)
    expect(cycleOf([balance({ ...MONTHLY, createdAt: start - 1 })])?.isFirst).toBe(false)
  })

  test('is that of the oldest balance, of equals of the one whose id comes first', () => {
    const [a, b, c] = [
      balance({ uid: 'b', ...MONTHLY, createdAt: 5 }),
      balance({ uid: 'a', ...DAILY, createdAt: 5 }),
      balance({ uid: '0', every: 'week', nextAt: NOW, createdAt: 6 }),
    ]
    const { end } = cycleOf([a, b, c]) ?? { end: 0 }
    expect(end).toBe(DAILY.nextAt)
    expect(cycleOf([c, b, a])?.end).toBe(end)
    expect(cycleOf([c, a])?.end).toBe(MONTHLY.nextAt)
  })

  test('is none where nothing resets', () => {
    expect(cycleOf([])).toBeNull()
    expect(cycleOf([balance({ createdAt: 1 })])).toBeNull()
    expect(cycleOf([balance({ createdAt: 1 }), balance({ ...DAILY, createdAt: 2 })])?.end).toBe(DAILY.nextAt)
  })
})

const FIRST: Cycle = {
  before: at('2026-01-15T00:00Z'),
  start: at('2026-02-15T00:00Z'),
  end: at('2026-03-25T00:00Z'),
  isFirst: true,
}
const LATER: Cycle = { ...FIRST, isFirst: false }

test.each<[Range, Cycle | null, number, number]>([
  ['24h', LATER, NOW - DAY, NOW],
  ['7d', LATER, NOW - 7 * DAY, NOW],
  ['30d', null, NOW - 30 * DAY, NOW],
  ['90d', null, NOW - 90 * DAY, NOW],
  ['1bc', LATER, NOW - 38 * DAY, NOW],
  ['1bc', FIRST, NOW - 38 * DAY, NOW],
  ['3bc', LATER, NOW - 114 * DAY, NOW],
  ['last_cycle', LATER, LATER.before, LATER.start - 1],
  ['last_cycle', FIRST, FIRST.start, NOW],
  ['1bc', null, NOW - DAY, NOW],
  ['3bc', null, NOW - DAY, NOW],
  ['last_cycle', null, NOW - DAY, NOW],
])('%s with the cycle %j (R181, S30)', (range, cycle, from, to) => {
  expect(spanOf(range, cycle, NOW)).toEqual({ from, to })
})

test('no time begins before all times', () => {
  expect(spanOf('90d', null, DAY)).toEqual({ from: 1, to: DAY })
})

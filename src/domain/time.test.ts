import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addMonths,
  beforeClamping,
  boundary,
  boundaryAfter,
  END_OF_TIME,
  type Every,
  INTERVALS,
  later,
  orderingWeight,
  periodAt,
  readSpan,
} from './time.ts'

const at = (text: string) => Date.parse(text)
const every = (text: string): Every => {
  const [count, interval] = text.split(' ')
  return { interval: interval as Every['interval'], count: Number(count) }
}

describe('the first boundary after an instant (B149, law 9)', () => {
  test.each([
    // label                          anchor                  every       now                     boundary
    ['clamped to a short month', '2026-01-31T10:00Z', '1 month', '2026-04-30T09:00Z', '2026-04-30T10:00Z'],
    ['strictly after the boundary', '2026-01-31T10:00Z', '1 month', '2026-04-30T10:00Z', '2026-05-31T10:00Z'],
    ['three months', '2026-01-31T10:00Z', '3 month', '2026-04-30T11:00Z', '2026-07-31T10:00Z'],
    ['the 31st is not lost', '2026-03-31T12:00Z', '1 month', '2026-06-30T12:01Z', '2026-07-31T12:00Z'],
    ['leap day, yearly', '2024-02-29T12:00Z', '1 year', '2025-02-28T22:00Z', '2026-02-28T12:00Z'],
    ['leap day comes back', '2024-02-29T12:00Z', '1 year', '2027-03-01T00:00Z', '2028-02-29T12:00Z'],
    ['end of January', '2026-01-31T00:00Z', '1 month', '2026-02-15T00:00Z', '2026-02-28T00:00Z'],
    ['end of January, leap year', '2028-01-31T00:00Z', '1 month', '2028-02-15T00:00Z', '2028-02-29T00:00Z'],
    ['quarter', '2025-11-30T00:00Z', '1 quarter', '2025-12-01T00:00Z', '2026-02-28T00:00Z'],
    ['half a year', '2025-08-31T00:00Z', '1 semi_annual', '2025-09-01T00:00Z', '2026-02-28T00:00Z'],
    ['two weeks', '2026-01-01T08:00Z', '2 week', '2026-01-15T08:00Z', '2026-01-29T08:00Z'],
    ['an hour', '2026-01-01T08:30Z', '1 hour', '2026-03-01T00:00Z', '2026-03-01T00:30Z'],
    ['a minute', '2026-01-01T08:30:15Z', '1 minute', '2026-01-01T08:30:15Z', '2026-01-01T08:31:15Z'],
    ['before the anchor', '2026-06-30T00:00Z', '1 month', '2026-02-27T00:00Z', '2026-02-28T00:00Z'],
  ])('%s', (_label, anchor, period, now, expected) => {
    expect(new Date(boundaryAfter(at(anchor), every(period), at(now))).toISOString()).toBe(
      new Date(at(expected)).toISOString(),
    )
  })

  test('boundaries tile the line: every instant lies in exactly one period', () => {
    const someEvery = fc.record({ interval: fc.constantFrom(...INTERVALS), count: fc.integer({ min: 1, max: 30 }) })
    const instant = fc.integer({ min: at('1990-01-01T00:00Z'), max: at('2090-01-01T00:00Z') })
    fc.assert(
      fc.property(someEvery, instant, instant, (period, anchor, now) => {
        const n = periodAt(anchor, period, now)
        expect(boundary(anchor, period, n)).toBeLessThanOrEqual(now)
        expect(boundary(anchor, period, n + 1)).toBeGreaterThan(now)
        expect(boundaryAfter(anchor, period, now)).toBe(boundary(anchor, period, n + 1))
      }),
      { numRuns: 3000 },
    )
  })
})

test('twelve months are drawn from before a year, and a day before both (R84 key 6)', () => {
  const order = ['1 year', '12 month', '1 day', '1 quarter', '90 minute'].map(every)
  expect(order.sort((a, b) => orderingWeight(a) - orderingWeight(b))).toEqual(
    ['90 minute', '1 day', '1 quarter', '12 month', '1 year'].map(every),
  )
})

test('what lies before the clamping of a month end stays before all from there on, however many months are added', () => {
  expect(addMonths(at('2026-03-30T23:00Z'), 1)).toBeGreaterThan(addMonths(at('2026-03-31T14:00Z'), 1))
  expect(beforeClamping(at('2026-03-31T14:00Z'))).toBe(at('2026-03-28T00:00Z'))
  expect(beforeClamping(at('2026-03-27T14:00Z'))).toBe(at('2026-03-27T14:00Z'))
  const days = (n: number) => fc.integer({ min: 0, max: n * 86_400_000 })
  const instant = fc.integer({ min: at('2023-01-01T00:00Z'), max: at('2029-01-01T00:00Z') })
  fc.assert(
    fc.property(instant, days(5), days(5), fc.integer({ min: 0, max: 25 }), (now, before, after, months) => {
      const earlier = beforeClamping(now) - 1 - before
      expect(addMonths(earlier, months)).toBeLessThanOrEqual(addMonths(now + after, months))
    }),
    { numRuns: 3000 },
  )
})

test('what lies beyond the last instant is that instant, never no instant at all', () => {
  const soon = at('2026-01-31T10:00Z')
  expect(boundaryAfter(soon, every('1000000 year'), soon)).toBe(END_OF_TIME)
  expect(boundaryAfter(soon, every('1000000000 week'), soon)).toBe(END_OF_TIME)
  expect(addMonths(soon, 12_000_000)).toBe(END_OF_TIME)
  expect(later(soon, { count: 10 ** 9, unit: 'y' })).toBe(END_OF_TIME)
  expect(later(soon, { count: 10 ** 12, unit: 'w' })).toBe(END_OF_TIME)
})

describe('a length of time as people say it', () => {
  test.each([
    // text     from                        leads to
    ['250ms', '2026-01-31T10:00:00.000Z', '2026-01-31T10:00:00.250Z'],
    ['30s', '2026-01-31T10:00:00.000Z', '2026-01-31T10:00:30.000Z'],
    ['90m', '2026-01-31T10:00:00.000Z', '2026-01-31T11:30:00.000Z'],
    ['12h', '2026-01-31T10:00:00.000Z', '2026-01-31T22:00:00.000Z'],
    ['31d', '2026-01-31T10:00:00.000Z', '2026-03-03T10:00:00.000Z'],
    ['2w', '2026-01-31T10:00:00.000Z', '2026-02-14T10:00:00.000Z'],
    ['1mo', '2026-01-31T10:00:00.000Z', '2026-02-28T10:00:00.000Z'],
    ['1y', '2024-02-29T10:00:00.000Z', '2025-02-28T10:00:00.000Z'],
    ['0d', '2026-01-31T10:00:00.000Z', '2026-01-31T10:00:00.000Z'],
  ])('%s after %s', (text, from, expected) => {
    const span = readSpan(text)
    expect(span === null ? null : new Date(later(at(from), span)).toISOString()).toBe(expected)
  })

  test('may have as many as twelve digits', () => {
    expect(readSpan('123456789012ms')).toEqual({ count: 123_456_789_012, unit: 'ms' })
  })

  test.each(['', '5', 'd', '5x', '1.5d', '-1d', '5 d', '5dd', 'x5d', '5d ', '1234567890123ms'])('is not %j', (text) => {
    expect(readSpan(text)).toBeNull()
  })
})

test('a month weighs thirty days and a year 365, times how many they are (R84 key 6)', () => {
  const day = 1440
  expect(['1 day', '2 week', '1 month', '2 quarter', '1 semi_annual', '3 year'].map(every).map(orderingWeight)).toEqual(
    [1, 14, 30, 180, 180, 3 * 365].map((days) => days * day),
  )
})

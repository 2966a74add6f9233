import { expect, test } from 'vitest'
import { type BinSize, binsBetween, nextBin } from './bins.ts'

const at = (text: string) => Date.parse(text)
const shown = (instants: readonly number[]) => instants.map((one) => new Date(one).toISOString().slice(0, 16))

test.each<[string, BinSize, string, string, string[]]>([
  [
    'hours',
    'hour',
    '2026-03-01T10:59:59.999Z',
    '2026-03-01T12:00Z',
    ['2026-03-01T10:00', '2026-03-01T11:00', '2026-03-01T12:00'],
  ],
  ['one hour', 'hour', '2026-03-01T10:00Z', '2026-03-01T10:59:59.999Z', ['2026-03-01T10:00']],
  [
    'days, over the end of a month',
    'day',
    '2026-02-28T23:00Z',
    '2026-03-01T01:00Z',
    ['2026-02-28T00:00', '2026-03-01T00:00'],
  ],
  [
    'a day that ends where the next one begins',
    'day',
    '2026-03-01T00:00Z',
    '2026-03-02T00:00Z',
    ['2026-03-01T00:00', '2026-03-02T00:00'],
  ],
  [
    'weeks from Monday on',
    'week',
    '2026-03-01T23:59Z',
    '2026-03-09T00:00Z',
    ['2026-02-23T00:00', '2026-03-02T00:00', '2026-03-09T00:00'],
  ],
  ['a week that begins with a year before', 'week', '2026-01-01T00:00Z', '2026-01-01T00:00Z', ['2025-12-29T00:00']],
  [
    'the first days of all',
    'week',
    '1970-01-01T00:00:00.001Z',
    '1970-01-05T00:00Z',
    ['1969-12-29T00:00', '1970-01-05T00:00'],
  ],
  [
    'months of any length',
    'month',
    '2026-01-31T23:00Z',
    '2026-03-01T00:00Z',
    ['2026-01-01T00:00', '2026-02-01T00:00', '2026-03-01T00:00'],
  ],
  ['months over a year', 'month', '2025-12-15T00:00Z', '2026-01-15T00:00Z', ['2025-12-01T00:00', '2026-01-01T00:00']],
  ['nothing', 'day', '2026-03-02T00:00Z', '2026-03-01T23:59Z', []],
])('%s (R182)', (_label, size, from, to, expected) => {
  expect(shown(binsBetween(at(from), at(to), size, 100))).toEqual(expected)
})

test('it stops at one more than the most', () => {
  expect(binsBetween(at('2026-01-01T00:00Z'), at('2036-01-01T00:00Z'), 'hour', 50)).toHaveLength(51)
  expect(binsBetween(at('2026-01-01T00:00Z'), at('2026-01-01T01:30Z'), 'hour', 2)).toHaveLength(2)
})

test.each<[BinSize, string]>([
  ['hour', '2026-02-01T01:00'],
  ['day', '2026-02-02T00:00'],
  ['week', '2026-02-08T00:00'],
  ['month', '2026-03-01T00:00'],
])('after a %s comes the next', (size, expected) => {
  expect(shown([nextBin(at('2026-02-01T00:00Z'), size)])).toEqual([expected])
})

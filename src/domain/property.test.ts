import { expect, test } from 'vitest'
import type { JsonObject } from './customer.ts'
import { fits, propertyText } from './property.ts'

const PROPERTIES: JsonObject = { a: { b: ['x', { c: 5 }], d: true, e: null }, f: '', g: 'x\u0000\ud800' }

test.each([
  ['a.b.0', 'x'],
  ['a.b.1.c', '5'],
  ['a.b', null],
  ['a.b.x', null],
  ['a.b.2', null],
  ['a.b.length', null],
  ['a.d', 'true'],
  ['a.e', null],
  ['a.e.f', null],
  ['a.d.f', null],
  ['a', null],
  ['f', ''],
  ['g', 'x\ufffd\ufffd'],
  ['h', null],
  ['toString', null],
])('the text at %s is %j', (path, expected) => {
  expect(propertyText(PROPERTIES, path.split('.'))).toBe(expected)
})

test('all filters have to hold', () => {
  const [one, two] = [
    { path: ['a', 'd'], value: 'true' },
    { path: ['f'], value: '' },
  ] as const
  expect(fits(PROPERTIES, [])).toBe(true)
  expect(fits(PROPERTIES, [one, two])).toBe(true)
  expect(fits(PROPERTIES, [one, { ...two, value: 'x' }])).toBe(false)
  expect(fits({}, [two])).toBe(false)
})

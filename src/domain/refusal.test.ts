import { expect, test } from 'vitest'
import { isRefusal, refuse } from './refusal.ts'

test('a refusal is known by its kind alone, among whatever may be answered', () => {
  expect(isRefusal(refuse('invalid_inputs', 'Send one of them'))).toBe(true)
  for (const other of [null, undefined, 'refused', 0, {}, { code: 'refused' }, { kind: 'finite' }]) {
    expect(isRefusal(other)).toBe(false)
  }
})

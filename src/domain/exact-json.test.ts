import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exactJson } from './exact-json.ts'

const json = exactJson('$')

test('what is read is what was written, whatever keys are in it', () => {
  const key = fc.oneof(fc.constantFrom('$', '$ entries', 'a', '', '$$'), fc.string())
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.bigInt(),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.integer(),
      fc.array(tie('any')),
      fc.dictionary(key, tie('any'), { noNullPrototype: true }),
    ),
  })).any
  fc.assert(
    fc.property(value, (any) => {
      expect(json.read(json.write(any))).toEqual(any)
    }),
    { numRuns: 2000 },
  )
})

test('amounts that were kept before can still be read', () => {
  expect(json.read('{"cost":{"$":"0.2"},"list":[{"$":"-3"}]}')).toEqual({
    cost: 200_000_000_000n,
    list: [-3_000_000_000_000n],
  })
  expect(() => json.read('{"$":5}')).toThrow('an amount is kept as text')
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quickCheck, quickTrack } from './quick.ts'
import { checkInput, trackInput } from './usage.ts'

const value = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('alice', 'messages', 'a b', '', 'ä', 'x'.repeat(201), 'x'.repeat(300), 'k:1'),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom<unknown>(1, 0, -0, 0.1, -3.5, 1e15, 1e16, 1e-13, true, false, null, '5', 'ten'),
  },
  { weight: 3, arbitrary: fc.constantFrom<unknown>({}, { a: 1 }, [], ['a'], { a: { b: [null] } }) },
  { weight: 1, arbitrary: fc.jsonValue() },
)
const keys = [
  'customer_id',
  'feature_id',
  'entity_id',
  'required_balance',
  'value',
  'send_event',
  'properties',
  'idempotency_key',
  'lock',
  'async',
  'expand',
  'zzz',
]
const body = fc
  .dictionary(fc.constantFrom(...keys), value, { maxKeys: 7 })
  .map((one) => ({ customer_id: 'alice', feature_id: 'messages', ...one }))

test.each([
  ['check', quickCheck, checkInput],
  ['track', quickTrack, trackInput],
] as const)('a %s that is read quickly is read as the schema reads it', (_name, quick, schema) => {
  let quickly = 0
  fc.assert(
    fc.property(body, (one) => {
      const read = quick(one)
      if (read === undefined) return
      quickly += 1
      // Keys without a value are as good as absent.
      expect(JSON.parse(JSON.stringify(read, bigints))).toEqual(
        withoutUnread(JSON.parse(JSON.stringify(schema.parse(one), bigints))),
      )
    }),
    { numRuns: 20_000 },
  )
  expect(quickly).toBeGreaterThan(1000)
})

const bigints = (_key: string, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item)

/** The schema also hands on the amount as it was named; only `required` is read. */
function withoutUnread({ required_balance: _, ...rest }: Record<string, unknown>) {
  return rest
}

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { amount, formatAmount } from '../domain/amount.ts'
import { ExactSum } from './exact-sum.ts'

function sumOf(texts: readonly string[]): bigint {
  const sum = new ExactSum()
  for (const text of texts) sum.addText(text)
  return sum.total
}

test.each([
  ['nothing', [], '0'],
  ['parts of one', ['0.1', '0.2'], '0.3'],
  ['below zero', ['-0.5', '-1', '0.25'], '-1.25'],
  ['the smallest', ['0.000000000001', '-0.000000000003'], '-0.000000000002'],
  ['as long as a number holds', Array.from({ length: 40 }, () => '999999999999999'), '39999999999999960'],
  ['and back', [...Array.from({ length: 9 }, () => '-99999999999999'), '1'], '-899999999999990'],
  ['longer', ['1000000000000000.000000000001', '0.5'], '1000000000000000.500000000001'],
  ['many parts', Array.from({ length: 20_000 }, () => '9.999999999999'), '199999.99999998'],
])('%s', (_label, texts, expected) => {
  expect(formatAmount(sumOf(texts))).toBe(expected)
})

test('the sum is that of bigints, whatever is added, and may be looked at in between', () => {
  const texts = fc.oneof(
    fc.bigInt({ min: -(10n ** 27n), max: 10n ** 27n }),
    fc.bigInt({ min: -(10n ** 14n), max: 10n ** 14n }),
    fc.integer({ min: -1000, max: 1000 }).map((n) => BigInt(n) * 10n ** 12n),
  )
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 50 }), fc.nat(50), (values, looked) => {
      const sum = new ExactSum()
      for (const [i, value] of values.entries()) {
        if (i % 3 === 0) sum.add(value)
        else sum.addText(formatAmount(value))
        if (i === looked) expect(sum.total).toBe(values.slice(0, i + 1).reduce((all, one) => all + one, 0n))
      }
      expect(sum.total).toBe(values.reduce((all, one) => all + one, 0n))
      expect(sumOf(values.map(formatAmount))).toBe(
        values
          .map(formatAmount)
          .map(amount)
          .reduce((all, one) => all + one, 0n),
      )
    }),
  )
})

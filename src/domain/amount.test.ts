import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { amount, divideHalfEven, formatAmount, LARGEST_INPUT, multiplyHalfEven, readAmount } from './amount.ts'

describe('reading an amount', () => {
  test.each([
    // label                                         input                      amount
    ['a whole number', 12, '12'],
    ['a tenth is a tenth', 0.1, '0.1'],
    ['what a client computed as 0.1 + 0.2', 0.1 + 0.2, '0.3'],
    ['a negative fraction', -27.35, '-27.35'],
    ['minus zero is zero', -0, '0'],
    ['an exponent', 1e-7, '0.0000001'],
    ['the finest unit', 1e-12, '0.000000000001'],
    ['half of the finest unit rounds to even', '0.0000000000005', '0'],
    ['one and a half of it rounds to even', '0.0000000000015', '0.000000000002'],
    ['a decimal text', '100.25', '100.25'],
    ['a text with more digits than a double holds', '900719925474099.123456789012', '900719925474099.123456789012'],
    ['a text with a plus sign and no whole part', '+.5', '0.5'],
    ['the largest', 1e15, '1000000000000000'],
    ['a hostile exponent far below zero', '1e-9999', '0'],
    ['nothing, at whatever exponent', '0e9999', '0'],
    ['as many digits as are read', '0'.repeat(400), '0'],
  ])('%s', (_label, input, expected) => {
    expect(formatAmount(readAmount(input) as bigint)).toBe(expected)
  })

  test.each([
    ['not a number', Number.NaN, 'not_a_number'],
    ['infinite', Number.POSITIVE_INFINITY, 'not_a_number'],
    ['words', 'ten', 'not_a_number'],
    ['nothing', '', 'not_a_number'],
    ['a lone point', '.', 'not_a_number'],
    ['two numbers', '1 2', 'not_a_number'],
    ['hexadecimal', '0x10', 'not_a_number'],
    ['above the largest', '1000000000000000.000000000001', 'too_large'],
    ['far below the smallest', -1e21, 'too_large'],
    ['a hostile exponent', '1e9999', 'too_large'],
    ['a hostile exponent below zero', '-1e9999', 'too_large'],
    ['more digits than are read', '0'.repeat(401), 'not_a_number'],
    ['a text without end', '1'.repeat(500), 'not_a_number'],
  ])('refuses %s', (_label, input, problem) => {
    expect(readAmount(input)).toBe(problem)
  })

  test('every exact decimal survives being written and read (law: no drift)', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -LARGEST_INPUT, max: LARGEST_INPUT }), (value) => {
        expect(amount(formatAmount(value))).toBe(value)
        expect(readAmount(formatAmount(value))).toBe(value)
      }),
      { numRuns: 2000 },
    )
  })

  test('a number is read as its shortest decimal form says', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e15, max: 1e15, noNaN: true }), (value) => {
        const plain = BigInt(Math.round(value * 1e3)) * 1_000_000_000n
        const read = readAmount(Math.round(value * 1e3) / 1e3)
        // Three decimals of a number below 10¹² are exact in its shortest form.
        if (Math.abs(value) < 1e12) expect(read).toBe(plain)
        else expect(typeof read).toBe('bigint')
      }),
      { numRuns: 2000 },
    )
  })
})

test('what we wrote ourselves is read exactly, and anything else is a bug', () => {
  expect(amount('-12.000000000001')).toBe(-12_000_000_000_001n)
  expect(amount('0.5')).toBe(500_000_000_000n)
  for (const text of ['', 'x5', '5x', '+5', '1e3', '.5', '5.', '0.0000000000001']) {
    expect(() => amount(text)).toThrow(`not an exact amount: ${text}`)
  }
})

describe('arithmetic', () => {
  test.each([
    ['half to even, down', 5n, 10n, 0n],
    ['half to even, up', 15n, 10n, 2n],
    ['half to even, down to two', 25n, 10n, 2n],
    ['half to even, up to four', 35n, 10n, 4n],
    ['below half', 14n, 10n, 1n],
    ['above half', 16n, 10n, 2n],
    ['above half, of an even number', 26n, 10n, 3n],
    ['negative mirrors positive', -15n, 10n, -2n],
  ])('division: %s', (_label, dividend, divisor, quotient) => {
    expect(divideHalfEven(dividend, divisor)).toBe(quotient)
  })

  test('a credit cost multiplies exactly (B238: 0.2 × 0.3 = 0.06)', () => {
    expect(formatAmount(multiplyHalfEven(amount('0.2'), amount('0.3')))).toBe('0.06')
    expect(formatAmount(multiplyHalfEven(amount('501'), amount('0.2')))).toBe('100.2')
  })

  test('a million subtractions of a millionth leave the exact rest, where a double is off', () => {
    const millionth = amount('0.000001')
    let left = amount('1000000')
    for (let i = 0; i < 1_000_000; i++) left -= millionth
    expect(formatAmount(left)).toBe('999999')
  })
})

/**
 * An exact amount: an integer count of 10⁻¹² units. Never a binary float, which at 10⁻¹⁰ is already wrong above about
 * 900,000. Source: spec B237-B242.
 */
export type Amount = bigint

/** Decimals kept. What is finer than this is rounded half-even when it is read. */
const DECIMALS = 12
/** One unit. */
export const ONE: Amount = 1_000_000_000_000n
export const ZERO: Amount = 0n
/** The largest magnitude a caller may send: 10¹⁵ units (B242). Sums may be larger; they stay exact. */
export const LARGEST_INPUT: Amount = 1_000_000_000_000_000n * ONE

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/
/** Above this many digits a text is no amount of ours; it bounds the work a hostile text can cause. */
const LONGEST_TEXT = 400

export type AmountProblem = 'not_a_number' | 'too_large'

/**
 * Reads an amount from a JSON number or a decimal text.
 * A number is read through its shortest decimal form, so that 0.1 is a tenth and 0.30000000000000004 is rounded back to 0.3.
 * @returns the amount, or why it is none: `not_a_number` (also NaN and infinities), `too_large` (beyond ±10¹⁵).
 */
export function readAmount(input: number | string): Amount | AmountProblem {
  if (typeof input === 'number') {
    if (Number.isSafeInteger(input)) return withinLimits(BigInt(input) * ONE)
    if (!Number.isFinite(input)) return 'not_a_number'
  }
  const text = String(input)
  if (text.length > LONGEST_TEXT) return 'not_a_number'
  const match = DECIMAL.exec(text)
  if (match === null) return 'not_a_number'
  const whole = match[2] ?? ''
  const fraction = match[3] ?? ''
  if (whole === '' && fraction === '') return 'not_a_number'
  const exponent = Number(match[4] ?? 0)
  const digits = BigInt(whole + fraction)
  if (digits === 0n) return ZERO
  const magnitude = shift(digits, exponent - fraction.length + DECIMALS)
  if (magnitude === 'too_large') return magnitude
  return withinLimits(match[1] === '-' ? -magnitude : magnitude)
}

/** As `readAmount`, for texts we wrote ourselves (stores, tests): anything else is a bug and throws. */
export function amount(input: number | string): Amount {
  const result = parseExact(String(input))
  if (result === undefined) throw new RangeError(`not an exact amount: ${String(input)}`)
  return result
}

/** The exact decimal, without exponent and without trailing zeros: `12.5`, `-0.000000000001`, `0`. */
export function formatAmount(value: Amount): string {
  if (value === 0n) return '0'
  if (value < 0n) return `-${formatAmount(-value)}`
  // One conversion and slicing: a quarter less time than dividing bigints, and an answer holds a dozen amounts.
  const digits = value.toString().padStart(DECIMALS + 1, '0')
  const point = digits.length - DECIMALS
  let end = digits.length
  while (end > point && digits[end - 1] === '0') end -= 1
  return end === point ? digits.slice(0, point) : `${digits.slice(0, point)}.${digits.slice(point, end)}`
}

/** `value × factor`, both amounts, rounded half-even to 10⁻¹². */
export function multiplyHalfEven(value: Amount, factor: Amount): Amount {
  return divideHalfEven(value * factor, ONE)
}

/** Integer division rounded to the nearest, ties to the even neighbour. `divisor` > 0. */
export function divideHalfEven(dividend: bigint, divisor: bigint): bigint {
  if (dividend < 0n) return -divideHalfEven(-dividend, divisor)
  const quotient = dividend / divisor
  const twice = (dividend % divisor) * 2n
  if (twice < divisor) return quotient
  if (twice > divisor) return quotient + 1n
  return quotient % 2n === 0n ? quotient : quotient + 1n
}

export function smaller(a: Amount, b: Amount): Amount {
  return a < b ? a : b
}

/** What is left of `value` when what is below zero does not count. */
export function atLeastZero(value: Amount): Amount {
  return value > 0n ? value : ZERO
}

export function sum(values: Iterable<Amount>): Amount {
  let total = ZERO
  for (const value of values) total += value
  return total
}

function withinLimits(value: Amount): Amount | 'too_large' {
  return value > LARGEST_INPUT || value < -LARGEST_INPUT ? 'too_large' : value
}

/** `digits × 10^places`, rounded half-even where places is negative. */
function shift(digits: bigint, places: number): bigint | 'too_large' {
  if (places >= 0) return places > 40 ? 'too_large' : digits * 10n ** BigInt(places)
  return places < -LONGEST_TEXT * 2 ? ZERO : divideHalfEven(digits, 10n ** BigInt(-places))
}

function parseExact(text: string): Amount | undefined {
  if (text === '0') return ZERO
  const match = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(text)
  if (match === null) return undefined
  const whole = BigInt(match[2] ?? '') * ONE
  const magnitude = match[3] === undefined ? whole : whole + BigInt(match[3].padEnd(DECIMALS, '0'))
  return match[1] === '-' ? -magnitude : magnitude
}

import { type Amount, divideHalfEven, ONE, ZERO } from './amount.ts'
import type { ItemPrice } from './item-price.ts'
import { inPacks } from './quantities.ts'

/** Money that is not rounded yet: a third of an amount has no decimal. The denominator is above zero. */
export interface Fraction {
  readonly numerator: bigint
  readonly denominator: bigint
}

export const WHOLE: Fraction = { numerator: 1n, denominator: 1n }

export function times(a: Fraction, b: Fraction): Fraction {
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator }
}

const CENT = ONE / 100n

/** In whole cents, half-even. */
export function inCents({ numerator, denominator }: Fraction): Amount {
  return divideHalfEven(numerator, denominator * CENT) * CENT
}

/**
 * What `units` beyond those that are included cost, as many packs as are begun. Graduated tiers price their own units each; of
 * volume tiers the one that is reached prices all. A flat amount is due once for each tier that counts. Source: C36, W8.
 */
export function costOf(price: ItemPrice, units: Amount): Fraction {
  const sold = inPacks(units, price)
  let numerator = 0n
  let below = ZERO
  for (const { to, amount, flatAmount } of price.tiers) {
    if (sold <= below) break
    const reached = to === null || sold <= to
    const share = reached ? sold - below : to - below
    if (price.behavior === 'graduated') numerator += share * amount + (flatAmount ?? ZERO) * price.units
    else if (reached) numerator = sold * amount + (flatAmount ?? ZERO) * price.units
    if (to !== null) below = to
    if (reached) break
  }
  return { numerator, denominator: price.units }
}

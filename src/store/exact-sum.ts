import { type Amount, amount, ONE, ZERO } from '../domain/amount.ts'

/** A longer text may hold more digits than a number keeps. */
const LONGEST = 15
/** Far enough below 2⁵³ that what a short text says can still be added. */
const FULL = 2 ** 52
const POINT = '.'.charCodeAt(0)
const MINUS = '-'.charCodeAt(0)
const NOUGHT = '0'.charCodeAt(0)
const DECIMALS = 12
const POWERS = Array.from({ length: DECIMALS + 1 }, (_, i) => 10 ** i)

/**
 * An exact sum of amounts that stores keep as decimal texts. Nearly all are so short that whole numbers within 2⁵³ hold their
 * two parts, which takes a small part of the time of making a bigint of each; an aggregate adds up hundreds of thousands.
 */
export class ExactSum {
  #whole = 0
  /** In 10⁻¹². */
  #fraction = 0
  #rest: Amount = ZERO

  /** @param text as `formatAmount` writes it. */
  addText(text: string): void {
    if (text.length > LONGEST) return this.add(amount(text))
    const sign = text.charCodeAt(0) === MINUS ? -1 : 1
    let whole = 0
    let i = sign === 1 ? 0 : 1
    for (; i < text.length && text.charCodeAt(i) !== POINT; i++) whole = whole * 10 + text.charCodeAt(i) - NOUGHT
    this.#whole += sign * whole
    if (i < text.length) {
      let fraction = 0
      const places = text.length - i - 1
      for (i++; i < text.length; i++) fraction = fraction * 10 + text.charCodeAt(i) - NOUGHT
      this.#fraction += sign * fraction * (POWERS[DECIMALS - places] ?? 0)
    }
    if (Math.abs(this.#whole) > FULL || Math.abs(this.#fraction) > FULL) this.#settle()
  }

  add(value: Amount): void {
    this.#rest += value
  }

  get total(): Amount {
    this.#settle()
    return this.#rest
  }

  #settle(): void {
    this.#rest += BigInt(this.#whole) * ONE + BigInt(this.#fraction)
    this.#whole = 0
    this.#fraction = 0
  }
}

import { type Amount, type Behavior, granted, max, ONE, type Rollover, type Row, soonest, sum } from './rows.ts'

/** So much of a balance for so many units. */
export interface Price {
  cost: Amount
  per: Amount
}
export const AT_PAR: Price = { cost: ONE, per: ONE }

export interface Payer {
  row: Row
  price: Price
}

/** What was taken from one bucket: the main amount of a balance, or one of its rollovers. Below zero it was given. */
export interface Line {
  row: Row
  rollover: Rollover | null
  amount: Amount
  price: Price
}

/**
 * Rollovers first, those that end soonest, then each balance to zero, then whatever may be owed by the first.
 * @returns whether something is left to be paid.
 */
export function take(payers: Payer[], units: bigint, behavior: Behavior, seats: boolean, lines: Line[]): boolean {
  const first = payers[0]
  if (first === undefined) return units > 0n
  const due = new Due(units)
  if (first.row.unlimited) pay(first, null, due.charge(first.price, null), lines)
  for (const rollover of soonest(payers.flatMap(({ row }) => row.rollovers))) {
    const payer = payers.find(({ row }) => row.rollovers.includes(rollover)) ?? first
    pay(payer, rollover, due.charge(payer.price, rollover.left), lines)
  }
  for (const payer of payers) pay(payer, null, due.charge(payer.price, max(payer.row.main, 0n)), lines)
  if (behavior === 'overflow' || (seats && behavior === 'cap')) pay(first, null, due.charge(first.price, null), lines)
  return due.open
}

/** Debts first, then each balance up to its grant; what does not fit is dropped, or the first gets it. */
export function giveBack(payers: Payer[], units: bigint, behavior: Behavior, lines: Line[]): void {
  const first = payers[0]
  if (first === undefined) return
  const due = new Due(units)
  if (first.row.unlimited) pay(first, null, -due.charge(first.price, null), lines)
  for (const payer of payers) pay(payer, null, -due.charge(payer.price, max(-payer.row.main, 0n)), lines)
  if (behavior === 'overflow') return pay(first, null, -due.charge(first.price, null), lines)
  for (const payer of payers)
    pay(payer, null, -due.charge(payer.price, max(granted(payer.row) - payer.row.main, 0n)), lines)
}

/** Moves an amount out of a bucket. What one use moves in one bucket is one line. */
export function pay({ row, price }: Payer, rollover: Rollover | null, amount: Amount, lines: Line[]): void {
  if (rollover === null) row.main -= amount
  else {
    rollover.left -= amount
    rollover.used += amount
  }
  const line = lines.find((other) => other.row === row && other.rollover === rollover)
  if (line !== undefined) line.amount += amount
  else if (amount !== 0n) lines.push({ row, rollover, amount, price })
}

/** How much of each line so many units come to, what was taken last first; null where that is more than is `left`. */
export function partOf(lines: Line[], left: Amount[], units: bigint): Amount[] | null {
  const due = new Due(units)
  const part = lines.map((line, i) => [line.price, left[i] ?? 0n] as const).toReversed()
  const back = part.map(([price, limit]) => due.charge(price, limit)).toReversed()
  return due.open ? null : back
}

/** What lines come to in the units of the use, each rounded. */
export function unitsOf(lines: Line[], amounts: Amount[]): Amount {
  return sum(lines.map(({ price }, i) => halfEven((amounts[i] ?? 0n) * price.per, price.cost)))
}

/** Units still to be paid. A payer that is emptied covers a part of a use that no 12 decimals can name: the rest has 24. */
class Due {
  #left: bigint

  constructor(units: bigint) {
    this.#left = units * ONE
  }

  get open(): boolean {
    return halfEven(this.#left, ONE) > 0n
  }

  /** Charges what is left at a price, at most `limit`, rounded half-even to 10⁻¹². What is empty pays nothing. */
  charge({ cost, per }: Price, limit: bigint | null): bigint {
    if (limit === 0n) return 0n
    const needed = halfEven(this.#left * cost, ONE * per)
    if (limit === null || needed <= limit) {
      this.#left = 0n
      return needed
    }
    this.#left -= halfEven(limit * ONE * per, cost)
    return limit
  }
}

export function halfEven(dividend: bigint, divisor: bigint): bigint {
  if (dividend < 0n) return -halfEven(-dividend, divisor)
  const [whole, rest] = [dividend / divisor, (dividend % divisor) * 2n]
  return rest > divisor || (rest === divisor && whole % 2n === 1n) ? whole + 1n : whole
}

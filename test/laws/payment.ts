import {
  type Amount,
  type Behavior,
  type Feature,
  granted,
  max,
  mayOwe,
  min,
  ONE,
  type Rollover,
  type Row,
  soonest,
  sum,
} from './rows.ts'

/** So much of a balance for so many units. */
interface Price {
  cost: Amount
  per: Amount
}

/** A cost up to each mark; where there are several, each balance counts the units that it paid for in its period. */
export interface Rate {
  tiers: { to: Amount | null; cost: Amount }[]
  per: Amount
}
export const AT_PAR: Rate = { tiers: [{ to: null, cost: ONE }], per: ONE }

export interface Payer {
  row: Row
  rate: Rate
  /** What is used, under which its units are counted. */
  of: Feature
}

/** As one that pays for its own feature. */
export function ownPayer(row: Row): Payer {
  return { row, rate: AT_PAR, of: row.feature }
}

/** What was taken from one bucket at one price: the main amount of a balance, or one of its rollovers. Below zero it was given. */
export interface Line {
  row: Row
  rollover: Rollover | null
  amount: Amount
  price: Price
  /** What was counted for it, where it was. */
  counted: { of: Feature; units: Amount } | null
}

/**
 * Rollovers first, those that end soonest, then each balance to zero, then what each may owe, or all by the first.
 * @returns what is left to be paid.
 */
export function take(payers: Payer[], units: bigint, behavior: Behavior, seats: boolean, lines: Line[]): Amount {
  const first = payers[0]
  if (first === undefined) return units
  const due = new Due(units)
  if (first.row.unlimited) settle(first, null, due, 1n, null, lines)
  for (const rollover of soonest(payers.flatMap(({ row }) => row.rollovers))) {
    const payer = payers.find(({ row }) => row.rollovers.includes(rollover)) ?? first
    settle(payer, rollover, due, 1n, rollover.left, lines)
  }
  for (const payer of payers) settle(payer, null, due, 1n, max(payer.row.main, 0n), lines)
  if (behavior === 'overflow') settle(first, null, due, 1n, null, lines)
  else
    for (const payer of payers) {
      const most = mayOwe(payer.row, seats && behavior === 'cap')
      if (most !== 0n) settle(payer, null, due, 1n, most && max(most - max(-payer.row.main, 0n), 0n), lines)
    }
  return due.open
}

/**
 * Debts first, then each balance up to its grant, less what is held of that; what does not fit is dropped, or the first
 * gets it.
 */
export function giveBack(payers: Payer[], units: bigint, behavior: Behavior, lines: Line[]): void {
  const first = payers[0]
  if (first === undefined) return
  const due = new Due(units)
  if (first.row.unlimited) settle(first, null, due, -1n, null, lines)
  for (const payer of payers) {
    const { main, held } = payer.row
    // What is owed because it is held is not owed for use.
    const ceiling = behavior === 'overflow' ? 0n : min(max(granted(payer.row), 0n) - max(held, 0n), 0n)
    settle(payer, null, due, -1n, max(ceiling - main, 0n), lines)
  }
  if (behavior === 'overflow') return settle(first, null, due, -1n, null, lines)
  for (const payer of payers) {
    const { main, held } = payer.row
    settle(payer, null, due, -1n, max(granted(payer.row) - max(held, 0n) - max(main, 0n), 0n), lines)
  }
}

/** Tier by tier, from the one where the balance stands: upwards what is taken, downwards what is given. */
function settle(
  payer: Payer,
  rollover: Rollover | null,
  due: Due,
  sign: bigint,
  limit: Amount | null,
  lines: Line[],
): void {
  const { row, rate, of } = payer
  const counts = rate.tiers.length > 1
  let room = limit
  while (due.some) {
    const count = row.counts.get(of) ?? 0n
    const at = rate.tiers.findIndex(({ to }) => to === null || (sign > 0n ? count < to : count <= to))
    const { to, cost } = rate.tiers[at] ?? { to: null, cost: 0n }
    const begin = rate.tiers[at - 1]?.to ?? 0n
    // Below the first unit there is only the first tier.
    const span = !counts ? null : sign > 0n ? to && to - count : count > 0n ? count - begin : null
    const { amount, units } = due.charge({ cost, per: rate.per }, span, room)
    const whole = halfEven(units, ONE)
    const after = max(count + sign * whole, 0n)
    if (counts) row.counts.set(of, after)
    const line = { row, rollover, amount: sign * amount, price: { cost, per: rate.per } }
    move({ ...line, counted: counts ? { of, units: after - count } : null }, lines)
    if (span === null || units < span * ONE) return
    room = room === null ? null : room - amount
  }
}

/** Moves an amount out of a bucket. */
export function move(line: Line, lines: Line[]): void {
  const { row, rollover, amount, counted } = line
  if (rollover === null) row.main -= amount
  else {
    rollover.left -= amount
    rollover.used += amount
  }
  if (amount !== 0n || (counted?.units ?? 0n) !== 0n) lines.push(line)
}

/** What one use moves in one bucket at one price is one line (R62). */
export function merged(lines: Line[]): Line[] {
  const all: Line[] = []
  for (const { counted, ...line } of lines) {
    const same = all.find(
      ({ row, rollover, price }) =>
        row === line.row && rollover === line.rollover && (counted === null || price.cost === line.price.cost),
    )
    if (same === undefined) all.push({ ...line, counted: counted && { ...counted } })
    else {
      same.amount += line.amount
      if (same.counted !== null && counted !== null) same.counted.units += counted.units
    }
  }
  return all
}

/** How much of a line there is to give back: what it took, or units where those were free. */
export function sizeOf({ amount, price, counted }: Line): Amount {
  return price.cost === 0n ? (counted?.units ?? 0n) : amount
}

function measureOf({ price }: Line): Price {
  return price.cost === 0n ? { cost: ONE, per: ONE } : price
}

/** The units of a line, where they were counted and come to just what it took. */
function countedBy(line: Line): Amount | null {
  const { cost, per } = measureOf(line)
  const { counted } = line
  if (counted === null || halfEven(counted.units * cost, per) !== sizeOf(line)) return null
  return max(counted.units, -counted.units)
}

/** How much of each line so many units come to, the last line first, and how many units exceed what is `left` of them. */
export function partOf(lines: Line[], left: Amount[], units: bigint): { parts: Amount[]; open: Amount } {
  const due = new Due(units)
  const part = lines.map((line, i) => [measureOf(line), countedBy(line), left[i] ?? 0n] as const).toReversed()
  const parts = part.map(([price, span, limit]) => due.charge(price, span, limit).amount).toReversed()
  return { parts, open: due.open }
}

/** What so much of a line comes to in the units of the use, rounded. */
export function unitsOf(line: Line, size: Amount): Amount {
  const { cost, per } = measureOf(line)
  return halfEven(size * per, cost)
}

/** What is taken from each bucket, at whatever prices. */
export function bucketsOf(lines: Line[]): { row: Row; amount: Amount }[] {
  const groups = [...Map.groupBy(lines, ({ rollover, row }) => rollover ?? row).values()]
  return groups.flatMap((group) => {
    const amount = sum(group.map((line) => line.amount))
    return group[0] === undefined || amount === 0n ? [] : [{ row: group[0].row, amount }]
  })
}

/** Units still to be paid. A payer that is emptied covers a part of a use that no 12 decimals can name: the rest has 24. */
class Due {
  #left: bigint

  constructor(units: bigint) {
    this.#left = units * ONE
  }

  get some(): boolean {
    return this.#left > 0n
  }

  get open(): Amount {
    return halfEven(this.#left, ONE)
  }

  /**
   * Charges what is left at a price, at most `span` units and at most `limit` of the balance, rounded half-even to 10⁻¹². What is
   * empty pays for nothing but what is free. @returns the units at 24 decimals.
   */
  charge({ cost, per }: Price, span: bigint | null, limit: bigint | null): { amount: Amount; units: bigint } {
    if (limit === 0n && cost !== 0n) return { amount: 0n, units: 0n }
    const part = span === null ? this.#left : min(this.#left, span * ONE)
    const needed = halfEven(part * cost, ONE * per)
    const amount = limit === null || needed <= limit ? needed : limit
    const units = amount === needed ? part : halfEven(amount * ONE * per, cost)
    this.#left -= units
    return { amount, units }
  }
}

export function halfEven(dividend: bigint, divisor: bigint): bigint {
  if (dividend < 0n) return -halfEven(-dividend, divisor)
  const [whole, rest] = [dividend / divisor, (dividend % divisor) * 2n]
  return rest > divisor || (rest === divisor && whole % 2n === 1n) ? whole + 1n : whole
}

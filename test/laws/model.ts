/**
 * A naive model of balances, written from the rules and not from the code: plain lists, exact fractions, every boundary
 * walked one by one. The laws hold the application against it.
 */
export type Feature = 'messages' | 'seats' | 'credits'
export type Behavior = 'cap' | 'reject' | 'overflow'
export type Every = 'day' | 'week' | 'month' | 'year'

/** Amounts are whole multiples of 10⁻¹². */
export type Amount = bigint

/** Credits per message, in thousandths. */
const COST = 300n
const HOUR = 3_600_000

export interface Row {
  id: string
  feature: Feature
  unlimited: boolean
  allowance: Amount
  main: Amount
  adjustment: Amount
  every: Every | null
  anchor: number
  next: number
  rollover: { max: Amount | null; months: number | null } | null
  rollovers: { left: Amount; used: Amount; until: number | null }[]
  expires: number | null
  created: number
}

export class Model {
  rows: Row[] = []
  now: number

  constructor(now: number) {
    this.now = now
  }

  wait(hours: number): void {
    this.now += hours * HOUR
    this.rows = this.rows.filter((row) => bringUpToDate(row, this.now))
  }

  /** The next instant at which time changes something. */
  nextDue(): number | null {
    const due = this.rows.flatMap((row) => [
      row.next,
      row.expires ?? Infinity,
      ...row.rollovers.map((r) => r.until ?? Infinity),
    ])
    const soonestDue = Math.min(...due)
    return Number.isFinite(soonestDue) ? soonestDue : null
  }

  grant(row: Omit<Row, 'main' | 'adjustment' | 'anchor' | 'next' | 'rollovers' | 'created'>): void {
    const next = row.every === null ? Number.POSITIVE_INFINITY : nth(this.now, row.every, 1)
    this.rows.push({
      ...row,
      main: row.allowance,
      adjustment: 0n,
      anchor: this.now,
      next,
      rollovers: [],
      created: this.now,
    })
  }

  /** Rows of a feature in the order in which they are drawn from. */
  ordered(feature: Feature): Row[] {
    const rank = (row: Row) => [
      row.unlimited ? 0 : 1,
      row.every === null ? 1 : 0,
      row.every === null ? 0 : WEIGHT[row.every],
      row.expires ?? Number.MAX_SAFE_INTEGER,
      row.created,
      this.rows.indexOf(row),
    ]
    return this.rows
      .filter((row) => row.feature === feature)
      .sort((a, b) => {
        const [x, y] = [rank(a), rank(b)]
        for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return (x[i] ?? 0) - (y[i] ?? 0)
        return 0
      })
  }

  /** Rows that may pay for a feature, with their price for one unit in thousandths. */
  payers(feature: Feature): { row: Row; cost: bigint }[] {
    const list = this.ordered(feature).map((row) => ({ row, cost: 1000n }))
    if (feature === 'messages') list.push(...this.ordered('credits').map((row) => ({ row, cost: COST })))
    const unlimited = list.findIndex(({ row }) => row.unlimited)
    return unlimited > 0 ? [...list.splice(unlimited, 1), ...list] : list
  }

  /** @returns what each row paid, or null when it is refused. Nothing changes then. */
  track(feature: Feature, value: Amount, behavior: Behavior): Map<string, bigint> | null {
    const before = structuredClone(this.rows)
    const payers = this.payers(feature)
    const paid = new Map<string, bigint>()
    const rest =
      value >= 0n ? take(payers, value, behavior, feature === 'seats', paid) : giveBack(payers, -value, behavior, paid)
    if (rest > 0 && behavior === 'reject' && payers.length > 0) {
      this.rows = before
      return null
    }
    return paid
  }

  add(feature: Feature, value: Amount): void {
    this.track(feature, -value, 'overflow')
  }

  setRemaining(rows: Row[], target: Amount): void {
    const [first] = rows
    if (first === undefined) return
    if (first.unlimited) {
      first.main = target
      return
    }
    for (const row of rows) if (row.main < 0n) row.main = 0n
    let gap = target - sum(rows.flatMap((row) => [row.main, ...row.rollovers.map((r) => r.left)]))
    if (gap >= 0n) {
      first.main += gap
      return
    }
    for (const rollover of soonest(rows)) {
      const cut = min(rollover.left, -gap)
      rollover.left -= cut
      rollover.used += cut
      gap += cut
    }
    for (const row of rows) {
      const cut = min(row.main, -gap)
      row.main -= cut
      gap += cut
    }
    first.main += gap
  }

  setUsage(rows: Row[], target: Amount): void {
    const [first] = rows
    if (first === undefined) return
    let gap = this.usage(rows) - target
    if (first.unlimited) {
      first.main += gap
      return
    }
    if (gap >= 0n) {
      for (const row of rows) {
        const heal = row.main < 0n ? min(-row.main, gap) : 0n
        row.main += heal
        gap -= heal
      }
    } else {
      for (const row of rows) {
        const cut = row.main > 0n ? min(row.main, -gap) : 0n
        row.main -= cut
        gap += cut
      }
    }
    first.main += gap
  }

  setGrant(rows: Row[], target: Amount): void {
    const [first] = rows
    if (first !== undefined) first.adjustment += target - sum(rows.map(granted))
  }

  usage(rows: Row[]): Amount {
    return sum(rows.flatMap((row) => [granted(row) - row.main, ...row.rollovers.map((r) => r.used)]))
  }

  /** What reads show of a feature, or null. */
  seen(feature: Feature) {
    const rows = this.ordered(feature).filter((row) => row.unlimited || row.every !== null || row.main !== 0n)
    if (rows.length === 0) return null
    if (rows[0]?.unlimited) {
      const usage = -sum(rows.filter((row) => row.unlimited).map((row) => row.main))
      return { unlimited: true, granted: 0n, remaining: 0n, usage, lines: [] }
    }
    const rollovers = rows.flatMap((row) => row.rollovers)
    return {
      unlimited: false,
      granted: sum(rows.map(granted)) + sum(rollovers.map((r) => r.left + r.used)),
      remaining: sum(rows.map((row) => max(row.main, 0n))) + sum(rollovers.map((r) => r.left)),
      usage: this.usage(rows),
      lines: rows.map((row) => ({ id: row.id, remaining: max(row.main, 0n), usage: granted(row) - row.main })),
    }
  }
}

const WEIGHT: Record<Every, number> = { day: 1, week: 7, month: 30, year: 365 }

function take(
  payers: { row: Row; cost: bigint }[],
  units: bigint,
  behavior: Behavior,
  seats: boolean,
  paid: Map<string, bigint>,
) {
  const first = payers[0]
  const due = new Due(units)
  if (first?.row.unlimited) {
    pay(first.row, due.charge(first.cost, null), paid)
    return 0
  }
  const byExpiry = payers
    .flatMap(({ row, cost }) => row.rollovers.map((rollover) => ({ row, rollover, cost })))
    .sort((a, b) => (a.rollover.until ?? Infinity) - (b.rollover.until ?? Infinity) || 0)
  for (const { row, rollover, cost } of byExpiry) {
    const cut = due.charge(cost, rollover.left)
    rollover.left -= cut
    rollover.used += cut
    paid.set(row.id, (paid.get(row.id) ?? 0n) + cut)
  }
  for (const { row, cost } of payers) if (row.main > 0n) pay(row, due.charge(cost, row.main), paid)
  if (first !== undefined && (behavior === 'overflow' || (seats && behavior === 'cap')))
    pay(first.row, due.charge(first.cost, null), paid)
  return due.open ? 1 : 0
}

function giveBack(payers: { row: Row; cost: bigint }[], units: bigint, behavior: Behavior, paid: Map<string, bigint>) {
  const first = payers[0]
  const due = new Due(units)
  if (first?.row.unlimited) {
    pay(first.row, -due.charge(first.cost, null), paid)
    return 0
  }
  for (const { row, cost } of payers) if (row.main < 0n) pay(row, -due.charge(cost, -row.main), paid)
  if (behavior === 'overflow') {
    if (first !== undefined) pay(first.row, -due.charge(first.cost, null), paid)
    return 0
  }
  for (const { row, cost } of payers)
    if (row.main < granted(row)) pay(row, -due.charge(cost, granted(row) - row.main), paid)
  return 0
}

function pay(row: Row, amount: bigint, paid: Map<string, bigint>): void {
  row.main -= amount
  paid.set(row.id, (paid.get(row.id) ?? 0n) + amount)
}

/** Units still to be paid, as an exact fraction. */
class Due {
  #numerator: bigint
  #denominator = 1n

  constructor(units: bigint) {
    this.#numerator = units
  }

  get open(): boolean {
    return halfEven(this.#numerator, this.#denominator) > 0n
  }

  /** Charges at `cost` thousandths a unit, at most `limit`, rounded half-even to 10⁻¹². */
  charge(cost: bigint, limit: bigint | null): bigint {
    const needed = halfEven(this.#numerator * cost, this.#denominator * 1000n)
    if (limit === null || needed <= limit) {
      this.#numerator = 0n
      return needed
    }
    this.#numerator = this.#numerator * cost - limit * 1000n * this.#denominator
    this.#denominator *= cost
    return limit
  }
}

function halfEven(dividend: bigint, divisor: bigint): bigint {
  const [whole, rest] = [dividend / divisor, (dividend % divisor) * 2n]
  return rest > divisor || (rest === divisor && whole % 2n === 1n) ? whole + 1n : whole
}

function bringUpToDate(row: Row, now: number): boolean {
  for (;;) {
    const due = Math.min(row.next, row.expires ?? Infinity, ...row.rollovers.map((r) => r.until ?? Infinity))
    if (due > now) return true
    if (row.expires === due) return false
    row.rollovers = row.rollovers.filter((r) => r.until !== due)
    if (row.next === due && row.every !== null) resetAt(row, due)
  }
}

function resetAt(row: Row, due: number): void {
  if (row.rollover !== null && row.main > 0n) {
    const until = row.rollover.months === null ? null : monthsAfter(due, row.rollover.months)
    const lasting = row.rollovers.find((r) => r.until === null)
    if (lasting !== undefined && until === null) lasting.left += row.main
    else row.rollovers.push({ left: row.main, used: 0n, until })
    let excess = row.rollover.max === null ? 0n : sum(row.rollovers.map((r) => r.left)) - row.rollover.max
    for (const r of [...row.rollovers]) {
      if (excess <= 0n) break
      const cut = min(r.left, excess)
      r.left -= cut
      excess -= cut
      if (cut > 0n && r.left === 0n) row.rollovers = row.rollovers.filter((other) => other !== r)
    }
  }
  row.main = row.allowance
  row.adjustment = 0n
  for (let n = 1; row.every !== null && row.next <= due; n++) row.next = nth(row.anchor, row.every, n)
}

function nth(anchor: number, every: Every, n: number): number {
  if (every === 'day') return anchor + n * 24 * HOUR
  if (every === 'week') return anchor + n * 168 * HOUR
  return monthsAfter(anchor, every === 'month' ? n : 12 * n)
}

function monthsAfter(from: number, months: number): number {
  const date = new Date(from)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return date.getTime()
}

function granted(row: Row): bigint {
  return row.unlimited ? 0n : row.allowance + row.adjustment
}

function soonest(rows: Row[]) {
  return rows.flatMap((row) => row.rollovers).sort((a, b) => (a.until ?? Infinity) - (b.until ?? Infinity) || 0)
}

const sum = (values: bigint[]) => values.reduce((a, b) => a + b, 0n)
const min = (a: bigint, b: bigint) => (a < b ? a : b)
const max = (a: bigint, b: bigint) => (a > b ? a : b)

/**
 * A naive model of balances, written from the rules and not from the code: plain lists, exact fractions, every boundary
 * walked one by one. The laws hold the application against it.
 */
export type Feature = 'messages' | 'seats' | 'credits'
export type Behavior = 'cap' | 'reject' | 'overflow'
export type Every = 'day' | 'week' | 'month' | 'year'

/** Amounts are whole multiples of 10⁻¹². */
export type Amount = bigint

const ONE = 1_000_000_000_000n
/** Credits per message, in thousandths. */
const COST = 300n
const HOUR = 3_600_000

/** The customer itself, or one of its entities. Its identity is the object, because its id may come later. */
export type Owner = Seat | null

/** An entity. Every one of the model is a seat. */
export interface Seat {
  id: string | null
}

export interface Row {
  id: string
  owner: Owner
  feature: Feature
  unlimited: boolean
  allowance: Amount
  main: Amount
  adjustment: Amount
  /** How many entities sit on it. */
  seats: number
  every: Every | null
  anchor: number
  next: number
  rollover: { max: Amount | null; months: number | null } | null
  rollovers: { left: Amount; used: Amount; until: number | null }[]
  expires: number | null
  created: number
}

export interface Payer {
  row: Row
  /** Price of one unit in thousandths. */
  cost: bigint
}

export class Model {
  rows: Row[] = []
  entities: Seat[] = []
  /** Whether entities see and spend what is the customer's (R35). */
  shares = true
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

  grant(row: Omit<Row, 'main' | 'adjustment' | 'seats' | 'anchor' | 'next' | 'rollovers' | 'created'>): void {
    const next = row.every === null ? Number.POSITIVE_INFINITY : nth(this.now, row.every, 1)
    this.rows.push({
      ...row,
      main: row.allowance,
      adjustment: 0n,
      seats: 0,
      anchor: this.now,
      next,
      rollovers: [],
      created: this.now,
    })
    if (row.feature === 'seats') this.#sitDown()
  }

  /** Someone without an id becomes the next one who has one, and has a seat already (B217). @returns false where the id is taken. */
  enter(id: string | null): boolean {
    if (this.entities.some((other) => other.id === id)) return false
    const nobody = this.entities.find((other) => other.id === null)
    if (nobody === undefined) this.entities.push({ id })
    else nobody.id = id
    this.#sitDown()
    return true
  }

  /** All that was its own goes with it, and it gives a seat back: one that is owed, else one that is drawn from last (B220). */
  leave(one: Seat): void {
    this.entities = this.entities.filter((other) => other !== one)
    this.rows = this.rows.filter(({ owner }) => owner !== one)
    const taken = this.ordered('seats', null).filter(({ seats }) => seats > 0)
    if (sum(taken.map(({ seats }) => BigInt(seats))) <= this.entities.length) return
    const row = taken.find(({ main }) => main < 0n) ?? taken.at(-1)
    if (row === undefined) return
    row.main += ONE
    row.seats -= 1
  }

  /** One after the other takes the first seat that is free; where none is, the first balance owes it (B218). */
  #sitDown(): void {
    const rows = this.ordered('seats', null)
    let standing = this.entities.length - rows.reduce((n, { seats }) => n + seats, 0)
    for (; standing > 0; standing--) {
      const row = rows.find(({ unlimited, main }) => unlimited || main >= ONE) ?? rows[0]
      if (row === undefined) return
      row.main -= ONE
      row.seats += 1
    }
  }

  /** What one owner has of a feature, in the order in which it is drawn from. */
  ordered(feature: Feature, owner: Owner): Row[] {
    const rank = (row: Row) => [
      row.unlimited ? 0 : 1,
      row.every === null ? 1 : 0,
      row.every === null ? 0 : WEIGHT[row.every],
      row.expires ?? Number.MAX_SAFE_INTEGER,
      row.created,
      this.rows.indexOf(row),
    ]
    return this.rows
      .filter((row) => row.feature === feature && row.owner === owner)
      .sort((a, b) => {
        const [x, y] = [rank(a), rank(b)]
        for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return (x[i] ?? 0) - (y[i] ?? 0)
        return 0
      })
  }

  /** Whose balances someone sees and spends: an entity its own before the customer's, the customer never an entity's (R82, R84). */
  #levels(who: Owner): Owner[] {
    if (who === null) return [null]
    return this.shares ? [who, null] : [who]
  }

  /** The balances of a feature that someone sees, changes and spends; whatever its level, one without limit absorbs all (R88). */
  within(feature: Feature, who: Owner): Row[] {
    return unlimitedFirst(
      this.#levels(who).flatMap((owner) => this.ordered(feature, owner)),
      (row) => row,
    )
  }

  /** Rows that may pay for a feature. The level decides before the kind: own credits pay before what is inherited (R85). */
  payers(feature: Feature, who: Owner): Payer[] {
    const list = this.#levels(who).flatMap((owner) => [
      ...this.ordered(feature, owner).map((row) => ({ row, cost: 1000n })),
      ...(feature === 'messages' ? this.ordered('credits', owner).map((row) => ({ row, cost: COST })) : []),
    ])
    return unlimitedFirst(list, ({ row }) => row)
  }

  /** @returns what each row paid, or null when it is refused. Nothing changes then. */
  track(feature: Feature, who: Owner, value: Amount, behavior: Behavior): Map<string, bigint> | null {
    const payers = this.payers(feature, who)
    const before = payers.map(
      ({ row }) => [row, structuredClone({ main: row.main, rollovers: row.rollovers })] as const,
    )
    const paid = new Map<string, bigint>()
    const rest =
      value >= 0n ? take(payers, value, behavior, feature === 'seats', paid) : giveBack(payers, -value, behavior, paid)
    if (rest > 0 && behavior === 'reject' && payers.length > 0) {
      for (const [row, { main, rollovers }] of before) Object.assign(row, { main, rollovers })
      return null
    }
    return paid
  }

  add(payers: Payer[], value: Amount): void {
    if (value >= 0n) giveBack(payers, value, 'overflow', new Map())
    else take(payers, -value, 'overflow', false, new Map())
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

  /**
   * Each owner that has a debt beside something left has its balances filled up to their grants, and what was used in all
   * taken again in order, the rest owed by the first (B137, B138).
   * @param only the one owner to look at; undefined is the customer and all its entities.
   * @returns false where there is nothing to look at.
   */
  recalculate(feature: Feature, only: Owner | undefined): boolean {
    const owners = only === undefined ? [null, ...this.entities] : [only]
    const groups = owners.map((owner) => this.ordered(feature, owner).filter(({ unlimited }) => !unlimited))
    for (const rows of groups) {
      const [first] = rows
      if (first === undefined || !rows.some(({ main }) => main < 0n) || !rows.some(({ main }) => main > 0n)) continue
      let used = sum(rows.map((row) => max(granted(row), 0n) - row.main))
      for (const row of rows) {
        row.main = max(granted(row), 0n)
        const cut = max(min(row.main, used), 0n)
        row.main -= cut
        used -= cut
      }
      first.main -= used
    }
    return groups.some((rows) => rows.length > 0)
  }

  usage(rows: Row[]): Amount {
    return sum(rows.flatMap((row) => [granted(row) - row.main, ...row.rollovers.map((r) => r.used)]))
  }

  /** May someone use so much now? Judged by what it may itself spend, whatever it is shown (R34, R36). */
  mayUse(feature: Feature, who: Owner, units: Amount): boolean {
    const enough = (name: Feature, needed: Amount) => {
      const side = shownOf(this.within(name, who))
      return side !== null && (side.unlimited || needed < 0n || side.remaining >= needed)
    }
    if (enough(feature, units)) return true
    return feature === 'messages' && enough('credits', (units * COST) / 1000n)
  }

  /** What someone is shown of a feature, or null. A customer is shown what all its entities have beside its own (B52, B53). */
  seen(feature: Feature, who: Owner): Seen | null {
    const own = shownOf(this.within(feature, who))
    const theirs = who === null ? this.entities.flatMap((one) => this.ordered(feature, one)).filter(isVisible) : []
    if (theirs.length === 0) return own
    const side = own ?? NOTHING
    const unlimited = theirs.filter((row) => row.unlimited)
    if (side.unlimited || unlimited.length > 0) {
      return { ...NOTHING, unlimited: true, usage: side.usage - sum(unlimited.map(({ main }) => main)) }
    }
    const rollovers = theirs.flatMap((row) => row.rollovers)
    return {
      ...side,
      granted: side.granted + sum(theirs.map(granted)) + sum(rollovers.map((r) => r.left + r.used)),
      // Debts of one are set off against what another has left (B54).
      remaining: side.remaining + max(sum(theirs.map(({ main }) => main)), 0n) + sum(rollovers.map((r) => r.left)),
      usage: side.usage + this.usage(theirs),
      next: Math.min(side.next, ...theirs.map(({ next }) => next)),
    }
  }
}

export interface Seen {
  unlimited: boolean
  granted: Amount
  remaining: Amount
  usage: Amount
  /** The soonest reset, or Infinity. */
  next: number
  lines: { id: string; remaining: Amount; usage: Amount }[]
}

const NOTHING: Seen = { unlimited: false, granted: 0n, remaining: 0n, usage: 0n, next: Infinity, lines: [] }

/** Used up and never to be filled again, unless someone sits on it. */
function isVisible({ unlimited, every, main, seats }: Row): boolean {
  return unlimited || every !== null || main !== 0n || seats > 0
}

/** What balances come to that one subject spends. */
function shownOf(all: Row[]): Seen | null {
  const rows = all.filter(isVisible)
  if (rows.length === 0) return null
  const unlimited = rows.filter((row) => row.unlimited)
  if (unlimited.length > 0) return { ...NOTHING, unlimited: true, usage: -sum(unlimited.map(({ main }) => main)) }
  const rollovers = rows.flatMap((row) => row.rollovers)
  return {
    unlimited: false,
    granted: sum(rows.map(granted)) + sum(rollovers.map((r) => r.left + r.used)),
    remaining: sum(rows.map((row) => max(row.main, 0n))) + sum(rollovers.map((r) => r.left)),
    usage: sum(rows.map((row) => granted(row) - row.main)) + sum(rollovers.map((r) => r.used)),
    next: Math.min(...rows.map(({ next }) => next)),
    lines: rows.map((row) => ({ id: row.id, remaining: max(row.main, 0n), usage: granted(row) - row.main })),
  }
}

function unlimitedFirst<T>(list: T[], rowOf: (one: T) => Row): T[] {
  const at = list.findIndex((one) => rowOf(one).unlimited)
  return at > 0 ? [...list.splice(at, 1), ...list] : list
}

const WEIGHT: Record<Every, number> = { day: 1, week: 7, month: 30, year: 365 }

function take(payers: Payer[], units: bigint, behavior: Behavior, seats: boolean, paid: Map<string, bigint>) {
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

function giveBack(payers: Payer[], units: bigint, behavior: Behavior, paid: Map<string, bigint>) {
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

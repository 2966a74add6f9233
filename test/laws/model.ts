import { type Every, type Interval, nth } from './calendar.ts'
import * as hand from './hand.ts'
import { Locks } from './locks.ts'
import type { Offer } from './offers.ts'
import {
  AT_PAR,
  giveBack,
  halfEven,
  type Line,
  merged,
  move,
  ownPayer,
  type Payer,
  partOf,
  type Rate,
  sizeOf,
  take,
  unitsOf,
} from './payment.ts'
import { Plans } from './plans.ts'
import {
  type Amount,
  type Behavior,
  bringUpToDate,
  dueOf,
  type Feature,
  granted,
  inOrder,
  max,
  mayOwe,
  min,
  moveReset,
  ONE,
  type Owner,
  type Policy,
  type Row,
  type Seat,
  slicesInOrder,
  sum,
} from './rows.ts'
import { isVisible, type Seen, shownOf, together } from './view.ts'

/** What pays for a feature beside its own balances, in the order of the catalogue. */
const SYSTEMS: Partial<Record<Feature, { system: Feature; rate: Rate }[]>> = {
  messages: [
    { system: 'credits', rate: { tiers: [{ to: null, cost: (3n * ONE) / 10n }], per: ONE } },
    { system: 'gold', rate: { tiers: [{ to: null, cost: (11n * ONE) / 10n }], per: 3n * ONE } },
  ],
  images: [{ system: 'credits', rate: { tiers: tiersOf([4n, 9n], [14n, 0n], [null, 2n]), per: 7n * ONE } }],
}

function tiersOf(...tiers: [to: bigint | null, cost: bigint][]): Rate['tiers'] {
  return tiers.map(([to, cost]) => ({ to: to === null ? null : to * ONE, cost: cost * ONE }))
}

export interface Terms {
  id: string
  owner: Owner
  feature: Feature
  unlimited: boolean
  allowance: Amount
  every: Every | null
  /** The first boundary, where it was chosen. */
  first: number | null
  policy: Policy | null
  expires: number | null
}

/** A use, and how much of each of its lines was given back. */
export interface Event {
  id: string
  owner: Owner
  feature: Feature
  value: Amount
  isRefund: boolean
  /** Of which lock it is. */
  lock: string | null
  recorded: number
  lines: Line[]
  given: Amount[]
}

/** Which balances are meant. */
export interface Filter {
  row: Row | null
  interval: Interval | 'one_off' | null
}

/** What is to be changed by hand; undefined is left alone. */
export interface Change {
  remaining?: Amount | undefined
  add?: Amount | undefined
  usage?: Amount | undefined
  grant?: Amount | undefined
  next?: number | undefined
  expires?: number | undefined
}

/**
 * A naive model of balances, written from the rules and not from the code: plain lists, every boundary walked one by
 * one. The laws hold the application against it. Refusals are told by status and code.
 */
export class Model {
  /** In order of creation. */
  rows: Row[] = []
  entities: Seat[] = []
  events: Event[] = []
  readonly locks = new Locks(this)
  readonly plans: Plans
  /** Whether entities see and spend what is the customer's (R35). */
  shares = true
  now: number

  #ages = 0

  /** @param offers of which a new customer has those that everybody is given. */
  constructor(now: number, offers: readonly Offer[] = []) {
    this.now = now
    this.plans = new Plans(this, offers)
  }

  /** At one instant what lapses comes first, then what plans end and begin, then what ends, then what resets. */
  waitUntil(instant: number): void {
    for (;;) {
      const lock = this.locks.soonest()
      const [lapses, turns, evicts] = [lock?.lapses ?? Infinity, this.plans.nextTurn(), this.#nextEviction()]
      const at = Math.min(lapses, turns, evicts)
      if (at > instant) break
      this.#bringUpTo(at - 1)
      this.now = at
      if (lock !== undefined && lapses === at) this.locks.lapse(lock)
      else if (turns === at) this.plans.turn()
      else {
        this.#bringUpTo(at)
        this.sitDown()
      }
    }
    this.#bringUpTo(instant)
    this.now = instant
  }

  /** Later ones sort later. */
  nextAge(): string {
    return String(this.#ages++).padStart(9, '0')
  }

  #bringUpTo(instant: number): void {
    this.rows = this.rows.filter((row) => bringUpToDate(row, instant))
  }

  /** The next instant at which time changes something. */
  nextDue(): number | null {
    const due = Math.min(...this.rows.map(dueOf), this.locks.soonest()?.lapses ?? Infinity, this.plans.nextTurn())
    return Number.isFinite(due) ? due : null
  }

  grant({ first, ...terms }: Terms): void {
    const next = terms.every === null ? Infinity : (first ?? nth(this.now, terms.every, 1))
    this.rows.push({
      ...terms,
      from: null,
      main: terms.allowance,
      held: 0n,
      adjustment: 0n,
      seats: 0,
      counts: new Map(),
      anchor: first ?? this.now,
      n: first === null ? 1 : 0,
      next,
      renewed: this.now,
      ends: [],
      rollovers: [],
      expired: false,
      created: this.now,
      age: this.nextAge(),
    })
    if (terms.feature === 'seats') this.sitDown()
  }

  /**
   * Someone without an id becomes the next one who has one, and has a seat already (B217). @returns why not: the id is taken,
   * or every seat is, also those that may be bought (B219).
   */
  enter(id: string | null): 'taken' | 'full' | null {
    if (this.entities.some((other) => other.id === id)) return 'taken'
    const nobody = this.entities.find((other) => other.id === null)
    if (nobody !== undefined) {
      nobody.id = id
      this.sitDown()
      return null
    }
    const before = this.#standing()
    const seat = { id }
    this.entities.push(seat)
    this.sitDown()
    if (this.#standing() > before) {
      this.entities.pop()
      return 'full'
    }
    this.plans.welcome(seat)
    return null
  }

  /** All that was its own goes with it, and it gives a seat back: one that is owed, else one that is drawn from last (B220). */
  leave(one: Seat): void {
    this.entities = this.entities.filter((other) => other !== one)
    this.rows = this.rows.filter(({ owner }) => owner !== one)
    this.plans.leave(one)
    const taken = this.ordered('seats', null).filter(({ seats }) => seats > 0)
    if (taken.reduce((n, { seats }) => n + seats, 0) <= this.entities.length) return
    const row = taken.find(({ main }) => main < 0n) ?? taken.at(-1)
    if (row === undefined) return
    row.main += ONE
    row.seats -= 1
  }

  /**
   * One after the other takes the first seat that is free; where none is, the first balance that may owe it does, or one whose
   * seats could have been bought (B218, B219). Who finds none stands.
   */
  sitDown(): void {
    const rows = this.ordered('seats', null)
    for (let standing = this.#standing(); standing > 0; standing--) {
      const row =
        rows.find(({ unlimited, main }) => unlimited || main >= ONE) ??
        rows.find((one) => one.main >= ONE - (mayOwe(one, true) ?? 10n ** 40n)) ??
        rows.find(
          ({ from, main }) => from?.method === 'prepaid' && main >= ONE - ((from.most ?? 10n ** 40n) - from.prepaid),
        )
      if (row === undefined) return
      row.main -= ONE
      row.seats += 1
    }
  }

  /** When someone's seat ends by itself. */
  #nextEviction(): number {
    return Math.min(...this.rows.map(({ seats, expires }) => (seats > 0 ? (expires ?? Infinity) : Infinity)))
  }

  #standing(): number {
    const rows = this.ordered('seats', null)
    return rows.length === 0 ? 0 : this.entities.length - rows.reduce((n, { seats }) => n + seats, 0)
  }

  /** What one owner has of a feature, or of several, in the order in which it is drawn from. */
  ordered(feature: Feature | Feature[], owner: Owner): Row[] {
    const features = [feature].flat()
    return inOrder(this.rows.filter((row) => features.includes(row.feature) && row.owner === owner))
  }

  /** Whose balances someone sees and spends: an entity its own before the customer's, the customer never an entity's (R82, R84). */
  #levels(who: Owner): Owner[] {
    if (who === null) return [null]
    return this.shares ? [who, null] : [who]
  }

  /** The balances of a feature that someone sees, changes and spends; whatever its level, one without limit absorbs all (R88). */
  within(feature: Feature, who: Owner): Row[] {
    const list = this.#levels(who).flatMap((owner) => this.ordered(feature, owner))
    if (who === null) list.push(...this.#slices(feature))
    return unlimitedFirst(list, (row) => row)
  }

  /** What entities have of their customer's items, which it sees and spends too, after all else (R82, R97). */
  #slices(feature: Feature): Row[] {
    return slicesInOrder(this.rows.filter((row) => row.feature === feature && row.from?.slice))
  }

  /** Rows that may pay for a feature. The level decides before the kind: own credits pay before what is inherited (R85). */
  payers(feature: Feature, who: Owner): Payer[] {
    const systems = SYSTEMS[feature] ?? []
    const rateOf = (row: Row) => systems.find(({ system }) => system === row.feature)?.rate ?? AT_PAR
    const credits = systems.map(({ system }) => system)
    const list = this.#levels(who)
      .flatMap((owner) => [...this.ordered(feature, owner), ...this.ordered(credits, owner)])
      .concat(who === null ? [feature, ...credits].flatMap((one) => this.#slices(one)) : [])
      .map((row) => ({ row, rate: rateOf(row), of: feature }))
    return unlimitedFirst(list, ({ row }) => row)
  }

  /** @returns the event, or null where it is refused: nothing changes then. */
  track(feature: Feature, who: Owner, value: Amount, behavior: Behavior): Event | null {
    const use = this.take(feature, who, value, behavior)
    return use === null ? null : this.record(feature, who, value, use.lines)
  }

  /** What a use takes, or below zero gives back, and what nothing paid for; null where it is refused: nothing changes then. */
  take(feature: Feature, who: Owner, value: Amount, behavior: Behavior): { lines: Line[]; missing: Amount } | null {
    const payers = this.payers(feature, who)
    const lines: Line[] = []
    const seats = feature === 'seats'
    let missing = 0n
    if (value > 0n) {
      if (behavior === 'reject' && payers.length > 0 && take(copies(payers), value, behavior, seats, []) > 0n)
        return null
      missing = take(payers, value, behavior, seats, lines)
    } else if (value < 0n) giveBack(payers, -value, behavior, lines)
    return { lines, missing }
  }

  record(
    feature: Feature,
    owner: Owner,
    value: Amount,
    lines: Line[],
    lock: string | null = null,
    isRefund = false,
  ): Event {
    const taken = merged(lines).filter((line) => line.amount !== 0n || sizeOf(line) !== 0n)
    const given = taken.map(() => 0n)
    const event = { id: '', feature, owner, value, isRefund, lock, recorded: this.now, lines: taken, given }
    this.events.push(event)
    return event
  }

  /**
   * Gives back what an event took, what was taken last first, once in all. What is gone (a balance, a rollover, a period)
   * gets nothing, and is settled with that.
   * @param units null for all that is left. @returns the new event, or why not.
   */
  refund(event: Event, units: Amount | null): Event | string {
    if (event.isRefund || event.value < 0n || event.lock !== null) return '400 invalid_request'
    // Someone else may have the id of who is gone: that one has no part in it but what both inherit.
    const whose = event.owner === null ? null : this.entities.find(({ id }) => id === event.owner?.id)
    if (whose === undefined) return '404 entity_not_found'
    const left = event.lines.map((line, i) => sizeOf(line) - (event.given[i] ?? 0n))
    const { parts: back, open } = units === null ? { parts: left, open: 0n } : partOf(event.lines, left, units)
    if (open > 0n || back.every((amount) => amount === 0n)) return '400 refund_exceeds_event'
    event.given = event.given.map((amount, i) => amount + (back[i] ?? 0n))
    const isThere = ({ row, rollover }: Line) =>
      this.rows.includes(row) &&
      (row.owner === null || row.owner === whose || (whose === null && row.from?.slice === true)) &&
      (rollover === null ? row.renewed <= event.recorded : row.rollovers.includes(rollover))
    const lines: Line[] = []
    for (const [i, line] of [...event.lines.entries()].toReversed()) {
      const size = back[i] ?? 0n
      if (!isThere(line) || size === 0n) continue
      const sameCount = line.counted !== null && line.row.renewed <= event.recorded ? line.counted.of : null
      const given = unitsOf(line, size)
      if (sameCount !== null) line.row.counts.set(sameCount, max((line.row.counts.get(sameCount) ?? 0n) - given, 0n))
      const counted = sameCount === null ? null : { of: sameCount, units: -given }
      move({ ...line, amount: line.price.cost === 0n ? 0n : -size, counted }, lines)
    }
    const whole = sum(event.lines.map((line, i) => unitsOf(line, back[i] ?? 0n)))
    return this.record(event.feature, whose, -(units ?? whole), lines, null, true)
  }

  /** Changes balances by hand. @returns the refusal, or null. */
  update(feature: Feature, who: Owner, filter: Filter, change: Change): string | null {
    const { remaining, add, usage, grant, next, expires } = change
    if (Object.values(change).every((value) => value === undefined)) return null
    if (expires !== undefined && expires <= this.now) return '400 invalid_request'
    const payers = this.payers(feature, who).filter(({ row }) => isMeant(row, filter))
    const rows = this.within(feature, who).filter((row) => isMeant(row, filter))
    // To a customer what its entities have of one item is one (B93).
    const isSame = (a: Row, b: Row) =>
      a === b ||
      (who === null && b.from?.slice === true && a.from?.attached === b.from.attached && a.from.item === b.from.item)
    const allOf = (row: Row | undefined) => (row === undefined ? [] : rows.filter((one) => isSame(one, row)))
    const onlyAdds = grant === undefined && next === undefined && expires === undefined && add !== undefined
    if (onlyAdds ? payers.length === 0 : rows.length === 0) return '404 balance_not_found'
    if (grant !== undefined && rows[0]?.unlimited) return '400 invalid_request'
    if (next !== undefined && rows.every(({ every }) => every === null)) return '400 invalid_request'
    if (add !== undefined) hand.add(payers, add)
    if (remaining !== undefined) hand.setRemaining(rows, remaining)
    if (usage !== undefined) hand.setUsage(rows, usage)
    if (grant !== undefined) hand.setGrant(rows, grant)
    if (next !== undefined) {
      const row = rows.find((one) => one.next === Math.min(...rows.map((other) => other.next)))
      for (const one of allOf(row)) moveReset(one, next, this.now)
    }
    if (expires !== undefined) {
      const end = Math.min(...rows.map((row) => row.expires ?? Infinity))
      const row = rows.find((one) => one.expires === end) ?? rows[0]
      for (const one of allOf(row)) one.expires = expires
    }
    this.waitUntil(this.now)
    return null
  }

  /**
   * Each owner that has a debt beside something left has its balances filled up to their grants, and what was used in all
   * taken again in order, the rest owed by the first (B137, B138).
   * @param only the one owner to look at; undefined is the customer and all its entities.
   * @returns false where there is nothing to look at.
   */
  recalculate(feature: Feature, only: Owner | undefined, filter: Filter): boolean {
    const owners = only === undefined ? [null, ...this.entities] : [only]
    const groups = owners.map((owner) =>
      this.ordered(feature, owner).filter((row) => !row.unlimited && isMeant(row, filter)),
    )
    for (const rows of groups) {
      if (rows.some(({ main }) => main < 0n) && rows.some(({ main }) => main > 0n)) hand.spendAnew(rows)
    }
    return groups.some((rows) => rows.length > 0)
  }

  /** @param only as for `recalculate`. @returns false where nothing is meant. */
  remove(feature: Feature, only: Owner | undefined, filter: Filter, keepsUse: boolean): boolean {
    const owners = only === undefined ? [null, ...this.entities] : [only]
    const groups = owners.map((owner) => this.ordered(feature, owner).filter((row) => isMeant(row, filter)))
    for (const gone of groups) {
      const debtor = keepsUse ? this.#keepUse(gone) : null
      this.rows = this.rows.filter((row) => !gone.includes(row) || row === debtor)
    }
    this.sitDown()
    return groups.some((gone) => gone.length > 0)
  }

  /**
   * What was used of balances that go is taken from what the same owner has left (B133). @returns where there is nothing, the
   * first of them, which stays and owes it: without a grant, a reset or an end (B134).
   */
  #keepUse(gone: Row[]): Row | null {
    const finite = gone.filter(({ unlimited }) => !unlimited)
    // What is held was not used.
    const used = sum(finite.map((row) => granted(row) - row.main - row.held))
    const [first] = finite
    if (first === undefined || used <= 0n) return null
    let seats = gone.reduce((n, row) => n + row.seats, 0)
    const left = this.ordered(first.feature, first.owner).filter((row) => !gone.includes(row))
    if (left.length === 0) {
      const bare = { every: null, next: Infinity, policy: null, rollovers: [], expires: null, held: 0n }
      // For locks this is the end of its period, and nothing of that was kept.
      first.ends.push({ at: this.now, debt: 0n })
      return Object.assign(first, { ...bare, main: -used, adjustment: -first.allowance, seats })
    }
    const lines: Line[] = []
    take(left.map(ownPayer), used, 'overflow', false, lines)
    // Whoever sat there sits where it was paid for now, one after the other, the rest where it was first.
    for (const { row, amount } of merged(lines)) {
      const sitting = Math.min(seats, Number(amount / ONE))
      row.seats += sitting
      seats -= sitting
    }
    if (lines[0] !== undefined) lines[0].row.seats += seats
    return null
  }

  /**
   * May someone use so much now? Judged by what it may itself spend, whatever it is shown (R34). The feature answers itself
   * where that is enough, else the first credit system that is held and is enough, else the first that is held (R36).
   */
  judge(feature: Feature, who: Owner, units: Amount): { allowed: boolean; answering: Feature; required: Amount } {
    const judged = (name: Feature, required: Amount) => {
      const rows = this.within(name, who)
      const side = shownOf(rows)
      const enough = side === null ? 0n : side.remaining + beyond(rows)
      const allowed = side !== null && (side.unlimited || required < 0n || enough >= required)
      return { allowed, answering: name, required, held: side !== null }
    }
    const own = judged(feature, units)
    const systems = (SYSTEMS[feature] ?? []).map(({ system, rate }) =>
      judged(system, this.#inCredits(units, rate, feature, this.within(system, who))),
    )
    const chosen = [own, ...systems].find(({ allowed }) => allowed) ?? systems.find(({ held }) => held)
    return chosen ?? (this.seen(feature, who) === null ? (systems[0] ?? own) : own)
  }

  /** What a use would take of a credit system, as its balances would be drawn from, or from the first unit on where none is held. */
  #inCredits(units: Amount, rate: Rate, of: Feature, rows: Row[]): Amount {
    const [tier] = rate.tiers
    if (rate.tiers.length === 1) return halfEven(units * (tier?.cost ?? 0n), rate.per)
    if (rows.length === 0) rows.push(NOTHING_HELD)
    const lines: Line[] = []
    const payers = copies(rows.map((row) => ({ row, rate, of })))
    if (units > 0n) take(payers, units, 'overflow', false, lines)
    else giveBack(payers, -units, 'overflow', lines)
    return sum(lines.map(({ amount }) => amount))
  }

  /** What someone is shown of a feature, or null. A customer is shown what all its entities have beside its own (B52, B53). */
  seen(feature: Feature, who: Owner): Seen | null {
    const own = shownOf(this.within(feature, who))
    const theirs =
      who === null
        ? this.entities.flatMap((one) => this.ordered(feature, one)).filter((row) => isVisible(row) && !row.from?.slice)
        : []
    return theirs.length === 0 ? own : together(own, theirs)
  }
}

/** What may be owed in all, less what is (R41, R44). */
function beyond(rows: Row[]): Amount {
  const selling = rows.filter(({ from }) => from?.method === 'usage_based')
  if (selling.some((row) => mayOwe(row, false) === null)) return 10n ** 40n
  return max(sum(selling.map((row) => mayOwe(row, false) ?? 0n)) + sum(rows.map(({ main }) => min(main, 0n))), 0n)
}

/** A balance of nothing, to ask for a price. */
const NOTHING_HELD: Row = {
  ...{ id: '', owner: null, feature: 'credits', unlimited: false, allowance: 0n, main: 0n, adjustment: 0n, seats: 0 },
  ...{ counts: new Map(), every: null, anchor: 0, n: 0, next: Infinity, renewed: 0, policy: null, rollovers: [] },
  ...{ expires: null, created: 0, held: 0n, ends: [], expired: false, from: null, age: '' },
}

function isMeant(row: Row, { row: only, interval }: Filter): boolean {
  return (only === null || row === only) && (interval === null || (row.every?.interval ?? 'one_off') === interval)
}

/** To try something on. */
function copies(payers: Payer[]): Payer[] {
  return payers.map(({ row, ...rest }) => ({
    row: { ...row, counts: new Map(row.counts), rollovers: row.rollovers.map((one) => ({ ...one })) },
    ...rest,
  }))
}

function unlimitedFirst<T>(list: T[], rowOf: (one: T) => Row): T[] {
  const at = list.findIndex((one) => rowOf(one).unlimited)
  return at > 0 ? [...list.splice(at, 1), ...list] : list
}

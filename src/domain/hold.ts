import { type Amount, atLeastZero, smaller, ZERO } from './amount.ts'
import { type Balance, isUsageBased, owedOf } from './balance.ts'
import type { JsonObject } from './customer.ts'
import {
  applyMoves,
  asCandidate,
  counting,
  deduct,
  HOLDING,
  type Move,
  type OverageBehavior,
  RETURNING,
} from './deduction.ts'
import type { Entity } from './entity.ts'
import type { Catalogue, Feature } from './feature.ts'
import {
  belongingTo,
  entityOf,
  type Holdings,
  lockOf,
  locksIn,
  withBalances,
  withLock,
  withLocks,
  withoutLock,
} from './holdings.ts'
import type { Journal, Permit } from './ledger.ts'
import { type HeldLine, type Lock, MOST_LOCKS, repaid } from './lock.ts'
import { AT_PAR } from './price.ts'
import { partOf, sizeOf, unitsIn } from './refund.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { returnToRollover, roomIn } from './reset.ts'
import { resetOf } from './summary.ts'
import type { Instant } from './time.ts'
import { linesOf, type Usage, use } from './usage.ts'
import type { DeductionLine, UsageEvent } from './usage-event.ts'
import { allWithin, within } from './within.ts'

/** What a lock is to be like. */
export interface LockTerms {
  readonly id: string
  readonly uid: string
  readonly behavior: OverageBehavior
  readonly lapsesAt: Instant
  readonly atLapse: Lock['atLapse']
}

/** A use that is held. */
export interface Hold {
  readonly usage: Usage
  /** Null where there was something to hold and nothing could pay for any of it: then nothing has changed. */
  readonly lock: Lock | null
}

/**
 * Takes `units` as a use would and keeps them apart until the lock is settled: all or nothing under `reject`, what fits under
 * `cap`, everything under `overflow`. Refusals: `insufficient_balance` (only under `reject`), `lock_already_exists`,
 * `invalid_request` (too many open locks). Source: R46-R49, R150-R155, K 2.2.
 * @param holdings brought up to the journal's instant.
 */
export function hold(
  holdings: Holdings,
  entity: Entity | null,
  feature: Feature,
  units: Amount,
  properties: JsonObject,
  terms: LockTerms,
  catalogue: Catalogue,
  journal: Journal,
): Hold | Refusal {
  if (lockOf(holdings, terms.id) !== undefined)
    return refuse('lock_already_exists', `A lock with the id ${terms.id} is open already`)
  if (locksIn(holdings) >= MOST_LOCKS)
    return refuse('invalid_request', `The customer has ${MOST_LOCKS} open locks: finalize some of them first`)
  const { behavior } = terms
  const usage = use(holdings, entity?.uid ?? null, [feature], units, properties, behavior, catalogue, journal, HOLDING)
  if (isRefusal(usage)) return usage
  const held = units - usage.missing
  if (units > ZERO && (held <= ZERO || !usage.held)) return { usage: { ...usage, holdings }, lock: null }
  const lock: Lock = {
    ...terms,
    feature: feature.uid,
    name: feature.id,
    entity: entity === null ? null : { uid: entity.uid, name: entity.id ?? entity.uid },
    held,
    properties,
    lines: heldLines(usage.moves, catalogue),
    heldAt: journal.at,
  }
  return { usage: { ...usage, holdings: withLock(usage.holdings, lock) }, lock }
}

/** Move by move: what overflowed was taken last, though from the first balance, and goes back first. */
function heldLines(moves: readonly Move[], catalogue: Catalogue): HeldLine[] {
  const debts = new Map<string, Amount>()
  return moves.flatMap((move) => {
    const { balance, rollover } = move
    const { uid, feature } = balance
    return linesOf([move], catalogue).map((line): HeldLine => {
      const debt = debts.get(uid) ?? owedOf(balance)
      const healed = smaller(debt, atLeastZero(-line.amount))
      debts.set(uid, debt - healed)
      return { balance: uid, rollover: rollover?.uid ?? null, feature, line, healed, ended: null }
    })
  })
}

/** What came of a lock. */
export interface Settlement {
  readonly holdings: Holdings
  /** What the lock holds still, where it stays open. */
  readonly lock: Lock | null
  /** What is to be recorded beyond the use that was recorded when it was held: below zero for what came back (R165). */
  readonly value: Amount
  /** What moved for it. */
  readonly deductions: readonly DeductionLine[]
}

/**
 * Settles a lock with `target` units used in all. What is used lies within the hold as far as it goes, from the bucket that
 * was drawn from first; what was held beyond it goes back where it came from, the last first; what is used beyond the hold
 * is taken by the normal order. Source: R158-R163, law 8.
 * @param holdings brought up to the journal's instant.
 * @param properties of what is used beyond the hold.
 * @param keepOpen what is not used stays held; then neither hold nor target is below zero.
 */
export function settleLock(
  holdings: Holdings,
  lock: Lock,
  target: Amount,
  properties: JsonObject,
  keepOpen: boolean,
  catalogue: Catalogue,
  journal: Journal,
): Settlement {
  const inside = usedOfHold(lock.held, target)
  const { first, last } = cut(lock, inside)
  let current = confirmLines(holdings, lock, first, journal)
  const left: Lock | null = keepOpen ? { ...lock, held: lock.held - inside, lines: last } : null
  current = left === null ? withoutLock(current, lock.id) : withLock(current, left)
  const back = left === null ? giveBack(current, lock, last, journal) : { holdings: current, lines: [] }
  current = back.holdings
  const extra = target - inside
  const feature = catalogue.byUid.get(lock.feature)
  const beyond =
    extra === ZERO || feature === undefined
      ? null
      : use(
          current,
          lock.entity?.uid ?? null,
          [feature],
          extra,
          properties,
          lock.behavior === 'overflow' ? 'overflow' : 'cap',
          catalogue,
          journal,
        )
  const more = beyond === null || isRefusal(beyond) ? { holdings: current, deductions: [] } : beyond
  return {
    holdings: more.holdings,
    lock: left,
    value: extra - (left === null ? lock.held - inside : ZERO),
    deductions: [...back.lines, ...more.deductions],
  }
}

/** How much of the target lies within the hold: nothing where one gives and the other takes. */
function usedOfHold(held: Amount, target: Amount): Amount {
  if (held > ZERO) return smaller(held, atLeastZero(target))
  return -smaller(-held, atLeastZero(-target))
}

/**
 * The lock as its lapse leaves the holdings: what it held was given back, or used where it had no lapse of its own (R154,
 * R166). The use that was recorded is taken back by an event whose id goes by the lock's, so that every reader and process
 * makes the same one.
 */
export function lapse(holdings: Holdings, lock: Lock, journal: Journal): Holdings {
  const past = journal.past(lock.lapsesAt, lock.uid)
  const without = withoutLock(holdings, lock.id)
  if (lock.atLapse === 'confirm') return confirmLines(without, lock, lock.lines, past)
  const back = giveBack(without, lock, lock.lines, past)
  if (lock.held !== ZERO) {
    const uid = `evt_${lock.uid.slice('lock_'.length)}`
    past.events.push(lockEvent(lock, uid, -lock.held, lock.properties, back.lines, past.at))
  }
  return back.holdings
}

/** The event by which a lock corrects what was recorded when it was held (R165). */
export function lockEvent(
  lock: Lock,
  uid: string,
  value: Amount,
  properties: JsonObject,
  deductions: readonly DeductionLine[],
  at: Instant,
): UsageEvent {
  const { name, entity, id } = lock
  return {
    uid,
    name,
    value,
    properties,
    entity: entity?.name ?? null,
    refundOf: null,
    lock: id,
    timestamp: at,
    recordedAt: at,
    deductions,
  }
}

/**
 * Splits what is held into what a use of so many `units` would have taken, at the prices of then, and the rest. From the
 * first line on, so that to hold and to use a part leaves to the last decimal what a use of that part leaves.
 */
function cut({ lines, held }: Lock, units: Amount): { first: readonly HeldLine[]; last: readonly HeldLine[] } {
  if (units === ZERO) return { first: [], last: lines }
  if (units === held) return { first: lines, last: [] }
  const backwards = lines.toReversed()
  const sizes = backwards.map(({ line }) => abs(sizeOf(line)))
  const { parts } = partOf(
    backwards.map(({ line }) => line),
    sizes,
    abs(units),
  )
  const [first, last]: [HeldLine[], HeldLine[]] = [[], []]
  for (const [i, one] of lines.entries()) {
    const [part, size] = [parts.at(-1 - i) ?? ZERO, sizes.at(-1 - i) ?? ZERO]
    if (part === ZERO) last.push(one)
    else if (part === size) first.push(one)
    else {
      const [used, rest] = parted(one.line, part)
      const healed = smaller(one.healed, atLeastZero(-used.amount))
      first.push({ ...one, line: used, healed })
      last.push({ ...one, line: rest, healed: one.healed - healed })
    }
  }
  return { first, last }
}

/** @param size of the part, above zero; less than that of the line. */
function parted(line: DeductionLine, size: Amount): [part: DeductionLine, rest: DeductionLine] {
  const { amount, price, metered } = line
  const sign = sizeOf(line) < ZERO ? -1n : 1n
  const part = price.cost === ZERO ? ZERO : sign * size
  const units = sign * smaller(unitsIn(line, size), abs(metered?.units ?? ZERO))
  return [
    { ...line, amount: part, metered: metered === null ? null : { ...metered, units } },
    { ...line, amount: amount - part, metered: metered === null ? null : { ...metered, units: metered.units - units } },
  ]
}

function abs(amount: Amount): Amount {
  return amount < ZERO ? -amount : amount
}

/** What was held of buckets that are still there is used from now on. */
function confirmLines(holdings: Holdings, lock: Lock, lines: readonly HeldLine[], journal: Journal): Holdings {
  let current = holdings
  const owners = ownersOf(holdings, lock, lines)
  for (const held of lines) {
    const balance = balanceOf(current, owners, held)
    if (balance === undefined) continue
    const changed = settled(balance, held, 'confirm', journal)
    if (changed !== null) current = withBalances(current, [changed.balance])
  }
  return current
}

/** In reverse, each into the bucket that it came from. */
function giveBack(
  holdings: Holdings,
  lock: Lock,
  lines: readonly HeldLine[],
  journal: Journal,
): { readonly holdings: Holdings; readonly lines: readonly DeductionLine[] } {
  let current = holdings
  const given: DeductionLine[] = []
  // The lines may have been owed for together, and each pays off what is left of that.
  let open: Lock = { ...lock, lines: lines.toReversed() }
  const owners = ownersOf(holdings, lock, lines)
  for (let i = 0; i < open.lines.length; i++) {
    const held = open.lines[i]
    if (held === undefined) continue
    const { line, ended, rollover } = held
    const balance = balanceOf(current, owners, held)
    if (balance === undefined) {
      const moved = giveToSiblings(current, lock, held, journal)
      current = moved.holdings
      given.push(...moved.lines)
    } else if (rollover === null && ended !== null && ended !== 'gone') {
      const paid = smaller(atLeastZero(line.amount), ended.debt)
      if (paid > ZERO) {
        const pay = (other: Lock) => repaid(other, balance.uid, ended.at, paid)
        open = pay(open)
        current = withLocks(current, pay)
      }
      const kept = returnToRollover(balance, line.amount - paid, ended.at, journal)
      if (kept === null) continue
      current = withBalances(current, [kept.balance])
      given.push({ ...line, balanceUid: kept.rollover.uid, amount: -kept.amount, metered: null })
    } else {
      const changed = settled(balance, held, 'release', journal)
      if (changed === null) continue
      current = withBalances(current, [changed.balance])
      const { amount, metered } = changed
      if (amount !== ZERO || metered !== null) given.push({ ...line, amount: -amount, metered })
    }
  }
  return { holdings: current, lines: given }
}

interface Settled {
  readonly balance: Balance
  /** What came back. */
  readonly amount: Amount
  readonly metered: DeductionLine['metered']
}

/** The bucket without what the line holds of it. Null where the bucket is no longer the one that was drawn from. */
function settled(
  balance: Balance,
  { rollover: uid, line, healed, ended }: HeldLine,
  kind: 'confirm' | 'release',
  journal: Journal,
): Settled | null {
  const { amount } = line
  const isOver = ended !== null
  // What was counted in a period that is over is not counted any more.
  const undone =
    kind === 'confirm' || line.metered === null || isOver ? null : { ...line.metered, units: -line.metered.units }
  const metered = undone === null ? balance.metered : counting(balance.metered, undone)
  if (uid === null) {
    if (isOver) return null
    const back = kind === 'confirm' ? ZERO : comingBack(balance, amount, healed)
    const [remaining, held] = [balance.remaining + back, balance.held - amount]
    journal.post(kind, balance, null, { amount: back, held: -amount, after: remaining, permit: permitOf(balance) })
    return { balance: { ...balance, remaining, held, metered }, amount: back, metered: undone }
  }
  const at = balance.rollovers.findIndex((rollover) => rollover.uid === uid)
  const before = balance.rollovers[at]
  if (before === undefined) return null
  // Beside what was carried over since, no more than the cap allows.
  const room = isOver ? (roomIn(balance) ?? amount) : amount
  const back = kind === 'confirm' ? ZERO : smaller(amount, room)
  const gone = kind === 'confirm' ? ZERO : amount
  const rollover = {
    ...before,
    remaining: before.remaining + back,
    used: before.used - gone,
    held: before.held - amount,
  }
  journal.post(kind, balance, before, {
    amount: back,
    granted: back - gone,
    held: -amount,
    after: rollover.remaining,
  })
  const rollovers = balance.rollovers.with(at, rollover)
  return { balance: { ...balance, rollovers, metered }, amount: back, metered: undone }
}

/** By which a balance of which something is held may be below zero. */
function permitOf(balance: Balance): Permit {
  if (balance.terms.kind === 'unlimited') return 'unlimited'
  return isUsageBased(balance) ? 'overage' : 'overflow'
}

/**
 * What a hold below zero had given is taken back as far as it is still there: nobody comes to owe what he was given. What
 * paid off a debt is owed again, or to hold and to release would be a way to be rid of it.
 */
function comingBack({ remaining, terms }: Balance, amount: Amount, healed: Amount): Amount {
  if (amount > ZERO || terms.kind === 'unlimited') return amount
  return -smaller(-amount, atLeastZero(remaining) + healed)
}

/**
 * What was held of a balance that was deleted makes up for use of others of its feature; what is not used of them is not
 * exceeded (R163). Of a balance that has expired, and of a rollover, nothing comes back: it would be gone without the lock, too.
 */
function giveToSiblings(
  holdings: Holdings,
  lock: Lock,
  { feature, rollover, line, ended }: HeldLine,
  journal: Journal,
) {
  const entity = lock.entity?.uid ?? null
  const isGone = ended !== null || rollover !== null || (entity !== null && entityOf(holdings, entity) === undefined)
  if (isGone || line.amount <= ZERO) return { holdings, lines: [] }
  const { moves } = deduct(within(holdings, entity, feature).map(asCandidate), -line.amount, 'cap')
  const lines = moves.map(({ balance, amount }) => ({
    ...line,
    balanceUid: balance.uid,
    planId: balance.source?.planId ?? null,
    reset: resetOf(balance),
    amount,
    price: AT_PAR,
    metered: null,
  }))
  return { holdings: withBalances(holdings, applyMoves(moves, RETURNING, journal)), lines }
}

/** Whose the balances are of which lines hold something: it never changes, so it is looked up once for all lines. */
type Owners = ReadonlyMap<string, string | null>

function ownersOf(holdings: Holdings, { entity }: Lock, lines: readonly HeldLine[]): Owners {
  const wanted = new Set(lines.map(({ balance }) => balance))
  const owners = new Map<string, string | null>()
  for (const { uid, entity: owner } of allWithin(holdings, entity?.uid ?? null)) {
    if (owners.size === wanted.size) break
    if (wanted.has(uid)) owners.set(uid, owner)
  }
  return owners
}

function balanceOf(holdings: Holdings, owners: Owners, { balance, feature, ended }: HeldLine): Balance | undefined {
  const owner = owners.get(balance)
  if (ended === 'gone' || owner === undefined) return undefined
  return belongingTo(holdings, owner, feature).find(({ uid }) => uid === balance)
}

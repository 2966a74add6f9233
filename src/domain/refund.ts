import { type Amount, divideHalfEven, ONE, smaller, sum, ZERO } from './amount.ts'
import type { Balance, Rollover } from './balance.ts'
import { applyMoves, type Move, USING } from './deduction.ts'
import type { Catalogue, Feature } from './feature.ts'
import { type Holdings, withBalances, withRefund } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { AT_PAR, type Price } from './price.ts'
import { type Refusal, refuse } from './refusal.ts'
import { linesOf, type Usage } from './usage.ts'
import type { DeductionLine, UsageEvent } from './usage-event.ts'
import { allWithin } from './within.ts'

/** What is given back of one event now. */
export interface Refund {
  readonly usage: Usage
  /** In the tracked feature's units, above zero. */
  readonly units: Amount
}

/**
 * Gives back what one event took, from the bucket that was drawn from last to the first, at most once in all. What was taken
 * from something that is gone by now (a balance or rollover that ended, a period that is over) is settled with nothing: it
 * would be gone without the use as well.
 * @param holdings brought up to the journal's instant.
 * @param entity whose event it is, by internal id, or null.
 * @param features that the event fed.
 * @param units to give back, above zero; null for all that is left.
 * @returns the refund, or `refund_exceeds_event`, `invalid_request` (part of a use that does not feed exactly one feature).
 */
export function refund(
  holdings: Holdings,
  entity: string | null,
  event: UsageEvent,
  features: readonly Feature[],
  units: Amount | null,
  catalogue: Catalogue,
  journal: Journal,
): Refund | Refusal {
  if (units !== null && features.length !== 1) {
    return refuse(
      'invalid_request',
      `Event ${event.uid} does not feed exactly one feature: leave out value to give all of it back`,
    )
  }
  const given = holdings.refunds.get(event.uid) ?? event.deductions.map(() => ZERO)
  const left = event.deductions.map((line, i) => sizeOf(line) - (given[i] ?? ZERO))
  const part = units === null ? { parts: left, open: ZERO } : partOf(event.deductions, left, units)
  const back = part.parts
  if (part.open > ZERO || back.every((amount) => amount <= ZERO)) {
    return refuse('refund_exceeds_event', `Event ${event.uid} took less than that, or it was given back already`)
  }
  const moves = movesOf(holdings, entity, event, back)
  const current = withBalances(holdings, applyMoves(moves, USING, journal))
  const settled = given.map((amount, i) => amount + (back[i] ?? ZERO))
  return {
    usage: {
      holdings: withRefund(current, event.uid, settled),
      entity,
      deductions: linesOf(moves, catalogue),
      moves,
      missing: ZERO,
      tracked: features.map((feature) => ({ feature, deducted: new Set(moves.map(({ balance }) => balance.feature)) })),
      touched: new Set(moves.map(({ balance }) => balance.uid)),
      held: true,
    },
    units: units ?? (features.length === 1 ? unitsOf(event.deductions, back) : event.value),
  }
}

/** How much of a line can be given back: what it took, or the units where those were free. */
export function sizeOf({ amount, price, metered }: DeductionLine): Amount {
  return price.cost === ZERO ? (metered?.units ?? ZERO) : amount
}

/** What a unit of the event is of the size of a line. */
function measureOf(line: DeductionLine | undefined): Price {
  return line === undefined || line.price.cost === ZERO ? AT_PAR : line.price
}

/** How much of each line `units` come to, from the last one on, and how many units exceed what is left. */
export function partOf(
  lines: readonly DeductionLine[],
  left: readonly Amount[],
  units: Amount,
): { readonly parts: Amount[]; readonly open: Amount } {
  const parts = lines.map(() => ZERO)
  // At 10⁻²⁴, as when it was taken: a part of a use that was paid at a price may have more decimals than an amount.
  let open = units * ONE
  for (let i = lines.length - 1; i >= 0 && open > 0n; i--) {
    const { cost, per } = measureOf(lines[i])
    const counted = countedBy(lines[i])
    const part = counted === null ? open : smaller(open, counted * ONE)
    const needed = divideHalfEven(part * cost, ONE * per)
    const amount = smaller(left[i] ?? ZERO, needed)
    parts[i] = amount
    open -= amount === needed ? part : divideHalfEven(amount * ONE * per, cost)
  }
  return { parts, open: divideHalfEven(open, ONE) }
}

/** The units that a line was for, where they were counted and cost just what it took: what it took is rounded. */
function countedBy(line: DeductionLine | undefined): Amount | null {
  if (line === undefined || line.metered === null) return null
  const { cost, per } = measureOf(line)
  const { units } = line.metered
  if (divideHalfEven(units * cost, per) !== sizeOf(line)) return null
  return units < ZERO ? -units : units
}

function unitsOf(lines: readonly DeductionLine[], back: readonly Amount[]): Amount {
  return sum(lines.map((line, i) => unitsIn(line, back[i] ?? ZERO)))
}

export function unitsIn(line: DeductionLine, size: Amount): Amount {
  const { cost, per } = measureOf(line)
  return divideHalfEven(size * per, cost)
}

/** In reverse. Only for buckets that are still the ones that were drawn from. */
function movesOf(holdings: Holdings, entity: string | null, event: UsageEvent, back: readonly Amount[]): Move[] {
  const buckets = bucketsOf(holdings, entity, event)
  const moves: Move[] = []
  for (const [i, line] of [...event.deductions.entries()].reverse()) {
    const [size, bucket] = [back[i] ?? ZERO, buckets.get(line.balanceUid)]
    if (size === ZERO || bucket === undefined) continue
    const { balance, rollover } = bucket
    const isOver = (balance.renewedAt ?? 0) > event.recordedAt
    if (rollover === null && isOver) continue
    const { price } = line
    const amount = price.cost === ZERO ? ZERO : -size
    const metered = line.metered === null || isOver ? null : { ...line.metered, units: -unitsIn(line, size) }
    moves.push({ balance, rollover, amount, price, permit: null, metered })
  }
  return moves
}

interface Bucket {
  readonly balance: Balance
  readonly rollover: Rollover | null
}

/** Those that were drawn from and are there, by internal id. */
function bucketsOf(holdings: Holdings, entity: string | null, event: UsageEvent): ReadonlyMap<string, Bucket> {
  const drawn = new Set(event.deductions.map(({ balanceUid }) => balanceUid))
  const buckets = new Map<string, Bucket>()
  for (const balance of allWithin(holdings, entity)) {
    if (drawn.has(balance.uid)) buckets.set(balance.uid, { balance, rollover: null })
    for (const rollover of balance.rollovers)
      if (drawn.has(rollover.uid)) buckets.set(rollover.uid, { balance, rollover })
  }
  return buckets
}

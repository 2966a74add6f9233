import { type Amount, granted, max, type Rollover, type Row, soonest, sum } from './rows.ts'

/** What someone is shown of a feature, by the model. */
export interface Seen {
  unlimited: boolean
  granted: Amount
  remaining: Amount
  usage: Amount
  /** The soonest reset, or Infinity. */
  next: number
  /** Balance by balance, in order of use. */
  lines: Row[]
  /** Null where nothing rolls over. */
  rollovers: Rollover[] | null
}

const NOTHING: Seen = {
  unlimited: false,
  granted: 0n,
  remaining: 0n,
  usage: 0n,
  next: Infinity,
  lines: [],
  rollovers: null,
}

/** Not what is used up and never to be filled again, unless a plan gives it, someone sits on it or a lock holds something of it. */
export function isVisible({ from, unlimited, every, main, seats, held }: Row): boolean {
  return from !== null || unlimited || every !== null || main !== 0n || seats > 0 || held !== 0n
}

/** What balances come to that one subject spends. */
export function shownOf(all: Row[]): Seen | null {
  const rows = all.filter(isVisible)
  if (rows.length === 0) return null
  const unlimited = rows.filter((row) => row.unlimited)
  if (unlimited.length > 0) return { ...NOTHING, unlimited: true, usage: -sum(unlimited.map(({ main }) => main)) }
  const rollovers = rows.flatMap((row) => row.rollovers)
  return {
    unlimited: false,
    granted: sum(rows.map(granted)) + sum(rollovers.map((r) => r.left + r.used)),
    remaining: sum(rows.map((row) => max(row.main, 0n))) + sum(rollovers.map((r) => r.left)),
    usage: usageOf(rows),
    next: Math.min(...rows.map(({ next }) => next)),
    lines: rows,
    rollovers: rows.some(({ policy }) => policy !== null) ? soonest(rollovers) : null,
  }
}

/** What a customer is shown: its own, and what its entities have, of whom debts of one are set off against what another has left (B54). */
export function together(own: Seen | null, theirs: Row[]): Seen {
  const side = own ?? NOTHING
  const unlimited = theirs.filter((row) => row.unlimited)
  if (side.unlimited || unlimited.length > 0)
    return { ...NOTHING, unlimited: true, usage: side.usage - sum(unlimited.map(({ main }) => main)) }
  const rollovers = theirs.flatMap((row) => row.rollovers)
  return {
    ...side,
    granted: side.granted + sum(theirs.map(granted)) + sum(rollovers.map((r) => r.left + r.used)),
    remaining: side.remaining + max(sum(theirs.map(({ main }) => main)), 0n) + sum(rollovers.map((r) => r.left)),
    usage: side.usage + usageOf(theirs),
    next: Math.min(side.next, ...theirs.map(({ next }) => next)),
  }
}

export function usageOf(rows: Row[]): Amount {
  return sum(rows.flatMap((row) => [granted(row) - row.main, ...row.rollovers.map((r) => r.used)]))
}

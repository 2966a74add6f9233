import { giveBack, type Payer, type Rate, take } from './payment.ts'
import { type Amount, granted, max, mayOwe, min, type Row, soonest, sum } from './rows.ts'
import { usageOf } from './view.ts'

/** What the model changes by hand: amounts of rows that were chosen, in order of use. */
export function add(payers: Payer[], value: Amount): void {
  // By hand, which is no use: nothing is counted, and the first tier is the price.
  const flat = payers.map((payer) => ({ ...payer, rate: { ...payer.rate, tiers: firstOf(payer.rate.tiers) } }))
  if (value >= 0n) giveBack(flat, value, 'overflow', [])
  else take(flat, -value, 'overflow', false, [])
}

export function setRemaining(rows: Row[], target: Amount): void {
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
  for (const rollover of soonest(rows.flatMap((row) => row.rollovers))) {
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

export function setUsage(rows: Row[], target: Amount): void {
  const [first] = rows
  if (first === undefined) return
  let gap = usageOf(rows) - target
  const heals = gap >= 0n
  for (const row of first.unlimited ? [] : rows) {
    const part = heals ? min(max(-row.main, 0n), gap) : -min(max(row.main, 0n), -gap)
    row.main += part
    gap -= part
  }
  first.main += gap
}

export function setGrant(rows: Row[], target: Amount): void {
  const [first] = rows
  if (first !== undefined) first.adjustment += target - sum(rows.map((row) => granted(row) - (row.from?.prepaid ?? 0n)))
}

/**
 * Each is filled up to its grant, and what was used in all taken again in order; the rest is owed by those that may owe, or by
 * the first (B137, B138).
 */
export function spendAnew(rows: Row[]): void {
  // What is held is not there to be taken.
  const full = (row: Row) => max(granted(row) - max(row.held, 0n), 0n)
  let used = sum(rows.map((row) => full(row) - row.main))
  for (const row of rows) {
    row.main = full(row)
    const cut = max(min(row.main, used), 0n)
    row.main -= cut
    used -= cut
  }
  for (const row of rows) {
    const most = mayOwe(row, false)
    const part = most === null ? used : min(used, max(most - max(-row.main, 0n), 0n))
    if (used <= 0n) break
    row.main -= part
    used -= part
  }
  const debtor = (used > 0n ? rows.find(({ from }) => from?.method === 'usage_based') : undefined) ?? rows[0]
  if (debtor !== undefined) debtor.main -= used
}

function firstOf(tiers: Rate['tiers']): Rate['tiers'] {
  return tiers.slice(0, 1).map(({ cost }) => ({ to: null, cost }))
}

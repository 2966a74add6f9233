import { type Attached, endOfCycle } from './attached.ts'
import type { Model } from './model.ts'
import { giveBack, ownPayer, take } from './payment.ts'
import { granted, max, type Row, sum, trim } from './rows.ts'
import { BOUGHT } from './wire.ts'

/** What goes along to what comes in the place of a plan, beside what always does. */
export interface Carry {
  usages: boolean
  balances: boolean
  joins: boolean
}
export const AS_USUAL: Carry = { usages: false, balances: false, joins: false }

/** @param left what one owner had of one feature (C 4.6). */
export function carry(
  model: Model,
  left: Row[],
  ended: Attached,
  after: Attached,
  { usages, balances, joins }: Carry,
): void {
  const [first] = left
  if (first === undefined) return
  const { feature, owner } = first
  const fresh = model.ordered(feature, owner).filter((row) => row.from?.attached === after && !row.unlimited)
  // Entities are counted in the place of use that was tracked (C143).
  if (feature === 'seats' ? model.entities.length === 0 : usages) {
    const used = sum(left.filter(({ from }) => !from?.once).map((row) => granted(row) - row.main))
    const lasting = fresh.filter(({ from }) => !from?.once)
    const payers = (lasting.length > 0 ? lasting : fresh).map(ownPayer)
    const before = payers.map(({ row }) => row.main)
    if (used > 0n) take(payers, used, 'overflow', false, [])
    else giveBack(payers, -used, 'overflow', [])
    // With what was used goes the count by which its price went.
    const [paid] = left.filter(({ from }) => !from?.once)
    for (const [i, { row }] of payers.entries()) if (paid && row.main !== before[i]) row.counts = new Map(paid.counts)
  }
  for (const old of left) takeOver(fresh, old)
  for (const old of left) {
    const once = old.from?.once === true
    if (once ? old.main <= 0n : !balances || feature === 'seats' || old.main === 0n) continue
    const same = once && joins ? fresh.find(({ from }) => from?.once) : undefined
    if (same === undefined) keep(model, old, ended, once)
    else {
      same.main += old.main
      same.adjustment += old.main
    }
  }
}

/** What is left stays by itself: bought once for ever, anything else until it would have been renewed (C145, C146). */
function keep(model: Model, old: Row, before: Attached, once: boolean): void {
  const { now } = model
  const renewed = Number.isFinite(old.next) ? old.next : endOfCycle(before, now)
  model.rows.push({
    ...old,
    ...{ id: once ? BOUGHT : '', from: null, allowance: max(old.main, 0n), held: 0n, adjustment: 0n, seats: 0 },
    ...{
      every: null,
      next: Infinity,
      policy: null,
      rollovers: [],
      ends: [],
      counts: new Map(old.counts),
      renewed: now,
    },
    ...{ expires: once ? null : renewed, expired: false, created: now, age: `${old.age}_kept` },
  })
}

/** The rollovers go to the row that is most like the old one, if it keeps any (C147). */
function takeOver(fresh: Row[], old: Row): void {
  const scored = fresh
    .filter(({ policy }) => policy !== null)
    .map((row) => ({ row, score: likeness(row, old) }))
    .sort((a, b) => b.score - a.score)
  const best = scored[0]?.row
  if (best?.policy == null) return
  for (const { at, left, until } of old.rollovers) {
    if (left <= 0n) continue
    const same = best.rollovers.find((one) => one.at === at && one.until === until)
    if (same !== undefined) same.left += left
    else best.rollovers.push({ at, left, used: 0n, held: 0n, until })
  }
  best.rollovers.sort((a, b) => (a.until ?? Infinity) - (b.until ?? Infinity) || 0)
  trim(best, best.policy)
}

function likeness(row: Row, old: Row): number {
  const sameKind = row.from?.method === old.from?.method
  const sameInterval = row.every?.interval === old.every?.interval && row.every?.count === old.every?.count
  return (sameKind ? 4 : 0) + (sameInterval ? 2 : 0) + (granted(row) >= granted(old) ? 1 : 0)
}

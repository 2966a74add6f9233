import { expect } from 'vitest'
import type { Reply } from '../world.ts'
import type { Interval } from './calendar.ts'
import { heldOf, type Lock } from './locks.ts'
import type { Event, Filter } from './model.ts'
import { bucketsOf, type Line } from './payment.ts'
import { type Amount, granted, max, type Owner, type Row, sum } from './rows.ts'
import type { Keeping, Used } from './steps.ts'
import type { Seen } from './view.ts'

/** What goes over the wire, and what the model expects to come back. */
export function expectEvent({ status, body }: Reply, event: Event): void {
  expect(status).toBe(200)
  expect(body.value).toBe(plain(event.value))
  expect(movedOf(body.deductions)).toEqual(moved(event.lines))
  event.id = body.event_id
}

type Moved = [feature: string, amount: number][]

/** What an answer says that was moved. */
export function movedOf(deductions: readonly { feature_id: string; value: number }[]): Moved {
  return deductions.map(({ feature_id, value }) => [feature_id, value])
}

export function moved(lines: Line[]): Moved {
  return bucketsOf(lines).map(({ row, amount }) => [row.feature, plain(amount)])
}

/** @returns null for all that is held. */
export function usedOf(used: Used, held: Amount): Amount | null {
  if (used === 'all') return null
  if (used === 'none') return 0n
  return exact('units' in used ? used.units : plain((held * BigInt(used.eighths)) / 8n))
}

export function shownLock({ id, held, lapses }: Lock) {
  return { lock_id: id, held: plain(held), expires_at: lapses }
}

export function rolloverOf({ max: most, percent, months }: Keeping) {
  const cap = percent === null ? { max: most } : { max_percentage: percent }
  return months === null ? { ...cap, duration: 'forever' } : { ...cap, duration: 'month', length: months }
}

export function bodyOf(owner: Owner): { customer_id: string; entity_id?: string } {
  return owner?.id == null ? { customer_id: 'alice' } : { customer_id: 'alice', entity_id: owner.id }
}

export function filterBody({ row, interval }: Filter): { balance_id?: string; interval?: Interval | 'one_off' } {
  return { ...(row === null ? {} : { balance_id: row.id }), ...(interval === null ? {} : { interval }) }
}

export function codeOf({ status, body }: Reply): string {
  return `${status} ${body.code}`
}

/** @param balance the balance object as it came over the wire. */
export function shown(balance: Reply['body']) {
  if (balance == null) return null
  const { unlimited, granted, remaining, usage, next_reset_at, breakdown, rollovers } = balance
  return {
    ...{ unlimited, granted, remaining, usage, next_reset_at },
    breakdown: unlimited
      ? []
      : breakdown.map((line: Record<string, unknown>) => ({
          ...{ id: nameOf(line), plan_id: line['plan_id'], prepaid_grant: line['prepaid_grant'] },
          ...{ included_grant: line['included_grant'], remaining: line['remaining'] },
          ...{ usage: line['usage'], held: line['held'] ?? 0 },
          ...{ reset: line['reset'], expires_at: line['expires_at'] },
        })),
    rollovers: rollovers ?? null,
  }
}

export function expected(seen: Seen | null): ReturnType<typeof shown> {
  if (seen === null) return null
  return {
    unlimited: seen.unlimited,
    granted: plain(seen.granted),
    remaining: plain(seen.remaining),
    usage: plain(seen.usage),
    next_reset_at: Number.isFinite(seen.next) ? seen.next : null,
    breakdown: linesOf(seen.lines),
    rollovers:
      seen.rollovers?.map(({ left, used, until }) => ({
        granted: plain(left + used),
        balance: plain(left),
        expires_at: until ?? 0,
      })) ?? null,
  }
}

/** One for each row, and one for all slices of an item. */
function linesOf(rows: Row[]) {
  const items = Map.groupBy(rows, (row) => (row.from?.slice ? `${row.from.planId} ${row.age}` : row))
  return [...items.values()].flatMap((group) => {
    const [row] = group
    const all = (of: (one: Row) => Amount) => plain(sum(group.map(of)))
    return row === undefined
      ? []
      : {
          id: row.id,
          plan_id: row.from?.planId ?? null,
          prepaid_grant: all(({ from }) => from?.prepaid ?? 0n),
          included_grant: all((one) => granted(one) - (one.from?.prepaid ?? 0n)),
          remaining: all(({ main }) => max(main, 0n)),
          usage: all((one) => granted(one) - one.main),
          held: all(heldOf),
          reset: resetOf({ ...row, next: Math.min(...group.map(({ next }) => next)) }),
          expires_at: row.expires,
        }
  })
}

/** The caller's ids are compared; others are made up as the application likes. */
function nameOf({ id }: Record<string, unknown>): string {
  const name = String(id)
  if (name.startsWith('one_off_prepaid_carryover_')) return BOUGHT
  return name.startsWith('cus_ent_') ? '' : name
}

/** How a loose balance of units bought once is called (C146), the rest of its id apart. */
export const BOUGHT = 'one_off_prepaid_carryover'

function resetOf({ feature, every, next }: Row) {
  if (feature === 'seats') return null
  if (every === null) return { interval: 'one_off', resets_at: null }
  const count = every.count === 1 ? {} : { interval_count: every.count }
  return { interval: every.interval, ...count, resets_at: next }
}

export const maybe = <A, B>(value: A | null, then: (value: A) => B): B | null => (value === null ? null : then(value))

/** Through decimal text, as both sides of the wire do it. */
export const exact = (value: number): Amount => {
  const [whole, fraction = ''] = value.toFixed(12).split('.')
  return BigInt(`${whole}${fraction}`)
}
export const plain = (value: Amount) => Number(`${value}e-12`)

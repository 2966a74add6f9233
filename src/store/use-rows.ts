import { amount, formatAmount, ONE } from '../domain/amount.ts'
import type { JsonObject } from '../domain/customer.ts'
import type { OverageBehavior } from '../domain/deduction.ts'
import type { Lock } from '../domain/lock.ts'
import type { Instant, Interval } from '../domain/time.ts'
import type { DeductionLine, UsageEvent } from '../domain/usage-event.ts'
import { integer, isEmpty, optionalText, type SqlRow, type SqlValue, text } from './cells.ts'
import type { EventRow } from './store.ts'

/** Rows of what is used and held: events, what they took, locks. See `rows.ts`. */

export const EVENT_COLUMNS = [
  'timestamp',
  'uid',
  'name',
  'value',
  'properties',
  'entity',
  'refund_of',
  'recorded_at',
  'deductions',
  'lock',
] as const

export function eventToRow(event: UsageEvent): SqlValue[] {
  return [
    event.timestamp,
    event.uid,
    event.name,
    formatAmount(event.value),
    isEmpty(event.properties) ? null : JSON.stringify(event.properties),
    event.entity,
    event.refundOf,
    event.recordedAt,
    event.deductions.length === 0 ? null : JSON.stringify(event.deductions.map(deductionToList)),
    event.lock,
  ]
}

export function eventFromRow(row: SqlRow): EventRow {
  const properties = optionalText(row, 'properties')
  const deductions = optionalText(row, 'deductions')
  return {
    customerId: text(row, 'customer_id'),
    uid: text(row, 'uid'),
    name: text(row, 'name'),
    value: amount(text(row, 'value')),
    properties: propertiesFromText(properties),
    entity: optionalText(row, 'entity'),
    refundOf: optionalText(row, 'refund_of'),
    lock: optionalText(row, 'lock'),
    timestamp: integer(row, 'timestamp'),
    recordedAt: integer(row, 'recorded_at'),
    deductions: deductions === null ? [] : (JSON.parse(deductions) as DeductionList[]).map(deductionFromList),
  }
}

/** @param text of the column. */
export function propertiesFromText(text: string | null): JsonObject {
  return text === null ? NO_PROPERTIES : (JSON.parse(text) as JsonObject)
}

const NO_PROPERTIES: JsonObject = {}

/**
 * What stands in the text of the column wherever a property has this value: looking for it takes a small part of the time of
 * reading the JSON, and most events have none. Empty where nothing can be said, because U+FFFD may stand for something else.
 */
export function traceOf(value: string): string {
  return value.includes('\ufffd') ? '' : JSON.stringify(value).slice(1, -1)
}

/** What an aggregate has to know of a deduction, with its amounts as they are kept. */
export interface Taking {
  readonly balance: string
  readonly feature: string
  readonly amount: string
  readonly cost: string
  readonly per: string
}

export function takingOf({ balanceUid, featureId, amount: taken, price }: DeductionLine): Taking {
  const [cost, per] = [formatAmount(price.cost), formatAmount(price.per)]
  return { balance: balanceUid, feature: featureId, amount: formatAmount(taken), cost, per }
}

/** @param text of the column. */
export function takingsFromText(text: string | null): readonly Taking[] {
  if (text === null) return NO_TAKINGS
  return (JSON.parse(text) as DeductionList[]).map(([balance, feature, taken, , , , cost, per]) => {
    return { balance, feature, amount: taken, cost: cost ?? '1', per: per ?? '1' }
  })
}

const NO_TAKINGS: readonly Taking[] = []

/** Every use writes one of these, so it is a bare list: less to write for each row. */
type DeductionList = [
  balance: string,
  feature: string,
  amount: string,
  interval?: string | null,
  count?: number | null,
  resetsAt?: number | null,
  /** Of the price. */
  cost?: string | null,
  per?: string | null,
  /** Of what was metered. */
  meter?: string | null,
  units?: string | null,
  planId?: string,
]

function deductionToList(line: DeductionLine): DeductionList {
  const { balanceUid, featureId, planId, reset, amount: taken, price, metered } = line
  const list: DeductionList = [balanceUid, featureId, formatAmount(taken)]
  if (reset !== null) list.push(reset.interval, reset.count, reset.resetsAt)
  // One for one goes without saying.
  const atPar = price.cost === ONE && price.per === ONE && metered === null
  if (atPar && planId === null) return list
  if (reset === null) list.push(null, null, null)
  if (atPar) list.push(null, null)
  else list.push(formatAmount(price.cost), formatAmount(price.per))
  if (metered !== null) list.push(metered.meter, formatAmount(metered.units))
  else if (planId !== null) list.push(null, null)
  if (planId !== null) list.push(planId)
  return list
}

function deductionFromList([
  balanceUid,
  featureId,
  taken,
  interval,
  count,
  resetsAt = null,
  cost,
  per,
  meter,
  units,
  planId,
]: DeductionList): DeductionLine {
  const reset = interval == null ? null : { interval: interval as Interval | 'one_off', count: count ?? 1, resetsAt }
  const price = { cost: amount(cost ?? '1'), per: amount(per ?? '1') }
  const metered = meter == null ? null : { meter, units: amount(units ?? '0') }
  return { balanceUid, featureId, planId: planId ?? null, reset, amount: amount(taken), price, metered }
}

export const LOCK_COLUMNS = [
  'id',
  'uid',
  'feature',
  'name',
  'entity',
  'held',
  'behavior',
  'properties',
  'lines',
  'held_at',
  'lapses_at',
  'at_lapse',
] as const

export function lockToRow(lock: Lock): SqlValue[] {
  return [
    lock.id,
    lock.uid,
    lock.feature,
    lock.name,
    lock.entity === null ? null : JSON.stringify(lock.entity),
    formatAmount(lock.held),
    lock.behavior,
    isEmpty(lock.properties) ? null : JSON.stringify(lock.properties),
    JSON.stringify(
      lock.lines.map(
        ({ line, ...bucket }): HeldList => [
          bucket.balance,
          bucket.rollover,
          bucket.feature,
          formatAmount(bucket.healed),
          typeof bucket.ended === 'object' && bucket.ended !== null
            ? [bucket.ended.at, formatAmount(bucket.ended.debt)]
            : bucket.ended,
          deductionToList(line),
        ],
      ),
    ),
    lock.heldAt,
    lock.lapsesAt,
    lock.atLapse,
  ]
}

export function lockFromRow(row: SqlRow): Lock {
  const entity = optionalText(row, 'entity')
  const properties = optionalText(row, 'properties')
  const lines = JSON.parse(text(row, 'lines')) as HeldList[]
  return {
    id: text(row, 'id'),
    uid: text(row, 'uid'),
    feature: text(row, 'feature'),
    name: text(row, 'name'),
    entity: entity === null ? null : (JSON.parse(entity) as Lock['entity']),
    held: amount(text(row, 'held')),
    behavior: text(row, 'behavior') as OverageBehavior,
    properties: properties === null ? {} : (JSON.parse(properties) as JsonObject),
    lines: lines.map(([balance, rollover, feature, healed, ended, line]) => ({
      balance,
      rollover,
      feature,
      healed: amount(healed),
      ended: Array.isArray(ended) ? { at: ended[0], debt: amount(ended[1]) } : ended,
      line: deductionFromList(line),
    })),
    heldAt: integer(row, 'held_at'),
    lapsesAt: integer(row, 'lapses_at'),
    atLapse: text(row, 'at_lapse') as Lock['atLapse'],
  }
}

type HeldList = [
  balance: string,
  rollover: string | null,
  feature: string,
  healed: string,
  ended: [at: Instant, debt: string] | 'gone' | null,
  line: DeductionList,
]

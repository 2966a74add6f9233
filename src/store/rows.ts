import { type Amount, amount, formatAmount, ONE, ZERO } from '../domain/amount.ts'
import { assert } from '../domain/assert.ts'
import {
  type Balance,
  type Reset,
  type Rollover,
  type RolloverPolicy,
  type Terms,
  UNMETERED,
} from '../domain/balance.ts'
import { type Customer, type Environment, emailIn, type JsonObject, namesOf } from '../domain/customer.ts'
import type { OverageBehavior } from '../domain/deduction.ts'
import type { Entity } from '../domain/entity.ts'
import { exactJson } from '../domain/exact-json.ts'
import type { Feature, FeatureType } from '../domain/feature.ts'
import type { Refunded } from '../domain/holdings.ts'
import type { Permit, Posting, PostingKind } from '../domain/ledger.ts'
import type { Lock } from '../domain/lock.ts'
import { atOneCost, flatTariff, type Tariff, type Tier } from '../domain/price.ts'
import type { Instant, Interval } from '../domain/time.ts'
import type { DeductionLine, UsageEvent } from '../domain/usage.ts'
import type { EventRow } from './store.ts'

/**
 * Between domain values and rows of SQL values, once for every SQL store. Amounts travel as decimal text, so that no
 * binary float ever touches one; lists that are always read and written with their row travel as JSON.
 */
export type SqlValue = string | number | null
export type SqlRow = Readonly<Record<string, SqlValue>>

export const CUSTOMER_COLUMNS = [
  'id',
  'name',
  'email',
  'fingerprint',
  'stripe_id',
  'metadata',
  'send_email_receipts',
  'shares_with_entities',
  'clock_ahead',
  'created_at',
  'claim',
] as const

export function customerToRow(customer: Customer): SqlValue[] {
  return [
    customer.id,
    customer.name,
    customer.email,
    customer.fingerprint,
    customer.stripeId,
    JSON.stringify(customer.metadata),
    Number(customer.sendEmailReceipts),
    Number(customer.sharesWithEntities),
    customer.clockAhead,
    customer.createdAt,
    emailIn(namesOf(customer)[0] ?? ''),
  ]
}

export function customerFromRow(row: SqlRow): Customer {
  return {
    uid: text(row, 'uid'),
    env: text(row, 'env') as Environment,
    id: optionalText(row, 'id'),
    name: optionalText(row, 'name'),
    email: optionalText(row, 'email'),
    fingerprint: optionalText(row, 'fingerprint'),
    stripeId: optionalText(row, 'stripe_id'),
    metadata: JSON.parse(text(row, 'metadata')) as JsonObject,
    sendEmailReceipts: row['send_email_receipts'] === 1,
    sharesWithEntities: row['shares_with_entities'] === 1,
    clockAhead: integer(row, 'clock_ahead'),
    createdAt: integer(row, 'created_at'),
  }
}

export const ENTITY_COLUMNS = ['uid', 'id', 'name', 'feature', 'created_at'] as const

export function entityToRow({ uid, id, name, feature, createdAt }: Entity): SqlValue[] {
  return [uid, id, name, feature, createdAt]
}

export function entityFromRow(row: SqlRow): Entity {
  return {
    uid: text(row, 'uid'),
    id: optionalText(row, 'id'),
    name: optionalText(row, 'name'),
    feature: text(row, 'feature'),
    createdAt: integer(row, 'created_at'),
  }
}

export const BALANCE_COLUMNS = [
  'uid',
  'id',
  'feature',
  'entity',
  'terms',
  'allowance',
  'remaining',
  'adjustment',
  'seats',
  'metered',
  'reset_interval',
  'reset_count',
  'reset_anchor',
  'next_reset_at',
  'renewed_at',
  'rollover_policy',
  'rollovers',
  'expires_at',
  'created_at',
  'held',
] as const

/** Where in a balance's row the columns stand that change after it was written first. */
export const CHANGING_BALANCE_COLUMNS = [
  'remaining',
  'adjustment',
  'seats',
  'metered',
  'reset_interval',
  'reset_count',
  'reset_anchor',
  'next_reset_at',
  'renewed_at',
  'rollover_policy',
  'rollovers',
  'expires_at',
  'held',
] as const satisfies (typeof BALANCE_COLUMNS)[number][]

export function balanceToRow(balance: Balance): SqlValue[] {
  const { terms, reset } = balance
  return [
    balance.uid,
    balance.id,
    balance.feature,
    balance.entity,
    terms.kind,
    terms.kind === 'finite' ? formatAmount(terms.allowance) : null,
    formatAmount(balance.remaining),
    formatAmount(balance.adjustment),
    balance.seats,
    balance.metered.size === 0 ? null : toJson([...balance.metered]),
    reset?.interval ?? null,
    reset?.count ?? null,
    reset?.anchor ?? null,
    reset?.nextAt ?? null,
    balance.renewedAt,
    balance.rolloverPolicy === null ? null : toJson(balance.rolloverPolicy),
    balance.rollovers.length === 0 ? null : toJson(balance.rollovers.map(rolloverToJson)),
    balance.expiresAt,
    balance.createdAt,
    unlessZero(balance.held),
  ]
}

export function balanceFromRow(row: SqlRow): Balance {
  const policy = optionalText(row, 'rollover_policy')
  const rollovers = optionalText(row, 'rollovers')
  const metered = optionalText(row, 'metered')
  return {
    uid: text(row, 'uid'),
    id: optionalText(row, 'id'),
    feature: text(row, 'feature'),
    entity: optionalText(row, 'entity'),
    terms: termsFromRow(row),
    remaining: amount(text(row, 'remaining')),
    adjustment: amount(text(row, 'adjustment')),
    held: zeroIfNull(row, 'held'),
    seats: integer(row, 'seats'),
    metered: metered === null ? UNMETERED : new Map(fromJson(metered) as [string, Amount][]),
    reset: resetFromRow(row),
    renewedAt: optionalInteger(row, 'renewed_at'),
    rolloverPolicy: policy === null ? null : (fromJson(policy) as RolloverPolicy),
    rollovers: rollovers === null ? [] : (fromJson(rollovers) as Omit<Rollover, 'held'>[]).map(rolloverFromJson),
    expiresAt: optionalInteger(row, 'expires_at'),
    createdAt: integer(row, 'created_at'),
  }
}

/** Hardly any is held, so it is written only where there is something. */
function rolloverToJson({ held, ...rollover }: Rollover) {
  return held === ZERO ? rollover : { ...rollover, held }
}

function rolloverFromJson(rollover: Omit<Rollover, 'held'>): Rollover {
  return { held: ZERO, ...rollover }
}

function termsFromRow(row: SqlRow): Terms {
  const kind = text(row, 'terms')
  if (kind === 'finite') return { kind, allowance: amount(text(row, 'allowance')) }
  assert(kind === 'flag' || kind === 'unlimited', `unknown terms ${kind}`)
  return { kind }
}

function resetFromRow(row: SqlRow): Reset | null {
  const interval = optionalText(row, 'reset_interval')
  if (interval === null) return null
  return {
    interval: interval as Interval,
    count: integer(row, 'reset_count'),
    anchor: integer(row, 'reset_anchor'),
    nextAt: integer(row, 'next_reset_at'),
  }
}

export const REFUND_COLUMNS = ['event', 'given'] as const

export function refundToRow({ event, given }: Refunded): SqlValue[] {
  return [event, JSON.stringify(given.map(formatAmount))]
}

export function refundFromRow(row: SqlRow): [event: string, given: Amount[]] {
  return [text(row, 'event'), (JSON.parse(text(row, 'given')) as string[]).map(amount)]
}

export const POSTING_COLUMNS = [
  'entity',
  'feature',
  'balance',
  'rollover',
  'kind',
  'amount',
  'granted',
  'remaining_after',
  'permit',
  'cause',
  'at',
  'held',
] as const

export function postingToRow(posting: Posting): SqlValue[] {
  return [
    posting.entity,
    posting.feature,
    posting.balance,
    posting.rollover,
    posting.kind,
    formatAmount(posting.amount),
    formatAmount(posting.granted),
    formatAmount(posting.remainingAfter),
    posting.permit,
    posting.cause,
    posting.at,
    unlessZero(posting.held),
  ]
}

export function postingFromRow(row: SqlRow): Posting {
  return {
    entity: optionalText(row, 'entity'),
    feature: text(row, 'feature'),
    balance: text(row, 'balance'),
    rollover: optionalText(row, 'rollover'),
    kind: text(row, 'kind') as PostingKind,
    amount: amount(text(row, 'amount')),
    granted: amount(text(row, 'granted')),
    held: zeroIfNull(row, 'held'),
    remainingAfter: amount(text(row, 'remaining_after')),
    permit: optionalText(row, 'permit') as Permit | null,
    cause: text(row, 'cause'),
    at: integer(row, 'at'),
  }
}

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
  return (JSON.parse(text) as DeductionList[]).map(([balance, feature, taken, , , , cost = '1', per = '1']) => {
    return { balance, feature, amount: taken, cost, per }
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
  cost?: string,
  per?: string,
  /** Of what was metered. */
  meter?: string,
  units?: string,
]

function deductionToList(line: DeductionLine): DeductionList {
  const { balanceUid, featureId, reset, amount: taken, price, metered } = line
  const list: DeductionList = [balanceUid, featureId, formatAmount(taken)]
  if (reset !== null) list.push(reset.interval, reset.count, reset.resetsAt)
  if (price.cost === ONE && price.per === ONE && metered === null) return list
  // One for one goes without saying.
  if (reset === null) list.push(null, null, null)
  list.push(formatAmount(price.cost), formatAmount(price.per))
  if (metered !== null) list.push(metered.meter, formatAmount(metered.units))
  return list
}

function deductionFromList([
  balanceUid,
  featureId,
  taken,
  interval,
  count,
  resetsAt = null,
  cost = '1',
  per = '1',
  meter,
  units = '0',
]: DeductionList): DeductionLine {
  const reset = interval == null ? null : { interval: interval as Interval | 'one_off', count: count ?? 1, resetsAt }
  const price = { cost: amount(cost), per: amount(per) }
  const metered = meter === undefined ? null : { meter, units: amount(units) }
  return { balanceUid, featureId, reset, amount: amount(taken), price, metered }
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

export const FEATURE_COLUMNS = [
  'uid',
  'id',
  'name',
  'type',
  'event_names',
  'display',
  'archived',
  'created_at',
] as const

export function featureToRow(feature: Feature): SqlValue[] {
  return [
    feature.uid,
    feature.id,
    feature.name,
    toJson(feature.type),
    JSON.stringify(feature.eventNames),
    feature.display === null ? null : JSON.stringify(feature.display),
    Number(feature.archived),
    feature.createdAt,
  ]
}

export function featureFromRow(row: SqlRow): Feature {
  const display = optionalText(row, 'display')
  return {
    uid: text(row, 'uid'),
    id: text(row, 'id'),
    name: text(row, 'name'),
    type: typeFromJson(text(row, 'type')),
    eventNames: JSON.parse(text(row, 'event_names')) as string[],
    display: display === null ? null : (JSON.parse(display) as Feature['display']),
    archived: row['archived'] === 1,
    createdAt: integer(row, 'created_at'),
  }
}

function typeFromJson(json: string): FeatureType {
  const type = fromJson(json) as FeatureType
  if (type.kind !== 'credit_system') return type
  return { ...type, costs: type.costs.map(({ feature, ...item }) => ({ feature, tariff: tariffFrom(item) })) }
}

/** Credit systems that were saved before tariffs had conditions know a cost for one unit alone, and before they had tiers one for all. */
function tariffFrom(item: { readonly tariff: Tariff } | { readonly cost: Amount }): Tariff {
  if ('cost' in item) return flatTariff(item.cost)
  const { dimensions, ...tariff } = item.tariff
  return { ...inTiers(tariff), dimensions: dimensions.map(inTiers) }
}

function inTiers<T extends { readonly tiers: readonly Tier[] }>(
  priced: T | (Omit<T, 'tiers'> & { readonly cost: Amount }),
): T {
  if (!('cost' in priced)) return priced
  const { cost, ...rest } = priced
  return { ...rest, tiers: atOneCost(cost) } as unknown as T
}

const { write: toJson, read: fromJson } = exactJson('$amount')

function text(row: SqlRow, column: string): string {
  const value = row[column]
  assert(typeof value === 'string', `column ${column} holds no text`)
  return value
}

function optionalText(row: SqlRow, column: string): string | null {
  const value = row[column]
  assert(typeof value === 'string' || value === null, `column ${column} holds no text`)
  return value
}

/** Amounts that are nearly always zero take no room then. */
function unlessZero(value: Amount): string | null {
  return value === ZERO ? null : formatAmount(value)
}

function zeroIfNull(row: SqlRow, column: string): Amount {
  const value = optionalText(row, column)
  return value === null ? ZERO : amount(value)
}

function integer(row: SqlRow, column: string): number {
  const value = row[column]
  assert(typeof value === 'number', `column ${column} holds no integer`)
  return value
}

function optionalInteger(row: SqlRow, column: string): number | null {
  const value = row[column] ?? null
  assert(value === null || typeof value === 'number', `column ${column} holds no integer`)
  return value
}

function isEmpty(object: JsonObject): boolean {
  for (const _ in object) return false
  return true
}

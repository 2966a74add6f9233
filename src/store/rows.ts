import { type Amount, amount, formatAmount, ZERO } from '../domain/amount.ts'
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
import type { Refunded } from '../domain/differences.ts'
import type { Entity } from '../domain/entity.ts'
import type { Feature, FeatureType } from '../domain/feature.ts'
import type { Permit, Posting, PostingKind } from '../domain/ledger.ts'
import { atOneCost, flatTariff, type Tariff, type Tier } from '../domain/price.ts'
import type { Interval } from '../domain/time.ts'
import {
  fromJson,
  integer,
  optionalInteger,
  optionalText,
  type SqlRow,
  type SqlValue,
  text,
  toJson,
  unlessZero,
  zeroIfNull,
} from './cells.ts'
import { sourceFromText, sourceToText } from './plan-rows.ts'

/**
 * Between domain values and rows of SQL values, once for every SQL store. Amounts travel as decimal text, so that no
 * binary float ever touches one; lists that are always read and written with their row travel as JSON.
 */

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
  'source',
] as const

/** Where in a balance's row the columns stand that change after it was written first. */
export const CHANGING_BALANCE_COLUMNS = [
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
  'held',
  'source',
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
    sourceToText(balance.source),
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
    source: sourceFromText(optionalText(row, 'source')),
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

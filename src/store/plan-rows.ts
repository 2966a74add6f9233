import { amount, formatAmount } from '../domain/amount.ts'
import type { Attachment, Quantity } from '../domain/attachment.ts'
import type { Source } from '../domain/balance.ts'
import { turnOf } from '../domain/holdings.ts'
import type { ItemPrice, Proration } from '../domain/item-price.ts'
import type { Plan, PlanTerms } from '../domain/plan.ts'
import { fromJson, integer, optionalInteger, optionalText, type SqlRow, type SqlValue, text, toJson } from './cells.ts'
import type { CustomerQuery, EntityQuery } from './store.ts'

/** Rows of plans, and of what customers have of them. See `rows.ts`. */

export const PLAN_COLUMNS = [
  'uid',
  'id',
  'version',
  'name',
  'description',
  'plan_group',
  'add_on',
  'auto_enable',
  'archived',
  'ignore_past_due',
  'metadata',
  'terms',
  'retired',
  'created_at',
] as const

export function planToRow(plan: Plan): SqlValue[] {
  return [
    plan.uid,
    plan.id,
    plan.version,
    plan.name,
    plan.description,
    plan.group,
    Number(plan.addOn),
    Number(plan.autoEnable),
    Number(plan.archived),
    Number(plan.ignorePastDue),
    JSON.stringify(plan.metadata),
    toJson(plan.terms),
    Number(plan.retired),
    plan.createdAt,
  ]
}

export function planFromRow(row: SqlRow): Plan {
  return {
    uid: text(row, 'uid'),
    id: text(row, 'id'),
    version: integer(row, 'version'),
    name: text(row, 'name'),
    description: optionalText(row, 'description'),
    group: text(row, 'plan_group'),
    addOn: row['add_on'] === 1,
    autoEnable: row['auto_enable'] === 1,
    archived: row['archived'] === 1,
    ignorePastDue: row['ignore_past_due'] === 1,
    metadata: JSON.parse(text(row, 'metadata')) as Plan['metadata'],
    terms: fromJson(text(row, 'terms')) as PlanTerms,
    retired: row['retired'] === 1,
    createdAt: integer(row, 'created_at'),
  }
}

export const ATTACHMENT_COLUMNS = [
  'uid',
  'id',
  'plan',
  'plan_id',
  'version',
  'entity',
  'status',
  'starts_at',
  'canceled_at',
  'ends_at',
  'trial_ends_at',
  'anchor',
  'quantities',
  'custom',
  'created_at',
  'turns_at',
] as const

export function attachmentToRow(attachment: Attachment): SqlValue[] {
  const turn = turnOf(attachment)
  return [
    attachment.uid,
    attachment.id,
    attachment.plan,
    attachment.planId,
    attachment.version,
    attachment.entity,
    attachment.status,
    attachment.startsAt,
    attachment.canceledAt,
    attachment.endsAt,
    attachment.trialEndsAt,
    attachment.anchor,
    toJson(attachment.quantities),
    attachment.custom === null ? null : toJson(attachment.custom),
    attachment.createdAt,
    // For the index alone: it follows from the others.
    turn === Number.POSITIVE_INFINITY ? null : turn,
  ]
}

export function attachmentFromRow(row: SqlRow): Attachment {
  const custom = optionalText(row, 'custom')
  return {
    uid: text(row, 'uid'),
    id: optionalText(row, 'id'),
    plan: text(row, 'plan'),
    planId: text(row, 'plan_id'),
    version: integer(row, 'version'),
    entity: optionalText(row, 'entity'),
    custom: custom === null ? null : (fromJson(custom) as PlanTerms),
    status: text(row, 'status') as Attachment['status'],
    startsAt: integer(row, 'starts_at'),
    canceledAt: optionalInteger(row, 'canceled_at'),
    endsAt: optionalInteger(row, 'ends_at'),
    trialEndsAt: optionalInteger(row, 'trial_ends_at'),
    anchor: integer(row, 'anchor'),
    quantities: fromJson(text(row, 'quantities')) as Quantity[],
    createdAt: integer(row, 'created_at'),
  }
}

/** Every use of a balance writes its row, and where it comes from hardly ever changes. */
const SOURCE_TEXTS = new WeakMap<Source, string>()

export function sourceToText(source: Source | null): string | null {
  if (source === null) return null
  const known = SOURCE_TEXTS.get(source)
  if (known !== undefined) return known
  const json = JSON.stringify(sourceToList(source))
  SOURCE_TEXTS.set(source, json)
  return json
}

export function sourceFromText(json: string | null): Source | null {
  return json === null ? null : sourceFromList(JSON.parse(json) as SourceList)
}

/** A bare list, because every use writes it: a third of the text that names would make of it. */
type SourceList = [
  attachment: string,
  item: number,
  planId: string,
  addOn: 0 | 1,
  price: PriceList | null,
  prepaid: string,
  nextPrepaid: string | null,
  slice: 0 | 1,
]
type PriceList = [
  interval: ItemPrice['interval'],
  count: number,
  method: ItemPrice['method'],
  tiers: [to: string | null, amount: string, flatAmount: string | null][],
  behavior: ItemPrice['behavior'],
  units: string,
  maxPurchase: string | null,
  proration: [Proration['onIncrease'], Proration['onDecrease']] | null,
]

function sourceToList({ attachment, item, planId, addOn, price, prepaid, nextPrepaid, slice }: Source): SourceList {
  const priced = price === null ? null : priceToList(price)
  const next = unlessNull(nextPrepaid, formatAmount)
  return [attachment, item, planId, addOn ? 1 : 0, priced, formatAmount(prepaid), next, slice ? 1 : 0]
}

function sourceFromList([attachment, item, planId, addOn, price, prepaid, next, slice]: SourceList): Source {
  return {
    attachment,
    item,
    planId,
    addOn: addOn === 1,
    price: price === null ? null : priceFromList(price),
    prepaid: amount(prepaid),
    nextPrepaid: unlessNull(next, amount),
    slice: slice === 1,
  }
}

function priceToList(price: ItemPrice): PriceList {
  const { interval, count, method, tiers, behavior, units, maxPurchase, proration } = price
  return [
    interval,
    count,
    method,
    tiers.map((tier) => [
      unlessNull(tier.to, formatAmount),
      formatAmount(tier.amount),
      unlessNull(tier.flatAmount, formatAmount),
    ]),
    behavior,
    formatAmount(units),
    unlessNull(maxPurchase, formatAmount),
    proration === null ? null : [proration.onIncrease, proration.onDecrease],
  ]
}

function priceFromList(list: PriceList): ItemPrice {
  const [interval, count, method, tiers, behavior, units, maxPurchase, proration] = list
  return {
    interval,
    count,
    method,
    tiers: tiers.map(([to, cost, flat]) => ({
      to: unlessNull(to, amount),
      amount: amount(cost),
      flatAmount: unlessNull(flat, amount),
    })),
    behavior,
    units: amount(units),
    maxPurchase: unlessNull(maxPurchase, amount),
    proration: proration === null ? null : { onIncrease: proration[0], onDecrease: proration[1] },
  }
}

function unlessNull<A, B>(value: A | null, change: (value: A) => B): B | null {
  return value === null ? null : change(value)
}

/**
 * What a list's filter by plans asks of the customer of a row, along the primary key of attachments; null where there is none.
 * @param table that is listed; `customers` is there in both cases. An entity has what its customer has.
 */
export function attachedCondition(
  table: 'customers' | 'entities',
  { plans, status }: CustomerQuery | EntityQuery,
): { readonly condition: string; readonly values: SqlValue[] } | null {
  if (plans === undefined && status === undefined) return null
  const parts = ["a.status <> 'ended'"]
  const values: SqlValue[] = []
  if (table === 'entities') parts.push('(a.entity is null or a.entity = entities.uid)')
  if (status !== undefined) {
    parts.push('a.status = ?')
    values.push(status)
  }
  if (plans !== undefined) {
    const any = plans.map(({ id, versions }) => {
      values.push(id, ...(versions ?? []))
      if (versions === null) return 'a.plan_id = ?'
      return versions.length === 0 ? 'a.plan_id = ? and 1 = 0' : `a.plan_id = ? and a.version in (${places(versions)})`
    })
    parts.push(any.length === 0 ? '1 = 0' : `(${any.join(' or ')})`)
  }
  return {
    condition: `exists (select 1 from attachments a where a.customer = customers.key and ${parts.join(' and ')})`,
    values,
  }
}

function places(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ')
}

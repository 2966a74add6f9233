import { amount } from '../src/domain/amount.ts'
import { type Balance, type RolloverCap, type Source, UNMETERED } from '../src/domain/balance.ts'
import type { Feature, FeatureType } from '../src/domain/feature.ts'
import type { BillingInterval, ItemPrice } from '../src/domain/item-price.ts'
import type { BasePrice, Plan, PlanItem, PlanTerms } from '../src/domain/plan.ts'
import type { Interval } from '../src/domain/time.ts'

/** Short ways to write domain values in tests. */
export interface BalanceSketch {
  readonly uid?: string
  readonly granted?: string | 'unlimited'
  readonly left?: string
  readonly held?: string
  /** The plan that it comes from; `pro` where only something else of it is said. */
  readonly plan?: string
  readonly addOn?: boolean
  readonly method?: ItemPrice['method']
  /** Units that may be bought or owed beyond those that are included. */
  readonly max?: string
  /** How much of what is granted was bought in advance. */
  readonly prepaid?: string
  readonly nextPrepaid?: string
  /** One entity's part of an item; of the first one of the plan unless said otherwise. */
  readonly slice?: boolean
  readonly item?: number
  readonly price?: Partial<ItemPrice>
  readonly every?: Interval
  /** How many intervals a period has; one unless said otherwise. */
  readonly count?: number
  readonly anchor?: number
  readonly nextAt?: number
  readonly expiresAt?: number
  readonly createdAt?: number
  readonly rollover?: { readonly max?: string; readonly percent?: string; readonly months: number | null }
  readonly rollovers?: readonly {
    readonly left: string
    readonly used?: string
    readonly held?: string
    readonly expiresAt: number | null
  }[]
}

let serial = 0

export function balance(sketch: BalanceSketch = {}): Balance {
  serial += 1
  const granted = sketch.granted ?? '100'
  const left = sketch.left ?? (granted === 'unlimited' ? '0' : granted)
  const uid = sketch.uid ?? `cus_ent_${String(serial).padStart(6, '0')}`
  const anchor = sketch.anchor ?? 0
  return {
    uid,
    id: null,
    feature: 'feat_messages',
    entity: null,
    terms: granted === 'unlimited' ? { kind: 'unlimited' } : { kind: 'finite', allowance: amount(granted) },
    source: sourceOf(sketch, uid),
    remaining: amount(left),
    held: amount(sketch.held ?? '0'),
    adjustment: 0n,
    metered: UNMETERED,
    seats: 0,
    reset:
      sketch.every === undefined
        ? null
        : { interval: sketch.every, count: sketch.count ?? 1, anchor, nextAt: sketch.nextAt ?? anchor },
    renewedAt: null,
    rolloverPolicy:
      sketch.rollover === undefined ? null : { cap: capOf(sketch.rollover), months: sketch.rollover.months },
    rollovers: (sketch.rollovers ?? []).map((one, i) => ({
      uid: `roll_${uid}_${i}`,
      remaining: amount(one.left),
      used: amount(one.used ?? '0'),
      held: amount(one.held ?? '0'),
      expiresAt: one.expiresAt,
    })),
    expiresAt: sketch.expiresAt ?? null,
    createdAt: sketch.createdAt ?? 0,
  }
}

function sourceOf(sketch: BalanceSketch, uid: string): Source | null {
  const { plan, addOn, method, max, prepaid, nextPrepaid, price, slice, item } = sketch
  if ([plan, addOn, method, max, prepaid, nextPrepaid, price, slice].every((one) => one === undefined)) return null
  const isPriced = [method, max, prepaid, nextPrepaid, price].some((one) => one !== undefined)
  return {
    attachment: `cus_prod_${plan ?? 'pro'}`,
    item: item ?? (slice ? 0 : Number(uid.replaceAll(/\D/g, '')) || 0),
    planId: plan ?? 'pro',
    addOn: addOn ?? false,
    price: isPriced ? itemPrice(1, { method: method ?? 'prepaid', maxPurchase: amountOrNull(max), ...price }) : null,
    prepaid: amount(prepaid ?? '0'),
    nextPrepaid: amountOrNull(nextPrepaid),
    slice: slice ?? false,
  }
}

function amountOrNull(text: string | undefined) {
  return text === undefined ? null : amount(text)
}

function capOf({ max, percent }: { max?: string; percent?: string }): RolloverCap {
  if (max !== undefined) return { kind: 'amount', max: amount(max) }
  return percent === undefined ? { kind: 'none' } : { kind: 'percentage', percent: amount(percent) }
}

/** By default one that is spent. */
export function feature(
  id: string,
  type: FeatureType = { kind: 'metered', consumable: true },
  more: Partial<Feature> = {},
): Feature {
  return {
    uid: `feat_${id}`,
    id,
    name: id,
    type,
    eventNames: [],
    display: null,
    archived: false,
    createdAt: 0,
    ...more,
  }
}

/** A flat fee, such as `fee(20, 'year')`. */
export function fee(amountOfMoney: number, interval: BillingInterval = 'month', count = 1): BasePrice {
  return { amount: amount(amountOfMoney), interval, count }
}

/** What units of an item cost; by default each of them, bought in advance, every month. */
export function itemPrice(amountOfMoney: number, more: Partial<ItemPrice> = {}): ItemPrice {
  return {
    method: 'prepaid',
    interval: 'month',
    count: 1,
    tiers: [{ to: null, amount: amount(amountOfMoney), flatAmount: null }],
    behavior: 'graduated',
    units: amount(1),
    maxPurchase: null,
    proration: null,
    ...more,
  }
}

/** An item of the feature of that id as `feature` makes it; by default nothing is included and nothing has a price. */
export function planItem(featureId: string, more: Partial<PlanItem> = {}): PlanItem {
  return {
    feature: `feat_${featureId}`,
    included: 0n,
    unlimited: false,
    every: null,
    rolloverPolicy: null,
    price: null,
    entityFeature: null,
    expiry: null,
    thresholdBilling: null,
    ...more,
  }
}

export function planTerms(price: BasePrice | null, ...items: readonly PlanItem[]): PlanTerms {
  return { price, items, trial: null }
}

/** The first version of a plan with this id, which gives nothing. */
export function plan(id: string, more: Partial<Plan> = {}): Plan {
  return {
    uid: `plan_${id}`,
    id,
    version: 1,
    name: id,
    description: null,
    group: '',
    addOn: false,
    autoEnable: false,
    archived: false,
    ignorePastDue: false,
    metadata: {},
    terms: planTerms(null),
    retired: false,
    createdAt: Date.UTC(2026, 0, 31),
    ...more,
  }
}

import * as z from 'zod'
import { type Amount, amount as exactly, ONE, ZERO } from '../../domain/amount.ts'
import {
  BILLING_INTERVALS,
  type ItemPrice,
  ON_DECREASE,
  ON_INCREASE,
  type PriceTier,
  type Proration,
} from '../../domain/item-price.ts'
import type { BasePrice, FreeTrial } from '../../domain/plan.ts'
import type { ItemAsWritten } from '../../domain/plan-items.ts'
import type { Every } from '../../domain/time.ts'
import { amount, id, interval, intervalCount, later, NOT_SUPPORTED } from './scalars.ts'

/** The parts of a plan as callers write them: its flat fee, its items, its trial. */

const MOST_INCLUDED = exactly(10_000_000_000_000)
const MOST_TIERS = 100
const MOST_MONTHS = 1200
const LONGEST = 10_000
const CENT = ONE / 100n

const notNegative = amount.refine((value) => value >= ZERO, 'must not be negative')
const aboveZero = amount.refine((value) => value > ZERO, 'must be above zero')
const wholeNumber = (least: number, most: number) =>
  z
    .number()
    .refine(
      (value) => Number.isInteger(value) && value >= least && value <= most,
      `must be a whole number, ${least} to ${most}`,
    )

const billingInterval = z.enum(BILLING_INTERVALS)
const currencies = later('additional_currencies')

/** Source: C40. */
export const basePriceInput = z.object({
  amount: notNegative.refine((value) => value % CENT === ZERO, 'must have two decimals at the most'),
  interval: billingInterval,
  interval_count: intervalCount.nullish(),
  additional_currencies: currencies,
})

export function basePriceOf(input: z.infer<typeof basePriceInput>): BasePrice {
  return { amount: input.amount, ...periodOf(input) }
}

const priceInput = z
  .object({
    amount: notNegative.nullish(),
    tiers: z
      .array(
        z.object({
          to: z.union([amount, z.literal('inf')], 'must be a number, or "inf" in the last tier'),
          amount: notNegative.default(ZERO),
          flat_amount: notNegative.nullish(),
          additional_currencies: currencies,
        }),
      )
      .min(1)
      .max(MOST_TIERS)
      .nullish(),
    tier_behavior: z.enum(['graduated', 'volume']).nullish(),
    interval: billingInterval,
    interval_count: intervalCount.nullish(),
    billing_units: aboveZero.nullish(),
    billing_method: z.enum(['prepaid', 'usage_based']),
    max_purchase: notNegative.nullish(),
    additional_currencies: currencies,
  })
  .superRefine((price, ctx) => {
    const issue = (path: PropertyKey[], message: string) => ctx.addIssue({ code: 'custom', path, message })
    const { amount: flat, tiers, tier_behavior: behavior, billing_method: method } = price
    // Source: C34.
    if ((flat == null) === (tiers == null)) issue([], 'needs either an amount or tiers')
    // Source: C37.
    if (behavior === 'volume' && method !== 'prepaid') issue(['tier_behavior'], 'can be volume only for prepaid units')
    for (const [i, { to, flat_amount }] of (tiers ?? []).entries()) {
      const last = i === (tiers?.length ?? 0) - 1
      const before = tiers?.[i - 1]?.to
      if (last && to !== 'inf') issue(['tiers', i, 'to'], 'must be "inf" in the last tier')
      else if (!last && (to === 'inf' || (typeof before === 'bigint' && to <= before)))
        issue(['tiers', i, 'to'], 'must be above that of the tier before, and "inf" only in the last one')
      if (flat_amount == null) continue
      if (behavior !== 'volume') issue(['tiers', i, 'flat_amount'], 'needs tier_behavior volume')
      if (tiers?.length === 1) issue(['tiers', i, 'flat_amount'], 'cannot be given where there is but one tier')
    }
  })

const rolloverInput = z
  .object({
    max: notNegative.nullish(),
    max_percentage: amount
      .refine((percent) => percent > ZERO && percent <= 100n * ONE, 'must be above 0 and at most 100')
      .nullish(),
    expiry_duration_type: z.enum(['month', 'forever']).default('month'),
    expiry_duration_length: wholeNumber(0, MOST_MONTHS).nullish(),
  })
  .refine(({ max, max_percentage }) => max == null || max_percentage == null, {
    message: 'max and max_percentage exclude each other: give one of them',
  })

/** @param others what the command line tool of the reference calls some of them, which are taken for those (C254). */
function oneOf<const W extends string>(words: readonly W[], others: Readonly<Record<string, W>>) {
  const known = new Map(Object.entries(others))
  return z.preprocess((value) => known.get(value as string) ?? value, z.enum(words).nullish())
}

export const planItemInput = z
  .object({
    feature_id: id,
    included: notNegative.refine((value) => value <= MOST_INCLUDED, 'must be at most 10 trillion').nullish(),
    unlimited: z.boolean().nullish(),
    reset: z.object({ interval, interval_count: intervalCount.nullish() }).nullish(),
    price: priceInput.nullish(),
    proration: z
      .object({
        on_increase: oneOf(ON_INCREASE, { prorate: 'prorate_immediately', charge_immediately: 'bill_immediately' }),
        on_decrease: oneOf(ON_DECREASE, { refund_immediately: 'prorate_immediately', no_action: 'none' }),
      })
      .nullish(),
    rollover: rolloverInput.nullish(),
    entity_feature_id: id.nullish(),
    threshold_billing: z.object({ threshold: aboveZero }).nullish(),
    expiry: z.object({ duration: z.enum(['day', 'week', 'month', 'year']), length: wholeNumber(1, LONGEST) }).nullish(),
    pooled: later('pooled'),
    feature_override: later('feature_override'),
  })
  .superRefine(({ included, reset, price, proration }, ctx) => {
    const issue = (path: PropertyKey[], message: string) => ctx.addIssue({ code: 'custom', path, message })
    const [first] = price?.tiers ?? []
    // Marks count what is included (C36).
    if (first !== undefined && first.to !== 'inf' && first.to <= (included ?? ZERO))
      issue(['price', 'tiers', 0, 'to'], 'must be above what is included, which it counts too')
    if (price?.billing_method === 'usage_based' && reset != null && !isSamePeriod(reset, price))
      issue(['reset'], 'must be the interval of the price, unless units are prepaid')
    if (proration != null && price?.billing_method !== 'prepaid') issue(['proration'], 'is only for prepaid units')
  })

/** Source: C35. A count that is not given is that of the price. */
function isSamePeriod(
  reset: { interval: string; interval_count?: number | null | undefined },
  price: { interval: string; interval_count?: number | null | undefined },
): boolean {
  const count = price.interval_count ?? 1
  return (
    reset.interval === price.interval && (reset.interval === 'one_off' || (reset.interval_count ?? count) === count)
  )
}

export function itemOf(input: z.infer<typeof planItemInput>): ItemAsWritten {
  const { price, proration, rollover } = input
  const included = input.included ?? ZERO
  return {
    featureId: input.feature_id,
    included,
    unlimited: input.unlimited ?? false,
    every: everyOf(input),
    rolloverPolicy:
      rollover == null
        ? null
        : {
            cap: capOf(rollover),
            months: rollover.expiry_duration_type === 'forever' ? null : (rollover.expiry_duration_length ?? 1),
          },
    price: price == null ? null : priceOf(price, included, proration),
    entityFeatureId: input.entity_feature_id ?? null,
    expiry: input.expiry ?? null,
    thresholdBilling: input.threshold_billing?.threshold ?? null,
  }
}

function everyOf({ reset, price }: z.infer<typeof planItemInput>): Every | null | undefined {
  if (reset == null) return undefined
  if (reset.interval === 'one_off') return null
  const usual = price?.interval === reset.interval ? (price.interval_count ?? 1) : 1
  return { interval: reset.interval, count: reset.interval_count ?? usual }
}

function capOf({ max, max_percentage: percent }: z.infer<typeof rolloverInput>) {
  if (max != null) return { kind: 'amount', max } as const
  return percent == null ? ({ kind: 'none' } as const) : ({ kind: 'percentage', percent } as const)
}

/** @param included which the marks of tiers count too (C36). */
function priceOf(
  input: z.infer<typeof priceInput>,
  included: Amount,
  proration: z.infer<typeof planItemInput>['proration'],
): ItemPrice {
  return {
    ...periodOf(input),
    method: input.billing_method,
    tiers: input.tiers?.map((tier) => tierOf(tier, included)) ?? [
      { to: null, amount: input.amount ?? ZERO, flatAmount: null },
    ],
    // Of one tier both say the same.
    behavior: (input.tiers?.length ?? 1) === 1 ? 'graduated' : (input.tier_behavior ?? 'graduated'),
    units: input.billing_units ?? ONE,
    // Zero is no cap (C47).
    maxPurchase: input.max_purchase === ZERO ? null : (input.max_purchase ?? null),
    proration: input.billing_method === 'prepaid' ? prorationOf(proration) : null,
  }
}

function tierOf(
  tier: { to: Amount | 'inf'; amount: Amount; flat_amount?: Amount | null | undefined },
  included: Amount,
): PriceTier {
  return {
    to: tier.to === 'inf' ? null : tier.to - included,
    amount: tier.amount,
    flatAmount: tier.flat_amount ?? null,
  }
}

/** Source: C38. */
function prorationOf(input: z.infer<typeof planItemInput>['proration']): Proration {
  return { onIncrease: input?.on_increase ?? 'prorate_immediately', onDecrease: input?.on_decrease ?? 'prorate' }
}

/** Once is once, whatever count a client fills in. */
function periodOf({
  interval: name,
  interval_count: count,
}: Pick<z.infer<typeof basePriceInput>, 'interval' | 'interval_count'>) {
  return { interval: name, count: name === 'one_off' ? 1 : (count ?? 1) }
}

export const freeTrialInput = z.object({
  duration_length: wholeNumber(1, LONGEST),
  duration_type: z.enum(['day', 'month', 'year']).nullish(),
  card_required: z.boolean().nullish(),
  on_end: z
    .enum(['bill', 'revert'])
    .nullish()
    .superRefine((value, ctx) => {
      if (value !== 'revert') return
      const message = 'revert is not supported by this version of Granary'
      ctx.addIssue({ code: 'custom', message, params: { code: NOT_SUPPORTED } })
    }),
  unique_fingerprint: later('unique_fingerprint'),
})

export function trialOf(input: z.infer<typeof freeTrialInput>): FreeTrial {
  return {
    length: input.duration_length,
    duration: input.duration_type ?? 'month',
    cardRequired: input.card_required ?? true,
  }
}

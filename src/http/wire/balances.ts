import * as z from 'zod'
import type { Adjustment } from '../../domain/adjust.ts'
import { ONE, sum } from '../../domain/amount.ts'
import { type Balance, type RolloverCap, type RolloverPolicy, rolledOver, usedOf } from '../../domain/balance.ts'
import type { Entity } from '../../domain/entity.ts'
import type { GrantRequest } from '../../domain/grant.ts'
import type { Redistribution } from '../../domain/redistribution.ts'
import type { BreakdownLine } from '../../domain/summary.ts'
import type { Target } from '../../domain/target.ts'
import type { Every } from '../../domain/time.ts'
import { lineToWire } from './balance.ts'
import { amount, id, instant, interval, intervalCount } from './scalars.ts'
import type { WireObject } from './wire.ts'

const MOST_MONTHS = 1200

const reset = z.object({ interval, interval_count: intervalCount.optional() })

const rollover = z
  .object({
    max: amount.refine((max) => max >= 0n, 'must not be negative').nullish(),
    max_percentage: amount
      .refine((percent) => percent > 0n && percent <= 100n * ONE, 'must be above 0 and at most 100')
      .nullish(),
    duration: z.enum(['month', 'forever']).optional(),
    length: z
      .number()
      .refine(
        (length) => Number.isInteger(length) && length >= 0 && length <= MOST_MONTHS,
        `must be a whole number of months, 0 to ${MOST_MONTHS}`,
      )
      .optional(),
  })
  .superRefine((input, ctx) => {
    if (input.max != null && input.max_percentage != null) {
      ctx.addIssue({ code: 'custom', message: 'max and max_percentage exclude each other: give one of them' })
    }
    if (input.duration !== 'forever' && input.length === undefined) {
      ctx.addIssue({ code: 'custom', path: ['length'], message: 'is needed: for how many months is a rollover kept?' })
    }
  })

export const createBalanceInput = z.object({
  customer_id: id,
  feature_id: id,
  entity_id: id.optional(),
  // One concept under its newest and its older names; the newest that is given counts (B68).
  included: amount.optional(),
  included_grant: amount.optional(),
  granted_balance: amount.optional(),
  unlimited: z.boolean().optional(),
  reset: reset.optional(),
  rollover: rollover.optional(),
  expires_at: instant.optional(),
  next_reset_at: instant.optional(),
  balance_id: id.optional(),
})

export function grantRequest(input: z.infer<typeof createBalanceInput>): GrantRequest {
  return {
    included: input.included ?? input.included_grant ?? input.granted_balance,
    unlimited: input.unlimited ?? false,
    every: everyOf(input.reset),
    nextResetAt: input.next_reset_at,
    expiresAt: input.expires_at,
    rolloverPolicy: input.rollover === undefined ? undefined : policyOf(input.rollover),
    balanceId: input.balance_id,
  }
}

/** Null for `one_off`: given, and never repeated. */
function everyOf(input: z.infer<typeof reset> | undefined): Every | null | undefined {
  if (input === undefined) return undefined
  return input.interval === 'one_off' ? null : { interval: input.interval, count: input.interval_count ?? 1 }
}

function policyOf(input: z.infer<typeof rollover>): RolloverPolicy {
  return { cap: capOf(input), months: input.duration === 'forever' ? null : (input.length ?? 0) }
}

function capOf({ max, max_percentage: percent }: z.infer<typeof rollover>): RolloverCap {
  if (max != null) return { kind: 'amount', max }
  return percent == null ? { kind: 'none' } : { kind: 'percentage', percent }
}

export const updateBalanceInput = z.object({
  customer_id: id,
  feature_id: id,
  entity_id: id.optional(),
  remaining: amount.optional(),
  current_balance: amount.optional(),
  add_to_balance: amount.optional(),
  usage: amount.optional(),
  included: amount.optional(),
  included_grant: amount.optional(),
  granted_balance: amount.optional(),
  next_reset_at: instant.optional(),
  expires_at: instant.optional(),
  interval: interval.optional(),
  balance_id: id.optional(),
  customer_entitlement_id: id.optional(),
})

export function adjustmentOf(input: z.infer<typeof updateBalanceInput>): Adjustment {
  return {
    remaining: input.remaining ?? input.current_balance,
    addToBalance: input.add_to_balance,
    usage: input.usage,
    includedGrant: input.included ?? input.included_grant ?? input.granted_balance,
    nextResetAt: input.next_reset_at,
    expiresAt: input.expires_at,
  }
}

export const deleteBalanceInput = z
  .object({
    customer_id: id,
    entity_id: id.optional(),
    feature_id: id.optional(),
    balance_id: id.optional(),
    interval: interval.optional(),
    recalculate_balances: z.boolean().optional(),
  })
  .refine((input) => input.feature_id !== undefined || input.balance_id !== undefined, {
    message: 'either feature_id or balance_id is needed to say which balance to delete',
  })

export function targetOf(input: {
  interval?: z.infer<typeof interval> | undefined
  balance_id?: string | undefined
  customer_entitlement_id?: string | undefined
}): Target {
  return { interval: input.interval, balanceId: input.balance_id, anyId: input.customer_entitlement_id }
}

export const recalculateInput = z.object({
  customer_id: id,
  feature_id: id,
  entity_id: id.optional(),
  interval: interval.optional(),
})

export const listBalancesInput = z.object({
  customer_id: id,
  entity_id: id.optional(),
  feature_id: id.optional(),
})

const MOST_TOTALS = 1000

export const setBalancesInput = z.object({
  customer_id: id,
  entity_id: id.optional(),
  balances: z
    .array(z.object({ feature_id: id, balance: amount }))
    .min(1)
    .max(MOST_TOTALS),
})

/** @param balances of one feature, before and after. Amounts include rollovers and show debt (B140). */
export function redistributionToWire(balances: readonly Redistribution[]): WireObject {
  return {
    total_usage: sum(balances.map(({ before }) => usedOf(before))),
    entitlements: balances.map(({ before, after }) => ({
      customer_entitlement_id: before.uid,
      before_remaining: before.remaining + rolledOver(before),
      after_remaining: after.remaining + rolledOver(after),
    })),
  }
}

/** The breakdown line of a balance, and whose it is. `id` is the caller's where there is one (B142, R16). */
export function listedBalanceToWire({ balance, featureId, entity, line }: ListedBalance): WireObject {
  return {
    ...lineToWire(line),
    feature_id: featureId,
    customer_entitlement_id: balance.uid,
    entity_id: entity === null ? null : (entity.id ?? entity.uid),
    created_at: balance.createdAt,
  }
}

/** What is shown of one balance in a list. */
interface ListedBalance {
  readonly balance: Balance
  readonly featureId: string
  readonly entity: Entity | null
  readonly line: BreakdownLine
}

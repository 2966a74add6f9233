import { type Amount, ONE, sum, ZERO } from '../../domain/amount.ts'
import { type Feature, isConsumable } from '../../domain/feature.ts'
import type { Tariff, Tier } from '../../domain/price.ts'
import type { BreakdownLine, Flag, PriceLine, ResetLine, Summary } from '../../domain/summary.ts'
import type { NamedSummaries } from '../../domain/usage.ts'
import type { DeductionLine } from '../../domain/usage-event.ts'
import { markupsToWire } from './markups.ts'
import { lasting, type WireObject } from './wire.ts'

/** Shows a feature of the catalogue. @param memberIds the callers' ids of a credit system's members. */
export type ShowFeature = (feature: Feature) => WireObject

/** The balance object of 2.1 and newer (B27-B31; `object` as in the seed). `feature` is filled in where it is expanded. */
export function balanceToWire(summary: Summary, showFeature: ShowFeature | null): WireObject {
  return {
    object: 'balance',
    feature_id: summary.feature.id,
    feature: showFeature === null ? undefined : showFeature(summary.feature),
    granted: summary.granted,
    remaining: summary.remaining,
    usage: summary.usage,
    unlimited: summary.unlimited,
    overage_allowed: summary.overageAllowed,
    max_purchase: summary.maxPurchase,
    next_reset_at: summary.nextResetAt,
    breakdown: summary.breakdown.map(lineToWire),
    rollovers: summary.rollovers?.map(({ granted, remaining, expiresAt }) => ({
      granted,
      balance: remaining,
      // Zero means never (B31).
      expires_at: expiresAt ?? 0,
    })),
  }
}

/** As `balanceToWire`, for a summary that stays the same object until the customer's balances change: put into words once. */
export function lastingBalanceToWire(summary: Summary): WireObject {
  let wire = shown.get(summary)
  if (wire === undefined) {
    wire = lasting(balanceToWire(summary, null))
    shown.set(summary, wire)
  }
  return wire
}

const shown = new WeakMap<Summary, WireObject>()

export function balancesToWire(summaries: NamedSummaries, showFeature: ShowFeature | null): WireObject {
  // Not by assignment: `__proto__` is a possible feature id and must become a key like any other.
  return Object.fromEntries(
    summaries.map(([id, summary]) => [id, summary === null ? null : balanceToWire(summary, showFeature)]),
  )
}

export function flagToWire(flag: Flag, showFeature: ShowFeature | null): WireObject {
  const { feature } = flag
  return {
    id: flag.id,
    plan_id: flag.planId,
    expires_at: flag.expiresAt,
    feature_id: feature.id,
    feature: showFeature === null ? undefined : showFeature(feature),
  }
}

/** What was taken from one bucket is one line, at however many prices (R62). */
export function deductionsToWire(lines: readonly DeductionLine[]): WireObject[] {
  // Nearly always it is one.
  if (lines.length <= 1) return lines.flatMap((line) => deductionToWire(line, line.amount))
  return [...Map.groupBy(lines, ({ balanceUid }) => balanceUid).values()].flatMap((group) =>
    deductionToWire(group[0], sum(group.map(({ amount }) => amount))),
  )
}

function deductionToWire(line: DeductionLine | undefined, value: Amount): WireObject[] {
  if (line === undefined || value === ZERO) return []
  const { balanceUid, featureId, planId, reset } = line
  return [{ balance_id: balanceUid, feature_id: featureId, plan_id: planId, reset: resetToWire(reset), value }]
}

/** A feature as it is shown (B228); `credit_schema` and markups only for credit systems, `display` only where it was given. */
export function featureToWire(feature: Feature, memberId: (uid: string) => string): WireObject {
  const { type } = feature
  return {
    id: feature.id,
    name: feature.name,
    type: type.kind,
    consumable: isConsumable(feature),
    credit_schema:
      type.kind === 'credit_system'
        ? type.costs.map(({ feature: uid, tariff }) => ({ metered_feature_id: memberId(uid), ...tariffToWire(tariff) }))
        : undefined,
    ...(type.kind === 'ai_credit_system' ? markupsToWire(type.markups) : undefined),
    event_names: feature.eventNames,
    display: feature.display ?? undefined,
    archived: feature.archived,
  }
}

export function lineToWire(line: BreakdownLine): WireObject {
  return {
    id: line.id,
    plan_id: line.planId,
    included_grant: line.includedGrant,
    prepaid_grant: line.prepaidGrant,
    remaining: line.remaining,
    usage: line.usage,
    // Hardly ever: only while a lock is open.
    held: line.held === ZERO ? undefined : line.held,
    unlimited: line.unlimited,
    reset: resetToWire(line.reset),
    price: line.price === null ? null : priceToWire(line.price),
    expires_at: line.expiresAt,
  }
}

/** Marks of tiers are shown with the units that are included (B30). */
function priceToWire({ terms, included }: PriceLine): WireObject {
  const { tiers, behavior, units, method, maxPurchase } = terms
  const [only, another] = tiers
  return {
    ...(another === undefined
      ? { amount: only?.amount ?? ZERO }
      : {
          tiers: tiers.map(({ to, amount, flatAmount }) => ({
            to: to === null ? 'inf' : to + included,
            amount,
            flat_amount: flatAmount ?? undefined,
          })),
          tier_behavior: behavior,
        }),
    billing_units: units,
    billing_method: method,
    max_purchase: maxPurchase,
  }
}

/** Conditions and a group of more than one unit are shown where there are any. */
function tariffToWire({ tiers, per, dimensions, multipliers }: Tariff): WireObject {
  return {
    ...tiersToWire(tiers),
    billing_units: per === ONE ? undefined : per,
    dimensions:
      dimensions.length === 0
        ? undefined
        : Object.fromEntries(
            dimensions.map(({ name, match, priority, tiers: other }) => [
              name,
              { match, priority, ...tiersToWire(other) },
            ]),
          ),
    multipliers:
      multipliers.length === 0
        ? undefined
        : Object.fromEntries(multipliers.map(({ name, match, factor, add }) => [name, { match, factor, add }])),
  }
}

/** One cost for all units is no tier. */
function tiersToWire(tiers: readonly Tier[]): WireObject {
  const [only, another] = tiers
  if (another === undefined) return { credit_cost: only?.cost ?? ZERO }
  return {
    tier_behavior: 'graduated',
    tiers: tiers.map(({ to, cost }) => ({ to: to ?? 'inf', credit_cost: cost })),
  }
}

export function resetToWire(reset: ResetLine | null): WireObject | null {
  if (reset === null) return null
  // A count of one goes without saying (B29).
  return {
    interval: reset.interval,
    interval_count: reset.count === 1 ? undefined : reset.count,
    resets_at: reset.resetsAt,
  }
}

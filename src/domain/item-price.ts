import type { Amount } from './amount.ts'
import type { Interval } from './time.ts'

/** How often money is due. Nothing is collected here; cycles of plans are counted by it. */
export const BILLING_INTERVALS = ['one_off', 'week', 'month', 'quarter', 'semi_annual', 'year'] as const
export type BillingInterval = 'one_off' | Extract<Interval, (typeof BILLING_INTERVALS)[number]>

/** A repeated payment, or a single one (`one_off`, whose count is 1). */
export interface BillingPeriod {
  readonly interval: BillingInterval
  readonly count: number
}

/** What units of a plan item cost beyond those that are included. In major units of the currency. */
export interface ItemPrice extends BillingPeriod {
  /** Bought in advance, or counted as it is used: only then may use go beyond what is granted. */
  readonly method: 'prepaid' | 'usage_based'
  /** At least one, marks rising, the last without one. One alone is one price for all units. */
  readonly tiers: readonly PriceTier[]
  /** Whether each tier prices its own units, or the tier that is reached prices all. */
  readonly behavior: 'graduated' | 'volume'
  /** Units that an amount is for, above zero; prepaid ones are sold in packs of so many. */
  readonly units: Amount
  /** Units that may be bought or owed beyond those that are included; null is any number (C47). */
  readonly maxPurchase: Amount | null
  /** What an ordered change of a prepaid quantity does at once; null for what is used first. */
  readonly proration: Proration | null
}

/** The price of the units up to and including a mark, counted without those that are included (C36). */
export interface PriceTier {
  readonly to: Amount | null
  readonly amount: Amount
  /** Due once, whatever the number of units; with `volume` only. */
  readonly flatAmount: Amount | null
}

export const ON_INCREASE = ['bill_immediately', 'prorate_immediately', 'prorate_next_cycle', 'bill_next_cycle'] as const
export const ON_DECREASE = ['prorate', 'prorate_immediately', 'prorate_next_cycle', 'none', 'no_prorations'] as const

export interface Proration {
  readonly onIncrease: (typeof ON_INCREASE)[number]
  readonly onDecrease: (typeof ON_DECREASE)[number]
}

import type { Amount } from './amount.ts'
import type { RolloverPolicy } from './balance.ts'
import type { BillingPeriod, ItemPrice } from './item-price.ts'
import type { Every, Instant } from './time.ts'

/**
 * Named terms under which features are given: one revision of one version of a plan. Whoever has it keeps to it: a version
 * that is changed in place while somebody has it becomes another revision, and the old one is retired.
 */
export interface Plan extends PlanSettings {
  /** Internal, never reused: `plan_…`. */
  readonly uid: string
  /** The caller's id, shared by all versions. */
  readonly id: string
  /** From 1. */
  readonly version: number
  readonly terms: PlanTerms
  /** Replaced by another revision of its version; only customers who have it refer to it. */
  readonly retired: boolean
  readonly createdAt: Instant
}

/** What may be changed without making a new version (C57). */
export interface PlanSettings {
  readonly name: string
  readonly description: string | null
  /** Of the main plans of one group a subject has one at a time. Empty is a group too. */
  readonly group: string
  /** Is had beside others and replaces none. */
  readonly addOn: boolean
  /** Given to every new customer. Of all versions only the newest may be. */
  readonly autoEnable: boolean
  /** Hidden from lists and from defaults; it can still be attached (C66). */
  readonly archived: boolean
  readonly ignorePastDue: boolean
  /** Shared by all versions (C58). */
  readonly metadata: Readonly<Record<string, string>>
}

/** What one who has the plan gets, and what it costs. */
export interface PlanTerms {
  /** The flat fee, or null where there is none. */
  readonly price: BasePrice | null
  readonly items: readonly PlanItem[]
  readonly trial: FreeTrial | null
}

export interface BasePrice extends BillingPeriod {
  readonly amount: Amount
}

/** One feature's terms within a plan. */
export interface PlanItem {
  /** The feature's internal id. */
  readonly feature: string
  /** Granted without further cost, at each reset anew; zero for flags and unlimited items. */
  readonly included: Amount
  readonly unlimited: boolean
  /** Null for what is granted once, and for what never resets. */
  readonly every: Every | null
  readonly rolloverPolicy: RolloverPolicy | null
  readonly price: ItemPrice | null
  /** The internal id of a feature each of whose entities gets the item for itself, or null. */
  readonly entityFeature: string | null
  /** How long units last that were bought once, from each purchase on, or null for ever (K 2.2). */
  readonly expiry: { readonly duration: 'day' | 'week' | 'month' | 'year'; readonly length: number } | null
  /** Outstanding overage at which an interim bill is due. Told, not acted upon: nothing is collected here (K 2.2). */
  readonly thresholdBilling: Amount | null
}

export interface FreeTrial {
  readonly length: number
  readonly duration: 'day' | 'month' | 'year'
  /** Whether it goes on as a paid plan; without a card it ends with the trial. */
  readonly cardRequired: boolean
}

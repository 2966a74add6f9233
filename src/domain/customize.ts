import type { Amount } from './amount.ts'
import { problemOfTerms } from './define-plan.ts'
import type { Catalogue } from './feature.ts'
import type { BillingInterval, ItemPrice } from './item-price.ts'
import type { BasePrice, PlanItem, PlanTerms } from './plan.ts'
import { type ItemAsWritten, resolveItems } from './plan-items.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import type { Interval } from './time.ts'

/** How terms are changed for one customer. Undefined is "leave it". */
export interface Customization {
  /** Null for no flat fee. */
  readonly price: BasePrice | null | undefined
  /** All items anew; not together with the two below. */
  readonly items: readonly ItemAsWritten[] | undefined
  readonly addItems: readonly ItemAsWritten[]
  readonly removeItems: readonly ItemFilter[]
}

/** Which items are meant: all that is given matches. */
export interface ItemFilter {
  readonly featureId: string | undefined
  readonly method: ItemPrice['method'] | undefined
  /** Of the price or of the reset (C103). */
  readonly interval: Interval | BillingInterval | undefined
  readonly count: number | undefined
  readonly included: Amount | undefined
}

/**
 * Terms of one customer alone. Refusals: those of `resolveItems` and `problemOfTerms`, `invalid_request` (nothing matches what
 * is to be removed).
 * Source: C102-C104.
 */
export function customized(terms: PlanTerms, change: Customization, catalogue: Catalogue): PlanTerms | Refusal {
  const { price, items: written, addItems, removeItems } = change
  const added = resolveItems(written ?? addItems, catalogue)
  if (isRefusal(added)) return added
  const kept = written === undefined ? [...terms.items] : []
  for (const filter of removeItems) {
    const left = kept.filter((item) => !matches(item, filter, catalogue))
    if (left.length === kept.length)
      return refuse('invalid_request', 'customize.remove_items: no item of the plan matches a filter')
    kept.splice(0, kept.length, ...left)
  }
  const after: PlanTerms = {
    ...terms,
    price: price === undefined ? terms.price : price,
    items: [...kept, ...added],
  }
  return problemOfTerms(after, catalogue) ?? after
}

function matches(item: PlanItem, filter: ItemFilter, catalogue: Catalogue): boolean {
  const { featureId, method, interval, count, included } = filter
  const periods = [item.price, item.every].filter((one) => one !== null)
  if (featureId !== undefined && catalogue.byId.get(featureId)?.uid !== item.feature) return false
  if (method !== undefined && item.price?.method !== method) return false
  if (included !== undefined && item.included !== included) return false
  if (interval === undefined && count === undefined) return true
  const once = interval === 'one_off' && item.every === null && item.price === null
  return (
    once || periods.some((one) => (interval ?? one.interval) === one.interval && (count ?? one.count) === one.count)
  )
}

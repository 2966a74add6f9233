import { type Amount, formatAmount, ONE, ZERO } from '../../domain/amount.ts'
import type { Feature } from '../../domain/feature.ts'
import type { BillingPeriod, ItemPrice } from '../../domain/item-price.ts'
import type { BasePrice, PlanItem } from '../../domain/plan.ts'
import type { WireObject } from './wire.ts'

/** What pricing tables show as it is: "1,000 Messages", "then $3 per 500" (C 3.2, C 3.3). */

export function basePriceTexts(price: BasePrice): WireObject {
  return { primary_text: money(price.amount), secondary_text: periodText(price) }
}

export function itemTexts({ included, unlimited, price }: PlanItem, feature: Feature): WireObject {
  if (feature.type.kind === 'boolean') return { primary_text: feature.name }
  if (unlimited) return { primary_text: `Unlimited ${nameOf(feature, ZERO)}` }
  const amounts = `${grouped(included)} ${nameOf(feature, included)}`
  if (price === null) return { primary_text: amounts }
  const cost = costText(price)
  const one = price.units === ONE
  if (included > ZERO)
    return {
      primary_text: amounts,
      secondary_text: `then ${cost} per ${one ? nameOf(feature, ONE) : grouped(price.units)}`,
    }
  const units = one ? nameOf(feature, ONE) : `${grouped(price.units)} ${nameOf(feature, price.units)}`
  return { primary_text: `${cost} per ${units}`, secondary_text: periodText(price) }
}

/** "one message", "two messages", where somebody said what they are called. */
function nameOf({ name, display }: Feature, count: Amount): string {
  return (count === ONE ? display?.singular : display?.plural) ?? name
}

/** Of tiers, those of the first and of the last. */
function costText({ tiers }: ItemPrice): string {
  const texts = tiers.map(({ amount, flatAmount }) => money(amount === ZERO ? (flatAmount ?? ZERO) : amount))
  const first = texts[0] ?? money(ZERO)
  const last = texts.at(-1) ?? first
  return first === last ? first : `${first} - ${last}`
}

const PERIODS = {
  week: ['week', 1],
  month: ['month', 1],
  quarter: ['quarter', 1],
  semi_annual: ['month', 6],
  year: ['year', 1],
} as const

/** Nothing for what is paid once. */
function periodText({ interval, count }: BillingPeriod): string | undefined {
  if (interval === 'one_off') return undefined
  const [unit, size] = PERIODS[interval]
  const length = count * size
  return length === 1 ? `per ${unit}` : `per ${length} ${unit}s`
}

function money(amount: Amount): string {
  const [whole = '0', fraction = ''] = grouped(amount).split('.')
  return fraction === '' ? `$${whole}` : `$${whole}.${fraction.padEnd(2, '0')}`
}

/** With commas: 1,000. */
function grouped(amount: Amount): string {
  const [whole = '0', fraction] = formatAmount(amount).split('.')
  const commas = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? commas : `${commas}.${fraction}`
}

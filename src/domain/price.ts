import { type Amount, atLeastZero, multiplyHalfEven, ONE } from './amount.ts'
import type { JsonObject } from './customer.ts'

/** `cost` credits for every `per` units: a fraction, because one credit for three units has no decimal. */
export interface Price {
  readonly cost: Amount
  /** Above zero. */
  readonly per: Amount
}

/** What a member feature costs in credits. A cost of zero makes it free (R99). */
export interface Tariff extends Price {
  /** Other costs for events with certain properties. */
  readonly dimensions: readonly Dimension[]
  /** Changes of the cost for events with certain properties. */
  readonly multipliers: readonly Multiplier[]
}

/** Properties that an event must have, each as a text; at least one. */
type Match = Readonly<Record<string, string>>

export interface Dimension {
  readonly name: string
  readonly match: Match
  readonly priority: number
  readonly cost: Amount
}

export interface Multiplier {
  readonly name: string
  readonly match: Match
  readonly factor: Amount
  /** In credits for `per` units. */
  readonly add: Amount
}

/**
 * The price of an event: of the dimensions that apply the one that asks for most properties, then the one with the highest
 * priority, then the first by name; else the tariff's own. Then all multipliers that apply: their factors first, then what
 * they add. Never below zero. Source: K 2.2.
 */
export function priceOf(tariff: Tariff, properties: JsonObject): Price {
  if (tariff.dimensions.length === 0 && tariff.multipliers.length === 0) return tariff
  const [best] = tariff.dimensions.filter(({ match }) => applies(match, properties)).sort(precedence)
  const multipliers = tariff.multipliers.filter(({ match }) => applies(match, properties))
  let cost = best?.cost ?? tariff.cost
  for (const { factor } of multipliers) cost = multiplyHalfEven(cost, factor)
  for (const { add } of multipliers) cost += add
  return { cost: atLeastZero(cost), per: tariff.per }
}

/** A tariff without conditions. */
export function flatTariff(cost: Amount, per: Amount = ONE): Tariff {
  return { cost, per, dimensions: [], multipliers: [] }
}

/** The price of a feature in its own units. */
export const AT_PAR: Price = { cost: ONE, per: ONE }

function applies(match: Match, properties: JsonObject): boolean {
  return Object.entries(match).every(([key, expected]) => {
    const value = Object.hasOwn(properties, key) ? properties[key] : undefined
    return value !== undefined && value !== null && typeof value !== 'object' && String(value) === expected
  })
}

function precedence(a: Dimension, b: Dimension): number {
  const keys = ({ match }: Dimension) => Object.keys(match).length
  return keys(b) - keys(a) || b.priority - a.priority || (a.name < b.name ? -1 : Number(a.name > b.name))
}

import { type Amount, atLeastZero, divideHalfEven, multiplyHalfEven, ONE, smaller, ZERO } from './amount.ts'
import { assert } from './assert.ts'
import type { JsonObject } from './customer.ts'

/** `cost` credits for every `per` units: a fraction, because one credit for three units has no decimal. */
export interface Price {
  readonly cost: Amount
  /** Above zero. */
  readonly per: Amount
}

/** The cost of the units up to and including a mark, counted from the end of the tier before; the last has no mark. */
export interface Tier {
  readonly to: Amount | null
  readonly cost: Amount
}

/** What a member feature costs in credits. A cost of zero makes it free (R99). */
export interface Tariff {
  /** At least one, their marks rising. One alone is one cost for all units. */
  readonly tiers: readonly Tier[]
  /** Units that a cost is for, above zero. */
  readonly per: Amount
  /** Other costs for events with certain properties. */
  readonly dimensions: readonly Dimension[]
  /** Changes of the cost for events with certain properties. */
  readonly multipliers: readonly Multiplier[]
}

/** Properties that an event must have, each as a text; at least one. */
type Match = Readonly<Record<string, string>>

export interface Dimension {
  /** Unique in its tariff. */
  readonly name: string
  readonly match: Match
  readonly priority: number
  readonly tiers: readonly Tier[]
}

export interface Multiplier {
  readonly name: string
  readonly match: Match
  readonly factor: Amount
  /** In credits for `per` units. */
  readonly add: Amount
}

/** What the units of one event cost. */
export interface Rate {
  readonly tiers: readonly Tier[]
  readonly per: Amount
  /** Under which name a balance counts the units that it pays for; null where there is but one tier. */
  readonly meter: string | null
}

/**
 * The rate of an event: of the dimensions that apply the one that asks for most properties, then the one with the highest
 * priority, then the first by name; else the tariff's own. Then all multipliers that apply, to the cost of each tier: their
 * factors first, then what they add. Never below zero. Source: K 2.2.
 * @param feature internal id of the member. Each tariff of it in tiers, its own or a dimension's, counts for itself.
 */
export function rateOf(feature: string, tariff: Tariff, properties: JsonObject): Rate {
  const { per } = tariff
  const [best] = tariff.dimensions.filter(({ match }) => applies(match, properties)).sort(precedence)
  const multipliers = tariff.multipliers.filter(({ match }) => applies(match, properties))
  const listed = best?.tiers ?? tariff.tiers
  const tiers =
    multipliers.length === 0 ? listed : listed.map((tier) => ({ ...tier, cost: changed(tier, multipliers) }))
  if (tiers.length === 1) return { tiers, per, meter: null }
  return { tiers, per, meter: best === undefined ? feature : `${feature} ${best.name}` }
}

function changed({ cost }: Tier, multipliers: readonly Multiplier[]): Amount {
  let result = cost
  for (const { factor } of multipliers) result = multiplyHalfEven(result, factor)
  for (const { add } of multipliers) result += add
  return atLeastZero(result)
}

/**
 * The tier of the next units after `count`, or of the last ones before it, and how many there are up to its end. Before the
 * first unit there is only the first tier, as far down as one likes.
 * @returns units null where the tier has no end.
 */
export function tierAt(
  { tiers, per }: Rate,
  count: Amount,
  direction: 'take' | 'give',
): { readonly price: Price; readonly units: Amount | null } {
  let begin = ZERO
  for (const { to, cost } of tiers) {
    const isHere = to === null || (direction === 'take' ? count < to : count <= to)
    if (!isHere) {
      begin = to
      continue
    }
    const price = { cost, per }
    if (direction === 'take') return { price, units: to === null ? null : to - count }
    return { price, units: count <= ZERO ? null : count - begin }
  }
  throw new RangeError('the last tier has no mark')
}

/** The first tier for all units, however many there were: the same rate where there is but one. */
export function unmetered(rate: Rate): Rate {
  if (rate.meter === null) return rate
  const { cost, per } = priceIn(rate)
  return flatRate(cost, per)
}

/** The price of the first tier, and of all units where there is but one. */
export function priceIn({ tiers, per }: Rate): Price {
  const [tier] = tiers
  assert(tier !== undefined, 'a rate has a tier')
  return { cost: tier.cost, per }
}

/** What `units` cost from the first one on. */
export function costOf(rate: Rate, units: Amount): Amount {
  let cost = ZERO
  for (let count = ZERO; count < units; ) {
    const { price, units: upTo } = tierAt(rate, count, 'take')
    const part = upTo === null ? units - count : smaller(units - count, upTo)
    cost += divideHalfEven(part * price.cost, price.per)
    count += part
  }
  return cost
}

/** A tariff without conditions. */
export function flatTariff(cost: Amount, per: Amount = ONE): Tariff {
  return { tiers: atOneCost(cost), per, dimensions: [], multipliers: [] }
}

/** What all units cost alike, as tiers. */
export function atOneCost(cost: Amount): readonly Tier[] {
  return [{ to: null, cost }]
}

function flatRate(cost: Amount, per: Amount): Rate {
  return { tiers: atOneCost(cost), per, meter: null }
}

/** The price of a feature in its own units. */
export const AT_PAR: Price = { cost: ONE, per: ONE }

/** As `AT_PAR`. */
export const PAR: Rate = flatRate(ONE, ONE)

function applies(match: Match, properties: JsonObject): boolean {
  return Object.entries(match).every(([key, expected]) => {
    const value = Object.hasOwn(properties, key) ? properties[key] : undefined
    return value !== undefined && typeof value !== 'object' && String(value) === expected
  })
}

function precedence(a: Dimension, b: Dimension): number {
  const keys = ({ match }: Dimension) => Object.keys(match).length
  return keys(b) - keys(a) || b.priority - a.priority || (a.name < b.name ? -1 : 1)
}

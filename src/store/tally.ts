import { type Amount, amount, ZERO } from '../domain/amount.ts'
import type { JsonObject } from '../domain/customer.ts'
import { fits, propertyText } from '../domain/property.ts'
import { ExactSum } from './exact-sum.ts'
import {
  type AggregateQuery,
  type DeductionSum,
  type EventSums,
  type GivenUp,
  MOST_SUMS,
  OTHER_GROUPS,
  type UseSum,
} from './store.ts'
import type { Taking } from './use-rows.ts'

/** What a tally has to know of an event. What a query does not ask for may be left out. */
export interface Counted {
  readonly timestamp: number
  readonly name: string
  /** As `formatAmount` writes it. */
  readonly value: string
  readonly entity: string | null
  readonly customerId: string
  readonly properties: JsonObject
  readonly deductions: readonly Taking[]
}

/** How often the clock is looked at: once in so many events. */
const LOOK_EVERY = 4096

/** Adds up the events of an aggregate one by one, for stores that do not add up exactly themselves. */
export class Tally {
  readonly #query: AggregateQuery
  readonly #names: ReadonlySet<string>
  readonly #deadline: number
  /** By bin, name and group. */
  readonly #uses: Map<string, Map<string | null, Sum>>[]
  /** By bin, balance with its feature, and group. */
  readonly #deductions: Map<string, Owner>[]
  #sums = 0
  #events = 0
  #bin = 0
  #givenUp: GivenUp | null = null

  /** @param deadline by the clock of the machine, after which it is given up. */
  constructor(query: AggregateQuery, deadline: number) {
    this.#query = query
    this.#names = new Set(query.names)
    this.#deadline = deadline
    this.#uses = query.bins.map(() => new Map())
    this.#deductions = query.bins.map(() => new Map())
  }

  /** Whether anything has to be counted any more. */
  get isGivenUp(): boolean {
    return this.#givenUp !== null
  }

  /** Counts an event that is within the query's time and of its customer and entity, if the rest of the query fits too. */
  add(event: Counted): void {
    if (this.#events++ % LOOK_EVERY === 0 && Date.now() > this.#deadline) this.#giveUp('too_slow')
    if (this.#givenUp !== null || !fits(event.properties, this.#query.properties)) return
    const bin = this.#binOf(event.timestamp)
    const group = this.#groupOf(event)
    if (this.#names.has(event.name)) this.#addUse(bin, event, group)
    if (this.#query.deductions && (group !== null || this.#query.groupBy === null))
      this.#addDeductions(bin, event, group)
  }

  /** @returns all that was counted, the smaller groups put together. */
  finish(): EventSums | GivenUp {
    return this.#givenUp ?? { uses: this.#usesInAll(), deductions: this.#deductionsInAll() }
  }

  #addUse(bin: number, { name, value }: Counted, group: string | null): void {
    const byName = this.#uses[bin]
    if (byName === undefined) return
    const groups = entry(byName, name, () => new Map<string | null, Sum>())
    const sum = entry(groups, group, () => this.#newSum(new Sum()))
    sum.events += 1
    sum.amount.addText(value)
  }

  #addDeductions(bin: number, { name, deductions }: Counted, group: string | null): void {
    const byBalance = this.#deductions[bin]
    if (byBalance === undefined) return
    const counted = new Set<PricedSum>()
    for (const { balance, feature, amount: taken, cost, per } of deductions) {
      if (!this.#names.has(name) && !this.#names.has(feature)) continue
      // A feature may be called something else later; an internal id holds no blank.
      const { groups } = entry(byBalance, `${balance} ${feature}`, () => {
        return { balance, feature, groups: new Map<string | null, PricedSum>() }
      })
      const price = `${cost} ${per}`
      const sum = entry(groups, group, () => this.#newSum(new PricedSum(price)))
      sum.amount.addText(taken)
      if (sum.price !== price) sum.price = null
      // One event may take from a balance at several prices.
      if (!counted.has(sum)) sum.events += 1
      counted.add(sum)
    }
  }

  #newSum<S>(sum: S): S {
    this.#sums += 1
    if (this.#sums > MOST_SUMS) this.#giveUp('too_many')
    return sum
  }

  #giveUp(why: GivenUp['why']): void {
    this.#givenUp ??= { kind: 'given_up', why }
  }

  /** Events come more or less in order of time, so the search begins where the last one was. */
  #binOf(timestamp: number): number {
    const { bins } = this.#query
    while (this.#bin > 0 && (bins[this.#bin] ?? 0) > timestamp) this.#bin -= 1
    while ((bins[this.#bin + 1] ?? Number.POSITIVE_INFINITY) <= timestamp) this.#bin += 1
    return this.#bin
  }

  #groupOf(event: Counted): string | null {
    const { groupBy } = this.#query
    if (groupBy === null) return null
    switch (groupBy.kind) {
      case 'property':
        // The empty text is no group, as in the contract.
        return propertyText(event.properties, groupBy.path) || null
      case 'customer':
        return event.customerId
      case 'entity':
        return event.entity
      case 'name':
        return event.name
      case 'plan':
        return ''
    }
  }

  #usesInAll(): UseSum[] {
    return this.#uses.flatMap((byName, bin) =>
      [...byName].flatMap(([name, groups]) => {
        const places = this.#placesOf(new Map([...groups].map(([group, sum]) => [group, sum.amount.total])))
        const shown = new Map<string | null, Sum>()
        for (const [group, sum] of groups) {
          const to = entry(shown, places(group), () => new Sum())
          to.events += sum.events
          to.amount.add(sum.amount.total)
        }
        return [...shown].map(([group, sum]) => ({ bin, name, group, events: sum.events, sum: sum.amount.total }))
      }),
    )
  }

  #deductionsInAll(): DeductionSum[] {
    const totals = new Map<string, Map<string | null, Amount>>()
    for (const byBalance of this.#deductions) {
      for (const { balance, groups } of byBalance.values()) {
        const all = entry(totals, balance, () => new Map<string | null, Amount>())
        for (const [group, sum] of groups) all.set(group, (all.get(group) ?? ZERO) + sum.amount.total)
      }
    }
    const places = new Map([...totals].map(([balance, all]) => [balance, this.#placesOf(all)]))
    return this.#deductions.flatMap((byBalance, bin) =>
      [...byBalance.values()].flatMap(({ balance, feature, groups }) => {
        const shown = new Map<string | null, PricedSum>()
        for (const [group, sum] of groups) {
          const to = entry(shown, places.get(balance)?.(group) ?? null, () => new PricedSum(sum.price))
          to.events += sum.events
          to.amount.add(sum.amount.total)
          if (to.price !== sum.price) to.price = null
        }
        return [...shown].map(([group, sum]) => {
          const [cost = '', per = ''] = sum.price?.split(' ') ?? []
          const price = sum.price === null ? null : { cost: amount(cost), per: amount(per) }
          return { bin, feature, balance, group, events: sum.events, sum: sum.amount.total, price }
        })
      }),
    )
  }

  /** Where each group is shown: under its own name, or among the others. */
  #placesOf(sums: ReadonlyMap<string | null, Amount>): (group: string | null) => string | null {
    const groups = [...sums].filter(([group]) => group !== null && group !== OTHER_GROUPS) as [string, Amount][]
    if (groups.length <= this.#query.mostGroups) return (group) => group
    groups.sort(([a, x], [b, y]) => (x === y ? byCodePoints(a, b) : x > y ? -1 : 1))
    const own = new Set<string | null>(groups.slice(0, this.#query.mostGroups).map(([group]) => group))
    return (group) => (group === null || own.has(group) ? group : OTHER_GROUPS)
  }
}

interface Owner {
  readonly balance: string
  readonly feature: string
  readonly groups: Map<string | null, PricedSum>
}

class Sum {
  events = 0
  readonly amount = new ExactSum()
}

class PricedSum extends Sum {
  /** Cost and units; null once there were two. */
  price: string | null

  constructor(price: string | null) {
    super()
    this.price = price
  }
}

function entry<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = create()
    map.set(key, value)
  }
  return value
}

/** As PostgreSQL orders text byte by byte; JavaScript's own order goes by halves of surrogate pairs. */
function byCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

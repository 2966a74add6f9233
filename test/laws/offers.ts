import { type Every, weightOf } from './calendar.ts'
import { type Amount, type Feature, ONE, type Policy } from './rows.ts'

/** What the model's catalogue sells: terms written from the rules of C 3.3, 3.4 and 4.1. Null as an interval is "once". */
export interface Offer extends Terms {
  id: string
  version: number
  group: string
  addOn: boolean
  /** Given to every new customer. */
  auto: boolean
}

export interface Terms {
  fee: Fee | null
  items: Item[]
  trial: Trial | null
}

export interface Trial {
  days: number
  /** Whether a card is asked for: then the plan goes on when it is over. */
  card: boolean
}

interface Fee {
  amount: number
  every: Every | null
}

export interface Item {
  feature: Feature
  included: number
  unlimited: boolean
  every: Every | null
  keeping: { max: number | null; percent: number | null; months: number | null } | null
  price: Price | null
  /** Whether each seat has it for itself. */
  each: boolean
}

interface Price extends Fee {
  method: 'prepaid' | 'usage_based'
  /** Units of a pack. */
  pack: number
  /** Beyond what is included. */
  most: number | null
  /** Whether a smaller quantity waits for the next reset (C160). */
  waits: boolean
}

const WEEK: Every = { interval: 'week', count: 1 }
const MONTH: Every = { interval: 'month', count: 1 }
const QUARTER: Every = { interval: 'quarter', count: 1 }
const YEAR: Every = { interval: 'year', count: 1 }

function gives(feature: Feature, included: number, more: Partial<Item> = {}): Item {
  return { feature, included, unlimited: false, every: null, keeping: null, price: null, each: false, ...more }
}

function priced(method: Price['method'], amount: number, every: Every | null, more: Partial<Price> = {}): Price {
  return { method, amount, every, pack: 1, most: null, waits: false, ...more }
}

function offer(id: string, fee: Fee | null, items: Item[], more: Partial<Offer> = {}): Offer {
  return { id, version: 1, group: '', addOn: false, auto: false, fee, items, trial: null, ...more }
}

export const OFFERS: readonly Offer[] = [
  offer('hobby', null, [gives('messages', 5, { every: MONTH }), gives('seats', 1)], { auto: true }),
  offer('starter', { amount: 10, every: MONTH }, [
    gives('messages', 20, { every: MONTH, keeping: { max: 15, percent: null, months: 1 } }),
    gives('images', 2, { every: MONTH, price: priced('prepaid', 1, MONTH, { pack: 3, most: 12 }) }),
    gives('seats', 1, { price: priced('usage_based', 2, MONTH) }),
  ]),
  offer('studio', { amount: 24, every: MONTH }, [
    gives('messages', 60, { every: MONTH, keeping: { max: null, percent: null, months: null } }),
    gives('messages', 3, { every: WEEK, keeping: { max: 8, percent: null, months: 2 } }),
    gives('images', 5, { every: MONTH, price: priced('usage_based', 1, MONTH, { most: 8 }) }),
    gives('seats', 3),
  ]),
  offer('annual', { amount: 300, every: YEAR }, [
    gives('messages', 50, { every: MONTH }),
    gives('images', 0, { every: QUARTER, price: priced('prepaid', 2, QUARTER, { pack: 5, waits: true }) }),
    gives('seats', 1, { price: priced('usage_based', 2, MONTH, { most: 2 }) }),
  ]),
  offer('agency', { amount: 90, every: MONTH }, [
    gives('messages', 0, { unlimited: true }),
    gives('images', 40, { every: MONTH, keeping: { max: null, percent: 50, months: 2 } }),
    gives('seats', 0, { unlimited: true }),
  ]),
  offer('mixed', { amount: 12, every: MONTH }, [
    gives('messages', 10, { every: MONTH }),
    gives('images', 1, { every: MONTH }),
    gives('images', 0, { price: priced('prepaid', 3, null, { pack: 4, most: 40 }) }),
    gives('credits', 4),
  ]),
  offer('boost', { amount: 5, every: MONTH }, [gives('messages', 7, { every: MONTH }), gives('credits', 3)], {
    addOn: true,
  }),
  offer('each', null, [gives('messages', 4, { every: MONTH, each: true })], { addOn: true }),
  offer('pack', null, [gives('images', 1, { price: priced('prepaid', 2, null, { pack: 6 }) })]),
  offer('desk', { amount: 3, every: WEEK }, [gives('credits', 6, { every: WEEK })], { group: 'desk' }),
  offer('lab', { amount: 15, every: MONTH }, [gives('messages', 9, { every: MONTH }), gives('seats', 2)], {
    trial: { days: 20, card: false },
  }),
  offer('atelier', { amount: 40, every: MONTH }, [gives('messages', 30, { every: WEEK }), gives('credits', 8)], {
    trial: { days: 45, card: true },
  }),
  offer(
    'studio',
    { amount: 30, every: MONTH },
    [
      gives('messages', 80, { every: MONTH, keeping: { max: null, percent: null, months: null } }),
      gives('images', 5, { every: MONTH, price: priced('usage_based', 1, MONTH, { most: 6 }) }),
      gives('seats', 2, { price: priced('usage_based', 3, MONTH) }),
    ],
    { version: 2 },
  ),
  offer('atelier', { amount: 40, every: MONTH }, [gives('messages', 35, { every: MONTH })], { version: 2 }),
]

/** Whether it is what one gets who asks for the plan. */
export function isNewest({ id, version }: Offer): boolean {
  return OFFERS.every((one) => one.id !== id || one.version <= version)
}

/** Every amount is zero, or there is none (C95). */
export function isFree({ fee, items }: Terms): boolean {
  return (fee?.amount ?? 0) === 0 && items.every(({ price }) => (price?.amount ?? 0) === 0)
}

export function isOnce(terms: Terms): boolean {
  return !isFree(terms) && feesOf(terms).every(({ every }) => every === null)
}

export function isPaidAgain(terms: Terms): boolean {
  return !isFree(terms) && !isOnce(terms)
}

/** The table of C 4.1, row by row. */
export function isUpgrade(before: Terms, after: Terms): boolean {
  if (isFree(before) && !isFree(after)) return true
  if (!isFree(before) && isFree(after)) return false
  if (isOnce(before) || isOnce(after)) return true
  if ([before, after].every(({ fee, items }) => fee === null && items.every((item) => !item.price || isUse(item))))
    return true
  if (longest(after) > longest(before)) return true
  // Months as in C98: a week is a quarter of one.
  return monthly(before) <= monthly(after) + 1e-9
}

/** The longest interval at which something is paid, or null (C151). */
export function cycleOf(terms: Terms): Every | null {
  const all = feesOf(terms).flatMap(({ every }) => every ?? [])
  return all.toSorted((a, b) => weightOf(b) - weightOf(a))[0] ?? null
}

/** Weekly and monthly prices, which no plan has (C45). */
export function mixesWeeks(terms: Terms): boolean {
  const intervals = feesOf(terms).map(({ every }) => every?.interval)
  return intervals.includes('week') && intervals.includes('month')
}

function feesOf({ fee, items }: Terms): Fee[] {
  return [fee, ...items.map(({ price }) => price)].filter((one) => one !== null)
}

/** Consumable use, which is paid for as it happens. */
function isUse({ feature, price }: Item): boolean {
  return price?.method === 'usage_based' && feature !== 'seats'
}

function longest(terms: Terms): number {
  const cycle = cycleOf(terms)
  return cycle === null ? 0 : weightOf(cycle)
}

function monthly({ fee, items }: Terms): number {
  const all = [fee, ...items.filter((item) => !isUse(item)).map(({ price }) => price)]
  return all.reduce((sum, one) => sum + (one === null ? 0 : one.amount / monthsOf(one.every)), 0)
}

function monthsOf(every: Every | null): number {
  if (every === null) return 1
  const lengths: Partial<Record<Every['interval'], number>> = { week: 0.25, month: 1, quarter: 3, year: 12 }
  return (lengths[every.interval] ?? 1) * every.count
}

/** Amounts of an offer have no decimals. */
export function units(amount: number): Amount {
  return BigInt(amount) * ONE
}

export function policyOf({ keeping }: Item): Policy | null {
  if (keeping === null) return null
  const { max, percent, months } = keeping
  return { max: max === null ? null : units(max), percent: percent === null ? null : units(percent), months }
}

/** As `plans.create` is asked for it, and `plans.update` for a later version. */
export function offerBody({ id, version, group, addOn, auto, fee, items, trial }: Offer) {
  return {
    ...{ plan_id: id, name: id, group, add_on: addOn, auto_enable: auto },
    ...(version === 1 ? {} : { force_version: true }),
    ...(fee === null ? {} : { price: { amount: fee.amount, interval: fee.every?.interval ?? 'one_off' } }),
    items: items.map(itemBody),
    ...(trial === null ? { free_trial: null } : { free_trial: trialBody(trial) }),
  }
}

export function trialBody({ days, card }: Trial) {
  return { duration_length: days, duration_type: 'day', card_required: card }
}

export function itemBody({ feature, included, unlimited, every, keeping, price, each }: Item) {
  const interval = price?.every?.interval ?? 'one_off'
  return {
    feature_id: feature,
    ...(unlimited ? { unlimited } : { included }),
    ...(every === null ? {} : { reset: { interval: every.interval } }),
    ...(each ? { entity_feature_id: 'seats' } : {}),
    ...(keeping === null ? {} : { rollover: keepingBody(keeping) }),
    ...(price === null
      ? {}
      : {
          price: {
            ...{ amount: price.amount, interval, billing_method: price.method, billing_units: price.pack },
            ...(price.most === null ? {} : { max_purchase: price.most }),
          },
        }),
    ...(price?.waits ? { proration: { on_increase: 'prorate_immediately', on_decrease: 'none' } } : {}),
  }
}

function keepingBody({ max, percent, months }: NonNullable<Item['keeping']>) {
  return {
    ...(max === null ? {} : { max }),
    ...(percent === null ? {} : { max_percentage: percent }),
    ...(months === null
      ? { expiry_duration_type: 'forever' }
      : { expiry_duration_type: 'month', expiry_duration_length: months }),
  }
}

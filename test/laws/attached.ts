import { cycleOf, type Item, isFree, isOnce, type Offer, type Terms, type Trial } from './offers.ts'
import { type Amount, firstAfter, ONE, type Owner } from './rows.ts'

/** A plan as someone has it, or will. */
export interface Attached {
  plan: Offer
  /** Its own where they were changed for this customer (C104). */
  terms: Terms
  owner: Owner
  status: 'scheduled' | 'active'
  starts: number
  canceled: number | null
  ends: number | null
  anchor: number
  /** When its trial is over, or was. */
  trialEnds: number | null
  /** What is ordered of each prepaid item; of an active one its row says it. */
  ordered: Map<Item, Amount>
  created: number
  age: string
}

export interface Order {
  feature: string
  quantity: number
}

export interface Wanted {
  plan: Offer
  owner: Owner
  orders: Order[]
  schedule: 'immediate' | 'end_of_cycle' | null
  starts: number | null
  ends: number | null
  usages: boolean
  balances: boolean
  /** A plan that is to end with it. */
  removed: string | null
  /** For this customer alone; none at all, or as the plan says (C76). */
  trial: Trial | 'none' | null
  anchor: number | 'now' | null
}

/** The end of its cycle, or before that where its end is set already. */
export function lastDay(target: Attached, now: number): number | null {
  const end = endOfCycle(target, now)
  return end === null ? null : Math.min(end, target.ends ?? end)
}

/** Items in whatever order. */
export function sameTerms(some: Terms, others: Terms): boolean {
  const words = ({ fee, items, trial }: Terms) =>
    JSON.stringify([fee, trial, items.map((item) => JSON.stringify(item)).toSorted()])
  return words(some) === words(others)
}

export function trialing({ trialEnds }: Attached, now: number): boolean {
  return trialEnds !== null && trialEnds > now
}

/** A trial is the end of what is free, and of what nobody gave a card for (C78). */
export function endOfTrial(terms: Terms, trialEnds: number | null): number | null {
  return isFree(terms) || terms.trial?.card !== true ? trialEnds : null
}

export function isMain(plan: Offer, terms: Terms): boolean {
  return !plan.addOn && !isOnce(terms)
}

export function turnOf({ status, starts, ends }: Attached): number {
  return (status === 'scheduled' ? starts : ends) ?? Infinity
}

/** The first boundary of what is paid at the longest interval (C135, C151); null where nothing is. */
export function endOfCycle(attached: Attached, now: number): number | null {
  const { anchor, terms, trialEnds } = attached
  if (trialing(attached, now)) return trialEnds
  const every = cycleOf(terms)
  return every === null ? null : Math.max(anchor, firstAfter(anchor, every, now).next)
}

export function packsOf({ price }: Item, wanted: Amount): Amount {
  const pack = BigInt(price?.pack ?? 1) * ONE
  return wanted <= 0n ? 0n : ((wanted + pack - 1n) / pack) * pack
}

export function min2(asked: number | null, now: number): number {
  return asked === null ? now : Math.min(asked, now)
}

import { type Amount, sum, ZERO } from './amount.ts'
import type { Attachment } from './attachment.ts'
import { balancesFrom } from './attachments.ts'
import { type Balance, grantedOf, usedOf } from './balance.ts'
import { begin, end } from './begin.ts'
import { applyMoves, deduct, USING } from './deduction.ts'
import { type Catalogue, isConsumable } from './feature.ts'
import { termsOf } from './find-plan.ts'
import { belongingTo, entitiesCounted, type Holdings, withBalances } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { cycleEnd } from './plan-cycle.ts'
import { PAR } from './price.ts'
import { takeOver } from './reset.ts'
import { reseat } from './seats.ts'
import type { Instant } from './time.ts'

/** Of which features something is carried, by internal id. */
export type Features = 'all' | ReadonlySet<string>
export const NO_FEATURES: Features = new Set()

/** What an upgrade, a downgrade or a change takes along, beside what is always taken along (C 4.6). */
export interface Carry {
  /** Consumable features of which the use counts against the new grant (C144). */
  readonly usages: Features
  /** Consumable features of which what is left stays, until it would have been renewed (C145). */
  readonly balances: Features
  /** Whether what is left of units bought once joins the same item of the new terms; else it stays by itself, for ever (C146). */
  readonly joins: boolean
}

/** What is carried where nobody asked for anything: the seats in use, rollovers, and units bought once. */
export const AS_USUAL: Carry = { usages: NO_FEATURES, balances: NO_FEATURES, joins: false }

/**
 * Ends one attachment and makes another one active in its place, at one instant. Source: C141-C147, C152, C173.
 * @param how the first one ends, as for `end`.
 */
export function replace(
  holdings: Holdings,
  before: Attachment,
  after: Attachment,
  how: 'void' | 'expire',
  carry: Carry,
  catalogue: Catalogue,
  journal: Journal,
): Holdings {
  const left = balancesFrom(holdings, before)
  let current = begin(end(holdings, before, how, journal), after, catalogue, journal)
  const ends = cycleEnd(before, termsOf(before, catalogue), journal.at)
  for (const group of groupsOf(left)) current = carryGroup(current, group, ends, after, carry, catalogue, journal)
  return reseat(current, journal)
}

/** Ends an attachment that nothing takes the place of. */
export function endAlone(
  holdings: Holdings,
  attachment: Attachment,
  how: 'void' | 'expire',
  journal: Journal,
): Holdings {
  return reseat(end(holdings, attachment, how, journal), journal)
}

/** Balances of one feature and one owner. */
function groupsOf(balances: readonly Balance[]): Balance[][] {
  return [...Map.groupBy(balances, ({ feature, entity }) => `${feature} ${entity ?? ''}`).values()]
}

/** @param ends when the cycle of the plan before would have ended, or null. */
function carryGroup(
  holdings: Holdings,
  left: readonly Balance[],
  ends: Instant | null,
  after: Attachment,
  carry: Carry,
  catalogue: Catalogue,
  journal: Journal,
): Holdings {
  const [first] = left
  const feature = first === undefined ? undefined : catalogue.byUid.get(first.feature)
  if (first === undefined || feature === undefined || feature.type.kind === 'boolean') return holdings
  const finite = left.filter(({ terms }) => terms.kind === 'finite')
  const targets = belongingTo(holdings, first.entity, first.feature).filter(
    ({ source, terms }) => source?.attachment === after.uid && terms.kind === 'finite',
  )
  const consumable = isConsumable(feature)
  let changed = new Map(targets.map((balance) => [balance.uid, balance]))
  const put = (balances: readonly Balance[]) => {
    changed = new Map([...changed, ...balances.map((balance) => [balance.uid, balance] as const)])
  }
  // Entities are counted anew where they sit, in the place of what was tracked (C143).
  const takesUse = consumable ? includes(carry.usages, first.feature) : entitiesCounted(holdings, first.feature) === 0
  if (takesUse) put(charged([...changed.values()], finite, journal))
  put(withRollovers([...changed.values()], finite, journal))
  const loose: Balance[] = []
  for (const balance of finite) {
    const kept = keptOf(balance, carry, consumable, ends)
    if (kept === null) continue
    const same = carry.joins && kept.once ? [...changed.values()].find(isOnce) : undefined
    if (same !== undefined) put([joined(same, kept.amount, journal)])
    else loose.push(byItself(balance, kept, journal))
  }
  return withBalances(holdings, [...changed.values(), ...loose])
}

/** The use of the old balances, units bought once apart, is taken from the new ones; what they lack they owe (C141, C142). */
function charged(targets: readonly Balance[], left: readonly Balance[], journal: Journal): readonly Balance[] {
  const from = left.filter((balance) => !isOnce(balance))
  const used = sum(from.map(usedOf))
  if (used === ZERO) return targets
  const lasting = targets.filter((balance) => !isOnce(balance))
  const candidates = (lasting.length > 0 ? lasting : targets).map((balance) => ({
    balance: { ...balance, metered: from[0]?.metered ?? balance.metered },
    rate: PAR,
    mayOwe: ZERO,
  }))
  return applyMoves(deduct(candidates, used, 'overflow').moves, USING, journal)
}

/** Each old balance's rollovers go to the new one that is most like it, if that one keeps any (C147). */
function withRollovers(targets: readonly Balance[], left: readonly Balance[], journal: Journal): readonly Balance[] {
  const changed = new Map<string, Balance>()
  for (const old of left) {
    if (old.rollovers.length === 0) continue
    const [best] = targets
      .filter(({ rolloverPolicy }) => rolloverPolicy !== null)
      .sort((a, b) => likeness(b, old) - likeness(a, old))
    if (best === undefined) continue
    changed.set(best.uid, takeOver(changed.get(best.uid) ?? best, old.rollovers, journal))
  }
  return [...changed.values()]
}

function likeness(target: Balance, old: Balance): number {
  const sameBilling = (target.source?.price?.method ?? null) === (old.source?.price?.method ?? null)
  const sameInterval = target.reset?.interval === old.reset?.interval && target.reset?.count === old.reset?.count
  return (sameBilling ? 4 : 0) + (sameInterval ? 2 : 0) + (grantedOf(target) >= grantedOf(old) ? 1 : 0)
}

interface Kept {
  readonly amount: Amount
  readonly once: boolean
  readonly expiresAt: Instant | null
}

/** What is left of an old balance and stays beside the new grant. */
function keptOf(balance: Balance, { balances }: Carry, consumable: boolean, ends: Instant | null): Kept | null {
  const { remaining, expiresAt, reset } = balance
  if (isOnce(balance)) return remaining > ZERO ? { amount: remaining, once: true, expiresAt } : null
  if (!consumable || remaining === ZERO || !includes(balances, balance.feature)) return null
  // What was granted once is part of the plan's cycle, and no more lasting than that (C145).
  return { amount: remaining, once: false, expiresAt: sooner(reset?.nextAt ?? ends, expiresAt) }
}

function sooner(a: Instant | null, b: Instant | null): Instant | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}

/** Bought in advance, and only once: units that nobody who paid for them gives up (C146). */
function isOnce({ source }: Balance): boolean {
  return source?.price?.method === 'prepaid' && source.price.interval === 'one_off'
}

function joined(balance: Balance, amount: Amount, journal: Journal): Balance {
  const remaining = balance.remaining + amount
  journal.post('grant', balance, null, { amount, granted: amount, after: remaining })
  return { ...balance, remaining, adjustment: balance.adjustment + amount }
}

/** As a balance that no plan gives. Debts are kept as well as what is left. */
function byItself(old: Balance, { amount, once, expiresAt }: Kept, journal: Journal): Balance {
  const part = old.uid.slice('cus_ent_'.length)
  const allowance = amount > ZERO ? amount : ZERO
  const balance: Balance = {
    ...old,
    uid: `cus_ent_${part}_kept`,
    id: once ? `one_off_prepaid_carryover_${part}` : null,
    terms: { kind: 'finite', allowance },
    source: null,
    remaining: amount,
    held: ZERO,
    adjustment: ZERO,
    seats: 0,
    reset: null,
    renewedAt: null,
    rolloverPolicy: null,
    rollovers: [],
    expiresAt,
    createdAt: journal.at,
  }
  journal.post('grant', balance, null, { amount, granted: allowance, after: amount, permit: 'adjust' })
  return balance
}

function includes(features: Features, uid: string): boolean {
  return features === 'all' || features.has(uid)
}

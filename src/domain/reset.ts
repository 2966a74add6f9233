import { type Amount, atLeastZero, ONE, smaller, ZERO } from './amount.ts'
import { assert } from './assert.ts'
import {
  type Balance,
  dueAt,
  grantedOf,
  type Reset,
  type Rollover,
  type RolloverPolicy,
  rolledOver,
  type Source,
  UNMETERED,
} from './balance.ts'
import type { Journal } from './ledger.ts'
import { addMonths, beforeClamping, boundary, boundaryAfter, type Instant, periodAt } from './time.ts'

/**
 * A balance on its way through time, changed in place: a year of hourly boundaries must not copy its rollovers at each.
 * Nobody else sees it before it is finished.
 */
type Draft = { -readonly [K in keyof Balance]: Balance[K] } & { rollovers: Rollover[]; rolledOver: Amount }

/**
 * Brings one balance up to `now`: every expiry and every missed boundary takes effect in time order, each boundary with
 * its own rollover; what falls on one instant goes expiry first, then reset (architecture 2.14).
 * @returns the balance as it stands, or null when it has expired. The same object when nothing was due.
 * Source: B148-B168, with B152 (due when `next <= now`) and B155 as corrected.
 */
export function advance(balance: Balance, now: Instant, journal: Journal): Balance | null {
  if (dueAt(balance) > now) return balance
  const draft = draftOf(balance)
  for (let instant = dueAt(draft); instant <= now; instant = dueAt(draft)) {
    if (draft.expiresAt === instant) {
      close('expire', draft, journal, instant)
      return null
    }
    if (draft.rollovers[0]?.expiresAt === instant) dropRollover(draft, instant, journal)
    else {
      renew(draft, instant, journal)
      skipIdlePeriods(draft, now, journal)
    }
  }
  return finished(draft)
}

/** Renews a balance at one boundary and carries what was left into a rollover. The next boundary is the first one after it. */
export function reset(balance: Balance, at: Instant, journal: Journal): Balance {
  const draft = draftOf(balance)
  renew(draft, at, journal)
  return finished(draft)
}

function draftOf(balance: Balance): Draft {
  return { ...balance, rollovers: [...balance.rollovers], rolledOver: rolledOver(balance) }
}

function finished({ rolledOver: _, ...balance }: Draft): Balance {
  return balance
}

function renew(draft: Draft, at: Instant, journal: Journal): void {
  const { terms, rolloverPolicy: policy, remaining: left, reset: every } = draft
  assert(every !== null && terms.kind === 'finite', 'only recurring finite balances reset')
  const { source } = draft
  const allowance = source === null ? terms.allowance : nextAllowance(terms.allowance, source)
  const kept = policy !== null && left > ZERO ? carry(draft, left, policy, at) : null
  if (kept !== null) {
    journal.post('rollover', draft, null, { amount: -left, after: ZERO, at })
    journal.post('rollover', draft, kept, { amount: left, granted: left, after: kept.remaining, at })
    addRollover(draft, kept, left)
  }
  const dropped = kept === null ? left : ZERO
  // What is held of the period that ends is no longer part of the balance: its lock knows where it goes.
  journal.post('reset', draft, null, {
    amount: -dropped,
    granted: -grantedOf(draft),
    held: -draft.held,
    after: ZERO,
    at,
  })
  journal.post('grant', draft, null, { amount: allowance, granted: allowance, after: allowance, at })
  draft.remaining = allowance
  if (allowance !== terms.allowance) draft.terms = { kind: 'finite', allowance }
  if (source !== null && source.nextPrepaid !== null)
    draft.source = { ...source, prepaid: source.nextPrepaid, nextPrepaid: null }
  draft.held = ZERO
  draft.adjustment = ZERO
  draft.metered = UNMETERED
  draft.renewedAt = at
  draft.reset = { ...every, nextAt: boundaryAfter(every.anchor, every, at) }
  // Where nothing was kept, too: a cap in percent may be lower than before.
  if (policy !== null) keepWithinCap(draft, capOf(policy, allowance), at, journal)
}

/** What is granted from the next boundary on, with what will have been bought in advance then (B25, C160). */
function nextAllowance(allowance: Amount, { prepaid, nextPrepaid }: Source): Amount {
  return allowance - prepaid + (nextPrepaid ?? prepaid)
}

/**
 * After a reset a balance that nobody touches is full at every further boundary, so a long idle run is computed instead of
 * walked: a minute interval idle for a year is half a million boundaries. Only boundaries whose rollovers still matter at
 * `now` are left to be walked.
 */
function skipIdlePeriods(draft: Draft, now: Instant, journal: Journal): void {
  const { reset: every, terms, rolloverPolicy: policy } = draft
  assert(every !== null && terms.kind === 'finite', 'only recurring finite balances reset')
  const horizon = draft.expiresAt === null ? now : Math.min(now, draft.expiresAt - 1)
  if (every.nextAt > horizon) return
  const idle = policy === null || terms.allowance <= ZERO
  if (!idle && policy.months === null) carryForever(draft, every, horizon, terms.allowance, policy, journal)
  if (idle || policy.months === null) {
    draft.reset = { ...every, nextAt: boundaryAfter(every.anchor, every, horizon) }
    draft.renewedAt = boundary(every.anchor, every, periodAt(every.anchor, every, horizon))
    return
  }
  const firstNeeded = firstPeriodThatMatters(every, horizon, terms.allowance, policy, policy.months)
  if (firstNeeded <= periodAt(every.anchor, every, every.nextAt)) return
  draft.reset = { ...every, nextAt: boundary(every.anchor, every, firstNeeded) }
}

/** All idle periods up to `horizon` at once: rollovers without expiry merge into one, so they add up and meet the cap. */
function carryForever(
  draft: Draft,
  every: Reset,
  horizon: Instant,
  allowance: Amount,
  policy: RolloverPolicy,
  journal: Journal,
): void {
  const last = periodAt(every.anchor, every, horizon)
  const periods = BigInt(last - periodAt(every.anchor, every, every.nextAt) + 1)
  const cap = capOf(policy, allowance)
  const room = cap === null ? periods * allowance : cap - draft.rolledOver
  const added = smaller(periods * allowance, room)
  if (added <= ZERO) return
  const at = every.nextAt
  const kept = carry(draft, added, policy, at)
  assert(kept !== null, 'a rollover without expiry never expires')
  // Each of these periods was granted in full, kept `added` between them, and dropped the rest: only what was kept shows.
  journal.post('grant', draft, null, { amount: added, granted: added, after: draft.remaining + added, at })
  journal.post('rollover', draft, null, { amount: -added, granted: -added, after: draft.remaining, at })
  journal.post('rollover', draft, kept, { amount: added, granted: added, after: kept.remaining, at })
  addRollover(draft, kept, added)
}

/** The first idle period whose rollover may still be alive at `horizon`, neither expired nor pushed out by the cap. */
function firstPeriodThatMatters(
  every: Reset,
  horizon: Instant,
  allowance: Amount,
  policy: RolloverPolicy,
  months: number,
): number {
  // Month ends are clamped, so step back a few days more than `months`; walking some dead boundaries changes nothing.
  const alive = periodAt(every.anchor, every, addMonths(horizon, -months) - 4 * 86_400_000)
  const cap = capOf(policy, allowance)
  if (cap === null) return alive
  const filling = cap / allowance + 1n
  const last = periodAt(every.anchor, every, horizon)
  if (filling >= BigInt(last - alive)) return alive
  // The cap keeps those that end last, and at a month end these are not always the newest.
  const filled = beforeClamping(boundary(every.anchor, every, last - Number(filling)))
  return Math.max(alive, periodAt(every.anchor, every, filled))
}

/** The rollover that `amount` becomes at a boundary, or null when it would be gone at once. */
function carry(balance: Balance, amount: Amount, policy: RolloverPolicy, at: Instant): Rollover | null {
  const expiresAt = policy.months === null ? null : addMonths(at, policy.months)
  if (expiresAt !== null && expiresAt <= at) return null
  const uid = `roll_${suffix(balance)}_${expiresAt === null ? 'ever' : at.toString(36)}`
  const before = balance.rollovers[placeOf(balance.rollovers, uid, expiresAt)]
  const { remaining = ZERO, used = ZERO, held = ZERO } = before ?? {}
  return { uid, remaining: remaining + amount, used, held, expiresAt }
}

/**
 * Gives back to a balance what was taken in a period that is over: into the rollover of the boundary at which that period
 * ended, as far as there is room under the cap. What would have been dropped there, or is gone by now, is gone (law 8).
 * @param at the boundary.
 * @returns the balance with its rollover, or null where nothing comes back.
 */
export function returnToRollover(
  balance: Balance,
  amount: Amount,
  at: Instant,
  journal: Journal,
): { readonly balance: Balance; readonly rollover: Rollover; readonly amount: Amount } | null {
  const { rolloverPolicy: policy } = balance
  if (policy === null) return null
  const given = smaller(amount, roomIn(balance) ?? amount)
  const kept = given > ZERO ? carry(balance, given, policy, at) : null
  if (kept === null || (kept.expiresAt !== null && kept.expiresAt <= journal.at)) return null
  const draft = draftOf(balance)
  addRollover(draft, kept, given)
  journal.post('release', balance, kept, { amount: given, granted: given, after: kept.remaining })
  return { balance: finished(draft), rollover: kept, amount: given }
}

/**
 * Gives a balance what is left of the rollovers of another one, which is closed: each keeps its expiry, and together they stay
 * within the cap (C147).
 * @param balance whose policy lets it have rollovers.
 */
export function takeOver(balance: Balance, rollovers: readonly Rollover[], journal: Journal): Balance {
  const { rolloverPolicy: policy, terms } = balance
  assert(policy !== null && terms.kind === 'finite', 'only what rolls over has rollovers')
  const draft = draftOf(balance)
  for (const { uid: old, remaining: left, expiresAt } of rollovers) {
    if (left <= ZERO) continue
    const uid = `roll_${suffix(balance)}_${old.slice(old.lastIndexOf('_') + 1)}`
    const before = draft.rollovers[placeOf(draft.rollovers, uid, expiresAt)]
    const { remaining = ZERO, used = ZERO, held = ZERO } = before ?? {}
    const kept = { uid, remaining: remaining + left, used, held, expiresAt }
    journal.post('rollover', draft, kept, { amount: left, granted: left, after: kept.remaining })
    addRollover(draft, kept, left)
  }
  keepWithinCap(draft, capOf(policy, terms.allowance), journal.at, journal)
  return finished(draft)
}

/** What the rollovers of a balance may still take in, or null for any amount. */
export function roomIn(balance: Balance): Amount | null {
  const { rolloverPolicy: policy, terms } = balance
  if (policy === null || terms.kind !== 'finite') return ZERO
  const cap = capOf(policy, terms.allowance)
  return cap === null ? null : atLeastZero(cap - rolledOver(balance))
}

/**
 * Puts a rollover in its place by expiry. Nearly always that is the last one, but a boundary that was moved into the past
 * may open one that ends before others; and the same boundary may be crossed again, then both are one.
 */
function addRollover(draft: Draft, kept: Rollover, amount: Amount): void {
  const { rollovers } = draft
  const same = placeOf(rollovers, kept.uid, kept.expiresAt)
  if (same !== -1) rollovers.splice(same, 1)
  let place = rollovers.length
  while (place > 0 && expiryOf(rollovers[place - 1]) > expiryOf(kept)) place -= 1
  rollovers.splice(place, 0, kept)
  draft.rolledOver += amount
}

/** Where a rollover stands, or -1. Only those that do not end before it are looked at: nearly always just the last one. */
function placeOf(rollovers: readonly Rollover[], uid: string, expiresAt: Instant | null): number {
  const end = expiresAt ?? Number.POSITIVE_INFINITY
  for (let i = rollovers.length - 1; i >= 0 && expiryOf(rollovers[i]) >= end; i--)
    if (rollovers[i]?.uid === uid) return i
  return -1
}

function expiryOf(rollover: Rollover | undefined): number {
  return rollover?.expiresAt ?? Number.POSITIVE_INFINITY
}

/** Drops what exceeds the cap, from the rollover that expires soonest on; emptied ones disappear (B165). */
function keepWithinCap(draft: Draft, cap: Amount | null, at: Instant, journal: Journal): void {
  if (cap === null || draft.rolledOver <= cap) return
  let excess = draft.rolledOver - cap
  draft.rolledOver = cap
  const rollovers: Rollover[] = []
  for (const rollover of draft.rollovers) {
    const dropped = smaller(rollover.remaining, excess)
    if (dropped <= ZERO) {
      rollovers.push(rollover)
      continue
    }
    excess -= dropped
    const remaining = rollover.remaining - dropped
    // A rollover that is dropped to nothing leaves the list, so its grant leaves the ledger with it.
    const granted = remaining === ZERO ? -(rollover.remaining + rollover.used) : -dropped
    const held = remaining === ZERO ? -rollover.held : ZERO
    journal.post('reset', draft, rollover, { amount: -dropped, granted, held, after: remaining, at })
    if (remaining > ZERO) rollovers.push({ ...rollover, remaining })
  }
  draft.rollovers = rollovers
}

function capOf(policy: RolloverPolicy, allowance: Amount): Amount | null {
  switch (policy.cap.kind) {
    case 'none':
      return null
    case 'amount':
      return policy.cap.max
    case 'percentage':
      return ((allowance * policy.cap.percent) / (100n * ONE) / ONE) * ONE
  }
}

function dropRollover(draft: Draft, at: Instant, journal: Journal): void {
  const rollover = draft.rollovers.shift()
  assert(rollover !== undefined, 'a rollover is due')
  draft.rolledOver -= rollover.remaining
  closeRollover('expire', draft, rollover, journal, at)
}

/** Takes a balance and its rollovers to nothing in the ledger, because it expired or was deleted. */
export function close(kind: 'expire' | 'void', balance: Balance, journal: Journal, at?: Instant): void {
  closeRollovers(kind, balance, journal, at)
  journal.post(kind, balance, null, {
    amount: -balance.remaining,
    granted: -grantedOf(balance),
    held: -balance.held,
    after: ZERO,
    ...(at === undefined ? {} : { at }),
  })
}

/** Takes the rollovers of a balance to nothing in the ledger. */
export function closeRollovers(kind: 'expire' | 'void', balance: Balance, journal: Journal, at?: Instant): void {
  for (const rollover of balance.rollovers) closeRollover(kind, balance, rollover, journal, at)
}

function closeRollover(
  kind: 'expire' | 'void',
  balance: Balance,
  rollover: Rollover,
  journal: Journal,
  at?: Instant,
): void {
  journal.post(kind, balance, rollover, {
    amount: -rollover.remaining,
    granted: -(rollover.remaining + rollover.used),
    held: -rollover.held,
    after: ZERO,
    ...(at === undefined ? {} : { at }),
  })
}

function suffix(balance: Balance): string {
  return balance.uid.slice('cus_ent_'.length)
}

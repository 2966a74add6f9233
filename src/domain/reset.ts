import { type Amount, ONE, smaller, ZERO } from './amount.ts'
import { assert } from './assert.ts'
import { type Balance, dueAt, grantedOf, type Reset, type Rollover, type RolloverPolicy } from './balance.ts'
import type { Journal } from './ledger.ts'
import { addMonths, boundary, boundaryAfter, END_OF_TIME, type Instant, periodAt } from './time.ts'

/**
 * Brings one balance up to `now`: every expiry and every missed boundary takes effect in time order, each boundary with
 * its own rollover; what falls on one instant goes expiry first, then reset (architecture 2.14).
 * @returns the balance as it stands, or null when it has expired. The same object when nothing was due.
 * Source: B148-B168, with B152 (due when `next <= now`) and B155 as corrected.
 */
export function advance(balance: Balance, now: Instant, journal: Journal): Balance | null {
  let current = balance
  for (;;) {
    const instant = dueAt(current)
    if (instant > now) return current
    if (current.expiresAt === instant) return expire(current, instant, journal)
    if (current.rollovers[0]?.expiresAt === instant) current = dropRollover(current, instant, journal)
    else current = skipIdlePeriods(reset(current, instant, journal), now, journal)
  }
}

/** Renews a balance at a boundary and carries what was left into a rollover. The next boundary is the first one after it. */
export function reset(balance: Balance, at: Instant, journal: Journal): Balance {
  const { terms, rolloverPolicy } = balance
  assert(balance.reset !== null && terms.kind === 'finite', 'only recurring finite balances reset')
  const kept =
    rolloverPolicy !== null && balance.remaining > ZERO ? carry(balance, balance.remaining, rolloverPolicy, at) : null
  if (kept !== null) {
    journal.post('rollover', balance, null, { amount: -balance.remaining, after: ZERO, at })
    journal.post('rollover', balance, kept, {
      amount: balance.remaining,
      granted: balance.remaining,
      after: kept.remaining,
      at,
    })
  }
  const left = kept === null ? balance.remaining : ZERO
  journal.post('reset', balance, null, { amount: -left, granted: -grantedOf(balance), after: ZERO, at })
  journal.post('grant', balance, null, {
    amount: terms.allowance,
    granted: terms.allowance,
    after: terms.allowance,
    at,
  })
  const renewed: Balance = {
    ...balance,
    remaining: terms.allowance,
    adjustment: ZERO,
    reset: { ...balance.reset, nextAt: boundaryAfter(balance.reset.anchor, balance.reset, at) },
  }
  return kept === null ? renewed : withinCap(addRollover(renewed, kept), terms.allowance, at, journal)
}

/**
 * After a reset a balance that nobody touches is full at every further boundary, so a long idle run is computed instead of
 * walked: a minute interval idle for a year is half a million boundaries. Only boundaries whose rollovers still matter at
 * `now` are left to be walked.
 */
function skipIdlePeriods(balance: Balance, now: Instant, journal: Journal): Balance {
  const { reset: every, terms, rolloverPolicy: policy } = balance
  assert(every !== null && terms.kind === 'finite', 'only recurring finite balances reset')
  const horizon = balance.expiresAt === null ? now : Math.min(now, balance.expiresAt - 1)
  if (every.nextAt > horizon) return balance
  if (policy === null || terms.allowance <= ZERO) return withNext(balance, boundaryAfter(every.anchor, every, horizon))
  if (policy.months === null) return carryForever(balance, every, horizon, terms.allowance, policy, journal)
  const firstNeeded = firstPeriodThatMatters(every, horizon, terms.allowance, policy, policy.months)
  if (firstNeeded <= periodAt(every.anchor, every, every.nextAt)) return balance
  return withNext(balance, boundary(every.anchor, every, firstNeeded))
}

/** All idle periods up to `horizon` at once: rollovers without expiry merge into one, so they add up and meet the cap. */
function carryForever(
  balance: Balance,
  every: Reset,
  horizon: Instant,
  allowance: Amount,
  policy: RolloverPolicy,
  journal: Journal,
): Balance {
  const last = periodAt(every.anchor, every, horizon)
  const periods = BigInt(last - periodAt(every.anchor, every, every.nextAt) + 1)
  const before = balance.rollovers.at(-1)
  assert(before === undefined || before.expiresAt === null, 'a lasting rollover has no expiry')
  const cap = capOf(policy, allowance)
  const room = cap === null ? periods * allowance : cap - (before?.remaining ?? ZERO)
  const added = smaller(periods * allowance, room)
  const next = withNext(balance, boundaryAfter(every.anchor, every, horizon))
  if (added <= ZERO) return next
  const kept = carry(balance, added, policy, every.nextAt)
  assert(kept !== null, 'a rollover without expiry never expires')
  // Each of these periods was granted in full, kept `added` between them, and dropped the rest: only what was kept shows.
  const at = every.nextAt
  journal.post('grant', balance, null, { amount: added, granted: added, after: balance.remaining + added, at })
  journal.post('rollover', balance, null, { amount: -added, granted: -added, after: balance.remaining, at })
  journal.post('rollover', balance, kept, { amount: added, granted: added, after: kept.remaining, at })
  return addRollover(next, kept)
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
  return filling < BigInt(Number.MAX_SAFE_INTEGER) ? Math.max(alive, last - Number(filling)) : alive
}

/** The rollover that `amount` becomes at a boundary, or null when it would be gone at once. */
function carry(balance: Balance, amount: Amount, policy: RolloverPolicy, at: Instant): Rollover | null {
  if (policy.months === null) {
    const lasting = balance.rollovers.at(-1)
    return {
      uid: `roll_${suffix(balance)}_ever`,
      remaining: (lasting?.remaining ?? ZERO) + amount,
      used: lasting?.used ?? ZERO,
      expiresAt: null,
    }
  }
  const expiresAt = addMonths(at, policy.months)
  if (expiresAt <= at) return null
  return { uid: `roll_${suffix(balance)}_${at.toString(36)}`, remaining: amount, used: ZERO, expiresAt }
}

/** Puts a rollover in its place: a lasting one replaces itself, any other is the last to expire of all so far. */
function addRollover(balance: Balance, kept: Rollover): Balance {
  const others = balance.rollovers.filter((rollover) => rollover.uid !== kept.uid)
  return { ...balance, rollovers: [...others, kept] }
}

/** Drops what exceeds the cap, from the rollover that expires soonest on; emptied ones disappear (B165). */
function withinCap(balance: Balance, allowance: Amount, at: Instant, journal: Journal): Balance {
  const policy = balance.rolloverPolicy
  const cap = policy === null ? null : capOf(policy, allowance)
  if (cap === null) return balance
  let excess = balance.rollovers.reduce((total, rollover) => total + rollover.remaining, ZERO) - cap
  if (excess <= ZERO) return balance
  const rollovers: Rollover[] = []
  for (const rollover of balance.rollovers) {
    const dropped = smaller(rollover.remaining, excess)
    if (dropped <= ZERO) {
      rollovers.push(rollover)
      continue
    }
    excess -= dropped
    const remaining = rollover.remaining - dropped
    // A rollover that is dropped to nothing leaves the list, so its grant leaves the ledger with it.
    const granted = remaining === ZERO ? -(rollover.remaining + rollover.used) : -dropped
    journal.post('reset', balance, rollover, { amount: -dropped, granted, after: remaining, at })
    if (remaining > ZERO) rollovers.push({ ...rollover, remaining })
  }
  return { ...balance, rollovers }
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

function dropRollover(balance: Balance, at: Instant, journal: Journal): Balance {
  const [rollover, ...others] = balance.rollovers
  assert(rollover !== undefined, 'a rollover is due')
  closeRollover('expire', balance, rollover, journal, at)
  return { ...balance, rollovers: others }
}

function expire(balance: Balance, at: Instant, journal: Journal): null {
  close('expire', balance, journal, at)
  return null
}

/** Takes a balance and its rollovers to nothing in the ledger, because it expired or was deleted. */
export function close(kind: 'expire' | 'void', balance: Balance, journal: Journal, at?: Instant): void {
  for (const rollover of balance.rollovers) closeRollover(kind, balance, rollover, journal, at)
  journal.post(kind, balance, null, {
    amount: -balance.remaining,
    granted: -grantedOf(balance),
    after: ZERO,
    ...(at === undefined ? {} : { at }),
  })
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
    after: ZERO,
    ...(at === undefined ? {} : { at }),
  })
}

function withNext(balance: Balance, nextAt: Instant): Balance {
  assert(balance.reset !== null, 'only recurring balances have a next reset')
  return { ...balance, reset: { ...balance.reset, nextAt: Math.min(nextAt, END_OF_TIME) } }
}

function suffix(balance: Balance): string {
  return balance.uid.slice('cus_ent_'.length)
}

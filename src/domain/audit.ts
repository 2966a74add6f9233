import { type Amount, formatAmount, smaller, ZERO } from './amount.ts'
import { grantedOf } from './balance.ts'
import { allBalances, entitiesCounted, entitiesOf, type Holdings } from './holdings.ts'
import type { Posting } from './ledger.ts'
import type { Lock } from './lock.ts'
import type { Instant } from './time.ts'
import { valuesOf } from './tree.ts'

/** One bucket: a balance's main amount, or one of its rollovers. */
interface Bucket {
  readonly entity: string | null
  readonly feature: string
  readonly remaining: Amount
  readonly granted: Amount
  readonly held: Amount
}

/** What the lines of one bucket come to, and where they first went wrong, each way. */
interface Tally {
  readonly entity: string | null
  readonly feature: string
  lines: number
  remaining: Amount
  granted: Amount
  held: Amount
  readonly faults: Map<Fault, { readonly sentence: string; more: number }>
}

type Fault = 'running sum' | 'permit' | 'owner'

/**
 * Holds a customer's ledger against its holdings (laws 1 and 2). The lines are handed in one by one, because a busy customer
 * has millions: what is kept grows with the buckets that there ever were, not with the lines.
 */
export class Audit {
  readonly #holdings: Holdings
  readonly #tallies = new Map<string, Tally>()
  #lines = 0

  constructor(holdings: Holdings) {
    this.#holdings = holdings
  }

  /** @param posting the next line, oldest first. */
  add(posting: Posting): void {
    const { entity, feature, amount, granted, held, remainingAfter, permit } = posting
    const name = nameOf(posting.balance, posting.rollover)
    const tally = this.#tallies.get(name) ?? newTally(entity, feature)
    if (tally.lines === 0) this.#tallies.set(name, tally)
    this.#lines += 1
    tally.lines += 1
    tally.remaining += amount
    tally.granted += granted
    tally.held += held
    if (remainingAfter !== tally.remaining) {
      const after = `line ${tally.lines} says that ${formatAmount(remainingAfter)} remained after it`
      blame(tally, 'running sum', `${after}, and the lines so far sum to ${formatAmount(tally.remaining)}`)
    }
    const lowest = smaller(remainingAfter, tally.remaining)
    if (lowest < ZERO && amount < ZERO && permit === null)
      blame(tally, 'permit', `line ${tally.lines} takes it to ${formatAmount(lowest)} without a permit`)
    if (entity !== tally.entity || feature !== tally.feature)
      blame(tally, 'owner', `line ${tally.lines} is of ${ownerOf(posting)}, and the first one of ${ownerOf(tally)}`)
  }

  /** After the last line. @returns a sentence for everything that does not add up; none when all is well. */
  findings(): string[] {
    const held = bucketsOf(this.#holdings)
    const found: string[] = []
    for (const [name, tally] of this.#tallies) {
      const bucket = held.get(name)
      const faults = [...tally.faults.values()].map(({ sentence, more }) => sentence + moreLines(more))
      const sums = bucket === undefined ? goneWith(tally) : unlike(bucket, tally)
      for (const sentence of [...sums, ...faults]) found.push(`${name}: ${sentence}`)
    }
    for (const [name, { remaining, granted, held: locked }] of held) {
      if (this.#tallies.has(name) || (remaining === ZERO && granted === ZERO && locked === ZERO)) continue
      found.push(`${name}: holds ${of(remaining, granted)}, and the ledger has no line of it`)
    }
    if (this.#lines !== this.#holdings.postings)
      found.push(`the customer counts ${this.#holdings.postings} postings, and there are ${this.#lines}`)
    return [...found, ...seatsTooMany(this.#holdings), ...unlikeLocks(this.#holdings)]
  }
}

/** The whole proof at once. @param postings all of the customer, oldest first. */
export function audit(holdings: Holdings, postings: Iterable<Posting>): string[] {
  const proof = new Audit(holdings)
  for (const posting of postings) proof.add(posting)
  return proof.findings()
}

/**
 * What a customer holds of features that are not there. A balance that has expired by `now` does not count: its feature may
 * be deleted before anything has brought the customer up to date (B236).
 * @param features the internal ids of those that are there.
 */
export function ofMissingFeatures(holdings: Holdings, features: ReadonlySet<string>, now: Instant): string[] {
  const found: string[] = []
  for (const { uid, feature, expiresAt } of allBalances(holdings)) {
    if (features.has(feature) || (expiresAt !== null && expiresAt <= now)) continue
    found.push(`${uid}: is of the feature ${feature}, which is not there`)
  }
  for (const { uid, feature } of entitiesOf(holdings))
    if (!features.has(feature)) found.push(`${uid}: is one of the feature ${feature}, which is not there`)
  return found
}

function newTally(entity: string | null, feature: string): Tally {
  return { entity, feature, lines: 0, remaining: ZERO, granted: ZERO, held: ZERO, faults: new Map() }
}

/** Only the first line that goes wrong in a way is told: after a wrong amount no running sum is right any more. */
function blame(tally: Tally, fault: Fault, sentence: string): void {
  const known = tally.faults.get(fault)
  if (known === undefined) tally.faults.set(fault, { sentence, more: 0 })
  else known.more += 1
}

function bucketsOf(holdings: Holdings): Map<string, Bucket> {
  const held = new Map<string, Bucket>()
  for (const balance of allBalances(holdings)) {
    const { uid, entity, feature, remaining, rollovers } = balance
    held.set(uid, { entity, feature, remaining, granted: grantedOf(balance), held: balance.held })
    for (const rollover of rollovers) {
      const name = nameOf(uid, rollover.uid)
      // Added up, so that one that stands there twice does not pass for one.
      const before = held.get(name) ?? { remaining: ZERO, granted: ZERO, held: ZERO }
      const granted = before.granted + rollover.remaining + rollover.used
      const sums = { remaining: before.remaining + rollover.remaining, held: before.held + rollover.held }
      held.set(name, { entity, feature, granted, ...sums })
    }
  }
  return held
}

function unlike(bucket: Bucket, { entity, feature, remaining, granted, held }: Tally): string[] {
  const found: string[] = []
  if (bucket.remaining !== remaining)
    found.push(`${formatAmount(bucket.remaining)} remains, and its lines sum to ${formatAmount(remaining)}`)
  if (bucket.granted !== granted)
    found.push(`${formatAmount(bucket.granted)} is granted, and its lines grant ${formatAmount(granted)}`)
  if (bucket.held !== held)
    found.push(`${formatAmount(bucket.held)} is held of it, and its lines hold ${formatAmount(held)}`)
  if (bucket.entity !== entity || bucket.feature !== feature)
    found.push(`is of ${ownerOf(bucket)}, and its first line of ${ownerOf({ entity, feature })}`)
  return found
}

/** A bucket that is gone was taken to nothing before. */
function goneWith({ remaining, granted, held }: Tally): string[] {
  if (held !== ZERO) return [`is gone, and by its lines ${formatAmount(held)} of it is held`]
  return remaining === ZERO && granted === ZERO ? [] : [`is gone, and by its lines holds ${of(remaining, granted)}`]
}

/** What is held of a bucket is what open locks hold of it, and of a balance's main amount that of its present period. */
function unlikeLocks(holdings: Holdings): string[] {
  const locked = new Map<string, Amount>()
  const found: string[] = []
  for (const lock of valuesOf(holdings.locks)) {
    found.push(...unlikeLines(lock))
    for (const { balance, rollover, line, ended } of lock.lines) {
      if (ended === 'gone' || (rollover === null && ended !== null)) continue
      const name = nameOf(balance, rollover)
      locked.set(name, line.amount + (locked.get(name) ?? ZERO))
    }
  }
  for (const [name, { held }] of bucketsOf(holdings)) {
    const ofLocks = locked.get(name) ?? ZERO
    if (held === ofLocks) continue
    found.push(`${name}: ${formatAmount(held)} is held of it, and open locks hold ${formatAmount(ofLocks)}`)
  }
  return found
}

/** Of units alone: what is held at a price is rounded, and what is given back is so only as far as it was used. */
function unlikeLines({ id, held, lines }: Lock): string[] {
  if (held <= ZERO || lines.some(({ line: { price } }) => price.cost !== price.per)) return []
  const sum = lines.reduce((all, { line }) => all + line.amount, ZERO)
  return sum === held ? [] : [`lock ${id} holds ${formatAmount(held)}, and its lines come to ${formatAmount(sum)}`]
}

/**
 * Fewer seats than entities may be taken, because a balance may go from under those who sit on it; never more, and none on
 * what belongs to an entity.
 */
function seatsTooMany(holdings: Holdings): string[] {
  const found: string[] = []
  const taken = new Map<string, number>()
  for (const { uid, entity, feature, seats } of allBalances(holdings)) {
    if (seats < 0 || (entity !== null && seats > 0))
      found.push(`${uid}: ${seats} seats of it are taken, which cannot be`)
    else taken.set(feature, seats + (taken.get(feature) ?? 0))
  }
  for (const [feature, seats] of taken) {
    const entities = entitiesCounted(holdings, feature)
    if (seats > entities) found.push(`${seats} seats of ${feature} are taken, and its entities number ${entities}`)
  }
  return found
}

function nameOf(balance: string, rollover: string | null): string {
  return rollover === null ? balance : `${balance} ${rollover}`
}

function ownerOf({ entity, feature }: { readonly entity: string | null; readonly feature: string }): string {
  return entity === null ? feature : `${feature} of ${entity}`
}

function of(remaining: Amount, granted: Amount): string {
  return `${formatAmount(remaining)} of ${formatAmount(granted)}`
}

function moreLines(more: number): string {
  return more === 0 ? '' : ` (the first of ${more + 1} such lines)`
}

import { type Amount, sum, ZERO } from './amount.ts'
import { type Attachment, isTrialing, unitsOf } from './attachment.ts'
import { balancesFrom } from './attachments.ts'
import { usedOf } from './balance.ts'
import { type Charge, chargesOf, cyclesLeft } from './charges.ts'
import type { Catalogue, Feature } from './feature.ts'
import { termsOf } from './find-plan.ts'
import { attachmentOf, attachmentsOf, type Holdings } from './holdings.ts'
import { costOf, type Fraction, inCents, times, WHOLE } from './item-cost.ts'
import type { Proration } from './item-price.ts'
import { Journal } from './ledger.ts'
import { changesBetween, type PlanChanges } from './plan-changes.ts'
import { endOfCycle, everyOf } from './plan-cycle.ts'
import { boundary, type Instant, periodAt } from './time.ts'
import { bringUpToDate } from './up-to-date.ts'

/** One sum that is due. Nothing is collected: whoever does collect is told what. */
export interface DueLine {
  readonly attachment: Attachment
  /** Null for the flat fee. */
  readonly feature: Feature | null
  readonly quantity: Amount
  /** In whole cents, rounded half-even; below zero for what is given back. */
  readonly amount: Amount
  /** What it is paid for; null for what is paid once. */
  readonly period: { readonly start: Instant; readonly end: Instant } | null
}

export interface Due {
  readonly changes: PlanChanges
  readonly now: readonly DueLine[]
  /** What the plans that change cost when their next cycle begins; null where nothing is paid again. */
  readonly next: NextCycle | null
}

export interface NextCycle {
  readonly startsAt: Instant
  readonly lines: readonly DueLine[]
  /** For what has been used beyond all grants by now. */
  readonly usage: readonly DueLine[]
}

/** How money follows a change of plans. */
export interface Settlement {
  /** What is due for a part of a cycle: at once, with the next cycle, or never. */
  readonly prorations: 'now' | 'next' | 'none'
  /** How much of what was paid for the present cycle is given back where a plan ends: for what is left of it, or all. */
  readonly refund: 'prorated' | 'full'
  /** Nothing is due at all: somebody else sees to it (`no_billing_changes`). */
  readonly nothing: boolean
}

interface Proratable extends DueLine {
  /** Whether it is for a part of a cycle, or gives something back. */
  readonly isProration: boolean
}

/**
 * What an action makes due, now and with the next cycle. Each line is in cents by itself, and a trial costs nothing until it
 * ends. Source: C 4.11, C142, C152, C160, C161, W8.
 * @param before brought up to `now`; @param after what the action made of it.
 */
export function dueFor(
  before: Holdings,
  after: Holdings,
  settlement: Settlement,
  catalogue: Catalogue,
  now: Instant,
): Due {
  const changes = changesBetween(before, after)
  if (settlement.nothing) return { changes, now: [], next: null }
  const ended = changes.outgoing.flatMap(({ attachment: { uid } }) => {
    const was = attachmentOf(before, uid)
    return was?.status === 'active' && attachmentOf(after, uid)?.status === 'ended' ? [was] : []
  })
  const begun = changes.incoming.flatMap(({ attachment }) =>
    attachment.status === 'active' && attachmentOf(before, attachment.uid) === undefined ? [attachment] : [],
  )
  const orders = changes.reordered.flatMap(([was, is]) => reordered(was, is, catalogue, now))
  const all: Proratable[] = [
    ...ended.flatMap((one) => givenBack(before, one, settlement, catalogue, now)),
    ...ended.flatMap((one) => usedUp(before, one, carriedTo(after, begun), catalogue, now)),
    ...begun.flatMap((one) => firstPayment(after, one, ended, catalogue, now)),
    ...orders.filter(({ when }) => when === 'now').map(({ line }) => line),
  ]
  const next = nextCycle(after, changes, catalogue, now)
  const put = [
    ...(settlement.prorations === 'next' ? all.filter(({ isProration }) => isProration) : []),
    ...(settlement.prorations === 'none' ? [] : orders.filter(({ when }) => when === 'next').map(({ line }) => line)),
  ]
  return {
    changes,
    now: all.filter(({ isProration }) => !isProration || settlement.prorations === 'now').map(bare),
    next: next === null ? null : { ...next, lines: [...put.map(bare), ...next.lines] },
  }
}

function bare({ isProration: _, ...line }: Proratable): DueLine {
  return line
}

/** What was paid in advance for the rest of the cycle. */
function givenBack(
  holdings: Holdings,
  attachment: Attachment,
  { refund }: Settlement,
  catalogue: Catalogue,
  now: Instant,
): Proratable[] {
  if (isTrialing(attachment, now)) return []
  return chargesOf(holdings, attachment, 'now', catalogue).flatMap((charge) => {
    const part = partOf(charge, now, now)
    if (charge.isForUse || part === null) return []
    return [lineFor(charge, refund === 'full' ? WHOLE : part, -1n, now, endOf(charge, now))]
  })
}

/** What was used beyond the grants of a plan that ends is due with its end, unless its successor takes it over (C142). */
function usedUp(
  holdings: Holdings,
  attachment: Attachment,
  carried: (charge: Charge) => boolean,
  catalogue: Catalogue,
  now: Instant,
): Proratable[] {
  if (isTrialing(attachment, now)) return []
  return chargesOf(holdings, attachment, 'now', catalogue)
    .filter((charge) => charge.isForUse && !carried(charge))
    .map((charge) => usageLine(charge, now))
}

/** Whether the use of the feature counts against balances of plans that begin: those have been used by nobody else yet. */
function carriedTo(after: Holdings, begun: readonly Attachment[]): (charge: Charge) => boolean {
  return ({ feature }) =>
    begun.some((one) =>
      balancesFrom(after, one).some((balance) => balance.feature === feature?.uid && usedOf(balance) > ZERO),
    )
}

/** What a plan that begins costs for its first cycle, or for the rest of one that it shares. */
function firstPayment(
  holdings: Holdings,
  attachment: Attachment,
  ended: readonly Attachment[],
  catalogue: Catalogue,
  now: Instant,
): Proratable[] {
  if (isTrialing(attachment, now)) return []
  const isSame = ended.some(({ planId, entity }) => planId === attachment.planId && entity === attachment.entity)
  const from = isSame ? now : attachment.startsAt
  return chargesOf(holdings, attachment, 'now', catalogue).flatMap((charge) => {
    if (charge.isForUse) return []
    // On other terms, the fee that was paid once is not due again.
    if (charge.period.interval === 'one_off' && charge.item === null && isSame) return []
    return [lineFor(charge, partOf(charge, from, now) ?? WHOLE, 1n, from, endOf(charge, now))]
  })
}

interface OrderLine {
  readonly when: 'now' | 'next' | 'never'
  readonly line: Proratable
}

/** What another quantity costs for the rest of the cycle: the old one is given back and the new one due, as the item says. */
function reordered(was: Attachment, is: Attachment, catalogue: Catalogue, now: Instant): OrderLine[] {
  if (is.status !== 'active' || isTrialing(is, now)) return []
  const lines: OrderLine[] = []
  for (const [i, { feature: uid, price }] of termsOf(is, catalogue).items.entries()) {
    const [had, has] = [unitsOf(was, i), unitsOf(is, i)]
    const feature = catalogue.byUid.get(uid)
    if (price === null || feature === undefined || had === has) continue
    const charge = (quantity: Amount) => ({
      ...{ attachment: is, item: i, feature, quantity, cost: costOf(price, quantity), period: price, isForUse: false },
    })
    if (price.interval === 'one_off') {
      // Units that were bought once are not given back.
      if (has > had) lines.push({ when: 'now', line: lineFor(charge(has - had), WHOLE, 1n, now, null) })
      continue
    }
    const when = has > had ? onIncrease(price.proration) : onDecrease(price.proration)
    for (const [quantity, sign] of [
      [had, -1n],
      [has, 1n],
    ] as const) {
      if (quantity === ZERO) continue
      const one = charge(quantity)
      const line = lineFor(one, partOf(one, now, now) ?? WHOLE, sign, now, endOf(one, now))
      lines.push({ when, line: { ...line, isProration: true } })
    }
  }
  return lines
}

function onIncrease(proration: Proration | null): OrderLine['when'] {
  switch (proration?.onIncrease) {
    case 'prorate_next_cycle':
      return 'next'
    case 'bill_next_cycle':
      return 'never'
    default:
      return 'now'
  }
}

/** A decrease is settled when an increase would be, or not at all (C161). */
function onDecrease(proration: Proration | null): OrderLine['when'] {
  if (proration === null) return 'now'
  if (proration.onDecrease === 'none' || proration.onDecrease === 'no_prorations') return 'never'
  return proration.onIncrease === 'prorate_immediately' || proration.onIncrease === 'bill_immediately' ? 'now' : 'next'
}

/** What the plans that come, or stay and change, cost at the next instant at which something of them is due. */
function nextCycle(
  after: Holdings,
  { incoming, outgoing }: PlanChanges,
  catalogue: Catalogue,
  now: Instant,
): NextCycle | null {
  const coming = incoming.map(({ attachment }) => attachment)
  const going = outgoing.flatMap(({ attachment, at }) =>
    at !== null && attachment.status === 'active' ? [attachment] : [],
  )
  const instants = [
    ...coming.flatMap((one) => turnsOf(one, catalogue, now)),
    ...going.flatMap(({ endsAt }) => endsAt ?? []),
  ]
  const startsAt = Math.min(...instants)
  const live = new Map([...coming, ...going].map((one) => [one.uid, one]))
  const usage = [...live.values()].flatMap((one) =>
    isTrialing(one, now) || one.status === 'scheduled'
      ? []
      : chargesOf(after, one, 'now', catalogue)
          .filter((charge) => charge.isForUse && (one.endsAt === startsAt || endOf(charge, now) === startsAt))
          .map((charge) => bare(usageLine(charge, now))),
  )
  if (startsAt > LAST_SEEN) return null
  // As it will be then, with what ends and begins until then.
  const then = bringUpToDate(after, startsAt, catalogue, new Journal(now, 'preview'))
  const lines = attachmentsOf(then)
    .filter(({ uid, status }) => status === 'active' && coming.some((one) => one.uid === uid))
    .flatMap((one) => linesAt(then, one, attachmentOf(after, one.uid)?.status === 'scheduled', catalogue, startsAt))
  return coming.length === 0 && usage.length === 0 ? null : { startsAt, lines, usage }
}

/** No preview looks beyond the year 9999: at the end of time there is no cycle that could begin. */
const LAST_SEEN: Instant = Date.UTC(9999, 0, 1)

/** When something of it may be due next. */
function turnsOf(attachment: Attachment, catalogue: Catalogue, now: Instant): Instant[] {
  const { status, startsAt, endsAt, trialEndsAt, anchor } = attachment
  if (status === 'scheduled') return [startsAt]
  const { price, items } = termsOf(attachment, catalogue)
  const turns = isTrialing(attachment, now)
    ? [attachment.trialEndsAt]
    : [price, ...items.map((item) => item.price)].flatMap((period) => {
        const every = period === null ? null : everyOf(period)
        return every === null ? [] : [endOfCycle(anchor, every, now)]
      })
  // What ends with its trial is never paid for; what was paid for ends with what it owes.
  return turns.filter((at) => endsAt === null || at < endsAt || (at === endsAt && endsAt !== trialEndsAt))
}

function linesAt(
  holdings: Holdings,
  attachment: Attachment,
  begins: boolean,
  catalogue: Catalogue,
  at: Instant,
): DueLine[] {
  if (isTrialing(attachment, at)) return []
  const whole = begins || attachment.trialEndsAt === at
  return chargesOf(holdings, attachment, 'next', catalogue).flatMap((charge) => {
    const every = everyOf(charge.period)
    const { anchor } = attachment
    const isDue =
      whole || (every !== null && at >= anchor && boundary(anchor, every, periodAt(anchor, every, at)) === at)
    if (charge.isForUse || !isDue) return []
    return [bare(lineFor(charge, partOf(charge, at, at) ?? WHOLE, 1n, at, endOf(charge, at)))]
  })
}

/** How many cycles of the charge are left, or null for what is paid once. */
function partOf({ attachment, period }: Charge, from: Instant, now: Instant): Fraction | null {
  const every = everyOf(period)
  return every === null ? null : cyclesLeft(attachment.anchor, every, from, now)
}

function endOf({ attachment, period }: Charge, now: Instant): Instant | null {
  const every = everyOf(period)
  return every === null ? null : endOfCycle(attachment.anchor, every, now)
}

function lineFor(charge: Charge, part: Fraction, sign: 1n | -1n, start: Instant, end: Instant | null): Proratable {
  const { attachment, feature, quantity, cost } = charge
  const period = end === null ? null : { start, end }
  const amount = sign * inCents(times(cost, part))
  return {
    attachment,
    feature,
    quantity,
    amount,
    period,
    isProration: sign < 0n || part.numerator !== part.denominator,
  }
}

function usageLine(charge: Charge, now: Instant): Proratable {
  return { ...lineFor(charge, WHOLE, 1n, now, null), isProration: false }
}

export function totalOf(lines: readonly DueLine[]): Amount {
  return sum(lines.map(({ amount }) => amount))
}

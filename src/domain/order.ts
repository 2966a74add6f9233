import { type Amount, smaller, sum, ZERO } from './amount.ts'
import { type Attachment, unitsOf, withQuantity } from './attachment.ts'
import { balancesFrom } from './attachments.ts'
import type { Balance, Source } from './balance.ts'
import { openTopUp, ownersOf } from './begin.ts'
import { applyMoves, deduct, owedForUse, USING } from './deduction.ts'
import type { Catalogue } from './feature.ts'
import { termsOf } from './find-plan.ts'
import { belongingTo, type Holdings, withAttachment, withBalances } from './holdings.ts'
import type { ItemPrice } from './item-price.ts'
import type { Journal } from './ledger.ts'
import type { PlanItem } from './plan.ts'
import { endOfCycle, everyOf } from './plan-cycle.ts'
import { PAR } from './price.ts'
import { inPacks, type Order, tooMuch } from './quantities.ts'
import { redistribute, settleRedistribution } from './redistribution.ts'
import { isRefusal, type Refusal, refuse } from './refusal.ts'
import { isSlice } from './slices.ts'
import type { Instant } from './time.ts'
import { exceptSlices } from './within.ts'

/**
 * Changes what is ordered of prepaid items. More is there at once; less is gone at once, or with the next reset where the item
 * says that a decrease costs nothing back. Source: C159-C162, W22, W23. Refusal: `invalid_request` (more than may be bought).
 * @param recalculate whether debts are set off against what is left of the feature.
 */
export function order(
  holdings: Holdings,
  target: Attachment,
  orders: readonly Order[],
  recalculate: boolean,
  catalogue: Catalogue,
  journal: Journal,
): Holdings | Refusal {
  const { items } = termsOf(target, catalogue)
  let current = holdings
  let attachment = target
  for (const { featureId, quantity } of orders) {
    const feature = catalogue.byId.get(featureId)
    const index = items.findIndex((item) => item.feature === feature?.uid && isSoldAgain(item))
    const item = items[index]
    if (feature === undefined || item?.price == null) continue
    const units = inPacks(quantity - item.included, item.price)
    const problem = tooMuch(featureId, units, item.price)
    if (problem !== null) return problem
    const waits = ['none', 'no_prorations'].includes(item.price.proration?.onDecrease ?? '')
    const balances = balancesFrom(current, attachment).filter(({ source }) => source?.item === index)
    const had = balances[0]?.source?.prepaid ?? unitsOf(attachment, index)
    const nextAt = waits && units < had ? nextFrom(attachment, balances[0], item.price, journal.at) : null
    const later = nextAt !== null
    current = withBalances(
      current,
      balances.map((balance) => ordered(balance, later ? had : units, later ? units : null, journal)),
    )
    attachment = withQuantity(
      attachment,
      later ? { item: index, units: had, next: units, nextAt } : { item: index, units, next: null, nextAt },
    )
    current = withAttachment(current, attachment)
    if (!recalculate) continue
    const found = redistribute(current, attachment.entity, feature, {})
    if (!isRefusal(found)) current = settleRedistribution(current, found, journal)
  }
  return current
}

/**
 * Adds units to an item that is paid once. What is owed of the feature is paid off first. Refusal: `invalid_request`.
 * Source: C163.
 * @param withMore whether the request asks for something else, too.
 */
export function topUp(
  holdings: Holdings,
  target: Attachment,
  orders: readonly Order[],
  withMore: boolean,
  catalogue: Catalogue,
  journal: Journal,
): Holdings | Refusal {
  const [only, another] = orders
  if (only === undefined || another !== undefined || withMore)
    return refuse(
      'invalid_request',
      'feature_quantities: a top-up is of one feature, and nothing else is changed with it',
    )
  if (target.status !== 'active')
    return refuse('invalid_request', 'feature_quantities: a plan that has not begun cannot be topped up')
  const feature = catalogue.byId.get(only.featureId)
  const { items } = termsOf(target, catalogue)
  const index = items.findIndex((item) => item.feature === feature?.uid && item.price?.method === 'prepaid')
  const item = items[index]
  if (feature === undefined || item?.price == null) return holdings
  const units = inPacks(only.quantity, item.price)
  if (units === ZERO) return holdings
  const already = unitsOf(target, index)
  const problem = tooMuch(only.featureId, already + units, item.price)
  if (problem !== null) return problem
  const attachment = withQuantity(target, { item: index, units: already + units, next: null, nextAt: null })
  let current = withAttachment(holdings, attachment)
  const owned = balancesFrom(current, attachment).filter(({ source }) => source?.item === index)
  // Of an item that each entity has for itself each gets as much.
  for (const owner of ownersOf(current, attachment, item)) {
    const found = owned.find(({ entity }) => entity === owner)
    const bought =
      found === undefined || item.expiry !== null
        ? openTopUp(attachment, index, feature, owner, units, catalogue, journal)
        : ordered(found, (found.source?.prepaid ?? ZERO) + units, null, journal)
    current = withBalances(current, [bought])
    current = withBalances(current, repaid(current, bought, units, journal))
  }
  return current
}

/** Debts of the feature are paid with what was bought, as far as it goes; not those that locks may give back. */
function repaid(holdings: Holdings, bought: Balance, units: Amount, journal: Journal): Balance[] {
  const { entity, feature } = bought
  const payable = isSlice(bought) ? belongingTo(holdings, entity, feature) : exceptSlices(holdings, entity, feature)
  const owing = payable.filter((one) => one.uid !== bought.uid && one.terms.kind === 'finite' && owedForUse(one) > ZERO)
  const debt = smaller(sum(owing.map(owedForUse)), smaller(units, bought.remaining))
  if (debt <= ZERO) return []
  const candidates = (balances: readonly Balance[]) => balances.map((balance) => ({ balance, rate: PAR, mayOwe: ZERO }))
  return [
    ...applyMoves(deduct(candidates(owing), -debt, 'cap').moves, USING, journal),
    ...applyMoves(deduct(candidates([bought]), debt, 'cap').moves, USING, journal),
  ]
}

/**
 * What was ordered for later is what is ordered now. A balance that resets is granted it at that reset; any other has it from
 * here on, such as seats from the next cycle on (W22).
 */
export function orderDue(holdings: Holdings, attachment: Attachment, journal: Journal): Holdings {
  let [current, changed] = [holdings, attachment]
  for (const { item, next, nextAt } of attachment.quantities) {
    if (next === null || nextAt === null || nextAt > journal.at) continue
    const balances = balancesFrom(current, attachment).filter(
      ({ source, reset }) => source?.item === item && reset === null,
    )
    current = withBalances(
      current,
      balances.map((balance) => ordered(balance, next, null, journal)),
    )
    changed = withQuantity(changed, { item, units: next, next: null, nextAt: null })
  }
  return withAttachment(current, changed)
}

/** When less than is ordered takes effect; null where nothing is renewed or paid for again, or has begun. */
function nextFrom(
  { status, anchor }: Attachment,
  balance: Balance | undefined,
  price: ItemPrice,
  now: Instant,
): Instant | null {
  if (status !== 'active') return null
  if (balance !== undefined && balance.reset !== null) return balance.reset.nextAt
  const every = everyOf(price)
  return every === null ? null : endOfCycle(anchor, every, now)
}

/** The balance with so many units bought in advance, and so many from the next reset on. */
function ordered(balance: Balance, units: Amount, next: Amount | null, journal: Journal): Balance {
  const { source, terms } = balance
  if (source === null || terms.kind !== 'finite') return balance
  const change = units - source.prepaid
  const remaining = balance.remaining + change
  const kind = change > ZERO ? 'grant' : 'adjust'
  journal.post(kind, balance, null, { amount: change, granted: change, after: remaining, permit: 'adjust' })
  const after: Source = { ...source, prepaid: units, nextPrepaid: next }
  return { ...balance, remaining, terms: { kind: 'finite', allowance: terms.allowance + change }, source: after }
}

function isSoldAgain({ price }: PlanItem): boolean {
  return price?.method === 'prepaid'
}

import { type Amount, atLeastZero, ZERO } from './amount.ts'
import { type Balance, heldOf, includedOf, owedOf, rolledOver, usedOf } from './balance.ts'
import type { EntityHoldings, Holdings } from './holdings.ts'
import { isSlice, itemIdOf, itemOrder } from './slices.ts'
import { type Purchases, purchasesAt, type RolloverLine, soonestFirst } from './summary.ts'
import type { Instant } from './time.ts'
import { Fold } from './tree.ts'

/**
 * An item of the customer's plan that each of its entities has for itself, all slices added up: the customer spends them as
 * its own, which it does with nothing else that belongs to an entity. Source: B33-B37, R82.
 */
export interface SlicedItem {
  /** What the item is called where all of it is shown as one: the slices' ids without the entity's part. */
  readonly id: string
  /** The oldest. What all slices have in common is taken from it. */
  readonly first: Balance
  readonly count: number
  readonly included: Amount
  readonly prepaid: Amount
  /** Rollovers apart; a slice that owes counts as nothing (B35, B54). */
  readonly remaining: Amount
  readonly owed: Amount
  readonly usage: Amount
  readonly held: Amount
  /** Infinity where nothing resets. */
  readonly nextResetAt: Instant
  /** The earliest one; Infinity where nothing expires. */
  readonly expiresAt: Instant
  /** Those of all slices that expire together are one; soonest expiry first. */
  readonly rollovers: readonly RolloverLine[]
  readonly rolledOver: Amount
}

type ItemsById = ReadonlyMap<string, SlicedItem>

const NOTHING: ReadonlyMap<string, ItemsById> = new Map()
const NO_ITEMS: readonly SlicedItem[] = []

/** By the feature's internal id. */
const ITEMS = new Fold<EntityHoldings, ReadonlyMap<string, ItemsById>>(
  NOTHING,
  ({ balances }) => {
    let items = NOTHING
    for (const [feature, list] of balances)
      for (const balance of list)
        if (isSlice(balance)) items = both(items, new Map([[feature, new Map([[itemIdOf(balance), alone(balance)]])]]))
    return items
  },
  both,
)

function both(a: ReadonlyMap<string, ItemsById>, b: ReadonlyMap<string, ItemsById>): ReadonlyMap<string, ItemsById> {
  return merged(a, b, (one, other) => merged(one, other, added))
}

function merged<V>(
  a: ReadonlyMap<string, V>,
  b: ReadonlyMap<string, V>,
  and: (one: V, other: V) => V,
): ReadonlyMap<string, V> {
  if (a.size === 0 || b.size === 0) return a.size === 0 ? b : a
  const all = new Map(a)
  for (const [key, value] of b) {
    const before = all.get(key)
    all.set(key, before === undefined ? value : and(before, value))
  }
  return all
}

function alone(balance: Balance): SlicedItem {
  return {
    id: itemIdOf(balance),
    first: balance,
    count: 1,
    included: includedOf(balance),
    prepaid: balance.source?.prepaid ?? ZERO,
    remaining: balance.terms.kind === 'unlimited' ? ZERO : atLeastZero(balance.remaining),
    owed: owedOf(balance),
    usage: usedOf(balance),
    held: heldOf(balance),
    nextResetAt: balance.reset?.nextAt ?? Number.POSITIVE_INFINITY,
    expiresAt: balance.expiresAt ?? Number.POSITIVE_INFINITY,
    rollovers: balance.rollovers.map(({ remaining, used, expiresAt }) => ({
      granted: remaining + used,
      remaining,
      expiresAt,
    })),
    rolledOver: rolledOver(balance),
  }
}

function added(a: SlicedItem, b: SlicedItem): SlicedItem {
  return {
    id: a.id,
    first: isOlder(a.first, b.first) ? a.first : b.first,
    count: a.count + b.count,
    included: a.included + b.included,
    prepaid: a.prepaid + b.prepaid,
    remaining: a.remaining + b.remaining,
    owed: a.owed + b.owed,
    usage: a.usage + b.usage,
    held: a.held + b.held,
    nextResetAt: Math.min(a.nextResetAt, b.nextResetAt),
    expiresAt: Math.min(a.expiresAt, b.expiresAt),
    rollovers: rolloversOf(a.rollovers, b.rollovers),
    rolledOver: a.rolledOver + b.rolledOver,
  }
}

function isOlder(a: Balance, b: Balance): boolean {
  return a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.uid < b.uid)
}

function rolloversOf(a: readonly RolloverLine[], b: readonly RolloverLine[]): readonly RolloverLine[] {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a
  const byExpiry = new Map(a.map((line) => [line.expiresAt, line]))
  for (const { granted, remaining, expiresAt } of b) {
    const before = byExpiry.get(expiresAt)
    byExpiry.set(expiresAt, {
      granted: granted + (before?.granted ?? ZERO),
      remaining: remaining + (before?.remaining ?? ZERO),
      expiresAt,
    })
  }
  return [...byExpiry.values()].sort(soonestFirst)
}

/** The items of a feature that a customer's entities have for themselves, in consumption order. Walks no slices. */
export function slicedItems({ entities }: Holdings, feature: string): readonly SlicedItem[] {
  if (entities.byUid === null) return NO_ITEMS
  const items = ITEMS.over(entities.byUid).get(feature)
  if (items === undefined) return NO_ITEMS
  const known = sorted.get(items)
  if (known !== undefined) return known
  const inOrder = [...items.values()].sort((a, b) => itemOrder(asOne(a), asOne(b)))
  sorted.set(items, inOrder)
  return inOrder
}

/** The same list as long as no slice changes, because summaries are remembered by it. */
const sorted = new WeakMap<ItemsById, readonly SlicedItem[]>()

function asOne({ first, expiresAt }: SlicedItem): Balance {
  return { ...first, expiresAt: expiresAt === Number.POSITIVE_INFINITY ? null : expiresAt }
}

/** Of all features. */
export function allSlicedItems({ entities }: Holdings): readonly SlicedItem[] {
  return [...ITEMS.over(entities.byUid).values()].flatMap((items) => [...items.values()])
}

/** What may be bought or owed of all slices; null where nothing is priced. */
export function purchasesOf({ first, count }: SlicedItem): Purchases | null {
  const price = first.source === null ? null : first.source.price
  if (price === null) return null
  const { overageAllowed, most } = purchasesAt(price)
  return { overageAllowed, most: most === null ? null : most * BigInt(count) }
}

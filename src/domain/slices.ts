import { type Balance, termsOrder } from './balance.ts'
import type { Entity } from './entity.ts'
import { Fold, get, type Tree, valuesOf } from './tree.ts'

/**
 * A plan may give an item for each entity. Each of them then has a slice of it, a balance of its own, and the customer sees and
 * spends all of them after its own balances (R82, R97, B52, B56).
 */

/** An entity with the balances that are its own. */
interface Owner {
  readonly entity: Entity
  readonly balances: ReadonlyMap<string, readonly Balance[]>
}

interface Owners {
  readonly byUid: Tree<Owner>
  /** By the callers' ids. */
  readonly uids: Tree<string>
}

/** Whether any entity has a slice of a feature. */
export function isSliced({ byUid }: Owners, feature: string): boolean {
  return SLICED.over(byUid).has(feature)
}

/** All slices of a feature, item by item, each in the order of the entities' ids (R97). */
export function slicesOf(owners: Owners, feature: string): readonly Balance[] {
  const slices: Balance[] = []
  for (const uid of byName(owners))
    for (const balance of get(owners.byUid, uid)?.balances.get(feature) ?? NONE)
      if (isSlice(balance)) slices.push(balance)
  return itemByItem(slices, (slice) => slice)
}

/** All slices of all features, in no particular order. */
export function* allSlices({ byUid }: Owners): Generator<Balance> {
  if (SLICED.over(byUid).size === 0) return
  for (const { balances } of valuesOf(byUid)) for (const list of balances.values()) yield* list.filter(isSlice)
}

/** The internal ids of entities in order of the callers' ids. Those change less often than what the entities have. */
function byName({ byUid, uids }: Owners): readonly string[] {
  if (uids === null) return []
  const known = names.get(uids)
  if (known !== undefined) return known
  const sorted = [...valuesOf(byUid)]
    .map(({ entity: { uid, id } }) => ({ uid, name: id ?? uid }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ uid }) => uid)
  names.set(uids, sorted)
  return sorted
}

const names = new WeakMap<object, readonly string[]>()

export function isSlice({ source }: Balance): boolean {
  return source?.slice === true
}

/** Whether both are of one item of one attachment. */
export function isSameItem(a: Balance, b: Balance): boolean {
  return a.source?.attachment === b.source?.attachment && a.source?.item === b.source?.item
}

/** What an item is called where all slices of it are shown as one: their internal ids without the entity's part. */
export function itemIdOf({ uid, source }: Balance): string {
  return source === null ? uid : `cus_ent_${source.attachment.slice('cus_prod_'.length)}_${source.item}`
}

/** Puts slices that stand item by item already, or in the order of their entities, into the order of their items. */
export function itemByItem<T>(all: readonly T[], sliceIn: (one: T) => Balance): readonly T[] {
  const [first] = all
  // Nearly always there is one item of a feature, and slices may be many.
  if (first === undefined || all.every((one) => isSameItem(sliceIn(first), sliceIn(one)))) return all
  return [...Map.groupBy(all, (one) => itemIdOf(sliceIn(one))).values()]
    .map((group) => ({ group, first: group.map(sliceIn).reduce(asItem) }))
    .sort((a, b) => itemOrder(a.first, b.first))
    .flatMap(({ group }) => group)
}

/** An item expires, as far as its place goes, with the first of its slices. */
function asItem(item: Balance, slice: Balance): Balance {
  if (slice.expiresAt === null || (item.expiresAt !== null && item.expiresAt <= slice.expiresAt)) return item
  return { ...item, expiresAt: slice.expiresAt }
}

/** As `consumptionOrder`, for items: of like ones the one that was attached first. @param a with the item's expiry. */
export function itemOrder(a: Balance, b: Balance): number {
  const inTerms = termsOrder(a, b)
  if (inTerms !== 0 || a.source === null || b.source === null) return inTerms
  if (a.source.attachment !== b.source.attachment) return a.source.attachment < b.source.attachment ? -1 : 1
  return a.source.item - b.source.item
}

const NONE: readonly Balance[] = []
const NO_FEATURES: ReadonlySet<string> = new Set()

/** The features of which some entity has a slice: nearly always none. */
const SLICED = new Fold<Owner, ReadonlySet<string>>(
  NO_FEATURES,
  ({ balances }) => {
    let sliced: Set<string> | null = null
    for (const [feature, list] of balances) if (list.some(isSlice)) sliced = (sliced ?? new Set()).add(feature)
    return sliced ?? NO_FEATURES
  },
  (a, b) => {
    if (a.size === 0 || b.size === 0) return a.size === 0 ? b : a
    return [...b].every((feature) => a.has(feature)) ? a : new Set([...a, ...b])
  },
)

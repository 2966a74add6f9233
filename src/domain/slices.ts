import { type Balance, termsOrder } from './balance.ts'
import type { Entity } from './entity.ts'
import { Fold, type Tree, valuesOf } from './tree.ts'

/**
 * A plan may give an item for each entity. Each of them then has a slice of it, a balance of its own, and the customer sees and
 * spends all of them after its own balances (R82, R97, B52, B56).
 */

/** An entity with the balances that are its own. */
interface Owner {
  readonly entity: Entity
  readonly balances: ReadonlyMap<string, readonly Balance[]>
}

/** Whether any entity has a slice of a feature. */
export function isSliced(entities: Tree<Owner>, feature: string): boolean {
  return SLICED.over(entities).has(feature)
}

/** All slices of a feature, item by item, each in the order of the entities' ids. */
export function slicesOf(entities: Tree<Owner>, feature: string): readonly Balance[] {
  return inOrder(entities, ({ balances }) => balances.get(feature) ?? NONE)
}

/** All slices of all features. */
export function allSlices(entities: Tree<Owner>): readonly Balance[] {
  return SLICED.over(entities).size === 0 ? NONE : inOrder(entities, ({ balances }) => [...balances.values()].flat())
}

function inOrder(entities: Tree<Owner>, ofEach: (owner: Owner) => readonly Balance[]): readonly Balance[] {
  const found: { readonly name: string; readonly slice: Balance }[] = []
  for (const owner of valuesOf(entities)) {
    const { uid, id } = owner.entity
    for (const balance of ofEach(owner)) if (isSlice(balance)) found.push({ name: id ?? uid, slice: balance })
  }
  return found.sort((a, b) => itemOrder(a.slice, b.slice) || (a.name < b.name ? -1 : 1)).map(({ slice }) => slice)
}

export function isSlice({ source }: Balance): boolean {
  return source?.slice === true
}

/** Whether both are of one item of one attachment. */
export function isSameItem(a: Balance, b: Balance): boolean {
  return a.source?.attachment === b.source?.attachment && a.source?.item === b.source?.item
}

/** Without what makes slices of one item differ. */
function itemOrder(a: Balance, b: Balance): number {
  const inTerms = termsOrder(a, b)
  if (inTerms !== 0 || a.source === null || b.source === null || isSameItem(a, b)) return inTerms
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

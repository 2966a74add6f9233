/**
 * A map from texts to values that is never changed: a changed one shares all but a few nodes with the one before. One entry
 * of ten thousand is replaced in a few steps, what differs between two maps is found without looking at what they share,
 * and what was worked out for a node (`Fold`) stays known for every map that still has the node.
 */
export type Tree<V> = Branch<V> | Leaf<V> | null

interface Branch<V> {
  readonly kind: 'branch'
  readonly slots: readonly Tree<V>[]
}

/** All entries whose keys have one hash, in order of the keys: nearly always a single one. */
interface Leaf<V> {
  readonly kind: 'leaf'
  readonly hash: number
  readonly entries: readonly (readonly [key: string, value: V])[]
}

const BITS = 5
const WIDTH = 1 << BITS

export function get<V>(tree: Tree<V>, key: string): V | undefined {
  let node = tree
  for (let hash = hashOf(key); node !== null; hash >>>= BITS) {
    if (node.kind === 'leaf') return node.entries.find(([other]) => other === key)?.[1]
    node = node.slots[hash & (WIDTH - 1)] ?? null
  }
  return undefined
}

/** As setting one after the other, but with nothing copied: nobody has seen the nodes yet. */
export function treeOf<V>(entries: Iterable<readonly [string, V]>): Tree<V> {
  let tree: Tree<V> = null
  for (const [key, value] of entries) tree = put(tree, key, value, hashOf(key), 0, placeAt)
  return tree
}

export function set<V>(tree: Tree<V>, key: string, value: V): Tree<V> {
  return put(tree, key, value, hashOf(key), 0, withAt)
}

/** Puts a node into a slot of a branch: of the branch itself, or of a copy. */
type Placing = <V>(branch: Branch<V>, slot: number, node: Tree<V>) => Branch<V>

function withAt<V>(branch: Branch<V>, slot: number, node: Tree<V>): Branch<V> {
  return { kind: 'branch', slots: branch.slots.with(slot, node) }
}

function placeAt<V>(branch: Branch<V>, slot: number, node: Tree<V>): Branch<V> {
  ;(branch.slots as Tree<V>[])[slot] = node
  return branch
}

function put<V>(node: Tree<V>, key: string, value: V, hash: number, depth: number, place: Placing): Tree<V> {
  if (node === null) return { kind: 'leaf', hash, entries: [[key, value]] }
  if (node.kind === 'leaf') {
    if (node.hash === hash) return { ...node, entries: inOrder([...otherThan(node, key), [key, value]]) }
    const slots = new Array<Tree<V>>(WIDTH).fill(null)
    slots[slotAt(node.hash, depth)] = node
    return put({ kind: 'branch', slots }, key, value, hash, depth, placeAt)
  }
  const slot = slotAt(hash, depth)
  return place(node, slot, put(node.slots[slot] ?? null, key, value, hash, depth + 1, place))
}

/** Keys that share a hash stand in order, so that one set of keys has one order however it came about. */
function inOrder<V>(entries: (readonly [string, V])[]): Leaf<V>['entries'] {
  return entries.length === 1 ? entries : entries.sort(([a], [b]) => (a < b ? -1 : 1))
}

function otherThan<V>({ entries }: Leaf<V>, key: string): Leaf<V>['entries'] {
  return entries.filter(([other]) => other !== key)
}

export function without<V>(tree: Tree<V>, key: string): Tree<V> {
  return cut(tree, key, hashOf(key), 0)
}

function cut<V>(node: Tree<V>, key: string, hash: number, depth: number): Tree<V> {
  if (node === null) return null
  if (node.kind === 'leaf') {
    const entries = otherThan(node, key)
    if (entries.length === node.entries.length) return node
    return entries.length === 0 ? null : { ...node, entries }
  }
  const slot = slotAt(hash, depth)
  const before = node.slots[slot] ?? null
  const after = cut(before, key, hash, depth + 1)
  if (after === before) return node
  const slots = node.slots.with(slot, after)
  return slots.every((one) => one === null) ? null : { kind: 'branch', slots }
}

/** In no particular order, which is the same for every map with the same keys. */
export function* valuesOf<V>(tree: Tree<V>): Generator<V> {
  if (tree === null) return
  if (tree.kind === 'leaf') for (const [, value] of tree.entries) yield value
  else for (const node of tree.slots) yield* valuesOf(node)
}

/** Values that stand under the same key in both maps but are not the same object, and those that only one of them has. */
export function* changesBetween<V>(
  before: Tree<V>,
  after: Tree<V>,
): Generator<[before: V | undefined, after: V | undefined]> {
  if (before === after) return
  if (before?.kind === 'branch' && after?.kind === 'branch') {
    for (const [slot, node] of after.slots.entries()) yield* changesBetween(before.slots[slot] ?? null, node)
    return
  }
  const [old, now] = [entriesOf(before), entriesOf(after)]
  for (const [key, value] of now) if (old.get(key) !== value) yield [old.get(key), value]
  for (const [key, value] of old) if (!now.has(key)) yield [value, undefined]
}

function entriesOf<V>(tree: Tree<V>): Map<string, V> {
  if (tree === null) return new Map()
  if (tree.kind === 'leaf') return new Map(tree.entries)
  return new Map(tree.slots.flatMap((node) => [...entriesOf(node)]))
}

/**
 * Something that all values of a map come to together, worked out once per branch: to remember it of each leaf as well took
 * longer than to work it out again. `and` must not depend on the order.
 */
export class Fold<V, R> {
  readonly #known = new WeakMap<object, R>()
  readonly #nothing: R
  readonly #of: (value: V) => R
  readonly #and: (a: R, b: R) => R

  constructor(nothing: R, of: (value: V) => R, and: (a: R, b: R) => R) {
    this.#nothing = nothing
    this.#of = of
    this.#and = and
  }

  over(tree: Tree<V>): R {
    if (tree === null) return this.#nothing
    if (tree.kind === 'leaf')
      return tree.entries.reduce((sum, [, value]) => this.#and(sum, this.#of(value)), this.#nothing)
    const known = this.#known.get(tree)
    if (known !== undefined) return known
    let result = this.#nothing
    for (const node of tree.slots) if (node !== null) result = this.#and(result, this.over(node))
    this.#known.set(tree, result)
    return result
  }
}

function slotAt(hash: number, depth: number): number {
  return (hash >>> (BITS * depth)) & (WIDTH - 1)
}

/** 32 bits that depend on every character (FNV-1a), so that ids with a common beginning spread. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  // FNV leaves its low bits weak for short texts, and the first level of the tree is made of them.
  return (hash ^ (hash >>> 15)) >>> 0
}

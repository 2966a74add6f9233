import type { Balance } from './balance.ts'
import { balancesOf, belongingTo, type Holdings, ownBalances } from './holdings.ts'
import { allSlices, isSliced, slicesOf } from './slices.ts'

/** Which balances a subject sees and spends. */

/**
 * The balances of a feature that a subject sees and spends, in consumption order: an entity's own before those that it
 * inherits from its customer, which it shares with all other entities.
 * @param entity internal id, or null for the customer itself, which does not spend what belongs to its entities but for their
 * slices of its own items, which come after its own balances.
 * Source: B49, B51, B56, R82, R84 key 1, R97.
 */
export function within(holdings: Holdings, entity: string | null, feature: string): readonly Balance[] {
  if (entity === null) return withSlices(holdings, feature)
  const own = belongingTo(holdings, entity, feature)
  return holdings.customer.sharesWithEntities ? joined(own, balancesOf(holdings, feature)) : own
}

/** As `within`, without the slices that a customer's entities have. */
export function exceptSlices(holdings: Holdings, entity: string | null, feature: string): readonly Balance[] {
  return entity === null ? balancesOf(holdings, feature) : within(holdings, entity, feature)
}

/** The same list as long as the customer's own and all entities are the same. */
function withSlices(holdings: Holdings, feature: string): readonly Balance[] {
  const own = balancesOf(holdings, feature)
  const { byUid } = holdings.entities
  if (byUid === null || !isSliced(holdings.entities, feature)) return own
  const known = sliced.get(byUid) ?? new Map<string, { own: readonly Balance[]; all: readonly Balance[] }>()
  sliced.set(byUid, known)
  const before = known.get(feature)
  if (before?.own === own) return before.all
  const all = unlimitedFirst([...own, ...slicesOf(holdings.entities, feature)])
  known.set(feature, { own, all })
  return all
}

const sliced = new WeakMap<object, Map<string, { own: readonly Balance[]; all: readonly Balance[] }>>()

/** One without limit absorbs everything, whoever's it is (R88). */
function unlimitedFirst(balances: Balance[]): readonly Balance[] {
  return balances.sort((a, b) => Number(isUnlimited(b)) - Number(isUnlimited(a)))
}

/** Everything that a subject may draw from, in any order: of a customer also the slices of its entities. */
export function* allWithin(holdings: Holdings, entity: string | null): Generator<Balance> {
  yield* ownBalances(holdings, null)
  if (entity === null) yield* allSlices(holdings.entities)
  else yield* ownBalances(holdings, entity)
}

/** The same list as long as both parts are the same, because summaries are remembered by the list. */
function joined(own: readonly Balance[], shared: readonly Balance[]): readonly Balance[] {
  if (own.length === 0) return shared
  if (shared.length === 0) return own
  const known = joins.get(own)
  if (known?.shared === shared) return known.both
  const both = unlimitedFirst([...own, ...shared])
  joins.set(own, { shared, both })
  return both
}

function isUnlimited({ terms }: Balance): boolean {
  return terms.kind === 'unlimited'
}

const joins = new WeakMap<
  readonly Balance[],
  { readonly shared: readonly Balance[]; readonly both: readonly Balance[] }
>()

import type { Amount } from './amount.ts'
import { assert } from './assert.ts'
import type { Attachment } from './attachment.ts'
import { type Balance, consumptionOrder, dueAt } from './balance.ts'
import type { Customer } from './customer.ts'
import type { Entity } from './entity.ts'
import type { Journal } from './ledger.ts'
import { endOf, following, type Lock, type Passage } from './lock.ts'
import { advance } from './reset.ts'
import type { Instant } from './time.ts'
import { Fold, get, set, type Tree, treeOf, valuesOf, without } from './tree.ts'

/** Everything one customer has, loaded together. Immutable; a change copies what belongs to one feature of one owner. */
export interface Holdings {
  readonly customer: Customer
  /** The customer's own, those of its entities apart. */
  readonly balances: Shelf
  readonly entities: Entities
  /** What was given back of usage events, line by line of their deductions, by the event's id. */
  readonly refunds: ReadonlyMap<string, readonly Amount[]>
  /** Open ones, by the caller's id. */
  readonly locks: Tree<Lock>
  /** Plans that it and its entities have, will have or had, by internal id. */
  readonly attachments: Tree<Attachment>
  /** No boundary, expiry, lapse, beginning or end of a plan lies before this instant; until then nothing has to be brought up to date. */
  readonly dueAt: Instant
  /** The latest instant that a saved change carries. Time never runs backwards for a customer, whatever a clock says. */
  readonly latest: Instant
  /** How many ledger postings the customer has; the next one gets this number. */
  readonly postings: number
}

/** Balances by the feature's internal id, each list in consumption order and never empty. */
export type Shelf = ReadonlyMap<string, readonly Balance[]>

/** One entity with the balances that are its own. */
export interface EntityHoldings {
  readonly entity: Entity
  readonly balances: Shelf
  readonly dueAt: Instant
}

/** A customer may have tens of thousands, so they stand in trees. */
export interface Entities {
  readonly byUid: Tree<EntityHoldings>
  /** Internal ids by the caller's id; the one that has none stands under the empty text. */
  readonly uids: Tree<string>
}

const NONE: readonly Balance[] = []
const EMPTY: Shelf = new Map()
const NO_REFUNDS: ReadonlyMap<string, readonly Amount[]> = new Map()

/** @param balances of the customer and its entities, in any order: deductions never depend on the order in which rows were loaded (law 7). */
export function holdingsOf(
  customer: Customer,
  entities: readonly Entity[],
  balances: readonly Balance[],
  latest: Instant,
  postings: number,
  refunds: ReadonlyMap<string, readonly Amount[]> = NO_REFUNDS,
  locks: readonly Lock[] = [],
  attached: readonly Attachment[] = [],
): Holdings {
  const owners = Map.groupBy(balances, ({ entity }) => entity)
  const own = shelfOf(owners.get(null) ?? [])
  const all: Entities = {
    byUid: treeOf(
      entities.map((entity) => {
        const shelf = shelfOf(owners.get(entity.uid) ?? [])
        return [entity.uid, { entity, balances: shelf, dueAt: earliest(shelf) }]
      }),
    ),
    uids: treeOf(entities.map(({ uid, id }) => [id ?? '', uid])),
  }
  const open = treeOf(locks.map((lock) => [lock.id, lock]))
  const attachments = treeOf(attached.map((one) => [one.uid, one]))
  const due = Math.min(earliest(own), DUE.over(all.byUid), LAPSES.over(open), TURNS.over(attachments))
  return { customer, balances: own, entities: all, refunds, locks: open, attachments, dueAt: due, latest, postings }
}

/** The customer's own balances of a feature. */
export function balancesOf(holdings: Holdings, feature: string): readonly Balance[] {
  return holdings.balances.get(feature) ?? NONE
}

/** What belongs of a feature to an entity, or for null to the customer itself. */
export function belongingTo(holdings: Holdings, entity: string | null, feature: string): readonly Balance[] {
  return entity === null ? balancesOf(holdings, feature) : ownOf(holdings, entity, feature)
}

/** Everything that is an entity's own, or the customer's own for null. */
export function ownBalances(holdings: Holdings, entity: string | null): Balance[] {
  const shelf = entity === null ? holdings.balances : (get(holdings.entities.byUid, entity)?.balances ?? EMPTY)
  return [...shelf.values()].flat()
}

/** What an entity has of a feature apart from what it inherits. */
function ownOf(holdings: Holdings, entity: string, feature: string): readonly Balance[] {
  return get(holdings.entities.byUid, entity)?.balances.get(feature) ?? NONE
}

/** The entity with this id of the caller's, else with this internal id (B221); null asks for the one without an id. */
export function findEntity({ entities }: Holdings, id: string | null): Entity | undefined {
  return get(entities.byUid, get(entities.uids, id ?? '') ?? id ?? '')?.entity
}

/** The entity with this internal id. */
export function entityOf({ entities }: Holdings, uid: string): Entity | undefined {
  return get(entities.byUid, uid)?.entity
}

/** In order of creation. */
export function entitiesOf({ entities }: Holdings): Entity[] {
  return [...valuesOf(entities.byUid)]
    .map(({ entity }) => entity)
    .sort((a, b) => a.createdAt - b.createdAt || (a.uid < b.uid ? -1 : 1))
}

/** How many entities a customer has of a feature. */
export function entitiesCounted({ entities }: Holdings, feature: string): number {
  return COUNTS.over(entities.byUid).get(feature) ?? 0
}

/** Of which features a customer has entities, by internal id. */
export function entityFeatures({ entities }: Holdings): Iterable<string> {
  return COUNTS.over(entities.byUid).keys()
}

/** By the feature's internal id. */
const COUNTS = new Fold<EntityHoldings, ReadonlyMap<string, number>>(
  new Map(),
  ({ entity }) => new Map([[entity.feature, 1]]),
  (a, b) => {
    const sum = new Map(a)
    for (const [feature, count] of b) sum.set(feature, count + (sum.get(feature) ?? 0))
    return sum
  },
)

const ROWS = new Fold<EntityHoldings, number>(
  0,
  ({ balances }) => 1 + lengthOf(balances),
  (a, b) => a + b,
)

/** How many rows the holdings are made of. */
export function rowsIn(holdings: Holdings): number {
  const { balances, entities, refunds } = holdings
  return (
    1 +
    refunds.size +
    locksIn(holdings) +
    ATTACHED.over(holdings.attachments) +
    lengthOf(balances) +
    ROWS.over(entities.byUid)
  )
}

/** How many locks are open. */
export function locksIn({ locks }: Holdings): number {
  return LOCKS.over(locks)
}

/** The open lock with this id of the caller's. */
export function lockOf({ locks }: Holdings, id: string): Lock | undefined {
  return get(locks, id)
}

/** Opens a lock, or changes the one with the same id. */
export function withLock(holdings: Holdings, lock: Lock): Holdings {
  return {
    ...holdings,
    locks: set(holdings.locks, lock.id, lock),
    dueAt: Math.min(holdings.dueAt, lock.lapsesAt),
  }
}

export function withoutLock(holdings: Holdings, id: string): Holdings {
  return { ...holdings, locks: without(holdings.locks, id) }
}

/** In the order in which they lapse, of several the oldest first (law 7). */
export function lapsing({ locks }: Holdings, by: Instant): Lock[] {
  if (LAPSES.over(locks) > by) return []
  return [...valuesOf(locks)]
    .filter(({ lapsesAt }) => lapsesAt <= by)
    .sort((a, b) => a.lapsesAt - b.lapsesAt || a.heldAt - b.heldAt || (a.uid < b.uid ? -1 : 1))
}

const LOCKS = new Fold<Lock, number>(
  0,
  () => 1,
  (a, b) => a + b,
)
const LAPSES = new Fold<Lock, Instant>(Number.POSITIVE_INFINITY, ({ lapsesAt }) => lapsesAt, Math.min)

/** In the order in which they were attached. */
export function attachmentsOf({ attachments }: Holdings): Attachment[] {
  return [...valuesOf(attachments)].sort((a, b) => a.createdAt - b.createdAt || (a.uid < b.uid ? -1 : 1))
}

/** The attachment with this internal id. */
export function attachmentOf({ attachments }: Holdings, uid: string): Attachment | undefined {
  return get(attachments, uid)
}

/** Adds an attachment, or changes the one with the same internal id. */
export function withAttachment(holdings: Holdings, attachment: Attachment): Holdings {
  return {
    ...holdings,
    attachments: set(holdings.attachments, attachment.uid, attachment),
    dueAt: Math.min(holdings.dueAt, turnOf(attachment)),
  }
}

export function withoutAttachment(holdings: Holdings, uid: string): Holdings {
  return { ...holdings, attachments: without(holdings.attachments, uid) }
}

/** The next instant at which a plan begins or ends, or Infinity. */
export function nextTurn({ attachments }: Holdings): Instant {
  return TURNS.over(attachments)
}

/** When an attachment begins, or ends, or what is ordered of it changes. */
export function turnOf({ status, startsAt, endsAt, quantities }: Attachment): Instant {
  if (status === 'scheduled') return startsAt
  if (status === 'ended') return Number.POSITIVE_INFINITY
  return quantities.reduce(
    (soonest, { nextAt }) => Math.min(soonest, nextAt ?? soonest),
    endsAt ?? Number.POSITIVE_INFINITY,
  )
}

const TURNS = new Fold<Attachment, Instant>(Number.POSITIVE_INFINITY, turnOf, Math.min)
const ATTACHED = new Fold<Attachment, number>(
  0,
  () => 1,
  (a, b) => a + b,
)

function lengthOf(shelf: Shelf): number {
  let rows = 0
  for (const list of shelf.values()) rows += list.length
  return rows
}

/** Every balance, the entities' included. */
export function* allBalances(holdings: Holdings): Generator<Balance> {
  for (const list of holdings.balances.values()) yield* list
  for (const { balances } of valuesOf(holdings.entities.byUid)) for (const list of balances.values()) yield* list
}

/** Applies every expiry and boundary of balances due by `now`, while no lock lapses. The same object when nothing was due. */
export function advanceBalances(holdings: Holdings, now: Instant, journal: Journal): Holdings {
  if (holdings.dueAt > now) return holdings
  const passages: Passage[] = []
  const balances = advanceShelf(holdings.balances, now, journal, passages)
  let { entities } = holdings
  for (const part of dueBy(entities.byUid, now)) {
    const shelf = advanceShelf(part.balances, now, journal, passages)
    entities = withHoldings(entities, { ...part, balances: shelf, dueAt: earliest(shelf) })
  }
  const locks = locksAfter(holdings.locks, passages)
  const due = Math.min(earliest(balances), DUE.over(entities.byUid), LAPSES.over(locks), nextTurn(holdings))
  return { ...holdings, balances, entities, locks, dueAt: due }
}

/** Notes in the locks what became of balances of which they hold something. */
export function withPassage(holdings: Holdings, passage: Passage): Holdings {
  return { ...holdings, locks: locksAfter(holdings.locks, [passage]) }
}

function locksAfter(locks: Tree<Lock>, passages: readonly Passage[]): Tree<Lock> {
  if (locks === null || passages.length === 0) return locks
  const byBalance = new Map(passages.map((passage) => [passage.balance, passage]))
  return changedLocks(locks, (lock) => following(lock, byBalance))
}

/** @param change gives the same object for a lock that is not concerned. */
export function withLocks(holdings: Holdings, change: (lock: Lock) => Lock): Holdings {
  return { ...holdings, locks: changedLocks(holdings.locks, change) }
}

function changedLocks(locks: Tree<Lock>, change: (lock: Lock) => Lock): Tree<Lock> {
  let current = locks
  for (const lock of valuesOf(locks)) {
    const after = change(lock)
    if (after !== lock) current = set(current, lock.id, after)
  }
  return current
}

/** @param passages gets what became of those that changed. */
function advanceShelf(shelf: Shelf, now: Instant, journal: Journal, passages: Passage[]): Shelf {
  const balances = new Map<string, readonly Balance[]>()
  for (const [feature, list] of shelf) {
    const current = list
      .map((balance) => {
        const after = advance(balance, now, journal)
        if (after === balance) return balance
        const isRenewed = after !== null && after.renewedAt !== balance.renewedAt
        const ended = isRenewed && balance.reset !== null ? endOf(balance, balance.reset.nextAt) : null
        passages.push({ balance: balance.uid, after, ended })
        return after
      })
      .filter((balance) => balance !== null)
    if (current.length === 0) continue
    const unchanged = current.length === list.length && current.every((balance, i) => balance === list[i])
    // In the same order as before: it goes by nothing that time changes.
    balances.set(feature, unchanged ? list : current)
  }
  return balances
}

const DUE = new Fold<EntityHoldings, Instant>(Number.POSITIVE_INFINITY, ({ dueAt: due }) => due, Math.min)

/** The entities for which something is due, found without looking at the others. */
function* dueBy(tree: Tree<EntityHoldings>, now: Instant): Generator<EntityHoldings> {
  if (DUE.over(tree) > now || tree === null) return
  if (tree.kind === 'branch') for (const node of tree.slots) yield* dueBy(node, now)
  else for (const [, part] of tree.entries) if (part.dueAt <= now) yield part
}

/** Puts `changed` in the place of the balances with the same internal id, and adds those that are new, each to its owner. */
export function withBalances(holdings: Holdings, changed: readonly Balance[]): Holdings {
  if (changed.length === 0) return holdings
  let { balances, entities, dueAt: due } = holdings
  for (const [entity, group] of Map.groupBy(changed, (balance) => balance.entity)) {
    const soonest = group.reduce((least, balance) => Math.min(least, dueAt(balance)), Number.POSITIVE_INFINITY)
    due = Math.min(due, soonest)
    const part = entity === null ? null : get(entities.byUid, entity)
    assert(part !== undefined, 'the entity of a balance is there')
    if (part === null) balances = placed(balances, group)
    else {
      const shelf = placed(part.balances, group)
      entities = withHoldings(entities, { ...part, balances: shelf, dueAt: Math.min(part.dueAt, soonest) })
    }
  }
  return { ...holdings, balances, entities, dueAt: due }
}

function placed(before: Shelf, changed: readonly Balance[]): Shelf {
  const shelf = new Map(before)
  for (const balance of changed) place(shelf, balance)
  return shelf
}

function place(shelf: Map<string, readonly Balance[]>, balance: Balance): void {
  const list = shelf.get(balance.feature) ?? NONE
  const at = list.findIndex((other) => other.uid === balance.uid)
  const next = at === -1 ? [...list, balance] : list.with(at, balance)
  const before = list[at]
  shelf.set(balance.feature, before !== undefined && samePlace(before, balance) ? next : next.sort(consumptionOrder))
}

export function withoutBalances(holdings: Holdings, gone: readonly Balance[]): Holdings {
  let { balances, entities } = holdings
  for (const [entity, group] of Map.groupBy(gone, (balance) => balance.entity)) {
    const part = entity === null ? null : get(entities.byUid, entity)
    if (part === undefined) continue
    if (part === null) balances = cleared(balances, group)
    else entities = withHoldings(entities, { ...part, balances: cleared(part.balances, group) })
  }
  return { ...holdings, balances, entities }
}

function cleared(shelf: Shelf, gone: readonly Balance[]): Shelf {
  const uids = new Set(gone.map(({ uid }) => uid))
  const left = new Map<string, readonly Balance[]>()
  for (const [feature, list] of shelf) {
    const kept = list.filter(({ uid }) => !uids.has(uid))
    if (kept.length > 0) left.set(feature, kept.length === list.length ? list : kept)
  }
  return left
}

/** Adds an entity, or changes the one with the same internal id; its balances stay. */
export function withEntity(holdings: Holdings, entity: Entity): Holdings {
  const before = get(holdings.entities.byUid, entity.uid)
  const { byUid, uids } = holdings.entities
  const named = before === undefined || before.entity.id === entity.id ? uids : without(uids, before.entity.id ?? '')
  const part = before ?? { balances: EMPTY, dueAt: Number.POSITIVE_INFINITY }
  return { ...holdings, entities: withHoldings({ byUid, uids: named }, { ...part, entity }) }
}

export function withoutEntity(holdings: Holdings, { uid, id }: Entity): Holdings {
  const { byUid, uids } = holdings.entities
  // The id may be someone else's by now.
  const named = get(uids, id ?? '') === uid ? without(uids, id ?? '') : uids
  return { ...holdings, entities: { byUid: without(byUid, uid), uids: named } }
}

function withHoldings({ byUid, uids }: Entities, part: EntityHoldings): Entities {
  const { uid, id } = part.entity
  return {
    byUid: set(byUid, uid, part),
    uids: get(uids, id ?? '') === uid ? uids : set(uids, id ?? '', uid),
  }
}

/** @param given of each line of the event's deductions, in all. */
export function withRefund(holdings: Holdings, event: string, given: readonly Amount[]): Holdings {
  return { ...holdings, refunds: new Map(holdings.refunds).set(event, given) }
}

/** Closes an operation: numbers its postings and remembers the instant. */
export function settle(holdings: Holdings, journal: Journal): Holdings {
  assert(journal.at >= holdings.latest, 'time runs backwards')
  return { ...holdings, latest: journal.at, postings: holdings.postings + journal.postings.length }
}

function shelfOf(balances: Balance[]): Shelf {
  const [only, another] = balances
  if (only === undefined) return EMPTY
  if (another === undefined) return new Map([[only.feature, balances]])
  const lists = Map.groupBy(balances, ({ feature }) => feature)
  for (const list of lists.values()) list.sort(consumptionOrder)
  return lists
}

function samePlace(a: Balance, b: Balance): boolean {
  return (
    a.expiresAt === b.expiresAt &&
    a.terms === b.terms &&
    a.source === b.source &&
    a.reset?.interval === b.reset?.interval
  )
}

function earliest(shelf: Shelf): Instant {
  let due = Number.POSITIVE_INFINITY
  for (const list of shelf.values()) for (const balance of list) due = Math.min(due, dueAt(balance))
  return due
}

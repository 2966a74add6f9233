import { type Amount, ZERO } from '../domain/amount.ts'
import type { Balance } from '../domain/balance.ts'
import { type BinSize, binsBetween, nextBin } from '../domain/bins.ts'
import { type Cycle, cycleOf, paidCycleOf, type Range, spanOf, type TimeSpan } from '../domain/cycle.ts'
import type { Catalogue } from '../domain/feature.ts'
import { termsOf } from '../domain/find-plan.ts'
import { attachmentsOf, findEntity, type Holdings, ownBalances } from '../domain/holdings.ts'
import type { GroupBy, PropertyFilter } from '../domain/property.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import { allSlicedItems } from '../domain/sliced-items.ts'
import type { Instant } from '../domain/time.ts'
import type { UseSum } from '../store/store.ts'
import { asOf, type Context, customerNotFound } from './decide.ts'
import { type DeductedBin, deductedBins } from './deducted.ts'
import { settleLapsed } from './locks.ts'

export interface AggregateRequest {
  readonly customerId: string | undefined
  readonly entityId: string | undefined
  readonly names: readonly string[]
  readonly span: Range | TimeSpan
  readonly binSize: BinSize
  readonly groupBy: GroupBy | null
  readonly filters: readonly PropertyFilter[]
  readonly mostGroups: number
  /** Whether to tell also what was taken from which balance; of one customer only. */
  readonly deductions: boolean
}

export interface Aggregate {
  readonly bins: readonly Bin[]
  /** By name, of all events of the time, whatever their group (R185). */
  readonly totals: ReadonlyMap<string, { readonly count: number; readonly sum: Amount }>
  /** Only bins in which something was taken. Null where they were not asked for. */
  readonly deductions: readonly DeductedBin[] | null
}

export interface Bin {
  readonly at: Instant
  /** By name; where events are grouped, the sum of the groups (R183). */
  readonly values: ReadonlyMap<string, Amount>
  /** By name and group: a group of any bin is in every bin. Null where events are not grouped. */
  readonly groups: ReadonlyMap<string, ReadonlyMap<string, Amount>> | null
}

/** The longest that a store may add up. */
const PATIENCE_MS = 10_000
/** How many numbers `bins` may hold, and how many sums of deductions there may be: about a megabyte of an answer. No question needs more memory than that, whatever it asks. */
const MOST_NUMBERS = 50_000

/**
 * Adds up what was used, bin by bin. Refusals: `customer_not_found`, and `invalid_request` for what would be too much to answer
 * or takes too long. An unknown entity or name has no events. Source: R180-R187.
 */
export async function aggregateEvents(context: Context, request: AggregateRequest): Promise<Aggregate | Refusal> {
  const { names, groupBy, binSize, mostGroups } = request
  const known = await knownOf(context, request)
  if (isRefusal(known)) return known
  const { now, span, holdings, catalogue } = known
  // Bins that begin in the future are not shown (R182); what is in them counts in the total, and so they are one more bin.
  const shown = binsBetween(span.from, Math.min(span.to, now), binSize, MOST_NUMBERS)
  if (shown.length * names.length > MOST_NUMBERS) return tooMuch()
  const last = shown.at(-1)
  const ahead = [last === undefined ? span.from : nextBin(last, binSize)].filter((at) => at <= span.to)
  await settleLapsed(context.engine, context.env)
  const sums = await context.engine.aggregateEvents({
    env: context.env,
    customerId: request.customerId,
    entity: request.entityId,
    names,
    properties: request.filters,
    ...span,
    bins: [...shown, ...ahead],
    groupBy,
    mostGroups,
    deductions: request.deductions,
    patience: PATIENCE_MS,
  })
  if ('kind' in sums) return sums.why === 'too_slow' ? tooSlow() : tooManyGroups()
  const bins = binsOf(sums.uses, shown, request)
  if (bins === null || sums.deductions.length > MOST_NUMBERS) return tooMuch()
  return {
    bins,
    totals: totalsOf(sums.uses, names),
    deductions:
      holdings === null || !request.deductions
        ? null
        : deductedBins(sums.deductions, shown, groupBy !== null, holdings, catalogue),
  }
}

/** What has to be known beside the events. */
interface Known {
  readonly now: Instant
  readonly span: TimeSpan
  readonly catalogue: Catalogue
  /** Null where all customers are meant. */
  readonly holdings: Holdings | null
}

function knownOf({ engine, env }: Context, request: AggregateRequest): Known | Refusal | Promise<Known | Refusal> {
  const { customerId, span } = request
  const between = (cycle: Cycle | null, now: Instant) => (typeof span === 'string' ? spanOf(span, cycle, now) : span)
  if (customerId === undefined) {
    return engine.readCatalogue(env, (catalogue, now) => ({ now, span: between(null, now), catalogue, holdings: null }))
  }
  return engine.read(env, customerId, (found, { now }, catalogue) => {
    if (found === null) return customerNotFound(customerId)
    const holdings = asOf(found, now, catalogue)
    return { now, span: between(cycleFor(holdings, request, catalogue, now), now), catalogue, holdings }
  })
}

/** That of what the customer, or the entity, pays for; else that of what it is granted. */
function cycleFor(holdings: Holdings, request: AggregateRequest, catalogue: Catalogue, now: Instant): Cycle | null {
  const entity = request.entityId === undefined ? undefined : findEntity(holdings, request.entityId)
  const active = attachmentsOf(holdings).filter(({ status }) => status === 'active')
  const own = active.filter((one) => entity !== undefined && one.entity === entity.uid)
  const inherited = active.filter((one) => one.entity === null)
  const paid = [...own, ...inherited].map((attachment) => ({ attachment, terms: termsOf(attachment, catalogue) }))
  return paidCycleOf(paid, now) ?? cycleOf(countingFor(holdings, request, catalogue))
}

/** The balances whose period is the cycle: of what is asked for and of what pays for it, or all where none of those resets. */
function countingFor(holdings: Holdings, { entityId, names }: AggregateRequest, catalogue: Catalogue): Balance[] {
  const entity = entityId === undefined ? undefined : findEntity(holdings, entityId)
  const own = entity === undefined ? [] : ownBalances(holdings, entity.uid)
  const sliced = entity === undefined ? allSlicedItems(holdings).map(({ first }) => first) : []
  const resetting = [...own, ...ownBalances(holdings, null), ...sliced].filter(({ reset }) => reset !== null)
  const asked = new Set(names.flatMap((name) => payersOf(name, catalogue)))
  const counting = resetting.filter(({ feature }) => asked.has(feature))
  return counting.length === 0 ? resetting : counting
}

/** Internal ids of the features that a name means, and of the credit systems that pay for them. */
function payersOf(name: string, catalogue: Catalogue): string[] {
  const feature = catalogue.byId.get(name)
  const features = feature === undefined ? (catalogue.byEventName.get(name) ?? []) : [feature]
  return features.flatMap(({ uid }) => [uid, ...(catalogue.payersOf.get(uid) ?? []).map(({ system }) => system.uid)])
}

/** Null where there would be too many numbers. */
function binsOf(uses: readonly UseSum[], shown: readonly Instant[], request: AggregateRequest): Bin[] | null {
  const { names, groupBy } = request
  const byBin = Map.groupBy(uses, ({ bin }) => bin)
  // What is tracked stands under its name already.
  const isGrouped = groupBy !== null && groupBy.kind !== 'name'
  const groups = isGrouped ? groupsIn(uses, shown.length) : []
  if (shown.length * names.length * groups.length > MOST_NUMBERS) return null
  return shown.map((at, bin) => {
    const values = new Map(names.map((name) => [name, ZERO]))
    const split = new Map(names.map((name) => [name, new Map(groups.map((group) => [group, ZERO]))]))
    for (const { name, group, sum } of byBin.get(bin) ?? []) {
      // What has no group is left out of the values too (S31).
      if (isGrouped && group === null) continue
      values.set(name, (values.get(name) ?? ZERO) + sum)
      if (group !== null) split.get(name)?.set(group, sum)
    }
    return { at, values, groups: isGrouped ? split : null }
  })
}

/** Every group of a bin that is shown. */
function groupsIn(uses: readonly UseSum[], shown: number): string[] {
  const groups = new Set<string>()
  for (const { bin, group } of uses) if (group !== null && bin < shown) groups.add(group)
  return [...groups].sort()
}

function totalsOf(uses: readonly UseSum[], names: readonly string[]): Aggregate['totals'] {
  const totals = new Map(names.map((name) => [name, { count: 0, sum: ZERO }]))
  for (const { name, events, sum } of uses) {
    const total = totals.get(name)
    if (total === undefined) continue
    total.count += events
    total.sum += sum
  }
  return totals
}

function tooMuch(): Refusal {
  return refuse(
    'invalid_request',
    `The answer would hold more than ${MOST_NUMBERS} numbers: ask for a shorter time, larger bins, fewer features or fewer groups`,
  )
}

function tooManyGroups(): Refusal {
  return refuse(
    'invalid_request',
    'There are too many groups to add up: ask for a shorter time, or group by something that has fewer values',
  )
}

function tooSlow(): Refusal {
  return refuse(
    'invalid_request',
    `Adding this up takes longer than ${PATIENCE_MS / 1000} s: ask for a shorter time, or for one customer`,
  )
}

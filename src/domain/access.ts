import { type Amount, atLeastZero, divideHalfEven, sum, ZERO } from './amount.ts'
import { type Balance, isUsageBased, mayOwe, owedOf, type Reset } from './balance.ts'
import type { JsonObject } from './customer.ts'
import { deduct } from './deduction.ts'
import { type Catalogue, type Feature, isConsumable } from './feature.ts'
import { attachmentsOf, entitiesOf, entityOf, type Holdings, holdingsOf, nextTurn } from './holdings.ts'
import { Journal } from './ledger.ts'
import { costOf, priceIn, type Rate, rateOf } from './price.ts'
import { slicedItems } from './sliced-items.ts'
import { isSlice } from './slices.ts'
import { summaryFor, usableSummary } from './subject-summary.ts'
import { type Flag, onlyPlanOf, type Summary } from './summary.ts'
import { boundaryAfter, type Instant } from './time.ts'
import { bringUpToDate } from './up-to-date.ts'
import { exceptSlices, within } from './within.ts'

/** Which feature answers a check, and with what. */
export interface Access {
  readonly allowed: boolean
  /** In the units of the feature that answers: credits where a credit system does (R28). */
  readonly required: Amount
  readonly feature: Feature
  /** What the subject is shown; for a customer it counts its entities too, which `allowed` does not (R34). */
  readonly summary: Summary | null
  readonly flag: Flag | null
}

/** Why not, and from when on. */
export interface Denial {
  readonly reason: DenialReason
  /** The next reset after which the same would be allowed, if nothing else happens; null where no reset helps. */
  readonly availableAt: Instant | null
}

/** The flag is not held · nothing of the feature is held, nor of what pays for it · what is held is not enough. */
export type DenialReason = 'no_flag' | 'no_balance' | 'insufficient_balance'

/** What a subject may itself use of one feature. */
interface Judgement {
  readonly allowed: boolean
  readonly owned: boolean
  readonly required: Amount
  readonly feature: Feature
}

/**
 * May the subject use `required` of `feature` now? Reads only.
 * @param holdings brought up to now.
 * @param entity whose use it would be, by internal id, or null for the customer itself.
 * @param required in the feature's own units, any sign.
 * @param properties of the use: prices in credits may depend on them.
 * Source: R33-R45; the answering feature R36, with the converted amount in step 3.
 */
export function judge(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  required: Amount,
  properties: JsonObject,
  catalogue: Catalogue,
): Access {
  const own = judgeOne(holdings, entity, feature, required)
  const payers = catalogue.payersOf.get(feature.uid)
  if (payers === undefined || (own.owned && own.allowed)) return shown(holdings, entity, own)
  let owned: Judgement | null = null
  let any: Judgement | null = null
  for (const { system, tariff } of payers) {
    const rate = rateOf(feature.uid, tariff, properties)
    const credits = inCredits(required, rate, () => within(holdings, entity, system.uid))
    const judgement = judgeOne(holdings, entity, system, credits)
    if (judgement.owned && judgement.allowed) return shown(holdings, entity, judgement)
    if (judgement.owned) owned ??= judgement
    any ??= judgement
  }
  if (owned !== null) return shown(holdings, entity, owned)
  const access = shown(holdings, entity, own)
  return access.summary === null && any !== null ? shown(holdings, entity, any) : access
}

/** What a use would take from balances of a credit system: where it goes by what they paid before, as they would be drawn from. */
function inCredits(required: Amount, rate: Rate, payers: () => readonly Balance[]): Amount {
  if (rate.meter === null) {
    const { cost, per } = priceIn(rate)
    return divideHalfEven(required * cost, per)
  }
  const balances = payers()
  if (balances.length === 0) return costOf(rate, required)
  const candidates = balances.map((balance) => ({ balance, rate, mayOwe: mayOwe(balance) }))
  const fitting = required > ZERO ? deduct(candidates, required, 'cap') : null
  const { moves } = fitting?.missing === ZERO ? fitting : deduct(candidates, required, 'overflow')
  return sum(moves.map(({ amount }) => amount))
}

/**
 * Why something is not allowed now, which the caller has found out. A balance that is used up and no longer shown is still
 * held, so it is not enough rather than nothing.
 * @param isAllowed whether it would be, with other holdings.
 */
export function deny(
  holdings: Holdings,
  entity: string | null,
  feature: Feature,
  catalogue: Catalogue,
  isAllowed: (then: Holdings) => boolean,
): Denial {
  if (feature.type.kind === 'boolean') return { reason: 'no_flag', availableAt: null }
  const payers = catalogue.payersOf.get(feature.uid) ?? []
  const held = [feature, ...payers.map(({ system }) => system)].flatMap(({ uid }) => within(holdings, entity, uid))
  if (held.length === 0) return { reason: 'no_balance', availableAt: null }
  const isSliced = entity === null && held.some(isSlice)
  let then = isSliced ? holdings : alone(holdings, held, feature)
  for (const at of turnsOf(then, held)) {
    then = isSliced ? ahead(holdings, at, catalogue) : bringUpToDate(then, at, catalogue, new Journal(at, 'time'))
    if (isAllowed(then)) return { reason: 'insufficient_balance', availableAt: at }
  }
  return { reason: 'insufficient_balance', availableAt: null }
}

/** Nearly always the next reset of a balance helps or none does; where much rolls over, it may be a later one. */
const RESETS_OF_EACH = 12
const RESETS_IN_ALL = 60

/** So many balances are moved on in all, of a customer with thousands of slices a few times each at the most. */
const MOVES_IN_ALL = 10_000

/** The coming resets of balances, and the next beginning or end of a plan, in order of time. */
function turnsOf(holdings: Holdings, balances: readonly Balance[]): Instant[] {
  const turn = nextTurn(holdings)
  const all = new Set<Instant>(turn === Number.POSITIVE_INFINITY ? [] : [turn])
  const most = Math.min(RESETS_IN_ALL, Math.max(1, Math.floor(MOVES_IN_ALL / balances.length)))
  let before: Reset | null = null
  for (const { reset } of balances) {
    if (reset === null || (before !== null && isSameReset(before, reset))) continue
    before = reset
    for (let n = 0, at = reset.nextAt; n < RESETS_OF_EACH; n++, at = boundaryAfter(reset.anchor, reset, at)) all.add(at)
  }
  return [...all].sort((a, b) => a - b).slice(0, most)
}

function isSameReset(a: Reset, b: Reset): boolean {
  return a.anchor === b.anchor && a.nextAt === b.nextAt && a.interval === b.interval && a.count === b.count
}

/** The holdings at a later instant, remembered: a customer that is refused asks again, and its slices may be thousands. */
function ahead(holdings: Holdings, at: Instant, catalogue: Catalogue): Holdings {
  const before = aheads.get(holdings)
  const known = before?.catalogue === catalogue ? before : { catalogue, byInstant: new Map<Instant, Holdings>() }
  aheads.set(holdings, known)
  const then = known.byInstant.get(at) ?? bringUpToDate(holdings, at, catalogue, new Journal(at, 'time'))
  known.byInstant.set(at, then)
  return then
}

const aheads = new WeakMap<Holdings, { readonly catalogue: Catalogue; readonly byInstant: Map<Instant, Holdings> }>()

/**
 * Holdings of nothing but these balances, so that looking ahead does not move ten thousand entities; where it is they who are
 * counted, they are there without what is theirs.
 */
function alone(holdings: Holdings, balances: readonly Balance[], feature: Feature): Holdings {
  const owners = new Set(balances.map(({ entity }) => entity))
  const entities = isConsumable(feature)
    ? [...owners].flatMap((uid) => (uid === null ? [] : (entityOf(holdings, uid) ?? [])))
    : entitiesOf(holdings)
  const { customer, latest, postings } = holdings
  const there = new Set(entities.map(({ uid }) => uid))
  const attachments = attachmentsOf(holdings).filter(
    ({ status, entity }) => status !== 'ended' && (entity === null || there.has(entity)),
  )
  return holdingsOf(customer, entities, balances, latest, postings, undefined, [], attachments)
}

function judgeOne(holdings: Holdings, entity: string | null, feature: Feature, required: Amount): Judgement {
  if (feature.type.kind === 'boolean')
    return { allowed: flagsHeld(holdings, entity, feature).length > 0, owned: false, required, feature }
  const summary = usableSummary(holdings, entity, feature)
  const overage = () => overageLeft(holdings, entity, feature)
  return { allowed: isAllowed(summary, overage, required), owned: summary !== null, required, feature }
}

function shown(holdings: Holdings, entity: string | null, { allowed, required, feature }: Judgement): Access {
  if (feature.type.kind === 'boolean') {
    const flag = flagFor(holdings, entity, feature)
    return { allowed, required, feature, summary: null, flag }
  }
  return { allowed, required, feature, summary: summaryFor(holdings, entity, feature), flag: null }
}

/**
 * The rows of the table in spec 3.4; the first that applies decides. Limits on use will stand between the third and the last.
 * @param overage what may be used beyond all grants; null for any amount.
 */
function isAllowed(summary: Summary | null, overage: () => Amount | null, required: Amount): boolean {
  if (summary === null) return false
  if (summary.unlimited) return true
  if (required < ZERO) return true
  if (summary.remaining >= required) return true
  if (!summary.overageAllowed) return false
  const beyond = overage()
  return beyond === null || summary.remaining + beyond >= required
}

/**
 * What may be used beyond all grants: what the usage-based balances may owe together, less what any balance owes. Null where
 * one of them may owe any amount. Never more than a use would take, because a debt elsewhere counts against them too (R41, R44).
 */
function overageLeft(holdings: Holdings, entity: string | null, feature: Feature): Amount | null {
  let left = ZERO
  for (const balance of exceptSlices(holdings, entity, feature.uid)) {
    left -= owedOf(balance)
    if (!isUsageBased(balance)) continue
    const most = mayOwe(balance)
    if (most === null) return null
    left += most
  }
  for (const item of entity === null ? slicedItems(holdings, feature.uid) : []) {
    left -= item.owed
    if (!isUsageBased(item.first)) continue
    const most = mayOwe(item.first)
    if (most === null) return null
    left += most * BigInt(item.count)
  }
  return atLeastZero(left)
}

/** The flag of a boolean feature that a subject holds. */
export function flagFor(holdings: Holdings, entity: string | null, feature: Feature): Flag | null {
  return flagOf(feature, flagsHeld(holdings, entity, feature))
}

/** What gives it the flag; of an item that each entity has for itself, the item. */
function flagsHeld(holdings: Holdings, entity: string | null, feature: Feature): readonly Balance[] {
  const own = exceptSlices(holdings, entity, feature.uid)
  const items = entity === null ? slicedItems(holdings, feature.uid) : []
  return items.length === 0 ? own : [...own, ...items.map(({ id, first }) => ({ ...first, uid: id }))]
}

/** The flag of a boolean feature: one, however many balances give it (R24, B45). */
export function flagOf(feature: Feature, balances: readonly Balance[]): Flag | null {
  const first = balances[0]
  return first === undefined
    ? null
    : { id: first.uid, feature, planId: onlyPlanOf(balances), expiresAt: first.expiresAt }
}

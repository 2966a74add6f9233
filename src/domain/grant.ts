import { type Amount, ZERO } from './amount.ts'
import { type Balance, type Reset, type RolloverPolicy, type Terms, UNMETERED } from './balance.ts'
import type { Entity } from './entity.ts'
import { type Feature, isConsumable } from './feature.ts'
import { allBalances, belongingTo, type Holdings, withBalances } from './holdings.ts'
import type { Journal } from './ledger.ts'
import { type Refusal, refuse } from './refusal.ts'
import { seatEntities } from './seats.ts'
import { boundaryAfter, type Every, type Instant, type Moment, orderingWeight } from './time.ts'

/** What `balances.create` asks for. */
export interface GrantRequest {
  /** The amount granted now and at every reset; undefined when not given. */
  readonly included: Amount | undefined
  readonly unlimited: boolean
  /** Null is given but never repeats (`one_off`); undefined is not given. Both grant once. */
  readonly every: Every | null | undefined
  /** The first boundary; by default one period from now. */
  readonly nextResetAt: Instant | undefined
  readonly expiresAt: Instant | undefined
  readonly rolloverPolicy: RolloverPolicy | undefined
  readonly balanceId: string | undefined
}

/**
 * Opens a balance of the customer, or of one of its entities. Nothing is ever merged: each grant is a balance of its own.
 * Entities that have no seat yet take theirs from a new balance of their feature.
 * @param holdings brought up to the moment.
 * @returns the new holdings, or a refusal: `invalid_inputs` for fields that exclude each other, `invalid_request` for what
 * the rules forbid, `flag_already_held`, `balance_id_in_use`.
 * Source: B70-B84, B218 with the corrections of the seeds (creation).
 */
export function grant(
  holdings: Holdings,
  entity: Entity | null,
  feature: Feature,
  request: GrantRequest,
  moment: Moment,
  journal: Journal,
): Holdings | Refusal {
  const problem =
    contradiction(feature, request, moment.now) ??
    forbidden(feature, entity, request, moment.now) ??
    taken(holdings, entity, feature, request)
  if (problem !== null) return problem
  const balance: Balance = {
    uid: moment.newId('cus_ent'),
    id: request.balanceId ?? null,
    feature: feature.uid,
    entity: entity?.uid ?? null,
    terms: termsOf(feature, request),
    source: null,
    remaining: request.included ?? ZERO,
    adjustment: ZERO,
    seats: 0,
    reset: resetOf(request, moment.now),
    held: ZERO,
    metered: UNMETERED,
    renewedAt: null,
    rolloverPolicy: request.rolloverPolicy ?? null,
    rollovers: [],
    expiresAt: request.expiresAt ?? null,
    createdAt: moment.now,
  }
  journal.post('grant', balance, null, {
    amount: balance.remaining,
    granted: balance.remaining,
    after: balance.remaining,
  })
  const granted = withBalances(holdings, [balance])
  return entity === null ? seatEntities(granted, feature.uid, journal) : granted
}

function termsOf(feature: Feature, request: GrantRequest): Terms {
  if (feature.type.kind === 'boolean') return { kind: 'flag' }
  return request.unlimited ? { kind: 'unlimited' } : { kind: 'finite', allowance: request.included ?? ZERO }
}

/** Counted from now by default; a boundary that the caller chose is what all later ones are counted from (B82, B121). */
function resetOf(request: GrantRequest, now: Instant): Reset | null {
  const { every, nextResetAt } = request
  if (!every) return null
  if (nextResetAt !== undefined) return { ...every, anchor: nextResetAt, nextAt: nextResetAt }
  return { ...every, anchor: now, nextAt: boundaryAfter(now, every, now) }
}

/** Fields that exclude or need each other, whatever the customer has. */
function contradiction(feature: Feature, request: GrantRequest, now: Instant): Refusal | null {
  const { included, unlimited, every, expiresAt, nextResetAt } = request
  const invalid = (message: string) => refuse('invalid_inputs', message)
  if (feature.type.kind === 'boolean') {
    if (included !== undefined)
      return invalid(`included_grant cannot be given for ${feature.id}: a boolean feature is held or not`)
    if (unlimited) return invalid(`unlimited cannot be given for ${feature.id}: a boolean feature is held or not`)
    if (every !== undefined || nextResetAt !== undefined)
      return invalid(`reset cannot be given for ${feature.id}: a boolean feature never resets`)
  } else if (included !== undefined && unlimited) {
    return invalid('included_grant and unlimited exclude each other: give an amount, or unlimited: true')
  } else if (included === undefined && !unlimited) {
    return invalid('either included_grant or unlimited: true is needed to create a balance of a metered feature')
  }
  if (unlimited && every !== undefined)
    return invalid('unlimited and reset exclude each other: an unlimited balance never resets')
  if (included !== undefined && included < ZERO) return invalid('included_grant must not be negative')
  if (expiresAt !== undefined && expiresAt <= now)
    return invalid('expires_at must be in the future: this balance would already be expired')
  if (every && expiresAt !== undefined && nextResetAt === undefined) {
    return invalid('reset and expires_at exclude each other, unless next_reset_at says when the first reset is')
  }
  return null
}

/** What the feature and the calendar do not allow. */
function forbidden(feature: Feature, entity: Entity | null, request: GrantRequest, now: Instant): Refusal | null {
  const { every, expiresAt, nextResetAt, rolloverPolicy } = request
  const invalid = (message: string) => refuse('invalid_request', message)
  if (entity?.feature === feature.uid) {
    return invalid(`An entity is itself one of ${feature.id} and cannot hold any: grant them to the customer`)
  }
  if (rolloverPolicy !== undefined && !isConsumable(feature)) {
    return invalid(`rollover cannot be given for ${feature.id}: only consumable features reset and roll over`)
  }
  if (rolloverPolicy !== undefined && !every)
    return invalid('rollover needs a reset that repeats: a one-time balance has nothing to roll over')
  const kept = every ? rolloversAtOnce(every, rolloverPolicy) : 0
  if (kept > MOST_ROLLOVERS) {
    return invalid(
      `rollover: with this interval up to ${kept} rollovers would be kept at once, and ${MOST_ROLLOVERS} is the most: choose a longer interval or a shorter length`,
    )
  }
  if (every && !isConsumable(feature)) {
    return refuse('invalid_inputs', `reset cannot be given for ${feature.id}: only consumable features reset`)
  }
  if (nextResetAt === undefined) return null
  if (!every) return invalid('next_reset_at needs a reset with an interval that repeats')
  if (nextResetAt <= now) return invalid('next_reset_at must be in the future')
  if (expiresAt !== undefined && nextResetAt >= expiresAt) return invalid('next_reset_at must come before expires_at')
  return null
}

/** Each is a row of every answer, and each has its expiry to be looked after. A rollover for ever is a single one. */
const MOST_ROLLOVERS = 10_000

function rolloversAtOnce(every: Every, policy: RolloverPolicy | undefined): number {
  return policy?.months == null ? 0 : Math.ceil((policy.months * orderingWeight(MONTH)) / orderingWeight(every))
}

const MONTH: Every = { interval: 'month', count: 1 }

/** What the customer has already. */
function taken(holdings: Holdings, entity: Entity | null, feature: Feature, request: GrantRequest): Refusal | null {
  const held = belongingTo(holdings, entity?.uid ?? null, feature.uid)
  if (feature.type.kind === 'boolean' && held.length > 0) {
    const whose = entity === null ? `Customer ${holdings.customer.id}` : `Entity ${entity.id}`
    return refuse('flag_already_held', `${whose} already has the boolean feature ${feature.id}`)
  }
  if (request.balanceId === undefined) return null
  for (const balance of allBalances(holdings)) {
    if (balance.id === request.balanceId) {
      return refuse('balance_id_in_use', `balance_id '${request.balanceId}' is already in use for this customer`)
    }
  }
  return null
}

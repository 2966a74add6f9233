import * as z from 'zod'
import { type Amount, ONE } from '../../domain/amount.ts'
import { OVERAGE_BEHAVIORS } from '../../domain/deduction.ts'
import type { Feature } from '../../domain/feature.ts'
import { customerData, entityData } from './customers.ts'
import { lockField } from './locks.ts'
import { amount, cursor, expandOf, id, instant, jsonObject, later } from './scalars.ts'
import type { WireObject } from './wire.ts'

/** Below this many events a page asks for nothing unusual (R170). */
const MOST_EVENTS = 5000

/** What versions before 2.1 do on the way: a missing customer or entity is created from what is said of it (R11). */
const creation = {
  auto_create: z.boolean().optional(),
  customer_data: customerData.nullish(),
  entity_data: entityData.nullish(),
}

export const checkInput = z
  .object({
    ...creation,
    customer_id: id,
    feature_id: id.optional(),
    product_id: later('product_id'),
    entity_id: id.optional(),
    required_balance: amount.optional(),
    required_quantity: amount.optional(),
    properties: jsonObject.optional(),
    send_event: z.boolean().optional(),
    with_preview: z.boolean().optional(),
    lock: lockField.nullish(),
    skip_event: later('skip_event'),
    expand: expandOf('balance.feature', 'flag.feature'),
  })
  .transform((input, ctx) => {
    const { feature_id } = input
    if (feature_id === undefined) {
      ctx.addIssue({ code: 'custom', message: 'feature_id is needed: which feature is to be checked?' })
      return z.NEVER
    }
    return { ...input, feature_id, required: requiredOf(input.required_balance, input.required_quantity) }
  })

/** What is about to be used: one unit unless said otherwise. */
function requiredOf(balance: Amount | undefined, quantity: Amount | undefined): Amount {
  return balance ?? quantity ?? ONE
}

export const trackInput = z
  .object({
    ...creation,
    customer_id: id,
    feature_id: id.optional(),
    event_name: id.optional(),
    entity_id: id.optional(),
    value: amount.optional(),
    properties: jsonObject.optional(),
    timestamp: instant.optional(),
    idempotency_key: z.string().min(1).max(255).nullish(),
    overage_behavior: z.enum(OVERAGE_BEHAVIORS).optional(),
    async: later('async'),
    lock: lockField.nullish(),
    skip_event: later('skip_event'),
    refund_of: id.optional(),
  })
  .transform((input, ctx) => {
    const target = targetOf(input)
    if (!('message' in target)) return { ...input, of: target }
    ctx.addIssue({ code: 'custom', ...target })
    return z.NEVER
  })

/** A feature's use, a use of whatever an event name feeds, or an event that is to be given back: all of it or so many units. */
type TrackTarget =
  | { readonly featureId: string }
  | { readonly eventName: string }
  | { readonly eventId: string; readonly units: Amount | null }

interface TrackFields {
  readonly value?: Amount | undefined
  readonly feature_id?: string | undefined
  readonly event_name?: string | undefined
  readonly refund_of?: string | undefined
  readonly overage_behavior?: string | undefined
  readonly lock?: unknown
}

function targetOf(input: TrackFields): TrackTarget | { readonly path?: string[]; readonly message: string } {
  const { feature_id, event_name, refund_of, value } = input
  if (refund_of !== undefined) {
    return refundProblem(input) ?? { eventId: refund_of, units: value === undefined ? null : -value }
  }
  if (event_name !== undefined && input.lock != null)
    return { path: ['lock'], message: 'cannot be given with event_name: send the feature_id instead' }
  if (feature_id !== undefined && event_name === undefined) return { featureId: feature_id }
  if (event_name !== undefined && feature_id === undefined) return { eventName: event_name }
  return { message: 'either feature_id or event_name is needed, and not both' }
}

/** What gives back says how much below zero, and needs no other word of what it was. */
function refundProblem(input: TrackFields): { path: string[]; message: string } | null {
  if (input.lock != null) return { path: ['lock'], message: 'cannot be given with refund_of' }
  if (input.value !== undefined && input.value >= 0n) {
    return { path: ['value'], message: 'must be below zero with refund_of; leave it out to give back all that is left' }
  }
  if (input.feature_id !== undefined && input.event_name !== undefined) {
    return { path: ['event_name'], message: 'feature_id and event_name cannot both be given' }
  }
  if (input.overage_behavior === undefined) return null
  return { path: ['overage_behavior'], message: 'cannot be given with refund_of: no more is given back than was taken' }
}

export const listEventsInput = z.object({
  customer_id: id.optional(),
  entity_id: id.optional(),
  feature_id: z
    .preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(id).min(1).max(100))
    .optional(),
  custom_range: z.object({ start: instant.optional(), end: instant.optional() }).optional(),
  start_cursor: cursor,
  limit: z.int().min(1).max(MOST_EVENTS).optional(),
  filter_by: later('filter_by'),
})

export const setUsageInput = z.object({
  customer_id: id,
  feature_id: id,
  entity_id: id.optional(),
  value: amount,
  customer_data: customerData.nullish(),
})

/**
 * What to tell someone who may not use a feature (R55-R58). No plan or top-up is on sale here, so there is nothing to offer.
 * @returns null when access is allowed.
 */
export function previewToWire(allowed: boolean, feature: Feature, holdsBalance: boolean): WireObject | null {
  if (allowed) return null
  const message = holdsBalance
    ? `The usage limit for ${feature.name} is reached.`
    : `${feature.name} is not included in what this customer has.`
  return {
    scenario: holdsBalance ? 'usage_limit' : 'feature_flag',
    title: 'Feature unavailable',
    message,
    feature_id: feature.id,
    feature_name: feature.name,
    products: [],
    upgrade_product_id: null,
  }
}

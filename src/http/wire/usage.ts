import * as z from 'zod'
import { type Amount, ONE } from '../../domain/amount.ts'
import { OVERAGE_BEHAVIORS } from '../../domain/deduction.ts'
import { customerData, entityData } from './customers.ts'
import { lockField } from './locks.ts'
import { amount, expandOf, id, instant, jsonObject } from './scalars.ts'

/** What versions before 2.1 do on the way: a missing customer or entity is created from what is said of it (R11). */
export const creation = {
  auto_create: z.boolean().optional(),
  customer_data: customerData.nullish(),
  entity_data: entityData.nullish(),
}

/** What makes a repetition harmless, in the body itself (R122). */
export const bodyKey = z.string().min(1).max(255).nullish()

export const checkInput = z
  .object({
    ...creation,
    customer_id: id,
    feature_id: id.optional(),
    product_id: id.nullish(),
    entity_id: id.optional(),
    required_balance: amount.optional(),
    required_quantity: amount.optional(),
    properties: jsonObject.optional(),
    send_event: z.boolean().optional(),
    with_preview: z.boolean().optional(),
    lock: lockField.nullish(),
    skip_event: z.boolean().nullish(),
    expand: expandOf('balance.feature', 'flag.feature'),
  })
  .transform((input, ctx) => {
    const { feature_id } = input
    if (input.lock != null && input.skip_event === true)
      ctx.addIssue({ code: 'custom', path: ['skip_event'], message: LOCK_IS_RECORDED })
    if (feature_id === undefined || input.product_id != null) {
      ctx.addIssue({ code: 'custom', message: 'either feature_id or product_id is needed, and not both' })
      return z.NEVER
    }
    return { ...input, feature_id, required: requiredOf(input.required_balance, input.required_quantity) }
  })

/** The same request where it is about a plan, by its older name (R53). */
export const productCheckInput = z.object({
  customer_id: id,
  product_id: id,
  entity_id: id.nullish(),
  customer_data: customerData.nullish(),
  entity_data: entityData.nullish(),
  with_preview: z.boolean().optional(),
})

/** What a lock corrects when it is finalized has to be there. */
const LOCK_IS_RECORDED = 'cannot be given with lock, whose use is recorded'

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
    idempotency_key: bodyKey,
    overage_behavior: z.enum(OVERAGE_BEHAVIORS).optional(),
    async: z.boolean().nullish(),
    lock: lockField.nullish(),
    skip_event: z.boolean().nullish(),
    refund_of: id.optional(),
  })
  .transform((input, ctx) => {
    const target = targetOf(input)
    if (!('message' in target)) return { ...input, of: target }
    ctx.addIssue({ code: 'custom', ...target })
    return z.NEVER
  })

/** So many items a batch may have (R125), and so many bytes its body. */
const MOST_ITEMS = 1000
export const BATCH_BYTES = 4 * 1024 * 1024

/** The items of a batch. How many there are is seen first: a body has room for far more than are worth looking at. */
export function batchOf<S extends z.ZodType>(item: S) {
  return z.array(z.unknown()).min(1).max(MOST_ITEMS).pipe(z.array(item))
}

/**
 * Reads a batch item by item, each quickly where it can be.
 * @param quick as an endpoint has it, for one item.
 * @returns undefined where something is wrong, for `batchOf` to say what.
 */
export function quickBatchOf<S extends z.ZodType>(item: S, quick: (body: unknown) => z.infer<S> | undefined) {
  return (body: unknown): z.infer<S>[] | undefined => {
    if (!Array.isArray(body) || body.length === 0 || body.length > MOST_ITEMS) return undefined
    const items: z.infer<S>[] = []
    for (const one of body) {
      const read = quick(one) ?? item.safeParse(one).data
      if (read === undefined) return undefined
      items.push(read)
    }
    return items
  }
}

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
  readonly skip_event?: boolean | null | undefined
}

function targetOf(input: TrackFields): TrackTarget | { readonly path?: string[]; readonly message: string } {
  const { feature_id, event_name, refund_of, value } = input
  if (refund_of !== undefined) {
    return refundProblem(input) ?? { eventId: refund_of, units: value === undefined ? null : -value }
  }
  if (input.lock != null && input.skip_event === true) return { path: ['skip_event'], message: LOCK_IS_RECORDED }
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

export const setUsageInput = z.object({
  customer_id: id,
  feature_id: id,
  entity_id: id.optional(),
  value: amount,
  customer_data: customerData.nullish(),
})

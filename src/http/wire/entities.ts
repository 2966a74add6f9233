import * as z from 'zod'
import type { Environment } from '../../domain/customer.ts'
import type { EntityRequest } from '../../domain/entities.ts'
import type { Entity } from '../../domain/entity.ts'
import { customerData, pageFields } from './customers.ts'
import { expandOf, id, later, newCustomerId, text } from './scalars.ts'
import type { WireObject } from './wire.ts'

/** The oldest clients send numbers as ids (B214). */
const newEntityId = z.preprocess((value) => (typeof value === 'number' ? String(value) : value), id.nullable())

const expand = expandOf(
  'invoices',
  'subscriptions.plan',
  'purchases.plan',
  // Of plans that are expanded.
  'items.feature',
  'balances.feature',
  'flags.feature',
)

const newEntity = {
  entity_id: newEntityId,
  feature_id: id,
  name: text.nullish(),
  billing_controls: later('billing_controls'),
}

/** So many in one request fit into a body, and into one commit that others wait for. */
const MOST_ENTITIES = 10_000

export const createEntitiesInput = z
  .object({
    customer_id: newCustomerId,
    ...newEntity,
    entity_id: newEntity.entity_id.optional(),
    feature_id: newEntity.feature_id.optional(),
    /** Several at once. */
    entities: z.array(z.object(newEntity)).min(1).max(MOST_ENTITIES).optional(),
    customer_data: customerData.nullish(),
    expand,
  })
  .transform((input, ctx) => {
    const { entity_id, feature_id, name } = input
    if (input.entities !== undefined) return { ...input, requests: input.entities.map(requestOf) }
    if (entity_id !== undefined && feature_id !== undefined) {
      return { ...input, requests: [requestOf({ entity_id, feature_id, name })] }
    }
    const missing = entity_id === undefined ? 'entity_id' : 'feature_id'
    ctx.addIssue({ code: 'custom', path: [missing], message: 'is needed' })
    return z.NEVER
  })

interface NewEntity {
  readonly entity_id: string | null
  readonly feature_id: string
  readonly name?: string | null | undefined
}

function requestOf({ entity_id, feature_id, name }: NewEntity): EntityRequest {
  return { id: entity_id, featureId: feature_id, name: name ?? null }
}

export const getEntityInput = z.object({ customer_id: id.optional(), entity_id: id, expand })

export const updateEntityInput = z.object({
  customer_id: id.optional(),
  entity_id: id,
  name: text.nullish(),
  billing_controls: later('billing_controls'),
  expand,
})

export const deleteEntityInput = z.object({ customer_id: id.optional(), entity_id: id })

export const listEntitiesInput = z.object({
  ...pageFields,
  customer_id: z.preprocess((value) => (typeof value === 'string' ? value.trim() : value), id).optional(),
  expand,
})

/** What identifies an entity inside another object. */
export function entityHeadToWire(entity: Entity, customerId: string, featureId: string, env: Environment): WireObject {
  return {
    id: entity.id,
    name: entity.name,
    customer_id: customerId,
    feature_id: featureId,
    created_at: entity.createdAt,
    env,
  }
}

/** The entity object of 2.1 and newer (B213). */
export function entityToWire(
  head: WireObject,
  held: { readonly subscriptions: readonly WireObject[]; readonly purchases: readonly WireObject[] },
  balances: WireObject,
  flags: WireObject,
  expanded: readonly string[],
): WireObject {
  return {
    ...head,
    ...held,
    balances,
    flags,
    billing_controls: {},
    ...(expanded.includes('invoices') ? { invoices: [] } : {}),
  }
}

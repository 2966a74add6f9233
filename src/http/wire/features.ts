import { z } from 'zod'
import type { Amount } from '../../domain/amount.ts'
import type { FeatureTypeAsWritten } from '../../domain/feature.ts'
import { amount, id, later, text } from './scalars.ts'

const featureId = id.refine((value) => /^[A-Za-z0-9_-]+$/.test(value), {
  message: 'can only contain letters, digits, underscores and dashes',
})

const creditCost = amount.refine((cost: Amount) => cost >= 0n, 'must not be negative')

const creditSchema = z.array(
  z.object({
    metered_feature_id: id,
    credit_cost: creditCost,
    billing_units: z.literal(1).or(later('billing_units')),
    tier_behavior: later('tier_behavior'),
    tiers: later('tiers'),
    dimensions: later('dimensions'),
    multipliers: later('multipliers'),
  }),
)

export const createFeatureInput = z
  .object({
    feature_id: featureId,
    name: text.min(1),
    type: z.enum(['boolean', 'metered', 'credit_system', 'ai_credit_system']),
    consumable: z.boolean().optional(),
    display: z.object({ singular: text.nullish(), plural: text.nullish() }).nullish(),
    credit_schema: creditSchema.nullish(),
    event_names: z.array(id).max(100).nullish(),
    model_markups: later('model_markups'),
    default_markup: later('default_markup'),
    provider_markups: later('provider_markups'),
    invoice_credit: later('invoice_credit'),
  })
  .superRefine((input, ctx) => {
    const issue = (path: string, message: string, code?: string) =>
      ctx.addIssue({ code: 'custom', path: [path], message, ...(code === undefined ? {} : { params: { code } }) })
    if (input.type === 'ai_credit_system')
      issue('type', 'ai_credit_system is not supported by this version of Granary', 'not_supported')
    if (input.type === 'credit_system' && input.credit_schema == null)
      issue('credit_schema', 'is needed for a credit system: list its metered features and their cost')
    if (input.type === 'credit_system' && input.consumable === false)
      issue('consumable', 'cannot be false for a credit system')
    if (input.type !== 'credit_system' && input.credit_schema != null)
      issue('credit_schema', `cannot be given for a ${input.type} feature`)
    if (input.type === 'boolean' && input.consumable === true)
      issue('consumable', 'cannot be true for a boolean feature')
  })

export const featureIdInput = z.object({ feature_id: id })
export const nothingInput = z.object({})

export function featureType(input: z.infer<typeof createFeatureInput>): FeatureTypeAsWritten {
  if (input.type === 'boolean') return { kind: 'boolean' }
  if (input.type === 'metered') return { kind: 'metered', consumable: input.consumable ?? false }
  const costs = (input.credit_schema ?? []).map((item) => ({
    featureId: item.metered_feature_id,
    cost: item.credit_cost,
  }))
  return { kind: 'credit_system', costs }
}

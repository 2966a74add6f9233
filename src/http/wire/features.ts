import * as z from 'zod'
import { type Amount, ONE, ZERO } from '../../domain/amount.ts'
import type { CostAsWritten, FeatureTypeAsWritten } from '../../domain/feature.ts'
import { atOneCost, type Tier } from '../../domain/price.ts'
import type { Redefinition } from '../../domain/redefine.ts'
import { areNone, NO_MARKUPS } from '../../domain/tokens.ts'
import { markupFields, markupsOf } from './markups.ts'
import { amount, id, later, plainId, text } from './scalars.ts'

const featureKind = z.enum(['boolean', 'metered', 'credit_system', 'ai_credit_system'])

const creditCost = amount.refine((cost: Amount) => cost >= 0n, 'must not be negative')

const MOST_CONDITIONS = 100

/** Properties by name; values are compared as texts, so that 5 and "5" are one (K 2.2). */
const match = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))
  .refine((wanted) => Object.keys(wanted).length > 0, 'must name at least one property')

const MOST_TIERS = 100

/** The last holds for whatever is beyond the one before, so a list of them covers every unit (K 2.2). */
const tiers = z
  .array(
    z.object({
      to: z.union([amount, z.literal('inf')], 'must be a number, or "inf" in the last tier'),
      credit_cost: creditCost,
    }),
  )
  .min(1)
  .max(MOST_TIERS)
  .transform((list) => list.map(({ to, credit_cost }): Tier => ({ to: to === 'inf' ? null : to, cost: credit_cost })))
  .superRefine((list, ctx) => {
    for (const [i, { to }] of list.entries()) {
      const before = list[i - 1]?.to ?? ZERO
      const issue = (message: string) => ctx.addIssue({ code: 'custom', path: [i, 'to'], message })
      if (i === list.length - 1 && to !== null) issue('must be "inf" in the last tier')
      else if (i < list.length - 1 && (to === null || to <= before))
        issue('must be above that of the tier before, and "inf" only in the last one')
    }
  })

/** One cost for all units, or one for each tier of them. */
const priced = {
  credit_cost: creditCost.nullish(),
  tier_behavior: z.literal('graduated').nullish(),
  tiers: tiers.nullish(),
}

interface Priced {
  readonly credit_cost?: Amount | null | undefined
  readonly tier_behavior?: 'graduated' | null | undefined
  readonly tiers?: readonly Tier[] | null | undefined
}

function hasOnePrice({ credit_cost, tier_behavior, tiers: list }: Priced, ctx: z.RefinementCtx): void {
  const issue = (path: string, message: string) => ctx.addIssue({ code: 'custom', path: [path], message })
  if (tier_behavior != null && list == null) issue('tiers', 'are needed with a tier_behavior')
  else if (credit_cost == null && list == null) issue('credit_cost', 'is needed, or tiers instead of it')
  else if (credit_cost != null && list != null) issue('tiers', 'cannot be given beside credit_cost')
}

function tiersOf({ credit_cost, tiers: list }: Priced): readonly Tier[] {
  return list ?? atOneCost(credit_cost ?? ZERO)
}

const dimension = z.object({ match, priority: z.number().optional(), ...priced }).superRefine(hasOnePrice)

const multiplier = z
  .object({ match, factor: creditCost.optional(), add: amount.optional() })
  .refine(({ factor, add }) => factor !== undefined || add !== undefined, 'needs a factor or something to add')

function named<T extends z.ZodType>(item: T) {
  return z
    .record(z.string().min(1), item)
    .refine((all) => Object.keys(all).length <= MOST_CONDITIONS, `must be ${MOST_CONDITIONS} at the most`)
    .nullish()
}

const creditSchema = z.array(
  z
    .object({
      metered_feature_id: id,
      billing_units: amount.refine((units) => units > 0n, 'must be above zero').nullish(),
      ...priced,
      dimensions: named(dimension),
      multipliers: named(multiplier),
    })
    .superRefine(hasOnePrice),
)

export const createFeatureInput = z
  .object({
    feature_id: plainId,
    name: text.min(1),
    type: featureKind,
    consumable: z.boolean().optional(),
    display: z.object({ singular: text.nullish(), plural: text.nullish() }).nullish(),
    credit_schema: creditSchema.nullish(),
    event_names: z.array(id).max(100).nullish(),
    ...markupFields,
    invoice_credit: later('invoice_credit'),
  })
  .superRefine((input, ctx) => {
    const { type, consumable, credit_schema } = input
    const issue = (path: string, message: string, code?: string) =>
      ctx.addIssue({ code: 'custom', path: [path], message, params: { code } })
    if (type === 'credit_system' && credit_schema == null)
      issue('credit_schema', 'is needed for a credit system: list its metered features and their cost')
    if ((type === 'credit_system' || type === 'ai_credit_system') && consumable === false)
      issue('consumable', 'cannot be false for a credit system')
    if (type !== 'credit_system' && credit_schema != null) {
      const code = type === 'ai_credit_system' ? 'invalid_feature' : undefined
      issue('credit_schema', `cannot be given for a ${type} feature`, code)
    }
    if (type !== 'ai_credit_system' && !areNone(markupsOf(input) ?? {}))
      issue('type', `must be ai_credit_system where there are markups, and is ${type}`)
    if (type === 'boolean' && consumable === true) issue('consumable', 'cannot be true for a boolean feature')
  })

export const updateFeatureInput = z.object({
  feature_id: id,
  new_feature_id: plainId.optional(),
  name: text.min(1).optional(),
  type: featureKind.optional(),
  consumable: z.boolean().optional(),
  display: z.object({ singular: text.nullish(), plural: text.nullish() }).nullish(),
  credit_schema: creditSchema.nullish(),
  event_names: z.array(id).max(100).nullish(),
  archived: z.boolean().optional(),
  ...markupFields,
  invoice_credit: later('invoice_credit'),
})

/** Null says "nothing" for the display, the event names and markups, and says nothing of the credit schema. */
export function redefinitionOf(input: z.infer<typeof updateFeatureInput>): Redefinition {
  return {
    newId: input.new_feature_id,
    name: input.name,
    kind: input.type,
    consumable: input.consumable,
    costs: input.credit_schema == null ? undefined : costsOf(input.credit_schema),
    markups: markupsOf(input),
    eventNames: input.event_names === null ? [] : input.event_names,
    display: input.display === undefined ? undefined : displayOf(input.display),
    archived: input.archived,
  }
}

export function displayOf(input: { singular?: string | null | undefined; plural?: string | null | undefined } | null) {
  return input === null ? null : { singular: input.singular ?? null, plural: input.plural ?? null }
}

export const featureIdInput = z.object({ feature_id: id })
export const nothingInput = z.object({})

export function featureType(input: z.infer<typeof createFeatureInput>): FeatureTypeAsWritten {
  if (input.type === 'boolean') return { kind: 'boolean' }
  if (input.type === 'metered') return { kind: 'metered', consumable: input.consumable ?? false }
  if (input.type === 'ai_credit_system') return { kind: input.type, markups: { ...NO_MARKUPS, ...markupsOf(input) } }
  return { kind: 'credit_system', costs: costsOf(input.credit_schema ?? []) }
}

function costsOf(schema: z.infer<typeof creditSchema>): CostAsWritten[] {
  return schema.map((item) => ({
    featureId: item.metered_feature_id,
    tariff: {
      tiers: tiersOf(item),
      per: item.billing_units ?? ONE,
      dimensions: Object.entries(item.dimensions ?? {}).map(([name, other]) => ({
        ...{ name, match: other.match, priority: other.priority ?? 0, tiers: tiersOf(other) },
      })),
      multipliers: Object.entries(item.multipliers ?? {}).map(([name, { match: wanted, factor, add }]) => ({
        ...{ name, match: wanted, factor: factor ?? ONE, add: add ?? ZERO },
      })),
    },
  }))
}

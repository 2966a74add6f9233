import * as z from 'zod'
import type { NewPlan } from '../../domain/define-plan.ts'
import type { PlanChange } from '../../domain/redefine-plan.ts'
import { basePriceInput, basePriceOf, freeTrialInput, itemOf, planItemInput, trialOf } from './plan-items.ts'
import { expandOf, id, jsonObject, later, plainId, text } from './scalars.ts'

const MOST_ITEMS = 500
const MOST_METADATA = 100

const expand = expandOf('items.feature')
const version = z
  .number()
  .refine((value) => Number.isInteger(value) && value >= 1, 'must be a whole number, 1 or more')
  .nullish()
const name = text.min(1)

/** Texts by name, the same for all versions. Not a record of zod's, which drops `__proto__`. */
const metadata = jsonObject
  .refine((all) => Object.values(all).every((value) => typeof value === 'string'), 'can only hold texts')
  .refine((all) => Object.keys(all).length <= MOST_METADATA, `must be ${MOST_METADATA} at the most`)
  .transform((all) => all as Readonly<Record<string, string>>)

const settings = {
  description: text.nullish(),
  group: text.max(256).nullish(),
  add_on: z.boolean().nullish(),
  auto_enable: z.boolean().nullish(),
  price: basePriceInput.nullish(),
  items: z.array(planItemInput).max(MOST_ITEMS).nullish(),
  free_trial: freeTrialInput.nullish(),
  config: z.object({ ignore_past_due: z.boolean().nullish() }).nullish(),
  metadata: metadata.nullish(),
  billing_controls: later('billing_controls'),
  licenses: later('licenses'),
  variants: later('variants'),
  expand,
}

export const createPlanInput = z.object({ plan_id: plainId, name, ...settings })

export function newPlanOf(input: z.infer<typeof createPlanInput>): NewPlan {
  return {
    id: input.plan_id,
    settings: {
      name: input.name,
      description: input.description ?? null,
      group: input.group ?? '',
      addOn: input.add_on ?? false,
      autoEnable: input.auto_enable ?? false,
      archived: false,
      ignorePastDue: input.config?.ignore_past_due ?? false,
      metadata: input.metadata ?? {},
    },
    price: input.price == null ? null : basePriceOf(input.price),
    items: (input.items ?? []).map(itemOf),
    trial: input.free_trial == null ? null : trialOf(input.free_trial),
  }
}

/** Ways to say what becomes of versions, of which a request may name one (C54). */
const VERSIONING = [
  ['disable_version', 'never'],
  ['all_versions', 'all'],
  ['force_version', 'always'],
] as const

export const updatePlanInput = z
  .object({
    plan_id: id,
    version,
    new_plan_id: plainId.nullish(),
    name: name.nullish(),
    ...settings,
    archived: z.boolean().nullish(),
    disable_version: z.boolean().nullish(),
    all_versions: z.boolean().nullish(),
    force_version: z.boolean().nullish(),
    update_variant_ids: later('update_variant_ids'),
    update_license_parents: later('update_license_parents'),
    base_plan_id: later('base_plan_id'),
    migration: later('migration'),
  })
  .superRefine((input, ctx) => {
    const given = VERSIONING.filter(([flag]) => input[flag] === true).map(([flag]) => flag)
    if (given.length < 2) return
    const message = `${given.join(' and ')} exclude each other: give one of them`
    ctx.addIssue({ code: 'custom', message, params: { code: 'conflicting_version_flags' } })
  })

/** Null takes away a price, a trial, a description and a group; of anything else it says nothing. */
export function planChangeOf(input: z.infer<typeof updatePlanInput>): PlanChange {
  return {
    version: input.version ?? null,
    newId: input.new_plan_id ?? undefined,
    settings: {
      name: input.name ?? undefined,
      description: input.description,
      group: input.group === null ? '' : input.group,
      addOn: input.add_on ?? undefined,
      autoEnable: input.auto_enable ?? undefined,
      archived: input.archived ?? undefined,
      ignorePastDue: input.config?.ignore_past_due ?? undefined,
      metadata: input.metadata ?? undefined,
    },
    price: input.price == null ? input.price : basePriceOf(input.price),
    items: input.items?.map(itemOf),
    trial: input.free_trial == null ? input.free_trial : trialOf(input.free_trial),
    versioning: VERSIONING.find(([flag]) => input[flag] === true)?.[1] ?? 'if_had',
  }
}

export const getPlanInput = z.object({ plan_id: id, version, expand })

export const listPlansInput = z.object({
  /** Of whom it is to be said what they may do with each plan; nobody has to be called so (C65). */
  customer_id: id.nullish(),
  entity_id: id.nullish(),
  include_archived: z.boolean().nullish(),
  all_versions: z.boolean().nullish(),
  expand,
})

export const deletePlanInput = z.object({ plan_id: id, all_versions: z.boolean().nullish() })

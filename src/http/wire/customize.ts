import * as z from 'zod'
import type { Customization } from '../../domain/customize.ts'
import type { FreeTrial } from '../../domain/plan.ts'
import { INTERVALS } from '../../domain/time.ts'
import {
  basePriceInput,
  basePriceOf,
  freeTrialInput,
  trialOf as givenTrialOf,
  itemOf,
  planItemInput,
} from './plan-items.ts'
import { amount, id, later } from './scalars.ts'

const MOST_ITEMS = 500

/** Which items are meant; something besides `included` has to be said (C103). */
const itemFilter = z
  .object({
    feature_id: id.nullish(),
    billing_method: z.enum(['prepaid', 'usage_based']).nullish(),
    interval: z.enum(['one_off', ...INTERVALS]).nullish(),
    interval_count: z.int().min(1).nullish(),
    included: amount.nullish(),
  })
  .refine((filter) => Object.entries(filter).some(([key, value]) => key !== 'included' && value != null), {
    message: 'must say which items are meant: give feature_id, billing_method, interval or interval_count',
  })

const PARTS = ['items', 'add_items', 'remove_items'] as const

/** How the terms of a plan are changed for one customer (C 4.2.1). */
export const customizeInput = z
  .object({
    price: basePriceInput.nullish(),
    items: z.array(planItemInput).max(MOST_ITEMS).nullish(),
    add_items: z.array(planItemInput).max(MOST_ITEMS).nullish(),
    remove_items: z.array(itemFilter).max(MOST_ITEMS).nullish(),
    free_trial: freeTrialInput.nullish(),
    billing_controls: later('customize.billing_controls'),
    upsert_licenses: later('customize.upsert_licenses'),
    remove_licenses: later('customize.remove_licenses'),
  })
  .superRefine((input, ctx) => {
    const issue = (message: string) => ctx.addIssue({ code: 'custom', message })
    if (input.items != null && (input.add_items != null || input.remove_items != null))
      issue('items cannot be given with add_items or remove_items: it replaces them all')
    if (PARTS.every((name) => input[name] == null) && input.price === undefined && input.free_trial === undefined)
      issue(`changes nothing: give price, free_trial or one of ${PARTS.join(', ')}`)
  })
  .transform((input): { customization: Customization | undefined; trial: FreeTrial | null | undefined } => ({
    trial: trialOf(input.free_trial),
    customization:
      PARTS.every((name) => input[name] == null) && input.price === undefined
        ? undefined
        : {
            price: input.price == null ? input.price : basePriceOf(input.price),
            items: input.items?.map(itemOf),
            addItems: (input.add_items ?? []).map(itemOf),
            removeItems: (input.remove_items ?? []).map((filter) => ({
              featureId: filter.feature_id ?? undefined,
              method: filter.billing_method ?? undefined,
              interval: filter.interval ?? undefined,
              count: filter.interval_count ?? undefined,
              included: filter.included ?? undefined,
            })),
          },
  }))

export const trialInput = freeTrialInput

/** Null is no trial; undefined says nothing. */
export function trialOf(input: z.infer<typeof freeTrialInput> | null | undefined): FreeTrial | null | undefined {
  return input == null ? input : givenTrialOf(input)
}

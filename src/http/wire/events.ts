import * as z from 'zod'
import { BIN_SIZES } from '../../domain/bins.ts'
import { RANGES } from '../../domain/cycle.ts'
import type { GroupBy, PropertyFilter, PropertyPath } from '../../domain/property.ts'
import { cursor, id, instant, text } from './scalars.ts'

/** Below this many events a page asks for nothing unusual (R170). */
const MOST_EVENTS = 5000
const MOST_NAMES = 100
const MOST_FILTERS = 5
/** R180. */
const MOST_GROUPS = 250
const USUAL_GROUPS = 9

/** Names of features or events; one alone may stand by itself. */
const names = z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(id).min(1).max(MOST_NAMES))

const PATH = /^\w+(?:\.\w+)*$/
const PATH_PROBLEM = 'must be names of letters, digits and underscores, with a point between one and the next inner one'

/** Properties by their paths: each has to be this text. A number or a truth value is compared in its JSON form (R170, R180). */
const filters = z
  .record(
    z
      .string()
      .max(256)
      .refine((path) => PATH.test(path), PATH_PROBLEM),
    text,
  )
  .refine((all) => Object.keys(all).length <= MOST_FILTERS, `must be ${MOST_FILTERS} properties at the most`)
  .transform((all) => Object.entries(all).map(([path, value]): PropertyFilter => ({ path: pathOf(path), value })))

export const listEventsInput = z.object({
  customer_id: id.optional(),
  entity_id: id.optional(),
  feature_id: names.optional(),
  custom_range: z.object({ start: instant.optional(), end: instant.optional() }).optional(),
  start_cursor: cursor,
  limit: z.int().min(1).max(MOST_EVENTS).optional(),
  filter_by: filters.nullish(),
})

const GROUPS: Readonly<Record<string, GroupBy>> = {
  $customer_id: { kind: 'customer' },
  $entity_id: { kind: 'entity' },
  $plan_id: { kind: 'plan' },
  $feature_id: { kind: 'name' },
}
const PROPERTIES = 'properties.'

const groupBy = z
  .string()
  .max(256)
  .transform((value, ctx): GroupBy => {
    const known = Object.hasOwn(GROUPS, value) ? GROUPS[value] : undefined
    if (known !== undefined) return known
    const path = value.slice(PROPERTIES.length)
    if (value.startsWith(PROPERTIES) && PATH.test(path)) return { kind: 'property', path: pathOf(path) }
    const others = Object.keys(GROUPS).join(', ')
    const message = `must be ${PROPERTIES} and then the names on the way to a property (letters, digits, underscores), or one of ${others}`
    ctx.addIssue({ code: 'custom', message })
    return z.NEVER
  })

export const aggregateEventsInput = z
  .object({
    customer_id: id.optional(),
    entity_id: id.optional(),
    feature_id: names.transform((all) => [...new Set(all)]),
    range: z.enum(RANGES).optional(),
    custom_range: z
      .object({ start: instant, end: instant })
      .refine(({ start, end }) => start < end, { path: ['start'], message: 'must be before end' })
      .optional(),
    // What the recorded reference does without it, whatever the range; the published clients send it.
    bin_size: z.enum(BIN_SIZES).default('day'),
    group_by: groupBy.optional(),
    filter_by: filters.nullish(),
    max_groups: z.int().min(1).max(MOST_GROUPS).default(USUAL_GROUPS),
    aggregate_on: z.literal('deducted').nullish(),
  })
  .superRefine((input, ctx) => {
    const { range, custom_range, group_by, aggregate_on } = input
    if (range !== undefined && custom_range !== undefined)
      ctx.addIssue({ code: 'custom', path: ['custom_range'], message: 'cannot be given beside range' })
    if (group_by?.kind === 'name' && aggregate_on == null)
      ctx.addIssue({ code: 'custom', path: ['group_by'], message: '$feature_id needs aggregate_on: "deducted"' })
    // R187, with the code that the contract has for these.
    if (aggregate_on == null) return
    const misused = (path: string, message: string) =>
      ctx.addIssue({ code: 'custom', path: [path], message, params: { code: 'invalid_request' } })
    if (input.customer_id === undefined) misused('customer_id', 'is needed with aggregate_on')
    if (group_by?.kind === 'plan')
      misused('group_by', 'cannot be $plan_id with aggregate_on: each balance tells its plan')
    if ((input.filter_by ?? []).length > 0) misused('filter_by', 'cannot be given with aggregate_on')
  })

function pathOf(text: string): PropertyPath {
  return text.split('.')
}

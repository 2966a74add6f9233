import * as z from 'zod'
import { type Amount, formatAmount, LARGEST_INPUT, readAmount } from '../../domain/amount.ts'
import type { JsonObject } from '../../domain/customer.ts'
import { END_OF_TIME, INTERVALS, type Instant } from '../../domain/time.ts'

/** What an issue of ours says about itself, for the error's code. */
export const NOT_SUPPORTED = 'not_supported'

const MAX_TEXT = 256

/** An exact amount: a JSON number (through its shortest decimal form) or a decimal text, at most ±10¹⁵ (B242). */
export const amount: z.ZodType<Amount, number | string> = asked((value, ctx) => {
  if (typeof value !== 'number' && typeof value !== 'string')
    return fail(ctx, `must be a number (received ${kindOf(value)})`)
  const result = readAmount(value)
  if (result === 'too_large')
    return fail(ctx, `must be between -${formatAmount(LARGEST_INPUT)} and ${formatAmount(LARGEST_INPUT)}`)
  if (result === 'not_a_number') return fail(ctx, 'must be a number, or a text that holds a decimal number')
  return result
})

/** Unix milliseconds, a whole number. */
export const instant: z.ZodType<Instant, number> = asked((value, ctx) => {
  if (typeof value !== 'number') return fail(ctx, `must be a number (received ${kindOf(value)})`)
  if (!Number.isInteger(value)) return fail(ctx, 'must be a whole number of milliseconds')
  if (value <= 0 || value > END_OF_TIME) return fail(ctx, 'must be a time in Unix milliseconds')
  return value
})

/** A reference to something by its id. */
export const id = z.string().min(1).max(MAX_TEXT).refine(isStorable, 'must be well-formed text without NUL characters')
export const text = z.string().max(4096).refine(isStorable, 'must be well-formed text without NUL characters')

/** The id of a feature or a plan that is to be created or renamed. */
export const plainId = id.refine((value) => /^[A-Za-z0-9_-]+$/.test(value), {
  message: 'can only contain letters, digits, underscores and dashes',
})

/** The id of a customer that is to be created or renamed (B184). */
export const newCustomerId = id.refine((value) => /^[A-Za-z0-9_:-]+$/.test(value), {
  message: 'can only contain letters, digits, underscores, dashes and colons',
})

/** A cursor of a list: `next_cursor` of the page before, or empty for the first page. */
export const cursor = z.string().max(1000).optional()

/** What is looked for in a list; blank looks for nothing. */
export const search = text
  .transform((value) => value.trim())
  .transform((value) => (value === '' ? undefined : value))
  .optional()

export const interval = z.enum(['one_off', ...INTERVALS])

const MOST_PERIODS = 10_000

/** How many of an interval make one period. */
export const intervalCount = z
  .number()
  .refine((count) => Number.isInteger(count) && count >= 1, 'must be a whole number, 1 or more')
  .refine((count) => count <= MOST_PERIODS, `must be at most ${MOST_PERIODS}`)

/** A JSON object of the caller's, kept as it is. */
export const jsonObject: z.ZodType<JsonObject, Readonly<Record<string, unknown>>> = asked((value, ctx) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail(ctx, `must be an object (received ${kindOf(value)})`)
  return value as JsonObject
})

/** What to expand, as a list or as a comma-separated text (B7). */
export function expandOf<const T extends string>(...known: T[]) {
  const listed = z.array(z.enum(known))
  return z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), listed).optional()
}

/**
 * A field that a later release understands. Left out, null, false or empty it asks for nothing; anything else is refused,
 * because accepting and ignoring it would promise what does not happen.
 */
export function later(what: string) {
  return z
    .unknown()
    .superRefine((value, ctx) => {
      if (asksForNothing(value)) return
      const message = `${what} is not supported by this version of Granary`
      ctx.addIssue({ code: 'custom', message, params: { code: NOT_SUPPORTED } })
    })
    .optional()
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function asksForNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true
  if (typeof value !== 'object') return false
  return Object.values(value).every(asksForNothing)
}

/** A half of a surrogate pair has no UTF-8 form, so two texts that differ only in one would become the same text on disk. */
function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\u0000')
}

/** A value that is read by hand, with the type in which callers are to send it. */
function asked<T, I>(read: (value: unknown, ctx: z.RefinementCtx) => T): z.ZodType<T, I> {
  return z.unknown().transform(read) as z.ZodType as z.ZodType<T, I>
}

function fail(ctx: z.RefinementCtx, message: string): never {
  ctx.addIssue({ code: 'custom', message })
  return z.NEVER
}

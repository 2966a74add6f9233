import * as z from 'zod'
import { OVERAGE_BEHAVIORS } from '../../domain/deduction.ts'
import { TOKEN_KINDS, type TokenCounts, type TokenKind } from '../../domain/tokens.ts'
import { id, instant, jsonObject } from './scalars.ts'
import { bodyKey, creation } from './usage.ts'

const count = z.int().min(0)

/** Kinds of tokens that exclude each other; how many there were of input and output must be said (R127). */
const counts = {
  input_tokens: count,
  output_tokens: count,
  cache_read_tokens: count.optional(),
  cache_write_tokens: count.optional(),
  audio_input_tokens: count.optional(),
  audio_output_tokens: count.optional(),
  reasoning_tokens: count.optional(),
} satisfies { [K in TokenKind as `${K}_tokens`]: z.ZodType }

export const trackTokensInput = z
  .object({
    ...creation,
    customer_id: id,
    entity_id: id.optional(),
    feature_id: id.optional(),
    model_id: id,
    ...counts,
    properties: jsonObject.optional(),
    timestamp: instant.optional(),
    idempotency_key: bodyKey,
    overage_behavior: z.enum(OVERAGE_BEHAVIORS).optional(),
    async: z.boolean().nullish(),
  })
  .transform((input) => ({
    ...input,
    counts: countsOf(input),
    // Who does not exist yet has no balance either, and so nothing that could say which feature is meant.
    auto_create: input.auto_create === true && input.feature_id !== undefined,
  }))

function countsOf(input: { readonly [K in TokenKind as `${K}_tokens`]?: number | undefined }): TokenCounts {
  return Object.fromEntries(
    TOKEN_KINDS.flatMap((kind) => {
      const found = input[`${kind}_tokens`]
      return found === undefined ? [] : [[kind, found]]
    }),
  )
}

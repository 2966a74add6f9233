import * as z from 'zod'
import type { ModelPrice, ModelPrices, TokenKind } from '../../domain/tokens.ts'
import { ratesOf, tokenRate } from './markups.ts'

/** How the public models.dev data calls the rates of each kind of tokens. */
const NAMES: { readonly [K in TokenKind]: keyof typeof rates } = {
  input: 'input',
  output: 'output',
  cache_read: 'cache_read',
  cache_write: 'cache_write',
  audio_input: 'input_audio',
  audio_output: 'output_audio',
  reasoning: 'reasoning',
}

const rates = {
  input: tokenRate,
  output: tokenRate,
  cache_read: tokenRate,
  cache_write: tokenRate,
  input_audio: tokenRate,
  output_audio: tokenRate,
  reasoning: tokenRate,
}
const ratesInput = z.object(rates)

const cost = ratesInput.extend({
  tiers: z
    .array(
      ratesInput.extend({ tier: z.object({ type: z.string().default('context'), size: z.int().min(0).optional() }) }),
    )
    .nullish(),
  context_over_200k: ratesInput.nullish(),
})

/** Providers and their models by id; what else is said of them is left alone. */
const tableInput = z.record(z.string(), z.object({ models: z.record(z.string(), z.object({ cost: cost.nullish() })) }))

/** A price table in the shape of `https://models.dev/api.json`: USD for a million tokens. */
export type ModelPriceTable = z.input<typeof tableInput>

/**
 * Reads a price table. Models without a cost are left out, and so are those whose cost goes by something else than the length
 * of the context, because a wrong price is worse than none.
 * @throws Error with a sentence that names the entry that cannot be read.
 */
export function readModelPrices(table: unknown): ModelPrices {
  const parsed = tableInput.safeParse(table)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new Error(`${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'is not a price table'}`)
  }
  const prices = new Map<string, ModelPrice>()
  for (const [provider, { models }] of Object.entries(parsed.data)) {
    for (const [model, { cost: one }] of Object.entries(models)) {
      const price = one == null ? null : priceOf(one)
      if (price !== null) prices.set(`${provider}/${model}`, price)
    }
  }
  return prices
}

function priceOf(one: z.infer<typeof cost>): ModelPrice | null {
  const longContext: ModelPrice['longContext'][number][] = []
  for (const { tier, ...named } of one.tiers ?? []) {
    if (tier.type !== 'context' || tier.size === undefined) return null
    longContext.push({ above: tier.size, rates: namedRates(named) })
  }
  // The older spelling of one tier, which newer data repeats beside the tiers.
  if (one.tiers == null && one.context_over_200k != null) {
    longContext.push({ above: 200_000, rates: namedRates(one.context_over_200k) })
  }
  return { rates: namedRates(one), longContext }
}

function namedRates(named: z.infer<typeof ratesInput>): ModelPrice['rates'] {
  return ratesOf((kind) => named[NAMES[kind]])
}

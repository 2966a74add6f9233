import { type Amount, divideHalfEven, formatAmount, LARGEST_INPUT, ONE, ZERO } from './amount.ts'
import { type Refusal, refuse } from './refusal.ts'

/**
 * The kinds of tokens that a use of a model counts, none of them a part of another, each with the kind whose rate holds where
 * a model has none for it (R127, R129).
 */
const INSTEAD = {
  input: 'input',
  output: 'output',
  cache_read: 'input',
  cache_write: 'input',
  audio_input: 'input',
  audio_output: 'output',
  reasoning: 'output',
} as const

export type TokenKind = keyof typeof INSTEAD
export const TOKEN_KINDS = Object.keys(INSTEAD) as readonly TokenKind[]

/** How many tokens of each kind; whole numbers, a kind that is absent was not used. */
export type TokenCounts = { readonly [K in TokenKind]?: number }

/** USD for a million tokens of each kind. */
export type TokenRates = { readonly [K in TokenKind]?: Amount }

/** What a model costs. Above a size of the context other rates take the place of those that they name. */
export interface ModelPrice {
  readonly rates: TokenRates
  readonly longContext: readonly { readonly above: number; readonly rates: TokenRates }[]
}

/** By `provider/model`. */
export type ModelPrices = ReadonlyMap<string, ModelPrice>

/** What an AI credit system adds to the prices of models, in percent: at least -100, which makes use free. */
export interface Markups {
  /** Where neither the model nor its provider has a markup of its own. */
  readonly standard: Amount | null
  readonly providers: readonly { readonly provider: string; readonly percent: Amount }[]
  readonly models: readonly ModelTerms[]
}

/** What holds for one model, named `provider/model`. */
export interface ModelTerms {
  readonly model: string
  /** Null leaves it to the provider's. */
  readonly percent: Amount | null
  /** Instead of those of the price table; all there are for a model that is not in it. */
  readonly rates: TokenRates
}

export const NO_MARKUPS: Markups = { standard: null, providers: [], models: [] }

/** Whether there is neither a markup nor a price. */
export function areNone({ standard = null, providers = [], models = [] }: Partial<Markups>): boolean {
  return standard === null && providers.length === 0 && models.length === 0
}

/** What one use of a model costs, in USD. */
export interface Quote {
  readonly cost: Amount
  /** Without the markup. */
  readonly baseCost: Amount
  readonly percent: Amount
  /** For each kind of tokens that was used. */
  readonly rates: TokenRates
}

const MILLION = 1_000_000n
const HUNDRED = 100n * ONE

/**
 * Prices one use of a model: the tokens of each kind by its rate per million, and the markup on the sum. Exact until the end,
 * where the cost is rounded half-even to 10⁻¹² once.
 * @param model `provider/model`, the provider being what comes before the first slash.
 * @returns the quote, or refusal `invalid_request` (a model without a price for input and output), `invalid_inputs` (a cost
 * beyond what an amount may be). Source: R128, R129.
 */
export function quote(model: string, counts: TokenCounts, markups: Markups, prices: ModelPrices): Quote | Refusal {
  const terms = markups.models.find((one) => one.model === model)
  const known = { ...listedRates(prices.get(model), contextOf(counts)), ...terms?.rates }
  if (known.input === undefined || known.output === undefined) return unpriced(model, known)
  const used = TOKEN_KINDS.filter((kind) => (counts[kind] ?? 0) > 0)
  const rates = Object.fromEntries(
    used.map((kind) => [kind, known[kind] ?? known[INSTEAD[kind]] ?? ZERO]),
  ) as TokenRates
  let sum = 0n
  for (const kind of used) sum += BigInt(counts[kind] ?? 0) * (rates[kind] ?? ZERO)
  const percent = terms?.percent ?? ofProvider(model, markups) ?? markups.standard ?? ZERO
  const cost = divideHalfEven(sum * (HUNDRED + percent), MILLION * HUNDRED)
  if (cost > LARGEST_INPUT) {
    return refuse(
      'invalid_inputs',
      `These tokens would cost more than ${formatAmount(LARGEST_INPUT)}: are the counts right?`,
    )
  }
  return { cost, baseCost: divideHalfEven(sum, MILLION), percent, rates }
}

/** Tokens of the prompt, by which a long context is told: what is read from a cache is part of it. */
function contextOf({ input = 0, cache_read = 0, cache_write = 0 }: TokenCounts): number {
  return input + cache_read + cache_write
}

function listedRates(price: ModelPrice | undefined, context: number): TokenRates {
  if (price === undefined) return {}
  let best: ModelPrice['longContext'][number] | undefined
  for (const tier of price.longContext) {
    if (tier.above < context && (best === undefined || tier.above > best.above)) best = tier
  }
  return { ...price.rates, ...best?.rates }
}

function ofProvider(model: string, { providers }: Markups): Amount | undefined {
  const slash = model.indexOf('/')
  return providers.find(({ provider }) => provider === model.slice(0, slash))?.percent
}

function unpriced(model: string, { input, output }: TokenRates): Refusal {
  const missing = input === output ? 'input and output' : input === undefined ? 'input' : 'output'
  return refuse(
    'invalid_request',
    `Model ${model} has no price for ${missing}: neither the price table (GRANARY_MODEL_PRICES) nor model_markups of the feature has one. Models are named provider/model`,
  )
}

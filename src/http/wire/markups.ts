import * as z from 'zod'
import { type Amount, ONE } from '../../domain/amount.ts'
import { type Markups, type ModelTerms, TOKEN_KINDS, type TokenKind, type TokenRates } from '../../domain/tokens.ts'
import { amount, id } from './scalars.ts'
import type { WireObject } from './wire.ts'

const MOST_ENTRIES = 1000

const percent = amount.refine((value) => value >= -100n * ONE, 'must not be below -100, which makes use free')

export const tokenRate = amount.refine((value) => value >= 0n, 'must not be negative').nullish()

/** USD for a million tokens. The contract has the costs of input and output; the others are Granary's own. */
const costs = Object.fromEntries(TOKEN_KINDS.map((kind) => [costOf(kind), tokenRate])) as {
  [K in TokenKind as `${K}_cost`]: typeof tokenRate
}

const modelId = id.refine((value) => /^[^/]+\/./.test(value), 'must be named provider/model')

function entries<K extends typeof id, V extends z.ZodType>(key: K, value: V) {
  return z
    .record(key, value)
    .refine((all) => Object.keys(all).length <= MOST_ENTRIES, `must be ${MOST_ENTRIES} at the most`)
    .nullish()
}

/** What features of the type `ai_credit_system` say of prices (B230, B232). */
export const markupFields = {
  model_markups: entries(modelId, z.object({ markup: percent.nullish(), ...costs })),
  default_markup: percent.nullish(),
  provider_markups: entries(id, z.object({ markup: percent })),
}

const fields = z.object(markupFields)

/** What is left out says nothing, null says "none". @returns undefined where nothing is said at all. */
export function markupsOf(input: z.infer<typeof fields>): Partial<Markups> | undefined {
  const { model_markups: models, default_markup: standard, provider_markups: providers } = input
  const said = {
    ...(standard === undefined ? {} : { standard }),
    ...(providers === undefined ? {} : { providers: providersOf(providers ?? {}) }),
    ...(models === undefined ? {} : { models: modelsOf(models ?? {}) }),
  }
  return Object.keys(said).length === 0 ? undefined : said
}

function providersOf(all: Readonly<Record<string, { readonly markup: Amount }>>): Markups['providers'] {
  return Object.entries(all).map(([provider, { markup }]) => ({ provider, percent: markup }))
}

function modelsOf(all: NonNullable<z.infer<typeof fields>['model_markups']>): readonly ModelTerms[] {
  return Object.entries(all).map(([model, { markup, ...rest }]) => ({
    model,
    percent: markup ?? null,
    rates: ratesOf((kind) => rest[costOf(kind)]),
  }))
}

/** @param rate of a kind; null and undefined are none. */
export function ratesOf(rate: (kind: TokenKind) => Amount | null | undefined): TokenRates {
  return Object.fromEntries(
    TOKEN_KINDS.flatMap((kind) => {
      const found = rate(kind)
      return found == null ? [] : [[kind, found]]
    }),
  )
}

/** Only what there is. */
export function markupsToWire({ standard, providers, models }: Markups): WireObject {
  return {
    model_markups:
      models.length === 0 ? undefined : Object.fromEntries(models.map((one) => [one.model, termsToWire(one)])),
    default_markup: standard ?? undefined,
    provider_markups:
      providers.length === 0
        ? undefined
        : Object.fromEntries(providers.map(({ provider, percent: markup }) => [provider, { markup }])),
  }
}

function termsToWire({ percent: markup, rates }: ModelTerms): WireObject {
  const shown = TOKEN_KINDS.map((kind) => [costOf(kind), rates[kind]] as const)
  return { markup: markup ?? undefined, ...Object.fromEntries(shown) }
}

function costOf<K extends TokenKind>(kind: K): `${K}_cost` {
  return `${kind}_cost`
}

import { type Amount, formatAmount } from '../domain/amount.ts'
import type { JsonObject } from '../domain/customer.ts'
import type { Catalogue, Feature } from '../domain/feature.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import { type ModelPrices, type Quote, quote, type TokenCounts } from '../domain/tokens.ts'
import { within } from '../domain/within.ts'
import type { Command, Reply } from '../engine/command.ts'
import { type Bench, type Context, deciding, featureNotFound } from './decide.ts'
import { inTheFuture, recordUse, type TrackAnswer, type TrackRequest } from './track.ts'

export interface TokensRequest extends Omit<TrackRequest, 'of' | 'value'> {
  /** The AI credit system that pays, or undefined for the only one of which the subject has a balance. */
  readonly featureId: string | undefined
  /** `provider/model`. */
  readonly modelId: string
  readonly counts: TokenCounts
}

/**
 * Records a use of a model, at its cost in USD, and takes that from an AI credit system. Refusals: those of `track`,
 * `feature_not_found` (also where the subject has no balance of any AI credit system), `invalid_request` (a feature of another
 * type, several that could pay, a model without a price). Source: R127-R129.
 */
export function trackTokens(context: Context, request: TokensRequest): Promise<Reply<TrackAnswer>> {
  return context.engine.submit(tokensCommand(context, request))
}

/** What `trackTokens` gives the engine. */
export function tokensCommand(
  { env, keys, modelPrices }: Omit<Context, 'engine'>,
  request: TokensRequest,
): Command<TrackAnswer> {
  const { modelId, counts, customerId, timestamp, behavior } = request
  return {
    env,
    keys,
    customerId,
    decide(situation) {
      const named = systemOf(request, situation.catalogue)
      if (isRefusal(named)) return named
      const late = inTheFuture(timestamp, situation.moment)
      if (late !== null) return late
      const eventUid = situation.moment.newId('evt')
      return deciding(request, eventUid, (bench) => {
        const feature = named ?? heldSystem(bench)
        if (isRefusal(feature)) return feature
        const { type, id: name } = feature
        if (type.kind !== 'ai_credit_system') return notForTokens(name)
        const quoted = quote(modelId, counts, type.markups, modelPrices)
        if (isRefusal(quoted)) return quoted
        const properties = { ...request.properties, ...propertiesOf(modelId, counts, quoted) }
        const what = { name, value: quoted.cost, properties, timestamp, refundOf: null, lock: null }
        return recordUse(bench, eventUid, [feature], what, behavior, null, request)
      })(situation)
    },
  }
}

/**
 * Why nobody could pay for a use, as far as features and prices say: before anyone is looked for or created.
 * Where no feature is named, one that has a price for the model is enough.
 */
export function unpayable(request: TokensRequest, catalogue: Catalogue, modelPrices: ModelPrices): Refusal | null {
  const named = systemOf(request, catalogue)
  if (isRefusal(named)) return named
  let problem: Refusal | null = null
  for (const { type } of named === null ? catalogue.features : [named]) {
    if (type.kind !== 'ai_credit_system') continue
    const quoted = quote(request.modelId, request.counts, type.markups, modelPrices)
    if (!isRefusal(quoted)) return null
    problem ??= quoted
  }
  return problem ?? nothingHeld()
}

/** The AI credit system that a request names, or null where it names none. */
function systemOf({ featureId }: TokensRequest, catalogue: Catalogue): Feature | null | Refusal {
  if (featureId === undefined) return null
  const feature = catalogue.byId.get(featureId)
  if (feature === undefined) return featureNotFound(featureId)
  return feature.type.kind === 'ai_credit_system' ? feature : notForTokens(featureId)
}

function notForTokens(id: string): Refusal {
  return refuse('invalid_request', `Feature ${id} is not an AI credit system: it cannot pay for tokens`)
}

/** A balance that is used up is held all the same: who has spent it all must not get another answer than who has little left. */
function heldSystem({ holdings, entity, catalogue }: Bench): Feature | Refusal {
  const held = catalogue.features.filter(
    ({ type, uid }) => type.kind === 'ai_credit_system' && within(holdings, entity?.uid ?? null, uid).length > 0,
  )
  const [only, another] = held
  if (only === undefined) return nothingHeld()
  if (another === undefined) return only
  const ids = held.map(({ id }) => id).join(', ')
  return refuse(
    'invalid_request',
    `Several AI credit systems could pay for these tokens (${ids}): say which in feature_id`,
  )
}

function nothingHeld(): Refusal {
  return refuse('feature_not_found', 'There is no balance of an AI credit system that could pay for these tokens')
}

/** What the event is to say of how its value came about. Numbers, so that they can be added up; the exact value is the event's. */
function propertiesOf(modelId: string, counts: TokenCounts, { cost, baseCost, percent, rates }: Quote): JsonObject {
  return {
    model_id: modelId,
    ...Object.fromEntries(Object.entries(counts).map(([kind, count]) => [`${kind}_tokens`, count])),
    cost: numberOf(cost),
    base_cost: numberOf(baseCost),
    markup: numberOf(percent),
    rates: Object.fromEntries(Object.entries(rates).map(([kind, rate]) => [kind, numberOf(rate)])),
  }
}

function numberOf(value: Amount): number {
  return Number(formatAmount(value))
}

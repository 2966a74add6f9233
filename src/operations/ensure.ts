import type { Catalogue } from '../domain/feature.ts'
import { isRefusal, type Refusal } from '../domain/refusal.ts'
import type { Reply } from '../engine/command.ts'
import { ensureCustomer, type WantedEntity } from './customers.ts'
import {
  type Context,
  entityIn,
  featureOf,
  type NewcomerTerms,
  type Subject,
  type SubjectFeature,
  unlessRepeated,
} from './decide.ts'
import { type TokensRequest, unpayable } from './tokens.ts'
import { featuresOf, type TrackRequest } from './track.ts'

/** What is known of a customer and an entity that may have to be created. */
export interface Newcomer extends NewcomerTerms {
  readonly entity: Omit<WantedEntity, 'id'> | undefined
}

/**
 * Does something for a customer, and an entity, that are created first where they are missing. What is wrong with the
 * feature is reported before anyone is created (S21). Source: R11.
 */
export async function withNewcomer<A>(
  context: Context,
  request: SubjectFeature | TrackRequest | TokensRequest,
  newcomer: Newcomer,
  act: () => A | Refusal | Reply<A> | Promise<A | Refusal | Reply<A>>,
): Promise<A | Refusal | Reply<A>> {
  const problem = await context.engine.readCatalogue(context.env, (catalogue) => problemOf(request, catalogue, context))
  if (problem !== null) return unlessRepeated(context, request, problem)
  const missing = await missingEntity(context, request)
  if (missing !== null) {
    // A retry has its answer already, and must not make anew what was deleted since.
    const reply = await unlessRepeated<A>(context, request, missing)
    if (reply.outcome !== missing) return reply
  }
  return (await ensureCustomer(context, request, newcomer, newcomer.entity)) ?? act()
}

/** What is wrong with the feature that a request is about, whoever it is for. */
export function problemOf(
  request: SubjectFeature | TrackRequest | TokensRequest,
  catalogue: Catalogue,
  { modelPrices }: Pick<Context, 'modelPrices'>,
): Refusal | null {
  if ('modelId' in request) return unpayable(request, catalogue, modelPrices)
  const known = 'of' in request ? featuresOf(request, catalogue) : featureOf(request, catalogue)
  return isRefusal(known) ? known : null
}

/** Where a request has a key, and its customer is there without the entity: the refusal that says so. */
function missingEntity({ engine, env, keys }: Context, subject: Subject): Refusal | null | Promise<Refusal | null> {
  if (keys.length === 0 || subject.entityId === undefined) return null
  return engine.read(env, subject.customerId, (holdings) => {
    const found = holdings === null ? null : entityIn(holdings, subject)
    return isRefusal(found) ? found : null
  })
}

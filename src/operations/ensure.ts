import type { CustomerDetails } from '../domain/customer.ts'
import { isRefusal, type Refusal } from '../domain/refusal.ts'
import type { Reply } from '../engine/command.ts'
import { ensureCustomer, type WantedEntity } from './customers.ts'
import { type Context, featureOf, type SubjectFeature } from './decide.ts'
import { featuresOf, type TrackRequest } from './track.ts'

/** What is known of a customer and an entity that may have to be created. */
export interface Newcomer {
  readonly details: CustomerDetails
  readonly entity: Omit<WantedEntity, 'id'> | undefined
}

/**
 * Does something for a customer, and an entity, that are created first where they are missing. An unknown feature is
 * reported before anyone is created (S21). Source: R11.
 */
export async function withNewcomer<A>(
  context: Context,
  request: SubjectFeature | TrackRequest,
  newcomer: Newcomer,
  act: () => A | Refusal | Reply<A> | Promise<A | Refusal | Reply<A>>,
): Promise<A | Refusal | Reply<A>> {
  const known = await context.engine.readCatalogue(context.env, (catalogue) =>
    'of' in request ? featuresOf(request, catalogue) : featureOf(request, catalogue),
  )
  if (isRefusal(known)) return known
  return (await ensureCustomer(context, request, newcomer.details, newcomer.entity)) ?? act()
}

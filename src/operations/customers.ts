import { flagOf } from '../domain/access.ts'
import { amend, type Customer, type CustomerDetails, fillIn, newCustomer } from '../domain/customer.ts'
import type { Catalogue } from '../domain/feature.ts'
import { balancesOf, type Holdings, holdingsOf } from '../domain/holdings.ts'
import { type Refusal, refuse } from '../domain/refusal.ts'
import { type Flag, type Summary, summarise } from '../domain/summary.ts'
import type { Reply } from '../engine/command.ts'
import { asOf, type Context, customerNotFound, deciding } from './decide.ts'

/** A customer with all that it holds, as it stands at the moment of asking. */
export interface CustomerView {
  readonly customer: Customer
  readonly summaries: readonly Summary[]
  readonly flags: readonly Flag[]
}

/**
 * Returns the customer with this id, and creates it first when there is none. However many ask at once, one is created.
 * Of an existing one only a missing name or email is filled in. Source: B188-B191.
 */
export async function getOrCreateCustomer(
  context: Context,
  id: string,
  details: CustomerDetails,
): Promise<Reply<CustomerView>> {
  const { engine, env, keys } = context
  const found = await engine.read(env, id, (holdings, { now }) =>
    // The usual call finds a customer that needs nothing: that is a read.
    holdings !== null && keys.length === 0 && fillIn(holdings.customer, details) === holdings.customer
      ? viewOf(asOf(holdings, now), engine.catalogue(env))
      : null,
  )
  if (found !== null) return { outcome: { kind: 'answered', answer: found }, replayed: false }
  return engine.submit({
    env,
    keys,
    customerId: id,
    decide(situation) {
      if (situation.holdings !== null) {
        return deciding(id, 'customers.get_or_create', ({ holdings, catalogue }) => {
          const customer = fillIn(holdings.customer, details)
          const after = customer === holdings.customer ? holdings : { ...holdings, customer }
          return { holdings: after, answer: viewOf(after, catalogue) }
        })(situation)
      }
      const { now, newId } = situation.moment
      const after = holdingsOf(newCustomer(newId('cus'), env, id, details, now), [], now, 0)
      return { kind: 'done', answer: viewOf(after, situation.catalogue), after, postings: [], events: [] }
    },
  })
}

/** Refusal: `customer_not_found`. */
export function getCustomer(
  { engine, env }: Context,
  id: string,
): CustomerView | Refusal | Promise<CustomerView | Refusal> {
  return engine.read(env, id, (holdings, { now }) =>
    holdings === null ? customerNotFound(id) : viewOf(asOf(holdings, now), engine.catalogue(env)),
  )
}

/** Changes what the request names. Refusals: `customer_not_found`, `customer_already_exists` (the new id is taken). Source: B202-B204. */
export function updateCustomer(
  { engine, env, keys }: Context,
  id: string,
  details: CustomerDetails,
  newId: string | undefined,
): Promise<Reply<CustomerView>> {
  return engine.submit({
    env,
    keys,
    customerId: id,
    decide(situation) {
      const outcome = deciding(id, 'customers.update', ({ holdings, catalogue }) => {
        const after = { ...holdings, customer: amend(holdings.customer, details, newId) }
        return { holdings: after, answer: viewOf(after, catalogue) }
      })(situation)
      if (outcome.kind !== 'done') return outcome
      return { ...outcome, whenIdTaken: refuse('customer_already_exists', `Customer ${newId} already exists`) }
    },
  })
}

function viewOf(holdings: Holdings, catalogue: Catalogue): CustomerView {
  const summaries: Summary[] = []
  const flags: Flag[] = []
  for (const feature of catalogue.features) {
    if (!holdings.balances.has(feature.uid)) continue
    if (feature.type.kind === 'boolean') {
      const flag = flagOf(feature, holdings)
      if (flag !== null) flags.push(flag)
      continue
    }
    const summary = summarise(feature, balancesOf(holdings, feature.uid))
    if (summary !== null) summaries.push(summary)
  }
  return { customer: holdings.customer, summaries, flags }
}

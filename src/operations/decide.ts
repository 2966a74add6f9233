import type { Environment } from '../domain/customer.ts'
import type { Catalogue, Feature } from '../domain/feature.ts'
import { bringUpToDate, type Holdings, settle } from '../domain/holdings.ts'
import { Journal } from '../domain/ledger.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { UsageEvent } from '../domain/usage.ts'
import type { IdempotencyKey, Outcome, Situation } from '../engine/command.ts'
import type { Engine } from '../engine/engine.ts'

/** Who asks, and through what. */
export interface Context {
  readonly engine: Engine
  readonly env: Environment
  /** Empty where the caller sent none. */
  readonly keys: readonly IdempotencyKey[]
}

/** The customer's holdings as they stand at the moment, for a rule to act on. */
export interface Bench extends Situation {
  readonly holdings: Holdings
  readonly journal: Journal
}

/** What a rule made of it: the new holdings (the same object when nothing changed), the answer, and what was used. */
export interface Result<A> {
  readonly holdings: Holdings
  readonly answer: A
  readonly events?: readonly UsageEvent[]
}

/**
 * Load, decide, save: wraps a rule so that it sees holdings brought up to the moment and a journal, and turns what it made
 * into an outcome. A missing customer is refused. A rule that changes nothing saves nothing: due resets stay lazy.
 */
export function deciding<A>(
  customerId: string,
  cause: string,
  rule: (bench: Bench) => Result<A> | Refusal,
): (situation: Situation) => Outcome<A> {
  return (situation) => {
    if (situation.holdings === null) return customerNotFound(customerId)
    const journal = new Journal(situation.moment.now, cause)
    const current = bringUpToDate(situation.holdings, situation.moment.now, journal)
    const result = rule({ ...situation, holdings: current, journal })
    if (isRefusal(result)) return result
    const { answer, holdings, events = [] } = result
    if (holdings === current && events.length === 0) return { kind: 'unchanged', answer }
    return { kind: 'done', answer, after: settle(holdings, journal), postings: journal.postings, events }
  }
}

/** Holdings as they stand at the moment, for reading only. */
export function asOf(holdings: Holdings, now: number): Holdings {
  return bringUpToDate(holdings, now, new Journal(now, 'time'))
}

/** Whose balance of what. An entity that does not exist is refused and never falls back to its customer. */
export interface Subject {
  readonly customerId: string
  readonly featureId: string
  readonly entityId: string | undefined
}

/** The feature that a subject names. Refusals: `feature_not_found`, then `entity_not_found`; the customer comes after (R31, R32). */
export function featureOf({ featureId, entityId }: Subject, catalogue: Catalogue): Feature | Refusal {
  const feature = catalogue.byId.get(featureId)
  if (feature === undefined) return featureNotFound(featureId)
  return entityId === undefined ? feature : entityNotFound(entityId)
}

export function customerNotFound(id: string): Refusal {
  return refuse('customer_not_found', `Customer ${id} not found`)
}

export function featureNotFound(id: string): Refusal {
  return refuse('feature_not_found', `Feature ${id} not found`)
}

export function entityNotFound(id: string): Refusal {
  return refuse('entity_not_found', `Entity ${id} not found`)
}

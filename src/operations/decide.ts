import { type CustomerDetails, type Environment, newCustomer } from '../domain/customer.ts'
import { type Beginning, beginWith } from '../domain/default-plans.ts'
import type { Entity } from '../domain/entity.ts'
import type { Catalogue, Feature } from '../domain/feature.ts'
import { findEntity, type Holdings, holdingsOf, settle } from '../domain/holdings.ts'
import { Journal } from '../domain/ledger.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { ModelPrices } from '../domain/tokens.ts'
import { bringUpToDate } from '../domain/up-to-date.ts'
import type { UsageEvent } from '../domain/usage-event.ts'
import type { Command, IdempotencyKey, Outcome, Reply, Situation } from '../engine/command.ts'
import type { Engine } from '../engine/engine.ts'

/** Who asks, and through what. */
export interface Context {
  readonly engine: Engine
  readonly env: Environment
  /** Empty where the caller sent none. */
  readonly keys: readonly IdempotencyKey[]
  /** What models cost, by the operator's table. */
  readonly modelPrices: ModelPrices
}

/** Whom an operation is about: a customer, or one entity of it. */
export interface Subject {
  readonly customerId: string
  readonly entityId?: string | undefined
}

/** Whose balance of what. */
export interface SubjectFeature extends Subject {
  readonly featureId: string
}

/** The customer's holdings as they stand at the moment, for a rule to act on. */
export interface Bench extends Situation {
  readonly holdings: Holdings
  /** Null where the customer itself is meant. */
  readonly entity: Entity | null
  readonly journal: Journal
}

/** What a rule made of it: the new holdings (the same object when nothing changed), the answer, and what was used. */
export interface Result<A> {
  readonly holdings: Holdings
  readonly answer: A
  readonly events?: readonly UsageEvent[]
  /** What to answer where the id of a lock is another customer's. */
  readonly whenLockTaken?: Refusal
}

/** What is known of a customer that may have to be created, and which plans it begins with. */
export interface NewcomerTerms {
  readonly details: CustomerDetails
  readonly beginning: Beginning
}

/**
 * Load, decide, save: wraps a rule so that it sees holdings brought up to the moment and a journal, and turns what it made
 * into an outcome. A missing customer or entity is refused. A rule that changes nothing saves nothing: due resets stay lazy.
 */
export function deciding<A>(
  subject: Subject,
  cause: string,
  rule: (bench: Bench) => Result<A> | Refusal,
): (situation: Situation) => Outcome<A> {
  return (situation) => {
    if (situation.holdings === null) return nobody(subject)
    const entity = entityIn(situation.holdings, subject)
    if (isRefusal(entity)) return entity
    const journal = new Journal(situation.moment.now, cause)
    const current = bringUpToDate(situation.holdings, situation.moment.now, situation.catalogue, journal)
    const result = rule({ ...situation, holdings: current, entity, journal })
    if (isRefusal(result)) return result
    return saved(current, result, journal)
  }
}

/**
 * As `deciding` for a customer; where there is none the rule sees a new one, with nothing but the plans that it begins with.
 * @param name by which the customer was looked up: its id, or what stands for the e-mail of one without an id.
 */
export function decidingOnAnyone<A>(
  env: Environment,
  name: string,
  { id, details, beginning }: { readonly id: string | null } & NewcomerTerms,
  cause: string,
  rule: (bench: Bench) => Result<A> | Refusal,
): (situation: Situation) => Outcome<A> {
  return (situation) => {
    if (situation.holdings !== null) return deciding({ customerId: name }, cause, rule)(situation)
    const { now, newId } = situation.moment
    const journal = new Journal(now, cause)
    const empty = holdingsOf(newCustomer(newId('cus'), env, id, details, now), [], [], now, 0)
    const fresh = beginWith(empty, beginning, situation.catalogue, situation.moment, journal)
    if (isRefusal(fresh)) return fresh
    const result = rule({ ...situation, holdings: fresh, entity: null, journal })
    return isRefusal(result) ? result : saved(null, result, journal)
  }
}

/** The outcome of a rule that turned `before` into `result`. */
export function saved<A>(before: Holdings | null, result: Result<A>, journal: Journal): Outcome<A> {
  const { answer, holdings, events = [], whenLockTaken } = result
  if (holdings === before && events.length === 0) return { kind: 'unchanged', answer }
  const all = journal.events.length === 0 ? events : [...journal.events, ...events]
  const done = {
    kind: 'done',
    answer,
    after: settle(holdings, journal),
    postings: journal.postings,
    events: all,
  } as const
  return whenLockTaken === undefined ? done : { ...done, whenLockTaken }
}

/**
 * A refusal for a reason that was found before the command could be decided: what a key that is known already gets goes
 * before it, because by then the first request may have brought about the reason itself.
 * @param whose in whose lane, and whose the keys are.
 */
export async function unlessRepeated<A>(context: Context, whose: Whose, refusal: Refusal): Promise<Reply<A>> {
  const command = refusing<A>(context, whose, refusal)
  return isRefusal(command) ? { outcome: command, replayed: false } : context.engine.submit(command)
}

/** What `unlessRepeated` gives the engine; the refusal itself where there is no key that could be known. */
export function refusing<A>({ env, keys }: Context, whose: Whose, refusal: Refusal): Command<A> | Refusal {
  return keys.length === 0 ? refusal : { env, keys, ...whose, decide: () => refusal }
}

type Whose = Pick<Command<unknown>, 'customerId' | 'keyedBy'>

/**
 * Holdings as they stand at the moment, for reading only. Until a write saves what became due, every read would work it out
 * again, and a customer may have ten thousand entities whose month ends at once: so it is remembered until the next is due.
 */
export function asOf(holdings: Holdings, now: number, catalogue: Catalogue): Holdings {
  if (holdings.dueAt > now) return holdings
  const known = upToDate.get(holdings)
  if (known?.catalogue === catalogue && known.at <= now && now < known.current.dueAt) return known.current
  const current = bringUpToDate(holdings, now, catalogue, new Journal(now, 'time'))
  upToDate.set(holdings, { at: now, catalogue, current })
  return current
}

const upToDate = new WeakMap<
  Holdings,
  { readonly at: number; readonly catalogue: Catalogue; readonly current: Holdings }
>()

/** The entity that an subject names, or null for the customer itself. One that does not exist never falls back to its customer. */
export function entityIn(holdings: Holdings, { entityId }: Subject): Entity | null | Refusal {
  if (entityId === undefined) return null
  return findEntity(holdings, entityId) ?? entityNotFound(entityId)
}

/** Where an entity is named, a missing customer is reported as the missing entity, as the contract has it (R32, S20). */
export function nobody({ customerId, entityId }: Subject): Refusal {
  return entityId === undefined ? customerNotFound(customerId) : entityNotFound(entityId)
}

/** The feature that a subject names; it comes before the customer (R31). Refusal: `feature_not_found`. */
export function featureOf({ featureId }: SubjectFeature, catalogue: Catalogue): Feature | Refusal {
  return catalogue.byId.get(featureId) ?? featureNotFound(featureId)
}

/** How a customer is called in an answer: by the caller's id, or by the internal one where there is none. */
export function nameOf({ id, uid }: { readonly id: string | null; readonly uid: string }): string {
  return id ?? uid
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

/** Writes answer nothing but that they are done (B2). */
export type Success = { readonly success: true }
export const SUCCESS: Success = { success: true }

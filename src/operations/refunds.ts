import type { Amount } from '../domain/amount.ts'
import type { JsonObject } from '../domain/customer.ts'
import type { Catalogue, Feature } from '../domain/feature.ts'
import { refund } from '../domain/refund.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Instant } from '../domain/time.ts'
import type { Command, Reply } from '../engine/command.ts'
import type { EventRow } from '../store/store.ts'
import { type Context, deciding, nobody, refusing, type Subject } from './decide.ts'
import { inTheFuture, type Manner, type TrackAnswer, trackResult } from './track.ts'

export interface RefundRequest extends Subject, Manner {
  /** The event that is to be given back. */
  readonly eventId: string
  /** The feature or event name, where the caller says it again; it must be the event's. */
  readonly name: string | undefined
  /** What is to be given back, above zero, in the event's units; null for all that is left. */
  readonly units: Amount | null
  readonly properties: JsonObject
  readonly timestamp: Instant | undefined
}

/**
 * Gives back what one event took, once in all, as a use of its own below zero. Refusals: `customer_not_found`,
 * `event_not_found`, `entity_not_found` (it was deleted since), `invalid_request` (the event is a refund itself, or another
 * feature's or entity's), `refund_exceeds_event`. Source: ours, instead of R110-R112 where the caller knows the event.
 */
export async function refundUse(context: Context, request: RefundRequest): Promise<Reply<TrackAnswer>> {
  const command = await refundCommand(context, request)
  return isRefusal(command) ? { outcome: command, replayed: false } : context.engine.submit(command)
}

/** What `refundUse` gives the engine, once the event is looked for; or why it cannot be given back, where no key is given. */
export async function refundCommand(context: Context, request: RefundRequest): Promise<Command<TrackAnswer> | Refusal> {
  const { env, keys } = context
  const { customerId, eventId } = request
  const event = await findEvent(context, request)
  if (isRefusal(event)) return refusing(context, request, event)
  return {
    env,
    keys,
    customerId,
    decide(situation) {
      const late = inTheFuture(request.timestamp, situation.moment)
      if (late !== null) return late
      const eventUid = situation.moment.newId('evt')
      const subject = { customerId, entityId: event.entity ?? undefined }
      return deciding(subject, eventUid, (bench) => {
        const { holdings, entity, catalogue, journal } = bench
        const features = fedBy(event, catalogue)
        const back = refund(holdings, entity?.uid ?? null, event, features, request.units, catalogue, journal)
        if (isRefusal(back)) return back
        const { properties, timestamp } = request
        const isFeature = catalogue.byId.has(event.name)
        const what = { name: event.name, value: -back.units, properties, timestamp, refundOf: eventId, lock: null }
        return trackResult(bench, eventUid, what, back.usage, isFeature ? null : event.name, request)
      })(situation)
    },
  }
}

/** The event that the request means, if it can be given back at all. */
async function findEvent({ engine, env }: Context, request: RefundRequest): Promise<EventRow | Refusal> {
  const { customerId, eventId } = request
  const [event] = await engine.listEvents({ env, customerId, uid: eventId, offset: 0, limit: 1 })
  if (event !== undefined) return unfit(event, request) ?? event
  const known = await engine.read(env, customerId, (holdings) => holdings !== null)
  return known ? refuse('event_not_found', `Customer ${customerId} has no event ${eventId}`) : nobody({ customerId })
}

function unfit(event: EventRow, { eventId, entityId, name }: RefundRequest): Refusal | null {
  const invalid = (message: string) => refuse('invalid_request', message)
  if (event.refundOf !== null || event.value < 0n)
    return invalid(`Event ${eventId} gave back itself: nothing can be given back of it`)
  if (event.lock !== null)
    return invalid(`Event ${eventId} belongs to the lock ${event.lock}: finalize says what of a lock was used`)
  if (name !== undefined && name !== event.name)
    return invalid(`Event ${eventId} was a use of ${event.name}, not of ${name}`)
  if (entityId === undefined || entityId === event.entity) return null
  return invalid(`Event ${eventId} was not a use of the entity ${entityId}`)
}

/** The features that an event fed, as far as they are still there. */
function fedBy({ name }: EventRow, catalogue: Catalogue): readonly Feature[] {
  const feature = catalogue.byId.get(name)
  return feature === undefined ? (catalogue.byEventName.get(name) ?? []) : [feature]
}

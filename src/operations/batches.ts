import { assert } from '../domain/assert.ts'
import { OutcomeNotKnown, StoreUnavailable } from '../domain/fault.ts'
import type { Catalogue } from '../domain/feature.ts'
import { isRefusal, type Refusal, refuse } from '../domain/refusal.ts'
import type { Command, Fate, IdempotencyKey, Reply } from '../engine/command.ts'
import { ensureCustomer } from './customers.ts'
import type { Context } from './decide.ts'
import { type Newcomer, problemOf } from './ensure.ts'
import { type RefundRequest, refundCommand } from './refunds.ts'
import { type TokensRequest, tokensCommand } from './tokens.ts'
import { type TrackAnswer, type TrackRequest, trackCommand } from './track.ts'

/** What became of many things that were asked for at once, in their order. */
export interface Batch<A> {
  readonly fates: readonly Fate<A>[]
}

/** One use of several, or one that gives back, or a use of a model. */
export interface TrackItem {
  readonly request: TrackRequest | RefundRequest | TokensRequest
  readonly keys: readonly IdempotencyKey[]
  /** Who is created where there is nobody yet; null where a missing customer or entity is refused. */
  readonly newcomer: Newcomer | null
}

/**
 * Each item as `track`, `refundUse` or `trackTokens` does it: one that is refused does not keep the others from being done.
 * Items of one customer are done in their order. Refusals of the whole, with nothing done: `feature_not_found`,
 * `event_name_not_found`, `invalid_request`, `overloaded`. @throws as `submitAll`. Source: R125, R126.
 */
export async function trackAll(
  context: Context,
  items: readonly TrackItem[],
): Promise<Reply<Batch<TrackAnswer>> | Refusal> {
  const { engine, env } = context
  const problem = await engine.readCatalogue(env, (catalogue) => unknownIn(items, catalogue, context))
  if (problem !== null) return problem
  const prepared = items.map((item) => prepare(context, item))
  return submitAll(context, areReady(prepared) ? prepared : await Promise.all(prepared))
}

/** What is wrong with the first item that is about something unknown, with its place in the batch. */
function unknownIn(items: readonly TrackItem[], catalogue: Catalogue, context: Context): Refusal | null {
  for (const [i, { request }] of items.entries()) {
    if ('eventId' in request) continue
    const problem = problemOf(request, catalogue, context)
    if (problem !== null) return refuse(problem.code, `${i}: ${problem.message}`)
  }
  return null
}

function prepare(
  context: Context,
  { request, keys, newcomer }: TrackItem,
): Command<TrackAnswer> | Refusal | Promise<Command<TrackAnswer> | Refusal> {
  if ('eventId' in request) return refundCommand({ ...context, keys }, request)
  const command =
    'modelId' in request ? tokensCommand({ ...context, keys }, request) : trackCommand({ ...context, keys }, request)
  if (newcomer === null) return command
  return ensureCustomer(context, request, newcomer, newcomer.entity).then((refusal) => refusal ?? command)
}

/** Nearly always: then there is no need of a promise for each of a thousand items. */
function areReady<A>(prepared: readonly (A | Promise<A>)[]): prepared is readonly A[] {
  return !prepared.some((one) => one instanceof Promise)
}

/**
 * Gives the engine many commands at once, beside those that turned out to be refused before.
 * @returns the fate of each, replayed where all of them are; or `overloaded`, with nothing done.
 * @throws StoreUnavailable, OutcomeNotKnown where something failed and all of it may be sent again: that finishes the batch.
 * Else the fate of each says what has to be done again.
 */
async function submitAll<A>(
  { engine }: Context,
  prepared: readonly (Command<A> | Refusal)[],
): Promise<Reply<Batch<A>> | Refusal> {
  const commands = prepared.filter((one): one is Command<A> => !isRefusal(one))
  const submitted = await engine.submitAll(commands)
  if (isRefusal(submitted)) return submitted
  const blame = toBlame(commands, submitted)
  if (blame !== null) throw blame
  const rest = submitted.values()
  const fates = prepared.map((one): Fate<A> => {
    if (isRefusal(one)) return { outcome: one, replayed: false }
    const { value } = rest.next()
    assert(value !== undefined, 'every command has a fate')
    return value
  })
  const replayed = fates.every((fate) => !isFault(fate) && fate.replayed)
  return { outcome: { kind: 'answered', answer: { fates } }, replayed }
}

/**
 * Clients that see nothing but the status must not take for done what is not. So the whole fails where it can be sent again:
 * nothing of it was done, or all that was has keys. A mistake of ours is no reason to try again, unless there is nothing else.
 */
function toBlame(commands: readonly Command<unknown>[], fates: readonly Fate<unknown>[]): unknown {
  const faults = fates.filter(isFault).map(({ fault }) => fault)
  if (faults.length === 0) return null
  const done = commands.filter((_, i) => isDone(fates[i]))
  const world = faults.filter((fault) => fault instanceof StoreUnavailable || fault instanceof OutcomeNotKnown)
  if (done.length === 0 && !world.some((fault) => fault instanceof OutcomeNotKnown)) return world[0] ?? faults[0]
  if (world.length === 0 || done.some(({ keys }) => keys.length === 0)) return null
  return new OutcomeNotKnown('only a part of the batch was saved', { cause: world[0] })
}

export function isFault(fate: Fate<unknown>): fate is { readonly fault: unknown } {
  return 'fault' in fate
}

function isDone(fate: Fate<unknown> | undefined): boolean {
  return fate !== undefined && !isFault(fate) && !isRefusal(fate.outcome)
}

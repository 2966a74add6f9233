import type * as z from 'zod'
import { isRefusal } from '../../domain/refusal.ts'
import type { Fate, IdempotencyKey } from '../../engine/command.ts'
import { type Batch, isFault, type TrackItem, trackAll } from '../../operations/batches.ts'
import type { TrackAnswer } from '../../operations/track.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { faultOf, type Problem, problemOf } from '../problems.ts'
import { deductionsToWire } from '../wire/balance.ts'
import { quickTrack } from '../wire/quick.ts'
import { trackTokensInput } from '../wire/tokens.ts'
import { BATCH_BYTES, batchOf, quickBatchOf, trackInput } from '../wire/usage.ts'
import type { WireObject } from '../wire/wire.ts'
import { tokensRequest } from './tokens.ts'
import { type Creation, newcomerOf, trackKey, trackRequest } from './usage.ts'

export const batches: readonly Endpoint[] = [
  batch('balances.batch_track', 'balances.track', trackInput, quickTrack, (input) => trackRequest(input, false)),
  batch('balances.batch_track_tokens', 'balances.track_tokens', trackTokensInput, nothingQuick, (input) =>
    tokensRequest(input, false),
  ),
]

/** @param one what an item alone would be. @param quick as an endpoint has it, for one item. */
function batch<I extends Creation>(
  operation: string,
  one: string,
  item: z.ZodType<I>,
  quick: (body: unknown) => I | undefined,
  requestOf: (input: I) => TrackItem['request'],
): Endpoint {
  return endpoint({
    operation,
    shape: 'batch',
    bodyLimit: BATCH_BYTES,
    input: batchOf(item),
    quick: quickBatchOf(item, quick),
    kind: 'write',
    run(context, inputs, body) {
      const keys = keysOfItems(context.keys, body, one)
      const items = inputs.map((input, i) => ({
        request: requestOf(input),
        keys: keys(i),
        newcomer: input.auto_create === true ? newcomerOf(input) : null,
      }))
      return trackAll(context, items)
    },
    show: showBatch,
    status: () => 202,
    faults: faultsOf,
  })
}

function nothingQuick(): undefined {
  return undefined
}

/**
 * An item's own key wins; else the key of the whole batch stands for one of each item, in the space of headers. They are those
 * that the item alone would have, so that it may be sent again by itself.
 * @param operation that an item alone would be.
 */
function keysOfItems(
  [whole]: readonly IdempotencyKey[],
  body: unknown,
  operation: string,
): (index: number) => readonly IdempotencyKey[] {
  const items: readonly unknown[] = Array.isArray(body) ? body : []
  return (index) => {
    const input = items[index]
    const own = trackKey(input)
    if (own !== undefined) return [{ space: 'body', key: own, input, operation }]
    return whole === undefined ? [] : [{ space: 'header', key: `${whole.key}#${index}`, input, operation }]
  }
}

function showBatch({ fates }: Batch<TrackAnswer>): WireObject {
  return { success: true, results: fates.map(resultToWire) }
}

function faultsOf({ fates }: Batch<TrackAnswer>): readonly unknown[] {
  return fates.filter(isFault).map(({ fault }) => fault)
}

function resultToWire(fate: Fate<TrackAnswer>): WireObject {
  if (isFault(fate)) return problemToWire(faultOf(fate.fault))
  const { outcome, replayed } = fate
  if (isRefusal(outcome)) return problemToWire(problemOf(outcome.code, outcome.message))
  const { eventId, value, deductions } = outcome.answer
  return {
    status: 200,
    code: null,
    event_id: eventId ?? undefined,
    value,
    deductions: deductionsToWire(deductions),
    replayed: replayed ? true : undefined,
  }
}

function problemToWire({ status, code, message }: Problem): WireObject {
  return { status, code, message, value: 0, deductions: [] }
}

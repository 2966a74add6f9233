import { createHash } from 'node:crypto'
import type { Environment } from '../domain/customer.ts'
import { canonicalJson, exactJson } from '../domain/exact-json.ts'
import { type Refusal, refuse } from '../domain/refusal.ts'
import type { IdempotencyKey, Reply } from './command.ts'

/** `replay` answers a repeated key with the first answer; `reject` refuses it, as the older contract does (R120). */
export type IdempotencyMode = 'replay' | 'reject'

/** @param scope the customer's internal id, or empty for what belongs to the environment. */
export function keyHash(env: Environment, scope: string, { space, key }: IdempotencyKey): string {
  return digest(JSON.stringify([env, scope, space, key]))
}

export function fingerprint({ operation, input }: IdempotencyKey): string {
  return digest(canonicalJson([operation, input]))
}

/** What a key that is known already gets: the first answer, or a refusal. @param firstInput fingerprint of the first request. */
export function repeatedReply<A>(
  key: IdempotencyKey,
  firstInput: string,
  answer: () => A,
  mode: IdempotencyMode,
): Reply<A> {
  const refused = (refusal: Refusal) => ({ outcome: refusal, replayed: false })
  if (mode === 'reject') {
    return refused(
      refuse('duplicate_idempotency_key', `Another request with idempotency key ${key.key} has already been received`),
    )
  }
  if (firstInput !== fingerprint(key)) {
    return refused(
      refuse(
        'idempotency_key_reused',
        `The idempotency key ${key.key} was already used for a different request: send a new key`,
      ),
    )
  }
  return { outcome: { kind: 'answered', answer: answer() }, replayed: true }
}

/** An answer as text, amounts included, to be given again to a repeated key. */
export const { write: encodeAnswer, read: decodeAnswer } = exactJson('\u0001amount')

/** 128 bits, enough that two of a day's keys never meet. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

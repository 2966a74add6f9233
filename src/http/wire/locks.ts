import * as z from 'zod'
import type { Lock } from '../../domain/lock.ts'
import { amount, id, instant, jsonObject } from './scalars.ts'
import type { WireObject } from './wire.ts'

/** What a check or a track asks to be held (R150, K 2.2). Without a behavior it is all or nothing. */
export const lockField = z
  .object({
    enabled: z.literal(true),
    lock_id: id,
    expires_at: instant.nullish(),
    overage_behavior: z.enum(['reject', 'cap', 'overflow']).nullish(),
  })
  .transform(({ lock_id, expires_at, overage_behavior }) => ({
    id: lock_id,
    expiresAt: expires_at ?? undefined,
    behavior: overage_behavior ?? ('reject' as const),
  }))

export const finalizeInput = z
  .object({
    lock_id: id,
    action: z.enum(['confirm', 'release']),
    override_value: amount.nullish(),
    keep_open: z.boolean().optional(),
    properties: jsonObject.optional(),
  })
  .superRefine(({ action, override_value, keep_open }, ctx) => {
    const wrong = (field: string, message: string) => ctx.addIssue({ code: 'custom', path: [field], message })
    if (action === 'release' && override_value != null)
      wrong('override_value', 'cannot be given with action release, which gives everything back')
    if (keep_open !== true) return
    if (action === 'release') wrong('keep_open', 'cannot be given with action release, which gives everything back')
    else if (override_value == null) wrong('override_value', 'is needed with keep_open: how much was used by now?')
    else if (override_value < 0n) wrong('override_value', 'cannot be below zero with keep_open')
  })

export const extendInput = z.object({ lock_id: id, expires_at: instant })

export function lockToWire({ id, held, lapsesAt }: Pick<Lock, 'id' | 'held' | 'lapsesAt'>): WireObject {
  return { lock_id: id, held, expires_at: lapsesAt }
}

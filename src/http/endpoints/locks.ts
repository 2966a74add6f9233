import { ZERO } from '../../domain/amount.ts'
import { extendLock, finalize } from '../../operations/locks.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { deductionsToWire } from '../wire/balance.ts'
import { extendInput, finalizeInput, lockToWire } from '../wire/locks.ts'

export const locks: readonly Endpoint[] = [
  endpoint({
    operation: 'balances.finalize',
    shape: 'success',
    input: finalizeInput,
    kind: 'write',
    run: (context, { lock_id, action, override_value, keep_open, properties }) =>
      finalize(context, {
        lockId: lock_id,
        used: action === 'release' ? ZERO : (override_value ?? null),
        keepOpen: keep_open === true,
        properties,
      }),
    show: ({ deductions, lock }) => ({
      success: true,
      deductions: deductionsToWire(deductions),
      lock: lock === null ? undefined : lockToWire(lock),
    }),
  }),
  endpoint({
    operation: 'balances.extend',
    shape: 'success',
    input: extendInput,
    kind: 'write',
    run: (context, { lock_id, expires_at }) => extendLock(context, lock_id, expires_at),
    show: (lock) => ({ success: true, lock: lockToWire(lock) }),
  }),
]

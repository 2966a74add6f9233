import { OutcomeNotKnown, StoreUnavailable } from '../domain/fault.ts'
import { OutcomeUnknown } from '../store/store.ts'

/** What a caller is told when the store rejects: nothing was applied, or, of a commit alone, that nobody knows. */
export function faultFrom(cause: unknown): StoreUnavailable | OutcomeNotKnown {
  return cause instanceof OutcomeUnknown
    ? new OutcomeNotKnown('the store did not say whether it was applied', { cause })
    : new StoreUnavailable('the store did not answer; nothing was applied', { cause })
}

/** Asks the store. @throws what `faultFrom` makes of a rejection. */
export async function asking<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question()
  } catch (cause) {
    throw faultFrom(cause)
  }
}

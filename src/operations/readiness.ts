import type { Instant } from '../domain/time.ts'
import type { Store } from '../store/store.ts'

/** Whoever asks whether a process is ready has others to ask, so it must not take long to say no. */
const ANSWER_MS = 2_000
/** Processes whose clocks are further apart would disagree on what is due. */
const APART_MS = 5_000

/**
 * Tells why requests should not come here now, in a sentence, or null when they may. However many ask, the store is asked
 * one question at a time: anyone may ask, without a key.
 */
export function readiness(store: Store, clock: () => Instant): () => Promise<string | null> {
  let underWay: Promise<string | null> | null = null
  return () => {
    underWay ??= examine(store, clock).finally(() => {
      underWay = null
    })
    return within(ANSWER_MS, underWay, `The store did not answer within ${ANSWER_MS / 1000} seconds`)
  }
}

async function examine(store: Store, clock: () => Instant): Promise<string | null> {
  if (store.clock === undefined) return null
  const before = clock()
  let theirs: Instant | null
  try {
    theirs = await store.clock()
  } catch {
    return 'The store cannot be asked; the log tells why with each request that fails'
  }
  if (theirs === null) return null
  // It looked at its clock at some time between the question and the answer.
  const apart = theirs < before ? before - theirs : Math.max(theirs - clock(), 0)
  if (apart <= APART_MS) return null
  const direction = theirs < before ? 'ahead of' : 'behind'
  return `The clock of this process is ${Math.round(apart / 1000)} s ${direction} the store's: set both by the same time service`
}

async function within<T>(ms: number, promise: Promise<T>, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ms)
  })
  const first = await Promise.race([promise, late])
  clearTimeout(timer)
  return first
}

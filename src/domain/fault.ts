/** The world failed, not the caller: nothing was applied, and the same request may be sent again. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'
}

/** The world failed while something was being saved: it may or may not have been applied. */
export class OutcomeNotKnown extends Error {
  override name = 'OutcomeNotKnown'
}

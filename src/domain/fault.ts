/** The world failed, not the caller: nothing was applied, and the same request may be sent again. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable'
}

/** A value on its way out: JSON, with exact amounts as bigints and keys that may have no value (left out). */
export type Wire = null | boolean | number | bigint | string | readonly Wire[] | WireObject
export interface WireObject {
  readonly [key: string]: Wire | undefined
}

/**
 * Objects that are shown again and again as they are, with their JSON text once it was written. A copy, as a version change
 * makes one, is an ordinary object.
 */
export const lastingTexts = new WeakMap<WireObject, string | null>()

/** Lets the writer keep the text of an object that nobody will change. */
export function lasting(object: WireObject): WireObject {
  lastingTexts.set(object, null)
  return object
}

/** A value on its way out: JSON, with exact amounts as bigints and keys that may have no value (left out). */
export type Wire = null | boolean | number | bigint | string | readonly Wire[] | WireObject
export interface WireObject {
  readonly [key: string]: Wire | undefined
}

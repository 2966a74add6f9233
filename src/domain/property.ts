import type { Json, JsonObject } from './customer.ts'

/** Which property of an event: the names on the way to it, from the outside in. Of a list, the number of the item. */
export type PropertyPath = readonly string[]

/** The events that have this text at this place. */
export interface PropertyFilter {
  readonly path: PropertyPath
  readonly value: string
}

/**
 * By what events are kept apart. Without the property or an entity an event is of no group; nothing belongs to a plan, so there
 * all are of the group "" (R183).
 */
export type GroupBy =
  | { readonly kind: 'property'; readonly path: PropertyPath }
  | { readonly kind: 'customer' | 'entity' | 'plan' | 'name' }

/**
 * What stands at a path, as a text: a number or a truth value in its JSON form. Null where nothing stands there, or an object, a
 * list or null. What cannot be kept as text (NUL, half a surrogate pair) is U+FFFD, which every store can compare. Source: R180.
 */
export function propertyText(properties: JsonObject, path: PropertyPath): string | null {
  let value: Json | undefined = properties
  for (const name of path) {
    if (typeof value !== 'object' || value === null) return null
    value = isList(value) ? itemOf(value, name) : Object.hasOwn(value, name) ? value[name] : undefined
  }
  if (typeof value === 'string') return value.replaceAll('\u0000', '\ufffd').toWellFormed()
  if (typeof value === 'number') return JSON.stringify(value)
  return typeof value === 'boolean' ? String(value) : null
}

export function fits(properties: JsonObject, filters: readonly PropertyFilter[]): boolean {
  return filters.every(({ path, value }) => propertyText(properties, path) === value)
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value)
}

function itemOf(list: readonly Json[], name: string): Json | undefined {
  return /^\d+$/.test(name) ? list[Number(name)] : undefined
}

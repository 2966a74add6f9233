export type Body = Readonly<Record<string, unknown>>
export type Path = readonly (string | number)[]

/** Every place in a body where something stands, from the outside to the inside, and what stands there. */
export function fieldsOf(body: unknown, path: Path = []): (readonly [path: Path, value: unknown])[] {
  if (typeof body !== 'object' || body === null) return []
  const entries: [string | number, unknown][] = Array.isArray(body) ? [...body.entries()] : Object.entries(body)
  return entries.flatMap(([key, value]) => [[[...path, key], value] as const, ...fieldsOf(value, [...path, key])])
}

/** The body with something else in one place. */
export function replaced(body: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value
  if (Array.isArray(body)) return body.map((item, i) => (i === key ? replaced(item, rest, value) : item))
  return { ...Object(body), [key]: replaced(Reflect.get(Object(body), key), rest, value) }
}

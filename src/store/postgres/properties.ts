import type { PropertyFilter } from '../../domain/property.ts'
import { traceOf } from '../use-rows.ts'
import type { Where } from './where.ts'

/**
 * A JSON text as PostgreSQL can read it: it refuses NUL and halves of surrogate pairs, which JSON may hold. They become U+FFFD,
 * as in `propertyText`. A backslash before them that is itself escaped means that the text only looks like it.
 */
export function readable(column: string): string {
  return `(case when strpos(${column}, '\\u0000') = 0 and strpos(${column}, '\\ud') = 0 then ${column}
    else regexp_replace(${column}, '(?<!\\\\)((?:\\\\\\\\)*)\\\\u(?:0000|d[89a-f][0-9a-f]{2})', '\\1\ufffd', 'g') end)`
}

/** What stands at a path of an event's properties. @param path the place of a value: the names on the way. */
export function propertyAt(path: string): string {
  return `${readable('e.properties')}::json #> ${path}::text[]`
}

/** What `propertyText` says of a JSON value. */
export function textOf(value: string): string {
  return `case when json_typeof(${value}) in ('string', 'number', 'boolean') then ${value} #>> '{}' end`
}

export function andProperties(where: Where, filters: readonly PropertyFilter[]): void {
  for (const { path, value } of filters) {
    where.and('strpos(e.properties, ?) > 0', traceOf(value))
    where.also(`${textOf(propertyAt(where.with('?', path)))} = ${where.with('?', value)}`)
  }
}

import { type Amount, amount, formatAmount } from './amount.ts'
import { assert } from './assert.ts'

/** JSON with amounts in it, for what is kept: read, it is what was written. */
export interface ExactJson {
  write(value: unknown): string
  read(json: string): unknown
}

/**
 * An amount becomes an object with one key, the mark. Objects may hold keys of callers' choosing, so one that has such a key
 * itself is written as the list of its entries, under a mark of its own.
 */
export function exactJson(mark: string): ExactJson {
  const entries = `${mark} entries`
  return {
    write: (value) =>
      JSON.stringify(value, (_key, item: unknown) => {
        if (typeof item === 'bigint') return { [mark]: formatAmount(item) }
        return isObject(item) && (mark in item || entries in item) ? { [entries]: Object.entries(item) } : item
      }),
    read: (json) =>
      JSON.parse(json, (_key, item: unknown) => {
        if (!isObject(item)) return item
        const list = item[entries]
        if (Array.isArray(list)) return Object.fromEntries(list)
        return mark in item ? readBack(item[mark]) : item
      }),
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function readBack(value: unknown): Amount {
  assert(typeof value === 'string', 'an amount is kept as text')
  return amount(value)
}

/** A text that is the same for equal values, in whatever order the keys of their objects stand. To be compared, not to be read. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return `${item}n`
    if (!isObject(item) || Array.isArray(item)) return item
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

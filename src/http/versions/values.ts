import { type Amount, amount } from '../../domain/amount.ts'
import type { Wire, WireObject } from '../wire/wire.ts'
import type { Body } from './version.ts'

/** What a version change does to one object of an answer. */
export type Change = (value: WireObject) => WireObject

export function objectOf(value: Wire | undefined): WireObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as WireObject) : {}
}

export function listOf(value: Wire | undefined): readonly WireObject[] {
  return Array.isArray(value) ? value.map(objectOf) : []
}

export function orNull(value: Wire | undefined, change: Change): WireObject | null {
  return value == null ? null : change(objectOf(value))
}

/** Every value of a map changed; null stays. */
export function mapped(value: Wire | undefined, change: Change): WireObject {
  return Object.fromEntries(Object.entries(objectOf(value)).map(([key, item]) => [key, orNull(item, change)]))
}

/** An answer with each item of its `list` changed. */
export function eachListed(answer: WireObject, change: Change): WireObject {
  return { ...answer, list: listOf(answer['list']).map(change) }
}

/** One object, or an answer that lists several. */
export function oneOrListed(answer: WireObject, change: Change): WireObject {
  return Array.isArray(answer['list']) ? eachListed(answer, change) : change(answer)
}

/** Every one of the keys present, null where there is nothing. */
export function filled(value: WireObject, keys: readonly string[]): WireObject {
  return { ...value, ...Object.fromEntries(keys.map((key) => [key, value[key] ?? null])) }
}

/** Those of the keys left out that hold nothing. */
export function stripped(value: WireObject, keys: readonly string[]): WireObject {
  return Object.fromEntries(Object.entries(value).filter(([key, item]) => item !== null || !keys.includes(key)))
}

/** An amount of an answer, which is a plain number where it is always the same. */
export function amountOf(value: Wire | undefined): Amount {
  if (typeof value === 'bigint') return value
  return amount(typeof value === 'number' ? value : 0)
}

export function sumOf(items: readonly WireObject[], key: string): Amount {
  return items.reduce((sum, item) => sum + amountOf(item[key]), 0n)
}

/** What a body asks to expand, as a list or as a comma-separated text (B7); undefined for what validation will refuse. */
export function expansionsOf({ expand }: Body): readonly unknown[] | undefined {
  if (expand === undefined) return []
  if (typeof expand === 'string') return expand.split(',')
  return Array.isArray(expand) ? expand : undefined
}

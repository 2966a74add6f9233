import { type Amount, amount, formatAmount, ZERO } from '../domain/amount.ts'
import { assert } from '../domain/assert.ts'
import type { JsonObject } from '../domain/customer.ts'
import { exactJson } from '../domain/exact-json.ts'

/** A cell of a row, and what reads and writes one: amounts travel as decimal text, so that no binary float ever touches one. */
export type SqlValue = string | number | null
export type SqlRow = Readonly<Record<string, SqlValue>>

/** JSON in which an amount is an object with one key; no list or object of the domain that is stored has that key. */
export const { write: toJson, read: fromJson } = exactJson('$amount')

export function text(row: SqlRow, column: string): string {
  const value = row[column]
  assert(typeof value === 'string', `column ${column} holds no text`)
  return value
}

export function optionalText(row: SqlRow, column: string): string | null {
  const value = row[column]
  assert(typeof value === 'string' || value === null, `column ${column} holds no text`)
  return value
}

/** Amounts that are nearly always zero take no room then. */
export function unlessZero(value: Amount): string | null {
  return value === ZERO ? null : formatAmount(value)
}

export function zeroIfNull(row: SqlRow, column: string): Amount {
  const value = optionalText(row, column)
  return value === null ? ZERO : amount(value)
}

export function integer(row: SqlRow, column: string): number {
  const value = row[column]
  assert(typeof value === 'number', `column ${column} holds no integer`)
  return value
}

export function optionalInteger(row: SqlRow, column: string): number | null {
  const value = row[column] ?? null
  assert(value === null || typeof value === 'number', `column ${column} holds no integer`)
  return value
}

export function isEmpty(object: JsonObject): boolean {
  for (const _ in object) return false
  return true
}

import { holdingsOf } from '../domain/holdings.ts'
import type { SqlRow } from './cells.ts'
import { attachmentFromRow } from './plan-rows.ts'
import { balanceFromRow, customerFromRow, entityFromRow, refundFromRow } from './rows.ts'
import type { StoredCustomer, Unreadable } from './store.ts'
import { lockFromRow } from './use-rows.ts'

/** All rows of one customer, in every SQL store. */
export interface CustomerRowSet {
  /** Also with the columns `version`, `latest` and `postings`. */
  readonly customer: SqlRow
  readonly entities: readonly SqlRow[]
  readonly balances: readonly SqlRow[]
  readonly refunds: readonly SqlRow[]
  readonly locks: readonly SqlRow[]
  readonly attachments: readonly SqlRow[]
}

export function customerFromRows(rows: CustomerRowSet): StoredCustomer {
  const { customer, entities, balances, refunds, locks, attachments } = rows
  const number = (column: string) => Number(customer[column])
  const [own, latest, postings] = [customerFromRow(customer), number('latest'), number('postings')]
  return {
    version: number('version'),
    holdings: holdingsOf(
      own,
      entities.map(entityFromRow),
      balances.map(balanceFromRow),
      latest,
      postings,
      new Map(refunds.map(refundFromRow)),
      locks.map(lockFromRow),
      attachments.map(attachmentFromRow),
    ),
  }
}

/** What was read, or why it could not be: a column may hold anything after damage. */
export function readable<T>(read: () => T): T | Unreadable {
  try {
    return read()
  } catch (error) {
    return { kind: 'unreadable', why: error instanceof Error ? error.message : String(error) }
  }
}

import { holdingsOf } from '../domain/holdings.ts'
import { balanceFromRow, customerFromRow, entityFromRow, refundFromRow, type SqlRow } from './rows.ts'
import type { StoredCustomer } from './store.ts'

/** All rows of one customer, in every SQL store. */
export interface CustomerRowSet {
  /** Also with the columns `version`, `latest` and `postings`. */
  readonly customer: SqlRow
  readonly entities: readonly SqlRow[]
  readonly balances: readonly SqlRow[]
  readonly refunds: readonly SqlRow[]
}

export function customerFromRows({ customer, entities, balances, refunds }: CustomerRowSet): StoredCustomer {
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
    ),
  }
}

import { expect } from 'vitest'
import { audit } from '../src/domain/audit.ts'
import type { Environment } from '../src/domain/customer.ts'
import type { Holdings } from '../src/domain/holdings.ts'
import type { Posting } from '../src/domain/ledger.ts'
import { type Books, verify } from '../src/operations/verify.ts'
import type { Store } from '../src/store/store.ts'

/** What the store holds of a customer, and its whole ledger. */
export interface Book {
  readonly holdings: Holdings
  readonly ledger: readonly Posting[]
}

export async function bookOf(store: Store, id: string, env: Environment = 'sandbox'): Promise<Book> {
  const [stored] = await store.load([{ env, id }])
  if (stored === null || stored === undefined) throw new Error(`there is no customer ${id}`)
  return { holdings: stored.holdings, ledger: await store.ledger(stored.holdings.customer.uid) }
}

/** Fails unless the customer's ledger adds up to what it holds (laws 1 and 2). */
export async function expectLedgerToAddUp(store: Store, id: string, env: Environment = 'sandbox'): Promise<Book> {
  const book = await bookOf(store, id, env)
  expect(audit(book.holdings, book.ledger), `the books of ${id}`).toEqual([])
  return book
}

/** Fails unless `granary verify` finds nothing wrong. Closes the books. */
export async function expectBooksToBeProved(books: Books | Promise<Books>): Promise<void> {
  const found: string[] = []
  const opened = await books
  try {
    await verify(opened, Date.now(), { found: (sentence) => found.push(sentence), proved: () => undefined })
  } finally {
    await opened.close()
  }
  expect(found).toEqual([])
}

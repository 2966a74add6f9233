import { expect } from 'vitest'
import { balancesFrom, isMain, placeOf } from '../src/domain/attachments.ts'
import { audit } from '../src/domain/audit.ts'
import { auditPlans } from '../src/domain/audit-plans.ts'
import type { Environment } from '../src/domain/customer.ts'
import { catalogueOf } from '../src/domain/feature.ts'
import { termsOf } from '../src/domain/find-plan.ts'
import { attachmentsOf, type Holdings } from '../src/domain/holdings.ts'
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

/**
 * Fails unless all that a customer has of plans goes together: with the catalogue and its balances, and at most one main plan
 * of a group for each subject, which gives all its items.
 */
export async function expectPlansToAddUp(store: Store, id: string, env: Environment = 'sandbox'): Promise<void> {
  const { holdings } = await bookOf(store, id, env)
  const { version, features, clockAhead, plans } = await store.loadCatalogue(env)
  const catalogue = catalogueOf(version, features, clockAhead, plans)
  const active = attachmentsOf(holdings).filter(({ status }) => status === 'active')
  const mains = active.filter((one) => isMain(one, catalogue)).map((one) => JSON.stringify(placeOf(one, catalogue)))
  const bare = active.filter((one) =>
    termsOf(one, catalogue).items.some(
      ({ entityFeature }, i) =>
        (entityFeature === null || one.entity !== null) &&
        !balancesFrom(holdings, one).some(({ source }) => source?.item === i),
    ),
  )
  expect(auditPlans(holdings, catalogue), `the plans of ${id}`).toEqual([])
  expect(mains.length, `main plans of ${id}: ${mains}`).toBe(new Set(mains).size)
  expect(bare, `plans of ${id} that lack a balance`).toEqual([])
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

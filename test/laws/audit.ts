import { expect } from 'vitest'
import { grantedOf } from '../../src/domain/balance.ts'
import { allBalances, type Holdings } from '../../src/domain/holdings.ts'
import type { Posting } from '../../src/domain/ledger.ts'
import type { Store } from '../../src/store/store.ts'

/** What the store holds of a customer and its whole ledger. */
export async function ledgerOf(store: Store, id: string): Promise<{ holdings: Holdings; postings: Posting[] }> {
  const [stored] = await store.load([{ env: 'sandbox', id }])
  if (stored == null) throw new Error(`there is no customer ${id}`)
  return { holdings: stored.holdings, postings: await store.ledger(stored.holdings.customer.uid) }
}

/**
 * Laws 1 and 2: for every bucket the postings sum to what remains and to what was granted, their running sums are what they
 * say they are, what is gone sums to nothing, and nothing is below zero without a posting that permits it.
 */
export function audit({ holdings, postings }: { holdings: Holdings; postings: readonly Posting[] }): void {
  const sums = new Map<string, { amount: bigint; granted: bigint }>()
  for (const posting of postings) {
    const bucket = posting.rollover ?? posting.balance
    const before = sums.get(bucket) ?? { amount: 0n, granted: 0n }
    const after = { amount: before.amount + posting.amount, granted: before.granted + posting.granted }
    sums.set(bucket, after)
    expect(posting.remainingAfter).toBe(after.amount)
    if (posting.remainingAfter < 0n && posting.amount < 0n) expect(posting.permit).not.toBeNull()
  }
  for (const balance of allBalances(holdings)) {
    if (balance.terms.kind !== 'flag') expectSum(sums, balance.uid, balance.remaining, grantedOf(balance))
    for (const { uid, remaining, used } of balance.rollovers) expectSum(sums, uid, remaining, remaining + used)
  }
  for (const [bucket, left] of sums) expect({ bucket, ...left }).toEqual({ bucket, amount: 0n, granted: 0n })
  expect(holdings.postings).toBe(postings.length)
}

function expectSum(
  sums: Map<string, { amount: bigint; granted: bigint }>,
  bucket: string,
  amount: bigint,
  granted: bigint,
): void {
  expect({ bucket, ...(sums.get(bucket) ?? { amount: 0n, granted: 0n }) }).toEqual({ bucket, amount, granted })
  sums.delete(bucket)
}

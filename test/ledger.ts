import { expect } from 'vitest'
import { type Amount, formatAmount, sum } from '../src/domain/amount.ts'
import { grantedOf } from '../src/domain/balance.ts'
import type { Environment } from '../src/domain/customer.ts'
import { allBalances, type Holdings } from '../src/domain/holdings.ts'
import type { Posting } from '../src/domain/ledger.ts'
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

/**
 * Fails unless the customer's ledger adds up to what it holds: for every bucket (the main amount of a balance, or one of
 * its rollovers) the amounts sum to what remains, the grants to what was granted, and every line says what remained after it
 * (law 1); and nothing was taken below zero without a permit (law 2).
 */
export async function expectLedgerToAddUp(store: Store, id: string, env: Environment = 'sandbox'): Promise<Book> {
  const { holdings, ledger } = await bookOf(store, id, env)
  const buckets = Map.groupBy(ledger, ({ balance, rollover }) => nameOf(balance, rollover))
  const booked = [...buckets].map(([name, postings]) => [
    name,
    show(sum(postings.map(({ amount }) => amount)), sum(postings.map(({ granted }) => granted))),
  ])
  const last = [...buckets].map(([name, postings]) => [name, formatAmount(postings.at(-1)?.remainingAfter ?? 0n)])

  const held = new Map<string, { remaining: Amount; granted: Amount }>()
  for (const balance of allBalances(holdings)) {
    held.set(nameOf(balance.uid, null), { remaining: balance.remaining, granted: grantedOf(balance) })
    for (const { uid, remaining, used } of balance.rollovers)
      held.set(nameOf(balance.uid, uid), { remaining, granted: remaining + used })
  }
  // A bucket that is gone has been taken to nothing; one that never held anything has no lines.
  for (const name of buckets.keys()) if (!held.has(name)) held.set(name, { remaining: 0n, granted: 0n })
  const names = [...held].filter(([name]) => buckets.has(name))
  const without = [...held].filter(([name, bucket]) => !buckets.has(name) && (bucket.remaining || bucket.granted))

  expect(without, `buckets of ${id} without any line in the ledger`).toEqual([])
  expect(Object.fromEntries(booked), `sums of the ledger of ${id}`).toEqual(
    Object.fromEntries(names.map(([name, { remaining, granted }]) => [name, show(remaining, granted)])),
  )
  expect(Object.fromEntries(last), `last lines of the ledger of ${id}`).toEqual(
    Object.fromEntries(names.map(([name, { remaining }]) => [name, formatAmount(remaining)])),
  )
  expect(ledger.length, `lines in the ledger of ${id}`).toBe(holdings.postings)
  const running = new Map<string, Amount>()
  const wrong = ledger.filter(({ balance, rollover, amount, remainingAfter, permit }) => {
    const name = nameOf(balance, rollover)
    const before = running.get(name) ?? 0n
    running.set(name, before + amount)
    return remainingAfter !== before + amount || (remainingAfter < 0n && amount < 0n && permit === null)
  })
  expect(wrong, `lines of ${id} that do not follow, or go below zero without a permit`).toEqual([])
  return { holdings, ledger }
}

function nameOf(balance: string, rollover: string | null): string {
  return rollover === null ? balance : `${balance} ${rollover}`
}

function show(remaining: Amount, granted: Amount): string {
  return `${formatAmount(remaining)} of ${formatAmount(granted)}`
}

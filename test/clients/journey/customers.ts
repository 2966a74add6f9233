import { expect } from 'vitest'
import { pagesOf } from '../published.ts'
import { countsOf, type Journey, SUCCESS } from './journey.ts'

export async function customers({ autumn, clock, read, refusal }: Journey): Promise<void> {
  const metadata = { tier: 'beta', nested: { deep: [1, null] } }
  const created = await autumn.customers.getOrCreate({ customerId: 'ada', fingerprint: 'device-1', metadata })
  expect(created).toMatchObject({ id: 'ada', name: null, email: null, fingerprint: 'device-1', stripeId: null })
  expect(created).toMatchObject({ createdAt: clock.now, env: 'sandbox', sendEmailReceipts: false })
  expect(created).toMatchObject({ subscriptions: [], purchases: [] })
  expect([created.metadata, created.balances, created.flags]).toEqual([metadata, {}, {}])
  clock.now += 1000
  const filled = await autumn.customers.getOrCreate({ customerId: 'ada', name: 'Ada', metadata: { tier: 'no' } })
  expect(filled).toEqual({ ...created, name: 'Ada' })
  expect(await read('ada')).toEqual(filled)

  const change = { name: 'Ada L.', email: 'ada@example.test', metadata: { nested: null, seats: 0.1 } }
  const updated = await autumn.customers.update({ customerId: 'ada', ...change, newCustomerId: 'ada-l' })
  expect(updated).toMatchObject({ id: 'ada-l', name: 'Ada L.', email: 'ada@example.test' })
  expect(updated.metadata).toEqual({ tier: 'beta', seats: 0.1 })
  expect(updated.createdAt).toBe(created.createdAt)
  const gone = autumn.customers.update({ customerId: 'ada', name: 'Nobody' })
  expect(await refusal(gone)).toEqual([404, 'customer_not_found'])

  const nameless = await autumn.customers.getOrCreate({ customerId: null, email: 'eve@example.test' })
  expect(nameless).toMatchObject({ id: null, email: 'eve@example.test', createdAt: clock.now })
  clock.now += 1000
  const named = await autumn.customers.getOrCreate({ customerId: 'eve', email: 'EVE@example.test' })
  expect(named).toMatchObject({ id: 'eve', createdAt: nameless.createdAt })
  const other = await autumn.customers.getOrCreate({ customerId: null, email: 'zoe@example.test' })
  expect(other).toMatchObject({ id: null, email: 'zoe@example.test', createdAt: clock.now })
  const taken = autumn.customers.update({ customerId: 'eve', newCustomerId: 'ada-l' })
  expect(await refusal(taken)).toEqual([409, 'customer_already_exists'])
}

export async function lists({ autumn, newCustomer, release }: Journey): Promise<void> {
  for (const customerId of ['page-1', 'page-2', 'page-3']) await newCustomer(customerId)
  await autumn.balances.create({ customerId: 'page-3', featureId: 'messages', includedGrant: 3 })
  await autumn.balances.create({ customerId: 'page-2', featureId: 'sso' })
  const pages = await pagesOf(release, 2, (paging) => autumn.customers.list({ ...paging, search: 'PAGE-' }))
  expect(pages.map((page) => page.map(({ id, name, email }) => [id, name, email]))).toEqual([
    [
      ['page-3', 'The page-3', 'page-3@example.test'],
      ['page-2', 'The page-2', 'page-2@example.test'],
    ],
    [['page-1', 'The page-1', 'page-1@example.test']],
  ])
  expect(countsOf(pages[0]?.[0]?.balances['messages'])).toEqual([3, 3, 0])
  expect(pages[0]?.[1]?.flags['sso']).toMatchObject({ featureId: 'sso' })
  const all = [
    'ada-l',
    'eve',
    null,
    'bea',
    'cara',
    'dora',
    'finn',
    'gus',
    'lou',
    'acme',
    'inc',
    'page-1',
    'page-2',
    'page-3',
  ]
  const newest = await autumn.customers.list({})
  const usual = release.paging === 'cursor' ? { nextCursor: null } : { hasMore: true, offset: 0, limit: 10, total: 10 }
  expect(newest).toMatchObject(usual)
  expect(newest.list.map(({ id }) => id)).toEqual(all.reverse().slice(0, release.paging === 'cursor' ? 50 : 10))
  if (release.api === '2.2.0') expect(newest).toMatchObject({ totalCount: all.length, totalFilteredCount: all.length })
}

export async function deletions({ autumn, read, refusal }: Journey): Promise<void> {
  expect(await refusal(autumn.features.delete({ featureId: 'messages' }))).toEqual([409, 'invalid_request'])
  expect(await autumn.customers.delete({ customerId: 'acme' })).toEqual(SUCCESS)
  expect(await refusal(autumn.customers.delete({ customerId: 'acme' }))).toEqual([404, 'customer_not_found'])
  const orphan = autumn.entities.get({ customerId: 'acme', entityId: 'desk-2' })
  expect(await refusal(orphan)).toEqual([404, 'customer_not_found'])
  const fresh = await autumn.customers.getOrCreate({ customerId: 'acme' })
  expect([fresh.id, fresh.name, fresh.balances, fresh.flags]).toEqual(['acme', null, {}, {}])
  expect(await read('acme')).toEqual(fresh)
}

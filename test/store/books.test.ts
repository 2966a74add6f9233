import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { USUAL_RETENTION } from '../../src/domain/retention.ts'
import { verify } from '../../src/operations/verify.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openBooks as openPostgresBooks } from '../../src/store/postgres/books.ts'
import { openBooks } from '../../src/store/sqlite/books.ts'
import type { Books, Store } from '../../src/store/store.ts'
import { type OpenedPostgres, openPostgres } from '../postgres/store.ts'
import { type OpenFile, openFile } from './file.ts'
import { AT, added, change, changed, commit, event, feature, gone, grantOf, person, posting, seat } from './rows.ts'

const alice = person('alice')
const bob = person('bob', { env: 'live' })

/** What `Books` promises, held against every store with the same expectations. */
describe.each(['memory', 'sqlite', 'postgres'] as const)('the books of a store (%s)', (kind) => {
  let file: OpenFile | null = null
  let database: OpenedPostgres | null = null
  const opened: Books[] = []

  afterEach(async () => {
    for (const books of opened.splice(0)) await books.close()
    await file?.close()
    file = null
    await database?.empty()
    await database?.store.retain(USUAL_RETENTION)
  })

  afterAll(() => database?.close())

  async function open(): Promise<{ store: Store; books: () => Promise<Books> }> {
    const remembered = async (opening: Books | Promise<Books>) => {
      const books = await opening
      opened.push(books)
      return books
    }
    if (kind === 'memory') {
      const store = new MemoryStore()
      return { store, books: () => remembered(store.books()) }
    }
    if (kind === 'postgres') {
      database ??= await openPostgres()
      const { store, url } = database
      return { store, books: () => remembered(openPostgresBooks(url)) }
    }
    file = await openFile()
    const { store, folder } = file
    return { store, books: () => remembered(openBooks(folder)) }
  }

  async function told(books: Books) {
    const found: string[] = []
    const extent = await verify(books, AT, { found: (sentence) => found.push(sentence), proved: () => undefined })
    return { ...extent, found }
  }

  test('that is empty are empty', async () => {
    const { books } = await open()
    expect(await told(await books())).toEqual({ customers: 0, balances: 0, postings: 0, events: 0, found: [] })
  })

  test('are all that is there, of both environments, and nothing of who is gone', async () => {
    const { store, books } = await open()
    for (const env of ['sandbox', 'live'] as const) {
      const features = [feature('messages'), feature('seats')]
      for (const [i, one] of features.entries()) await store.changeCatalogue(change(i, { env, written: one }))
    }
    const rows = {
      catalogue: 2,
      entitiesWritten: [seat('desk')],
      written: [grantOf('cus_ent_1', { entity: 'ent_desk' }), grantOf('cus_ent_2')],
      postings: [posting('cus_ent_1', '100', { entity: 'ent_desk' }), posting('cus_ent_2', '100')],
      refunds: [{ event: 'evt_1', given: [] }],
      events: [event('evt_1')],
    }
    const carol = person('carol')
    await commit(store, added(alice, rows), added(bob, { catalogue: 2 }), added(carol, rows))
    await commit(store, gone(carol, 1, { catalogue: 2 }))
    expect(await told(await books())).toEqual({ customers: 2, balances: 2, postings: 2, events: 1, found: [] })
  })

  test('are right while a deleted customer is anonymised and afterwards: what is kept of it belongs to it', async () => {
    const { store, books } = await open()
    await store.retain({ ...USUAL_RETENTION, deletedCustomers: 'anonymise' })
    const rows = {
      refunds: [{ event: 'evt_1', given: [] }],
      events: Array.from({ length: 1200 }, (_, i) => event(`evt_${i}`, { properties: { i } })),
      postings: [posting('cus_ent_1', '1')],
      written: [grantOf('cus_ent_1')],
    }
    await commit(store, added(alice, rows), added(bob))
    await Promise.all([commit(store, gone(alice, 1)), books().then(told), books().then(told)])
    expect(await told(await books())).toMatchObject({ customers: 1, postings: 0, events: 0, found: [] })
    for (let tries = 0; (await store.listEvents({ env: 'sandbox', offset: 0, limit: 9 })).length === 0; tries++) {
      expect(tries).toBeLessThan(500)
      await store.loadKeys()
    }
    expect(await told(await books())).toMatchObject({ customers: 1, postings: 0, events: 0, found: [] })
  })

  test('are right after old events were removed: what was given back of them went too', async () => {
    const { store, books } = await open()
    await store.retain({ ...USUAL_RETENTION, events: 86_400_000 })
    const rows = { refunds: [{ event: 'evt_1', given: [] }], events: [event('evt_1')] }
    await commit(store, added(alice, rows))
    const later = AT + 60 * 86_400_000
    await store.commit({ at: later, changes: [added(bob, { ...rows, events: [event('evt_1')] })] })
    for (let tries = 0; (await store.listEvents({ env: 'sandbox', offset: 0, limit: 9 })).length > 0; tries++) {
      expect(tries).toBeLessThan(500)
      await store.commit({ at: later, changes: [added(person(`c${tries}`))] })
    }
    expect(await told(await books())).toMatchObject({ postings: 0, events: 1, found: [] })
  })

  test('are those of one instant, however long they are read', async () => {
    const { store, books } = await open()
    const one = { written: [grantOf('cus_ent_1')], postings: [posting('cus_ent_1', '100')] }
    const many = Array.from({ length: 1200 }, (_, i) => added(person(`${i}`)))
    await commit(store, added(alice, one), ...many)
    const before = await books()
    const more = { postingsBefore: 1, postings: [posting('cus_ent_2', '100')], written: [grantOf('cus_ent_2')] }
    await commit(store, changed(alice, 1, more), added(bob), gone(person('7'), 1))
    const missing = [1, 2].map((n) => `cus_ent_${n}: is of the feature feat_messages, which is not there`)
    const found = missing.map((sentence) => `sandbox alice (cus_alice): ${sentence}`)
    expect(await told(before)).toEqual({
      ...{ customers: 1201, balances: 1, postings: 1, events: 0 },
      found: found.slice(0, 1),
    })
    expect(await told(await books())).toEqual({ customers: 1201, balances: 2, postings: 2, events: 0, found })
  })

  test('tell of customers and of rows that nothing leads to', async () => {
    const { store, books } = await open()
    const refunds = ['evt_1', 'evt_2'].map((one) => ({ event: one, given: [] }))
    const expiring = { expiresAt: AT + 1000 }
    await store.changeCatalogue(change(0, { clockAhead: 999 }))
    await commit(
      store,
      added(alice, { catalogue: 1, refunds, events: [event('evt_2')], postings: [posting('cus_ent_1', '1')] }),
      added(person('nameless', { id: null }), {
        catalogue: 1,
        written: [grantOf('cus_ent_2', expiring)],
        postings: [posting('cus_ent_2', '100', { remainingAfter: 0n })],
      }),
    )
    expect((await told(await books())).found).toEqual([
      'sandbox alice (cus_alice): cus_ent_1: is gone, and by its lines holds 1 of 1',
      'sandbox cus_nameless: cus_ent_2: line 1 says that 0 remained after it, and the lines so far sum to 100',
      'sandbox cus_nameless: cus_ent_2: is of the feature feat_messages, which is not there',
      '1 refunds belong to an event that is not there, such as evt_1',
    ])
    // Moved a millisecond further, the clock is past the balance: then its feature may be gone.
    await store.changeCatalogue(change(1, { clockAhead: 1000 }))
    expect((await told(await books())).found).toHaveLength(3)
  })
})

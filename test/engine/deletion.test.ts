import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Batch } from '../../src/store/store.ts'
import { bookOf, expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type Reply, type World, type WorldOptions } from '../world.ts'
import { behaving, Gate } from './behaving.ts'

const long = process.env['GRANARY_TEST_LONG'] === '1'
const alice = { customer_id: 'alice' }
const messages = { ...alice, feature_id: 'messages' }

async function withAlice(options: WorldOptions = {}): Promise<World> {
  const world = await openWorld(options)
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  await world.ok('customers.get_or_create', alice)
  await world.ok('balances.create', { ...messages, included_grant: 10 })
  return world
}

const codes = (replies: readonly Reply[]) => replies.map(({ status, body }) => [status, body.code].join(' ').trim())
const uidOf = async (world: World) => (await bookOf(world.store, 'alice')).holdings.customer.uid
const eventsOf = async (world: World) => (await world.ok('events.list', alice)).list

describe.each(['memory', 'sqlite', 'postgres'] as const)('deleting a customer on %s', (store) => {
  test('among uses in one turn: those before it count, those after it find nobody', async () => {
    const world = await withAlice({ store })
    const replies = await Promise.all([
      world.call('balances.track', { ...messages, value: 3 }),
      world.call('customers.delete', alice),
      world.call('balances.track', messages),
      world.call('balances.create', { ...messages, included_grant: 5 }),
      world.call('customers.delete', alice),
      world.call('balances.check', { ...messages, required_balance: 1, send_event: true }),
    ])
    expect(codes(replies)).toEqual([
      '200',
      '200',
      '404 customer_not_found',
      '404 customer_not_found',
      '404 customer_not_found',
      '404 customer_not_found',
    ])
    expect(replies[0]?.body.balance.remaining).toBe(7)
    expect(codes([await world.call('customers.get', alice)])).toEqual(['404 customer_not_found'])
    expect(await eventsOf(world)).toEqual([])
    await world.close()
  })

  test('and creating one again in the same turn: the new one has nothing of the old', async () => {
    const world = await withAlice({ store })
    await world.ok('entities.create', { ...alice, entity_id: 'desk', feature_id: 'seats' })
    const before = await uidOf(world)
    // A name to be filled in makes it a command; one that only looks would be answered with who is still there.
    const replies = await Promise.all([
      world.call('balances.track', messages),
      world.call('customers.delete', alice),
      world.call('customers.get_or_create', { ...alice, name: 'Alice II' }),
      world.call('balances.track', { ...messages, value: 2 }),
      world.call('balances.track', { ...messages, entity_id: 'desk' }),
    ])
    const [used, deleted, created] = replies
    expect(codes([used, deleted, created].filter((one) => one !== undefined))).toEqual(['200', '200', '200'])
    expect(created?.body).toMatchObject({ id: 'alice', name: 'Alice II', balances: {} })
    const { holdings, ledger } = await expectLedgerToAddUp(world.store, 'alice')
    expect(holdings.customer.uid).not.toBe(before)
    expect([ledger, await world.store.ledger(before)]).toEqual([[], []])
    expect(codes([await world.call('customers.get', { customer_id: before })])).toEqual(['404 customer_not_found'])
    // Which of the later uses came before the new customer was there is not said, but only those that it knows were taken.
    expect(await eventsOf(world)).toHaveLength(replies.slice(3).filter(({ status }) => status === 200).length)
    expect(codes([await world.call('entities.get', { ...alice, entity_id: 'desk' })])).toEqual(['404 entity_not_found'])
    await world.ok('balances.create', { ...messages, included_grant: 4 })
    expect((await world.ok('balances.track', messages)).balance.remaining).toBe(3)
    await world.close()
  })

  test('someone without an id leaves the e-mail to the next', async () => {
    const world = await withAlice({ store })
    const eve = { customer_id: null, email: 'Eve@example.com', with_autumn_id: true }
    const first = await world.ok('customers.get_or_create', eve)
    const replies = await Promise.all([
      world.call('customers.delete', { customer_id: first.autumn_id }),
      world.call('customers.get_or_create', { ...eve, name: 'Eve II' }),
    ])
    expect(codes(replies)).toEqual(['200', '200'])
    const second = await world.ok('customers.get_or_create', { ...eve, email: 'eve@example.com' })
    expect(second.name).toBe('Eve II')
    expect(second.autumn_id).not.toBe(first.autumn_id)
    expect((await world.ok('customers.list', {})).list.filter(({ id }: { id: unknown }) => id === null)).toHaveLength(1)
    await world.close()
  })

  test('a retry of a deletion says yes again, and leaves whoever has the name by then alone', async () => {
    const world = await withAlice({ store })
    const key = { 'idempotency-key': 'k1' }
    const both = await Promise.all([
      world.call('customers.delete', alice, key),
      world.call('customers.delete', alice, key),
    ])
    expect(codes(both)).toEqual(['200', '200'])
    await world.ok('customers.get_or_create', { ...alice, name: 'Alice II' })
    const late = await world.call('customers.delete', alice, key)
    expect([late.status, late.headers['idempotent-replayed']]).toEqual([200, 'true'])
    expect((await world.ok('customers.get', alice)).name).toBe('Alice II')
    await world.close()
  })

  test('whatever happens at once, an acknowledged use is in the books of exactly one customer', async () => {
    const world = await withAlice({ store })
    const deed = fc.constantFrom('track', 'track', 'grant', 'delete', 'create' as const)
    const turns = fc.array(fc.array(deed, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 })
    let names = 0
    await fc.assert(
      fc.asyncProperty(turns, async (all) => {
        await world.call('customers.delete', alice)
        const taken = new Map<string, number>()
        for (const deeds of all) {
          const replies = await Promise.all(
            deeds.map((one) => {
              if (one === 'track') return world.call('balances.track', messages)
              if (one === 'grant') return world.call('balances.create', { ...messages, included_grant: 100 })
              if (one === 'delete') return world.call('customers.delete', alice)
              return world.call('customers.get_or_create', { ...alice, name: `N${names++}` })
            }),
          )
          for (const { status, body } of replies) {
            expect([200, 404]).toContain(status)
            for (const { balance_id, value } of body.deductions ?? [])
              taken.set(balance_id, (taken.get(balance_id) ?? 0) + value)
          }
        }
        const found = await world.call('customers.get', alice)
        if (found.status === 404) {
          expect(await eventsOf(world)).toEqual([])
          return
        }
        await expectLedgerToAddUp(world.store, 'alice')
        const { balances } = await world.ok('balances.list', alice)
        for (const { id, usage } of balances) expect(usage).toBe(taken.get(id) ?? 0)
        const recorded = (await eventsOf(world)).flatMap((event: Reply['body']) => event.deductions ?? [])
        const here = new Set(balances.map(({ id }: { id: string }) => id))
        expect(recorded.every(({ balance_id }: { balance_id: string }) => here.has(balance_id))).toBe(true)
        expect(recorded).toHaveLength(balances.reduce((sum: number, { usage }: { usage: number }) => sum + usage, 0))
      }),
      { numRuns: long ? 2000 : store === 'memory' ? 200 : 30 },
    )
    expect(world.faults).toEqual([])
    await world.close()
  })
})

describe('a deletion under way', () => {
  test('stands alone in its commit', async () => {
    const batches: Batch[] = []
    const wrap = behaving({
      commit(ask, batch) {
        batches.push(batch)
        return ask(batch)
      },
    })
    const world = await withAlice({ wrap })
    batches.length = 0
    await Promise.all([
      world.call('balances.track', messages),
      world.call('balances.track', messages),
      world.call('customers.delete', alice),
      world.call('balances.track', messages),
    ])
    const changes = batches.flatMap((batch) => batch.changes.map(({ rows }) => rows))
    expect(changes.map((rows) => [rows?.deleted, rows?.events.length, rows?.postings.length])).toEqual([
      [false, 2, 2],
      [true, 0, 0],
    ])
  })

  test('is not seen before it is durable, and by everyone afterwards', async () => {
    const gate = new Gate()
    const world = await withAlice({ wrap: behaving({ commit: (ask, batch) => gate.pass(ask, batch) }) })
    const held = gate.close()
    const deleting = world.call('customers.delete', alice)
    const using = world.call('balances.track', messages)
    await held
    expect((await world.ok('balances.check', messages)).balance.remaining).toBe(10)
    expect((await world.ok('customers.get', alice)).id).toBe('alice')
    gate.open()
    expect(codes(await Promise.all([deleting, using]))).toEqual(['200', '404 customer_not_found'])
    expect(
      codes(await Promise.all([world.call('balances.check', messages), world.call('customers.get', alice)])),
    ).toEqual(['404 customer_not_found', '404 customer_not_found'])
  })

  test('of someone who must be loaded first: readers that wait for the same load are answered', async () => {
    const gate = new Gate()
    const wrap = behaving({ load: (ask, references) => gate.pass(ask, references) })
    const world = await withAlice({ wrap, cacheWeight: 0 })
    const uid = await uidOf(world)
    // Others come by, until there is no room left for her.
    for (const customer_id of ['bob', 'carl']) await world.ok('customers.get_or_create', { customer_id })
    const held = gate.close()
    const asked = [
      world.call('customers.get', alice),
      world.call('customers.delete', alice),
      world.call('balances.track', { ...messages, customer_id: uid }),
      world.call('customers.get', { customer_id: uid }),
      world.call('balances.check', messages),
    ]
    await held
    gate.open()
    const [seen, deleted, ...others] = codes(await Promise.all(asked))
    expect([seen, deleted]).toEqual(['200', '200'])
    // In whatever order the others came: each found all of her, or nobody.
    for (const code of others) expect(['200', '404 customer_not_found']).toContain(code)
    expect(codes([await world.call('customers.get', { customer_id: uid })])).toEqual(['404 customer_not_found'])
    expect(world.faults).toEqual([])
  })

  test('that fails has deleted nothing, and what waited behind it finds everything', async () => {
    let failing = false
    const wrap = behaving({
      commit(ask, batch) {
        if (!failing) return ask(batch)
        failing = false
        return Promise.reject(new Error('disk full'))
      },
    })
    const world = await withAlice({ wrap })
    failing = true
    const replies = await Promise.all([
      world.call('customers.delete', alice),
      world.call('balances.track', { ...messages, value: 4 }),
      world.call('customers.get_or_create', { ...alice, name: 'Alice' }),
    ])
    expect(codes(replies)).toEqual(['503 store_unavailable', '200', '200'])
    expect((await world.ok('balances.check', messages)).balance.remaining).toBe(6)
    expect((await expectLedgerToAddUp(world.store, 'alice')).ledger).toHaveLength(2)
    expect(await eventsOf(world)).toHaveLength(1)
    expect((await world.ok('customers.delete', alice)).success).toBe(true)
  })

  test('that someone else overtook with a change is decided again, on what is there now', async () => {
    let overtaken = 0
    const wrap = behaving({
      async commit(ask, batch) {
        const [change] = batch.changes
        if (overtaken === 0 || change?.rows == null) return ask(batch)
        overtaken -= 1
        // Someone else writes first, and so the version moves on.
        const rows = { ...change.rows, deleted: false, customer: null, events: [], postings: [], keys: [] }
        await ask({ ...batch, changes: [{ ...change, claims: [], rows: { ...rows, written: [], removed: [] } }] })
        return ask(batch)
      },
    })
    const world = await withAlice({ wrap })
    overtaken = 3
    const replies = await Promise.all([
      world.call('balances.track', messages),
      world.call('customers.delete', alice),
      world.call('balances.track', messages),
    ])
    expect(codes(replies)).toEqual(['200', '200', '404 customer_not_found'])
    expect(overtaken).toBe(0)
    expect(await world.store.load([{ env: 'sandbox', id: 'alice' }])).toEqual([null])
    expect(world.faults).toEqual([])
  })

  test('that someone else carried out first finds nobody', async () => {
    let overtaken = false
    const wrap = behaving({
      async commit(ask, batch) {
        if (overtaken) {
          overtaken = false
          await ask(batch)
        }
        return ask(batch)
      },
    })
    const world = await withAlice({ wrap })
    overtaken = true
    const replies = await Promise.all([
      world.call('customers.delete', alice),
      world.call('customers.get_or_create', { ...alice, name: 'Alice II' }),
    ])
    expect(codes(replies)).toEqual(['404 customer_not_found', '200'])
    expect((await world.ok('customers.get', alice)).name).toBe('Alice II')
  })
})

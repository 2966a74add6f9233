import { describe, expect, test } from 'vitest'
import { type CommitResult, StoreBroken } from '../../src/store/store.ts'
import { bookOf, expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type World, type WorldOptions } from '../world.ts'
import { behaving, Gate } from './behaving.ts'

async function withAlice(options: WorldOptions = {}, granted = 10): Promise<World> {
  const world = await openWorld(options)
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('customers.get_or_create', { customer_id: 'alice' })
  await world.ok('balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: granted })
  return world
}

const use = { customer_id: 'alice', feature_id: 'messages' }
const remaining = async (world: World) => (await world.ok('balances.check', use)).balance?.remaining ?? 0

/** A store in front of another one, whose commits can be made to behave. */
function commits(behave: (commit: () => Promise<CommitResult[]>) => Promise<CommitResult[]>) {
  return behaving({ commit: (ask, batch) => behave(() => ask(batch)) })
}

describe.each(['memory', 'sqlite', 'postgres'] as const)('lanes and group commit on %s', (store) => {
  test('law 2: as many parallel checks are allowed as the balance covers, and not one more (V81, R50)', async () => {
    const world = await withAlice({ store }, 200)
    const body = { ...use, required_balance: 2, send_event: true }
    const answers = await Promise.all(Array.from({ length: 150 }, () => world.ok('balances.check', body)))
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(100)
    expect(await remaining(world)).toBe(0)
    await expectLedgerToAddUp(world.store, 'alice')
    await world.close()
  })

  test('parallel adds compose and are all in the ledger (B109)', async () => {
    const world = await withAlice({ store })
    await Promise.all(Array.from({ length: 40 }, () => world.ok('balances.update', { ...use, add_to_balance: 0.5 })))
    expect(await remaining(world)).toBe(30)
    await expectLedgerToAddUp(world.store, 'alice')
    await world.close()
  })

  test('a read after an answer sees its effect; one customer does not wait for another', async () => {
    const world = await withAlice({ store }, 1000)
    for (let i = 1; i <= 50; i++) {
      await world.ok('balances.track', use)
      expect(await remaining(world)).toBe(1000 - i)
    }
    await world.close()
  })

  test('however many create one customer at once, it is one (B191)', async () => {
    const world = await openWorld({ store })
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        world.ok('customers.get_or_create', { customer_id: 'alice', name: `N${i}` }),
      ),
    )
    expect(new Set(answers.map(({ name, created_at }) => `${name} ${created_at}`)).size).toBe(1)
    await world.close()
  })

  test('a customer answers to its internal id, through the same lane', async () => {
    const world = await withAlice({ store }, 100)
    const { holdings } = await bookOf(world.store, 'alice')
    const both = ['alice', holdings.customer.uid]
    await Promise.all(
      Array.from({ length: 60 }, (_, i) => world.ok('balances.track', { ...use, customer_id: both[i % 2] })),
    )
    expect(await remaining(world)).toBe(40)
    await world.close()
  })

  test('what was evicted is read back from the store', async () => {
    const world = await withAlice({ store, cacheWeight: 3 })
    for (let i = 0; i < 20; i++) await world.ok('customers.get_or_create', { customer_id: `c${i}`, name: `N${i}` })
    await world.ok('balances.track', use)
    for (let i = 0; i < 20; i++) expect((await world.ok('customers.get', { customer_id: `c${i}` })).name).toBe(`N${i}`)
    expect(await remaining(world)).toBe(9)
    await world.close()
  })

  test('a renamed customer keeps what it has; the old id is free, a taken one is refused (B203)', async () => {
    const world = await withAlice({ store })
    await world.ok('customers.get_or_create', { customer_id: 'bob' })
    const taken = await world.call('customers.update', { customer_id: 'alice', new_customer_id: 'bob' })
    expect([taken.status, taken.body.code]).toEqual([409, 'customer_already_exists'])
    // A use that was on its way under the old id when the customer was renamed finds nobody there.
    const [renamed, late] = await Promise.all([
      world.call('customers.update', { customer_id: 'alice', new_customer_id: 'anna' }),
      world.call('balances.track', use),
    ])
    expect([renamed.status, renamed.body.id, late.status]).toEqual([200, 'anna', 404])
    expect((await world.ok('balances.check', { ...use, customer_id: 'anna' })).balance.remaining).toBe(10)
    const fresh = await world.ok('customers.get_or_create', { customer_id: 'alice' })
    expect(fresh.balances).toEqual({})
    await world.close()
  })
})

describe('while a commit is under way', () => {
  test('discovered: a read of a customer that is being created is answered, and does not wait for ever', async () => {
    const gate = new Gate()
    const world = await withAlice({ wrap: behaving({ commit: (ask, batch) => gate.pass(ask, batch) }) })
    const held = gate.close()
    const creating = world.call('customers.get_or_create', { customer_id: 'bob' })
    await held
    const read = await world.call('customers.get', { customer_id: 'bob' })
    expect([read.status, read.body.code]).toEqual([404, 'customer_not_found'])
    const again = world.call('customers.get_or_create', { customer_id: 'bob', name: 'Bob' })
    gate.open()
    expect((await creating).status).toBe(200)
    expect((await again).body.name).toBe('Bob')
    expect((await world.call('customers.get', { customer_id: 'bob' })).status).toBe(200)
  })

  test('a read sees what is durable, and neither waits nor runs ahead', async () => {
    const gate = new Gate()
    const world = await withAlice({ wrap: behaving({ commit: (ask, batch) => gate.pass(ask, batch) }) })
    const held = gate.close()
    const tracking = world.ok('balances.track', { ...use, value: 4 })
    await held
    expect(await remaining(world)).toBe(10)
    gate.open()
    expect((await tracking).balance.remaining).toBe(6)
    expect(await remaining(world)).toBe(6)
  })
})

describe('a world that fails', () => {
  test('a failed commit applies nothing, says so, and the next one works', async () => {
    let failing = false
    const world = await withAlice({
      wrap: commits((commit) => (failing ? Promise.reject(new Error('disk full')) : commit())),
    })
    failing = true
    const replies = await Promise.all([
      world.call('balances.track', use),
      world.call('balances.track', use),
      world.call('balances.check', use),
    ])
    expect(replies.map(({ status, body }) => [status, body.code])).toEqual([
      [503, 'store_unavailable'],
      [503, 'store_unavailable'],
      [200, undefined],
    ])
    expect(replies[0]?.headers['retry-after']).toBe('1')
    failing = false
    expect(await remaining(world)).toBe(10)
    await world.ok('balances.track', use)
    expect(await remaining(world)).toBe(9)
    expect(world.faults.length).toBe(2)
  })

  test('a store that may have lost its footing stops the process', async () => {
    let broken = false
    const world = await withAlice({
      wrap: commits((commit) => (broken ? Promise.reject(new StoreBroken('disk I/O error')) : commit())),
    })
    broken = true
    expect((await world.call('balances.track', use)).status).toBe(503)
    expect(world.faults.some((fault) => fault instanceof StoreBroken)).toBe(true)
  })

  test('a customer that someone else wrote is loaded again and decided again', async () => {
    let conflicts = 0
    const world = await withAlice({
      wrap: commits(async (commit) => {
        if (conflicts === 0) return commit()
        conflicts -= 1
        return [{ kind: 'conflict' }]
      }),
    })
    conflicts = 3
    const replies = await Promise.all([world.ok('balances.track', use), world.ok('balances.track', use)])
    expect(replies.map(({ balance }) => balance.remaining)).toEqual([9, 8])
    await expectLedgerToAddUp(world.store, 'alice')
  })

  test('conflicts without end become 503 instead of a hanging request', async () => {
    let always = false
    const world = await withAlice({ wrap: commits(async (commit) => (always ? [{ kind: 'conflict' }] : commit())) })
    always = true
    expect((await world.call('balances.track', use)).status).toBe(503)
    always = false
    expect(await remaining(world)).toBe(10)
  })

  test('beyond its bound a lane refuses with 429, never 5xx, and nothing is applied (architecture 2.12)', async () => {
    const world = await withAlice({ waitingPerCustomer: 5 }, 100)
    const replies = await Promise.all(Array.from({ length: 20 }, () => world.call('balances.track', use)))
    const accepted = replies.filter(({ status }) => status === 200).length
    expect(replies.filter(({ status, body }) => status === 429 && body.code === 'overloaded')).toHaveLength(
      20 - accepted,
    )
    expect(accepted).toBe(5)
    expect(await remaining(world)).toBe(95)
  })

  test('a clock that steps back moves no customer back in time', async () => {
    const world = await withAlice()
    await world.ok('balances.create', {
      ...use,
      balance_id: 'short',
      included_grant: 5,
      expires_at: world.clock.now + 1000,
    })
    world.clock.advance(2000)
    await world.ok('balances.track', use)
    world.clock.advance(-60_000)
    await world.ok('balances.track', use)
    expect(await remaining(world)).toBe(8)
    const { ledger } = await bookOf(world.store, 'alice')
    expect(ledger.map(({ at }) => at)).toEqual(ledger.map(({ at }) => at).toSorted((a, b) => a - b))
  })
})

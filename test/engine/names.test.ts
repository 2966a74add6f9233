import { describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type Reply, type World, type WorldOptions } from '../world.ts'
import { behaving, Gate } from './behaving.ts'

const email = 'eve@example.com'

async function withMessages(options: WorldOptions = {}): Promise<World> {
  const world = await openWorld(options)
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  return world
}

/** Someone known only by an e-mail, with ten messages. @returns the internal id. */
async function withStranger(world: World): Promise<string> {
  const { autumn_id } = await world.ok('customers.get_or_create', { customer_id: null, email, with_autumn_id: true })
  await world.ok('balances.create', { customer_id: autumn_id, feature_id: 'messages', included_grant: 10 })
  return autumn_id
}

const codes = (replies: readonly Reply[]) => replies.map(({ status, body }) => [status, body.code].join(' ').trim())
const everyone = async (world: World): Promise<{ id: string | null; email: string | null; left: number | null }[]> => {
  const { list } = await world.ok('customers.list', { sort_order: 'asc' })
  return list.map(({ id, email: address, balances }: Reply['body']) => ({
    id,
    email: address,
    left: balances.messages?.remaining ?? null,
  }))
}

describe.each(['memory', 'sqlite', 'postgres'] as const)('who is who when many ask at once on %s', (store) => {
  test('however many name an e-mail and no id, it is one person (B186)', async () => {
    const world = await withMessages({ store })
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        world.ok('customers.get_or_create', {
          customer_id: null,
          email: i % 2 === 0 ? email : 'EVE@Example.COM',
          with_autumn_id: true,
        }),
      ),
    )
    expect(new Set(replies.map(({ autumn_id }) => autumn_id)).size).toBe(1)
    expect(await everyone(world)).toHaveLength(1)
    await world.close()
  })

  test('however many give the same id to someone known by e-mail, it stays one person with all it has (B186)', async () => {
    const world = await withMessages({ store })
    const uid = await withStranger(world)
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        world.ok('customers.get_or_create', {
          customer_id: 'eve',
          email: i % 2 === 0 ? email : 'EVE@Example.COM',
          name: `N${i}`,
          with_autumn_id: true,
        }),
      ),
    )
    expect(new Set(replies.map(({ autumn_id }) => autumn_id))).toEqual(new Set([uid]))
    expect(new Set(replies.map(({ id, name }) => `${id} ${name}`)).size).toBe(1)
    expect(await everyone(world)).toEqual([{ id: 'eve', email, left: 10 }])
    await expectLedgerToAddUp(world.store, 'eve')
    await world.close()
  })

  test('of those who give different ids to someone known by e-mail, one does; the others are new', async () => {
    const world = await withMessages({ store })
    await withStranger(world)
    const ids = ['a', 'b', 'c', 'd']
    const replies = await Promise.all(ids.map((id) => world.ok('customers.get_or_create', { customer_id: id, email })))
    expect(replies.map(({ id }) => id)).toEqual(ids)
    const all = await everyone(world)
    expect(all.map(({ id }) => id).toSorted()).toEqual(ids)
    expect(all.filter(({ left }) => left === 10)).toHaveLength(1)
    await world.close()
  })

  test('one id, given while others still use the e-mail: nobody is lost and nobody is there twice', async () => {
    const world = await withMessages({ store })
    const uid = await withStranger(world)
    const replies = await Promise.all([
      world.call('balances.track', { customer_id: uid, feature_id: 'messages' }),
      world.call('customers.get_or_create', { customer_id: 'eve', email }),
      world.call('balances.track', { customer_id: uid, feature_id: 'messages' }),
      world.call('customers.get_or_create', { customer_id: 'eve', email, name: 'Eve' }),
      world.call('balances.track', { customer_id: uid, feature_id: 'messages' }),
    ])
    expect(codes(replies)).toEqual(['200', '200', '200', '200', '200'])
    expect(await everyone(world)).toEqual([{ id: 'eve', email, left: 7 }])
    await expectLedgerToAddUp(world.store, 'eve')
    await world.close()
  })

  test('an id that is there already is not given to someone else by e-mail', async () => {
    const world = await withMessages({ store })
    await withStranger(world)
    await world.ok('customers.get_or_create', { customer_id: 'eve' })
    await Promise.all([
      world.ok('customers.get_or_create', { customer_id: 'eve', email }),
      world.ok('customers.get_or_create', { customer_id: 'eve', email }),
    ])
    expect(await everyone(world)).toEqual([
      { id: null, email, left: 10 },
      { id: 'eve', email, left: null },
    ])
    await world.close()
  })

  test('of two who want one name at once one gets it, and the other keeps its own (B203)', async () => {
    const world = await withMessages({ store })
    for (const customer_id of ['alice', 'bob']) await world.ok('customers.get_or_create', { customer_id })
    const rename = (customer_id: string) => world.call('customers.update', { customer_id, new_customer_id: 'chris' })
    expect(codes(await Promise.all([rename('alice'), rename('bob')])).toSorted()).toEqual([
      '200',
      '409 customer_already_exists',
    ])
    const ids = (await everyone(world)).map(({ id }) => id)
    expect(ids).toHaveLength(2)
    expect(ids).toContain('chris')
    await world.close()
  })

  test('a name that is taken and created at once belongs to one (B191, B203)', async () => {
    const world = await withMessages({ store })
    await world.ok('customers.get_or_create', { customer_id: 'alice', name: 'A' })
    const [renamed, created] = await Promise.all([
      world.call('customers.update', { customer_id: 'alice', new_customer_id: 'chris' }),
      world.call('customers.get_or_create', { customer_id: 'chris', name: 'C' }),
    ])
    expect(created.status).toBe(200)
    const all = await everyone(world)
    expect(all.map(({ id }) => id).toSorted()).toEqual(renamed.status === 200 ? ['chris'] : ['alice', 'chris'])
    if (renamed.status !== 200) expect(codes([renamed])).toEqual(['409 customer_already_exists'])
    expect((await world.ok('customers.get', { customer_id: 'chris' })).name).toBe(renamed.status === 200 ? 'A' : 'C')
    await world.close()
  })

  test('discovered: a change that comes at once with a renaming that is refused is carried out all the same', async () => {
    const world = await withMessages({ store })
    for (const customer_id of ['alice', 'bob']) await world.ok('customers.get_or_create', { customer_id })
    const replies = await Promise.all([
      world.call('customers.update', { customer_id: 'alice', name: 'Alice' }),
      world.call('customers.update', { customer_id: 'alice', new_customer_id: 'bob' }),
      world.call('balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: 5 }),
    ])
    expect(codes(replies)).toEqual(['200', '409 customer_already_exists', '200'])
    expect((await world.ok('customers.get', { customer_id: 'alice' })).name).toBe('Alice')
    await world.close()
  })

  test('discovered: of two renamings at once the one to a free name is carried out', async () => {
    const world = await withMessages({ store })
    await world.ok('customers.get_or_create', { customer_id: 'bob' })
    const { autumn_id } = await world.ok('customers.get_or_create', { customer_id: 'alice', with_autumn_id: true })
    const rename = (id: string) => world.call('customers.update', { customer_id: autumn_id, new_customer_id: id })
    expect(codes(await Promise.all([rename('anna'), rename('bob')]))).toEqual(['200', '409 customer_already_exists'])
    expect((await everyone(world)).map(({ id }) => id).toSorted()).toEqual(['anna', 'bob'])
    await world.close()
  })

  test('discovered: who is created and called like another in one turn is created, and only the name is refused', async () => {
    const world = await withMessages({ store })
    await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
    await world.ok('customers.get_or_create', { customer_id: 'bob' })
    const replies = await Promise.all([
      world.call('entities.create', { customer_id: 'alice', entity_id: 'desk', feature_id: 'seats' }),
      world.call('customers.update', { customer_id: 'alice', new_customer_id: 'bob' }),
    ])
    expect(codes(replies)).toEqual(['200', '409 customer_already_exists'])
    expect((await everyone(world)).map(({ id }) => id)).toEqual(['bob', 'alice'])
    await world.close()
  })

  test('nobody is called like the internal id of another: that one would no longer be found', async () => {
    const world = await withMessages({ store })
    const bob = await world.ok('customers.get_or_create', { customer_id: 'bob', with_autumn_id: true })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    const taken = await world.call('customers.update', { customer_id: 'alice', new_customer_id: bob.autumn_id })
    expect(codes([taken])).toEqual(['409 customer_already_exists'])
    expect((await world.ok('customers.get', { customer_id: bob.autumn_id })).id).toBe('bob')
    await world.close()
  })

  test('an e-mail is changed while it is asked for: whoever is found is one', async () => {
    const world = await withMessages({ store })
    const uid = await withStranger(world)
    const replies = await Promise.all([
      world.call('customers.update', { customer_id: uid, email: 'new@example.com' }),
      world.call('customers.get_or_create', { customer_id: null, email: 'new@example.com', name: 'New' }),
      world.call('customers.get_or_create', { customer_id: null, email, name: 'Old' }),
    ])
    const all = await everyone(world)
    const emails = all.map(({ email: address }) => address)
    expect(new Set(emails).size).toBe(all.length)
    expect(all.filter(({ left }) => left === 10)).toHaveLength(1)
    for (const code of codes(replies)) expect(['200', '409 customer_already_exists']).toContain(code)
    await world.close()
  })
})

test('someone new with id and e-mail, and someone new with that e-mail alone, are two as if one had come first', async () => {
  // The one with an id leaves no claim behind, so whoever comes with the e-mail alone is someone else (B186).
  const world = await withMessages()
  await world.ok('customers.get_or_create', { customer_id: 'eve', email })
  await world.ok('customers.get_or_create', { customer_id: null, email })
  expect((await everyone(world)).map(({ id }) => id)).toEqual(['eve', null])
})

test('a claim that is under way is not seen before it is durable', async () => {
  const gate = new Gate()
  const world = await withMessages({ wrap: behaving({ commit: (ask, batch) => gate.pass(ask, batch) }) })
  const uid = await withStranger(world)
  const held = gate.close()
  const claiming = world.call('customers.get_or_create', { customer_id: 'eve', email })
  await held
  expect(codes([await world.call('customers.get', { customer_id: 'eve' })])).toEqual(['404 customer_not_found'])
  expect((await world.ok('customers.get', { customer_id: uid })).id).toBeNull()
  const second = world.call('customers.get_or_create', { customer_id: 'eve', email })
  const third = world.call('customers.get_or_create', { customer_id: null, email })
  gate.open()
  const [first, again, stranger] = await Promise.all([claiming, second, third])
  expect([first.body.id, again.body.id]).toEqual(['eve', 'eve'])
  // It was answered with who was durable then: that is the same one, still without an id.
  expect([stranger.status, stranger.body.id]).toEqual([200, null])
  expect(await everyone(world)).toEqual([{ id: 'eve', email, left: 10 }])
})

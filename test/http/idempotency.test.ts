import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorld, type World } from '../world.ts'

describe.each(['memory', 'sqlite', 'postgres'] as const)('idempotency keys on %s', (store) => {
  let world: World
  beforeEach(async () => {
    world = await openWorld({ store })
    await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
    await world.ok('features.create', {
      feature_id: 'credits',
      name: 'Credits',
      type: 'credit_system',
      credit_schema: [{ metered_feature_id: 'messages', credit_cost: 0.2 }],
    })
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    await world.ok('balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: 10 })
  })
  afterEach(() => world.close())

  const use = { customer_id: 'alice', feature_id: 'messages', value: 3 }
  const remaining = async () =>
    (await world.ok('balances.check', { customer_id: 'alice', feature_id: 'messages' })).balance.remaining

  test('the same header key has one effect and the first answer, marked as replayed', async () => {
    const first = await world.call('balances.track', use, { 'idempotency-key': 'k1' })
    await world.ok('balances.track', { ...use, value: 1 })
    const second = await world.call('balances.track', use, { 'idempotency-key': 'k1' })
    expect(second.body).toEqual(first.body)
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(await remaining()).toBe(6)
  })

  test('discovered: metadata may have a key that looks like that of an amount on disk', async () => {
    const metadata = { deep: { '\u0001amount': 'x' }, list: [{ '\u0001amount': '5' }], '\u0001amount entries': [] }
    const named = { customer_id: 'alice', metadata }
    const first = await world.call('customers.update', named, { 'idempotency-key': 'k1' })
    const second = await world.call('customers.update', named, { 'idempotency-key': 'k1' })
    expect([first.status, first.body.metadata]).toEqual([200, metadata])
    expect([second.status, second.body]).toEqual([200, first.body])
  })

  test('a body key works alike, in a space of its own', async () => {
    const keyed = { ...use, idempotency_key: 'k1' }
    const first = await world.call('balances.track', keyed)
    await world.ok('balances.track', use, { 'idempotency-key': 'k1' })
    const second = await world.call('balances.track', keyed)
    expect(second.body).toEqual(first.body)
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(await remaining()).toBe(4)
  })

  test('the same key with other input is refused and has no effect', async () => {
    await world.ok('balances.track', use, { 'idempotency-key': 'k1' })
    const reply = await world.call('balances.track', { ...use, value: 4 }, { 'idempotency-key': 'k1' })
    expect([reply.status, reply.body.code]).toEqual([409, 'idempotency_key_reused'])
    expect(await remaining()).toBe(7)
  })

  test('a request may carry both keys, and is found again by either', async () => {
    const keyed = { ...use, idempotency_key: 'b1' }
    const first = await world.call('balances.track', keyed, { 'idempotency-key': 'h1' })
    for (const header of ['h1', 'h2', undefined]) {
      const again = await world.call('balances.track', keyed, { 'idempotency-key': header })
      expect([again.headers['idempotent-replayed'], again.body]).toEqual(['true', first.body])
    }
    const other = await world.call('balances.track', { ...use, idempotency_key: 'b2' }, { 'idempotency-key': 'h1' })
    expect([other.status, other.body.code]).toEqual([409, 'idempotency_key_reused'])
    expect(await remaining()).toBe(7)
  })

  test('the same key at the same time for different requests has the effect of one of them', async () => {
    const replies = await Promise.all(
      [1, 2, 3].map((value) => world.call('balances.track', { ...use, value }, { 'idempotency-key': 'k1' })),
    )
    expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 409, 409])
    const done = replies.find(({ status }) => status === 200)
    expect(await remaining()).toBe(10 - done?.body.value)
  })

  test('the keys of a deleted customer go with it: who has its name next starts clean', async () => {
    const headers = { 'idempotency-key': 'k1' }
    await world.ok('balances.track', use, headers)
    await world.ok('customers.delete', { customer_id: 'alice' })
    expect((await world.call('balances.track', use, headers)).status).toBe(404)
    await world.ok('customers.get_or_create', { customer_id: 'alice' })
    await world.ok('balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: 20 })
    const anew = await world.call('balances.track', use, headers)
    expect([anew.status, anew.headers['idempotent-replayed']]).toEqual([200, undefined])
    expect(await remaining()).toBe(17)
  })

  test('a late retry of a new name leaves whoever has the old one by then alone', async () => {
    const rename = { customer_id: 'alice', new_customer_id: 'anna' }
    const first = await world.call('customers.update', rename, { 'idempotency-key': 'k1' })
    await world.ok('customers.get_or_create', { customer_id: 'alice', name: 'Another Alice' })
    const late = await world.call('customers.update', rename, { 'idempotency-key': 'k1' })
    expect([late.status, late.headers['idempotent-replayed'], late.body]).toEqual([200, 'true', first.body])
    expect((await world.ok('customers.get', { customer_id: 'alice' })).name).toBe('Another Alice')
  })

  test('a late retry of deleting an entity by its id alone leaves the one of somebody else alone', async () => {
    await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
    const desk = { entity_id: 'desk', feature_id: 'seats' }
    await world.ok('entities.create', { customer_id: 'alice', ...desk })
    const deletion = () => world.call('entities.delete', { entity_id: 'desk' }, { 'idempotency-key': 'k1' })
    expect((await deletion()).status).toBe(200)
    await world.ok('entities.create', { customer_id: 'bob', ...desk })
    const late = await deletion()
    expect([late.status, late.headers['idempotent-replayed']]).toEqual([200, 'true'])
    expect((await world.call('entities.get', { customer_id: 'bob', entity_id: 'desk' })).status).toBe(200)
  })

  test('a retry of a use that had created its entity does not create it again once it is deleted', async () => {
    await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
    const keyed = { ...use, entity_id: 'lamp', auto_create: true, entity_data: { feature_id: 'seats' } }
    const first = await world.call('balances.track', keyed, { 'idempotency-key': 'k1' })
    await world.ok('entities.delete', { customer_id: 'alice', entity_id: 'lamp' })
    const late = await world.call('balances.track', keyed, { 'idempotency-key': 'k1' })
    expect([late.headers['idempotent-replayed'], late.body]).toEqual(['true', first.body])
    expect((await world.call('entities.get', { customer_id: 'alice', entity_id: 'lamp' })).status).toBe(404)
  })

  test('the order of the keys in a body does not matter, nor through which alias it came', async () => {
    await world.ok('balances.track', use, { 'idempotency-key': 'k1' })
    const again = { value: 3, feature_id: 'messages', customer_id: 'alice' }
    const reply = await world.call('/v1/track', again, { 'idempotency-key': 'k1' })
    expect([reply.status, reply.headers['idempotent-replayed']]).toEqual([200, 'true'])
    expect(await remaining()).toBe(7)
  })

  test('a refused request frees its key (R121, R124)', async () => {
    const tooMuch = { ...use, value: 11, overage_behavior: 'reject' }
    expect((await world.call('balances.track', tooMuch, { 'idempotency-key': 'k1' })).status).toBe(400)
    await world.ok('balances.update', { customer_id: 'alice', feature_id: 'messages', add_to_balance: 5 })
    expect((await world.call('balances.track', tooMuch, { 'idempotency-key': 'k1' })).status).toBe(200)
    expect(await remaining()).toBe(4)
  })

  test('the first answer is given again even when the request would be refused now', async () => {
    const half = { ...use, value: 6, overage_behavior: 'reject' }
    const first = await world.call('balances.track', half, { 'idempotency-key': 'k1' })
    const second = await world.call('balances.track', half, { 'idempotency-key': 'k1' })
    expect(second.body).toEqual(first.body)
    expect(await remaining()).toBe(4)
  })

  test('many at once with one key have one effect and all get its answer', async () => {
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => world.call('balances.track', use, { 'idempotency-key': 'k1' })),
    )
    expect(new Set(replies.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1)
    expect(replies.filter(({ headers }) => headers['idempotent-replayed'] === 'true')).toHaveLength(49)
    expect(await remaining()).toBe(7)
    expect((await world.ok('events.list', { customer_id: 'alice' })).list).toHaveLength(1)
  })

  test('keys belong to one customer, and to one environment', async () => {
    await world.ok('customers.get_or_create', { customer_id: 'bob' })
    await world.ok('balances.track', use, { 'idempotency-key': 'k1' })
    const bob = await world.call('balances.track', { ...use, customer_id: 'bob' }, { 'idempotency-key': 'k1' })
    expect([bob.status, bob.headers['idempotent-replayed']]).toEqual([200, undefined])
  })

  test.each([
    ['balances.create', { customer_id: 'alice', feature_id: 'messages', included_grant: 5 }],
    ['balances.update', { customer_id: 'alice', feature_id: 'messages', add_to_balance: 5 }],
    ['balances.delete', { customer_id: 'alice', feature_id: 'messages' }],
    ['balances.check', { customer_id: 'alice', feature_id: 'messages', required_balance: 2, send_event: true }],
    ['customers.update', { customer_id: 'alice', name: 'Alice' }],
    ['customers.get_or_create', { customer_id: 'carol', name: 'Carol' }],
    ['features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false }],
  ])('%s honours a key', async (operation, body) => {
    const first = await world.call(operation, body, { 'idempotency-key': 'k1' })
    const before = await world.ok('customers.get', { customer_id: 'alice' })
    const second = await world.call(operation, body, { 'idempotency-key': 'k1' })
    expect(first.status).toBe(200)
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(second.body).toEqual(first.body)
    expect(await world.ok('customers.get', { customer_id: 'alice' })).toEqual(before)
  })

  test('a plain check ignores the key: it is a read', async () => {
    const body = { customer_id: 'alice', feature_id: 'messages' }
    await world.ok('balances.check', body, { 'idempotency-key': 'k1' })
    await world.ok('balances.track', use)
    expect((await world.ok('balances.check', body, { 'idempotency-key': 'k1' })).balance.remaining).toBe(7)
  })

  test('a key is forgotten after its retention', async () => {
    await world.ok('balances.track', use, { 'idempotency-key': 'k1' })
    world.clock.advance(23 * 3_600_000)
    expect((await world.call('balances.track', use, { 'idempotency-key': 'k1' })).headers['idempotent-replayed']).toBe(
      'true',
    )
    world.clock.advance(14 * 3_600_000)
    expect(
      (await world.call('balances.track', use, { 'idempotency-key': 'k1' })).headers['idempotent-replayed'],
    ).toBeUndefined()
    expect(await remaining()).toBe(4)
  })

  test.each(['', 'x'.repeat(256)])('a key that is none is refused (%#)', async (key) => {
    const reply = await world.call('balances.track', use, { 'idempotency-key': key })
    expect([reply.status, reply.body.code]).toEqual([400, 'invalid_inputs'])
  })
})

test('with GRANARY_IDEMPOTENCY=reject a repeated key is refused, as the older contract has it (R120)', async () => {
  const world = await openWorld({ idempotency: 'reject' })
  await world.ok(
    'features.create',
    { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true },
    { 'idempotency-key': 'f' },
  )
  await world.ok('customers.get_or_create', { customer_id: 'alice' })
  const body = { customer_id: 'alice', feature_id: 'messages', idempotency_key: 'k' }
  const replies = await Promise.all([world.call('balances.track', body), world.call('balances.track', body)])
  expect(replies.map(({ status, body: { code } }) => [status, code])).toEqual([
    [200, undefined],
    [409, 'duplicate_idempotency_key'],
  ])
  const again = await world.call(
    'features.create',
    { feature_id: 'seats', name: 'Seats', type: 'boolean' },
    { 'idempotency-key': 'f' },
  )
  expect([again.status, again.body.code]).toEqual([409, 'duplicate_idempotency_key'])
})

test('law 6: repeating keyed requests at random changes nothing', async () => {
  const request = fc.record({
    value: fc.integer({ min: -5, max: 9 }),
    behavior: fc.constantFrom('cap', 'reject', 'overflow'),
    repeats: fc.array(fc.nat(30), { maxLength: 3 }),
  })
  const [once, often] = [await openWorld(), await openWorld()]
  const messages = { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true }
  for (const world of [once, often]) await world.ok('features.create', messages)
  let cases = 0
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 20 }), async (requests) => {
      // Someone new for each case: a world for each would take most of the time.
      cases += 1
      const customer_id = `c${cases}`
      for (const world of [once, often]) {
        await world.ok('customers.get_or_create', { customer_id })
        await world.ok('balances.create', { customer_id, feature_id: 'messages', included_grant: 20 })
      }
      const send = async (world: World, i: number) => {
        const one = requests[i]
        if (one === undefined) return null
        const body = {
          customer_id,
          feature_id: 'messages',
          value: one.value,
          overage_behavior: one.behavior,
          idempotency_key: `${customer_id} ${i}`,
        }
        return world.call('balances.track', body)
      }
      const succeeded = new Set<number>()
      for (const [i, { repeats }] of requests.entries()) {
        const [a, b] = await Promise.all([send(once, i), send(often, i)])
        expect(b?.status).toBe(a?.status)
        if (b?.status === 200) succeeded.add(i)
        // Only what succeeded is remembered; a refused request may be tried again and then count.
        await Promise.all(repeats.filter((repeat) => succeeded.has(repeat)).map((repeat) => send(often, repeat)))
      }
      const read = async (world: World) =>
        (await world.ok('customers.get', { customer_id })).balances.messages?.remaining
      expect(await read(often)).toBe(await read(once))
    }),
    { numRuns: 1500 },
  )
  for (const world of [once, often]) await world.close()
}, 120_000)

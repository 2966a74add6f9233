import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bookOf, expectLedgerToAddUp } from '../ledger.ts'
import { LIVE_KEY, START } from '../world.ts'
import { codeOf, figuresOf, Story } from './story.ts'

type Body = Record<string, unknown>

describe('deleting a customer (B205)', () => {
  let story: Story
  beforeAll(async () => {
    story = await Story.begin()
  })
  beforeEach(() => story.anew())
  afterAll(async () => {
    await story.world.close()
    expect(story.world.faults).toEqual([])
  })

  const gone = (customer_id: string, headers?: Record<string, string>) =>
    story.world.call('customers.delete', { customer_id }, headers)

  test('takes everything along: who has the id next begins with nothing', async () => {
    await story.world.ok('customers.update', {
      customer_id: 'alice',
      name: 'Alice',
      email: 'alice@example.org',
      metadata: { tier: 'gold' },
      config: { disable_pooled_balance: true },
    })
    await story.grant('seats', { included: 5 })
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 10, balance_id: 'gift' })
    await story.grant('messages', { included: 5, entity_id: 'e1' })
    await story.grant('sso', {})
    await story.track('messages', 3, { idempotency_key: 'u1' })
    await story.track('messages', 2, { entity_id: 'e1' })
    const before = await bookOf(story.world.store, 'alice')
    expect((await gone('alice')).body).toEqual({ success: true })
    for (const [operation, body] of [
      ['customers.get', {}],
      ['customers.update', { name: 'X' }],
      ['customers.delete', {}],
      ['balances.check', { feature_id: 'messages' }],
      ['balances.track', { feature_id: 'messages' }],
      ['balances.list', {}],
      ['entities.list', {}],
    ] as const) {
      const code = await codeOf(story.world, operation, { customer_id: 'alice', ...body })
      expect(code, operation).toBe('404 customer_not_found')
    }
    expect(await codeOf(story.world, 'entities.get', { entity_id: 'e1' })).toBe('404 entity_not_found')
    expect((await story.world.ok('events.list', {})).list).toEqual([])
    expect((await story.world.ok('customers.list', {})).list).toEqual([])
    expect((await story.world.ok('entities.list', {})).list).toEqual([])
    expect(await story.world.store.ledger(before.holdings.customer.uid)).toEqual([])

    story.world.clock.advance(1000)
    const anew = await story.world.ok('customers.get_or_create', {
      customer_id: 'alice',
      expand: ['entities'],
      with_autumn_id: true,
    })
    expect(anew).toMatchObject({
      name: null,
      email: null,
      metadata: {},
      config: {},
      created_at: START + 1000,
      balances: {},
      flags: {},
      entities: [],
    })
    expect(anew.autumn_id).not.toBe(before.holdings.customer.uid)
    expect((await story.world.ok('events.list', { customer_id: 'alice' })).list).toEqual([])
    // A balance_id and an idempotency key of the old one are free for the new one.
    await story.grant('messages', { included: 10, balance_id: 'gift' })
    await story.track('messages', 4, { idempotency_key: 'u1' })
    await story.holds('messages', '10/6/4')
    const { ledger } = await expectLedgerToAddUp(story.world.store, 'alice')
    expect(ledger.map(({ kind }) => kind)).toEqual(['grant', 'use'])
  })

  test('is done by the internal id too, and only where it is (B187, B10)', async () => {
    await story.world.ok('customers.get_or_create', { customer_id: 'alice' }, { authorization: `Bearer ${LIVE_KEY}` })
    const { autumn_id } = await story.world.ok('customers.get', { customer_id: 'alice', with_autumn_id: true })
    expect((await gone(autumn_id)).status).toBe(200)
    expect((await gone('alice')).body.code).toBe('customer_not_found')
    await story.world.ok('customers.get', { customer_id: 'alice' }, { authorization: `Bearer ${LIVE_KEY}` })
  })

  test('on the older path; a customer in Stripe comes later', async () => {
    expect(await codeOf(story.world, 'DELETE /v1/customers/alice?delete_in_stripe=true')).toBe('400 not_supported')
    expect(await story.world.ok('DELETE /v1/customers/alice?delete_in_stripe=false')).toEqual({ success: true })
    expect(await codeOf(story.world, 'GET /v1/customers/alice')).toBe('404 customer_not_found')
  })

  test('happens once, however many ask at once', async () => {
    const codes = (await Promise.all(Array.from({ length: 6 }, () => gone('alice')))).map(({ status }) => status)
    expect(codes.toSorted()).toEqual([200, 404, 404, 404, 404, 404])
  })

  test('a retry with the same key gets the first answer', async () => {
    const headers = { 'idempotency-key': 'd1' }
    expect((await gone('alice', headers)).body).toEqual({ success: true })
    expect((await gone('alice', headers)).body).toEqual({ success: true })
  })

  test('in the midst of uses: each is counted for the old one, refused, or counted for the new one', async () => {
    await story.grant('messages', { included: 100 })
    const anew = async () => {
      await story.world.ok('customers.get_or_create', { customer_id: 'alice' })
      await story.grant('messages', { included: 1000 })
    }
    const use = () => codeOf(story.world, 'balances.track', { customer_id: 'alice', feature_id: 'messages' })
    const uses = Array.from({ length: 10 }, use)
    const deletion = gone('alice')
    const after = Array.from({ length: 10 }, use)
    const codes = await Promise.all(uses)
    expect([codes, (await deletion).status]).toEqual([Array(10).fill('200'), 200])
    expect(await Promise.all(after)).toEqual(Array(10).fill('404 customer_not_found'))
    const [, ...more] = await Promise.all([anew(), ...Array.from({ length: 10 }, use)])
    const counted = more.filter((code) => code === '200').length
    expect((await story.world.ok('events.list', { customer_id: 'alice' })).list).toHaveLength(counted)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('an id that a deleted one had can be taken by another (B203)', async () => {
    await story.world.ok('customers.get_or_create', { customer_id: 'bob', name: 'Bob' })
    const renaming = { customer_id: 'bob', new_customer_id: 'alice' }
    expect(await codeOf(story.world, 'customers.update', renaming)).toBe('409 customer_already_exists')
    await gone('alice')
    await story.world.ok('customers.update', renaming)
    expect(await story.world.ok('customers.get', { customer_id: 'alice' })).toMatchObject({ name: 'Bob' })
    expect(await codeOf(story.world, 'customers.get', { customer_id: 'bob' })).toBe('404 customer_not_found')
  })
})

describe('customers known only by e-mail (B185, B186)', () => {
  let story: Story
  beforeAll(async () => {
    story = await Story.begin()
  })
  beforeEach(() => story.anew())
  afterAll(async () => {
    await story.world.close()
    expect(story.world.faults).toEqual([])
  })

  const known = (email: string, more: Body = {}) =>
    story.world.ok('customers.get_or_create', { customer_id: null, email, with_autumn_id: true, ...more })
  const claimed = (customer_id: string, email: string, more: Body = {}) =>
    story.world.ok('customers.get_or_create', { customer_id, email, with_autumn_id: true, ...more })
  const count = async () => (await story.world.ok('customers.list', {})).list.length

  test('have no id in answers, and are addressed by the internal one', async () => {
    const guest = await known('guest@example.org', { name: 'Guest' })
    expect(guest).toMatchObject({ id: null, name: 'Guest', email: 'guest@example.org' })
    expect(guest.autumn_id).toMatch(/^cus_/)
    const customer_id = guest.autumn_id
    await story.world.ok('balances.create', { customer_id, feature_id: 'messages', included: 10 })
    const use = { customer_id, feature_id: 'messages', value: 4 }
    expect(await story.world.ok('balances.track', use)).toMatchObject({ customer_id, balance: { remaining: 6 } })
    expect(await story.world.ok('balances.check', use)).toMatchObject({ customer_id, allowed: true })
    const { list } = await story.world.ok('events.list', { customer_id })
    expect(list).toMatchObject([{ customer_id, value: 4 }])
    await story.world.ok('entities.create', { customer_id, entity_id: 'e1', feature_id: 'seats' })
    expect(await story.world.ok('customers.get', { customer_id, expand: ['entities'] })).toMatchObject({
      id: null,
      entities: [{ id: 'e1', customer_id }],
    })
    expect(await story.world.ok('customers.get', { customer_id })).not.toHaveProperty('autumn_id')
    await expectLedgerToAddUp(story.world.store, customer_id)
  })

  test('are one per e-mail, whatever its case, and environment', async () => {
    const first = await known('Ärger@Example.org')
    expect((await known('äRGER@eXAMPLE.ORG')).autumn_id).toBe(first.autumn_id)
    expect((await known('other@example.org')).autumn_id).not.toBe(first.autumn_id)
    const live = { authorization: `Bearer ${LIVE_KEY}` }
    const body = { customer_id: null, email: 'ärger@example.org', with_autumn_id: true }
    expect((await story.world.ok('customers.get_or_create', body, live)).autumn_id).not.toBe(first.autumn_id)
    expect(await count()).toBe(3)
  })

  test.each<[string, Body, string]>([
    ['neither id nor e-mail', { customer_id: null }, '400 invalid_request'],
    ['null for both', { customer_id: null, email: null }, '400 invalid_request'],
    ['an e-mail without saying that there is no id', { email: 'a@example.org' }, '400 invalid_inputs'],
    ['what is no e-mail', { customer_id: null, email: 'nobody' }, '400 invalid_inputs'],
  ])('%s is refused', async (_label, body, code) => {
    expect(await codeOf(story.world, 'customers.get_or_create', body)).toBe(code)
    expect(await count()).toBe(1)
  })

  test('the older path creates them too', async () => {
    const body = { id: null, email: 'guest@example.org' }
    expect(await story.world.ok('POST /v1/customers?with_autumn_id=true', body)).toMatchObject({ id: null })
    expect(await story.world.ok('POST /v1/customers', { email: 'guest@example.org' })).toMatchObject({ id: null })
    expect(await count()).toBe(2)
  })

  test('are claimed by the first request that names an id and the e-mail', async () => {
    const guest = await known('Guest@Example.org', { name: 'Guest', metadata: { a: 1 } })
    await story.world.ok('balances.create', { customer_id: guest.autumn_id, feature_id: 'messages', included: 10 })
    story.world.clock.advance(1000)
    const eve = await claimed('eve', 'guest@example.org', { name: 'Eve', metadata: { b: 2 } })
    expect(eve).toMatchObject({
      id: 'eve',
      autumn_id: guest.autumn_id,
      name: 'Guest',
      email: 'Guest@Example.org',
      metadata: { a: 1 },
      created_at: START,
    })
    expect(figuresOf(eve.balances.messages)).toBe('10/10/0')
    expect(await count()).toBe(2)
    // From now on the e-mail is nobody's name.
    const next = await known('guest@example.org')
    expect(next.autumn_id).not.toBe(guest.autumn_id)
    expect((await claimed('eve', 'guest@example.org')).autumn_id).toBe(guest.autumn_id)
    expect(await count()).toBe(3)
    const track = { customer_id: 'eve', feature_id: 'messages', value: 1 }
    expect(await story.world.ok('balances.track', track)).toMatchObject({ customer_id: 'eve' })
    await expectLedgerToAddUp(story.world.store, 'eve')
  })

  test('are left alone by an id that is there already', async () => {
    const guest = await known('alice@example.org')
    expect(await claimed('alice', 'alice@example.org')).toMatchObject({ id: 'alice', email: 'alice@example.org' })
    expect((await known('alice@example.org')).autumn_id).toBe(guest.autumn_id)
    expect(await count()).toBe(2)
  })

  test('many at once make one, and many claims of one id claim it once', async () => {
    const guests = await Promise.all(Array.from({ length: 8 }, () => known('guest@example.org')))
    expect(new Set(guests.map(({ autumn_id }) => autumn_id)).size).toBe(1)
    const eves = await Promise.all(Array.from({ length: 8 }, () => claimed('eve', 'guest@example.org')))
    expect(new Set(eves.map(({ autumn_id }) => autumn_id))).toEqual(new Set([guests[0]?.autumn_id]))
    expect(eves.every(({ id }) => id === 'eve')).toBe(true)
    expect(await count()).toBe(2)
  })

  test('of many ids that claim one at once a single one gets it; every id has a customer', async () => {
    const guest = await known('guest@example.org')
    const ids = ['a', 'b', 'c', 'd', 'e']
    const claims = await Promise.all(ids.map((id) => claimed(id, 'guest@example.org')))
    expect(claims.map(({ id }) => id)).toEqual(ids)
    expect(claims.filter(({ autumn_id }) => autumn_id === guest.autumn_id)).toHaveLength(1)
    expect(new Set(claims.map(({ autumn_id }) => autumn_id)).size).toBe(5)
    expect(await count()).toBe(6)
  })

  test('claims, looks and uses at once all find the same customer', async () => {
    const { autumn_id } = await known('guest@example.org')
    await story.world.ok('balances.create', { customer_id: autumn_id, feature_id: 'messages', included: 100 })
    const uses = Array.from({ length: 10 }, () =>
      story.world.ok('balances.track', { customer_id: autumn_id, feature_id: 'messages' }),
    )
    const claim = claimed('eve', 'guest@example.org')
    await Promise.all([...uses, claim, known('other@example.org')])
    const { balances } = await story.world.ok('customers.get', { customer_id: 'eve' })
    expect(figuresOf(balances.messages)).toBe('100/90/10')
    await expectLedgerToAddUp(story.world.store, 'eve')
  })

  test('an e-mail changes, but not to one that another of them has', async () => {
    const guest = await known('guest@example.org')
    const other = await known('other@example.org')
    const update = (email: string | null) =>
      story.world.call('customers.update', { customer_id: guest.autumn_id, email })
    expect((await update('OTHER@example.org')).body.code).toBe('customer_already_exists')
    expect((await update('OTHER@example.org')).status).toBe(409)
    expect((await known('guest@example.org')).autumn_id).toBe(guest.autumn_id)
    expect((await update('Guest@example.org')).status).toBe(200)
    expect((await update('new@example.org')).body.email).toBe('new@example.org')
    expect((await known('new@example.org')).autumn_id).toBe(guest.autumn_id)
    expect((await known('other@example.org')).autumn_id).toBe(other.autumn_id)
    expect((await known('guest@example.org')).autumn_id).not.toBe(guest.autumn_id)
    expect(await count()).toBe(4)
  })

  test('an e-mail of somebody with an id is not taken', async () => {
    const alice = { customer_id: 'alice', email: 'guest@example.org' }
    await story.world.ok('customers.update', alice)
    const guest = await known('other@example.org')
    await story.world.ok('customers.update', { customer_id: guest.autumn_id, email: 'guest@example.org' })
    expect((await known('guest@example.org')).autumn_id).toBe(guest.autumn_id)
  })

  test('get an id by an update, too', async () => {
    const guest = await known('guest@example.org')
    const renaming = { customer_id: guest.autumn_id, new_customer_id: 'eve' }
    expect(await story.world.ok('customers.update', renaming)).toMatchObject({ id: 'eve' })
    expect((await known('guest@example.org')).autumn_id).not.toBe(guest.autumn_id)
    const taken = { ...renaming, new_customer_id: 'alice' }
    expect(await codeOf(story.world, 'customers.update', taken)).toBe('409 customer_already_exists')
  })

  test('are deleted, and their e-mail is free', async () => {
    const guest = await known('guest@example.org')
    await story.world.ok('customers.delete', { customer_id: guest.autumn_id })
    expect((await known('guest@example.org')).autumn_id).not.toBe(guest.autumn_id)
  })
})

describe('get_or_create with an entity (B224)', () => {
  let story: Story
  beforeEach(async () => {
    story = await Story.begin()
  })

  const call = (more: Body) => ({ customer_id: 'bob', entity_id: 'e1', expand: ['entities'], ...more })
  const entity_data = { feature_id: 'seats', name: 'Eve' }

  test('creates both at once, and the entity of a customer that is there', async () => {
    const bob = await story.world.ok('customers.get_or_create', call({ entity_data }))
    expect(bob.entities).toMatchObject([{ id: 'e1', name: 'Eve', feature_id: 'seats', customer_id: 'bob' }])
    await story.grant('seats', { included: 3 })
    const alice = await story.world.ok('customers.get_or_create', call({ customer_id: 'alice', entity_data }))
    expect(alice.entities).toMatchObject([{ id: 'e1' }])
    expect(figuresOf(alice.balances.seats)).toBe('3/2/1')
  })

  test('finds an entity that is there, whatever is said of it', async () => {
    await story.world.ok('customers.get_or_create', call({ entity_data }))
    for (const data of [undefined, { name: 'Other' }, { feature_id: 'nope' }]) {
      const { entities } = await story.world.ok('customers.get_or_create', call({ entity_data: data }))
      expect(entities).toMatchObject([{ id: 'e1', name: 'Eve' }])
    }
  })

  test.each<[string, Body | undefined, string]>([
    ['nothing', undefined, '400 invalid_inputs'],
    ['a name alone', { name: 'Eve' }, '400 invalid_inputs'],
    ['an unknown feature', { feature_id: 'nope' }, '404 feature_not_found'],
    ['a feature that is used up', { feature_id: 'messages' }, '400 invalid_request'],
  ])('is refused where %s is known of it, and then nobody is created', async (_label, data, code) => {
    expect(await codeOf(story.world, 'customers.get_or_create', call({ entity_data: data }))).toBe(code)
    expect(await codeOf(story.world, 'customers.get', { customer_id: 'bob' })).toBe('404 customer_not_found')
    const alice = call({ customer_id: 'alice', name: 'Alice', entity_data: data })
    expect(await codeOf(story.world, 'customers.get_or_create', alice)).toBe(code)
    expect(await story.world.ok('customers.get', { customer_id: 'alice' })).toMatchObject({ name: null })
  })

  test('many at once create one customer with one entity', async () => {
    const calls = Array.from({ length: 8 }, () => story.world.ok('customers.get_or_create', call({ entity_data })))
    for (const { entities } of await Promise.all(calls)) expect(entities).toHaveLength(1)
  })

  test('claims a customer known by e-mail and gives it the entity', async () => {
    const email = 'guest@example.org'
    const with_autumn_id = true
    const guest = await story.world.ok('customers.get_or_create', { customer_id: null, email, with_autumn_id })
    const bob = await story.world.ok('customers.get_or_create', call({ email, entity_data, with_autumn_id }))
    expect(bob).toMatchObject({ id: 'bob', autumn_id: guest.autumn_id, entities: [{ id: 'e1' }] })
    // A claim that is refused claims nobody.
    const other = await story.world.ok('customers.get_or_create', { customer_id: null, email, with_autumn_id })
    const refused = call({ customer_id: 'eve', email, entity_data: { feature_id: 'nope' } })
    expect(await codeOf(story.world, 'customers.get_or_create', refused)).toBe('404 feature_not_found')
    expect(await story.world.ok('customers.get', { customer_id: other.autumn_id })).toMatchObject({ id: null })
    expect(await codeOf(story.world, 'customers.get', { customer_id: 'eve' })).toBe('404 customer_not_found')
  })
})

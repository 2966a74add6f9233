import { beforeEach, describe, expect, test } from 'vitest'
import { entitiesOf } from '../../src/domain/holdings.ts'
import { bookOf, expectLedgerToAddUp } from '../ledger.ts'
import { codeOf, figuresOf, Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

const now = Date.parse('2026-01-31T10:00:00Z')
type Body = Record<string, unknown>

const idsOf = async (customer_id = 'alice'): Promise<(string | null)[]> => {
  const { entities } = await story.world.ok('customers.get', { customer_id, expand: ['entities'] })
  return entities.map(({ id }: { id: string | null }) => id)
}

describe('creating entities', () => {
  test('one is answered as itself, with what it sees (B213, B214)', async () => {
    await story.grant('messages', { included: 10, balance_id: 'shared' })
    const entity = await story.world.ok('entities.create', {
      customer_id: 'alice',
      entity_id: 'e1',
      feature_id: 'seats',
      name: 'Desk by the window',
    })
    expect(entity).toMatchObject({
      id: 'e1',
      name: 'Desk by the window',
      customer_id: 'alice',
      feature_id: 'seats',
      created_at: now,
      env: 'sandbox',
      subscriptions: [],
      purchases: [],
      flags: {},
      billing_controls: {},
    })
    expect(Object.keys(entity.balances)).toEqual(['messages'])
    expect(await story.world.ok('entities.get', { customer_id: 'alice', entity_id: 'e1' })).toEqual(entity)
  })

  const two = (key: string) => ['e1', 'e2'].map((id) => ({ [key]: id, feature_id: 'seats' }))

  test.each<[string, string, unknown, (string | null)[]]>([
    ['several by name', 'entities.create', { customer_id: 'alice', entities: two('entity_id') }, ['e1', 'e2']],
    ['a list on the older path', 'POST /v1/customers/alice/entities', two('id'), ['e1', 'e2']],
    ['one on the older path', 'POST /v1/customers/alice/entities', two('id')[0], ['e1']],
    ['a list of one on the older path', 'POST /v1/customers/alice/entities', two('id').slice(1), ['e2']],
    ['numbers as ids', 'POST /v1/customers/alice/entities', [{ id: 7, feature_id: 'seats' }], ['7']],
    ['no id', 'POST /v1/customers/alice/entities', { id: null, feature_id: 'seats', name: 'Guest' }, [null]],
  ])('%s (B214)', async (_label, operation, body, ids) => {
    const answer = await story.world.ok(operation, body)
    const shown = ids.length > 1 ? answer.list : [answer]
    expect(shown.map(({ id }: Body) => id)).toEqual(ids)
    expect(await idsOf()).toEqual(ids)
  })

  test('ids are whatever the caller likes, and belong to one customer (B212)', async () => {
    const ids = ['a b', 'ä@ü.example', '{}', '__proto__', 'E1', 'e1', 'cus:1/2']
    await story.seat(...ids)
    await story.world.ok('customers.get_or_create', { customer_id: 'bob' })
    const entities = ids.map((entity_id) => ({ entity_id, feature_id: 'seats' }))
    await story.world.ok('entities.create', { customer_id: 'bob', entities })
    expect([await idsOf(), await idsOf('bob')]).toEqual([ids, ids])
    for (const [i, entity_id] of ids.entries()) await story.grant('messages', { entity_id, included: i + 1 })
    for (const [i, id] of ids.entries()) await story.sees(id, 'messages', `${i + 1}/${i + 1}/0`)
    await story.holds('messages', '28/28/0')
    for (const [i, id] of ids.entries()) {
      const path = `/v1/customers/alice/entities/${encodeURIComponent(id)}`
      const { balances } = await story.world.ok(`GET ${path}`)
      expect(figuresOf(balances.messages), id).toBe(`${i + 1}/${i + 1}/0`)
    }
  })

  test('the customer is created where there is none, with what is said of it (B215)', async () => {
    await story.world.ok('entities.create', {
      customer_id: 'bob',
      entity_id: 'e1',
      feature_id: 'seats',
      customer_data: { name: 'Bob', email: 'bob@example.org', config: { disable_pooled_balance: true } },
    })
    expect(await story.world.ok('customers.get', { customer_id: 'bob' })).toMatchObject({
      name: 'Bob',
      email: 'bob@example.org',
      config: { disable_pooled_balance: true },
    })
    expect(await idsOf('bob')).toEqual(['e1'])
  })

  const REFUSED: [string, Body, string][] = [
    ['an unknown feature', { entity_id: 'x', feature_id: 'nope' }, '404 feature_not_found'],
    ['a feature that is used up', { entity_id: 'x', feature_id: 'messages' }, '400 invalid_request'],
    ['a credit system', { entity_id: 'x', feature_id: 'credits' }, '400 invalid_request'],
    ['a flag (REC)', { entity_id: 'x', feature_id: 'sso' }, '400 invalid_request'],
    ['no id at all', { feature_id: 'seats' }, '400 invalid_inputs'],
    ['an empty id', { entity_id: '', feature_id: 'seats' }, '400 invalid_inputs'],
    ['no feature', { entity_id: 'x' }, '400 invalid_inputs'],
    ['an id that is taken', { entity_id: 'e1', feature_id: 'seats' }, '409 entity_already_exists'],
  ]

  test.each(REFUSED)('refuses %s, alone and among others, and then creates nothing (B216)', async (_, one, code) => {
    await story.grant('seats', { included: 5 })
    await story.seat('e1')
    expect(await codeOf(story.world, 'entities.create', { customer_id: 'alice', ...one })).toBe(code)
    const entities = [{ entity_id: 'e2', feature_id: 'seats' }, one, { entity_id: 'e3', feature_id: 'seats' }]
    expect(await codeOf(story.world, 'entities.create', { customer_id: 'alice', entities })).toBe(code)
    expect(await idsOf()).toEqual(['e1'])
    await story.holds('seats', '5/4/1')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test.each(REFUSED.slice(0, -1))(
    'refuses %s for a customer that would be new, which is not created',
    async (_, one, code) => {
      expect(await codeOf(story.world, 'entities.create', { customer_id: 'zoe', ...one })).toBe(code)
      expect(await codeOf(story.world, 'customers.get', { customer_id: 'zoe' })).toBe('404 customer_not_found')
    },
  )

  test('refuses an empty list, an id twice in one list, and limits, which come later', async () => {
    const create = (body: Body) => codeOf(story.world, 'entities.create', { customer_id: 'alice', ...body })
    expect(await create({ entities: [] })).toBe('400 invalid_inputs')
    const twice = ['a', 'b', 'a'].map((entity_id) => ({ entity_id, feature_id: 'seats' }))
    expect(await create({ entities: twice })).toBe('409 entity_already_exists')
    const limited = { entity_id: 'x', feature_id: 'seats', billing_controls: { usage_limits: [{ limit: 1 }] } }
    expect(await create(limited)).toBe('400 not_supported')
    expect(await idsOf()).toEqual([])
  })

  test('of many that create the same one at once a single one succeeds, and one seat is taken (B225 REC)', async () => {
    await story.grant('seats', { included: 5 })
    const body = { customer_id: 'alice', entity_id: 'e1', feature_id: 'seats' }
    const codes = await Promise.all(Array.from({ length: 8 }, () => codeOf(story.world, 'entities.create', body)))
    expect(codes.toSorted()).toEqual(['200', ...Array(7).fill('409 entity_already_exists')])
    await story.holds('seats', '5/4/1')
  })

  test('many created at once for a customer that is new are all there, in one customer', async () => {
    const ids = Array.from({ length: 12 }, (_, i) => `e${i}`)
    const create = (entity_id: string) =>
      story.world.ok('entities.create', { customer_id: 'bob', entity_id, feature_id: 'seats' })
    await Promise.all(ids.map(create))
    expect((await idsOf('bob')).toSorted()).toEqual(ids.toSorted())
  })
})

describe('the entity without an id (B217)', () => {
  const guest = { customer_id: 'alice', entity_id: null, feature_id: 'seats' }

  test('there is one at the most', async () => {
    await story.world.ok('entities.create', guest)
    expect(await codeOf(story.world, 'entities.create', guest)).toBe('400 entity_id_required')
    await story.world.ok('entities.create', { ...guest, customer_id: 'bob' })
    expect([await idsOf(), await idsOf('bob')]).toEqual([[null], [null]])
    const entities = [guest, guest]
    expect(await codeOf(story.world, 'entities.create', { customer_id: 'zoe', entities })).toBe(
      '400 entity_id_required',
    )
  })

  test('becomes the next one that has an id: it keeps its seat, its age and its balances', async () => {
    await story.grant('seats', { included: 5 })
    await story.world.ok('entities.create', { ...guest, name: 'Guest' })
    await story.holds('seats', '5/4/1')
    const uid = await uidOfGuest()
    await story.grant('messages', { included: 10, entity_id: uid })
    await story.track('messages', 4, { entity_id: uid })
    story.at('2026-02-01')
    const claimed = await story.world.ok('entities.create', {
      customer_id: 'alice',
      entity_id: 'e1',
      feature_id: 'seats',
    })
    expect(claimed).toMatchObject({ id: 'e1', name: 'Guest', created_at: now })
    expect(await idsOf()).toEqual(['e1'])
    await story.holds('seats', '5/4/1')
    await story.sees('e1', 'messages', '10/6/4')
    await story.seat('e2')
    await story.holds('seats', '5/3/2')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('takes the name of the request that claims it', async () => {
    await story.world.ok('entities.create', { ...guest, name: 'Guest' })
    await story.world.ok('entities.create', { ...guest, entity_id: 'e1', name: 'Eve' })
    expect(await story.world.ok('entities.get', { customer_id: 'alice', entity_id: 'e1' })).toMatchObject({
      name: 'Eve',
    })
    await story.world.ok('entities.create', guest)
    expect(await idsOf()).toEqual(['e1', null])
  })

  test('leaves room for another guest and for one that is an instance of something else', async () => {
    await story.world.ok('features.create', { feature_id: 'rooms', name: 'Rooms', type: 'metered', consumable: false })
    await story.world.ok('entities.create', guest)
    await story.world.ok('entities.create', { customer_id: 'alice', entity_id: 'r1', feature_id: 'rooms' })
    expect((await idsOf()).toSorted()).toEqual([null, 'r1'].toSorted())
  })

  test('can be looked at and deleted by its internal id (B221)', async () => {
    await story.grant('seats', { included: 1 })
    await story.world.ok('entities.create', { ...guest, name: 'Guest' })
    const entity_id = await uidOfGuest()
    expect(await story.world.ok('entities.get', { customer_id: 'alice', entity_id })).toMatchObject({ name: 'Guest' })
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id })
    expect(await idsOf()).toEqual([])
    await story.holds('seats', '1/1/0')
  })

  test('asked for together with one that has an id, both are there', async () => {
    const entities = [guest, { ...guest, entity_id: 'e1' }]
    await story.world.ok('entities.create', { customer_id: 'alice', entities })
    expect((await idsOf()).length).toBe(2)
  })

  async function uidOfGuest(): Promise<string> {
    const { holdings } = await bookOf(story.world.store, 'alice')
    return entitiesOf(holdings).find(({ id }) => id === null)?.uid ?? 'there is no guest'
  }
})

describe('deleting an entity (B220)', () => {
  test('takes its balances along, and their use out of what the customer is shown', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 100 })
    for (const entity_id of ['e1', 'e2']) await story.grant('messages', { included: 50, entity_id })
    await story.track('messages', 30, { entity_id: 'e1' })
    await story.track('messages', 70, { entity_id: 'e2' })
    await story.holds('messages', '150/100/50')
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    // Of e2 nothing is left to show; what it took of the shared balance stays taken.
    await story.holds('messages', '100/80/20')
    expect(await codeOf(story.world, 'entities.get', { customer_id: 'alice', entity_id: 'e1' })).toBe(
      '404 entity_not_found',
    )
    const { list } = await story.world.ok('events.list', { customer_id: 'alice', entity_id: 'e1' })
    expect(list.map(({ value }: Body) => value)).toEqual([30])
    const { holdings } = await expectLedgerToAddUp(story.world.store, 'alice')
    expect(entitiesOf(holdings).map(({ id }) => id)).toEqual(['e2'])
  })

  test('frees its id and the ids of its balances: who comes next begins anew', async () => {
    await story.seat('e1')
    await story.grant('messages', { included: 50, entity_id: 'e1', balance_id: 'own' })
    await story.track('messages', 20, { entity_id: 'e1' })
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    story.at('2026-02-01')
    await story.seat('e1')
    await story.sees('e1', 'messages', 'nothing')
    await story.grant('messages', { included: 5, entity_id: 'e1', balance_id: 'own' })
    await story.sees('e1', 'messages', '5/5/0')
    expect((await story.world.ok('entities.get', { customer_id: 'alice', entity_id: 'e1' })).created_at).toBe(
      Date.parse('2026-02-01T10:00:00Z'),
    )
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('happens once, however many ask at once', async () => {
    await story.grant('seats', { included: 5 })
    await story.seat('e1', 'e2')
    const body = { customer_id: 'alice', entity_id: 'e1' }
    const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(story.world, 'entities.delete', body)))
    expect(codes.toSorted()).toEqual(['200', ...Array(4).fill('404 entity_not_found')])
    await story.holds('seats', '5/4/1')
  })
})

describe('finding an entity without its customer (B221)', () => {
  beforeEach(async () => {
    await story.seat('e1', 'both')
    await story.world.ok('entities.create', { customer_id: 'bob', entity_id: 'both', feature_id: 'seats' })
  })

  test.each(['entities.get', 'entities.update', 'entities.delete'])('%s takes the only one', async (operation) => {
    await story.world.ok(operation, { entity_id: 'e1', name: 'Eve' })
    expect(await codeOf(story.world, operation, { entity_id: 'both' })).toBe('400 entity_id_required')
    expect(await codeOf(story.world, operation, { entity_id: 'none' })).toBe('404 entity_not_found')
    expect(await codeOf(story.world, operation, { entity_id: 'both', customer_id: 'bob' })).toBe('200')
    expect(await codeOf(story.world, operation, { entity_id: 'e1', customer_id: 'nobody' })).toBe(
      '404 customer_not_found',
    )
    expect(await idsOf()).toEqual(operation === 'entities.delete' ? ['both'] : ['e1', 'both'])
  })

  test('one whose customer has no id of its own is found too', async () => {
    const guest = await story.world.ok('customers.get_or_create', {
      customer_id: null,
      email: 'guest@example.org',
      with_autumn_id: true,
    })
    await story.world.ok('entities.create', { customer_id: guest.autumn_id, entity_id: 'g1', feature_id: 'seats' })
    expect(await story.world.ok('entities.get', { entity_id: 'g1' })).toMatchObject({
      id: 'g1',
      customer_id: guest.autumn_id,
    })
    await story.world.ok('entities.delete', { entity_id: 'g1' })
    expect(await codeOf(story.world, 'entities.get', { entity_id: 'g1' })).toBe('404 entity_not_found')
  })
})

describe('names (B222 REC)', () => {
  test('are changed by entities.update; what it does not mention stays', async () => {
    await story.seat('e1')
    const update = (body: Body) => story.world.ok('entities.update', { customer_id: 'alice', entity_id: 'e1', ...body })
    expect(await update({ name: 'Eve' })).toMatchObject({ id: 'e1', name: 'Eve', feature_id: 'seats' })
    expect(await update({})).toMatchObject({ name: 'Eve' })
    expect(await update({ name: null })).toMatchObject({ name: null })
    expect(await codeOf(story.world, 'entities.update', { customer_id: 'alice', entity_id: 'e1', name: 5 })).toBe(
      '400 invalid_inputs',
    )
  })

  test('are shown with the customer, oldest first (B199)', async () => {
    for (const entity_id of ['z', 'a']) {
      await story.world.ok('entities.create', {
        customer_id: 'alice',
        entity_id,
        feature_id: 'seats',
        name: `Ms ${entity_id}`,
      })
      story.world.clock.advance(1000)
    }
    const { entities } = await story.world.ok('customers.get', { customer_id: 'alice', expand: ['entities'] })
    expect(entities).toEqual([
      { id: 'z', name: 'Ms z', customer_id: 'alice', feature_id: 'seats', created_at: now, env: 'sandbox' },
      { id: 'a', name: 'Ms a', customer_id: 'alice', feature_id: 'seats', created_at: now + 1000, env: 'sandbox' },
    ])
    expect(await story.world.ok('customers.get', { customer_id: 'alice' })).not.toHaveProperty('entities')
  })

  test('entities follow when their customer gets another id (B203)', async () => {
    await story.seat('e1')
    await story.grant('messages', { included: 5, entity_id: 'e1' })
    await story.world.ok('customers.update', { customer_id: 'alice', new_customer_id: 'alicia' })
    expect(await story.world.ok('entities.get', { entity_id: 'e1' })).toMatchObject({
      customer_id: 'alicia',
      balances: { messages: { remaining: 5 } },
    })
  })
})

describe('uses of an entity (R170-R172)', () => {
  test('are listed by its id', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 100 })
    await story.track('messages', 1, { entity_id: 'e1', properties: { who: 'e1' } })
    await story.track('messages', 2, { entity_id: 'e2' })
    await story.track('messages', 3)
    await story.check('messages', 4, { entity_id: 'e1', send_event: true })
    const valuesOf = async (filter: Body) => {
      const { list } = await story.world.ok('events.list', filter)
      return list.map(({ value }: Body) => value)
    }
    expect(await valuesOf({ customer_id: 'alice', entity_id: 'e1' })).toEqual([4, 1])
    expect(await valuesOf({ entity_id: 'e2' })).toEqual([2])
    expect(await valuesOf({ customer_id: 'alice' })).toEqual([4, 3, 2, 1])
    expect(await valuesOf({ customer_id: 'alice', entity_id: 'nobody' })).toEqual([])
    const { list } = await story.world.ok('events.list', { entity_id: 'e1', limit: 1 })
    expect(list[0]).not.toHaveProperty('entity_id')
  })
})

describe('a retry with the same key', () => {
  const headers = { 'idempotency-key': 'k1' }

  test('creates nothing twice and gets the first answer', async () => {
    await story.grant('seats', { included: 5 })
    const body = {
      customer_id: 'alice',
      entities: ['e1', 'e2'].map((entity_id) => ({ entity_id, feature_id: 'seats' })),
    }
    const first = await story.world.call('entities.create', body, headers)
    const again = await story.world.call('entities.create', body, headers)
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([200, 'true', first.body])
    expect(first.body.list.map(({ id }: Body) => id)).toEqual(['e1', 'e2'])
    await story.holds('seats', '5/3/2')
  })

  test('deletes and uses once', async () => {
    await story.grant('seats', { included: 5 })
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 10, entity_id: 'e2' })
    const use = { customer_id: 'alice', entity_id: 'e2', feature_id: 'messages', value: 3, idempotency_key: 'u1' }
    const first = await story.world.ok('balances.track', use)
    expect(await story.world.ok('balances.track', use)).toEqual(first)
    await story.sees('e2', 'messages', '10/7/3')
    const gone = { customer_id: 'alice', entity_id: 'e1' }
    expect(await codeOf(story.world, 'entities.delete', gone, headers)).toBe('200')
    expect(await codeOf(story.world, 'entities.delete', gone, headers)).toBe('200')
    await story.holds('seats', '5/4/1')
  })

  test('for another entity is another request', async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 10 })
    const use = { customer_id: 'alice', feature_id: 'messages', value: 3, idempotency_key: 'u1' }
    expect(await codeOf(story.world, 'balances.track', { ...use, entity_id: 'e1' })).toBe('200')
    for (const more of [{}, { entity_id: 'e2' }]) {
      expect(await codeOf(story.world, 'balances.track', { ...use, ...more })).toBe('409 idempotency_key_reused')
    }
    await story.holds('messages', '10/7/3')
  })

  test('a refused creation frees its key (R121)', async () => {
    const body = { customer_id: 'alice', entity_id: 'e1', feature_id: 'nope' }
    expect(await codeOf(story.world, 'entities.create', body, headers)).toBe('404 feature_not_found')
    expect(await codeOf(story.world, 'entities.create', { ...body, feature_id: 'seats' }, headers)).toBe('200')
  })
})

import { beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

type Body = Record<string, unknown>

const idsOf = async (customer_id = 'alice'): Promise<(string | null)[]> => {
  const { entities } = await story.world.ok('customers.get', { customer_id, expand: ['entities'] })
  return entities.map(({ id }: { id: string | null }) => id)
}

describe('balances by hand', () => {
  beforeEach(async () => {
    await story.seat('e1', 'e2')
    await story.grant('messages', { included: 100, balance_id: 'shared' })
    await story.grant('messages', { included: 50, entity_id: 'e1', balance_id: 'own' })
    await story.grant('messages', { included: 50, entity_id: 'e2', balance_id: 'other' })
  })

  test.each<[string, Body, string[], string[]]>([
    // label                                               change                                           e1 sees                     e2 sees
    [
      'remaining, down: own first',
      { entity_id: 'e1', remaining: 120 },
      ['own 20', 'shared 100'],
      ['other 50', 'shared 100'],
    ],
    ['remaining, further down', { entity_id: 'e1', remaining: 60 }, ['shared 60'], ['other 50', 'shared 60']],
    [
      'remaining, up: all on its own',
      { entity_id: 'e1', remaining: 200 },
      ['own 100', 'shared 100'],
      ['other 50', 'shared 100'],
    ],
    ['remaining below zero: on its own', { entity_id: 'e1', remaining: -5 }, ['own 0'], ['other 50']],
    ['usage', { entity_id: 'e1', usage: 30 }, ['own 20', 'shared 100'], ['other 50', 'shared 100']],
    ['adding', { entity_id: 'e1', add_to_balance: 7 }, ['own 57', 'shared 100'], ['other 50', 'shared 100']],
    ['adding less than nothing', { entity_id: 'e1', add_to_balance: -70 }, ['shared 80'], ['other 50', 'shared 80']],
    [
      'by id, what is shared',
      { entity_id: 'e1', balance_id: 'shared', remaining: 10 },
      ['own 50', 'shared 10'],
      ['other 50', 'shared 10'],
    ],
    [
      'without an entity what is shared alone (B93)',
      { remaining: 30 },
      ['own 50', 'shared 30'],
      ['other 50', 'shared 30'],
    ],
  ])('%s', async (_label, change, first, second) => {
    await story.update('messages', change)
    expect([await story.lines('messages', 'e1'), await story.lines('messages', 'e2')]).toEqual([first, second])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('the value that was asked for is what the entity sees', async () => {
    for (const remaining of [149, 0.5, 1000, 3]) {
      await story.update('messages', { entity_id: 'e1', remaining })
      expect((await story.check('messages', 1, { entity_id: 'e1' })).balance.remaining).toBe(remaining)
    }
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test.each([
    ['of another entity', { entity_id: 'e1', balance_id: 'other' }],
    ['of an entity, without saying whose', { balance_id: 'own' }],
  ])('a balance %s is not found by an update (B93)', async (_label, target) => {
    const refusal = await story.refused('balances.update', { feature_id: 'messages', ...target, remaining: 1 })
    expect([refusal.status, refusal.code]).toEqual([404, 'balance_not_found'])
    await story.holds('messages', '200/200/0')
  })

  test('deleting for an entity takes its own alone', async () => {
    await story.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages', entity_id: 'e1' })
    await story.sees('e1', 'messages', '100/100/0')
    await story.sees('e2', 'messages', '150/150/0')
    const again = await story.refused('balances.delete', { feature_id: 'messages', entity_id: 'e1' })
    expect([again.status, again.code]).toEqual([404, 'balance_not_found'])
    const other = await story.refused('balances.delete', { balance_id: 'shared', entity_id: 'e1' })
    expect([other.status, other.code]).toEqual([404, 'balance_not_found'])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('deleting without an entity takes those of all entities along (B129)', async () => {
    await story.track('messages', 20, { entity_id: 'e2' })
    await story.world.ok('balances.delete', { customer_id: 'alice', feature_id: 'messages' })
    for (const entity of ['e1', 'e2']) await story.sees(entity, 'messages', 'nothing')
    await story.holds('messages', 'nothing')
    expect(await idsOf()).toEqual(['e1', 'e2'])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('a balance_id is unique for the customer and all its entities (B77)', async () => {
    for (const whose of [{}, { entity_id: 'e2' }, { entity_id: 'e1' }]) {
      const taken = await story.refused('balances.create', {
        feature_id: 'images',
        included: 1,
        balance_id: 'own',
        ...whose,
      })
      expect([taken.status, taken.code]).toEqual([409, 'invalid_request'])
    }
  })

  test('a list names whose each balance is (B142)', async () => {
    const list = async (more: Body) => {
      const { balances } = await story.world.ok('balances.list', { customer_id: 'alice', ...more })
      return balances.map(({ id, entity_id, feature_id }: Body) => [id, entity_id, feature_id])
    }
    await story.grant('images', { included: 1, entity_id: 'e1', balance_id: 'image' })
    await story.track('images', 1, { entity_id: 'e1' })
    expect(await list({})).toEqual([
      ['shared', null, 'messages'],
      ['own', 'e1', 'messages'],
      ['other', 'e2', 'messages'],
      ['image', 'e1', 'images'],
    ])
    expect(await list({ entity_id: 'e1' })).toEqual([
      ['own', 'e1', 'messages'],
      ['image', 'e1', 'images'],
    ])
    expect(await list({ entity_id: 'e1', feature_id: 'images' })).toEqual([['image', 'e1', 'images']])
  })
})

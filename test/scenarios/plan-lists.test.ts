import { expect, test } from 'vitest'
import { each, monthly, PlanStory } from './plan-story.ts'

const PLANS = {
  hobby: { items: [each('messages', 25)] },
  studio: { price: monthly(24), items: [each('messages', 300)] },
  boost: { add_on: true, items: [each('messages', 20)] },
}

async function furnished() {
  const told = await PlanStory.begin(PLANS)
  for (const customer_id of ['bob', 'carol', 'dan']) await told.world.ok('customers.get_or_create', { customer_id })
  await told.story.seat('desk')
  await told.attach('hobby')
  await told.attach('boost', { entity_id: 'desk' })
  await told.attach('studio', { customer_id: 'bob' })
  await told.attach('hobby', { customer_id: 'bob' })
  await told.world.ok('plans.update', { plan_id: 'studio', items: [each('messages', 400)] })
  await told.attach('studio', { customer_id: 'carol' })
  await told.attach('boost', { customer_id: 'dan' })
  await told.update({ customer_id: 'dan', cancel_action: 'cancel_immediately' })
  return told
}

test('customers are listed by their plans, versions and status (B208)', async () => {
  const told = await furnished()
  const listed = async (filters: Record<string, unknown>) => {
    const { list } = await told.world.ok('customers.list', { sort_order: 'asc', ...filters })
    return list.map(({ id }: { id: string }) => id).join(' ')
  }
  const cases: [Record<string, unknown>, string][] = [
    [{}, 'alice bob carol dan'],
    [{ plans: [] }, 'alice bob carol dan'],
    [{ plans: [{ id: 'hobby' }] }, 'alice bob'],
    [{ plans: [{ id: 'hobby' }], subscription_status: 'scheduled' }, 'bob'],
    [{ plans: [{ id: 'hobby' }], subscription_status: 'active' }, 'alice'],
    [{ subscription_status: 'scheduled' }, 'bob'],
    [{ plans: [{ id: 'studio' }] }, 'bob carol'],
    [{ plans: [{ id: 'studio', versions: [2] }] }, 'carol'],
    [{ plans: [{ id: 'studio', versions: [1, 2] }], search: 'BO' }, 'bob'],
    // An entity of hers has it, which is hers; his has ended.
    [{ plans: [{ id: 'boost' }] }, 'alice'],
    [{ plans: [{ id: 'gold' }] }, ''],
  ]
  for (const [filters, expected] of cases) expect(await listed(filters), JSON.stringify(filters)).toBe(expected)
})

test('entities are listed by their plans and by those of their customers (B223)', async () => {
  const told = await furnished()
  const { list } = await told.world.ok('entities.list', { plans: [{ id: 'boost' }] })
  expect(list.map(({ id }: { id: string }) => id)).toEqual(['desk'])
  const inherited = await told.world.ok('entities.list', { plans: [{ id: 'hobby' }] })
  expect(inherited.list).toHaveLength(1)
  expect((await told.world.ok('entities.list', { plans: [{ id: 'studio' }] })).list).toEqual([])
})

test('use is counted by the cycle of what is paid for (R181)', async () => {
  const told = await PlanStory.begin({
    year: { price: { amount: 99, interval: 'year' }, items: [each('messages', 25)] },
  })
  await told.attach('year')
  await told.story.track('messages', 3)
  told.at('2030-12-30')
  await told.story.track('messages', 4)
  const sum = async () => {
    const answer = await told.world.ok('events.aggregate', {
      customer_id: 'alice',
      feature_id: 'messages',
      range: 'last_cycle',
      bin_size: 'month',
    })
    return answer.total.messages.sum
  }
  expect(await sum()).toBe(7)
  told.at('2031-02-20')
  await told.story.track('messages', 5)
  expect(await sum()).toBe(7)
})

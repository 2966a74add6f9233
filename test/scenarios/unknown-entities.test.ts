import { beforeEach, describe, expect, test } from 'vitest'
import { bookOf } from '../ledger.ts'
import { codeOf, Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

type Body = Record<string, unknown>

describe('an entity that does not exist never becomes its customer (R32)', () => {
  const entity_id = 'nope'
  const of = { feature_id: 'messages', entity_id }

  test.each<[string, string, Body]>([
    ['check', 'balances.check', of],
    ['check of a flag', 'balances.check', { feature_id: 'sso', entity_id }],
    ['check with send_event', 'balances.check', { ...of, send_event: true }],
    ['track', 'balances.track', of],
    ['track by event name', 'balances.track', { event_name: 'sent', entity_id }],
    ['refund', 'balances.track', { ...of, value: -5 }],
    ['grant', 'balances.create', { ...of, included: 5 }],
    ['update', 'balances.update', { ...of, remaining: 5 }],
    ['update of nothing', 'balances.update', of],
    ['deletion of a balance', 'balances.delete', of],
    ['recalculation', 'balances.recalculate', of],
    ['preview', 'balances.preview_recalculate', of],
    ['list of balances', 'balances.list', { entity_id }],
    ['setting the usage', 'POST /v1/usage', { ...of, value: 1 }],
    [
      'setting totals',
      'POST /v1/customers/alice/balances',
      { entity_id, balances: [{ feature_id: 'messages', balance: 1 }] },
    ],
    ['get', 'entities.get', { entity_id }],
    ['get of nobody’s', 'entities.get', { entity_id, customer_id: undefined }],
    ['rename', 'entities.update', { entity_id, name: 'X' }],
    ['deletion', 'entities.delete', { entity_id }],
    ['deletion on the older path', 'DELETE /v1/customers/alice/entities/nope', {}],
  ])('%s', async (_label, operation, body) => {
    await story.world.ok('features.create', {
      feature_id: 'sent',
      name: 'Sent',
      type: 'metered',
      consumable: true,
      event_names: ['sent'],
    })
    await story.seat('e1')
    await story.grant('messages', { included: 10 })
    await story.grant('sso', {})
    await story.track('messages', 4)
    const before = await bookOf(story.world.store, 'alice')
    expect(await codeOf(story.world, operation, { customer_id: 'alice', ...body })).toBe('404 entity_not_found')
    expect(await bookOf(story.world.store, 'alice')).toEqual(before)
    const { list } = await story.world.ok('events.list', { customer_id: 'alice' })
    expect(list).toHaveLength(1)
  })

  test.each<[string, string, Body]>([
    ['check', 'balances.check', { feature_id: 'messages' }],
    ['check with send_event', 'balances.check', { feature_id: 'messages', send_event: true }],
    ['track', 'balances.track', { feature_id: 'messages' }],
    ['grant', 'balances.create', { feature_id: 'messages', included: 1 }],
    ['update', 'balances.update', { feature_id: 'messages', remaining: 1 }],
    ['deletion', 'balances.delete', { feature_id: 'messages' }],
    ['recalculation', 'balances.recalculate', { feature_id: 'messages' }],
    ['setting the usage', 'POST /v1/usage', { feature_id: 'messages', value: 1 }],
    ['setting totals', 'POST /v1/customers/nobody/balances', { balances: [{ feature_id: 'messages', balance: 1 }] }],
  ])('%s of a missing customer reports the entity, and creates nobody (S20, B90)', async (_label, operation, body) => {
    const request = { customer_id: 'nobody', entity_id: 'e1', ...body }
    expect(await codeOf(story.world, operation, request)).toBe('404 entity_not_found')
    expect(await codeOf(story.world, 'customers.get', { customer_id: 'nobody' })).toBe('404 customer_not_found')
  })

  test('an unknown feature comes before an unknown entity (R31)', async () => {
    for (const operation of ['balances.check', 'balances.track', 'balances.create', 'balances.update']) {
      const body = { customer_id: 'nobody', entity_id: 'nope', feature_id: 'unknown', included: 1 }
      expect(await codeOf(story.world, operation, body)).toBe('404 feature_not_found')
    }
  })
})

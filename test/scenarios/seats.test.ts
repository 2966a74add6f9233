import { beforeEach, describe, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { Story } from './story.ts'

let story: Story
beforeEach(async () => {
  story = await Story.begin()
})

const now = Date.parse('2026-01-31T10:00:00Z')

describe('seats (B218, B220)', () => {
  test('are taken by creation and given back by deletion', async () => {
    await story.grant('seats', { included: 5 })
    await story.seat('e1', 'e2')
    await story.holds('seats', '5/3/2')
    await story.sees('e1', 'seats', '5/3/2')
    expect((await story.check('seats', 3)).allowed).toBe(true)
    expect((await story.check('seats', 4)).allowed).toBe(false)
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e2' })
    await story.holds('seats', '5/4/1')
    const { ledger } = await expectLedgerToAddUp(story.world.store, 'alice')
    expect(ledger.map(({ kind, cause }) => `${kind} ${cause}`)).toEqual([
      'grant balances.create',
      'use entities.create',
      'refund entities.delete',
    ])
  })

  test('that nobody granted yet are taken by a later grant', async () => {
    await story.seat('e1', 'e2', 'e3')
    await story.holds('seats', 'nothing')
    await story.grant('seats', { included: 5 })
    await story.holds('seats', '5/2/3')
    await story.grant('seats', { included: 5 })
    await story.holds('seats', '10/7/3')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('beyond those granted are owed: creating goes on, a check says no', async () => {
    await story.grant('seats', { included: 2 })
    await story.seat('e1', 'e2', 'e3', 'e4')
    await story.holds('seats', '2/0/4')
    expect((await story.check('seats')).allowed).toBe(false)
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    await story.holds('seats', '2/0/3')
    for (const entity_id of ['e2', 'e3', 'e4'])
      await story.world.ok('entities.delete', { customer_id: 'alice', entity_id })
    await story.holds('seats', '2/2/0')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('fill one balance after the other, and empty the last one first; what is owed is paid back before', async () => {
    await story.grant('seats', { included: 2, balance_id: 'a' })
    await story.grant('seats', { included: 1, balance_id: 'b' })
    await story.seat('e1', 'e2')
    expect(await story.lines('seats')).toEqual(['a 0', 'b 1'])
    await story.seat('e3', 'e4', 'e5')
    expect(await story.lines('seats')).toEqual(['a 0', 'b 0'])
    await story.holds('seats', '3/0/5')
    const leave = (entity_id: string) => story.world.ok('entities.delete', { customer_id: 'alice', entity_id })
    await leave('e1')
    await leave('e3')
    await story.holds('seats', '3/0/3')
    await leave('e2')
    expect(await story.lines('seats')).toEqual(['a 0', 'b 1'])
    await leave('e4')
    expect(await story.lines('seats')).toEqual(['a 1', 'b 1'])
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('that are all taken stay visible: they are in use, not used up', async () => {
    await story.grant('seats', { included: 2 })
    await story.seat('e1', 'e2')
    await story.holds('seats', '2/0/2')
    await story.sees('e2', 'seats', '2/0/2')
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e2' })
    await story.holds('seats', '2/2/0')
  })

  test('that were tracked by hand are none of an entity', async () => {
    await story.grant('seats', { included: 5 })
    await story.track('seats', 2)
    await story.seat('e1')
    await story.holds('seats', '5/2/3')
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    await story.holds('seats', '5/3/2')
  })

  test('are never missing where they are unlimited', async () => {
    await story.grant('seats', { unlimited: true })
    await story.seat('e1', 'e2')
    const { balance, allowed } = await story.check('seats', 100)
    expect([allowed, balance.unlimited, balance.usage]).toEqual([true, true, 2])
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    expect((await story.check('seats')).balance.usage).toBe(1)
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('of a balance that expires are taken from the next one', async () => {
    await story.grant('seats', { included: 5, expires_at: now + 1000 })
    await story.seat('e1', 'e2')
    story.world.clock.advance(1000)
    await story.holds('seats', 'nothing')
    await story.grant('seats', { included: 3 })
    await story.holds('seats', '3/1/2')
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e2' })
    await story.holds('seats', '3/2/1')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('discovered: of a balance that expires are taken at that instant where another one is there', async () => {
    await story.grant('seats', { included: 5, balance_id: 'a', expires_at: now + 1000 })
    await story.grant('seats', { included: 1, balance_id: 'b', expires_at: now + 2000 })
    await story.grant('seats', { included: 3, balance_id: 'c' })
    await story.seat('e1', 'e2')
    expect(await story.lines('seats')).toEqual(['a 3', 'b 1', 'c 3'])
    story.world.clock.advance(1000)
    expect(await story.lines('seats')).toEqual(['b 0', 'c 2'])
    story.world.clock.advance(5000)
    await story.holds('seats', '3/1/2')
    await story.seat('e3')
    await story.holds('seats', '3/0/3')
    const { ledger } = await expectLedgerToAddUp(story.world.store, 'alice')
    expect(ledger.filter(({ at }) => at === now + 1000).map(({ kind, cause }) => `${kind} ${cause}`)).toEqual([
      'expire time',
      'use time',
      'use time',
    ])
  })

  test('of a balance that is deleted are taken from another one where there is one (B132)', async () => {
    await story.grant('seats', { included: 5, balance_id: 'a' })
    await story.seat('e1', 'e2')
    await story.grant('seats', { included: 1, balance_id: 'b' })
    await story.world.ok('balances.delete', { customer_id: 'alice', balance_id: 'a' })
    await story.holds('seats', '1/0/2')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('of a balance that is deleted go with it; those who sat there have none until more are granted (B132)', async () => {
    await story.grant('seats', { included: 5, balance_id: 'a' })
    await story.seat('e1', 'e2')
    await story.world.ok('balances.delete', { customer_id: 'alice', balance_id: 'a' })
    await story.holds('seats', 'nothing')
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'e1' })
    await story.grant('seats', { included: 4 })
    await story.holds('seats', '4/3/1')
    await expectLedgerToAddUp(story.world.store, 'alice')
  })

  test('of one feature are none of another', async () => {
    await story.world.ok('features.create', { feature_id: 'rooms', name: 'Rooms', type: 'metered', consumable: false })
    await story.grant('seats', { included: 5 })
    await story.grant('rooms', { included: 2 })
    await story.seat('e1')
    await story.world.ok('entities.create', { customer_id: 'alice', entity_id: 'r1', feature_id: 'rooms' })
    await story.holds('seats', '5/4/1')
    await story.holds('rooms', '2/1/1')
    await story.world.ok('entities.delete', { customer_id: 'alice', entity_id: 'r1' })
    await story.holds('seats', '5/4/1')
    await story.holds('rooms', '2/2/0')
  })

  test('an entity cannot be granted what it is one of, though of other things that are held it can (B72)', async () => {
    await story.world.ok('features.create', { feature_id: 'rooms', name: 'Rooms', type: 'metered', consumable: false })
    await story.seat('e1')
    const refusal = await story.refused('balances.create', { feature_id: 'seats', included: 1, entity_id: 'e1' })
    expect([refusal.status, refusal.code]).toEqual([400, 'invalid_request'])
    await story.grant('rooms', { included: 2, entity_id: 'e1' })
    await story.sees('e1', 'rooms', '2/2/0')
    await story.holds('seats', 'nothing')
  })
})

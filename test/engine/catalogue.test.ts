import { describe, expect, test } from 'vitest'
import { allBalances } from '../../src/domain/holdings.ts'
import { bookOf, expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type Reply, type World, type WorldOptions } from '../world.ts'
import { behaving, Gate } from './behaving.ts'

const alice = { customer_id: 'alice' }
const messages = { ...alice, feature_id: 'messages' }
const grant = { ...messages, included_grant: 10 }
const DAY = 86_400_000

async function withAlice(options: WorldOptions = {}): Promise<World> {
  const world = await openWorld(options)
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  await world.ok('customers.get_or_create', alice)
  return world
}

const codes = (replies: readonly Reply[]) => replies.map(({ status, body }) => [status, body.code].join(' ').trim())
/** Balances of features that are not in the catalogue. */
async function orphans(world: World): Promise<string[]> {
  const { holdings } = await bookOf(world.store, 'alice')
  const { features } = await world.store.loadCatalogue('sandbox')
  const known = new Set(features.map(({ uid }) => uid))
  return [...allBalances(holdings)].filter(({ feature }) => !known.has(feature)).map(({ uid }) => uid)
}

/** A world whose questions of one kind can be held back. */
async function gated(question: 'commit' | 'changeCatalogue'): Promise<{ world: World; gate: Gate }> {
  const gate = new Gate()
  const world = await withAlice({ wrap: behaving({ [question]: gate.pass.bind(gate) }) })
  return { world, gate }
}

describe('a grant and the end of its feature at once', () => {
  test('a grant that was decided on the catalogue of before does not land on a feature that is gone', async () => {
    const { world, gate } = await gated('commit')
    const held = gate.close()
    const granting = world.call('balances.create', grant)
    await held
    await world.ok('features.delete', { feature_id: 'messages' })
    gate.open()
    expect(codes([await granting])).toEqual(['404 feature_not_found'])
    expect(await orphans(world)).toEqual([])
    expect((await world.ok('customers.get', alice)).balances).toEqual({})
  })

  test('a feature whose end was decided before a grant stays', async () => {
    const { world, gate } = await gated('changeCatalogue')
    const held = gate.close()
    const deleting = world.call('features.delete', { feature_id: 'messages' })
    await held
    await world.ok('balances.create', grant)
    gate.open()
    expect(codes([await deleting])).toEqual(['409 invalid_request'])
    expect((await world.ok('balances.check', messages)).balance.remaining).toBe(10)
  })

  test('the kind of a feature does not change under an entity that is being created', async () => {
    const { world, gate } = await gated('commit')
    const held = gate.close()
    const creating = world.call('entities.create', { ...alice, entity_id: 'desk', feature_id: 'seats' })
    await held
    await world.ok('features.update', { feature_id: 'seats', type: 'metered', consumable: true })
    gate.open()
    expect(codes([await creating])).toEqual(['400 invalid_request'])
    expect(codes([await world.call('entities.get', { ...alice, entity_id: 'desk' })])).toEqual(['404 entity_not_found'])
  })

  test('nor an entity come to be while that was being decided', async () => {
    const { world, gate } = await gated('changeCatalogue')
    const held = gate.close()
    const changing = world.call('features.update', { feature_id: 'seats', type: 'metered', consumable: true })
    await held
    await world.ok('entities.create', { ...alice, entity_id: 'desk', feature_id: 'seats' })
    gate.open()
    expect(codes([await changing])).toEqual(['400 invalid_feature'])
  })

  test('a use under way is charged by the costs that hold when it is saved', async () => {
    const { world, gate } = await gated('commit')
    const costs = (credit_cost: number) => [{ metered_feature_id: 'messages', credit_cost }]
    const credits = { feature_id: 'credits', name: 'Credits', type: 'credit_system' }
    await world.ok('features.create', { ...credits, credit_schema: costs(1) })
    await world.ok('balances.create', { ...alice, feature_id: 'credits', included_grant: 100 })
    const held = gate.close()
    const using = world.call('balances.track', { ...messages, value: 10 })
    await held
    await world.ok('features.update', { feature_id: 'credits', credit_schema: costs(3) })
    gate.open()
    expect((await using).body.deductions.map(({ value }: Reply['body']) => value)).toEqual([30])
    await expectLedgerToAddUp(world.store, 'alice')
  })

  test('a renamed feature keeps what is being granted under its old name, or is refused; nothing is lost', async () => {
    const { world, gate } = await gated('commit')
    const held = gate.close()
    const granting = world.call('balances.create', grant)
    await held
    await world.ok('features.update', { feature_id: 'messages', new_feature_id: 'texts' })
    gate.open()
    expect(codes([await granting])).toEqual(['404 feature_not_found'])
    expect((await world.ok('customers.get', alice)).balances).toEqual({})
    expect(await orphans(world)).toEqual([])
  })
})

describe.each(['memory', 'sqlite', 'postgres'] as const)('all at once on %s', (store) => {
  test('grants, uses and the end of their feature: either all of it is gone, or none', async () => {
    const world = await withAlice({ store })
    for (let round = 0; round < 12; round++) {
      const feature_id = `f${round}`
      await world.ok('features.create', { feature_id, name: 'F', type: 'metered', consumable: true })
      const early = round % 3 === 0 ? [world.call('features.delete', { feature_id })] : []
      const granting = [1, 2].map(() => world.call('balances.create', { ...alice, feature_id, included_grant: 5 }))
      const late = round % 3 === 1 ? [world.call('features.delete', { feature_id })] : []
      const using = world.call('balances.track', { ...alice, feature_id })
      const later = round % 3 === 2 ? [world.call('features.delete', { feature_id })] : []
      const [deleted = ''] = codes(await Promise.all([...early, ...late, ...later]))
      const granted = codes(await Promise.all(granting))
      // A use may have come before the end of the feature, while there was nothing yet that it could be taken from.
      expect(deleted === '200' ? ['200', '404 feature_not_found'] : ['200']).toContain(codes([await using])[0])
      const { balances } = await world.ok('customers.get', alice)
      if (deleted === '200')
        expect([granted, balances[feature_id]]).toEqual([Array(2).fill('404 feature_not_found'), undefined])
      else expect([deleted, granted]).toEqual(['409 invalid_request', ['200', '200']])
    }
    expect(await orphans(world)).toEqual([])
    await expectLedgerToAddUp(world.store, 'alice')
    expect(world.faults).toEqual([])
    await world.close()
  })

  test('a feature can be deleted as soon as the last who had it is deleted', async () => {
    const world = await withAlice({ store })
    await world.ok('balances.create', grant)
    const entities = Array.from({ length: 1500 }, (_, i) => ({ entity_id: `desk${i}`, feature_id: 'seats' }))
    await world.ok('entities.create', { ...alice, entities })
    await world.ok('customers.delete', alice)
    const deleting = ['messages', 'seats'].map((feature_id) => world.call('features.delete', { feature_id }))
    expect(codes(await Promise.all(deleting))).toEqual(['200', '200'])
    await world.close()
  })

  test('uses while the clock is moved: each is before the reset or after it, and none is lost', async () => {
    const world = await withAlice({ store })
    await world.ok('balances.create', { ...messages, included_grant: 100, reset: { interval: 'month' } })
    const uses = (n: number) => Array.from({ length: n }, () => world.call('balances.track', messages))
    const replies = await Promise.all([
      ...uses(10),
      world.call('clock.advance', { by: '40d' }),
      ...uses(10),
      world.call('clock.advance', { by: '1h' }),
      ...uses(10),
    ])
    expect(codes(replies).every((code) => code === '200')).toBe(true)
    const left = replies.flatMap(({ body }) => (body.balance === undefined ? [] : [body.balance.remaining]))
    // Those before the reset count down from a hundred, and those after it again.
    const again = left.indexOf(99, 1)
    const parts = again === -1 ? [left] : [left.slice(0, again), left.slice(again)]
    for (const part of parts) expect(part).toEqual(part.map((_, i) => 99 - i))
    const { ledger } = await expectLedgerToAddUp(world.store, 'alice')
    expect(ledger.filter(({ kind }) => kind === 'use')).toHaveLength(30)
    expect(ledger.map(({ at }) => at)).toEqual(ledger.map(({ at }) => at).toSorted((a, b) => a - b))
    expect((await world.ok('events.list', { ...alice, limit: 100 })).list).toHaveLength(30)
    const reset = ledger.findLastIndex(({ kind }) => kind === 'reset')
    const since = reset === -1 ? [] : ledger.slice(reset).filter(({ kind }) => kind === 'use')
    expect((await world.ok('balances.track', messages)).balance.remaining).toBe(99 - since.length)
    await world.close()
  })

  test('uses while the customer’s own clock is moved: in order of arrival', async () => {
    const world = await withAlice({ store })
    await world.ok('balances.create', { ...messages, included_grant: 100, reset: { interval: 'month' } })
    const track = () => world.call('balances.track', messages)
    const replies = await Promise.all([
      track(),
      track(),
      world.call('customers.advance_test_clock', { ...alice, frozen_time: world.clock.now + 40 * DAY }),
      track(),
      world.call('customers.advance_test_clock', { ...alice, frozen_time: world.clock.now + 39 * DAY }),
      track(),
    ])
    expect(codes(replies)).toEqual(['200', '200', '200', '200', '400 invalid_request', '200'])
    const left = replies.flatMap(({ body }) => (body.balance === undefined ? [] : [body.balance.remaining]))
    expect(left).toEqual([99, 98, 99, 98])
    await expectLedgerToAddUp(world.store, 'alice')
    await world.close()
  })
})

test('a use that was decided before the clock was moved is decided again, after the reset', async () => {
  const { world, gate } = await gated('commit')
  await world.ok('balances.create', { ...messages, included_grant: 100, reset: { interval: 'month' } })
  await world.ok('balances.track', { ...messages, value: 30 })
  const held = gate.close()
  const using = world.call('balances.track', messages)
  await held
  const { now } = await world.ok('clock.advance', { by: '40d' })
  gate.open()
  expect((await using).body.balance.remaining).toBe(99)
  const { ledger } = await expectLedgerToAddUp(world.store, 'alice')
  expect(ledger.at(-1)?.at).toBe(now)
})

test('two moves of a clock at once add up', async () => {
  const world = await withAlice()
  const before = (await world.ok('clock.get')).now
  const moved = await Promise.all([world.ok('clock.advance', { by: '1d' }), world.ok('clock.advance', { by: '2d' })])
  expect(moved.map(({ now }) => now - before)).toEqual([DAY, 3 * DAY])
  expect((await world.ok('clock.get')).ahead_ms).toBe(3 * DAY)
})

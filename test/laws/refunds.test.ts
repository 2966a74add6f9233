import fc from 'fast-check'
import { expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, type World } from '../world.ts'
import { runs } from './runs.ts'

const MINUTE = 60_000

const grants = fc.array(
  fc.record({
    feature_id: fc.constantFrom('messages', 'credits'),
    included: fc.integer({ min: 0, max: 40 }).map((n) => n / 4),
    entity: fc.boolean(),
    reset: fc.option(fc.constantFrom('day', 'week', 'month')),
    keeps: fc.boolean(),
    life: fc.option(fc.integer({ min: 30, max: 90 })),
  }),
  { minLength: 1, maxLength: 6, size: 'max' },
)
const uses = fc.array(
  fc.integer({ min: 1, max: 60 }).map((n) => n / 4),
  { maxLength: 4 },
)

async function furnish(world: World, wanted: typeof grants extends fc.Arbitrary<infer G> ? G : never): Promise<void> {
  await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
  await world.ok('features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })
  const credit_schema = [{ metered_feature_id: 'messages', credit_cost: 0.3 }]
  await world.ok('features.create', { feature_id: 'credits', name: 'Credits', type: 'credit_system', credit_schema })
  await world.ok('entities.create', { customer_id: 'alice', entity_id: 'desk', feature_id: 'seats' })
  for (const { feature_id, included, entity, reset, keeps, life } of wanted) {
    await world.ok('balances.create', {
      ...{ customer_id: 'alice', feature_id, included },
      ...(entity ? { entity_id: 'desk' } : {}),
      ...(reset === null ? {} : { reset: { interval: reset } }),
      ...(reset !== null && keeps ? { rollover: { max: 7, length: 1 } } : {}),
      ...(reset === null && life !== null ? { expires_at: world.clock.now + life * 1440 * MINUTE } : {}),
    })
  }
}

/** All that the customer and its entity see, down to each rollover. */
async function everything(world: World): Promise<unknown> {
  const { balances } = await world.ok('customers.get', { customer_id: 'alice' })
  const desk = await world.ok('entities.get', { customer_id: 'alice', entity_id: 'desk' })
  return [balances, desk.balances]
}

test('giving back a use, whole or in parts, undoes it to the last bucket, as long as its period lasts', async () => {
  let partly = 0
  await fc.assert(
    fc.asyncProperty(
      ...[grants, uses, fc.integer({ min: 0, max: 40 })],
      ...[fc.integer({ min: 1, max: 200 }).map((n) => n / 8), fc.boolean(), fc.boolean()],
      fc.array(
        fc.integer({ min: 1, max: 40 }).map((n) => n / 8),
        { maxLength: 5 },
      ),
      async (wanted, before, days, value, byEntity, overflow, parts) => {
        const world = await openWorld()
        await furnish(world, wanted)
        const whose = { customer_id: 'alice', ...(byEntity ? { entity_id: 'desk' } : {}) }
        for (const used of before) await world.ok('balances.track', { ...whose, feature_id: 'messages', value: used })
        world.clock.advance(days * 1440 * MINUTE)
        const seen = await everything(world)
        const use = { ...whose, feature_id: 'messages', value, ...(overflow ? { overage_behavior: 'overflow' } : {}) }
        const { event_id, deductions } = await world.ok('balances.track', use)
        world.clock.advance(5 * MINUTE)
        for (const part of parts) {
          const reply = await world.call('balances.track', { ...whose, refund_of: event_id, value: -part })
          if (reply.status === 200) partly += 1
          else expect(reply.body.code).toBe('refund_exceeds_event')
        }
        const rest = await world.call('balances.track', { ...whose, refund_of: event_id })
        if (rest.status !== 200) expect(rest.body.code).toBe('refund_exceeds_event')
        if (deductions.length === 0) expect(rest.status).toBe(400)
        const again = await world.call('balances.track', { ...whose, refund_of: event_id })
        expect([again.status, again.body.code]).toEqual([400, 'refund_exceeds_event'])
        expect(await everything(world)).toEqual(seen)
        await expectLedgerToAddUp(world.store, 'alice')
        expect(world.faults).toEqual([])
        await world.close()
      },
    ),
    { numRuns: runs(500) },
  )
  expect(partly).toBeGreaterThan(runs(500) / 5)
}, 600_000)

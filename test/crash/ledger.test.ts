import { expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { openWorld, START } from '../world.ts'

test.each([
  ['for a month', { length: 1 }],
  ['for ever', { duration: 'forever' }],
])(
  'a reset that is moved to the same instant twice, with what is left kept %s, stays in the ledger',
  async (_, rollover) => {
    const world = await openWorld()
    try {
      const alice = { customer_id: 'alice', feature_id: 'messages' }
      await world.ok('features.create', { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true })
      await world.ok('customers.get_or_create', { customer_id: 'alice' })
      await world.ok('balances.create', { ...alice, included: 100, reset: { interval: 'month' }, rollover })
      for (let i = 0; i < 2; i++) {
        await world.ok('balances.update', { ...alice, next_reset_at: START - 1000 })
        const { ledger } = await expectLedgerToAddUp(world.store, 'alice')
        expect(ledger.length).toBeGreaterThan(1)
      }
    } finally {
      await world.close()
    }
  },
)

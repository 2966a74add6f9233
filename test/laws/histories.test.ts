import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Posting } from '../../src/domain/ledger.ts'
import { expectLedgerToAddUp, expectPlansToAddUp } from '../ledger.ts'
import { OFFERS } from './offers.ts'
import { Pair } from './pair.ts'
import { PATIENCE_MS, runs } from './runs.ts'
import { Stage } from './stage.ts'
import { history, planHistory } from './steps.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open({ restarts: true })
})
afterAll(() => stage.close())

/** At one instant what ends comes before what resets. No answer tells, but the ledger does. */
function expectEndsFirst(ledger: readonly Posting[]): void {
  const latest = new Map<string, { at: number; reset: boolean }>()
  const late = ledger.filter(({ balance, kind, at }) => {
    // A reset that is moved into the past begins time anew there.
    const before = latest.get(balance)
    const reset = (before?.at === at && before.reset) || kind === 'reset' || kind === 'rollover'
    latest.set(balance, { at, reset })
    return kind === 'expire' && before?.at === at && before.reset
  })
  expect(late, 'ends after a reset at the same instant').toEqual([])
}

test(
  'laws 1, 2 and 9: any history shows what a naive model shows, and every balance is the sum of its postings',
  async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const pair = await Pair.begin(stage)
        for (const [i, one] of steps.entries()) {
          await pair.run(one)
          if (i % 4 === 3) await pair.compare()
        }
        await pair.compare()
        await pair.compareEvents()
        expectEndsFirst((await expectLedgerToAddUp(stage.world.store, 'alice')).ledger)
      }),
      { numRuns: runs(4000) },
    )
    expect(stage.faults).toEqual([])
  },
  PATIENCE_MS,
)

test(
  'laws 1, 2 and 9: plans that come, change and go give what a naive model says they give',
  async () => {
    const shop = await Stage.open({ restarts: true }, OFFERS)
    await fc.assert(
      fc.asyncProperty(planHistory, async (steps) => {
        const pair = await Pair.begin(shop)
        for (const one of steps) {
          await pair.run(one)
          await pair.compare()
        }
        await pair.compareEvents()
        await expectLedgerToAddUp(shop.world.store, 'alice')
        await expectPlansToAddUp(shop.world.store, 'alice')
      }),
      { numRuns: runs(2000) },
    )
    await shop.close()
    expect(shop.faults).toEqual([])
  },
  PATIENCE_MS,
)

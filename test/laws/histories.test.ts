import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectLedgerToAddUp } from '../ledger.ts'
import { Pair } from './pair.ts'
import { runs } from './runs.ts'
import { Stage } from './stage.ts'
import { history } from './steps.ts'

let stage: Stage
beforeAll(async () => {
  stage = await Stage.open({ restarts: true })
})
afterAll(() => stage.close())

test('laws 1, 2 and 9: any history shows what a naive model shows, and every balance is the sum of its postings', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const pair = await Pair.begin(stage)
      for (const [i, one] of steps.entries()) {
        await pair.run(one)
        if (i % 4 === 3) await pair.compare()
      }
      await pair.compare()
      await expectLedgerToAddUp(stage.world.store, 'alice')
    }),
    { numRuns: runs(5000) },
  )
  expect(stage.faults).toEqual([])
}, 600_000)

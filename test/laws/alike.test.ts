import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Pair, type Passing } from './pair.ts'
import { PATIENCE_MS, runs } from './runs.ts'
import { type Hardships, ShuffledStore, Stage } from './stage.ts'
import { history, type Step } from './steps.ts'

/** Everything that was answered, down to the last key; ids are numbered as they appear. */
async function answersTo(steps: readonly Step[], stage: Stage, passing?: Passing): Promise<unknown> {
  const pair = await Pair.begin(stage, passing)
  for (const one of steps) await pair.run(one)
  await pair.readAll()
  const names = new Map<string, number>()
  const text = JSON.stringify(pair.answers).replaceAll(/\b(cus_ent|cus|ent|evt|roll)_[0-9a-z]{26}/g, (id) => {
    const suffix = id.slice(-26)
    if (!names.has(suffix)) names.set(suffix, names.size)
    return `id ${names.get(suffix)}`
  })
  return JSON.parse(text)
}

const passing = fc.record({
  cuts: fc
    .array(fc.integer({ min: 1, max: 999 }), { maxLength: 4 })
    .map((cuts) => cuts.sort((a, b) => a - b).map((cut) => cut / 1000)),
  touches: fc.boolean(),
})

/** The same histories on two stages, of which the second has it harder, are answered alike. */
async function expectAlike(
  numRuns: number,
  hardships: Hardships,
  how: fc.Arbitrary<Passing | undefined>,
): Promise<void> {
  const [easy, hard] = [await Stage.open({ store: 'memory' }), await Stage.open(hardships)]
  await fc.assert(
    fc.asyncProperty(history, how, async (steps, passing) => {
      const answers = await answersTo(steps, hard, passing)
      expect(answers).toEqual(await answersTo(steps, easy))
    }),
    { numRuns },
  )
  for (const stage of [easy, hard]) {
    await stage.close()
    expect(stage.faults).toEqual([])
  }
}

const nothing = fc.constant(undefined)

test(
  'law 4: early resets, by a write after every passing of time, change no later answer',
  async () => {
    await expectAlike(runs(400), { store: 'memory' }, fc.constant({ cuts: [], touches: true }))
  },
  PATIENCE_MS,
)

test(
  'law 5: time that passes in parts changes no later answer',
  async () => {
    await expectAlike(runs(400), { store: 'memory' }, passing)
  },
  PATIENCE_MS,
)

test(
  'law 7: rows that come in any order, anew for each request, change no answer',
  async () => {
    ShuffledStore.loads = 0
    await expectAlike(runs(400), { store: 'memory', forgets: true }, nothing)
    // Else everything was remembered, and nothing was loaded in another order.
    expect(ShuffledStore.loads).toBeGreaterThan(runs(400) * 5)
  },
  PATIENCE_MS,
)

test(
  'law 3: a restart in the middle changes no later answer',
  async () => {
    await expectAlike(runs(400), { store: 'memory', restarts: true }, nothing)
  },
  PATIENCE_MS,
)

describe.each(['sqlite', 'postgres'] as const)('law 11: %s answers as memory does', (store) => {
  test(
    'to any history',
    async () => {
      await expectAlike(runs(120), { store, forgets: true }, nothing)
    },
    PATIENCE_MS,
  )

  test(
    'law 3: also after a restart in the middle',
    async () => {
      await expectAlike(runs(30), { store, restarts: true }, nothing)
    },
    PATIENCE_MS,
  )
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { closing } from '../borrowed.ts'
import { openWorld, type World } from '../world.ts'
import { HOUR } from './calendar.ts'
import { OFFERS, type Offer } from './offers.ts'
import { Pair, type Passing } from './pair.ts'
import { PATIENCE_MS, runs } from './runs.ts'
import { type Hardships, ShuffledStore, Stage } from './stage.ts'
import { history, planHistory, type Step } from './steps.ts'

/** Everything that was answered, down to the last key; ids are numbered as they appear. */
async function answersTo(steps: readonly Step[], stage: Stage, passing?: Passing): Promise<unknown> {
  const pair = await Pair.begin(stage, passing)
  for (const one of steps) await pair.run(one)
  await pair.readAll()
  const names = new Map<string, number>()
  // Ids that are derived have more than one in them.
  const text = JSON.stringify(pair.answers).replaceAll(/(?<=_)[0-9a-z]{26}(?![0-9a-z])/g, (id) => {
    if (!names.has(id)) names.set(id, names.size)
    return `id ${names.get(id)}`
  })
  return JSON.parse(text)
}

const passing = fc.record({
  cuts: fc
    .array(fc.integer({ min: 1, max: 999 }), { maxLength: 4 })
    .map((cuts) => cuts.sort((a, b) => a - b).map((cut) => cut / 1000)),
  touches: fc.boolean(),
})

/** What histories are made of, and the plans that there are for them. */
interface Play {
  readonly histories: fc.Arbitrary<Step[]>
  readonly offers: readonly Offer[]
}
const BALANCES: Play = { histories: history, offers: [] }
const PLANS: Play = { histories: planHistory, offers: OFFERS }
const PLAYS = [
  ['balances', BALANCES],
  ['plans', PLANS],
] as const

/** The same histories on two stages, of which the second has it harder, are answered alike. */
async function expectAlike(
  { histories, offers }: Play,
  numRuns: number,
  hardships: Hardships,
  how: fc.Arbitrary<Passing | undefined>,
): Promise<void> {
  const [easy, hard] = [await Stage.open({ store: 'memory' }, offers), await Stage.open(hardships, offers)]
  await fc.assert(
    fc.asyncProperty(histories, how, async (steps, passing) => {
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

describe.each(PLAYS)('%s', (_, play) => {
  test(
    'law 4: early resets, ends and beginnings, by a write after every passing of time, change no later answer',
    async () => {
      await expectAlike(play, runs(250), { store: 'memory' }, fc.constant({ cuts: [], touches: true }))
    },
    PATIENCE_MS,
  )

  test(
    'law 5: time that passes in parts changes no later answer',
    async () => {
      await expectAlike(play, runs(250), { store: 'memory' }, passing)
    },
    PATIENCE_MS,
  )

  test(
    'law 7: rows that come in any order, anew for each request, change no answer',
    async () => {
      ShuffledStore.loads = 0
      await expectAlike(play, runs(250), { store: 'memory', forgets: true }, nothing)
      // Else everything was remembered, and nothing was loaded in another order.
      expect(ShuffledStore.loads).toBeGreaterThan(runs(250) * 5)
    },
    PATIENCE_MS,
  )

  test(
    'law 3: a restart in the middle changes no later answer',
    async () => {
      await expectAlike(play, runs(250), { store: 'memory', restarts: true }, nothing)
    },
    PATIENCE_MS,
  )

  describe.each(['sqlite', 'postgres'] as const)('law 11: %s answers as memory does', (store) => {
    test(
      'to any history',
      async () => {
        await expectAlike(play, runs(80), { store, forgets: true }, nothing)
      },
      PATIENCE_MS,
    )

    test(
      'law 3: also after a restart in the middle',
      async () => {
        await expectAlike(play, runs(20), { store, restarts: true }, nothing)
      },
      PATIENCE_MS,
    )
  })
})

test(
  'two processes that see a plan end or begin by themselves give the same ids to all that comes of it',
  async () => {
    const [stage, store] = [await Stage.open({ store: 'memory' }, OFFERS), 'memory' as const]
    let turns = 0
    await fc.assert(
      fc.asyncProperty(planHistory, fc.integer({ min: 1, max: 3000 }), async (steps, hours) => {
        const pair = await Pair.begin(stage)
        for (const one of steps) await pair.run(one)
        const here = stage.world
        const before = await held(here)
        here.clock.advance(hours * HOUR)
        const there = await openWorld({ store, at: here.clock.now, wrap: () => closing(here.store, async () => {}) })
        const after = await held(here)
        if (after.plans !== before.plans) turns += 1
        expect(await held(there)).toEqual(after)
        // What is written down is what was seen.
        await there.ok('customers.update', { customer_id: 'alice', metadata: { touched: hours } })
        expect([await held(here), await held(there)]).toEqual([after, after])
        await there.close()
      }),
      { numRuns: runs(200) },
    )
    await stage.close()
    expect(stage.faults).toEqual([])
    expect(turns).toBeGreaterThan(runs(200) / 5)
  },
  PATIENCE_MS,
)

/** All that the customer and its entities have, with every id. */
async function held(world: World): Promise<{ readonly plans: string; readonly balances: string }> {
  const { subscriptions, purchases } = await world.ok('customers.get', { customer_id: 'alice' })
  const { list } = await world.ok('balances.list', { customer_id: 'alice' })
  return { plans: JSON.stringify([subscriptions, purchases]), balances: JSON.stringify(list) }
}

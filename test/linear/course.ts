import { expect } from 'vitest'
import { chance, seedOfRun } from '../crash/chance.ts'
import { Client } from '../crash/clients.ts'
import { linearize } from './checker.ts'
import { counter, type Input, LOCKED, NO_LOCK } from './model.ts'
import { type Member, record } from './recorder.ts'

const FEATURE = 'messages'
const CLIENTS = 24

export interface Course {
  /** For the line of figures. */
  readonly name: string
  readonly members: readonly Member[]
  readonly key: string
  readonly customers: number
  readonly operations: number
  readonly kills: number
  /** Each makes other choices. */
  readonly round: number
}

/** Lets clients ask while members are killed, and holds what every customer answered against one operation after another. */
export async function runCourse({ name, members, key, customers, operations, kills, round }: Course): Promise<void> {
  const began = performance.now()
  const [first] = members
  if (first === undefined) throw new Error('nobody to ask')
  const client = new Client(first.url, key)
  await client.ok('features.create', { feature_id: FEATURE, name: 'Messages', type: 'metered', consumable: true })
  client.close()

  const random = chance(seedOfRun() + round)
  const ids = Array.from({ length: customers }, (_, i) => `customer-${i}`)
  const choose = () => ({ customer: chosenFrom(ids, random), input: inputBy(random) })
  const histories = await record({
    members,
    key,
    feature: FEATURE,
    random,
    choose,
    clients: CLIENTS,
    operations,
    kills,
  })
  let steps = 0
  for (const [customer, history] of histories) {
    const verdict = linearize(history, counter)
    const told = verdict.kind === 'explained' ? '' : verdict.explanation
    expect(verdict.kind, `${customer}, ${verdict.steps} steps\n${told}`).toBe('explained')
    steps += verdict.steps
  }
  // Otherwise nothing was tried.
  const all = [...histories.values()].flat()
  const seen = (text: string) => all.filter(({ answer }) => answer?.includes(text) === true).length
  const unanswered = all.filter(({ returned }) => returned === null).length
  expect(unanswered).toBeGreaterThan(kills)
  for (const text of ['refused', 'denied', 'took 0', 'took 1', 'done', 'no such customer', LOCKED, NO_LOCK, 'moved'])
    expect(seen(text), text).toBeGreaterThan(5)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(
    `${name}: ${histories.size} histories of ${all.length} operations by ${CLIENTS} clients, ${kills} kills, ` +
      `${unanswered} operations without an answer, ${steps} steps: all linearizable (${seconds} s)`,
  )
}

/** The first quarter gets half of everything. */
function chosenFrom(ids: readonly string[], random: () => number): string {
  return ids[Math.floor(random() ** 2 * ids.length)] ?? ''
}

/** Mostly use, of little at a time, so that balances run dry between two top-ups; now and then somebody goes and comes back. */
function inputBy(random: () => number): Input {
  const amount = 1 + Math.floor(random() * 3)
  const what = random()
  if (what < 0.18) return { kind: 'check', required: amount }
  if (what < 0.28) return { kind: 'use', required: amount }
  if (what < 0.38) return { kind: 'hold', required: amount }
  if (what < 0.46) return { kind: 'finalize', target: Math.floor(random() * 5) }
  if (what < 0.63) return { kind: 'track', value: amount, behavior: 'cap' }
  if (what < 0.8) return { kind: 'track', value: amount, behavior: 'reject' }
  if (what < 0.86) return { kind: 'add', amount: 7 }
  if (what < 0.88) return { kind: 'set', amount: 10 }
  if (what < 0.93) return { kind: 'create' }
  if (what < 0.99) return { kind: 'grant', amount: 20 }
  return { kind: 'delete' }
}

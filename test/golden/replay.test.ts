import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWorld, type Reply, SANDBOX_KEY, type World } from '../world.ts'
import { Comparison, type Mismatch } from './compare.ts'
import { type Answer, DENIALS, DIFFERENCES } from './differences.ts'
import { titlesUnder } from './documentation.ts'
import { readTranscripts, type Step } from './transcripts.ts'

const TRANSCRIPTS = readTranscripts()
const SETUP = 'setup: features and plans'

/** Scenarios that look at customers of other ones. */
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  idempotency: ['single monthly balance'],
  events: ['single monthly balance', 'stacked balances, deduction order', 'credit system'],
  'other API versions': [
    'customer without balances',
    'stacked balances, deduction order',
    'drained loose balance passes its reset time (reset cron not running; lazy reset only)',
    'RACE (no settling): structural call within 1 s after an acknowledged track',
  ],
}

const AUTHORIZATION: Readonly<Record<string, string>> = {
  '<key>': `Bearer ${SANDBOX_KEY}`,
  '<wrong key>': 'Bearer am_sk_test_wrong_key_of_nobody',
}

interface Replayed {
  readonly reply: Reply
  readonly mismatches: readonly Mismatch[]
}

/** What the table says of each step; a step may differ for more than one reason. */
const LISTED = new Map<number, Answer[]>()
for (const { answers } of DIFFERENCES) {
  for (const [step, answer] of Object.entries(answers)) {
    LISTED.set(Number(step), [...(LISTED.get(Number(step)) ?? []), answer])
  }
}

describe.each([...TRANSCRIPTS.keys()])('recorded: %s', (scenario) => {
  const steps = stepsOf(scenario)
  const replayed = new Map<number, Replayed>()
  let world: World

  beforeAll(async () => {
    const before = scenario === SETUP ? [] : [SETUP, ...(BEFORE[scenario] ?? [])]
    const all = [...before, scenario].flatMap(stepsOf)
    // The recorded server refuses a repeated key; without keys the mode makes no difference.
    const idempotency = scenario === 'idempotency' ? 'reject' : 'replay'
    world = await openWorld({ at: all[0]?.at ?? 0, idempotency })
    const comparison = new Comparison(null)
    for (const step of all) {
      expect(step.at, 'the recorded clock never runs backwards').toBeGreaterThanOrEqual(world.clock.now)
      world.clock.set(step.at)
      const reply = await world.call(`${step.method} ${step.path}`, step.body ?? undefined, headersOf(step))
      comparison.request(step.body)
      // A step that is known to differ teaches no ids: what stands at the same place may not be the same thing.
      const judge = LISTED.has(step.step) ? new Comparison(comparison) : comparison
      replayed.set(step.step, { reply, mismatches: compare(judge, step, reply) })
    }
  })
  afterAll(() => world.close())

  test.each(steps.map((step) => [step.step, step.path, step.note, step] as const))('%i %s: %s', (_n, _p, _t, step) => {
    const one = replayed.get(step.step)
    if (one === undefined) throw new Error('the step was not replayed')
    const answers = LISTED.get(step.step) ?? []
    for (const answer of answers) expectAnswer(one.reply, answer)
    const claims = answers.flatMap(claimsOf)
    expect(
      one.mismatches.filter((mismatch) => !claims.some((claim) => claim(mismatch))),
      'differs from the recording in a way that the table of differences does not list',
    ).toEqual([])
    expect(
      claims.filter((claim) => !one.mismatches.some(claim)).length,
      'the table of differences lists what does not differ any more',
    ).toBe(0)
  })

  test('nothing failed inside', () => {
    expect(world.faults).toEqual([])
  })
})

test('every listed difference is about a recorded step and has its row in the documentation, and every row is listed', () => {
  const recorded = new Set([...TRANSCRIPTS.values()].flat().map(({ step }) => step))
  expect([...LISTED.keys()].filter((step) => !recorded.has(step))).toEqual([])
  expect(titlesUnder('Differences that the recordings show')).toEqual(DIFFERENCES.map(({ title }) => title))
})

function stepsOf(scenario: string): readonly Step[] {
  const steps = TRANSCRIPTS.get(scenario)
  if (steps === undefined) throw new Error(`no recorded scenario is called "${scenario}"`)
  return steps
}

function headersOf({ headers }: Step): Record<string, string | undefined> {
  const { authorization, ...others } = headers
  return { ...others, authorization: authorization === undefined ? undefined : AUTHORIZATION[authorization] }
}

function compare(comparison: Comparison, step: Step, { status, body }: Reply): readonly Mismatch[] {
  const statuses = status === step.status ? [] : [{ path: 'status', recorded: step.status, granary: status }]
  if (step.status < 400 !== status < 400) return [...statuses, { path: 'body', recorded: step.response, granary: body }]
  const found =
    status < 400 ? comparison.bodies(step.response, body, ownKeys(step)) : comparison.errors(step.response, body)
  return [...statuses, ...found.map((one) => ({ ...one, path: `body.${one.path}` }))]
}

/** What Granary says at the top of an answer and the reference does not. At 2.0 and older there is nothing. */
function ownKeys({ step, path, body, response }: Step): Readonly<Record<string, unknown>> {
  const tells = Object(response).deductions !== undefined || Object(body).async === true
  const recordsUse = tells && /\/(balances\.)?track$/.test(path)
  const takes = Object(body).send_event === true || Object(body).lock !== undefined
  const usesAtOnce = takes && Object(response).allowed === true
  return { ...DENIALS[step], ...(recordsUse || usesAtOnce ? { event_id: /^evt_[0-9a-z]{26}$/ } : {}) }
}

function expectAnswer({ status, body }: Reply, answer: Answer): void {
  switch (answer.kind) {
    case 'refuses': {
      const message = expect.stringMatching(/./)
      expect({ status, body }).toEqual({
        status: answer.status,
        body: { message, code: answer.code, env: 'sandbox' },
      })
      return
    }
    case 'succeeds':
      expect({ status, body }).toMatchObject({ status: 200, body: answer.body })
      return
    case 'says':
      expect(status).toBe(answer.status ?? 200)
      for (const [path, value] of Object.entries(answer.at)) {
        expect({ [path]: valueAt(body, path) }).toMatchObject({ [path]: value })
      }
  }
}

/** Where an answer says that it differs from the recording. Each of the claims has to be true. */
function claimsOf(answer: Answer): ((mismatch: Mismatch) => boolean)[] {
  if (answer.kind !== 'says') return [({ path }) => ['status', 'body', 'body.code'].includes(path)]
  const claims = Object.keys(answer.at).map((path) => `body.${path}`)
  if (answer.status !== undefined) claims.push('status')
  return claims.map(
    (claim) =>
      ({ path }) =>
        `${path}.`.startsWith(`${claim}.`),
  )
}

function valueAt(body: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (Object(value) === value ? Reflect.get(Object(value), key) : undefined), body)
}

import { afterEach, describe, expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/store/memory.ts'
import { behaving, Gate } from '../engine/behaving.ts'
import { openWorld, START } from '../world.ts'

const withoutKey = { authorization: undefined }

/** A store with a clock of its own. */
const withClock = (clock: () => number | null) => () => Object.assign(new MemoryStore(), { clock: async () => clock() })

afterEach(() => {
  vi.useRealTimers()
})

describe('GET /ready', () => {
  test.each(['memory', 'sqlite'] as const)('says yes, without a key, when the store answers (%s)', async (store) => {
    const world = await openWorld({ store })
    const reply = await world.call('GET /ready', undefined, withoutKey)
    expect([reply.status, reply.body]).toEqual([200, { status: 'ready' }])
    expect((await world.call('HEAD /ready', undefined, withoutKey)).status).toBe(200)
    expect((await world.call('GET /health', undefined, withoutKey)).body).toEqual({ status: 'ok' })
    const wrong = await world.call('POST /ready', {}, withoutKey)
    expect([wrong.status, wrong.body.code, wrong.headers['allow']]).toEqual([405, 'method_not_allowed', 'GET'])
    await world.close()
  })

  test.each([
    [0, null],
    [4999, null],
    [-4999, null],
    [null, null],
    [7000, /clock of this process is 7 s behind the store's/],
    [-65_000, /clock of this process is 65 s ahead of the store's/],
  ] as const)('compares the clocks: %s ms from ours', async (apart, problem) => {
    const world = await openWorld({ wrap: withClock(() => (apart === null ? null : START + apart)) })
    const { status, body, headers } = await world.call('GET /ready', undefined, withoutKey)
    if (problem === null) return expect([status, body]).toEqual([200, { status: 'ready' }])
    expect([status, body.code, headers['retry-after']]).toEqual([503, 'not_ready', '1'])
    expect(body.message).toMatch(problem)
  })

  test('says no while the store rejects, and yes when it is back', async () => {
    let gone = true
    const clock = () => {
      if (gone) throw new Error('connection refused at 10.0.0.1')
      return START
    }
    const world = await openWorld({ wrap: withClock(clock) })
    const no = await world.call('GET /ready', undefined, withoutKey)
    expect([no.status, no.body.code]).toEqual([503, 'not_ready'])
    expect(no.body.message).not.toMatch(/10\.0/)
    gone = false
    expect((await world.call('GET /ready', undefined, withoutKey)).status).toBe(200)
  })

  test('says no in time when the store does not answer, however many ask, and asks it one question', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const gate = new Gate()
    let asked = 0
    const world = await openWorld({
      wrap: () =>
        behaving({
          clock(ask, argument) {
            asked += 1
            return gate.pass(ask, argument)
          },
        })(withClock(() => START)()),
    })
    void gate.close()
    const probes = Array.from({ length: 5 }, () => world.call('GET /ready', undefined, withoutKey))
    await vi.advanceTimersByTimeAsync(2_000)
    const replies = await Promise.all(probes)
    expect(replies.map(({ status }) => status)).toEqual(Array(5).fill(503))
    expect(replies[0]?.body.message).toBe('The store did not answer within 2 seconds')
    expect(asked).toBe(1)
    gate.open()
    expect((await world.call('GET /ready', undefined, withoutKey)).status).toBe(200)
  })
})

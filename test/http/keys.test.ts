import { describe, expect, test } from 'vitest'
import { behaving } from '../engine/behaving.ts'
import { openTwo } from '../engine/shared.ts'
import { openWorld } from '../world.ts'

const asked = { authorization: 'Bearer am_sk_test_made_elsewhere' }
const wrong = (i: number) => ({ authorization: `Bearer am_sk_test_wrong${i}` })
const key = 'am_sk_test_made_elsewhere'

describe('a key that another process has made', () => {
  async function counted() {
    let looks = 0
    let gone = false
    const two = await openTwo({
      between: behaving({
        async loadKeys(ask) {
          looks += 1
          if (gone) throw new Error('connection refused')
          return ask(undefined)
        },
      }),
    })
    looks = 0
    const status = async (headers: Record<string, string>) => (await two.b.call('features.list', {}, headers)).status
    return {
      b: two.b,
      status,
      looks: () => looks,
      leave(away: boolean) {
        gone = away
      },
    }
  }

  test('opens this one too', async () => {
    const { a, b } = await openTwo()
    expect((await b.call('features.list', {}, asked)).status).toBe(401)
    await a.addKey(key, 'sandbox')
    b.clock.advance(1_000)
    expect((await b.call('features.list', {}, asked)).status).toBe(200)
  })

  test('is looked for once a second in all, however many wrong keys are sent', async () => {
    const { b, status, looks } = await counted()
    const first = await Promise.all(Array.from({ length: 50 }, (_, i) => status(wrong(i))))
    expect(new Set(first)).toEqual(new Set([401]))
    for (let i = 0; i < 20; i++) expect(await status(wrong(i))).toBe(401)
    expect(looks()).toBe(1)
    b.clock.advance(1_000)
    await status(wrong(0))
    expect(looks()).toBe(2)
    // A clock that was set back must not end the looking.
    b.clock.advance(-3_600_000)
    await status(wrong(0))
    expect(looks()).toBe(3)
  })

  test('while the store is away an unknown key is neither right nor wrong, and known ones still open', async () => {
    const { b, status, leave } = await counted()
    leave(true)
    const reply = await b.call('features.list', {}, asked)
    expect([reply.status, reply.body.code, reply.headers['retry-after']]).toEqual([503, 'store_unavailable', '1'])
    expect((await b.call('features.list', {})).status).toBe(200)
    leave(false)
    b.clock.advance(1_000)
    expect(await status(asked)).toBe(401)
  })

  test('where one process owns the store, a wrong key is a question to nobody', async () => {
    let looks = 0
    const world = await openWorld({
      wrap: behaving({
        loadKeys(ask) {
          looks += 1
          return ask(undefined)
        },
      }),
    })
    looks = 0
    expect((await world.call('features.list', {}, asked)).status).toBe(401)
    expect(looks).toBe(0)
  })
})

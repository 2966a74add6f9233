import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, newFolder, run, start } from './granary.ts'

afterEach(cleanUp)

/** The instants that a line of `granary clock` shows. */
const instantsIn = (line: string) => [...line.matchAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g)].map(([text]) => Date.parse(text))

describe('granary clock', () => {
  test('moves the clock of a running sandbox, also for the next start, and one customer beyond it', async () => {
    const folder = newFolder()
    const server = await start(folder)
    const settings = { GRANARY_URL: server.url, GRANARY_SECRET_KEY: server.key }
    const clock = async (...words: string[]) => {
      const { exit, stdout, stderr } = await run(['clock', ...words], settings)
      expect([exit.code, stderr]).toEqual([0, ''])
      return stdout
    }
    await server.call('features.create', { feature_id: 'm', name: 'M', type: 'metered', consumable: true })
    for (const customer_id of ['ada', 'bob']) {
      await server.call('customers.get_or_create', { customer_id })
      await server.call('balances.create', {
        ...{ customer_id, feature_id: 'm', included: 10 },
        reset: { interval: 'month', interval_count: 2 },
      })
      await server.call('balances.track', { customer_id, feature_id: 'm', value: 4 })
    }

    const moved = await clock('advance', '31d')
    const [before = 0, after = 0] = instantsIn(moved)
    expect([moved.startsWith('sandbox clock  '), after - before]).toEqual([true, 31 * 86_400_000])
    const [alone = 0, ahead = 0] = instantsIn(await clock('advance', '31d', '--customer', 'bob'))
    expect(ahead % 1000).toBe(0)
    expect(ahead).toBeGreaterThan(alone)
    const left = async (key = server.key, on = server) =>
      Promise.all(
        ['ada', 'bob'].map(
          async (customer_id) =>
            (await on.call('balances.check', { customer_id, feature_id: 'm' }, key)).body.balance.remaining,
        ),
      )
    expect(await left()).toEqual([6, 10])

    await server.end('SIGTERM')
    const again = await start(folder)
    expect(await left(server.key, again)).toEqual([6, 10])
    settings.GRANARY_URL = again.url
    const [now = 0] = instantsIn(await clock())
    expect(now).toBeGreaterThanOrEqual(after)
  })

  test.each([
    ['without a key', ['clock'], {}, 'set GRANARY_SECRET_KEY to a sandbox key'],
    [
      'to nowhere',
      ['clock', '--url', 'http://127.0.0.1:1'],
      { GRANARY_SECRET_KEY: 'am_sk_test_x' },
      'no server answers',
    ],
    ['by nothing', ['clock', 'advance'], {}, 'granary clock advance 31d'],
    ['with a verb that there is not', ['clock', 'rewind'], {}, 'unknown command "clock rewind"'],
    ['with a word too many', ['clock', 'get', 'it'], {}, 'unexpected argument "it"'],
    [
      'with an option of the server',
      ['clock', '--port', '1'],
      {},
      '--port, --host and --data-dir are for granary serve',
    ],
    ['with its option given to the server', ['--customer', 'ada'], {}, '--customer and --url are for granary clock'],
  ])('%s ends with a sentence', async (_name, words, variables, sentence) => {
    const { exit, stdout, stderr } = await run(words, variables)
    expect([exit.code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(sentence)
  })

  test('says what the server said: a clock does not move back, nor that of live data, nor by a word', async () => {
    const live = `am_sk_live_${'x'.repeat(40)}`
    const server = await start(newFolder(), { GRANARY_SECRET_KEY: live })
    const say = async (key: string, ...words: string[]) =>
      (await run(['clock', ...words, '--url', server.url], { GRANARY_SECRET_KEY: key })).stderr
    expect(await say(server.key, 'advance', '2020-01-01')).toContain('answers 400: A clock only moves forward')
    expect(await say(live, 'advance', '31d')).toContain('The clock of live data cannot be moved')
    expect(await say(server.key, 'advance', 'soon')).toContain('"soon" is neither a length of time')
    expect(await say('am_sk_test_wrong', 'advance', '31d')).toContain('answers 401')
    expect(await say(server.key, 'advance', '31d', '--customer', 'nobody')).toContain('Customer nobody not found')
  })
})

import { afterEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../postgres/server.ts'
import { cleanUp, run, serving } from './granary.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await cleanUp()
  for (const close of closing.splice(0)) await close()
})

/** An empty database, named with a password, for which a server that trusts everyone does not ask. */
async function emptyDatabase(): Promise<URL> {
  const { url, drop } = await openDatabase()
  closing.push(drop)
  return Object.assign(new URL(url), { password: 'confidential' })
}

describe('the server on PostgreSQL', () => {
  test('makes its tables, says where it keeps everything but not the password, and finds it all again', async () => {
    const url = await emptyDatabase()
    // The folder is not even looked at.
    const variables = { DATABASE_URL: url.href, PORT: '0', GRANARY_DATA_DIR: '/dev/null/folder' }
    const first = await serving([], variables)
    expect(first.stdout).toContain(`store: PostgreSQL ${url.host}${url.pathname}\n`)
    const feature = { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true }
    expect((await first.call('features.create', feature)).status).toBe(200)
    const use = { customer_id: 'alice', feature_id: 'messages' }
    expect((await first.call('customers.get_or_create', { customer_id: 'alice' })).status).toBe(200)
    expect((await first.call('balances.create', { ...use, included_grant: 10 })).status).toBe(200)
    expect((await first.call('balances.track', { ...use, value: 3 })).body.balance.remaining).toBe(7)
    expect((await first.end('SIGTERM')).code).toBe(0)

    const second = await serving([], variables)
    expect(second.shownKey).toBeUndefined()
    const found = await second.call('balances.track', { ...use, value: 1 }, first.key)
    expect(found.body.balance.remaining).toBe(6)
    expect(first.stdout + first.stderr + second.stdout + second.stderr).not.toContain('confidential')
  })

  test('that cannot reach its database ends with a sentence without the password', async () => {
    const { exit, stderr, stdout } = await run([], {
      DATABASE_URL: 'postgres://granary:confidential@localhost:1/granary',
      PORT: '0',
    })
    expect(exit.code).toBe(1)
    expect(stderr).toMatch(/^granary: no connection to PostgreSQL \(.*ECONNREFUSED.*\): check .*DATABASE_URL\n$/)
    expect(stderr).not.toContain('confidential')
    expect(stdout).toBe('')
  })

  test.each([
    [
      { DATABASE_URL: 'mysql://granary:confidential@localhost/granary' },
      /^granary: DATABASE_URL must look like postgres:.*\n$/,
    ],
    [
      { DATABASE_URL: 'postgres://a:confidential@b', DATABASE_POOL_SIZE: '2' },
      /^granary: DATABASE_POOL_SIZE must be .*\n$/,
    ],
  ])('is not started with settings that make no sense: %j', async (variables, sentence) => {
    const { exit, stderr } = await run([], variables)
    expect([exit.code, stderr]).toEqual([1, expect.stringMatching(sentence)])
    expect(stderr).not.toContain('confidential')
  })
})

describe('granary migrate', () => {
  test('makes the tables, and says so when there is nothing to do', async () => {
    const url = await emptyDatabase()
    const where = `PostgreSQL ${url.host}${url.pathname}`
    const first = await run(['migrate'], { DATABASE_URL: url.href })
    expect([first.exit.code, first.stdout, first.stderr]).toEqual([0, expect.stringMatching(/steps taken: \d+\n$/), ''])
    const second = await run(['migrate'], { DATABASE_URL: url.href })
    expect([second.exit.code, second.stdout, second.stderr]).toEqual([0, `${where} was up to date\n`, ''])
  })

  test('needs a database, and nothing else', async () => {
    const none = await run(['migrate'])
    expect([none.exit.code, none.stderr]).toEqual([
      1,
      expect.stringMatching(/^granary: DATABASE_URL is not set: .*\n$/),
    ])
    const more = await run(['migrate', '--port', '1'], { DATABASE_URL: 'postgres://localhost/granary' })
    expect([more.exit.code, more.stderr]).toEqual([
      1,
      expect.stringMatching(/^granary: granary migrate takes no options/),
    ])
  })
})

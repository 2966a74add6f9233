import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openBooks } from '../../src/store/postgres/books.ts'
import { openDatabase } from '../postgres/server.ts'
import { TABLES } from '../postgres/store.ts'
import { DAMAGE, furnish, KEY, LIVE_KEY, OF_MAIN, printed, WELL, WRONG } from './furnished.ts'
import { cleanUp, run, serving, type Variables } from './granary.ts'

/** A database of everything there is, whose server has stopped. Before each test it is as it was then. */
let url: string
let client: pg.Client
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  url = await emptyDatabase()
  const server = await serving([], { DATABASE_URL: url, PORT: '0', GRANARY_SECRET_KEY: LIVE_KEY })
  await furnish(server)
  await server.end('SIGTERM')
  client = new pg.Client({ connectionString: url })
  await client.connect()
  const saved = [...TABLES, 'schema_steps'].map((table) => `create table saved.${table} as table ${table};`)
  await client.query(`create schema saved; ${saved.join(' ')}`)
})

// Quicker than a copy of the database for each.
beforeEach(async () => {
  const restored = [...TABLES, 'schema_steps'].map(
    (table) => `delete from ${table}; insert into ${table} overriding system value table saved.${table};`,
  )
  await client.query(restored.join(' '))
})

afterAll(async () => {
  await cleanUp()
  await client.end()
  for (const close of closing) await close()
})

async function emptyDatabase(): Promise<string> {
  const database = await openDatabase()
  closing.push(database.drop)
  return database.url
}

describe('granary verify on PostgreSQL', () => {
  test('finds nothing wrong with what a server has left behind, and does not print the password', async () => {
    const named = Object.assign(new URL(url), { password: 'confidential' })
    const { exit, stdout, stderr } = await run(['verify'], { DATABASE_URL: named.href })
    expect([exit.code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(WELL)
    expect(stdout).toContain(`PostgreSQL ${named.host}${named.pathname}: 7 customers, `)
  })

  test('says what is wrong, and ends with 1', async () => {
    await client.query(`update customer_states set postings = postings + 1 where customer = ${KEY('alice')}`)
    const { exit, stdout, stderr } = await run(['verify'], { DATABASE_URL: url })
    expect([exit.code, stderr, stdout]).toEqual([1, '', expect.stringMatching(WRONG)])
  })

  test('proves the books of servers that are running and writing, which do not notice', async () => {
    const variables = { DATABASE_URL: url, PORT: '0', GRANARY_SECRET_KEY: LIVE_KEY }
    const servers = [await serving([], variables), await serving([], variables)]
    const use = { customer_id: 'bob', feature_id: 'messages', value: 1 }
    let proving = true
    const proofs = Promise.all([1, 2].map(() => run(['verify'], variables))).finally(() => {
      proving = false
    })
    let uses = 0
    for (; proving; uses++) {
      const answers = await Promise.all(servers.map((server) => server.call('balances.track', use, LIVE_KEY)))
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
    }
    for (const { exit, stdout } of await proofs) expect([exit.code, stdout]).toEqual([0, expect.stringMatching(WELL)])
    expect(uses).toBeGreaterThan(0)
    for (const server of servers) await server.end('SIGTERM')
  })

  test('does not count what is still to be cleared away of those who were deleted', async () => {
    await client.query(
      `insert into deletions values (${KEY('acme')});
       delete from customers where id = 'acme';
       delete from customer_states where customer in (select customer from deletions);
       delete from postings where seq = 0 and customer in (select customer from deletions);`,
    )
    const { code, out } = await printed(await openBooks(url))
    expect([code, out]).toEqual([0, expect.stringMatching(WELL)])
  })
})

describe('what was changed behind the back of Granary in PostgreSQL is found:', () => {
  test.each<(typeof DAMAGE)[number]>([
    ...DAMAGE,
    [
      'a number in a row of postings',
      `delete from postings where ${OF_MAIN} and amount = '-30'`,
      /^1 customers have gaps in the numbers of their postings, such as cus_\w+$/m,
    ],
    [
      'the end of a row of postings',
      `delete from postings where customer = ${KEY('alice')} and seq >= 2`,
      /^1 customers do not count as many postings as there are, such as cus_\w+$/m,
    ],
    [
      'the id by which a customer is locked',
      `update customer_states set uid = 'cus_else' where customer = ${KEY('alice')}`,
      /^1 rows of customer_states have another id than their customer, such as cus_\w+$/m,
    ],
  ])('%s', async (_, sql, finding) => {
    await client.query(sql)
    const { code, out } = await printed(await openBooks(url))
    expect([code, out]).toEqual([1, expect.stringMatching(finding)])
    expect(out).toMatch(WRONG)
  })
})

describe('a database that cannot be looked at ends with a sentence and 2:', () => {
  test.each<[what: string, sql: string, sentence: RegExp]>([
    ['of a newer Granary', 'insert into schema_steps values (1000)', /written by a newer Granary \(schema 1000/],
    ['of an older Granary', 'delete from schema_steps', /written by an older Granary: run granary migrate/],
  ])('%s', async (_, sql, sentence) => {
    await client.query(sql)
    await expectSentence({ DATABASE_URL: url }, sentence)
  })

  test('without tables, and makes none', async () => {
    const empty = await emptyDatabase()
    for (const _ of ['first', 'again']) {
      await expectSentence({ DATABASE_URL: empty }, /there is no store in this database: say with DATABASE_URL where/)
    }
  })

  test('that does not answer, without the password', async () => {
    const url = 'postgres://granary:confidential@localhost:1/granary'
    await expectSentence(
      { DATABASE_URL: url },
      /no connection to PostgreSQL \(.*ECONNREFUSED.*\): check .*DATABASE_URL/,
    )
  })

  test('or a folder beside it', async () => {
    await expectSentence({ DATABASE_URL: url }, /DATABASE_URL is set, and --data-dir too/, ['--data-dir', 'data'])
  })

  async function expectSentence(variables: Variables, sentence: RegExp, args: readonly string[] = []): Promise<void> {
    const { exit, stdout, stderr } = await run(['verify', ...args], variables)
    expect([exit.code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(sentence)
    expect(stderr).not.toContain('confidential')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  }
})

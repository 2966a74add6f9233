import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBooks } from '../../src/store/sqlite/books.ts'
import { DAMAGE, furnish, KEY, LIVE_KEY, OF_MAIN, printed, WELL, WRONG } from './furnished.ts'
import { cleanUp, newFolder, run, start } from './granary.ts'

/** A store of everything there is, whose server has stopped. */
let folder: string

beforeAll(async () => {
  folder = newFolder()
  const server = await start(folder, { GRANARY_SECRET_KEY: LIVE_KEY })
  await furnish(server)
  await server.end('SIGTERM')
})

afterAll(cleanUp)

describe('granary verify', () => {
  test('finds nothing wrong with what a server has left behind', async () => {
    const { exit, stdout, stderr } = await run(['verify', '--data-dir', folder])
    expect([exit.code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(WELL)
    // Seven customers, of whom one was deleted: all that there is was looked at.
    expect(stdout).toContain(`${folder}: 7 customers, `)
  })

  test('proves the books of a server that is running and writing, which does not notice', async () => {
    const copy = copied()
    const server = await start(copy, { GRANARY_SECRET_KEY: LIVE_KEY })
    const use = { customer_id: 'bob', feature_id: 'messages', value: 1 }
    const verified = Array.from({ length: 3 }, () => run(['verify', '--data-dir', copy]))
    let proving = true
    const proofs = Promise.all(verified).finally(() => {
      proving = false
    })
    let uses = 0
    for (; proving; uses++) expect((await server.call('balances.track', use, LIVE_KEY)).status).toBe(200)
    for (const { exit, stdout } of await proofs) expect([exit.code, stdout]).toEqual([0, expect.stringMatching(WELL)])
    expect(uses).toBeGreaterThan(0)
    await server.end('SIGTERM')
  })

  test('proves what kill -9 left, before anything has tidied it up', async () => {
    const copy = copied()
    const server = await start(copy, { GRANARY_SECRET_KEY: LIVE_KEY })
    for (let i = 0; i < 5; i++)
      await server.call('balances.track', { customer_id: 'bob', feature_id: 'messages', value: 1 }, LIVE_KEY)
    await server.end('SIGKILL')
    const { exit, stdout } = await run(['verify'], { GRANARY_DATA_DIR: copy })
    expect([exit.code, stdout]).toEqual([0, expect.stringMatching(WELL)])
  })

  test('does not count what is still to be cleared away of those who were deleted', async () => {
    const copy = copied()
    change(
      copy,
      `insert into deletions select key, last_posting from customers join customer_states on customer = key where id = 'acme';
       delete from customers where id = 'acme';
       delete from customer_states where customer in (select customer from deletions);
       delete from postings where seq = (select last_posting from deletions);`,
    )
    const { exit, stdout } = await run(['verify', '--data-dir', copy])
    expect([exit.code, stdout]).toEqual([0, expect.stringMatching(WELL)])
  })

  test('changes nothing: the file is the same, byte by byte', async () => {
    const copy = copied()
    const before = readFileSync(join(copy, 'granary.db'))
    expect((await run(['verify', '--data-dir', copy])).exit.code).toBe(0)
    expect(readFileSync(join(copy, 'granary.db')).equals(before)).toBe(true)
  })
})

describe('what was changed behind the back of Granary is found:', () => {
  test.each<(typeof DAMAGE)[number]>([
    ...DAMAGE,
    [
      'a broken chain of postings',
      `update postings set previous = null where ${OF_MAIN} and amount = '-30'`,
      /^1 postings do not point at the one before them, such as seq \d+$/m,
    ],
    [
      'a chain without its end',
      `update customer_states set last_posting = null where customer = ${KEY('alice')}`,
      /^1 customers do not point at their last posting, such as cus_\w+$/m,
    ],
    [
      'an index that lacks a row',
      `pragma writable_schema = on;
       update sqlite_schema set sql = 'create index entities_by_id on entities (env, name)' where name = 'entities_by_id';`,
      /^the file: .*entities_by_id/m,
    ],
  ])('%s', async (_, sql, finding) => {
    const copy = copied()
    change(copy, sql)
    const { exit, stdout, stderr } = await run(['verify', '--data-dir', copy])
    expect([exit.code, stderr]).toEqual([1, ''])
    expect(stdout).toMatch(finding)
    expect(stdout).toMatch(WRONG)
  })
})

describe('what cannot be looked at ends with a sentence and 2:', () => {
  test.each<[what: string, prepare: (copy: string) => string[], sentence: RegExp]>([
    [
      'a folder without a store',
      () => ['--data-dir', newFolder()],
      /there is no store in \S+: say with --data-dir where/,
    ],
    [
      'data of a newer Granary',
      (copy) => {
        change(copy, 'pragma user_version = 1000')
        return ['--data-dir', copy]
      },
      /written by a newer Granary \(schema 1000/,
    ],
    [
      'data of an older Granary',
      (copy) => {
        change(copy, 'pragma user_version = 1')
        return ['--data-dir', copy]
      },
      /written by an older Granary: start the server once/,
    ],
    [
      'a file that is no store',
      (copy) => {
        writeFileSync(join(copy, 'granary.db'), 'This is a letter and no database. '.repeat(200))
        return ['--data-dir', copy]
      },
      /file is not a database/,
    ],
    ['an option of the server', (copy) => ['--data-dir', copy, '--port', '1'], /no other option than --data-dir/],
    ['an option that there is not', (copy) => ['--data-dri', copy], /--data-dri.*granary --help/],
    ['a word too many', (copy) => ['everything', '--data-dir', copy], /unexpected argument "everything"/],
  ])('%s', async (_, prepare, sentence) => {
    const { exit, stdout, stderr } = await run(['verify', ...prepare(copied())])
    expect([exit.code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(sentence)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  test('and nothing is created where nothing was', async () => {
    const empty = newFolder()
    await run(['verify', '--data-dir', empty])
    expect(readdirSync(empty)).toEqual([])
  })
})

describe('what is printed', () => {
  test('on a terminal shows how far it has come, and nothing of that is left', async () => {
    const { code, out, err } = await printed(openBooks(folder), true)
    expect([code, out]).toEqual([0, expect.stringMatching(WELL)])
    const drawn = err.split('\r\u001b[K')
    expect([drawn[0], drawn[1], drawn.at(-1)]).toEqual(['', '1 of 7 customers proved', ''])
    expect((await printed(openBooks(folder))).err).toBe('')
  })

  test('is a hundred findings, and how many more there are', async () => {
    const copy = copied()
    change(
      copy,
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < 250)
       insert into customers (uid, env, metadata, send_email_receipts, shares_with_entities, clock_ahead, created_at)
       select 'cus_n' || i, 'live', '{}', 0, 1, 0, 0 from n;
       insert into customer_states select key, 1, 0, 1, null from customers where uid like 'cus_n%';`,
    )
    const { code, out } = await printed(openBooks(copy))
    const lines = out.trimEnd().split('\n')
    expect([code, lines.length, lines[100]]).toEqual([1, 102, '… and 150 more'])
    expect(lines[0]).toMatch(/^live cus_n1: the customer counts 1 postings, and there are 0$/)
    expect(lines[101]).toMatch(/ wrong: 250$/)
  })
})

function copied(): string {
  const copy = newFolder()
  cpSync(folder, copy, { recursive: true })
  return copy
}

function change(copy: string, sql: string): void {
  const database = new DatabaseSync(join(copy, 'granary.db'))
  // Otherwise SQLite refuses to change its own schema.
  database.enableDefensive(false)
  database.exec(sql)
  database.close()
}

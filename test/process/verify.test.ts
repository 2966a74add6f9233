import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runVerify } from '../../src/cli/verify.ts'
import { openBooks } from '../../src/store/sqlite/books.ts'
import { cleanUp, type Granary, newFolder, run, start } from './granary.ts'

const LIVE_KEY = `am_sk_live_${'x'.repeat(40)}`
const WELL = /: \d+ customers, \d+ balances, \d+ postings, \d+ events in \d+\.\d s\. all is well\n$/

/** A store of everything there is, whose server has stopped. */
let folder: string

beforeAll(async () => {
  folder = newFolder()
  const server = await start(folder, { GRANARY_SECRET_KEY: LIVE_KEY })
  await furnish(server)
  await server.end('SIGTERM')
})

afterAll(cleanUp)

/** Fails unless the request is answered. */
async function ok(server: Granary, operation: string, body: object, key = server.key) {
  const answer = await server.call(operation, body, key)
  if (answer.status !== 200) throw new Error(`${operation}: ${JSON.stringify(answer)}`)
  return answer.body
}

async function furnish(server: Granary): Promise<void> {
  const messages = { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true }
  const alice = { customer_id: 'alice', feature_id: 'messages' }
  for (const key of [server.key, LIVE_KEY]) await ok(server, 'features.create', messages, key)
  await ok(server, 'features.create', { ...messages, feature_id: 'trial', name: 'Trial' })
  await ok(server, 'features.create', { feature_id: 'seats', name: 'Seats', type: 'metered', consumable: false })

  // Rollovers, refunds, a balance that is deleted.
  await ok(server, 'customers.get_or_create', { customer_id: 'alice' })
  const rollover = { max: 40, duration: 'month', length: 3 }
  await ok(server, 'balances.create', { ...alice, included: 100, reset: { interval: 'month' }, rollover })
  await ok(server, 'balances.create', { ...alice, included: 7, balance_id: 'gift' })
  const { event_id } = await ok(server, 'balances.track', { ...alice, value: 30 })
  await ok(server, 'balances.track', { customer_id: 'alice', refund_of: event_id, value: -10 })
  await ok(server, 'balances.delete', { ...alice, balance_id: 'gift' })

  // A balance that expires and is not cleared away before its feature goes.
  await ok(server, 'customers.get_or_create', { customer_id: 'idle' })
  const trial = { feature_id: 'trial', included: 5, expires_at: Date.now() + 86_400_000 }
  await ok(server, 'balances.create', { customer_id: 'idle', ...trial })
  await ok(server, 'clock.advance', { by: '32d' })
  await ok(server, 'features.delete', { feature_id: 'trial' })
  await ok(server, 'balances.track', { ...alice, value: 15 })

  // Entities with balances of their own, one seat more than was granted; one entity goes.
  await ok(server, 'customers.get_or_create', { customer_id: 'acme' })
  await ok(server, 'balances.create', { customer_id: 'acme', feature_id: 'seats', included: 1 })
  for (const entity_id of ['desk', 'lamp', 'door']) {
    await ok(server, 'entities.create', { customer_id: 'acme', entity_id, feature_id: 'seats' })
    await ok(server, 'balances.create', { customer_id: 'acme', entity_id, feature_id: 'messages', included: 3 })
    await ok(server, 'balances.track', { customer_id: 'acme', entity_id, feature_id: 'messages', value: 2 })
  }
  await ok(server, 'entities.delete', { customer_id: 'acme', entity_id: 'door' })

  // Somebody in live data, somebody without a balance, somebody without an id, and somebody who is gone.
  await ok(server, 'customers.get_or_create', { customer_id: 'bob' }, LIVE_KEY)
  await ok(server, 'balances.create', { customer_id: 'bob', feature_id: 'messages', unlimited: true }, LIVE_KEY)
  await ok(server, 'balances.track', { customer_id: 'bob', feature_id: 'messages', value: 2 }, LIVE_KEY)
  await ok(server, 'customers.get_or_create', { customer_id: 'empty' })
  await ok(server, 'customers.get_or_create', { customer_id: null, email: 'eve@example.com' })
  await ok(server, 'customers.get_or_create', { customer_id: 'gone' })
  await ok(server, 'balances.create', { customer_id: 'gone', feature_id: 'messages', included: 1 })
  await ok(server, 'customers.delete', { customer_id: 'gone' })
}

describe('granary verify', () => {
  test('finds nothing wrong with what a server has left behind', async () => {
    const { exit, stdout, stderr } = await run(['verify', '--data-dir', folder])
    expect([exit.code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(WELL)
    // Six customers, of whom one was deleted: all that there is was looked at.
    expect(stdout).toContain(`${folder}: 6 customers, `)
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

const KEY = (id: string) => `(select key from customers where id = '${id}')`
const MAIN = `customer = ${KEY('alice')} and reset_interval is not null`
const OF_MAIN = `customer = ${KEY('alice')} and rollover is null and balance = (select uid from balances where ${MAIN})`

describe('what was changed behind the back of Granary is found:', () => {
  test.each<[change: string, sql: string, finding: RegExp]>([
    [
      'a balance',
      `update balances set remaining = '1000' where ${MAIN}`,
      /^sandbox alice \(cus_\w+\): cus_ent_\w+: 1000 remains, and its lines sum to \d+$/m,
    ],
    [
      'an allowance',
      `update balances set allowance = '1000' where ${MAIN}`,
      /^sandbox alice .*: 1000 is granted, and its lines grant 100$/m,
    ],
    [
      'a rollover',
      `update balances set rollovers = replace(rollovers, '"$amount":"25"', '"$amount":"26"') where ${MAIN}`,
      /^sandbox alice .*: cus_ent_\w+ roll_\w+: 26 remains, and its lines sum to 25$/m,
    ],
    [
      'what a line took',
      `update postings set amount = '-1' where ${OF_MAIN} and amount = '-30'`,
      /^sandbox alice .*: line 2 says that 70 remained after it, and the lines so far sum to 99/m,
    ],
    [
      'what remained after a line',
      `update postings set remaining_after = '71' where ${OF_MAIN} and remaining_after = '70'`,
      /^sandbox alice .*: line 2 says that 71 remained after it, and the lines so far sum to 70$/m,
    ],
    [
      'a permit',
      `update postings set permit = null where permit is not null and customer = ${KEY('acme')}`,
      /^sandbox acme .*: line \d takes it to -\d without a permit/m,
    ],
    [
      'a posting that is gone',
      `delete from postings where ${OF_MAIN} and amount = '-30'`,
      /^sandbox alice .*: the customer counts \d+ postings, and there are \d+$/m,
    ],
    [
      'a balance that is gone',
      `delete from balances where customer = ${KEY('bob')}`,
      /^live bob .*: cus_ent_\w+: is gone, and by its lines holds -2 of 0$/m,
    ],
    [
      'the use of a balance that is gone',
      `update postings set granted = '0' where customer = ${KEY('alice')} and kind = 'void'`,
      /^sandbox alice .*: is gone, and by its lines holds 0 of 7$/m,
    ],
    [
      'a balance without a past',
      `insert into balances select ${KEY('empty')}, 'cus_ent_new', null, feature, terms, '5', '5', '0', null, null, null,
         null, null, null, null, created_at, null, 0, null, null from balances where ${MAIN}`,
      /^sandbox empty .*: cus_ent_new: holds 5 of 5, and the ledger has no line of it$/m,
    ],
    [
      'the count of postings',
      `update customer_states set postings = postings + 1 where customer = ${KEY('alice')}`,
      /^sandbox alice .*: the customer counts \d+ postings, and there are \d+$/m,
    ],
    [
      'a line for another feature',
      `update postings set feature = 'feat_else' where ${OF_MAIN} and amount = '-30'`,
      /^sandbox alice .*: line 2 is of feat_else, and the first one of feat_\w+$/m,
    ],
    [
      'an entity that is gone',
      `delete from entities where id = 'desk'`,
      /^1 balances belong to an entity that is not there, such as cus_ent_\w+$/m,
    ],
    [
      'one seat too many',
      `update balances set seats = seats + 1 where seats > 0 and customer = ${KEY('acme')}`,
      /^sandbox acme .*: 3 seats of feat_\w+ are taken, and its entities number 2$/m,
    ],
    [
      'a feature that is gone',
      `delete from features where env = 'live'`,
      /^live bob .*: cus_ent_\w+: is of the feature feat_\w+, which is not there$/m,
    ],
    [
      'a customer that is gone',
      `delete from customers where id = 'alice'`,
      /^\d+ rows of postings belong to a customer that is not there, such as seq \d+$/m,
    ],
    [
      'the state of a customer that is gone',
      `delete from customer_states where customer = ${KEY('alice')}`,
      /^1 customers have no row in customer_states, without which nobody finds them, such as cus_\w+$/m,
    ],
    [
      'a customer that is about to be cleared away',
      `insert into deletions values (${KEY('alice')}, null)`,
      /^1 customers that are there are to be cleared away like deleted ones, such as cus_\w+$/m,
    ],
    [
      'an event that was given back and is gone',
      `delete from events where uid in (select event from refunds)`,
      /^1 refunds belong to an event that is not there, such as evt_\w+$/m,
    ],
    [
      'events of another environment',
      `update events set env = 'live' where customer = ${KEY('alice')}`,
      /^\d rows of events stand in another environment than their customer, such as evt_\w+$/m,
    ],
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
      'an amount that is none',
      `update balances set remaining = 'much' where ${MAIN}`,
      /^sandbox cus_\w+: its rows cannot be read: not an exact amount: much$/m,
    ],
    [
      'a posting whose amount is none',
      `update postings set amount = '1e3' where ${OF_MAIN} and amount = '-30'`,
      /^sandbox alice .*: a posting cannot be read: not an exact amount: 1e3$/m,
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
    expect(stdout).toMatch(/ in \d+\.\d s\. wrong: \d+\n$/)
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
  async function printed(copy: string, isTTY: boolean) {
    const [out, err] = [new Printer(isTTY), new Printer(isTTY)]
    const books = openBooks(copy)
    const code = await runVerify(books, 'here', out, err).finally(() => books.close())
    return { code, out: out.text, err: err.text }
  }

  test('on a terminal shows how far it has come, and nothing of that is left', async () => {
    const { code, out, err } = await printed(folder, true)
    expect([code, out]).toEqual([0, expect.stringMatching(WELL)])
    const drawn = err.split('\r\u001b[K')
    expect([drawn[0], drawn[1], drawn.at(-1)]).toEqual(['', '1 of 6 customers proved', ''])
    expect((await printed(folder, false)).err).toBe('')
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
    const { code, out } = await printed(copy, false)
    const lines = out.trimEnd().split('\n')
    expect([code, lines.length, lines[100]]).toEqual([1, 102, '… and 150 more'])
    expect(lines[0]).toMatch(/^live cus_n1: the customer counts 1 postings, and there are 0$/)
    expect(lines[101]).toMatch(/ wrong: 250$/)
  })
})

class Printer {
  readonly isTTY: boolean
  text = ''

  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }

  write(text: string): void {
    this.text += text
  }
}

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

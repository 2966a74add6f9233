import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openBooks as openPostgresBooks } from '../../src/store/postgres/books.ts'
import { MIGRATIONS as POSTGRES_MIGRATIONS } from '../../src/store/postgres/migrations.ts'
import { PostgresStore } from '../../src/store/postgres/postgres.ts'
import { openBooks } from '../../src/store/sqlite/books.ts'
import { MIGRATIONS } from '../../src/store/sqlite/migrations.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import type { Books, Store } from '../../src/store/store.ts'
import { expectBooksToBeProved, expectLedgerToAddUp } from '../ledger.ts'
import { openCutter } from '../postgres/cutter.ts'
import { openDatabaseOn, type Server, startServer } from '../postgres/server.ts'
import { cleanUp, Granary, newFolder, serving, type Variables } from '../process/granary.ts'
import { KEY, serveOn } from '../process/together.ts'
import { chance, seedOfRun } from './chance.ts'
import { Client } from './clients.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
/** Each of these tests starts several processes, which takes long on a busy machine. */
const TIMEOUT = LONG ? 600_000 : 120_000
const DYING = fileURLToPath(new URL('./dying.ts', import.meta.url))
const FEATURE = { feature_id: 'messages', name: 'Messages', type: 'metered', consumable: true }
const CUSTOMERS = Array.from({ length: 6 }, (_, i) => `customer-${i}`)

let server: Server
beforeAll(async () => {
  server = await startServer()
})
afterEach(cleanUp)
afterAll(() => server.remove())

/** Where something is kept. */
interface Place {
  readonly variables: Variables
  open(): Promise<Store>
  books(): Books | Promise<Books>
}

async function place(kind: 'SQLite' | 'PostgreSQL'): Promise<Place> {
  return kind === 'SQLite' ? inFolder(newFolder()) : inDatabase((await openDatabaseOn(server.url())).url)
}

const ALWAYS = { GRANARY_SECRET_KEY: KEY, PORT: '0' }

function inFolder(folder: string): Place {
  const variables = { ...ALWAYS, GRANARY_DATA_DIR: folder }
  return { variables, open: () => SqliteStore.open(folder), books: () => openBooks(folder) }
}

function inDatabase(url: string): Place {
  const variables = { ...ALWAYS, DATABASE_URL: url }
  return { variables, open: () => PostgresStore.open(url), books: () => openPostgresBooks(url) }
}

async function furnish(url: string): Promise<void> {
  const client = new Client(url, KEY)
  await client.ok('features.create', FEATURE)
  for (const customer_id of CUSTOMERS) {
    await client.ok('customers.get_or_create', { customer_id })
    await client.ok('balances.create', { customer_id, feature_id: 'messages', included: 10_000 })
  }
  client.close()
}

/** One unit of each customer, all at the same time, under a key. @returns what was answered. */
async function useEach(url: string, round: number) {
  const clients = CUSTOMERS.map(() => new Client(url, KEY))
  const replies = await Promise.all(
    CUSTOMERS.map((customer_id, i) => {
      const use = { customer_id, feature_id: 'messages', value: 1 }
      return clients[i]?.send('balances.track', use, { 'idempotency-key': `${customer_id} ${round}` })
    }),
  )
  for (const client of clients) client.close()
  return replies
}

async function remainingOf(url: string): Promise<number[]> {
  const client = new Client(url, KEY)
  const about = (customer_id: string) => ({ customer_id, feature_id: 'messages' })
  const found = await Promise.all(CUSTOMERS.map((id) => client.ok('balances.check', about(id))))
  client.close()
  return found.map(({ balance }) => balance.remaining)
}

/** Of each customer, event by event, and all in all. */
async function expectBooksToAddUp({ open, books }: Place): Promise<void> {
  const store = await open()
  for (const id of CUSTOMERS) {
    const { ledger } = await expectLedgerToAddUp(store, id)
    const events = await store.listEvents({ env: 'sandbox', customerId: id, offset: 0, limit: 1_000_000 })
    const uses = ledger.filter(({ kind }) => kind === 'use')
    expect(events.map(({ uid }) => uid).toSorted()).toEqual(uses.map(({ cause }) => cause).toSorted())
  }
  await store.close()
  await expectBooksToBeProved(books())
}

describe.each(['SQLite', 'PostgreSQL'] as const)('on %s a process that dies', { timeout: TIMEOUT }, (kind) => {
  test.each(['before the commit', 'after the commit, before the answer', 'during the commit'])(
    '%s leaves each use whole or not at all, and the retry makes it one',
    async (point) => {
      const began = performance.now()
      const rounds = (point === 'during the commit' ? 3 : 1) * (LONG ? 8 : 1)
      const random = chance(seedOfRun())
      // A first commit has to connect to PostgreSQL before it is sent. In milliseconds.
      const latest = kind === 'SQLite' ? 16 : 120
      const here = await place(kind)
      const { variables } = here
      const first = await serving([], variables)
      await furnish(first.url)
      await first.end('SIGTERM')
      const count = { asked: 0, found: 0 }
      for (let round = 1; round <= rounds; round++) {
        const before = 10_000 - round + 1
        const dying = await serving(
          [],
          { ...variables, DIES: point, DIES_AFTER: String(1 + Math.floor(latest * random())) },
          DYING,
        )
        expect(await useEach(dying.url, round)).toEqual(CUSTOMERS.map(() => null))
        // That it died there: by its own hand, and with nothing of the first commit, or all of it.
        expect((await dying.exited).signal).toBe('SIGKILL')
        if (point !== 'during the commit') expect(dying.stdout.includes('committed\n')).toBe(point.startsWith('after'))

        const next = await serving([], variables)
        const after = await remainingOf(next.url)
        const found = after.filter((remaining) => remaining === before - 1).length
        expect(found + after.filter((remaining) => remaining === before).length).toBe(CUSTOMERS.length)
        if (point === 'before the commit') expect(found).toBe(0)
        if (point.startsWith('after')) expect(found).toBeGreaterThan(0)
        const again = await useEach(next.url, round)
        expect(again.map((reply) => reply?.status)).toEqual(CUSTOMERS.map(() => 200))
        expect(again.filter((reply) => reply?.headers['idempotent-replayed'] === 'true')).toHaveLength(found)
        expect(await remainingOf(next.url)).toEqual(CUSTOMERS.map(() => before - 1))
        await next.end('SIGTERM')
        count.asked += CUSTOMERS.length
        count.found += found
      }
      await expectBooksToAddUp(here)
      console.log(
        `${kind}, death ${point}: ${rounds} deaths, ${count.asked} uses unanswered, ${count.found} of them durable; ` +
          `0 lost, 0 twice after the retry (${seconds(began)})`,
      )
    },
  )
})

describe('a process on SQLite that is killed', { timeout: TIMEOUT }, () => {
  test('in the midst of a checkpoint has lost nothing', async () => {
    const began = performance.now()
    const kills = LONG ? 10 : 2
    const folder = newFolder()
    const here = inFolder(folder)
    const { variables } = here
    let granary = await serving([], variables)
    await furnish(granary.url)
    const acknowledged = new Set<string>()
    const asked = new Set<string>()
    let [hits, tries] = [0, 0]
    while (hits < kills) {
      tries += 1
      expect(tries, 'kills that came too late').toBeLessThan(10 * kills)
      expect(isCheckpointUnderWay(folder)).toBe(false)
      const written = statSync(join(folder, 'granary.db')).mtimeMs
      const isCopying = () => isCheckpointUnderWay(folder) && statSync(join(folder, 'granary.db')).mtimeMs > written
      let going = true
      const load = CUSTOMERS.map(async (customer_id, i) => {
        const client = new Client(granary.url, KEY)
        for (let n = 0; going; n++) {
          const id = `${tries}-${i}-${n}`
          asked.add(id)
          // Long, so that the log is soon as long as makes a checkpoint begin.
          const properties = { id, filler: 'x'.repeat(60_000) }
          const use = { customer_id, feature_id: 'messages', value: 1, properties }
          const reply = await client.send('balances.track', use)
          if (reply?.status === 200) acknowledged.add(id)
          else going = false
        }
        client.close()
      })
      while (going && !isCopying()) await turn()
      await granary.end('SIGKILL')
      await Promise.all(load)
      // The state in which the process died is still there.
      if (isCheckpointUnderWay(folder)) hits += 1
      granary = await serving([], variables)
      // A start after a crash leaves the log as it is, and counts its pages as if they were being copied; an end in order
      // copies them all.
      await granary.end('SIGTERM')
      granary = await serving([], variables)
    }
    await granary.end('SIGTERM')

    const store = await SqliteStore.open(folder)
    const events = await store.listEvents({ env: 'sandbox', offset: 0, limit: 1_000_000 })
    const ids = events.map(({ properties }) => String(properties['id']))
    expect(new Set(ids).size).toBe(ids.length)
    expect([...acknowledged].filter((id) => !ids.includes(id))).toEqual([])
    expect(ids.filter((id) => !asked.has(id))).toEqual([])
    await store.close()
    await expectBooksToAddUp(here)
    console.log(
      `SQLite, killed during a checkpoint: ${hits} of ${tries} kills in the midst of one, ${acknowledged.size} uses acknowledged, ` +
        `0 lost, 0 twice (${seconds(began)})`,
    )
  })

  test('in the midst of a migration has the old schema whole, and the next start brings everything over', async () => {
    const began = performance.now()
    const random = chance(seedOfRun())
    const customers = 60_000
    const folder = newFolder()
    writeOldFile(join(folder, 'granary.db'), customers)
    const { variables, books } = inFolder(folder)
    const kills = LONG ? 10 : 2
    let hits = 0
    for (let tries = 0; hits < kills; tries++) {
      expect(tries, 'kills that came too late').toBeLessThan(10 * kills)
      // So what will be in the log was written by the step that is under way.
      expect(sizeOf(join(folder, 'granary.db-wal'))).toBe(0)
      const granary = new Granary([], variables)
      const mark = 1_000_000 * random()
      let gone = false
      void granary.exited.then(() => {
        gone = true
      })
      while (!gone && !granary.stdout.includes('listening') && sizeOf(join(folder, 'granary.db-wal')) <= mark)
        await turn()
      await granary.end('SIGKILL')
      const file = new DatabaseSync(join(folder, 'granary.db'))
      const version = Number(file.prepare('pragma user_version').get()?.['user_version'])
      const columns = file.prepare("select name from pragma_table_info('customers')").all()
      const count = Number(file.prepare('select count(*) as count from customers').get()?.['count'])
      file.close()
      expect(columns.some(({ name }) => name === 'claim')).toBe(version > 1)
      expect(count).toBe(customers)
      if (version > 1) writeOldFile(join(folder, 'granary.db'), customers)
      else hits += 1
    }
    const granary = await serving([], variables)
    const client = new Client(granary.url, KEY)
    for (const n of [0, 1, customers - 1]) {
      const about = { customer_id: `old-${n}`, feature_id: 'messages' }
      expect((await client.ok('balances.check', about)).balance.remaining).toBe(7)
    }
    client.close()
    await granary.end('SIGTERM')
    const file = new DatabaseSync(join(folder, 'granary.db'))
    expect(file.prepare('pragma user_version').get()?.['user_version']).toBe(MIGRATIONS.length)
    expect(file.prepare('pragma integrity_check').get()?.['integrity_check']).toBe('ok')
    file.close()
    await expectBooksToBeProved(books())
    console.log(
      `SQLite, killed during a migration: ${hits} kills in the midst of a step over ${customers} customers; 0 lost (${seconds(began)})`,
    )
  })
})

describe('a process on PostgreSQL', { timeout: TIMEOUT }, () => {
  test.each(['alone', 'and the server after it'])(
    'that is killed in the midst of a migration, %s, leaves nothing or everything, and the next start serves',
    async (alone) => {
      const { url } = await openDatabaseOn(server.url())
      const holder = await connected(url)
      // The migration is going to make a table of this name, and must wait until it is known whether there is one.
      await holder.query('begin; create table deletions ()')
      const granary = new Granary([], { DATABASE_URL: url, GRANARY_SECRET_KEY: KEY, PORT: '0' })
      const looker = await connected(url)
      const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
        and application_name = 'granary' and query like 'begin;%'`
      while ((await looker.query(waiting)).rowCount === 0) await turn()
      await granary.end('SIGKILL')
      expect(granary.stdout).toBe('')
      expect((await looker.query(waiting)).rowCount).toBe(1)
      if (alone === 'alone') {
        // Its session goes on by itself with the step, because the server has been told all of it.
        await holder.query('rollback')
        while ((await steps(looker)) === 0) await turn()
        expect(await steps(looker)).toBe(1)
      } else {
        await server.kill()
        await server.start()
        const after = await connected(url)
        expect(await steps(after)).toBe(0)
        const tables = await after.query("select tablename from pg_tables where schemaname = 'public'")
        expect(tables.rows).toEqual([{ tablename: 'schema_steps' }])
        await after.end()
      }
      await Promise.all([holder, looker].map((one) => one.end().catch(() => null)))
      const next = await serveOn(url)
      const later = await connected(url)
      expect(await steps(later)).toBe(POSTGRES_MIGRATIONS.length)
      await later.end()
      await furnish(next.url)
      await useEach(next.url, 1)
      expect(await remainingOf(next.url)).toEqual(CUSTOMERS.map(() => 9_999))
    },
  )

  test.each(['before the question', 'after the question', 'before the answer'] as const)(
    'whose connection is cut during a commit, %s, answers as if nothing had been, and retries change nothing',
    async (how) => {
      const { url } = await openDatabaseOn(server.url())
      const cutter = await openCutter(url)
      const granary = await serveOn(cutter.url)
      await furnish(granary.url)
      const rounds = LONG ? 100 : 10
      for (let round = 1; round <= rounds; round++) {
        cutter.cut(how, 'granary_commit')
        const replies = await useEach(granary.url, round)
        expect(cutter.cuts).toBe(round)
        expect(replies.map((reply) => reply?.status)).toEqual(CUSTOMERS.map(() => 200))
        const again = await useEach(granary.url, round)
        expect(again.map((reply) => reply?.headers['idempotent-replayed'])).toEqual(CUSTOMERS.map(() => 'true'))
        expect(again.map((reply) => reply?.body)).toEqual(replies.map((reply) => reply?.body))
        expect(await remainingOf(granary.url)).toEqual(CUSTOMERS.map(() => 10_000 - round))
      }
      await granary.end('SIGTERM')
      await cutter.close()
      await expectBooksToAddUp(inDatabase(url))
      console.log(`PostgreSQL, connection cut during a commit, ${how}: ${rounds} cuts; 0 lost, 0 twice`)
    },
  )

  test.each(['before the question', 'after the question'] as const)(
    'that is killed while nobody knows what became of a commit, cut %s, leaves each use whole or not at all',
    async (how) => {
      const { url } = await openDatabaseOn(server.url())
      const cutter = await openCutter(url)
      const granary = await serveOn(cutter.url)
      await furnish(granary.url)
      cutter.cut(how, 'granary_commit')
      const asked = useEach(granary.url, 1)
      while (cutter.cuts === 0) await turn()
      // It tries to find out, and cannot.
      cutter.sever()
      await granary.end('SIGKILL')
      expect(await asked).toContain(null)
      await cutter.close()
      const next = await serveOn(url)
      const found = await remainingOf(next.url)
      expect(found.filter((remaining) => remaining !== 9_999 && remaining !== 10_000)).toEqual([])
      const again = await useEach(next.url, 1)
      // What had been answered was there.
      expect(found.filter((remaining) => remaining === 9_999).length).toBeGreaterThanOrEqual(
        (await asked).filter((reply) => reply !== null).length,
      )
      expect(again.map((reply) => reply?.status)).toEqual(CUSTOMERS.map(() => 200))
      expect(await remainingOf(next.url)).toEqual(CUSTOMERS.map(() => 9_999))
      await next.end('SIGTERM')
      await expectBooksToAddUp(inDatabase(url))
    },
  )
})

/**
 * Whether the file's log is just being copied into the file, or was when its process died: its index counts the pages that
 * were to be copied, and only at the end those that have been (`nBackfillAttempted` and `nBackfill` of SQLite's WAL index).
 */
function isCheckpointUnderWay(folder: string): boolean {
  const index = openSync(join(folder, 'granary.db-shm'), 'r')
  try {
    const header = Buffer.alloc(136)
    readSync(index, header, 0, header.length, 0)
    return header.readUInt32LE(128) > header.readUInt32LE(96)
  } finally {
    closeSync(index)
  }
}

/** A file of the first schema: customers with seven messages each. */
function writeOldFile(path: string, customers: number): void {
  const [first] = MIGRATIONS
  const file = new DatabaseSync(path)
  const tables = file.prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'").all()
  for (const { name } of tables) file.exec(`drop table ${name}`)
  file.exec(`pragma journal_mode = wal; begin; ${first}; pragma user_version = 1`)
  file.exec(`
    insert into catalogues values ('sandbox', 1);
    insert into features values ('sandbox', 1, 'fe_1', 'messages', 'Messages', '{"kind":"metered","consumable":true}', '[]', null, 0, 0);
    with recursive n (n) as (select 0 union all select n + 1 from n where n < ${customers - 1})
    insert into customers select n + 1, 'cus_' || n, 'sandbox', 'old-' || n, null, null, null, null, '{}', 0, 0 from n;
    insert into customer_states select key, 1, 0, 1, key from customers;
    insert into balances select key, 'cus_ent_' || key, null, 'fe_1', 'finite', '7', '7', '0',
      null, null, null, null, null, null, null, 0 from customers;
    insert into postings select key, key, null, 'fe_1', 'cus_ent_' || key, null, 'grant', '7', '7', '7', null, 'x', 0 from customers;
    commit; pragma wal_checkpoint(truncate)`)
  file.close()
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  return client
}

async function steps(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>('select count(*)::int as count from schema_steps')
  return rows[0]?.count ?? 0
}

function seconds(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`
}

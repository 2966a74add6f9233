import { readFileSync } from 'node:fs'
import pg from 'pg'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import type { Customer } from '../../src/domain/customer.ts'
import { claimOf } from '../../src/domain/customer.ts'
import { USUAL_RETENTION } from '../../src/domain/retention.ts'
import { MIGRATIONS } from '../../src/store/postgres/migrations.ts'
import { migrateDatabase, type PostgresOptions, PostgresStore } from '../../src/store/postgres/postgres.ts'
import { type CustomerChange, OutcomeUnknown } from '../../src/store/store.ts'
import { chance, seedOfRun } from '../crash/chance.ts'
import { openCutter } from '../postgres/cutter.ts'
import { makeSchema, openOlderProcess } from '../postgres/older.ts'
import { describeSchema } from '../postgres/schema.ts'
import { openDatabase, openDatabaseOn, type Server, startServer } from '../postgres/server.ts'
import { type OpenedPostgres, openPostgres, TABLES } from '../postgres/store.ts'
import {
  AT,
  added,
  attachment,
  change,
  changed,
  commit,
  event,
  feature,
  find,
  gone,
  grantOf,
  person,
  posting,
  record,
  seat,
  stranger,
  worded,
} from './rows.ts'

const DAY = 86_400_000
const alice = person('alice')
const bob = person('bob')

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  // The last first: stores before their database.
  for (const close of closing.splice(0).reverse()) await close()
})

let shared: OpenedPostgres | undefined
afterAll(() => shared?.close())

/** Empty; the database of the test before, because a new one takes much longer. */
async function opened(): Promise<OpenedPostgres> {
  shared ??= await openPostgres()
  await shared.empty()
  return shared
}

/** With nothing that a test before has left. */
async function brandNew(): Promise<OpenedPostgres> {
  const open = await openPostgres()
  closing.push(() => open.close())
  return open
}

/** Another store on the same database, as another process has it. */
async function another(url: string, options?: PostgresOptions): Promise<PostgresStore> {
  const store = await PostgresStore.open(url, options)
  closing.push(() => store.close())
  return store
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  closing.push(() => client.end())
  return client
}

/** Asks again and again; each time is a question to the database, so this does not spin. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error('that never came to be')
  }
}

/** A customer with so many rows of each kind that they are not cleared away at once. */
function large(many: number) {
  return {
    entitiesWritten: Array.from({ length: many }, (_, i) => seat(`desk${i}`)),
    written: Array.from({ length: many }, (_, i) => grantOf(`cus_ent_${i}`)),
    attachmentsWritten: Array.from({ length: many }, (_, i) => attachment(`cus_prod_${i}`, 'pro')),
    events: Array.from({ length: many }, (_, i) => event(`evt_${i}`)),
    postings: Array.from({ length: many }, (_, i) => posting(`cus_ent_${i}`, '1')),
    refunds: [{ event: 'evt_1', given: [1n] }],
  }
}

describe('the schema', () => {
  test('is made by whoever opens an empty database first, also when several do at once', async () => {
    const { url, drop } = await openDatabase()
    closing.push(drop)
    const stores = await Promise.all([another(url), another(url), another(url)])
    expect(await Promise.all(stores.map((store) => commit(store, changed(alice, 1, {}))))).toEqual(
      stores.map(() => ['conflict']),
    )
    const client = await connected(url)
    const { rows } = await client.query<{ name: string }>(
      `select relname as name from pg_class join pg_namespace n on n.oid = relnamespace
       where nspname = 'public' and relkind in ('r', 'p') and not relispartition order by relname`,
    )
    expect(rows.map(({ name }) => name)).toEqual([...TABLES, 'schema_steps', 'writers'].sort())
    expect((await client.query('select step from schema_steps')).rows).toEqual(
      MIGRATIONS.map((_, i) => ({ step: i + 1 })),
    )
    expect(await migrateDatabase(url)).toBe(0)
  })

  test('is as docs/schema.sql shows it', async () => {
    const { url, drop } = await openDatabase()
    closing.push(drop)
    await migrateDatabase(url)
    const shown = readFileSync(new URL('../../docs/schema.sql', import.meta.url), 'utf8')
    expect(await describeSchema(await connected(url)), 'run node scripts/schema.mjs').toBe(shown)
  })

  test('that was made by a newer Granary is refused and not touched', async () => {
    const { url, drop } = await openDatabase()
    closing.push(drop)
    expect(await migrateDatabase(url)).toBe(MIGRATIONS.length)
    const client = await connected(url)
    await client.query(`insert into schema_steps (step) values (${MIGRATIONS.length + 1})`)
    const sentence = `the database was written by a newer Granary (schema ${MIGRATIONS.length + 1}, this one knows ${MIGRATIONS.length}): upgrade, or use another database`
    await expect(PostgresStore.open(url)).rejects.toThrow(sentence)
    await expect(migrateDatabase(url)).rejects.toThrow(sentence)
  })
})

describe('a process of the first version', () => {
  test('shares the database with one of this version, which has migrated it meanwhile', async () => {
    const { url, drop } = await openDatabase()
    closing.push(drop)
    const client = await connected(url)
    await makeSchema(client, 1)
    await client.query(`insert into customers (uid, env, id, metadata, send_email_receipts, shares_with_entities, clock_ahead, created_at)
        values ('cus_alice', 'sandbox', 'alice', '{}', 0, 0, 0, ${AT});
      insert into customer_states select key, uid, 1, ${AT}, 0 from customers`)
    const older = await openOlderProcess(url)
    closing.push(() => older.close())
    const use = (expected: number, postingsBefore: number, keys: string[] = []) =>
      older.commit(AT, [{ env: 'sandbox', uid: 'cus_alice', expected, postingsBefore, keys }])
    expect(await use(1, 0)).toBe('c')

    const store = await another(url)
    const ours = (expected: number, postingsBefore: number, claims: string[] = []) => {
      const rows = { postingsBefore, postings: [posting('cus_ent_1', '1')], keys: claims.map((key) => record(key)) }
      return commit(store, { ...changed(alice, expected, rows), claims })
    }
    expect(await ours(1, 0)).toEqual(['conflict'])
    expect(await ours(2, 1, ['k1'])).toEqual(['committed 3'])
    expect(await use(2, 1)).toBe('x')
    expect(await use(3, 2, ['k1'])).toBe('k')
    expect(await use(3, 2, ['k2'])).toBe('c')
    expect(await ours(4, 3, ['k2'])).toEqual(['known k2="older"'])
    expect(await find(store, 'alice')).toMatchObject({ version: 4, postings: 3 })
    expect(await store.ledger('cus_alice')).toHaveLength(3)
  })

  test('and one of this version never wait for each other in a circle', async () => {
    const { store, url, column } = await opened()
    const people = Array.from({ length: 12 }, (_, i) => person(`p${i}`))
    await commit(store, ...people.map((one) => added(one)))
    const older = await openOlderProcess(url)
    closing.push(() => older.close())
    const random = chance(seedOfRun())
    const some = () => people.filter(() => random() < 0.6).sort(() => random() - 0.5)
    const seen = async () => {
      const all = await store.load(people.map(({ id }) => ({ env: 'sandbox', id: id ?? '' })))
      return new Map(all.flatMap((one) => (one === null ? [] : [[one.holdings.customer.uid, one] as const])))
    }
    const deadlocks = 'select deadlocks from pg_stat_database where datname = current_database()'
    const before = await column(deadlocks)
    let posted = 0
    for (let round = 0; round < 60; round++) {
      const now = await seen()
      const [theirs, mine] = await Promise.all([
        older.commit(
          AT,
          some().map(({ env, uid }) => {
            const stored = now.get(uid)
            return { env, uid, expected: stored?.version ?? 0, postingsBefore: stored?.holdings.postings ?? 0 }
          }),
        ),
        commit(
          store,
          ...some().map((one) => {
            const stored = now.get(one.uid)
            const postings = { postingsBefore: stored?.holdings.postings ?? 0, postings: [posting('cus_ent_1', '1')] }
            return changed(one, stored?.version ?? 0, postings)
          }),
        ),
      ])
      expect(theirs).toMatch(/^[cx]*$/)
      posted += theirs.replaceAll('x', '').length + mine.filter((one) => one !== 'conflict').length
    }
    expect(await column(deadlocks)).toEqual(before)
    expect(await column('select count(*)::integer from postings')).toEqual([posted])
  })
})

describe('the versions', () => {
  test('are told of the catalogues and of every customer, by any of its names, one answer per question', async () => {
    const { store } = await opened()
    const nobody = stranger('x', 'Eve@example.com')
    const references = [
      { env: 'sandbox', id: 'alice' },
      { env: 'live', id: 'alice' },
      { env: 'sandbox', id: claimOf('eve@EXAMPLE.com') },
      { env: 'sandbox', id: 'cus_alice' },
      { env: 'sandbox', id: 'eve@example.com' },
      { env: 'sandbox', id: 'alice' },
    ] as const
    const none = { catalogues: { sandbox: 0, live: 0 }, customers: references.map(() => null) }
    expect(await store.versions(references)).toEqual(none)
    await commit(store, added(alice), added(nobody), added(person('alice', { uid: 'cus_live', env: 'live' })))
    await commit(store, changed(alice, 1, {}))
    await store.changeCatalogue(change(0, { env: 'live', written: feature('messages') }))
    const [mine, live, hers] = [
      { uid: 'cus_alice', version: 2 },
      { uid: 'cus_live', version: 1 },
      { uid: 'cus_x', version: 1 },
    ]
    expect(await store.versions(references)).toEqual({
      catalogues: { sandbox: 0, live: 1 },
      customers: [mine, live, hers, mine, null, mine],
    })
    expect(await store.versions([])).toEqual({ catalogues: { sandbox: 0, live: 1 }, customers: [] })
  })

  test('follow a name to whoever has it now', async () => {
    const { store } = await opened()
    await commit(store, added(alice))
    const second = person('alice', { uid: 'cus_second' })
    await commit(store, gone(alice, 1), added(second))
    const asked = [{ env: 'sandbox', id: 'alice' } as const, { env: 'sandbox', id: 'cus_alice' } as const]
    expect((await store.versions(asked)).customers).toEqual([{ uid: 'cus_second', version: 1 }, null])
  })
})

describe('two stores on one database', () => {
  test('see what the other has committed, and conflict where they did not know it', async () => {
    const { store, url } = await opened()
    const other = await another(url)
    await commit(store, added(alice, { written: [grantOf('cus_ent_1')] }))
    expect(await find(other, 'alice')).toMatchObject({ version: 1, balances: [{ uid: 'cus_ent_1' }] })
    expect(await commit(other, changed(alice, 1, { customer: { ...alice, name: 'other' } }))).toEqual(['committed 2'])
    expect(await commit(store, changed(alice, 1, { customer: { ...alice, name: 'mine' } }))).toEqual(['conflict'])
    expect(await find(store, 'alice')).toMatchObject({ version: 2, customer: { name: 'other' } })
  })

  test('that change one customer at the same time: one of them does', async () => {
    const { store, url } = await opened()
    const stores = [store, await another(url)]
    await commit(store, added(alice))
    for (let version = 1; version <= 50; version++) {
      const rows = { postingsBefore: version - 1, postings: [posting('cus_ent_1', '1')] }
      const results = await Promise.all(stores.map((one) => commit(one, changed(alice, version, rows))))
      expect(results.flat().sort()).toEqual([`committed ${version + 1}`, 'conflict'])
    }
    expect(await store.ledger('cus_alice')).toHaveLength(50)
  })

  test('that add a customer of one name at the same time: one of them does', async () => {
    const { store, url } = await opened()
    const stores = [store, await another(url)]
    for (let round = 0; round < 30; round++) {
      const results = await Promise.all(
        stores.map((one, i) => commit(one, added(person(`name${round}`, { uid: `cus_${round}_${i}` })))),
      )
      expect(results.flat().sort()).toEqual(['committed 1', 'id_taken'])
    }
  })

  test('know whether the other has written lately, also when it only lost', async () => {
    const { store, url, column } = await opened()
    const other = await another(url)
    const long = () => column("update writers set settled_at = settled_at - interval '1 minute'")
    await commit(store, added(alice))
    await long()
    await commit(store, changed(alice, 1, {}))
    // Its own writers do not count, and it has two of them.
    await Promise.all([commit(store, changed(alice, 2, {})), commit(store, added(bob))])
    expect(store.alone()).toBe(true)
    expect(await commit(other, changed(alice, 1, {}))).toEqual(['conflict'])
    expect(other.alone()).toBe(false)
    await commit(store, changed(bob, 1, {}))
    expect(store.alone()).toBe(false)
    await long()
    await commit(store, changed(bob, 2, {}))
    expect(store.alone()).toBe(true)
  })

  test('know each other’s idempotency keys', async () => {
    const { store, url } = await opened()
    const other = await another(url)
    await commit(store, added(alice, { keys: [record('k1', '{"a":1}')] }))
    const again = [{ ...changed(alice, 1, {}), claims: ['k1'] }]
    expect((await other.commit({ at: AT, changes: again })).map(worded)).toEqual(['known k1={"a":1}'])
    expect(worded(await other.changeCatalogue(change(0, { claims: ['k1'] })))).toBe('known k1={"a":1}')
  })

  test('that change the catalogue at the same time: one of them does, and no commit relies on the one before', async () => {
    const { store, url } = await opened()
    const stores = [store, await another(url)]
    await commit(store, added(alice))
    for (let version = 0; version < 20; version++) {
      const [first, second, used] = await Promise.all([
        ...stores.map((one, i) => one.changeCatalogue(change(version, { written: feature(`f${version}_${i}`) }))),
        commit(store, added(person(`c${version}`), { catalogue: version + 1 })),
      ])
      expect([first, second].map((one) => worded(one as never)).sort()).toEqual([
        `committed ${version + 1}`,
        'conflict',
      ])
      // Before or after the change, and then seen by it.
      expect(['conflict', 'committed 1']).toContain((used as string[])[0])
    }
    expect((await store.loadCatalogue('sandbox')).features).toHaveLength(20)
  })

  test.each([
    ['changes', null],
    ['renames', { name: 'another' }],
  ])('lock customers in the order of their keys, where a batch only %s them', async (_label, renamed) => {
    const { store, url, column } = await opened()
    const people = Array.from({ length: 3 }, (_, i) => person(`p${i}`))
    for (const one of people) await commit(store, added(one))
    const holder = await connected(url)
    await holder.query("begin; select from customer_states where uid = 'cus_p0' for update")
    const backwards = [...people].reverse().map((one) => {
      const customer = renamed === null ? null : { ...one, ...renamed }
      return changed(one, 1, { customer, written: [grantOf('cus_ent_1')] })
    })
    const committing = commit(store, ...backwards)
    const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%granary_commit%'"
    await until(async () => ((await column(waiting)).length > 0 ? true : undefined))
    // Whoever waits for the first one holds none of the others.
    const free = "select uid from customer_states where uid <> 'cus_p0' order by uid for update nowait"
    expect(await column(free)).toEqual(['cus_p1', 'cus_p2'])
    await holder.query('commit')
    expect(await committing).toEqual(['committed 2', 'committed 2', 'committed 2'])
  })

  test('never wait for each other in a circle, whatever their batches have in common', async () => {
    const { store, url, column } = await opened()
    const stores = [store, await another(url)]
    const random = chance(seedOfRun())
    const pick = (below: number) => Math.floor(random() * below)
    let created = 0
    const committed = new Map<string, number>()

    /** Someone who is there is changed, renamed or deleted at the version that was seen; others are added. */
    const any = async (one: PostgresStore): Promise<CustomerChange[]> => {
      // Batches in which nobody is added, renamed or deleted lock in a way of their own.
      const plain = random() < 0.5
      const names = [...new Set(Array.from({ length: 1 + pick(12) }, () => `name${pick(16)}`))]
      const seen = await one.load(names.map((id) => ({ env: 'sandbox', id })))
      return seen.flatMap((stored, i): CustomerChange[] => {
        if (stored === null) return plain ? [] : [added(person(names[i] ?? '', { uid: `cus_${created++}` }))]
        const { customer } = stored.holdings
        const [version, choice] = [stored.version, plain ? 1 : random()]
        if (choice < 0.1) return [gone(customer, version)]
        const renamed: Customer | null = choice < 0.3 ? { ...customer, id: `name${pick(16)}` } : null
        const rows = { postingsBefore: stored.holdings.postings, postings: [posting('cus_ent_1', '1')] }
        return [changed(customer, version, { customer: renamed, written: [grantOf('cus_ent_1')], ...rows })]
      })
    }
    const work = async (one: PostgresStore) => {
      for (let batch = 0; batch < 50; batch++) {
        const changes = await any(one)
        const results = await one.commit({ at: AT, changes })
        for (const [i, result] of results.entries()) {
          const { uid = '', rows = null } = changes[i] ?? {}
          if (result.kind !== 'committed' || rows === null) continue
          if (rows.deleted) committed.delete(uid)
          else committed.set(uid, (committed.get(uid) ?? 0) + 1)
        }
      }
    }
    const deadlocks = 'select deadlocks from pg_stat_database where datname = current_database()'
    const before = await column(deadlocks)
    await Promise.all([...stores, ...stores].map(work))
    expect(await column(deadlocks)).toEqual(before)
    const stored = await column('select json_object_agg(uid, version) from customer_states')
    expect(stored).toEqual([Object.fromEntries(committed)])
    // One posting per version after the first, or the version was not what it said it was.
    const wrong =
      'select uid from customer_states s where version <> 1 + (select count(*) from postings where customer = s.customer)'
    expect(await column(wrong)).toEqual([])
  })
})

describe('a commit whose connection is lost', () => {
  async function wired(options: PostgresOptions = {}) {
    const open = await opened()
    await commit(open.store, added(alice))
    const cutter = await openCutter(open.url)
    closing.push(() => cutter.close())
    const store = await another(cutter.url, options)
    // So that there is a connection already.
    await commit(store, changed(bob, 1, {}))
    return { ...open, open, cutter, store }
  }
  const use = changed(alice, 1, { postings: [posting('cus_ent_1', '1')], events: [event('evt_1')] })

  test.each(['before the question', 'after the question', 'before the answer'] as const)(
    '%s has taken effect once, and says so',
    async (how) => {
      const { store, cutter, open } = await wired()
      cutter.cut(how, 'granary_commit')
      expect(await commit(store, use)).toEqual(['committed 2'])
      expect(cutter.cuts).toBe(1)
      expect(await find(open.store, 'alice')).toMatchObject({ version: 2, postings: 1 })
      expect(await open.store.ledger('cus_alice')).toHaveLength(1)
      expect(await open.store.listEvents({ env: 'sandbox', offset: 0, limit: 9 })).toHaveLength(1)
    },
  )

  test.each(['before the question', 'before the answer'] as const)(
    'of a change of the catalogue, %s, says what became of it',
    async (how) => {
      const { store, cutter } = await wired()
      await store.changeCatalogue(change(0, {}))
      cutter.cut(how, 'granary_catalogue')
      expect(worded(await store.changeCatalogue(change(1, { written: feature('messages') })))).toBe('committed 2')
      expect(cutter.cuts).toBe(1)
      expect(await store.loadCatalogue('sandbox')).toMatchObject({ version: 2, features: [{ id: 'messages' }] })
    },
  )

  test('keeps its known keys and conflicts', async () => {
    const { store, cutter } = await wired()
    await commit(store, added(bob, { keys: [record('k1')] }))
    cutter.cut('before the answer', 'granary_commit')
    const changes = [{ ...changed(bob, 1, {}), claims: ['k1'] }, changed(alice, 9, {}), use]
    expect((await store.commit({ at: AT, changes })).map(worded)).toEqual(['known k1=yes', 'conflict', 'committed 2'])
    expect(cutter.cuts).toBe(1)
  })

  test('and that the server still works at is given up: it does not take effect later as well', async () => {
    const { store, cutter, url, open } = await wired()
    const holder = await connected(url)
    await holder.query("begin; select from customer_states where uid = 'cus_alice' for update")
    cutter.cut('after the question', 'granary_commit')
    const committing = commit(store, use)
    // The one that is lost and the one that comes in its place.
    const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%granary_commit%'"
    await until(async () => ((await open.column(waiting)).length >= 2 ? true : undefined))
    await holder.query('commit')
    expect(await committing).toEqual(['committed 2'])
    await until(async () => ((await open.column(waiting)).length === 0 ? true : undefined))
    expect(await find(open.store, 'alice')).toMatchObject({ version: 2, postings: 1 })
    expect(await open.store.ledger('cus_alice')).toHaveLength(1)
  })

  test('because an administrator ended it while it waited is done again', async () => {
    const { store, url, open } = await wired()
    const holder = await connected(url)
    await holder.query("begin; select from customer_states where uid = 'cus_alice' for update")
    const committing = commit(store, use)
    const find1 = "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%granary_commit%'"
    const pid = await until(async () => (await open.column(find1))[0])
    await open.column('select pg_terminate_backend($1)', [pid])
    await until(async () => {
      const [next] = await open.column(find1)
      return next === undefined || next === pid ? undefined : true
    })
    await holder.query('commit')
    expect(await committing).toEqual(['committed 2'])
    expect(await open.store.ledger('cus_alice')).toHaveLength(1)
  })

  test('for good has an unknown outcome, and nothing else has', async () => {
    const { store, cutter } = await wired({ unknownAfter: 50 })
    cutter.cut('before the answer', 'granary_commit')
    const committing = store.commit({ at: AT, changes: [use] })
    cutter.sever()
    await expect(committing).rejects.toThrow(OutcomeUnknown)
    // Now there is nobody who could be asked, so nothing is.
    const refused = await store.commit({ at: AT, changes: [use] }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Error)
    expect(refused).not.toBeInstanceOf(OutcomeUnknown)
    cutter.mend()
    const [result] = await commit(store, changed(alice, 1, {}))
    expect(['committed 2', 'conflict']).toContain(result)
  })
})

describe('a server', () => {
  let started: Server | undefined
  afterAll(() => started?.remove())

  async function own() {
    started ??= await startServer()
    const { url } = await openDatabaseOn(started.url())
    return { server: started, store: await another(url) }
  }

  test('that was stopped and started again is found again by itself', async () => {
    const { server, store } = await own()
    await commit(store, added(alice, { written: [grantOf('cus_ent_1')] }))
    await Promise.all(Array.from({ length: 8 }, () => find(store, 'alice')))
    await server.stop()
    await expect(store.load([{ env: 'sandbox', id: 'alice' }])).rejects.toThrow()
    await expect(commit(store, changed(alice, 1, {}))).rejects.not.toThrow(OutcomeUnknown)
    await server.start()
    expect(await find(store, 'alice')).toMatchObject({ version: 1, balances: [{ uid: 'cus_ent_1' }] })
    expect(await commit(store, changed(alice, 1, {}))).toEqual(['committed 2'])
  })

  test('that crashed has lost nothing that was acknowledged, and who asks next notices nothing', async () => {
    const { server, store } = await own()
    await commit(store, added(alice, { postings: [posting('cus_ent_1', '1')] }))
    await Promise.all(Array.from({ length: 8 }, () => find(store, 'alice')))
    await server.kill()
    await server.start()
    const [results, versions] = await Promise.all([
      commit(store, changed(alice, 1, { postingsBefore: 1, postings: [posting('cus_ent_1', '2')] })),
      store.versions([{ env: 'sandbox', id: 'cus_alice' }]),
    ])
    expect(results).toEqual(['committed 2'])
    expect(versions.customers[0]?.uid).toBe('cus_alice')
    expect(await store.ledger('cus_alice')).toEqual([posting('cus_ent_1', '1'), posting('cus_ent_1', '2')])
  })

  test('that does not flush to the disk is warned of, and another is not', async () => {
    const { server } = await own()
    const warnings: string[] = []
    const { url } = await openDatabaseOn(server.url())
    const onWarning = (message: string) => warnings.push(message)
    await another(url, { onWarning })
    expect(warnings).toEqual([])
    const client = await connected(url)
    await client.query('alter system set fsync = off')
    await server.stop()
    await server.start()
    await another(url, { onWarning })
    expect(warnings).toEqual([expect.stringContaining('fsync off')])
  })

  test('that cannot be reached is an error that does not tell the password', async () => {
    const url = 'postgres://someone:secret@127.0.0.1:1/granary'
    const error = await PostgresStore.open(url).catch((one: unknown) => one)
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).not.toContain('secret')
  })
})

describe('partitions', () => {
  const partitions = (open: OpenedPostgres, table: string) =>
    open.column(`select inhrelid::regclass::text from pg_inherits where inhparent = $1::regclass order by 1`, [table])

  test('are there before they are needed, for this day and month and the next', async () => {
    const open = await brandNew()
    const [now, month] = [new Date(), (date: Date) => `events_${date.toISOString().slice(0, 7).replace('-', '_')}`]
    const next = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1))
    const day = Math.floor(now.getTime() / DAY)
    expect(await partitions(open, 'events')).toEqual([month(now), month(next)])
    expect(await partitions(open, 'idempotency')).toEqual([`idempotency_${day}`, `idempotency_${day + 1}`])
  })

  test('are made for any time, by two stores at once too', async () => {
    const open = await brandNew()
    const stores = [open.store, await another(open.url)]
    const far = Date.UTC(2041, 11, 31, 23, 59, 59, 999)
    const results = await Promise.all(
      stores.map((store, i) => {
        const one = added(person(`c${i}`), { events: [event('evt_1', { recordedAt: far })], keys: [record(`k${i}`)] })
        return store.commit({ at: far, changes: [one] })
      }),
    )
    expect(results.flat().map(worded)).toEqual(['committed 1', 'committed 1'])
    expect(await partitions(open, 'events')).toContain('events_2041_12')
    await until(async () => ((await partitions(open, 'events')).includes('events_2042_01') ? true : undefined))
    expect(await open.store.listEvents({ env: 'sandbox', offset: 0, limit: 9 })).toHaveLength(2)
  })

  test('of keys go when the keys are forgotten; those of events stay', async () => {
    const open = await brandNew()
    const { store } = open
    const rows = { events: [event('evt_1')], keys: [record('k1')] }
    await store.commit({ at: AT, changes: [added(alice, rows)] })
    const day = Math.floor(AT / DAY)
    expect(await partitions(open, 'idempotency')).toContain(`idempotency_${day}`)
    const known = async (at: number) =>
      (await store.commit({ at, changes: [{ env: 'sandbox', uid: '', claims: ['k1'], rows: null }] })).map(worded)
    expect(await known(AT + DAY)).toEqual(['known k1=yes'])
    expect(await known(AT + 2 * DAY)).toEqual(['committed 0'])
    await until(async () => ((await partitions(open, 'idempotency')).includes(`idempotency_${day}`) ? undefined : true))
    expect(await store.listEvents({ env: 'sandbox', offset: 0, limit: 9 })).toHaveLength(1)
    // A process whose clock is behind finds no place for its keys any more, and makes one.
    const other = await another(open.url)
    expect(
      (await store.commit({ at: AT, changes: [changed(alice, 1, { keys: [record('k2')] })] })).map(worded),
    ).toEqual(['committed 2'])
    expect(await commit(other, { env: 'sandbox', uid: '', claims: ['k2'], rows: null })).toEqual(['known k2=yes'])
  })
})

describe('what a deleted customer leaves', () => {
  const OWNED = ['attachments', 'balances', 'entities', 'events', 'postings', 'refunds']
  const left = async (open: OpenedPostgres) => {
    const counts = OWNED.map((table) => `(select count(*)::integer from ${table})`)
    return (await open.column(`select array[${counts.join(', ')}]`))[0]
  }
  const cleared = (open: OpenedPostgres) =>
    until(async () => ((await open.column('select 1 from deletions')).length === 0 ? true : undefined))

  test('is cleared away, and nothing else is', async () => {
    const open = await opened()
    await commit(open.store, added(alice, large(1200)), added(bob, large(3)))
    await commit(open.store, gone(alice, 1))
    await cleared(open)
    expect(await left(open)).toEqual([3, 3, 3, 3, 3, 1])
    expect(await find(open.store, 'bob')).toMatchObject({ balances: { length: 3 }, entities: { length: 3 } })
  })

  test('is cleared away by the next start when the process ends before, also by several at once', async () => {
    const open = await opened()
    await commit(open.store, added(alice, large(3000)), added(bob, large(1000)))
    await Promise.all([commit(open.store, gone(alice, 1), gone(bob, 1)), open.reopen()])
    await Promise.all([another(open.url), another(open.url)])
    await cleared(open)
    expect(await left(open)).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('is anonymised from where it was left off by the next start, also by several at once and of an older version', async () => {
    const open = await opened()
    await open.store.retain({ ...USUAL_RETENTION, deletedCustomers: 'anonymise' })
    const events = large(3000).events.map((one) => ({ ...one, entity: 'desk', properties: { a: 1 } }))
    await commit(open.store, added(alice, { ...large(3000), events }))
    await Promise.all([commit(open.store, gone(alice, 1)), open.reopen()])
    await open.column('select granary_clear_1(500)')
    await Promise.all([another(open.url), another(open.url)])
    await cleared(open)
    const telling = 'select count(*)::integer from events where properties is not null or entity is not null'
    expect(await open.column(telling)).toEqual([0])
    // Attachments, balances, entities, events, postings, refunds.
    expect(await left(open)).toEqual([0, 0, 0, 3000, 3000, 0])
    expect(await open.column('select anonymised from former_customers')).toEqual([1])
  })

  test('is never found under the key of someone else: no key is used twice', async () => {
    const open = await opened()
    const keys: unknown[] = []
    for (let i = 0; i < 5; i++) {
      const one = person('alice', { uid: `cus_${i}` })
      await commit(open.store, added(one, large(2)))
      keys.push(...(await open.column('select key from customers')))
      await commit(open.store, gone(one, 1))
    }
    expect(new Set(keys).size).toBe(5)
  })
})

test('everything is there again after closing and opening', async () => {
  const open = await opened()
  const { store } = open
  await store.changeCatalogue(change(0, { written: feature('messages'), clockAhead: 99, keys: [record('k0')] }))
  await store.addKey({ hash: 'h', env: 'live', createdAt: AT })
  const rows = {
    catalogue: 1,
    entitiesWritten: [seat('desk'), seat(null)],
    written: [grantOf('cus_ent_1', { seats: 2 }), grantOf('cus_ent_2', { entity: 'ent_desk' })],
    events: [event('evt_1', { entity: 'desk', properties: { 'nul \u0000': '\u0000 "\\' } })],
    postings: [posting('cus_ent_1', '100'), posting('cus_ent_2', '50', { entity: 'ent_desk' })],
    keys: [record('k1', '{"text":"nul \\u0000 {\\"a,b\\"}"}')],
  }
  await commit(store, added({ ...alice, name: 'NULL', metadata: { 'nul \u0000': ['{}', 'a,b'] } }, rows))
  const state = async () => ({
    alice: await find(open.store, 'alice'),
    ledger: await open.store.ledger('cus_alice'),
    events: await open.store.listEvents({ env: 'sandbox', offset: 0, limit: 9 }),
    catalogue: await open.store.loadCatalogue('sandbox'),
    keys: await open.store.loadKeys(),
    known: await commit(open.store, { env: 'sandbox', uid: '', claims: ['k0', 'k1'], rows: null }),
  })
  const before = await state()
  expect(before.ledger).toEqual(rows.postings)
  expect(before.events).toEqual([{ ...rows.events[0], customerId: 'alice' }])
  expect(before.alice?.customer).toMatchObject({ name: 'NULL', metadata: { 'nul \u0000': ['{}', 'a,b'] } })
  expect(before.known).toEqual(['known k0=yes k1={"text":"nul \\u0000 {\\"a,b\\"}"}'])
  await open.reopen()
  expect(await state()).toEqual(before)
})

test.each([3, 4, 5])('%i connections are enough for aggregates too, however many at once', async (connections) => {
  const { url, store: other } = await opened()
  const store = await another(url, { connections })
  await commit(other, added(alice, { events: [event('evt_1'), event('evt_2', { value: -1n })] }))
  const query = { env: 'sandbox', names: ['messages'], properties: [], from: AT, to: AT, bins: [AT] } as const
  const ask = (patience = 5000) =>
    store.aggregateEvents({ ...query, groupBy: null, mostGroups: 9, deductions: false, patience })
  const [answer, ...others] = await Promise.all(Array.from({ length: 20 }, () => ask()))
  expect(answer).toMatchObject({ uses: [{ bin: 0, name: 'messages', group: null, events: 2 }], deductions: [] })
  for (const one of others) expect(one).toEqual(answer)
})

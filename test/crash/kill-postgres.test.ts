import { setTimeout as after } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { openBooks } from '../../src/store/postgres/books.ts'
import { PostgresStore } from '../../src/store/postgres/postgres.ts'
import type { Store } from '../../src/store/store.ts'
import { openDatabaseOn, type Server, startServer } from '../postgres/server.ts'
import { cleanUp, type Granary } from '../process/granary.ts'
import { KEY, serveOn } from '../process/together.ts'
import { chance, seedOfRun } from './chance.ts'
import { runCourse, type Servers } from './load.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const KILLS = LONG ? 200 : 20
/** Every so many kills it is the database server that is killed. */
const SERVER_EVERY = 5

afterEach(cleanUp)

test(`${KILLS} times kill -9 of one of two processes or of PostgreSQL under load: what was acknowledged is there exactly once`, {
  timeout: 60_000 + KILLS * 6_000,
}, async () => {
  const server = await startServer()
  try {
    const servers = await openServers(server)
    const random = chance(seedOfRun())
    await runCourse({ name: 'PostgreSQL', servers, key: KEY, kills: KILLS, lookEvery: LONG ? 10 : 2, random })
    await servers.close()
    expect(server.log()).not.toContain('deadlock detected')
  } finally {
    await cleanUp()
    await server.remove()
  }
})

async function openServers(server: Server): Promise<Servers & { close(): Promise<void> }> {
  const { url } = await openDatabaseOn(server.url())
  const store = await PostgresStore.open(url)
  // Under a name of its own each, so that it can be told whose connections are still there.
  const names = ['first', 'second']
  const urlOf = (name: string) => Object.assign(new URL(url), { username: name }).href
  for (const name of names) await ask(url, `create role ${name} superuser login`)
  const granaries = new Map<string, Granary>()
  const serve = async (name: string) => granaries.set(name, await serveOn(urlOf(name)))
  for (const name of names) await serve(name)
  let kills = 0
  let killed: string | null = null

  return {
    urls: () => [...granaries.values()].map((granary) => granary.url),
    async kill() {
      kills += 1
      if (kills % SERVER_EVERY === 0) {
        await server.kill()
        await server.start()
        return
      }
      killed = names[kills % names.length] ?? ''
      await granaries.get(killed)?.end('SIGKILL')
    },
    async restart() {
      if (killed !== null) await serve(killed)
      killed = null
      await Promise.all([...granaries.values()].map(untilReady))
    },
    async look(work: (store: Store) => Promise<void>) {
      // What a killed process has asked for may still be under way.
      const left = `select count(*)::int as count from pg_stat_activity where usename = '${killed}'`
      while ((await ask<{ count: number }>(url, left))[0]?.count !== 0);
      await Promise.all([...granaries].map(([name, granary]) => (name === killed ? null : untilReady(granary))))
      await work(store)
    },
    books: () => openBooks(url),
    close: () => store.close(),
  }
}

async function untilReady({ url }: Granary): Promise<void> {
  while ((await fetch(`${url}/ready`)).status !== 200) await after(10)
}

async function ask<T extends object>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query<T>(sql).finally(() => client.end())
  return rows
}

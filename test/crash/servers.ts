import { setTimeout as after } from 'node:timers/promises'
import pg from 'pg'
import { openBooks as openDatabaseBooks } from '../../src/store/postgres/books.ts'
import { PostgresStore } from '../../src/store/postgres/postgres.ts'
import { openBooks } from '../../src/store/sqlite/books.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import type { Books, Store } from '../../src/store/store.ts'
import { openDatabaseOn, type Server } from '../postgres/server.ts'
import { type Granary, newFolder, start } from '../process/granary.ts'
import { KEY, serveOn } from '../process/together.ts'

/** Servers on one store: requests go to any of them. */
export interface Servers {
  /** That opens all of them. */
  readonly key: string
  /** Where they listen now. */
  urls(): readonly string[]
  /** Kills something, and resolves when it is gone. */
  kill(): Promise<unknown>
  /** Everything is there again, and ready. */
  restart(): Promise<void>
  /** Looks at what is kept, while nothing is asked and before what was killed is there again. */
  look(work: (store: Store) => Promise<void>): Promise<void>
  /** All that is kept, for proving it. */
  books(): Books | Promise<Books>
  close(): Promise<void>
}

/** One process on a folder of its own. */
export async function serveFolder(): Promise<Servers> {
  const folder = newFolder()
  let granary = await start(folder)
  return {
    key: granary.key,
    urls: () => [granary.url],
    kill: () => granary.end('SIGKILL'),
    async restart() {
      granary = await start(folder)
    },
    async look(work) {
      const store = await SqliteStore.open(folder)
      await work(store).finally(() => store.close())
    },
    books: () => openBooks(folder),
    close: async () => undefined,
  }
}

/** Every so many kills it is the database server that is killed. */
const SERVER_EVERY = 5

/** Two processes on a database of its own; one after the other is killed, and now and then the database server. */
export async function serveDatabase(server: Server): Promise<Servers> {
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
    key: KEY,
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
    async look(work) {
      // What a killed process has asked for may still be under way.
      const left = `select count(*)::int as count from pg_stat_activity where usename = '${killed}'`
      while ((await ask<{ count: number }>(url, left))[0]?.count !== 0);
      await Promise.all([...granaries].map(([name, granary]) => (name === killed ? null : untilReady(granary))))
      await work(store)
    },
    books: () => openDatabaseBooks(url),
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

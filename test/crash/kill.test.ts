import { afterEach, test } from 'vitest'
import { openBooks } from '../../src/store/sqlite/books.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import { cleanUp, newFolder, start } from '../process/granary.ts'
import { chance, seedOfRun } from './chance.ts'
import { runCourse } from './load.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const KILLS = LONG ? 200 : 20

afterEach(cleanUp)

test(`${KILLS} times kill -9 under load: what was acknowledged is there exactly once`, {
  timeout: 60_000 + KILLS * 6_000,
}, async () => {
  const folder = newFolder()
  let granary = await start(folder)
  const servers = {
    urls: () => [granary.url],
    kill: () => granary.end('SIGKILL'),
    async restart() {
      granary = await start(folder)
    },
    async look(work: (store: SqliteStore) => Promise<void>) {
      const store = await SqliteStore.open(folder)
      await work(store).finally(() => store.close())
    },
    books: () => openBooks(folder),
  }
  const random = chance(seedOfRun())
  await runCourse({ name: 'SQLite', servers, key: granary.key, kills: KILLS, lookEvery: LONG ? 10 : 2, random })
})

import { afterEach, expect, test } from 'vitest'
import { startServer } from '../postgres/server.ts'
import { cleanUp } from '../process/granary.ts'
import { chance, seedOfRun } from './chance.ts'
import { runLockCourse } from './lock-load.ts'
import { serveDatabase, serveFolder } from './servers.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const KILLS = LONG ? 100 : 5
const OFTEN = { kills: KILLS, lookEvery: LONG ? 10 : 2 }
const TIME = { timeout: 60_000 + KILLS * 10_000 }

afterEach(cleanUp)

test(
  `${KILLS} times kill -9 while locks are opened and settled: each that was acknowledged is there once`,
  TIME,
  async () => {
    await runLockCourse({ name: 'SQLite', servers: await serveFolder(), random: chance(seedOfRun()), ...OFTEN })
  },
)

test(`${KILLS} times kill -9 of one of two processes or of PostgreSQL, with locks`, TIME, async () => {
  const server = await startServer()
  try {
    const servers = await serveDatabase(server)
    await runLockCourse({ name: 'PostgreSQL', servers, random: chance(seedOfRun()), ...OFTEN })
    await servers.close()
    expect(server.log()).not.toContain('deadlock detected')
  } finally {
    await cleanUp()
    await server.remove()
  }
})

import { afterEach, expect, test } from 'vitest'
import { startServer } from '../postgres/server.ts'
import { cleanUp } from '../process/granary.ts'
import { chance, seedOfRun } from './chance.ts'
import { runCourse } from './load.ts'
import { serveDatabase } from './servers.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const KILLS = LONG ? 200 : 20

afterEach(cleanUp)

test(`${KILLS} times kill -9 of one of two processes or of PostgreSQL under load: what was acknowledged is there exactly once`, {
  timeout: 60_000 + KILLS * 6_000,
}, async () => {
  const server = await startServer()
  try {
    const servers = await serveDatabase(server)
    const random = chance(seedOfRun())
    await runCourse({ name: 'PostgreSQL', servers, kills: KILLS, lookEvery: LONG ? 10 : 2, random })
    await servers.close()
    expect(server.log()).not.toContain('deadlock detected')
  } finally {
    await cleanUp()
    await server.remove()
  }
})

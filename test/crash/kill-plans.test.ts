import { afterEach, expect, test } from 'vitest'
import { startServer } from '../postgres/server.ts'
import { cleanUp } from '../process/granary.ts'
import { chance, seedOfRun } from './chance.ts'
import { runPlanCourse } from './plan-load.ts'
import { serveDatabase, serveFolder } from './servers.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const KILLS = LONG ? 100 : 3
/** The fifth is of the database server. */
const KILLS_OF_TWO = LONG ? 100 : 5
const TIME = { timeout: LONG ? 1_200_000 : 120_000 }
const lookEvery = LONG ? 10 : 2

afterEach(cleanUp)

test(`${KILLS} times kill -9 while plans are attached, switched and cancelled: each is there once`, TIME, async () => {
  const random = chance(seedOfRun())
  await runPlanCourse({ name: 'SQLite', servers: await serveFolder(), random, kills: KILLS, lookEvery })
})

test(`${KILLS_OF_TWO} times kill -9 of one of two processes or of PostgreSQL, with plans`, TIME, async () => {
  const server = await startServer()
  try {
    const servers = await serveDatabase(server)
    const random = chance(seedOfRun())
    await runPlanCourse({ name: 'PostgreSQL', servers, random, kills: KILLS_OF_TWO, lookEvery })
    await servers.close()
    expect(server.log()).not.toContain('deadlock detected')
  } finally {
    await cleanUp()
    await server.remove()
  }
})

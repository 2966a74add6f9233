import { afterEach, test } from 'vitest'
import { cleanUp } from '../process/granary.ts'
import { chance, seedOfRun } from './chance.ts'
import { runCourse } from './load.ts'
import { serveFolder } from './servers.ts'

const LONG = process.env['GRANARY_TEST_LONG'] === '1'
const KILLS = LONG ? 200 : 20

afterEach(cleanUp)

test(`${KILLS} times kill -9 under load: what was acknowledged is there exactly once`, {
  timeout: 60_000 + KILLS * 6_000,
}, async () => {
  const servers = await serveFolder()
  const random = chance(seedOfRun())
  await runCourse({ name: 'SQLite', servers, kills: KILLS, lookEvery: LONG ? 10 : 2, random })
})

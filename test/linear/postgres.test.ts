import { afterEach, expect, test } from 'vitest'
import { openBooks } from '../../src/store/postgres/books.ts'
import { expectBooksToBeProved } from '../ledger.ts'
import { openDatabase } from '../postgres/server.ts'
import { cleanUp, type Granary } from '../process/granary.ts'
import { KEY, serveOn, serveTogether } from '../process/together.ts'
import { runCourse } from './course.ts'
import type { Member } from './recorder.ts'

const KILLS = 4
/** Many short histories: whatever is never answered makes the search for an order longer from then on. */
const ROUNDS = process.env['GRANARY_TEST_LONG'] === '1' ? 6 : 1

afterEach(cleanUp)

test.each(Array.from({ length: ROUNDS }, (_, i) => i))(
  `history %i: 24 clients of two processes and ${KILLS} times kill -9: what each customer answered is what one operation after another would have`,
  { timeout: 180_000 },
  async (round) => {
    const { url, drop } = await openDatabase()
    const granaries = await serveTogether(url, 2)
    const members = granaries.map((granary, i): Member => {
      return {
        url: granary.url,
        kill: async () => (granaries[i] as Granary).end('SIGKILL'),
        async restart() {
          const again = await serveOn(url)
          granaries[i] = again
          return again.url
        },
      }
    })
    const operations = 600 * (KILLS + 1)
    await runCourse({
      name: 'PostgreSQL, two processes',
      members,
      key: KEY,
      customers: 24,
      operations,
      kills: KILLS,
      round,
    })
    for (const granary of granaries) expect((await granary.end('SIGTERM')).code).toBe(0)
    await expectBooksToBeProved(openBooks(url))
    await drop()
  },
)

import { afterEach, test } from 'vitest'
import { openBooks } from '../../src/store/sqlite/books.ts'
import { expectBooksToBeProved } from '../ledger.ts'
import { cleanUp, newFolder, start } from '../process/granary.ts'
import { runCourse } from './course.ts'

const KILLS = 3
/** Many short histories: whatever is never answered makes the search for an order longer from then on. */
const ROUNDS = process.env['GRANARY_TEST_LONG'] === '1' ? 6 : 1

afterEach(cleanUp)

test.each(Array.from({ length: ROUNDS }, (_, i) => i))(
  `history %i: 24 clients and ${KILLS} times kill -9: what each customer answered is what one operation after another would have`,
  { timeout: 180_000 },
  async (round) => {
    const folder = newFolder()
    let granary = await start(folder)
    const member = {
      url: granary.url,
      kill: () => granary.end('SIGKILL'),
      async restart() {
        granary = await start(folder)
        return granary.url
      },
    }
    const operations = 600 * (KILLS + 1)
    await runCourse({
      name: 'SQLite, one process',
      members: [member],
      key: granary.key,
      customers: 24,
      operations,
      kills: KILLS,
      round,
    })
    await granary.end('SIGTERM')
    await expectBooksToBeProved(openBooks(folder))
  },
)

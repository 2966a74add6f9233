// The application on a real store, in a process that ends as `kill -9` ends it, at its first commit: DIES says when,
// and DIES_AFTER how many milliseconds after it was begun where that is the question.
import { assemble } from '../../src/granary.ts'
import { serveHttp } from '../../src/http/server.ts'
import { PostgresStore } from '../../src/store/postgres/postgres.ts'
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts'
import type { Batch, Store } from '../../src/store/store.ts'

const { DATABASE_URL, GRANARY_DATA_DIR = '', GRANARY_SECRET_KEY = '', DIES, DIES_AFTER } = process.env

const store =
  DATABASE_URL === undefined ? await SqliteStore.open(GRANARY_DATA_DIR) : await PostgresStore.open(DATABASE_URL)
const { app, addKey } = await assemble({
  store: new Proxy<Store>(store, {
    get(target, name) {
      if (name === 'commit') return commit
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  }),
  clock: Date.now,
  idempotency: 'replay',
  reads: 'linearizable',
  onBroken: die,
  onFault: () => {},
})
await addKey(GRANARY_SECRET_KEY, 'sandbox')
const server = await serveHttp(app.handle, '127.0.0.1', 0)
process.stdout.write(`granary listening on ${server.url}\n`)

async function commit(batch: Batch) {
  if (DIES === 'before the commit') die()
  const committed = store.commit(batch)
  if (DIES === 'during the commit') {
    setTimeout(die, Number(DIES_AFTER))
    // Nobody is answered before.
    await new Promise(() => {})
  }
  const results = await committed
  process.stdout.write('committed\n')
  die()
  return results
}

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

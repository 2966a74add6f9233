import { once } from 'node:events'
import { createServer } from 'node:http'
import { type Server, startServer } from './server.ts'

/**
 * Once before all tests: hands out one PostgreSQL server to all of them. It is started for the first that asks, so that a
 * run that needs none waits for none.
 */
export default async function setup(): Promise<() => Promise<void>> {
  let started: Promise<Server> | undefined
  const door = createServer((_request, response) => {
    started ??= startServer()
    started.then(
      (server) => response.end(server.url()),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  door.listen(0, '127.0.0.1').unref()
  await once(door, 'listening')
  const address = door.address()
  if (typeof address === 'object') process.env['GRANARY_TEST_POSTGRES'] = `http://127.0.0.1:${address?.port}`
  return async () => {
    door.close()
    await started?.then(
      (server) => server.remove(),
      () => {},
    )
  }
}

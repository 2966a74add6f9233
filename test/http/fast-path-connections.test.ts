import { afterEach, expect, test, vi } from 'vitest'
import { type Echo, servingBoth, startEcho, turns } from './both-paths.ts'
import { head, Wire } from './socket.ts'

/** What becomes of connections on the fast path: those that wait, that go away, that do not read, that are to be closed. */
const both = servingBoth()

afterEach(() => {
  vi.useRealTimers()
})

const post = (path: string, body = '') => head(path, { 'content-length': body.length }) + body
const paths = ['on', 'off'] as const

/** @returns once the server has got what was sent before. */
async function arrived({ server }: Echo): Promise<void> {
  const wire = await Wire.open(server.url)
  for (let i = 0; i < 10; i++) {
    wire.send(post('/now'))
    await wire.reply()
  }
  wire.close()
}

async function ask(echo: Echo, ...pieces: string[]): Promise<Wire> {
  const wire = await Wire.open(echo.server.url)
  wire.send(...pieces)
  await arrived(echo)
  return wire
}

test('a client that sends no more still gets the answers to what it sent', async () => {
  const wire = await ask(both.on, post('/later', '1') + post('/held', '2') + post('/now', '3'))
  wire.socket.end()
  await arrived(both.on)
  both.on.release()
  expect((await wire.replies()).map(({ body }) => body.body)).toEqual(['1', '2', '3'])
})

test.each(paths)('a client that ends in the middle of a body is told so (%s)', async (path) => {
  const wire = await ask(both[path], post('/now', '1') + head('/now', { 'content-length': 10 }), 'half')
  wire.socket.end()
  expect((await wire.replies()).map(({ status }) => status)).toEqual([200, 400])
  expect(both[path].readBy.filter((_, i) => i > 0)).toHaveLength(10)
})

test('a client that ends in the middle of a body is told so after the answers before it', async () => {
  const wire = await ask(both.on, post('/held', '1') + head('/now', { 'content-length': 10 }), 'half')
  wire.socket.end()
  await arrived(both.on)
  both.on.release()
  expect((await wire.replies()).map(({ status }) => status)).toEqual([200, 400])
})

test('a client that goes away while it is worked for disturbs nobody', async () => {
  for (const leave of [(wire: Wire) => wire.close(), (wire: Wire) => wire.socket.resetAndDestroy()]) {
    const wire = await ask(both.on, post('/held') + post('/held') + head('/now', { 'content-length': 9 }), 'half')
    leave(wire)
    await wire.closed
    await arrived(both.on)
    both.on.release()
    both.on.release()
    await arrived(both.on)
  }
})

test('of requests that are sent ahead, only so many are worked on at once, and all are answered in their order', async () => {
  const count = 1000
  const wire = await ask(both.on, Array.from({ length: count }, (_, i) => post('/held', String(i))).join(''))
  expect(both.on.held).toBeGreaterThan(1)
  expect(both.on.held).toBeLessThan(200)
  for (let i = 0; i < count; i++) {
    while (both.on.held === 0) await turns(1)
    expect(both.on.held).toBeLessThan(200)
    both.on.release()
  }
  for (let i = 0; i < count; i++) expect((await wire.reply()).body.body).toBe(String(i))
  wire.close()
})

test('a client that does not read its answers is not worked for any more until it does', async () => {
  const count = 3000
  const wire = await Wire.open(both.on.server.url)
  wire.socket.pause()
  // Together some 300 MB of answers: no system takes that much in for somebody who does not read.
  wire.send(post('/large').repeat(count))
  await arrived(both.on)
  await arrived(both.on)
  const done = both.on.readBy.length
  expect(done).toBeLessThan(count / 2)
  wire.socket.resume()
  for (let i = 0; i < 200; i++) expect((await wire.reply()).status).toBe(200)
  expect(both.on.readBy.length).toBeGreaterThan(200)
  wire.close()
})

test('answers to requests that arrive together leave together', async () => {
  const wire = await Wire.open(both.on.server.url)
  const pieces: number[] = []
  wire.socket.on('data', (chunk) => pieces.push(chunk.length))
  wire.send(post('/now').repeat(20))
  for (let i = 0; i < 20; i++) await wire.reply()
  expect(pieces).toHaveLength(1)
  wire.close()
})

test.each(paths)('stopping closes idle connections at once, and others after their answer (%s)', async (path) => {
  const echo = both[path]
  const [fresh, idle, busy, half] = [
    await ask(echo),
    await ask(echo, post('/now')),
    await ask(echo, post('/held', 'busy')),
    await ask(echo, head('/now', { 'content-length': 4 })),
  ]
  const stopped = echo.server.stop(20_000)
  await Promise.all([fresh.closed, idle.closed])
  half.send('half')
  echo.release()
  for (const [wire, body] of [
    [busy, 'busy'],
    [half, 'half'],
  ] as const) {
    const [reply, ...others] = await wire.replies()
    expect(reply?.headers['connection']).toBe('close')
    expect(reply?.headers['keep-alive']).toBeUndefined()
    expect(reply?.body.body).toBe(body)
    expect(others).toEqual([])
  }
  await stopped
  await expect(Wire.open(echo.server.url)).rejects.toThrow('ECONNREFUSED')
})

test('stopping answers all that is under way on a connection, and begins nothing more', async () => {
  const wire = await ask(both.on, post('/held', '1') + post('/held', '2') + post('/now', '3'))
  const stopped = both.on.server.stop(20_000)
  wire.send(post('/now', '4'))
  await turns(3)
  both.on.release()
  both.on.release()
  const replies = await wire.replies()
  expect(replies.map(({ body, headers }) => [body.body, headers['connection']])).toEqual([
    ['1', 'keep-alive'],
    ['2', 'keep-alive'],
    ['3', 'close'],
  ])
  await stopped
})

test.each(paths)('stopping does not wait beyond its deadline (%s)', async (path) => {
  const wire = await ask(both[path], post('/held'))
  await both[path].server.stop(1)
  expect(await wire.replies()).toEqual([])
})

/** Lets the server's own clock run; the network keeps its own. */
async function pass(seconds: number): Promise<void> {
  vi.advanceTimersByTime(seconds * 1000)
  await turns(5)
}

test('a client that takes too long for a request is told so', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const echo = await startEcho('on')
  const silent = await ask(echo)
  const half = await ask(echo, post('/now') + head('/now', { 'content-length': 9 }), 'half')
  const working = await ask(echo, post('/held'))
  await half.reply()
  await pass(29)
  half.send('more')
  await arrived(echo)
  expect([silent, half, working].map(({ socket }) => socket.readyState)).toEqual(['open', 'open', 'open'])
  await pass(10)
  for (const wire of [silent, half]) {
    const replies = await wire.replies()
    expect(replies.map(({ status, headers }) => [status, headers])).toEqual([[408, { connection: 'close' }]])
  }
  // What takes long here is not the client's fault.
  echo.release()
  expect((await working.reply()).status).toBe(200)
  working.close()
  await echo.server.stop(0)
})

test('an idle connection is kept for longer than by a load balancer, and not for ever', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const echo = await startEcho('on')
  const wire = await ask(echo, post('/now'))
  await pass(70)
  wire.send(post('/now'))
  await arrived(echo)
  await pass(74)
  wire.send(post('/now'))
  for (let i = 0; i < 3; i++) expect((await wire.reply()).headers['keep-alive']).toBe('timeout=75')
  await pass(90)
  expect(await wire.replies()).toEqual([])
  await echo.server.stop(0)
})

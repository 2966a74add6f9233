import { afterEach, beforeEach } from 'vitest'
import { HEADERS_READ, type HttpRequest, type HttpResponse } from '../../src/http/app.ts'
import { type RunningServer, serveHttp } from '../../src/http/server.ts'
import { type RawReply, Wire } from './socket.ts'

/** A server that answers with what it was asked, and how it came to hear of it. */
export interface Echo {
  readonly server: RunningServer
  /** By whom each request was read. Only `node:http` passes on what the application never looks at, such as `host`. */
  readonly readBy: ('us' | 'node:http')[]
  /** Answers the oldest request to `/held` that waits. */
  release(): void
  /** How many requests to `/held` wait. */
  readonly held: number
}

export async function startEcho(fastPath: 'on' | 'off'): Promise<Echo> {
  const readBy: Echo['readBy'] = []
  const held: (() => void)[] = []
  const handle = (request: HttpRequest): HttpResponse | Promise<HttpResponse> => {
    const { 'user-agent': agent, host } = request.headers
    readBy.push(agent === undefined && host === undefined ? 'us' : 'node:http')
    const answer = answerTo(request)
    if (request.path === '/held') return new Promise((resolve) => held.push(() => resolve(answer)))
    if (request.path === '/later') return new Promise((resolve) => setImmediate(() => resolve(answer)))
    return answer
  }
  const server = await serveHttp(handle, '127.0.0.1', 0, fastPath)
  return {
    server,
    readBy,
    release: () => held.shift()?.(),
    get held() {
      return held.length
    },
  }
}

const LARGE = 'é'.repeat(50_000)

function answerTo({ method, path, query, headers, body }: HttpRequest): HttpResponse {
  const read = Object.fromEntries(HEADERS_READ.map((name) => [name, headers[name]]))
  const heard = { method, path, query, read, body: path === '/large' ? LARGE : body }
  const more = path === '/busy' ? { 'retry-after': '1' } : {}
  const status = path === '/busy' ? 429 : path === '/strange' ? 599 : 200
  return { status, headers: { 'content-type': 'application/json', ...more }, body: JSON.stringify(heard) }
}

/** For each test of the file: a server with the fast path and one without. */
export function servingBoth(): { readonly on: Echo; readonly off: Echo } {
  const both: { on: Echo; off: Echo } = { on: unstarted(), off: unstarted() }
  beforeEach(async () => {
    both.on = await startEcho('on')
    both.off = await startEcho('off')
  })
  afterEach(async () => {
    await Promise.all([both.on.server.stop(0), both.off.server.stop(0)])
  })
  return both
}

function unstarted(): Echo {
  const server: RunningServer = { url: '', stop: async () => undefined }
  return { server, readBy: [], release: () => undefined, held: 0 }
}

/** Turns of the event loop: in one, what was sent over this machine's network arrives. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** A request that asks for the end of the connection. */
export const LAST = Buffer.from(
  'POST /last HTTP/1.1\r\nhost: granary\r\nuser-agent: test\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
)

/**
 * Sends bytes in pieces, each of which arrives alone, and then the end of the stream. So the connection is closed whatever the
 * bytes were, and where the last of them are `LAST`, its answer tells that it was open until then.
 */
export async function answersTo({ server }: Echo, pieces: readonly Buffer[]): Promise<string[]> {
  const wire = await Wire.open(server.url)
  wire.socket.setNoDelay(true)
  await turns(3)
  for (const [i, piece] of pieces.entries()) {
    // Answers that come later have come by then, so that their order and that of the end are not by chance.
    if (i === pieces.length - 1) await turns(8)
    wire.send(piece)
    await turns(2)
  }
  await turns(8)
  wire.socket.end()
  return (await wire.replies()).map(comparable)
}

/** Without the clock, and without the order of the headers. */
function comparable({ status, headers, text }: RawReply): string {
  const lines = Object.entries(headers).map(([name, value]) => (name === 'date' ? 'date' : `${name}: ${value}`))
  return [status, ...lines.toSorted(), text].join('\n')
}

/** @param places where to cut; those outside of the bytes say nothing. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const inside = new Set(places.filter((at) => at > 0 && at < bytes.length))
  const ends = [...[...inside].toSorted((a, b) => a - b), bytes.length]
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
}

/** One byte in each piece: so `node:http` has answered a request before anything of the next one arrives. */
export function singly(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))
}

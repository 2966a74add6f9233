import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { bodyLimit, type HttpRequest, type HttpResponse, tooLarge } from './app.ts'
import { Front } from './front.ts'
import { KEEP_ALIVE_MS } from './plain-answer.ts'

// Not by `import`: that asks the module for each of its exports, and one of them loads a whole HTTP client and WebSocket
// (measured: 5 MB resident).
const { createServer } = process.getBuiltinModule('node:http')

/** A body that is too large is read to its end for so long, so that its sender gets to see the answer. */
const DISCARD_MS = 2_000
const REQUEST_MS = 30_000

export interface RunningServer {
  /** `http://HOST:PORT` as a client would write it. */
  readonly url: string
  /** Takes no new request, lets those under way finish, then closes every connection. */
  stop(deadlineMs: number): Promise<void>
}

type Handle = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>

/**
 * Serves the application over HTTP/1.1. @throws the listening error, for instance `EADDRINUSE`.
 * @param fastPath whether plain requests are read by ourselves; otherwise all are read by `node:http`.
 */
export async function serveHttp(
  handle: Handle,
  host: string,
  port: number,
  fastPath: 'on' | 'off' = 'on',
): Promise<RunningServer> {
  const listener = new Listener(handle, fastPath)
  await listener.listen(host, port)
  return listener
}

class Listener implements RunningServer {
  readonly #handle: Handle
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #front: Front | null
  #stopping = false
  url = ''

  constructor(handle: Handle, fastPath: 'on' | 'off') {
    this.#handle = handle
    this.#server = createServer((incoming, outgoing) => this.#receive(incoming, outgoing))
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS
    this.#server.requestTimeout = REQUEST_MS
    const giveAway = fastPath === 'on' ? takeConnections(this.#server) : null
    const front = giveAway === null ? null : new Front({ handle, requestMs: REQUEST_MS, giveAway })
    this.#front = front
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      front?.take(socket)
    })
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => resolve())
    })
    const { port: actual } = this.#server.address() as AddressInfo
    this.url = `http://${host.includes(':') ? `[${host}]` : host}:${actual}`
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    this.#front?.stop()
    // A connection that never sent a byte does not count as idle; nobody waits on it for an answer.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, deadlineMs)
    await closed
    clearTimeout(timer)
  }

  #receive(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const chunks: Buffer[] = []
    const { method = '', url = '', headers } = incoming
    const { path, query } = split(url)
    const limit = bodyLimit(path)
    let size = 0
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) chunks.push(chunk)
      else if (!outgoing.headersSent) refuseBody(incoming, outgoing, limit)
    })
    incoming.on('end', () => {
      if (outgoing.headersSent) return
      const [only, another] = chunks
      const body = another === undefined ? (only?.toString() ?? '') : Buffer.concat(chunks).toString()
      const response = this.#handle({ method, path, query, headers, body })
      if (response instanceof Promise) void response.then((late) => this.#send(outgoing, late))
      else this.#send(outgoing, response)
    })
    // A client that goes away in mid-request is not our trouble; without a listener it would be an uncaught error.
    incoming.on('error', () => outgoing.destroy())
  }

  #send(outgoing: ServerResponse, { status, headers, body }: HttpResponse): void {
    if (outgoing.destroyed) return
    // A length that is known saves the chunked framing, and with it a write per answer.
    const all: Record<string, string | number> = { ...headers, 'content-length': Buffer.byteLength(body) }
    // While stopping, a connection that is kept alive would hold up the exit until its client lets go.
    if (this.#stopping) all['connection'] = 'close'
    outgoing.writeHead(status, all)
    outgoing.end(body)
  }
}

/** @returns what `node:http` would do with a new connection, which it now does only when told to. */
function takeConnections(server: Server): (socket: Socket) => void {
  const begin = server.listeners('connection')
  server.removeAllListeners('connection')
  return (socket) => {
    for (const one of begin) Reflect.apply(one, server, [socket])
  }
}

/**
 * Answers before the body is complete, and closes after it: what is still on its way is read and thrown away, because a
 * connection that is closed while its client writes shows the client an error instead of the answer.
 */
function refuseBody(incoming: IncomingMessage, outgoing: ServerResponse, limit: number): void {
  const { status, headers, body } = tooLarge(incoming, limit)
  outgoing.writeHead(status, { ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) })
  outgoing.write(body)
  const timer = setTimeout(() => outgoing.end(), DISCARD_MS)
  incoming.once('end', () => outgoing.end())
  outgoing.once('close', () => clearTimeout(timer))
}

function split(url: string): { path: string; query: string } {
  const mark = url.indexOf('?')
  return mark === -1 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) }
}

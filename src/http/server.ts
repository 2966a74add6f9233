import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { environmentOf, type HttpRequest, type HttpResponse, problemResponse } from './app.ts'

/** Bodies above this are refused: one item of the API fits many times over. */
export const MAX_BODY_BYTES = 1024 * 1024

export interface RunningServer {
  /** `http://HOST:PORT` as a client would write it. */
  readonly url: string
  /** Takes no new request, lets those under way finish, then closes every connection. */
  stop(deadlineMs: number): Promise<void>
}

type Handle = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>

/** Serves the application over HTTP/1.1. @throws the listening error, for instance `EADDRINUSE`. */
export async function serveHttp(handle: Handle, host: string, port: number): Promise<RunningServer> {
  const server = createServer((incoming, outgoing) => receive(incoming, outgoing, handle))
  // Longer than the usual 60 s of load balancers, so that it is they who close idle connections and no request is lost.
  server.keepAliveTimeout = 75_000
  server.requestTimeout = 30_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
  const { port: actual } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    stop: (deadlineMs) => stop(server, deadlineMs),
  }
}

function receive(incoming: IncomingMessage, outgoing: ServerResponse, handle: Handle): void {
  const chunks: Buffer[] = []
  let size = 0
  incoming.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= MAX_BODY_BYTES) chunks.push(chunk)
    else if (!outgoing.headersSent) refuseBody(incoming, outgoing)
  })
  incoming.on('end', () => {
    if (outgoing.headersSent) return
    const [only, another] = chunks
    const body = another === undefined ? (only?.toString() ?? '') : Buffer.concat(chunks).toString()
    const response = handle({
      method: incoming.method ?? '',
      path: pathOf(incoming.url ?? ''),
      headers: incoming.headers,
      body,
    })
    if (response instanceof Promise) void response.then((late) => send(outgoing, late))
    else send(outgoing, response)
  })
  // A client that goes away in mid-request is not our trouble; without a listener it would be an uncaught error.
  incoming.on('error', () => outgoing.destroy())
}

function send(outgoing: ServerResponse, { status, headers, body }: HttpResponse): void {
  if (outgoing.destroyed) return
  // A length that is known saves the chunked framing, and with it a write per answer.
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  outgoing.end(body)
}

/** Answers before the body is complete, and closes: what is still on its way is not read as another request. */
function refuseBody(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const message = `The body is larger than ${MAX_BODY_BYTES} bytes: send less in one request`
  const { headers, ...response } = problemResponse(
    { status: 413, code: 'body_too_large', message },
    environmentOf(incoming),
  )
  send(outgoing, { ...response, headers: { ...headers, connection: 'close' } })
}

function pathOf(url: string): string {
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

async function stop(server: Server, deadlineMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), deadlineMs)
  await closed
  clearTimeout(timer)
}

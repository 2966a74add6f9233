import type { HttpResponse } from './app.ts'

// Not by `import`, for the reason in server.ts.
const { STATUS_CODES } = process.getBuiltinModule('node:http')

/** Longer than the usual 60 s of load balancers, so that it is they who close idle connections and no request is lost. */
export const KEEP_ALIVE_MS = 75_000

let date: string | null = null

/** An answer as it goes over the wire, with the headers that `node:http` would add. */
export function writeAnswer({ status, headers, body }: HttpResponse, connection: 'keep-alive' | 'close'): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`
  const end = connection === 'keep-alive' ? `keep-alive\r\nKeep-Alive: timeout=${KEEP_ALIVE_MS / 1000}` : connection
  return `${text}content-length: ${Buffer.byteLength(body)}\r\nDate: ${dateNow()}\r\nConnection: ${end}\r\n\r\n${body}`
}

/** Written anew once a second and not for every answer, like that of `node:http`. */
function dateNow(): string {
  if (date !== null) return date
  const now = new Date()
  setTimeout(() => {
    date = null
  }, 1000 - now.getMilliseconds()).unref()
  date = now.toUTCString()
  return date
}

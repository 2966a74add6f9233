import { connect, type Socket } from 'node:net'

const SOON = 20_000

export interface RawReply {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server said; tests look into it freely.
  readonly body: any
}

/** A bare connection: sends exactly the bytes it is told to, in the pieces it is told to, and reads HTTP/1.1 answers. */
export class Wire {
  readonly socket: Socket
  /** Resolves when the server has closed the connection, or it broke. */
  readonly closed: Promise<void>
  #received = Buffer.alloc(0)
  #ended = false
  #error: Error | undefined
  #tell: () => void = () => undefined

  static async open(url: string): Promise<Wire> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''))
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve())
      socket.once('error', reject)
    })
    return new Wire(socket)
  }

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#tell()
    })
    socket.on('error', (error) => {
      this.#error = error
    })
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.#ended = true
        this.#tell()
        resolve()
      }),
    )
  }

  send(...pieces: (string | Buffer)[]): void {
    for (const piece of pieces) this.socket.write(piece)
  }

  /** The next complete answer. */
  async reply(): Promise<RawReply> {
    const deadline = performance.now() + SOON
    for (;;) {
      const parsed = parseReply(this.#received)
      if (parsed !== null) {
        this.#received = this.#received.subarray(parsed.length)
        return parsed.reply
      }
      if (this.#ended) {
        throw new Error(
          `the connection ended (${this.#error?.message ?? 'closed'}) after: ${this.#received.toString()}`,
        )
      }
      await this.#news(deadline - performance.now())
    }
  }

  /** Every answer until the server closes the connection. What is left after them is no answer, and a mistake. */
  async replies(): Promise<RawReply[]> {
    const all: RawReply[] = []
    await this.closed
    for (let parsed = parseReply(this.#received); parsed !== null; parsed = parseReply(this.#received)) {
      this.#received = this.#received.subarray(parsed.length)
      all.push(parsed.reply)
    }
    if (this.#received.length > 0) throw new Error(`half an answer was left: ${this.#received.toString()}`)
    return all
  }

  close(): void {
    this.socket.destroy()
  }

  async #news(ms: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new Error('no answer came in time')), Math.max(ms, 0))
    this.#tell = resolve
    await promise.finally(() => clearTimeout(timer))
  }
}

/** The text of a request's head; the body is up to the caller. */
export function head(path: string, headers: Readonly<Record<string, string | number>>, method = 'POST'): string {
  const lines = Object.entries({ host: 'granary', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

function parseReply(bytes: Buffer): { reply: RawReply; length: number } | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return null
  const [statusLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const content = status === 100 ? { text: '', length: 0 } : parseContent(bytes.subarray(end + 4), headers)
  if (content === null) return null
  const { text } = content
  const isJson = headers['content-type'] === 'application/json' && text !== ''
  const body: unknown = isJson ? JSON.parse(text) : undefined
  return { reply: { status, headers, text, body }, length: end + 4 + content.length }
}

function parseContent(bytes: Buffer, headers: Record<string, string>): { text: string; length: number } | null {
  if (headers['transfer-encoding'] !== 'chunked') {
    const length = Number(headers['content-length'] ?? 0)
    return bytes.length < length ? null : { text: bytes.subarray(0, length).toString(), length }
  }
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return null
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16)
    at = lineEnd + 2
    if (bytes.length < at + size + 2) return null
    chunks.push(bytes.subarray(at, at + size))
    at += size + 2
    if (size === 0) return { text: Buffer.concat(chunks).toString(), length: at }
  }
}

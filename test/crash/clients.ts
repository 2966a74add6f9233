import { Agent, type IncomingHttpHeaders, request } from 'node:http'

/** One thing that a client asked for, and what it may believe about it. */
export interface Request {
  readonly kind: 'track' | 'add' | 'reset'
  readonly customer: string
  /** Unique; a track carries it in its properties. */
  readonly id: string
  readonly operation: string
  readonly body: Record<string, unknown>
  readonly headers: Record<string, string>
  readonly keyed: boolean
  /** sent: no answer has come, so it may have happened or not. */
  state: 'sent' | 'done' | 'refused' | 'never'
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server said; tests look into it freely.
  readonly body: any
}

/** A client with connections that it keeps. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true })
  readonly #url: string
  readonly #key: string

  constructor(url: string, key: string) {
    this.#url = url
    this.#key = key
  }

  /** The answer, or null when the connection broke before all of it had come. */
  send(operation: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply | null> {
    return new Promise((resolve) => {
      const broken = () => resolve(null)
      const outgoing = request(
        `${this.#url}/v1/${operation}`,
        { method: 'POST', agent: this.#agent, headers: { authorization: `Bearer ${this.#key}`, ...headers } },
        (incoming) => {
          let text = ''
          incoming.setEncoding('utf8')
          incoming.on('data', (chunk: string) => {
            text += chunk
          })
          incoming.on('error', broken)
          incoming.on('close', () => {
            if (!incoming.complete) return broken()
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: JSON.parse(text) })
          })
        },
      )
      outgoing.on('error', broken)
      outgoing.end(JSON.stringify(body))
    })
  }

  async ok(operation: string, body: unknown): Promise<Reply['body']> {
    const reply = await this.send(operation, body)
    if (reply?.status !== 200) throw new Error(`${operation}: ${JSON.stringify(reply)}`)
    return reply.body
  }

  close(): void {
    this.#agent.destroy()
  }
}

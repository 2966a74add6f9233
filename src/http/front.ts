import type { Socket } from 'node:net'
import type { HttpRequest, HttpResponse } from './app.ts'
import { KEEP_ALIVE_MS } from './plain-answer.ts'
import { PlainConnection, type Surroundings } from './plain-connection.ts'

const SWEEP_MS = 5_000

export interface FrontOptions {
  readonly handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>
  /** How long a client may take to send one request. */
  readonly requestMs: number
  /** Takes over a connection that this cannot serve, at its first unread byte. */
  readonly giveAway: (socket: Socket) => void
}

/**
 * Stands before `node:http` and answers the plainest requests itself (decision 15). One interval sees to all deadlines,
 * because a timer for every request would cost as much as reading it.
 */
export class Front implements Surroundings {
  readonly handle: FrontOptions['handle']
  readonly giveAway: FrontOptions['giveAway']
  readonly patience: Surroundings['patience']
  sweeps = 0
  stopping = false
  readonly #connections = new Set<PlainConnection>()
  readonly #timer: NodeJS.Timeout

  constructor({ handle, requestMs, giveAway }: FrontOptions) {
    this.handle = handle
    this.giveAway = giveAway
    // At least so long: who came right after a sweep has waited for nearly one more.
    this.patience = { request: Math.ceil(requestMs / SWEEP_MS), idle: Math.ceil(KEEP_ALIVE_MS / SWEEP_MS) }
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  take(socket: Socket): void {
    this.#connections.add(new PlainConnection(socket, this))
  }

  readonly forget = (connection: PlainConnection): void => {
    this.#connections.delete(connection)
  }

  /** Closes idle connections, and each of the others after what is under way on it. */
  stop(): void {
    this.stopping = true
    clearInterval(this.#timer)
    for (const connection of this.#connections) connection.stop()
  }

  #sweep(): void {
    this.sweeps++
    for (const connection of this.#connections) connection.sweep()
  }
}

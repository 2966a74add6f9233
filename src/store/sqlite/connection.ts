import { Worker } from 'node:worker_threads'
import { StoreBroken } from '../store.ts'
import type { CallName, Calls, Reply, Request } from './protocol.ts'

/** SQLite's primary result codes after which its file or memory of it cannot be trusted: I/O error, corruption, not a database. */
const BROKEN = new Set([10, 11, 26])

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** One connection in a thread of its own, so that neither a disk flush nor a checkpoint holds up the event loop. */
export class Connection {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 0
  #failed: Error | undefined

  constructor(file: string, mode: 'write' | 'read') {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    this.#worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), { workerData: { file, mode } })
    this.#worker.on('message', (reply: Reply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#fail(new StoreBroken(`the store's thread failed: ${error.message}`)))
    this.#worker.on('exit', () => this.#fail(new StoreBroken("the store's thread has ended")))
  }

  call<N extends CallName>(call: N, argument: Calls[N]['request']): Promise<Calls[N]['reply']> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed)
    const id = this.#nextId++
    const request: Request<N> = { id, call, argument }
    return new Promise<Calls[N]['reply']>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#worker.postMessage(request)
    })
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('value' in reply) return waiting?.resolve(reply.value)
    const { message, code } = reply.error
    // Extended codes carry the primary one in their low byte.
    const broken = code !== null && BROKEN.has(code & 0xff)
    waiting?.reject(broken ? new StoreBroken(message) : Object.assign(new Error(message), { errcode: code }))
  }

  #fail(error: Error): void {
    this.#failed ??= error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

import type { Socket } from 'node:net'
import { type HttpRequest, type HttpResponse, MAX_BODY_BYTES } from './app.ts'
import { writeAnswer } from './plain-answer.ts'
import { LONGEST_HEAD, type PlainHead, readPlainHead } from './plain-head.ts'

/** Larger bodies are left to `node:http`: their head is a small part of the work, and they need its care for memory. */
const LARGEST_BODY = Math.min(64 * 1024, MAX_BODY_BYTES)
/** Requests of one connection that are being worked on at once. More wait unread, so a client cannot fill the memory. */
const MOST_UNDER_WAY = 128
/** Answers, in characters, that are gathered for one write. */
const MOST_OUT = 256 * 1024

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'
const TIMED_OUT = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n'

/** What all plain connections of a server share. */
export interface Surroundings {
  readonly handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>
  /** Counts up at every sweep; time enough for deadlines of many seconds, without a look at the clock per request. */
  readonly sweeps: number
  /** How many sweeps a client may take for one request, and how many a connection may be idle. */
  readonly patience: { readonly request: number; readonly idle: number }
  readonly stopping: boolean
  /** Continues with a connection at the first byte that has not been answered. */
  readonly giveAway: (socket: Socket) => void
  /** The connection is closed, or somebody else's. */
  readonly forget: (connection: PlainConnection) => void
}

/** A request whose head has come and whose body has not, or not yet all of it. */
interface Unfinished {
  readonly head: PlainHead
  readonly pieces: Buffer[]
  missing: number
}

/** An answer's place in the order of the requests. */
interface Turn {
  answer: HttpResponse | null
}

/**
 * Answers plain requests of one connection by itself. The first request that is not plain, or whose head does not come in one
 * piece, is not touched: once everything before it is answered, the connection is given away with all its unread bytes.
 */
export class PlainConnection {
  readonly #socket: Socket
  readonly #all: Surroundings
  /** In the order of the requests. */
  readonly #turns: Turn[] = []
  #unfinished: Unfinished | null = null
  #latest: { readonly text: string; readonly head: PlainHead } | null = null
  /** Answers that leave with the next write. */
  #out = ''
  #flushing = false
  /** Why nothing more is read: what follows is not plain, or the client does not read its answers. */
  #leaving = false
  #blocked = false
  /** Unread bytes were put back. */
  #held = false
  #clientEnded = false
  #closing = false
  #answered = false
  /** The sweep since which it has been waiting for the client. */
  #since: number

  constructor(socket: Socket, all: Surroundings) {
    this.#socket = socket
    this.#all = all
    this.#since = all.sweeps
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#onDrain)
    socket.on('close', this.#onClose)
    // A client that goes away is not our trouble; without a listener it would be an uncaught error. `close` follows.
    socket.on('error', ignore)
  }

  /** Closes it when nothing is under way; otherwise after the answers to what is. */
  stop(): void {
    if (this.#turns.length > 0 || this.#unfinished !== null || this.#leaving || this.#held) return
    this.#close()
  }

  /** Ends what has waited for its client for too long. */
  sweep(): void {
    const waited = this.#all.sweeps - this.#since
    const { request, idle } = this.#all.patience
    if (this.#closing) {
      if (waited > request) this.#socket.destroy()
    } else if (this.#turns.length > 0 || this.#leaving || this.#blocked) {
      this.#since = this.#all.sweeps
    } else if (this.#unfinished !== null || !this.#answered) {
      if (waited > request) this.#close(TIMED_OUT)
    } else if (waited > idle) {
      this.#close()
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#closing) return
    this.#held = false
    const from = this.#unfinished === null ? 0 : this.#finish(this.#unfinished, chunk)
    if (from < chunk.length) this.#read(chunk, from)
    this.#flush()
  }

  /** @returns how many bytes of the chunk belong to the body that was waited for. */
  #finish(unfinished: Unfinished, chunk: Buffer): number {
    const { head, pieces, missing } = unfinished
    if (chunk.length < missing) {
      pieces.push(chunk)
      unfinished.missing -= chunk.length
      return chunk.length
    }
    this.#unfinished = null
    pieces.push(chunk.subarray(0, missing))
    this.#answer(head, Buffer.concat(pieces).toString())
    return missing
  }

  #read(chunk: Buffer, from: number): void {
    let at = from
    while (at < chunk.length) {
      if (this.#closing || (this.#all.stopping && this.#turns.length > 0)) return
      if (this.#turns.length >= MOST_UNDER_WAY || this.#out.length > MOST_OUT) return this.#hold(chunk.subarray(at))
      const end = chunk.indexOf(END_OF_HEAD, at)
      const whole = end !== -1 && end - at <= LONGEST_HEAD
      const head = whole ? this.#headOf(chunk.toString('latin1', at, end + 2)) : null
      if (head === null || head.length > LARGEST_BODY) {
        this.#leaving = true
        return this.#hold(chunk.subarray(at))
      }
      const body = end + END_OF_HEAD.length
      at = body + head.length
      if (at > chunk.length) {
        this.#unfinished = { head, pieces: [chunk.subarray(body)], missing: at - chunk.length }
        this.#since = this.#all.sweeps
      } else this.#answer(head, chunk.toString('utf8', body, at))
    }
  }

  /** A client that asks the same of several customers sends the same head, and comparing costs a tenth of reading it. */
  #headOf(text: string): PlainHead | null {
    if (this.#latest?.text === text) return this.#latest.head
    const head = readPlainHead(text)
    // A key that is used once would never be met again.
    if (head !== null && head.headers['idempotency-key'] === undefined) this.#latest = { text, head }
    return head
  }

  /** Puts unread bytes back at once: a stream that holds bytes does not tell of its end, and whoever goes on finds them there. */
  #hold(rest: Buffer): void {
    this.#held = true
    this.#socket.pause()
    this.#socket.unshift(rest)
  }

  #answer({ target, headers }: PlainHead, body: string): void {
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    const query = mark === -1 ? '' : target.slice(mark + 1)
    const answer = this.#all.handle({ method: 'POST', path, query, headers, body })
    if (!(answer instanceof Promise) && this.#turns.length === 0) return this.#put(answer)
    const turn: Turn = { answer: null }
    this.#turns.push(turn)
    if (!(answer instanceof Promise)) turn.answer = answer
    else {
      void answer.then((late) => {
        turn.answer = late
        if (this.#turns[0] === turn) this.#flushSoon()
      })
    }
  }

  #put(answer: HttpResponse): void {
    if (this.#closing) return
    const last = this.#all.stopping && this.#turns.length === 0
    this.#out += writeAnswer(answer, last ? 'close' : 'keep-alive')
    if (last) this.#closing = true
  }

  /** What is answered in one turn of the event loop leaves with one write. */
  #flushSoon(): void {
    if (this.#turns.length === 1) return this.#flush()
    if (this.#flushing) return
    this.#flushing = true
    process.nextTick(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    for (let first = this.#turns[0]; first !== undefined && first.answer !== null; first = this.#turns[0]) {
      this.#turns.shift()
      this.#put(first.answer)
    }
    const socket = this.#socket
    if (this.#out !== '') {
      const out = this.#out
      this.#out = ''
      this.#answered = true
      this.#since = this.#all.sweeps
      if (!socket.destroyed && !socket.write(out)) this.#blocked = true
    }
    if (this.#closing) return socket.destroySoon()
    if (this.#turns.length === 0) {
      if (this.#leaving) return this.#leave()
      if (this.#clientEnded) return this.#close(this.#unfinished === null ? '' : BAD_REQUEST)
    }
    if (this.#blocked) socket.pause()
    else if (socket.isPaused() && !this.#leaving && this.#turns.length < MOST_UNDER_WAY / 2) socket.resume()
  }

  #leave(): void {
    const socket = this.#socket
    this.#all.forget(this)
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('drain', this.#onDrain)
    socket.off('close', this.#onClose)
    socket.off('error', ignore)
    this.#all.giveAway(socket)
    socket.resume()
  }

  #close(words = ''): void {
    this.#closing = true
    this.#since = this.#all.sweeps
    if (words !== '' && !this.#socket.destroyed) this.#socket.write(words)
    this.#socket.destroySoon()
  }

  readonly #onEnd = (): void => {
    this.#clientEnded = true
    // Its sender may still read: what is under way is answered.
    if (!this.#closing) this.#flush()
  }

  readonly #onDrain = (): void => {
    this.#blocked = false
    if (!this.#closing) this.#flush()
  }

  readonly #onClose = (): void => {
    this.#closing = true
    this.#all.forget(this)
  }
}

function ignore(): void {}

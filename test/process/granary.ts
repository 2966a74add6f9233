import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** How long anything may take that should happen at once. Generous: the machine may be busy. */
export const SOON = 20_000

export type Variables = Readonly<Record<string, string | undefined>>

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const alive = new Set<ChildProcess>()
const folders = new Set<string>()

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Ends every process that a test has left and removes its folders. For `afterEach` or `afterAll`. */
export async function cleanUp(): Promise<void> {
  await Promise.all(
    [...alive].map((child) => {
      const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
      child.kill('SIGKILL')
      return gone
    }),
  )
  await Promise.all([...folders].map((folder) => rm(folder, { recursive: true, force: true })))
  folders.clear()
}

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'granary-process-'))
  folders.add(folder)
  return folder
}

/** The built program, running. Its environment is `variables` and nothing else that it reads. */
export class Granary {
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  stdout = ''
  stderr = ''
  #changed: (() => void)[] = []
  #ended = false

  /** @param program another one that says where it listens, as Granary does. */
  constructor(args: readonly string[], variables: Variables = {}, program = MAIN) {
    if (!existsSync(program)) throw new Error('dist/ is missing: run `node scripts/prepare.mjs build` first')
    const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'] }
    for (const [name, value] of Object.entries(variables)) if (value !== undefined) env[name] = value
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    alive.add(child)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#tell()
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#tell()
    })
    this.exited = new Promise<Exit>((resolve, reject) => {
      child.once('error', reject)
      // `close` and not `exit`: by then everything that was printed has arrived.
      child.once('close', (code, signal) => {
        alive.delete(child)
        this.#ended = true
        this.#tell()
        resolve({ code, signal })
      })
    })
  }

  /** `http://HOST:PORT` from the ready line. */
  get url(): string {
    const url = /^granary listening on (http:\/\/\S+)$/m.exec(this.stdout)?.[1]
    if (url === undefined) throw new Error(`there is no ready line in: ${this.stdout}`)
    return url
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  /** The key that was shown, or undefined. */
  get shownKey(): string | undefined {
    return /am_sk_(?:test|live)_[A-Za-z0-9_-]+/.exec(this.stdout)?.[0]
  }

  get key(): string {
    const key = this.shownKey
    if (key === undefined) throw new Error(`no key was shown in: ${this.stdout}`)
    return key
  }

  /** Waits until what was printed satisfies `seen`. Fails when the program ends first, or after a while. */
  async until(seen: (granary: Granary) => boolean, what: string): Promise<void> {
    const deadline = performance.now() + SOON
    while (!seen(this)) {
      if (this.#ended) throw new Error(`it ended before ${what}: ${this.stdout}${this.stderr}`)
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`no sign of ${what} after ${SOON} ms: ${this.stdout}${this.stderr}`)
      await within(left, `waiting for ${what}`, new Promise<void>((resolve) => this.#changed.push(resolve)))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Exit> {
    this.signal(signal)
    return within(SOON, `the end after ${signal}`, this.exited)
  }

  async call(operation: string, body: unknown, key = this.key): Promise<Answer> {
    return call(this.url, key, operation, body)
  }

  #tell(): void {
    for (const tell of this.#changed.splice(0)) tell()
  }
}

/** Starts the program on `folder` and waits for its ready line. */
export async function start(
  folder: string,
  variables: Variables = {},
  args: readonly string[] = ['--port', '0'],
): Promise<Granary> {
  return serving(['--data-dir', folder, ...args], variables)
}

/** Starts the program and waits for its ready line. */
export async function serving(args: readonly string[], variables: Variables, program?: string): Promise<Granary> {
  const granary = new Granary(args, variables, program)
  await granary.until(({ stdout }) => /^granary listening on \S+\n/m.test(stdout), 'the ready line')
  return granary
}

/** Runs the program when it is expected to end by itself. */
export async function run(args: readonly string[], variables: Variables = {}): Promise<Granary & { exit: Exit }> {
  const granary = new Granary(args, variables)
  const exit = await within(SOON, 'the end of the program', granary.exited)
  return Object.assign(granary, { exit })
}

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server said; tests look into it freely.
  readonly body: any
}

async function call(url: string, key: string, operation: string, body: unknown): Promise<Answer> {
  const response = await fetch(`${url}/v1/${operation}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(SOON),
  })
  return { status: response.status, body: await response.json() }
}

/** The promise, or a failure that says what took too long. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`${what} took longer than ${Math.round(ms)} ms`)), ms)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

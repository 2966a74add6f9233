import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { start } from './processes.ts'

export const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const NAIVE = fileURLToPath(new URL('./naive.ts', import.meta.url))
const ECHO = fileURLToPath(new URL('./echo.ts', import.meta.url))

export const SECRET_KEY = `am_sk_test_${randomBytes(20).toString('hex')}`

type Child = ReturnType<typeof start>

export interface Server {
  readonly url: string
  readonly pid: number
  readonly child: Child
  /** From starting the process to the line that says that it listens. */
  readonly startMs: number
}

/** Granary as it is shipped: the built program on the embedded store. */
export function startGranary(folder: string, core: number | null): Promise<Server> {
  return listening([MAIN, '--host', '127.0.0.1', '--port', '0', '--data-dir', folder], core)
}

/** The same program on a PostgreSQL database, as one of several processes: what it remembers is confirmed for every read. */
export function startGranaryOn(databaseUrl: string, core: number | null): Promise<Server> {
  return listening([MAIN, '--host', '127.0.0.1', '--port', '0'], core, { DATABASE_URL: databaseUrl })
}

/** @param check, track the answers to copy the length of. */
export function startNaive(databaseUrl: string, check: string, track: string, customers: number): Promise<Server> {
  return listening([NAIVE, databaseUrl, check, track, String(customers)], null)
}

/** @param check, track the answers to copy the length of. */
export function startEcho(check: string, track: string, core: number | null): Promise<Server> {
  return listening([ECHO, check, track], core)
}

function listening(
  args: readonly string[],
  core: number | null,
  more: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const from = performance.now()
  // Nothing of this process's environment: settings of the caller must not reach what is measured.
  const env = { PATH: process.env['PATH'], GRANARY_SECRET_KEY: SECRET_KEY, LOG_LEVEL: 'warn', ...more }
  const child = start(process.execPath, args, env, core)
  return new Promise((resolve, reject) => {
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const url = /listening on (http\S+)\n/.exec(said)?.[1]
      if (url !== undefined) resolve({ url, pid: child.pid ?? 0, child, startMs: performance.now() - from })
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${args[0]} ended with code ${code} before it listened`)))
  })
}

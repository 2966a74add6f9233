#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { COULD_NOT_LOOK, HELP, readArguments } from './cli/arguments.ts'
import { type Config, readConfig, readDatabase, type StoreConfig } from './config.ts'
import type { ModelPrices } from './domain/tokens.ts'
import type { Engine } from './engine/engine.ts'
import { assemble } from './granary.ts'
import { type RunningServer, serveHttp } from './http/server.ts'
import { readModelPrices } from './http/wire/model-prices.ts'
import { describe, type Log, logger } from './log.ts'
import type { Books, Store } from './store/store.ts'
import { Worker } from './worker/worker.ts'

/** How long requests under way may take when the server is told to stop. */
const DRAIN_MS = 9_000
/** A store that hangs must not keep the process beyond what it promises to those who stop it. */
const LATEST_MS = 9_900
const OLDEST_NODE = 24

await main()

async function main(): Promise<void> {
  const invocation = readArguments(process.argv.slice(2))
  switch (invocation.kind) {
    case 'help':
      process.stdout.write(HELP)
      return
    case 'version':
      process.stdout.write(`${version()}\n`)
      return
    case 'mistake':
      return giveUp(invocation.message, invocation.exitCode)
    case 'clock':
      try {
        const { runClock } = await import('./cli/clock.ts')
        process.stdout.write(`${await runClock(invocation, process.env)}\n`)
      } catch (error) {
        giveUp(explain(error))
      }
      return
    case 'verify':
      try {
        process.exitCode = await verify(readConfig(process.env, { ...invocation, kind: 'serve' }))
      } catch (error) {
        giveUp(explain(error), COULD_NOT_LOOK)
      }
      return
    case 'migrate':
      try {
        process.stdout.write(`${await migrate()}\n`)
      } catch (error) {
        giveUp(explain(error))
      }
      return
    case 'serve':
      try {
        await serve(readConfig(process.env, invocation))
      } catch (error) {
        giveUp(explain(error))
      }
  }
}

/** The only place that chooses: config → store → engine → application → server, and back in reverse. */
async function serve(config: Config): Promise<void> {
  const log = logger(config.logLevel)
  const modelPrices = readPrices(config.modelPrices)
  const store = await openStore(config.store, log)
  try {
    const { engine, keys, app, addKey } = await assemble({
      store,
      clock: Date.now,
      idempotency: config.idempotency,
      reads: config.reads,
      modelPrices,
      retention: config.retention,
      onBroken: (error) => stopAtOnce(error, log),
      onFault: (error, request) =>
        log('error', 'a request failed', { path: request.path, body: request.body.slice(0, 2000), ...describe(error) }),
    })
    const worker = new Worker(engine, (error) => log('warn', 'a pass of the worker failed', describe(error)))
    if (config.secretKey !== null) await addKey(config.secretKey.key, config.secretKey.env)
    const server = await serveHttp(app.handle, config.host, config.port, config.fastPath)
    // Before anyone is told that the server is there: who waits for the line below may send a signal at once.
    stopWhenTold(server, worker, engine, store, log)
    // Only now that nothing can go wrong any more: a key is shown once, so a start that fails must not have made one.
    const created = keys.has('sandbox') ? null : await keys.create('sandbox', Date.now())
    process.stdout.write(welcome(config, server.url, created))
  } catch (error) {
    await store.close()
    throw error
  }
}

function readPrices(file: string | null): ModelPrices {
  if (file === null) return new Map()
  try {
    return readModelPrices(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new Error(`GRANARY_MODEL_PRICES: ${file} cannot be used: ${explain(error)}`, { cause: error })
  }
}

/** @returns the exit code. Opens no store, which would lock, migrate and clear away: only its books, for looking. */
async function verify(config: Config): Promise<number> {
  const { runVerify } = await import('./cli/verify.ts')
  const books = await openBooks(config.store)
  try {
    return await runVerify(books, nameOf(config.store), process.stdout, process.stderr)
  } finally {
    await books.close()
  }
}

/** Stores are loaded only now, because an older Node cannot even load them, and whoever starts them on one is owed a sentence. */
async function openStore(config: StoreConfig, log: Log): Promise<Store> {
  needNode()
  if (config.kind === 'postgres') {
    const { PostgresStore } = await import('./store/postgres/postgres.ts')
    const { url, connections } = config
    return PostgresStore.open(url, { connections, onWarning: (message) => log('warn', message) })
  }
  const { SqliteStore } = await import('./store/sqlite/sqlite.ts')
  return SqliteStore.open(config.dataDir)
}

async function openBooks(config: StoreConfig): Promise<Books> {
  needNode()
  if (config.kind === 'postgres') {
    const { openBooks: open } = await import('./store/postgres/books.ts')
    return open(config.url)
  }
  const { openBooks: open } = await import('./store/sqlite/books.ts')
  return open(config.dataDir)
}

/** @returns what to print. */
async function migrate(): Promise<string> {
  needNode()
  const database = readDatabase(process.env)
  if (database === null) {
    throw new Error('DATABASE_URL is not set: the embedded store is brought up to date whenever the server starts')
  }
  const { migrateDatabase } = await import('./store/postgres/postgres.ts')
  const steps = await migrateDatabase(database.url)
  const where = nameOf(database)
  return steps === 0 ? `${where} was up to date` : `${where} is up to date now; steps taken: ${steps}`
}

function needNode(): void {
  const major = Number(process.versions.node.split('.')[0])
  if (major < OLDEST_NODE) throw new Error(`Granary needs Node ${OLDEST_NODE} or newer, and this is ${process.version}`)
}

/** Without a password. */
function nameOf(store: StoreConfig): string {
  if (store.kind === 'folder') return store.dataDir
  const { host, pathname } = new URL(store.url)
  return `PostgreSQL ${host}${pathname}`
}

/** Drains on the first signal and ignores further ones: a process group may deliver the same signal twice. */
function stopWhenTold(server: RunningServer, worker: Worker, engine: Engine, store: Store, log: Log): void {
  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    log('info', 'stopping: finishing the requests under way', { signal })
    const late = () => {
      log('error', 'could not finish in time')
      process.exit(1)
    }
    setTimeout(late, LATEST_MS).unref()
    await server.stop(DRAIN_MS)
    await worker.stop()
    await engine.drain()
    await store.close()
    log('info', 'stopped')
    process.exit(0)
  }
  process.on('SIGTERM', (signal) => void stop(signal))
  process.on('SIGINT', (signal) => void stop(signal))
}

/** After an I/O error nobody knows what the disk holds; the next start reads it afresh. */
function stopAtOnce(error: Error, log: Log): void {
  log('error', 'the store failed; stopping, because what is on disk is no longer certain', describe(error))
  process.exit(1)
}

/** What a person sees at the start. The last line is there for scripts that wait, whatever the log level. */
function welcome(config: Config, url: string, created: string | null): string {
  const key = created ?? '$GRANARY_SECRET_KEY'
  const lines = [
    `Granary ${version()} · store: ${nameOf(config.store)}`,
    '',
    `  Base URL    ${url}/v1`,
    created === null
      ? '  Secret key  use the one you have; a lost key is replaced by starting with GRANARY_SECRET_KEY=am_sk_test_…'
      : `  Secret key  ${created}   (sandbox; shown only now, so keep it)`,
    '',
    '  Try it:',
    // In double quotes, because the shell must still replace the variable in the second form.
    `    curl -s ${url}/v1/features.list -H "authorization: Bearer ${key}" -d '{}'`,
    '',
    `granary listening on ${url}`,
    '',
  ]
  return lines.join('\n')
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}

function explain(error: unknown): string {
  if (error instanceof Error && 'code' in error) {
    if (error.code === 'EADDRINUSE')
      return `${error.message}: another program listens there; choose another port with --port or PORT`
    if (error.code === 'EADDRNOTAVAIL')
      return `${error.message}: this machine has no such address; choose another with --host or HOST`
  }
  return error instanceof Error ? error.message : String(error)
}

function giveUp(message: string, exitCode = 1): void {
  process.stderr.write(`granary: ${message}\n`)
  process.exitCode = exitCode
}

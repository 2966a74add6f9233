import { parentPort, workerData } from 'node:worker_threads'
import { aggregateEvents } from './aggregate.ts'
import { loadCatalogue } from './catalogue.ts'
import { Database } from './database.ts'
import {
  findLock,
  ledger,
  listCustomers,
  listEntities,
  listEvents,
  load,
  withDueAttachments,
  withLapsedLocks,
} from './lists.ts'
import type { CallName, Calls, Reply, Request } from './protocol.ts'

/** The thread that owns one connection. Calls are answered one after another, in the order in which they were sent. */
const { file, mode } = workerData as { file: string; mode: 'write' | 'read' }
let database: Database | undefined
let clearing = false

const calls: { [N in CallName]: (argument: Calls[N]['request']) => Calls[N]['reply'] } = {
  open() {
    database = new Database(file, mode)
    clearLittleByLittle()
    return null
  },
  retain(retention) {
    opened().retain(retention)
    return null
  },
  loadCatalogue: (env) => loadCatalogue(opened().sql, env),
  load: (references) => load(opened().sql, references),
  commit(batch) {
    const results = opened().commit(batch)
    clearLittleByLittle()
    return results
  },
  changeCatalogue: (change) => opened().changeCatalogue(change),
  findLock: (query) => findLock(opened().sql, query),
  withLapsedLocks: (query) => withLapsedLocks(opened().sql, query),
  withDueAttachments: (query) => withDueAttachments(opened().sql, query),
  listCustomers: (query) => listCustomers(opened().sql, query),
  listEntities: (query) => listEntities(opened().sql, query),
  listEvents: (query) => listEvents(opened().sql, query),
  aggregateEvents: (query) => aggregateEvents(opened().sql, query),
  ledger: (customer) => ledger(opened().sql, customer),
  clock() {
    opened()
    return null
  },
  loadKeys: () => opened().loadKeys(),
  addKey(key) {
    opened().addKey(key)
    return null
  },
  close() {
    database?.close()
    database = undefined
    return null
  },
}

/** Clears away what deleted customers and old events left, a little between any two calls, so that no call waits long for it. */
function clearLittleByLittle(): void {
  if (clearing || mode === 'read' || database === undefined || !database.leftovers.any) return
  clearing = true
  setImmediate(() => {
    clearing = false
    if (database === undefined) return
    try {
      database.leftovers.clearSome()
    } catch {
      // A full disk, perhaps. Nobody waits for this; the next commit tries again, and tells if the disk is broken.
      return
    }
    clearLittleByLittle()
  })
}

function opened(): Database {
  if (database === undefined) throw new Error('the database is not open')
  return database
}

function answer({ id, call, argument }: Request): Reply {
  try {
    return { id, value: (calls[call] as (argument: unknown) => unknown)(argument) }
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) : null
    return { id, error: { message: error instanceof Error ? error.message : String(error), code } }
  }
}

parentPort?.on('message', (request: Request) => {
  parentPort?.postMessage(answer(request))
  if (request.call === 'close') parentPort?.close()
})

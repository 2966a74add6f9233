import { parentPort, workerData } from 'node:worker_threads'
import { Database } from './database.ts'
import type { CallName, Calls, Reply, Request } from './protocol.ts'

/** The thread that owns one connection. Calls are answered one after another, in the order in which they were sent. */
const { file, mode } = workerData as { file: string; mode: 'write' | 'read' }
let database: Database | undefined

const calls: { [N in CallName]: (argument: Calls[N]['request']) => Calls[N]['reply'] } = {
  open() {
    database = new Database(file, mode)
    return null
  },
  loadCatalogue: (env) => opened().loadCatalogue(env),
  load: (references) => opened().load(references),
  commit: (batch) => opened().commit(batch),
  addFeature: (change) => opened().addFeature(change),
  listEvents: (query) => opened().listEvents(query),
  ledger: (customer) => opened().ledger(customer),
  loadKeys: () => opened().loadKeys(),
  addKey(key) {
    opened().addKey(key)
    return null
  },
  close() {
    database?.close()
    return null
  },
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

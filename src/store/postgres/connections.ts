import {
  type CustomTypesConfig,
  DatabaseError,
  Pool,
  type PoolClient,
  type QueryConfig,
  type QueryResult,
  types,
} from 'pg'

/** What is sent to the server: prepared once per connection under its name. */
export interface Statement {
  readonly name: string
  readonly text: string
  /** Milliseconds after which nobody waits for the answer any more, where that is sooner than for all others. */
  readonly patience?: number
}

/** How long a statement may take, so that a server that hangs becomes an error. */
const STATEMENT_MS = 30_000
/** The server should be first to give up: then it is known that nothing has happened. */
const ANSWER_MS = STATEMENT_MS + 2_000
export const CONNECT_MS = 5_000
const INT8 = 20

/** Versions, instants and counts all fit into a number. */
export const TYPES: CustomTypesConfig = {
  getTypeParser: (oid: number) => (oid === INT8 ? Number : types.getTypeParser(oid)),
}

/**
 * What every session is set to. Acknowledged means on disk, whatever the server's default. All our statements go along an
 * index where there is one: a table that was never analyzed looks so small to the planner that it would rather read it whole.
 */
const SESSION = `
  select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') <> 'remote_apply';
  set statement_timeout = ${STATEMENT_MS};
  set enable_seqscan = off;
  set enable_bitmapscan = off;
  set enable_hashjoin = off;
  set enable_mergejoin = off;
  set enable_material = off;
  set plan_cache_mode = force_generic_plan;
  set jit = off`

/** Connections to one database, opened when they are needed and opened again when they are lost. */
export class Connections {
  readonly #pool: Pool
  /** Who waits for a connection: a pool that is being closed would let them wait for ever. */
  readonly #asked = new Set<Promise<PoolClient>>()

  constructor(url: string, size: number) {
    this.#pool = new Pool({
      connectionString: url,
      max: size,
      application_name: 'granary',
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ANSWER_MS,
      keepAlive: true,
      types: TYPES,
      onConnect: async (client) => {
        await client.query(SESSION)
      },
    })
    // A connection that is lost while it is idle is taken out of the pool; there is nothing else to be done, and nobody to
    // be told, but without somebody who listens the process would end.
    this.#pool.on('error', () => {})
    this.#pool.on('connect', (client) => client.on('error', () => {}))
  }

  /** @throws Error when there is no connection to be had; nothing has been sent then. */
  connect(): Promise<PoolClient> {
    const asked = this.#pool.connect()
    this.#asked.add(asked)
    const done = () => this.#asked.delete(asked)
    asked.then(done, done)
    return asked
  }

  /** For what may be asked again without harm: an idle connection may have died unnoticed, and then another one is tried. */
  async read<T extends object>(statement: Statement, values: readonly unknown[]): Promise<T[]> {
    const deadline = Date.now() + CONNECT_MS
    for (let tries = 0; ; tries++) {
      const client = await this.connect()
      try {
        return (await ask<T>(client, statement, values)).rows
      } catch (error) {
        // As many may have died as there can be; a server that hangs is another matter.
        if (!isLost(error) || tries >= this.#pool.options.max || Date.now() > deadline) throw error
      }
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#asked)
    await this.#pool.end()
  }
}

/** Asks once, and gives the connection back, or away when it is lost. */
export async function ask<T extends object>(
  client: PoolClient,
  { name, text, patience }: Statement,
  values: readonly unknown[],
): Promise<QueryResult<T>> {
  try {
    const limit = patience === undefined ? {} : { query_timeout: patience }
    const question: QueryConfig = { name, text, values: [...values], ...limit }
    const result = await client.query<T>(question)
    client.release()
    return result
  } catch (error) {
    client.release(isLost(error))
    throw error
  }
}

/**
 * Whether nobody knows what became of a statement. An error of the ordinary kind means that its transaction was rolled
 * back; anything else may have come between the commit and the answer, also the word that the server is being shut down.
 */
export function isLost(error: unknown): boolean {
  return !(error instanceof DatabaseError && error.severity === 'ERROR')
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined
}

/** In a sentence, without the password. @param error what came of trying. */
export function noConnection(error: unknown): Error {
  return new Error(`no connection to PostgreSQL (${reasonOf(error)}): check that it runs, and DATABASE_URL`, {
    cause: error,
  })
}

function reasonOf(error: unknown): string {
  // Where a name has several addresses, each has its own error, and the whole has no words.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error ? first.message : String(first)
}

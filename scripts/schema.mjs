// Writes docs/schema.sql: the tables, types and functions of the PostgreSQL store, from a database that was just migrated.

import fs from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { migrateDatabase } from '../src/store/postgres/postgres.ts'
import { describeSchema } from '../test/postgres/schema.ts'
import { startServer } from '../test/postgres/server.ts'

const server = await startServer()
try {
  await migrateDatabase(server.url())
  const client = new pg.Client({ connectionString: server.url() })
  await client.connect()
  const schema = await describeSchema(client)
  await client.end()
  fs.writeFileSync(path.join(import.meta.dirname, '../docs/schema.sql'), schema)
} finally {
  await server.remove()
}

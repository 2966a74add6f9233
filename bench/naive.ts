/**
 * What is written first when usage is to be durable on PostgreSQL: a transaction for every request, with a row lock, on a pool
 * of connections. It parses, validates nothing, knows one feature without resets, and keeps no ledger and no idempotency keys.
 *
 *   node bench/naive.ts <database url> <answer to a check> <answer to a track> <customers>
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'

const [connectionString, check = '{}', track = '{}', customers = '0'] = process.argv.slice(2)
const checked: object = JSON.parse(check) as object
const tracked: object = JSON.parse(track) as object
// More connections than cores do not help: measured with 8, 16 and 32.
const pool = new pg.Pool({ connectionString, max: 16 })

await pool.query(`
  create table naive_balances (customer text, n int, remaining numeric not null, used numeric not null, primary key (customer, n));
  create table naive_events (
    id bigint generated always as identity primary key, customer text not null, value numeric not null,
    at timestamptz not null default now()
  );
  create index on naive_events (customer, at);
`)
await pool.query(
  `insert into naive_balances select 'customer_' || lpad(i::text, 4, '0'), n, 1000000000, 0
   from generate_series(1, $1::int) i, generate_series(1, 3) n`,
  [Number(customers)],
)
await pool.query('vacuum analyze naive_balances')

interface Row {
  readonly n: number
  readonly remaining: string
}

const READ = 'select n, remaining::text from naive_balances where customer = $1 order by n'

async function look(customer: string): Promise<readonly Row[]> {
  return (await pool.query<Row>({ name: 'check', text: READ, values: [customer] })).rows
}

async function use(customer: string, value: number): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const locked = { name: 'lock', text: `${READ} for update`, values: [customer] }
    const { rows } = await client.query<Row>(locked)
    const first = rows.find(({ remaining }) => Number(remaining) >= value)
    if (first === undefined) throw new Error('nothing is left')
    await client.query({
      name: 'use',
      text: 'update naive_balances set remaining = remaining - $3, used = used + $3 where customer = $1 and n = $2',
      values: [customer, first.n, value],
    })
    await client.query({
      name: 'event',
      text: 'insert into naive_events (customer, value) values ($1, $2)',
      values: [customer, value],
    })
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

async function answer(path: string | undefined, body: string): Promise<object> {
  const { customer_id, value } = JSON.parse(body) as { customer_id: string; value?: number }
  if (path === '/v1/balances.track') {
    await use(customer_id, value ?? 1)
    return tracked
  }
  const rows = await look(customer_id)
  return { ...checked, allowed: rows.some(({ remaining }) => Number(remaining) >= 1) }
}

const server = createServer((incoming, outgoing) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    const send = (status: number, value: object) => {
      const body = JSON.stringify(value)
      outgoing.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      outgoing.end(body)
    }
    answer(incoming.url, Buffer.concat(chunks).toString()).then(
      (value) => send(200, value),
      (error: unknown) => send(500, { message: String(error) }),
    )
  })
})

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`naive listening on http://127.0.0.1:${port}\n`)
})

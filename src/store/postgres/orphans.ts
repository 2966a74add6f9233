import type { Client } from 'pg'

/** Finds rows by a text that names each; none when all is well. */
interface Check {
  /** What is wrong with them, after how many they are. */
  readonly wrong: string
  readonly rows: string
}

/** What deleted customers left is cleared away little by little: it is not looked at. */
const ofNobody = (table: string) => `
  not exists (select from customers where key = ${table}.customer)
  and not exists (select from deletions where deletions.customer = ${table}.customer)`

/** Of every customer that has any. */
const NUMBERED =
  '(select customer, count(*) as n, min(seq) as first, max(seq) as last from postings group by customer) as numbered'

/** The tables are not tied together by foreign keys, which would cost every commit its look-ups; so here is what they would say. */
const CHECKS: readonly Check[] = [
  ...Object.entries({
    balances: 'uid',
    entities: 'uid',
    refunds: 'event',
    postings: "'seq ' || seq || ' of key ' || customer",
    events: 'uid',
  }).map(([table, name]) => ({
    wrong: `rows of ${table} belong to a customer that is not there`,
    rows: `select ${name} as name from ${table} where ${ofNobody(table)}`,
  })),
  {
    wrong: 'rows of customer_states belong to a customer that is not there',
    rows: `
      select 'key ' || customer as name from customer_states
      where not exists (select from customers where key = customer_states.customer)`,
  },
  {
    wrong: 'customers have no row in customer_states, without which nobody finds them',
    rows: 'select uid as name from customers where not exists (select from customer_states where customer = key)',
  },
  {
    wrong: 'rows of customer_states have another id than their customer',
    rows: `
      select customers.uid as name from customers join customer_states on customer = key
      where customers.uid <> customer_states.uid`,
  },
  {
    wrong: 'customers that are there are to be cleared away like deleted ones',
    rows: 'select uid as name from customers join deletions on customer = key',
  },
  {
    wrong: 'balances belong to an entity that is not there',
    rows: `
      select balances.uid as name from balances join customers on key = customer
      where entity is not null
        and not exists (select from entities where entities.customer = key and entities.uid = balances.entity)`,
  },
  {
    wrong: 'refunds belong to an event that is not there',
    rows: `
      select event as name from refunds join customers on key = customer
      where not exists (select from events where events.customer = refunds.customer and events.uid = refunds.event)`,
  },
  ...['entities', 'events'].map((table) => ({
    wrong: `rows of ${table} stand in another environment than their customer`,
    rows: `
      select ${table}.uid as name from ${table} join customers on key = customer where customers.env <> ${table}.env`,
  })),
  {
    wrong: 'customers have gaps in the numbers of their postings',
    rows: `select uid as name from customers join ${NUMBERED} on customer = key where first <> 0 or last <> n - 1`,
  },
  {
    wrong: 'customers do not count as many postings as there are',
    rows: `
      select customers.uid as name from customers join customer_states s on s.customer = key
      left join ${NUMBERED} on numbered.customer = key where s.postings <> coalesce(n, 0)`,
  },
]

/** See `Books`. One reading of each table, or two; the database's own files are proved by its own tools. */
export async function findOrphans(client: Client): Promise<string[]> {
  const found: string[] = []
  for (const { wrong, rows } of CHECKS) {
    const { rows: results } = await client.query<{ n: number; first: string }>(
      `select count(*) as n, min(name) as first from (${rows}) as wrong`,
    )
    for (const { n, first } of results) if (n > 0) found.push(`${n} ${wrong}, such as ${first}`)
  }
  return found
}

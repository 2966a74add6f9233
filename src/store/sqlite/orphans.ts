import type { Sql } from './sql.ts'

/** Finds rows by a text that names each; none when all is well. */
interface Check {
  /** What is wrong with them, after how many they are. */
  readonly wrong: string
  readonly rows: string
}

/** What deleted customers left is cleared away little by little: it is not looked at. */
const LIVING = 'in (select key from customers)'
const KNOWN = 'in (select key from customers union all select customer from deletions)'

/** The tables are not tied together by foreign keys, which would cost every commit its look-ups; so here is what they would say. */
const CHECKS: readonly Check[] = [
  ...Object.entries({
    balances: 'uid',
    entities: 'uid',
    refunds: 'event',
    postings: "'seq ' || seq",
    events: 'uid',
  }).map(([table, name]) => ({
    wrong: `rows of ${table} belong to a customer that is not there`,
    rows: `select ${name} as name from ${table} where customer not ${KNOWN}`,
  })),
  {
    wrong: 'rows of customer_states belong to a customer that is not there',
    rows: `select 'key ' || customer as name from customer_states where customer not ${LIVING}`,
  },
  {
    wrong: 'customers have no row in customer_states, without which nobody finds them',
    rows: 'select uid as name from customers where key not in (select customer from customer_states)',
  },
  {
    wrong: 'customers that are there are to be cleared away like deleted ones',
    rows: 'select uid as name from customers where key in (select customer from deletions)',
  },
  {
    wrong: 'balances belong to an entity that is not there',
    rows: `
      select uid as name from balances
      where entity is not null and customer ${LIVING}
        and not exists (select 1 from entities where entities.customer = balances.customer and entities.uid = entity)`,
  },
  {
    wrong: 'refunds belong to an event that is not there',
    // One scan of the events: by customer and id they have no index.
    rows: `
      with given as materialized (select customer, uid from events where uid in (select event from refunds))
      select event as name from refunds where customer ${LIVING} and (customer, event) not in given`,
  },
  ...['entities', 'events'].map((table) => ({
    wrong: `rows of ${table} stand in another environment than their customer`,
    rows: `
      select ${table}.uid as name from ${table} join customers on customers.key = ${table}.customer
      where customers.env <> ${table}.env`,
  })),
  {
    wrong: 'postings do not point at the one before them',
    rows: `
      select 'seq ' || seq as name from (
        select seq, customer, previous, lag(seq) over (partition by customer order by seq) as before from postings
      ) where previous is not before and customer ${LIVING}`,
  },
  {
    wrong: 'customers do not point at their last posting',
    rows: `
      select uid as name from customer_states join customers on customers.key = customer_states.customer
      left join (select customer, max(seq) as last from postings group by customer) as ends using (customer)
      where last_posting is not last`,
  },
]

/** See `Books`. What is wrong with the file itself counts too: an index that lacks a row hides it like nothing else. */
export function findOrphans(sql: Sql): string[] {
  const found: string[] = []
  for (const { wrong, rows } of CHECKS) {
    const row = sql.get(`select count(*) as n, min(name) as first from (${rows})`, [])
    if (Number(row?.['n']) > 0) found.push(`${row?.['n']} ${wrong}, such as ${row?.['first']}`)
  }
  for (const row of sql.all('pragma integrity_check(10)', [])) {
    const [said] = Object.values(row)
    if (said !== 'ok') found.push(`the file: ${said}`)
  }
  return found
}

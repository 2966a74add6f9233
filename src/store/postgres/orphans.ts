import type { Client } from 'pg'
import { commonChecks, counting, type OrphanCheck, told } from '../orphans.ts'

/** How many postings each customer has, and the numbers of the first and the last of them. */
const NUMBERED =
  '(select customer, count(*) as n, min(seq) as first, max(seq) as last from postings group by customer) as numbered'

const CHECKS: readonly OrphanCheck[] = [
  ...commonChecks("'seq ' || seq || ' of key ' || customer"),
  {
    wrong: 'rows of customer_states have another id than their customer',
    rows: `
      select customers.uid as name from customers join customer_states on customer = key
      where customers.uid <> customer_states.uid`,
  },
  {
    wrong: 'refunds belong to an event that is not there',
    rows: `
      select event as name from refunds join customers on key = customer
      where not exists (select 1 from events where events.customer = refunds.customer and events.uid = refunds.event)`,
  },
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
  for (const check of CHECKS) {
    const { rows } = await client.query<{ n: number; first: string }>(counting(check))
    for (const { n, first } of rows) found.push(...told(check, n, first))
  }
  return found
}

import { commonChecks, counting, type OrphanCheck, told } from '../orphans.ts'
import type { Sql } from './sql.ts'

const LIVING = 'in (select key from customers)'

const CHECKS: readonly OrphanCheck[] = [
  ...commonChecks("'seq ' || seq"),
  {
    wrong: 'refunds belong to an event that is not there',
    // One scan of the events: by customer and id they have no index.
    rows: `
      with given as materialized (select customer, uid from events where uid in (select event from refunds))
      select event as name from refunds where customer ${LIVING} and (customer, event) not in given`,
  },
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
  const found = CHECKS.flatMap((check) => {
    const row = sql.get(counting(check), [])
    return told(check, Number(row?.['n']), row?.['first'])
  })
  for (const row of sql.all('pragma integrity_check(10)', [])) {
    const [said] = Object.values(row)
    if (said !== 'ok') found.push(`the file: ${said}`)
  }
  return found
}

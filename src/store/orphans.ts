/** Finds rows by a text that names each; none when all is well. */
export interface OrphanCheck {
  /** What is wrong with them, after how many they are. */
  readonly wrong: string
  readonly rows: string
}

/** Of former customers these are kept. */
const KEPT: readonly string[] = ['postings', 'events']

/** What deleted customers left is cleared away little by little: it is not looked at. */
const ofNobody = (table: string) => `
  not exists (select 1 from customers where key = ${table}.customer)
  and not exists (select 1 from deletions where deletions.customer = ${table}.customer)
  ${KEPT.includes(table) ? `and not exists (select 1 from former_customers where key = ${table}.customer)` : ''}`

/**
 * The tables of the SQL stores are not tied together by foreign keys, which would cost every commit its look-ups; so here is
 * what they would say, of what is the same in both.
 * @param posting SQL that names a posting.
 */
export function commonChecks(posting: string): OrphanCheck[] {
  return [
    ...Object.entries({
      balances: 'uid',
      entities: 'uid',
      refunds: 'event',
      locks: 'id',
      attachments: 'uid',
      postings: posting,
      events: 'uid',
    }).map(([table, name]) => ({
      wrong: `rows of ${table} belong to a customer that is not there`,
      rows: `select ${name} as name from ${table} where ${ofNobody(table)}`,
    })),
    {
      wrong: 'rows of customer_states belong to a customer that is not there',
      rows: `
        select 'key ' || customer as name from customer_states
        where not exists (select 1 from customers where key = customer_states.customer)`,
    },
    {
      wrong: 'customers have no row in customer_states, without which nobody finds them',
      rows: 'select uid as name from customers where not exists (select 1 from customer_states where customer = key)',
    },
    {
      wrong: 'customers that are there are to be cleared away like deleted ones',
      rows: 'select uid as name from customers join deletions on customer = key',
    },
    {
      wrong: 'former customers are neither anonymised nor about to be',
      rows: `
        select uid as name from former_customers where anonymised = 0
          and not exists (select 1 from customers where customers.key = former_customers.key)
          and not exists (select 1 from deletions where customer = former_customers.key)`,
    },
    {
      wrong: 'events of former customers tell what was said of them',
      rows: `
        select events.uid as name from events join former_customers on key = customer
        where anonymised = 1 and (properties is not null or entity is not null)`,
    },
    {
      wrong: 'balances belong to an entity that is not there',
      rows: `
        select balances.uid as name from balances join customers on key = customer
        where entity is not null
          and not exists (select 1 from entities where entities.customer = key and entities.uid = balances.entity)`,
    },
    ...['entities', 'events', 'locks', 'attachments'].map((table) => ({
      wrong: `rows of ${table} stand in another environment than their customer`,
      rows: `
        select ${table}.uid as name from ${table} join customers on key = customer where customers.env <> ${table}.env`,
    })),
  ]
}

/** Asks how many rows a check finds, and for the first of them: `n` and `first`. */
export function counting({ rows }: OrphanCheck): string {
  return `select count(*) as n, min(name) as first from (${rows}) as wrong`
}

/** What was found, in a sentence; nothing when all is well. */
export function told({ wrong }: OrphanCheck, n: number, first: unknown): string[] {
  return n === 0 ? [] : [`${n} ${wrong}, such as ${first}`]
}

import type { SqlValue } from '../cells.ts'
import type { AggregateQuery, EventSums, GivenUp } from '../store.ts'
import { type Counted, Tally } from '../tally.ts'
import { propertiesFromText, takingsFromText, traceOf } from '../use-rows.ts'
import { KEY_OF_CUSTOMER, OF_WHOM, STORED_AT, WHO } from './lists.ts'
import type { TimedQuery } from './protocol.ts'
import type { Sql } from './sql.ts'

/**
 * SQLite has no exact decimals, so the rows are counted here, one by one as the query finds them: along events_of_customer for
 * one customer, else along events_by_time. One statement, so all of one instant.
 */
export function aggregateEvents(sql: Sql, { query, deadline }: TimedQuery): EventSums | GivenUp {
  const { text, values } = statementFor(query)
  const tally = new Tally(query, deadline)
  const [onlyName = '', another] = query.names
  const withNames = another !== undefined || query.deductions
  try {
    sql.show(text, values, (timestamp, value, name, entity, customer, properties, deductions) => {
      const event: Counted = {
        timestamp: Number(timestamp),
        value: String(value),
        name: withNames ? String(name) : onlyName,
        entity: textOf(entity),
        customerId: String(customer),
        properties: propertiesFromText(textOf(properties)),
        deductions: takingsFromText(textOf(deductions)),
      }
      tally.add(event)
      // Nothing else ends a statement that is under way.
      if (tally.isGivenUp) throw new Error('this is given up')
    })
  } catch (error) {
    if (!tally.isGivenUp) throw error
  }
  return tally.finish()
}

/** Only the cells that are needed: each that is read of a hundred thousand rows takes some milliseconds. */
function statementFor(query: AggregateQuery): { text: string; values: SqlValue[] } {
  const { env, customerId, entity, names, groupBy, deductions, from, to, storedFrom } = query
  const byCustomer = groupBy?.kind === 'customer'
  const cells = [
    'e.timestamp',
    'e.value',
    names.length > 1 || deductions ? 'e.name' : 'null',
    groupBy?.kind === 'entity' ? 'e.entity' : 'null',
    byCustomer ? WHO : 'null',
    groupBy?.kind === 'property' || query.properties.length > 0 ? 'e.properties' : 'null',
    deductions ? 'e.deductions' : 'null',
  ]
  let text = `select seen(${cells.join(', ')}) from events e ${byCustomer ? OF_WHOM : ''} where `
  const values: SqlValue[] = []
  if (customerId === undefined) {
    // A deleted customer leaves its events behind for a while.
    text += 'e.env = ? and e.customer not in (select customer from deletions)'
    values.push(env)
  } else {
    text += `e.customer = ${KEY_OF_CUSTOMER}`
    values.push(env, customerId, env, customerId)
  }
  text += ' and e.timestamp between ? and ?'
  values.push(from, to)
  if (storedFrom !== undefined) {
    text += ` and ${STORED_AT} >= ?`
    values.push(storedFrom)
  }
  if (entity !== undefined) {
    text += ' and e.entity = ?'
    values.push(entity)
  }
  for (const { value } of query.properties) {
    text += ' and instr(e.properties, ?) > 0'
    values.push(traceOf(value))
  }
  // With deductions the others count too: they may have been paid by a balance of one of these.
  if (!deductions) {
    text += ' and e.name in (select value from json_each(?))'
    values.push(JSON.stringify(names))
  }
  return { text, values }
}

function textOf(value: SqlValue): string | null {
  return typeof value === 'string' ? value : null
}

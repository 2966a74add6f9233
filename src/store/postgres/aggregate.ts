import { amount } from '../../domain/amount.ts'
import type { Price } from '../../domain/price.ts'
import type { GroupBy } from '../../domain/property.ts'
import {
  type AggregateQuery,
  type DeductionSum,
  type EventSums,
  type GivenUp,
  MOST_SUMS,
  OTHER_GROUPS,
  type UseSum,
} from '../store.ts'
import { type Connections, codeOf } from './connections.ts'
import { KEY_OF, OF_WHOM, WHO } from './lists.ts'
import { andProperties, propertyAt, readable, textOf } from './properties.ts'
import { Where } from './where.ts'

const CANCELED = '57014'

/**
 * What these queries are allowed beside what every session is: they read a good part of a table, so a bitmap reads its pages
 * in order and a hash table holds the groups.
 */
const ALLOWED = "set local enable_bitmapscan = on; set local enable_hashjoin = on; set local work_mem = '32MB'"

interface SumRow {
  readonly bin: number
  readonly name: string
  /** Null for a sum of uses. */
  readonly balance: string | null
  readonly grp: string | null
  readonly events: number
  readonly sum: string
  readonly price: string | null
}

/** `numeric` adds up exactly. One statement, so all of one instant. */
export async function aggregateEvents(connections: Connections, query: AggregateQuery): Promise<EventSums | GivenUp> {
  const where = whichEvents(query)
  const bins = where.with('?', query.bins)
  const places: Places = {
    bin: `width_bucket(e.timestamp, ${bins}::bigint[]) - 1`,
    group: groupOf(query.groupBy),
    names: where.with('?', query.names),
    most: where.with('?', query.mostGroups),
    other: where.with('?', OTHER_GROUPS),
    from: `events e ${joinFor(query.groupBy, where)}`,
  }
  const all = query.deductions ? `${uses(places, where)} union all ${deductions(places, where)}` : uses(places, where)
  const text = `select * from (${all}) as sums limit ${MOST_SUMS + 1}`
  const within = `set local statement_timeout = ${query.patience}; ${ALLOWED}`
  try {
    const rows = await connections.read<SumRow>({ name: '', text, within }, where.values)
    if (rows.length > MOST_SUMS) return { kind: 'given_up', why: 'too_many' }
    return {
      uses: rows.flatMap((row) => (row.balance === null ? [useFrom(row)] : [])),
      deductions: rows.flatMap((row) => (row.balance === null ? [] : [deductionFrom(row, row.balance)])),
    }
  } catch (error) {
    if (codeOf(error) === CANCELED) return { kind: 'given_up', why: 'too_slow' }
    throw error
  }
}

/** Parts of the statement that are the same for uses and deductions. */
interface Places {
  readonly bin: string
  readonly group: string | null
  readonly names: string
  readonly most: string
  readonly other: string
  readonly from: string
}

/** Along the primary key for one customer, else along events_by_time. */
function whichEvents({ env, customerId, entity, from, to, storedFrom, properties }: AggregateQuery): Where {
  const where = new Where('true')
  if (customerId === undefined) {
    where.and('e.env = ? and e.timestamp between ? and ?', env, from, to)
    // A deleted customer leaves its events behind for a while.
    where.and('e.customer <> all (select customer from deletions)')
  } else {
    const key = where.with(KEY_OF, customerId, env, customerId, env)
    // Compared as rows, because the planner takes two comparisons for a reason to go along events_by_time.
    where.and(`(e.customer, e.timestamp) >= (${key}, ?) and (e.customer, e.timestamp) <= (${key}, ?)`, from, to)
  }
  if (entity !== undefined) where.and('e.entity = ?', entity)
  if (storedFrom !== undefined) where.and('e.stored_at >= ?', storedFrom)
  andProperties(where, properties)
  return where
}

/** What the groups are told by. The JSON of an event is read once (`offset 0` keeps it from being put in wherever it is used). */
function joinFor(groupBy: GroupBy | null, where: Where): string {
  if (groupBy?.kind === 'customer') return OF_WHOM
  if (groupBy?.kind !== 'property') return ''
  return `cross join lateral (select ${propertyAt(where.with('?', groupBy.path))} as value offset 0) as p`
}

function groupOf(groupBy: GroupBy | null): string | null {
  switch (groupBy?.kind) {
    case undefined:
      return null
    case 'property':
      // The empty text is no group, as in the contract.
      return `nullif(${textOf('p.value')}, '')`
    case 'customer':
      return WHO
    case 'entity':
      return 'e.entity'
    case 'name':
      return 'e.name'
    case 'plan':
      return "''"
  }
}

function uses({ bin, group, names, most, other, from }: Places, { text }: Where): string {
  return `select bin, name, null as balance, ${shown(most, other)} as grp,
      sum(events)::bigint as events, sum(sum) as sum, null as price
    from (
      select *, row_number() over (partition by bin, name order by ${place('sum', other)}) as place
      from (
        select ${bin} as bin, e.name, ${group ?? 'null::text'} as grp, count(*) as events, sum(e.value) as sum
        from ${from} where ${text} and e.name = any (${names}) group by 1, 2, 3
      ) as grouped
    ) as placed
    group by 1, 2, 4`
}

function deductions({ bin, group, names, most, other, from }: Places, { text }: Where): string {
  const grouped = group === null ? '' : `and ${group} is not null`
  return `select bin, name, balance, ${shown(most, other)} as grp,
      sum(events)::bigint as events, sum(sum) as sum, case when min(cheapest) = max(dearest) then min(cheapest) end as price
    from (
      select *, dense_rank() over (partition by balance order by ${place('total', other)}) as place
      from (
        select *, sum(sum) over (partition by balance, grp) as total
        from (
          select bin, name, balance, grp, count(*) as events, sum(sum) as sum,
            min(cheapest) as cheapest, max(dearest) as dearest
          from (
            select e.uid, ${bin} as bin, d.name, d.balance, ${group ?? 'null::text'} as grp,
              sum(d.amount) as sum, min(d.price) as cheapest, max(d.price) as dearest
            from ${from} cross join lateral (
              select l ->> 0 as balance, l ->> 1 as name, (l ->> 2)::numeric as amount,
                coalesce(l ->> 6, '1') || '/' || coalesce(l ->> 7, '1') as price
              from jsonb_array_elements(${readable('e.deductions')}::jsonb) as l offset 0
            ) as d
            where ${text} ${grouped} and (e.name = any (${names}) or d.name = any (${names}))
            group by 1, 2, 3, 4, 5
          ) as taken
          group by 1, 2, 3, 4
        ) as grouped
      ) as ranked
    ) as placed
    group by 1, 2, 3, 4`
}

/** Largest first; what has no group, or is called like the others, takes nobody's place. */
function place(sum: string, other: string): string {
  return `(grp is null or grp = ${other}), ${sum} desc, grp collate "C"`
}

function shown(most: string, other: string): string {
  return `case when grp is not null and (place > ${most}::bigint or grp = ${other}) then ${other}::text else grp end`
}

function useFrom({ bin, name, grp, events, sum }: SumRow): UseSum {
  return { bin, name, group: grp, events, sum: amount(sum) }
}

function deductionFrom({ bin, name, grp, events, sum, price }: SumRow, balance: string): DeductionSum {
  return { bin, feature: name, balance, group: grp, events, sum: amount(sum), price: priceFrom(price) }
}

function priceFrom(text: string | null): Price | null {
  if (text === null) return null
  const [cost = '1', per = '1'] = text.split('/')
  return { cost: amount(cost), per: amount(per) }
}

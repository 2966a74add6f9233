import type { Client } from 'pg'

const HEADING = `-- The tables, types and functions of the PostgreSQL store, as its migrations make them (src/store/postgres/migrations.ts).
-- Written by \`node scripts/schema.mjs\` from the catalog of a migrated database; a test holds that it is up to date.
-- The partitions of events (by month) and idempotency (by day) are made by the store as time goes on.
`

/** What the migrations have made, as SQL, in one order whatever the server. */
export async function describeSchema(client: Client): Promise<string> {
  const lines = async (sql: string) => (await client.query<{ line: string }>(sql)).rows.map(({ line }) => line)
  const parts = [HEADING]
  const { rows } = await client.query<{ oid: number; name: string; head: string }>(TABLES)
  for (const { oid, name, head } of rows) {
    const columns = await lines(COLUMNS.replaceAll('$1', String(oid)))
    const constraints = await lines(CONSTRAINTS.replaceAll('$1', String(oid)))
    parts.push(`create table ${name} (\n  ${[...columns, ...constraints].join(',\n  ')}\n)${head};\n`)
    parts.push(...(await lines(INDEXES.replaceAll('$1', String(oid)))).map((line) => `${line};\n`))
  }
  parts.push(...(await lines(TYPES)).map((line) => `${line};\n`))
  parts.push(...(await lines(FUNCTIONS)).map((line) => `${line.trimEnd()};\n`))
  return parts.join('\n')
}

const TABLES = `
  select c.oid, relname as name,
    case when relkind = 'p' then ' partition by ' || lower(pg_get_partkeydef(c.oid)) else '' end
    || coalesce(' with (' || array_to_string(reloptions, ', ') || ')', '') as head
  from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
  order by relname collate "C"`

const COLUMNS = `
  select attname || ' ' || format_type(atttypid, atttypmod)
    || case when collname = 'C' then ' collate "C"' else '' end
    || case when attnotnull then ' not null' else '' end
    || case when attidentity = 'a' then ' generated always as identity' else '' end
    || coalesce(' default ' || pg_get_expr(adbin, adrelid), '') as line
  from pg_attribute
    left join pg_collation l on l.oid = attcollation
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
  where attrelid = $1 and attnum > 0 and not attisdropped order by attnum`

const CONSTRAINTS = `
  select lower(pg_get_constraintdef(oid)) as line from pg_constraint
  where conrelid = $1 and contype in ('p', 'u') order by contype, conname collate "C"`

const INDEXES = `
  select lower(pg_get_indexdef(indexrelid)) as line from pg_index join pg_class c on c.oid = indexrelid
  where indrelid = $1 and not exists (select from pg_constraint where conindid = indexrelid)
  order by relname collate "C"`

const TYPES = `
  select 'create type ' || relname || ' as (' || string_agg(
    attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum
  ) || ')' as line
  from pg_class c join pg_attribute a on attrelid = c.oid
  where relnamespace = 'public'::regnamespace and relkind = 'c' and not attisdropped
  group by relname order by relname collate "C"`

const FUNCTIONS = `
  select pg_get_functiondef(oid) as line from pg_proc
  where pronamespace = 'public'::regnamespace order by proname collate "C"`

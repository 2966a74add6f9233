import type { Client, PoolClient } from 'pg'
import { CATALOGUE_1 } from './catalogue-1.ts'
import { CATALOGUE_2 } from './catalogue-2.ts'
import { CLEAR_2 } from './clear-2.ts'
import { CLEAR_3 } from './clear-3.ts'
import { COMMIT_1 } from './commit-1.ts'
import { COMMIT_2 } from './commit-2.ts'
import { COMMIT_3 } from './commit-3.ts'

/**
 * The schema, one step per entry; `schema_steps` has a row for each that was taken. Steps are never edited once released.
 * Amounts are `numeric` (exact). Instants are Unix milliseconds. JSON is text, because `jsonb` refuses \\u0000 and rounds
 * numbers, and what a caller sent comes back as it was. Ids are compared byte by byte, as JavaScript does.
 *
 * What belongs to a customer has the customer's key as the first column of its primary key. What every commit changes of a
 * customer is a row of its own of a few bytes (\`customer_states\`), in pages with room for the next version of it, and no
 * changing column has an index, so that a change touches no index.
 */
export const MIGRATIONS: readonly string[] = [
  `
  create table catalogues (env text primary key, version bigint not null, clock_ahead bigint not null);

  create table features (
    env text not null, position bigint not null, uid text collate "C" not null, id text collate "C" not null,
    name text not null, type text not null, event_names text not null, display text, archived integer not null,
    created_at bigint not null,
    primary key (env, uid), unique (env, id)
  );

  create table customers (
    key bigint generated always as identity primary key, uid text collate "C" not null unique, env text not null,
    id text collate "C", claim text collate "C", name text, email text, fingerprint text, stripe_id text,
    metadata text not null, send_email_receipts integer not null, shares_with_entities integer not null,
    clock_ahead bigint not null, created_at bigint not null,
    unique (id, env), unique (claim, env)
  );
  create index customers_by_time on customers (env, created_at, uid);

  create table customer_states (
    customer bigint primary key, uid text collate "C" not null unique, version bigint not null, latest bigint not null,
    postings bigint not null
  ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

  create table balances (
    customer bigint not null, uid text collate "C" not null, id text, feature text collate "C" not null,
    entity text collate "C", terms text not null, allowance numeric, remaining numeric not null,
    adjustment numeric not null, seats integer not null, metered text, reset_interval text, reset_count integer, reset_anchor bigint,
    next_reset_at bigint, renewed_at bigint, rollover_policy text, rollovers text, expires_at bigint,
    created_at bigint not null,
    primary key (customer, uid)
  ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

  create table entities (
    customer bigint not null, env text not null, uid text collate "C" not null, id text collate "C", name text,
    feature text collate "C" not null, created_at bigint not null,
    primary key (customer, uid), unique (customer, id)
  );
  create index entities_by_id on entities (env, id);
  create index entities_by_time on entities (env, created_at, uid);

  create table refunds (
    customer bigint not null, event text collate "C" not null, given text not null, primary key (customer, event)
  );

  create table postings (
    customer bigint not null, seq bigint not null, entity text, feature text not null, balance text not null,
    rollover text, kind text not null, amount numeric not null, granted numeric not null,
    remaining_after numeric not null, permit text, cause text not null, at bigint not null,
    primary key (customer, seq)
  );

  create table events (
    customer bigint not null, env text not null, timestamp bigint not null, uid text collate "C" not null,
    name text not null, value numeric not null, properties text, entity text, refund_of text, recorded_at bigint not null,
    deductions text, stored_at bigint not null,
    primary key (customer, timestamp, uid, stored_at)
  ) partition by range (stored_at);
  create index events_by_time on events (env, timestamp, uid);

  create table idempotency (
    bucket bigint not null, hash text collate "C" not null, fingerprint text not null, answer text not null,
    primary key (hash, bucket)
  ) partition by range (bucket);

  create table api_keys (hash text primary key, env text not null, created_at bigint not null);

  create table deletions (customer bigint primary key);

  create table writers (
    id uuid primary key, seq bigint not null, results text, settled_at timestamptz not null default clock_timestamp()
  ) with (fillfactor = 10, autovacuum_vacuum_threshold = 1000);

  -- What came of the batch that the writer is at, in the batch's own transaction. A writer only goes forward.
  create function granary_settle_1(p_writer uuid, p_seq bigint, p_results text) returns void language plpgsql as $function$
  begin
    insert into writers (id, seq, results) values (p_writer, p_seq, p_results)
    on conflict (id) do update set seq = excluded.seq, results = excluded.results, settled_at = excluded.settled_at
    where writers.seq < excluded.seq;
    if not found then raise exception 'this batch was given up'; end if;
  end
  $function$;

  -- Sees to it that the writer's batch, of which nobody knows what became, is not committed any more: null. Its results when
  -- it has been. While it is still on its way this waits, and not for long: it is asked again.
  create function granary_give_up_1(p_writer uuid, p_seq bigint) returns text language plpgsql set lock_timeout = '2s'
  as $function$
  declare
    v_results text;
  begin
    insert into writers (id, seq) values (p_writer, p_seq)
    on conflict (id) do update set seq = excluded.seq, results = null, settled_at = excluded.settled_at
    where writers.seq < excluded.seq;
    if found then return null; end if;
    select results into v_results from writers where id = p_writer and seq = p_seq;
    return v_results;
  end
  $function$;

  -- Clears away some rows of a deleted customer that nobody else is clearing at the moment; false when there is none.
  create function granary_clear_1(p_rows integer) returns boolean language plpgsql
  set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
  set enable_material = off as $function$
  declare
    v_customer bigint;
    v_cleared bigint;
    v_sum bigint := 0;
  begin
    select customer into v_customer from deletions order by customer limit 1 for update skip locked;
    if not found then return false; end if;
    delete from balances where customer = v_customer
      and uid in (select uid from balances where customer = v_customer limit p_rows);
    get diagnostics v_cleared = row_count;
    v_sum := v_sum + v_cleared;
    delete from entities where customer = v_customer
      and uid in (select uid from entities where customer = v_customer limit p_rows);
    get diagnostics v_cleared = row_count;
    v_sum := v_sum + v_cleared;
    delete from refunds where customer = v_customer
      and event in (select event from refunds where customer = v_customer limit p_rows);
    get diagnostics v_cleared = row_count;
    v_sum := v_sum + v_cleared;
    delete from postings where customer = v_customer
      and seq in (select seq from postings where customer = v_customer limit p_rows);
    get diagnostics v_cleared = row_count;
    v_sum := v_sum + v_cleared;
    delete from events where customer = v_customer and (timestamp, uid, stored_at) in (
      select timestamp, uid, stored_at from events where customer = v_customer limit p_rows
    );
    get diagnostics v_cleared = row_count;
    if v_sum + v_cleared = 0 then delete from deletions where customer = v_customer; end if;
    return true;
  end
  $function$;
  ${COMMIT_1}
  ${CATALOGUE_1}
  `,
  `
  -- Locks. Their ids are unique in the environment, and those that lapse are found by the clock.
  create table locks (
    customer bigint not null, env text not null, id text collate "C" not null, uid text collate "C" not null,
    feature text collate "C" not null, name text not null, entity text, held numeric not null, behavior text not null,
    properties text, lines text not null, held_at bigint not null, lapses_at bigint not null, at_lapse text not null,
    primary key (customer, id), unique (id, env)
  );
  create index locks_by_lapse on locks (env, lapses_at);
  alter table balances add column held numeric;
  alter table postings add column held numeric;
  alter table events add column lock text;
  ${COMMIT_2}
  `,
  CLEAR_2,
  `
  -- Plans, and what customers have of them: found by the plan, and by when the next of them begins or ends. Few customers have a
  -- clock of their own.
  create table plans (
    env text not null, position bigint not null, uid text collate "C" not null, id text collate "C" not null,
    version bigint not null, name text not null, description text, plan_group text not null, add_on integer not null,
    auto_enable integer not null, archived integer not null, ignore_past_due integer not null, metadata text not null,
    terms text not null, retired integer not null, created_at bigint not null,
    primary key (env, uid)
  );

  create table attachments (
    customer bigint not null, env text not null, uid text collate "C" not null, id text collate "C",
    plan text collate "C" not null, plan_id text collate "C" not null, version bigint not null, entity text collate "C",
    status text not null, starts_at bigint not null, canceled_at bigint, ends_at bigint, trial_ends_at bigint,
    anchor bigint not null, quantities text not null, custom text, created_at bigint not null, turns_at bigint,
    primary key (customer, uid)
  );
  create index attachments_by_plan on attachments (plan);
  create index attachments_by_turn on attachments (env, turns_at) where turns_at is not null;
  create index customers_with_clocks on customers (env) where clock_ahead > 0;
  alter table balances add column source text;
  ${COMMIT_3}
  ${CATALOGUE_2}
  ${CLEAR_3}
  `,
]

/** Held while the schema is looked at and changed. Other locks of the store have the same first number. */
const MIGRATION_LOCK = [1735549294, 0]
const OLDEST_SERVER = 15

/**
 * Brings the schema up to the newest. Any number of processes may do so at once. @returns how many steps were taken.
 * @throws Error with a sentence: the server is too old, or the schema is newer than this program.
 */
export async function migrate(client: Client | PoolClient): Promise<number> {
  const { rows } = await client.query<{ version: string }>("select current_setting('server_version_num') as version")
  const server = Math.floor(Number(rows[0]?.version) / 10_000)
  if (server < OLDEST_SERVER) {
    throw new Error(`Granary needs PostgreSQL ${OLDEST_SERVER} or newer, and this server is version ${server}`)
  }
  await client.query('select pg_advisory_lock($1, $2)', MIGRATION_LOCK)
  try {
    return await takeSteps(client)
  } finally {
    // Fails on a lost connection, whose locks are gone already.
    await client.query('select pg_advisory_unlock($1, $2)', MIGRATION_LOCK).catch(() => null)
  }
}

async function takeSteps(client: Client | PoolClient): Promise<number> {
  await client.query(
    'create table if not exists schema_steps (step integer primary key, taken_at timestamptz not null default now())',
  )
  const { rows } = await client.query<{ version: number }>('select coalesce(max(step), 0) as version from schema_steps')
  const version = rows[0]?.version ?? 0
  if (version > MIGRATIONS.length) {
    throw new Error(
      `the database was written by a newer Granary (schema ${version}, this one knows ${MIGRATIONS.length}): upgrade, or use another database`,
    )
  }
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < version) continue
    // One text without parameters is one transaction.
    await client.query(`begin; ${sql}; insert into schema_steps (step) values (${index + 1}); commit`)
  }
  return MIGRATIONS.length - version
}

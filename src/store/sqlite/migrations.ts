/**
 * The schema, one step per entry; `pragma user_version` counts the steps taken. Steps are never edited once released.
 * Amounts are decimal text (exact). Instants are Unix milliseconds.
 *
 * A commit costs mostly by the pages it touches, and random customers touch random pages (leaving out one index by customer
 * saved 8 of 44 µs per track, measured). So:
 * what every commit changes of a customer is a row of its own of a few bytes (`customer_states`); postings and events are
 * appended in the order in which they come; postings of one customer are a chain (`previous`) and need no index at all.
 * `idempotency` is clustered by time bucket first: a table keyed by random hashes alone slows from 9 to 25 µs at 1 M rows.
 */
export const MIGRATIONS: readonly string[] = [
  `
  create table catalogues (env text primary key, version integer not null) strict, without rowid;

  create table features (
    env text not null, position integer not null, uid text not null, id text not null, name text not null,
    type text not null, event_names text not null, display text, archived integer not null, created_at integer not null,
    primary key (env, uid), unique (env, id)
  ) strict, without rowid;

  create table customers (
    key integer primary key, uid text not null unique, env text not null, id text not null, name text, email text,
    fingerprint text, stripe_id text, metadata text not null, send_email_receipts integer not null, created_at integer not null,
    unique (env, id)
  ) strict;

  create table customer_states (
    customer integer primary key, version integer not null, latest integer not null, postings integer not null,
    last_posting integer
  ) strict;

  create table balances (
    customer integer not null, uid text not null, id text, feature text not null, terms text not null, allowance text,
    remaining text not null, adjustment text not null, reset_interval text, reset_count integer, reset_anchor integer,
    next_reset_at integer, rollover_policy text, rollovers text, expires_at integer, created_at integer not null,
    primary key (customer, uid)
  ) strict, without rowid;

  create table postings (
    seq integer primary key, customer integer not null, previous integer, feature text not null, balance text not null,
    rollover text, kind text not null, amount text not null, granted text not null, remaining_after text not null,
    permit text, cause text not null, at integer not null
  ) strict;

  create table events (
    seq integer primary key, customer integer not null, env text not null, timestamp integer not null, uid text not null,
    name text not null, value text not null, properties text, recorded_at integer not null, deductions text
  ) strict;
  create index events_of_customer on events (customer, timestamp);
  create index events_by_time on events (env, timestamp);

  create table idempotency (
    bucket integer not null, hash text not null, fingerprint text not null, answer text not null,
    primary key (bucket, hash)
  ) strict, without rowid;

  create table api_keys (hash text primary key, env text not null, created_at integer not null) strict, without rowid;
  `,
  // Entities, customers without an id, movable clocks, deletion. A customer's key is never used twice (autoincrement), because
  // what belonged to a deleted customer is cleared away little by little, and must not become someone else's meanwhile.
  `
  alter table catalogues add column clock_ahead integer not null default 0;

  create table customers_2 (
    key integer primary key autoincrement, uid text not null unique, env text not null, id text, claim text, name text,
    email text, fingerprint text, stripe_id text, metadata text not null, send_email_receipts integer not null,
    shares_with_entities integer not null, clock_ahead integer not null, created_at integer not null,
    unique (env, id), unique (env, claim)
  ) strict;
  insert into customers_2 (
    key, uid, env, id, name, email, fingerprint, stripe_id, metadata, send_email_receipts, shares_with_entities, clock_ahead,
    created_at
  )
  select key, uid, env, id, name, email, fingerprint, stripe_id, metadata, send_email_receipts, 1, 0, created_at from customers;
  drop table customers;
  alter table customers_2 rename to customers;
  create index customers_by_time on customers (env, created_at, uid);

  create table entities (
    customer integer not null, env text not null, uid text not null, id text, name text, feature text not null,
    created_at integer not null,
    primary key (customer, uid), unique (customer, id)
  ) strict, without rowid;
  create index entities_by_id on entities (env, id);
  create index entities_by_time on entities (env, created_at, uid);

  alter table balances add column entity text;
  alter table balances add column seats integer not null default 0;
  alter table balances add column renewed_at integer;
  alter table postings add column entity text;
  alter table events add column entity text;
  alter table events add column refund_of text;

  create table refunds (
    customer integer not null, event text not null, given text not null, primary key (customer, event)
  ) strict, without rowid;

  create table deletions (customer integer primary key, last_posting integer) strict;
  `,
  // Prices in tiers: how many units a balance has paid for in its period.
  'alter table balances add column metered text',
  // When an event was stored by the real time, which retention goes by. Those that are there have none: they count as stored
  // when they were recorded, or now where a moved clock put that into the future.
  `
  alter table events add column stored_at integer;
  update events set stored_at = unixepoch() * 1000 where recorded_at > unixepoch() * 1000;
  `,
  // Deleted customers of whom events and postings are kept, and how far what the caller said of events has been cleared away.
  `
  create table former_customers (
    key integer primary key, uid text not null unique, env text not null, anonymised integer not null default 0,
    last_posting integer, cleared_timestamp integer, cleared_seq integer
  ) strict;
  `,
  // Locks. Their ids are unique in the environment, and those that lapse are found by the clock.
  `
  create table locks (
    customer integer not null, env text not null, id text not null, uid text not null, feature text not null,
    name text not null, entity text, held text not null, behavior text not null, properties text, lines text not null,
    held_at integer not null, lapses_at integer not null, at_lapse text not null,
    primary key (env, id)
  ) strict, without rowid;
  create index locks_of_customer on locks (customer);
  create index locks_by_lapse on locks (env, lapses_at);
  alter table balances add column held text;
  alter table postings add column held text;
  alter table events add column lock text;
  `,
  // Plans, and what customers have of them: found by the plan, and by when the next of them begins or ends. Few customers have
  // a clock of their own.
  `
  create table plans (
    env text not null, position integer not null, uid text not null, id text not null, version integer not null,
    name text not null, description text, plan_group text not null, add_on integer not null, auto_enable integer not null,
    archived integer not null, ignore_past_due integer not null, metadata text not null, terms text not null,
    retired integer not null, created_at integer not null,
    primary key (env, uid)
  ) strict, without rowid;

  create table attachments (
    customer integer not null, env text not null, uid text not null, id text, plan text not null, plan_id text not null,
    version integer not null, entity text, status text not null, starts_at integer not null, canceled_at integer,
    ends_at integer, trial_ends_at integer, anchor integer not null, quantities text not null, custom text,
    created_at integer not null, turns_at integer,
    primary key (customer, uid)
  ) strict, without rowid;
  create index attachments_by_plan on attachments (plan);
  create index attachments_by_turn on attachments (env, turns_at) where turns_at is not null;
  create index customers_with_clocks on customers (env) where clock_ahead > 0;
  alter table balances add column source text;
  `,
]

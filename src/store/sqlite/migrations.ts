/**
 * The schema, one step per entry; `pragma user_version` counts the steps taken. Steps are never edited once released.
 *
 * Every hot table has the customer first in its primary key and is clustered by it. Amounts are decimal text (exact).
 * Instants are Unix milliseconds. `events` has one secondary index, because each costs every write (measured +4.6 µs).
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
    uid text primary key, env text not null, version integer not null, latest integer not null, postings integer not null,
    id text not null, name text, email text, fingerprint text, stripe_id text, metadata text not null,
    send_email_receipts integer not null, created_at integer not null,
    unique (env, id)
  ) strict, without rowid;

  create table balances (
    customer text not null, uid text not null, id text, feature text not null, terms text not null, allowance text,
    remaining text not null, adjustment text not null, reset_interval text, reset_count integer, reset_anchor integer,
    next_reset_at integer, rollover_policy text, rollovers text, expires_at integer, created_at integer not null,
    primary key (customer, uid)
  ) strict, without rowid;

  create table postings (
    customer text not null, seq integer not null, feature text not null, balance text not null, rollover text,
    kind text not null, amount text not null, granted text not null, remaining_after text not null, permit text,
    cause text not null, at integer not null,
    primary key (customer, seq)
  ) strict, without rowid;

  create table events (
    customer text not null, timestamp integer not null, uid text not null, env text not null, name text not null,
    value text not null, properties text, recorded_at integer not null, deductions text,
    primary key (customer, timestamp, uid)
  ) strict, without rowid;
  create index events_by_time on events (env, timestamp, uid);

  create table idempotency (
    bucket integer not null, hash text not null, fingerprint text not null, answer text not null,
    primary key (bucket, hash)
  ) strict, without rowid;

  create table api_keys (hash text primary key, env text not null, created_at integer not null) strict, without rowid;
  `,
]

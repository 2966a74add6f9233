-- The tables, types and functions of the PostgreSQL store, as its migrations make them (src/store/postgres/migrations.ts).
-- Written by `node scripts/schema.mjs` from the catalog of a migrated database; a test holds that it is up to date.
-- The partitions of events (by month) and idempotency (by day) are made by the store as time goes on.

create table api_keys (
  hash text not null,
  env text not null,
  created_at bigint not null,
  primary key (hash)
);

create table attachments (
  customer bigint not null,
  env text not null,
  uid text collate "C" not null,
  id text collate "C",
  plan text collate "C" not null,
  plan_id text collate "C" not null,
  version bigint not null,
  entity text collate "C",
  status text not null,
  starts_at bigint not null,
  canceled_at bigint,
  ends_at bigint,
  trial_ends_at bigint,
  anchor bigint not null,
  quantities text not null,
  custom text,
  created_at bigint not null,
  turns_at bigint,
  primary key (customer, uid)
);

create index attachments_by_plan on public.attachments using btree (plan);

create index attachments_by_turn on public.attachments using btree (env, turns_at) where (turns_at is not null);

create table balances (
  customer bigint not null,
  uid text collate "C" not null,
  id text,
  feature text collate "C" not null,
  entity text collate "C",
  terms text not null,
  allowance numeric,
  remaining numeric not null,
  adjustment numeric not null,
  seats integer not null,
  metered text,
  reset_interval text,
  reset_count integer,
  reset_anchor bigint,
  next_reset_at bigint,
  renewed_at bigint,
  rollover_policy text,
  rollovers text,
  expires_at bigint,
  created_at bigint not null,
  held numeric,
  source text,
  primary key (customer, uid)
) with (fillfactor=70, autovacuum_vacuum_scale_factor=0.05, autovacuum_analyze_scale_factor=0.05);

create table catalogues (
  env text not null,
  version bigint not null,
  clock_ahead bigint not null,
  primary key (env)
);

create table customer_states (
  customer bigint not null,
  uid text collate "C" not null,
  version bigint not null,
  latest bigint not null,
  postings bigint not null,
  primary key (customer),
  unique (uid)
) with (fillfactor=70, autovacuum_vacuum_scale_factor=0.05, autovacuum_analyze_scale_factor=0.05);

create table customers (
  key bigint not null generated always as identity,
  uid text collate "C" not null,
  env text not null,
  id text collate "C",
  claim text collate "C",
  name text,
  email text,
  fingerprint text,
  stripe_id text,
  metadata text not null,
  send_email_receipts integer not null,
  shares_with_entities integer not null,
  clock_ahead bigint not null,
  created_at bigint not null,
  primary key (key),
  unique (claim, env),
  unique (id, env),
  unique (uid)
);

create index customers_by_time on public.customers using btree (env, created_at, uid);

create index customers_with_clocks on public.customers using btree (env) where (clock_ahead > 0);

create table deletions (
  customer bigint not null,
  primary key (customer)
);

create table entities (
  customer bigint not null,
  env text not null,
  uid text collate "C" not null,
  id text collate "C",
  name text,
  feature text collate "C" not null,
  created_at bigint not null,
  primary key (customer, uid),
  unique (customer, id)
);

create index entities_by_id on public.entities using btree (env, id);

create index entities_by_time on public.entities using btree (env, created_at, uid);

create table events (
  customer bigint not null,
  env text not null,
  timestamp bigint not null,
  uid text collate "C" not null,
  name text not null,
  value numeric not null,
  properties text,
  entity text,
  refund_of text,
  recorded_at bigint not null,
  deductions text,
  stored_at bigint not null,
  lock text,
  primary key (customer, "timestamp", uid, stored_at)
) partition by range (stored_at);

create index events_by_time on only public.events using btree (env, "timestamp", uid);

create table features (
  env text not null,
  position bigint not null,
  uid text collate "C" not null,
  id text collate "C" not null,
  name text not null,
  type text not null,
  event_names text not null,
  display text,
  archived integer not null,
  created_at bigint not null,
  primary key (env, uid),
  unique (env, id)
);

create table former_customers (
  key bigint not null,
  uid text collate "C" not null,
  env text not null,
  anonymised integer not null default 0,
  cleared_timestamp bigint,
  cleared_uid text collate "C",
  primary key (key),
  unique (uid)
);

create table idempotency (
  bucket bigint not null,
  hash text collate "C" not null,
  fingerprint text not null,
  answer text not null,
  primary key (hash, bucket)
) partition by range (bucket);

create table locks (
  customer bigint not null,
  env text not null,
  id text collate "C" not null,
  uid text collate "C" not null,
  feature text collate "C" not null,
  name text not null,
  entity text,
  held numeric not null,
  behavior text not null,
  properties text,
  lines text not null,
  held_at bigint not null,
  lapses_at bigint not null,
  at_lapse text not null,
  primary key (customer, id),
  unique (id, env)
);

create index locks_by_lapse on public.locks using btree (env, lapses_at);

create table plans (
  env text not null,
  position bigint not null,
  uid text collate "C" not null,
  id text collate "C" not null,
  version bigint not null,
  name text not null,
  description text,
  plan_group text not null,
  add_on integer not null,
  auto_enable integer not null,
  archived integer not null,
  ignore_past_due integer not null,
  metadata text not null,
  terms text not null,
  retired integer not null,
  created_at bigint not null,
  primary key (env, uid)
);

create table postings (
  customer bigint not null,
  seq bigint not null,
  entity text,
  feature text not null,
  balance text not null,
  rollover text,
  kind text not null,
  amount numeric not null,
  granted numeric not null,
  remaining_after numeric not null,
  permit text,
  cause text not null,
  at bigint not null,
  held numeric,
  primary key (customer, seq)
);

create table refunds (
  customer bigint not null,
  event text collate "C" not null,
  given text not null,
  primary key (customer, event)
);

create table schema_steps (
  step integer not null,
  taken_at timestamp with time zone not null default now(),
  primary key (step)
);

create table writers (
  id uuid not null,
  seq bigint not null,
  results text,
  settled_at timestamp with time zone not null default clock_timestamp(),
  primary key (id)
) with (fillfactor=10, autovacuum_vacuum_threshold=1000);

create type granary_attachment_3 as (change integer, uid text, id text, plan text, plan_id text, version bigint, entity text, status text, starts_at bigint, canceled_at bigint, ends_at bigint, trial_ends_at bigint, anchor bigint, quantities text, custom text, created_at bigint, turns_at bigint);

create type granary_balance_2 as (change integer, uid text, id text, feature text, entity text, terms text, allowance numeric, remaining numeric, adjustment numeric, seats integer, metered text, reset_interval text, reset_count integer, reset_anchor bigint, next_reset_at bigint, renewed_at bigint, rollover_policy text, rollovers text, expires_at bigint, created_at bigint, held numeric);

create type granary_balance_3 as (change integer, uid text, id text, feature text, entity text, terms text, allowance numeric, remaining numeric, adjustment numeric, seats integer, metered text, reset_interval text, reset_count integer, reset_anchor bigint, next_reset_at bigint, renewed_at bigint, rollover_policy text, rollovers text, expires_at bigint, created_at bigint, held numeric, source text);

create type granary_change_2 as (change integer, env text, uid text, slot integer, expected bigint, catalogue bigint, latest bigint, postings bigint);

create type granary_claim_2 as (change integer, hash text);

create type granary_customer_2 as (change integer, id text, name text, email text, fingerprint text, stripe_id text, metadata text, send_email_receipts integer, shares_with_entities integer, clock_ahead bigint, created_at bigint, claim text);

create type granary_entity_2 as (change integer, uid text, id text, name text, feature text, created_at bigint);

create type granary_event_2 as (change integer, timestamp bigint, uid text, name text, value numeric, properties text, entity text, refund_of text, recorded_at bigint, deductions text, lock text);

create type granary_feature_2 as (uid text, id text, name text, type text, event_names text, display text, archived integer, created_at bigint);

create type granary_gone_2 as (change integer, uid text);

create type granary_key_2 as (change integer, hash text, fingerprint text, answer text);

create type granary_lock_2 as (change integer, id text, uid text, feature text, name text, entity text, held numeric, behavior text, properties text, lines text, held_at bigint, lapses_at bigint, at_lapse text);

create type granary_plan_2 as (uid text, id text, version bigint, name text, description text, plan_group text, add_on integer, auto_enable integer, archived integer, ignore_past_due integer, metadata text, terms text, retired integer, created_at bigint);

create type granary_posting_2 as (change integer, seq bigint, entity text, feature text, balance text, rollover text, kind text, amount numeric, granted numeric, remaining_after numeric, permit text, cause text, at bigint, held numeric);

create type granary_refund_2 as (change integer, event text, given text);

CREATE OR REPLACE FUNCTION public.granary_catalogue_1(p_writer uuid, p_seq bigint, p_now bigint, p_buckets bigint[], p_env text, p_expected bigint, p_clock_ahead bigint, p_removed text, p_unused text, p_unused_balances boolean, p_unused_entities boolean, q_hash text[], k_hash text[], k_fingerprint text[], k_answer text[], f_uid text, f_id text, f_name text, f_type text, f_event_names text, f_display text, f_archived integer, f_created_at bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare
  v_known json;
  v_version bigint;
  v_kind text := 'c';
  v_results text;
begin
  -- Every commit of the environment holds this lock in its weaker form: nobody writes while it is held.
  perform pg_advisory_xact_lock(1735549294, case when p_env = 'live' then 2 else 1 end);
  select json_agg(json_build_array(0, hash, fingerprint, answer) order by n) into v_known from (
    select distinct on (n) n, hash, fingerprint, answer
    from unnest(q_hash) with ordinality as q (hash, n) join idempotency using (hash)
    where (bucket = any (p_buckets)) is true order by n, bucket desc
  ) as known;
  select coalesce(max(version), 0) into v_version from catalogues where env = p_env;
  if v_known is not null then
    v_kind := 'k';
  elsif v_version <> p_expected then
    v_kind := 'x';
  -- Reads whole tables: features change so seldom that an index which every grant must write would cost more. The joins
  -- leave out what a deleted customer left behind.
  elsif p_unused_balances and exists (
      select from balances join customer_states using (customer)
      where feature = p_unused and (expires_at is null or expires_at > p_now)
    ) or p_unused_entities and exists (
      select from entities join customer_states using (customer) where feature = p_unused
    )
  then
    v_kind := 'u';
  else
    insert into catalogues (env, version, clock_ahead) values (p_env, p_expected + 1, p_clock_ahead)
    on conflict (env) do update set version = excluded.version, clock_ahead = excluded.clock_ahead;
    delete from features where env = p_env and uid = p_removed;
    if f_uid is not null then
      insert into features (
        env, position, uid, id, name, type, event_names, display, archived, created_at
      ) values (
        p_env, p_expected + 1, f_uid, f_id, f_name, f_type, f_event_names, f_display, f_archived, f_created_at
      ) on conflict (env, uid) do update set
        id = excluded.id, name = excluded.name, type = excluded.type, event_names = excluded.event_names,
        display = excluded.display, archived = excluded.archived, created_at = excluded.created_at;
    end if;
    insert into idempotency (bucket, hash, fingerprint, answer)
    select p_buckets[1], hash, fingerprint, answer
    from unnest(k_hash, k_fingerprint, k_answer) as k (hash, fingerprint, answer);
  end if;
  v_results := json_build_object('kinds', v_kind, 'known', coalesce(v_known, '[]'))::text;
  perform granary_settle_1(p_writer, p_seq, v_results);
  return v_results;
end
$function$;

CREATE OR REPLACE FUNCTION public.granary_catalogue_2(p_writer uuid, p_seq bigint, p_now bigint, p_buckets bigint[], p_env text, p_expected bigint, p_clock_ahead bigint, p_unused text, p_unused_balances boolean, p_unused_entities boolean, p_unused_plans text[], p_unused_ever boolean, p_claims text[], p_keys granary_key_2[], p_features granary_feature_2[], p_features_removed text[], p_plans granary_plan_2[], p_plans_removed text[])
 RETURNS text
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare
  v_known json;
  v_version bigint;
  v_kind text := 'c';
  v_results text;
begin
  -- Every commit of the environment holds this lock in its weaker form: nobody writes while it is held.
  perform pg_advisory_xact_lock(1735549294, case when p_env = 'live' then 2 else 1 end);
  select json_agg(json_build_array(0, hash, fingerprint, answer) order by n) into v_known from (
    select distinct on (n) n, hash, fingerprint, answer
    from unnest(p_claims) with ordinality as q (hash, n) join idempotency using (hash)
    where (bucket = any (p_buckets)) is true order by n, bucket desc
  ) as known;
  select coalesce(max(version), 0) into v_version from catalogues where env = p_env;
  if v_known is not null then
    v_kind := 'k';
  elsif v_version <> p_expected then
    v_kind := 'x';
  -- The joins leave out what a deleted customer left behind. Those of features read whole tables: features change so seldom that
  -- an index which every grant must write would cost more. Plans go along attachments_by_plan, one after another: `= any` would
  -- look as if it found so much that everybody may as well be looked at.
  elsif p_unused_balances and exists (
      select from balances join customer_states using (customer)
      where feature = p_unused and (expires_at is null or expires_at > p_now)
    ) or p_unused_entities and exists (
      select from entities join customer_states using (customer) where feature = p_unused
    ) or exists (
      select from unnest(p_unused_plans) as p (plan) join attachments using (plan) join customer_states using (customer)
      where p_unused_ever or status <> 'ended'
    )
  then
    v_kind := 'u';
  else
    insert into catalogues (env, version, clock_ahead) values (p_env, p_expected + 1, p_clock_ahead)
    on conflict (env) do update set version = excluded.version, clock_ahead = excluded.clock_ahead;
    delete from features where env = p_env and uid = any (p_features_removed);
    insert into features (env, position, uid, id, name, type, event_names, display, archived, created_at)
    select p_env, p_expected + 1, uid, id, name, type, event_names, display, archived, created_at from unnest(p_features)
    on conflict (env, uid) do update set
      id = excluded.id, name = excluded.name, type = excluded.type, event_names = excluded.event_names,
      display = excluded.display, archived = excluded.archived, created_at = excluded.created_at;
    -- One change may bring several, so they are counted for themselves.
    insert into plans (
      env, position, uid, id, version, name, description, plan_group, add_on, auto_enable, archived, ignore_past_due, metadata,
      terms, retired, created_at
    )
    select
      p_env, (select coalesce(max(position), 0) from plans where env = p_env) + n, uid, id, version, name, description,
      plan_group, add_on, auto_enable, archived, ignore_past_due, metadata, terms, retired, created_at
    from unnest(p_plans) with ordinality as p (
      uid, id, version, name, description, plan_group, add_on, auto_enable, archived, ignore_past_due, metadata, terms, retired,
      created_at, n
    )
    on conflict (env, uid) do update set
      id = excluded.id, version = excluded.version, name = excluded.name, description = excluded.description,
      plan_group = excluded.plan_group, add_on = excluded.add_on, auto_enable = excluded.auto_enable,
      archived = excluded.archived, ignore_past_due = excluded.ignore_past_due, metadata = excluded.metadata,
      terms = excluded.terms, retired = excluded.retired, created_at = excluded.created_at;
    delete from plans where env = p_env and uid = any (p_plans_removed);
    insert into idempotency (bucket, hash, fingerprint, answer)
    select p_buckets[1], hash, fingerprint, answer from unnest(p_keys);
  end if;
  v_results := json_build_object('kinds', v_kind, 'known', coalesce(v_known, '[]'))::text;
  perform granary_settle_1(p_writer, p_seq, v_results);
  return v_results;
end
$function$;

CREATE OR REPLACE FUNCTION public.granary_clear_1(p_rows integer)
 RETURNS boolean
 LANGUAGE sql
AS $function$ select granary_clear_2(p_rows) $function$;

CREATE OR REPLACE FUNCTION public.granary_clear_2(p_rows integer)
 RETURNS boolean
 LANGUAGE sql
AS $function$ select granary_clear_3(p_rows) $function$;

CREATE OR REPLACE FUNCTION public.granary_clear_3(p_rows integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
AS $function$
declare
  v_customer bigint;
  v_former former_customers;
  v_kept boolean;
  v_event record;
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
  delete from attachments where customer = v_customer
    and uid in (select uid from attachments where customer = v_customer limit p_rows);
  get diagnostics v_cleared = row_count;
  v_sum := v_sum + v_cleared;
  delete from refunds where customer = v_customer
    and event in (select event from refunds where customer = v_customer limit p_rows);
  get diagnostics v_cleared = row_count;
  v_sum := v_sum + v_cleared;

  select * into v_former from former_customers where key = v_customer;
  v_kept := found;
  if v_kept then
    for v_event in
      select timestamp, uid, stored_at, properties is not null or entity is not null or lock is not null as tells from events
      where customer = v_customer
        and (timestamp, uid) > (coalesce(v_former.cleared_timestamp, -9223372036854775808), coalesce(v_former.cleared_uid, ''))
      order by timestamp, uid limit p_rows
    loop
      if v_event.tells then
        update events set properties = null, entity = null, lock = null
        where customer = v_customer and timestamp = v_event.timestamp and uid = v_event.uid
          and stored_at = v_event.stored_at;
      end if;
      v_former.cleared_timestamp := v_event.timestamp;
      v_former.cleared_uid := v_event.uid;
      v_sum := v_sum + 1;
    end loop;
    update former_customers set
      anonymised = case when v_sum = 0 then 1 else 0 end,
      cleared_timestamp = v_former.cleared_timestamp, cleared_uid = v_former.cleared_uid
    where key = v_customer;
  else
    delete from postings where customer = v_customer
      and seq in (select seq from postings where customer = v_customer limit p_rows);
    get diagnostics v_cleared = row_count;
    v_sum := v_sum + v_cleared;
    delete from events where customer = v_customer and (timestamp, uid, stored_at) in (
      select timestamp, uid, stored_at from events where customer = v_customer limit p_rows
    );
    get diagnostics v_cleared = row_count;
    v_sum := v_sum + v_cleared;
  end if;
  if v_sum = 0 then delete from deletions where customer = v_customer; end if;
  return true;
end
$function$;

CREATE OR REPLACE FUNCTION public.granary_commit_1(p_writer uuid, p_seq bigint, p_at bigint, p_buckets bigint[], p_env text[], p_uid text[], p_slot integer[], p_kind integer[], p_expected bigint[], p_catalogue bigint[], p_latest bigint[], p_postings bigint[], s_uid text[], q_change integer[], q_hash text[], c_change integer[], c_id text[], c_name text[], c_email text[], c_fingerprint text[], c_stripe_id text[], c_metadata text[], c_send_email_receipts integer[], c_shares_with_entities integer[], c_clock_ahead bigint[], c_created_at bigint[], c_claim text[], b_change integer[], b_uid text[], b_id text[], b_feature text[], b_entity text[], b_terms text[], b_allowance numeric[], b_remaining numeric[], b_adjustment numeric[], b_seats integer[], b_metered text[], b_reset_interval text[], b_reset_count integer[], b_reset_anchor bigint[], b_next_reset_at bigint[], b_renewed_at bigint[], b_rollover_policy text[], b_rollovers text[], b_expires_at bigint[], b_created_at bigint[], d_change integer[], d_uid text[], e_change integer[], e_uid text[], e_id text[], e_name text[], e_feature text[], e_created_at bigint[], g_change integer[], g_uid text[], r_change integer[], r_event text[], r_given text[], l_change integer[], l_seq bigint[], l_entity text[], l_feature text[], l_balance text[], l_rollover text[], l_kind text[], l_amount numeric[], l_granted numeric[], l_remaining_after numeric[], l_permit text[], l_cause text[], l_at bigint[], u_change integer[], u_timestamp bigint[], u_uid text[], u_name text[], u_value numeric[], u_properties text[], u_entity text[], u_refund_of text[], u_recorded_at bigint[], u_deductions text[], k_change integer[], k_hash text[], k_fingerprint text[], k_answer text[])
 RETURNS text
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
#variable_conflict use_column
declare
  v_count constant integer := cardinality(p_uid);
  v_sandbox bigint;
  v_live bigint;
  v_key bigint[] := array_fill(0::bigint, array[cardinality(s_uid)]);
  v_version bigint[] := array_fill(0::bigint, array[cardinality(s_uid)]);
  v_owner bigint[] := array_fill(0::bigint, array[v_count]);
  v_kinds text[] := array_fill('c'::text, array[v_count]);
  v_known json[] := '{}';
  v_row record;
  v_slot integer;
  v_customer bigint;
  v_at integer := 1;
  v_written bigint;
  v_results text;
begin
  -- The catalogues stay as they are until the end: who changes one waits for this lock alone.
  if 'sandbox' = any (p_env) then perform pg_advisory_xact_lock_shared(1735549294, 1); end if;
  if 'live' = any (p_env) then perform pg_advisory_xact_lock_shared(1735549294, 2); end if;
  select coalesce(max(version) filter (where env = 'sandbox'), 0), coalesce(max(version) filter (where env = 'live'), 0)
    into v_sandbox, v_live from catalogues;

  -- What is read here is of the locked row itself, so it is the newest even after a wait.
  for v_row in
    select slot, customer, version
    from unnest(s_uid) with ordinality as s (uid, slot) join customer_states using (uid)
    order by customer for no key update of customer_states
  loop
    v_key[v_row.slot] := v_row.customer;
    v_version[v_row.slot] := v_row.version;
  end loop;

  -- Names: those that will be taken, and those that will be let go.
  if cardinality(c_change) > 0 or 3 = any (p_kind) then
    for v_row in
      select distinct hashtext(env || ' ' || label) & 127 as lock from (
        select p_env[change] as env, label
        from unnest(c_change, c_id, c_claim) as c (change, id, claim),
          lateral (values (id), (claim), (p_uid[change])) as named (label)
        union all
        select env, label
        from unnest(p_slot, p_kind) with ordinality as p (slot, kind, change)
          join customers on key = v_key[p.slot],
          lateral (values (id), (claim), (uid)) as named (label)
        where p.kind = 3 or p.change = any (c_change)
      ) as names where label is not null order by lock
    loop
      perform pg_advisory_xact_lock(1735549295, v_row.lock);
    end loop;
  end if;

  if cardinality(q_change) > 0 then
    for v_row in
      select distinct on (n) change, hash, fingerprint, answer
      from unnest(q_change, q_hash) with ordinality as q (change, hash, n) join idempotency using (hash)
      where (bucket = any (p_buckets)) is true order by n, bucket desc
    loop
      v_kinds[v_row.change] := 'k';
      v_known := v_known || json_build_array(v_row.change - 1, v_row.hash, v_row.fingerprint, v_row.answer);
    end loop;
  end if;

  -- One after another: each change sees what the ones before it did.
  for v_change in 1 .. v_count loop
    v_slot := p_slot[v_change];
    if v_kinds[v_change] = 'k' or p_kind[v_change] = 0 then
      null;
    elsif v_version[v_slot] <> p_expected[v_change]
      or p_catalogue[v_change] <> (case when p_env[v_change] = 'live' then v_live else v_sandbox end)
    then
      v_kinds[v_change] := 'x';
    elsif p_kind[v_change] = 3 then
      delete from customers where key = v_key[v_slot];
      delete from customer_states where customer = v_key[v_slot];
      insert into deletions (customer) values (v_key[v_slot]) on conflict do nothing;
      v_version[v_slot] := -1;
    elsif c_change[v_at] = v_change then
      -- `is true` keeps env from being looked up along customers_by_time, which looks as good as the index on the name as
      -- long as there are no statistics.
      if exists (select from customers where id = c_id[v_at] and (env = p_env[v_change]) is true and uid <> p_uid[v_change])
        or exists (select from customers where claim = c_claim[v_at] and (env = p_env[v_change]) is true and uid <> p_uid[v_change])
        or exists (select from customers where uid = c_id[v_at] and (env = p_env[v_change]) is true and uid <> p_uid[v_change])
        or exists (select from customers where id = p_uid[v_change] and (env = p_env[v_change]) is true and uid <> p_uid[v_change])
      then
        v_kinds[v_change] := 't';
      elsif p_kind[v_change] = 1 then
        update customers set
          id = c_id[v_at], claim = c_claim[v_at], name = c_name[v_at], email = c_email[v_at],
          fingerprint = c_fingerprint[v_at], stripe_id = c_stripe_id[v_at], metadata = c_metadata[v_at],
          send_email_receipts = c_send_email_receipts[v_at], shares_with_entities = c_shares_with_entities[v_at],
          clock_ahead = c_clock_ahead[v_at], created_at = c_created_at[v_at]
        where key = v_key[v_slot];
        v_owner[v_change] := v_key[v_slot];
      else
        insert into customers (
          uid, env, id, claim, name, email, fingerprint, stripe_id, metadata, send_email_receipts, shares_with_entities,
          clock_ahead, created_at
        ) values (
          p_uid[v_change], p_env[v_change], c_id[v_at], c_claim[v_at], c_name[v_at], c_email[v_at], c_fingerprint[v_at],
          c_stripe_id[v_at], c_metadata[v_at], c_send_email_receipts[v_at], c_shares_with_entities[v_at],
          c_clock_ahead[v_at], c_created_at[v_at]
        ) on conflict do nothing returning key into v_customer;
        if v_customer is null then
          v_kinds[v_change] := 'x';
        else
          insert into customer_states (customer, uid, version, latest, postings)
            values (v_customer, p_uid[v_change], 0, 0, 0);
          v_owner[v_change] := v_customer;
          v_key[v_slot] := v_customer;
        end if;
      end if;
    else
      v_owner[v_change] := v_key[v_slot];
    end if;
    if v_owner[v_change] > 0 then v_version[v_slot] := p_expected[v_change] + 1; end if;
    if c_change[v_at] = v_change then v_at := v_at + 1; end if;
  end loop;

  update customer_states set version = version + 1, latest = p.latest, postings = p.postings
  from unnest(p_latest, p_postings) with ordinality as p (latest, postings, change)
  where customer = v_owner[p.change::integer];

  if cardinality(b_change) > 0 then
    -- Nearly always the balance is there and only a few of its columns have moved.
    update balances set
      remaining = b.remaining, adjustment = b.adjustment, seats = b.seats, metered = b.metered, reset_interval = b.reset_interval,
      reset_count = b.reset_count, reset_anchor = b.reset_anchor, next_reset_at = b.next_reset_at,
      renewed_at = b.renewed_at, rollover_policy = b.rollover_policy, rollovers = b.rollovers, expires_at = b.expires_at
    from unnest(
      b_change, b_uid, b_remaining, b_adjustment, b_seats, b_metered, b_reset_interval, b_reset_count, b_reset_anchor,
      b_next_reset_at, b_renewed_at, b_rollover_policy, b_rollovers, b_expires_at
    ) as b (
      change, uid, remaining, adjustment, seats, metered, reset_interval, reset_count, reset_anchor, next_reset_at, renewed_at,
      rollover_policy, rollovers, expires_at
    )
    where balances.customer = v_owner[b.change] and balances.uid = b.uid;
    get diagnostics v_written = row_count;
    if v_written < cardinality(b_change) then
      insert into balances (
        customer, uid, id, feature, entity, terms, allowance, remaining, adjustment, seats, metered, reset_interval, reset_count,
        reset_anchor, next_reset_at, renewed_at, rollover_policy, rollovers, expires_at, created_at
      )
      select
        v_owner[change], uid, id, feature, entity, terms, allowance, remaining, adjustment, seats, metered, reset_interval,
        reset_count, reset_anchor, next_reset_at, renewed_at, rollover_policy, rollovers, expires_at, created_at
      from unnest(
        b_change, b_uid, b_id, b_feature, b_entity, b_terms, b_allowance, b_remaining, b_adjustment, b_seats, b_metered,
        b_reset_interval, b_reset_count, b_reset_anchor, b_next_reset_at, b_renewed_at, b_rollover_policy, b_rollovers,
        b_expires_at, b_created_at
      ) as b (
        change, uid, id, feature, entity, terms, allowance, remaining, adjustment, seats, metered, reset_interval, reset_count,
        reset_anchor, next_reset_at, renewed_at, rollover_policy, rollovers, expires_at, created_at
      )
      where v_owner[change] > 0 on conflict (customer, uid) do nothing;
    end if;
  end if;

  if cardinality(d_change) > 0 then
    delete from balances using unnest(d_change, d_uid) as d (change, uid)
    where balances.customer = v_owner[d.change] and balances.uid = d.uid;
  end if;

  -- Removed first: what comes in their place may have the same id.
  if cardinality(g_change) > 0 then
    delete from entities using unnest(g_change, g_uid) as g (change, uid)
    where entities.customer = v_owner[g.change] and entities.uid = g.uid;
  end if;
  if cardinality(e_change) > 0 then
    insert into entities (customer, env, uid, id, name, feature, created_at)
    select v_owner[change], p_env[change], uid, id, name, feature, created_at
    from unnest(e_change, e_uid, e_id, e_name, e_feature, e_created_at)
      as e (change, uid, id, name, feature, created_at)
    where v_owner[change] > 0
    on conflict (customer, uid) do update set
      id = excluded.id, name = excluded.name, feature = excluded.feature, created_at = excluded.created_at;
  end if;

  if cardinality(r_change) > 0 then
    insert into refunds (customer, event, given)
    select v_owner[change], event, given from unnest(r_change, r_event, r_given) as r (change, event, given)
    where v_owner[change] > 0
    on conflict (customer, event) do update set given = excluded.given;
  end if;

  if cardinality(l_change) > 0 then
    insert into postings (
      customer, seq, entity, feature, balance, rollover, kind, amount, granted, remaining_after, permit, cause, at
    )
    select
      v_owner[change], seq, entity, feature, balance, rollover, kind, amount, granted, remaining_after, permit, cause, at
    from unnest(
      l_change, l_seq, l_entity, l_feature, l_balance, l_rollover, l_kind, l_amount, l_granted, l_remaining_after,
      l_permit, l_cause, l_at
    ) as l (
      change, seq, entity, feature, balance, rollover, kind, amount, granted, remaining_after, permit, cause, at
    )
    where v_owner[change] > 0;
  end if;

  if cardinality(u_change) > 0 then
    insert into events (
      customer, env, timestamp, uid, name, value, properties, entity, refund_of, recorded_at, deductions, stored_at
    )
    select
      v_owner[change], p_env[change], timestamp, uid, name, value, properties, entity, refund_of, recorded_at, deductions,
      p_at
    from unnest(
      u_change, u_timestamp, u_uid, u_name, u_value, u_properties, u_entity, u_refund_of, u_recorded_at, u_deductions
    ) as u (change, timestamp, uid, name, value, properties, entity, refund_of, recorded_at, deductions)
    where v_owner[change] > 0;
  end if;

  -- A deletion has no owner any more, and keeps its keys all the same.
  if cardinality(k_change) > 0 then
    insert into idempotency (bucket, hash, fingerprint, answer)
    select p_buckets[1], hash, fingerprint, answer
    from unnest(k_change, k_hash, k_fingerprint, k_answer) as k (change, hash, fingerprint, answer)
    where v_kinds[change] = 'c';
  end if;

  v_results := json_build_object('kinds', array_to_string(v_kinds, ''), 'known', array_to_json(v_known))::text;
  perform granary_settle_1(p_writer, p_seq, v_results);
  return v_results;
end
$function$;

CREATE OR REPLACE FUNCTION public.granary_commit_2(p_writer uuid, p_seq bigint, p_own uuid[], p_at bigint, p_buckets bigint[], p_envs text[], p_kinds text, p_plain boolean, p_changes granary_change_2[], p_claims granary_claim_2[], p_customers granary_customer_2[], p_written granary_balance_2[], p_removed granary_gone_2[], p_entities granary_entity_2[], p_entities_removed granary_gone_2[], p_refunds granary_refund_2[], p_locks_removed granary_gone_2[], p_locks granary_lock_2[], p_postings granary_posting_2[], p_events granary_event_2[], p_keys granary_key_2[])
 RETURNS text
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare
  v_count constant integer := length(p_kinds);
  v_sandbox bigint;
  v_live bigint;
  -- Of each change: the customer that its rows are written for, or none where nothing is written; and what came of it.
  v_owner bigint[] := array_fill(null::bigint, array[v_count]);
  v_kinds text[] := string_to_array(translate(p_kinds, 'lcad', 'cxxx'), null);
  v_known json[] := '{}';
  -- By place, where customers are locked first.
  v_key bigint[];
  v_version bigint[];
  v_change granary_change_2;
  v_new granary_customer_2;
  v_kind text;
  v_next integer := 1;
  v_number integer;
  v_customer bigint;
  v_row record;
  v_written bigint;
  v_results text;
begin
  -- The catalogues stay as they are until the end: who changes one waits for this lock alone.
  if 'sandbox' = any (p_envs) then perform pg_advisory_xact_lock_shared(1735549294, 1); end if;
  if 'live' = any (p_envs) then perform pg_advisory_xact_lock_shared(1735549294, 2); end if;
  select coalesce(max(version) filter (where env = 'sandbox'), 0), coalesce(max(version) filter (where env = 'live'), 0)
    into v_sandbox, v_live from catalogues;

  if not p_plain then
    v_key := array_fill(0::bigint, array[v_count]);
    v_version := array_fill(0::bigint, array[v_count]);
    -- What is read here is of the locked row itself, so it is the newest even after a wait.
    for v_row in
      select slot, customer, version
      from (select distinct slot, uid from unnest(p_changes) where slot > 0) as s join customer_states using (uid)
      order by customer for no key update of customer_states
    loop
      v_key[v_row.slot] := v_row.customer;
      v_version[v_row.slot] := v_row.version;
    end loop;

    -- Names: those that will be taken, and those that will be let go.
    if cardinality(p_customers) > 0 or strpos(p_kinds, 'd') > 0 then
      for v_row in
        select distinct hashtext(env || ' ' || label) & 127 as lock from (
          select p.env, label
          from unnest(p_customers) as c,
            lateral (select (p_changes[c.change]).env, (p_changes[c.change]).uid) as p,
            lateral (values (c.id), (c.claim), (p.uid)) as named (label)
          union all
          select customers.env, label
          from unnest(p_changes) as p
            join customers on key = v_key[p.slot],
            lateral (values (id), (claim), (customers.uid)) as named (label)
          where substr(p_kinds, p.change, 1) = 'd' or exists (select from unnest(p_customers) as c where c.change = p.change)
        ) as names where label is not null order by lock
      loop
        perform pg_advisory_xact_lock(1735549295, v_row.lock);
      end loop;
    end if;
  end if;

  if cardinality(p_claims) > 0 then
    for v_row in
      select distinct on (n) change, hash, fingerprint, answer
      from unnest(p_claims) with ordinality as q (change, hash, n) join idempotency using (hash)
      where (bucket = any (p_buckets)) is true order by n, bucket desc
    loop
      v_kinds[v_row.change] := 'k';
      v_known := v_known || json_build_array(v_row.change - 1, v_row.hash, v_row.fingerprint, v_row.answer);
    end loop;
  end if;

  -- Who takes the id of another's lock at this moment is not seen here: below.
  if cardinality(p_locks) > 0 then
    for v_number, v_kind in
      select l.change, 'h' from unnest(p_locks) as l
        join locks on locks.id = l.id and (locks.env = (p_changes[l.change]).env) is true
        join customers on key = locks.customer
      where customers.uid <> (p_changes[l.change]).uid and v_kinds[l.change] = 'x'
      union all
      -- Of several in this batch who open one, the first goes ahead.
      select change, 'w' from (
        select change, row_number() over (partition by (p_changes[change]).env, id order by change) as place from unnest(p_locks)
      ) as l
      where place > 1 and v_kinds[change] = 'x'
    loop
      v_kinds[v_number] := v_kind;
    end loop;
  end if;

  if p_plain then
    -- In the order of their keys, each row is locked as it is changed. Who had to wait for one compares its newest version, so
    -- whoever was faster makes this one a conflict; also where a key has become known meanwhile, which the next attempt finds.
    for v_number, v_customer in
      update customer_states s set version = s.version + 1, latest = c.latest, postings = c.postings
      from (
        select p.change, customer, p.expected, p.latest, p.postings
        from unnest(p_changes) as p join customer_states using (uid)
        where p.slot > 0 and v_kinds[p.change] = 'x'
          and p.catalogue = case when p.env = 'live' then v_live else v_sandbox end
        order by customer
      ) as c
      where s.customer = c.customer and s.version = c.expected
      returning c.change, s.customer
    loop
      v_kinds[v_number] := 'c';
      v_owner[v_number] := v_customer;
    end loop;
  else
    -- One after another: each change sees what the ones before it did.
    foreach v_change in array p_changes loop
      v_number := v_change.change;
      v_kind := substr(p_kinds, v_number, 1);
      v_new := p_customers[v_next];
      if v_new.change = v_number then v_next := v_next + 1; end if;
      if v_kinds[v_number] <> 'x' or v_version[v_change.slot] <> v_change.expected
        or v_change.catalogue <> (case when v_change.env = 'live' then v_live else v_sandbox end)
      then
        continue;
      end if;
      v_customer := v_key[v_change.slot];
      if v_kind = 'd' then
        delete from customers where key = v_customer;
        delete from locks where customer = v_customer;
        delete from customer_states where customer = v_customer;
        insert into deletions (customer) values (v_customer) on conflict do nothing;
        v_version[v_change.slot] := -1;
        v_kinds[v_number] := 'c';
        continue;
      end if;
      if v_new.change = v_number then
        -- `is true` keeps env from being looked up along customers_by_time, which looks as good as the index on the name as
        -- long as there are no statistics.
        if exists (select from customers where id = v_new.id and (env = v_change.env) is true and uid <> v_change.uid)
          or exists (select from customers where claim = v_new.claim and (env = v_change.env) is true and uid <> v_change.uid)
          or exists (select from customers where uid = v_new.id and (env = v_change.env) is true and uid <> v_change.uid)
          or exists (select from customers where id = v_change.uid and (env = v_change.env) is true and uid <> v_change.uid)
        then
          v_kinds[v_number] := 't';
          continue;
        end if;
        if v_kind = 'c' then
          update customers set
            id = v_new.id, claim = v_new.claim, name = v_new.name, email = v_new.email, fingerprint = v_new.fingerprint,
            stripe_id = v_new.stripe_id, metadata = v_new.metadata, send_email_receipts = v_new.send_email_receipts,
            shares_with_entities = v_new.shares_with_entities, clock_ahead = v_new.clock_ahead, created_at = v_new.created_at
          where key = v_customer;
        else
          insert into customers (
            uid, env, id, claim, name, email, fingerprint, stripe_id, metadata, send_email_receipts, shares_with_entities,
            clock_ahead, created_at
          ) values (
            v_change.uid, v_change.env, v_new.id, v_new.claim, v_new.name, v_new.email, v_new.fingerprint, v_new.stripe_id,
            v_new.metadata, v_new.send_email_receipts, v_new.shares_with_entities, v_new.clock_ahead, v_new.created_at
          ) on conflict do nothing returning key into v_customer;
          if v_customer is null then continue; end if;
          insert into customer_states (customer, uid, version, latest, postings) values (v_customer, v_change.uid, 0, 0, 0);
          v_key[v_change.slot] := v_customer;
        end if;
      end if;
      v_kinds[v_number] := 'c';
      v_owner[v_number] := v_customer;
      v_version[v_change.slot] := v_change.expected + 1;
    end loop;

    update customer_states s set version = c.expected + 1, latest = c.latest, postings = c.postings
    from (
      -- The last of several changes of one customer has them all.
      select distinct on (v_owner[change]) v_owner[change] as owner, expected, latest, postings
      from unnest(p_changes) where v_owner[change] is not null order by v_owner[change], change desc
    ) as c
    where s.customer = c.owner;
  end if;

  if cardinality(p_written) > 0 then
    -- Nearly always the balance is there and only a few of its columns have moved.
    update balances set
      remaining = b.remaining, adjustment = b.adjustment, seats = b.seats, metered = b.metered,
      reset_interval = b.reset_interval, reset_count = b.reset_count, reset_anchor = b.reset_anchor,
      next_reset_at = b.next_reset_at, renewed_at = b.renewed_at, rollover_policy = b.rollover_policy,
      rollovers = b.rollovers, expires_at = b.expires_at, held = b.held
    from unnest(p_written) as b where balances.customer = v_owner[b.change] and balances.uid = b.uid;
    get diagnostics v_written = row_count;
    if v_written < cardinality(p_written) then
      insert into balances (
        customer, uid, id, feature, entity, terms, allowance, remaining, adjustment, seats, metered, reset_interval,
        reset_count, reset_anchor, next_reset_at, renewed_at, rollover_policy, rollovers, expires_at, created_at, held
      )
      select
        v_owner[change], uid, id, feature, entity, terms, allowance, remaining, adjustment, seats, metered, reset_interval,
        reset_count, reset_anchor, next_reset_at, renewed_at, rollover_policy, rollovers, expires_at, created_at, held
      from unnest(p_written) where v_owner[change] is not null on conflict (customer, uid) do nothing;
    end if;
  end if;

  if cardinality(p_removed) > 0 then
    delete from balances using unnest(p_removed) as d where balances.customer = v_owner[d.change] and balances.uid = d.uid;
  end if;

  -- Removed first: what comes in their place may have the same id.
  if cardinality(p_entities_removed) > 0 then
    delete from entities using unnest(p_entities_removed) as d
    where entities.customer = v_owner[d.change] and entities.uid = d.uid;
  end if;
  if cardinality(p_entities) > 0 then
    insert into entities (customer, env, uid, id, name, feature, created_at)
    select v_owner[change], (p_changes[change]).env, uid, id, name, feature, created_at
    from unnest(p_entities) where v_owner[change] is not null
    on conflict (customer, uid) do update set
      id = excluded.id, name = excluded.name, feature = excluded.feature, created_at = excluded.created_at;
  end if;

  if cardinality(p_refunds) > 0 then
    insert into refunds (customer, event, given)
    select v_owner[change], event, given from unnest(p_refunds) where v_owner[change] is not null
    on conflict (customer, event) do update set given = excluded.given;
  end if;

  -- Removed first: what comes in their place may have the same id.
  if cardinality(p_locks_removed) > 0 then
    delete from locks using unnest(p_locks_removed) as d where locks.customer = v_owner[d.change] and locks.id = d.uid;
  end if;
  if cardinality(p_locks) > 0 then
    -- In one order, so that two who open the same locks do not wait for each other in a circle.
    with written as (
      insert into locks (
        customer, env, id, uid, feature, name, entity, held, behavior, properties, lines, held_at, lapses_at, at_lapse
      )
      select
        v_owner[change], (p_changes[change]).env, id, uid, feature, name, entity, held, behavior, properties, lines, held_at,
        lapses_at, at_lapse
      from unnest(p_locks) where v_owner[change] is not null order by id
      on conflict (id, env) do update set
        customer = excluded.customer, uid = excluded.uid, feature = excluded.feature, name = excluded.name, entity = excluded.entity, held = excluded.held,
        behavior = excluded.behavior, properties = excluded.properties, lines = excluded.lines, held_at = excluded.held_at,
        lapses_at = excluded.lapses_at, at_lapse = excluded.at_lapse
      -- Or of one whom a process of the first version has deleted.
      where locks.customer = excluded.customer or not exists (select from customers where key = locks.customer)
      returning 1
    )
    select count(*) into v_written from written;
    -- Somebody else has taken one a moment ago: the batch is repeated, and sees that.
    if v_written < (select count(*) from unnest(p_locks) where v_owner[change] is not null) then
      raise exception 'the id of a lock was taken meanwhile' using errcode = 'serialization_failure';
    end if;
  end if;

  if cardinality(p_postings) > 0 then
    insert into postings (
      customer, seq, entity, feature, balance, rollover, kind, amount, granted, remaining_after, permit, cause, at, held
    )
    select
      v_owner[change], seq, entity, feature, balance, rollover, kind, amount, granted, remaining_after, permit, cause, at, held
    from unnest(p_postings) where v_owner[change] is not null;
  end if;

  if cardinality(p_events) > 0 then
    insert into events (
      customer, env, timestamp, uid, name, value, properties, entity, refund_of, recorded_at, deductions, lock, stored_at
    )
    select
      v_owner[change], (p_changes[change]).env, timestamp, uid, name, value, properties, entity, refund_of, recorded_at,
      deductions, lock, p_at
    from unnest(p_events) where v_owner[change] is not null;
  end if;

  -- A deletion has no owner any more, and keeps its keys all the same.
  if cardinality(p_keys) > 0 then
    insert into idempotency (bucket, hash, fingerprint, answer)
    select p_buckets[1], hash, fingerprint, answer from unnest(p_keys) where v_kinds[change] = 'c';
  end if;

  v_results := json_build_object(
    'kinds', array_to_string(v_kinds, ''), 'known', array_to_json(v_known),
    'alone', not exists (
      select from writers where id <> all (p_own) and settled_at > clock_timestamp() - interval '5 seconds'
    )
  )::text;
  -- The writer's row is there but for its first batch. A function called from here would cost more than its statement does.
  update writers set seq = p_seq, results = v_results, settled_at = clock_timestamp() where id = p_writer and seq < p_seq;
  if not found then perform granary_settle_1(p_writer, p_seq, v_results); end if;
  return v_results;
end
$function$;

CREATE OR REPLACE FUNCTION public.granary_commit_3(p_writer uuid, p_seq bigint, p_own uuid[], p_at bigint, p_buckets bigint[], p_envs text[], p_kinds text, p_plain boolean, p_changes granary_change_2[], p_claims granary_claim_2[], p_customers granary_customer_2[], p_written granary_balance_3[], p_removed granary_gone_2[], p_entities granary_entity_2[], p_entities_removed granary_gone_2[], p_refunds granary_refund_2[], p_locks_removed granary_gone_2[], p_locks granary_lock_2[], p_attachments_removed granary_gone_2[], p_attachments granary_attachment_3[], p_postings granary_posting_2[], p_events granary_event_2[], p_keys granary_key_2[])
 RETURNS text
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
declare
  v_count constant integer := length(p_kinds);
  v_sandbox bigint;
  v_live bigint;
  -- Of each change: the customer that its rows are written for, or none where nothing is written; and what came of it.
  v_owner bigint[] := array_fill(null::bigint, array[v_count]);
  v_kinds text[] := string_to_array(translate(p_kinds, 'lcad', 'cxxx'), null);
  v_known json[] := '{}';
  -- By place, where customers are locked first.
  v_key bigint[];
  v_version bigint[];
  v_change granary_change_2;
  v_new granary_customer_2;
  v_kind text;
  v_next integer := 1;
  v_number integer;
  v_customer bigint;
  v_row record;
  v_written bigint;
  v_results text;
begin
  -- The catalogues stay as they are until the end: who changes one waits for this lock alone.
  if 'sandbox' = any (p_envs) then perform pg_advisory_xact_lock_shared(1735549294, 1); end if;
  if 'live' = any (p_envs) then perform pg_advisory_xact_lock_shared(1735549294, 2); end if;
  select coalesce(max(version) filter (where env = 'sandbox'), 0), coalesce(max(version) filter (where env = 'live'), 0)
    into v_sandbox, v_live from catalogues;

  if not p_plain then
    v_key := array_fill(0::bigint, array[v_count]);
    v_version := array_fill(0::bigint, array[v_count]);
    -- What is read here is of the locked row itself, so it is the newest even after a wait.
    for v_row in
      select slot, customer, version
      from (select distinct slot, uid from unnest(p_changes) where slot > 0) as s join customer_states using (uid)
      order by customer for no key update of customer_states
    loop
      v_key[v_row.slot] := v_row.customer;
      v_version[v_row.slot] := v_row.version;
    end loop;

    -- Names: those that will be taken, and those that will be let go.
    if cardinality(p_customers) > 0 or strpos(p_kinds, 'd') > 0 then
      for v_row in
        select distinct hashtext(env || ' ' || label) & 127 as lock from (
          select p.env, label
          from unnest(p_customers) as c,
            lateral (select (p_changes[c.change]).env, (p_changes[c.change]).uid) as p,
            lateral (values (c.id), (c.claim), (p.uid)) as named (label)
          union all
          select customers.env, label
          from unnest(p_changes) as p
            join customers on key = v_key[p.slot],
            lateral (values (id), (claim), (customers.uid)) as named (label)
          where substr(p_kinds, p.change, 1) = 'd' or exists (select from unnest(p_customers) as c where c.change = p.change)
        ) as names where label is not null order by lock
      loop
        perform pg_advisory_xact_lock(1735549295, v_row.lock);
      end loop;
    end if;
  end if;

  if cardinality(p_claims) > 0 then
    for v_row in
      select distinct on (n) change, hash, fingerprint, answer
      from unnest(p_claims) with ordinality as q (change, hash, n) join idempotency using (hash)
      where (bucket = any (p_buckets)) is true order by n, bucket desc
    loop
      v_kinds[v_row.change] := 'k';
      v_known := v_known || json_build_array(v_row.change - 1, v_row.hash, v_row.fingerprint, v_row.answer);
    end loop;
  end if;

  -- Who takes the id of another's lock at this moment is not seen here: below.
  if cardinality(p_locks) > 0 then
    for v_number, v_kind in
      select l.change, 'h' from unnest(p_locks) as l
        join locks on locks.id = l.id and (locks.env = (p_changes[l.change]).env) is true
        join customers on key = locks.customer
      where customers.uid <> (p_changes[l.change]).uid and v_kinds[l.change] = 'x'
      union all
      -- Of several in this batch who open one, the first goes ahead.
      select change, 'w' from (
        select change, row_number() over (partition by (p_changes[change]).env, id order by change) as place from unnest(p_locks)
      ) as l
      where place > 1 and v_kinds[change] = 'x'
    loop
      v_kinds[v_number] := v_kind;
    end loop;
  end if;

  if p_plain then
    -- In the order of their keys, each row is locked as it is changed. Who had to wait for one compares its newest version, so
    -- whoever was faster makes this one a conflict; also where a key has become known meanwhile, which the next attempt finds.
    for v_number, v_customer in
      update customer_states s set version = s.version + 1, latest = c.latest, postings = c.postings
      from (
        select p.change, customer, p.expected, p.latest, p.postings
        from unnest(p_changes) as p join customer_states using (uid)
        where p.slot > 0 and v_kinds[p.change] = 'x'
          and p.catalogue = case when p.env = 'live' then v_live else v_sandbox end
        order by customer
      ) as c
      where s.customer = c.customer and s.version = c.expected
      returning c.change, s.customer
    loop
      v_kinds[v_number] := 'c';
      v_owner[v_number] := v_customer;
    end loop;
  else
    -- One after another: each change sees what the ones before it did.
    foreach v_change in array p_changes loop
      v_number := v_change.change;
      v_kind := substr(p_kinds, v_number, 1);
      v_new := p_customers[v_next];
      if v_new.change = v_number then v_next := v_next + 1; end if;
      if v_kinds[v_number] <> 'x' or v_version[v_change.slot] <> v_change.expected
        or v_change.catalogue <> (case when v_change.env = 'live' then v_live else v_sandbox end)
      then
        continue;
      end if;
      v_customer := v_key[v_change.slot];
      if v_kind = 'd' then
        delete from customers where key = v_customer;
        delete from locks where customer = v_customer;
        delete from customer_states where customer = v_customer;
        insert into deletions (customer) values (v_customer) on conflict do nothing;
        v_version[v_change.slot] := -1;
        v_kinds[v_number] := 'c';
        continue;
      end if;
      if v_new.change = v_number then
        -- `is true` keeps env from being looked up along customers_by_time, which looks as good as the index on the name as
        -- long as there are no statistics.
        if exists (select from customers where id = v_new.id and (env = v_change.env) is true and uid <> v_change.uid)
          or exists (select from customers where claim = v_new.claim and (env = v_change.env) is true and uid <> v_change.uid)
          or exists (select from customers where uid = v_new.id and (env = v_change.env) is true and uid <> v_change.uid)
          or exists (select from customers where id = v_change.uid and (env = v_change.env) is true and uid <> v_change.uid)
        then
          v_kinds[v_number] := 't';
          continue;
        end if;
        if v_kind = 'c' then
          update customers set
            id = v_new.id, claim = v_new.claim, name = v_new.name, email = v_new.email, fingerprint = v_new.fingerprint,
            stripe_id = v_new.stripe_id, metadata = v_new.metadata, send_email_receipts = v_new.send_email_receipts,
            shares_with_entities = v_new.shares_with_entities, clock_ahead = v_new.clock_ahead, created_at = v_new.created_at
          where key = v_customer;
        else
          insert into customers (
            uid, env, id, claim, name, email, fingerprint, stripe_id, metadata, send_email_receipts, shares_with_entities,
            clock_ahead, created_at
          ) values (
            v_change.uid, v_change.env, v_new.id, v_new.claim, v_new.name, v_new.email, v_new.fingerprint, v_new.stripe_id,
            v_new.metadata, v_new.send_email_receipts, v_new.shares_with_entities, v_new.clock_ahead, v_new.created_at
          ) on conflict do nothing returning key into v_customer;
          if v_customer is null then continue; end if;
          insert into customer_states (customer, uid, version, latest, postings) values (v_customer, v_change.uid, 0, 0, 0);
          v_key[v_change.slot] := v_customer;
        end if;
      end if;
      v_kinds[v_number] := 'c';
      v_owner[v_number] := v_customer;
      v_version[v_change.slot] := v_change.expected + 1;
    end loop;

    update customer_states s set version = c.expected + 1, latest = c.latest, postings = c.postings
    from (
      -- The last of several changes of one customer has them all.
      select distinct on (v_owner[change]) v_owner[change] as owner, expected, latest, postings
      from unnest(p_changes) where v_owner[change] is not null order by v_owner[change], change desc
    ) as c
    where s.customer = c.owner;
  end if;

  if cardinality(p_written) > 0 then
    -- Nearly always the balance is there and only a few of its columns have moved.
    update balances set
      allowance = b.allowance, remaining = b.remaining, adjustment = b.adjustment, seats = b.seats, metered = b.metered,
      reset_interval = b.reset_interval, reset_count = b.reset_count, reset_anchor = b.reset_anchor,
      next_reset_at = b.next_reset_at, renewed_at = b.renewed_at, rollover_policy = b.rollover_policy,
      rollovers = b.rollovers, expires_at = b.expires_at, held = b.held, source = b.source
    from unnest(p_written) as b where balances.customer = v_owner[b.change] and balances.uid = b.uid;
    get diagnostics v_written = row_count;
    if v_written < cardinality(p_written) then
      insert into balances (
        customer, uid, id, feature, entity, terms, allowance, remaining, adjustment, seats, metered, reset_interval,
        reset_count, reset_anchor, next_reset_at, renewed_at, rollover_policy, rollovers, expires_at, created_at, held, source
      )
      select
        v_owner[change], uid, id, feature, entity, terms, allowance, remaining, adjustment, seats, metered, reset_interval,
        reset_count, reset_anchor, next_reset_at, renewed_at, rollover_policy, rollovers, expires_at, created_at, held, source
      from unnest(p_written) where v_owner[change] is not null on conflict (customer, uid) do nothing;
    end if;
  end if;

  if cardinality(p_removed) > 0 then
    delete from balances using unnest(p_removed) as d where balances.customer = v_owner[d.change] and balances.uid = d.uid;
  end if;

  -- Removed first: what comes in their place may have the same id.
  if cardinality(p_entities_removed) > 0 then
    delete from entities using unnest(p_entities_removed) as d
    where entities.customer = v_owner[d.change] and entities.uid = d.uid;
  end if;
  if cardinality(p_entities) > 0 then
    insert into entities (customer, env, uid, id, name, feature, created_at)
    select v_owner[change], (p_changes[change]).env, uid, id, name, feature, created_at
    from unnest(p_entities) where v_owner[change] is not null
    on conflict (customer, uid) do update set
      id = excluded.id, name = excluded.name, feature = excluded.feature, created_at = excluded.created_at;
  end if;

  if cardinality(p_refunds) > 0 then
    insert into refunds (customer, event, given)
    select v_owner[change], event, given from unnest(p_refunds) where v_owner[change] is not null
    on conflict (customer, event) do update set given = excluded.given;
  end if;

  -- Removed first: what comes in their place may have the same id.
  if cardinality(p_locks_removed) > 0 then
    delete from locks using unnest(p_locks_removed) as d where locks.customer = v_owner[d.change] and locks.id = d.uid;
  end if;
  if cardinality(p_locks) > 0 then
    -- In one order, so that two who open the same locks do not wait for each other in a circle.
    with written as (
      insert into locks (
        customer, env, id, uid, feature, name, entity, held, behavior, properties, lines, held_at, lapses_at, at_lapse
      )
      select
        v_owner[change], (p_changes[change]).env, id, uid, feature, name, entity, held, behavior, properties, lines, held_at,
        lapses_at, at_lapse
      from unnest(p_locks) where v_owner[change] is not null order by id
      on conflict (id, env) do update set
        customer = excluded.customer, uid = excluded.uid, feature = excluded.feature, name = excluded.name, entity = excluded.entity, held = excluded.held,
        behavior = excluded.behavior, properties = excluded.properties, lines = excluded.lines, held_at = excluded.held_at,
        lapses_at = excluded.lapses_at, at_lapse = excluded.at_lapse
      -- Or of one whom a process of the first version has deleted.
      where locks.customer = excluded.customer or not exists (select from customers where key = locks.customer)
      returning 1
    )
    select count(*) into v_written from written;
    -- Somebody else has taken one a moment ago: the batch is repeated, and sees that.
    if v_written < (select count(*) from unnest(p_locks) where v_owner[change] is not null) then
      raise exception 'the id of a lock was taken meanwhile' using errcode = 'serialization_failure';
    end if;
  end if;

  if cardinality(p_attachments_removed) > 0 then
    delete from attachments using unnest(p_attachments_removed) as d
    where attachments.customer = v_owner[d.change] and attachments.uid = d.uid;
  end if;
  if cardinality(p_attachments) > 0 then
    insert into attachments (
      customer, env, uid, id, plan, plan_id, version, entity, status, starts_at, canceled_at, ends_at, trial_ends_at, anchor,
      quantities, custom, created_at, turns_at
    )
    select
      v_owner[change], (p_changes[change]).env, uid, id, plan, plan_id, version, entity, status, starts_at, canceled_at,
      ends_at, trial_ends_at, anchor, quantities, custom, created_at, turns_at
    from unnest(p_attachments) where v_owner[change] is not null
    on conflict (customer, uid) do update set
      id = excluded.id, plan = excluded.plan, plan_id = excluded.plan_id, version = excluded.version, entity = excluded.entity,
      status = excluded.status, starts_at = excluded.starts_at, canceled_at = excluded.canceled_at, ends_at = excluded.ends_at,
      trial_ends_at = excluded.trial_ends_at, anchor = excluded.anchor, quantities = excluded.quantities,
      custom = excluded.custom, created_at = excluded.created_at, turns_at = excluded.turns_at;
  end if;

  if cardinality(p_postings) > 0 then
    insert into postings (
      customer, seq, entity, feature, balance, rollover, kind, amount, granted, remaining_after, permit, cause, at, held
    )
    select
      v_owner[change], seq, entity, feature, balance, rollover, kind, amount, granted, remaining_after, permit, cause, at, held
    from unnest(p_postings) where v_owner[change] is not null;
  end if;

  if cardinality(p_events) > 0 then
    insert into events (
      customer, env, timestamp, uid, name, value, properties, entity, refund_of, recorded_at, deductions, lock, stored_at
    )
    select
      v_owner[change], (p_changes[change]).env, timestamp, uid, name, value, properties, entity, refund_of, recorded_at,
      deductions, lock, p_at
    from unnest(p_events) where v_owner[change] is not null;
  end if;

  -- A deletion has no owner any more, and keeps its keys all the same.
  if cardinality(p_keys) > 0 then
    insert into idempotency (bucket, hash, fingerprint, answer)
    select p_buckets[1], hash, fingerprint, answer from unnest(p_keys) where v_kinds[change] = 'c';
  end if;

  v_results := json_build_object(
    'kinds', array_to_string(v_kinds, ''), 'known', array_to_json(v_known),
    'alone', not exists (
      select from writers where id <> all (p_own) and settled_at > clock_timestamp() - interval '5 seconds'
    )
  )::text;
  -- The writer's row is there but for its first batch. A function called from here would cost more than its statement does.
  update writers set seq = p_seq, results = v_results, settled_at = clock_timestamp() where id = p_writer and seq < p_seq;
  if not found then perform granary_settle_1(p_writer, p_seq, v_results); end if;
  return v_results;
end
$function$;

CREATE OR REPLACE FUNCTION public.granary_give_up_1(p_writer uuid, p_seq bigint)
 RETURNS text
 LANGUAGE plpgsql
 SET lock_timeout TO '2s'
AS $function$
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

CREATE OR REPLACE FUNCTION public.granary_settle_1(p_writer uuid, p_seq bigint, p_results text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
  begin
    insert into writers (id, seq, results) values (p_writer, p_seq, p_results)
    on conflict (id) do update set seq = excluded.seq, results = excluded.results, settled_at = excluded.settled_at
    where writers.seq < excluded.seq;
    if not found then raise exception 'this batch was given up'; end if;
  end
  $function$;

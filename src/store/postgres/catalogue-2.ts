/**
 * `granary_catalogue_2`: one change of a catalogue in one round trip, as `granary_catalogue_1`, which processes that were started
 * before the fourth step of the schema go on calling, and plans besides. Tables are parameters as in `commit-3.ts`. Part of the
 * fourth step, so never edited once released. Its parameters are those of `encodeCatalogueChange`.
 */
export const CATALOGUE_2 = `
create type granary_feature_2 as (
  uid text, id text, name text, type text, event_names text, display text, archived integer, created_at bigint
);
create type granary_plan_2 as (
  uid text, id text, version bigint, name text, description text, plan_group text, add_on integer, auto_enable integer,
  archived integer, ignore_past_due integer, metadata text, terms text, retired integer, created_at bigint
);

create function granary_catalogue_2(
  p_writer uuid, p_seq bigint, p_now bigint, p_buckets bigint[], p_env text, p_expected bigint, p_clock_ahead bigint,
  p_unused text, p_unused_balances boolean, p_unused_entities boolean, p_unused_plans text[], p_unused_ever boolean,
  p_claims text[], p_keys granary_key_2[], p_features granary_feature_2[], p_features_removed text[],
  p_plans granary_plan_2[], p_plans_removed text[]
) returns text language plpgsql as $function$
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
  -- an index which every grant must write would cost more. Plans go along attachments_by_plan, one after another: \`= any\` would
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
`

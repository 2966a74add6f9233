/**
 * `granary_catalogue_1`: one change of a catalogue in one round trip. Part of the schema's first step, so never edited once
 * released. Its parameters are those of `encodeCatalogueChange`.
 */
export const CATALOGUE_1 = `
create function granary_catalogue_1(
  p_writer uuid, p_seq bigint, p_now bigint, p_buckets bigint[], p_env text, p_expected bigint, p_clock_ahead bigint,
  p_removed text, p_unused text, p_unused_balances boolean, p_unused_entities boolean, q_hash text[], k_hash text[],
  k_fingerprint text[], k_answer text[], f_uid text, f_id text, f_name text, f_type text, f_event_names text,
  f_display text, f_archived integer, f_created_at bigint
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
`

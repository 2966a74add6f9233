/**
 * `granary_commit_1`: one batch in one round trip. Part of the schema's first step, so never edited. Processes that were started
 * before the second step go on calling it; later versions call later ones, which take the same locks in the same order.
 *
 * Everything is locked in one order by everyone, so that no two batches wait for each other in a circle: the catalogues,
 * then customers by their key, then names by the number of their lock. What is done after that waits for nobody.
 *
 * Every table is reached along an index. The planner is told so, because a table that was never analyzed looks small to it,
 * and the plan made then is kept.
 */
export const COMMIT_1 = `
create function granary_commit_1(
  p_writer uuid, p_seq bigint, p_at bigint, p_buckets bigint[],
  p_env text[], p_uid text[], p_slot integer[], p_kind integer[], p_expected bigint[], p_catalogue bigint[],
  p_latest bigint[], p_postings bigint[],
  s_uid text[],
  q_change integer[], q_hash text[],
  c_change integer[], c_id text[], c_name text[], c_email text[], c_fingerprint text[], c_stripe_id text[],
  c_metadata text[], c_send_email_receipts integer[], c_shares_with_entities integer[], c_clock_ahead bigint[],
  c_created_at bigint[], c_claim text[],
  b_change integer[], b_uid text[], b_id text[], b_feature text[], b_entity text[], b_terms text[], b_allowance numeric[],
  b_remaining numeric[], b_adjustment numeric[], b_seats integer[], b_metered text[], b_reset_interval text[], b_reset_count integer[],
  b_reset_anchor bigint[], b_next_reset_at bigint[], b_renewed_at bigint[], b_rollover_policy text[], b_rollovers text[],
  b_expires_at bigint[], b_created_at bigint[],
  d_change integer[], d_uid text[],
  e_change integer[], e_uid text[], e_id text[], e_name text[], e_feature text[], e_created_at bigint[],
  g_change integer[], g_uid text[],
  r_change integer[], r_event text[], r_given text[],
  l_change integer[], l_seq bigint[], l_entity text[], l_feature text[], l_balance text[], l_rollover text[],
  l_kind text[], l_amount numeric[], l_granted numeric[], l_remaining_after numeric[], l_permit text[], l_cause text[],
  l_at bigint[],
  u_change integer[], u_timestamp bigint[], u_uid text[], u_name text[], u_value numeric[], u_properties text[],
  u_entity text[], u_refund_of text[], u_recorded_at bigint[], u_deductions text[],
  k_change integer[], k_hash text[], k_fingerprint text[], k_answer text[]
) returns text language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off set plan_cache_mode = force_generic_plan
as $function$
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
      -- \`is true\` keeps env from being looked up along customers_by_time, which looks as good as the index on the name as
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
`

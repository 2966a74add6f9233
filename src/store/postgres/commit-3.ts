/**
 * `granary_commit_3`: one batch in one round trip. Part of the schema's fourth step, so never edited once released; a changed
 * one gets the next number, because processes of two versions may share a database. Its parameters are those of `batch.ts`.
 *
 * Decision 16 has the figures of what it costs. A table of rows is one parameter, an array of a composite type that carries the
 * number of the function that it was made for: those of `commit-2.ts` are used as they are. And a batch that changes customers who are
 * there, each once, and not their own rows (`p_plain`) takes its locks with the very statement that bumps versions.
 *
 * Everything is locked in one order by everyone, so that no two batches wait for each other in a circle: the catalogues,
 * then customers by their key, then names by the number of their lock. What is done after that waits for nobody.
 *
 * Every table is reached along an index, and every plan is made once: `connections.ts` sets that for the whole session,
 * because setting it for each call took a few microseconds for each setting.
 */
export const COMMIT_3 = `
create type granary_balance_3 as (
  change integer, uid text, id text, feature text, entity text, terms text, allowance numeric, remaining numeric,
  adjustment numeric, seats integer, metered text, reset_interval text, reset_count integer, reset_anchor bigint,
  next_reset_at bigint, renewed_at bigint, rollover_policy text, rollovers text, expires_at bigint, created_at bigint,
  held numeric, source text
);
create type granary_attachment_3 as (
  change integer, uid text, id text, plan text, plan_id text, version bigint, entity text, status text, starts_at bigint,
  canceled_at bigint, ends_at bigint, trial_ends_at bigint, anchor bigint, quantities text, custom text, created_at bigint,
  turns_at bigint
);

-- p_kinds has a letter for each change: l only looks up keys, c changes a customer, a adds one, d deletes one. So has what is
-- answered: c for committed, x for a conflict, t for an id that is taken, h for that of a lock, w for one that another change of the
-- batch wants, k for a key that is known. p_own has all writers of the process: it is told whether any other has
-- settled something lately, also something that came to nothing.
create function granary_commit_3(
  p_writer uuid, p_seq bigint, p_own uuid[], p_at bigint, p_buckets bigint[], p_envs text[], p_kinds text, p_plain boolean,
  p_changes granary_change_2[], p_claims granary_claim_2[], p_customers granary_customer_2[],
  p_written granary_balance_3[], p_removed granary_gone_2[], p_entities granary_entity_2[],
  p_entities_removed granary_gone_2[], p_refunds granary_refund_2[], p_locks_removed granary_gone_2[],
  p_locks granary_lock_2[], p_attachments_removed granary_gone_2[], p_attachments granary_attachment_3[],
  p_postings granary_posting_2[], p_events granary_event_2[], p_keys granary_key_2[]
) returns text language plpgsql as $function$
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
        -- \`is true\` keeps env from being looked up along customers_by_time, which looks as good as the index on the name as
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
`

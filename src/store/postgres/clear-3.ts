/** `granary_clear_3`: as `granary_clear_2` in `clear-2.ts`, with attachments. Never edited once released. */
export const CLEAR_3 = `
-- Clears some rows of a deleted customer that nobody else is clearing at the moment; false when there is none.
create function granary_clear_3(p_rows integer) returns boolean language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off as $function$
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

-- A process of an older version that shares the database would leave the attachments behind, to be cleared by nobody.
create or replace function granary_clear_2(p_rows integer) returns boolean language sql
as $function$ select granary_clear_3(p_rows) $function$;
`

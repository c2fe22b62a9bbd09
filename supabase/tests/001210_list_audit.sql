-- list_audit and verify_audit: who reads the audit, and what shows that it was changed.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create temp table heads (name text, head text);
grant all on heads to public;

-- The service
select tests.act_as_service();
select cmp_ok((select count(*) from chat.list_audit(page_size => 200)), '>', 10::bigint, 'a server lists the audit');
select results_eq(
  $$ select e.seq from chat.list_audit(page_size => 3) as e $$,
  $$ select e.seq from chat.list_audit(page_size => 200) as e limit 3 $$, 'the newest entries come first, and all have a place'
);
select results_eq(
  $$ select n.seq from (select min(e.seq) as seq from chat.list_audit(page_size => 3) as e) as l, chat.list_audit(l.seq, 1) as n $$,
  $$ select e.seq from chat.list_audit(page_size => 4) as e offset 3 $$, 'a page begins behind the last entry of the page before'
);
select is_empty(
  $$
    select from (select e.*, lag(e.hash) over (order by e.seq) as before from chat.list_audit(page_size => 200) as e) as e
    where e.before is not null
      and encode(sha256(decode(e.before, 'hex') || convert_to(e.sealed, 'UTF8')), 'hex') <> e.hash
  $$,
  'anybody who has the entries can check the chain without the database'
);
select is_empty(
  $$
    select from chat.list_audit(page_size => 200) as e
    where (e.sealed::jsonb - 1) <> jsonb_build_array(e.seq, e.actor_id, e.via, e.action, e.tenant_id, e.room_id, e.subject_id, e.details)
  $$,
  'what the hash covers is what the entry says'
);
select throws_ok('select chat.list_audit(page_size => 201)', 'PT400', 'invalid_input', 'a page of the audit has at most 200 entries');

-- A whole chain
insert into heads select 'first', chat.verify_audit() ->> 'head';
select is(
  chat.verify_audit(h.head) - 'head' - 'entries',
  '{"is_intact": true, "broken_at": null, "first_seq": 1, "contains_known_head": true}', 'an audit that nobody changed is intact and contains its heads'
)
from heads as h;
select is(chat.verify_audit() -> 'contains_known_head', 'null', 'without a head nothing is said about one');
select is(
  chat.verify_audit('9999:' || split_part(h.head, ':', 2)) -> 'contains_known_head', 'false', 'an audit that was cut at its end does not contain the head'
)
from heads as h;
select throws_ok(format('select chat.verify_audit(%L)', head), 'PT400', 'invalid_input', 'a head is a number and a hash')
from unnest('{x,1:,"1:00","1:ZZ"}'::text[]) as h (head);

-- Changes by somebody who owns the database
select tests.stop_acting();
create function pg_temp.forge(statement text)
returns void
language plpgsql
volatile
as $$
begin
  alter table chat_private.audit_log disable trigger _100_check;
  execute statement;
  alter table chat_private.audit_log enable trigger _100_check;
end;
$$;
create temp table genuine as select a.* from chat_private.audit_log as a;
create function pg_temp.restore()
returns void
language sql
volatile
begin atomic
  select pg_temp.forge('delete from chat_private.audit_log; insert into chat_private.audit_log select g.* from genuine as g');
end;
select pg_temp.forge($$ update chat_private.audit_log set actor_id = gen_random_uuid() where seq = 3 $$);
select is(chat_private.verify_audit(null) -> 'broken_at', '3', 'an entry that was changed breaks the chain');
select pg_temp.restore();
select pg_temp.forge($$ delete from chat_private.audit_log where seq = 4 $$);
select is(chat_private.verify_audit(null) -> 'broken_at', '5', 'an entry that was taken out breaks the chain');
select pg_temp.restore();
select pg_temp.forge($$ delete from chat_private.audit_log where seq <= 2 $$);
select is(chat_private.verify_audit(null) -> 'is_intact', 'false', 'a beginning that was cut off without a checkpoint breaks the chain');
select pg_temp.restore();
select pg_temp.forge($$
  update chat_private.audit_log set actor_id = gen_random_uuid() where seq = 3;
  update chat_private.audit_log set seq = null, hash = null where seq >= 3
$$);
select chat_private.seal_audit(1000);
select is(
  chat_private.verify_audit(h.head) - 'head' - 'entries',
  '{"is_intact": true, "broken_at": null, "first_seq": 1, "contains_known_head": false}',
  'a chain that was computed anew is whole, and does not contain the head that was given away'
)
from heads as h;
select pg_temp.restore();
select is(chat_private.verify_audit(h.head) -> 'contains_known_head', 'true', 'the control: the genuine audit contains it') from heads as h;

-- Behind a checkpoint
insert into heads select 'checkpoint', a.seq || ':' || encode(a.hash, 'hex') from chat_private.audit_log as a where a.seq = 4;
insert into heads select 'purged', a.seq || ':' || encode(a.hash, 'hex') from chat_private.audit_log as a where a.seq = 2;
update chat_private.settings set keep_audit = '30 days';
select pg_temp.forge($$ update chat_private.audit_log set at = at - interval '1 year' where seq <= 4 $$);
select chat_private.purge_audit(100);
select results_eq(
  $$
    select h.name, v.answer -> 'is_intact', v.answer -> 'first_seq', v.answer -> 'contains_known_head'
    from heads as h, lateral (select chat_private.verify_audit(h.head) as answer) as v
    order by h.name
  $$,
  $$
    values
    ('checkpoint', 'true'::jsonb, '5'::jsonb, 'true'::jsonb), ('first', 'true', '5', 'true'), ('purged', 'true', '5', 'null')
  $$,
  'an audit whose old entries went is whole from its checkpoint on, and says nothing of what went'
);

-- Everybody else
select tests.act_as('Ann');
select throws_ok('select chat.list_audit()', '42501', null, 'members do not read the audit');
select throws_ok('select chat.verify_audit()', '42501', null, 'members do not check the audit');
select tests.act_as_service();
select throws_ok('select from chat_private.audit_log', '42501', null, 'a server reads the audit through list_audit alone');

select * from finish();
rollback;

-- list_thread: the message that began a thread, and its answers.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- A thread of five answers, one of them to an answer, in trip and in late
create function pg_temp.talk(room uuid)
returns bigint
language plpgsql
as $$
declare
  v_root bigint;
  v_last bigint;
begin
  perform tests.act_as('Cat');
  v_root := (select m.seq from chat.messages as m where m.room_id = talk.room and m.body = 'early');
  for n in 1..5 loop
    v_last := (chat.send_message(talk.room, 'answer ' || n, gen_random_uuid(), coalesce(v_last, v_root))).seq;
  end loop;
  perform chat.send_message(talk.room, 'aside', gen_random_uuid()), tests.stop_acting();
  return v_root;
end;
$$;
create temp table thread as
select r.name, pg_temp.talk(r.room_id) as root from tests.rooms as r where r.name in ('trip', 'late');
grant select on thread to public;

-- A member
select tests.act_as('Cat');
select results_eq(
  format(
    'select body from chat.list_thread(%L, %s %s)', tests.room('trip'), (select root from thread where name = 'trip'), arguments
  ),
  format('select unnest(%L::text[])', bodies), title
)
from (
  values
  ('', '{early,answer 1,answer 2,answer 3,answer 4,answer 5}', 'a thread is its beginning and all answers, in order'),
  (', page_size => 2', '{early,answer 1}', 'a thread comes page by page'),
  (format(', after => %s, page_size => 2', (select root + 0 from thread where name = 'trip')), '{answer 1,answer 2}',
    'a page of a thread goes on after the one before')
) as p (arguments, bodies, title);
select is_empty(
  format('select chat.list_thread(%L, %s)', tests.room('trip'), seq), 'a seq that is no message began no thread'
)
from unnest(array[0, -1, 100000]) as s (seq);
select throws_ok(
  format('select chat.list_thread(%L, 1, page_size => %s)', tests.room('trip'), size), 'PT400', 'invalid_input',
  format('a page of %s is none', size)
)
from unnest(array[0, 201]) as s (size);

-- Lea, who came later
select tests.act_as('Lea');
select results_eq(
  format('select body from chat.list_thread(%L, %s)', tests.room('late'), (select root from thread where name = 'late')),
  $$ select 'answer ' || n from generate_series(1, 5) as n $$,
  'somebody who came later reads of a thread what came later'
);

-- Pages are bounded by bytes
select tests.stop_acting();
update chat_private.settings set pull_bytes = 1024;
select tests.act_as('Ann');
select tests.remember('yarn', (chat.create_room('Yarn')).id);
select chat.send_message(tests.room('yarn'), 'begin', gen_random_uuid());
select chat.send_message(tests.room('yarn'), repeat('x', 300), gen_random_uuid(), 1) from generate_series(1, 4);
select results_eq(
  format('select seq from chat.list_thread(%L, 1 %s)', tests.room('yarn'), arguments), format('select %s::bigint', found),
  'a page of a thread ends where it is too long, after one message at least'
)
from (values ('', 1), (', after => 1', 2), (', after => 4', 5)) as p (arguments, found);
select tests.stop_acting();
update chat_private.settings set pull_bytes = default;
select tests.act_as('Ann');
select is((select count(*) from chat.list_thread(tests.room('yarn'), 1)), 5::bigint, 'a page of a thread that is not too long is whole');

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.list_thread(%L, 1)', 'reading');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.list_thread(tests.room('trip'), 1) $$, '42501',
  'permission denied for function list_thread', 'signed-out people read nothing'
);

select * from finish();
rollback;

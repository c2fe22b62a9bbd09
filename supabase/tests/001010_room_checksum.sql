-- room_checksum: does a local copy hold what it should?
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();
create function pg_temp.agree(name text, room text, from_seq bigint)
returns boolean
language plpgsql
as $$
begin
  perform tests.act_as(name);
  return (
    select chat.room_checksum(tests.room(room), from_seq) = jsonb_build_object(
      'room_id', r.id, 'from_seq', from_seq, 'rev', r.rev, 'last_seq', r.last_seq, 'count', count(m.seq),
      'sum', coalesce(sum((m.seq % 1000003 + 1)::numeric * (m.rev % 998244353 + 1)) % 9007199254740881, 0)
    )
    from chat.rooms as r
    left join chat.messages as m on m.room_id = r.id and m.seq >= from_seq
    where r.id = tests.room(room)
    group by r.id
  );
end;
$$;

-- What each may see is what each sums up
select is(pg_temp.agree(name, room, from_seq), true, format('%s agrees about %s from %s', name, room, from_seq))
from unnest(array['Cat', 'Lea']) as n (name), unnest(array['trip', 'late', 'hall']) as r (room), unnest(array[1, 3, 1000]) as f (from_seq);
select isnt(
  (chat.room_checksum(tests.room('late'), 1) -> 'count')::integer, 0, 'somebody who came later sums up something'
);

-- Any difference shows
select tests.act_as('Ann');
create temp table sums as select chat.room_checksum(tests.room('trip'), 1) as before;
select chat.edit_message(m.room_id, m.seq, 'Early') from chat.messages as m where m.room_id = tests.room('trip') and m.body = 'early';
select isnt(chat.room_checksum(tests.room('trip'), 1) -> 'sum', before -> 'sum', 'an edit changes the sum')
from sums;
select is(chat.room_checksum(tests.room('trip'), 1) -> 'count', before -> 'count', 'an edit does not change the count')
from sums;

-- Strangers, ex-members, other tenants
select tests.strangers_find_nothing('select chat.room_checksum(%L, 1)', 'summing up');

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.room_checksum(tests.room('trip'), 1) $$, '42501', 'permission denied for function room_checksum',
  'signed-out people sum up nothing'
);

select * from finish();
rollback;

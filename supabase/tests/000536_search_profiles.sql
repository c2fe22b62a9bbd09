-- search_profiles: people by the beginning of a word of their name.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Names are kept when a transaction ends; here they are asked for before.
set constraints all immediate;

create function pg_temp.call(name text, display_name text)
returns void
language sql
volatile
as $$
  select tests.change_as_owner(format(
    'update chat.profiles set display_name = %L where user_id = %L', display_name, tests.id_of(name)
  ));
$$;
create function pg_temp.found(query text, tenant_id uuid default null, page_size integer default 20)
returns text
language sql
stable
as $$
  select string_agg(p.display_name, ', ' order by p.place)
  from chat.search_profiles(query, tenant_id, page_size) with ordinality as p (
    user_id, display_name, avatar_path, label, created_at, closed_at, is_bot, changed_xid, metadata, place
  );
$$;
select pg_temp.call('Abe', 'Abélard Ann-Marie');
select pg_temp.call('Bob', 'BOB Anders');
select pg_temp.call('Cat', '山田太郎');
select pg_temp.call('Rea', 'Annan Anne');
select pg_temp.call('Tom', 'Ann Elsewhere');

-- Where people are not findable, as at first
select tests.act_as('Ann');
select is_empty(
  $$ select chat.search_profiles('Ann') $$, 'nobody is found where people are not findable'
);
select is_empty(
  $$ select chat.search_profiles('Ann', '00000000-0000-0000-0000-000000000001') $$,
  'nobody is found in a tenant either where people are not findable'
);
select tests.change_as_owner('update chat_private.settings set people_are_findable = true');

-- Ann
select is(
  pg_temp.found('ann'), 'Ann, Abélard Ann-Marie, Annan Anne',
  'people are found by the beginning of any word of their name, in the order of what follows'
);
select is(
  pg_temp.found('an'), 'BOB Anders, Ann, Abélard Ann-Marie, Annan Anne',
  'somebody of whose name two words begin so is found once'
);
select is(pg_temp.found('an', page_size => 2), 'BOB Anders, Ann', 'a page has as many people as were asked for');
select is(pg_temp.found('ABELARD a'), 'Abélard Ann-Marie', 'neither case, accents nor signs matter in a name');
select is(pg_temp.found(' ánne '), 'Annan Anne', 'a word in the middle of a name is found');
select is(pg_temp.found('nn'), null, 'the middle of a word finds nobody');
select is(pg_temp.found('anna n'), null, 'a whole word that no name has finds nobody');
select is(
  pg_temp.found('太郎'), '山田太郎', 'a name without spaces is found from any of its characters on'
);
select is(pg_temp.found(q), null, format('the query %L finds nobody', q))
from unnest(array['', '  ', null, '-', '%', '_', 'a%b', '\']) as q;
select results_eq(
  $$ select p.user_id, p.created_at is null from chat.search_profiles('ann', page_size => 1) as p $$,
  $$ values (tests.id_of('Ann'), false) $$, 'a profile that is found comes whole'
);
select throws_ok(
  format('select chat.search_profiles(%L, page_size => %s)', query, page_size),
  'PT400', 'invalid_input', title
)
from (
  values
  (repeat('a', 81), 20, 'a query is no longer than a name'),
  (E'a\u202E', 20, 'a query holds no control characters'),
  ('ann', 0, 'a page of people has one at least'),
  ('ann', 201, 'a page of people has 200 at most')
) as t (query, page_size, title);
select lives_ok(
  format('select chat.search_profiles(%L, page_size => 200)', repeat('a', 80)),
  'a query of 80 characters and a page of 200 people are fine'
);

-- A page of many bytes
select tests.change_as_owner($$
  update chat.profiles set metadata = jsonb_build_object('a', repeat('x', 600));
  update chat_private.settings set pull_bytes = 1024
$$);
select is(pg_temp.found('an'), 'BOB Anders', 'a page of people ends where it becomes too long');
select tests.change_as_owner('update chat_private.settings set pull_bytes = 1048576');

-- A new name
select tests.act_as('Rea');
select chat.update_profile(display_name => 'Zora');
select tests.act_as('Ann');
select is(pg_temp.found('zor'), 'Zora', 'somebody is found by a new name at once');
select is(pg_temp.found('anna'), null, 'nobody is found by an old name');

-- Tenants
select is(
  pg_temp.found('els'), null, 'I13: people of other tenants are not found'
);
select is(
  pg_temp.found('ann', tenant_id), null,
  'I8: in a tenant the caller is not in nobody is found, like in one that does not exist'
)
from (values (md5('elsewhere')::uuid), (gen_random_uuid())) as t (tenant_id);
select tests.act_as('Tom');
select is(pg_temp.found('ann'), 'Ann Elsewhere', 'people of another tenant find each other');
select tests.change_as_owner(format(
  'insert into chat.tenant_members (tenant_id, user_id) values (md5(''elsewhere'')::uuid, %L)',
  tests.id_of('Ann')
));
select tests.act_as('Ann');
select is(
  pg_temp.found('ann'), 'Ann, Ann Elsewhere, Abélard Ann-Marie',
  'somebody in two tenants finds the people of both, and people in both once'
);
select is(
  pg_temp.found('ann', md5('elsewhere')::uuid), 'Ann, Ann Elsewhere',
  'a search in one tenant finds its people only'
);
select tests.change_as_owner(format(
  'update chat.tenant_members set removed_at = now()
   where tenant_id = md5(''elsewhere'')::uuid and user_id = %L', tests.id_of('Ann')
));
select is(
  pg_temp.found('ann'), 'Ann, Abélard Ann-Marie', 'somebody who has left a tenant finds nobody there any more'
);
select tests.act_as('Tom');
select is(pg_temp.found('ann'), 'Ann Elsewhere', 'people who have left a tenant are not found there');
select tests.change_as_owner(format(
  'update chat.tenant_members set removed_at = null
   where tenant_id = md5(''elsewhere'')::uuid and user_id = %L', tests.id_of('Ann')
));
select is(
  pg_temp.found('ann'), 'Ann, Ann Elsewhere', 'people who have come back to a tenant are found there'
);
select tests.change_as_owner(format(
  'delete from chat.tenant_members where tenant_id = md5(''elsewhere'')::uuid and user_id = %L',
  tests.id_of('Ann')
));
select is(
  pg_temp.found('ann'), 'Ann Elsewhere', 'people whose place in a tenant is deleted are not found there'
);

-- Bots, and accounts that are closed
select tests.act_as_service();
create temp table bots as select b.user_id from chat.create_bot('Annabot') as b;
grant select on bots to public;
select tests.act_as('Ann');
select is(pg_temp.found('annab'), 'Annabot', 'a bot is found');
select tests.act_as_service();
select chat.retire_bot(b.user_id) from bots as b;
select tests.change_as_owner(format('delete from auth.users where id = %L', tests.id_of('Bob')));
select tests.act_as('Ann');
select is(pg_temp.found('annab'), null, 'a bot that was retired is not found');
select is(pg_temp.found('bob'), null, 'somebody whose account is closed is not found');
select isnt_empty(
  $$ select from chat.profiles where display_name = 'BOB Anders' $$, 'the profile of somebody who is not found any more is still there'
);

-- What is kept
select tests.stop_acting();
select set_eq(
  $$ select name_end from chat_private.ends_of_name('Zoë  O''Hara-都x京都') as e (name_end) $$,
  $$ values ('zoe o hara 都 x 京都'), ('o hara 都 x 京都'), ('hara 都 x 京都'), ('都 x 京都'), ('x 京都'), ('京都'), ('都') $$,
  'a name is kept from each of its words on'
);
select is_empty($$ select chat_private.ends_of_name('…') $$, 'a name of signs alone is not kept');
select is(
  (select count(*) from chat_private.ends_of_name(repeat('㍿', 80))), 80::bigint,
  'no name is kept more than 80 times, whatever it becomes when it is folded'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.search_profiles('ann') $$, '42501', 'permission denied for function search_profiles',
  'signed-out people find nobody'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.search_profiles('ann') $$, 'PT401', 'sign_in_required', 'a token without a name finds nobody'
);

select * from finish();
rollback;

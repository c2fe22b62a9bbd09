-- The house rules: what must hold for everything in chat and chat_private, asked of the catalog.
begin;
set local search_path = public, extensions;
select no_plan();

-- The lists. Add a new function to one of them: exposed if people may call it, for_the_service if only
-- a server with the secret key may.
create temp table exposed (name text primary key);
insert into exposed values
  ('accept_invite'), ('accept_tenant_invite'), ('add_member'), ('add_reaction'), ('archive_room'),
  ('ban_member'), ('ban_tenant_member'), ('block_user'), ('clear_history'), ('create_invite'), ('create_room'),
  ('create_tenant'), ('create_tenant_invite'), ('delete_message'),
  ('edit_message'), ('erase_my_account'), ('explain_access'), ('export_my_data'), ('heartbeat'), ('join_room'), ('leave_room'), ('list_device_keys'), ('list_heads'),
  ('list_members'), ('list_messages'), ('list_notifications'), ('list_presence'), ('list_profiles'),
  ('list_receipts'), ('list_reports'), ('list_rooms'), ('list_thread'), ('mark_delivered'),
  ('mark_notifications_read'), ('mark_read'), ('mute_member'), ('open_direct'), ('pin_message'),
  ('pull_changes'), ('pull_table'), ('register_device'), ('remove_member'), ('remove_reaction'), ('remove_tenant_member'),
  ('report_message'), ('report_user'), ('resolve_report'), ('revoke_invite'), ('revoke_tenant_invite'), ('room_checksum'), ('search_messages'),
  ('search_profiles'), ('send_message'), ('send_messages'), ('set_member_role'),
  ('set_room_preferences'), ('set_tenant_member_role'), ('take_report'), ('tenant_stats'), ('unarchive_room'),
  ('unban_member'), ('unban_tenant_member'), ('unblock_user'), ('unmute_member'), ('unpin_message'),
  ('unregister_device'), ('update_profile'), ('update_room'), ('version');

create temp table for_the_service (name text primary key);
insert into for_the_service values
  ('add_tenant_member'), ('claim_files'), ('claim_pushes'), ('complete_files'), ('complete_pushes'),
  ('create_bot'), ('erase_user'), ('import_messages'), ('list_audit'), ('notify'), ('post_system_message'), ('read_held'),
  ('release_hold'), ('retire_bot'), ('run_maintenance'), ('set_hold'), ('verify_audit');

-- What policies ask, and API roles therefore execute without being able to name it.
create temp table asked_by_policies (name text primary key);
insert into asked_by_policies values
  ('is_moderator'), ('is_tenant_admin'), ('is_tenant_member'), ('listenable'), ('may_add_file'),
  ('may_read_file'), ('may_see_room'),
  ('notification_stands'), ('shares_tenant'), ('speakable'), ('visible_after');

-- What chat.pull_table nests instead of calling a twin: its second step reads as the caller.
create temp table steps_of_pull_table (name text primary key);
insert into steps_of_pull_table values
  ('find_table_changes'), ('read_table_rows'), ('tag_table_rows');

create temp table slugs (slug text primary key, errcode text not null);
insert into slugs values
  ('sign_in_required', 'PT401'), ('not_allowed', 'PT403'), ('member_muted', 'PT403'),
  ('room_not_found', 'PT404'), ('message_not_found', 'PT404'), ('user_not_found', 'PT404'),
  ('invite_not_found', 'PT404'), ('file_not_found', 'PT404'), ('report_not_found', 'PT404'),
  ('hold_not_found', 'PT404'), ('table_not_found', 'PT404'),
  ('message_id_reused', 'PT409'), ('edit_conflict', 'PT409'),
  ('last_owner', 'PT409'), ('message_deleted', 'PT410'), ('invite_expired', 'PT410'),
  ('message_too_long', 'PT413'), ('too_many_mentions', 'PT413'), ('payload_too_large', 'PT413'),
  ('invalid_input', 'PT400'), ('tenant_required', 'PT400'), ('room_archived', 'PT423'),
  ('message_refused', 'PT422'), ('slow_down', 'PT429'), ('replica_behind', 'PT503');

create temp view functions as
select
  p.oid,
  n.nspname::text as schema,
  p.proname::text as name,
  p.oid::regprocedure::text as signature,
  p.prosecdef as is_definer,
  p.provolatile as volatility,
  p.proretset as returns_set,
  p.prorettype as returns,
  p.proargtypes::text as argument_types,
  p.pronargs as arguments,
  coalesce(p.proargnames[1:p.pronargs], '{}') as argument_names,
  p.proconfig as config,
  p.prosrc as source,
  regexp_replace(pg_get_function_sqlbody(p.oid), '\s+', ' ', 'g') as body,
  l.lanname::text as language,
  obj_description(p.oid, 'pg_proc') as comment,
  coalesce(p.proacl, acldefault('f', p.proowner)) as acl
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
join pg_language as l on l.oid = p.prolang
where n.nspname in ('chat', 'chat_private');

create temp view relations as
select
  c.oid, n.nspname::text as schema, c.relname::text as name, c.oid::regclass::text as signature,
  c.relkind as kind, c.relrowsecurity as has_rls, c.reloptions as options, c.relacl as acl
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname in ('chat', 'chat_private');

create temp view grants as
select f.signature, f.schema, f.name, coalesce(g.rolname, 'public')::text as role, a.privilege_type
from (
  select signature, schema, name, acl from functions
  union all
  select signature, schema, name, acl from relations
) as f,
  aclexplode(f.acl) as a
left join pg_roles as g on g.oid = a.grantee;

create temp view our_policies as
select
  p.polname::text as name,
  format('%s on %s', p.polname, p.polrelid::regclass) as signature,
  p.polrelid as relation,
  p.polcmd as command,
  p.polpermissive as is_permissive,
  array(select r.rolname::text from pg_roles as r where r.oid = any (p.polroles)) as roles,
  p.polroles as role_ids,
  concat_ws(
    ' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
  ) as condition
from pg_policy as p
join pg_class as c on c.oid = p.polrelid
where c.relnamespace in (
  'chat'::regnamespace, 'chat_private'::regnamespace, 'realtime'::regnamespace,
  'storage'::regnamespace
);

-- Privileges
select set_eq(
  $$ select name from functions where schema = 'chat' $$,
  $$ select name from exposed union select name from for_the_service $$,
  'the functions of chat are those in the lists at the head of this file'
);
select set_eq(
  $$
    select schema || '.' || name from grants as g
    where g.role = 'authenticated' and g.privilege_type = 'EXECUTE'
  $$,
  $$
    select 'chat.' || name from exposed
    union
    select 'chat_private.' || name from exposed where name <> 'pull_table'
    union
    select 'chat_private.' || name from steps_of_pull_table
    union
    select 'chat_private.' || name from asked_by_policies
  $$,
  'signed-in people may execute the functions in the lists at the head of this file, their twins and no others'
);
select set_eq(
  $$
    select schema || '.' || name from grants as g
    where g.role = 'service_role' and g.privilege_type = 'EXECUTE'
  $$,
  $$
    select 'chat.' || name from for_the_service
    union
    select 'chat_private.' || name from for_the_service
    union
    select schema || '.' || name from grants as g
    where g.role = 'authenticated' and g.privilege_type = 'EXECUTE'
  $$,
  'the service executes its own functions, and all that signed-in people do, to act as them'
);
select is_empty(
  $$
    select signature, role, privilege_type from grants
    where privilege_type = 'EXECUTE' and role not in ('postgres', 'authenticated', 'service_role')
  $$,
  'nobody else executes anything'
);
select is_empty(
  $$ select signature, role, privilege_type from grants where role in ('anon', 'public') $$,
  'signed-out people have no right to anything'
);
select is_empty(
  $$
    select signature, role, privilege_type from grants
    where role in ('authenticated', 'service_role')
      and privilege_type not in ('SELECT', 'EXECUTE')
  $$,
  'I6: API roles change no table'
);
select is_empty(
  $$
    select g.signature, g.role, g.privilege_type
    from grants as g
    join relations as r on r.signature = g.signature
    where r.schema = 'chat_private' and g.role in ('anon', 'authenticated', 'service_role', 'public')
  $$,
  'API roles read nothing of chat_private'
);
select is_empty(
  $$
    select r.signature, role.name, privilege.name
    from relations as r,
      unnest(array['anon', 'authenticated']) as role (name),
      unnest(array['INSERT', 'UPDATE', 'REFERENCES']) as privilege (name)
    where r.kind in ('r', 'v', 'p') and has_any_column_privilege(role.name, r.oid, privilege.name)
  $$,
  'no right on a column lets API roles write'
);
select is_empty(
  $$
    select role.name, privilege.name
    from unnest(array['anon', 'authenticated', 'service_role']) as role (name),
      unnest(array['USAGE', 'CREATE']) as privilege (name)
    where has_schema_privilege(role.name, 'chat_private', privilege.name)
      or (privilege.name = 'CREATE' and has_schema_privilege(role.name, 'chat', 'CREATE'))
  $$,
  'API roles neither use chat_private nor create in chat'
);
select is_empty(
  $$
    select r.signature, role.name
    from relations as r, unnest(array['authenticated', 'service_role']) as role (name)
    where r.schema = 'chat' and r.kind in ('r', 'v', 'p')
      and not has_table_privilege(role.name, r.oid, 'SELECT')
  $$,
  'what is in chat may be read'
);

-- Functions
select is_empty(
  $$ select signature from functions where schema = 'chat' and is_definer $$,
  'no function in chat is a definer'
);
select is_empty(
  $$
    select signature from functions
    where config is null or not config @> '{"search_path=\"\", pg_temp"}'
  $$,
  'every function has an empty search_path, and temporary types come last'
);
select is_empty(
  $$ select name, count(*) from functions group by schema, name having count(*) > 1 $$,
  'no function is overloaded'
);
select is_empty(
  $$
    select f.signature
    from functions as f
    left join functions as twin
      on twin.schema = 'chat_private'
      and twin.name = f.name
      and twin.argument_types = f.argument_types
      and twin.argument_names = f.argument_names
      and twin.volatility = f.volatility
      and twin.returns_set = f.returns_set
      and twin.returns = f.returns
    where f.schema = 'chat'
      and f.name <> 'pull_table'
      and (
        twin.oid is null
        or f.language <> 'sql'
        or f.body is null
        or f.body not similar to
          '(RETURN |BEGIN ATOMIC SELECT [^;]* FROM )chat\_private.' || f.name || '\([^;]*(; END)?'
      )
  $$,
  'every function in chat is one line over a twin of the same arguments, answer and volatility'
);
select is_empty(
  $$
    select f.signature, d.refobjid::regprocedure
    from functions as f
    join pg_depend as d
      on d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.refclassid = 'pg_proc'::regclass
    join functions as called on called.oid = d.refobjid
    where f.schema = 'chat' and called.name <> f.name and f.name <> 'pull_table'
  $$,
  'the line of a function in chat calls nothing but the twin'
);
select set_eq(
  $$
    select called.name, called.is_definer, called.volatility::text
    from functions as f
    join pg_depend as d
      on d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.refclassid = 'pg_proc'::regclass
    join functions as called on called.oid = d.refobjid
    where f.schema = 'chat' and f.name = 'pull_table'
  $$,
  $$ select name, name <> 'read_table_rows' as is_definer, 's' as volatility from steps_of_pull_table $$,
  'pull_table nests three steps, and the one that reads rows is no definer'
);
select is_empty(
  $$
    select f.signature, argument.name
    from functions as f, unnest(f.argument_names) as argument (name)
    where f.schema = 'chat'
      and (
        argument.name in (
          'select', 'order', 'limit', 'offset', 'columns', 'on_conflict', 'and', 'or', 'not',
          'apikey'
        )
        or exists (
          select from pg_get_keywords() as k where k.word = argument.name and k.catcode in ('R', 'T')
        )
        or argument.name !~ '^[a-z][a-z_]*$'
      )
  $$,
  'no argument has a name that SQL or the API keeps for itself'
);
select is_empty(
  $$
    select f.signature
    from functions as f
    where f.returns = 'trigger'::regtype
      and (f.schema <> 'chat_private' or f.name !~ '^tg_[a-z]+(_[a-z]+)*__[a-z_]+$')
  $$,
  'trigger functions are private and named after table and task'
);
select is_empty(
  $$
    select format('%s on %s', t.tgname, t.tgrelid::regclass)
    from pg_trigger as t
    join functions as f on f.oid = t.tgfoid
    where t.tgname !~ '^_[0-9]{3}_[a-z_]+$' and not t.tgisinternal
  $$,
  'triggers are numbered'
);
select is_empty(
  $$
    select signature from functions
    where source ~* 'when\s+others'
      and name not in (
        'announce_presence', 'refusal_by_check', 'retract_person', 'retract_step', 'tg_rooms__announce',
        'tg_stats_touched__announce', 'tg_table_notes__announce', 'tg_user_streams__announce',
        'try_wake_pushes'
      )
  $$,
  'only functions that announce, take an announcement back or ask the adopter''s rule swallow errors'
);
select is_empty(
  $$
    select signature from functions
    where source ~* 'set_config\s*\('
      or source ~* '\mexecute\M(?!\s+function)'
      and name !~ '^tg_watched__'
      and name not in (
        'note_moves', 'read_table_rows', 'refusal_by_check', 'stream_table', 'unstream_table', 'unwatch_stats',
        'watch_stats'
      )
  $$,
  'no function writes a setting, and none but those about tables or the rule of the adopter runs a made-up statement'
);
select set_eq(
  $$
    select f.name, l.list
    from functions as f
    join (
      values ('hidden characters', '\u2066-\u2069'), ('uuid', '[0-9a-fA-F]{8}')
    ) as l (list, part) on strpos(f.source, l.part) > 0
  $$,
  $$ values ('hidden_characters', 'hidden characters'), ('uuid_pattern', 'uuid') $$,
  'the list of hidden characters and the pattern of a uuid stand in one function each'
);

-- Who a call comes from. Two short forms ask whether the caller may be a server before they call
-- acting_user_id(), which decides.
create temp table ask_the_token (name text primary key);
insert into ask_the_token values ('acting_user_id'), ('listenable'), ('speakable');
select is_empty(
  $$
    select signature from functions
    where name not in (select name from ask_the_token)
      and concat_ws(' ', regexp_replace(regexp_replace(
        source,
        'case\s+when current_setting\(''role''\) = ''service_role'' then chat_private\.acting_user_id\(\)'
        '\s+else auth\.uid\(\)\s+end', '', 'g'
      ), '^\s*declare\s+v_user uuid := auth\.uid\(\);.*\n'
        '    v_user is not null\n'
        '    and \(strpos\(current_setting\(''request.headers'', true\), ''x-parley-user''\) > 0\) is not true\n'
        '.*v_user := chat_private\.current_user_id\(\);', ''
      ), body) ~ '\mauth\.(?!users\M)'
  $$,
  'acting_user_id decides who a call comes from, and no other function asks the token'
);
select is_empty(
  $$
    select signature from functions
    where source ~ '\mrequest\.' and name not in ('acting_user_id', 'is_server', 'named_user', 'send_message')
      or source ~ 'current_setting\s*\(\s*[^'' ]'
      or source ~ '\mcurrent_setting\M' and schema = 'chat'
      or body ~ '\m(current_setting|set_config)\M'
  $$,
  'no function reads a setting whose name it was given, or the request behind the back of acting_user_id'
);

-- The door of a room. These functions take its lock by themselves: the sends and marks, for which every
-- call counts; ways into a room, whose callers are no members yet; and work on several rooms, or for
-- the operator.
create temp table lock_rooms_themselves (name text primary key);
insert into lock_rooms_themselves values
  ('enter_room'), ('send_message'), ('send_messages'), ('set_marks'),
  ('accept_invite'), ('join_room'), ('lock_tenant_invite'), ('reopen_direct'),
  ('lock_rooms_of'), ('lock_directs'), ('close_directs_of'), ('enter_to_post'), ('import_messages'),
  ('purge_messages'), ('queue_orphans'), ('purge_portion'), ('drop_removed_rows'),
  ('erase_portion');
select set_eq(
  $$
    select f.name
    from functions as f
    where f.source ~* '\mchat\.rooms\M[^;]*\mfor\s+(no\s+key\s+)?update\M'
  $$,
  $$ select name from lock_rooms_themselves $$,
  'rooms are locked by enter_room and by the listed functions'
);
select is_empty(
  $$ select signature from functions where source ~ '\marchived_at := null' $$,
  'what can be done in an archived room says even_archived, and forges no open one'
);

-- Refusals
create temp view refusals as
select f.oid, f.signature, r.part[1] as errcode, r.part[2] as slug
from functions as f,
  regexp_matches(
    f.source,
    $re$(?:errcode = |row\(\s*|'code', )'(PT\d+)',\s*(?:message = |'message', )?'(\w+)'$re$,
    'g'
  ) as r (part);
select isnt_empty($$ select * from refusals $$, 'there are refusals to look at');
select is_empty(
  $$
    select r.signature, r.errcode, r.slug
    from refusals as r
    left join slugs as s on s.slug = r.slug and s.errcode = r.errcode
    where s.slug is null
  $$,
  'every refusal has a known slug with its own status'
);
select is_empty(
  $$
    select f.signature, raised.times, shaped.times
    from functions as f,
      lateral (select count(*) from regexp_matches(f.source, 'raise (exception|sqlstate)', 'g'))
        as raised (times),
      lateral (
        select count(*)
        from regexp_matches(
          f.source,
          $re$raise exception using\s+?errcode = 'PT\d+?',\s+?message = '\w+?',\s+?detail = .+?,\s+?hint = .+?;\n$re$,
          'g'
        )
      ) as shaped (times)
    where raised.times <> shaped.times and f.name not in ('refuse', 'fail_check')
  $$,
  'every refusal is raised in one shape: status, slug, sentence, remedy (a broken check, as Postgres does)'
);

-- What a function does includes what its helpers do, to any depth.
create temp table calls as
with recursive calls as (
  select f.oid as origin, f.oid as called from functions as f
  union
  select c.origin, callee.oid
  from calls as c
  join functions as caller on caller.oid = c.called
  join functions as callee
    on callee.schema = 'chat_private'
    and concat_ws(' ', caller.source, caller.body) ~ ('chat_private\.' || callee.name || '\(')
)
select c.origin, c.called from calls as c;
-- What others have to answer for is recorded. The rest of what changes something for others is said in
-- the room itself, where everybody reads who did it.
create temp table recorded (name text primary key);
insert into recorded values
  ('add_tenant_member'), ('archive_room'), ('ban_member'), ('ban_tenant_member'), ('create_bot'), ('delete_message'),
  ('import_messages'), ('mute_member'), ('read_held'), ('release_hold'), ('remove_member'),
  ('remove_tenant_member'), ('resolve_report'), ('retire_bot'), ('set_hold'), ('set_member_role'),
  ('set_tenant_member_role'), ('unarchive_room'), ('unban_member'), ('unban_tenant_member'),
  ('unmute_member'), ('update_room');
select is_empty(
  $$
    select l.name
    from recorded as l
    where not exists (
      select
      from functions as f
      join calls as c on c.origin = f.oid
      join functions as callee on callee.oid = c.called and callee.name = 'record_audit'
      where f.schema = 'chat' and f.name = l.name
    )
  $$,
  'what others have to answer for is recorded in the audit'
);

create temp view reachable_refusals as
select distinct c.origin, r.slug
from calls as c
join refusals as r on r.oid = c.called;

create temp view documented_refusals as
select f.oid, f.name, f.signature, r.part[1] as slug
from functions as f,
  regexp_matches(substring(f.comment from 'Raises:\n(.*)$'), '^  (\w+):', 'gn') as r (part)
where f.schema = 'chat';
select is_empty(
  $$
    select d.signature, d.slug
    from documented_refusals as d
    where not exists (
      select from reachable_refusals as r where r.origin = d.oid and r.slug = d.slug
    )
  $$,
  'what Raises: promises can be raised'
);
select is_empty(
  $$
    select f.signature, r.slug
    from functions as f
    join functions as twin on twin.schema = 'chat_private' and twin.name = f.name
    join refusals as r on r.oid = twin.oid
    where f.schema = 'chat'
      and not exists (
        select from documented_refusals as d where d.oid = f.oid and d.slug = r.slug
      )
  $$,
  'what a function raises itself is in its Raises:'
);

-- Prices. The sends write their price out in place.
select is_empty(
  $$
    select f.name
    from functions as f
    join exposed as e on e.name = f.name
    where f.schema = 'chat' and f.volatility = 'v'
      and not exists (
        select
        from calls as c
        join functions as callee on callee.oid = c.called
        where c.origin = f.oid
          and (
            callee.name = 'spend'
            or callee.name = f.name and callee.source ~ 'chat_private\.rate_buckets as b'
          )
      )
  $$,
  'I12: everything that people write has a price'
);
select is_empty(
  $$
    select f.name
    from functions as f
    join exposed as e on e.name = f.name
    where f.schema = 'chat'
      and (f.comment ~ '\n\nPrice: \S') <> (f.volatility = 'v')
  $$,
  'everything that people write says its price in a paragraph "Price:"'
);
select is_empty(
  $$
    select a.attname
    from pg_attribute as a
    where a.attrelid = 'chat_private.settings'::regclass
      and a.attnum > 0
      and not a.attisdropped
      and a.attname <> 'only_row'
      and (
        col_description(a.attrelid, a.attnum) is null
        or substring(col_description(a.attrelid, a.attnum) from '\nAnswer: (\w+)\.$')
          not in (select slug from slugs)
        or col_description(a.attrelid, a.attnum) ~ 'Answer:'
          and col_description(a.attrelid, a.attnum) !~ '\nAnswer: \w+\.$'
      )
  $$,
  'every setting says what it does, and a limit what is answered beyond it'
);

-- Comments
select is_empty(
  $$ select signature from functions where schema = 'chat' and comment is null $$,
  'every function in chat has a comment'
);
select is_empty(
  $$
    select signature, split_part(comment, E'\n', 1) from functions
    where comment is not null
      and schema = 'chat'
      and (
        char_length(split_part(comment, E'\n', 1)) > 72
        or split_part(comment, E'\n', 1) !~ '^[A-Z][a-z]*[^s ] .*\.$'
      )
  $$,
  'the first line of a function''s comment says in 72 characters what it does, as an order'
);
select is_empty(
  $$
    select f.signature, f.argument_names, documented.names
    from functions as f,
      lateral (
        select coalesce(array_agg(a.part[1]), '{}')
        from regexp_matches(
          substring(f.comment from '\nArgs:\n(.*?)\n\n'), '^  (\w+):', 'gn'
        ) as a (part)
      ) as documented (names)
    where f.schema = 'chat' and f.argument_names <> documented.names
  $$,
  'the Args: of a comment are the function''s arguments, in their order'
);
select is_empty(
  $$
    select signature from functions
    where schema = 'chat' and not (comment ~ '\nReturns:\n  \S' and comment ~ '\nRaises:\n  \S')
  $$,
  'the comment of every function in chat says what it returns and raises'
);
select is_empty(
  $$
    select signature from relations
    where kind in ('r', 'v', 'p') and obj_description(oid, 'pg_class') is null
  $$,
  'every table has a comment'
);

-- Tables
select is_empty(
  $$ select signature from relations where schema = 'chat' and kind in ('r', 'p') and not has_rls $$,
  'every table in chat has row level security'
);
select is_empty(
  $$
    select r.signature from relations as r
    where r.schema = 'chat' and r.kind in ('r', 'p')
      and not exists (select from our_policies as p where p.relation = r.oid)
  $$,
  'every table in chat has a policy'
);
select is_empty(
  $$
    select signature from relations
    where kind = 'v' and not coalesce(options @> '{security_invoker=true}', false)
  $$,
  'views read with the rights of the person who asks'
);
select is_empty(
  $$
    select signature, kind from relations
    where kind not in ('r', 'p', 'i', 'I', 'v', 'c') and name <> 'table_notes_note_seq'
  $$,
  'there are no materialized views, foreign tables or sequences but the one that orders notes'
);
select is_empty(
  $$
    select r.signature, a.attname, format_type(a.atttypid, a.atttypmod)
    from relations as r
    join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    join pg_type as t on t.oid = coalesce(nullif((
      select e.typelem from pg_type as e where e.oid = a.atttypid and e.typcategory = 'A'
    ), 0), a.atttypid)
    where r.kind in ('r', 'p', 'v', 'c')
      and (
        t.oid in (
          'timestamp'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'json'::regtype,
          'money'::regtype, 'timetz'::regtype
        )
        or t.typtype = 'e'
      )
  $$,
  'columns are text, timestamptz, bigint and jsonb, never varchar, timestamp or an enum'
);
select is_empty(
  $$
    select c.conrelid::regclass, c.conname
    from pg_constraint as c
    where c.contype = 'f'
      and c.connamespace in ('chat'::regnamespace, 'chat_private'::regnamespace)
      and not exists (
        select
        from pg_index as i
        where i.indrelid = c.conrelid
          and i.indpred is null
          and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey
      )
  $$,
  'every foreign key has an index'
);
select is_empty(
  $$
    select c.conrelid::regclass, c.conname
    from pg_constraint as c
    where c.contype = 'f'
      and c.connamespace in ('chat'::regnamespace, 'chat_private'::regnamespace)
      -- A foreign key to a partitioned table has a part for each partition.
      and c.conparentid = 0
      and (
        c.confdeltype <> 'a' and c.confrelid <> 'chat.messages'::regclass
        or c.confrelid not in (select oid from relations)
      )
  $$,
  'no foreign key leaves our schemas, and only what belongs to a message goes with it'
);
select is_empty(
  $$
    select c.conrelid::regclass, c.conname
    from pg_constraint as c
    where c.contype = 'c'
      and c.connamespace in ('chat'::regnamespace, 'chat_private'::regnamespace)
      and c.conname ~ '_check[0-9]*$'
  $$,
  'checks are named, as claims'
);
select is_empty(
  $$
    select p.pubname, p.schemaname, p.tablename from pg_publication_tables as p
    where p.schemaname in ('chat', 'chat_private')
  $$,
  'no table of ours is published row by row'
);

-- Policies
select is_empty(
  $$ select signature, roles from our_policies where roles <> '{authenticated}' or 0 = any (role_ids) $$,
  'policies are for signed-in people'
);
select is_empty(
  $$
    select relation::regclass, command, count(*) from our_policies
    group by relation, command having count(*) > 1
  $$,
  'there is one policy per table and command'
);
select is_empty(
  $$
    select signature, command from our_policies
    where relation in (select oid from relations) and command <> 'r'
  $$,
  'policies in chat are about reading'
);
select is_empty(
  $$
    select signature, condition from our_policies
    where regexp_replace(condition, 'SELECT (auth|realtime)\.\w+\(\)', '', 'g') ~ '(auth|realtime)\.\w+\('
      and regexp_replace(condition, '\( SELECT [^()]*\([^()]*\(?\)?\)[^()]*\)', '', 'g')
        ~ '(auth|realtime)\.\w+\('
  $$,
  'policies ask who is signed in once per query, not once per row'
);
select is_empty(
  $$ select signature from our_policies where not is_permissive or condition in ('true', '(true)') $$,
  'no policy lets everything through'
);
select is_empty(
  $$ select signature from our_policies where name !~ '^[a-z].* .* .*$' $$,
  'policies are named as sentences'
);

-- Elsewhere
select is_empty(
  $$
    select n.nspname, c.relname
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.relowner = 'postgres'::regrole
      and n.nspname in ('public', 'auth', 'storage', 'realtime', 'extensions')
      and not exists (select from pg_depend as d where d.objid = c.oid and d.deptype in ('e', 'i'))
    union all
    select n.nspname, p.proname
    from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace
    where p.proowner = 'postgres'::regrole
      and n.nspname in ('public', 'auth', 'storage', 'realtime', 'extensions')
      and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
  $$,
  'nothing of ours lies in a schema of the platform'
);
select set_eq(
  $$
    select t.tgrelid::regclass::text, t.tgname::text
    from pg_trigger as t
    join pg_class as c on c.oid = t.tgrelid
    join functions as f on f.oid = t.tgfoid
    where c.relnamespace not in ('chat'::regnamespace, 'chat_private'::regnamespace)
      and t.tgparentid = 0
  $$,
  $$
    values
    ('auth.users', '_100_close_account'), ('auth.users', '_100_open_account'),
    ('auth.users', '_200_close_account')
  $$,
  'triggers on tables of the platform are the listed ones'
);

select * from finish();
rollback;

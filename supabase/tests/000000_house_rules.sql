-- The house rules: what must hold for everything in chat and chat_private, asked of the catalog.
begin;
set local search_path = public, extensions;
select no_plan();

-- The lists. A function that people may call is added here when its chapter is, and nowhere else.
create temp table exposed (name text primary key);
insert into exposed values
  ('accept_invite'), ('add_member'), ('add_reaction'), ('add_tenant_member'), ('archive_room'),
  ('ban_member'), ('create_invite'), ('create_room'), ('create_tenant'), ('delete_message'),
  ('edit_message'), ('explain_access'), ('join_room'), ('leave_room'), ('list_heads'),
  ('list_members'), ('list_messages'), ('list_notifications'), ('list_profiles'),
  ('list_receipts'), ('list_rooms'), ('list_thread'), ('mark_delivered'),
  ('mark_notifications_read'), ('mark_read'), ('mute_member'), ('open_direct'), ('pin_message'),
  ('pull_changes'), ('remove_member'), ('remove_reaction'), ('remove_tenant_member'),
  ('revoke_invite'), ('room_checksum'), ('search_messages'), ('send_message'),
  ('send_messages'), ('set_member_role'), ('set_room_preferences'), ('unarchive_room'),
  ('unban_member'), ('unmute_member'), ('unpin_message'), ('update_profile'), ('update_room');

create temp table for_the_service (name text primary key);
insert into for_the_service values ('import_messages'), ('run_maintenance');

-- What policies ask, and API roles therefore execute without being able to name it.
create temp table asked_by_policies (name text primary key);
insert into asked_by_policies values
  ('is_moderator'), ('is_tenant_member'), ('listenable'), ('may_see_room'), ('shares_tenant'),
  ('speakable'), ('visible_after');

create temp table slugs (slug text primary key, errcode text not null);
insert into slugs values
  ('sign_in_required', 'PT401'), ('not_allowed', 'PT403'), ('member_muted', 'PT403'),
  ('room_not_found', 'PT404'), ('message_not_found', 'PT404'), ('user_not_found', 'PT404'),
  ('invite_not_found', 'PT404'), ('message_id_reused', 'PT409'), ('edit_conflict', 'PT409'),
  ('last_owner', 'PT409'), ('message_deleted', 'PT410'), ('invite_expired', 'PT410'),
  ('message_too_long', 'PT413'), ('too_many_mentions', 'PT413'), ('payload_too_large', 'PT413'),
  ('invalid_input', 'PT400'), ('room_archived', 'PT423'), ('slow_down', 'PT429');

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
  'chat holds the listed functions'
);
select set_eq(
  $$
    select schema || '.' || name from grants as g
    where g.role = 'authenticated' and g.privilege_type = 'EXECUTE'
  $$,
  $$
    select 'chat.' || name from exposed
    union
    select 'chat_private.' || name from exposed
    union
    select 'chat_private.' || name from asked_by_policies
  $$,
  'signed-in people execute the listed functions, their twins and what policies ask'
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
  $$,
  'the service executes its own functions'
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
  'no column is a way around it'
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
    where f.schema = 'chat' and called.name <> f.name
  $$,
  'the line calls nothing but the twin'
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
      and name not in ('tg_rooms__announce', 'tg_user_streams__announce', 'retract_step')
  $$,
  'only announcing, and taking it back, swallows errors'
);
select is_empty(
  $$ select signature from functions where source ~* 'set_config\s*\(' or source ~* '\mexecute\M' $$,
  'no function writes a setting or runs a made-up statement'
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

-- What a function may raise includes what its helpers raise, to any depth.
create temp view reachable_refusals as
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
  'its first line says in 72 characters what it does, as an order'
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
  'its Args: are the arguments, in their order'
);
select is_empty(
  $$
    select signature from functions
    where schema = 'chat' and not (comment ~ '\nReturns:\n  \S' and comment ~ '\nRaises:\n  \S')
  $$,
  'it says what it returns and raises'
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
  'and a policy'
);
select is_empty(
  $$
    select signature from relations
    where kind = 'v' and not coalesce(options @> '{security_invoker=true}', false)
  $$,
  'views read with the rights of who asks'
);
select is_empty(
  $$ select signature, kind from relations where kind not in ('r', 'p', 'i', 'I', 'v', 'c') $$,
  'there are no materialized views, foreign tables or sequences'
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
  'policies ask who is there once per query, not once per row'
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

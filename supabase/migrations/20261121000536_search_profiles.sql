-- search_profiles: people by the beginning of a word of their name.

-- A name is kept once for each of its words, from that word on. So all names of a tenant in which a
-- text begins a word stand next to each other, and how many people there are elsewhere makes no
-- search slower. Of a script without spaces every character begins a word.
create table chat_private.name_ends (
  user_id uuid not null,
  tenant_id uuid not null,
  name_end text collate "C" not null,
  primary key (user_id, tenant_id, name_end)
);

comment on table chat_private.name_ends is
  'The folded names of people with open accounts, from each of their words on, in each tenant.';

create index name_ends_by_tenant on chat_private.name_ends (tenant_id, name_end, user_id);

create function chat_private.ends_of_name(name text)
returns setof text
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  -- Folded, a single character may become eighteen; no name has more ends than this.
  c_longest constant integer := 80;
  v_name text := left(btrim((chat_private.fold_texts(array[ends_of_name.name]))[1]), c_longest);
begin
  return query
    select substr(v_name, w.first + n.more)
    from (
      select
        each.word,
        (sum(char_length(each.word) + 1) over (order by each.place))::integer
        - char_length(each.word) as first
      from string_to_table(v_name, ' ') with ordinality as each (word, place)
    ) as w
    cross join lateral generate_series(
      0, case when chat_private.is_dense(w.word) then char_length(w.word) - 1 else 0 end
    ) as n (more);
end;
$$;

comment on function chat_private.ends_of_name(text) is
  'Fold a name, and return it from each of its words on; nothing where it has no letter or digit.';

create function chat_private.keep_name(user_id uuid, tenant_id uuid)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  delete from chat_private.name_ends as e
  where e.user_id = keep_name.user_id and e.tenant_id = keep_name.tenant_id;
  insert into chat_private.name_ends (user_id, tenant_id, name_end)
  select p.user_id, t.tenant_id, ends.name_end
  from chat.tenant_members as t
  join chat.profiles as p on p.user_id = t.user_id and p.closed_at is null
  cross join lateral chat_private.ends_of_name(p.display_name) as ends (name_end)
  where t.user_id = keep_name.user_id
    and t.tenant_id = keep_name.tenant_id
    and t.removed_at is null;
end;
$$;

comment on function chat_private.keep_name(uuid, uuid) is
  'Write anew under which words somebody is found in a tenant; the transaction holds their profile.';

create function chat_private.tg_profiles__keep_name()
returns trigger
language plpgsql
volatile
-- definer: the auth service closes accounts and has no rights here
security definer
set search_path = '', pg_temp
as $$
begin
  perform chat_private.keep_name(t.user_id, t.tenant_id)
  from chat.tenant_members as t
  where t.user_id = new.user_id and t.removed_at is null;
  return null;
end;
$$;

create trigger _100_keep_name after update of display_name, closed_at on chat.profiles
  for each row when (
    new.display_name is distinct from old.display_name
    or new.closed_at is distinct from old.closed_at
  )
  execute function chat_private.tg_profiles__keep_name();

-- A change of the name and a step into a tenant can happen at once. Both hold the profile when they
-- come here, so the second sees what the first has done: change_profile, which updates the profile,
-- is the deferred trigger before these.
create function chat_private.tg_tenant_members__keep_name()
returns trigger
language plpgsql
volatile
-- definer: deferred, so it runs after the function that let somebody in, as its caller
security definer
set search_path = '', pg_temp
as $$
begin
  perform chat_private.keep_name(
    coalesce(new.user_id, old.user_id), coalesce(new.tenant_id, old.tenant_id)
  );
  return null;
end;
$$;

create constraint trigger _300_keep_name after insert or delete on chat.tenant_members
  deferrable initially deferred
  for each row execute function chat_private.tg_tenant_members__keep_name();

create constraint trigger _400_keep_name after update of removed_at on chat.tenant_members
  deferrable initially deferred
  for each row when (new.removed_at is distinct from old.removed_at)
  execute function chat_private.tg_tenant_members__keep_name();

-- Parley may be installed into a project that already has people.
select chat_private.keep_name(t.user_id, t.tenant_id) from chat.tenant_members as t;

create function chat_private.search_profiles(query text, tenant_id uuid, page_size integer)
returns setof chat.profiles
language plpgsql
stable
-- definer: API roles may not read name_ends, which hold everybody
security definer
set search_path = '', pg_temp
as $$
declare
  -- No name holds a character that sorts behind this one.
  c_last constant text := U&'\+10FFFF';
  v_me uuid := chat_private.current_user_id();
  v_blocked uuid[] := chat_private.blocked_with(v_me);
  v_size integer := chat_private.clean_page_size(search_profiles.page_size);
  v_line text := coalesce(chat_private.clean_line(search_profiles.query, 'name', 80), '');
  v_begin text collate "C" := btrim((chat_private.fold_texts(array[v_line]))[1]);
begin
  if v_begin = '' or not (select s.people_are_findable from chat_private.settings as s) then
    return;
  end if;
  -- Of a name with several words that begin so only the first counts. Everybody else's ends are
  -- passed over, so a page reads no more than the people on it have words.
  return query
    select (page.profile).*
    from (
      select
        p as profile, found.name_end,
        sum(octet_length(to_json(p)::text)) over in_order as bytes,
        row_number() over in_order as place
      from (
        select near.user_id, min(near.name_end) as name_end
        from chat.tenant_members as mine
        cross join lateral (
          select e.user_id, e.name_end
          from chat_private.name_ends as e
          where e.tenant_id = mine.tenant_id
            and e.name_end >= v_begin
            and e.name_end < v_begin || c_last
            and e.user_id <> all (v_blocked)
            and not exists (
              select
              from (
                select one.name_end
                from chat_private.name_ends as one
                where one.user_id = e.user_id and one.tenant_id = e.tenant_id
                -- The other index would pass over everybody else's names that begin so.
                offset 0
              ) as earlier
              where earlier.name_end >= v_begin and earlier.name_end < e.name_end
            )
          order by e.name_end, e.user_id
          limit v_size
        ) as near
        where mine.user_id = v_me
          and mine.removed_at is null
          and (search_profiles.tenant_id is null or mine.tenant_id = search_profiles.tenant_id)
        group by near.user_id
        order by min(near.name_end), near.user_id
        limit v_size
      ) as found
      join chat.profiles as p on p.user_id = found.user_id
      window in_order as (order by found.name_end, found.user_id)
    ) as page
    where page.place = 1 or page.bytes <= (select s.pull_bytes from chat_private.settings as s)
    order by page.place;
end;
$$;

create function chat.search_profiles(
  query text,
  tenant_id uuid default null,
  page_size integer default 20
)
returns setof chat.profiles
language sql
stable
set search_path = '', pg_temp
begin atomic
  select p.* from chat_private.search_profiles(query, tenant_id, page_size) as p;
end;

comment on function chat.search_profiles(text, uuid, integer) is
  $$Find people of the caller's tenants by a word of their name.

The beginning of any word is enough. Case, accents and the signs between words do not matter, and
what is written without spaces is found from any of its characters on. Bots are found too; closed
accounts are not, nor people with whom the caller has a block, in either direction.

Where the setting people_are_findable is off, which it is at first, nobody is found.

Args:
  query: up to 80 characters, with one letter or digit at least; several words stand in the name one
    after the other.
  tenant_id: only people of this tenant; left out, of all tenants the caller is in. Of a tenant that
    the caller is not in nobody is found.
  page_size: 1 to 200 people. A page may be shorter, because it is bounded by bytes as well: type
    more of the name to find the others.

Returns:
  Profiles, by the name from the word on that was found; the caller may be among them.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the query is longer than a name, shows nothing or holds control characters, or the
    page size is out of range.$$;

revoke execute on function
  chat_private.ends_of_name(text),
  chat_private.keep_name(uuid, uuid),
  chat_private.tg_profiles__keep_name(),
  chat_private.tg_tenant_members__keep_name()
  from public, anon, authenticated;
revoke execute on function
  chat_private.search_profiles(text, uuid, integer), chat.search_profiles(text, uuid, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.search_profiles(text, uuid, integer), chat.search_profiles(text, uuid, integer)
  to authenticated, service_role;

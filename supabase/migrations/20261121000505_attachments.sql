-- Attachments: which files messages hold, who may put a file into a room, and who may read it.

-- A row for each file of a message. An attachment that names no path is the app's own and has none.
create table chat.attachments (
  room_id uuid not null,
  seq bigint not null,
  path text not null,
  constraint attachments_pkey primary key (room_id, seq, path),
  -- A file belongs to one message, and its path begins with the room.
  constraint attachments_by_path unique (path),
  foreign key (room_id, seq) references chat.messages (room_id, seq) on delete cascade
);

comment on table chat.attachments is 'Files in the bucket chat-attachments that messages hold.';
comment on column chat.attachments.path is
  'The name of the object: the id of the room, a uuid and the name of the file, with slashes between.';

-- Only the Storage API can remove a file, so what is to go waits here for a worker.
create table chat_private.file_queue (
  bucket_id text not null,
  path text not null,
  due_at timestamptz not null default clock_timestamp(),
  tries integer not null default 0,
  constraint file_queue_pkey primary key (bucket_id, path)
);

comment on table chat_private.file_queue is 'Files that nobody may read any more and that are to be removed.';
comment on column chat_private.file_queue.due_at is
  'When to try next. Whoever claims a file moves it ahead, and has it alone until then. Infinity: under legal hold.';

create index file_queue_due on chat_private.file_queue (due_at);

-- What was kept of the message was kept before this, so a file of a held message is known here.
create function chat_private.tg_attachments__queue_file()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat_private.file_queue (bucket_id, path, due_at)
  values (
    'chat-attachments', old.path,
    case
      when exists (
        select from chat_private.held_bodies as b
        where b.room_id = old.room_id and b.seq = old.seq
      )
        then 'infinity'
      else clock_timestamp()
    end
  )
  on conflict on constraint file_queue_pkey do nothing;
  return null;
end;
$$;

create trigger _900_queue_file after delete on chat.attachments
  for each row execute function chat_private.tg_attachments__queue_file();

-- The folders of a name are matched before they are cast: another name gives no rights, and no error.
create function chat_private.folder_of(path text)
returns uuid
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_parts text[] := string_to_array(left(folder_of.path, 301), '/');
begin
  if octet_length(folder_of.path) <= 300
    and v_parts[1] ~ chat_private.uuid_pattern()
    and v_parts[2] ~ chat_private.uuid_pattern()
    and v_parts[3] <> ''
    and cardinality(v_parts) = 3
    -- One name for one file: ids are written as Postgres prints them.
    and v_parts[1] || v_parts[2] = lower(v_parts[1] || v_parts[2])
  then
    return v_parts[1]::uuid;
  end if;
  return null;
end;
$$;

comment on function chat_private.folder_of(text) is
  $$Return the room, or for an avatar the person, that a file belongs to.

Args:
  path: the name of an object.

Returns:
  The id that the name begins with; null unless it is an id, a uuid and the name of a file.$$;

create function chat_private.is_own_avatar(user_id uuid, path text)
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return coalesce(chat_private.folder_of(is_own_avatar.path) = is_own_avatar.user_id, false);
end;
$$;

comment on function chat_private.is_own_avatar(uuid, text) is
  'Tell whether an avatar path names a file in the folder of that person in chat-avatars.';

-- An avatar that was replaced goes at once; one that is used again stays.
create function chat_private.tg_profiles__queue_avatar()
returns trigger
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  if chat_private.is_own_avatar(old.user_id, old.avatar_path) then
    insert into chat_private.file_queue (bucket_id, path)
    values ('chat-avatars', old.avatar_path)
    on conflict on constraint file_queue_pkey do nothing;
  end if;
  delete from chat_private.file_queue as q
  where q.bucket_id = 'chat-avatars' and q.path = new.avatar_path;
  return null;
end;
$$;

create trigger _900_queue_avatar after update of avatar_path on chat.profiles
  for each row when (old.avatar_path is distinct from new.avatar_path)
  execute function chat_private.tg_profiles__queue_avatar();

-- image/* does not stand for image/svg+xml, because a browser runs the scripts inside of XML.
create function chat_private.is_type_in(mime_type text, types text[])
returns boolean
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return is_type_in.mime_type = any (is_type_in.types)
    or '*/*' = any (is_type_in.types)
    or split_part(is_type_in.mime_type, '/', 1) || '/*' = any (is_type_in.types)
    and is_type_in.mime_type not like '%+xml';
end;
$$;

comment on function chat_private.is_type_in(text, text[]) is
  'Tell whether a media type is among others, of which image/* stands for all that are no XML.';

create function chat_private.refusal_by_limits(metadata jsonb, most bigint, types text[])
returns chat_private.refusal
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_size text := coalesce(
    refusal_by_limits.metadata ->> 'size', refusal_by_limits.metadata ->> 'contentLength'
  );
  v_type text := lower(btrim(split_part(refusal_by_limits.metadata ->> 'mimetype', ';', 1)));
begin
  if v_size !~ '^[0-9]{1,18}$' or v_size::bigint > refusal_by_limits.most then
    return row(
      'PT413', 'payload_too_large',
      format('A file has at most %s bytes here.', refusal_by_limits.most),
      'Make it smaller, or send a link to it.', null
    )::chat_private.refusal;
  end if;
  if not chat_private.is_type_in(v_type, refusal_by_limits.types) then
    return row(
      'PT400', 'invalid_input',
      format('Files of the type %s are not taken here.', left(v_type, 100)),
      'Send it as a type that the operator allows.', null
    )::chat_private.refusal;
  end if;
  return null;
end;
$$;

comment on function chat_private.refusal_by_limits(jsonb, bigint, text[]) is
  $$Say why a file is not taken; null when it is.

Args:
  metadata: what Storage knows of the file; before the upload that may be neither size nor type.
  most: how many bytes it may have.
  types: the media types that are taken.$$;

create function chat_private.refusal_by_tenant(tenant_id uuid, metadata jsonb)
returns chat_private.refusal
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return (
    select chat_private.refusal_by_limits(
      refusal_by_tenant.metadata,
      coalesce(t.file_bytes, s.file_bytes),
      coalesce(t.file_types, s.file_types)
    )
    from chat_private.settings as s
    left join chat.tenants as t on t.tenant_id = refusal_by_tenant.tenant_id
  );
end;
$$;

comment on function chat_private.refusal_by_tenant(uuid, jsonb) is
  'Say why a file is not taken in the rooms of a tenant; null when it is.';

-- What an attachment says of its file. Clients draw before they load, so a width is a number, and a
-- blur hash is one.
create function chat_private.refusal_by_file(file jsonb)
returns chat_private.refusal
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  c_base83 constant text :=
    '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~';
  v_path text := refusal_by_file.file ->> 'path';
  v_name text := refusal_by_file.file ->> 'name';
  v_hash text := refusal_by_file.file ->> 'blurhash';
  v_parts integer := strpos(c_base83, left(v_hash, 1)) - 1;
  v_key text;
  v_wrong text;
begin
  foreach v_key in array '{path,name,mime_type,blurhash}'::text[] loop
    if jsonb_typeof(refusal_by_file.file -> v_key) <> 'string' then
      v_wrong := format('%s is text', v_key);
    end if;
  end loop;
  foreach v_key in array '{size,width,height,duration}'::text[] loop
    if jsonb_typeof(refusal_by_file.file -> v_key) <> 'number' then
      v_wrong := format('%s is a number', v_key);
    end if;
  end loop;
  v_wrong := coalesce(v_wrong, case
    when chat_private.folder_of(v_path) is null
      then 'path is the id of the room, a uuid and the name of the file, with slashes between'
    when char_length(v_name) > 255 or chat_private.has_hidden_characters(v_name)
      then 'name is a line of up to 255 characters'
    when char_length(refusal_by_file.file ->> 'mime_type') > 100
      then 'mime_type has up to 100 characters'
    when (refusal_by_file.file ->> 'size')::numeric not between 0 and 1e15 then 'size is in bytes'
    when (refusal_by_file.file ->> 'width')::numeric not between 1 and 100000
      or (refusal_by_file.file ->> 'height')::numeric not between 1 and 100000
      or (refusal_by_file.file ->> 'width')::numeric % 1 <> 0
      or (refusal_by_file.file ->> 'height')::numeric % 1 <> 0
      then 'width and height are 1 to 100,000 pixels'
    when (refusal_by_file.file ->> 'duration')::numeric not between 0 and 604800
      then 'duration is 0 to 604,800 seconds'
    -- The first character tells how many parts it has, each of two characters after the first four.
    when char_length(v_hash) > 166
      or translate(v_hash, c_base83, '') <> ''
      or v_parts not between 0 and 80
      or char_length(v_hash) <> 4 + 2 * (v_parts % 9 + 1) * (v_parts / 9 + 1)
      then 'blurhash is a BlurHash'
  end);
  if v_wrong is null then
    return null;
  end if;
  return row(
    'PT400', 'invalid_input', format('What an attachment says of its file is wrong: %s.', v_wrong),
    'Leave out what is not known.', null
  )::chat_private.refusal;
end;
$$;

comment on function chat_private.refusal_by_file(jsonb) is
  $$Say what is wrong with an attachment that names a path; null when nothing is.

Args:
  file: an object that refusal_by_json() lets through.

Limits:
  file: an attachment with a path has a name of 255 characters, a width and height of 1 to 100,000 whole
    pixels, a duration of up to 604,800 seconds, and a BlurHash of up to 9 by 9 parts. Its path has 300
    bytes.$$;

create function chat_private.refusal_by_files(attachments jsonb)
returns chat_private.refusal
language plpgsql
immutable
set search_path = '', pg_temp
as $$
declare
  v_file jsonb;
  v_refusal chat_private.refusal;
  v_paths text[] := '{}';
begin
  for v_file in
    select f.file
    from jsonb_array_elements(refusal_by_files.attachments) as f (file)
    where f.file ? 'path'
  loop
    v_refusal := chat_private.refusal_by_file(v_file);
    exit when v_refusal.slug is not null;
    if v_file ->> 'path' = any (v_paths) then
      return row(
        'PT400', 'invalid_input', 'A message names a file once.',
        'Name each path in one attachment.', null
      )::chat_private.refusal;
    end if;
    v_paths := v_paths || (v_file ->> 'path');
  end loop;
  return v_refusal;
end;
$$;

comment on function chat_private.refusal_by_files(jsonb) is
  'Say what is wrong with the attachments of a message that name a path, looked at alone; null when nothing is.';

-- Whoever sends holds the room, and so does the maintenance that gives up files nobody has sent: a file
-- is either sent or given up, and sent once. Everything that is not there to be sent looks the same.
create function chat_private.refusal_by_missing_file(
  room chat.rooms,
  user_id uuid,
  attachments jsonb,
  taken text[]
)
returns chat_private.refusal
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_file record;
  v_refusal chat_private.refusal;
begin
  for v_file in
    select
      f.file, f.file ->> 'path' as path, o.id, o.metadata,
      o.id is not null
      and chat_private.folder_of(o.name) = (refusal_by_missing_file.room).id
      -- The secret key leaves no owner.
      and coalesce(
        o.owner_id = refusal_by_missing_file.user_id::text, chat_private.is_server()
      )
      and o.name <> all (refusal_by_missing_file.taken)
      and not exists (select from chat.attachments as a where a.path = o.name)
      and not exists (
        select from chat_private.file_queue as q
        where q.bucket_id = o.bucket_id and q.path = o.name
      ) as may_be_sent
    from jsonb_array_elements(refusal_by_missing_file.attachments) as f (file)
    left join storage.objects as o
      on o.bucket_id = 'chat-attachments' and o.name = f.file ->> 'path'
    where f.file ? 'path'
  loop
    if v_file.may_be_sent is not true then
      return row(
        'PT404', 'file_not_found',
        format('There is no file %s that you can send to this room.', v_file.path),
        'Upload it to the folder of the room, and send it once.', null
      )::chat_private.refusal;
    end if;
    v_refusal := chat_private.refusal_by_tenant(
      (refusal_by_missing_file.room).tenant_id, v_file.metadata
    );
    exit when v_refusal.slug is not null;
    if v_file.file ->> 'size' <> v_file.metadata ->> 'size'
      or v_file.file ->> 'mime_type' <> v_file.metadata ->> 'mimetype'
    then
      return row(
        'PT400', 'invalid_input', 'An attachment says another size or type than its file has.',
        'Say what was uploaded, or leave it out.', null
      )::chat_private.refusal;
    end if;
  end loop;
  return v_refusal;
end;
$$;

comment on function
  chat_private.refusal_by_missing_file(chat.rooms, uuid, jsonb, text[]) is
  $$Say why files cannot be sent with a message; null when they can.

Args:
  room: the locked room.
  user_id: the sender, who has uploaded them.
  attachments: as the message has them.
  taken: paths that other messages of the same call hold.$$;

create function chat_private.paths_in(attachments jsonb)
returns text[]
language plpgsql
immutable
set search_path = '', pg_temp
as $$
begin
  return array(
    select f.file ->> 'path'
    from jsonb_array_elements(paths_in.attachments) as f (file)
    where f.file ? 'path'
  );
end;
$$;

comment on function chat_private.paths_in(jsonb) is 'List the files that attachments name.';

create function chat_private.keep_files(room_id uuid, seq bigint, attachments jsonb)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  insert into chat.attachments (room_id, seq, path)
  select keep_files.room_id, keep_files.seq, p.path
  from unnest(chat_private.paths_in(keep_files.attachments)) as p (path);
end;
$$;

comment on function chat_private.keep_files(uuid, bigint, jsonb) is
  'Note the files of a message that was just written; the caller holds the room.';

-- Storage has no index on owners, and a hosted project rolls back whatever a policy writes: nothing can
-- be counted as it comes. So the files are counted whose names are next to that of the new one, 500 on
-- either side. That is all of a folder with up to 500 files, and in a larger one a sample: whoever leaves
-- many files there meets some of them wherever they put the next.
create function chat_private.has_many_unsent(bucket_id text, path text, user_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_folder text := left(has_many_unsent.path, 37);
begin
  return (select s.unsent_files_per_person from chat_private.settings as s) <= (
    select count(*)
    from (
      (
        select o.name, o.owner_id
        from storage.objects as o
        where o.bucket_id = has_many_unsent.bucket_id and o.name > has_many_unsent.path
        order by o.name
        limit 500
      )
      union all
      (
        select o.name, o.owner_id
        from storage.objects as o
        where o.bucket_id = has_many_unsent.bucket_id and o.name < has_many_unsent.path
        order by o.name desc
        limit 500
      )
    ) as near
    where near.owner_id = has_many_unsent.user_id::text
      and starts_with(near.name, v_folder)
      and not exists (select from chat.attachments as a where a.path = near.name)
      and not exists (
        select from chat.profiles as p
        where p.user_id = has_many_unsent.user_id and p.avatar_path = near.name
      )
      and not exists (
        select from chat_private.file_queue as q
        where q.bucket_id = has_many_unsent.bucket_id and q.path = near.name
      )
  );
end;
$$;

comment on function chat_private.has_many_unsent(text, text, uuid) is
  $$Tell whether somebody has uploaded too much to a folder without sending or showing it.

Args:
  bucket_id, path: of a file that is to be uploaded, with a folder of its own.
  user_id: the person who uploads it.

Limits:
  unsent files: in a folder with more than 500 files, those 1,000 are counted whose names are next to that
    of the new one.$$;

-- Storage asks before it takes the bytes, and some clients do not say the size by then; a send looks
-- again.
create function chat_private.may_add_file(bucket_id text, path text, metadata jsonb)
returns boolean
language plpgsql
stable
-- definer: reads memberships, rooms and settings to answer for one file
security definer
set search_path = '', pg_temp
as $$
declare
  v_user_id uuid := chat_private.acting_user_id();
  v_folder uuid := chat_private.folder_of(may_add_file.path);
begin
  return case may_add_file.bucket_id
    when 'chat-avatars' then exists (
      select
      from chat.profiles as p, chat_private.settings as s
      where p.user_id = v_user_id
        and p.user_id = v_folder
        and p.closed_at is null
        and (
          chat_private.refusal_by_limits(may_add_file.metadata, s.avatar_bytes, '{image/*}')
        ).slug is null
    )
    else exists (
      select
      from chat.room_members as m
      join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
      join chat.rooms as r on r.id = m.room_id
      where m.room_id = v_folder
        and m.user_id = v_user_id
        and m.left_at is null
        and (chat_private.refusal_by_right(r, m, 'member')).slug is null
        and (
          chat_private.refusal_by_tenant(r.tenant_id, may_add_file.metadata)
        ).slug is null
    )
  end
  and not exists (
    select from chat_private.file_queue as q
    where q.bucket_id = may_add_file.bucket_id and q.path = may_add_file.path
  )
  and not chat_private.has_many_unsent(may_add_file.bucket_id, may_add_file.path, v_user_id);
end;
$$;

comment on function chat_private.may_add_file(text, text, jsonb) is
  $$Tell whether the caller may upload a file.

Args:
  bucket_id: chat-attachments or chat-avatars.
  path: the name of the object.
  metadata: what Storage knows of it by now.

Returns:
  True for members who may post in the room that the path names, and in one's own folder for avatars,
  within the size and types that are allowed there, unless they have too many files there already that
  they have not sent.$$;

-- A file that was not sent yet is seen by its sender alone, while they are in the room.
create function chat_private.may_read_file(bucket_id text, path text, owner_id text)
returns boolean
language plpgsql
stable
-- definer: reads memberships and what messages hold to answer for one file
security definer
set search_path = '', pg_temp
as $$
declare
  v_user_id uuid := chat_private.acting_user_id();
  v_folder uuid := chat_private.folder_of(may_read_file.path);
  v_after bigint;
  v_seq bigint;
begin
  if v_user_id is null or v_folder is null or exists (
    select from chat_private.file_queue as q
    where q.bucket_id = may_read_file.bucket_id and q.path = may_read_file.path
  ) then
    return false;
  end if;
  if may_read_file.bucket_id = 'chat-avatars' then
    return exists (
      select from chat.profiles as p
      where p.user_id = v_folder
        and p.closed_at is null
        and (
          v_folder = v_user_id
          or p.avatar_path = may_read_file.path and chat_private.shares_tenant(v_folder)
        )
    );
  end if;
  v_after := chat_private.visible_after(v_folder);
  if v_after is null then
    return false;
  end if;
  select a.seq into v_seq from chat.attachments as a where a.path = may_read_file.path;
  if v_seq is null then
    return coalesce(may_read_file.owner_id = v_user_id::text, false);
  end if;
  return v_seq > v_after;
end;
$$;

comment on function chat_private.may_read_file(text, text, text) is
  $$Tell whether the caller may read a file.

Args:
  bucket_id: chat-attachments or chat-avatars.
  path: the name of the object.
  owner_id: the person who uploaded it.

Returns:
  True for members who may see the message that holds it, and for its sender before it is sent. For an
  avatar, true for its person, and for people who may read their profile while it shows this avatar.$$;

revoke execute on function
  chat_private.tg_attachments__queue_file(), chat_private.tg_profiles__queue_avatar(),
  chat_private.folder_of(text),
  chat_private.is_own_avatar(uuid, text),
  chat_private.is_type_in(text, text[]),
  chat_private.refusal_by_limits(jsonb, bigint, text[]),
  chat_private.refusal_by_tenant(uuid, jsonb),
  chat_private.refusal_by_file(jsonb),
  chat_private.refusal_by_files(jsonb),
  chat_private.refusal_by_missing_file(chat.rooms, uuid, jsonb, text[]),
  chat_private.paths_in(jsonb),
  chat_private.keep_files(uuid, bigint, jsonb),
  chat_private.has_many_unsent(text, text, uuid),
  chat_private.may_add_file(text, text, jsonb),
  chat_private.may_read_file(text, text, text)
  from public, anon, authenticated;
grant execute on function
  chat_private.may_add_file(text, text, jsonb), chat_private.may_read_file(text, text, text)
  to authenticated, service_role;

alter table chat.attachments enable row level security;

create policy "members read what their messages hold" on chat.attachments
  for select to authenticated
  using (seq > chat_private.visible_after(room_id));

grant select on chat.attachments to authenticated, service_role;

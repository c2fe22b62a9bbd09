-- list_device_keys: what the members of a room encrypt for each other with.

create type chat.device_key as (user_id uuid, device_id text, public_key text);

comment on type chat.device_key is
  'The public key of a device. Parley keeps it and never looks at it: docs/encryption.md.';

-- Of a device the others learn its key and nothing else, so this is no policy on the table.
create function chat_private.list_device_keys(room_id uuid, after jsonb, page_size integer)
returns setof chat.device_key
language plpgsql
stable
-- definer: people read only their own rows of chat.devices
security definer
set search_path = '', pg_temp
as $$
declare
  v_size integer := chat_private.clean_page_size(list_device_keys.page_size);
  v_me chat.room_members := chat_private.require_member(list_device_keys.room_id);
  v_user_id uuid := '00000000-0000-0000-0000-000000000000';
  v_device_id text := '';
begin
  if list_device_keys.after is not null then
    if (
      pg_input_is_valid(list_device_keys.after ->> 'user_id', 'uuid')
      and jsonb_typeof(list_device_keys.after -> 'device_id') = 'string'
    ) is not true then
      raise exception using
        errcode = 'PT400',
        message = 'invalid_input',
        detail = 'after is {"user_id", "device_id"} of the last row of the page before.',
        hint = 'Leave it out for the first page.';
    end if;
    v_user_id := (list_device_keys.after ->> 'user_id')::uuid;
    v_device_id := list_device_keys.after ->> 'device_id';
  end if;
  return query
    select (page.key).*
    from (
      select
        near.key,
        sum(octet_length(to_json(near.key)::text)) over in_order as bytes,
        row_number() over in_order as place
      from (
        select row(d.user_id, d.device_id, d.public_key)::chat.device_key as key
        from chat.room_members as m
        join chat.devices as d on d.user_id = m.user_id
        join chat.profiles as p on p.user_id = m.user_id and p.closed_at is null
        where m.room_id = v_me.room_id
          and m.left_at is null
          and m.user_id >= v_user_id
          and (d.user_id, d.device_id) > (v_user_id, v_device_id)
          and d.public_key is not null
        order by d.user_id, d.device_id
        limit v_size
      ) as near
      window in_order as (order by (near.key).user_id, (near.key).device_id)
    ) as page
    where page.place = 1 or page.bytes <= (select s.pull_bytes from chat_private.settings as s)
    order by page.place;
end;
$$;

create function chat.list_device_keys(
  room_id uuid,
  after jsonb default null,
  page_size integer default 50
)
returns setof chat.device_key
language sql
stable
set search_path = '', pg_temp
begin atomic
  select k.user_id, k.device_id, k.public_key
  from chat_private.list_device_keys(room_id, after, page_size) as k;
end;

comment on function chat.list_device_keys(uuid, jsonb, integer) is
  $$List the public keys of the devices of everybody in a room.

Ask anew before each message that is encrypted: people come and go, and so do their devices.

Args:
  room_id: a room the caller is in.
  after: {"user_id", "device_id"} of the last row of the page before.
  page_size: 1 to 200 keys. A page may be shorter, because it is bounded by bytes as well: go on
    from its last row until a page is empty.

Returns:
  The keys of the caller's devices too, by user_id and device_id; devices without a key are left out.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: after is not as described, or the page size is out of range.
  room_not_found: the room does not exist, or the caller is not in it.$$;

revoke execute on function
  chat_private.list_device_keys(uuid, jsonb, integer), chat.list_device_keys(uuid, jsonb, integer)
  from public, anon, authenticated;
grant execute on function
  chat_private.list_device_keys(uuid, jsonb, integer), chat.list_device_keys(uuid, jsonb, integer)
  to authenticated, service_role;

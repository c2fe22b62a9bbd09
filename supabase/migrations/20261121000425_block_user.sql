-- block_user and unblock_user: two people who do not reach each other any more.

create table chat.blocks (
  user_id uuid not null references chat.profiles (user_id),
  blocked_id uuid not null references chat.profiles (user_id),
  blocked_at timestamptz not null default clock_timestamp(),
  removed_at timestamptz,
  rev bigint not null,
  constraint blocks_pkey primary key (user_id, blocked_id),
  constraint nobody_blocks_themselves check (user_id <> blocked_id)
);

comment on table chat.blocks is 'Whom somebody has blocked; nobody else sees it.';
comment on column chat.blocks.removed_at is 'When the block was lifted; null while it holds.';
comment on column chat.blocks.rev is 'The number in the stream of the person who blocked.';

create index blocks_by_rev on chat.blocks (user_id, rev);
create index blocks_by_blocked on chat.blocks (blocked_id, user_id);

create function chat_private.has_blocked(user_id uuid, blocked_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.blocks as b
    where b.user_id = has_blocked.user_id
      and b.blocked_id = has_blocked.blocked_id
      and b.removed_at is null
  );
end;
$$;

comment on function chat_private.has_blocked(uuid, uuid) is
  'Tell whether the first of two people has blocked the second.';

create function chat_private.is_blocked_between(one_id uuid, other_id uuid)
returns boolean
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return exists (
    select from chat.blocks as b
    where b.user_id = is_blocked_between.one_id
      and b.blocked_id = is_blocked_between.other_id
      and b.removed_at is null
  ) or exists (
    select from chat.blocks as b
    where b.user_id = is_blocked_between.other_id
      and b.blocked_id = is_blocked_between.one_id
      and b.removed_at is null
  );
end;
$$;

comment on function chat_private.is_blocked_between(uuid, uuid) is
  'Tell whether one of two people has blocked the other.';

create function chat_private.blocked_with(user_id uuid)
returns uuid[]
language plpgsql
stable
set search_path = '', pg_temp
as $$
begin
  return array(
    select b.blocked_id
    from chat.blocks as b
    where b.user_id = blocked_with.user_id and b.removed_at is null
    union
    select b.user_id
    from chat.blocks as b
    where b.blocked_id = blocked_with.user_id and b.removed_at is null
  );
end;
$$;

comment on function chat_private.blocked_with(uuid) is
  'List the people whom somebody has blocked, and those who have blocked them.';

-- A send looks at nothing but its room and the sender's membership, so what a block means for a direct
-- room is kept in the room. Blocking takes a number of the room: a send that has looked before finds
-- another number, looks again, and is refused.
create function chat_private.lock_directs(one_id uuid, other_id uuid)
returns chat.rooms[]
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  -- Opening a direct room holds both places, so no room of theirs is opened until we commit.
  perform
  from chat.tenant_members as t
  where t.user_id in (lock_directs.one_id, lock_directs.other_id)
  order by t.tenant_id, t.user_id
  for no key update;
  return array(
    select r
    from chat.rooms as r
    where r.tenant_id in (
        select t.tenant_id from chat.tenant_members as t where t.user_id = lock_directs.one_id
      )
      and r.low_user = least(lock_directs.one_id, lock_directs.other_id)
      and r.high_user = greatest(lock_directs.one_id, lock_directs.other_id)
    order by r.id
    for no key update of r
  );
end;
$$;

comment on function chat_private.lock_directs(uuid, uuid) is
  'Lock the direct rooms that two people have, one in each tenant at most, and return them by id.';

create function chat_private.set_closed(room_ids uuid[], is_closed boolean)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  -- The epoch rises, so that two people who have the room on the screen do not see each other there.
  update chat.rooms as r
  set
    is_closed = set_closed.is_closed,
    epoch = r.epoch + set_closed.is_closed::integer,
    rev = r.rev + 1,
    changed_rev = r.rev + 1,
    touched = '{rooms}'
  where r.id = any (set_closed.room_ids) and r.is_closed <> set_closed.is_closed;
end;
$$;

comment on function chat_private.set_closed(uuid[], boolean) is
  'Close or open locked direct rooms, each with a number of its own; leave alone those that are so.';

create function chat_private.close_directs_of(user_id uuid)
returns void
language plpgsql
volatile
set search_path = '', pg_temp
as $$
begin
  perform chat_private.set_closed(
    array(
      select r.id
      from chat.rooms as r
      where r.kind = 'direct'
        and r.id in (
          select m.room_id
          from chat.room_members as m
          where m.user_id = close_directs_of.user_id and m.left_at is null
        )
      order by r.id
      for no key update of r
    ),
    true
  );
end;
$$;

comment on function chat_private.close_directs_of(uuid) is
  'Close the direct rooms of an account that ends.';

create function chat_private.set_blocked(user_id uuid, is_blocked boolean)
returns chat.blocks
language plpgsql
volatile
set search_path = '', pg_temp
as $$
declare
  v_me uuid := chat_private.current_user_id();
  v_them uuid := set_blocked.user_id;
  v_rooms chat.rooms[];
  v_block chat.blocks;
begin
  if v_them is null or v_them = v_me then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'People block others, and not themselves.',
      hint = 'Pass the user id of the other person.';
  end if;
  select b.* into v_block
  from chat.blocks as b
  where b.user_id = v_me and b.blocked_id = v_them;
  if v_block.user_id is null
    and not (set_blocked.is_blocked and chat_private.shares_tenant(v_them))
  then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('Nobody whom you can block, or have blocked, has the id %s.', v_them),
      hint = 'Check the id.';
  end if;
  if (v_block.removed_at is null) = set_blocked.is_blocked and v_block.user_id is not null then
    return v_block;
  end if;

  v_rooms := chat_private.lock_directs(v_me, v_them);
  perform chat_private.lock_users(array[v_me]);
  -- Another device may have done the same meanwhile.
  select b.* into v_block
  from chat.blocks as b
  where b.user_id = v_me and b.blocked_id = v_them;
  if (v_block.removed_at is null) = set_blocked.is_blocked and v_block.user_id is not null then
    return v_block;
  end if;
  perform chat_private.spend(v_me, 1 + 2 * cardinality(v_rooms));

  insert into chat.blocks as b (user_id, blocked_id, rev)
  select s.user_id, v_them, s.rev + 1
  from chat_private.user_streams as s
  where s.user_id = v_me
  on conflict on constraint blocks_pkey do update
  set
    blocked_at = case
      when set_blocked.is_blocked then excluded.blocked_at else b.blocked_at
    end,
    removed_at = case when not set_blocked.is_blocked then clock_timestamp() end,
    rev = excluded.rev
  returning b.* into v_block;
  -- An unblocked room stays closed while the other person has blocked too, or while one of them is gone.
  if set_blocked.is_blocked or not chat_private.has_blocked(v_them, v_me) then
    perform chat_private.set_closed(
      array(
        select r.id
        from unnest(v_rooms) as r
        where set_blocked.is_blocked
          or r.member_count = 2 and exists (
            select from chat.profiles as p where p.user_id = v_them and p.closed_at is null
          )
      ),
      set_blocked.is_blocked
    );
  end if;
  perform chat_private.bump_users(array[v_me], '{blocks}');
  return v_block;
end;
$$;

comment on function chat_private.set_blocked(uuid, boolean) is
  $$Block somebody, or lift the block.

Args:
  user_id: the other person.
  is_blocked: true blocks.

Returns:
  The caller's row about them; unchanged if it was so already.$$;

create function chat_private.block_user(user_id uuid)
returns chat.blocks
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
begin
  return chat_private.set_blocked(block_user.user_id, true);
end;
$$;

create function chat_private.unblock_user(user_id uuid)
returns chat.blocks
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
begin
  return chat_private.set_blocked(unblock_user.user_id, false);
end;
$$;

create function chat.block_user(user_id uuid)
returns chat.blocks
language sql
volatile
set search_path = '', pg_temp
return chat_private.block_user(user_id);

create function chat.unblock_user(user_id uuid)
returns chat.blocks
language sql
volatile
set search_path = '', pg_temp
return chat_private.unblock_user(user_id);

comment on function chat.block_user(uuid) is
  $$Block somebody, so that neither of the two reaches the other.

Between them open_direct, create_room, add_member and search_profiles answer as for nobody, a direct
room that they have takes no messages, reactions, edits or pins, and both look offline to each other.
The caller gets no notification and no push of what the blocked person sends. Otherwise groups go on
as before: clients fold what a blocked person says there.

Price: 1, and 2 for each direct room that they have.

Args:
  user_id: somebody who shares a tenant with the caller.

Returns:
  The block; unchanged if there was one already.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the caller names themselves, or nobody.
  user_not_found: nobody with that id shares a tenant with the caller.
  slow_down: too much at once; Retry-After tells the seconds.$$;

comment on function chat.unblock_user(uuid) is
  $$Lift a block of one's own.

A direct room that they have takes messages again, unless the other person has blocked the caller.

Price: 1, and 2 for each direct room that they have.

Args:
  user_id: somebody whom the caller has blocked.

Returns:
  The block, with removed_at; unchanged if it was lifted already.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: the caller names themselves, or nobody.
  user_not_found: the caller never blocked anybody with that id.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.has_blocked(uuid, uuid),
  chat_private.is_blocked_between(uuid, uuid),
  chat_private.blocked_with(uuid),
  chat_private.lock_directs(uuid, uuid),
  chat_private.set_closed(uuid[], boolean),
  chat_private.close_directs_of(uuid),
  chat_private.set_blocked(uuid, boolean),
  chat_private.block_user(uuid), chat.block_user(uuid),
  chat_private.unblock_user(uuid), chat.unblock_user(uuid)
  from public, anon, authenticated;
grant execute on function
  chat_private.block_user(uuid), chat.block_user(uuid),
  chat_private.unblock_user(uuid), chat.unblock_user(uuid)
  to authenticated, service_role;

alter table chat.blocks enable row level security;

create policy "people read their own blocks" on chat.blocks
  for select to authenticated
  using (user_id = (select auth.uid()));

grant select on chat.blocks to authenticated, service_role;

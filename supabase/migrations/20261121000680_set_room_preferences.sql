-- set_room_preferences: how a person wants a room, for themselves alone.

create table chat.room_preferences (
  user_id uuid not null references chat.profiles (user_id),
  room_id uuid not null references chat.rooms (id),
  notify text not null default 'all',
  snoozed_until timestamptz,
  archived boolean not null default false,
  pinned boolean not null default false,
  rev bigint not null,
  marked_unread boolean not null default false,
  cleared_seq bigint not null default 0,
  constraint room_preferences_pkey primary key (user_id, room_id),
  constraint notify_is_known check (notify in ('all', 'mentions', 'none'))
);

comment on table chat.room_preferences is 'How each person wants each room; nobody else sees it.';
comment on column chat.room_preferences.notify is 'Which messages may ring: all, mentions or none.';
comment on column chat.room_preferences.snoozed_until is 'Nothing rings until then.';
comment on column chat.room_preferences.archived is 'Put away on the start screen.';
comment on column chat.room_preferences.pinned is 'Kept on top of the start screen.';
comment on column chat.room_preferences.rev is 'The number in this person''s own stream.';
comment on column chat.room_preferences.marked_unread is
  'Shown as unread until it is marked as read up to its newest message.';
comment on column chat.room_preferences.cleared_seq is
  'This person has cleared the history up to this seq, for themselves; 0 is never.';

create index room_preferences_by_rev on chat.room_preferences (user_id, rev);
create index room_preferences_by_room on chat.room_preferences (room_id, user_id);

create function chat_private.preferences_of(member chat.room_members)
returns chat.room_preferences
language plpgsql
stable
set search_path = '', pg_temp
as $$
declare
  v_preferences chat.room_preferences;
begin
  select p.* into v_preferences
  from chat.room_preferences as p
  where p.user_id = (preferences_of.member).user_id and p.room_id = (preferences_of.member).room_id;
  if not found then
    v_preferences := row(
      (preferences_of.member).user_id, (preferences_of.member).room_id, 'all', null, false, false, 0,
      false, 0
    );
  end if;
  return v_preferences;
end;
$$;

comment on function chat_private.preferences_of(chat.room_members) is
  'Return the preferences of a member; the defaults, with the number 0, while none were ever set.';

create function chat_private.set_room_preferences(
  room_id uuid,
  notify text,
  snoozed_until timestamptz,
  archived boolean,
  pinned boolean,
  marked_unread boolean
)
returns chat.room_preferences
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_me chat.room_members;
  v_rev bigint;
  v_old chat.room_preferences;
  v_new chat.room_preferences;
begin
  if set_room_preferences.notify not in ('all', 'mentions', 'none') then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'notify is all, mentions or none.',
      hint = 'Leave out what should stay as it is.';
  end if;
  v_me := chat_private.require_member(set_room_preferences.room_id);
  perform chat_private.lock_users(array[v_me.user_id]);
  select s.rev + 1 into v_rev from chat_private.user_streams as s where s.user_id = v_me.user_id;

  v_old := chat_private.preferences_of(v_me);
  v_new := v_old;
  v_new.notify := coalesce(set_room_preferences.notify, v_old.notify);
  -- A far day instead of infinity, which no client can parse as a date.
  v_new.snoozed_until := case
    when set_room_preferences.snoozed_until is null then v_old.snoozed_until
    when set_room_preferences.snoozed_until > clock_timestamp()
      then least(set_room_preferences.snoozed_until, '9999-12-31 00:00:00+00')
  end;
  v_new.archived := coalesce(set_room_preferences.archived, v_old.archived);
  v_new.pinned := coalesce(set_room_preferences.pinned, v_old.pinned);
  v_new.marked_unread := coalesce(set_room_preferences.marked_unread, v_old.marked_unread);
  if v_new is not distinct from v_old then
    return v_old;
  end if;

  perform chat_private.spend(v_me.user_id, 1);
  v_new.rev := v_rev;
  insert into chat.room_preferences
  select v_new.*
  on conflict on constraint room_preferences_pkey do update
  set
    notify = excluded.notify,
    snoozed_until = excluded.snoozed_until,
    archived = excluded.archived,
    pinned = excluded.pinned,
    marked_unread = excluded.marked_unread,
    rev = excluded.rev;
  perform chat_private.bump_users(array[v_me.user_id], '{preferences}');
  return v_new;
end;
$$;

create function chat.set_room_preferences(
  room_id uuid,
  notify text default null,
  snoozed_until timestamptz default null,
  archived boolean default null,
  pinned boolean default null,
  marked_unread boolean default null
)
returns chat.room_preferences
language sql
volatile
set search_path = '', pg_temp
return chat_private.set_room_preferences(
  room_id, notify, snoozed_until, archived, pinned, marked_unread
);

comment on function
  chat.set_room_preferences(uuid, text, timestamptz, boolean, boolean, boolean) is
  $$Set how the caller wants a room.

What is left out or null stays as it is.

Price: 1.

Args:
  room_id: a room the caller is in.
  notify: all, mentions or none.
  snoozed_until: nothing rings until then; a moment that has passed, or "-infinity", ends it.
  archived: true puts the room away on the start screen.
  pinned: true keeps it on top.
  marked_unread: true shows it as unread, whatever was read; mark_read up to its newest message ends
    that, and no mark moves back.

Returns:
  The preferences; the defaults, with the number 0, while nothing else was ever set.

Raises:
  sign_in_required: nobody is signed in.
  invalid_input: notify is none of the three.
  room_not_found: the room does not exist, or the caller is not in it.
  slow_down: too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.preferences_of(chat.room_members),
  chat_private.set_room_preferences(uuid, text, timestamptz, boolean, boolean, boolean),
  chat.set_room_preferences(uuid, text, timestamptz, boolean, boolean, boolean)
  from public, anon, authenticated;
grant execute on function
  chat_private.set_room_preferences(uuid, text, timestamptz, boolean, boolean, boolean),
  chat.set_room_preferences(uuid, text, timestamptz, boolean, boolean, boolean)
  to authenticated, service_role;

alter table chat.room_preferences enable row level security;

create policy "people read their own preferences" on chat.room_preferences
  for select to authenticated
  using (user_id = (select auth.uid()));

grant select on chat.room_preferences to authenticated, service_role;

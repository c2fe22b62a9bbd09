-- Written as CONTRIBUTING says. {the chapter x} and {function x} stand for texts of the next chapters.

-- What goes, the twins first.
drop function chat.mark_notifications_read(bigint);
drop function chat.list_thread(uuid, bigint, bigint, integer);
drop function chat_private.mark_notifications_read(bigint);
drop function chat_private.list_thread(uuid, bigint, bigint, integer);

-- Tables and types.
alter table chat.pins
  add column note text,
  add constraint note_is_short check (char_length(note) <= 200);
alter table chat_private.settings
  drop constraint fanout_limit_is_small,
  add constraint fanout_limit_is_small check (fanout_limit between 0 and 200);
alter type chat.new_invite add attribute expires_at timestamptz;
drop trigger _100_keep_name on chat.profiles;
{trigger _100_keep_name}
alter policy "people read their own devices" on chat.devices
  using (user_id = (select auth.uid()) and is_active);

{the chapter stickers}

-- Private functions, then twins.
{function chat_private.version}
{function chat_private.create_invite}
{function chat_private.create_tenant_invite}
{function chat_private.mark_notifications_read}
{function chat.mark_notifications_read}

-- Comments.
comment on column chat.pins.note is 'Why it was pinned.';
comment on table chat.pins is 'Messages that a room keeps at hand, with the reason.';
{comment on function chat.mark_notifications_read}

-- Grants.
revoke select on chat.message_edits from service_role;
revoke execute on function
  chat_private.mark_notifications_read(bigint), chat.mark_notifications_read(bigint)
  from public, anon, authenticated;
grant execute on function
  chat_private.mark_notifications_read(bigint), chat.mark_notifications_read(bigint)
  to authenticated, service_role;

select chat_private.attach();

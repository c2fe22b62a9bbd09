-- notify: what a server tells one person, in a kind of the app's own.

create function chat_private.notify(user_id uuid, kind text, data jsonb)
returns chat.notifications
language plpgsql
volatile
-- definer: API roles may not write these tables
security definer
set search_path = '', pg_temp
as $$
declare
  v_actor uuid := case
    when chat_private.named_user() is not null then chat_private.current_user_id()
  end;
  v_notification chat.notifications;
begin
  -- Clients translate the word, and take those of Parley for what Parley tells.
  if (
    octet_length(notify.kind) <= 100
    and notify.kind ~ '^[a-z][a-z0-9_]*$' collate "C"
    and notify.kind !~ '^(mention|reply|invite|report)(_|$)'
  ) is not true
  then
    raise exception using
      errcode = 'PT400',
      message = 'invalid_input',
      detail = 'A kind is one word of yours: a to z, 0 to 9 and _, up to 100 characters.',
      hint = 'Pass a word such as order_shipped. mention, reply, invite, report, and words that go on '
        'from these with _, are Parley''s.';
  end if;
  perform chat_private.refuse(chat_private.refusal_by_metadata(notify.data, 'Data'));
  perform chat_private.lock_users(array[notify.user_id, v_actor]);
  if not exists (
    select from chat.profiles as p where p.user_id = notify.user_id and p.closed_at is null
  ) then
    raise exception using
      errcode = 'PT404',
      message = 'user_not_found',
      detail = format('There is no open account %s.', notify.user_id),
      hint = 'Check the id in the table profiles.';
  end if;
  if v_actor is not null then
    perform chat_private.spend(v_actor, 1);
  end if;

  perform chat_private.add_notifications(
    array[notify.user_id], notify.kind, null, null, v_actor, data => coalesce(notify.data, '{}')
  );
  perform chat_private.bump_users(array[notify.user_id], '{notifications}');
  select n.* into v_notification
  from chat.notifications as n
  where n.user_id = notify.user_id
  order by n.seq desc
  limit 1;
  return v_notification;
end;
$$;

create function chat.notify(user_id uuid, kind text, data jsonb default null)
returns chat.notifications
language sql
volatile
set search_path = '', pg_temp
return chat_private.notify(user_id, kind, data);

comment on function chat.notify(uuid, text, jsonb) is
  $$Notify a person of something in the app, in a kind of its own.

For the service role. The notification reaches the person's devices in their own stream, stands until
the account ends, and makes no push. Repeated, it notifies again. Without the header x-parley-user the
project itself notifies, and actor_id is null; with it, actor_id is the person a server acts as, who
pays for it.

Args:
  user_id: a person or a bot.
  kind: a word of the app's own, for example order_shipped: a to z, 0 to 9 and _, up to 100
    characters. mention, reply, invite, report, and words that go on from these with _, are Parley's.
  data: an object of the app's own, up to 4 KB; null is none.

Returns:
  The notification.

Raises:
  invalid_input: the kind is no word, or one of Parley's, or the data are no object that fits.
  payload_too_large: the data take more than 4 KB.
  user_not_found: there is no such open account, or the header names nobody.
  slow_down: the person a server acts as wrote too much at once; Retry-After tells the seconds.$$;

revoke execute on function
  chat_private.notify(uuid, text, jsonb), chat.notify(uuid, text, jsonb)
  from public, anon, authenticated;
grant execute on function
  chat_private.notify(uuid, text, jsonb), chat.notify(uuid, text, jsonb)
  to service_role;

-- Ann, Bob and Cat know each other; Dan has an account and nothing else. Password: parley-demo.
-- Running it again changes nothing.

insert into auth.users (
  id, aud, role, email, encrypted_password, email_confirmed_at,
  raw_app_meta_data, raw_user_meta_data, created_at, updated_at,
  confirmation_token, recovery_token, email_change, email_change_token_new
)
select
  person.id, 'authenticated', 'authenticated',
  lower(person.name) || '@parley.example',
  extensions.crypt('parley-demo', extensions.gen_salt('bf', 6)), now(),
  '{"provider": "email", "providers": ["email"]}',
  jsonb_build_object('display_name', person.name), now(), now(), '', '', '', ''
from (
  values
  ('a11ce000-0000-4000-8000-000000000001'::uuid, 'Ann'),
  ('b0b00000-0000-4000-8000-000000000002'::uuid, 'Bob'),
  ('ca700000-0000-4000-8000-000000000003'::uuid, 'Cat'),
  ('da900000-0000-4000-8000-000000000004'::uuid, 'Dan')
) as person (id, name)
on conflict do nothing;

-- Hosted Auth finds people by instance; the local stand-in has no such column.
do $$
begin
  if exists (
    select from pg_attribute
    where attrelid = 'auth.users'::regclass and attname = 'instance_id'
  ) then
    execute 'update auth.users set instance_id = ''00000000-0000-0000-0000-000000000000''
      where instance_id is null and email like ''%@parley.example''';
  end if;
end;
$$;

insert into auth.identities (id, user_id, provider, provider_id, identity_data)
select
  gen_random_uuid(), u.id, 'email', u.id::text,
  jsonb_build_object('sub', u.id, 'email', u.email, 'email_verified', true)
from auth.users as u
where u.email in (
  'ann@parley.example', 'bob@parley.example', 'cat@parley.example', 'dan@parley.example'
)
on conflict do nothing;

do $$
declare
  v_ann uuid := 'a11ce000-0000-4000-8000-000000000001';
  v_bob uuid := 'b0b00000-0000-4000-8000-000000000002';
  v_cat uuid := 'ca700000-0000-4000-8000-000000000003';
  v_room uuid;
  v_line record;
begin
  if exists (select from chat.room_members as m where m.user_id = v_ann) then
    return;
  end if;

  perform set_config('request.jwt.claims', jsonb_build_object('sub', v_ann)::text, true);
  v_room := (chat.create_room('Lisbon in May', member_ids => array[v_bob, v_cat])).id;
  for v_line in
    select *
    from (
      values
      (1, v_ann, 'I found three days at the beginning of May. Who is in?', null),
      (2, v_bob, 'Me! Can we take the night train back?', 1),
      (3, v_cat, 'In. I will look for a flat in Alfama, somewhere with stairs we can complain about.', 1),
      (4, v_ann, 'Perfect. Bob, the night train does not run on Tuesdays, so Wednesday it is.', 2),
      (5, v_bob, 'Wednesday works. Booking now 🚆', 4)
    ) as said (place, sender, body, reply_to)
    order by said.place
  loop
    perform set_config('request.jwt.claims', jsonb_build_object('sub', v_line.sender)::text, true);
    perform chat.send_message(v_room, v_line.body, gen_random_uuid(), v_line.reply_to);
  end loop;

  perform set_config('request.jwt.claims', jsonb_build_object('sub', v_ann)::text, true);
  v_room := (chat.open_direct(v_bob, label => 'tourist', their_label => 'guide')).id;
  perform chat.send_message(v_room, 'Is the tram up to the castle worth the queue?', gen_random_uuid());
  perform set_config('request.jwt.claims', jsonb_build_object('sub', v_bob)::text, true);
  perform chat.send_message(v_room, 'Walk up, ride down. Nobody queues at the top.', gen_random_uuid());

  perform set_config('request.jwt.claims', jsonb_build_object('sub', v_cat)::text, true);
  v_room := (
    chat.create_room('Announcements', is_public => true, default_role => 'reader')
  ).id;
  perform chat.send_message(v_room, 'Only I write here. Everybody may read along.', gen_random_uuid());
  perform set_config('request.jwt.claims', '', true);
end;
$$;

-- register_device and unregister_device: the phones and browsers that push can reach.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

create function tests.subscription(endpoint text)
returns text
language sql
immutable
return json_build_object(
  'endpoint', endpoint, 'keys', json_build_object('p256dh', repeat('B', 87), 'auth', repeat('a', 22))
);

-- What it costs
savepoint prices; -- noqa: PRS
select tests.costs('Ann', 1, $$ select chat.register_device('phone', 'ios', 'expo', 'ExponentPushToken[a]') $$, 'a device costs 1');
select tests.costs('Ann', 1, $$ select chat.unregister_device('phone') $$, 'to forget a device costs 1');
select tests.costs('Ann', 0, $$ select chat.unregister_device('phone') $$, 'to forget no device is free');
rollback to prices;

-- Ann
select tests.act_as('Ann');
select tests.watch('trip', 'hall', 'Ann', 'Cat');
select results_eq(
  $$
    select device_id, platform, push_provider, app_version, is_active
    from chat.register_device(' phone ', 'ios', 'expo', 'ExponentPushToken[ann]', '1.0')
  $$,
  $$ values ('phone', 'ios', 'expo', '1.0', true) $$, 'a device with a token is active'
);
select results_eq(
  $$ select platform, push_provider, app_version, is_active from chat.register_device('phone', 'ios') $$,
  $$ values ('ios', 'expo', '1.0', true) $$, 'what a second registration leaves out stays'
);
select results_eq(
  $$ select platform, push_provider, app_version, is_active from chat.register_device('tab', 'web') $$,
  $$ values ('web', null::text, null::text, false) $$, 'a device without a token is not active'
);
select set_eq($$ select device_id from chat.devices $$, $$ values ('phone'), ('tab') $$, 'people read their own devices');
select tests.changed_nothing('devices take no number in any stream');
select ok(
  tests.as_owner($$ select token from chat_private.push_tokens where device_id = 'phone' $$) = 'ExponentPushToken[ann]',
  'the token of a device is kept apart from it'
);
select results_eq(
  $$ select push_provider, is_active from chat.register_device('phone', 'ios', push_token => '') $$,
  $$ values (null::text, false) $$, 'an empty token takes the token away'
);
select is(tests.as_owner('select count(*) from chat_private.push_tokens'), '0', 'a token that was taken away is gone');
select lives_ok($$ select chat.register_device('phone', 'ios', 'expo', 'ExponentPushToken[ann]') $$, 'a token comes back');
select lives_ok($$ select chat.register_device('old phone', 'ios', 'expo', 'ExponentPushToken[old]') $$, 'people have several devices');
select lives_ok(
  $$ select chat.register_device('tab', 'web', 'web', tests.subscription('https://updates.push.services.mozilla.com/wpush/v2/x')) $$,
  'a browser is reached by its subscription'
);

-- Public keys
select is((chat.register_device('phone', 'ios', public_key => 'KEY')).public_key, 'KEY', 'a device has a public key');
select is((chat.register_device('phone', 'ios')).public_key, 'KEY', 'a key that a registration leaves out stays');
select is((chat.register_device('phone', 'ios', public_key => '')).public_key, null, 'an empty key takes the key away');

-- What is no device
select tests.refuses('Ann', slug, statement, title)
from (
  values
  ('invalid_input', $$ select chat.register_device(null, 'ios') $$, 'a device has an id'),
  ('invalid_input', $$ select chat.register_device(' ', 'ios') $$, 'the id of a device is not blank'),
  ('invalid_input', $$ select chat.register_device(repeat('x', 201), 'ios') $$, 'the id of a device is short'),
  ('invalid_input', $$ select chat.register_device('x', null) $$, 'a device has a platform'),
  ('invalid_input', $$ select chat.register_device('x', 'fridge') $$, 'the platform of a device is one that push knows'),
  ('invalid_input', $$ select chat.register_device('x', 'ios', null, 'token') $$, 'a push token comes with its provider'),
  ('invalid_input', $$ select chat.register_device('x', 'ios', 'pigeon', 'token') $$, 'the provider of a push token is known'),
  ('invalid_input', $$ select chat.register_device('x', 'ios', 'expo', E'a\nb') $$, 'a push token holds no line break'),
  ('payload_too_large', $$ select chat.register_device('x', 'ios', 'fcm', repeat('x', 4097)) $$, 'a push token has at most 4 KB'),
  ('invalid_input', $$ select chat.register_device('x', 'ios', app_version => repeat('x', 41)) $$, 'the version of an app is short'),
  ('payload_too_large', $$ select chat.register_device('x', 'ios', public_key => repeat('x', 4097)) $$, 'a public key has at most 4 KB'),
  ('invalid_input', $$ select chat.register_device('x', 'ios', public_key => E'a\nb') $$, 'a public key holds no line break'),
  ('invalid_input', $$ select chat.register_device('x', 'web', 'web', 'words') $$, 'a subscription is JSON'),
  ('invalid_input', $$ select chat.register_device('x', 'web', 'web', '{"endpoint": "https://fcm.googleapis.com/x"}') $$, 'a subscription has keys'),
  ('invalid_input', $$ select chat.register_device('x', 'web', 'web', tests.subscription('http://fcm.googleapis.com/x')) $$, 'an endpoint of Web Push is https'),
  ('invalid_input', $$ select chat.register_device('x', 'web', 'web', tests.subscription('https://evil.example/x')) $$, 'an endpoint of Web Push is on a host of push_hosts'),
  ('invalid_input', $$ select chat.register_device('x', 'web', 'web', tests.subscription('https://evilfcm.googleapis.com/x')) $$, 'a host of push_hosts is no ending of a name'),
  ('invalid_input', $$ select chat.register_device('x', 'web', 'web', tests.subscription('https://push.apple.com.evil.example/x')) $$, 'a host of push_hosts is no beginning of a name'),
  ('invalid_input', $$ select chat.register_device('x', 'web', 'web', tests.subscription('https://fcm.googleapis.com@evil.example/x')) $$, 'a name before an @ is no host'),
  ('invalid_input', $$ select chat.register_device('x', 'web', 'web', tests.subscription('https://fcm.googleapis.com:8080/x')) $$, 'an endpoint of Web Push has no port')
) as v (slug, statement, title);
select tests.lets('Ann', format('select chat.register_device(%L, %L, %L, %L)', 'x' || n, 'web', 'web', tests.subscription(endpoint)), title)
from (
  values
  (1, 'https://fcm.googleapis.com/fcm/send/x', 'Chrome is reached'),
  (2, 'https://web.push.apple.com/x', 'Safari is reached'),
  (3, 'https://wns2-par02p.notify.windows.com/w/?token=x', 'Edge is reached')
) as e (n, endpoint, title);
select tests.lets('Ann', $$ select chat.register_device('x4', 'android', 'fcm', repeat('x', 4096)) $$, 'a push token of 4 KB fits');

-- Bob signs in on Ann's phone
select tests.act_as('Bob');
select results_eq(
  $$ select user_id, is_active from chat.register_device('phone', 'ios', 'expo', 'ExponentPushToken[ann]') $$,
  $$ values (tests.id_of('Bob'), true) $$, 'a token moves to the account that registered it last'
);
select is_empty(
  $$ select from chat.devices where user_id <> tests.id_of('Bob') $$, 'nobody reads the devices of others'
);
select is(
  tests.as_owner($$ select string_agg(user_id::text, ',') from chat_private.push_tokens where token = 'ExponentPushToken[ann]' $$),
  tests.id_of('Bob')::text, 'the token of a phone belongs to one account'
);
select is(
  tests.as_owner($$ select concat_ws(',', is_active, push_provider) from chat.devices where user_id = tests.id_of('Ann') and device_id = 'phone' $$),
  'f', 'the device of the account before stays, and push does not reach it'
);

-- Ann reinstalls the app on her old phone
select tests.act_as('Ann');
select lives_ok($$ select chat.register_device('new id', 'ios', 'expo', 'ExponentPushToken[old]') $$, 'a token may come with another device id');
select results_eq(
  $$ select device_id, is_active from chat.devices where device_id in ('old phone', 'new id') order by 1 $$,
  $$ values ('new id', true), ('old phone', false) $$, 'a token moves to the device that registered it last'
);
select lives_ok(format($$ select chat.register_device('many %s', 'ios', 'expo', 'ExponentPushToken[many %s]') $$, n, n), 'device ' || n)
from generate_series(1, 20) as n;
select set_eq(
  $$ select device_id from chat.devices $$, $$ select 'many ' || n from generate_series(1, 20) as n $$,
  'a person has 20 devices, and the ones that were registered longest ago give way'
);
select is(
  tests.as_owner($$ select count(*) from chat_private.push_tokens where user_id = tests.id_of('Ann') $$), '20',
  'a device that gave way has no token any more'
);

-- Ann signs out
select is(chat.unregister_device('many 1'), true, 'a device is forgotten');
select is(chat.unregister_device('many 1'), false, 'a device that is not there is not forgotten');
select is(tests.as_owner($$ select count(*) from chat_private.push_tokens where device_id = 'many 1' $$), '0', 'with a device goes its token');
select is(chat.unregister_device('phone'), false, 'a device of somebody else is not there');
select is(
  tests.as_owner($$ select count(*) from chat.devices where device_id = 'phone' $$), '1', 'the device of somebody else stays'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  $$ select chat.register_device('phone', 'ios') $$, '42501', 'permission denied for function register_device',
  'signed-out people have no device'
);
select throws_ok(
  $$ select from chat.devices $$, '42501', null, 'signed-out people read no device'
);
select tests.act_without_sub();
select throws_ok(
  $$ select chat.register_device('phone', 'ios') $$, 'PT401', 'sign_in_required', 'a token that names nobody has no device'
);
select tests.stop_acting();

select * from finish();
rollback;

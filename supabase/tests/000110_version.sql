-- version: which Parley this is, and whom it serves.
begin;
set local search_path = public, extensions;
select no_plan();
select tests.make_company();

-- Cat
select tests.act_as('Cat');
select matches(chat.version() ->> 'version', '^\d+\.\d+\.\d+$', 'the version of the schema is told');
select matches(
  chat.version() ->> 'lowest_client', '^\d+\.\d+\.\d+$', 'the oldest client that is served is told'
);
select ok(
  chat.list_heads() @> chat.version(), 'the heads tell both as well, so that clients need not ask'
);

-- Signed out
select tests.act_as_nobody();
select throws_ok(
  'select chat.version()', '42501', 'permission denied for function version',
  'signed-out people are not told the version'
);

select * from finish();
rollback;

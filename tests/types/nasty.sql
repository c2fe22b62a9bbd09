-- A schema made of everything that a generator trips over.
create schema nasty;
create schema "Other Schema";
grant usage on schema nasty to authenticated;

create type nasty.mood as enum ('happy', 'it''s "complicated"', 'back\slash', 'class');
create type nasty."decimal" as (amount numeric, "currency code" text);
create type nasty.tree as (value integer, twig nasty."decimal");
create domain nasty.email as text not null check (value like '%@%');
create domain nasty.size as text check (value in ('S', 'M', 'L'));
create domain nasty.sizes as nasty.size[];

create table nasty."class" (
  "import" bigint generated always as identity primary key,
  "from" text not null,
  "camelCase" boolean not null default true,
  "with space" integer,
  "1st" integer,
  "ünïcode" text,
  "with ""quotes"" and \ slashes" text,
  _hidden integer,
  model_config text,
  json jsonb,
  copy text,
  "int" integer,
  "list" integer[],
  "date" date,
  dt timestamptz,
  "UUID" uuid,
  "self" integer,
  "None" text,
  mood nasty.mood not null default 'happy',
  moods nasty.mood[] not null default '{}',
  mail nasty.email,
  size nasty.size,
  price nasty."decimal",
  prices nasty."decimal"[],
  doubled bigint generated always as ("with space" * 2) stored,
  parent bigint references nasty."class"
);
comment on table nasty."class" is 'A "quoted" table with a back\slash and """three quotes"""';
comment on column nasty."class"."from" is 'Ends with a quote"';

create table nasty.scalars (
  id uuid primary key,
  small smallint not null,
  big bigint not null,
  exact numeric not null,
  single real not null,
  double double precision not null,
  flag boolean not null,
  line text not null,
  code character varying(10) not null,
  fixed character(3) not null,
  raw bytea not null,
  day date not null,
  clock time not null,
  stamp timestamp not null,
  zoned timestamptz not null,
  span interval not null,
  document jsonb not null,
  plain json not null,
  address inet not null,
  period tstzrange not null,
  numbers integer[] not null,
  ids uuid[] not null,
  grid numeric[] not null,
  status text not null check (status in ('open', 'closed', 'it''s')),
  kinds text[] not null check (kinds <@ array['a', 'b']),
  level character varying not null check (level = any (array['low', 'high'])),
  only_one text check (only_one = 'one'),
  maybe text check (maybe is null or maybe in ('x', 'y')),
  short text not null check (char_length(short) < 5),
  number_list integer check (number_list in (1, 2))
);

create table nasty.salaries (
  id uuid primary key default gen_random_uuid(),
  person text not null,
  amount numeric not null
);
create view nasty.payroll as select person, amount from nasty.salaries;

create table nasty.measures (at timestamptz not null, value integer) partition by range (at);
create table nasty.measures_2026 partition of nasty.measures
  for values from ('2026-01-01') to ('2027-01-01');

create view nasty.overview as select "import", "from" from nasty."class";
create materialized view nasty.frozen as select 1 as one;

-- What a role may read and write decides which rows and forms there are.
grant select, insert ("from", "camelCase", mood, mail, "with space"), update ("from", "with space")
  on nasty."class" to authenticated;
grant select on nasty.scalars, nasty.overview to authenticated;
grant select (id, person), insert (person, amount) on nasty.salaries to authenticated;
grant select (person) on nasty.payroll to authenticated;
grant select on nasty.salaries, nasty.payroll to service_role;

create function nasty."return"("class" integer, "Mixed Case" text default 'it''s', self boolean default true)
returns text language sql stable return "Mixed Case" || "class" || self;
create function nasty.list(items integer[] default '{}') returns setof integer
language sql stable begin atomic select unnest(items) as item; end;
create function nasty.defaults(
  at timestamptz default now(), days interval default '3 days', tags jsonb default '[1]',
  size numeric default 1.5, negative integer default -4, nothing text default null,
  mood nasty.mood default 'happy'
)
returns text language sql stable
return concat_ws('/', at is not null, days, tags, size, negative, nothing, mood);
create function nasty.outs(x integer, out doubled integer, out "as text" text)
language sql begin atomic select x * 2, x::text; end;
create function nasty.inout_one(inout x integer) language sql begin atomic select x + 1; end;
create function nasty.rows_of(size integer) returns table (id integer, "from" text)
language sql begin atomic select g, 'row ' || g from generate_series(1, size) as g; end;
create function nasty.nothing() returns void language sql begin atomic select; end;
create function nasty.maybe(give boolean) returns integer language sql return case when give then 1 end;
create function nasty.documented(give boolean) returns integer language sql return 1;
comment on function nasty.documented(boolean) is $$Give one.

Args:
  give: anything; a "quoted" word
    on two lines: with a colon.

Returns:
  Always 1.

Raises:
  invalid_input: never.
  of_its_own: a slug that Parley does not know.$$;
create function nasty.nested(tree nasty.tree) returns nasty.tree language sql return tree;
create function nasty.whole_row(id bigint) returns nasty."class"
language sql begin atomic select c from nasty."class" as c where c."import" = id; end;
create function nasty.all_scalars() returns setof nasty.scalars
language sql begin atomic select * from nasty.scalars; end;
create function nasty.raw(value bytea, span interval) returns bytea
language sql return value || convert_to(span::text, 'UTF8');
create function nasty._private_name() returns integer language sql return 1;

-- What cannot be offered.
create function nasty.overloaded(a integer) returns integer language sql return 1;
create function nasty.overloaded(a text) returns integer language sql return 1;
create function nasty.spread(variadic numbers integer[]) returns integer language sql return 1;
create function nasty.unnamed(integer) returns integer language sql return 1;
create function nasty.any_kind(value anyelement) returns anyelement language sql
as $$ select value $$;
create function nasty.any_rows() returns setof record language sql as $$ select 1, 2 $$;

-- And what is no function to call.
create procedure nasty.procedure() language sql begin atomic select; end;
create aggregate nasty.total(integer) (sfunc = int4pl, stype = integer);
create function nasty.tg_nothing() returns trigger language plpgsql as $$ begin return new; end; $$;

create table "Other Schema"."class" (id integer);

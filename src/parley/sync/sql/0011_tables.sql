-- Tables of the project's own, as the app names them.

create table tables (
  number integer primary key autoincrement,
  name text not null unique,
  definition text not null,
  timeline text,
  facts text,
  is_fetched integer not null default 0
);

-- Whose rows of a table are here, and how far they go, in the server's words. "is_first" is 1 while the
-- first fetch runs, and "about" the number of rows it will bring, if the server told.
create table table_owners (
  number integer not null,
  owner_id text not null,
  state text not null,
  is_first integer not null,
  about integer,
  primary key (number, owner_id)
) without rowid;

-- One table for all of them, so that a process in which a table has another definition, or none, finds
-- fewer rows and no error. What an app looks for by column has an index of its table alone, made by
-- table_indexes.py. No other index begins with the number, or SQLite would take that one. "at" is the
-- time that "newest" is about, in microseconds since 1970.
create table table_rows (
  number integer not null,
  tag text not null,
  owner_id text not null,
  at integer,
  row text not null,
  primary key (tag, number)
);
create index table_rows_by_owner on table_rows (owner_id, number);
create index table_rows_by_time on table_rows (at, number) where at is not null;

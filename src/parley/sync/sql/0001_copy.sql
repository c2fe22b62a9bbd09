-- The local copy: rows as the server sent them, and how far each stream has been applied.

create table account (
  only_row integer primary key check (only_row = 1),
  url text,
  user_id text,
  session text,
  timeline text,
  rev integer
);
insert into account (only_row) values (1);

-- One row per room this account is in; rev is null while nothing has been fetched yet.
create table streams (
  room_id text primary key,
  rev integer,
  first_seq integer not null default 1,
  last_seq integer not null default 0,
  active_at text not null default ''
) without rowid;
create index streams_by_activity on streams (active_at desc, room_id);

create table rooms (
  room_id text primary key,
  rev integer not null,
  row text not null
) without rowid;

create table members (
  room_id text not null,
  user_id text not null,
  rev integer not null,
  row text not null,
  primary key (room_id, user_id)
) without rowid;

-- sender_id, counts and body repeat what is in row: unread and search must not parse JSON.
create table messages (
  id integer primary key,
  room_id text not null,
  seq integer not null,
  rev integer not null,
  sender_id text not null,
  client_id text,
  counts integer not null,
  body text not null,
  row text not null,
  unique (room_id, seq)
);

create table reactions (
  room_id text not null,
  seq integer not null,
  user_id text not null,
  emoji text not null,
  rev integer not null,
  row text not null,
  primary key (room_id, seq, user_id, emoji)
) without rowid;

create table pins (
  room_id text not null,
  seq integer not null,
  rev integer not null,
  row text not null,
  primary key (room_id, seq)
) without rowid;

create table receipts (
  room_id text not null,
  user_id text not null,
  kind text not null,
  up_to_seq integer not null,
  rev integer not null,
  row text not null,
  primary key (room_id, user_id, kind, up_to_seq)
) without rowid;

create table memberships (
  room_id text primary key,
  rev integer not null,
  row text not null
) without rowid;

create table marks (
  room_id text primary key,
  rev integer not null,
  row text not null
) without rowid;

create table preferences (
  room_id text primary key,
  rev integer not null,
  row text not null
) without rowid;

create table notifications (
  seq integer primary key,
  rev integer not null,
  row text not null
);

create table blocks (
  blocked_id text primary key,
  rev integer not null,
  row text not null
) without rowid;

create table profiles (
  user_id text primary key,
  row text not null
) without rowid;

-- What this account did and the server has not stamped yet, in the order it was done.
create table outbox (
  id integer primary key autoincrement,
  room_id text not null,
  kind text not null,
  client_id text,
  seq integer,
  arguments text not null,
  state text not null default 'pending',
  reason text not null default '',
  rev integer,
  row text,
  created_at text not null,
  constraint kind_is_known check (
    kind in ('send', 'edit', 'delete', 'react', 'unreact', 'read', 'delivered')
  ),
  constraint state_is_known check (state in ('pending', 'sent', 'failed', 'discarded'))
);
create index outbox_by_room on outbox (room_id, id);
create unique index outbox_sends_once on outbox (client_id) where kind = 'send';

create virtual table message_search using fts5 (
  body, content = 'messages', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
create trigger messages_searched_insert after insert on messages begin
  insert into message_search (rowid, body) values (new.id, new.body);
end;
create trigger messages_searched_delete after delete on messages begin
  insert into message_search (message_search, rowid, body) values ('delete', old.id, old.body);
end;
create trigger messages_searched_update after update of body on messages
when old.body <> new.body begin
  insert into message_search (message_search, rowid, body) values ('delete', old.id, old.body);
  insert into message_search (rowid, body) values (new.id, new.body);
end;

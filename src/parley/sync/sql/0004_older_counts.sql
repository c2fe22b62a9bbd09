-- What is not read before the first message of a room here, as the server counted it.

-- older_counted is 0 when the server is to be asked again: a mark moved, or one of them changed.
alter table streams add column older_unread integer not null default 0;
alter table streams add column older_mentions integer not null default 0;
alter table streams add column older_counted integer not null default 0;

-- Whom a message calls: all, or ids. Counting must not parse JSON.
alter table messages add column mentions text;
update messages
set mentions = case
  when row ->> 'mention_all' then 'all'
  else (select nullif(group_concat(value, ' '), '') from json_each(row -> 'mentions'))
end;

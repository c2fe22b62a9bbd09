-- The words come from Python (words.py), so that a copy finds what the server finds, and a row's id
-- tells when it was said (message_id.sql), so that the newest are found first. Rows that were kept
-- without their words are fetched anew.
drop trigger messages_searched_insert;
drop trigger messages_searched_delete;
drop trigger messages_searched_update;
drop table message_search;
delete from messages;
alter table messages add column words text not null default '';
update account set shape = null;

create virtual table message_search using fts5 (
  words, content = 'messages', content_rowid = 'id', tokenize = 'ascii', detail = column
);
create trigger messages_searched_insert after insert on messages begin
  insert into message_search (rowid, words) values (new.id, new.words);
end;
create trigger messages_searched_delete after delete on messages begin
  insert into message_search (message_search, rowid, words) values ('delete', old.id, old.words);
end;
create trigger messages_searched_update after update of words on messages
when old.words <> new.words begin
  insert into message_search (message_search, rowid, words) values ('delete', old.id, old.words);
  insert into message_search (rowid, words) values (new.id, new.words);
end;

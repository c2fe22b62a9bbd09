-- Files that were attached and wait to be uploaded. Their bytes are in the folder beside the copy, and
-- the send of the same client_id waits until they are done.
create table uploads (
  path text primary key,
  client_id text not null,
  mime_type text not null,
  size integer not null,
  is_done integer not null default 0
) without rowid;
create index uploads_by_client_id on uploads (client_id);

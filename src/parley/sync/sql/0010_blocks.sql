-- Whom this account has blocked. A copy from before asks for its own stream anew, as for every model
-- that is new to it.
create table blocks (
  blocked_id text primary key,
  rev integer not null,
  row text not null
) without rowid;

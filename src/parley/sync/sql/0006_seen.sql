-- The snapshot of the last answer: profiles that changed since then come with the next one.

alter table account add column seen text;

-- 1 while profiles here may show more than they may, or less: this account came into a tenant, or left
-- one, or the server has another history.
alter table account add column profile_doubts integer not null default 0;

-- Found messages come by the time they were sent, in microseconds since 1970; 0 is unknown. Rows that
-- were kept without it are fetched anew.
alter table messages add column created_at integer not null default 0;
update account set shape = null;

-- The name of this installation, made up once: what it registers for push and names in receipts.

alter table account add column device_id text;
update account set device_id = lower(hex(randomblob(16)));

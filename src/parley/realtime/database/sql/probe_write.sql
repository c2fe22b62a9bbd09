-- Without `returning`, which would also require the right to read.
insert into realtime.messages (topic, extension, inserted_at, updated_at)
values (%(topic)s, %(extension)s, now() at time zone 'utc', now() at time zone 'utc');

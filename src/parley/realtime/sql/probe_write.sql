-- No `returning`: the right to read has no say in the right to write.
insert into realtime.messages (topic, extension, inserted_at, updated_at)
values (%(topic)s, %(extension)s, now() at time zone 'utc', now() at time zone 'utc');

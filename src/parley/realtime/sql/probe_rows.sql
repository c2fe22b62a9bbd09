-- One row per extension that is asked about; rolled back, so that nobody ever sees it.
insert into realtime.messages (id, topic, extension, inserted_at, updated_at)
select
  probe.id,
  %(topic)s,
  probe.extension,
  now() at time zone 'utc',
  now() at time zone 'utc'
from unnest(%(ids)s::uuid[], %(extensions)s::text[]) as probe (id, extension);

-- The probe rows that the caller's `select` policies let through.
select message.id from realtime.messages as message where message.id = any(%(ids)s::uuid[]);

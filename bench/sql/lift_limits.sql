-- The buckets are filled and emptied as ever, they only never run out.
update chat_private.settings set send_burst = 2000000000, sends_per_second = 2000000000;

-- Every lease was prolonged, and the people of direct rooms were told, this long ago.
update chat.presence set
  last_seen_at = clock_timestamp() - %(prolonged)s::interval,
  told_at = clock_timestamp() - %(told)s::interval;

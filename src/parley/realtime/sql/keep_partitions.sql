select _realtime.keep_partitions();

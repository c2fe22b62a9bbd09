-- The stand-in's platform SQL has this function; a hosted project does without it.
select _realtime.keep_partitions();

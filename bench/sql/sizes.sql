-- Bytes of the tables that grow with messages, receipts and broadcasts, with their indexes.
select
  pg_total_relation_size('chat.messages') + pg_total_relation_size('chat_private.sends')
    + pg_total_relation_size('chat_private.search_blocks') as messages,
  pg_total_relation_size('chat.receipts') as receipts,
  (
    select sum(pg_total_relation_size(i.inhrelid))
    from pg_inherits as i
    where i.inhparent = 'realtime.messages'::regclass
  )::bigint as broadcasts;

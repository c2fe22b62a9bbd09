-- What send_message would have stored for search, for some rooms at a time.
insert into chat_private.message_search (room_id, seq, created_at, vector)
select
  m.room_id, m.seq, m.created_at,
  to_tsvector('chat_private.search', chat_private.split_words(m.body))
from chat.messages as m
where m.room_id = any (%(room_ids)s) and m.kind = 'text'

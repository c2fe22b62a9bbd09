-- The same messages in the baseline schema.
insert into public.chat_messages (room_id, message, client_msg_id, sender_id)
select
  (%(rooms)s::uuid[])[1 + n %% cardinality(%(rooms)s::uuid[])],
  -- BODY
  ,
  gen_random_uuid(),
  %(me)s::uuid
from generate_series(0, %(total)s - 1) as n
order by n;

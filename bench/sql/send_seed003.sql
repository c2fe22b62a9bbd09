insert into public.chat_messages (room_id, message, client_msg_id, sender_id)
values ($1, $2, $3, $4)
returning *;

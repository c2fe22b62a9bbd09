insert into public.bare_messages (room_id, body, client_id, sender_id)
values ($1, $2, $3, $4)
returning *;

-- Write an action down.
insert into outbox (room_id, kind, client_id, seq, arguments, created_at)
values (:room_id, :kind, :client_id, :seq, :arguments, :created_at)
returning *

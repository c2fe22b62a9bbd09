-- A tombstone has no reactions.
delete from reactions
where room_id = ?1 and seq = ?2 and exists (
  select 1 from messages where room_id = ?1 and seq = ?2 and row ->> 'deleted_at' is not null
)

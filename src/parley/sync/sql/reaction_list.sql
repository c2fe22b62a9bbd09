-- Who stands by which reaction to which message of a page.
select seq, emoji, user_id
from reactions
where room_id = :room_id and seq between :first and :last and row ->> 'removed_at' is null

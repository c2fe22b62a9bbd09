-- The messages of a page that are pinned.
select seq
from pins
where room_id = :room_id and seq between :first and :last and row ->> 'removed_at' is null

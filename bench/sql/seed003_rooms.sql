-- The first of each pair is the tourist.
with pairs as (
  select pair.*
  from unnest(%(room_ids)s::uuid[], %(mine)s::uuid[], %(theirs)s::uuid[])
    as pair (room_id, mine, theirs)
),
people as (
  insert into public.users (id, full_name)
  select distinct person.id, 'Person'
  from pairs, unnest(array[pairs.mine, pairs.theirs]) as person (id)
)
insert into public.chat_rooms (id, user1_id, user2_id, tourist_id, guide_id)
select
  pairs.room_id, least(pairs.mine, pairs.theirs), greatest(pairs.mine, pairs.theirs),
  pairs.mine, pairs.theirs
from pairs;

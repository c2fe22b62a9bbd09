-- How many rows of a table are here, about how many there will be, and how many owners' first fetches
-- still run. "about" is null where one of them did not tell it, or none began yet.
select
  (select count(*) from table_rows where number = :number) as fetched,
  count(*) filter (where is_first) as running,
  case when count(*) = count(about) filter (where is_first) + count(*) filter (where not is_first)
    then sum(case when is_first then about else kept end)
  end as about
from (
  select
    o.is_first, o.about,
    (
      select count(*) from table_rows as r where r.owner_id = o.owner_id and r.number = :number
    ) as kept
  from table_owners as o
  where o.number = :number
)

-- The next id of a millisecond. 4,096 of them are more than anybody says at once; what is more than
-- that goes before everything else.
(
  select case
    when max(m.id) = (:time / 1000 << 12) + 4095 then (select min(min(f.id), 0) - 1 from messages as f)
    else coalesce(max(m.id) + 1, (:time / 1000 << 12))
  end
  from messages as m
  where m.id between (:time / 1000 << 12) and (:time / 1000 << 12) + 4095
)

-- Keep how far the rows of an owner go. Only the first page tells about how many there are.
insert into table_owners (number, owner_id, state, is_first, about)
values (?, ?, ?, ?, ?)
on conflict do update set
  state = excluded.state,
  is_first = excluded.is_first,
  about = coalesce(excluded.about, about)

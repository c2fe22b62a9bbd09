-- Keep a row of a table, whoever owned it before.
insert into table_rows (number, tag, owner_id, at, row)
values (?, ?, ?, ?, ?)
on conflict do update set owner_id = excluded.owner_id, at = excluded.at, row = excluded.row

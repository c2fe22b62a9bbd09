-- Keep a profile.
insert into profiles (user_id, row)
values (?, ?)
on conflict do update set row = excluded.row

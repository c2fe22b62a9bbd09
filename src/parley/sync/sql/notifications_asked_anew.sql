-- Every room is here: ask for the notifications that still stand.
update account
set rev = null, doubts = 0
where doubts = 1 and not exists (select 1 from streams where rev is null)

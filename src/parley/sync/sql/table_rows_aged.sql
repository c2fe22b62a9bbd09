-- Delete the rows of a table that have become too old for it.
delete from table_rows
where number = ?1 and at is not null and at <= ?2
returning row

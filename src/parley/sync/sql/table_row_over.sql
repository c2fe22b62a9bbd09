-- Delete a row of an owner.
delete from table_rows
where number = ? and tag = ? and owner_id = ?
returning row

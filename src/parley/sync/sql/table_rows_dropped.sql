-- Delete the rows of an owner.
delete from table_rows where number = ? and owner_id = ?

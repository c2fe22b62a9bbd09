-- Forget how far the rows of an owner go.
delete from table_owners where number = ? and owner_id = ?

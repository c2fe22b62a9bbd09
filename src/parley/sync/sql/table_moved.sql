-- Keep what the server says of a table, and whether its first fetch came to an end.
update tables set timeline = ?1, facts = ?2, is_fetched = is_fetched or ?3
where number = ?4 and (timeline is not ?1 or facts is not ?2 or is_fetched < ?3)

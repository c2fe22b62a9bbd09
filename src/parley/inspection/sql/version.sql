-- Which Parley the database has.
select chat.version() ->> 'version'

-- probe_read
-- Which of some rows the caller may read, in one trip. The statements are those of probe_prepare.
begin;
execute probe_rows(%(topic)s, %(ids)s, %(extensions)s);
execute take_on(%(role)s, %(topic)s, %(claims)s, %(sub)s, %(headers)s);
execute probe_read(%(first_id)s, %(last_id)s);
rollback;

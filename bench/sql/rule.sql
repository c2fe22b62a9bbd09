-- A rule as docs/moderation.md shows it, and the project's setting that names it.
create schema bench;
create function bench.rule(
  room_id uuid, sender_id uuid, body text, attachments jsonb, metadata jsonb
)
returns text
language sql
stable
return case when body ~* '\m(viagra|casino)\M' then 'Advertising is not allowed here.' end;
update chat_private.settings set content_check = 'bench.rule';

-- A send without its row in the push outbox.
do $$
declare
  v_send text := pg_get_functiondef(
    'chat_private.send_message(uuid, text, uuid, bigint, uuid[], boolean, jsonb, jsonb)'::regprocedure
  );
  v_without text := regexp_replace(
    v_send, ',\s*to_push as \(\s*insert into chat_private\.push_outbox .*?from paid\s*\)', ''
  );
begin
  if v_without = v_send then
    raise exception 'send_message does not write the push outbox as bench/sql/unpushed.sql expects.';
  end if;
  execute v_without;
end
$$;

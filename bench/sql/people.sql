insert into auth.users (id, email, raw_user_meta_data)
select
  person.id, person.id || '@bench.example',
  jsonb_build_object('display_name', 'Person ' || person.place)
from unnest(%(user_ids)s::uuid[]) with ordinality as person (id, place);

-- The messages and memberships of the database once for each form of a policy, with many strangers
-- besides. What is compared differs in its policies and in nothing else.
create schema bench;
grant usage on schema bench to authenticated;

create table bench.members (
  room_id uuid not null,
  user_id uuid not null,
  primary key (room_id, user_id)
);
insert into bench.members (room_id, user_id)
select m.room_id, m.user_id from chat.room_members as m where m.left_at is null;
with strangers as (
  select gen_random_uuid() as user_id, n from generate_series(1, 1000) as n
),
rooms as (
  select gen_random_uuid() as room_id, n from generate_series(1, %(strangers)s / 20) as n
)
insert into bench.members (room_id, user_id)
select r.room_id, s.user_id
from rooms as r
join strangers as s on (s.n + r.n) %% 50 = 0;
create index members_by_user on bench.members (user_id, room_id);
alter table bench.members enable row level security;
grant select on bench.members to authenticated;
create policy "people read their own memberships" on bench.members
  for select to authenticated using (user_id = (select auth.uid()));

create function bench.my_rooms()
returns setof uuid
language sql
stable
security definer
set search_path = ''
as $$
  select m.room_id from bench.members as m where m.user_id = (select auth.uid());
$$;

create function bench.is_mine(room_id uuid)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (
    select from bench.members as m
    where m.room_id = is_mine.room_id and m.user_id = auth.uid()
  );
end;
$$;

do $$
declare
  v_form record;
begin
  for v_form in
    select form.name, form.rule
    from (
      values
        ('none', null),
        ('look_up', 'bench.is_mine(room_id)'),
        (
          'in_select',
          'room_id in (select m.room_id from bench.members as m where m.user_id = (select auth.uid()))'
        ),
        ('in_function', 'room_id in (select bench.my_rooms())'),
        (
          'exists_select',
          'exists (select from bench.members as m where m.room_id = %%s.room_id and m.user_id = (select auth.uid()))'
        ),
        (
          'bare_uid',
          'exists (select from bench.members as m where m.room_id = %%s.room_id and m.user_id = auth.uid())'
        )
    ) as form (name, rule)
  loop
    execute format(
      'create table bench.%%1$s (like chat.messages including defaults)', v_form.name
    );
    execute format('insert into bench.%%s select * from chat.messages', v_form.name);
    execute format('alter table bench.%%s add primary key (room_id, seq)', v_form.name);
    execute format('grant select, insert on bench.%%s to authenticated', v_form.name);
    if v_form.rule is not null then
      execute format('alter table bench.%%s enable row level security', v_form.name);
      execute format(
        'create policy "members read" on bench.%%s for select to authenticated using (%%s)',
        v_form.name, format(v_form.rule, v_form.name)
      );
      execute format(
        'create policy "members write" on bench.%%s for insert to authenticated with check (%%s)',
        v_form.name, format(v_form.rule, v_form.name)
      );
    end if;
  end loop;
end;
$$;

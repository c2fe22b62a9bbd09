"""What must be true of the server's own numbers, whatever happened to it.

Every change of a head is noted by triggers, in the transaction that makes it. So the steps of every
stream can be laid end to end, also those whose broadcast was lost or purged.
"""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString

import psycopg

from tests.sql.invariants import FENCES, GAPS, MARKS, PEOPLE, TWICE

NOTING: LiteralString = """
create schema chaos;
create table chaos.steps (stream uuid not null, low bigint not null, high bigint not null);
create index steps_by_stream on chaos.steps (stream, low, high);

create function chaos.note_room() returns trigger language plpgsql security definer as $$
begin
  insert into chaos.steps values (new.id, old.rev, new.rev);
  return null;
end;
$$;
create trigger note after update of rev on chat.rooms
  for each row execute function chaos.note_room();

create function chaos.note_user() returns trigger language plpgsql security definer as $$
begin
  insert into chaos.steps values (new.user_id, old.rev, new.rev);
  return null;
end;
$$;
create trigger note after update of rev on chat_private.user_streams
  for each row execute function chaos.note_user();

-- From here on; what came before is one step.
insert into chaos.steps select id, 0, rev from chat.rooms where rev > 0;
insert into chaos.steps select user_id, 0, rev from chat_private.user_streams where rev > 0;
"""

STEPS: LiteralString = """
with joined as (
  select
    s.stream, s.low, s.high,
    lag(s.high, 1, 0::bigint) over (partition by s.stream order by s.low, s.high) as before
  from chaos.steps as s
),
ends as (
  select s.stream, max(s.high) as high from chaos.steps as s group by s.stream
),
heads as (
  select r.id as stream, r.rev from chat.rooms as r
  union all
  select s.user_id, s.rev from chat_private.user_streams as s where s.rev > 0
)
select 'steps do not join', j.stream, j.before, j.low, j.high
from joined as j
where j.low <> j.before or j.high <= j.low
union all
select 'steps end elsewhere', h.stream, null, e.high, h.rev
from heads as h
left join ends as e on e.stream = h.stream
where e.high is distinct from h.rev
"""

ABOVE: LiteralString = """
select 'above the head of the room', m.room_id, m.rev from chat.messages as m
join chat.rooms as r on r.id = m.room_id where m.rev > r.rev
union all
select 'above the head of the room', m.room_id, m.rev from chat.reactions as m
join chat.rooms as r on r.id = m.room_id where m.rev > r.rev
union all
select 'above the head of the room', m.room_id, m.rev from chat.pins as m
join chat.rooms as r on r.id = m.room_id where m.rev > r.rev
union all
select 'above the head of the room', m.room_id, m.rev from chat.receipts as m
join chat.rooms as r on r.id = m.room_id where m.rev > r.rev
union all
select 'above the head of the person', m.user_id, m.user_rev from chat.room_members as m
join chat_private.user_streams as s on s.user_id = m.user_id where m.user_rev > s.rev
union all
select 'above the head of the person', m.user_id, m.rev from chat.marks as m
join chat_private.user_streams as s on s.user_id = m.user_id where m.rev > s.rev
union all
select 'above the head of the person', m.user_id, m.rev from chat.notifications as m
join chat_private.user_streams as s on s.user_id = m.user_id where m.rev > s.rev
"""

CHECKS: dict[str, LiteralString] = {
    "steps": STEPS,
    "seq": GAPS,
    "rev": ABOVE,
    "fences": FENCES,
    "marks": MARKS,
    "people": PEOPLE,
}

ONCE: LiteralString = """
select m.client_id::text from chat.messages as m where m.client_id is not null
union all
select s.client_id::text from chat_private.sends as s where s.purged_at is not null
"""

GIVEN_OUT: LiteralString = """
select (select sum(rev) from chat.rooms) + (select sum(rev) from chat_private.user_streams),
  (select sum(epoch - 1) from chat.rooms) + (select sum(epoch - 1) from chat_private.user_streams)
"""


def begin_noting(admin_db_url: str) -> None:
    """Note every step from here on."""
    with psycopg.connect(admin_db_url) as connection:
        connection.execute(NOTING)


def check_numbers(db_url: str) -> list[str]:
    """What is wrong with the numbers of the database itself."""
    with psycopg.connect(db_url) as connection:
        return [
            f"{what}: {row}"
            for what, query in CHECKS.items()
            for row in connection.execute(query).fetchmany(10)
        ]


def check_sends(db_url: str, acknowledged: set[str]) -> list[str]:
    """Which acknowledged sends are not there with the number they were given (retention aside)."""
    return sorted(acknowledged - known_sends(db_url))


def known_sends(db_url: str) -> set[str]:
    """Every client_id that the server knows."""
    with psycopg.connect(db_url) as connection:
        return {row[0] for row in connection.execute(ONCE)}


def check_twice(db_url: str) -> list[str]:
    """Which sends are there more than once."""
    with psycopg.connect(db_url) as connection:
        return [f"on the server: {row}" for row in connection.execute(TWICE)]


def given_out(db_url: str) -> tuple[int, int]:
    """How many numbers rooms and people have given out, and how many epochs have begun."""
    with psycopg.connect(db_url) as connection:
        numbers, epochs = connection.execute(GIVEN_OUT).fetchone() or (0, 0)
    return int(numbers), int(epochs)


def count_deadlocks(log: Path) -> int:
    """How often Postgres had to end one, whoever ran into it."""
    return log.read_text(errors="replace").count("ERROR:  deadlock detected")

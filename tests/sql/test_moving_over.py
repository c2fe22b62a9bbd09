"""Dual writing with another chat: examples/moving_over.sql, while rows arrive."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from tests.people import at_once, people

EXAMPLE = Path(__file__).parents[2] / "examples" / "moving_over.sql"
OLD_SCHEMA = """
create table public.users (id uuid primary key);
create table public.chat_rooms (
  id uuid primary key default gen_random_uuid(),
  user1_id uuid not null references public.users (id),
  user2_id uuid not null references public.users (id),
  created_at timestamptz not null default now()
);
create table public.chat_messages (
  id uuid primary key default gen_random_uuid(),
  room_id uuid not null references public.chat_rooms (id),
  sender_id uuid not null references public.users (id),
  message text not null,
  message_type varchar(20) default 'text',
  is_read boolean default false,
  created_at timestamptz not null default now(),
  client_msg_id text,
  sender_role varchar(20) default 'tourist',
  attachments jsonb default '[]',
  edited_at timestamptz,
  deleted_at timestamptz
);
create index on public.chat_messages (room_id, created_at);
"""
BOTH = """
select o.sender_id, o.message, m.sender_id, m.body
from (select * from public.chat_messages where deleted_at is null) as o
full join (
  select * from chat.messages where kind = 'text' and deleted_at is null
) as m on m.client_id = o.id
where (o.sender_id, o.message) is distinct from (m.sender_id, m.body)
"""


def test_both_systems_have_every_message_while_rows_arrive(database: str) -> None:
    with (
        people(database, "Ann", "Bob") as (ann, bob),
        psycopg.connect(database, autocommit=True) as operator,
    ):
        operator.execute(OLD_SCHEMA)
        stranger = uuid4()
        for each in (ann.id, bob.id, stranger):
            operator.execute("insert into public.users values (%s)", [each])
        rooms = [
            operator.execute(
                "insert into public.chat_rooms (user1_id, user2_id) values (%s, %s) returning id",
                [ann.id, other],
            ).fetchone()
            for other in (bob.id, stranger)
        ]
        (room,), (elsewhere,) = (each for each in rooms if each is not None)
        operator.execute(
            "insert into public.chat_messages (room_id, sender_id, message, created_at)"
            " select %s, case when n %% 3 = 0 then %s::uuid else %s::uuid end, 'old ' || n,"
            " now() - interval '1 day' + n * interval '1 s' from generate_series(1, 2300) as n",
            [room, bob.id, ann.id],
        )
        add = "insert into public.chat_messages (room_id, sender_id, message) values (%s, %s, %s)"
        operator.execute(add, [elsewhere, stranger, "I never came here"])
        operator.execute(add, [elsewhere, ann.id, "x" * 9000])

        operator.execute(EXAMPLE.read_bytes())
        moved = threading.Event()

        def write(person: Any) -> int:
            """Write in the old system; some transactions stay open, and commit behind others."""
            count = 0
            with psycopg.connect(database) as connection:
                while not moved.is_set() or count < 20:
                    connection.execute(add, [room, person.id, f"{person.name} {count}"])
                    time.sleep(0.02 if count % 5 == 0 else 0)
                    connection.commit()
                    count += 1
            return count

        def move() -> int:
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("call moving.move_all()")
            moved.set()
            return 0

        counts = at_once(partial(write, ann), partial(write, bob), move)
        assert min(counts[:2]) >= 20
        too_long = (ann.id, "x" * 9000, None, None)
        assert operator.execute(BOTH).fetchall() == [too_long]
        assert operator.execute("select error from moving.failures").fetchall() == [
            ("message_too_long",)
        ]
        before = operator.execute("select max(rev), sum(last_seq) from chat.rooms").fetchone()
        operator.execute("call moving.move_all()")
        assert operator.execute("select max(rev), sum(last_seq) from chat.rooms").fetchone() == (
            before
        )
        order = operator.execute(
            "select array_agg(body order by seq) from chat.messages where body like 'old %%'"
        ).fetchone()
        assert order == ([f"old {n}" for n in range(1, 2301)],)

        # The new app: what is said there is in the old table at once, and the other way round.
        new_id = operator.execute(
            "select room_id from moving.rooms where old_id = %s", [room]
        ).fetchone()
        assert new_id is not None
        said = ann.call("send_message", room_id=new_id[0], body="from the new", client_id=uuid4())
        operator.execute(add, [room, bob.id, "from the old"])
        answered = operator.execute(
            "select seq, rev from chat.messages where body = 'from the old'"
        ).fetchone()
        assert answered is not None and answered[0] == said["seq"] + 1
        inbox = {each["room"]["id"]: each for each in ann.rows("list_rooms")}
        assert inbox[str(new_id[0])]["unread"] == 1

        ann.call("edit_message", room_id=new_id[0], seq=said["seq"], body="edited here")
        operator.execute(
            "update public.chat_messages set message = 'edited there', edited_at = now()"
            " where message = 'from the old'"
        )
        assert operator.execute(BOTH).fetchall() == [too_long]
        ann.call("delete_message", room_id=new_id[0], seq=said["seq"])
        operator.execute(
            "update public.chat_messages set deleted_at = now() where message = 'edited there'"
        )
        assert operator.execute(BOTH).fetchall() == [too_long]
        gone = operator.execute(
            "select count(*) from chat.messages where seq >= %s and deleted_at is not null",
            [said["seq"]],
        ).fetchone()
        assert gone == (2,)

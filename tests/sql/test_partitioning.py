"""A project becomes partitioned while people use it: nothing is lost, all of it is made again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from bench.databases import read_sql
from bench.partitioned import apply
from bench.partitioned.backfill import copy_rows
from bench.partitioned.copies import copies_sql
from bench.partitioned.swap import finish_sql, swap_sql
from bench.partitioned.tables import OWNERS
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.types.json import Jsonb

from parley.errors import StackError
from parley.inspection.dependents import read_dependents
from parley.inspection.promises import kept_promises, read_promises
from parley.versions import __version__
from tests.conftest import PARTS
from tests.people import Person, at_once, people
from tests.sql.races import Owner, open_room
from tests.until import until_blocking

pytestmark = pytest.mark.lasts(35)

ROWS = 600
"""Messages that are there before, in each room."""
ADOPTERS = """
create view public.last_words with (security_invoker = true) as
  select m.room_id, max(m.seq) as seq from chat.messages as m group by m.room_id;
comment on view public.last_words is 'The newest message of each room.';
grant select on public.last_words to authenticated;
create function public.is_long(message chat.messages) returns boolean language sql stable
  begin atomic select length((message).body) > 100; end;
create table public.notes (room_id uuid, note text);
alter table public.notes enable row level security;
create policy "members read notes" on public.notes for select to authenticated
  using (exists (select from chat.room_members as m where m.room_id = notes.room_id));
create table public.copied (room_id uuid, seq bigint);
create function public.tg_copy() returns trigger language plpgsql security definer
  set search_path = ''
  as $$ begin insert into public.copied values (new.room_id, new.seq); return null; end $$;
create trigger copy after insert on chat.messages
  for each row when (new.kind = 'text') execute function public.tg_copy();
grant select (body) on chat.messages to anon;
create index adopters_index on chat.messages (room_id, length(body));
"""
"""What an adopter may have made of Parley's tables."""
DEADLOCK, CHANGED = "40P01", "XX000"
"""What a call may fail with that waits while tables are locked, or functions made again."""


@dataclass
class Done:
    """What a writer was told to be done, and what failed."""

    bodies: dict[tuple[UUID, int], str] = field(default_factory=dict)
    reactions: set[tuple[UUID, int]] = field(default_factory=set)
    read: dict[UUID, int] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)


def write(person: Person, rooms: list[UUID], stop: threading.Event, done: Done) -> None:
    """Send, edit, react and read until told to stop; repeat whatever fails, as clients do."""

    def repeat(function: Any, **arguments: object) -> dict[str, Any]:
        while True:
            try:
                return person.call(function, **arguments)
            except psycopg.Error as error:
                if error.sqlstate not in {DEADLOCK, CHANGED}:
                    raise
                done.failures[error.sqlstate] += 1

    count = 0
    while not stop.is_set():
        room = rooms[count % len(rooms)]
        count += 1
        sent = repeat(
            "send_message", room_id=room, body=f"{person.name} {count}", client_id=uuid4()
        )
        seq = sent["seq"]
        done.bodies[room, seq] = sent["body"]
        if count % 3 == 0:
            done.bodies[room, seq] = repeat(
                "edit_message", room_id=room, seq=seq, body=f"better {count}"
            )["body"]
        if count % 2 == 0:
            repeat("add_reaction", room_id=room, seq=seq, emoji="🎉")
            done.reactions.add((room, seq))
        repeat("mark_read", room_id=room, seq=seq)
        done.read[room] = seq
        time.sleep(0.002)


@contextmanager
def writers(url: str, owner: Owner, rooms: list[UUID]) -> Iterator[dict[UUID, Done]]:
    """Let three people write, until the end."""
    stop = threading.Event()
    with people(url, "Ann", "Bob", "Cat") as everybody:
        done = {person.id: Done() for person in everybody}
        calls = [partial(write, person, rooms, stop, done[person.id]) for person in everybody]
        thread = threading.Thread(target=lambda: outcomes.extend(at_once(*calls)))
        outcomes: list[None] = []
        thread.start()
        try:
            yield done
        finally:
            stop.set()
            thread.join(60)
        assert len(outcomes) == len(calls), "a writer failed"


def has_written(done: dict[UUID, Done], more: int) -> None:
    """Wait until everybody has written so many more messages."""
    before = {user: len(each.bodies) for user, each in done.items()}
    until_blocking(lambda: all(len(done[user].bodies) >= n + more for user, n in before.items()))


def fill(url: str, owner: Owner) -> list[UUID]:
    """Make rooms with rows of every table."""
    owner.execute(read_sql("sql/lift_limits.sql").encode())
    with people(url, "Ann", "Bob", "Cat") as (ann, bob, cat):
        rooms = [open_room(ann, bob, cat) for _ in range(3)]
        for room in rooms:
            for at in range(0, ROWS, 200):
                items = [
                    {"room_id": str(room), "client_id": str(uuid4()), "body": f"old {at + n}"}
                    for n in range(200)
                ]
                ann.rows("send_messages", items=Jsonb(items))
            for seq in range(1, ROWS, 60):
                bob.call("add_reaction", room_id=room, seq=seq, emoji="👍")
            cat.call("mark_read", room_id=room, seq=ROWS // 2)
    return rooms


def try_to_apply(owner: Owner, make: Callable[[], str]) -> None:
    """Apply a migration, again when it gave up because of a lock, as an operator does."""

    def applied() -> bool:
        try:
            apply(owner, make())
        except (LockNotAvailable, DeadlockDetected):
            return False
        return True

    until_blocking(applied, 60)


def read_rows(owner: Owner, name: str) -> list[tuple[Any, ...]]:
    """Return the rows of a table in some order that is always the same."""
    return owner.execute(f"select t.* from {name} as t order by t::text".encode()).fetchall()


def test_a_project_becomes_partitioned_while_people_write(database: str, owner: Owner) -> None:
    owner.execute(ADOPTERS)
    # A purge takes back what was broadcast, and the invariants look at every step.
    owner.execute(
        "create or replace function chat_private.retract_purged(room_id uuid, floor_seq bigint,"
        " since timestamptz) returns void language plpgsql volatile set search_path = '', pg_temp"
        " as $$ begin end $$"
    )
    rooms = fill(database, owner)
    kept = kept_promises(__version__)
    promised, dependents = read_promises(owner), read_dependents(owner, kept)
    with writers(database, owner, rooms) as done:
        has_written(done, 5)
        try_to_apply(owner, lambda: copies_sql(owner, PARTS))
        with pytest.raises(StackError, match="differ from their copies"):
            swap_sql(owner)
        purged = threading.Thread(
            target=lambda: owner_calls(database, "chat_private.purge_messages", rooms[0], ROWS // 4)
        )
        purged.start()
        copied = copy_rows(owner, batch=50)
        purged.join()
        assert copied > 2 * ROWS
        has_written(done, 5)
        assert copy_rows(owner) == 0, "the triggers copy what is written"
        try_to_apply(owner, lambda: swap_sql(owner))
        has_written(done, 10)

    for user, theirs in done.items():
        assert theirs.failures.total() <= 5, theirs.failures
        found = owner.execute(
            "select m.room_id, m.seq, m.body from chat.messages as m"
            " where m.sender_id = %s and m.seq > %s",
            [user, ROWS],
        ).fetchall()
        assert {(room, seq): body for room, seq, body in found} == theirs.bodies
        reacted = owner.execute(
            "select r.room_id, r.seq from chat.reactions as r"
            " where r.user_id = %s and r.emoji = '🎉'",
            [user],
        ).fetchall()
        assert set(reacted) == theirs.reactions
        marks = owner.execute(
            "select k.room_id, k.read_seq from chat.marks as k where k.user_id = %s", [user]
        ).fetchall()
        assert all(theirs.read.get(room, 0) <= seq for room, seq in marks)
        assert theirs.read.keys() <= {room for room, _ in marks}
    for name in OWNERS:
        assert {part for (part,) in owner.execute(f"select tableoid from {name}".encode())}
    apply(owner, finish_sql(owner))
    assert read_promises(owner) == promised
    assert read_dependents(owner, kept) == dependents
    with pytest.raises(StackError, match="partitioned already"):
        copies_sql(owner, PARTS)


def test_the_backfill_waits_for_a_transaction_that_holds_rows(database: str, owner: Owner) -> None:
    fill(database, owner)
    apply(owner, copies_sql(owner, PARTS))
    with psycopg.connect(database) as holder:
        holder.execute("delete from chat.reactions where seq = 1")
        timer = threading.Timer(2, holder.commit)
        timer.start()
        assert copy_rows(owner) > ROWS
        timer.join()
    assert copy_rows(owner) == 0


def owner_calls(url: str, function: str, *arguments: object) -> None:
    """Call a function as the owner of the database, on a connection of its own."""
    marks = ", ".join("%s" for _ in arguments)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"select {function}({marks})".encode(), arguments)

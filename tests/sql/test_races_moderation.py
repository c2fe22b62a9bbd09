"""A rule about content beside other writers, and reports that two people resolve at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

import psycopg
import pytest

from tests.people import Outcome, at_once, people
from tests.sql.races import Owner, open_room, repeat, say
from tests.until import until_blocking

RULE = """
create schema app;
create table app.gate (only_row boolean primary key);
insert into app.gate values (true);
create function app.rule(room_id uuid, sender_id uuid, body text, attachments jsonb, metadata jsonb)
returns text language plpgsql as $$
begin
  if body = 'wait' then
    perform from app.gate for share;
  elsif body = 'fail' then
    raise exception 'out of order';
  end if;
  return null;
end
$$;
update chat_private.settings set content_check = 'app.rule';
"""
TENANT = "00000000-0000-0000-0000-000000000001"
# A call comes to the gate for certain, and on a busy machine late.
PATIENCE_S = 60.0


@pytest.fixture
def ruled(database: str, owner: Owner) -> Iterator[Owner]:
    """A connection past all rights, to a database whose rule waits at a gate or fails."""
    owner.execute(RULE.encode())
    yield owner
    owner.execute("update chat_private.settings set content_check = null")
    owner.execute("drop schema app cascade")


def test_a_rule_that_takes_long_holds_up_nobody_but_the_sender(database: str, ruled: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)
        seq = say(ann, room).row["seq"]
        calls: tuple[Callable[[], str | None], ...] = (
            lambda: say(ann, room, "wait").slug,
            lambda: ann.attempt("edit_message", room_id=room, seq=seq, body="wait").slug,
        )
        for call in calls:
            with psycopg.connect(database) as gate:
                gate.execute("update app.gate set only_row = true")
                slugs = at_once(
                    call, partial(pass_gate, ruled, gate, lambda: say(bob, room).slug, ann.pid)
                )
            assert slugs == [None, None]


def pass_gate(owner: Owner, gate: Owner, act: Callable[[], str | None], pid: int) -> str | None:
    """Act once a call waits for whoever holds the gate; then open it."""
    waits = "select where %s = any (pg_blocking_pids(%s))"
    try:
        until_blocking(
            lambda: owner.execute(waits, [gate.info.backend_pid, pid]).rowcount, PATIENCE_S
        )
        return act()
    finally:
        gate.commit()


def test_a_failure_is_counted_although_the_message_is_refused(database: str, ruled: Owner) -> None:
    def failures() -> int:
        found = ruled.execute(
            "select pg_stat_get_tuples_inserted('chat_private.failed_checks'::regclass)"
        ).fetchone()
        return int(found[0]) if found else 0

    with people(database, "Ann") as (ann,):

        def fail() -> Outcome:
            outcome = say(ann, room, "fail")
            # Otherwise a connection tells its counters when it has been idle for ten seconds.
            ann.connection.execute("select pg_stat_force_next_flush()")
            return outcome

        room = open_room(ann)
        before = failures()
        assert fail().done
        until_blocking(lambda: failures() == before + 1)
        ruled.execute("update chat_private.settings set on_check_failure = 'refuse'")
        assert fail().slug == "message_refused"
        until_blocking(lambda: failures() == before + 2)
        kept = ruled.execute("select count(*) from chat_private.failed_checks").fetchone()
        assert kept == (1,)


def test_of_two_who_resolve_a_report_at_once_one_does(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob", "Cat", "Dan") as (ann, bob, cat, dan):
        room = open_room(ann, bob, cat, dan)
        ann.call("set_member_role", room_id=room, user_id=bob.id, role="moderator")

        def play() -> tuple[int, str]:
            seq = say(cat, room, f"rude {uuid4()}").row["seq"]
            report = dan.call("report_message", room_id=room, seq=seq, reason="spam")["report_id"]
            resolve = {"tenant_id": TENANT, "report_id": report}
            told = len(dan.rows("list_notifications", page_size=200))
            both = at_once(
                partial(ann.call, "resolve_report", **resolve, resolution="by Ann"),
                partial(bob.call, "resolve_report", **resolve, resolution="by Bob"),
            )
            (first,) = {each["resolution"] for each in both}
            newly = len(dan.rows("list_notifications", page_size=200)) - told
            return newly, first

        repeat(play, (1, "by Ann"), (1, "by Bob"))

"""An account is erased while its person writes or reads, or while it is put under legal hold."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.people import Person, at_once, people
from tests.sql.races import Owner, open_room, say

CONFIRM = "erase my account"
STANDING = (
    "select count(*) from chat.messages as m where m.sender_id = %s and m.kind = 'text'"
    " and m.deleted_at is null"
)
FINISHED = "select finished_at is not null from chat_private.erasures where user_id = %s"


@pytest.fixture(autouse=True)
def all_steps_kept(owner: Owner) -> None:
    """An erasure takes back what was broadcast, and the invariants look at every step."""
    owner.execute(
        "create or replace function chat_private.retract_person(user_id uuid, after timestamptz)"
        " returns chat_private.retraction language plpgsql volatile set search_path = '', pg_temp"
        " as $$ begin return row(0, 'infinity')::chat_private.retraction; end $$"
    )


def maintain(database: str, user_id: Any) -> None:
    """Run maintenance until somebody is erased, as a project does every minute."""
    with psycopg.connect(database, autocommit=True) as connection:
        for _ in range(500):
            connection.execute("select chat_private.run_maintenance()")
            found = connection.execute(FINISHED, [user_id]).fetchone()
            if found == (True,):
                return
    raise AssertionError("the erasure does not end")


def test_nothing_that_was_being_sent_outlives_an_erasure(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        rooms = [open_room(ann, bob) for _ in range(3)]
        devices = [Person(database, "Bob") for _ in range(4)]
        sent = threading.Barrier(len(devices) + 1)

        def write(device: Person, number: int) -> int:
            """Send, edit and react until the account is closed."""
            count = 0
            while (outcome := say(device, rooms[number % 3], f"{number} {count}")).done:
                if count == 5:
                    sent.wait(30)
                count += 1
                device.attempt(
                    "edit_message", room_id=rooms[number % 3], seq=outcome.row["seq"], body="edited"
                )
            assert outcome.slug in ("sign_in_required", "room_not_found")
            return count

        def erase() -> Any:
            sent.wait(30)
            bob.call("erase_my_account", confirm=CONFIRM)
            maintain(database, bob.id)

        try:
            *counts, _ = at_once(
                *(partial(write, device, number) for number, device in enumerate(devices)), erase
            )
        finally:
            for device in devices:
                device.connection.close()
        assert sum(counts) > 20
        assert owner.execute(STANDING, [bob.id]).fetchone() == (0,)
        for table, column in (("message_edits", "sender_id"), ("presence", "user_id")):
            left = owner.execute(
                f"select count(*) from chat.{table} where {column} = %s",
                [bob.id],
            )
            assert left.fetchone() == (0,)
        gaps = owner.execute(
            "select r.id from chat.rooms as r where r.last_seq <>"
            " (select count(*) from chat.messages as m where m.room_id = r.id)"
        )
        assert gaps.fetchall() == []
        assert say(ann, rooms[0], "still here").done


def test_two_who_erase_the_same_account_erase_it_once(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        open_room(ann, bob)
        devices = [Person(database, "Bob") for _ in range(4)]
        try:
            certificates = at_once(
                *(partial(each.call, "erase_my_account", confirm=CONFIRM) for each in devices)
            )
        finally:
            for device in devices:
                device.connection.close()
        assert all(each == certificates[0] for each in certificates)
        erased = owner.execute(
            "select count(*) from chat_private.audit_log where action = 'account_erased'"
        )
        assert erased.fetchone() == (1,)


def test_an_export_is_whole_or_refused_while_its_account_is_erased(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob") as (ann, bob):
        room = open_room(ann, bob)
        for number in range(60):
            say(bob, room, f"word {number}")
        owner.execute("update chat_private.settings set pull_bytes = 4096")
        phone = Person(database, "Bob")

        def export() -> set[str]:
            """Read page by page; every message that comes has its text."""
            bodies: set[str] = set()
            page = None
            while True:
                outcome = phone.attempt("export_my_data", page=page)
                if not outcome.done:
                    assert outcome.slug == "sign_in_required"
                    return bodies
                answer = outcome.row["export_my_data"]
                bodies |= {row["body"] for row in answer["rows"].get("messages", [])}
                if answer["next"] is None:
                    return bodies
                page = Jsonb(answer["next"])

        def erase() -> Any:
            bob.call("erase_my_account", confirm=CONFIRM)
            maintain(database, bob.id)

        try:
            bodies, _ = at_once(export, erase)
        finally:
            phone.connection.close()
        assert bodies <= {f"word {number}" for number in range(60)}
        assert bob.attempt("export_my_data").slug == "sign_in_required"


def test_what_is_erased_after_a_hold_was_set_is_kept(database: str, owner: Owner) -> None:
    for number in range(4):
        with people(database, "Ann", f"Bob {number}") as (ann, bob):
            room = open_room(ann, bob)
            for place in range(250):
                say(bob, room, f"word {place}")
            bob.call("erase_my_account", confirm=CONFIRM)

            def hold() -> None:
                with psycopg.connect(database, autocommit=True) as connection:
                    connection.execute(
                        "select chat_private.set_hold('person', %s, 'case')", [bob.id]
                    )

            at_once(hold, partial(maintain, database, bob.id))
            lost = owner.execute(
                "select count(*) from chat.messages as m"
                " join chat_private.holds as h on h.target_id = m.sender_id"
                " where m.sender_id = %s and m.kind = 'text' and m.deleted_at > h.placed_at"
                " and not exists (select from chat_private.held_bodies as b"
                " where b.room_id = m.room_id and b.seq = m.seq)",
                [bob.id],
            )
            assert lost.fetchone() == (0,)

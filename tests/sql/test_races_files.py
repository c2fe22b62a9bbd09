"""Files between people who act at the same moment: uploads, sends, removals, and giving up."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.people import Outcome, Person, at_once, overlap, people
from tests.sql.races import Owner, open_room, repeat

UPLOAD = (
    "insert into storage.objects (bucket_id, name, owner_id, metadata)"
    """ values ('chat-attachments', %s, %s, '{"size": 1, "mimetype": "image/png"}')"""
)


@pytest.fixture
def owner(database: str) -> Iterator[Owner]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def path_in(room: UUID) -> str:
    return f"{room}/{uuid4()}/x.png"


def upload(person: Person, path: str) -> bool:
    """Upload as Storage asks for it. Tells whether it was let."""
    person.connection.execute("select set_config('storage.operation', 'object.upload', false)")
    try:
        person.connection.execute(UPLOAD, [path, str(person.id)])
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def send(person: Person, room: UUID, path: str) -> Outcome:
    return person.attempt(
        "send_message",
        room_id=room,
        body="",
        client_id=uuid4(),
        attachments=Jsonb([{"path": path}]),
    )


def send_in_batch(person: Person, room: UUID, path: str) -> Outcome:
    item = {"room_id": str(room), "client_id": str(uuid4()), "body": ""}
    (row,) = person.rows("send_messages", items=Jsonb([{**item, "attachments": [{"path": path}]}]))
    return Outcome(row, row["reason"])


def reads(person: Person, path: str) -> bool:
    query = "select from storage.objects where name = %s"
    return person.connection.execute(query, [path]).rowcount == 1


def test_a_file_goes_with_one_of_two_messages(database: str) -> None:
    with people(database, "Ann", "Ann") as (ann, also_ann):
        room = open_room(ann)

        def play() -> tuple[str | None, str | None]:
            path = path_in(room)
            assert upload(ann, path)
            first, second = at_once(
                lambda: send(ann, room, path), lambda: send_in_batch(also_ann, room, path)
            )
            return first.slug, second.slug

        repeat(play, (None, "file_not_found"), ("file_not_found", None))


def test_an_upload_that_a_removal_overtakes_is_neither_read_nor_sent(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Cat") as (ann, cat):
        room = open_room(ann, cat)
        path = path_in(room)
        with cat.holding():
            assert upload(cat, path), "Cat is a member when Storage asks"
            ann.call("remove_member", room_id=room, user_id=cat.id)
        assert owner.execute("select from storage.objects where name = %s", [path]).rowcount == 1
        assert not reads(cat, path) and not reads(ann, path)
        assert send(cat, room, path).slug == "room_not_found"
        assert not upload(cat, path_in(room)), "a later upload is refused"
        ann.call("add_member", room_id=room, user_id=cat.id)
        assert reads(cat, path), "the same file is read by a member"
        assert send(cat, room, path).done


def test_a_send_that_waits_for_a_removal_holds_no_file(database: str, owner: Owner) -> None:
    with people(database, "Ann", "Cat") as (ann, cat):
        room = open_room(ann, cat)
        path = path_in(room)
        assert upload(cat, path)
        outcome = overlap(
            owner,
            ann,
            lambda: ann.call("remove_member", room_id=room, user_id=cat.id),
            cat,
            lambda: send(cat, room, path),
        )
        assert outcome.slug == "room_not_found"
        assert owner.execute("select from chat.attachments").rowcount == 0


def test_a_file_is_either_sent_or_given_up(database: str, owner: Owner) -> None:
    give_up = "select chat_private.queue_orphans(1000) from generate_series(1, 2)"
    with people(database, "Ann") as (ann,), psycopg.connect(database) as maintenance:
        room = open_room(ann)

        def old_file() -> str:
            path = path_in(room)
            assert upload(ann, path)
            owner.execute(
                "update storage.objects set created_at = now() - interval '2 days' where name = %s",
                [path],
            )
            return path

        # Given up first: the send waits for the room, and finds nothing to send.
        path = old_file()
        owners = Person(database, "Ann")
        with owners:
            owners.connection.execute("reset role")
            outcome = overlap(
                owner,
                owners,
                lambda: owners.connection.execute(give_up),
                ann,
                lambda: send(ann, room, path),
            )
        assert outcome.slug == "file_not_found"
        # Sent first: maintenance leaves the room alone, and later finds the file held.
        path = old_file()
        with ann.holding():
            assert send(ann, room, path).done
            given_up = maintenance.execute(give_up).fetchall()
            maintenance.commit()
            assert given_up == [(0,), (0,)]
        assert maintenance.execute(give_up).fetchall() == [(0,), (0,)]
        # Neither: it is given up.
        path = old_file()
        assert (1,) in maintenance.execute(give_up).fetchall()


def test_two_workers_never_get_the_same_file(database: str, owner: Owner) -> None:
    owner.execute(
        "insert into chat_private.file_queue (bucket_id, path)"
        " select 'chat-attachments', n::text from generate_series(1, 200) as n"
    )

    def claim() -> list[str]:
        with psycopg.connect(database, autocommit=True) as worker:
            claim = "select path from chat.claim_files(120)"
            return [path for (path,) in worker.execute(claim).fetchall()]

    first, second = at_once(claim, claim)
    assert len(first) + len(second) == len({*first, *second}) == 200

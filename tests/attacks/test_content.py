"""What one member writes so that clients of others break, or the database works for nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from bench.meter import processor_ms
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.people import Outcome, Person, people

RUNS = 5
WORK_MS = 50
"""More than a refusal takes on a slow machine, less than any look at megabytes."""


@pytest.fixture
def ann_and_bob(database: str) -> Iterator[tuple[Person, Person, UUID]]:
    """Ann, Bob, and a room of theirs in which Ann said something."""
    with people(database, "Ann", "Bob") as (ann, bob):
        room = ann.call("create_room", name="Room", member_ids=[bob.id])["id"]
        ann.call("send_message", room_id=room, body="Hello", client_id=uuid4())
        yield ann, bob, room


def nested(depth: int) -> str:
    """An attachment in a list, which are two levels of ``depth``."""
    return '[{"a": ' + "[" * (depth - 2) + "]" * (depth - 2) + "}]"


def values(count: int) -> str:
    """One attachment with so many values."""
    return json.dumps([{"a": list(range(count))}])


POISON = {
    "nested 17 deep": (nested(17), nested(16)),
    "nested 120 deep": (nested(120), nested(16)),
    "nested 1,000 deep": (nested(1000), nested(16)),
    "201 values": (values(201), values(200)),
    "4,000 values": (values(4000), values(200)),
    "a number of 21 digits": ('[{"n": 123456789012345678901}]', '[{"n": 12345678901234567890}]'),
    "a number of 16,001 digits": ('[{"n": 1e16000}]', '[{"n": 1e19}]'),
    "a number of 131,072 digits": ('[{"n": -9e131071}]', '[{"n": -9e19}]'),
    "a fraction of 16,000 digits": ('[{"n": 1e-16000}]', '[{"n": 1e-19}]'),
    "a key of 65 characters": (json.dumps([{"k" * 65: 1}]), json.dumps([{"k" * 64: 1}])),
}


@pytest.mark.parametrize(("poison", "sound"), POISON.values(), ids=POISON)
def test_no_attachment_breaks_a_reader(
    ann_and_bob: tuple[Person, Person, UUID], poison: str, sound: str
) -> None:
    ann, bob, room = ann_and_bob

    def send(attachments: str) -> Outcome:
        query = "select m.* from chat.send_message(%s, 'x', %s, attachments => %s::jsonb) as m"
        try:
            return Outcome(
                bob.connection.execute(query, [room, uuid4(), attachments]).fetchone() or {}
            )
        except psycopg.Error as error:
            return Outcome({}, error.diag.message_primary)

    def send_in_batch(attachments: str) -> dict[str, Any]:
        item = '{"room_id": "%s", "client_id": "%s", "body": "x", "attachments": %s}'
        items = "[" + item % (room, uuid4(), attachments) + "]"
        query = "select o.* from chat.send_messages(%s::jsonb) as o"
        return bob.connection.execute(query, [items]).fetchone() or {}

    assert send(poison).slug == "invalid_input"
    assert send_in_batch(poison)["reason"] == "invalid_input"
    assert send(sound).done
    assert send_in_batch(sound)["outcome"] == "sent"
    pulled = ann.connection.execute(
        "select chat.pull_changes(%s)::text as answer", [Jsonb({"rooms": {str(room): 1}})]
    ).fetchone()
    assert pulled is not None
    found = json.loads(pulled["answer"])["rooms"][0]["rows"]["messages"]
    assert sum(message["attachments"] != [] for message in found) == 2


SPACES = sql.SQL("repeat(repeat(' ', 1000), 30000)")
LETTERS = sql.SQL("repeat(repeat('x', 1000), 30000)")
MARKS = sql.SQL("repeat(repeat(U&'\\0301', 1000), 15000)")
NOTHING = sql.SQL("repeat(repeat(U&'\\2800', 1000), 10000)")
SHORT = sql.SQL("'x'")

ENDLESS: dict[str, tuple[LiteralString, sql.SQL, str]] = {
    "a body": ("send_message({room}, {text}, gen_random_uuid())", SPACES, "message_too_long"),
    "an edit": ("edit_message({room}, 1, {text})", NOTHING, "message_too_long"),
    "an emoji": ("add_reaction({room}, 1, {text})", LETTERS, "invalid_input"),
    "an emoji taken back": ("remove_reaction({room}, 1, {text})", LETTERS, "invalid_input"),
    "a name": ("create_room({text})", MARKS, "invalid_input"),
    "a topic": ("update_room({room}, topic => {text})", LETTERS, "invalid_input"),
    "a display name": ("update_profile({text})", SPACES, "invalid_input"),
    "a device": ("mark_delivered('{{}}', {text})", LETTERS, "invalid_input"),
    "a token": ("accept_invite({text})", LETTERS, "invite_not_found"),
    "a search": ("search_messages({text})", SPACES, "invalid_input"),
    "a reason": ("ban_member({room}, {bob}, reason => {text})", LETTERS, "invalid_input"),
}


def spent_ms(person: Person) -> float:
    """Return the processor time that the server spent on somebody; without Linux, a clock."""
    if sys.platform != "linux":
        return time.perf_counter() * 1000
    return processor_ms(person.connection.info.backend_pid)


def cheapest(person: Person, call: Callable[[], object]) -> float:
    """Return what the cheapest of some calls took, in milliseconds."""
    costs = []
    for _ in range(RUNS):
        before = spent_ms(person)
        call()
        costs.append(spent_ms(person) - before)
    return min(costs)


@pytest.mark.parametrize("case", ENDLESS)
def test_a_text_without_end_is_refused_before_it_is_looked_at(
    ann_and_bob: tuple[Person, Person, UUID], case: str
) -> None:
    ann, bob, room = ann_and_bob
    call, endless, slug = ENDLESS[case]

    def slug_with(text: sql.SQL) -> str | None:
        query = sql.SQL("select chat." + call).format(
            room=sql.Literal(room), bob=sql.Literal(bob.id), text=text
        )
        try:
            ann.connection.execute(query)
        except psycopg.Error as error:
            return error.diag.message_primary
        return None

    arriving = cheapest(
        ann, lambda: ann.connection.execute(sql.SQL("select octet_length({})").format(endless))
    )
    assert cheapest(ann, lambda: slug_with(endless)) < 2 * arriving + WORK_MS
    assert slug_with(endless) == slug
    assert slug_with(SHORT) == ("invite_not_found" if case == "a token" else None)


def test_a_topic_without_end_is_malformed_at_once(
    ann_and_bob: tuple[Person, Person, UUID],
) -> None:
    ann, *_ = ann_and_bob
    explain = sql.SQL("select (chat.explain_access('user:' || {})).reason")

    def reason_of(topic: sql.Composable) -> object:
        answer = ann.connection.execute(explain.format(topic)).fetchone()
        assert answer is not None
        return answer["reason"]

    arriving = cheapest(
        ann, lambda: ann.connection.execute(sql.SQL("select octet_length({})").format(LETTERS))
    )
    assert cheapest(ann, lambda: reason_of(LETTERS)) < 2 * arriving + WORK_MS
    assert reason_of(LETTERS) == "topic_malformed"
    assert reason_of(sql.Literal(f"{ann.id}:1")) == "allowed"


def test_twenty_thousand_rooms_are_not_even_counted(
    ann_and_bob: tuple[Person, Person, UUID],
) -> None:
    ann, _, room = ann_and_bob
    many = Jsonb({str(uuid4()): 1 for _ in range(20_000)})
    assert ann.attempt("mark_delivered", cursors=many).slug == "payload_too_large"
    fifty = Jsonb({str(uuid4()): 1 for _ in range(49)} | {str(room): 1})
    assert ann.call("mark_delivered", cursors=fifty)["delivered_seq"] == 1


def test_numbers_of_any_length_are_compared_and_not_written_out(
    ann_and_bob: tuple[Person, Person, UUID],
) -> None:
    ann, _, room = ann_and_bob
    rooms = [str(uuid4()) for _ in range(400)]
    cursors = "{" + ", ".join(f'"{each}": 1e131071' for each in rooms) + "}"
    query = "select k.* from chat.mark_delivered(%s::jsonb) as k"
    before = spent_ms(ann)
    with pytest.raises(psycopg.Error) as refusal:
        ann.connection.execute(query, [cursors])
    assert refusal.value.diag.message_primary == "payload_too_large"
    assert spent_ms(ann) - before < 1000
    marked = ann.connection.execute(query, [f'{{"{room}": 1e30}}']).fetchone()
    assert marked is not None and marked["delivered_seq"] == 1

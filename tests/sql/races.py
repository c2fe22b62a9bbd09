"""How a race is run: a play that is repeated until it has gone every way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.people import Outcome, Person

Owner = psycopg.Connection[Any]
Play = Callable[[], Hashable]
ROUNDS = 30
MOST_ROUNDS = 600


def open_room(creator: Person, *members: Person, role: str = "member") -> UUID:
    room: UUID = creator.call(
        "create_room", name="Room", member_ids=[member.id for member in members]
    )["id"]
    if role != "member":
        for member in members:
            creator.call("set_member_role", room_id=room, user_id=member.id, role=role)
    return room


def say(person: Person, room: UUID, body: str = "x") -> Outcome:
    return person.attempt("send_message", room_id=room, body=body, client_id=uuid4())


def send_batch(person: Person, *rooms: UUID) -> list[str | None]:
    """Send one message to each room in one call; return the reason of each refusal."""
    items = [{"room_id": str(room), "client_id": str(uuid4()), "body": "x"} for room in rooms]
    return [row["reason"] for row in person.rows("send_messages", items=Jsonb(items))]


def repeat(play: Play, *ways: Hashable) -> None:
    """Play a race ROUNDS times, and on until it has gone each of the ways."""
    results: Counter[Hashable] = Counter()
    while results.total() < ROUNDS or not results.keys() >= set(ways):
        results[play()] += 1
        assert results.keys() <= set(ways), f"it went {results}"
        assert results.total() < MOST_ROUNDS, f"it only went {results}"

"""What a copy makes of steps and answers: the same in every client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.errors import AnswerRefused
from parley.sync.checksum import checksum
from parley.sync.cursor import CopyCursor
from parley.sync.outbox import Outbox
from parley.sync.reads import Reads
from parley.sync.steps import Answer, Step
from parley.sync.store import Store
from tests.vectors import copies

CASES = copies()
ROOM, ANN = CASES["names"]["$room"], CASES["names"]["$ann"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty copy of Ann's."""
    store = Store(tmp_path / "ann.db")
    store.bind("http://here", ANN)
    yield store
    store.close()


def take(store: Store, event: dict[str, Any]) -> str:
    """Do what an event says, and return what comes of it."""
    cursor = store.cursor()
    if "step" in event:
        step = Step.read(event["step"])
        assert step is not None
        if store.apply_step(step) is not None:
            return "applied"
        have = cursor.user if step.room_id is None else cursor.rooms.get(step.room_id)
        return "ignored" if have is not None and step.to <= have else "pull"
    if "asked" in event:
        asked = event["asked"]
        cursor = CopyCursor(cursor.timeline, asked["user"], asked["rooms"], asked.get("first", {}))
    try:
        answer = Answer.read(event["answer"])
        store.apply_answer(cursor, answer)
    except AnswerRefused:
        return "refused"
    return "taken"


def held(store: Store) -> dict[str, Any] | None:
    """What there is of the room."""
    there = store.held(ROOM)
    if there is None:
        return None
    reads = Reads(store, Outbox(store))
    messages = reads.messages(ROOM)
    return {
        "rev": there.rev,
        "first_seq": there.first_seq,
        "checksum": list(checksum(there.messages)),
        "unread": reads.unread(ROOM),
        "mentions": reads.mentions(ROOM),
        "messages": [
            [each.seq, None if each.deleted_at else each.body, each.state] for each in messages
        ],
        "reactions": [
            [each.seq, emoji, [str(person) for person in people]]
            for each in messages
            for emoji, people in sorted(each.reactions.items())
        ],
        "found": [each.seq for each in reads.search("hello", ROOM)],
        "pinned": [each.seq for each in messages if each.is_pinned],
    }


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: str(case["says"]))
def test_a_copy_makes_of_it_what_the_vector_says(store: Store, case: dict[str, Any]) -> None:
    for event in case["events"]:
        assert take(store, event) == event["outcome"]
    assert store.cursor().user == case["user"]
    assert held(store) == case["room"]

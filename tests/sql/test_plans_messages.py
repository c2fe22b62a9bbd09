"""What the planner does with a million messages in one room: everything stays a look-up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from parley.stack import Status
from tests.conftest import cloned
from tests.sql.test_plans import HALL, Plans, rows_read, watched

LONG_ROOM = Path(__file__).with_name("long_room.sql").read_text()
MIDDLE = 500_000

# What is called, and how many rows no single scan may look at more than.
CALLS: dict[str, tuple[str, int]] = {
    "newest page": (f"select chat.list_messages({HALL})", 60),
    "page before": (f"select chat.list_messages({HALL}, before => {MIDDLE})", 60),
    "page after": (f"select chat.list_messages({HALL}, after => {MIDDLE})", 60),
    "page around": (f"select chat.list_messages({HALL}, around => {MIDDLE})", 60),
    "thread": (f"select chat.list_thread({HALL}, 4)", 60),
    "thread after": (f"select chat.list_thread({HALL}, 4, after => {MIDDLE})", 60),
    "inbox": ("select chat.list_rooms()", 1000),
    "heads": ("select chat.list_heads()", 1000),
    "search in the room": (f"select chat.search_messages('needle', {HALL})", 60),
    "search everywhere": ("select chat.search_messages('needle')", 1000),
    "search while typing": (f"select chat.search_messages('message need', {HALL})", 60),
    "receipts": (f"select chat.list_receipts({HALL}, {MIDDLE})", 5001),
    "receipts of one person": (
        "select * from chat.message_receipts"
        f" where room_id = {HALL} and seq = {MIDDLE} and user_id = tests.id_of('P4000')",
        20,
    ),
    "mark": (f"select chat.mark_read({HALL}, {MIDDLE})", 20),
    "send": (f"select chat.send_message({HALL}, 'x', gen_random_uuid())", 20),
    "reply": (f"select chat.send_message({HALL}, 'x', gen_random_uuid(), {MIDDLE})", 20),
    "edit": (
        f"select chat.edit_message({HALL}, (chat.send_message({HALL}, 'x', gen_random_uuid())).seq,"
        " 'y')",
        20,
    ),
    "delete": (f"select chat.delete_message({HALL}, {MIDDLE})", 20),
    "page through the policies": (
        f"select * from chat.messages where room_id = {HALL} and seq < {MIDDLE}"
        " order by seq desc limit 50",
        60,
    ),
}

# Each index (or those that stand in for each other), and what falls back without it.
INDEXES: dict[LiteralString, list[str]] = {
    "alter table chat.messages drop constraint messages_pkey cascade": [
        "newest page",
        "page before",
        "page after",
        "page around",
    ],
    "alter table chat.rooms drop constraint rooms_pkey cascade": ["inbox", "heads"],
    "drop index chat.messages_by_thread": ["thread", "thread after"],
    "drop index chat.messages_by_rev": ["send"],
    "drop index chat_private.message_search_by_word": ["search in the room", "search while typing"],
    "alter table chat_private.sends drop constraint sends_pkey": ["send"],
    "drop index chat.receipts_by_user; alter table chat.receipts drop constraint receipts_pkey": [
        "receipts",
        "receipts of one person",
    ],
}


@pytest.fixture(scope="module")
def long_room(stack: Status) -> Iterator[Plans]:
    """Ann's plans in a room of a million messages; whatever they are asked is rolled back."""
    with cloned(stack, "parley_long_room") as url, watched(url, stack) as plans:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(LONG_ROOM.encode())
            # What an index of words costs is known from the last vacuum, whenever that was.
            owner.execute("vacuum chat_private.message_search")
        yield plans


def offences(plans: Plans, what: str) -> list[str]:
    """Return the scans of a call that look at too much or read a table whole."""
    statement, most = CALLS[what]
    return [
        f"{what}: {scan['Node Type']} on {scan['Relation Name']}, {rows_read(scan):.0f} rows"
        for scan in plans.run(statement)
        if rows_read(scan) > most or scan["Node Type"] == "Seq Scan"
    ]


def test_messages_are_looked_up_in_a_room_of_a_million(long_room: Plans) -> None:
    offenders = [offence for what in CALLS for offence in offences(long_room, what)]
    assert not offenders, "\n".join(dict.fromkeys(offenders))


def test_a_missing_index_is_noticed(long_room: Plans) -> None:
    connection = long_room.connection
    for drop, calls in INDEXES.items():
        with connection.transaction(force_rollback=True):
            connection.execute("set local role none")
            connection.execute(drop)
            connection.execute("set local role authenticated")
            for what in calls:
                assert offences(long_room, what), f"{what} is the same after: {drop}"

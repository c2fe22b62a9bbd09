"""What the planner does with many messages in one room: everything stays a look-up.

They are 200,000, and a million with ``--chaos``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from parley.stack import Status
from tests.conftest import cloned
from tests.sql.test_plans import HALL, MODES, TENANT, Plans, rows_read, watched

pytestmark = pytest.mark.lasts(50)

LONG_ROOM = Path(__file__).with_name("long_room.sql").read_text()
SIZE, LONG_SIZE = 200_000, 1_000_000
MIDDLE = 100_000

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
    # Of a room, 512 blocks at a time. Everywhere: the thousand rooms that Ann is in, and the newest
    # ten messages of 512 of them.
    "search in the room": (f"select chat.search_messages('needle', {HALL})", 512),
    "search everywhere": ("select chat.search_messages('needle')", 5120),
    "search while typing": (f"select chat.search_messages('message need', {HALL})", 512),
    "search for what is common": (f"select chat.search_messages('message', {HALL})", 40),
    "next page of a search": (
        "select chat.search_messages('message', before => to_jsonb(m)) from chat.messages as m"
        f" where m.room_id = {HALL} and m.seq = {MIDDLE}",
        5120,
    ),
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
    # It makes the block of the message anew.
    "delete": (f"select chat.delete_message({HALL}, {MIDDLE})", 256),
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
    "alter table chat_private.search_blocks drop constraint search_blocks_pkey": [
        "search in the room",
        "search while typing",
        "search everywhere",
    ],
    "drop index chat.messages_by_client_id": ["send"],
    "drop index chat.receipts_by_user; alter table chat.receipts drop constraint receipts_pkey": [
        "receipts",
        "receipts of one person",
    ],
}


@pytest.fixture(scope="module")
def long_room(stack: Status, pytestconfig: pytest.Config) -> Iterator[Plans]:
    """Ann's plans in a room of many messages; whatever they are asked is rolled back."""
    size = LONG_SIZE if pytestconfig.getoption("chaos") else SIZE
    with cloned(stack, "parley_long_room") as url, watched(url, stack) as plans:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("select set_config('tests.room_size', %s, false)", [str(size)])
            owner.execute(LONG_ROOM.encode())
        yield plans


def offences(plans: Plans, what: str, modes: Sequence[str] = MODES) -> list[str]:
    """Return the scans of a call that look at too much or read a table whole."""
    statement, most = CALLS[what]
    return [
        f"{what}: {scan['Node Type']} on {scan['Relation Name']}, {rows_read(scan):.0f} rows"
        for scan in plans.run(statement, modes)
        if rows_read(scan) > most or scan["Node Type"] == "Seq Scan"
    ]


def test_messages_are_looked_up_in_a_long_room(long_room: Plans) -> None:
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
                # What falls back is slow; one mode shows it.
                assert offences(long_room, what, MODES[:1]), f"{what} is the same after: {drop}"


# Ten thousand more.
MORE = f"""
insert into chat.messages (room_id, seq, rev, sender_id, client_id, body)
select r.id, r.last_seq + s, r.rev + s, tests.id_of('P1'), gen_random_uuid(), 'one more'
from chat.rooms as r, generate_series(1, 10000) as s
where r.id = {HALL};
update chat.rooms set rev = rev + 10000, last_seq = last_seq + 10000, touched = '{{}}'
where id = {HALL};
"""
NUMBERS = f"select chat.tenant_stats({TENANT})"
COUNT = f"select count(*) from chat.messages where room_id = {HALL} and seq > {SIZE - 10_000}"


def blocks_read(connection: psycopg.Connection[Any], statement: str) -> int:
    """Return how many blocks a statement and what it calls need: the fewest of several runs.

    A run reads more of the catalog where somebody has just made its plan or its cache worthless.
    """
    explain = f"explain (analyze, buffers, timing off, format json) {statement}"
    plans = [
        plan["Plan"]
        for _ in range(5)
        for [[plan]] in connection.execute(explain.encode()).fetchall()
    ]
    return int(min(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans))


def test_the_numbers_of_a_tenant_cost_the_same_whatever_is_said_in_it(long_room: Plans) -> None:
    connection = long_room.connection
    with connection.transaction(force_rollback=True):
        connection.execute("set local role none")
        connection.execute("update chat.tenant_members set role = 'owner'")
        scans = long_room.run(NUMBERS)
        read = {scan["Relation Name"] for scan in scans}
        assert read == {"rooms", "tenant_members", "reports", "profiles"}
        before, counted = (blocks_read(connection, each) for each in (NUMBERS, COUNT))
        connection.execute(MORE.encode())
        # (The head of the room is another version of its row.)
        assert blocks_read(connection, NUMBERS) <= before + 5
        assert blocks_read(connection, COUNT) > counted + 50, "counting them would be noticed"

"""How fast a copy is: applied rows, local reads, and catching up through the whole stack."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from parley.client import Chat
from parley.stack import Status
from parley.sync.cursor import CopyCursor
from parley.sync.outbox import Outbox
from parley.sync.reads import Reads
from parley.sync.steps import Answer
from parley.sync.store import Store
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.sync_attacker import Attacker
from tests.e2e.sync_people import PASSWORD, chatting, sign_up
from tests.unit.sync_fakes import ME, membership, message

pytestmark = pytest.mark.long

ROOMS = 50
MISSED = 10_000
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "and",
    "so",
    "on",
    "ok",
]


def fill(store: Store, rooms: int, each: int) -> float:
    """Apply rooms of messages; returns seconds."""
    names = [str(uuid4()) for _ in range(rooms)]
    answer = Answer.read(
        {
            "timeline": "t",
            "user": {
                "from": None,
                "to": 1,
                "rows": {"memberships": [{**membership(1), "room_id": name} for name in names]},
                "dropped_rooms": [],
            },
            "rooms": [
                {
                    "room_id": name,
                    "from": None,
                    "to": each,
                    "reset": False,
                    "rows": {
                        "messages": [
                            {
                                **message(seq, seq, f"n{seq} {' '.join(WORDS)}"),
                                "room_id": name,
                                "id": str(uuid4()),
                                "mentions": [],
                                "attachments": [],
                            }
                            for seq in range(1, each + 1)
                        ]
                    },
                }
                for name in names
            ],
            "profiles": [],
            "more": False,
        }
    )
    store.bind("http://here", ME)
    began = time.perf_counter()
    store.apply_answer(CopyCursor(None, None, dict.fromkeys(names)), answer)
    return time.perf_counter() - began


def test_rows_are_applied_fast_and_read_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "copy.db")
    seconds = fill(store, ROOMS, 2000)
    sys.stdout.write(f"applied {100_000 / seconds:.0f} rows/s\n")
    assert 100_000 / seconds >= 20_000, f"{100_000 / seconds:.0f} rows/s"
    reads = Reads(store, Outbox(store))
    room_id = str(reads.rooms(page_size=1)[0].id)
    calls: dict[str, Callable[[], object]] = {
        "messages": lambda: reads.messages(room_id, before=1000),
        "unread": lambda: reads.unread(room_id),
        "search": lambda: reads.search("quick n1234"),
        "a room": lambda: reads.room(room_id),
    }
    for name, read in calls.items():
        read()
        times = []
        for _ in range(9):
            began = time.perf_counter()
            read()
            times.append(time.perf_counter() - began)
        sys.stdout.write(f"{name} of 100,000: {sorted(times)[4] * 1000:.1f} ms\n")
        assert sorted(times)[4] < 0.005, f"{name}: {sorted(times)[4] * 1000:.1f} ms"
    store.close()


async def test_ten_thousand_missed_changes_are_caught_up_with_quickly(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await sign_up(stack, "Ann"), await sign_up(stack, "Bob")
    async with chatting(stack, bob, tmp_path / "bob.db", live=False, acknowledge=False) as bobs:
        with psycopg.connect(stack.db_url) as connection:
            connection.execute(
                "select set_config('request.jwt.claims', %s, true),"
                " set_config('role', 'authenticated', true)",
                [json.dumps({"sub": ann.user_id, "role": "authenticated"})],
            )
            connection.execute(
                "select r.id from generate_series(1, %s) as n,"
                " lateral chat.create_room(n || '. room', member_ids => array[%s]::uuid[]) as r",
                [ROOMS, bob.user_id],
            )
        await bobs.sync()
        assert len(bobs.rooms(page_size=100)) == ROOMS
        with psycopg.connect(stack.db_url) as connection:
            # What one person may send in a burst is less.
            connection.execute("update chat_private.settings set send_burst = 1000000")
        try:
            with psycopg.connect(stack.db_url, autocommit=True) as connection:
                connection.execute(
                    "select set_config('request.jwt.claims', %s, false),"
                    " set_config('role', 'authenticated', false)",
                    [json.dumps({"sub": ann.user_id, "role": "authenticated"})],
                )
                for _ in range(MISSED // ROOMS // 100):
                    connection.execute(
                        "select count(*) from chat.room_members as m,"
                        " lateral chat.send_messages((select jsonb_agg(jsonb_build_object("
                        "  'room_id', m.room_id, 'client_id', gen_random_uuid(),"
                        "  'body', 'missed ' || n)) from generate_series(1, 100) as n)) as o"
                        " where m.user_id = %s and m.left_at is null",
                        [ann.user_id],
                    )
        finally:
            with psycopg.connect(stack.db_url) as connection:
                connection.execute("update chat_private.settings set send_burst = default")
        began = time.perf_counter()
        await bobs.sync()
        seconds = time.perf_counter() - began
        count = bobs.database.one("select count(*) from messages where body like 'missed%'")[0]
        assert count == MISSED
        sys.stdout.write(f"caught up with {MISSED} changes: {seconds:.2f} s\n")
        assert seconds < 1.5, f"{seconds:.2f} s"


def processor_s(stack: Status) -> float:
    """Return the processor time that the parts of a stack and their children have taken."""
    parts = {part.pid for part in stack.parts.values()}
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) in parts or int(fields[1]) in parts:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def attack(stack: Status, attacker: str, victim: str, rooms: list[str]) -> None:
    """Let somebody send as much at once as the limits of a busy server let through."""
    with psycopg.connect(stack.db_url) as connection:
        connection.execute(
            "update chat_private.settings set send_burst = 200000, sends_per_second = 10000"
        )
    try:
        await Attacker(stack.db_url, attacker, [victim], rooms, random.Random(1)).burst()
    finally:
        with psycopg.connect(stack.db_url) as connection:
            connection.execute(
                "update chat_private.settings set send_burst = default, sends_per_second = default"
            )


async def test_a_member_who_was_away_during_an_attack_catches_up_quickly(
    stack: Status, tmp_path: Path
) -> None:
    mal, bob = await sign_up(stack, "Mal"), await sign_up(stack, "Bob")
    with psycopg.connect(stack.db_url) as connection:
        connection.execute(
            "select set_config('request.jwt.claims', %s, true),"
            " set_config('role', 'authenticated', true)",
            [json.dumps({"sub": mal.user_id, "role": "authenticated"})],
        )
        rooms = connection.execute(
            "select r.id::text from generate_series(1, 5) as n,"
            " lateral chat.create_room(n || '. room', member_ids => array[%s]::uuid[]) as r",
            [bob.user_id],
        ).fetchall()
    async with FaultProxy(stack.api_url, 1).serving() as proxy:
        options = (proxy.url, stack.publishable_key, tmp_path / "bob.db")
        async with Chat(*options, live=False) as chat:
            await chat.sign_in(bob.email, PASSWORD)
            await chat.sync()
        await attack(stack, mal.user_id, bob.user_id, [row[0] for row in rooms])
        proxy.requests.clear()
        servers, here, began = processor_s(stack), time.process_time(), time.perf_counter()
        async with Chat(*options, live=False) as chat:
            await chat.sync()
            seconds = time.perf_counter() - began
            here, servers = time.process_time() - here, processor_s(stack) - servers
            large = chat.database.one("select count(*), sum(length(row)) from messages")
        sys.stdout.write(
            f"caught up with {large[0]} messages of {large[1] >> 10} K characters: {seconds:.2f} s;"
            f" processor time here {here:.2f} s, of the servers {servers:.2f} s;"
            f" requests {dict(proxy.requests)}\n"
        )
        assert large[0] > 100
        # Of the five seconds there are, the rest is for others who catch up at the same time.
        assert here + servers < 2.5
        assert proxy.requests["pull_changes"] <= 10

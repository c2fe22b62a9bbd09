"""How long the first login of somebody with a thousand rooms takes, through the whole stack."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import psycopg
import pytest

from parley.client import Chat
from parley.stack import Status
from tests.e2e.sync_people import PASSWORD, sign_up

pytestmark = pytest.mark.long

ROOMS = 1_000
SAID = 20
BATCH_ROOMS = 10


def fill_rooms(db_url: str, owner: str, member: str) -> None:
    """Make the rooms, and say something in all of them."""
    with psycopg.connect(db_url) as connection:
        connection.execute("update chat_private.settings set send_burst = 1000000")
    with psycopg.connect(db_url, autocommit=True) as connection:
        connection.execute(
            "select set_config('request.jwt.claims', %s, false),"
            " set_config('role', 'authenticated', false)",
            [json.dumps({"sub": owner, "role": "authenticated"})],
        )
        made = connection.execute(
            "select r.id::text from generate_series(1, %s) as n,"
            " lateral chat.create_room(n || '. room', member_ids => array[%s]::uuid[]) as r",
            [ROOMS, member],
        ).fetchall()
        rooms = [row[0] for row in made]
        for at in range(0, ROOMS, BATCH_ROOMS):
            connection.execute(
                "select count(*) from chat.send_messages((select jsonb_agg(jsonb_build_object("
                "  'room_id', room_id, 'client_id', gen_random_uuid(), 'body', 'said ' || n))"
                " from unnest(%s::text[]) as room_id, generate_series(1, %s) as n))",
                [rooms[at : at + BATCH_ROOMS], SAID],
            )
    with psycopg.connect(db_url) as connection:
        connection.execute("update chat_private.settings set send_burst = default")


async def test_a_first_login_with_a_thousand_rooms_takes_less_than_five_seconds(
    stack: Status, tmp_path: Path
) -> None:
    ann, bob = await sign_up(stack, "Ann"), await sign_up(stack, "Bob")
    fill_rooms(stack.db_url, ann.user_id, bob.user_id)
    seen: set[tuple[int, int]] = set()
    async with Chat(stack.api_url, stack.publishable_key, tmp_path / "bob.db") as chat:

        async def watch() -> None:
            async for _ in chat.changes():
                seen.add(chat.progress())

        watching = asyncio.create_task(watch())
        began = time.perf_counter()
        await chat.sign_in(bob.email, PASSWORD)
        await chat.sync()
        seconds = time.perf_counter() - began
        watching.cancel()
        assert chat.progress() == (ROOMS, ROOMS)
        assert len(chat.rooms(page_size=2 * ROOMS)) == ROOMS
        messages = chat.database.one("select count(*) from messages")[0]
    sys.stdout.write(f"first login, {ROOMS} rooms, {messages} messages: {seconds:.2f} s\n")
    assert messages >= ROOMS * SAID
    # A bar has something to show on the way.
    assert len(seen) > 2
    assert seconds < 5, f"{seconds:.2f} s"

"""One member says as much as they may: others get everything, and what is small first."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest_asyncio

from parley.client import Chat
from parley.seeding.functions import fill_buckets
from parley.stack import Status
from tests.e2e.sync_people import Account, bodies, chatting, sign_up
from tests.until import until

MESSAGES = 1000
WITHIN_S = 60.0
SOON_S = 15.0
LONG = "😀" * 8000
PADDING = [{"p": "😀" * 3900}]
PULL_BYTES = 1_048_576


@contextmanager
def acting(stack: Status, account: Account) -> Iterator[psycopg.Connection[Any]]:
    """A connection that does what the API does for somebody."""
    claims = json.dumps({"sub": account.user_id, "role": "authenticated"})
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])
        connection.execute("set role authenticated")
        yield connection


def send(connection: psycopg.Connection[Any], room_id: UUID, *said: str, **more: Any) -> None:
    """Send messages as one batch."""
    items = [
        {"room_id": str(room_id), "client_id": str(uuid4()), "body": body, **more} for body in said
    ]
    rows = connection.execute("select outcome from chat.send_messages(%s)", [json.dumps(items)])
    assert [each for (each,) in rows] == ["sent"] * len(said)


@pytest_asyncio.fixture(loop_scope="session")
async def flooded(stack: Status, tmp_path: Path) -> AsyncIterator[tuple[Account, Path, list[UUID]]]:
    """Ann's file from before Bob said as much as he may in one room, and a word in another."""
    ann, bob = await sign_up(stack, "Ann"), await sign_up(stack, "Bob")
    with (
        acting(stack, bob) as connection,
        psycopg.connect(stack.db_url, autocommit=True) as later,
    ):
        rooms = [
            next(
                connection.execute(
                    "select (chat.create_room(%s, member_ids => array[%s::uuid])).id",
                    [name, ann.user_id],
                )
            )[0]
            for name in ("flood", "important")
        ]
        async with chatting(stack, ann, tmp_path / "ann.db", live=False) as chat:
            assert {each.id for each in chat.rooms()} == set(rooms)
        for _ in range(MESSAGES // 50):
            # What Bob pays for in minutes is said in a moment.
            fill_buckets(later, [UUID(bob.user_id)])
            send(connection, rooms[0], *[LONG] * 50, attachments=PADDING)
        fill_buckets(later, [UUID(bob.user_id)])
        send(connection, rooms[1], "please read me")
    yield ann, tmp_path / "ann.db", rooms


async def test_a_flood_in_one_room_holds_up_no_other(
    stack: Status, flooded: tuple[Account, Path, list[UUID]]
) -> None:
    _, path, (flood, important) = flooded
    async with Chat(stack.api_url, stack.publishable_key, path, live=False) as chat:
        await until(lambda: bodies(chat, important) == ["please read me"], SOON_S)
        assert len(bodies_here(chat, flood)) < MESSAGES, "it came after the flood"
        await until(lambda: len(bodies_here(chat, flood)) >= MESSAGES, WITHIN_S)
        assert await chat.verify() == []
        assert chat.unread(flood) == 100


async def test_a_new_device_starts_with_as_much_as_fits(
    stack: Status, flooded: tuple[Account, Path, list[UUID]], tmp_path: Path
) -> None:
    ann, _, (flood, important) = flooded
    async with chatting(stack, ann, tmp_path / "new.db", live=False) as chat:
        assert bodies(chat, important) == ["please read me"]
        shown = len(bodies_here(chat, flood))
        assert 1 <= shown <= PULL_BYTES / len(LONG.encode())
        assert chat.unread(flood) == 100
        assert await chat.older(flood) >= 1
        assert len(bodies_here(chat, flood)) > shown
        assert await chat.verify() == []


async def test_no_answer_is_longer_than_it_may_be(
    stack: Status, flooded: tuple[Account, Path, list[UUID]]
) -> None:
    ann, _, (flood, _) = flooded
    with acting(stack, ann) as connection:
        for call in (
            f'chat.pull_changes(\'{{"rooms": {{"{flood}": 1}}, "limit": 5000}}\')::text',
            f'chat.pull_changes(\'{{"rooms": {{"{flood}": null}}, "limit": 5000}}\')::text',
            f"(select json_agg(m) from chat.list_messages('{flood}', page_size => 200) as m)::text",
            f"(select json_agg(m) from chat.list_messages('{flood}', after => 0) as m)::text",
            f"(select json_agg(m) from chat.list_messages('{flood}', around => 500) as m)::text",
            "(select json_agg(l) from chat.list_rooms(page_size => 200) as l)::text",
        ):
            length = next(connection.execute(f"select octet_length({call})"))[0]
            assert 1000 < length <= PULL_BYTES, call


def bodies_here(chat: Chat, room_id: UUID) -> list[str]:
    """What was said in a room, as far as it is in the copy."""
    rows = chat.database.all("select body from messages where room_id = ?", (str(room_id),))
    return [row["body"] for row in rows if row["body"]]

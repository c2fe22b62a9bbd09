"""``scripts/demo``: what it shows, what it proves, and that it would notice."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID, uuid4

import psycopg
import pytest

from parley.demo.check import check_room, disorder, lowered_fanout_limit
from parley.demo.conversation import percentile
from parley.demo.person import Event, Person
from parley.events import RoomRows, RoomStep
from parley.models import MessagesRow
from parley.stack import Status
from parley.stack.control import remove
from parley.stack.lock import is_supervised
from tests.e2e.chat_people import signed_up

ANNOUNCE = {
    "small": "chat_private.tg_rooms__announce",
    "large": "chat_private.announce_to_topics",
}
# What keeps the removed out: they are not named as recipients, and the topics move on.
LEAKS = {
    "small": {
        "m.room_id = new.id and m.left_at is null": "m.room_id = new.id",
        "'user:' || m.user_id || ':' || stream.epoch": "'user:' || m.user_id || ':1'",
    },
    "large": {
        "'room:' || v_new.id || ':' || v_new.epoch": "'room:' || v_new.id || ':1'",
    },
}


async def run_demo(*arguments: str) -> asyncio.subprocess.Process:
    """Start the demo."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "parley.demo",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_check_passes_and_leaves_nothing_behind() -> None:
    demo = await run_demo("--check")
    said, words = (each.decode() for each in await demo.communicate())
    assert demo.returncode == 0, words
    assert re.search(r"p50 \d+ ms, p99 \d+ ms", said)
    assert "did not arrive" not in said
    assert said.index("A small room:") < said.index("A large room:")


async def test_the_demo_shows_a_conversation_and_stays_until_it_is_told_to_go(
    tmp_path: Path,
) -> None:
    home = tmp_path / "state"
    demo = await run_demo("--data", str(home), "--port", "0", "--db-port", "0")
    try:
        assert demo.stdout is not None
        lines: list[str] = []
        async with asyncio.timeout(60):
            while not any("Ctrl-C" in line for line in lines):
                line = (await demo.stdout.readline()).decode()
                assert line, "the demo ended by itself"
                lines.append(line)
        assert re.search(r"  Ann  .* \d+ ms\n", "".join(lines))
        assert re.search(r"Publishable key +sb_publishable_", "".join(lines))
        assert is_supervised(home)
        demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            assert await demo.wait() == 0
        assert not is_supervised(home)
    finally:
        if demo.returncode is None:
            demo.terminate()
            await demo.wait()
        await remove(home)


async def test_a_taken_port_is_a_sentence_and_a_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        demo = await run_demo("--data", str(tmp_path / "state"), "--port", port)
        said, words = (each.decode() for each in await demo.communicate())
    assert (demo.returncode, said) == (1, "")
    detail, hint = words.splitlines()[-2:]
    assert port in detail and "--port" in hint


async def test_the_check_takes_no_folder_of_somebody_elses(tmp_path: Path) -> None:
    demo = await run_demo("--check", "--data", str(tmp_path))
    _, words = (each.decode() for each in await demo.communicate())
    assert demo.returncode == 2
    assert "--check has a folder and ports of its own" in words


@asynccontextmanager
async def leaking(stack: Status, name: str, leaks: dict[str, str]) -> AsyncIterator[None]:
    """Announce steps with mistakes in the function of that name for a while."""
    async with await psycopg.AsyncConnection.connect(stack.db_url, autocommit=True) as connection:
        query = "select pg_get_functiondef(%s::regproc)"
        row = await (await connection.execute(query, (name,))).fetchone()
        assert row is not None
        right = wrong = str(row[0])
        for good, bad in leaks.items():
            assert good in wrong
            wrong = wrong.replace(good, bad)
        await connection.execute(wrong.encode())
        try:
            yield
        finally:
            await connection.execute(right.encode())


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("is_leaking", [False, True], ids=["as it is", "with a leak"])
async def test_the_check_notices_that_somebody_removed_still_hears(
    stack: Status, monkeypatch: pytest.MonkeyPatch, size: str, is_leaking: bool
) -> None:
    monkeypatch.setattr("parley.demo.check.PACED_MESSAGES", 4)
    async with signed_up(stack, "Ann", "Bob", "Cat") as people:
        persons = [Person(each.name, UUID(each.user_id), each.client) for each in people]
        for person in persons:
            await person.listen_to_self()
        async with leaking(stack, ANNOUNCE[size], LEAKS[size] if is_leaking else {}):
            if size == "large":
                async with lowered_fanout_limit(stack.db_url):
                    problems = await check(persons)
            else:
                problems = await check(persons)
    about_cat = [each for each in problems if each.startswith("Cat was removed")]
    assert bool(about_cat) is is_leaking
    assert bool(problems) is is_leaking


async def check(people: list[Person]) -> list[str]:
    """Look at a new room of three people; returns what is wrong."""
    ann, bob, cat = people
    return (await check_room(ann, bob, cat, "Lisbon in May", lambda _: None)).problems


ROOM = UUID("00000000-0000-4000-8000-000000000001")


def message(seq: int) -> MessagesRow:
    """A message of the room."""
    return MessagesRow(
        room_id=ROOM,
        seq=seq,
        id=uuid4(),
        sender_id=uuid4(),
        sender_label=None,
        client_id=uuid4(),
        kind="text",
        body="Olá",
        reply_to=None,
        thread_root=None,
        mentions=[],
        mention_all=False,
        attachments=[],
        metadata={},
        edited_at=None,
        deleted_at=None,
        created_at=dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
        rev=seq,
    )


def steps(*numbers: tuple[int, int, int]) -> list[Event]:
    """Steps of the room as (from, to, seq)."""
    made = [
        RoomStep(id=uuid4(), room_id=ROOM, from_=begin, to=end, rows=RoomRows(messages=(row,)))
        for begin, end, row in ((begin, end, message(seq)) for begin, end, seq in numbers)
    ]
    return [Event("user:bob:1", "changed", step.model_dump(mode="json"), 0.0) for step in made]


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        (steps((0, 1, 1), (1, 2, 2), (2, 3, 3)), ""),
        (steps((0, 1, 1), (1, 2, 2), (1, 2, 2), (2, 3, 3)), "twice"),
        (steps((0, 1, 1), (2, 3, 3)), "was at 1 and heard 2 to 3"),
        (steps((1, 2, 2), (0, 1, 1), (2, 3, 1)), "out of order"),
        (steps((0, 1, 1), (1, 2, 2)), "stands at 2, and the room at 3"),
        ([], "stands at None"),
    ],
)
def test_what_is_lost_repeated_or_out_of_order_is_said(heard: list[Event], wrong: str) -> None:
    person = cast(Person, SimpleNamespace(name="Bob", heard=heard))
    problems = disorder(person, ROOM, 3)
    assert (wrong in " ".join(problems)) if wrong else problems == []


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert percentile([7.0], 0.99) == 7.0

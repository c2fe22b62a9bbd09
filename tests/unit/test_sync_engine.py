"""The engine against a server whose every answer is known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley.sync.change import Change
from parley.sync.engine import Engine
from parley.sync.outbox import Outbox
from parley.sync.store import Store
from parley.sync.views import Views
from tests.unit.sync_fakes import BOB, ME, ROOM, FakeServer, message, step


class Device:
    """A store, its engine, and what it showed."""

    def __init__(self, path: Path, server: FakeServer) -> None:
        self.server = server
        self.store = Store(path)
        self.store.bind("http://here", ME)
        self.changes: list[Change] = []
        self.engine = Engine(self.store, server, self.changes.extend)
        self.views = Views(self.store.database, Outbox(self.store.database))

    @property
    def bodies(self) -> list[str]:
        """What is shown of the room."""
        return [each.body for each in self.views.messages(ROOM)]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    """A device of a room in which two things were said."""
    device = Device(tmp_path / "copy.db", FakeServer("one", "two"))
    yield device
    device.store.close()


async def test_a_first_sync_fetches_everything(device: Device) -> None:
    await device.engine.sync()
    assert device.bodies == ["one", "two"]
    assert device.store.cursor().rooms == {ROOM: 2}


async def test_a_step_that_joins_on_is_applied_without_asking(device: Device) -> None:
    await device.engine.sync()
    asked = len(device.server.cursors)
    device.engine.hear(device.server.say("three"))
    await device.engine.catch_up()
    assert device.bodies == ["one", "two", "three"]
    assert len(device.server.cursors) == asked


async def test_a_step_after_a_gap_is_pulled_and_never_applied(device: Device) -> None:
    await device.engine.sync()
    device.server.say("lost")
    device.engine.hear(device.server.say("four"))
    assert device.bodies == ["one", "two"]
    await device.engine.catch_up()
    assert device.bodies == ["one", "two", "lost", "four"]


async def test_a_step_without_rows_is_pulled(device: Device) -> None:
    await device.engine.sync()
    said = device.server.say("three")
    device.engine.hear({key: value for key, value in said.items() if key != "rows"})
    await device.engine.catch_up()
    assert device.bodies[-1] == "three"


async def test_repeated_and_reordered_steps_change_nothing(device: Device) -> None:
    await device.engine.sync()
    third, fourth = device.server.say("three"), device.server.say("four")
    for each in (third, fourth, third, fourth, third):
        device.engine.hear(each)
    shown = len(device.changes)
    await device.engine.catch_up()
    assert device.bodies == ["one", "two", "three", "four"]
    assert len(device.changes) == shown


async def test_it_pulls_until_the_snapshot_sees_what_was_told(device: Device) -> None:
    await device.engine.sync()
    device.server.say("lost")
    device.engine.hear(device.server.say("four"))
    device.server.hidden = 2
    pulling = asyncio.create_task(device.engine.catch_up())
    while len(device.server.cursors) < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert not pulling.done()
    device.server.hidden = 0
    await pulling
    assert device.bodies[-1] == "four"


async def test_an_older_snapshot_takes_nothing_back(device: Device) -> None:
    await device.engine.sync()
    device.engine.hear(device.server.say("three"))
    device.server.hidden = 1
    device.server.user_rev = 2
    await device.engine.sync()
    assert device.bodies == ["one", "two", "three"]
    assert device.store.cursor().rooms == {ROOM: 3}


async def test_numbers_nobody_reaches_are_forgotten(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.sync.engine.TOLD_MOST_S", 0.02)
    await device.engine.sync()
    device.engine.hear({"room_id": ROOM, "from": 90, "to": 99, "rows": {}})
    async with asyncio.timeout(5):
        await device.engine.catch_up()
    assert device.bodies == ["one", "two"]
    assert len(device.server.cursors) < 20


@pytest.mark.parametrize(
    "payload",
    [
        None,
        7,
        {"room_id": ROOM},
        {"room_id": ROOM, "from": "2", "to": 3, "rows": {}},
        {"room_id": ROOM, "from": 2, "to": 2, "rows": {}},
        {"room_id": ROOM, "from": True, "to": 3, "rows": {}},
        {"user_id": BOB, "from": 1, "to": 2, "rows": {"marks": []}},
    ],
)
async def test_what_is_not_a_step_of_ours_changes_nothing(device: Device, payload: object) -> None:
    await device.engine.sync()
    before = device.store.cursor()
    device.engine.hear(payload)
    await device.engine.catch_up()
    assert device.store.cursor() == before


async def test_another_timeline_is_fetched_anew(device: Device) -> None:
    await device.engine.sync()
    device.server.timeline = "second"
    device.server.messages = [message(1, 1, "other")]
    await device.engine.sync()
    assert device.bodies == ["other"]
    assert device.store.cursor().timeline == "second"


async def test_a_copy_above_the_head_is_fetched_anew_when_it_stays_above(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.engine.sync()
    device.server.messages.pop()
    await device.engine.sync()
    assert device.bodies == ["one", "two"]
    monkeypatch.setattr("parley.sync.engine.TOLD_MOST_S", 0.0)
    await device.engine.sync()
    assert device.bodies == ["one"]


async def test_a_room_nobody_told_us_of_makes_it_compare_heads(device: Device) -> None:
    await device.engine.sync()
    asked = device.server.heads_asked
    device.engine.hear({**step(1, 2), "room_id": "00000000-0000-4000-8000-000000000009"})
    await device.engine.catch_up()
    assert device.server.heads_asked == asked + 1

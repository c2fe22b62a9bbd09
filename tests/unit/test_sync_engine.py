"""The engine against a server whose every answer is known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley.errors import ParleyError
from parley.sync.change import Change
from parley.sync.engine import Engine
from parley.sync.outbox import Outbox
from parley.sync.reads import Reads
from parley.sync.replica import Least
from parley.sync.steps import HeadsByRoom
from parley.sync.store import Store
from tests.unit.sync_fakes import BOB, ME, ROOM, FakeServer, message, step
from tests.until import until
from tests.vectors import read


class Device:
    """A store, its engine, and what it showed."""

    def __init__(self, path: Path, server: FakeServer) -> None:
        self.server = server
        self.store = Store(path)
        self.store.bind("http://here", ME)
        self.changes: list[Change] = []
        self.engine = Engine(self.store, server, self.changes.extend)
        self.reads = Reads(self.store, Outbox(self.store))

    @property
    def bodies(self) -> list[str]:
        """What is shown of the room."""
        return [each.body for each in self.reads.messages(ROOM)]


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
    await until(lambda: len(device.server.cursors) >= 4)
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


@pytest.mark.parametrize("case", read("versions"), ids=lambda case: case["slug"] or "they fit")
async def test_a_client_and_a_server_that_do_not_fit_say_so_and_the_copy_stays(
    device: Device, case: dict[str, str]
) -> None:
    await device.engine.sync()
    fitting = device.server.version
    device.server.say("three")
    device.server.version = case["version"]
    device.server.lowest_client = case["lowest_client"]
    if case["slug"] is None:
        await device.engine.sync()
    else:
        with pytest.raises(ParleyError) as refusal:
            await device.engine.sync()
        assert refusal.value.slug == case["slug"]
        assert device.bodies == ["one", "two"]
        device.server.version = device.server.lowest_client = fitting
        await device.engine.sync()
    assert device.bodies == ["one", "two", "three"]


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


async def test_heads_may_come_from_a_replica_for_no_reason_but_the_time(device: Device) -> None:
    await device.engine.sync()
    assert device.server.leasts == [None]
    device.engine.glance()
    await device.engine.catch_up()
    assert device.server.leasts[1:] == [{None: 1, ROOM: 2}]
    for ask in (
        (device.engine.want_heads, device.engine.glance),
        (device.engine.glance, device.engine.want_heads),
    ):
        for each in ask:
            each()
        await device.engine.catch_up()
        assert device.server.leasts[-1] is None


async def test_what_a_call_of_ones_own_returned_is_known_before_it_is_pulled(
    device: Device,
) -> None:
    await device.engine.sync()
    device.server.say("three")
    device.engine.expect(ROOM, 3)
    device.engine.glance()
    await device.engine.catch_up()
    assert device.server.leasts[-1] == {None: 1, ROOM: 3}


async def test_who_syncs_while_heads_are_on_their_way_gets_newer_ones(device: Device) -> None:
    await device.engine.sync()
    arriving, asked = asyncio.Event(), asyncio.Event()
    answer = device.server.heads

    async def slow(timeline: str | None, least: Least | None) -> HeadsByRoom:
        heads = await answer(timeline, least)
        asked.set()
        await arriving.wait()
        return heads

    device.server.heads = slow  # type: ignore[method-assign]
    first = asyncio.create_task(device.engine.sync())
    await asked.wait()
    device.server.say("three")
    second = asyncio.create_task(device.engine.sync())
    await asyncio.sleep(0)
    arriving.set()
    await asyncio.gather(first, second)
    assert device.bodies == ["one", "two", "three"]

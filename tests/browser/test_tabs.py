"""Tabs of one account: one leads, and is replaced when it is closed, crashes or freezes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from parley.stack import Status
from tests.browser.chat_people import ChatTab, chat
from tests.browser.chromium import Device
from tests.e2e.sync_people import Account, sign_up

pytestmark = pytest.mark.lasts(30)

LEADS = "() => parley.status.is_leader"
FOLLOWS = "() => !parley.status.is_leader"


@dataclass
class Desk:
    """Two tabs of Ann on one device, and a room of hers. The first tab leads."""

    leader: ChatTab
    heir: ChatTab
    room_id: str


@pytest_asyncio.fixture
async def desk(device: Device, stack: Status) -> AsyncIterator[Desk]:
    """A new account in two tabs."""
    ann: Account = await sign_up(stack, "Ann")
    leader = await chat(device, ann, stack)
    room = await leader.rpc("create_room", name="Notes")
    await leader.call("sync")
    await leader.until(LEADS)
    heir = ChatTab(await device.open_tab(), ann, stack)
    await heir.begin(signs_in=False)
    assert not await heir.tab.run(LEADS)
    assert (await heir.call("room", room["id"]))["name"] == "Notes"
    yield Desk(leader, heir, room["id"])


async def takes_over(desk: Desk, *, within_s: float) -> float:
    """Wait until the heir leads and what it writes goes out; returns when it led, in seconds."""
    began = time.perf_counter()
    await desk.heir.until(LEADS, within_s=within_s)
    seconds = time.perf_counter() - began
    await desk.heir.call("send", desk.room_id, "From the heir")
    await desk.heir.until("async () => (await parley.outbox()).length === 0")
    return seconds


async def test_what_is_written_in_one_tab_goes_out_through_the_other(desk: Desk) -> None:
    await desk.heir.call("send", desk.room_id, "From behind")
    await desk.leader.sees(desk.room_id, "From behind", within_s=2)
    await desk.heir.until("async room => (await parley.messages(room))[0]?.seq === 1", desk.room_id)
    (change, *_) = await desk.heir.tab.run(
        "() => changes.filter(each => each.rows.messages?.length > 0)"
    )
    assert change["rows"]["messages"][0]["body"] == "From behind"


async def test_a_closed_leader_is_replaced_at_once(desk: Desk) -> None:
    await desk.leader.tab.close()
    await takes_over(desk, within_s=5)


async def test_a_crashed_leader_is_replaced_at_once(desk: Desk) -> None:
    await desk.leader.tab.crash()
    await takes_over(desk, within_s=5)


async def test_a_frozen_leader_is_replaced_and_writes_nothing_when_it_wakes_up(
    desk: Desk, stack: Status
) -> None:
    await desk.leader.tab.freeze()
    try:
        # (Every five seconds it asks, and waits for two.)
        await takes_over(desk, within_s=12)
    finally:
        await desk.leader.tab.thaw()
    await desk.leader.until("() => !parley.status.is_leader")
    await desk.leader.sees(desk.room_id, "From the heir")
    assert (await desk.heir.dump())["account"][0]["term"] == 2
    await desk.leader.call("send", desk.room_id, "Good morning")
    await desk.heir.until(
        "async room => (await parley.messages(room)).at(-1).seq === 2", desk.room_id
    )
    assert await desk.heir.bodies(desk.room_id) == ["From the heir", "Good morning"]


async def test_a_leader_that_goes_behind_hands_over_to_a_tab_in_front(desk: Desk) -> None:
    # Chromium shows all tabs of Playwright at once, so the page says that it is hidden.
    await desk.leader.tab.run(
        """() => {
          Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    await takes_over(desk, within_s=5)
    # (The lock is free a moment before the tab that had it says so.)
    await desk.leader.until(FOLLOWS)

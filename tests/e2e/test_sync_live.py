"""Live: changes arrive by themselves, over sockets that break, fall silent and lose events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from parley.client import Chat
from parley.stack import Status
from parley.sync.remote import REFRESH_EARLY_S
from tests.chaos.fault_proxy import FaultProxy
from tests.e2e.large_rooms import rooms_count_as_large
from tests.e2e.sync_people import PASSWORD, Account, bodies, change_session, sign_up
from tests.until import until


class Company:
    """Ann and Bob on live devices behind a proxy, and the means to make more."""

    def __init__(self, proxy: FaultProxy, key: str, folder: Path, exits: AsyncExitStack) -> None:
        self.proxy = proxy
        self._key = key
        self._folder = folder
        self._exits = exits

    async def device(self, account: Account, session_good_for_s: float | None = None) -> Chat:
        """A device that listens, with a session that is renewed when that time has passed."""
        store = self._folder / f"{account.name}.db"
        async with Chat(self.proxy.url, self._key, store, live=False) as chat:
            await chat.sign_in(account.email, PASSWORD)
        if session_good_for_s is not None:
            ends = int(time.time() + session_good_for_s) + REFRESH_EARLY_S
            change_session(store, expires_at=ends)
        chat = Chat(self.proxy.url, self._key, store)
        await self._exits.enter_async_context(chat)
        await chat.sync()
        await until(lambda: chat.is_live)
        await chat.sync()
        return chat


@pytest_asyncio.fixture
async def company(stack: Status, tmp_path: Path) -> AsyncIterator[Company]:
    """A proxy and what was opened through it."""
    async with FaultProxy(stack.api_url, 1).serving() as proxy, AsyncExitStack() as exits:
        yield Company(proxy, stack.publishable_key, tmp_path, exits)


@pytest.fixture
def people(stack: Status) -> Callable[..., Any]:
    """Open accounts."""

    async def make(*names: str) -> list[Account]:
        return list(await asyncio.gather(*(sign_up(stack, each) for each in names)))

    return make


async def test_a_message_arrives_by_itself_and_nobody_pulls_for_it(
    company: Company, people: Callable[..., Any]
) -> None:
    ann, bob = await people("Ann", "Bob")
    anns, bobs = await company.device(ann), await company.device(bob)
    room = await anns.open_direct(bob.user_id)
    await until(lambda: any(each.id == room.id for each in bobs.rooms()))
    await asyncio.gather(anns.settled(), bobs.settled())
    await anns.send(room.id, "warm-up")
    await until(lambda: bodies(bobs, room.id) == ["warm-up"])
    await until(lambda: anns.outbox() == [] and bobs.outbox() == [])

    before = company.proxy.requests.copy()
    changes = bobs.changes()
    await anns.send(room.id, "On my way")
    async for change in changes:
        if [row.body for row in change.room_rows.messages] == ["On my way"]:
            break
    await until(lambda: anns.messages(room.id)[-1].state == "delivered")
    spent = company.proxy.requests - before
    assert dict(spent) == {"send_messages": 1, "mark_delivered": 1}


async def test_what_is_said_while_the_line_is_cut_is_there_when_it_is_back(
    company: Company, people: Callable[..., Any]
) -> None:
    ann, bob = await people("Ann", "Bob")
    anns, bobs = await company.device(ann), await company.device(bob)
    room = await anns.open_direct(bob.user_id)
    await until(lambda: any(each.id == room.id for each in bobs.rooms()))

    company.proxy.faults.is_cut = True
    await company.proxy.cut_sockets()
    await until(lambda: not anns.is_live and not bobs.is_live)
    await anns.send(room.id, "in a tunnel")
    assert anns.messages(room.id)[-1].state == "pending"
    company.proxy.faults.is_cut = False
    await until(lambda: anns.is_live and bobs.is_live, 30)
    await until(lambda: bodies(bobs, room.id) == ["in a tunnel"])
    await until(lambda: anns.messages(room.id)[-1].state != "pending")


@pytest.mark.parametrize("set_back_s", [0, 86_400], ids=["right clock", "clock set back"])
async def test_a_silent_socket_is_noticed_and_replaced(
    company: Company, people: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, set_back_s: int
) -> None:
    monkeypatch.setattr("parley.sync.listener.PULSE_S", 0.3)
    monkeypatch.setattr("parley.sync.socket.TIMEOUT_S", 0.5)
    ann, bob = await people("Ann", "Bob")
    anns, bobs = await company.device(ann), await company.device(bob)
    room = await anns.open_direct(bob.user_id)
    await until(lambda: any(each.id == room.id for each in bobs.rooms()))
    company.proxy.faults.is_silent = True
    clock = time.time
    monkeypatch.setattr("time.time", lambda: clock() - set_back_s)
    await until(lambda: not bobs.is_live)
    await anns.send(room.id, "anybody there?")
    company.proxy.faults.is_silent = False
    await until(lambda: bobs.is_live)
    await until(lambda: bodies(bobs, room.id) == ["anybody there?"])


async def test_lost_repeated_and_swapped_broadcasts_cost_time_and_nothing_else(
    company: Company, people: Callable[..., Any]
) -> None:
    ann, bob = await people("Ann", "Bob")
    anns, bobs = await company.device(ann), await company.device(bob)
    room = await anns.open_direct(bob.user_id)
    await until(lambda: any(each.id == room.id for each in bobs.rooms()))
    faults = company.proxy.faults
    faults.drop, faults.duplicate, faults.reorder, faults.delay_s = 0.3, 0.3, 0.3, 0.01
    lines = [f"line {number}" for number in range(60)]
    for line in lines:
        await anns.send(room.id, line)
        await asyncio.sleep(0.005)
    await anns.settled()
    faults.drop = faults.duplicate = faults.reorder = faults.delay_s = 0
    await anns.send(room.id, "last")
    await until(lambda: bodies(bobs, room.id)[-1:] == ["last"])
    said = [each.body for each in bobs.messages(room.id, page_size=200)]
    assert said[-61:] == [*lines, "last"]
    assert faults.counts["dropped"] and faults.counts["duplicated"] and faults.counts["reordered"]


async def test_who_is_removed_from_one_room_goes_on_hearing_the_others(
    company: Company, people: Callable[..., Any]
) -> None:
    ann, bob = await people("Ann", "Bob")
    anns, bobs = await company.device(ann), await company.device(bob)
    kept = await anns.open_direct(bob.user_id)
    lost = await anns.create_room("club", [bob.user_id])
    await until(lambda: len(bobs.rooms()) == 2)
    await anns.api.remove_member(lost.id, UUID(bob.user_id))
    await until(lambda: [each.id for each in bobs.rooms()] == [kept.id])
    await until(lambda: bobs.is_live)
    before = company.proxy.requests["pull_changes"]
    await anns.send(kept.id, "still friends")
    await until(lambda: bodies(bobs, kept.id) == ["still friends"])
    assert company.proxy.requests["pull_changes"] - before <= 1


async def test_an_open_large_room_is_live_and_follows_its_epoch(
    company: Company, people: Callable[..., Any], stack: Status
) -> None:
    ann, bob, cat = await people("Ann", "Bob", "Cat")
    anns, bobs = await company.device(ann), await company.device(bob)
    with rooms_count_as_large(stack):
        room = await anns.create_room("hall", [bob.user_id, cat.user_id])
    assert room.row is not None and room.row.is_large
    await until(lambda: any(each.id == room.id for each in bobs.rooms()))
    bobs.open(room.id)
    await anns.send(room.id, "hello hall")
    await until(lambda: bodies(bobs, room.id) == ["hello hall"])
    await anns.api.remove_member(room.id, UUID(cat.user_id))
    await anns.sync()
    await until(lambda: f"room:{room.id}:2" in bobs.topics)
    await anns.send(room.id, "without Cat")
    await until(lambda: bodies(bobs, room.id) == ["hello hall", "without Cat"])


async def test_people_see_who_types_and_who_is_here(
    company: Company, people: Callable[..., Any]
) -> None:
    ann, bob = await people("Ann", "Bob")
    anns, bobs = await company.device(ann), await company.device(bob)
    room = await anns.open_direct(bob.user_id)
    await until(lambda: any(each.id == room.id for each in bobs.rooms()))
    anns.open(room.id)
    bobs.open(room.id)
    await until(lambda: bobs.present(room.id) == {ann.user_id, bob.user_id})
    assert bobs.typists(room.id) == frozenset()
    for _ in range(5):
        await anns.typing(room.id)
    await until(lambda: bobs.typists(room.id) == {ann.user_id})
    anns.leave_screen(room.id)
    await until(lambda: bobs.present(room.id) == {bob.user_id})


async def test_a_new_token_is_passed_on_without_losing_anything(
    company: Company, people: Callable[..., Any]
) -> None:
    ann, bob = await people("Ann", "Bob")
    anns, bobs = await company.device(ann), await company.device(bob, session_good_for_s=5)
    asked = company.proxy.requests["token"]
    room = await anns.open_direct(bob.user_id)
    await until(lambda: any(each.id == room.id for each in bobs.rooms()))

    async def is_renewed() -> bool:
        await bobs.sync()
        return company.proxy.requests["token"] > asked

    await until(is_renewed)
    await anns.send(room.id, "fresh")
    await until(lambda: bodies(bobs, room.id) == ["fresh"])
    assert bobs.is_live

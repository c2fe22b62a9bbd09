"""What goes wrong between a browser and the server: lost answers, silent and refused sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from parley.stack import Status
from tests.browser.chat_people import ChatTab
from tests.browser.chromium import Chromium
from tests.chaos.fault_proxy import FaultProxy
from tests.e2e.sync_people import sign_up
from tests.until import until

pytestmark = pytest.mark.lasts(40)


@dataclass
class Company:
    """Ann, and Bob behind a line that can be hurt."""

    ann: ChatTab
    bob: ChatTab
    line: FaultProxy
    stack: Status

    async def room(self, name: str = "Lisbon in May") -> str:
        """A new room of both."""
        row = await self.ann.rpc("create_room", name=name, member_ids=[self.bob.account.user_id])
        await asyncio.gather(self.ann.call("sync"), self.bob.call("sync"))
        return str(row["id"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def company(chromium: Chromium, stack: Status) -> AsyncIterator[Company]:
    """New accounts on new devices, for all tests of this file."""
    async with AsyncExitStack() as exits:
        devices = [await exits.enter_async_context(chromium.device()) for _ in range(2)]
        line = await exits.enter_async_context(FaultProxy(stack.api_url, 1).serving())
        accounts = await asyncio.gather(*(sign_up(stack, name) for name in ("Ann", "Bob")))
        tabs = [await device.open_tab() for device in devices]
        ann, bob = [ChatTab(tab, each, stack) for tab, each in zip(tabs, accounts, strict=True)]
        await asyncio.gather(ann.begin(), bob.begin(url=line.url))
        await asyncio.gather(ann.is_state("live"), bob.is_state("live"))
        yield Company(ann, bob, line, stack)


async def test_a_message_whose_answer_was_lost_with_the_server_is_there_once(
    company: Company,
) -> None:
    ann, bob, line = company.ann, company.bob, company.line
    room = await company.room()
    with line.hurt(lose=1.0, is_silent=True):
        with line.recording("send_messages") as answers:
            sent = await bob.call("send", room, "Did you get this?")
            await until(lambda: answers)
        with line.hurt(is_cut=True):
            await line.cut_sockets()
            # The server acted, and Bob does not know.
            await ann.sees(room, "Did you get this?")
            (waiting,) = await bob.call("messages", room)
            assert (waiting["state"], waiting["seq"]) == ("pending", None)
    await bob.until("async () => (await parley.outbox()).length === 0")
    for person in (ann, bob):
        (message,) = await person.call("messages", room)
        assert (message["client_id"], message["seq"]) == (sent["client_id"], 1)
    await bob.is_state("live")


RETURNS = {
    "the window gets the focus": "window.dispatchEvent(new Event('focus'))",
    "a network is there again": "window.dispatchEvent(new Event('online'))",
    "the tab is thawed": "document.dispatchEvent(new Event('resume'))",
}
"""How somebody comes back to a page."""


async def test_what_a_silent_socket_kept_back_is_there_when_somebody_comes_back(
    company: Company,
) -> None:
    ann, bob, line = company.ann, company.bob, company.line
    room = await company.room()
    await ann.call("send", room, "With a socket")
    await bob.sees(room, "With a socket")
    with line.hurt(is_silent=True):
        for how, event in RETURNS.items():
            await ann.call("send", room, how)
            await ann.call("settled")
            assert how not in await bob.bodies(room)
            await bob.tab.run(f"() => {{ {event} }}")
            await bob.sees(room, how)
    await line.cut_sockets()
    await bob.is_state("live")


async def test_where_sockets_are_refused_a_browser_looks_every_five_seconds(
    company: Company, chromium: Chromium
) -> None:
    cat = await sign_up(company.stack, "Cat")
    refusing = FaultProxy(company.stack.api_url, 1)
    refusing.faults.refuses_sockets = True
    async with refusing.serving(), chromium.device() as device:
        cats = ChatTab(await device.open_tab(), cat, company.stack)
        await cats.begin(url=refusing.url)
        room = await company.ann.rpc("create_room", name="Porto", member_ids=[cat.user_id])
        await company.ann.call("sync")
        await cats.is_state("polling")
        await cats.sees_room(room["id"])
        looks, others = (each.requests["list_heads"] for each in (refusing, company.line))
        began = asyncio.get_running_loop().time()
        await company.ann.call("send", room["id"], "Through the post")
        await cats.sees(room["id"], "Through the post", within_s=20)
        await until(lambda: refusing.requests["list_heads"] >= looks + 2, 20)
        seconds = asyncio.get_running_loop().time() - began
        # Twice is at least one whole pause, and a machine with much to do makes pauses longer.
        assert 4.5 < seconds < 15
        # Somebody with a socket compares every one to three minutes, so once meanwhile at most.
        assert company.line.requests["list_heads"] <= others + 1
        # (The browser notes refused sockets itself.)
        assert refusing.requests["websocket"] > 0
        device.tabs.clear()

"""Browsers on bad lines, and servers that are killed: every copy becomes what its owner may see."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from parley.client import Chat
from parley.stack import Stack, Status
from tests.browser.chat_people import ChatTab, chat
from tests.browser.chromium import Chromium, Device
from tests.browser.payments import MAKE, NAME, PAY, keep_paying, shown
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.sync_checker import compare_copy
from tests.chaos.sync_device import Journal, do_action
from tests.chaos.sync_numbers import begin_noting, check_numbers, check_sends, check_twice
from tests.chaos.sync_writers import Club, Writer, Written
from tests.e2e.sync_people import chatting, sign_up
from tests.until import until

pytestmark = pytest.mark.lasts(60)

NAMES = ("Ann", "Bob", "Cat")
CHAOS_S = 12.0
QUIET_S = 90.0
BAD = {"lose": 0.1, "forget": 0.1, "drop": 0.15, "repeat": 0.1, "delay": 0.1, "cut": 0.01}
WRITERS = 2
BUSY = """
select pid from pg_stat_activity
where wait_event_type = 'Lock' and query ilike '%send_messages%' and pid <> pg_backend_pid()
"""
"""The process of Postgres in which a send waits."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Servers of this file's own, which may be killed; their Realtime loses what it can."""
    stack = Stack(tmp_path_factory.mktemp("stack"), port=0, db_port=0, realtime="lossy")
    try:
        await stack.up()
        begin_noting(stack.status.admin_db_url)
        yield stack
    finally:
        await stack.down()


def is_up(urls: Status) -> bool:
    """Tell whether Postgres lets clients in, which it does not while it recovers."""
    try:
        with psycopg.connect(urls.admin_db_url):
            return True
    except psycopg.OperationalError:
        return False


def kill(stack: Stack, part: str) -> None:
    """Kill -9; of Postgres the process in which a send waits, which takes all others with it."""
    pid = stack.status.parts[part].pid
    if part == "postgres":
        with psycopg.connect(stack.status.admin_db_url) as connection:
            (pid,) = connection.execute(BUSY).fetchone() or (None,)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("part", ["lite", "postgres"])
async def test_a_message_is_there_once_when_a_server_is_killed_in_the_middle_of_its_send(
    device: Device, servers: Stack, part: str
) -> None:
    urls = servers.status
    ann = await chat(device, await sign_up(urls, "Ann"), urls)
    room = (await ann.rpc("create_room", name="Lisbon in May"))["id"]
    await ann.call("sync")

    def is_waiting() -> bool:
        with psycopg.connect(urls.admin_db_url) as connection:
            return connection.execute(BUSY).fetchone() is not None

    # (A lock whose server was killed cannot be given back.)
    with suppress(psycopg.OperationalError), psycopg.connect(urls.db_url) as lock:
        lock.execute("select from chat.rooms where id = %s for update", [room])
        sent = await ann.call("send", room, "Did you get this?")
        await until(is_waiting)
        kill(servers, part)
        if part == "lite":
            lock.rollback()
    await ann.until("async () => (await parley.outbox()).length === 0", within_s=60)
    await until(partial(is_up, urls), within_s=QUIET_S)
    (message,) = await ann.call("messages", room)
    assert (message["client_id"], message["seq"]) == (sent["client_id"], 1)
    with psycopg.connect(urls.db_url) as connection:
        rows = connection.execute("select body from chat.messages where room_id = %s", [room])
        assert rows.fetchall() == [("Did you get this?",)]
    # (The browser notes requests without an answer itself.)
    device.tabs.clear()


@asynccontextmanager
async def writing(
    urls: Status, people: list[str], rooms: list[str], club: Club
) -> AsyncIterator[Written]:
    """Let people write over SQL."""
    written, pause = Written(), asyncio.Event()
    pause.set()
    chances = (random.Random() for _ in range(WRITERS))
    writers = [
        Writer(urls.db_url, people, [], rooms, club, written, each, 0.05, pause) for each in chances
    ]
    tasks = [asyncio.create_task(each.run()) for each in writers]
    try:
        yield written
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def act(chat: Chat, journal: Path, public: list[str]) -> None:
    """Be somebody with the client for Python, until cancelled."""
    rng, notes = random.Random(), Journal(str(journal))
    while True:
        await do_action(chat, rng, notes, "Dan", public)
        await asyncio.sleep(rng.expovariate(5))


async def hurt(servers: Stack, seconds: float) -> None:
    """Kill what answers requests, and then all of Postgres, at thirds of some seconds."""
    for part, sign in (("lite", signal.SIGKILL), ("postgres", signal.SIGQUIT)):
        await asyncio.sleep(seconds / 3)
        pid = servers.status.parts[part].pid
        assert pid is not None
        os.kill(pid, sign)


async def test_browsers_on_bad_lines_hold_what_their_owners_may_see(
    chromium: Chromium, servers: Stack, tmp_path: Path
) -> None:
    urls = servers.status
    with psycopg.connect(urls.db_url) as connection:
        connection.execute(MAKE)
    async with AsyncExitStack() as exits:
        accounts = [await sign_up(urls, name) for name in (*NAMES, "Dan")]
        devices = [await exits.enter_async_context(chromium.device()) for _ in NAMES]
        tabs = await asyncio.gather(
            *(
                chat(device, each, urls, [{"name": NAME, "indexes": ["status"]}])
                for device, each in zip(devices, accounts, strict=False)
            )
        )
        line = await exits.enter_async_context(FaultProxy(urls.api_url, 1).serving())
        vars(line.faults).update(drop=0.15, duplicate=0.1, reorder=0.1, lose=0.1)
        store, journal = tmp_path / "Dan.db", tmp_path / "Dan.journal"
        dan = await exits.enter_async_context(
            chatting(replace(urls, api_url=line.url), accounts[-1], store)
        )
        rooms, club = await make_rooms(tabs[0], [each.user_id for each in accounts[1:]])
        await asyncio.gather(*(each.call("sync") for each in tabs))
        tenants = [club.tenant_id, await make_office(tabs[0], tabs[1])]
        with psycopg.connect(urls.db_url) as connection:
            for tenant in tenants:
                connection.execute(PAY, [tenant, 40])
        await set_faults(tabs, BAD)
        people = [each.user_id for each in accounts]
        async with writing(urls, people, rooms, club) as written, asyncio.TaskGroup() as tasks:
            acting = tasks.create_task(act(dan, journal, rooms))
            paying = tasks.create_task(keep_paying(urls.db_url, tenants))
            tasks.create_task(hurt(servers, CHAOS_S))
            did = await asyncio.gather(
                *(each.tab.run("fuzz", [each.account.name, CHAOS_S * 1000]) for each in tabs)
            )
            acting.cancel()
            paying.cancel()
        await until(partial(is_up, urls), within_s=QUIET_S)
        counts = [await each.tab.run("() => lineCounts") for each in tabs]
        assert all(sum(each.values()) > 0 for each in [*counts, line.faults.counts])
        sys.stdout.write(f"{dict(written.calls)}\n{counts}\n{dict(line.faults.counts)}\n")
        await set_faults(tabs, dict.fromkeys(BAD, 0))
        vars(line.faults).update(drop=0.0, duplicate=0.0, reorder=0.0, lose=0.0)
        for each, sent in zip(tabs, did, strict=True):
            # Whoever comes back to a tab makes it look what it missed.
            await each.tab.run("() => { window.dispatchEvent(new Event('focus')) }")
            async with asyncio.timeout(QUIET_S):
                await each.call("settled")
                while findings := await each.compare(tmp_path):
                    sys.stdout.write(f"{each.account.name} {findings}\n"[:2000])
                    await each.call("sync")
                while wrong := await payments_differ(urls, each):
                    sys.stdout.write(f"{each.account.name} {wrong}\n"[:2000])
                    await each.call("sync")
            missing = set(check_sends(urls.db_url, set(sent)))
            assert missing <= given_up(await each.call("outbox"))
        assert shown(urls.db_url, accounts[0].user_id)
        async with asyncio.timeout(QUIET_S):
            await dan.settled()
            while findings := compare_copy(store, urls.db_url, accounts[-1].user_id, "Dan"):
                sys.stdout.write(f"Dan {findings}\n"[:2000])
                await dan.sync()
        sent = {line.split()[1] for line in journal.read_text().splitlines()}
        with closing(sqlite3.connect(store)) as copy:
            copy.row_factory = sqlite3.Row
            items = copy.execute("select client_id, state from outbox").fetchall()
        assert set(check_sends(urls.db_url, sent)) <= given_up(items)
        assert check_sends(urls.db_url, written.acknowledged) == []
        assert check_twice(urls.db_url) == [] and check_numbers(urls.db_url) == []
        for device in devices:
            # (The browser notes lost answers and refusals itself.)
            device.tabs.clear()


async def make_rooms(ann: ChatTab, others: list[str]) -> tuple[list[str], Club]:
    """Rooms of all kinds with everybody in them, and a tenant that lets everybody in."""
    plans = (("all", False), ("since_join", False), ("all", True))
    rooms = [
        await ann.rpc(
            "create_room", name=history, member_ids=others, history=history, is_public=is_public
        )
        for history, is_public in plans
    ]
    tenant = await ann.rpc("create_tenant", name="Club")
    invite = await ann.rpc("create_tenant_invite", tenant_id=tenant["tenant_id"], max_uses=1000)
    return [each["id"] for each in rooms], Club(tenant["tenant_id"], invite["token"])


async def make_office(ann: ChatTab, bob: ChatTab) -> str:
    """A tenant of Ann and Bob, to which payments of the club move, and from there."""
    tenant: str = (await ann.rpc("create_tenant", name="Office"))["tenant_id"]
    invite = await ann.rpc("create_tenant_invite", tenant_id=tenant, max_uses=1)
    await bob.rpc("accept_tenant_invite", token=invite["token"])
    return tenant


async def payments_differ(urls: Status, person: ChatTab) -> list[Any]:
    """Rows that are in the copy of somebody and not shown to them, or the other way round."""
    script = "async name => await parley.table(name).rows()"
    here = {each["id"]: each for each in await person.tab.run(script, NAME)}
    there = {each["id"]: each for each in shown(urls.db_url, person.account.user_id)}
    both = here.keys() | there.keys()
    return [each for each in both if here.get(each) != there.get(each)]


async def set_faults(tabs: list[ChatTab], faults: dict[str, float]) -> None:
    """Make the lines of some tabs this bad."""
    for each in tabs:
        await each.tab.run("faults_ => Object.assign(faults, faults_)", faults)


def given_up(items: Iterable[Any]) -> set[str]:
    """The sends that an outbox reports as refused or discarded."""
    return {each["client_id"] for each in items if each["state"] in ("failed", "discarded")}

"""What goes wrong on a device: a full disk, a wrong clock, a killed browser, another account."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from parley.stack import Status
from tests.browser.chat_people import ChatTab, act_as, chat
from tests.browser.chromium import Chromium, Device
from tests.e2e.sync_people import sign_up

pytestmark = pytest.mark.lasts(40)

DISK_BYTES = 1_500_000
LONG = 7900
DAY_MS = 24 * 3600 * 1000
CLOCK = """
const Right = Date;
globalThis.skew = %d;
globalThis.Date = class extends Right {
  constructor(...parts) { super(...(parts.length > 0 ? parts : [Right.now() + skew])); }
  static now() { return Right.now() + skew; }
};
"""
"""A clock that is wrong by ``skew`` milliseconds. Timers run as they do."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ann(chromium: Chromium, stack: Status) -> AsyncIterator[ChatTab]:
    """Ann, with whom nothing is wrong."""
    async with chromium.device() as device:
        yield await chat(device, await sign_up(stack, "Ann"), stack)
        assert device.complaints == []


async def room_with(ann: ChatTab, *others: ChatTab) -> str:
    """A new room of Ann and others."""
    ids = [each.account.user_id for each in others]
    row = await ann.rpc("create_room", name="Lisbon in May", member_ids=ids)
    await asyncio.gather(*(each.call("sync") for each in (ann, *others)))
    return str(row["id"])


async def test_on_a_full_disk_the_oldest_messages_leave_and_people_write_on(
    ann: ChatTab, device: Device, stack: Status, tmp_path: Path
) -> None:
    keeper = await device.open_tab()
    disk = await device.context.new_cdp_session(keeper.page)
    quota = {"origin": device.url.rstrip("/"), "quotaSize": 1}
    await disk.send("Storage.overrideQuotaForOrigin", quota)
    bob = await chat(device, await sign_up(stack, "Bob"), stack)
    full = "There is no room left for the local copy."
    await bob.until("text => parley.status.fault === text", full)
    # As soon as there is room, the copy begins by itself.
    quota["quotaSize"] = DISK_BYTES
    await disk.send("Storage.overrideQuotaForOrigin", quota)
    await bob.is_state("live")
    room = await room_with(ann, bob)
    faults = "() => changes.flatMap(each => each.fault ?? [])"
    left = "There is no room left, so older messages left this device."
    count = 0

    async def write(times: int) -> None:
        nonlocal count
        with psycopg.connect(stack.db_url) as connection:
            act_as(connection, ann.account.user_id)
            items = [
                {
                    "room_id": room,
                    "client_id": str(uuid4()),
                    "body": f"{count + number + 1} {uuid4().hex * (LONG // 32)}",
                }
                for number in range(times)
            ]
            connection.execute("select count(*) from chat.send_messages(%s)", [json.dumps(items)])
        count += times

    await write(80)
    newest = "async ([room, seq]) => (await parley.messages(room)).at(-1)?.seq === seq"
    await bob.until(newest, [room, count])
    await bob.tab.run("() => { changes.length = 0 }")
    # (Chromium looks at how much there is only now and then.)
    while left not in await bob.tab.run(faults):
        assert count < 20 * DISK_BYTES / LONG
        await write(40)
        await bob.until(newest, [room, count])
    shown = await bob.call("messages", room, {"page_size": count})
    first = shown[0]["seq"]
    assert first > 1
    assert [each["seq"] for each in shown] == list(range(first, count + 1))
    # What is here is right, what people write goes out, and what left can be fetched again.
    await bob.until("() => parley.status.fault === null")
    await bob.call("send", room, "Still here")
    await ann.sees(room, "Still here")
    await bob.call("settled")
    await bob.call("sync")
    assert not await bob.compare(tmp_path)
    quota["quotaSize"] = 10 * DISK_BYTES
    await disk.send("Storage.overrideQuotaForOrigin", quota)
    await bob.call("older", room, {"page_size": 20})
    assert (await bob.call("messages", room, {"page_size": count}))[0]["seq"] < first


async def test_clocks_that_are_a_day_off_change_neither_order_nor_states(
    ann: ChatTab, chromium: Chromium, stack: Status, tmp_path: Path
) -> None:
    async with chromium.device() as late, chromium.device() as early:
        await late.context.add_init_script(CLOCK % -DAY_MS)
        await early.context.add_init_script(CLOCK % DAY_MS)
        bob = await chat(late, await sign_up(stack, "Bob"), stack)
        cat = await chat(early, await sign_up(stack, "Cat"), stack)
        room = await room_with(ann, bob, cat)
        people = (cat, bob, ann)
        said = [f"{number} {who.account.name}" for number, who in enumerate(people)]
        for who, body in zip(people, said, strict=True):
            sent = await who.call("send", room, body)
            # The clock of the device is shown until the server's is there.
            off = {"Ann": 0, "Bob": -DAY_MS, "Cat": DAY_MS}[who.account.name]
            assert await ann.tab.run(
                "([at, off]) => Math.abs(Date.parse(at) - off - Date.now()) < 60_000",
                [sent["created_at"], off],
            )
            assert (await who.bodies(room))[-1] == body
            for other in {ann, bob, cat}:
                await other.sees(room, body)
        # Now the clocks are set, while the pages are open.
        await bob.tab.run("skew => { globalThis.skew = skew }", DAY_MS)
        await cat.tab.run("skew => { globalThis.skew = skew }", -DAY_MS)
        await bob.call("send", room, "And now?")
        for who in (ann, cat):
            await who.sees(room, "And now?")
            await who.call("markRead", room)
        await bob.until("async room => (await parley.messages(room)).at(-1).state === 'read'", room)
        for who in (ann, bob, cat):
            await who.call("sync")
            assert await who.bodies(room) == [*said, "And now?"]
            assert not await who.compare(tmp_path)
            assert (await who.tab.run("() => parley.status"))["state"] == "live"
        assert late.complaints == early.complaints == []


async def test_a_browser_that_was_killed_offline_sends_what_waited_when_it_is_opened_again(
    ann: ChatTab, chromium: Chromium, stack: Status, tmp_path: Path
) -> None:
    account = await sign_up(stack, "Bob")
    async with chromium.device_in(tmp_path / "profile") as device:
        bob = await chat(device, account, stack)
        room = await room_with(ann, bob)
        await bob.call("send", room, "From the station")
        await bob.call("settled")
        await device.go_offline()
        sent = await bob.call("send", room, "From the tunnel")
        await device.kill()
    async with chromium.device_in(tmp_path / "profile") as device:
        # (A browser that is killed may forget who signed in just before.)
        bob = await chat(device, account, stack)
        assert await bob.bodies(room) == ["From the station", "From the tunnel"]
        await ann.sees(room, "From the tunnel")
        assert (await ann.call("messages", room))[-1]["client_id"] == sent["client_id"]
        await bob.until("async () => (await parley.outbox()).length === 0")
        assert await bob.bodies(room) == await ann.bodies(room)


async def test_two_accounts_in_one_browser_see_nothing_of_each_other(
    ann: ChatTab, device: Device, stack: Status
) -> None:
    accounts = [await sign_up(stack, name) for name in ("Bob", "Cat")]
    bob, cat = [ChatTab(await device.open_tab(), each, stack) for each in accounts]
    await bob.begin()
    bobs = await room_with(ann, bob)
    await ann.call("send", bobs, "For Bob")
    await bob.sees(bobs, "For Bob")
    behind = ChatTab(await device.open_tab(), bob.account, stack)
    await behind.begin(signs_in=False)
    await device.go_offline()
    waiting = await bob.call("send", bobs, "Later")
    await device.go_offline(offline=False)
    # Whoever signs in takes all tabs of the browser.
    await cat.begin()
    for tab in (bob, behind):
        await tab.until("me => parley.status.me === me", cat.account.user_id)
        assert await tab.call("rooms") == [] and await tab.call("outbox") == []
        assert await tab.call("search", "Bob") == []
    cats = await room_with(ann, cat)
    await behind.call("send", cats, "From Cat")
    await ann.sees(cats, "From Cat")
    assert (await ann.call("messages", cats))[-1]["sender_id"] == cat.account.user_id
    # Signing out empties the copy of Cat, and leaves that of Bob, who comes back to what waited.
    await behind.tab.run("() => supabase.auth.signOut({ scope: 'local' })")
    for tab in (bob, behind, cat):
        await tab.is_state("signed_out")
    names = await cat.tab.run("async () => (await indexedDB.databases()).map(each => each.name)")
    assert names == [f"parley:tests:{bob.account.user_id}"]
    again = ChatTab(await device.open_tab(), bob.account, stack)
    await again.begin()
    await ann.sees(bobs, "Later")
    assert (await ann.call("messages", bobs))[-1]["client_id"] == waiting["client_id"]
    assert [each["id"] for each in await again.call("rooms")] == [bobs]
    device.tabs.clear()

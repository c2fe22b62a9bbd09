"""How fast the copy of a browser is: reads, live changes, and catching up."""

from __future__ import annotations

import json
import sys
import time
from uuid import uuid4

import psycopg
import pytest

from parley.stack import Status
from tests.browser.chat_people import ChatTab, act_as, chat
from tests.browser.chromium import Chromium, Device
from tests.e2e.sync_people import sign_up

pytestmark = pytest.mark.long

ROOMS = 50
MISSED = 10_000
BATCH = 200
BARS_MS = {
    "10,000 messages applied": 2000,
    "a live change applied": 5,
    "1,000 rooms read": 20,
    "a page read": 20,
    "a common word found": 50,
    "a rare word found": 50,
}
REPLACED = 7
REPLACED_MS = 100
BEAT = """() => {
  const channel = new BroadcastChannel("beats");
  setInterval(() => channel.postMessage(performance.timeOrigin + performance.now()));
}"""
"""Tells all the time, every few milliseconds, that this tab lives."""
AWAIT = """() => {
  new BroadcastChannel("beats").onmessage = ({ data }) => { globalThis.beatAt = data };
  parley.subscribe(() => {
    if (parley.status.is_leader) globalThis.leadsAt ??= performance.timeOrigin + performance.now();
  });
}"""
"""Notes the last beat, and when this tab led."""
ROUNDS = 9
SENDS = 60
GROWN_MB = 1.0
SOAK = """async ([rooms, sends]) => {
  for (let count = 0; count < sends; count += 1) {
    const room = rooms[count % rooms.length];
    const close = parley.open(room);
    await parley.send(room, `${count} ${"x".repeat(500)}`);
    await parley.messages(room);
    await parley.rooms();
    close();
  }
  await parley.settled();
  await parley.sync();
  changes.length = 0;
}"""
"""What somebody does in a page that stays open."""


async def test_a_copy_of_a_hundred_thousand_messages_is_read_and_written_fast(
    device: Device,
) -> None:
    tab = await device.open_tab()
    measured = await tab.run("speed")
    sys.stdout.write(f"{json.dumps(measured, indent=2)}\n")
    # (The first read of all rooms has no bar: IndexedDB itself takes that long.)
    assert measured.keys() > BARS_MS.keys()
    assert {name: ms for name, ms in BARS_MS.items() if measured[name] >= ms} == {}


async def test_ten_thousand_missed_changes_are_there_in_three_seconds(
    chromium: Chromium, stack: Status
) -> None:
    ann = await sign_up(stack, "Ann")
    async with chromium.device() as device:
        bob = await chat(device, await sign_up(stack, "Bob"), stack)
        with psycopg.connect(stack.db_url) as connection:
            act_as(connection, ann.user_id)
            rooms = [
                str(row[0])
                for row in connection.execute(
                    "select r.id from generate_series(1, %s) as n,"
                    " lateral chat.create_room(n::text, member_ids => array[%s]::uuid[]) as r",
                    [ROOMS, bob.account.user_id],
                )
            ]
        await bob.call("sync")
        await device.go_offline()
        with psycopg.connect(stack.db_url) as connection:
            connection.execute("update chat_private.settings set send_burst = 1000000")
        try:
            for begin in range(0, MISSED, BATCH):
                with psycopg.connect(stack.db_url) as connection:
                    act_as(connection, ann.user_id)
                    items = [
                        {
                            "room_id": rooms[(begin // BATCH) % ROOMS],
                            "client_id": str(uuid4()),
                            "body": f"The quick brown fox, number {begin + number}",
                        }
                        for number in range(BATCH)
                    ]
                    connection.execute(
                        "select count(*) from chat.send_messages(%s)", [json.dumps(items)]
                    )
        finally:
            with psycopg.connect(stack.db_url) as connection:
                connection.execute("update chat_private.settings set send_burst = default")
        began = time.perf_counter()
        await device.go_offline(offline=False)
        await bob.call("sync")
        seconds = time.perf_counter() - began
        sys.stdout.write(f"{MISSED} changes in {seconds:.2f} s\n")
        assert len(await bob.call("messages", rooms[0], {"page_size": BATCH})) == BATCH
        assert seconds < 3
        device.tabs.clear()


@pytest.mark.parametrize("end", ["close", "crash"])
async def test_a_leader_that_is_gone_is_replaced_in_a_tenth_of_a_second(
    device: Device, stack: Status, end: str
) -> None:
    ann = await sign_up(stack, "Ann")
    leader = await chat(device, ann, stack)
    await leader.until("() => parley.status.is_leader")
    measured = []
    for _ in range(REPLACED):
        heir = ChatTab(await device.open_tab(), ann, stack)
        await heir.begin(signs_in=False)
        await heir.tab.run(AWAIT)
        await leader.tab.run(BEAT)
        await heir.tab.until("() => globalThis.beatAt")
        await (leader.tab.close() if end == "close" else leader.tab.crash())
        await heir.tab.until("() => globalThis.leadsAt")
        measured.append(await heir.tab.run("() => leadsAt - beatAt"))
        leader = heir
    sys.stdout.write(f"{end}: {[round(each) for each in measured]} ms\n")
    # Whatever else the machine does only adds to it.
    assert min(measured) < REPLACED_MS


async def test_the_memory_of_a_page_that_stays_open_does_not_grow(
    device: Device, stack: Status
) -> None:
    ann = await chat(device, await sign_up(stack, "Ann"), stack)
    rooms = [(await ann.rpc("create_room", name=name))["id"] for name in ("Lisbon", "Porto")]
    await ann.call("sync")
    debugger = await device.context.new_cdp_session(ann.tab.page)
    heaps = []
    for _ in range(ROUNDS):
        await ann.tab.run(SOAK, [rooms, SENDS])
        await debugger.send("HeapProfiler.collectGarbage")
        heaps.append((await debugger.send("Runtime.getHeapUsage"))["usedSize"] / 2**20)
    sys.stdout.write(f"MB after {SENDS} sends each: {[round(each, 2) for each in heaps]}\n")
    # The first rounds compile and fill what is kept for good.
    assert heaps[-1] - heaps[ROUNDS // 3] < GROWN_MB
    # What is not let go of is seen.
    await ann.tab.run("() => { globalThis.kept = Array.from({ length: 2e5 }, Math.random) }")
    await debugger.send("HeapProfiler.collectGarbage")
    kept = (await debugger.send("Runtime.getHeapUsage"))["usedSize"] / 2**20
    assert kept - heaps[-1] > GROWN_MB

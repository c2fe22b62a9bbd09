"""What the client needs of a browser is there, in the browser and through the front door."""

from __future__ import annotations

import hashlib

import pytest

from parley.stack import Status
from tests.browser.chromium import Device
from tests.vectors import read

pytestmark = pytest.mark.lasts(15)

FOLD = """plane => {
  let text = "";
  for (let point = plane << 16; point < (plane + 1) << 16; point++) {
    if (point > 0 && !(point >= 0xd800 && point < 0xe000)) {
      text += `a${String.fromCodePoint(point)}b `;
    }
  }
  return foldText(text);
}"""


async def test_a_page_has_storage_locks_and_channels(device: Device) -> None:
    tab = await device.open_tab()
    assert await tab.run("() => isSecureContext && !!(indexedDB && navigator.locks)")
    other = await device.open_tab()
    await other.run(
        "() => { new BroadcastChannel('hall').onmessage = e => { window.heard = e.data } }"
    )
    await tab.run("() => new BroadcastChannel('hall').postMessage('hello')")
    await other.until("() => window.heard === 'hello'")


async def test_chromium_folds_every_character_as_the_vectors_say(device: Device) -> None:
    tab = await device.open_tab()
    for plane, digest in read("folding").items():
        folded = await tab.run(FOLD, int(plane))
        assert hashlib.sha256(folded.encode()).hexdigest() == digest


async def test_a_page_elsewhere_reaches_the_api(device: Device, stack: Status) -> None:
    tab = await device.open_tab()
    status = await tab.run(
        """async ([url, key]) => {
          const supabase = createClient(url, key, { db: { schema: "chat" } });
          return (await supabase.rpc("list_heads")).status;
        }""",
        [stack.api_url, stack.publishable_key],
    )
    assert status == 401
    # (The browser notes that itself.)
    assert len(tab.complaints) == 1
    tab.complaints.clear()


async def test_a_tab_can_crash_and_another_takes_its_lock(device: Device) -> None:
    hold = """() => new Promise(held => {
      navigator.locks.request("leader", () => new Promise(() => held(true)));
    })"""
    leader, heir = await device.open_tab(), await device.open_tab()
    assert await leader.run(hold)
    waiting = "() => { navigator.locks.request('leader', () => { window.leads = true }) }"
    await heir.run(waiting)
    assert not await heir.run("() => window.leads")
    await leader.crash()
    await heir.until("() => window.leads")


async def test_a_frozen_tab_does_nothing_until_it_is_thawed(device: Device) -> None:
    tab, clock = await device.open_tab(), await device.open_tab()
    await clock.run(
        """() => {
          window.beats = window.ticks = 0;
          setInterval(() => { window.ticks++ }, 5);
          window.hall = new BroadcastChannel("hall");
          window.hall.onmessage = () => { window.beats++ };
        }"""
    )
    await tab.run(
        """() => {
          window.hall = new BroadcastChannel("hall");
          setInterval(() => window.hall.postMessage("beat"), 5);
        }"""
    )
    await clock.until("() => window.beats > 2")
    await tab.freeze()
    # What it sent before that has come once something else has.
    later = "since => window.ticks > since + 20"
    await clock.until(later, await clock.run("() => window.ticks"))
    beats = await clock.run("() => window.beats")
    await clock.until(later, await clock.run("() => window.ticks"))
    assert await clock.run("() => window.beats") == beats
    await tab.thaw()
    await clock.until("before => window.beats > before + 2", beats)

"""What docs/web.md shows, in the browsers of Ann and Bob."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import expect

from parley.stack import Status
from tests.browser.chromium import Chromium, Device
from tests.e2e.chat_people import PASSWORD, Member, room_of

pytestmark = pytest.mark.lasts(20)

WATCH = """() => {
  window.seen = [];
  const note = () => {
    const texts = [...document.querySelectorAll("p")].map(p => `${p.innerText} ${p.className}`);
    if (texts.join() !== window.seen.at(-1)?.join()) window.seen.push(texts);
  };
  new MutationObserver(note).observe(document.body, {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
}"""
"""Notes every state of the messages on a page."""


@pytest_asyncio.fixture
async def devices(
    chromium: Chromium, stack: Status, people: list[Member]
) -> AsyncIterator[list[Device]]:
    """A browser each for Ann and Bob, where they are signed in."""
    async with AsyncExitStack() as opened:
        found = []
        for person in people[:2]:
            device = await opened.enter_async_context(chromium.device())
            await device.sign_in(stack, person.email, PASSWORD)
            found.append(device)
        yield found
        assert [device.complaints for device in found] == [[], []]


async def test_two_people_write_to_each_other_with_the_page_in_react(
    devices: list[Device], people: list[Member]
) -> None:
    await room_of(people[0], people[1])
    ann, bob = [(await device.open_tab("chat")).page for device in devices]
    for page in (ann, bob):
        await page.get_by_role("button", name="Lisbon in May").click()
    await ann.evaluate(WATCH)
    await ann.get_by_role("textbox").fill("On my way <b>now</b>")
    await expect(bob.get_by_text("Somebody is typing")).to_be_visible()
    await ann.get_by_role("textbox").press("Enter")
    await expect(bob.get_by_text("On my way <b>now</b>")).to_be_visible()
    await expect(bob.get_by_role("heading")).to_have_text("Chat (1)")
    await bob.get_by_role("textbox").focus()
    await expect(bob.get_by_role("heading")).to_have_text("Chat (0)")
    await expect(ann.locator("p.read")).to_have_text("On my way <b>now</b>")
    states = [texts[-1].rsplit(" ", 1)[1] for texts in await ann.evaluate("window.seen") if texts]
    order = ["pending", "sent", "delivered", "read"]
    # It never went, and never went back.
    assert [len(texts) for texts in await ann.evaluate("window.seen")][-len(states) :] == (
        [1] * len(states)
    )
    assert states[0] == "pending" and states == sorted(states, key=order.index)


async def test_a_message_written_offline_is_sent_when_the_network_is_back(
    devices: list[Device], people: list[Member]
) -> None:
    room_id = await room_of(people[0], people[1])
    tab = await devices[0].open_tab("main")
    await people[1].send(room_id, "Where are you?")
    await tab.until("() => document.body.innerText.startsWith('Where are you? (sent)')")
    await devices[0].go_offline()
    await tab.page.locator("body").click()
    await tab.until("() => document.body.innerText.endsWith('On my way (pending)')")
    await devices[0].go_offline(offline=False)
    await tab.until(r"() => /On my way \((sent|delivered)\)/.test(document.body.innerText)")
    bodies = [each["body"] for each in await people[1].call("list_messages", room_id=room_id)]
    assert sorted(bodies) == ["On my way", "Where are you?"]
    # (The browser notes every request that has no network.)
    tab.complaints.clear()

"""What people do about each other on the page: Ann, Bob and Cat in three browsers."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, Locator, expect

from parley.errors import UserNotFound
from parley.stack import Status
from tests.browser.chromium import Chromium
from tests.browser.test_page import AXE, FINDINGS, MARKUP, ROOT, User, seeded
from tests.until import until

pytestmark = pytest.mark.lasts(40)

PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one point."""
COPIED = """async ([name, room_id]) => {
  const open = indexedDB.open(name);
  await new Promise((resolve) => (open.onsuccess = resolve));
  const db = open.result;
  const found = [];
  for (const table of ["messages", "members", "receipts"]) {
    const all = db.transaction(table).objectStore(table).getAll();
    await new Promise((resolve) => (all.onsuccess = resolve));
    found.push(...all.result.filter((row) => row.room_id === room_id).map(() => table));
  }
  db.close();
  return found;
}"""


class Neighbour(User):
    """Somebody who looks after rooms and people, too."""

    def dialog(self, name: str) -> Locator:
        """A panel or a dialog, by its title."""
        return self.page.get_by_role("dialog", name=name)

    async def is_told(self, notice: str) -> None:
        """Wait until the page says that something was done."""
        await expect(self.page.locator(".notice")).to_contain_text(notice, timeout=15_000)

    async def look_after(self, room: str) -> Locator:
        """Open a room, and everything about it."""
        await self.enter(room)
        about = self.dialog("About this room")
        if not await about.is_visible():
            await self.page.get_by_role("button", name="About this room").click()
        return about

    async def press(self, *names: str) -> None:
        """Press buttons one after the other."""
        for name in names:
            await self.page.get_by_role("button", name=name, exact=True).click()

    async def meet(self, about: Locator, name: str) -> Locator:
        """Choose somebody among the members of a room."""
        await about.get_by_role("region", name="Members").get_by_role("button", name=name).click()
        return self.dialog(name)

    def expect_complaints(self, *statuses: int) -> None:
        """The browser notes each answer that refuses; there were only such."""
        expected = [f"the server responded with a status of {status}" for status in statuses]
        for tab in self.device.tabs:
            assert all(any(each in said for each in expected) for said in tab.complaints)
            tab.complaints.clear()


@dataclass
class Place:
    """A room that Ann owns, and who is in it."""

    id: str
    name: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def neighbours(chromium: Chromium, stack: Status) -> AsyncIterator[list[Neighbour]]:
    """Ann, Bob and Cat of the demo, each in a browser that does not complain."""
    with psycopg.connect(stack.db_url) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())
    async with AsyncExitStack() as opened:
        found = []
        for name in ("Ann", "Bob", "Cat"):
            device = await opened.enter_async_context(chromium.device())
            device.url = f"{stack.api_url}/"
            page = (await device.open_tab(f"?as={name.lower()}")).page
            await page.get_by_role("heading", name=name, exact=True).wait_for()
            found.append(Neighbour(await seeded(stack, name), device, page))
        yield found
        assert [each.device.complaints for each in found] == [[], [], []]


@pytest_asyncio.fixture
async def ann(neighbours: list[Neighbour]) -> Neighbour:
    """Ann."""
    return neighbours[0]


@pytest_asyncio.fixture
async def bob(neighbours: list[Neighbour]) -> Neighbour:
    """Bob."""
    return neighbours[1]


@pytest_asyncio.fixture
async def cat(neighbours: list[Neighbour]) -> Neighbour:
    """Cat."""
    return neighbours[2]


@pytest_asyncio.fixture
async def room(ann: Neighbour, bob: Neighbour, cat: Neighbour) -> AsyncIterator[Place]:
    """A room of Ann with Bob and Cat, and nothing that stands before it."""
    for each in (ann, bob, cat):
        while await each.page.get_by_role("dialog").count():
            await each.page.get_by_role("dialog").last.press("Escape")
    name = f"Room {uuid4()}"
    ids = [bob.member.user_id, cat.member.user_id]
    made = await ann.member.call("create_room", name=name, member_ids=ids)
    yield Place(str(made["id"]), name)
    # What a test changed that is not of the room.
    await bob.member.call("update_profile", display_name="Bob", avatar_path="", share_presence=True)
    with suppress(UserNotFound):
        await cat.member.call("unblock_user", user_id=bob.member.user_id)


async def copied(who: Neighbour, room: Place) -> list[str]:
    """Return the tables in which a browser has something of a room."""
    name = f"parley:page-{who.member.name.lower()}:{who.member.user_id}"
    found: list[str] = await who.page.evaluate(COPIED, [name, room.id])
    return found


async def test_who_is_removed_reads_it_at_once_and_keeps_nothing(
    ann: Neighbour, bob: Neighbour, cat: Neighbour, room: Place
) -> None:
    await ann.member.send(room.id, "For the three of us")
    await cat.enter(room.name)
    await expect(cat.message("For the three of us")).to_be_visible()
    assert {"messages", "members"} <= set(await copied(cat, room))
    about = await ann.look_after(room.name)
    await ann.meet(about, "Cat")
    await ann.press("Remove from the room")
    await ann.page.get_by_label("Reason").fill(MARKUP)
    await ann.press("Remove")
    await ann.is_told("Cat was removed.")
    await expect(about.get_by_role("button", name="Cat")).to_have_count(0)
    out = cat.page.get_by_role("alert")
    await expect(out).to_contain_text(f"You are out of “{room.name}”")
    await expect(out).to_contain_text(f"The reason that was given: {MARKUP}")
    await expect(cat.page.get_by_role("link", name=room.name)).to_have_count(0)
    await expect(cat.messages).to_have_count(0)

    async def is_gone() -> bool:
        return await copied(cat, room) == []

    await until(is_gone)
    await bob.enter(room.name)
    await expect(bob.message("For the three of us")).to_be_visible()
    assert await cat.page.evaluate("window.hit") is None
    await cat.press("To the other rooms")


async def test_a_room_is_looked_after_by_who_may(
    ann: Neighbour, bob: Neighbour, cat: Neighbour, room: Place, stack: Status
) -> None:
    # Bob is a member: he is offered nothing.
    about = await bob.look_after(room.name)
    for name in ("Edit the room", "Add people", "Make a link", "Archive the room"):
        await expect(about.get_by_role("button", name=name)).to_have_count(0)
    card = await bob.meet(about, "Cat")
    await expect(card.get_by_role("button", name="Write to Cat")).to_be_visible()
    await expect(card.get_by_role("button", name="Mute")).to_have_count(0)
    await bob.press("Close")
    # Ann makes him a moderator: he mutes Cat, and is not offered Ann.
    hers = await ann.look_after(room.name)
    await ann.meet(hers, "Bob")
    await ann.press("Change the role")
    await ann.page.get_by_role("radio", name="Moderator").check()
    await ann.press("Save")
    await ann.is_told("Bob is moderator now.")
    await bob.meet(about, "Ann")
    await expect(card.get_by_role("button", name="Mute")).to_have_count(0)
    await bob.press("Close")
    await bob.meet(about, "Cat")
    await bob.press("Mute", "Mute")
    await bob.is_told("Cat was muted.")
    await cat.enter(room.name)
    await expect(about.get_by_role("button", name="Cat")).to_contain_text("Muted")
    await bob.meet(about, "Cat")
    await bob.press("Let them write again")
    await expect(about.get_by_role("button", name="Cat")).not_to_contain_text("Muted")
    # A right that ends while Bob fills in a form: he reads why it did not work.
    await bob.meet(about, "Cat")
    await bob.press("Ban from the room")
    await ann.member.call(
        "set_member_role", room_id=room.id, user_id=bob.member.user_id, role="member"
    )
    await bob.press("Ban")
    refusal = bob.dialog("Ban Cat?").get_by_role("alert")
    await expect(refusal).to_contain_text("This needs the role moderator in the room")
    await bob.page.keyboard.press("Escape")
    bob.expect_complaints(403)
    # Ann changes the room, everybody sees it, and text is text.
    await ann.press("Edit the room")
    await ann.page.get_by_label("Name").fill(MARKUP)
    await ann.page.get_by_label("Topic").fill(f"About {MARKUP}")
    await ann.page.get_by_label("Slow mode").select_option(label="A message in 10 seconds")
    await ann.press("Save")
    await expect(cat.page.get_by_role("main").get_by_role("heading")).to_have_text(MARKUP)
    await expect(about).to_contain_text(f"About {MARKUP}")
    await expect(about).to_contain_text("One message in 10 seconds each.")
    # Cat leaves, comes back with a link, and is banned.
    await cat.press("About this room", "Leave the room", "Leave")
    await expect(cat.page.get_by_text("Choose a room.")).to_be_visible()
    await ann.press("Make a link")
    link = await ann.page.get_by_label("The link").input_value()
    await cat.page.goto(link.replace("/#", "/?as=cat#"))
    await cat.press("Come in")
    await expect(cat.field).to_be_visible()
    await expect(hers.get_by_role("region", name="Invite links")).to_contain_text("of 10 used")
    await ann.meet(hers, "Cat")
    await ann.press("Ban from the room", "Ban")
    await expect(cat.page.get_by_role("alert")).to_contain_text("You are out of")
    banned = hers.get_by_role("region", name="Banned")
    await expect(banned).to_contain_text("Cat")
    await cat.page.goto(link.replace("/#", "/?as=cat#"))
    await cat.press("Come in")
    await expect(cat.page.get_by_text("You are banned from this room.")).to_be_visible()
    await cat.press("Not now")
    cat.expect_complaints(403)
    await banned.get_by_role("button", name="Lift the ban").click()
    await expect(banned).to_have_count(0)
    # She is found by her name, and added again.
    await ann.press("Add people")
    await ann.page.get_by_label("Name").fill("cat")
    await ann.press("Add Cat")
    await expect(ann.dialog("Add people")).to_contain_text("Cat was added.")
    await ann.press("Done")
    await expect(cat.page.locator(f"a[href='#{room.id}']")).to_be_visible()
    # Ann is the only owner: she reads what to do before she can leave.
    await ann.press("Leave the room", "Leave")
    await expect(ann.dialog("Leave the room?")).to_contain_text("Make somebody else owner first.")
    await ann.press("Cancel")
    ann.expect_complaints(409)
    assert await ann.page.evaluate("window.hit") is None
    assert await cat.page.evaluate("window.hit") is None


async def test_a_report_leads_to_an_answer_and_a_block_folds_what_somebody_says(
    ann: Neighbour, bob: Neighbour, cat: Neighbour, room: Place
) -> None:
    await bob.member.send(room.id, MARKUP)
    await bob.member.send(room.id, "Buy this")
    await cat.enter(room.name)
    await cat.choose("Buy this", "Report or block")
    await cat.page.get_by_role("radio", name="Something else").check()
    await cat.page.get_by_label("In your words").fill(MARKUP)
    await cat.press("Report")
    await cat.is_told("Moderators look at it")
    await expect(cat.message("Buy this")).to_be_focused()
    await cat.choose("Buy this", "Report or block")
    await cat.press("Block Bob instead", "Block")
    folded = cat.message("A message of somebody you blocked")
    await expect(folded).to_have_count(2)
    await folded.first.get_by_role("button", name="Show it").click()
    await expect(cat.messages.first).to_contain_text(MARKUP)
    # Ann is an owner of the room: she deals with it, and Cat is told.
    await ann.enter(room.name)
    await ann.page.evaluate("dispatchEvent(new Event('focus'))")
    await ann.page.get_by_role("button", name="Reports").click()
    card = ann.dialog("Reports").get_by_role("article", name="Report about Bob").first
    await expect(card).to_contain_text("Buy this")
    await expect(card).to_contain_text(MARKUP)
    await expect(card).to_contain_text("Reported by Cat")
    await card.get_by_role("button", name="I look at it").click()
    await expect(card).to_contain_text("You look")
    await card.get_by_role("link", name="See it in the room").click()
    await expect(ann.message("Buy this")).to_be_in_viewport()
    await card.get_by_role("button", name="Delete the message").click()
    await ann.press("Delete")
    await expect(ann.messages.last).to_contain_text("Deleted")
    await card.get_by_role("button", name="Close…").click()
    await ann.press("We deleted the message.", "Close the report")
    await ann.is_told("The report is closed, and Cat was told.")
    await expect(ann.dialog("Reports")).to_contain_text("No report is open.")
    await ann.press("Closed")
    await expect(card).to_contain_text("We deleted the message.")
    await ann.page.keyboard.press("Escape")
    await expect(ann.page.get_by_role("button", name="Reports")).to_be_focused()
    await cat.page.get_by_role("button", name="Notifications").click()
    told = cat.dialog("Notifications").get_by_role("link", name="Your report about Bob").first
    await expect(told).to_contain_text("We deleted the message.")
    await told.click()
    await expect(told.get_by_text("unread")).to_have_count(0)
    await cat.page.keyboard.press("Escape")
    # The block ends where it is listed.
    await cat.press("Preferences", "Unblock Bob", "Done")
    await expect(folded).to_have_count(0)
    assert await cat.page.evaluate("window.hit") is None


async def test_notifications_lead_to_what_was_said_and_are_read_once(
    ann: Neighbour, bob: Neighbour, cat: Neighbour, room: Place
) -> None:
    bell = ann.page.get_by_role("button", name="Notifications")
    await ann.enter("Lisbon in May")
    await bell.click()
    if await ann.page.get_by_role("button", name="Mark all as read").is_enabled():
        await ann.press("Mark all as read")
    await expect(bell).to_have_accessible_name("Notifications")
    await bob.enter(room.name)
    await expect(bob.page.get_by_role("main")).to_contain_text("Ann")
    await bob.write("@Ann, look")
    await expect(bell).to_have_accessible_name("Notifications, 1 unread")
    line = ann.dialog("Notifications").get_by_role("link", name="Bob mentioned you").first
    await expect(line).to_contain_text(f"in {room.name}")
    await expect(line).to_contain_text("@Ann, look")
    await line.click()
    await expect(ann.message("@Ann, look")).to_be_in_viewport()
    await expect(bell).to_have_accessible_name("Notifications")
    await ann.page.keyboard.press("Escape")


async def test_people_choose_how_they_are_seen_and_what_reaches_them(
    ann: Neighbour, bob: Neighbour, room: Place
) -> None:
    about = await bob.look_after(room.name)
    await expect(about.get_by_role("button", name="Ann")).to_contain_text("online")
    line = bob.page.get_by_role("navigation").get_by_role("link", name=room.name)
    await about.get_by_label("Notify me of").select_option(label="Nothing")
    await expect(line).to_contain_text("notifications are off")
    await about.get_by_label("Notify me of").select_option(label="Every message")
    await expect(line).not_to_contain_text("notifications are off")
    await about.get_by_label("Pause notifications").select_option(label="For 1 hour")
    await expect(line).to_contain_text("notifications are off")
    await about.get_by_label("Pause notifications").select_option(label="End it")
    await expect(line).not_to_contain_text("notifications are off")
    await about.get_by_role("switch", name="Keep on top").click()
    await expect(bob.page.locator(".room-line").first).to_contain_text(room.name)
    await about.get_by_role("switch", name="Put away").click()
    await expect(bob.page.locator(".away")).to_contain_text(room.name)
    await ann.member.send(room.id, "Before")
    await expect(bob.message("Before")).to_be_visible()
    await about.get_by_role("button", name="Clear the history for me").click()
    await bob.press("Clear it")
    await expect(bob.messages).to_have_count(0)
    # The own name, and who sees that one is here.
    await bob.press("Preferences")
    await bob.page.get_by_label("Name").fill("Robert")
    await bob.press("Save")
    await expect(bob.page.get_by_role("heading", name="Robert")).to_be_visible()
    # (Names come when a copy compares heads, as it does when the network is back.)
    await ann.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(ann.page.locator(".title", has_text="Robert")).to_be_visible()
    await bob.page.get_by_label("Name").fill("Bob")
    await bob.press("Save")
    await expect(bob.page.get_by_role("heading", name="Bob", exact=True)).to_be_visible()
    picture = FilePayload(name="me & you.png", mimeType="image/png", buffer=PIXEL)
    await bob.page.get_by_label("Choose a picture").set_input_files(picture)
    await expect(bob.dialog("Preferences").locator("img.avatar")).to_be_visible()
    shared = bob.page.get_by_role("switch", name="Show when I am online")
    await shared.click()
    await expect(shared).to_have_attribute("aria-checked", "false")

    async def nobody_is_told() -> bool:
        return not await ann.member.call("list_presence", user_ids=[bob.member.user_id])

    # (The switch turns at once, and is told to the server then.)
    await until(nobody_is_told)
    await shared.click()
    await expect(shared).to_have_attribute("aria-checked", "true")
    await bob.page.get_by_label("Colours").select_option(label="Dark")
    scheme = "getComputedStyle(document.documentElement).colorScheme"
    assert await bob.page.evaluate(scheme) == "dark"
    await bob.page.get_by_label("Colours").select_option(label="As the system")
    await bob.press("Done", "Close the panel")


async def walk_through(ann: Neighbour, about: Locator) -> None:
    """Go with the keyboard through what the panel of a room leads to."""
    page = ann.page
    on = page.locator(":focus")
    await about.get_by_role("button", name="Bob").focus()
    await page.keyboard.press("Enter")
    await expect(ann.dialog("Bob").get_by_role("button").first).to_be_focused()
    assert await page.evaluate(FINDINGS) == []
    for name in ("Change the role", "Ban from the room", "Report"):
        await ann.dialog("Bob").get_by_role("button", name=name).focus()
        await page.keyboard.press("Enter")
        assert await page.evaluate(FINDINGS) == []
        await ann.press("Back")
    await page.keyboard.press("Escape")
    await expect(about.get_by_role("button", name="Bob")).to_be_focused()
    for name in ("Edit the room", "Add people"):
        await about.get_by_role("button", name=name).focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Name").and_(on)).to_be_visible()
        assert await page.evaluate(FINDINGS) == []
        await page.keyboard.press("Escape")
        await expect(about.get_by_role("button", name=name)).to_be_focused()


async def test_panels_and_dialogs_work_with_the_keyboard_and_axe_finds_nothing_serious(
    ann: Neighbour, bob: Neighbour, room: Place
) -> None:
    page = ann.page
    await bob.member.send(room.id, "Hello @Ann")
    await ann.enter(room.name)
    await page.evaluate(AXE.read_text())
    for width in (1280, 360):
        await page.set_viewport_size({"width": width, "height": 720})
        scheme: Any = "dark" if width == 360 else "light"
        await page.emulate_media(color_scheme=scheme)
        opener = page.get_by_role("button", name="About this room")
        await opener.focus()
        await page.keyboard.press("Enter")
        about = ann.dialog("About this room")
        await expect(about.get_by_role("button", name="Close the panel")).to_be_focused()
        assert await page.evaluate(FINDINGS) == []
        if width == 1280:
            await walk_through(ann, about)
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        await page.keyboard.press("Escape")
        await expect(opener).to_be_focused()
        if width == 360:
            await ann.press("All rooms")
        for name in ("Notifications", "Reports", "Preferences"):
            opener = page.get_by_role("button", name=name)
            await opener.focus()
            await page.keyboard.press("Enter")
            await expect(ann.dialog(name)).to_be_visible()
            assert await page.evaluate(FINDINGS) == []
            assert await page.evaluate("document.documentElement.scrollWidth") == width
            await page.keyboard.press("Escape")
            await expect(opener).to_be_focused()
    await page.set_viewport_size({"width": 1280, "height": 720})
    await page.emulate_media(color_scheme="null")

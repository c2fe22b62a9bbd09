"""The page of the front door, as Ann and Bob use it in two browsers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from supabase import AsyncClientOptions, acreate_client

from parley.stack import Status
from parley.stack.page import DEMO_PASSWORD
from tests.browser.chromium import Chromium, Device
from tests.e2e.chat_people import PASSWORD, Member
from tests.until import until

pytestmark = pytest.mark.lasts(35)

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
MARKUP = "<img src=x onerror='window.hit = 1'><script>window.hit = 1</script>"
FINDINGS = """async () => {
  const { violations } = await axe.run();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join()}`);
}"""


@dataclass
class User:
    """Somebody with a page of their own; ``member`` is them without a browser."""

    member: Member
    device: Device
    page: Page

    @property
    def messages(self) -> Locator:
        """The messages on the screen."""
        return self.page.locator("li.message")

    @property
    def field(self) -> Locator:
        """Where they write."""
        return self.page.get_by_role("combobox", name="Message")

    def message(self, body: str) -> Locator:
        """The message with this text."""
        return self.messages.filter(has_text=body)

    async def enter(self, name: str) -> None:
        """Open a room from the list."""
        await self.page.get_by_role("link", name=name).click()
        await expect(self.page.get_by_role("heading", name=name)).to_be_visible()

    async def write(self, body: str) -> None:
        """Write a message, and send it with Enter."""
        await self.field.fill(body)
        await self.field.press("Enter")

    async def choose(self, body: str, what: str) -> None:
        """Do something with a message."""
        await self.message(body).hover()
        await self.message(body).get_by_role("button", name=what, exact=True).click()


async def seeded(stack: Status, name: str) -> Member:
    """Somebody of supabase/seed.sql, signed in."""
    email = f"{name.lower()}@parley.example"
    client = await acreate_client(
        stack.api_url, stack.publishable_key, AsyncClientOptions(schema="chat")
    )
    answer = await client.auth.sign_in_with_password({"email": email, "password": DEMO_PASSWORD})
    assert answer.user is not None and answer.session is not None
    return Member(name, answer.user.id, client, answer.session.access_token, email)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def users(chromium: Chromium, stack: Status) -> AsyncIterator[list[User]]:
    """Ann and Bob of the demo. Each got in with one click, and neither console complains."""
    with psycopg.connect(stack.db_url) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())
    async with AsyncExitStack() as opened:
        found = []
        for name in ("Ann", "Bob"):
            device = await opened.enter_async_context(chromium.device())
            device.url = f"{stack.api_url}/"
            page = (await device.open_tab()).page
            await page.get_by_role("link", name=f"Sign in as {name}").click()
            await expect(page.get_by_role("heading", name=name)).to_be_visible()
            found.append(User(await seeded(stack, name), device, page))
        yield found
        assert [user.device.complaints for user in found] == [[], []]


@pytest_asyncio.fixture
async def ann(users: list[User]) -> User:
    """Ann."""
    return users[0]


@pytest_asyncio.fixture
async def bob(users: list[User]) -> User:
    """Bob."""
    return users[1]


@pytest_asyncio.fixture
async def room(ann: User, bob: User) -> str:
    """The name of a room that Ann made for herself and Bob."""
    name = f"Room {uuid4()}"
    await ann.member.call("create_room", name=name, member_ids=[bob.member.user_id])
    return name


async def test_two_people_talk_and_change_what_they_said(ann: User, bob: User, room: str) -> None:
    await ann.enter(room)
    await ann.write("Shall we take the train?")
    line = bob.page.get_by_role("link", name=room)
    await expect(line).to_contain_text("1unread")
    await expect(line).to_contain_text("Ann: Shall we take the train?")
    await bob.enter(room)
    await expect(ann.message("the train").locator(".tick")).to_have_text("Read")
    await expect(line).not_to_contain_text("unread")

    async def is_told() -> bool:
        # Live topics forget: what is typed before both have joined is told to nobody.
        await bob.field.press_sequentially("G")
        return await ann.page.get_by_text("Bob is typing…").is_visible()

    await until(is_told)
    await bob.choose("the train", "Reply")
    await bob.field.fill("Gladly, @an")
    await bob.field.press("Enter")
    await expect(bob.field).to_have_value("Gladly, @Ann ")
    await bob.field.press("Enter")
    await expect(ann.message("Gladly").locator(".quote")).to_have_text(
        "Ann Shall we take the train?"
    )
    await ann.choose("Gladly", "React")
    await ann.page.get_by_role("button", name="🎉").click()
    await expect(bob.message("Gladly").get_by_role("button", name="🎉 1: Ann")).to_be_visible()
    await bob.choose("Gladly", "Edit")
    await bob.write("Gladly, at nine")
    await expect(ann.message("at nine").locator(".meta")).to_contain_text("edited")
    await bob.choose("at nine", "Delete")
    await bob.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(ann.messages.last).to_contain_text("Deleted")
    await expect(ann.messages).to_have_count(2)


async def test_what_is_written_offline_outlives_the_page_and_is_sent_once(
    ann: User, bob: User, room: str
) -> None:
    await ann.enter(room)
    await bob.enter(room)
    await expect(ann.page.get_by_text("Live")).to_be_visible()
    switch = ann.page.get_by_role("switch", name="Offline")
    await switch.click()
    await ann.write("Written in a tunnel")
    await ann.field.fill("Half a thou")
    await ann.page.reload()
    waiting = ann.message("Written in a tunnel").locator(".tick")
    await expect(waiting).to_have_text("Waiting to be sent")
    await expect(ann.field).to_have_value("Half a thou")
    await expect(bob.messages).to_have_count(0)
    await switch.click()
    await expect(bob.message("Written in a tunnel")).to_be_visible()
    await expect(waiting).to_have_text("Read")
    await expect(bob.messages).to_have_count(1)
    await ann.field.fill("")


async def test_a_refused_message_says_why_and_can_be_tried_again_or_dismissed(
    ann: User, bob: User, room: str
) -> None:
    await bob.enter(room)
    rooms = await ann.member.call("list_rooms")
    room_id = next(each["room"]["id"] for each in rooms if each["room"]["name"] == room)
    muted = {"room_id": room_id, "user_id": bob.member.user_id}
    switch = bob.page.get_by_role("switch", name="Offline")
    await switch.click()
    await bob.write("Can you hear me?")
    await bob.write("Never mind")
    await ann.member.call("mute_member", **muted, until="2999-01-01T00:00:00Z")
    await switch.click()
    first, second = bob.message("Can you hear me?"), bob.message("Never mind")
    for each in (first, second):
        await expect(each).to_contain_text("Not sent. You are muted here.")
    await second.get_by_role("button", name="Dismiss").click()
    await expect(bob.messages).to_have_count(1)
    await ann.member.call("unmute_member", **muted)
    await first.get_by_role("button", name="Try again").click()
    await expect(first.locator(".tick")).to_have_text(re.compile("Sent|Delivered"))
    # (The browser notes each refusal.)
    complaints = [each for tab in bob.device.tabs for each in tab.complaints]
    assert all("the server responded with a status of 403" in each for each in complaints)
    for tab in bob.device.tabs:
        tab.complaints.clear()


async def test_markup_in_names_and_messages_is_text(ann: User, bob: User, room: str) -> None:
    await bob.member.call("update_profile", display_name=MARKUP)
    try:
        made = await bob.member.call("create_room", name=MARKUP, member_ids=[ann.member.user_id])
        await bob.member.send(made["id"], MARKUP)
        line = ann.page.locator(f"a[href='#{made['id']}']")
        await expect(line).to_contain_text(f"{MARKUP}: {MARKUP}")
        await line.click()
        await expect(ann.messages.locator(".body")).to_have_text(MARKUP)
        await expect(ann.messages.locator(".sender")).to_have_text(MARKUP)
        await expect(ann.page.get_by_role("main").get_by_role("heading")).to_have_text(MARKUP)
        await ann.page.get_by_placeholder("Search messages").fill("onerror")
        found = ann.page.get_by_role("region", name="Messages found")
        await expect(found).to_contain_text(MARKUP)
        await ann.page.get_by_placeholder("Search messages").fill("")
        assert await ann.page.evaluate("window.hit") is None
        assert await ann.page.locator("img, script:not([src])").count() == 0
    finally:
        await bob.member.call("update_profile", display_name="Bob")


async def test_older_messages_come_while_somebody_scrolls_and_search_leads_to_them(
    ann: User, bob: User, room: str
) -> None:
    long = f"Long {uuid4()}"
    made = await bob.member.call("create_room", name=long, member_ids=[ann.member.user_id])
    bodies = ["A needle", *(f"Line {n}" for n in range(1, 140))]
    items = [{"room_id": made["id"], "body": body, "client_id": str(uuid4())} for body in bodies]
    outcomes = await bob.member.call("send_messages", items=items)
    assert {each["outcome"] for each in outcomes} == {"sent"}
    await expect(ann.page.get_by_role("link", name=long)).to_contain_text("99+unread")
    await ann.enter(long)
    # It opens where the last hundred messages begin, since so many are counted as new.
    await expect(ann.message("Line 40")).to_be_in_viewport()
    await expect(ann.message("Line 139")).not_to_be_in_viewport()
    await ann.page.locator(".messages").hover()
    for body in ("Line 50", "A needle"):

        async def has_come(body: str = body) -> bool:
            await ann.page.mouse.wheel(0, -100_000)
            return await ann.message(body).count() > 0

        await until(has_come)
    await expect(ann.message("Line 139")).not_to_be_in_viewport()
    # What comes at the end does not move what somebody reads.
    reading = ann.message("Line 60")
    await reading.scroll_into_view_if_needed()
    place = await reading.bounding_box()
    assert place is not None
    await bob.member.send(made["id"], "News")
    await expect(ann.message("News")).to_be_attached()
    there = await reading.bounding_box()
    assert there is not None and abs(there["y"] - place["y"]) < 1
    await ann.enter(room)
    await ann.page.get_by_placeholder("Search messages").fill("needle")
    await ann.page.get_by_role("link", name="A needle").first.click()
    await expect(ann.message("A needle")).to_be_in_viewport()
    await ann.page.get_by_placeholder("Search messages").fill("")


async def test_everything_can_be_done_with_the_keyboard(ann: User, bob: User, room: str) -> None:
    press = ann.page.keyboard.press
    on = ann.page.locator(":focus")

    async def tab_to(role: Any, name: str, key: str = "Tab") -> None:
        wanted = ann.page.get_by_role(role, name=name, exact=True)
        for _ in range(40):
            if await wanted.and_(on).count():
                return
            await press(key)
        pytest.fail(f"{key} does not lead to {name}.")

    await ann.page.evaluate("document.activeElement.blur()")
    await tab_to("button", "New room")
    await press("Enter")
    await tab_to("checkbox", "Bob")
    await press("Space")
    await tab_to("textbox", "Name of the group")
    await ann.page.keyboard.type(f"{room}, by hand")
    await press("Enter")
    await expect(ann.field).to_be_focused()
    await ann.page.keyboard.type("First")
    await press("Enter")
    await ann.page.keyboard.type("Second")
    await press("Enter")
    await expect(ann.message("Second").locator(".tick")).not_to_have_text("Waiting to be sent")
    await press("Shift+Tab")
    await expect(ann.message("Second")).to_be_focused()
    await press("ArrowUp")
    await expect(ann.message("First")).to_be_focused()
    await tab_to("button", "React")
    await press("Enter")
    await press("Enter")
    await expect(ann.message("First").get_by_role("button", name="👍 1: you")).to_be_visible()
    await expect(ann.message("First")).to_be_focused()
    await tab_to("button", "Edit")
    await press("Enter")
    await expect(ann.field).to_be_focused()
    await press("End")
    await ann.page.keyboard.type(" of all")
    await press("Enter")
    await expect(ann.message("First of all")).to_be_visible()
    await press("ArrowUp")
    await expect(ann.field).to_have_value("Second")
    await press("Escape")
    await expect(ann.field).to_have_value("")
    await bob.enter(f"{room}, by hand")
    await expect(bob.message("First of all")).to_be_visible()


async def test_somebody_signs_in_by_e_mail_and_out_and_leaves_nothing(
    chromium: Chromium, stack: Status, people: list[Member], users: list[User]
) -> None:
    assert users
    async with chromium.device() as device:
        device.url = f"{stack.api_url}/"
        tab = await device.open_tab()
        page = tab.page
        await page.evaluate(AXE.read_text())
        assert await page.evaluate(FINDINGS) == []
        await page.get_by_label("E-mail").fill(people[0].email)
        await page.get_by_label("Password").fill("a guess")
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("Invalid login credentials")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_role("heading", name=people[0].email)).to_be_visible()
        await expect(page.get_by_text("There is no room yet.")).to_be_visible()
        await page.get_by_role("button", name="Preferences").click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("E-mail")).to_be_visible()

        async def is_empty() -> bool:
            kept = await page.evaluate(
                "async () => [...await indexedDB.databases(), ...Object.keys(localStorage)]"
            )
            return not kept

        await until(is_empty)
        # (The browser notes the wrong password.)
        (refusal,) = tab.complaints
        assert "status of 400" in refusal

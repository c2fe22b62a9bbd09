"""Every main state of the page: nothing serious for axe, and nothing wider than a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, expect

from parley.stack import Status
from tests.browser.chromium import Chromium
from tests.browser.pictures import ROOT, Looking
from tests.browser.test_page import User
from tests.e2e.chat_people import PASSWORD, Member
from tests.until import until

pytestmark = pytest.mark.lasts(40)

TRIP = [
    (0, "I found three days at the beginning of May. Who is in?", None),
    (1, "Me! Can we take the night train back?", 1),
    (2, "In. I will look for a flat in Alfama, somewhere with stairs we can complain about.", 1),
    (0, "Perfect. Bob, the night train does not run on Tuesdays, so Wednesday it is.", 2),
    (1, "Wednesday works. Booking now 🚆", 4),
    (2, "The flat has a terrace. And 94 steps, I counted twice.", None),
    (1, "94? Then I am packing light 🎒", None),
    (0, "@Cat you are a hero. Photos?", None),
    (0, "Train is booked too: Wednesday, 21:25, three beds.", None),
    (1, "Perfect. Meet under the clock at nine?", None),
]
"""What is said in the room of the pictures: who, what, and the place of what it answers."""

PICTURE: FilePayload = {
    "name": "view.png",
    "mimeType": "image/png",
    "buffer": (ROOT / "docs" / "page-desktop.png").read_bytes(),
}
NOTE: FilePayload = {"name": "tickets.txt", "mimeType": "text/plain", "buffer": b"21:25, car 4\n"}


async def say(who: Member, room_id: str, body: str, **more: object) -> None:
    """Send a message with more than a text."""
    sent = {"room_id": room_id, "body": body, "client_id": str(uuid4()), **more}
    await who.call("send_message", **sent)


async def furnish(people: list[Member]) -> None:
    """Make the rooms that Ann sees, with what was said in them."""
    ann, bob, cat, _ = people
    others = [bob.user_id, cat.user_id]
    news = await cat.call(
        "create_room",
        name="Announcements",
        default_role="reader",
        member_ids=[ann.user_id, bob.user_id],
    )
    await say(cat, news["id"], "Only I write here. Everybody may read along.")
    flat = await bob.call("create_room", name="The flat in Graça", member_ids=[ann.user_id])
    for body in (
        "The rent is due on Friday",
        "And the light in the hall is broken again",
        "@Ann, you have the key?",
    ):
        await say(bob, flat["id"], body, mentions=[ann.user_id] if "@Ann" in body else [])
    trip = await ann.call("create_room", name="Lisbon in May", member_ids=others)
    for sender, body, reply_to in TRIP:
        mentions = [cat.user_id] if "@Cat" in body else []
        await say(people[sender], trip["id"], body, reply_to=reply_to, mentions=mentions)
    for who, emoji in ((ann, "❤️"), (bob, "🎉")):
        await who.call("add_reaction", room_id=trip["id"], seq=6, emoji=emoji)
    for who in (ann, bob, cat):
        await who.call("mark_read", room_id=trip["id"], seq=len(TRIP))
    direct = await bob.call("open_direct", user_id=ann.user_id)
    await say(bob, direct["id"], "Look outside!")


@pytest_asyncio.fixture
async def users(
    chromium: Chromium, stack: Status, people: list[Member]
) -> AsyncIterator[list[User]]:
    """Ann and Bob with their rooms, each at the way in."""
    with psycopg.connect(stack.db_url) as connection:
        connection.execute((ROOT / "supabase" / "seed.sql").read_bytes())
    await furnish(people)
    async with AsyncExitStack() as opened:
        found = []
        for person in people[:2]:
            device = await opened.enter_async_context(chromium.device())
            device.url = f"{stack.api_url}/"
            found.append(User(person, device, (await device.open_tab()).page))
        yield found
        assert [user.device.complaints for user in found] == [[], []]


async def sign_in(user: User) -> None:
    """Get in by e-mail, and wait until the rooms are there."""
    await user.page.get_by_label("E-mail").fill(user.member.email)
    await user.page.get_by_label("Password").fill(PASSWORD)
    await user.page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(user.page.get_by_role("heading", name=user.member.name)).to_be_visible()
    await expect(user.page.get_by_text("Live")).to_be_visible()


async def test_axe_finds_nothing_serious_in_any_state_and_nothing_is_wider_than_a_phone(
    users: list[User], people: list[Member]
) -> None:
    ann, bob = users
    page = ann.page
    looking = Looking(page)
    look = looking.look

    await look("sign-in")
    await sign_in(ann)
    await sign_in(bob)
    await look("rooms")
    await ann.enter("The flat in Graça")
    await expect(page.get_by_text("New messages")).to_be_visible()
    await look("unread")
    await page.goto(ann.device.url)
    await page.get_by_placeholder("Search messages").fill("train")
    await expect(page.get_by_role("region", name="Messages found")).to_contain_text("found")
    await look("search")
    await page.get_by_placeholder("Search messages").fill("")
    await page.get_by_role("button", name="New room").click()
    await page.get_by_role("checkbox", name="Bob").check()
    await look("new-room")
    await page.keyboard.press("Escape")

    for user in users:
        await user.enter("Lisbon in May")
    await expect(ann.message("three beds").locator(".tick")).to_have_text("Read")

    async def is_told() -> bool:
        await bob.field.press_sequentially("S")
        return await page.get_by_text("Bob is typing…").is_visible()

    await until(is_told)
    await look("room")
    await ann.message("three beds").focus()
    await look("message")
    await ann.choose("clock at nine", "React")
    await look("reacting")
    await page.keyboard.press("Escape")
    await ann.choose("clock at nine", "Reply")
    await ann.field.fill("Under the clock, @")
    await expect(page.get_by_role("listbox", name="People")).to_be_visible()
    await look("replying")
    await ann.field.press("Escape")
    await ann.field.fill("")
    await ann.field.press("Escape")
    await ann.choose("three beds", "Delete")
    await look("deleting")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Stream", exact=True).click()
    await expect(page.get_by_role("complementary", name="Stream")).to_be_visible()
    await look("stream")
    await page.get_by_role("button", name="Close the stream").click()

    await ann.choose("flat in Alfama", "Open the thread")
    panel = page.get_by_role("complementary", name="Thread")
    await expect(panel).to_contain_text("night train back")
    await look("thread")
    await page.keyboard.press("Escape")
    await ann.choose("94 steps", "Pin")
    await page.get_by_role("button", name="Pinned messages").click()
    await expect(page.get_by_role("complementary", name="Pinned messages")).to_contain_text(
        "94 steps"
    )
    await look("pins")
    await page.keyboard.press("Escape")
    await page.locator("main input[type=file]").set_input_files([PICTURE, NOTE])
    await expect(page.get_by_role("list", name="Files to send")).to_contain_text("tickets.txt")
    await look("files-to-send")
    await ann.write("The view, and the tickets")
    view = page.get_by_role("button", name="Open view.png")
    await expect(view).to_be_visible()
    await expect(ann.messages.last).to_contain_text("tickets.txt")
    await expect(ann.messages.last.locator(".tick")).not_to_have_text("Waiting to be sent")
    await look("files")
    await view.click()
    await expect(page.get_by_role("dialog", name="view.png")).to_be_visible()
    await look("picture")
    await page.keyboard.press("Escape")

    switch = page.get_by_role("switch", name="Offline")
    await switch.click()
    await ann.write("Written in a tunnel")
    await expect(ann.message("in a tunnel").locator(".tick")).to_have_text("Waiting to be sent")
    await look("offline")
    await ann.enter("Announcements")
    await look("reader")
    await page.goto(f"{ann.device.url}#{uuid4()}")
    await expect(page.get_by_text("This room is not here")).to_be_visible()
    await look("no-room")
    assert looking.found == {}

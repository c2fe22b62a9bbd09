"""The conversation on the page: files, threads, pins, what is new, and long rooms."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, expect

from parley.stack import Status
from tests.browser.test_page import (
    AXE,
    FINDINGS,
    MARKUP,
    User,
    ann,
    bob,
    room,
    users,
)
from tests.until import until

__all__ = ["ann", "bob", "room", "users"]

pytestmark = pytest.mark.lasts(40)

NAMED = "<img src=x onerror='window.hit = 1'>.txt"
SIZE = 1200

GIVE = """([type, name, bytes]) => {
  const data = new DataTransfer();
  const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  data.items.add(new File([content], name, { type: "image/png" }));
  const on = type === "paste"
    ? document.querySelector("main textarea")
    : document.querySelector("main");
  const more = { bubbles: true, cancelable: true };
  on.dispatchEvent(
    type === "paste"
      ? new ClipboardEvent(type, { ...more, clipboardData: data })
      : new DragEvent(type, { ...more, dataTransfer: data }),
  );
}"""
LOOK = """(isLooking) => {
  document.hasFocus = () => isLooking;
  dispatchEvent(new Event(isLooking ? "focus" : "blur"));
}"""


def png(width: int, height: int) -> bytes:
    """A picture of one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = (b"\0" + b"\x0f\x76\x6e" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


PICTURE: FilePayload = {"name": "alfama.png", "mimeType": "image/png", "buffer": png(64, 48)}
NOTES: FilePayload = {"name": NAMED, "mimeType": "text/plain", "buffer": b"Bring shoes"}


async def has_picture(user: User, name: str) -> bool:
    """Whether somebody sees a picture, and not only a place for it."""
    shown = user.messages.locator(f"img[alt='{name}']").last
    return bool(
        await shown.count()
        and await shown.evaluate("(image) => image.complete && image.naturalWidth")
    )


async def room_id_of(user: User, name: str) -> str:
    """The id of a room, by its name."""
    rooms = await user.member.call("list_rooms")
    return next(str(each["room"]["id"]) for each in rooms if each["room"]["name"] == name)


async def send_many(user: User, name: str, body: str) -> None:
    """Send thirty messages at once."""
    room_id = await room_id_of(user, name)
    items = [
        {"room_id": room_id, "body": f"{body} {number}", "client_id": str(uuid4())}
        for number in range(30)
    ]
    await user.member.call("send_messages", items=items)


async def serious(user: User) -> list[str]:
    """What axe finds on somebody's page, in the light and in the dark."""
    await user.page.evaluate(AXE.read_text())
    found = []
    for scheme in ("dark", "light"):
        await user.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found += await user.page.evaluate(FINDINGS)
    return found


async def test_files_are_chosen_pasted_or_dropped_and_looked_at_or_saved(
    ann: User, bob: User, room: str, tmp_path: Path
) -> None:
    await ann.enter(room)
    await bob.enter(room)
    tray = ann.page.get_by_role("list", name="Files to send")
    await ann.page.locator("main input[type=file]").set_input_files([PICTURE, NOTES])
    await expect(tray.get_by_role("listitem")).to_have_count(2)
    assert await serious(ann) == []
    await ann.write("From the top")
    await expect(tray).to_have_count(0)
    await until(lambda: has_picture(bob, "alfama.png"))
    await expect(bob.message("From the top").locator("img")).to_have_count(1)
    # The name of a file is text, and so is what an app of somebody else's attached.
    row = bob.message(NAMED)
    await expect(row).to_contain_text("byte")
    async with bob.page.expect_download() as saving:
        await row.get_by_role("button", name=f"Save {NAMED}").click()
    await (await saving.value).save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == NOTES["buffer"]
    room_id = await room_id_of(bob, room)
    await bob.member.call(
        "send_message",
        room_id=room_id,
        body="Something else",
        client_id=str(uuid4()),
        attachments=[{"title": MARKUP}],
        metadata={"note": MARKUP},
    )
    await expect(ann.message("Something else")).to_contain_text("cannot show")
    assert await ann.page.evaluate("window.hit") is None
    # A picture opens as large as the window.
    await bob.message("From the top").get_by_role("button", name="Open alfama.png").click()
    await expect(bob.page.get_by_role("dialog", name="alfama.png")).to_be_visible()
    assert await serious(bob) == []
    await bob.page.keyboard.press("Escape")
    preview = bob.message("From the top").get_by_role("button", name="Open alfama.png")
    await expect(preview).to_be_focused()
    await expect(bob.page.get_by_role("dialog")).to_have_count(0)
    content = base64.b64encode(PICTURE["buffer"]).decode()
    await ann.page.evaluate(GIVE, ["paste", "pasted.png", content])
    await expect(tray).to_contain_text("pasted.png")
    await tray.get_by_role("button", name="Remove pasted.png").click()
    await expect(tray).to_have_count(0)
    await ann.page.evaluate(GIVE, ["dragenter", "dropped.png", content])
    await expect(ann.page.get_by_text(f"Drop files to send them to {room}")).to_be_visible()
    await ann.page.evaluate(GIVE, ["drop", "dropped.png", content])
    await expect(tray).to_contain_text("dropped.png")
    # Without a network it waits, and its sender sees it all the same.
    switch = ann.page.get_by_role("switch", name="Offline")
    await switch.click()
    await ann.write("In a tunnel")
    waiting = ann.message("In a tunnel")
    await expect(waiting.locator(".tick")).to_have_text("Waiting to be sent")
    await expect(waiting.get_by_role("progressbar", name="Sending the file")).to_be_visible()
    await until(lambda: has_picture(ann, "dropped.png"))
    await switch.click()
    await until(lambda: has_picture(bob, "dropped.png"))
    await expect(waiting.get_by_role("progressbar")).to_have_count(0)


async def test_a_file_that_is_not_taken_says_so_and_can_be_dismissed(
    ann: User, bob: User, room: str
) -> None:
    await bob.enter(room)
    program: FilePayload = {
        "name": "setup.exe",
        "mimeType": "application/x-dosexec",
        "buffer": b"MZ",
    }
    await bob.page.locator("main input[type=file]").set_input_files(program)
    await bob.field.press("Enter")
    refused = bob.message("setup.exe")
    await expect(refused.get_by_role("alert")).to_contain_text("a kind that is not taken")
    await expect(refused.get_by_role("button", name="Try again")).to_be_visible()
    await refused.get_by_role("button", name="Dismiss").click()
    await expect(bob.messages).to_have_count(0)
    # (The browser notes each refusal.)
    for tab in bob.device.tabs:
        assert all("responded with a status of 4" in each for each in tab.complaints)
        tab.complaints.clear()


async def test_a_thread_is_read_and_answered_beside_its_room(
    ann: User, bob: User, room: str
) -> None:
    await ann.enter(room)
    await bob.enter(room)
    await ann.write("Where do we sleep?")
    answer = bob.page.get_by_role("combobox", name="Reply in the thread")
    await bob.choose("Where do we sleep?", "Open the thread")
    await expect(bob.page.get_by_text("Nobody has answered yet")).to_be_visible()
    for body in ("In Alfama", "Near the castle"):
        await answer.fill(body)
        await answer.press("Enter")
    line = ann.page.locator(".thread-line")
    await expect(line).to_contain_text("2 replies")
    await line.focus()
    await ann.page.keyboard.press("Enter")
    thread = ann.page.get_by_role("complementary", name="Thread")
    await expect(thread.locator("li.message")).to_have_count(3)
    own = thread.get_by_role("combobox", name="Reply in the thread")
    await expect(own).to_be_focused()
    await ann.page.keyboard.type("Stairs?")
    await ann.page.keyboard.press("Enter")
    there = bob.page.get_by_role("complementary", name="Thread")
    await expect(there.locator("li.message").last).to_contain_text("Stairs?")
    await expect(bob.page.locator("main .thread-line")).to_contain_text("3 replies")
    assert await serious(ann) == []
    await ann.page.keyboard.press("Escape")
    await expect(thread).to_have_count(0)
    await expect(line).to_be_focused()
    await bob.page.get_by_role("button", name="Close thread").click()


async def test_pins_are_listed_and_lead_to_their_messages(ann: User, bob: User, room: str) -> None:
    await ann.enter(room)
    await bob.enter(room)
    await ann.write("The key is under the mat")
    await ann.choose("The key", "Pin")
    await expect(bob.message("The key")).to_contain_text("Pinned")
    await send_many(bob, room, "And")
    await expect(bob.message("And 29")).to_be_visible()
    await expect(bob.message("The key")).not_to_be_in_viewport()
    await bob.page.get_by_role("button", name="Pinned messages").click()
    pins = bob.page.get_by_role("complementary", name="Pinned messages")
    await expect(pins.get_by_role("listitem")).to_contain_text(["The key is under the mat"])
    # Bob does not moderate the room.
    await expect(pins.get_by_role("button", name="Unpin")).to_have_count(0)
    assert await serious(bob) == []
    await pins.get_by_role("link").click()
    await expect(bob.message("The key")).to_be_in_viewport()
    await expect(bob.message("The key")).to_be_focused()
    await ann.page.get_by_role("button", name="Pinned messages").click()
    await ann.page.get_by_role("button", name="Unpin").click()
    for user in (ann, bob):
        await expect(user.page.get_by_text("Nothing is pinned here.")).to_be_visible()
        await user.page.get_by_role("button", name="Close pinned messages").click()


async def test_a_room_is_read_only_when_somebody_looks_at_its_end(
    ann: User, bob: User, room: str
) -> None:
    await send_many(bob, room, "Line")
    await expect(ann.page.get_by_role("link", name=room)).to_contain_text("30unread")
    await ann.enter(room)
    await bob.enter(room)
    await ann.page.get_by_role("button", name="Go to 30 new messages").click()
    await expect(bob.message("Line 29").locator(".tick")).to_have_text("Read")
    badge = ann.page.get_by_role("link", name=room)
    line = ann.page.get_by_text("New messages", exact=True)
    # While the window is behind others, nothing in it is read.
    await ann.page.evaluate(LOOK, False)
    try:
        await bob.write("Are you there?")
        await expect(badge).to_contain_text("1unread")
        await expect(line).to_be_in_viewport()
        await expect(bob.message("Are you there?").locator(".tick")).to_have_text("Delivered")
    finally:
        await ann.page.evaluate(LOOK, True)
    await expect(bob.message("Are you there?").locator(".tick")).to_have_text("Read")
    await expect(line).to_be_in_viewport()
    # Nor is it while somebody reads further up.
    await ann.page.locator(".messages").hover()
    await ann.page.mouse.wheel(0, -900)
    await expect(ann.page.get_by_role("button", name="Go to the newest messages")).to_be_visible()
    await bob.write("Hello?")
    await expect(bob.message("Hello?").locator(".tick")).to_have_text("Delivered")
    await ann.page.get_by_role("button", name="Go to 1 new message").click()
    await expect(ann.message("Hello?")).to_be_in_viewport()
    await expect(bob.message("Hello?").locator(".tick")).to_have_text("Read")
    await ann.write("Here")
    await expect(line).to_have_count(0)


@pytest_asyncio.fixture
async def long_room(stack: Status, ann: User, bob: User) -> AsyncIterator[str]:
    """The name of a room of many messages, of which a new copy has the newest alone."""
    name = f"Long {uuid4()}"
    made = await ann.member.call("create_room", name=name, member_ids=[bob.member.user_id])
    places: dict[str, Any] = {
        "room": made["id"],
        "size": SIZE,
        "ann": ann.member.user_id,
        "bob": bob.member.user_id,
    }
    with psycopg.connect(stack.admin_db_url) as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            """
            insert into chat.messages (room_id, seq, rev, sender_id, client_id, body, created_at)
            select
              %(room)s, s, s + 1, case when s %% 3 = 0 then %(ann)s else %(bob)s end::uuid,
              gen_random_uuid(),
              'Line ' || s || case when s = 600 then ' with a needle' else '' end,
              now() - interval '1 second' * (%(size)s - s)
            from generate_series(1, %(size)s) as s
            """,
            places,
        )
        connection.execute(
            "update chat.rooms set rev = %(size)s + 1, last_seq = %(size)s, touched = '{}'"
            " where id = %(room)s",
            places,
        )
        connection.execute(
            "update chat.room_members set joined_seq = %(size)s where room_id = %(room)s", places
        )
        connection.execute("set local session_replication_role = origin")
        connection.execute("select chat_private.grow_search(%(room)s, %(size)s)", places)
    yield name


async def test_a_message_found_far_back_is_shown_at_once_and_read_on_from_in_both_directions(
    ann: User, bob: User, long_room: str
) -> None:
    await ann.page.reload()
    await ann.enter(long_room)
    await expect(ann.message(f"Line {SIZE}")).to_be_in_viewport()
    room_id = await room_id_of(bob, long_room)
    search = ann.page.get_by_placeholder("Search messages")
    await search.fill("needle")
    asked: list[str] = []
    ann.page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    await ann.page.get_by_role("link", name="Line 600 with a needle").click()
    needle = ann.message("with a needle")
    await expect(needle).to_be_in_viewport()
    await expect(needle).to_be_focused()
    assert asked.count("list_messages") <= 3
    await search.fill("")
    # What happens to it is seen, though the copy does not have it.
    await bob.member.call("add_reaction", room_id=room_id, seq=600, emoji="👍")
    await expect(needle.get_by_role("button", name="👍 1: Bob")).to_be_visible()
    await ann.choose("with a needle", "React")
    await ann.page.get_by_role("button", name="🎉").click()
    await expect(needle.get_by_role("button", name="🎉 1: you")).to_be_visible()
    place = await needle.bounding_box()
    await ann.page.locator(".messages").hover()
    for far, by in (("Line 540", -400), ("Line 680", 400)):

        async def has_come(body: str = far, pixels: int = by) -> bool:
            await ann.page.mouse.wheel(0, pixels)
            shown = ann.page.get_by_text(body, exact=True)
            return bool(await shown.count()) and await shown.is_visible()

        await until(has_come)
    assert place is not None
    seqs = await ann.messages.evaluate_all("lines => lines.map(line => Number(line.dataset.seq))")
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    await ann.page.get_by_role("button", name="Go to the newest messages").click()
    await expect(ann.message(f"Line {SIZE}")).to_be_in_viewport()
    await ann.write("At the end")
    await expect(ann.message("At the end").locator(".tick")).to_have_text(
        re.compile("Sent|Delivered")
    )

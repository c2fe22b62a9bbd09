"""The app of examples/next-chat, as Ann and Bob use it, and the rooms that it finds by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import aiohttp
import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from parley.stack import Status
from tests.browser.chromium import Chromium, Device, Tab
from tests.browser.next_app import APP, build, install, serving
from tests.e2e.chat_people import PASSWORD, Member

pytestmark = pytest.mark.lasts(45)

WELCOME = "Write something, take the network away, write again, and reload."
FORGET = "drop function public.open_room(text); drop table public.named_rooms;"


@pytest.fixture(scope="module")
def rooms(stack: Status) -> Iterator[None]:
    """What the app needs in the database."""
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute((APP / "rooms.sql").read_bytes())
        try:
            yield
        finally:
            connection.execute(FORGET)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def app(stack: Status) -> AsyncIterator[str]:
    """The URL of the app, which was built without a warning."""
    await asyncio.to_thread(install)
    said = await asyncio.to_thread(build, stack)
    assert "warn" not in said.lower(), said
    async with serving() as url:
        yield url


@pytest_asyncio.fixture
async def tabs(chromium: Chromium, app: str) -> AsyncIterator[list[Tab]]:
    """The app in a browser for Ann and one for Bob; neither console complains."""
    async with AsyncExitStack() as opened:
        devices: list[Device] = []
        for _ in range(2):
            devices.append(await opened.enter_async_context(chromium.device()))
            devices[-1].url = app
        yield [await device.open_tab() for device in devices]
        assert [device.complaints for device in devices] == [[], []]


async def write(page: Page, body: str) -> None:
    """Write a message, and send it with Enter."""
    await page.get_by_label("Message", exact=True).fill(body)
    await page.get_by_label("Message", exact=True).press("Enter")


async def test_a_drop_in_for_supabase_s_chat_keeps_its_messages_offline_included(
    app: str, tabs: list[Tab], rooms: None, stack: Status, people: list[Member]
) -> None:
    async with aiohttp.ClientSession() as session, session.get(app) as answer:
        # What the property `messages` has is there before any script runs.
        assert WELCOME in await answer.text()
    ann, bob = (tab.page for tab in tabs)
    await ann.get_by_label("E-mail").fill(people[0].email)
    await ann.get_by_label("Password").fill(PASSWORD)
    await ann.get_by_role("button", name="Sign in").click()
    await bob.get_by_role("button", name="I am new here").click()
    await bob.get_by_label("Your name").fill("Bob")
    await bob.get_by_label("E-mail").fill(f"bob-{uuid4()}@parley.example")
    await bob.get_by_label("Password").fill(PASSWORD)
    await bob.get_by_role("button", name="Open an account").click()

    await write(ann, "On my way <b>now</b>")
    lines = [page.get_by_role("listitem") for page in (ann, bob)]
    await expect(lines[1].nth(1)).to_contain_text("Ann")
    await expect(lines[1].nth(1)).to_contain_text("On my way <b>now</b>")
    await write(bob, "I see you")
    for each in lines:
        await expect(each).to_contain_text([WELCOME, "On my way", "I see you"])
    for page in (ann, bob):
        # The page writes here what `onMessage` hears.
        await expect(page.get_by_text("3 messages")).to_be_visible()

    await ann.context.route(f"{stack.api_url}/**", lambda route: route.abort())
    await write(ann, "Written in a tunnel")
    waiting = lines[0].filter(has_text="in a tunnel")
    await expect(waiting).to_contain_text("Waiting to be sent")
    await ann.reload()
    await expect(waiting).to_contain_text("Waiting to be sent")
    await expect(lines[0]).to_have_count(4)
    await expect(ann.get_by_text("3 messages")).to_be_visible()
    await expect(lines[1]).to_have_count(3)
    await ann.context.unroute_all()
    await expect(lines[1].filter(has_text="in a tunnel")).to_be_visible(timeout=30_000)
    await bob.get_by_label("Message", exact=True).focus()
    await expect(waiting).to_contain_text("Read")
    await expect(lines[1]).to_have_count(4)
    await expect(ann.get_by_text("4 messages")).to_be_visible()

    await ann.get_by_role("button", name="Sign out Ann").click()
    await expect(ann.get_by_label("E-mail")).to_be_visible()
    await tabs[0].until("() => localStorage.length === 0")
    # (The browser notes every request that has no network.)
    tabs[0].complaints.clear()


async def test_the_first_who_open_a_room_by_name_at_once_are_in_one_room(
    rooms: None, people: list[Member]
) -> None:
    async def opened(person: Member, name: str) -> str:
        answer = await person.client.schema("public").rpc("open_room", {"name": name}).execute()
        return str(answer.data)

    name = f"Room {uuid4()}"
    found = await asyncio.gather(*(opened(each, name) for each in people))
    assert len(set(found)) == 1
    assert await opened(people[1], name) == found[0]
    assert await opened(people[1], f"{name}, another") != found[0]
    members = await people[0].call("list_members", room_id=found[0])
    assert len(members) == len(people)
    # Renaming another room does not lead people there.
    other = await people[0].call("create_room", name="Elsewhere", is_public=True)
    await people[0].call("update_room", room_id=other["id"], name=name)
    assert await opened(people[1], name) == found[0]
